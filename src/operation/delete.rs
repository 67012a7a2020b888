//! Delete (RFC 4511 section 4.8), of a whole subtree with the tree delete control.

use bytes::Bytes;

use super::refusal::Refusal;
use super::write::{Success, Write};

use crate::protocol::Control;

/// A delete request on its way to the committer.
#[derive(Debug)]
pub struct DeleteRequest {
    /// The name as it came.
    pub name: Bytes,
    /// The controls as they came.
    pub controls: Vec<Control>,
}

/// Decides a delete.
pub(crate) fn delete(write: &Write<'_>, request: &DeleteRequest) -> Result<Success, Refusal> {
    let _ = (write, request);
    todo!()
}
