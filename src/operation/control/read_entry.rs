//! Pre- and post-read (RFC 4527): the entry in the response.

use crate::protocol::{Control, ber};

/// The value of a pre- or post-read response: a SearchResultEntry, with its own tag `[APPLICATION 4]`.
pub(crate) fn read_response(oid: &str, name: &str, attributes: &[u8]) -> Control {
    let value = ber::encode(|writer| {
        writer.constructed_about(ber::Tag(0x64), name.len() + attributes.len() + 8, |writer| {
            writer.octet_string(name.as_bytes());
            writer.constructed_about(ber::Tag::SEQUENCE, attributes.len(), |writer| writer.raw(attributes));
        });
    });
    Control { oid: oid.to_owned(), critical: false, value: Some(value) }
}
