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

/// An unbind.
pub(crate) fn unbind(id: u32) -> Vec<u8> {
    message(id, vec![0x42, 0])
}

/// A search of a whole subtree without limits.
fn search_below(base: &str, filter: &[u8], attributes: &[&str]) -> Vec<u8> {
    let head = [10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    let attributes: Vec<u8> = attributes.iter().flat_map(|name| string(name)).collect();
    element(0x63, &[&string(base), head.as_slice(), filter, &element(0x30, &attributes)].concat())
}

fn equals(attribute: &str, value: &str) -> Vec<u8> {
    element(0xa3, &[string(attribute), string(value)].concat())
}

/// `(uid=…)` below the suffix, all user attributes.
pub(crate) fn search(id: u32, person: u32) -> Vec<u8> {
    message(id, search_below(people::SUFFIX, &equals("uid", &people::uid(person)), &[]))
}

/// `(&(objectClass=inetOrgPerson)(uid=…))`: what many applications ask.
pub(crate) fn search_and(id: u32, person: u32) -> Vec<u8> {
    let both = [equals("objectClass", "inetOrgPerson"), equals("uid", &people::uid(person))].concat();
    message(id, search_below(people::SUFFIX, &element(0xa0, &both), &[]))
}

/// `(member=…)`: which of the small groups a person is in.
pub(crate) fn search_member(id: u32, person: u32) -> Vec<u8> {
    message(id, search_below(people::WARD_BASE, &equals("member", &people::dn(person)), &["cn"]))
}

/// A department's thousand people, whole.
pub(crate) fn scan(id: u32, department: u32) -> Vec<u8> {
    message(id, scan_operation(department))
}

/// The same in pages: the one behind this cookie.
pub(crate) fn scan_page(id: u32, department: u32, size: u8, cookie: &[u8]) -> Vec<u8> {
    let value = element(0x30, &[vec![2, 1, size], element(0x04, cookie)].concat());
    let control = element(0x30, &[string("1.2.840.113556.1.4.319"), element(0x04, &value)].concat());
    message(id, [scan_operation(department), element(0xa0, &control)].concat())
}

fn scan_operation(department: u32) -> Vec<u8> {
    search_below(people::SUFFIX, &equals("departmentNumber", &department.to_string()), &[])
}

/// Adds an entry below ou=people.
pub(crate) fn add(id: u32, uid: &str, attributes: &[(&str, String)]) -> Vec<u8> {
    let mut list = Vec::new();
    let mut rest = attributes;
    while let Some(((name, _), _)) = rest.split_first() {
        let count = rest.iter().take_while(|(other, _)| other == name).count();
        let (same, others) = rest.split_at(count);
        let values: Vec<u8> = same.iter().flat_map(|(_, value)| string(value)).collect();
        list.extend(element(0x30, &[string(name), element(0x31, &values)].concat()));
        rest = others;
    }
    message(id, element(0x68, &[string(&people::dn_of(uid)), element(0x30, &list)].concat()))
}

/// Deletes it.
pub(crate) fn delete(id: u32, uid: &str) -> Vec<u8> {
    message(id, element(0x4a, people::dn_of(uid).as_bytes()))
}

/// Compares employeeType of a person with what everybody has.
pub(crate) fn compare(id: u32, person: u32) -> Vec<u8> {
    compare_with(id, &people::dn(person), "employeeType", "permanent")
}

fn compare_with(id: u32, name: &str, attribute: &str, value: &str) -> Vec<u8> {
    let assertion = element(0x30, &[string(attribute), string(value)].concat());
    message(id, element(0x6e, &[string(name), assertion].concat()))
}

/// Replaces a person's description.
pub(crate) fn modify(id: u32, person: u32, description: &str) -> Vec<u8> {
    let attribute = element(0x30, &[string("description"), element(0x31, &string(description))].concat());
    let change = element(0x30, &[vec![10, 1, 2], attribute].concat());
    message(id, element(0x66, &[string(&people::dn(person)), element(0x30, &change)].concat()))
}

/// `(mail=*…*)` with a person's number in the middle.
pub(crate) fn substring(id: u32, attribute: &str, part: &str) -> Vec<u8> {
    let parts = element(0x30, &element(0x81, part.as_bytes()));
    let filter = element(0xa4, &[string(attribute), parts].concat());
    message(id, search_below(people::SUFFIX, &filter, &[]))
}

/// Adds a person to a group or takes the person out.
pub(crate) fn membership(id: u32, group: people::Group, person: u32, adds: bool) -> Vec<u8> {
    let attribute = element(0x30, &[string("member"), element(0x31, &string(&people::dn(person)))].concat());
    let change = element(0x30, &[vec![10, 1, u8::from(!adds)], attribute].concat());
    message(id, element(0x66, &[string(&group.dn()), element(0x30, &change)].concat()))
}

/// Compares member of a group with a person's name.
pub(crate) fn compare_member(id: u32, group: &str, person: u32) -> Vec<u8> {
    compare_with(id, group, "member", &people::dn(person))
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

/// The cookie in an answer to a page; empty behind the last one.
pub(crate) fn cookie(answer: &[u8]) -> Option<&[u8]> {
    let (_, start, end) = header(answer)?;
    let content = answer.get(start..end)?;
    let operation = content.get(header(content)?.2..)?;
    let controls = operation.get(header(operation)?.2..)?;
    let control = inside(inside(controls)?)?;
    // The name, then the value: a sequence of size and cookie.
    let value = inside(inside(control.get(header(control)?.2..)?)?)?;
    inside(value.get(header(value)?.2..)?)
}

fn inside(octets: &[u8]) -> Option<&[u8]> {
    let (_, start, end) = header(octets)?;
    octets.get(start..end)
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
