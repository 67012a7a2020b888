//! Snapshots: whole or not there, whatever happens while one is taken; and what a start makes of them.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::CountingEntropy;
use super::folder::{CANARY, Rows, Server, made, rows};
use crate::directory::{Directory, Table};
use crate::journal::Leaf;
use crate::model::{Secret, Timestamp};
use crate::store::disk::SimulatedDisk;
use crate::store::identity::Identity;
use crate::store::keys::Keys;
use crate::store::open::opened_keys;
use crate::store::seal::SealKey;
use crate::store::snapshot::{Place, SnapshotFile};
use crate::store::space::Space;
use crate::store::{Position, SNAPSHOTS_KEPT, Snapshots, StartNote, StoreError, StoreOptions};
use crate::world::Disk;

/// Directories of one history, one after the other, and a disk to write snapshots of them to.
struct Bench {
    disk: SimulatedDisk,
    key: SealKey,
    identity: Identity,
    reserve: u64,
}

const MARGIN: u64 = 1000;

impl Bench {
    fn new(seed: u64, digest_key: [u8; 32]) -> Bench {
        let key = SealKey::new(&Secret::new(vec![7; 32])).unwrap();
        let identity = Identity::generate(&key, &CountingEntropy::default()).unwrap().under(&key, &digest_key).unwrap();
        Bench { disk: SimulatedDisk::new(seed), key, identity, reserve: 0 }
    }

    fn keys(&self) -> Keys {
        keys(&self.key, &self.identity)
    }

    fn folder() -> PathBuf {
        PathBuf::from("/snapshots")
    }

    /// As a new process.
    fn snapshots(&self, disk: &SimulatedDisk) -> Snapshots {
        Snapshots::new(Place {
            disk: Arc::new(disk.clone()),
            entropy: Arc::new(CountingEntropy::default()),
            folder: Bench::folder(),
            keys: self.keys(),
            space: Space::new(Arc::new(disk.clone()), vec![Bench::folder()], self.reserve),
            margin: MARGIN,
            lock: Arc::new(tempfile::tempfile().unwrap()),
        })
    }

    /// The sequences of all snapshots there are; each must be whole.
    fn whole(&self, disk: &SimulatedDisk, what: &str) -> Vec<u64> {
        let checked = self.snapshots(disk).check().unwrap();
        checked.into_iter().map(|facts| facts.unwrap_or_else(|error| panic!("{what}: {error}")).position.sequence).collect()
    }
}

fn keys(key: &SealKey, identity: &Identity) -> Keys {
    Keys::new(identity.clone(), vec![key.clone()], Path::new("x")).unwrap()
}

/// Four values of a directory, at sequences 1 to 4 as it were, and the key of their digests.
fn history() -> (Vec<(Directory, Position)>, [u8; 32]) {
    let (_folder, options, _) = made(3);
    let mut server = Server::start(&options).unwrap();
    let mut history = Vec::new();
    for sequence in 1..=4 {
        (0..40).for_each(|_| server.step().unwrap());
        let digest = server.directory.digest();
        let position = Position { sequence, leaf: Leaf([9; 32]), time: Timestamp(77), digest };
        history.push((server.directory.clone(), position));
    }
    let digest_key = opened_keys(&options).unwrap().0.digest_key();
    server.stop();
    (history, digest_key)
}

#[test]
fn a_cut_of_power_while_one_is_taken_leaves_only_whole_ones_and_the_one_before() {
    let (history, digest_key) = history();
    let prepared = Bench::new(0, digest_key);
    for (directory, position) in &history[..2] {
        prepared.snapshots(&prepared.disk).take(directory, position, &|| true).unwrap();
    }
    let (directory, position) = &history[2];
    let dry = prepared.disk.copy(0);
    let before = dry.operations();
    prepared.snapshots(&dry).take(directory, position, &|| true).unwrap();
    let operations = dry.operations() - before;
    assert!(operations > 8, "{operations} operations: name, length, header, pieces, footer, sync, rename, removal");
    let mut seen = [0; 2];
    for cut in 0..operations {
        for seed in 0..3 {
            let disk = prepared.disk.copy(seed * 1000 + cut);
            disk.cut_power_at(disk.operations() + cut);
            let taken = prepared.snapshots(&disk).take(directory, position, &|| true);
            disk.restart();
            let what = format!("cut {cut} seed {seed}");
            let found = prepared.whole(&disk, &what);
            // What was told to be taken is there; the one before it is there in any case.
            assert!(found.contains(&2) && (taken.is_err() || found[0] == 3), "{what}: {found:?}");
            seen[usize::from(found.contains(&3))] += 1;
            // And it goes on.
            let (directory, position) = &history[3];
            prepared.snapshots(&disk).take(directory, position, &|| true).unwrap();
            let after = prepared.whole(&disk, &what);
            assert_eq!((after.len(), after[0]), (SNAPSHOTS_KEPT, 4), "{what}");
            assert_eq!(disk.list(&Bench::folder()).unwrap().len(), SNAPSHOTS_KEPT, "{what}: nothing else is left behind");
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

#[test]
fn a_full_or_failing_disk_is_an_error_and_leaves_the_others() {
    let (history, digest_key) = history();
    let bench = Bench::new(3, digest_key);
    for (directory, position) in &history[..2] {
        bench.snapshots(&bench.disk).take(directory, position, &|| true).unwrap();
    }
    let (directory, position) = &history[2];
    bench.disk.set_capacity(Some(100_000));
    assert!(matches!(bench.snapshots(&bench.disk).take(directory, position, &|| true), Err(StoreError::Io { .. })));
    bench.disk.set_capacity(None);
    bench.disk.fail_syncs(true);
    assert!(matches!(bench.snapshots(&bench.disk).take(directory, position, &|| true), Err(StoreError::Io { .. })));
    bench.disk.fail_syncs(false);
    assert_eq!(bench.whole(&bench.disk, "after failures"), [2, 1]);
    assert_eq!(bench.disk.list(&Bench::folder()).unwrap().len(), 2, "what was begun is removed");
    bench.snapshots(&bench.disk).take(directory, position, &|| true).unwrap();
    assert_eq!(bench.whole(&bench.disk, "afterwards"), [3, 2]);
}

#[test]
fn a_flipped_octet_anywhere_is_found() {
    let (history, digest_key) = history();
    let bench = Bench::new(1, digest_key);
    let (directory, position) = &history[1];
    let taken = bench.snapshots(&bench.disk).take(directory, position, &|| true).unwrap();
    let path = Bench::folder().join(&taken.facts.name);
    let length = usize::try_from(taken.facts.octets).unwrap();
    assert!(length > 2 * 65_536, "several pieces: {length}");
    let footer = length - 56;
    // All of the header's fields, lengths and ends of the first pieces, some of the rest, all of the footer.
    let first_piece = 4096 + 4 + 65_536 + 16;
    let places = (0..210).chain((210..4096).step_by(97)).chain(4060..4110).chain(first_piece - 20..first_piece + 20);
    for at in places.chain((4110..footer).step_by(997)).chain(footer - 4..length) {
        let disk = bench.disk.copy(0);
        assert!(disk.flip(&path, at, 1 << (at % 8)));
        let checked = bench.snapshots(&disk).check().unwrap().pop().unwrap();
        match checked {
            Err(StoreError::Snapshot { name, .. }) => assert_eq!(name, taken.facts.name, "octet {at}"),
            other => panic!("octet {at}: {other:?}"),
        }
    }
    for cut in [0, 100, 4096, 4100, first_piece, footer, length - 1] {
        let disk = bench.disk.copy(0);
        disk.open(&path).unwrap().set_length(cut as u64).unwrap();
        assert!(bench.snapshots(&disk).check().unwrap()[0].is_err(), "cut to {cut}");
    }
    let disk = bench.disk.copy(0);
    disk.open(&path).unwrap().write_all_at(&[0], length as u64).unwrap();
    assert!(bench.snapshots(&disk).check().unwrap()[0].is_err(), "an octet too many");
}

#[test]
fn a_snapshot_opens_only_with_its_key_under_its_name_in_its_installation() {
    let (history, digest_key) = history();
    let bench = Bench::new(1, digest_key);
    let (directory, position) = &history[0];
    let taken = bench.snapshots(&bench.disk).take(directory, position, &|| true).unwrap();
    let path = Bench::folder().join(&taken.facts.name);
    let disk: Arc<dyn Disk> = Arc::new(bench.disk.clone());
    let open = |path: &Path, keys: &Keys| SnapshotFile::open(Arc::clone(&disk), path, keys);
    let other_key = SealKey::new(&Secret::new(vec![8; 32])).unwrap();
    let other = keys(&other_key, &bench.identity.under(&other_key, &digest_key).unwrap());
    assert!(matches!(open(&path, &other).err(), Some(StoreError::WrongKey { .. })));
    let elsewhere = Identity { node: [1; 16], digest: None, ..bench.identity.clone() };
    assert!(matches!(open(&path, &keys(&bench.key, &elsewhere)).err(), Some(StoreError::Snapshot { .. })));
    // One that says it is under a key which it is not under.
    let mut octets = bench.disk.read(&path).unwrap();
    octets[64..96].copy_from_slice(&other.identity().key_check);
    let check = blake3::hash(&octets[..4064]);
    octets[4064..4096].copy_from_slice(check.as_bytes());
    let forged = SimulatedDisk::new(2);
    forged.open(&path).unwrap().write_all_at(&octets, 0).unwrap();
    let file = SnapshotFile::open(Arc::new(forged), &path, &other).unwrap();
    assert!(matches!(file.read::<StoreError>(&mut |_, _| panic!("nothing opens")), Err(StoreError::Snapshot { .. })));
    let renamed = Bench::folder().join("snapshot-00000000000000000002");
    bench.disk.rename(&path, &renamed).unwrap();
    assert!(open(&renamed, &bench.keys()).is_err());
    let sealed = bench.disk.read(&renamed).unwrap();
    assert!(!sealed.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "nothing personal in clear");
}

#[test]
fn taking_can_be_given_up_and_a_value_of_another_moment_is_refused() {
    let (history, digest_key) = history();
    let bench = Bench::new(1, digest_key);
    let asked = Cell::new(0);
    let go_on = || asked.replace(asked.get() + 1) < 2;
    assert!(bench.snapshots(&bench.disk).take(&history[1].0, &history[1].1, &go_on).is_err());
    assert!(bench.disk.list(&Bench::folder()).unwrap().is_empty());
    assert!(bench.snapshots(&bench.disk).take(&history[1].0, &history[2].1, &|| true).is_err());
}

#[test]
fn what_is_not_needed_any_more_is_known_when_two_are_whole() {
    let (history, digest_key) = history();
    let bench = Bench::new(1, digest_key);
    let snapshots = bench.snapshots(&bench.disk);
    let take = |at: usize| snapshots.take(&history[at].0, &history[at].1, &|| true).unwrap();
    take(0);
    assert_eq!(snapshots.strippable(), 0, "one may turn out damaged");
    take(1);
    assert_eq!(snapshots.strippable(), 1);
    take(2);
    assert_eq!((snapshots.strippable(), snapshots.newest()), (2, Some(3)));
    let path = Bench::folder().join("snapshot-00000000000000000003");
    assert!(bench.disk.flip(&path, 5000, 1));
    let taken = take(3);
    assert_eq!(taken.damaged.len(), 1);
    assert_eq!(bench.whole(&bench.disk, "the damaged one is gone, the whole one stays"), [4, 2]);
    assert_eq!(snapshots.strippable(), 2);
}

#[test]
fn one_that_the_disk_does_not_give_back_is_a_damaged_one() {
    let (history, digest_key) = history();
    let bench = Bench::new(1, digest_key);
    for (directory, position) in &history[..2] {
        bench.snapshots(&bench.disk).take(directory, position, &|| true).unwrap();
    }
    bench.disk.wear_out(&Bench::folder().join("snapshot-00000000000000000002"));
    let taken = bench.snapshots(&bench.disk).take(&history[2].0, &history[2].1, &|| true).unwrap();
    assert_eq!((taken.facts.position.sequence, taken.damaged.len()), (3, 1));
    assert_eq!(bench.whole(&bench.disk, "the one before stays"), [3, 1]);
}

#[test]
fn room_for_the_journal_is_left_and_reading_needs_none() {
    let (history, digest_key) = history();
    let bench = Bench { reserve: 5000, ..Bench::new(1, digest_key) };
    let snapshots = bench.snapshots(&bench.disk);
    let take = |at: usize| snapshots.take(&history[at].0, &history[at].1, &|| true);
    let octets = take(0).unwrap().facts.octets;
    assert_eq!(snapshots.newest_octets(), octets);
    bench.disk.set_available(Some(5000 + MARGIN - 1));
    assert!(matches!(take(1), Err(StoreError::Io { error, .. }) if error.kind() == std::io::ErrorKind::StorageFull));
    take(0).unwrap();
    assert_eq!(bench.whole(&bench.disk, "the disk is full"), [1]);
    bench.disk.set_available(Some(5000 + MARGIN));
    assert!(snapshots.check_room(1).is_err() && snapshots.check_room(0).is_ok());
    take(1).unwrap();
}

fn rebuilt(notes: &[StartNote]) -> Option<(Option<String>, u64)> {
    notes.iter().find_map(|note| match note {
        StartNote::Rebuilt { snapshot, frames, .. } => Some((snapshot.clone(), *frames)),
        _ => None,
    })
}

fn start_without_sled(options: &StoreOptions, expected: &Rows, what: &str) -> Vec<StartNote> {
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    let mut server = Server::start(options).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(rows(&server.directory) == *expected, "{what}: another content");
    let notes = std::mem::take(&mut server.notes);
    server.stop();
    notes
}

#[test]
fn a_lost_checkpoint_is_rebuilt_from_the_newest_snapshot_that_is_whole() {
    let (_folder, options, _) = made(20);
    let mut server = Server::start(&options).unwrap();
    let first = server.snapshot().unwrap().facts;
    (0..30).for_each(|_| server.step().unwrap());
    let second = server.snapshot().unwrap().facts;
    (0..10).for_each(|_| server.step().unwrap());
    let (content, last) = (rows(&server.directory), server.position().sequence);
    assert!(content.keys().any(|(table, _)| *table == Table::Schema), "definitions made online are in it");
    server.stop();

    let notes = start_without_sled(&options, &content, "both whole");
    let (snapshot, frames) = rebuilt(&notes).unwrap();
    assert_eq!((snapshot, notes.len()), (Some(second.name.clone()), 1));
    assert!(frames > 0 && frames <= last - second.position.sequence, "{frames}");

    let flip = |name: &str| {
        let path = options.data.join("snapshots").join(name);
        let mut octets = std::fs::read(&path).unwrap();
        let at = octets.len() / 2;
        octets[at] ^= 4;
        std::fs::write(path, octets).unwrap();
    };
    flip(&second.name);
    let notes = start_without_sled(&options, &content, "the newest damaged");
    assert_eq!(rebuilt(&notes).unwrap().0, Some(first.name.clone()));
    assert!(matches!(&notes[0], StartNote::SnapshotDamaged { name, .. } if *name == second.name), "{notes:?}");

    flip(&first.name);
    let notes = start_without_sled(&options, &content, "both damaged");
    assert_eq!(rebuilt(&notes).unwrap().0, None, "the journal has everything from its beginning");
    assert_eq!(notes.len(), 3);

    let server = Server::start(&options).unwrap();
    assert_eq!((server.notes.as_slice(), rows(&server.directory) == content), (&[][..], true));
    let taken = server.snapshot().unwrap();
    assert_eq!(taken.damaged.len(), 2);
    server.stop();
    assert_eq!(rebuilt(&start_without_sled(&options, &content, "a new one")).unwrap(), (Some(taken.facts.name), 0));
}

#[test]
fn a_snapshot_proves_that_the_journal_had_been_longer() {
    let (_folder, options, _) = made(20);
    let server = Server::start(&options).unwrap();
    server.snapshot().unwrap();
    server.stop();
    let mut segments: Vec<PathBuf> =
        std::fs::read_dir(options.data.join("journal")).unwrap().map(|item| item.unwrap().path()).collect();
    segments.sort();
    std::fs::remove_file(segments.pop().unwrap()).unwrap();
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    match Server::start(&options).err().unwrap() {
        StoreError::Damaged { problem, .. } => assert!(problem.contains("had been durable"), "{problem}"),
        other => panic!("{other}"),
    }
}
