//! Damage in what nobody needs any more is told, stepped over, and keeps nobody from serving.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::folder::{self, Server, copy, files, made, rows};
use crate::journal::Frame;
use crate::store::disk::SimulatedDisk;
use crate::store::{Damage, StartNote, StoreError, StoreOptions, create, read_frames_around};
use crate::world::Disk as _;

/// What can be read, and what is told of the rest.
fn read_around(options: &StoreOptions) -> (Vec<Frame>, Vec<Damage>) {
    let (mut frames, mut damages) = (Vec::new(), Vec::new());
    let mut each = |frame| {
        frames.push(frame);
        Ok(())
    };
    let mut told = |damage| {
        damages.push(damage);
        Ok(())
    };
    read_frames_around(options, 1, &mut each, &mut told).unwrap();
    (frames, damages)
}

fn sequences(frames: &[Frame]) -> BTreeSet<u64> {
    frames.iter().flat_map(|frame| frame.sequence..=frame.last_sequence()).collect()
}

#[test]
fn old_damage_is_told_and_keeps_nobody_from_serving() {
    let (folder, options, content) = made(60);
    let all = sequences(&read_around(&options).0);
    let segments = files(&options.data.join("journal"));
    assert!(segments.len() > 2, "{segments:?}");
    let (last, old) = segments.split_last().unwrap();
    for path in old {
        let octets = std::fs::read(path).unwrap();
        for (is_header, at) in [(true, 3), (true, 130), (false, 4100), (false, octets.len() / 2), (false, octets.len() - 1)] {
            let what = format!("{} octet {at}", path.display());
            let copied = folder.path().join("copy");
            copy(&options.data, &copied);
            let mut damaged = octets.clone();
            damaged[at] ^= 1;
            let name = path.file_name().unwrap();
            std::fs::write(copied.join("journal").join(name), damaged).unwrap();
            let options = StoreOptions { data: copied.clone(), ..options.clone() };
            let server = Server::start(&options).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(rows(&server.directory) == content, "{what}");
            // A start reads headers alone of what it does not need.
            match server.notes.as_slice() {
                [StartNote::Damaged(damage)] if is_header => assert_eq!(damage.segment.as_str(), name, "{what}"),
                [] if !is_header => {}
                other => panic!("{what}: {other:?}"),
            }
            server.stop();
            let (frames, damages) = read_around(&options);
            let [damage] = damages.as_slice() else { panic!("{what}: {damages:?}") };
            assert_eq!(damage.segment.as_str(), name, "{what}");
            let mut found = sequences(&frames);
            let lost: BTreeSet<u64> = (damage.sequences.0..=damage.sequences.1).collect();
            assert!(found.is_disjoint(&lost), "{what}: {damage}");
            // A flip in a group's sealed part is known to be in one record; the group goes as a whole.
            found.extend(&lost);
            assert!(found.is_subset(&all) && found.len() + 70 > all.len(), "{what}: {damage}");
            assert_eq!(found.last(), all.last(), "{what}: everything behind it is read");
            std::fs::remove_dir_all(&copied).unwrap();
        }
    }
    // The newest group is needed: it says what the checkpoint must be.
    let mut octets = std::fs::read(last).unwrap();
    let end = octets.len() - 1;
    octets[end] ^= 1;
    std::fs::write(last, octets).unwrap();
    assert!(matches!(Server::start(&options), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_damaged_group_in_the_last_segment_is_stepped_over_when_the_checkpoint_is_ahead_of_it() {
    let (_folder, options, _) = made(60);
    let mut server = Server::start(&options).unwrap();
    (0..6).for_each(|_| server.step().unwrap());
    let content = rows(&server.directory);
    server.stop();
    let last = files(&options.data.join("journal")).pop().unwrap();
    let mut octets = std::fs::read(&last).unwrap();
    // In the first group of that segment.
    octets[4096 + 140] ^= 1;
    std::fs::write(&last, octets).unwrap();
    let mut server = Server::start(&options).unwrap();
    assert!(matches!(server.notes.as_slice(), [StartNote::Damaged(_)]), "{:?}", server.notes);
    assert!(rows(&server.directory) == content);
    // It goes on, and the journal is read around the hole.
    (0..6).for_each(|_| server.step().unwrap());
    let newest = server.chain.next_sequence - 1;
    server.stop();
    let (frames, damages) = read_around(&options);
    assert_eq!(damages.len(), 1);
    assert_eq!(sequences(&frames).last(), Some(&newest));

    // Without the checkpoint what is lost is needed.
    std::fs::remove_dir_all(options.data.join("sled")).unwrap();
    let error = Server::start(&options).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn what_the_disk_does_not_give_back_is_damage_of_that_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let disk = SimulatedDisk::new(1);
    let options = folder::options(&data, Arc::new(disk.clone()));
    create(&options).unwrap();
    let mut server = Server::start(&options).unwrap();
    let step = |server: &mut Server| (0..150).for_each(|_| server.step().unwrap());
    step(&mut server);
    server.snapshot().unwrap();
    step(&mut server);
    let newest = server.snapshot().unwrap().facts.name;
    step(&mut server);
    let content = rows(&server.directory);
    server.stop();
    let all = sequences(&read_around(&options).0);
    let segments = disk.list(&data.join("journal")).unwrap();
    assert!(segments.len() > 3, "{segments:?}");
    disk.wear_out(&segments[0]);
    disk.wear_out(&data.join("snapshots").join(&newest));

    let check = |what: &str, expected: &[&str]| {
        let server = Server::start(&options).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(rows(&server.directory) == content, "{what}");
        let notes: Vec<String> = server.notes.iter().map(|note| format!("{note:?}")).collect();
        assert!(expected.iter().all(|name| notes.iter().any(|note| note.contains(name))), "{what}: {notes:?}");
        server.stop();
    };
    let oldest = segments[0].file_name().unwrap().to_str().unwrap();
    check("an old segment", &[oldest]);
    std::fs::remove_dir_all(data.join("sled")).unwrap();
    check("the newest snapshot", &[oldest, &newest]);
    let (frames, damages) = read_around(&options);
    assert_eq!((damages.len(), damages[0].segment.as_str()), (1, oldest));
    let mut found = sequences(&frames);
    found.extend(damages[0].sequences.0..=damages[0].sequences.1);
    assert!(found.is_superset(&all));

    // The last one is needed: that is damage of that file too, and what stands before it is read.
    let segments = disk.list(&data.join("journal")).unwrap();
    let newest = segments.last().unwrap();
    disk.wear_out(newest);
    let mut before = 0;
    let mut each = |_| {
        before += 1;
        Ok(())
    };
    let read = read_frames_around(&options, 1, &mut each, &mut |_| Ok(())).unwrap_err();
    assert!(before > 100, "{before}");
    for error in [read, Server::start(&options).err().unwrap()] {
        let StoreError::Damaged { segment, problem, .. } = &error else { panic!("{error}") };
        assert!(segment == newest.file_name().unwrap().to_str().unwrap() && problem.contains("cannot be read"), "{error}");
    }
}
