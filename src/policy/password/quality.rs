//! What of a new password can only be told while it is there in clear: its length.

use unicode_normalization::UnicodeNormalization;

/// What was told of a password. It is kept instead of the password until the change is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quality {
    /// Characters (Unicode scalar values) after normalization; octets where it is no text.
    pub characters: u32,
}

impl Quality {
    /// Looks at a password in clear.
    pub fn of(password: &[u8]) -> Quality {
        let characters = match std::str::from_utf8(password) {
            Ok(text) => text.nfkc().count(),
            Err(_) => password.len(),
        };
        Quality { characters: u32::try_from(characters).unwrap_or(u32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::Quality;

    #[test]
    fn characters_are_counted_as_a_person_counts_them() {
        assert_eq!(Quality::of("Ünal".as_bytes()).characters, 4);
        // The same, the dots being a character of their own; a ligature and a full-width letter.
        assert_eq!(Quality::of("U\u{308}nal".as_bytes()).characters, 4);
        assert_eq!(Quality::of("\u{fb01}x\u{ff21}".as_bytes()).characters, 4);
        assert_eq!(Quality::of("🏥 ok".as_bytes()).characters, 4);
        assert_eq!(Quality::of(b"\xff\xfe\xfd").characters, 3);
    }
}
