//! The same password, however its letters were composed: what is not in Normalization Form KC (Unicode Standard Annex 15) is brought into it
//! before it is hashed, as SASLprep (RFC 4013) and NIST SP 800-63B ask, so that clients which normalize and clients which do not agree.

use unicode_normalization::{UnicodeNormalization, is_nfkc};

use crate::model::Secret;

/// Octets up to which a password is normalized: four for each character of the longest that policies allow by default, four times over.
pub const LONGEST_NORMALIZED: usize = 4096;

/// A password in the forms in which it may have been hashed.
pub(super) struct Forms<'a> {
    given: &'a [u8],
    normalized: Option<Secret>,
}

impl<'a> Forms<'a> {
    pub(super) fn of(given: &'a [u8]) -> Forms<'a> {
        Forms { given, normalized: normalized(given) }
    }

    /// As it is hashed from now on.
    pub(super) fn normalized(&self) -> &[u8] {
        self.normalized.as_ref().map_or(self.given, Secret::expose)
    }

    /// All of them, the normalized one first. How many there are is told by what came, never by what is stored.
    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        [self.normalized(), self.given].into_iter().take(self.count())
    }

    pub(super) fn count(&self) -> usize {
        if self.normalized.is_some() { 2 } else { 1 }
    }
}

/// Whether this password is hashed as the octets it came in: so is what is no UTF-8.
pub fn is_normalized(given: &[u8]) -> bool {
    given.is_ascii() || given.len() > LONGEST_NORMALIZED || std::str::from_utf8(given).map_or(true, is_nfkc)
}

fn normalized(given: &[u8]) -> Option<Secret> {
    if is_normalized(given) {
        return None;
    }
    let text = std::str::from_utf8(given).ok()?;
    // Room for all of it at once: what is moved to a larger place would leave a copy behind.
    let mut octets = Vec::with_capacity(text.nfkc().map(char::len_utf8).sum());
    for character in text.nfkc() {
        octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(Secret::new(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_composed_in_another_way_are_the_same() {
        for (given, form) in
            [("Mu\u{308}ller", "Müller"), ("ﬁx\u{a0}Ａ", "fix A"), ("\u{212b}", "Å"), ("e\u{301}\u{323}", "ẹ\u{301}")]
        {
            let forms = Forms::of(given.as_bytes());
            assert_eq!(forms.normalized(), form.as_bytes(), "{given}");
            assert_eq!(forms.all().collect::<Vec<_>>(), [form.as_bytes(), given.as_bytes()]);
            assert!(is_normalized(form.as_bytes()) && !is_normalized(given.as_bytes()));
        }
    }

    #[test]
    fn what_is_normalized_or_no_text_stays_as_it_is() {
        let long = "e\u{301}".repeat(2000);
        for given in [&b""[..], b"plain", "Müller".as_bytes(), "🏥".as_bytes(), b"\xff\xfeu\xcc\x88", long.as_bytes()] {
            let forms = Forms::of(given);
            assert_eq!((forms.normalized(), forms.count()), (given, 1));
            assert_eq!(forms.all().collect::<Vec<_>>(), [given]);
        }
    }
}
