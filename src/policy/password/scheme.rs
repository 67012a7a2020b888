//! The `{SCHEME}` in front of a stored value, and the value read as that scheme says.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;

use super::argon2::Argon2Value;
use super::crypt::CryptValue;
use super::digest::{DigestAlgorithm, DigestValue};
use super::pbkdf2::{Pbkdf2Hash, Pbkdf2Value};

/// A name longer than this is no scheme: the value is clear text that happens to begin with a brace.
const MAX_SCHEME_NAME: usize = 32;

/// Base64 of RFC 4648 section 4 as found in the wild: padding present or not, trailing bits as they may.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// A scheme's name, understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scheme {
    Argon2,
    Digest {
        algorithm: DigestAlgorithm,
        salted: bool,
    },
    Pbkdf2(Pbkdf2Hash),
    /// 389 Directory Server's own form of PBKDF2 with SHA-256.
    Pbkdf2Packed,
    Crypt,
    ClearText,
    /// Well-formed and not known here.
    Unknown,
}

/// A stored value, read.
pub(super) enum Stored<'a> {
    Argon2(Argon2Value),
    Digest(DigestValue),
    Pbkdf2(Pbkdf2Value),
    Crypt(CryptValue<'a>),
    ClearText(&'a [u8]),
    /// Unknown scheme, malformed, or costlier than the limits allow: matches nothing.
    Unusable,
}

/// Splits `{SCHEME}rest`; `None` when there is no scheme at all.
pub(super) fn split(value: &[u8]) -> Option<(Scheme, &[u8])> {
    let after = value.strip_prefix(b"{")?;
    let end = after.iter().take(MAX_SCHEME_NAME + 1).position(|octet| *octet == b'}')?;
    let (name, rest) = after.split_at_checked(end)?;
    let is_name = !name.is_empty() && name.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-_./".contains(octet));
    is_name.then(|| (by_name(name), rest.get(1..).unwrap_or_default()))
}

fn by_name(name: &[u8]) -> Scheme {
    use DigestAlgorithm::{Md5, Sha1, Sha256, Sha384, Sha512};
    match name.to_ascii_uppercase().as_slice() {
        b"ARGON2" => Scheme::Argon2,
        b"SHA" => Scheme::Digest { algorithm: Sha1, salted: false },
        b"SSHA" => Scheme::Digest { algorithm: Sha1, salted: true },
        b"MD5" => Scheme::Digest { algorithm: Md5, salted: false },
        b"SMD5" => Scheme::Digest { algorithm: Md5, salted: true },
        b"SHA256" => Scheme::Digest { algorithm: Sha256, salted: false },
        b"SSHA256" => Scheme::Digest { algorithm: Sha256, salted: true },
        b"SHA384" => Scheme::Digest { algorithm: Sha384, salted: false },
        b"SSHA384" => Scheme::Digest { algorithm: Sha384, salted: true },
        b"SHA512" => Scheme::Digest { algorithm: Sha512, salted: false },
        b"SSHA512" => Scheme::Digest { algorithm: Sha512, salted: true },
        b"PBKDF2" | b"PBKDF2-SHA1" => Scheme::Pbkdf2(Pbkdf2Hash::Sha1),
        b"PBKDF2-SHA256" => Scheme::Pbkdf2(Pbkdf2Hash::Sha256),
        b"PBKDF2-SHA512" => Scheme::Pbkdf2(Pbkdf2Hash::Sha512),
        b"PBKDF2_SHA256" => Scheme::Pbkdf2Packed,
        // 389 Directory Server and OpenDJ name the kind of crypt hash that the value names again.
        b"CRYPT" | b"CRYPT-MD5" | b"CRYPT-SHA256" | b"CRYPT-SHA512" | b"BCRYPT" => Scheme::Crypt,
        b"CLEARTEXT" => Scheme::ClearText,
        _ => Scheme::Unknown,
    }
}

impl<'a> Stored<'a> {
    /// Reads a stored value. A value without a scheme is clear text that another server or an import left.
    pub(super) fn parse(value: &'a [u8]) -> Stored<'a> {
        let Some((scheme, rest)) = split(value) else { return Stored::ClearText(value) };
        let read = match scheme {
            Scheme::Argon2 => Argon2Value::parse(rest).map(Stored::Argon2),
            Scheme::Digest { algorithm, salted } => DigestValue::parse(rest, algorithm, salted).map(Stored::Digest),
            Scheme::Pbkdf2(hash) => Pbkdf2Value::parse(rest, hash).map(Stored::Pbkdf2),
            Scheme::Pbkdf2Packed => Pbkdf2Value::parse_packed(rest).map(Stored::Pbkdf2),
            Scheme::Crypt => CryptValue::parse(rest).map(Stored::Crypt),
            Scheme::ClearText => Some(Stored::ClearText(rest)),
            Scheme::Unknown => None,
        };
        read.unwrap_or(Stored::Unusable)
    }
}

/// Decodes base64 of either padding habit.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

/// Equality that takes the same time wherever the octets differ.
pub(super) fn constant_time_equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// A decimal number without sign, at most ten digits, as the formats write costs.
pub(super) fn decimal(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()))?;
    digits.parse().ok()
}
