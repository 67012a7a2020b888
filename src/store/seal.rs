//! Sealing: AES-256-GCM under keys derived per file (HKDF-SHA-256, fresh salt), counter nonces, the location as associated data.
//!
//! No key is used by two processes or two files: each segment and each process incarnation's checkpoint draws a fresh salt, so a
//! nonce need only be unique within one of them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::journal::{FramePart, SealError, Sealer};
use crate::model::Secret;

/// Octets sealing adds.
pub(super) const TAG_OCTETS: usize = 16;

/// Octets of the seal key and of keys derived from it.
pub(super) const KEY_OCTETS: usize = 32;

/// The installation's seal key; everything is sealed under keys derived from it.
#[derive(Clone)]
pub(super) struct SealKey(Secret);

struct KeyLength;

impl hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_OCTETS
    }
}

impl SealKey {
    /// None where it is not 32 octets long.
    pub(super) fn new(key: &Secret) -> Option<SealKey> {
        (key.len() == KEY_OCTETS).then(|| SealKey(key.clone()))
    }

    /// The key itself, for its file.
    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }

    /// The key for one purpose under one salt.
    pub(super) fn derive(&self, salt: &[u8; 32], purpose: &'static str) -> Result<Zeroizing<[u8; KEY_OCTETS]>, SealError> {
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(self.0.expose());
        let info = [purpose.as_bytes()];
        extracted.expand(&info, KeyLength).and_then(|expanded| expanded.fill(key.as_mut())).map_err(|_| SealError)?;
        Ok(key)
    }

    /// The same, ready to seal with.
    pub(super) fn derive_cipher(&self, salt: &[u8; 32], purpose: &'static str) -> Result<Cipher, SealError> {
        let key = self.derive(salt, purpose)?;
        Ok(Cipher(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| SealError)?)))
    }
}

/// AES-256-GCM under one derived key.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    /// Appends the sealed octets and their tag. The nonce must be new under this key.
    pub(super) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        place: &[u8],
        octets: &[&[u8]],
        output: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let start = output.len();
        octets.iter().for_each(|part| output.extend_from_slice(part));
        let sealed = output.get_mut(start..).ok_or(SealError)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(place), sealed).map_err(|_| SealError)?;
        output.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens what [`Cipher::seal`] made with the same nonce and place.
    pub(super) fn open(&self, nonce: [u8; NONCE_LEN], place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut octets = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self.0.open_in_place(nonce, Aad::from(place), &mut octets).map_err(|_| SealError)?.len();
        octets.truncate(length);
        Ok(octets)
    }
}

/// Seals the frames of one segment. A sequence comes up at most once in a segment (after a failed write the segment is given up), so
/// part and sequence make the nonce.
pub(super) struct SegmentSealer {
    cipher: Cipher,
    first: u64,
}

impl SegmentSealer {
    pub(super) fn new(key: &SealKey, salt: &[u8; 32], first: u64) -> Result<SegmentSealer, SealError> {
        Ok(SegmentSealer { cipher: key.derive_cipher(salt, "bindery journal segment 1")?, first })
    }

    fn place(&self, part: FramePart, sequence: u64) -> ([u8; NONCE_LEN], [u8; 17]) {
        let part = match part {
            FramePart::Record => 1,
            FramePart::Changes => 2,
        };
        let [a, b, c, d, e, f, g, h] = sequence.to_le_bytes();
        let [i, j, k, l, m, n, o, p] = self.first.to_le_bytes();
        ([part, 0, 0, 0, a, b, c, d, e, f, g, h], [part, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }
}

impl Sealer for SegmentSealer {
    fn seal(&self, part: FramePart, sequence: u64, octets: &[&[u8]], output: &mut Vec<u8>) -> Result<(), SealError> {
        let (nonce, place) = self.place(part, sequence);
        self.cipher.seal(nonce, &place, octets, output)
    }

    fn open(&self, part: FramePart, sequence: u64, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, place) = self.place(part, sequence);
        self.cipher.open(nonce, &place, sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(octet: u8) -> SealKey {
        SealKey::new(&Secret::new(vec![octet; 32])).unwrap()
    }

    #[test]
    fn derivation_is_hkdf_sha256() {
        // Computed apart with HMAC by hand: PRK = HMAC(salt, key), OKM = HMAC(PRK, purpose ‖ 0x01).
        use aws_lc_rs::hmac;
        let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), &[5; 32]);
        let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref()), b"purpose\x01");
        assert_eq!(key(5).derive(&[7; 32], "purpose").unwrap().as_slice(), expected.as_ref());
    }

    #[test]
    fn a_seal_opens_only_with_its_key_and_at_its_place() {
        let sealer = SegmentSealer::new(&key(1), &[2; 32], 10).unwrap();
        let mut sealed = Vec::new();
        sealer.seal(FramePart::Record, 12, &[b"ab", b"c"], &mut sealed).unwrap();
        assert_eq!(sealed.len(), 3 + TAG_OCTETS);
        assert_eq!(sealer.open(FramePart::Record, 12, &sealed).unwrap(), b"abc");
        assert!(sealer.open(FramePart::Record, 13, &sealed).is_err());
        assert!(sealer.open(FramePart::Changes, 12, &sealed).is_err());
        for other in [
            SegmentSealer::new(&key(3), &[2; 32], 10).unwrap(),
            SegmentSealer::new(&key(1), &[3; 32], 10).unwrap(),
            SegmentSealer::new(&key(1), &[2; 32], 11).unwrap(),
        ] {
            assert!(other.open(FramePart::Record, 12, &sealed).is_err());
        }
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(sealer.open(FramePart::Record, 12, &flipped).is_err());
        }
    }
}
