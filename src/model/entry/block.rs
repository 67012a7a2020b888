//! The octets of an entry block: BER elements written and read, nothing trusted.

use std::sync::Arc;

use bytes::Bytes;

use super::{AttributeTypeId, Entry, EntryError, Inner, Section, Slot};

const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// The values of one attribute, in stored order.
#[derive(Clone)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        take_element(&mut self.0, OCTET_STRING)
    }
}

/// See [`Entry::from_block`].
pub(super) fn read(block: Bytes, resolve: impl Fn(&str) -> Option<(AttributeTypeId, Section)>) -> Result<Entry, EntryError> {
    if block.len() > Entry::MAXIMUM_BLOCK {
        return Err(EntryError("longer than an entry may be"));
    }
    let mut slots = Vec::new();
    let mut section = Section::User;
    let (mut operational_start, mut secret_start) = (None, None);
    let mut rest: &[u8] = &block;
    while !rest.is_empty() {
        let start = offset(block.len() - rest.len())?;
        let before = rest;
        take_element(&mut rest, SEQUENCE).ok_or(EntryError("not a sequence of attributes"))?;
        let encoded = before.get(..before.len() - rest.len()).unwrap_or_default();
        let (attribute_type, own_section) = check_attribute(encoded, &resolve)?;
        if own_section < section {
            return Err(EntryError("an attribute lies outside its section (was its definition changed?)"));
        }
        section = own_section;
        if section >= Section::Operational {
            operational_start.get_or_insert(start);
        }
        if section == Section::Secret {
            secret_start.get_or_insert(start);
        }
        slots.push(Slot { attribute_type, start });
    }
    let end = offset(block.len())?;
    let secret_start = secret_start.unwrap_or(end);
    let operational_start = operational_start.unwrap_or(secret_start);
    Ok(Entry(Arc::new(Inner { block, operational_start, secret_start, slots: slots.into() })))
}

/// Builds an entry from attributes in section order; who calls sees to the order.
pub(super) fn lay_out<'a>(
    attributes: impl Iterator<Item = (AttributeTypeId, Section, &'a str, &'a [Bytes])>,
    length: usize,
) -> Entry {
    let mut block = Vec::with_capacity(length);
    let mut slots = Vec::new();
    let (mut operational_start, mut secret_start) = (None, None);
    for (attribute_type, section, description, values) in attributes {
        let start = u32::try_from(block.len()).unwrap_or(u32::MAX);
        if section >= Section::Operational {
            operational_start.get_or_insert(start);
        }
        if section == Section::Secret {
            secret_start.get_or_insert(start);
        }
        slots.push(Slot { attribute_type, start });
        write_attribute(&mut block, description, values);
    }
    let end = u32::try_from(block.len()).unwrap_or(u32::MAX);
    let secret_start = secret_start.unwrap_or(end);
    let operational_start = operational_start.unwrap_or(secret_start);
    Entry(Arc::new(Inner { block: Bytes::from(block), operational_start, secret_start, slots: slots.into() }))
}

/// Takes a PartialAttribute apart: description and values.
pub(super) fn split_attribute(mut encoded: &[u8]) -> Option<(&str, Values<'_>)> {
    let mut content = take_element(&mut encoded, SEQUENCE)?;
    let description = std::str::from_utf8(take_element(&mut content, OCTET_STRING)?).ok()?;
    let values = take_element(&mut content, SET)?;
    Some((description, Values(values)))
}

/// Octets of a PartialAttribute.
pub(super) fn attribute_length(description: &str, values: &[Bytes]) -> usize {
    element_length(element_length(description.len()) + element_length(values_length(values)))
}

fn check_attribute(
    encoded: &[u8],
    resolve: &impl Fn(&str) -> Option<(AttributeTypeId, Section)>,
) -> Result<(AttributeTypeId, Section), EntryError> {
    let mut outer = encoded;
    let mut content = take_element(&mut outer, SEQUENCE).ok_or(EntryError("not a sequence of attributes"))?;
    let description = take_element(&mut content, OCTET_STRING).ok_or(EntryError("an attribute without description"))?;
    let description = std::str::from_utf8(description).map_err(|_| EntryError("a description that is no UTF-8"))?;
    let mut values = take_element(&mut content, SET).ok_or(EntryError("an attribute without a set of values"))?;
    if !content.is_empty() {
        return Err(EntryError("octets behind an attribute's values"));
    }
    if values.is_empty() {
        return Err(EntryError("an attribute without values"));
    }
    while !values.is_empty() {
        take_element(&mut values, OCTET_STRING).ok_or(EntryError("a value that is no octet string"))?;
    }
    let name = description.split(';').next().unwrap_or_default();
    resolve(name).ok_or(EntryError("an attribute that the schema does not know"))
}

fn offset(position: usize) -> Result<u32, EntryError> {
    u32::try_from(position).map_err(|_| EntryError("longer than an entry may be"))
}

/// Takes one element with this tag off the front and returns its content. Lengths must be definite and in their shortest form.
fn take_element<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&found, after_tag) = input.split_first()?;
    let (&first, after_first) = after_tag.split_first()?;
    if found != tag {
        return None;
    }
    let (length, body) = if first < 0x80 {
        (usize::from(first), after_first)
    } else {
        let count = usize::from(first & 0x7f);
        let (digits, body) = after_first.split_at_checked(count)?;
        if count > 4 || digits.first().is_none_or(|digit| *digit == 0) {
            return None;
        }
        let length = digits.iter().fold(0usize, |length, digit| (length << 8) | usize::from(*digit));
        if length < 0x80 {
            return None;
        }
        (length, body)
    };
    let (content, rest) = body.split_at_checked(length)?;
    *input = rest;
    Some(content)
}

fn write_attribute(output: &mut Vec<u8>, description: &str, values: &[Bytes]) {
    let values_length = values_length(values);
    write_header(output, SEQUENCE, element_length(description.len()) + element_length(values_length));
    write_header(output, OCTET_STRING, description.len());
    output.extend_from_slice(description.as_bytes());
    write_header(output, SET, values_length);
    for value in values {
        write_header(output, OCTET_STRING, value.len());
        output.extend_from_slice(value);
    }
}

fn write_header(output: &mut Vec<u8>, tag: u8, length: usize) {
    output.push(tag);
    let digits = length_digits(length);
    if digits > 0 {
        output.push(0x80 | digits);
    }
    for position in (0..digits.max(1)).rev() {
        output.push((length >> (8 * u32::from(position))) as u8);
    }
}

/// Octets of the long form behind its first; 0 for the short form.
fn length_digits(length: usize) -> u8 {
    if length < 0x80 { 0 } else { (usize::BITS - length.leading_zeros()).div_ceil(8) as u8 }
}

fn element_length(content: usize) -> usize {
    2 + usize::from(length_digits(content)) + content
}

fn values_length(values: &[Bytes]) -> usize {
    values.iter().map(|value| element_length(value.len())).sum()
}
