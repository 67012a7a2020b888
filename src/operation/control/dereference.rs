//! Dereference (draft-masarati-ldap-deref): attributes of the entries that an entry names, beside the entry.
//!
//! ```text
//! request  := SEQUENCE OF SEQUENCE { derefAttr AttributeDescription, attributes SEQUENCE OF AttributeDescription }
//! response := SEQUENCE OF SEQUENCE { derefAttr, derefVal LDAPDN, attrVals [0] SEQUENCE OF PartialAttribute OPTIONAL }
//! ```

use bytes::Bytes;

use super::{Controls, Value};
use crate::model::ResultCode;
use crate::protocol::ber::{self, Tag};
use crate::protocol::{Control, LdapResult, oid};

/// Most attributes whose values are followed: each costs time at every entry.
const MAXIMUM_SPECIFICATIONS: usize = 16;

/// One attribute to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DereferenceRequest {
    /// As it came; its values are names.
    pub attribute: String,
    /// What is wanted of the entries named.
    pub attributes: Vec<String>,
}

pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let requests = value.sequence(|list| {
        let mut requests = Vec::new();
        while !list.is_empty() {
            let mut parts = list.sequence()?;
            let attribute = String::from_utf8_lossy(parts.octet_string()?).into_owned();
            let attributes = super::value::attribute_names(&mut parts.sequence()?)?;
            parts.finish()?;
            requests.push(DereferenceRequest { attribute, attributes });
        }
        Ok(requests)
    })?;
    if requests.len() > MAXIMUM_SPECIFICATIONS {
        return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too many attributes to dereference"));
    }
    controls.dereference = Some(requests);
    Ok(())
}

/// One value that was followed.
pub(crate) struct Dereferenced<'a> {
    pub(crate) attribute: &'a str,
    pub(crate) value: Bytes,
    /// PartialAttributes, concatenated; empty where there is no such entry or nothing to show of it.
    pub(crate) attributes: Bytes,
}

/// The control beside an entry.
pub(crate) fn dereference_response(results: &[Dereferenced<'_>]) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|list| {
            for result in results {
                list.sequence(|parts| {
                    parts.octet_string(result.attribute.as_bytes());
                    parts.octet_string(&result.value);
                    if !result.attributes.is_empty() {
                        parts.element(Tag::context_constructed(0), &result.attributes);
                    }
                });
            }
        });
    });
    Control { oid: oid::DEREFERENCE.to_owned(), critical: false, value: Some(value) }
}
