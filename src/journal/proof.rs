//! Proofs as text, to be handed to strangers: of one record (c2sp.org/tlog-proof), of records that follow each other, and the bundle of
//! evidence. `schema/JOURNAL.md` describes them for who writes a verifier.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::tree::{Hash, included_root, range_root};
use super::{Leaf, SignedTreeHead};

/// First line of a proof of one record.
const ONE: &str = "c2sp.org/tlog-proof@v1";
/// First line of a proof of records that follow each other.
const RANGE: &str = "bindery.journal/range-proof@v1";
/// Hashes that a proof of one record may have: a tree is no deeper.
const HASHES_LIMIT: usize = 128;

/// That one record is in the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordProof {
    /// The record's line.
    pub line: String,
    /// Its place in the tree: its sequence less one.
    pub index: u64,
    /// From its sibling up.
    pub hashes: Vec<Hash>,
    /// Of a tree that has it.
    pub head: SignedTreeHead,
}

/// That records which follow each other are in the journal, and no other between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeProof {
    /// Places in the tree: sequences less one.
    pub range: Range<u64>,
    /// Roots of what is beside them, from left to right.
    pub hashes: Vec<Hash>,
    /// Of a tree that has them.
    pub head: SignedTreeHead,
}

impl RecordProof {
    /// The proof, the record's line as its extra data.
    pub fn to_text(&self) -> String {
        let extra = BASE64_STANDARD.encode(&self.line);
        format!("{ONE}\nextra {extra}\nindex {}\n{}\n{}", self.index, hash_lines(&self.hashes), self.head.note)
    }

    /// Reads it back; none: it is none. Nothing is verified.
    pub fn parse(text: &str) -> Option<RecordProof> {
        let (front, note) = text.strip_prefix(ONE)?.strip_prefix('\n')?.split_once("\n\n")?;
        let mut lines = front.lines();
        let extra = BASE64_STANDARD.decode(lines.next()?.strip_prefix("extra ")?).ok()?;
        let index = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let hashes: Vec<Hash> = lines.map(hash).collect::<Option<_>>()?;
        let line = String::from_utf8(extra).ok()?;
        (hashes.len() <= HASHES_LIMIT).then_some(RecordProof { line, index, hashes, head: SignedTreeHead::parse(note)? })
    }

    /// Whether the record is in the tree of the checkpoint, whose signature is another matter.
    pub fn holds(&self) -> bool {
        let leaf = Leaf::of_line(&self.line);
        included_root(self.index, self.head.head.size, leaf, &self.hashes) == Some(self.head.head.root)
    }
}

impl RangeProof {
    /// The proof.
    pub fn to_text(&self) -> String {
        let (first, last) = (self.range.start.saturating_add(1), self.range.end);
        format!("{RANGE}\nrange {first} {last}\n{}\n{}", hash_lines(&self.hashes), self.head.note)
    }

    /// Reads it back; none: it is none. Nothing is verified.
    pub fn parse(text: &str) -> Option<RangeProof> {
        let (front, note) = text.strip_prefix(RANGE)?.strip_prefix('\n')?.split_once("\n\n")?;
        let mut lines = front.lines();
        let (first, last) = lines.next()?.strip_prefix("range ")?.split_once(' ')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let hashes: Vec<Hash> = lines.map(hash).collect::<Option<_>>()?;
        let range = first.checked_sub(1)?..last;
        let fits = !range.is_empty() && hashes.len() <= HASHES_LIMIT;
        fits.then_some(RangeProof { range, hashes, head: SignedTreeHead::parse(note)? })
    }

    /// Whether these leaves are those of the range in the tree of the checkpoint, whose signature is another matter.
    pub fn holds(&self, leaves: &[Leaf]) -> bool {
        let length = self.range.end.checked_sub(self.range.start);
        let root = range_root(self.range.start, leaves, self.head.head.size, &self.hashes);
        length == Some(leaves.len() as u64) && root == Some(self.head.head.root)
    }
}

fn hash_lines(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash) + "\n").collect()
}

fn hash(line: &str) -> Option<Hash> {
    BASE64_STANDARD.decode(line).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::TreeHead;
    use crate::journal::note::SigningKey;
    use crate::journal::tree::node;
    use crate::model::Timestamp;

    fn head(root: Hash) -> SignedTreeHead {
        let key = SigningKey::of_seed("o", &[1; 32]).unwrap();
        TreeHead { origin: "o".to_owned(), size: 2, root, time: Timestamp(0) }.sign(&key)
    }

    #[test]
    fn proofs_read_back_and_hold_for_what_they_prove() {
        let leaves = [Leaf::of_line("a"), Leaf::of_line("b")];
        let head = head(node(&leaves[0].0, &leaves[1].0));
        let one = RecordProof { line: "b".to_owned(), index: 1, hashes: vec![leaves[0].0], head: head.clone() };
        assert_eq!(RecordProof::parse(&one.to_text()), Some(one.clone()));
        assert!(one.holds());
        assert!(!RecordProof { line: "c".to_owned(), ..one.clone() }.holds());
        assert!(!RecordProof { index: 0, ..one }.holds());
        let range = RangeProof { range: 1..2, hashes: vec![leaves[0].0], head };
        assert_eq!(RangeProof::parse(&range.to_text()), Some(range.clone()));
        assert!(range.holds(&leaves[1..]) && !range.holds(&leaves[..1]) && !range.holds(&leaves));
        let whole = RangeProof { range: 0..2, hashes: Vec::new(), ..range };
        assert_eq!(RangeProof::parse(&whole.to_text()), Some(whole.clone()));
        assert!(whole.holds(&leaves));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in ".{0,200}") {
            let _ = RecordProof::parse(&format!("{ONE}\n{text}")).map(|proof| proof.holds());
            let _ = RangeProof::parse(&format!("{RANGE}\n{text}")).map(|proof| proof.holds(&[]));
        }
    }
}
