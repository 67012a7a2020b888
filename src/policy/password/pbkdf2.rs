//! `{PBKDF2}` as OpenLDAP's pw-pbkdf2 and 389 Directory Server write it: `iterations$salt$key`, both in adapted base64
//! (`.` for `+`, no padding); RFC 8018 section 5.2.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

use super::scheme::{base64, decimal};

/// More iterations than this (a second or so of a core) are refused: a stored value must not be able to stop the hash pool.
const MAX_ITERATIONS: u32 = 2_000_000;
/// The longest salt accepted, in octets; OpenLDAP writes 16.
const MAX_SALT: usize = 256;
/// Octets of salt and of key in 389 Directory Server's packed form.
const PACKED_SALT: usize = 64;
const PACKED_KEY: usize = 256;

/// The hash inside HMAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pbkdf2Hash {
    Sha1,
    Sha256,
    Sha512,
}

/// A derived key with what it was derived from.
pub(super) struct Pbkdf2Value {
    hash: Pbkdf2Hash,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Pbkdf2Hash {
    fn length(self) -> usize {
        match self {
            Pbkdf2Hash::Sha1 => 20,
            Pbkdf2Hash::Sha256 => 32,
            Pbkdf2Hash::Sha512 => 64,
        }
    }

    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Pbkdf2Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Pbkdf2Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Pbkdf2Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

impl Pbkdf2Value {
    /// `iterations$salt$key`; a key of another length than the hash's is refused, a short one would match too easily.
    pub(super) fn parse(text: &[u8], hash: Pbkdf2Hash) -> Option<Pbkdf2Value> {
        let mut fields = text.split(|octet| *octet == b'$');
        let iterations = decimal(fields.next()?).filter(|count| *count <= MAX_ITERATIONS).and_then(NonZeroU32::new)?;
        let salt = adapted_base64(fields.next()?).filter(|salt| (1..=MAX_SALT).contains(&salt.len()))?;
        let key = adapted_base64(fields.next()?).filter(|key| key.len() == hash.length())?;
        fields.next().is_none().then_some(Pbkdf2Value { hash, iterations, salt, key })
    }

    /// 389 Directory Server's `{PBKDF2_SHA256}`: base64 of iterations (four octets, most significant first), 64 octets of salt and a key
    /// of 256 octets, of which the first 32 are what the other forms keep (RFC 8018 section 5.2: blocks are derived one by one).
    pub(super) fn parse_packed(text: &[u8]) -> Option<Pbkdf2Value> {
        let octets = base64(text).filter(|octets| octets.len() == 4 + PACKED_SALT + PACKED_KEY)?;
        let (iterations, rest) = octets.split_first_chunk::<4>()?;
        let (salt, key) = rest.split_at_checked(PACKED_SALT)?;
        let iterations =
            Some(u32::from_be_bytes(*iterations)).filter(|count| *count <= MAX_ITERATIONS).and_then(NonZeroU32::new)?;
        let hash = Pbkdf2Hash::Sha256;
        Some(Pbkdf2Value { hash, iterations, salt: salt.to_vec(), key: key.get(..hash.length())?.to_vec() })
    }

    /// Whether the key was derived from this password. HMAC fills short keys up with zeros, so without the first check a password would
    /// also match with NULs behind it.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        if password.last() == Some(&0) {
            return false;
        }
        pbkdf2::verify(self.hash.algorithm(), self.iterations, &self.salt, password, &self.key).is_ok()
    }
}

fn adapted_base64(text: &[u8]) -> Option<Vec<u8>> {
    let standard: Vec<u8> = text.iter().map(|octet| if *octet == b'.' { b'+' } else { *octet }).collect();
    base64(&standard)
}
