//! Syntaxes of plain text, and of definitions (RFC 4512 section 4.1).

use super::super::text::{attribute_type, first_component, is_name, is_numeric_oid, object_class};

/// At least one character of UTF-8 (RFC 4517 section 3.3.6).
pub(super) fn is_directory_string(value: &[u8]) -> bool {
    !value.is_empty() && std::str::from_utf8(value).is_ok()
}

/// Letters, digits and `'()+,-.=/:? ` (RFC 4517 section 3.2), at least one.
pub(super) fn is_printable_string(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|octet| octet.is_ascii_alphanumeric() || b"'()+,-.=/:? ".contains(octet))
}

/// Two printable characters (RFC 4517 section 3.3.4).
pub(super) fn is_country_string(value: &[u8]) -> bool {
    value.len() == 2 && is_printable_string(value)
}

/// Digits and spaces, at least one (RFC 4517 section 3.3.23).
pub(super) fn is_numeric_string(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|octet| octet.is_ascii_digit() || *octet == b' ')
}

/// A name or dotted numbers (RFC 4517 section 3.3.26).
pub(super) fn is_oid(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| is_name(text) || is_numeric_oid(text))
}

/// `[initial] "*" *(any "*") [final]`, stars and backslashes in parts escaped (RFC 4517 section 3.3.30).
pub(super) fn is_substring_assertion(value: &[u8]) -> bool {
    let escapes = || value.split(|&octet| octet == b'\\').skip(1);
    let escaped = escapes().all(|after| matches!(after.get(..2), Some(b"2A" | b"2a" | b"5C" | b"5c")));
    let inner_parts_filled = !value.windows(2).any(|pair| pair == b"**");
    value.len() > 1 && value.contains(&b'*') && inner_parts_filled && escaped && std::str::from_utf8(value).is_ok()
}

/// RFC 3672 section 2.1 in outline: one GSER sequence, its braces balanced outside of quotes.
pub(super) fn is_subtree_specification(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let (mut depth, mut quoted) = (0_usize, false);
    let closes_last = text.char_indices().all(|(place, character)| {
        match character {
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted && depth > 0 => depth -= 1,
            '}' if !quoted => return false,
            _ => {}
        }
        depth > 0 || place + 1 == text.len()
    });
    text.starts_with('{') && closes_last && depth == 0 && !quoted
}

/// Any definition that starts with an object identifier.
pub(super) fn is_description(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| first_component(text).is_ok_and(|oid| is_numeric_oid(&oid)))
}

pub(super) fn is_structure_rule_description(value: &[u8]) -> bool {
    let starts_with_number = |text| first_component(text).is_ok_and(|number| super::is_integer(number.as_bytes()));
    std::str::from_utf8(value).is_ok_and(starts_with_number)
}

pub(super) fn is_attribute_type_description(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| attribute_type(text).is_ok_and(|definition| is_numeric_oid(&definition.oid)))
}

pub(super) fn is_object_class_description(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| object_class(text).is_ok_and(|definition| is_numeric_oid(&definition.oid)))
}
