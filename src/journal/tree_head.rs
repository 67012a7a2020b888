//! A checkpoint of the journal (c2sp.org/tlog-checkpoint): how many records there are and the root of their tree, signed as a note.
//!
//! ```text
//! bindery.journal/NODE              the origin, which is also the key's name
//! 1042                              records
//! base64 root hash
//! time 2026-11-22T21:00:00.000000Z  an extension line: when it was signed, by the server's clock
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::note::{Note, NoteError, SigningKey, VerifyingKey};
use super::tree::Hash;
use crate::model::Timestamp;

/// What a checkpoint says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeHead {
    /// Whose journal.
    pub origin: String,
    /// Records: the last one's sequence.
    pub size: u64,
    /// Root of their tree.
    pub root: Hash,
    /// When it was signed.
    pub time: Timestamp,
}

/// A checkpoint as a note, believed or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedTreeHead {
    /// What it says.
    pub head: TreeHead,
    /// The whole note.
    pub note: String,
}

/// The origin of an installation's journal.
pub fn origin(node: &str) -> String {
    format!("bindery.journal/{node}")
}

impl TreeHead {
    /// The note.
    pub fn sign(self, key: &SigningKey) -> SignedTreeHead {
        let note = key.sign(&self.text());
        SignedTreeHead { head: self, note }
    }

    fn text(&self) -> String {
        let TreeHead { origin, size, root, time } = self;
        format!("{origin}\n{size}\n{}\ntime {}\n", BASE64_STANDARD.encode(root), time.to_rfc3339())
    }

    fn parse(text: &str) -> Option<TreeHead> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let root = BASE64_STANDARD.decode(root).ok()?.try_into().ok()?;
        let time = lines.find_map(|line| line.strip_prefix("time "))?;
        let head = TreeHead { origin: origin.to_owned(), size: size.parse().ok()?, root, time: Timestamp::from_rfc3339(time)? };
        (!origin.is_empty() && head.size.to_string() == size).then_some(head)
    }
}

impl SignedTreeHead {
    /// Takes a note apart; nothing is verified.
    pub fn parse(note: &str) -> Option<SignedTreeHead> {
        Some(SignedTreeHead { head: TreeHead::parse(Note::parse(note)?.text)?, note: note.to_owned() })
    }

    /// What is signed.
    pub fn text(&self) -> &str {
        Note::parse(&self.note).map_or("", |note| note.text)
    }

    /// Whether this key signed it, for the journal that the key is named after.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), NoteError> {
        if self.head.origin != key.name() {
            return Err(NoteError::OtherKey);
        }
        Note::parse(&self.note).ok_or(NoteError::BadSignature)?.verify(key)
    }
}

/// The checkpoints in a text that has one behind the other, an empty line after each. What is none is left out: a last one may have been cut
/// off half way.
pub fn parse_all(text: &str) -> Vec<SignedTreeHead> {
    let mut found = Vec::new();
    let mut note = String::new();
    for line in text.split_inclusive('\n') {
        if line == "\n" && note.lines().next_back().is_some_and(|last| last.starts_with("— ")) {
            found.extend(SignedTreeHead::parse(&note));
            note.clear();
        } else {
            note.push_str(line);
        }
    }
    found.extend(SignedTreeHead::parse(&note));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64) -> TreeHead {
        TreeHead { origin: origin("n"), size, root: [3; 32], time: Timestamp(1_795_339_573_442_995) }
    }

    #[test]
    fn checkpoints_read_back_one_behind_the_other() {
        let key = SigningKey::of_seed(&origin("n"), &[1; 32]).unwrap();
        let (first, second) = (head(1).sign(&key), head(20).sign(&key));
        let text = format!("{}\n{}\n{}", first.note, second.note, &first.note[..40]);
        let read = parse_all(&text);
        assert_eq!(read, [first.clone(), second]);
        assert_eq!(read[0].verify(key.public()), Ok(()));
        assert_eq!(first.note.lines().next(), Some("bindery.journal/n"));
        assert_eq!(first.note.lines().nth(3), Some("time 2026-11-22T09:26:13.442995Z"));
    }

    #[test]
    fn another_origin_is_not_believed() {
        let key = SigningKey::of_seed(&origin("n"), &[1; 32]).unwrap();
        let other = TreeHead { origin: origin("other"), ..head(1) }.sign(&key);
        assert_eq!(other.verify(key.public()), Err(NoteError::OtherKey));
    }

    #[test]
    fn sizes_are_written_in_one_way() {
        assert!(
            TreeHead::parse("o\n01\nAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\ntime 2026-11-22T09:26:13.442995Z\n").is_none()
        );
    }
}
