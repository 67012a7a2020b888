//! Tests of the wire: octets of real requests, broken ones, and `ldap3_proto` as an independent oracle.

mod differential;
mod golden;
mod malformed;
mod oracle;
mod replies;
mod urgent;

use bytes::BytesMut;

use super::{WireError, decode};
use crate::protocol::{Message, Request};
// For `oracle`, which the fuzz target includes as well.
use crate::{model, protocol};

const LIMIT: usize = 16 * 1024 * 1024;

/// Takes exactly one message from octets that hold just that.
fn decode_one(octets: &[u8]) -> Result<Message, WireError> {
    let mut buffer = BytesMut::from(octets);
    let message = decode(&mut buffer, LIMIT)?.expect("octets hold a whole message");
    assert!(buffer.is_empty(), "octets are left after the message");
    Ok(message)
}

/// An element; the length in its shortest form.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    crate::protocol::ber::encode(|writer| writer.element(crate::protocol::ber::Tag(tag), content)).to_vec()
}

/// A message with ID 2 around an operation (and whatever follows it).
fn message(operation: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, 2], operation].concat())
}

/// The operation of a search from "" with this filter.
fn search_for(filter: &[u8]) -> Vec<u8> {
    let head = [4, 0, 10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    element(0x63, &[&head, filter, &[0x30, 0]].concat())
}

/// What answers a request that is wrong inside.
fn malformed(octets: &[u8]) -> (crate::protocol::ResponseKind, u32, &'static str) {
    match decode_one(octets).expect("the envelope is good").request {
        Request::Malformed { kind, code, diagnostic } => (kind, code.number(), diagnostic),
        other => panic!("{octets:02x?} was taken as {other:?}"),
    }
}
