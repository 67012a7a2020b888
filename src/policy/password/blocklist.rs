//! Passwords that others know: the common and breached ones that come with this program, and a list of the organisation's own. A list is
//! a binary fuse filter: some 18 bits a password, never a miss, and one password in 65,536 is taken for one that is in it.
//!
//! ```text
//! "bindery blocklist 1\n" │ seed 8 │ segment length 4 │ mask 4 │ segments' length 4 │ count 4 │ fingerprints 2 each │ BLAKE3 of all 32
//! ```
//! Numbers are little-endian. A key is the first eight octets, big-endian, of the SHA-1 of the text: what lists of breached passwords
//! hold too.

use std::sync::OnceLock;

use aws_lc_rs::digest;
use unicode_normalization::UnicodeNormalization;
use xorf::{BinaryFuse16, Descriptor, Filter};

const MAGIC: &[u8] = b"bindery blocklist 1\n";
/// Octets of a BLAKE3 digest.
const DIGEST: usize = 32;
/// Most passwords of a list: building takes some 30 octets of memory for each.
pub const MAXIMUM_PASSWORDS: usize = 100_000_000;
/// Most octets of an encoded list.
pub const MAXIMUM_OCTETS: u64 = 400 << 20;

/// The one that comes with this program; where it is from stands beside it.
static SHIPPED: &[u8] = include_bytes!("../../../blocklist/common.filter");

/// A list of passwords that may not be chosen.
pub struct Blocklist(BinaryFuse16);

/// Why octets are no list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BlocklistError(pub &'static str);

impl std::fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blocklist of {} fingerprints", self.0.fingerprints.len())
    }
}

/// A password as lists and words are compared: normalized, letters in lower case.
pub fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// The key of a text.
fn key(text: &[u8]) -> u64 {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text);
    digest.as_ref().iter().take(8).fold(0, |key, octet| (key << 8) | u64::from(*octet))
}

/// The key of a line of a text file: a password, or `SHA1:count` as Have I Been Pwned gives its list, the digest in hexadecimal digits;
/// none for an empty line, and for one that was seen fewer than `seen` times.
pub fn key_of_line(line: &[u8], seen: u64) -> Option<u64> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let digest = line.get(..40).filter(|digest| digest.iter().all(u8::is_ascii_hexdigit));
    if let (Some(digest), Some(b':')) = (digest, line.get(40)) {
        let count: u64 = std::str::from_utf8(line.get(41..)?).ok()?.trim().parse().ok()?;
        let digits = std::str::from_utf8(digest.get(..16)?).ok()?;
        return u64::from_str_radix(digits, 16).ok().filter(|_| count >= seen);
    }
    match std::str::from_utf8(line) {
        Ok("") => None,
        Ok(text) => Some(key(folded(text).as_bytes())),
        Err(_) => Some(key(line)),
    }
}

impl Blocklist {
    /// The list that comes with this program.
    pub fn shipped() -> Option<&'static Blocklist> {
        static READ: OnceLock<Option<Blocklist>> = OnceLock::new();
        READ.get_or_init(|| Blocklist::read(SHIPPED).ok()).as_ref()
    }

    /// A list of these keys; refused without any, or with more than [`MAXIMUM_PASSWORDS`].
    pub fn of_keys(keys: impl Iterator<Item = u64>) -> Result<Blocklist, BlocklistError> {
        let mut keys: Vec<u64> = keys.take(MAXIMUM_PASSWORDS + 1).collect();
        match keys.len() {
            0 => return Err(BlocklistError("there is no password in it")),
            count if count > MAXIMUM_PASSWORDS => return Err(BlocklistError("more than 100,000,000 passwords")),
            _ => {}
        }
        // A filter of very few cannot always be made; these are keys of no text anybody knows.
        keys.extend((0..64_u64).map(|filler| u64::MAX - filler));
        keys.sort_unstable();
        keys.dedup();
        BinaryFuse16::try_from(&keys).map(Blocklist).map_err(BlocklistError)
    }

    /// Whether a text is in the list, folded by [`folded`].
    fn has(&self, text: &[u8]) -> bool {
        self.0.contains(&key(text))
    }

    /// The encoded list.
    pub fn encode(&self) -> Vec<u8> {
        let BinaryFuse16 { descriptor, fingerprints } = &self.0;
        let mut octets = MAGIC.to_vec();
        octets.extend(descriptor.seed.to_le_bytes());
        let count = u32::try_from(fingerprints.len()).unwrap_or(u32::MAX);
        for number in [descriptor.segment_length, descriptor.segment_length_mask, descriptor.segment_count_length, count] {
            octets.extend(number.to_le_bytes());
        }
        fingerprints.iter().for_each(|fingerprint| octets.extend(fingerprint.to_le_bytes()));
        octets.extend(blake3::hash(&octets).as_bytes());
        octets
    }

    /// Reads an encoded list. What is damaged is refused.
    pub fn read(octets: &[u8]) -> Result<Blocklist, BlocklistError> {
        let no_list = BlocklistError("this is no list that `bindery blocklist build` wrote");
        let damaged = BlocklistError("the list is damaged; build it anew");
        let content = octets.strip_prefix(MAGIC).ok_or(no_list)?;
        let (content, digest) = content.split_last_chunk::<DIGEST>().ok_or(damaged)?;
        let covered = octets.get(..octets.len().saturating_sub(DIGEST)).ok_or(damaged)?;
        if blake3::hash(covered).as_bytes() != digest {
            return Err(damaged);
        }
        let (seed, rest) = content.split_first_chunk::<8>().ok_or(damaged)?;
        let (numbers, rest) = rest.split_first_chunk::<16>().ok_or(damaged)?;
        let mut numbers =
            numbers.chunks_exact(4).map(|number| number.iter().rev().fold(0_u32, |n, octet| (n << 8) | u32::from(*octet)));
        let mut number = || numbers.next().ok_or(damaged);
        let descriptor = Descriptor {
            seed: u64::from_le_bytes(*seed),
            segment_length: number()?,
            segment_length_mask: number()?,
            segment_count_length: number()?,
        };
        let count = number()?;
        let fingerprints: Box<[u16]> =
            rest.chunks_exact(2).map(|pair| pair.iter().rev().fold(0_u16, |n, octet| (n << 8) | u16::from(*octet))).collect();
        // What a lookup relies on not to look behind the end.
        let Descriptor { segment_length, segment_length_mask, segment_count_length, .. } = descriptor;
        let end = u64::from(segment_count_length) + 2 * u64::from(segment_length);
        let is_sound = segment_length.is_power_of_two()
            && segment_length_mask == segment_length - 1
            && u64::from(count) == end
            && fingerprints.len() as u64 == end
            && rest.len() as u64 == 2 * end;
        if is_sound { Ok(Blocklist(BinaryFuse16 { descriptor, fingerprints })) } else { Err(damaged) }
    }
}

/// Whether a password is in the shipped list or in the organisation's own.
pub fn is_listed(own: Option<&Blocklist>, password: &[u8]) -> bool {
    let folded = std::str::from_utf8(password).map(folded);
    let texts = folded.iter().map(String::as_bytes).chain([password]);
    let mut texts = texts.collect::<Vec<_>>().into_iter();
    texts.any(|text| Blocklist::shipped().into_iter().chain(own).any(|list| list.has(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> Blocklist {
        Blocklist::of_keys(lines.iter().filter_map(|line| key_of_line(line.as_bytes(), 2))).unwrap()
    }

    #[test]
    fn what_is_built_is_found_and_nothing_else() {
        for count in [1, 2, 3, 10, 1000, 20_000] {
            let lines: Vec<String> = (0..count).map(|number| format!("Pass Phrase {number}")).collect();
            let built = list(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            let read = Blocklist::read(&built.encode()).unwrap();
            assert!(lines.iter().all(|line| is_listed(Some(&read), line.to_uppercase().as_bytes())), "{count}");
            let wrong = (0..10_000).filter(|number| read.has(format!("other {number}").as_bytes())).count();
            assert!(wrong <= 3, "{wrong} of 10,000 others");
        }
        assert!(Blocklist::of_keys(std::iter::empty()).is_err());
    }

    #[test]
    fn lines_are_passwords_or_digests_with_counts() {
        let built = list(&["", "Ünder Öath\r", "ECE0FF2B1AFBF1BE1D8B8E4EF6F4B3B3B7B9C6F1:1", "zork"]);
        assert!(is_listed(Some(&built), "U\u{308}NDER öath".as_bytes()));
        assert!(built.has(b"zork") && !built.has(b""));
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, b"Correct Horse Battery");
        let digest: String = digest.as_ref().iter().map(|octet| format!("{octet:02X}")).collect();
        let seen = list(&[&format!("{digest}:2\r"), "zork"]);
        assert!(is_listed(Some(&seen), b"Correct Horse Battery") && !is_listed(Some(&seen), b"correct horse battery"));
        let rarely = list(&[&format!("{digest}:1"), "zork"]);
        assert!(!is_listed(Some(&rarely), b"Correct Horse Battery"));
    }

    #[test]
    fn damage_is_refused() {
        let whole = list(&["one", "two"]).encode();
        assert!(Blocklist::read(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(Blocklist::read(&whole[..length]).is_err(), "cut at {length}");
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            assert!(Blocklist::read(&damaged).is_err(), "octet {place}");
        }
    }

    #[test]
    fn the_shipped_list_holds_what_everybody_tries() {
        assert!(Blocklist::shipped().is_some());
        for common in ["123456", "password", "Password1", "qwerty", "iloveyou", "letmein", "passwordpassword", "monkey"] {
            assert!(is_listed(None, common.as_bytes()), "{common}");
        }
        for rare in ["correct horse battery staple", "seven green rivers", "Wundersame Nachtigall"] {
            assert!(!is_listed(None, rare.as_bytes()), "{rare}");
        }
    }
}
