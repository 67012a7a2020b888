//! Where a message ends, and the strict pass over its elements before anything in it is believed.

use super::WireError;
use crate::protocol::ber::{Class, Header, Reader, Tag};

/// Elements within each other that are looked into. A filter of the greatest depth that is answered
/// ([`crate::model::Filter::MAXIMUM_DEPTH`]) stands in three elements of the message and holds three levels of its own.
const MAXIMUM_DEPTH: usize = 110;

/// Elements in one message: some 500,000 values of one add, and a bound on what a message grows to in memory.
const MAXIMUM_ELEMENTS: usize = 1 << 19;

/// Where the content of the message at the front of `buffer` starts and ends; `None` while it is not all there.
pub(super) fn extent(buffer: &[u8], limit: usize) -> Result<Option<(usize, usize)>, WireError> {
    Ok(declared(buffer, limit)?.filter(|(_, end)| buffer.len() >= *end))
}

/// The same as soon as the message says so, whether it is there or not.
pub(super) fn declared(buffer: &[u8], limit: usize) -> Result<Option<(usize, usize)>, WireError> {
    if buffer.first().is_some_and(|&identifier| Tag(identifier) != Tag::SEQUENCE) {
        return Err(WireError::Undecodable("not an LDAPMessage"));
    }
    let Some(header) = Header::read(buffer).map_err(|error| WireError::Undecodable(error.0))? else { return Ok(None) };
    let declared = u64::from(header.length);
    let length = usize::try_from(header.length).ok().filter(|&length| length <= limit);
    let Some(length) = length else { return Err(WireError::TooLarge { declared, limit }) };
    Ok(Some((header.size, header.size.saturating_add(length))))
}

/// What the strict pass found wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
    /// The elements do not fit into each other, or are none.
    Structure(&'static str),
    /// More elements within each other than are looked into; what is deeper was not checked.
    TooDeep,
    /// More elements than are looked into.
    TooMany,
}

/// Checks that the content of a message is made of whole elements all the way down: children fill their parents exactly, only
/// tags that LDAP uses, universal ones with the right constructed bit, the operation's only at the top. What a request means is not
/// looked at.
pub(super) fn check(content: &[u8]) -> Result<(), Flaw> {
    // The message itself is the first level.
    let mut remaining = MAXIMUM_ELEMENTS;
    check_elements(content, MAXIMUM_DEPTH - 1, true, &mut remaining)
}

fn check_elements(content: &[u8], levels: usize, top: bool, remaining: &mut usize) -> Result<(), Flaw> {
    let inner = levels.checked_sub(1).ok_or(Flaw::TooDeep)?;
    let mut reader = Reader::new(content);
    while !reader.is_empty() {
        *remaining = remaining.checked_sub(1).ok_or(Flaw::TooMany)?;
        let (tag, content) = reader.element().map_err(|error| Flaw::Structure(error.0))?;
        match tag.class() {
            Class::Universal if !is_known(tag) => return Err(Flaw::Structure("element of a type that LDAP does not use")),
            Class::Application if !top => return Err(Flaw::Structure("operation inside an operation")),
            _ => {}
        }
        if tag.is_constructed() {
            check_elements(content, inner, false, remaining)?;
        }
    }
    Ok(())
}

/// The universal types of RFC 4511, each in the one form LDAP allows.
fn is_known(tag: Tag) -> bool {
    matches!(tag, Tag::BOOLEAN | Tag::INTEGER | Tag::OCTET_STRING | Tag::NULL | Tag::ENUMERATED | Tag::SEQUENCE | Tag::SET)
}
