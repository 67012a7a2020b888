//! The end of a killed server's journal: taken away, it is missed by the mark, whatever the checkpoint has got.

use std::path::Path;
use std::sync::Arc;

use super::folder::{Server, copy, files, made, options, rows};
use crate::store::disk::SimulatedDisk;
use crate::store::mark::marked;
use crate::store::open::opened_keys;
use crate::store::{StoreError, StoreOptions, create, read_frames, read_frames_around};

fn at(options: &StoreOptions, data: &Path) -> StoreOptions {
    StoreOptions { data: data.to_owned(), ..options.clone() }
}

fn mark_of(options: &StoreOptions) -> u64 {
    let (keys, _) = opened_keys(options).unwrap();
    marked(&*options.disk, &options.data.join("journal"), &keys.identity())
}

/// Where the groups of a segment end, its header's end first.
fn ends(options: &StoreOptions, segment: &str) -> Vec<u64> {
    let (keys, _) = opened_keys(options).unwrap();
    let reader = crate::store::reader::JournalReader::new(options.disk.clone(), &options.data.join("journal"), &keys);
    let mut ends = vec![4096];
    let read = reader.unwrap().read::<StoreError>(1, 0, &mut |group| {
        ends.extend((group.segment == segment).then_some(group.end));
        Ok(())
    });
    read.unwrap();
    ends
}

#[test]
fn a_journal_that_lost_its_end_is_refused_though_the_checkpoint_has_not_got_that_far() {
    let (folder, options, _) = made(10);
    // The checkpoint of a server that was killed before its next flush.
    let sled = folder.path().join("sled");
    copy(&options.data.join("sled"), &sled);
    let mut server = Server::start(&options).unwrap();
    for _ in 0..6 {
        server.step().unwrap();
        assert_eq!(mark_of(&options), server.journal.durable(), "acknowledged is marked");
    }
    let content = rows(&server.directory);
    let killed = folder.path().join("killed");
    copy(&options.data, &killed);
    std::fs::remove_dir_all(killed.join("sled")).unwrap();
    copy(&sled, &killed.join("sled"));
    let killed = at(&options, &killed);
    let last = files(&killed.data.join("journal")).pop().unwrap();
    let name = last.file_name().unwrap().to_str().unwrap();
    let ends = ends(&killed, name);
    assert!(ends.len() > 5, "{ends:?}");
    let (_, cuts) = ends.split_last().unwrap();
    let harmed = folder.path().join("harmed");
    for cut in cuts.iter().copied().map(Some).chain([None]) {
        for has_mark in [true, false] {
            copy(&killed.data, &harmed);
            let (harmed_options, segment) = (at(&options, &harmed), harmed.join("journal").join(name));
            match cut {
                Some(length) => std::fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(length).unwrap(),
                None => std::fs::remove_file(&segment).unwrap(),
            }
            let frames = |_| Ok(());
            if has_mark {
                let error = Server::start(&harmed_options).err().unwrap();
                let StoreError::Damaged { sequence, .. } = &error else { panic!("{cut:?}: {error}") };
                assert!(*sequence <= server.journal.durable() && error.to_string().contains("missing"), "{error}");
                for read in [
                    read_frames(&harmed_options, 1, &mut { frames }),
                    read_frames_around(&harmed_options, 1, &mut { frames }, &mut |_| Ok(())),
                ] {
                    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{cut:?}: the journal's readers are told, too");
                }
            } else {
                // Nothing else would have told.
                std::fs::remove_file(harmed.join("mark")).unwrap();
                let started = Server::start(&harmed_options).unwrap();
                assert!(started.journal.durable() < server.journal.durable() && rows(&started.directory) != content);
                started.stop();
            }
            std::fs::remove_dir_all(&harmed).unwrap();
        }
    }
    // An older, damaged or missing mark beside a whole journal takes nothing away.
    let whole = std::fs::read(killed.data.join("mark")).unwrap();
    let mut variants = vec![None, Some(Vec::new()), Some(vec![0xff; 700]), Some(whole[..100].to_vec())];
    variants.extend([3, 20, 30, 60, 515, 540].map(|at| {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        Some(damaged)
    }));
    for variant in variants {
        copy(&killed.data, &harmed);
        match &variant {
            Some(octets) => std::fs::write(harmed.join("mark"), octets).unwrap(),
            None => std::fs::remove_file(harmed.join("mark")).unwrap(),
        }
        let started = Server::start(&at(&options, &harmed)).unwrap_or_else(|error| panic!("{variant:?}: {error}"));
        assert!(rows(&started.directory) == content);
        assert_eq!(mark_of(&at(&options, &harmed)), started.journal.durable(), "the start marks what it found");
        started.stop();
        std::fs::remove_dir_all(&harmed).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_everything_acknowledged_marked_and_the_next_start_goes_on() {
    let run = |kill: Option<u64>, seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let disk = SimulatedDisk::new(seed);
        let options = options(&data, Arc::new(disk.clone()));
        create(&options).unwrap();
        let before = disk.operations();
        if let Some(kill) = kill {
            disk.cut_power_at(before + kill);
        }
        let mut acknowledged = 0;
        if let Ok(mut server) = Server::start(&options) {
            for number in 0..9 {
                // A sync that fails voids sequences: they are given again, and never marked.
                disk.fail_syncs(number == 4);
                if server.step().is_ok() && !disk.is_off() {
                    acknowledged = server.journal.durable();
                }
                disk.fail_syncs(false);
                let _ = server.journal.recover();
            }
            // Killed: it reaches nothing any more.
            disk.cut_power_at(disk.operations().saturating_sub(1));
            server.stop();
        }
        let operations = disk.operations() - before;
        disk.resume();
        let marked = mark_of(&options);
        assert!(marked >= acknowledged, "kill {kill:?}: {acknowledged} acknowledged, {marked} marked");
        let server = Server::start(&options).unwrap_or_else(|error| panic!("kill {kill:?}: {error}"));
        assert!(server.journal.durable() >= marked, "kill {kill:?}");
        server.stop();
        // Power was cut on top of it: an older mark proves less.
        disk.restart();
        Server::start(&options).unwrap_or_else(|error| panic!("kill {kill:?}, power cut: {error}")).stop();
        operations
    };
    let operations = run(None, 1);
    assert!(operations > 30, "{operations}");
    for kill in (0..operations).step_by(2) {
        run(Some(kill), kill);
    }
}
