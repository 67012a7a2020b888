//! Replies to octets: definite lengths in their shortest form, entries from bytes that were encoded when they were written.

use bytes::BytesMut;

use crate::protocol::ber::{Tag, Writer};
use crate::protocol::{Control, LdapResult, MessageId, Reply, ResponseKind};

/// Octets that identifiers, lengths and the message ID of a reply take besides its long parts; only a guess.
const OVERHEAD: usize = 16;

/// Appends one reply.
pub fn encode(id: MessageId, reply: &Reply, output: &mut BytesMut) {
    let about = about(reply);
    output.reserve(about.saturating_add(2 * OVERHEAD));
    Writer::new(output).constructed_about(Tag::SEQUENCE, about.saturating_add(OVERHEAD), |message| {
        message.integer(i64::from(id.0));
        message.constructed_about(tag(reply), about, |operation| write(reply, operation));
        controls(reply, message);
    });
}

/// About how long the content of the operation is.
fn about(reply: &Reply) -> usize {
    match reply {
        Reply::Entry { name, attributes, .. } => name.len().saturating_add(attributes.len()).saturating_add(OVERHEAD / 2),
        Reply::Result { result, .. } => result.matched.len().saturating_add(result.diagnostic.len()),
        Reply::Reference { .. } | Reply::Intermediate { .. } => 0,
    }
}

/// The application tag (RFC 4511 sections 4.2 to 4.13).
fn tag(reply: &Reply) -> Tag {
    Tag(match reply {
        Reply::Entry { .. } => 0x64,
        Reply::Reference { .. } => 0x73,
        Reply::Intermediate { .. } => 0x79,
        Reply::Result { kind, .. } => match kind {
            ResponseKind::Bind => 0x61,
            ResponseKind::SearchDone => 0x65,
            ResponseKind::Modify => 0x67,
            ResponseKind::Add => 0x69,
            ResponseKind::Delete => 0x6b,
            ResponseKind::ModifyDn => 0x6d,
            ResponseKind::Compare => 0x6f,
            ResponseKind::Extended => 0x78,
        },
    })
}

fn write(reply: &Reply, operation: &mut Writer<'_>) {
    match reply {
        Reply::Entry { name, attributes, .. } => {
            operation.octet_string(name.as_bytes());
            operation.element(Tag::SEQUENCE, attributes);
        }
        Reply::Reference { uris, .. } => uris.iter().for_each(|uri| operation.octet_string(uri.as_bytes())),
        Reply::Intermediate { oid, value } => {
            optional(operation, 0, oid.as_ref().map(String::as_bytes));
            optional(operation, 1, value.as_deref());
        }
        Reply::Result { kind, result, sasl_credentials, extended_name, extended_value, .. } => {
            write_result(result, operation);
            match kind {
                ResponseKind::Bind => optional(operation, 7, sasl_credentials.as_deref()),
                ResponseKind::Extended => {
                    optional(operation, 10, extended_name.as_ref().map(String::as_bytes));
                    optional(operation, 11, extended_value.as_deref());
                }
                _ => {}
            }
        }
    }
}

/// `LDAPResult := { resultCode, matchedDN, diagnosticMessage, referral [3] SEQUENCE OF URI OPTIONAL }`
fn write_result(result: &LdapResult, operation: &mut Writer<'_>) {
    operation.enumerated(i64::from(result.code.number()));
    operation.octet_string(result.matched.as_bytes());
    operation.octet_string(result.diagnostic.as_bytes());
    if !result.referral.is_empty() {
        operation.constructed(Tag::context_constructed(3), |uris| {
            result.referral.iter().for_each(|uri| uris.octet_string(uri.as_bytes()));
        });
    }
}

fn controls(reply: &Reply, message: &mut Writer<'_>) {
    let controls: &[Control] = match reply {
        Reply::Entry { controls, .. } | Reply::Reference { controls, .. } | Reply::Result { controls, .. } => controls,
        Reply::Intermediate { .. } => &[],
    };
    if controls.is_empty() {
        return;
    }
    message.constructed(Tag::context_constructed(0), |list| {
        for control in controls {
            list.sequence(|parts| {
                parts.octet_string(control.oid.as_bytes());
                // DEFAULT FALSE is left out (RFC 4511 section 5.1).
                if control.critical {
                    parts.boolean(true);
                }
                if let Some(value) = &control.value {
                    parts.octet_string(value);
                }
            });
        }
    });
}

fn optional(operation: &mut Writer<'_>, number: u8, content: Option<&[u8]>) {
    if let Some(content) = content {
        operation.element(Tag::context(number), content);
    }
}
