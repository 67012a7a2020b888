//! Canonical JSON (RFC 8785) as far as the journal needs it: objects, arrays, strings, integers.

use std::fmt::Write as _;

/// Integers beyond this are no exact numbers for every reader (RFC 7493 section 2.2); they are written as strings.
const LARGEST_EXACT: i128 = (1 << 53) - 1;

/// An object under construction: members may be given in any order, they are written sorted.
#[derive(Default)]
pub(super) struct Object {
    /// The values, one behind the other.
    values: String,
    /// Each member's name and where its value ends; it starts where the one before ends.
    members: Vec<(&'static str, usize)>,
}

impl Object {
    /// Adds a member whose value is canonical JSON already. Names are ASCII and given once, so that sorting them by octets is sorting
    /// them by UTF-16 code units (RFC 8785 section 3.2.3).
    pub(super) fn raw(&mut self, name: &'static str, json: &str) -> &mut Object {
        self.write(name, |values| values.push_str(json))
    }

    pub(super) fn string(&mut self, name: &'static str, value: &str) -> &mut Object {
        self.write(name, |values| write_string(values, value))
    }

    pub(super) fn integer(&mut self, name: &'static str, value: impl Into<i128>) -> &mut Object {
        self.write(name, |values| write_integer(values, value.into()))
    }

    /// Adds octets in lower-case hexadecimal.
    pub(super) fn hex(&mut self, name: &'static str, octets: &[u8]) -> &mut Object {
        self.write(name, |values| {
            values.push('"');
            write_hex(values, octets);
            values.push('"');
        })
    }

    /// Adds a string member where there is a value.
    pub(super) fn optional(&mut self, name: &'static str, value: Option<&str>) -> &mut Object {
        if let Some(value) = value {
            self.string(name, value);
        }
        self
    }

    fn write(&mut self, name: &'static str, value: impl FnOnce(&mut String)) -> &mut Object {
        value(&mut self.values);
        self.members.push((name, self.values.len()));
        self
    }

    /// The object's text.
    pub(super) fn finish(&self) -> String {
        let mut start = 0;
        let mut members = Vec::with_capacity(self.members.len());
        for (name, end) in &self.members {
            members.push((*name, self.values.get(start..*end).unwrap_or_default()));
            start = *end;
        }
        members.sort_unstable_by_key(|(name, _)| *name);
        let names: usize = members.iter().map(|(name, _)| name.len() + 4).sum();
        let mut text = String::with_capacity(self.values.len() + names + 2);
        text.push('{');
        for (index, (name, json)) in members.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            write_string(&mut text, name);
            text.push(':');
            text.push_str(json);
        }
        text.push('}');
        text
    }
}

/// An array of canonical values.
pub(super) fn array(items: impl Iterator<Item = String>) -> String {
    let mut text = String::from("[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

/// A string with the escapes of RFC 8785 section 3.2.2.2: the short ones, `\u00xx` for other controls, all else as it is.
pub(super) fn string(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    write_string(&mut text, value);
    text
}

fn write_integer(text: &mut String, value: i128) {
    let quote = if value.abs() > LARGEST_EXACT { "\"" } else { "" };
    // Writing to a String does not fail. Numbers of 128 bits take much longer to write.
    let _ = match i64::try_from(value) {
        Ok(value) => write!(text, "{quote}{value}{quote}"),
        Err(_) => write!(text, "{quote}{value}{quote}"),
    };
}

/// Lower-case hexadecimal.
pub(super) fn write_hex(text: &mut String, octets: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    text.reserve(octets.len() * 2);
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    text.extend(digits.filter_map(|digit| DIGITS.get(usize::from(digit))));
}

fn write_string(text: &mut String, value: &str) {
    text.reserve(value.len() + 2);
    text.push('"');
    let mut rest = value;
    // Nearly all of nearly every string needs no escape.
    while let Some(at) = rest.bytes().position(|octet| octet < b' ' || octet == b'"' || octet == b'\\') {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(plain);
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            write_escaped(text, character);
        }
        rest = characters.as_str();
    }
    text.push_str(rest);
    text.push('"');
}

fn write_escaped(text: &mut String, character: char) {
    match character {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\u{8}' => text.push_str("\\b"),
        '\t' => text.push_str("\\t"),
        '\n' => text.push_str("\\n"),
        '\u{c}' => text.push_str("\\f"),
        '\r' => text.push_str("\\r"),
        control => {
            let _ = write!(text, "\\u{:04x}", u32::from(control));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, array, string, write_hex, write_integer};

    #[test]
    fn strings_are_escaped_as_rfc_8785_section_3_2_2_2_shows() {
        // The example of that section.
        assert_eq!(string("\u{20ac}$\u{f}\u{a}A'\u{42}\u{22}\u{5c}\\\"/"), "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
        assert_eq!(string("\u{8}\t\n\u{c}\r\u{0}\u{7f}"), "\"\\b\\t\\n\\f\\r\\u0000\u{7f}\"");
    }

    #[test]
    fn members_are_sorted() {
        let text = Object::default()
            .integer("time", 5i64)
            .string("actor", "x")
            .optional("none", None)
            .raw("m", &array([].into_iter()))
            .finish();
        assert_eq!(text, r#"{"actor":"x","m":[],"time":5}"#);
    }

    #[test]
    fn integers_that_other_readers_would_round_are_strings() {
        let written = |value| {
            let mut text = String::new();
            write_integer(&mut text, value);
            text
        };
        assert_eq!(written(9_007_199_254_740_991), "9007199254740991");
        assert_eq!(written(9_007_199_254_740_992), "\"9007199254740992\"");
        assert_eq!(written(-1), "-1");
        assert_eq!(written(i128::MAX), format!("\"{}\"", i128::MAX));
    }

    #[test]
    fn octets_are_lower_case_hexadecimal() {
        let mut text = String::from("x");
        write_hex(&mut text, &[0x00, 0x9a, 0xff]);
        assert_eq!(text, "x009aff");
    }

    proptest::proptest! {
        #[test]
        fn every_string_reads_back(text in ".*") {
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&string(&text)).unwrap(), text);
        }
    }
}
