//! Backups, and restoring every instant from them: compared with a plain replay of the journal from its beginning.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::folder::{CANARY, Rows, Server, copy, made, rows};
use super::record;
use crate::directory::{Change, Directory, Table};
use crate::journal::{Frame, LineStamp, RecordKind};
use crate::model::{ChangeStamp, Secret, Timestamp};
use crate::store::restore::{PresentFolder, newer_journal, put_in_place};
use crate::store::snapshot::SnapshotFile;
use crate::store::{
    BackupFacts, BackupSink, MANIFEST, RestoreFacts, RestoreTarget, StartNote, StoreError, StoreOptions, check_files, open,
    read_frames, restore, write_backup,
};

/// A folder as a data folder has it.
struct Folder(PathBuf);

impl BackupSink for Folder {
    fn file(&mut self, name: &str, octets: u64, content: &mut dyn Read) -> io::Result<()> {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap())?;
        let mut file = std::fs::File::create_new(path)?;
        assert_eq!(io::copy(content, &mut file)?, octets);
        Ok(())
    }
}

fn at(options: &StoreOptions, data: &Path) -> StoreOptions {
    StoreOptions { data: data.to_owned(), ..options.clone() }
}

fn back_up(options: &StoreOptions, sequence: u64, to: &Path) -> BackupFacts {
    let mut damaged = |what: &dyn std::fmt::Display| panic!("{what}");
    let facts = write_backup(options, sequence, &mut Folder(to.to_owned()), &mut |_| {}, &mut damaged).unwrap();
    let manifest = std::fs::read(to.join(MANIFEST)).unwrap();
    assert_eq!(BackupFacts::parse(&manifest, to).unwrap(), facts);
    check_files(to, &facts).unwrap();
    facts
}

/// Restores into a copy of the backup.
fn restored(options: &StoreOptions, backup: &Path, to: &Path, target: RestoreTarget) -> Result<RestoreFacts, StoreError> {
    copy(backup, to);
    restore(&at(options, to), target, record(RecordKind::Restore, "test"), &mut |_| {})
}

/// The content after each frame, made without snapshots, sled or lineage. `empty`: the directory before the first record.
fn contents(options: &StoreOptions, empty: &Directory, restores: &[(u64, u64)]) -> BTreeMap<u64, (Directory, Timestamp)> {
    let mut found = BTreeMap::from([(0, (empty.clone(), Timestamp(0)))]);
    let mut here = empty.clone();
    read_frames(options, 1, &mut |frame: Frame| {
        if let Some((_, restored)) = restores.iter().find(|(restore, _)| *restore == frame.sequence) {
            here = found[restored].0.clone();
        }
        let mut rest = frame.changes.as_slice();
        while !rest.is_empty() {
            here.apply(&Change::decode(&mut rest).unwrap()).unwrap();
        }
        let time = LineStamp::parse(frame.lines().next_back().unwrap()).unwrap().time;
        found.insert(frame.last_sequence(), (here.clone(), Timestamp(time)));
        Ok(())
    })
    .unwrap();
    found
}

/// The rows of the newest snapshot of a data folder.
fn newest_snapshot(options: &StoreOptions) -> (u64, Rows) {
    let (keys, _) = crate::store::open::opened_keys(options).unwrap();
    let (sequence, path) = crate::store::snapshot::list(&*options.disk, &options.data.join("snapshots")).unwrap().remove(0);
    let mut rows = Rows::new();
    SnapshotFile::open(options.disk.clone(), &path, &keys)
        .unwrap()
        .read::<StoreError>(&mut |row, _| {
            rows.insert((row.table, row.key), row.value);
            Ok(())
        })
        .unwrap();
    (sequence, rows)
}

/// A server that ran for a while, with snapshots in between, and its backup.
fn backed_up(steps: [usize; 3]) -> (tempfile::TempDir, StoreOptions, Directory, PathBuf, BackupFacts) {
    let (folder, options, _) = made(0);
    let mut server = Server::start(&options).unwrap();
    let empty = server.directory.clone();
    (0..steps[0]).for_each(|_| server.step().unwrap());
    server.snapshot().unwrap();
    (0..steps[1]).for_each(|_| server.step().unwrap());
    server.snapshot().unwrap();
    (0..steps[2]).for_each(|_| server.step().unwrap());
    let newest = server.snapshot().unwrap().facts;
    let backup = folder.path().join("backup");
    // The server goes on meanwhile.
    server.step().unwrap();
    let facts = back_up(&options, newest.position.sequence, &backup);
    assert_eq!(facts.sequence, newest.position.sequence);
    server.stop();
    (folder, options, empty, backup, facts)
}

#[test]
fn every_instant_is_restored_as_it_was() {
    let (folder, options, empty, backup, facts) = backed_up([12, 8, 8]);
    let all = contents(&options, &empty, &[]);
    let to = folder.path().join("restored");
    let (mut exact, mut within) = (0, 0);
    for sequence in 0..=facts.sequence {
        let outcome = restored(&options, &backup, &to, RestoreTarget::Sequence(sequence));
        match (all.get(&sequence), outcome) {
            (Some((directory, time)), Ok(done)) => {
                exact += 1;
                assert_eq!((done.sequence, done.time, done.record), (sequence, *time, facts.sequence + 1));
                let left_out = (sequence < facts.sequence).then_some((sequence + 1, facts.sequence));
                assert_eq!(done.left_out, left_out);
                assert_eq!(newest_snapshot(&at(&options, &to)), (facts.sequence + 1, rows(directory)), "sequence {sequence}");
            }
            (None, Err(StoreError::Backup(problem))) => {
                within += 1;
                assert!(problem.contains("within the transaction"), "{problem}");
            }
            (_, Err(StoreError::Backup(problem))) if sequence == 0 => {
                assert!(problem.contains("nothing is recorded"), "{problem}")
            }
            (_, outcome) => panic!("sequence {sequence}: {outcome:?}"),
        }
        std::fs::remove_dir_all(&to).unwrap();
    }
    assert!(exact > 30 && within > 0, "{exact} {within}");
    let problem = restored(&options, &backup, &to, RestoreTarget::Sequence(facts.sequence + 1)).unwrap_err().to_string();
    assert!(problem.contains("beyond the end"), "{problem}");
}

#[test]
fn a_time_is_the_last_record_at_or_before_it() {
    let (folder, options, empty, backup, facts) = backed_up([6, 4, 4]);
    let all = contents(&options, &empty, &[]);
    let to = folder.path().join("restored");
    let instants: Vec<(u64, Timestamp)> =
        all.iter().filter(|(sequence, _)| (1..=facts.sequence).contains(*sequence)).map(|(at, (_, time))| (*at, *time)).collect();
    for window in instants.windows(2).step_by(4) {
        let (sequence, time) = window[0];
        for moment in [time, Timestamp(window[1].1.0 - 1)] {
            let done = restored(&options, &backup, &to, RestoreTarget::Time(moment)).unwrap();
            assert_eq!((done.sequence, done.time), (sequence, time));
            std::fs::remove_dir_all(&to).unwrap();
        }
    }
    let first = instants[0].1;
    for (moment, expected) in [(Timestamp(first.0 - 1), "nothing is recorded"), (Timestamp(i64::MAX / 2), "beyond the end")] {
        let problem = restored(&options, &backup, &to, RestoreTarget::Time(moment)).unwrap_err().to_string();
        assert!(problem.contains(expected), "{problem}");
        std::fs::remove_dir_all(&to).unwrap();
    }
    assert_eq!(restored(&options, &backup, &to, RestoreTarget::End).unwrap().left_out, None);
}

#[test]
fn a_restored_folder_goes_on_and_is_restored_again_also_to_what_was_left_out() {
    let (folder, options, empty, backup, facts) = backed_up([10, 6, 6]);
    let mut restores: Vec<(u64, u64)> = Vec::new();
    let (mut backup, mut end) = (backup, facts.sequence);
    let mut random = 7u64;
    for round in 0..5 {
        let data = folder.path().join(format!("data{round}"));
        let here = at(&options, &data);
        let known = contents(&at(&options, &backup), &empty, &restores);
        let ends: Vec<u64> = known.keys().copied().filter(|sequence| *sequence > 0).collect();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let target = ends[usize::try_from(random >> 33).unwrap() % ends.len()];
        let done = restored(&options, &backup, &data, RestoreTarget::Sequence(target)).unwrap();
        assert_eq!(done.record, end + 1);
        restores.push((done.record, target));
        let mut server = Server::start(&here).unwrap();
        check_undone(&server.directory, &known, &restores);
        assert!(rows(&server.directory) == rows(&known[&target].0), "round {round}: sequence {target}");
        assert!(
            matches!(server.notes.as_slice(), [StartNote::Rebuilt { frames: 0, snapshot: Some(_), .. }]),
            "{:?}",
            server.notes
        );
        (0..5).for_each(|_| server.step().unwrap());
        let content = rows(&server.directory);
        assert!(!server.directory.is_undone(ChangeStamp { time: server.position().time, count: 0 }), "what came since stands");
        let newest = server.snapshot().unwrap().facts;
        server.stop();
        let again = Server::start(&here).unwrap();
        assert_eq!((again.notes.as_slice(), rows(&again.directory) == content), (&[][..], true), "round {round}");
        again.stop();
        // The journal tells the same without checkpoint and snapshots.
        let bare = folder.path().join("bare");
        copy(&data, &bare);
        std::fs::remove_dir_all(bare.join("sled")).unwrap();
        std::fs::remove_dir_all(bare.join("snapshots")).unwrap();
        let from_the_journal = Server::start(&at(&options, &bare)).unwrap();
        check_undone(&from_the_journal.directory, &known, &restores);
        assert!(rows(&from_the_journal.directory) == content, "round {round}: from the journal alone");
        from_the_journal.stop();
        std::fs::remove_dir_all(&bare).unwrap();
        backup = folder.path().join(format!("backup{round}"));
        end = back_up(&here, newest.position.sequence, &backup).sequence;
    }
    // Where the record of the last restore cannot be read, whatever was before may be undone.
    let last = restores.last().unwrap().0;
    let segment = folder.path().join(format!("data4/journal/{last:020}.segment"));
    let mut octets = std::fs::read(&segment).unwrap();
    octets[4096 + 150] ^= 1;
    std::fs::write(&segment, octets).unwrap();
    let here = at(&options, &folder.path().join("data4"));
    let server = Server::start(&here).unwrap();
    assert!(server.directory.is_undone(ChangeStamp::default()) && server.directory.is_undone(stamp(server.position().time)));
    server.stop();
    // Every record since the beginning is there, in one chain.
    let mut next = 1;
    read_frames(&at(&options, &backup), 1, &mut |frame| {
        assert_eq!(frame.sequence, next);
        next = frame.last_sequence() + 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(next, end + 1);
}

fn stamp(time: Timestamp) -> ChangeStamp {
    ChangeStamp { time, count: 0 }
}

/// Of everything recorded before the last restore, what does not lead to the content is known to be undone, and nothing else.
fn check_undone(directory: &Directory, known: &BTreeMap<u64, (Directory, Timestamp)>, restores: &[(u64, u64)]) {
    let (mut at, mut stands) = (u64::MAX, std::collections::BTreeSet::<u64>::new());
    for (restore, restored) in restores.iter().rev() {
        if *restore <= at {
            stands.extend(known.keys().filter(|sequence| (*restore + 1..=at).contains(*sequence)));
            at = *restored;
        }
    }
    stands.extend(known.keys().filter(|sequence| **sequence <= at));
    let mut undone = 0;
    for (sequence, (_, time)) in known.iter().filter(|(sequence, _)| restores.iter().all(|(restore, _)| restore != *sequence)) {
        undone += u64::from(directory.is_undone(stamp(*time)));
        assert_eq!(directory.is_undone(stamp(*time)), !stands.contains(sequence), "sequence {sequence}, restores {restores:?}");
    }
    assert!(undone > 0);
}

#[test]
fn damage_behind_an_instant_or_beside_the_way_to_it_keeps_nobody_from_going_back_to_it() {
    let (folder, options, empty, _, facts) = backed_up([8, 6, 6]);
    let mut server = Server::start(&options).unwrap();
    (0..60).for_each(|_| server.step().unwrap());
    let newest = server.snapshot().unwrap().facts;
    server.stop();
    let known = contents(&options, &empty, &[]);
    let backup = folder.path().join("later");
    back_up(&options, newest.position.sequence, &backup);
    let segments = super::folder::files(&backup.join("journal"));
    let damaged = segments.iter().rfind(|path| Some(*path) != segments.last() && first_of(path) > facts.since + 1).unwrap();
    let mut octets = std::fs::read(damaged).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(damaged, octets).unwrap();
    let to = folder.path().join("restored");
    let done = restored(&options, &backup, &to, RestoreTarget::Sequence(facts.since)).unwrap();
    assert!(done.notes.iter().any(|note| matches!(note, StartNote::Damaged(_))), "{:?}", done.notes);
    assert_eq!(done.record, newest.position.sequence + 1, "the journal goes on behind its end");
    let server = Server::start(&at(&options, &to)).unwrap();
    assert!(rows(&server.directory) == rows(&known[&facts.since].0));
    server.stop();
    // Where the damage is on the way, it is told.
    let inside = known.keys().copied().find(|sequence| *sequence > first_of(damaged)).unwrap();
    let behind = known.range(..newest.position.sequence).next_back().map(|(sequence, _)| *sequence).unwrap();
    for target in [behind, inside] {
        std::fs::remove_dir_all(&to).unwrap();
        match restored(&options, &backup, &to, RestoreTarget::Sequence(target)) {
            Err(StoreError::Damaged { .. } | StoreError::Backup(_)) => {}
            Ok(_) if target == inside => {
                // It lies before the damage in that segment.
                let server = Server::start(&at(&options, &to)).unwrap();
                assert!(rows(&server.directory) == rows(&known[&target].0));
                server.stop();
            }
            other => panic!("{target}: {other:?}"),
        }
    }
}

fn first_of(path: &Path) -> u64 {
    crate::store::header::first_of_name(path.file_name().unwrap().to_str().unwrap()).unwrap()
}

#[test]
fn a_checkpoint_from_before_a_restore_is_not_believed() {
    let (folder, options, _, backup, facts) = backed_up([10, 6, 6]);
    let data = folder.path().join("restored");
    restored(&options, &backup, &data, RestoreTarget::Sequence(facts.since)).unwrap();
    let expected = newest_snapshot(&at(&options, &data)).1;
    copy(&options.data.join("sled"), &data.join("sled"));
    let server = Server::start(&at(&options, &data)).unwrap();
    assert!(rows(&server.directory) == expected);
    assert!(matches!(server.notes.as_slice(), [StartNote::Rebuilt { .. }]), "{:?}", server.notes);
    server.stop();
}

#[test]
fn what_was_recorded_behind_the_backup_is_taken_over_from_the_folder_there_was() {
    let (folder, options, empty, backup, facts) = backed_up([8, 4, 4]);
    let mut server = Server::start(&options).unwrap();
    (0..6).for_each(|_| server.step().unwrap());
    let end = server.position().sequence;
    server.stop();
    let known = contents(&options, &empty, &[]);
    let staging = folder.path().join("data.restoring");
    copy(&backup, &staging);
    let there = at(&options, &staging);
    let present = locked(&options.data);
    assert!(matches!(open(&options, &mut |_| {}), Err(StoreError::Locked(_))), "no server starts meanwhile");
    let newer = newer_journal(&there, &present, &mut |_| {}).unwrap().unwrap();
    assert!(newer.damage().is_none());
    assert_eq!(newer.adopt(&there).unwrap(), end);
    assert!(newer_journal(&there, &present, &mut |_| {}).unwrap().is_none(), "nothing is newer now");
    drop(present);
    let target = RestoreTarget::Sequence(facts.since);
    let done = restore(&there, target, record(RecordKind::Restore, "test"), &mut |_| {}).unwrap();
    assert_eq!((done.record, done.left_out), (end + 1, Some((facts.since + 1, end))));
    let running = open(&options, &mut |_| {}).unwrap();
    assert!(matches!(PresentFolder::lock(&options.data), Err(StoreError::Locked(_))), "never under a running server");
    drop(running);
    // As where root restores what a user of its own serves.
    let _ = std::os::unix::fs::chown(&options.data, Some(12_345), Some(12_345));
    let aside = put_in_place(&staging, &options.data, Some(locked(&options.data))).unwrap().unwrap();
    assert!(aside.join("journal").exists() && !staging.exists());
    let owner_of = |path: &Path| std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(path).unwrap());
    let restored_files = super::folder::files(&options.data);
    assert!(restored_files.iter().all(|path| owner_of(path) == owner_of(&aside)) && owner_of(&options.data) == owner_of(&aside));
    assert!(!restored_files.is_empty() && !backup.join("mark").exists());
    let server = Server::start(&options).unwrap();
    assert!(rows(&server.directory) == rows(&known[&facts.since].0));
    server.stop();
    // Another installation's journal is no continuation.
    let (_other, other, _) = made(3);
    let staging = folder.path().join("again");
    copy(&backup, &staging);
    assert!(newer_journal(&at(&options, &staging), &locked(&other.data), &mut |_| {}).unwrap().is_none());
}

fn locked(data: &Path) -> PresentFolder {
    PresentFolder::lock(data).unwrap().unwrap()
}

/// Flips an octet of the last segment, so far before the end of what is written in it.
fn flip_before_the_end(data: &Path, distance: usize) {
    let path = std::fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut octets = std::fs::read(&path).unwrap();
    let end = octets.iter().rposition(|&octet| octet != 0).unwrap();
    octets[end - distance] ^= 1;
    std::fs::write(&path, octets).unwrap();
}

#[test]
fn of_a_damaged_journal_what_stands_before_the_damage_is_taken_over_and_what_was_durable_is_never_a_torn_tail() {
    let (folder, options, _, backup, facts) = backed_up([8, 4, 4]);
    let mut server = Server::start(&options).unwrap();
    (0..12).for_each(|_| server.step().unwrap());
    let end = server.position().sequence;
    server.snapshot().unwrap();
    server.stop();
    let staging = folder.path().join("data.restoring");
    copy(&backup, &staging);
    flip_before_the_end(&options.data, 10);
    let newer = newer_journal(&at(&options, &staging), &locked(&options.data), &mut |_| {}).unwrap().unwrap();
    assert!(matches!(newer.damage(), Some(StoreError::Damaged { .. })), "{:?}", newer.damage());
    assert!(newer.last() > facts.sequence && newer.last() < end, "{} of {end}", newer.last());
    let there = at(&options, &staging);
    let last = newer.last();
    assert_eq!(newer.adopt(&there).unwrap(), last);
    let done = restore(&there, RestoreTarget::End, record(RecordKind::Restore, "test"), &mut |_| {}).unwrap();
    assert_eq!((done.sequence, done.record), (last, last + 1));
}

#[test]
fn a_wrong_key_and_damage_anywhere_are_refused_by_name() {
    let (folder, options, _, backup, facts) = backed_up([12, 6, 6]);
    let to = folder.path().join("restored");
    let other_key = StoreOptions { seal_key: Secret::new(vec![43; 32]), ..options.clone() };
    assert!(matches!(restored(&other_key, &backup, &to, RestoreTarget::End), Err(StoreError::WrongKey { .. })));
    std::fs::remove_dir_all(&to).unwrap();
    for file in &facts.files {
        let path = backup.join(&file.name);
        let octets = std::fs::read(&path).unwrap();
        for at in [0, octets.len() / 3, octets.len() - 1] {
            let mut damaged = octets.clone();
            damaged[at] ^= 8;
            std::fs::write(&path, damaged).unwrap();
            let problem = check_files(&backup, &facts).unwrap_err().to_string();
            assert!(problem.contains(&file.name) && problem.contains("damaged"), "{problem}");
            // Where the manifest was made to fit, seals and checksums still do not: what is needed is refused, what is not is told.
            match restored(&options, &backup, &to, RestoreTarget::Sequence(facts.sequence)) {
                Err(error) => assert!(error.to_string().contains("damaged"), "{} octet {at}: {error}", file.name),
                Ok(done) => {
                    let told = done.notes.iter().any(|note| matches!(note, StartNote::Damaged(_)));
                    assert!(told || !file.name.starts_with("journal"), "{} octet {at}", file.name);
                    assert_eq!(newest_snapshot(&super::restore::at(&options, &to)).0, facts.sequence + 1);
                }
            }
            std::fs::remove_dir_all(&to).unwrap();
        }
        std::fs::write(&path, octets).unwrap();
    }
    check_files(&backup, &facts).unwrap();
}

#[test]
fn nothing_personal_and_no_key_is_in_a_backup_and_definitions_made_online_are() {
    let (_folder, options, _, backup, facts) = backed_up([20, 20, 40]);
    for file in &facts.files {
        let octets = std::fs::read(backup.join(&file.name)).unwrap();
        for secret in [CANARY.as_bytes(), options.seal_key.expose()] {
            assert!(!octets.windows(secret.len()).any(|window| window == secret), "{}", file.name);
        }
    }
    let (_, content) = newest_snapshot(&at(&options, &backup));
    assert!(content.keys().any(|(table, _)| *table == Table::Schema));
}
