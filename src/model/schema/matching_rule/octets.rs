//! Rules on everything that is neither text nor number: octets, bits, truth, identifiers, names, UUIDs, change numbers.

use super::super::{Schema, syntax, text};
use super::{Key, SubstringPart, SyntaxError};

type Prepared = Result<Key, SyntaxError>;

pub(super) fn octets(_: &Schema, value: &[u8]) -> Prepared {
    Ok(Key(value.into()))
}

/// A part of octetStringSubstringsMatch (X.520): octets as they are.
pub(super) fn part(schema: &Schema, _: SubstringPart, value: &[u8]) -> Prepared {
    octets(schema, value)
}

/// TRUE or FALSE (RFC 4517 section 4.2.2).
pub(super) fn boolean(_: &Schema, value: &[u8]) -> Prepared {
    if syntax::is_boolean(value) { Ok(Key(value.into())) } else { Err(SyntaxError) }
}

/// The bits of `'0101'B` (RFC 4517 section 4.2.1).
pub(super) fn bits(_: &Schema, value: &[u8]) -> Prepared {
    syntax::bits(value).map(|bits| Key(bits.into())).ok_or(SyntaxError)
}

/// A name stands for its object identifier: that of a class, else of an attribute type, else of a matching rule. A name that is none
/// of them matches nothing (RFC 4517 section 4.2.26).
pub(super) fn object_identifier(schema: &Schema, value: &[u8]) -> Prepared {
    let name = std::str::from_utf8(value).map_err(|_| SyntaxError)?;
    let class = schema.object_class(name).map(|class| class.oid.as_str());
    let oid = class
        .or_else(|| schema.attribute_type(name).map(|definition| definition.oid.as_str()))
        .or_else(|| schema.matching_rule(name).map(|rule| rule.oid))
        .or_else(|| text::is_numeric_oid(name).then_some(name));
    oid.map(|oid| Key(oid.as_bytes().into())).ok_or(SyntaxError)
}

/// The identifier a definition starts with: `( 2.5.4.3 NAME …` (RFC 4517 section 4.2.25).
pub(super) fn object_identifier_first_component(schema: &Schema, value: &[u8]) -> Prepared {
    let text = std::str::from_utf8(value).map_err(|_| SyntaxError)?;
    object_identifier(schema, text::first_component(text).map_err(|_| SyntaxError)?.as_bytes())
}

/// The string a definition starts with (RFC 4517 section 4.2.14); case does not count.
pub(super) fn string_first_component(schema: &Schema, value: &[u8]) -> Prepared {
    let text = std::str::from_utf8(value).map_err(|_| SyntaxError)?;
    super::string::ignore(schema, text::first_component(text).map_err(|_| SyntaxError)?.as_bytes())
}

pub(super) fn distinguished_name(schema: &Schema, value: &[u8]) -> Prepared {
    schema.name_and_uid_key(value, false, 0).map(Key).ok_or(SyntaxError)
}

pub(super) fn name_and_uid(schema: &Schema, value: &[u8]) -> Prepared {
    schema.name_and_uid_key(value, true, 0).map(Key).ok_or(SyntaxError)
}

/// Sixteen octets (RFC 4530 sections 2.2 and 2.3).
pub(super) fn uuid(_: &Schema, value: &[u8]) -> Prepared {
    if !syntax::is_uuid(value) {
        return Err(SyntaxError);
    }
    let digits: Vec<u8> = value.iter().filter_map(|&octet| char::from(octet).to_digit(16)).map(|digit| digit as u8).collect();
    let octets = digits.chunks_exact(2).filter_map(|pair| Some(pair.first()? << 4 | pair.last()?));
    Ok(Key(octets.collect()))
}

/// `20261122101500.000001Z#000000#000#000000` orders as it is written, hexadecimal digits in lower case.
pub(super) fn change_sequence_number(_: &Schema, value: &[u8]) -> Prepared {
    if !syntax::is_change_sequence_number(value) {
        return Err(SyntaxError);
    }
    let mut key = value.to_vec();
    if let Some(hash) = key.iter().position(|&octet| octet == b'#') {
        key.get_mut(hash..).unwrap_or_default().make_ascii_lowercase();
    }
    Ok(Key::from(key))
}
