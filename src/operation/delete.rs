//! Delete (RFC 4511 section 4.8), of a whole subtree with the tree delete control.

use bytes::Bytes;

use crate::protocol::Control;

/// A delete request on its way to the committer.
#[derive(Debug)]
pub struct DeleteRequest {
    /// The name as it came.
    pub name: Bytes,
    /// The controls as they came.
    pub controls: Vec<Control>,
}
