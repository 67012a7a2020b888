//! Server-side sorting (RFC 2891).
//!
//! ```text
//! SortKeyList := SEQUENCE OF SEQUENCE { attributeType, orderingRule [0] OPTIONAL, reverseOrder [1] BOOLEAN DEFAULT FALSE }
//! SortResult  := SEQUENCE { sortResult ENUMERATED, attributeType [0] OPTIONAL }
//! ```

use super::{Controls, Value};
use crate::model::ResultCode;
use crate::protocol::ber::{BerError, Reader, Tag, boolean};
use crate::protocol::{Control, LdapResult, ber, oid};

/// Most keys of one request: each costs time at every entry.
const MAXIMUM_KEYS: usize = 16;

/// How the entries of a search are to be sorted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortRequest {
    /// The most significant first; at least one.
    pub keys: Vec<SortKey>,
    /// Whether there is no use in entries that are not sorted.
    pub critical: bool,
}

/// One key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortKey {
    /// An attribute description as it came.
    pub attribute: String,
    /// The ordering rule's name or object identifier; none: the attribute's own.
    pub rule: Option<String>,
    /// The largest first.
    pub reverse: bool,
}

pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let keys = value.sequence(|list| {
        let mut keys = Vec::new();
        while !list.is_empty() {
            keys.push(key(list.sequence()?)?);
        }
        Ok(keys)
    })?;
    if keys.is_empty() {
        return Err(value.undecodable());
    }
    if keys.len() > MAXIMUM_KEYS {
        return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too many sort keys"));
    }
    controls.sort = Some(SortRequest { keys, critical: value.is_critical() });
    Ok(())
}

fn key(mut parts: Reader<'_>) -> Result<SortKey, BerError> {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).map_err(|_| BerError("not UTF-8"));
    let attribute = text(parts.octet_string()?)?;
    let rule = parts.optional(Tag::context(0))?.map(text).transpose()?;
    let reverse = parts.optional(Tag::context(1))?.map(boolean).transpose()?.unwrap_or(false);
    parts.finish()?;
    Ok(SortKey { attribute, rule, reverse })
}

/// The control of the response: how sorting went, and the attribute it failed for.
pub(crate) fn sort_response(code: ResultCode, attribute: Option<&str>) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|writer| {
            writer.enumerated(i64::from(code.number()));
            if let Some(attribute) = attribute {
                writer.element(Tag::context(0), attribute.as_bytes());
            }
        });
    });
    Control { oid: oid::SORT_RESPONSE.to_owned(), critical: false, value: Some(value) }
}
