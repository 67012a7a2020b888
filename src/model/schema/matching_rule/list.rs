//! caseIgnoreListMatch and caseIgnoreListSubstringsMatch: lines of a postal address (RFC 4517 sections 4.2.9 and 4.2.10).

use super::super::Schema;
use super::super::normalization::{Case, Spaces, prepare};
use super::{Key, SubstringPart, SyntaxError, string};

/// Preparation removes NUL, so it can stand between lines, and no part of an assertion spans it.
const BETWEEN_LINES: u8 = 0;

pub(super) fn lines(_: &Schema, value: &[u8]) -> Result<Key, SyntaxError> {
    join(value, Spaces::Short)
}

pub(super) fn lines_substrings(_: &Schema, value: &[u8]) -> Result<Key, SyntaxError> {
    join(value, Spaces::Value)
}

/// The assertion is a plain substring assertion, `\24` and `\5C` included only in the value.
pub(super) fn lines_part(schema: &Schema, part: SubstringPart, value: &[u8]) -> Result<Key, SyntaxError> {
    string::ignore_part(schema, part, value)
}

fn join(value: &[u8], spaces: Spaces) -> Result<Key, SyntaxError> {
    if value.is_empty() {
        return Err(SyntaxError);
    }
    let mut key = Vec::with_capacity(value.len());
    for (place, line) in value.split(|&octet| octet == b'$').enumerate() {
        if place > 0 {
            key.push(BETWEEN_LINES);
        }
        key.extend(prepare(&unescape(line)?, Case::Ignore, spaces)?);
    }
    Ok(Key::from(key))
}

/// `\24` is a dollar sign, `\5C` a backslash (RFC 4517 section 3.3.28).
fn unescape(line: &[u8]) -> Result<Vec<u8>, SyntaxError> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'\\' {
            out.push(octet);
            continue;
        }
        out.push(match after.get(..2) {
            Some(b"24") => b'$',
            Some(b"5C" | b"5c") => b'\\',
            _ => return Err(SyntaxError),
        });
        rest = after.get(2..).unwrap_or_default();
    }
    Ok(out)
}
