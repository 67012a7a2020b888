//! Virtual list views (draft-ietf-ldapext-ldapv3-vlv-09).
//!
//! ```text
//! request  := SEQUENCE { beforeCount, afterCount INTEGER, target, contextID OCTET STRING OPTIONAL }
//! target   := [0] SEQUENCE { offset, contentCount INTEGER } | [1] AssertionValue
//! response := SEQUENCE { targetPosition, contentCount INTEGER, virtualListViewResult ENUMERATED, contextID OCTET STRING OPTIONAL }
//! ```

use bytes::Bytes;

use super::{Controls, Value};
use crate::protocol::ber::{BerError, Reader, Tag};
use crate::protocol::{Control, LdapResult, ber, oid};

/// Which entries of the sorted list a client wants to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewRequest {
    /// How many before the target.
    pub before: u32,
    /// How many behind it.
    pub after: u32,
    /// The entry the others are counted from.
    pub target: ViewTarget,
}

/// What a view is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ViewTarget {
    /// The entry at `offset` of a list that the client takes to have `count` entries; 0: it does not know.
    Offset {
        /// From 1.
        offset: u32,
        /// The client's content count.
        count: u32,
    },
    /// The first entry whose first sort key is this value or behind it.
    Value(Bytes),
}

pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let view = value.sequence(|parts| {
        let (before, after) = (number(parts)?, number(parts)?);
        let target = match parts.peek() {
            Some(tag) if tag == Tag::context_constructed(0) => {
                let mut by_offset = parts.constructed(tag)?;
                let target = ViewTarget::Offset { offset: number(&mut by_offset)?, count: number(&mut by_offset)? };
                by_offset.finish()?;
                target
            }
            _ => ViewTarget::Value(Bytes::copy_from_slice(parts.expect(Tag::context(1))?)),
        };
        // The list is made anew for each view: there is no context to take up again.
        parts.optional(Tag::OCTET_STRING)?;
        Ok(ViewRequest { before, after, target })
    })?;
    controls.view = Some(view);
    Ok(())
}

/// `INTEGER (0..maxInt)`
fn number(parts: &mut Reader<'_>) -> Result<u32, BerError> {
    let number = u32::try_from(parts.integer()?).ok().filter(|&number| number <= i32::MAX as u32);
    number.ok_or(BerError("number out of range"))
}

/// Where a view is in the list, as the response says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ViewResult {
    /// targetPosition: from 1; 0 where there is none.
    pub(crate) position: usize,
    /// contentCount: entries of the whole list.
    pub(crate) count: usize,
    /// virtualListViewResult
    pub(crate) code: u32,
    /// contextID
    pub(crate) context: Option<Vec<u8>>,
}

impl ViewResult {
    /// What slapd and its clients call "VLV: sort control missing" and "offset range error"; the draft has 60 and 61.
    pub(crate) const SORT_MISSING: u32 = 76;
    pub(crate) const RANGE: u32 = 77;

    /// The control of the response.
    pub(crate) fn control(&self) -> Control {
        let integer = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let value = ber::encode(|writer| {
            writer.sequence(|writer| {
                writer.integer(integer(self.position));
                writer.integer(integer(self.count));
                writer.enumerated(i64::from(self.code));
                if let Some(context) = &self.context {
                    writer.octet_string(context);
                }
            });
        });
        Control { oid: oid::VIEW_RESPONSE.to_owned(), critical: false, value: Some(value) }
    }
}
