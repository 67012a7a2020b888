//! Modify DN: renaming and moving (RFC 4511 section 4.9).

use bytes::Bytes;

use super::refusal::Refusal;
use super::write::{Success, Write};

use crate::protocol::Control;

/// A rename or move on its way to the committer.
#[derive(Debug)]
pub struct ModifyDnRequest {
    /// The name as it came.
    pub name: Bytes,
    /// newrdn as it came.
    pub new_rdn: Bytes,
    /// deleteoldrdn
    pub delete_old_rdn: bool,
    /// newSuperior as it came.
    pub new_superior: Option<Bytes>,
    /// The controls as they came.
    pub controls: Vec<Control>,
}

impl ModifyDnRequest {
    /// What the journal says of it beside the name.
    pub(crate) fn details(&self) -> Vec<(&'static str, String)> {
        todo!()
    }
}

/// Decides a rename.
pub(crate) fn modify_dn(write: &Write<'_>, request: &ModifyDnRequest) -> Result<Success, Refusal> {
    let _ = (write, request);
    todo!()
}
