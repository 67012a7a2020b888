//! keywordMatch and wordMatch (RFC 4517 sections 4.2.21 and 4.2.32): one word or one keyword of a text. The RFC leaves to the server
//! what these are.
//!
//! - A **word** is a run of letters, digits and combining marks, with apostrophes inside it (`o'neill`). Everything else parts words:
//!   spaces, hyphens, full stops, slashes.
//! - A **keyword** may be several words. Commas, semicolons, vertical bars and ends of lines part keywords: `stroke unit, ward 7`
//!   has two.
//!
//! Words and keywords are compared as caseIgnoreMatch does, after the preparation of RFC 4518.

use unicode_normalization::char::is_combining_mark;

use super::super::Schema;
use super::super::normalization::{Case, Spaces, prepare};
use super::{Key, SyntaxError, string};

type Prepared = Result<Key, SyntaxError>;

/// Preparation removes NUL, so it can stand between words, and no assertion contains it.
const BETWEEN: u8 = 0;

/// All words of a value.
pub(super) fn words(_: &Schema, value: &[u8]) -> Prepared {
    let text = text(value)?;
    Ok(joined(split(&text)))
}

/// An assertion is one word; what parts words may stand around it. Several words are no word, so they are found nowhere.
pub(super) fn word(_: &Schema, assertion: &[u8]) -> Prepared {
    let text = text(assertion)?;
    let mut words = split(&text);
    let only = words.next().filter(|_| words.next().is_none());
    Ok(Key::from(only.unwrap_or(&text).as_bytes().to_vec()))
}

/// All keywords of a value.
pub(super) fn keywords(schema: &Schema, value: &[u8]) -> Prepared {
    let text = std::str::from_utf8(value).map_err(|_| SyntaxError)?;
    if text.is_empty() {
        return Err(SyntaxError);
    }
    let parts = text.split(parts_keywords).filter(|part| !part.trim().is_empty());
    let prepared = parts.map(|part| string::ignore(schema, part.as_bytes())).collect::<Result<Vec<Key>, _>>()?;
    Ok(joined(prepared.iter().map(|key| &key.0)))
}

/// Whether what was asserted is one of the words or keywords of a value.
pub(super) fn is_one_of(assertion: &Key, of_value: &Key) -> bool {
    !assertion.0.is_empty() && of_value.0.split(|&octet| octet == BETWEEN).any(|one| *one == *assertion.0)
}

fn text(value: &[u8]) -> Result<String, SyntaxError> {
    if value.is_empty() {
        return Err(SyntaxError);
    }
    String::from_utf8(prepare(value, Case::Ignore, Spaces::Short)?).map_err(|_| SyntaxError)
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    let is_within = |character: char| character.is_alphanumeric() || is_combining_mark(character) || is_apostrophe(character);
    text.split(move |character| !is_within(character))
        .map(|word| word.trim_matches(is_apostrophe))
        .filter(|word| !word.is_empty())
}

fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2019}')
}

fn parts_keywords(character: char) -> bool {
    matches!(character, ',' | ';' | '|' | '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{3001}' | '\u{FF0C}' | '\u{FF1B}')
}

fn joined<T: AsRef<[u8]>>(parts: impl Iterator<Item = T>) -> Key {
    let mut key = Vec::new();
    for part in parts {
        if !key.is_empty() {
            key.push(BETWEEN);
        }
        key.extend_from_slice(part.as_ref());
    }
    Key::from(key)
}
