//! Rules on character strings: case, spaces, hyphens (RFC 4517 sections 4.2.3–4.2.14, 4.2.22–4.2.24, 4.2.29, 4.2.30).

use super::super::Schema;
use super::super::normalization::{Case, Spaces, is_space, is_space_or_hyphen, prepare, prepare_without};
use super::{Key, SubstringPart, SyntaxError};

type Prepared = Result<Key, SyntaxError>;

pub(super) fn ignore(_: &Schema, value: &[u8]) -> Prepared {
    text(value, Case::Ignore, Spaces::Short)
}

pub(super) fn exact(_: &Schema, value: &[u8]) -> Prepared {
    text(value, Case::Exact, Spaces::Short)
}

pub(super) fn ignore_ia5(schema: &Schema, value: &[u8]) -> Prepared {
    ia5(value).and_then(|value| ignore(schema, value))
}

pub(super) fn exact_ia5(schema: &Schema, value: &[u8]) -> Prepared {
    ia5(value).and_then(|value| exact(schema, value))
}

pub(super) fn ignore_substrings(_: &Schema, value: &[u8]) -> Prepared {
    text(value, Case::Ignore, Spaces::Value)
}

pub(super) fn exact_substrings(_: &Schema, value: &[u8]) -> Prepared {
    text(value, Case::Exact, Spaces::Value)
}

pub(super) fn ignore_ia5_substrings(schema: &Schema, value: &[u8]) -> Prepared {
    ia5(value).and_then(|value| ignore_substrings(schema, value))
}

pub(super) fn exact_ia5_substrings(schema: &Schema, value: &[u8]) -> Prepared {
    ia5(value).and_then(|value| exact_substrings(schema, value))
}

pub(super) fn ignore_part(_: &Schema, part: SubstringPart, value: &[u8]) -> Prepared {
    text(value, Case::Ignore, Spaces::Part(part))
}

pub(super) fn exact_part(_: &Schema, part: SubstringPart, value: &[u8]) -> Prepared {
    text(value, Case::Exact, Spaces::Part(part))
}

pub(super) fn ignore_ia5_part(schema: &Schema, part: SubstringPart, value: &[u8]) -> Prepared {
    ia5(value).and_then(|value| ignore_part(schema, part, value))
}

pub(super) fn exact_ia5_part(schema: &Schema, part: SubstringPart, value: &[u8]) -> Prepared {
    ia5(value).and_then(|value| exact_part(schema, part, value))
}

/// numericStringMatch, its order and its substrings: spaces do not count.
pub(super) fn numeric(_: &Schema, value: &[u8]) -> Prepared {
    if value.is_empty() || !value.iter().all(|octet| octet.is_ascii_digit() || *octet == b' ') {
        return Err(SyntaxError);
    }
    prepare_without(value, Case::Exact, is_space).map(Key::from)
}

pub(super) fn numeric_part(schema: &Schema, _: SubstringPart, value: &[u8]) -> Prepared {
    numeric(schema, value)
}

/// telephoneNumberMatch and its substrings: spaces and hyphens do not count.
pub(super) fn telephone(_: &Schema, value: &[u8]) -> Prepared {
    if value.is_empty() {
        return Err(SyntaxError);
    }
    prepare_without(value, Case::Ignore, is_space_or_hyphen).map(Key::from)
}

pub(super) fn telephone_part(schema: &Schema, _: SubstringPart, value: &[u8]) -> Prepared {
    telephone(schema, value)
}

fn text(value: &[u8], case: Case, spaces: Spaces) -> Prepared {
    if value.is_empty() {
        return Err(SyntaxError);
    }
    prepare(value, case, spaces).map(Key::from)
}

fn ia5(value: &[u8]) -> Result<&[u8], SyntaxError> {
    if value.is_ascii() { Ok(value) } else { Err(SyntaxError) }
}
