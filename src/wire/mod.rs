//! The LDAP wire protocol: framing by declared length, one strict pass over the BER, decoding, encoding. Nothing else knows BER of
//! messages or `ldap3_proto`.
//!
//! ```text
//! octets ─► frame::extent ─► frame::check ─► request::decode ─► Message
//!           length, limit     TLVs, counts    names and values as octets
//! ```
//! Requests are decoded here and not by `ldap3_proto`: names, filter values and passwords are octets, which its types cannot hold
//! for any operation, and a request that is wrong inside must still be answered under its own message ID. `ldap3_proto` serves the
//! other side ([`client`]) and stands beside the decoder as an independent oracle in the tests and in the fuzz target.

pub mod client;
mod frame;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use bytes::{Buf, BytesMut};
use zeroize::Zeroize;

pub use reply::encode;

use crate::protocol::{Message, Request};

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

/// Takes one message off the front of `buffer`; `None` while it is not all there. `limit` is judged by the declared length (of the
/// content, in octets), before the octets arrive. What was taken is overwritten in `buffer`: it may have held a password.
/// After an error nothing more can be taken from this stream.
pub fn decode(buffer: &mut BytesMut, limit: usize) -> Result<Option<Message>, WireError> {
    let Some((start, end)) = frame::extent(buffer, limit)? else { return Ok(None) };
    let Some(frame) = buffer.get_mut(..end) else { return Ok(None) };
    let message = decode_frame(frame, start);
    buffer.advance(end);
    message.map(Some)
}

/// Octets of the message at the front of `buffer`, as far as it says so by now; `limit` as in [`decode`].
pub fn declared(buffer: &[u8], limit: usize) -> Result<Option<usize>, WireError> {
    frame::declared(buffer, limit).map(|declared| declared.map(|(_, end)| end))
}

/// What [`decode_urgent`] found.
#[derive(Debug)]
pub enum Urgent {
    /// This message, taken out of the buffer.
    Taken(Box<Message>),
    /// Messages that end others, none of which is wanted now.
    Later,
    /// None.
    Nothing,
}

/// Looks through the messages that wait in `buffer` for the first that ends another one (Abandon, Cancel) and that `is_wanted`, and takes
/// it out; those before and behind it stay. What cannot be decoded is left for [`decode`] to refuse in its turn. `from`: where a message
/// begins that was not looked at yet; it is moved to behind what was, so that all messages together are looked through once.
pub fn decode_urgent(buffer: &mut BytesMut, from: &mut usize, limit: usize, is_wanted: impl Fn(&Request) -> bool) -> Urgent {
    let mut at = *from;
    let mut found = Urgent::Nothing;
    loop {
        let Ok(Some((start, end))) = frame::extent(buffer.get(at..).unwrap_or_default(), limit) else { return found };
        let content = buffer.get(at.saturating_add(start)..at.saturating_add(end)).unwrap_or_default();
        if request::ends_another(content)
            && let Ok(message) = request::decode(content)
        {
            if is_wanted(&message.request) {
                let mut rest = buffer.split_off(at);
                rest.advance(end);
                buffer.unsplit(rest);
                *from = at;
                return Urgent::Taken(Box::new(message));
            }
            found = Urgent::Later;
        }
        at = at.saturating_add(end);
    }
}

/// Decodes one whole message whose content starts at `start`, and overwrites it.
fn decode_frame(frame: &mut [u8], start: usize) -> Result<Message, WireError> {
    let message = request::decode(frame.get(start..).unwrap_or_default());
    frame.zeroize();
    message
}
