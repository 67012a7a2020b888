//! Add (RFC 4511 section 4.7).

use bytes::Bytes;

use super::prepare::Passwords;
use crate::model::Attribute;
use crate::protocol::Control;

/// An add request on its way to the committer.
#[derive(Debug)]
pub struct AddRequest {
    /// The name as it came.
    pub name: Bytes,
    /// The attributes as they came; clear-text passwords replaced by [`super::prepare::with_answers`].
    pub attributes: Vec<Attribute>,
    /// The controls as they came.
    pub controls: Vec<Control>,
    /// Which password values this server hashed itself.
    pub(crate) passwords: Passwords,
}

impl AddRequest {
    /// A request as it came off the wire or out of a file.
    pub fn new(name: Bytes, attributes: Vec<Attribute>, controls: Vec<Control>) -> AddRequest {
        AddRequest { name, attributes, controls, passwords: Passwords::default() }
    }
}
