//! `{SHA}`, `{SSHA}`, `{MD5}`, `{SMD5}` (RFC 2307) and the SHA-2 family of OpenLDAP's pw-sha2: base64 of digest and salt.

use aws_lc_rs::digest;
use md5::{Digest, Md5};

use super::scheme::{base64, constant_time_equal};

/// The longest salt accepted, in octets; OpenLDAP writes 4 to 8.
const MAX_SALT: usize = 256;

/// A plain digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DigestAlgorithm {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// A digest with its salt; the salt is empty in the unsalted schemes.
pub(super) struct DigestValue {
    algorithm: DigestAlgorithm,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

impl DigestAlgorithm {
    fn length(self) -> usize {
        match self {
            DigestAlgorithm::Md5 => 16,
            DigestAlgorithm::Sha1 => 20,
            DigestAlgorithm::Sha256 => 32,
            DigestAlgorithm::Sha384 => 48,
            DigestAlgorithm::Sha512 => 64,
        }
    }

    fn of(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            DigestAlgorithm::Md5 => return Md5::new().chain_update(password).chain_update(salt).finalize().to_vec(),
            DigestAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            DigestAlgorithm::Sha256 => &digest::SHA256,
            DigestAlgorithm::Sha384 => &digest::SHA384,
            DigestAlgorithm::Sha512 => &digest::SHA512,
        };
        let mut context = digest::Context::new(algorithm);
        context.update(password);
        context.update(salt);
        context.finish().as_ref().to_vec()
    }
}

impl DigestValue {
    /// `base64(digest ‖ salt)`: no salt in the unsalted schemes, at least one octet of it in the salted ones.
    pub(super) fn parse(text: &[u8], algorithm: DigestAlgorithm, salted: bool) -> Option<DigestValue> {
        let decoded = base64(text)?;
        let (digest, salt) = decoded.split_at_checked(algorithm.length())?;
        let fits = if salted { (1..=MAX_SALT).contains(&salt.len()) } else { salt.is_empty() };
        fits.then(|| DigestValue { algorithm, digest: digest.to_vec(), salt: salt.to_vec() })
    }

    /// Whether this is the password's digest.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        constant_time_equal(&self.algorithm.of(password, &self.salt), &self.digest)
    }
}
