//! Canonical JSON (RFC 8785) as far as the journal needs it: objects, arrays, strings, integers.

use std::fmt::Write as _;

/// Integers beyond this are no exact numbers for every reader (RFC 7493 section 2.2); they are written as strings.
const LARGEST_EXACT: i128 = (1 << 53) - 1;

/// An object under construction: members may be given in any order, they are written sorted.
#[derive(Default)]
pub(super) struct Object {
    members: Vec<(&'static str, String)>,
}

impl Object {
    /// Adds a member whose value is canonical JSON already. Names are ASCII and given once, so that sorting them by octets is sorting
    /// them by UTF-16 code units (RFC 8785 section 3.2.3).
    pub(super) fn raw(&mut self, name: &'static str, json: String) -> &mut Object {
        self.members.push((name, json));
        self
    }

    pub(super) fn string(&mut self, name: &'static str, value: &str) -> &mut Object {
        self.raw(name, string(value))
    }

    pub(super) fn integer(&mut self, name: &'static str, value: impl Into<i128>) -> &mut Object {
        self.raw(name, integer(value.into()))
    }

    /// Adds a string member where there is a value.
    pub(super) fn optional(&mut self, name: &'static str, value: Option<&str>) -> &mut Object {
        if let Some(value) = value {
            self.string(name, value);
        }
        self
    }

    /// The object's text.
    pub(super) fn finish(&mut self) -> String {
        self.members.sort_by(|left, right| left.0.as_bytes().cmp(right.0.as_bytes()));
        let mut text =
            String::with_capacity(self.members.iter().map(|(name, json)| name.len() + json.len() + 4).sum::<usize>() + 2);
        text.push('{');
        for (index, (name, json)) in self.members.iter().enumerate() {
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

pub(super) fn integer(value: i128) -> String {
    if value.abs() > LARGEST_EXACT { format!("\"{value}\"") } else { value.to_string() }
}

fn write_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::{Object, array, integer, string};

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
            .raw("m", array([].into_iter()))
            .finish();
        assert_eq!(text, r#"{"actor":"x","m":[],"time":5}"#);
    }

    #[test]
    fn integers_that_other_readers_would_round_are_strings() {
        assert_eq!(integer(9_007_199_254_740_991), "9007199254740991");
        assert_eq!(integer(9_007_199_254_740_992), "\"9007199254740992\"");
        assert_eq!(integer(-1), "-1");
    }

    proptest::proptest! {
        #[test]
        fn every_string_reads_back(text in ".*") {
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&string(&text)).unwrap(), text);
        }
    }
}
