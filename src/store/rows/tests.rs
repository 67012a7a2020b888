//! Rows in a real sled folder.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::model::Secret;
use crate::store::identity::Identity;
use crate::store::seal::SealKey;
use crate::store::tests::CountingEntropy;

type Content = BTreeMap<(Table, Box<[u8]>), Bytes>;

fn open(folder: &Path, entropy: &CountingEntropy, may_be_new: bool) -> Result<Rows, RowsError> {
    let key = SealKey::new(&Secret::new(vec![1; 32])).unwrap();
    let identity = Identity::generate(&key, &CountingEntropy::default()).unwrap();
    Rows::open(folder, &Keys::new(identity, vec![key], folder).unwrap(), entropy, may_be_new)
}

fn content(rows: &Rows) -> Result<Content, RowsError> {
    let mut content = Content::new();
    rows.scan(&mut |row| {
        assert!(content.insert((row.table, row.key), row.value).is_none());
        Ok(())
    })?;
    Ok(content)
}

fn put(number: u64, length: usize) -> RowChange {
    let value = Bytes::from(format!("{number:07}").into_bytes().repeat(length / 7 + 1)).slice(..length);
    RowChange { table: Table::Entries, key: number.to_be_bytes().into(), value: Some(value) }
}

fn gone(number: u64) -> RowChange {
    RowChange { table: Table::Entries, key: number.to_be_bytes().into(), value: None }
}

fn take(content: &mut Content, changes: &[RowChange]) {
    for change in changes {
        let key = (change.table, change.key.clone());
        match &change.value {
            Some(value) => content.insert(key, value.clone()),
            None => content.remove(&key),
        };
    }
}

/// Rows that are new, grow, shrink, empty, stay and go, over many transactions.
fn rounds() -> Vec<Vec<RowChange>> {
    vec![
        (0..300).map(|number| put(number, usize::try_from(number * 37 % 9000).unwrap())).collect(),
        (0..300).step_by(2).map(|number| put(number, usize::try_from(number * 61 % 13000).unwrap())).collect(),
        (0..300).step_by(3).map(gone).chain([gone(999)]).collect(),
        (0..300).step_by(5).map(|number| put(number, 0)).chain([put(1000, 1_200_000)]).collect(),
        vec![gone(1000)],
    ]
}

#[test]
fn rows_read_back_as_they_were_left_also_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sled");
    let entropy = CountingEntropy::default();
    let mut expected = Content::new();
    open(&path, &entropy, true).unwrap().finish_filling(Meta::default()).unwrap();
    for (sequence, changes) in (1u64..).zip(rounds()) {
        let mut rows = open(&path, &entropy, false).unwrap();
        take(&mut expected, &changes);
        rows.apply(changes, sequence, [9; 32]).unwrap();
        rows.flush().unwrap();
        let meta = Meta { applied: sequence, target: sequence, rows: expected.len() as u64, digest: [9; 32] };
        assert_eq!(rows.meta(), Some(meta));
        assert!(content(&rows).unwrap() == expected, "round {sequence}");
    }
}

#[test]
fn breaking_off_after_any_transaction_is_repaired_by_applying_again() {
    for transactions in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let entropy = CountingEntropy::default();
        let mut rows = open(&folder.path().join("sled"), &entropy, true).unwrap();
        rows.finish_filling(Meta::default()).unwrap();
        let mut expected = Content::new();
        for (sequence, changes) in (1u64..).zip(rounds()) {
            take(&mut expected, &changes);
            rows.apply_partly(changes.clone(), sequence, transactions).unwrap();
            assert_eq!(rows.meta().unwrap().applied, sequence - 1);
            rows.apply(changes.clone(), sequence, [9; 32]).unwrap();
            assert!(content(&rows).unwrap() == expected, "{transactions} transactions of round {sequence}");
            rows.apply(changes, sequence, [9; 32]).unwrap();
            assert!(content(&rows).unwrap() == expected, "twice");
        }
    }
}

#[test]
fn an_exchanged_or_damaged_piece_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let entropy = CountingEntropy::default();
    let mut rows = open(&folder.path().join("sled"), &entropy, true).unwrap();
    rows.apply(vec![put(1, 50), put(2, 50), put(3, 9000)], 1, [0; 32]).unwrap();
    let key = |number: u64, piece| piece_key(&number.to_be_bytes(), piece);
    let one = rows.entries.get(key(1, 0)).unwrap().unwrap();
    let restore = |rows: &Rows| rows.entries.insert(key(1, 0), one.clone()).unwrap();

    rows.entries.insert(key(1, 0), rows.entries.get(key(2, 0)).unwrap().unwrap()).unwrap();
    assert!(content(&rows).is_err(), "another row's piece");
    for at in 0..one.len() {
        let mut flipped = one.to_vec();
        flipped[at] ^= 1;
        rows.entries.insert(key(1, 0), flipped).unwrap();
        assert!(content(&rows).is_err(), "octet {at}");
    }
    restore(&rows);
    content(&rows).unwrap();
    let middle = rows.entries.remove(key(3, 1)).unwrap().unwrap();
    assert!(content(&rows).is_err(), "a piece lost");
    rows.entries.insert(key(3, 1), middle).unwrap();
    let last = rows.entries.remove(key(3, 2)).unwrap().unwrap();
    assert!(content(&rows).is_err(), "the last piece lost");
    rows.entries.insert(key(3, 2), last).unwrap();
    rows.entries.remove(key(2, 0)).unwrap();
    assert!(content(&rows).is_err(), "a row lost");
}

#[test]
fn a_folder_without_meta_or_with_a_foreign_one_is_refused_and_a_leftover_snapshot_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sled");
    let entropy = CountingEntropy::default();
    drop(open(&path, &entropy, true).unwrap());
    assert!(open(&path, &entropy, false).is_err());
    let mut rows = open(&path, &entropy, true).unwrap();
    rows.finish_filling(Meta { applied: 4, target: 4, rows: 0, digest: [1; 32] }).unwrap();
    drop(rows);
    std::fs::write(path.join("snap.00000000000000ff.generating"), b"half").unwrap();
    let rows = open(&path, &entropy, false).unwrap();
    assert!(!path.join("snap.00000000000000ff.generating").exists());
    let state = rows.meta_tree.get(STATE).unwrap().unwrap();
    for at in 0..state.len() {
        let mut flipped = state.to_vec();
        flipped[at] ^= 16;
        assert_eq!(Meta::decode(&flipped, &rows.meta_key), None);
    }
}

#[test]
fn no_nonce_is_used_twice_and_each_process_has_a_key_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sled");
    let entropy = CountingEntropy::default();
    let mut seen = std::collections::HashSet::new();
    let mut ids = std::collections::HashSet::new();
    open(&path, &entropy, true).unwrap().finish_filling(Meta::default()).unwrap();
    for sequence in 1..4 {
        let mut rows = open(&path, &entropy, false).unwrap();
        rows.apply((0..20).map(|number| put(number, 5000)).collect(), sequence, [0; 32]).unwrap();
        for piece in rows.entries.iter().values() {
            let piece = piece.unwrap();
            assert!(seen.insert(piece[..12].to_vec()));
            ids.insert(piece[..4].to_vec());
        }
    }
    assert_eq!((seen.len(), ids.len()), (120, 3));
}
