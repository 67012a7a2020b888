//! Requests as octets, and what the generator needs to know of answers. It shares no code with the server it measures.

use super::{Failure, people};

/// One element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    let length = content.len().to_be_bytes();
    match content.len() {
        0..=0x7f => octets.push(content.len() as u8),
        0x80..=0xffff => {
            octets.push(0x82);
            octets.extend_from_slice(length.get(6..).unwrap_or_default());
        }
        _ => {
            octets.push(0x84);
            octets.extend_from_slice(length.get(4..).unwrap_or_default());
        }
    }
    octets.extend_from_slice(content);
    octets
}

fn message(id: u32, operation: Vec<u8>) -> Vec<u8> {
    element(0x30, &[element(0x02, &(id & 0x7fff_ffff).to_be_bytes()), operation].concat())
}

fn string(text: &str) -> Vec<u8> {
    element(0x04, text.as_bytes())
}

/// A simple bind.
pub(crate) fn bind(id: u32, name: &str, password: &str) -> Vec<u8> {
    message(id, element(0x60, &[vec![2, 1, 3], string(name), element(0x80, password.as_bytes())].concat()))
}

/// `(uid=…)` below the suffix, all user attributes.
pub(crate) fn search(id: u32, person: u32) -> Vec<u8> {
    let filter = element(0xa3, &[string("uid"), string(&people::uid(person))].concat());
    let head = vec![10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    message(id, element(0x63, &[string(people::SUFFIX), head, filter, vec![0x30, 0]].concat()))
}

/// Replaces a person's description.
pub(crate) fn modify(id: u32, person: u32, description: &str) -> Vec<u8> {
    let attribute = element(0x30, &[string("description"), element(0x31, &string(description))].concat());
    let change = element(0x30, &[vec![10, 1, 2], attribute].concat());
    message(id, element(0x66, &[string(&people::dn(person)), element(0x30, &change)].concat()))
}

/// `(mail=*…*)` with a person's number in the middle.
pub(crate) fn substring(id: u32, person: u32) -> Vec<u8> {
    let number = people::uid(person);
    let parts = element(0x30, &element(0x81, number.trim_start_matches('p').as_bytes()));
    let filter = element(0xa4, &[string("mail"), parts].concat());
    let head = vec![10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    message(id, element(0x63, &[string(people::SUFFIX), head, filter, vec![0x30, 0]].concat()))
}

/// Adds a person to a group or takes the person out.
pub(crate) fn membership(id: u32, group: people::Group, person: u32, adds: bool) -> Vec<u8> {
    let attribute = element(0x30, &[string("member"), element(0x31, &string(&people::dn(person)))].concat());
    let change = element(0x30, &[vec![10, 1, u8::from(!adds)], attribute].concat());
    message(id, element(0x66, &[string(&group.dn()), element(0x30, &change)].concat()))
}

/// Compares member of a group with a person's name.
pub(crate) fn compare_member(id: u32, group: people::Group, person: u32) -> Vec<u8> {
    let assertion = element(0x30, &[string("member"), string(&people::dn(person))].concat());
    message(id, element(0x6e, &[string(&group.dn()), assertion].concat()))
}

/// Reads member of a group.
pub(crate) fn read_group(id: u32, group: people::Group) -> Vec<u8> {
    let head = vec![10, 1, 0, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    let filter = element(0x87, b"objectClass");
    message(id, element(0x63, &[string(&group.dn()), head, filter, element(0x30, &string("member"))].concat()))
}

/// Renames `ou=FROM` below the suffix to `ou=TO`.
pub(crate) fn rename(id: u32, from: &str, to: &str) -> Vec<u8> {
    let name = string(&format!("ou={from},{}", people::SUFFIX));
    message(id, element(0x6c, &[name, string(&format!("ou={to}")), vec![1, 1, 0xff]].concat()))
}

/// One answer at the front of the octets received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// How many octets it took.
    pub(crate) size: usize,
    /// The tag of its operation.
    pub(crate) operation: u8,
    /// The resultCode, where it is a result; 0 else.
    pub(crate) code: u8,
}

/// The next answer; `None` while it is not all there.
pub(crate) fn answer(octets: &[u8]) -> Result<Option<Answer>, Failure> {
    let Some((0x30, start, end)) = header(octets) else {
        return if octets.first().is_some_and(|tag| *tag != 0x30) {
            Err("the server does not speak LDAP".into())
        } else {
            Ok(None)
        };
    };
    let Some(content) = octets.get(start..end) else { return Ok(None) };
    let operation = header(content).and_then(|(_, _, end)| content.get(end..)).ok_or("an answer without an operation")?;
    let (tag, start, _) = header(operation).ok_or("an answer without an operation")?;
    let code = match operation.get(start..) {
        Some([0x0a, 1, code, ..]) => *code,
        Some([0x0a, ..]) => u8::MAX,
        _ => 0,
    };
    Ok(Some(Answer { size: end, operation: tag, code }))
}

/// Tag, start and end of the content of the element at the front.
fn header(octets: &[u8]) -> Option<(u8, usize, usize)> {
    let (tag, first) = (*octets.first()?, *octets.get(1)?);
    if first < 0x80 {
        return Some((tag, 2, 2 + usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    let length = octets.get(2..2 + count)?.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    Some((tag, 2 + count, 2 + count + length))
}
