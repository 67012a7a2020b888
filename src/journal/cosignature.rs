//! Cosignatures (c2sp.org/tlog-cosignature, cosignature/v1 with Ed25519): what a witness adds to a checkpoint after it saw that the journal only grew.
//!
//! ```text
//! — NAME base64(key id ‖ time, 8 octets, seconds since 1970 ‖ signature)
//!
//! signed:   cosignature/v1
//!           time SECONDS
//!           the checkpoint's text
//! ```

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::note::Note;
use crate::model::Timestamp;

/// Type of the keys and signatures.
const COSIGNATURE_TYPE: u8 = 4;

/// A witness that is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WitnessKey {
    name: String,
    key: [u8; 32],
}

impl WitnessKey {
    /// Reads `NAME+ID+base64(4 ‖ key)`, as witnesses publish it.
    pub fn parse(text: &str) -> Option<WitnessKey> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let octets = BASE64_STANDARD.decode(key).ok()?;
        let (kind, key) = octets.split_first()?;
        let parsed = WitnessKey { name: name.to_owned(), key: key.try_into().ok()? };
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
        (*kind == COSIGNATURE_TYPE && is_name && super::to_hex(&parsed.id()) == id).then_some(parsed)
    }

    /// Who cosigns with it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.name.as_bytes());
        context.update(&[b'\n', COSIGNATURE_TYPE]);
        context.update(&self.key);
        let [a, b, c, d, ..] = super::record::sha256(context);
        [a, b, c, d]
    }

    /// Whether a note has a signature under this name and key id, right or wrong.
    pub fn is_named_in(&self, note: &str) -> bool {
        let is_own = |(name, octets): (&str, Vec<u8>)| name == self.name && octets.starts_with(&self.id());
        Note::parse(note).is_some_and(|note| note.signatures().any(is_own))
    }

    /// When the witness cosigned a checkpoint, whose note this is; none: it did not, or it is not its signature.
    pub fn cosigned(&self, note: &str) -> Option<Timestamp> {
        let note = Note::parse(note)?;
        note.signatures().find_map(|(name, octets)| {
            let (id, rest) = octets.split_first_chunk::<4>()?;
            let (time, signature) = rest.split_first_chunk::<8>()?;
            let seconds = i64::try_from(u64::from_be_bytes(*time)).ok()?;
            let text = format!("cosignature/v1\ntime {seconds}\n{}", note.text);
            let is_own = name == self.name && *id == self.id();
            let verifies = || UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok();
            (is_own && verifies()).then(|| seconds.checked_mul(1_000_000).map(Timestamp)).flatten()
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    /// A witness's key of a seed, and its public half.
    pub(crate) fn witness(name: &str, seed: u8) -> (Ed25519KeyPair, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let witness = WitnessKey { name: name.to_owned(), key };
        let typed: Vec<u8> = std::iter::once(COSIGNATURE_TYPE).chain(key).collect();
        let text = format!("{name}+{}+{}", crate::journal::to_hex(&witness.id()), BASE64_STANDARD.encode(typed));
        (pair, text)
    }

    /// The line that a witness answers with.
    pub(crate) fn cosign(pair: &Ed25519KeyPair, public: &str, text: &str, seconds: u64) -> String {
        let key = WitnessKey::parse(public).unwrap();
        let mut octets = key.id().to_vec();
        octets.extend(seconds.to_be_bytes());
        octets.extend(pair.sign(format!("cosignature/v1\ntime {seconds}\n{text}").as_bytes()).as_ref());
        format!("— {} {}\n", key.name(), BASE64_STANDARD.encode(octets))
    }

    #[test]
    fn a_cosignature_is_of_its_text_its_time_and_its_key() {
        let (pair, public) = witness("witness.example/w1", 1);
        let key = WitnessKey::parse(&public).unwrap();
        let line = cosign(&pair, &public, "o\n1\n", 1_679_315_147);
        let note = format!("o\n1\n\n— o AAAA\n{line}");
        assert_eq!(key.cosigned(&note), Some(Timestamp(1_679_315_147_000_000)));
        assert_eq!(key.cosigned(&note.replace("o\n1", "o\n2")), None);
        assert_eq!(WitnessKey::parse(&witness("witness.example/w1", 2).1).unwrap().cosigned(&note), None);
        assert!(WitnessKey::parse(&public.replace("w1", "w2")).is_none());
        // A key of the log itself is none of a witness.
        assert!(WitnessKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").is_none());
    }
}
