//! The tree against the definitions of RFC 9162, written down as they stand there.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// Section 2.1.1, word by word.
fn naive_root(leaves: &[Leaf]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => leaf.0,
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_split(length: usize) -> usize {
    let mut split = 1;
    while split * 2 < length {
        split *= 2;
    }
    split
}

/// Section 2.1.3.1.
fn naive_inclusion(index: usize, leaves: &[Leaf]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut proof, sibling) = if index < left.len() {
        (naive_inclusion(index, left), right)
    } else {
        (naive_inclusion(index - left.len(), right), left)
    };
    proof.push(naive_root(sibling));
    proof
}

/// Section 2.1.4.1.
fn naive_consistency(before: usize, leaves: &[Leaf], is_known: bool) -> Vec<Hash> {
    if before == leaves.len() {
        return if is_known { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    if before <= left.len() {
        let mut proof = naive_consistency(before, left, is_known);
        proof.push(naive_root(right));
        proof
    } else {
        let mut proof = naive_consistency(before - left.len(), right, false);
        proof.push(naive_root(left));
        proof
    }
}

#[derive(Default)]
struct Memory(Vec<Vec<Hash>>);

impl Rows for Memory {
    type Error = Infallible;

    fn read(&self, row: u32, places: Range<u64>) -> Result<Vec<Hash>, Infallible> {
        Ok(self.0[row as usize][places.start as usize..places.end as usize].to_vec())
    }
}

fn leaves(count: usize) -> Vec<Leaf> {
    (0..count).map(|number| Leaf::of_line(&number.to_string())).collect()
}

fn stored(leaves: &[Leaf]) -> (Tree, Memory) {
    let (mut tree, mut memory) = (Tree::default(), Memory::default());
    for leaf in leaves {
        tree.push(*leaf, &mut |row, place, hash| {
            let row = row as usize;
            memory.0.resize_with(memory.0.len().max(row + 1), Vec::new);
            assert_eq!(memory.0[row].len() as u64, place, "rows grow at their end");
            memory.0[row].push(hash);
        });
    }
    (tree, memory)
}

#[test]
fn the_empty_tree_is_the_hash_of_nothing() {
    let root: String = Tree::default().root().iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn every_size_up_to_some_thousand_has_the_root_of_the_definition() {
    let all = leaves(1100);
    let (_, memory) = stored(&all);
    let mut tree = Tree::default();
    for size in 0..all.len() {
        assert_eq!(tree.size(), size as u64);
        assert_eq!(tree.root(), naive_root(&all[..size]), "{size}");
        assert_eq!(root_of(&memory, 0..size as u64).unwrap(), tree.root(), "{size} from what is stored");
        tree.push(all[size], &mut |_, _, _| {});
    }
}

#[test]
fn three_rows_are_kept_of_many_leaves() {
    let all = leaves(66_000);
    let (tree, memory) = stored(&all);
    assert_eq!(memory.0.iter().map(Vec::len).collect::<Vec<_>>(), [66_000, 257, 1]);
    assert_eq!(root_of(&memory, 0..66_000).unwrap(), tree.root());
    let proof = inclusion_proof(&memory, 65_999, 66_000).unwrap();
    assert_eq!(included_root(65_999, 66_000, all[65_999], &proof), Some(tree.root()));
}

proptest! {
    #[test]
    fn proofs_are_those_of_the_definition_and_verify(count in 1..700_usize, place in 0..700_usize, before in 0..700_usize) {
        let (place, before) = (place % count, before % (count + 1));
        let all = leaves(count);
        let (tree, memory) = stored(&all);
        let (index, size) = (place as u64, count as u64);

        let proof = inclusion_proof(&memory, index, size).unwrap();
        prop_assert_eq!(&proof, &naive_inclusion(place, &all));
        prop_assert_eq!(included_root(index, size, all[place], &proof), Some(tree.root()));
        prop_assert_ne!(included_root(index, size, Leaf::of_line("other"), &proof), Some(tree.root()));
        let longer: Vec<Hash> = proof.iter().copied().chain([tree.root()]).collect();
        prop_assert_eq!(included_root(index, size, all[place], &longer), None);

        let then = (before as u64, naive_root(&all[..before]));
        let proof = consistency_proof(&memory, before as u64, size).unwrap();
        if before > 0 {
            prop_assert_eq!(&proof, &naive_consistency(before, &all, true));
        }
        prop_assert!(is_consistent(then, (size, tree.root()), &proof));
        if before > 0 {
            prop_assert!(!is_consistent((before as u64, [7; 32]), (size, tree.root()), &proof));
            prop_assert!(!is_consistent(then, (size, [7; 32]), &proof));
        }
    }

    #[test]
    fn ranges_lead_to_the_root_and_nothing_in_them_can_be_changed(count in 1..700_usize, start in 0..700_usize, length in 1..700_usize, at in 0..700_usize) {
        let start = start % count;
        let end = (start + length).min(count);
        let all = leaves(count);
        let (tree, memory) = stored(&all);
        let proof = range_proof(&memory, &(start as u64..end as u64), count as u64).unwrap();
        let mut part = all[start..end].to_vec();
        prop_assert_eq!(range_root(start as u64, &part, count as u64, &proof), Some(tree.root()));
        let changed = at % part.len();
        part[changed] = Leaf::of_line("other");
        prop_assert_ne!(range_root(start as u64, &part, count as u64, &proof), Some(tree.root()));
        prop_assert_ne!(range_root(start as u64, &all[start..end - 1], count as u64, &proof), Some(tree.root()));
    }

    #[test]
    fn no_proof_makes_verification_panic(index: u64, size: u64, before: u64, hashes: Vec<Hash>, count in 0..9_usize) {
        let _ = included_root(index, size, Leaf::default(), &hashes);
        let _ = is_consistent((before, [0; 32]), (size, [0; 32]), &hashes);
        let _ = range_root(index, &leaves(count), size, &hashes);
    }
}
