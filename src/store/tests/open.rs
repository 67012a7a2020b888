//! Whole data folders: every start finds what was acknowledged, or says why it cannot.

use std::path::Path;
use std::sync::Arc;

use super::folder::{CANARY, Server, copy, files, made, options, rows};
use super::{CountingEntropy, record};
use crate::directory::{Change, Digest};
use crate::journal::{Frame, RecordKind};
use crate::model::{Secret, Timestamp};
use crate::store::checkpoint::merge;
use crate::store::disk::{RealDisk, SimulatedDisk};
use crate::store::open::opened_keys;
use crate::store::rows::Rows as SledRows;
use crate::store::{StartNote, StoreError, StoreOptions, create, open, read_frames};
use crate::world::Disk;

fn at(options: &StoreOptions, data: &Path) -> StoreOptions {
    StoreOptions { data: data.to_owned(), ..options.clone() }
}

fn is_rebuilt(notes: &[StartNote]) -> bool {
    notes.iter().any(|note| matches!(note, StartNote::Rebuilt { .. }))
}

/// Opens, compares with what must be there, writes some more, opens again.
fn check_goes_on(options: &StoreOptions, expected: &super::folder::Rows, what: &str) -> Vec<StartNote> {
    let mut server = Server::start(options).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(rows(&server.directory) == *expected, "{what}: another content");
    let notes = std::mem::take(&mut server.notes);
    (0..3).for_each(|_| server.step().unwrap());
    let more = rows(&server.directory);
    server.stop();
    let server = Server::start(options).unwrap_or_else(|error| panic!("{what}, second start: {error}"));
    assert_eq!(server.notes, [], "{what}: the second start has nothing to say");
    assert!(rows(&server.directory) == more, "{what}: another content at the second start");
    notes
}

/// Opens and compares.
fn start_and_stop(options: &StoreOptions, expected: &super::folder::Rows) -> Vec<StartNote> {
    let mut server = Server::start(options).unwrap();
    assert!(rows(&server.directory) == *expected);
    let notes = std::mem::take(&mut server.notes);
    server.stop();
    notes
}

#[test]
fn a_stopped_server_finds_everything_again() {
    let (_folder, options, content) = made(60);
    assert!(content.len() > 20, "{}", content.len());
    assert_eq!(check_goes_on(&options, &content, "stopped"), []);
}

#[test]
fn a_copy_at_any_moment_opens_with_everything_acknowledged() {
    let (folder, options, _) = made(5);
    let mut server = Server::start(&options).unwrap();
    for number in 0..12 {
        server.step().unwrap();
        let copied = folder.path().join(format!("copy{number}"));
        copy(&options.data, &copied);
        check_goes_on(&at(&options, &copied), &rows(&server.directory), &format!("copy {number}"));
    }
}

#[test]
fn a_lost_checkpoint_is_rebuilt_from_the_journal() {
    let (_folder, options, content) = made(60);
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    assert!(is_rebuilt(&check_goes_on(&options, &content, "folder gone")));
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    std::fs::create_dir(options.data.join("sled")).unwrap();
    assert!(is_rebuilt(&Server::start(&options).unwrap().notes), "folder empty");
    std::fs::remove_file(options.data.join("sled/db")).unwrap();
    assert!(is_rebuilt(&Server::start(&options).unwrap().notes), "file gone");
    let aside = std::fs::read_dir(&options.data).unwrap().flatten();
    assert!(aside.filter(|item| item.file_name().to_string_lossy().starts_with("sled.aside")).count() <= 2);
}

#[test]
fn a_new_empty_sled_folder_is_not_taken_for_an_empty_directory() {
    let (_folder, options, content) = made(10);
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    drop(sled::open(options.data.join("sled")).unwrap());
    assert!(is_rebuilt(&check_goes_on(&options, &content, "empty sled")));
}

#[test]
fn a_flipped_octet_in_sleds_file_never_changes_what_is_answered() {
    let (folder, options, content) = made(50);
    let database = options.data.join("sled/db");
    let octets = std::fs::read(&database).unwrap();
    let written: Vec<usize> = (0..octets.len()).filter(|at| octets[*at] != 0).collect();
    let mut noticed = 0;
    for round in 0..32 {
        let copied = folder.path().join("copy");
        copy(&options.data, &copied);
        let mut damaged = octets.clone();
        damaged[written[written.len() * round / 32]] ^= 0x10;
        std::fs::write(copied.join("sled/db"), damaged).unwrap();
        let server = Server::start(&at(&options, &copied)).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(rows(&server.directory) == content, "round {round}");
        noticed += u32::from(!server.notes.is_empty());
        drop(server);
        std::fs::remove_dir_all(&copied).unwrap();
    }
    // sled often falls back to an older state in silence; then the frames behind it are replayed.
    assert!(noticed > 20, "only {noticed} were noticed at all");
}

#[test]
fn a_row_exchanged_lost_or_added_behind_our_back_is_noticed() {
    let (_folder, options, content) = made(50);
    for harm in 0..3 {
        let database = sled::open(options.data.join("sled")).unwrap();
        let entries = database.open_tree("entries").unwrap();
        let (first, value) = entries.first().unwrap().unwrap();
        let (last, _) = entries.last().unwrap().unwrap();
        match harm {
            0 => entries.insert(last, value).unwrap(),
            1 => entries.remove(first).unwrap(),
            _ => entries.insert([7; 12], value).unwrap(),
        };
        drop((entries, database));
        assert!(is_rebuilt(&start_and_stop(&options, &content)), "harm {harm}");
    }
}

#[test]
fn a_cut_sled_file_never_changes_what_is_answered() {
    let (folder, options, content) = made(50);
    let octets = std::fs::read(options.data.join("sled/db")).unwrap();
    for part in 0..8 {
        let copied = folder.path().join(format!("copy{part}"));
        copy(&options.data, &copied);
        std::fs::write(copied.join("sled/db"), &octets[..octets.len() * part / 8]).unwrap();
        check_goes_on(&at(&options, &copied), &content, &format!("cut to {part}/8"));
    }
}

#[test]
fn an_older_checkpoint_is_brought_up_to_date() {
    let (folder, options, _) = made(20);
    let old = folder.path().join("old");
    copy(&options.data.join("sled"), &old);
    let mut server = Server::start(&options).unwrap();
    (0..30).for_each(|_| server.step().unwrap());
    let content = rows(&server.directory);
    server.stop();
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    copy(&old, &options.data.join("sled"));
    let notes = check_goes_on(&options, &content, "older");
    assert!(matches!(notes.as_slice(), [StartNote::Replayed { frames }] if *frames >= 30), "{notes:?}");
}

#[test]
fn a_checkpoint_broken_off_in_the_middle_is_completed_not_rebuilt() {
    let (folder, options, _) = made(20);
    let old = folder.path().join("old");
    copy(&options.data.join("sled"), &old);
    let mut server = Server::start(&options).unwrap();
    (0..60).for_each(|_| server.step().unwrap());
    let (content, last) = (rows(&server.directory), server.chain.next_sequence - 1);
    server.stop();

    let (keys, _) = opened_keys(&options).unwrap();
    let digest_key = keys.digest_key();
    for transactions in [1, 2] {
        std::fs::remove_dir_all(options.data.join("sled")).unwrap();
        copy(&old, &options.data.join("sled"));
        let sled = options.data.join("sled");
        let mut sled = SledRows::open(&sled, &keys, &CountingEntropy::default(), false).unwrap();
        let applied = sled.meta().unwrap().applied;
        let mut changes = Vec::new();
        read_frames(&options, applied + 1, &mut |frame| {
            let mut rest = frame.changes.as_slice();
            while !rest.is_empty() {
                changes.push(Change::decode(&mut rest).unwrap());
            }
            Ok(())
        })
        .unwrap();
        sled.apply_partly(merge(changes.into_iter(), &digest_key), last, transactions).unwrap();
        sled.flush().unwrap();
        let meta = sled.meta().unwrap();
        assert_eq!((meta.applied, meta.target), (applied, last));
        drop(sled);
        let server = Server::start(&options).unwrap();
        assert_eq!(server.notes, []);
        assert!(rows(&server.directory) == content);
        server.stop();
    }
}

#[test]
fn a_journal_that_lost_what_the_checkpoint_has_is_damage() {
    let (folder, options, _) = made(60);
    let segments = files(&options.data.join("journal"));
    assert!(segments.len() > 2);
    let last = segments.last().unwrap();
    let copied = folder.path().join("copy");
    copy(&options.data, &copied);
    std::fs::remove_file(copied.join("journal").join(last.file_name().unwrap())).unwrap();
    assert!(matches!(Server::start(&at(&options, &copied)), Err(StoreError::Damaged { .. })));
    // And with the checkpoint lost as well, it is the shorter journal that counts; nothing is left that could know better.
    let octets = std::fs::read(last).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(last).unwrap();
    file.set_len(octets.len() as u64 - 10).unwrap();
    let error = Server::start(&options).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_flipped_octet_in_any_journal_file_is_damage_when_the_checkpoint_is_lost_too() {
    let (folder, options, _) = made(40);
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    for path in files(&options.data.join("journal")) {
        let octets = std::fs::read(&path).unwrap();
        for at_octet in [3, 130, 4090, 4100, 4110, octets.len() / 2] {
            let copied = folder.path().join("copy");
            copy(&options.data, &copied);
            let mut damaged = octets.clone();
            damaged[at_octet] ^= 1;
            std::fs::write(copied.join("journal").join(path.file_name().unwrap()), damaged).unwrap();
            match Server::start(&at(&options, &copied)) {
                Err(StoreError::Damaged { segment, .. }) => assert_eq!(Path::new(&segment), path.file_name().unwrap()),
                Err(other) => panic!("{path:?} octet {at_octet}: {other}"),
                Ok(_) => panic!("{path:?} octet {at_octet} went unnoticed"),
            }
            std::fs::remove_dir_all(&copied).unwrap();
        }
    }
}

#[test]
fn a_torn_tail_is_told_and_cut_off() {
    let (folder, options, _) = made(10);
    let mut server = Server::start(&options).unwrap();
    server.step().unwrap();
    let content = rows(&server.directory);
    let copied = folder.path().join("copy");
    copy(&options.data, &copied);
    let last = files(&copied.join("journal")).pop().unwrap();
    let mut octets = std::fs::read(&last).unwrap();
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    octets[end..end + 700].fill(0x77);
    std::fs::write(&last, octets).unwrap();
    let notes = check_goes_on(&at(&options, &copied), &content, "torn");
    assert!(
        notes.contains(&StartNote::TornTail { segment: last.file_name().unwrap().to_str().unwrap().into(), octets: 700 }),
        "{notes:?}"
    );
}

#[test]
fn a_cut_of_power_under_the_whole_store_keeps_what_was_acknowledged() {
    let count = |cut: Option<u64>, seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let disk = SimulatedDisk::new(seed);
        let options = options(&data, Arc::new(disk.clone()));
        create(&options).unwrap();
        if let Some(cut) = cut {
            disk.cut_power_at(disk.operations() + cut);
        }
        let before = disk.operations();
        let mut acknowledged = None;
        let mut attempted = None;
        if let Ok(mut server) = Server::start(&options) {
            for _ in 0..20 {
                if server.step().is_err() {
                    attempted = Some(server.chain.next_sequence);
                    break;
                }
                acknowledged = Some(rows(&server.directory));
            }
            server.stop();
        }
        let operations = disk.operations() - before;
        disk.restart();
        let server = Server::start(&options).unwrap_or_else(|error| panic!("cut {cut:?} seed {seed}: {error}"));
        let acknowledged = acknowledged.unwrap_or_default();
        let survived = attempted.is_some_and(|sequence| server.chain.next_sequence > sequence);
        assert!(survived || rows(&server.directory) == acknowledged, "cut {cut:?} seed {seed}");
        assert!(!is_rebuilt(&server.notes), "cut {cut:?} seed {seed}: {:?}", server.notes);
        operations
    };
    let operations = count(None, 1);
    assert!(operations > 40, "{operations}");
    for cut in (0..operations).step_by(3) {
        count(Some(cut), cut);
    }
}

#[test]
fn a_full_disk_fails_the_commit_and_recovery_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let disk = SimulatedDisk::new(1);
    let options = options(&data, Arc::new(disk.clone()));
    create(&options).unwrap();
    let mut server = Server::start(&options).unwrap();
    disk.set_capacity(Some(200_000));
    let mut steps = 0;
    while server.step().is_ok() {
        steps += 1;
        assert!(steps < 1000);
    }
    assert!(server.journal.recover().is_err());
    assert!(server.step().is_err());
    disk.set_capacity(None);
    server.journal.recover().unwrap();
    server.step().unwrap();
    let content = rows(&server.directory);
    server.stop();
    check_goes_on(&options, &content, "after a full disk");
}

#[test]
fn a_group_that_promises_another_content_is_damage() {
    let (_folder, options, _) = made(5);
    let mut server = Server::start(&options).unwrap();
    let frame = server.chain.frame(&record(RecordKind::Modify, ""), Vec::new(), [0; 16], Timestamp(1), 0);
    server.journal.append(&[frame], server.directory.digest().plus(Digest([1, 0, 0, 0]))).unwrap();
    server.stop();
    assert!(matches!(Server::start(&options), Err(StoreError::Damaged { .. })));
}

#[test]
fn the_right_key_the_lock_and_the_format_are_asked_for() {
    let (folder, options, content) = made(10);
    let wrong = StoreOptions { seal_key: Secret::new(vec![43; 32]), ..options.clone() };
    assert!(matches!(open(&wrong, &mut |_| {}), Err(StoreError::WrongKey { .. })));
    let short = StoreOptions { seal_key: Secret::new(vec![42; 31]), ..options.clone() };
    assert!(matches!(open(&short, &mut |_| {}), Err(StoreError::Content(_))));
    assert!(matches!(read_frames(&wrong, 1, &mut |_| Ok(())), Err(StoreError::WrongKey { .. })));

    let server = Server::start(&options).unwrap();
    assert!(matches!(open(&options, &mut |_| {}), Err(StoreError::Locked(_))));
    let Server { journal, checkpoint, snapshots, rotation, .. } = server;
    checkpoint.stop();
    drop((snapshots, rotation));
    assert!(matches!(open(&options, &mut |_| {}), Err(StoreError::Locked(_))), "the journal holds the lock too");
    drop(journal);

    assert!(matches!(create(&options), Err(StoreError::Content(_))), "there is one already");
    let empty = at(&options, &folder.path().join("nothing"));
    assert!(open(&empty, &mut |_| {}).is_err());

    let format = options.data.join("format");
    let text = std::fs::read_to_string(&format).unwrap();
    for damaged in ["", "bindery data folder\n", &text.replacen("node ", "node 0", 1)] {
        std::fs::write(&format, damaged).unwrap();
        let server = Server::start(&options).unwrap();
        assert_eq!(server.notes, [StartNote::FormatRewritten]);
        assert!(rows(&server.directory) == content);
        assert_eq!(std::fs::read_to_string(&format).unwrap(), text);
    }
    let (lines, _) = text.rsplit_once("check ").unwrap();
    let newer = lines.replacen("format 4", "format 5", 1);
    let check = blake3::hash(newer.as_bytes()).to_hex();
    std::fs::write(&format, format!("{newer}check {check}\n")).unwrap();
    assert!(matches!(open(&options, &mut |_| {}), Err(StoreError::TooNew { found: 5, known: 4, .. })));
}

#[test]
fn a_checkpoint_that_is_locked_for_a_moment_is_waited_for_and_not_set_aside() {
    let (_folder, options, content) = made(10);
    let held = std::fs::File::open(options.data.join("sled/db")).unwrap();
    // The sled that was just stopped may still hold it.
    while held.try_lock().is_err() {
        std::thread::yield_now();
    }
    let release = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(held);
    });
    assert_eq!(check_goes_on(&options, &content, "locked for a moment"), []);
    release.join().unwrap();
}

#[test]
fn frames_can_be_read_beside_a_running_server() {
    let (_folder, options, _) = made(20);
    let mut server = Server::start(&options).unwrap();
    (0..5).for_each(|_| server.step().unwrap());
    let last = server.chain.next_sequence - 1;
    for from in [0, 1, 5, last - 1, last, last + 1] {
        let mut frames: Vec<Frame> = Vec::new();
        read_frames(&options, from, &mut |frame| {
            frames.push(frame);
            Ok(())
        })
        .unwrap();
        let expected: Vec<u64> = (from.max(1)..=last).collect();
        let sequences: Vec<u64> = frames.iter().flat_map(|frame| frame.sequence..=frame.last_sequence()).collect();
        assert_eq!(sequences, expected);
        assert!(frames.iter().flat_map(Frame::lines).all(|line| line.contains(CANARY)));
    }
    let stopped = read_frames(&options, 1, &mut |_| Err(StoreError::Content("enough".into())));
    assert!(matches!(stopped, Err(StoreError::Content(text)) if text == "enough"));
}

#[test]
fn nothing_that_went_in_stands_in_any_file_in_clear() {
    let (_folder, options, _) = made(80);
    let files = files(&options.data);
    assert!(files.iter().any(|path| path.ends_with("sled/db")) && files.len() > 5);
    for path in files {
        let octets = RealDisk.read(&path).unwrap();
        let found = octets.windows(CANARY.len()).any(|window| window.eq_ignore_ascii_case(CANARY.as_bytes()));
        assert!(!found, "{}", path.display());
        // And nothing of the key.
        assert!(!octets.windows(16).any(|window| window == [42; 16]), "{}", path.display());
    }
}
