//! String preparation for matching (RFC 4518): transcode, map, normalise, prohibit, insignificant characters.
//!
//! Two differences from the RFC's letter, both because it froze Unicode 3.2: a code point counts as unassigned if today's Unicode
//! has not assigned it, and letters younger than 3.2 are folded by today's lower case. Mapping and normalising run twice, so that what a
//! compatibility form decomposes to is folded as well: preparing a prepared string changes nothing.

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{is_combining_mark, is_public_assigned};

use super::{SubstringPart, SyntaxError};

/// Whether case counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Case {
    Exact,
    Ignore,
}

/// How spaces are written (RFC 4518 section 2.6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spaces {
    /// For equality and order: none outside, one inside. Orders and compares like the RFC's form, with fewer octets.
    Short,
    /// The RFC's form of a value in which substrings are looked for: one outside, two inside.
    Value,
    /// The RFC's form of a part of a substring assertion.
    Part(SubstringPart),
}

/// Text as caseIgnoreMatch (RFC 4517 section 4.2.11) compares it: equal texts are folded alike. None: it is no text.
pub fn folded(value: &[u8]) -> Option<String> {
    String::from_utf8(prepare(value, Case::Ignore, Spaces::Short).ok()?).ok()
}

/// Prepares text whose insignificant characters are spaces.
pub(super) fn prepare(value: &[u8], case: Case, spaces: Spaces) -> Result<Vec<u8>, SyntaxError> {
    if value.is_ascii() {
        return Ok(collapse(value.iter().filter_map(|&octet| ascii(octet, case)), value.len(), spaces));
    }
    let text = normalise(std::str::from_utf8(value).map_err(|_| SyntaxError)?, case)?;
    let mut marked = Vec::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // A space that carries a combining mark is no space (RFC 4518 section 2.6.1).
        let significant = character != ' ' || characters.peek().is_some_and(|&next| is_combining_mark(next));
        marked.push((character, significant));
    }
    Ok(collapse_characters(&marked, spaces))
}

/// Prepares text of which some characters do not count at all: spaces in numbers (RFC 4518 section 2.6.2), spaces and hyphens in
/// telephone numbers (section 2.6.3).
pub(super) fn prepare_without(value: &[u8], case: Case, insignificant: fn(char) -> bool) -> Result<Vec<u8>, SyntaxError> {
    if value.is_ascii() {
        let mapped = value.iter().filter_map(|&octet| ascii(octet, case));
        return Ok(mapped.filter(|&octet| !insignificant(char::from(octet))).collect());
    }
    let text = normalise(std::str::from_utf8(value).map_err(|_| SyntaxError)?, case)?;
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // A space or hyphen that carries a combining mark is none (RFC 4518 sections 2.6.2 and 2.6.3).
        if !insignificant(character) || characters.peek().is_some_and(|&next| is_combining_mark(next)) {
            kept.push(character);
        }
    }
    Ok(kept.into_bytes())
}

pub(super) fn is_space(character: char) -> bool {
    character == ' '
}

/// RFC 4518 section 2.6.3.
pub(super) fn is_space_or_hyphen(character: char) -> bool {
    matches!(character, ' ' | '-' | '\u{058A}' | '\u{2010}' | '\u{2011}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}')
}

/// One ASCII octet through the map step.
fn ascii(octet: u8, case: Case) -> Option<u8> {
    match octet {
        b'\t'..=b'\r' => Some(b' '),
        0..=0x1f | 0x7f => None,
        _ if case == Case::Ignore => Some(octet.to_ascii_lowercase()),
        _ => Some(octet),
    }
}

fn collapse(octets: impl Iterator<Item = u8>, length: usize, spaces: Spaces) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 2);
    let (mut any, mut pending) = (false, false);
    for octet in octets {
        if octet == b' ' {
            pending = true;
            continue;
        }
        before(&mut out, spaces, any, pending);
        out.push(octet);
        (any, pending) = (true, false);
    }
    after(&mut out, spaces, any, pending);
    out
}

fn collapse_characters(characters: &[(char, bool)], spaces: Spaces) -> Vec<u8> {
    let mut out = Vec::with_capacity(characters.len() * 2 + 2);
    let (mut any, mut pending) = (false, false);
    let mut buffer = [0; 4];
    for &(character, significant) in characters {
        if !significant {
            pending = true;
            continue;
        }
        before(&mut out, spaces, any, pending);
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        (any, pending) = (true, false);
    }
    after(&mut out, spaces, any, pending);
    out
}

/// Spaces before a character that counts; `any` says whether one was there before.
fn before(out: &mut Vec<u8>, spaces: Spaces, any: bool, pending: bool) {
    let text: &[u8] = match (any, spaces) {
        (true, _) if !pending => b"",
        (true, Spaces::Short) => b" ",
        (true, _) => b"  ",
        (false, Spaces::Short) => b"",
        (false, Spaces::Value | Spaces::Part(SubstringPart::Initial)) => b" ",
        (false, Spaces::Part(_)) => at_most_one(pending),
    };
    out.extend_from_slice(text);
}

/// One space where there were any.
fn at_most_one(pending: bool) -> &'static [u8] {
    if pending { b" " } else { b"" }
}

fn after(out: &mut Vec<u8>, spaces: Spaces, any: bool, pending: bool) {
    let text: &[u8] = match (any, spaces) {
        (_, Spaces::Short) => b"",
        (false, Spaces::Value) => b"  ",
        (false, Spaces::Part(_)) => b" ",
        (true, Spaces::Value | Spaces::Part(SubstringPart::Final)) => b" ",
        (true, Spaces::Part(_)) => at_most_one(pending),
    };
    out.extend_from_slice(text);
}

/// Map, normalise, prohibit.
fn normalise(text: &str, case: Case) -> Result<String, SyntaxError> {
    let once: String = mapped(text, case).nfkc().collect();
    let twice: String = mapped(&once, case).nfkc().collect();
    if twice.chars().any(is_prohibited) { Err(SyntaxError) } else { Ok(twice) }
}

fn mapped(text: &str, case: Case) -> impl Iterator<Item = char> {
    text.chars().filter(|&character| !is_mapped_to_nothing(character)).flat_map(move |character| {
        let character = if is_mapped_to_space(character) { ' ' } else { character };
        let (folded, kept) = match case {
            Case::Ignore => (Some(fold(character)), None),
            Case::Exact => (None, Some(character)),
        };
        folded.into_iter().flatten().chain(kept)
    })
}

/// RFC 3454 table B.2, and for letters that are younger than it today's lower case.
fn fold(character: char) -> impl Iterator<Item = char> {
    let young = tables::unassigned_code_point(character);
    let lower = young.then(|| character.to_lowercase());
    let folded = (!young).then(|| tables::case_fold_for_nfkc(character));
    lower.into_iter().flatten().chain(folded.into_iter().flatten())
}

/// RFC 4518 section 2.2: hyphens that do not show, joiners, selectors, controls.
fn is_mapped_to_nothing(character: char) -> bool {
    matches!(character,
        '\u{00AD}' | '\u{1806}' | '\u{034F}' | '\u{180B}'..='\u{180E}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFFC}'
        | '\u{0000}'..='\u{0008}' | '\u{000E}'..='\u{001F}' | '\u{007F}'..='\u{0084}' | '\u{0086}'..='\u{009F}'
        | '\u{06DD}' | '\u{070F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2063}'
        | '\u{206A}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0001}'
        | '\u{E0020}'..='\u{E007F}')
}

/// RFC 4518 section 2.2: line ends, tabs and everything Unicode calls a separator.
fn is_mapped_to_space(character: char) -> bool {
    matches!(character,
        '\u{0009}'..='\u{000D}' | '\u{0085}' | '\u{0020}' | '\u{00A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}'
        | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}')
}

/// RFC 4518 section 2.4.
fn is_prohibited(character: char) -> bool {
    character == '\u{FFFD}'
        || !is_public_assigned(character)
        || tables::private_use(character)
        || tables::non_character_code_point(character)
        || tables::change_display_properties_or_deprecated(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn equal(text: &str, case: Case) -> Result<String, SyntaxError> {
        prepare(text.as_bytes(), case, Spaces::Short).map(|octets| String::from_utf8(octets).unwrap())
    }

    fn part(text: &str, part: SubstringPart) -> String {
        String::from_utf8(prepare(text.as_bytes(), Case::Ignore, Spaces::Part(part)).unwrap()).unwrap()
    }

    #[test]
    fn spaces_are_written_as_rfc_4518_section_2_6_1_says() {
        let value = |text: &str| String::from_utf8(prepare(text.as_bytes(), Case::Ignore, Spaces::Value).unwrap()).unwrap();
        assert_eq!(value("foo bar  "), " foo  bar ");
        assert_eq!(value("   "), "  ");
        assert_eq!(value("é \u{3000} è"), " é  è ");
        assert_eq!(part("foo", SubstringPart::Initial), " foo");
        assert_eq!(part("foo  ", SubstringPart::Initial), " foo ");
        assert_eq!(part("  foo b", SubstringPart::Any), " foo  b");
        assert_eq!(part("foo", SubstringPart::Any), "foo");
        assert_eq!(part("  foo", SubstringPart::Final), " foo ");
        assert_eq!(part("foo", SubstringPart::Final), "foo ");
        assert_eq!(part("   ", SubstringPart::Any), " ");
        assert_eq!(equal("  Foo \t Bar ", Case::Ignore).unwrap(), "foo bar");
    }

    #[test]
    fn maps_normalises_and_prohibits() {
        assert_eq!(equal("STRASSE", Case::Ignore), equal("straße", Case::Ignore));
        assert_eq!(equal("ﬁn", Case::Exact).unwrap(), "fin");
        assert_eq!(equal("e\u{301}", Case::Exact).unwrap(), "é");
        assert_eq!(equal("a\u{200B}b\u{AD}c", Case::Exact).unwrap(), "abc");
        assert_eq!(equal("ΜΆΙΟΣ", Case::Ignore), equal("μάιος", Case::Ignore));
        assert_eq!(equal("\u{E000}", Case::Exact), Err(SyntaxError));
        assert_eq!(equal("\u{FFFD}", Case::Exact), Err(SyntaxError));
        assert_eq!(equal("\u{FDD0}", Case::Exact), Err(SyntaxError));
        assert_eq!(prepare(b"\xff", Case::Exact, Spaces::Short), Err(SyntaxError));
    }

    #[test]
    fn every_character_is_prepared_once_and_for_all() {
        // Ideographs and Hangul syllables are thousands of the same kind.
        let alike = |character: char| matches!(character, '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{20000}'..='\u{2EBFF}' | '\u{30000}'..='\u{3FFFF}');
        for character in ('\0'..=char::MAX).filter(|&character| is_public_assigned(character) && !alike(character)) {
            for case in [Case::Exact, Case::Ignore] {
                if let Ok(once) = equal(&format!("a{character}b"), case) {
                    assert_eq!(equal(&once, case).as_deref(), Ok(once.as_str()), "U+{:04X}", u32::from(character));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn preparing_twice_changes_nothing(text in "\\PC{0,12}|[ a-zA-Z\\t]{0,20}") {
            if let Ok(once) = equal(&text, Case::Ignore) {
                prop_assert_eq!(equal(&once, Case::Ignore), Ok(once));
            }
        }

        #[test]
        fn the_ascii_path_says_what_the_unicode_path_says(text in "[ -~\\t]{0,20}") {
            for case in [Case::Exact, Case::Ignore] {
                let long = normalise(&text, case).unwrap();
                let marked: Vec<(char, bool)> = long.chars().map(|character| (character, character != ' ')).collect();
                for spaces in [Spaces::Short, Spaces::Value, Spaces::Part(SubstringPart::Any)] {
                    prop_assert_eq!(prepare(text.as_bytes(), case, spaces).unwrap(), collapse_characters(&marked, spaces));
                }
            }
        }
    }
}
