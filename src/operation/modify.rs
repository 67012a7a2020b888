//! Modify (RFC 4511 section 4.6, increment of RFC 4525).

use bytes::Bytes;

use super::refusal::Refusal;
use super::write::{Success, Write};

use super::prepare::Passwords;
use crate::model::Modification;
use crate::protocol::Control;

/// A modify request on its way to the committer.
#[derive(Debug)]
pub struct ModifyRequest {
    /// The name as it came.
    pub name: Bytes,
    /// The changes in order; clear-text passwords replaced by [`super::prepare::with_answers`].
    pub changes: Vec<Modification>,
    /// The controls as they came.
    pub controls: Vec<Control>,
    /// Which password values were hashed or verified.
    pub(crate) passwords: Passwords,
}

impl ModifyRequest {
    /// A request as it came off the wire or out of a file.
    pub fn new(name: Bytes, changes: Vec<Modification>, controls: Vec<Control>) -> ModifyRequest {
        ModifyRequest { name, changes, controls, passwords: Passwords::default() }
    }
}

/// Decides a modify.
pub(crate) fn modify(write: &Write<'_>, request: &ModifyRequest) -> Result<Success, Refusal> {
    let _ = (write, request);
    todo!()
}
