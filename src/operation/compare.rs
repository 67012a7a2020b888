//! Compare (RFC 4511 section 4.10).

use bytes::Bytes;

use super::Context;
use crate::directory::Directory;
use crate::model::Secret;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{Control, Reply};

/// A compare request.
#[derive(Debug)]
pub struct CompareRequest {
    /// entry
    pub name: Bytes,
    /// attributeDesc
    pub attribute: String,
    /// assertionValue
    pub value: Secret,
    /// The controls as they came.
    pub controls: Vec<Control>,
}

/// What the hash pool must do before [`compare`] can answer: one job when a password is compared, otherwise nothing.
pub fn jobs(directory: &Directory, context: &Context, request: &CompareRequest) -> Vec<HashJob> {
    let _ = (directory, context, request);
    todo!()
}

/// Answers on one instant. `answers`: those to [`jobs`], empty where there were none.
pub fn compare(directory: &Directory, context: &Context, request: &CompareRequest, answers: &[HashAnswer]) -> Reply {
    let _ = (directory, context, request, answers);
    todo!()
}
