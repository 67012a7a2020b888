//! Rotation of the seal key: everything is sealed anew, whatever breaks off where, and nothing is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::folder::{Rows, Server, copy, made, options, rows};
use crate::journal::query::{LookupRequest, Query};
use crate::journal::{Frame, to_hex};
use crate::model::Secret;
use crate::store::disk::{RealDisk, SimulatedDisk};
use crate::store::open::{key_files, opened_keys};
use crate::store::{JournalLookup, KeyChange, Rotated, RotationStep, StoreError, StoreOptions, create, read_frames};
use crate::world::Disk;

const SEGMENT: u64 = 16 * 1024;

fn put_key(options: &StoreOptions) {
    let file = options.disk.open(options.key_file.as_ref().unwrap()).unwrap();
    file.write_all_at(format!("{}\n", to_hex(options.seal_key.expose())).as_bytes(), 0).unwrap();
    file.sync_data().unwrap();
    options.disk.sync_folder(options.key_file.as_ref().unwrap().parent().unwrap()).unwrap();
}

/// As a new process finds it: with the key that is in the file now.
fn fresh(options: &StoreOptions) -> StoreOptions {
    let key = key_files(options).unwrap().configured().unwrap();
    StoreOptions { seal_key: key.secret().clone(), ..options.clone() }
}

fn with_key_file(options: StoreOptions) -> StoreOptions {
    let keys = options.data.parent().unwrap().join("keys");
    options.disk.create_folder(&keys).unwrap();
    let options = StoreOptions { key_file: Some(keys.join("seal.key")), ..options };
    put_key(&options);
    options
}

fn beside(options: &StoreOptions) -> Vec<String> {
    let file = options.key_file.as_ref().unwrap();
    let paths = options.disk.list(file.parent().unwrap()).unwrap();
    paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn start(options: &StoreOptions) -> Result<Server, StoreError> {
    Server::start_with(options, SEGMENT)
}

/// What the server's threads do until nothing is left to do. None: no rotation was under way.
fn drive(server: &mut Server) -> Result<Option<Rotated>, StoreError> {
    loop {
        if server.checkpoint.wants_renewal() {
            server.checkpoint.renew(server.directory.clone(), server.position().sequence);
        }
        match server.rotation.step(&|| true)? {
            RotationStep::Idle => return Ok(None),
            RotationStep::Done(rotated) => return Ok(Some(rotated)),
            RotationStep::WantsRecord => server.step().map_err(|error| StoreError::Content(error.to_string()))?,
            RotationStep::Waits => std::thread::sleep(Duration::from_millis(2)),
            RotationStep::Resealed(_) => {}
        }
    }
}

fn frames(options: &StoreOptions) -> Result<Vec<Frame>, StoreError> {
    let mut frames = Vec::new();
    read_frames(options, 1, &mut |frame| {
        frames.push(frame);
        Ok(())
    })?;
    Ok(frames)
}

/// The names of the keys that the files of the journal and the snapshots are under.
fn key_names(options: &StoreOptions) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["journal", "snapshots"] {
        for path in options.disk.list(&options.data.join(folder)).unwrap() {
            names.push(to_hex(&options.disk.read_front(&path, 4096).unwrap()[64..96]));
        }
    }
    names.sort();
    names.dedup();
    names
}

fn with_snapshots(options: &StoreOptions) -> (Rows, Vec<Frame>) {
    let mut server = start(options).unwrap();
    for _ in 0..2 {
        (0..25).for_each(|_| server.step().unwrap());
        server.snapshot().unwrap();
    }
    (0..5).for_each(|_| server.step().unwrap());
    let content = rows(&server.directory);
    server.stop();
    (content, frames(options).unwrap())
}

/// Only the key in force opens it, alone, and everything there is.
fn check_is_rotated(options: &StoreOptions, old: &Secret, change: &KeyChange, expected: &Rows, before: &[Frame]) {
    assert_eq!(key_names(options), [change.new.as_str()]);
    let alone = |key: &Secret| StoreOptions { seal_key: key.clone(), key_file: None, ..options.clone() };
    match start(&alone(old)).err() {
        Some(StoreError::WrongKey { needed, there, .. }) => {
            assert!(change.new.starts_with(&needed) && change.old.starts_with(&there), "{needed} {there} {change:?}");
        }
        other => panic!("{other:?}"),
    }
    let key = fresh(options).seal_key;
    assert_ne!(key, *old);
    let server = start(&alone(&key)).unwrap();
    assert_eq!(server.notes, [], "nothing had to be done at the start");
    assert!(rows(&server.directory) == *expected);
    assert!(server.snapshots.check().unwrap().iter().all(Result::is_ok));
    server.stop();
    let after = frames(&alone(&key)).unwrap();
    assert!(after.starts_with(before), "the journal is what it was, and goes on");
}

#[test]
fn a_lookup_that_knows_the_old_files_finds_the_same_while_they_are_sealed_anew() {
    let (_folder, options, _) = made(60);
    let options = with_key_file(options);
    let (_, before) = with_snapshots(&options);
    let last = before.last().unwrap().last_sequence();
    let mut lookup = JournalLookup::new(options.clone(), false);
    let mut look = || {
        let query = Query { kinds: vec!["modify".to_owned(), "add".to_owned(), "delete".to_owned()], ..Query::default() };
        let request = LookupRequest { query, backwards: false, from: None, most_found: 100_000, most_read: 100_000 };
        let found = lookup.find(&request).unwrap();
        assert!(found.damages.is_empty(), "{:?}", found.damages);
        found.records.iter().map(|found| found.record.sequence).filter(|it| *it <= last).collect::<Vec<u64>>()
    };
    let expected = look();
    assert!(expected.len() > 20, "{expected:?}");
    let mut server = start(&options).unwrap();
    server.rotation.begin().unwrap();
    loop {
        if server.checkpoint.wants_renewal() {
            server.checkpoint.renew(server.directory.clone(), server.position().sequence);
        }
        match server.rotation.step(&|| true).unwrap() {
            RotationStep::Idle | RotationStep::Done(_) => break,
            RotationStep::WantsRecord => server.step().unwrap(),
            RotationStep::Waits => std::thread::sleep(Duration::from_millis(2)),
            RotationStep::Resealed(_) => assert_eq!(look(), expected),
        }
    }
    assert_eq!(look(), expected);
    server.stop();
}

#[test]
fn everything_is_under_the_new_key_and_the_old_one_is_kept_aside() {
    let (_folder, options, _) = made(60);
    let options = with_key_file(options);
    let (_, before) = with_snapshots(&options);
    let sled_key = |options: &StoreOptions| opened_keys(options).unwrap().0.identity().key_check;
    let digest_key = opened_keys(&options).unwrap().0.digest_key();

    let mut server = start(&options).unwrap();
    assert_eq!(server.rotation.step(&|| true).unwrap(), RotationStep::Idle);
    let change = server.rotation.begin().unwrap();
    assert_eq!(server.rotation.begin().unwrap(), change, "one at a time");
    assert!(server.rotation.is_under_way() && server.rotation.left() > 4, "{}", server.rotation.left());
    assert_eq!(beside(&options), ["seal.key", "seal.key.next"]);
    // It goes on serving, and begins a segment under the new key.
    (0..10).for_each(|_| server.step().unwrap());
    assert!(frames(&options).unwrap().starts_with(&before), "read while it is under way");
    let rotated = drive(&mut server).unwrap().unwrap();
    assert_eq!((rotated.change.as_ref(), rotated.skipped.len()), (Some(&change), 0));
    assert!(rotated.files > 4, "{rotated:?}");
    assert_eq!(server.rotation.left(), 0);
    (0..10).for_each(|_| server.step().unwrap());
    server.snapshot().unwrap();
    let content = rows(&server.directory);
    server.stop();
    assert_eq!(beside(&options), ["seal.key".to_owned(), format!("seal.key.retired-{}", &change.old[..16])]);
    check_is_rotated(&options, &options.seal_key, &change, &content, &before);
    assert_eq!(to_hex(&sled_key(&fresh(&options))), change.new);
    assert_eq!(opened_keys(&fresh(&options)).unwrap().0.digest_key(), digest_key, "digests stay what they were");

    // And once more.
    let second = fresh(&options);
    let mut server = start(&second).unwrap();
    let again = server.rotation.begin().unwrap();
    assert_eq!(again.old, change.new);
    drive(&mut server).unwrap().unwrap();
    let content = rows(&server.directory);
    server.stop();
    check_is_rotated(&second, &second.seal_key, &again, &content, &before);
    assert_eq!(opened_keys(&fresh(&options)).unwrap().0.digest_key(), digest_key);

    // The file format, lost, is made from the newest segment.
    let format = options.data.join("format");
    let text = std::fs::read(&format).unwrap();
    std::fs::remove_file(&format).unwrap();
    start(&fresh(&options)).unwrap().stop();
    assert_eq!(std::fs::read(&format).unwrap(), text);
}

#[test]
fn without_a_key_file_there_is_nothing_to_rotate() {
    let (_folder, options, _) = made(3);
    let server = start(&options).unwrap();
    let refused = server.rotation.begin().unwrap_err().to_string();
    assert!(refused.contains("environment") && refused.contains("keys.seal"), "{refused}");
    assert!(!server.rotation.is_under_way());
    server.stop();
    start(&options).unwrap().stop();
}

#[test]
fn a_file_under_a_key_that_is_gone_is_named_with_its_key() {
    let (_folder, options, _) = made(40);
    let options = with_key_file(options);
    let mut server = start(&options).unwrap();
    let change = server.rotation.begin().unwrap();
    server.step().unwrap();
    server.stop();
    // Somebody takes the new key for the whole story.
    let keys = options.key_file.as_ref().unwrap().parent().unwrap().to_owned();
    std::fs::rename(keys.join("seal.key.next"), keys.join("seal.key")).unwrap();
    match start(&fresh(&options)).err() {
        Some(StoreError::WrongKey { path, needed, there }) => {
            assert!(path.ends_with("journal/00000000000000000001.segment"), "{}", path.display());
            assert!(change.old.starts_with(&needed) && there.split(", ").any(|name| change.new.starts_with(name)), "{there}");
        }
        other => panic!("{other:?}"),
    }
    // Put back under its name, it opens, and the files are sealed anew without another rotation.
    put_key(&StoreOptions { key_file: Some(keys.join("seal.key.retired-x")), ..options.clone() });
    let mut server = start(&fresh(&options)).unwrap();
    assert!(server.rotation.is_under_way());
    assert_eq!(server.rotation.resume().unwrap(), None);
    let rotated = drive(&mut server).unwrap().unwrap();
    assert!(rotated.change.is_none() && rotated.retired.is_none() && rotated.files > 0, "{rotated:?}");
    server.stop();
    assert_eq!(key_names(&options), [change.new]);
}

#[test]
fn a_damaged_segment_is_left_alone_and_named() {
    let (_folder, options, _) = made(120);
    let options = with_key_file(options);
    let (content, _) = with_snapshots(&options);
    let path = RealDisk.list(&options.data.join("journal")).unwrap().remove(1);
    let mut octets = std::fs::read(&path).unwrap();
    octets[5000] ^= 1;
    std::fs::write(&path, &octets).unwrap();
    let mut server = start(&options).unwrap();
    server.rotation.begin().unwrap();
    let rotated = drive(&mut server).unwrap().unwrap();
    assert_eq!(rotated.skipped.len(), 1);
    assert!(rotated.skipped[0].contains(path.file_name().unwrap().to_str().unwrap()), "{rotated:?}");
    server.stop();
    assert_eq!(std::fs::read(&path).unwrap(), octets);
    let server = start(&fresh(&options)).unwrap();
    assert!(rows(&server.directory).len() >= content.len());
    server.stop();
}

/// A folder on a simulated disk, its checkpoint on the real one.
struct Crashes {
    folder: tempfile::TempDir,
    disk: SimulatedDisk,
    options: StoreOptions,
    content: Rows,
    before: Vec<Frame>,
}

impl Crashes {
    fn new() -> Crashes {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let disk = SimulatedDisk::new(1);
        let options = with_key_file(options(&data, Arc::new(disk.clone())));
        create(&options).unwrap();
        let (content, before) = with_snapshots(&options);
        copy(&data.join("sled"), &folder.path().join("sled"));
        Crashes { folder, disk, options, content, before }
    }

    fn sled(&self) -> PathBuf {
        self.folder.path().join("sled")
    }

    /// The same again, on a disk of its own.
    fn again(&self, seed: u64) -> (SimulatedDisk, StoreOptions) {
        let disk = self.disk.copy(seed);
        let sled = self.options.data.join("sled");
        std::fs::remove_dir_all(&sled).unwrap();
        copy(&self.sled(), &sled);
        (disk.clone(), StoreOptions { disk: Arc::new(disk), ..self.options.clone() })
    }
}

fn rotate(options: &StoreOptions) -> Result<Option<Rotated>, StoreError> {
    let mut server = start(options)?;
    let rotated = server.rotation.begin().and_then(|_| drive(&mut server));
    server.stop();
    rotated
}

#[test]
fn a_cut_of_power_anywhere_leaves_a_rotation_that_goes_on_or_none() {
    let crashes = Crashes::new();
    let (disk, options) = crashes.again(0);
    let server = start(&options).unwrap();
    let begun = disk.operations();
    server.stop();
    drop(options);
    let (disk, options) = crashes.again(0);
    rotate(&options).unwrap().unwrap();
    let end = disk.operations();
    assert!(end - begun > 40, "{begun} {end}");

    let (mut never, mut on, mut done) = (0, 0, 0);
    // Every place in the beginning and at the end, some of those between.
    let cuts = (begun..end).filter(|cut| cut - begun < 10 || end - cut < 8 || cut % 31 == 0);
    for cut in cuts {
        let (disk, options) = crashes.again(cut);
        disk.cut_power_at(cut);
        let broken_off = rotate(&options);
        assert!(broken_off.is_err() || cut + 8 > end, "cut {cut}: {broken_off:?}");
        disk.restart();

        let options = fresh(&options);
        let mut server = start(&options).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        let resumed = server.rotation.resume().unwrap();
        let rotated = drive(&mut server).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        let content = rows(&server.directory);
        server.stop();
        let after = frames(&fresh(&options)).unwrap();
        assert!(after.starts_with(&crashes.before), "cut {cut}");
        assert!(content.len() >= crashes.content.len() / 2, "cut {cut}");
        match (resumed, rotated) {
            (Some(change), Some(rotated)) => {
                on += 1;
                assert_eq!(rotated.change.as_ref(), Some(&change), "cut {cut}");
                check_is_rotated(&options, &crashes.options.seal_key, &change, &content, &crashes.before);
                assert!(!beside(&options).iter().any(|name| name.ends_with(".next")), "cut {cut}");
            }
            (None, None) if options.seal_key == crashes.options.seal_key => {
                never += 1;
                assert_eq!(key_names(&options).len(), 1, "cut {cut}");
            }
            (None, None) => done += 1,
            other => panic!("cut {cut}: {other:?}"),
        }
    }
    assert!(never > 0 && on > 6, "{never} never begun, {on} gone on with, {done} done");
}

#[test]
fn a_key_file_that_holds_none_is_named() {
    let (_folder, options, _) = made(1);
    let options = with_key_file(options);
    let next = Path::new(options.key_file.as_ref().unwrap()).with_extension("key.next");
    std::fs::write(&next, "nonsense\n").unwrap();
    let refused = start(&options).err().unwrap().to_string();
    assert!(refused.contains("seal.key.next: holds no seal key"), "{refused}");
}
