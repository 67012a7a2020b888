//! Signed notes (c2sp.org/signed-note) with Ed25519: the form in which checkpoints and bundles of evidence are signed.
//!
//! ```text
//! text, any lines
//!
//! — NAME base64(key id ‖ signature)
//! ```
//! The text ends with its last newline; the signature is over it. Keys are written as `NAME+ID+base64(1 ‖ public key)`, that of the signer
//! as `PRIVATE+KEY+NAME+ID+base64(1 ‖ seed)`.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// Type of Ed25519 keys and signatures.
const ED25519_TYPE: u8 = 1;
const SIGNATURE_OCTETS: usize = 64;
/// Signatures of one note that are looked at: a stranger's note may have many.
const SIGNATURES_LIMIT: usize = 64;

/// Whose notes are believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyingKey {
    name: String,
    key: [u8; 32],
}

impl VerifyingKey {
    /// Reads `NAME+ID+KEY`; lines that begin with `#` are remarks.
    pub fn parse(text: &str) -> Option<VerifyingKey> {
        let mut parts = only_line(text)?.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = typed_key(&BASE64_STANDARD.decode(key).ok()?)?;
        let parsed = VerifyingKey { name: name.to_owned(), key };
        (is_name(name) && parsed.id_text() == id).then_some(parsed)
    }

    /// Who signs with it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.name.as_bytes());
        context.update(&[b'\n', ED25519_TYPE]);
        context.update(&self.key);
        let [a, b, c, d, ..] = super::record::sha256(context);
        [a, b, c, d]
    }

    fn id_text(&self) -> String {
        super::to_hex(&self.id())
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
    }
}

impl std::fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id_text(), encode_typed(&self.key))
    }
}

/// Signs notes.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// Of 32 random octets. None: the name is empty, or has a blank or a plus sign in it.
    pub fn of_seed(name: &str, seed: &[u8]) -> Option<SigningKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok().filter(|_| is_name(name))?;
        let key = pair.public_key().as_ref().try_into().ok()?;
        Some(SigningKey { pair, public: VerifyingKey { name: name.to_owned(), key } })
    }

    /// What [`SigningKey::of_seed`] has in a file.
    pub fn text_of_seed(name: &str, seed: &[u8; 32]) -> Option<Zeroizing<String>> {
        let public = SigningKey::of_seed(name, seed)?.public;
        let key = Zeroizing::new(encode_typed(seed));
        Some(Zeroizing::new(format!("PRIVATE+KEY+{name}+{}+{}", public.id_text(), *key)))
    }

    /// Reads that text; lines that begin with `#` are remarks.
    pub fn parse(text: &str) -> Option<SigningKey> {
        let mut parts = only_line(text)?.strip_prefix("PRIVATE+KEY+")?.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let octets = Zeroizing::new(BASE64_STANDARD.decode(key).ok()?);
        let seed = Zeroizing::new(typed_key(&octets)?);
        SigningKey::of_seed(name, &*seed).filter(|key| key.public.id_text() == id)
    }

    /// The other half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The note of a text, which ends with a newline.
    pub fn sign(&self, text: &str) -> String {
        let mut octets = self.public.id().to_vec();
        octets.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n— {} {}\n", self.public.name, BASE64_STANDARD.encode(octets))
    }
}

/// A note taken apart; nothing of it is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note<'a> {
    /// What is signed, with its last newline.
    pub text: &'a str,
    signatures: &'a str,
}

/// Why a note is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// No signature carries the key's name and id.
    #[error("it is not signed with this key")]
    OtherKey,
    /// One does and does not fit.
    #[error("its signature does not fit")]
    BadSignature,
}

impl<'a> Note<'a> {
    /// Takes a note apart at its last empty line.
    pub fn parse(note: &'a str) -> Option<Note<'a>> {
        let at = note.rfind("\n\n")?;
        let (text, signatures) = (note.get(..=at)?, note.get(at + 2..)?);
        let is_signed = !signatures.is_empty() && signatures.ends_with('\n');
        let has_controls = text.bytes().any(|octet| octet < b' ' && octet != b'\n');
        (is_signed && !has_controls && signatures.lines().all(|line| line.starts_with("— "))).then_some(Note { text, signatures })
    }

    /// The signatures: each name, and its octets with the key's id in front.
    pub(super) fn signatures(&self) -> impl Iterator<Item = (&'a str, Vec<u8>)> {
        let signed = |line: &'a str| {
            let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
            Some((name, BASE64_STANDARD.decode(signature).ok()?))
        };
        self.signatures.lines().take(SIGNATURES_LIMIT).filter_map(signed)
    }

    /// Whether the key signed it.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), NoteError> {
        let mut found = NoteError::OtherKey;
        for (name, octets) in self.signatures() {
            let Some((id, signature)) = octets.split_first_chunk::<4>() else { continue };
            if name == key.name && *id == key.id() {
                if signature.len() == SIGNATURE_OCTETS && key.verifies(self.text, signature) {
                    return Ok(());
                }
                found = NoteError::BadSignature;
            }
        }
        Err(found)
    }
}

/// Non-empty, without blanks and plus signs.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|character: char| character.is_whitespace() || character.is_control() || character == '+')
}

fn typed_key(octets: &[u8]) -> Option<[u8; 32]> {
    octets.split_first().filter(|(kind, _)| **kind == ED25519_TYPE).and_then(|(_, key)| key.try_into().ok())
}

fn encode_typed(key: &[u8; 32]) -> String {
    let octets: Zeroizing<Vec<u8>> = Zeroizing::new(std::iter::once(ED25519_TYPE).chain(key.iter().copied()).collect());
    BASE64_STANDARD.encode(&*octets)
}

fn only_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.next().filter(|_| lines.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of c2sp.org/signed-note, which is that of Go's package note.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const SIGNATURE: &str =
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_example_of_the_specification_verifies() {
        let key = VerifyingKey::parse(PETER).unwrap();
        let note = format!("{TEXT}\n{SIGNATURE}");
        assert_eq!(Note::parse(&note).unwrap().verify(&key), Ok(()));
        assert_eq!(key.to_string(), PETER);
        let other = note.replace("your problem is", "my problem is");
        assert_eq!(Note::parse(&other).unwrap().verify(&key), Err(NoteError::BadSignature));
    }

    #[test]
    fn what_is_signed_verifies_with_that_key_alone() {
        let key = SigningKey::of_seed("log.example/1", &[7; 32]).unwrap();
        let other = SigningKey::of_seed("log.example/1", &[8; 32]).unwrap();
        let note = key.sign("a\n\nb\n");
        let parsed = Note::parse(&note).unwrap();
        assert_eq!(parsed.text, "a\n\nb\n");
        assert_eq!(parsed.verify(key.public()), Ok(()));
        assert_eq!(parsed.verify(other.public()), Err(NoteError::OtherKey));
        let text = SigningKey::text_of_seed("log.example/1", &[7; 32]).unwrap();
        let again = SigningKey::parse(&format!("# remark\n{}\n", *text)).unwrap();
        assert_eq!(again.sign("x\n"), key.sign("x\n"));
        assert!(SigningKey::of_seed("two words", &[7; 32]).is_none());
        assert!(SigningKey::parse(&text.replace("log.example/1", "log.example/2")).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in ".{0,200}") {
            let key = VerifyingKey::parse(PETER).unwrap();
            let _ = Note::parse(&text).map(|note| note.verify(&key));
            let _ = (VerifyingKey::parse(&text), SigningKey::parse(&text).is_some());
        }
    }
}
