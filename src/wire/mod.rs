//! The LDAP wire protocol: framing by declared length, one strict pass over the BER, decoding, encoding. Nothing else knows BER of
//! messages or `ldap3_proto`.

pub mod client;

use bytes::BytesMut;

use crate::protocol::{Message, MessageId, Reply};

/// Why the stream cannot go on; answered with a Notice of Disconnection (code 2).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// The declared length is over the limit.
    #[error("request of {declared} octets is over the limit of {limit}")]
    TooLarge {
        /// By the length octets.
        declared: u64,
        /// Limit in force.
        limit: usize,
    },
    /// Not an LDAPMessage.
    #[error("undecodable: {0}")]
    Undecodable(&'static str),
}

/// Takes one message off the front of `buffer`; `None` while it is not all there. `limit` is judged by the declared length,
/// before the octets arrive.
pub fn decode(buffer: &mut BytesMut, limit: usize) -> Result<Option<Message>, WireError> {
    let _ = (buffer, limit);
    todo!()
}

/// Appends one reply.
pub fn encode(id: MessageId, reply: &Reply, output: &mut BytesMut) {
    let _ = (id, reply, output);
    todo!()
}
