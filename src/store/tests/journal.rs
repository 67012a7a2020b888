//! The journal alone, on the simulated disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{CountingEntropy, record};
use crate::directory::Digest;
use crate::journal::{Chain, Frame, RecordKind};
use crate::model::{Secret, Timestamp};
use crate::store::disk::SimulatedDisk;
use crate::store::header::SEGMENT_HEADER_OCTETS;
use crate::store::identity::Identity;
use crate::store::keys::Keys;
use crate::store::reader::{JournalEnd, JournalReader};
use crate::store::seal::SealKey;
use crate::store::segment::Place;
use crate::store::{Journal, StoreError};
use crate::world::Disk;

const SEGMENT: u64 = 12_288;

struct Bench {
    disk: SimulatedDisk,
    entropy: Arc<CountingEntropy>,
    key: SealKey,
    identity: Identity,
}

impl Bench {
    fn new(seed: u64) -> Bench {
        let entropy = Arc::new(CountingEntropy::default());
        let key = SealKey::new(&Secret::new(vec![7; 32])).unwrap();
        let identity = Identity::generate(&key, &*entropy).unwrap();
        Bench { disk: SimulatedDisk::new(seed), entropy, key, identity }
    }

    fn keys(&self) -> Keys {
        Keys::new(self.identity.clone(), vec![self.key.clone()], Path::new("x")).unwrap()
    }

    fn folder() -> PathBuf {
        PathBuf::from("/journal")
    }

    fn reader(&self, disk: &SimulatedDisk) -> Result<JournalReader, StoreError> {
        JournalReader::new(Arc::new(disk.clone()), &Bench::folder(), &self.keys())
    }

    fn read(&self, disk: &SimulatedDisk, proven: u64) -> Result<(Vec<Frame>, JournalEnd), StoreError> {
        let mut frames = Vec::new();
        let end = self.reader(disk)?.read::<StoreError>(1, proven, &mut |group| {
            frames.extend(group.frames);
            Ok(())
        })?;
        Ok((frames, end))
    }

    /// As a start does: read, clean, go on behind the end.
    fn start(&self) -> Result<(Journal, Chain, Vec<Frame>), StoreError> {
        let (frames, end) = self.read(&self.disk, 0)?;
        end.clean(&self.disk)?;
        let place = Place {
            disk: Arc::new(self.disk.clone()),
            entropy: Arc::<CountingEntropy>::clone(&self.entropy),
            folder: Bench::folder(),
            keys: self.keys(),
            segment_octets: SEGMENT,
        };
        let chain = Chain {
            next_sequence: end.end.sequence + 1,
            last_leaf: end.end.leaf,
            last_time: Timestamp(0),
            node: "n".into(),
            boot: "b".into(),
        };
        Ok((Journal::new(place, end.end, Arc::new(tempfile::tempfile().unwrap())), chain, frames))
    }

    fn segments(&self) -> Vec<PathBuf> {
        self.disk.list(&Bench::folder()).unwrap()
    }
}

/// Groups of one to three frames of different lengths, some without changes, some with several records.
fn group(chain: &mut Chain, number: u64) -> Vec<Frame> {
    (0..=number % 3)
        .map(|index| {
            let size = usize::try_from((number * 131 + index * 17) % 900).unwrap();
            let changes = if index == 1 { Vec::new() } else { vec![0xc5; size] };
            let records: Vec<_> = (0..if number % 4 == 1 { 1 + index * 2 } else { 1 })
                .map(|step| record(RecordKind::Add, &format!("group {number} frame {index} record {step}")))
                .collect();
            let time = Timestamp(chain.last_time.0 + 1);
            chain.frame_of(&records, changes, [3; 16], time, 0)
        })
        .collect()
}

fn records(frames: &[Frame]) -> u64 {
    frames.iter().map(Frame::records).sum()
}

fn digest(number: u64) -> Digest {
    Digest([number, 1, 2, 3])
}

/// Appends groups, with a restart in the middle; returns what was sent and how much of it was acknowledged.
fn workload(bench: &Bench, groups: u64) -> (Vec<Frame>, u64) {
    let (mut sent, mut acknowledged) = (Vec::new(), 0);
    for half in 0..2 {
        let Ok((mut journal, mut chain, _)) = bench.start() else { return (sent, acknowledged) };
        for number in half * groups / 2..(half + 1) * groups / 2 {
            let frames = group(&mut chain, number);
            sent.extend(frames.clone());
            if journal.append(&frames, digest(number)).is_err() {
                return (sent, acknowledged);
            }
            acknowledged = chain.next_sequence - 1;
        }
    }
    (sent, acknowledged)
}

#[test]
fn what_was_appended_reads_back_over_segments_and_restarts() {
    let bench = Bench::new(1);
    let (sent, acknowledged) = workload(&bench, 40);
    assert_eq!(acknowledged, records(&sent));
    assert!(records(&sent) > sent.len() as u64, "some frames have several records");
    assert!(bench.segments().len() >= 4, "{:?}", bench.segments());
    let (read, end) = bench.read(&bench.disk, acknowledged).unwrap();
    assert_eq!(read, sent);
    assert_eq!((end.end.sequence, end.end.leaf, end.tail.torn), (acknowledged, sent.last().unwrap().leaf(), None));

    let mut from_the_middle = Vec::new();
    let middle = bench.reader(&bench.disk).unwrap().read::<StoreError>(acknowledged - 1, 0, &mut |group| {
        from_the_middle.extend(group.frames);
        Ok(())
    });
    assert_eq!(middle.unwrap().end, end.end);
    assert!(from_the_middle.len() < sent.len() && sent.ends_with(&from_the_middle));
}

#[test]
fn a_cut_of_power_at_any_moment_keeps_what_was_acknowledged() {
    let dry = Bench::new(0);
    workload(&dry, 14);
    let mut torn = 0;
    for cut in 0..dry.disk.operations() {
        for seed in 0..8 {
            let bench = Bench::new(seed * 1000 + cut);
            bench.disk.cut_power_at(cut);
            let (sent, acknowledged) = workload(&bench, 14);
            bench.disk.restart();
            let (read, end) =
                bench.read(&bench.disk, acknowledged).unwrap_or_else(|error| panic!("cut {cut} seed {seed}: {error}"));
            torn += u64::from(end.tail.torn.is_some());
            assert!(records(&read) >= acknowledged && sent.starts_with(&read), "cut {cut} seed {seed}");

            // And it goes on.
            let (mut journal, mut chain, before) = bench.start().unwrap();
            assert_eq!(before, read);
            let more = group(&mut chain, 5);
            journal.append(&more, digest(5)).unwrap();
            let (after, end) = bench.read(&bench.disk, 0).unwrap_or_else(|error| panic!("cut {cut} seed {seed}: {error}"));
            assert_eq!((after, end.tail.torn), ([before, more].concat(), None));
        }
    }
    assert!(torn > 15, "the disk tore only {torn} groups");
}

#[test]
fn a_flipped_octet_anywhere_is_noticed_and_its_place_is_named() {
    let bench = Bench::new(1);
    let (sent, last) = workload(&bench, 18);
    let segments = bench.segments();
    for (index, path) in segments.iter().enumerate() {
        let length = bench.disk.read(path).unwrap().len();
        for at in (0..200).chain((200..length).step_by(29)) {
            let disk = bench.disk.copy(1);
            assert!(disk.flip(path, at, 1 << (at % 8)));
            match bench.read(&disk, last) {
                Err(StoreError::Damaged { segment, sequence, .. }) => {
                    assert_eq!(Path::new(&segment), path.file_name().unwrap(), "octet {at}");
                    assert!((1..=last).contains(&sequence));
                }
                Err(StoreError::TooNew { .. }) => panic!("octet {at} of {path:?} changed the format and went unnoticed"),
                Err(other) => panic!("octet {at} of {path:?}: {other}"),
                // Behind the last group of the last segment there is nothing to damage, but it is told.
                Ok((read, end)) => {
                    assert!(index + 1 == segments.len() && end.tail.torn.is_some() && read == sent, "octet {at} of {path:?}")
                }
            }
        }
    }
}

#[test]
fn without_proof_only_the_last_group_counts_as_torn() {
    let bench = Bench::new(1);
    let (sent, last) = workload(&bench, 6);
    let path = bench.segments().pop().unwrap();
    let mut seen = [0; 2];
    let length = bench.disk.read(&path).unwrap().iter().rposition(|octet| *octet != 0).unwrap();
    for at in (SEGMENT_HEADER_OCTETS..length).step_by(7) {
        let disk = bench.disk.copy(1);
        disk.flip(&path, at, 4);
        match bench.read(&disk, 0) {
            Err(StoreError::Damaged { .. }) => seen[0] += 1,
            Ok((read, end)) => {
                seen[1] += 1;
                assert!(end.tail.torn.is_some() && read.len() < sent.len() && sent.starts_with(&read));
                assert!(matches!(bench.read(&disk, last), Err(StoreError::Damaged { .. })), "proof makes it damage");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(seen[0] > 70 && seen[1] > 70, "{seen:?}");
}

#[test]
fn a_file_cut_or_lost_is_noticed() {
    let bench = Bench::new(1);
    let (_, last) = workload(&bench, 18);
    for path in bench.segments() {
        let disk = bench.disk.copy(1);
        disk.remove(&path).unwrap();
        assert!(matches!(bench.read(&disk, last), Err(StoreError::Damaged { .. })), "{path:?} lost");
        for length in (0..bench.disk.read(&path).unwrap().len()).step_by(97) {
            let disk = bench.disk.copy(1);
            disk.open(&path).unwrap().set_length(length as u64).unwrap();
            match bench.read(&disk, last) {
                Err(StoreError::Damaged { segment, .. }) => assert_eq!(Path::new(&segment), path.file_name().unwrap()),
                // Only reserved space was lost.
                Ok((read, _)) => assert_eq!(read.len() as u64, last),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_failed_sync_voids_what_nobody_was_told_about() {
    for groups_before in [0, 1, 5] {
        let bench = Bench::new(1);
        let (mut journal, mut chain, _) = bench.start().unwrap();
        let mut sent = Vec::new();
        for number in 0..groups_before {
            let frames = group(&mut chain, number);
            journal.append(&frames, digest(number)).unwrap();
            sent.extend(frames);
        }
        let durable = chain.clone();
        bench.disk.fail_syncs(true);
        let lost = group(&mut chain, 2);
        assert!(journal.append(&lost, digest(2)).is_err());
        assert!(journal.append(&lost, digest(2)).is_err(), "the file must not be used again");
        assert!(journal.recover().is_err());
        assert!(journal.recover().is_err());
        bench.disk.fail_syncs(false);
        journal.recover().unwrap();
        let first = durable.next_sequence;
        assert_eq!(journal.voided(), Some((first, first + 2)));

        // The same sequences, other frames.
        let mut chain = durable;
        for number in [3, 4] {
            let frames = group(&mut chain, number);
            journal.append(&frames, digest(number)).unwrap();
            sent.extend(frames);
        }
        let (read, end) = bench.read(&bench.disk, chain.next_sequence - 1).unwrap();
        assert_eq!((read, end.tail.torn), (sent.clone(), None), "{groups_before} groups before");
        let (_, _, again) = bench.start().unwrap();
        assert_eq!(again, sent);
    }
}

#[test]
fn what_was_refused_does_not_come_back_when_the_process_dies_before_it_recovers() {
    for groups_before in [0, 2] {
        let bench = Bench::new(1);
        let (mut journal, mut chain, _) = bench.start().unwrap();
        let mut sent = Vec::new();
        for number in 0..groups_before {
            let frames = group(&mut chain, number);
            journal.append(&frames, digest(number)).unwrap();
            sent.extend(frames);
        }
        bench.disk.fail_syncs(true);
        assert!(journal.append(&group(&mut chain, 2), digest(2)).is_err());
        bench.disk.fail_syncs(false);
        std::mem::forget(journal);
        let (_, _, read) = bench.start().unwrap();
        assert_eq!(read, sent);
    }
}

#[test]
fn sequences_voided_twice_are_all_named() {
    let bench = Bench::new(1);
    let (mut journal, chain, _) = bench.start().unwrap();
    for number in [2, 0] {
        bench.disk.fail_syncs(true);
        assert!(journal.append(&group(&mut chain.clone(), number), digest(number)).is_err());
        bench.disk.fail_syncs(false);
        journal.recover().unwrap();
        assert_eq!(journal.voided(), Some((1, 3)));
    }
}

#[test]
fn a_last_group_that_a_killed_process_never_synced_is_durable_after_a_start() {
    for seed in 0..16 {
        let bench = Bench::new(seed);
        let (mut journal, mut chain, _) = bench.start().unwrap();
        let first = group(&mut chain, 0);
        journal.append(&first, digest(0)).unwrap();
        drop(journal);
        let (mut journal, mut chain, _) = bench.start().unwrap();
        journal.append(&group(&mut chain, 1), digest(1)).unwrap();
        drop(journal);

        // The second group once more, as it is while its sync is still to come.
        let path = bench.segments().pop().unwrap();
        let octets = bench.disk.read(&path).unwrap();
        let (header, groups) = octets.split_at(SEGMENT_HEADER_OCTETS);
        let file = bench.disk.open(&path).unwrap();
        file.set_length(header.len() as u64).unwrap();
        file.sync_data().unwrap();
        file.write_all_at(groups, header.len() as u64).unwrap();

        let (_, _, read) = bench.start().unwrap();
        assert_eq!(read.len(), 3);
        bench.disk.restart();
        assert_eq!(bench.read(&bench.disk, 3).unwrap().0, read, "seed {seed}");
    }
}

#[test]
fn what_was_voided_stays_void_when_power_is_cut_right_after_recovery() {
    let bench = Bench::new(1);
    let (mut journal, mut chain, _) = bench.start().unwrap();
    let first = group(&mut chain, 0);
    journal.append(&first, digest(0)).unwrap();
    bench.disk.fail_syncs(true);
    assert!(journal.append(&group(&mut chain, 1), digest(1)).is_err());
    bench.disk.fail_syncs(false);
    journal.recover().unwrap();
    // Whatever the file that failed still holds, nothing of it counts.
    let (_, _, read) = bench.start().unwrap();
    assert_eq!(read, first);
    let (_, _, read) = bench.start().unwrap();
    assert_eq!(read, first);
}

#[test]
fn a_full_disk_fails_closed_and_goes_on_when_there_is_room() {
    let bench = Bench::new(1);
    let (mut journal, mut chain, _) = bench.start().unwrap();
    bench.disk.set_capacity(Some(3 * SEGMENT));
    let mut sent: Vec<Frame> = Vec::new();
    let durable = loop {
        let before = chain.clone();
        let frames = group(&mut chain, sent.len() as u64);
        if journal.append(&frames, digest(0)).is_err() {
            break before;
        }
        sent.extend(frames);
        assert!(sent.len() < 1000);
    };
    assert!(journal.recover().is_err());
    assert_eq!(bench.read(&bench.disk, journal.durable()).unwrap().0, sent);
    bench.disk.set_capacity(None);
    journal.recover().unwrap();
    let mut chain = durable;
    let frames = group(&mut chain, 1);
    journal.append(&frames, digest(1)).unwrap();
    sent.extend(frames);
    assert_eq!(bench.read(&bench.disk, journal.durable()).unwrap().0, sent);
}

#[test]
fn a_group_that_does_not_follow_is_refused_and_nothing_breaks() {
    let bench = Bench::new(1);
    let (mut journal, mut chain, _) = bench.start().unwrap();
    let first = group(&mut chain, 2);
    assert!(journal.append(&first[1..], digest(0)).is_err());
    journal.append(&[], digest(0)).unwrap();
    journal.append(&first, digest(0)).unwrap();
    assert!(journal.append(&first, digest(0)).is_err());
    journal.append(&group(&mut chain, 0), digest(0)).unwrap();
    assert_eq!(bench.read(&bench.disk, 4).unwrap().0.len(), 4);
}

#[test]
fn a_group_longer_than_a_segment_has_one_of_its_own() {
    let bench = Bench::new(1);
    let (mut journal, mut chain, _) = bench.start().unwrap();
    let mut sent = Vec::new();
    for size in [10, 100_000, 10] {
        let frame = chain.frame(&record(RecordKind::Import, ""), vec![1; size], [0; 16], Timestamp(1), 0);
        journal.append(std::slice::from_ref(&frame), digest(0)).unwrap();
        sent.push(frame);
    }
    assert_eq!(bench.segments().len(), 3);
    assert_eq!(bench.read(&bench.disk, 3).unwrap().0, sent);
}

#[test]
fn no_two_segments_share_a_salt_and_nothing_shows_in_clear() {
    let bench = Bench::new(1);
    let (mut journal, mut chain, _) = bench.start().unwrap();
    for _ in 0..2 {
        let frame = chain.frame(&record(RecordKind::Add, "canary"), b"canary-change".repeat(3), [0; 16], Timestamp(1), 0);
        journal.append(&[frame], digest(0)).unwrap();
        (journal, chain, _) = bench.start().unwrap();
    }
    let files: Vec<Vec<u8>> = bench.segments().iter().map(|path| bench.disk.read(path).unwrap()).collect();
    assert_eq!(files.len(), 2);
    assert_ne!(files[0][96..128], files[1][96..128]);
    for file in files {
        assert!(!file.windows(6).any(|window| window == b"canary"));
    }
}

#[test]
fn another_key_or_another_installation_reads_nothing() {
    let bench = Bench::new(1);
    workload(&bench, 2);
    let other = SealKey::new(&Secret::new(vec![8; 32])).unwrap();
    let wrong = Keys::new(bench.identity.clone(), vec![other.clone()], Path::new("x"));
    assert!(matches!(wrong, Err(StoreError::WrongKey { .. })));
    // The same installation, of whose keys one is missing.
    let identity = bench.identity.under(&other, &[0; 32]).unwrap();
    let stranger = Bench { key: other, identity, ..Bench::new(1) };
    assert!(matches!(stranger.read(&bench.disk, 0), Err(StoreError::WrongKey { .. })));
    let mut foreign = Bench::new(1);
    foreign.identity = Identity::generate(&foreign.key, &*foreign.entropy).unwrap();
    assert!(matches!(foreign.read(&bench.disk, 0), Err(StoreError::Damaged { .. })));
}
