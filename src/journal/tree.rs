//! The Merkle tree over the records' leaves, as RFC 9162 section 2.1 has it: kept up with log n hashes, and proofs from stored hashes.
//!
//! Stored are the roots of all complete subtrees of 1, 256, 65,536, … leaves, each row of them by itself: what is between is worked out from
//! at most 255 of them. A proof reads some thousand hashes, however long the journal.

use std::ops::Range;

use aws_lc_rs::digest;

use super::Leaf;
use super::record::sha256;

/// A subtree's root.
pub type Hash = [u8; 32];

/// Every so many levels of the tree are stored: 256 hashes of one row make one of the next.
pub const ROW_LEVELS: u32 = 8;
/// Rows there can be with sequences of 64 bits.
pub const ROWS: u32 = 8;

/// Root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    sha256(digest::Context::new(&digest::SHA256))
}

/// SHA-256(0x01 ‖ left ‖ right).
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[1]);
    context.update(left);
    context.update(right);
    sha256(context)
}

/// The tree so far, as the roots of its largest complete subtrees.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tree {
    size: u64,
    /// From left to right: one for each bit that is set in the size.
    roots: Vec<Hash>,
}

impl Tree {
    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. `store` hears of every hash that is to be stored: its row, its place there, and itself.
    pub fn push(&mut self, leaf: Leaf, store: &mut dyn FnMut(u32, u64, Hash)) {
        let index = self.size;
        self.size = self.size.saturating_add(1);
        let mut hash = leaf.0;
        store(0, index, hash);
        for level in 1..=index.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            hash = node(&left, &hash);
            if level.is_multiple_of(ROW_LEVELS) {
                store(level / ROW_LEVELS, index >> level, hash);
            }
        }
        self.roots.push(hash);
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut from_right = self.roots.iter().rev();
        let Some(last) = from_right.next() else { return empty_root() };
        from_right.fold(*last, |right, left| node(left, &right))
    }
}

/// Where stored hashes are read.
pub trait Rows {
    /// Why they cannot be.
    type Error;
    /// The hashes of a row in these places; all of them.
    fn read(&self, row: u32, places: Range<u64>) -> Result<Vec<Hash>, Self::Error>;
}

/// The root of the tree of the leaves in `range` of a stored tree that has them all.
pub fn root_of<R: Rows>(rows: &R, range: Range<u64>) -> Result<Hash, R::Error> {
    let length = range.end.saturating_sub(range.start);
    if length == 0 {
        return Ok(empty_root());
    }
    if length.is_power_of_two() && range.start.is_multiple_of(length) {
        return complete(rows, length.trailing_zeros(), range.start / length);
    }
    let middle = range.start.saturating_add(split(length));
    Ok(node(&root_of(rows, range.start..middle)?, &root_of(rows, middle..range.end)?))
}

/// The root of a complete subtree: of 2^level leaves, the `index`th of that size.
fn complete<R: Rows>(rows: &R, level: u32, index: u64) -> Result<Hash, R::Error> {
    let above = level % ROW_LEVELS;
    let count = 1_u64 << above;
    let first = index.saturating_mul(count);
    let mut hashes = rows.read(level / ROW_LEVELS, first..first.saturating_add(count))?;
    for _ in 0..above {
        hashes =
            hashes.chunks(2).filter_map(|pair| pair.first().zip(pair.get(1))).map(|(left, right)| node(left, right)).collect();
    }
    Ok(hashes.first().copied().unwrap_or_else(empty_root))
}

/// Where RFC 9162 splits a tree of so many leaves, two at least: the largest power of two below it.
fn split(length: u64) -> u64 {
    length.saturating_sub(1).checked_ilog2().map_or(0, |bits| 1 << bits)
}

/// RFC 9162 section 2.1.3.1: shows that the leaf is in the tree of `size`, from the leaf's sibling up to the root's child.
pub fn inclusion_proof<R: Rows>(rows: &R, index: u64, size: u64) -> Result<Vec<Hash>, R::Error> {
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        let sibling = if index < middle { middle..end } else { start..middle };
        proof.push(root_of(rows, sibling)?);
        (start, end) = if index < middle { (start, middle) } else { (middle, end) };
    }
    proof.reverse();
    Ok(proof)
}

/// RFC 9162 section 2.1.3.2: the root that a proof of inclusion leads to; none: the proof has not the length that it must have.
pub fn included_root(index: u64, size: u64, leaf: Leaf, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut first, mut last, mut hash) = (index, size - 1, leaf.0);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if first & 1 == 1 || first == last {
            hash = node(sibling, &hash);
            while first & 1 == 0 && first != 0 {
                (first, last) = (first >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (first, last) = (first >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

/// RFC 9162 section 2.1.4.1: shows that the tree of `size` began as the tree of `before`.
pub fn consistency_proof<R: Rows>(rows: &R, before: u64, size: u64) -> Result<Vec<Hash>, R::Error> {
    let mut proof = Vec::new();
    if before == 0 || before >= size {
        return Ok(proof);
    }
    let (mut start, mut end, mut is_known) = (0, size, true);
    while end != before {
        let middle = start + split(end - start);
        if before <= middle {
            proof.push(root_of(rows, middle..end)?);
            end = middle;
        } else {
            proof.push(root_of(rows, start..middle)?);
            (start, is_known) = (middle, false);
        }
    }
    if !is_known {
        proof.push(root_of(rows, start..end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// RFC 9162 section 2.1.4.2: whether a proof shows that one tree, with its size and root, began as the other.
pub fn is_consistent(before: (u64, Hash), after: (u64, Hash), proof: &[Hash]) -> bool {
    let ((first, first_root), (second, second_root)) = (before, after);
    if first == 0 || first == second {
        return proof.is_empty() && first <= second && (first != second || first_root == second_root);
    }
    if first > second {
        return false;
    }
    // A complete tree is its own first subtree and is not told again.
    let (seed, rest) = match (first.is_power_of_two(), proof.split_first()) {
        (true, _) => (first_root, proof),
        (false, Some((seed, rest))) => (*seed, rest),
        (false, None) => return false,
    };
    let skipped = (first - 1).trailing_ones();
    let (mut at, mut last) = ((first - 1) >> skipped, (second - 1) >> skipped);
    let (mut old, mut new) = (seed, seed);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (old, new) = (node(hash, &old), node(hash, &new));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new = node(&new, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old == first_root && new == second_root
}

/// Shows that leaves which follow each other are in the tree of `size`: the roots of the largest subtrees beside them, from left to right.
pub fn range_proof<R: Rows>(rows: &R, range: &Range<u64>, size: u64) -> Result<Vec<Hash>, R::Error> {
    let mut proof = Vec::new();
    let mut waiting = Vec::from([Range { start: 0, end: size }]);
    while let Some(part) = waiting.pop() {
        if part.end <= range.start || part.start >= range.end {
            if !part.is_empty() {
                proof.push(root_of(rows, part)?);
            }
        } else if part.end - part.start > 1 && (part.start < range.start || part.end > range.end) {
            let middle = part.start + split(part.end - part.start);
            waiting.push(middle..part.end);
            waiting.push(part.start..middle);
        }
    }
    Ok(proof)
}

/// The root that a proof of a range leads to; none: it has not the length that it must have. `leaves` begin at `start`.
pub fn range_root(start: u64, leaves: &[Leaf], size: u64, proof: &[Hash]) -> Option<Hash> {
    let end = start.checked_add(leaves.len() as u64).filter(|end| *end <= size && !leaves.is_empty())?;
    let mut proof = proof.iter();
    let root = part_root(0..size, &(start..end), leaves, &mut proof)?;
    proof.next().is_none().then_some(root)
}

/// Depth is that of the tree: 64 at most.
fn part_root(part: Range<u64>, range: &Range<u64>, leaves: &[Leaf], proof: &mut std::slice::Iter<'_, Hash>) -> Option<Hash> {
    if part.end <= range.start || part.start >= range.end {
        return proof.next().copied();
    }
    let length = part.end - part.start;
    if length == 1 {
        let place = usize::try_from(part.start - range.start).ok()?;
        return leaves.get(place).map(|leaf| leaf.0);
    }
    let middle = part.start + split(length);
    let left = part_root(part.start..middle, range, leaves, proof)?;
    Some(node(&left, &part_root(middle..part.end, range, leaves, proof)?))
}

#[cfg(test)]
mod tests;
