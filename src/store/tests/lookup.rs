//! Looking records up: what an index finds is what reading everything finds, whatever became of the indexes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::folder::{Server, files, made, options};
use crate::journal::query::{FoundRecord, LookupRequest, Query, ReadRecord, WantedPeer, WantedResult};
use crate::journal::{Named, Record, RecordKind};
use crate::model::{ResultCode, Secret, Timestamp};
use crate::store::disk::RealDisk;
use crate::store::{JournalLookup, StoreOptions, create, read_frames};

const KINDS: [RecordKind; 4] = [RecordKind::Bind, RecordKind::Modify, RecordKind::Add, RecordKind::SessionEnd];
const RESULTS: [ResultCode; 3] = [ResultCode::Success, ResultCode::InvalidCredentials, ResultCode::Busy];

/// Deterministic, and never the same twice.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[usize::try_from(self.below(among.len() as u64)).unwrap()]
    }

    fn person(&mut self) -> Option<Named> {
        let number = self.below(40);
        (number > 0)
            .then(|| Named { uuid: Some(format!("uuid-{number}")), dn: format!("uid=person{number},ou=people,dc=example") })
    }

    fn record(&mut self) -> Record {
        let mut record = Record::new(self.pick(&KINDS));
        (record.actor, record.target) = (self.person(), self.person());
        record.result = self.pick(&RESULTS);
        record.reason = (record.result != ResultCode::Success).then(|| self.pick(&["wrong password", "account locked"]));
        record.peer = Some(format!("10.0.{}.{}:{}", self.below(3), self.below(5), 1000 + self.below(9)));
        record.details = vec![("padding", "x".repeat(usize::try_from(self.below(300)).unwrap()))];
        record
    }

    fn query(&mut self, times: &[i64]) -> Query {
        let mut query = Query::default();
        let who = |draw: &mut Draw| match draw.below(3) {
            0 => format!("person{}", draw.below(42)),
            1 => format!("UID=Person{}, ou=people,dc=example", draw.below(40)),
            _ => format!("uuid-{}", draw.below(40)),
        };
        for _ in 0..=self.below(2) {
            match self.below(8) {
                0 => query.actor = Some(who(self)),
                1 => query.target = Some(who(self)),
                2 => query.about = Some(who(self)),
                3 => query.kinds = vec![self.pick(&KINDS).name().to_owned(), self.pick(&KINDS).name().to_owned()],
                4 => query.result = Some(self.pick(&[WantedResult::Failed, WantedResult::Done, WantedResult::Code(49)])),
                5 => query.peer = Some(WantedPeer::parse(self.pick(&["10.0.1.2", "10.0.2.0/24", "ldapi uid=0"]))),
                6 => query.since = Some(Timestamp(self.pick(times))),
                _ => query.until = Some(Timestamp(self.pick(times))),
            }
        }
        query
    }
}

fn write(server: &mut Server, draw: &mut Draw, groups: usize) {
    for _ in 0..groups {
        let mut chain = server.chain.clone();
        let frames: Vec<_> = (0..=draw.below(3))
            .map(|_| {
                let records: Vec<Record> = (0..=draw.below(2)).map(|_| draw.record()).collect();
                let time = Timestamp(chain.last_time.0 + 1 + i64::try_from(draw.below(1_000_000)).unwrap());
                chain.frame_of(&records, Vec::new(), [0; 16], time, 0)
            })
            .collect();
        server.journal.append(&frames, server.directory.digest()).unwrap();
        server.chain = chain;
    }
}

fn all(options: &StoreOptions) -> Vec<ReadRecord> {
    let mut records = Vec::new();
    read_frames(options, 1, &mut |frame| {
        records.extend(frame.lines().map(|line| ReadRecord::parse(line).unwrap()));
        Ok(())
    })
    .unwrap();
    records
}

/// The whole answer, piece by piece.
fn find(lookup: &mut JournalLookup, query: &Query, backwards: bool, most_found: usize, most_read: u64) -> (Vec<u64>, u64) {
    let mut request = LookupRequest { query: query.clone(), backwards, from: None, most_found, most_read };
    let (mut sequences, mut read) = (Vec::new(), 0);
    loop {
        let found = lookup.find(&request).unwrap();
        assert!(found.damages.is_empty() && found.records.len() <= most_found && found.read <= most_read);
        sequences.extend(found.records.iter().map(|FoundRecord { record, .. }| record.sequence));
        read += found.read;
        match found.next {
            Some(next) => request.from = Some(next),
            None => break,
        }
    }
    if backwards {
        sequences.reverse();
    }
    (sequences, read)
}

/// Asks many questions both ways, in pieces of all sizes.
fn compare(lookup: &mut JournalLookup, options: &StoreOptions, draw: &mut Draw, questions: usize) {
    let records = all(options);
    let times: Vec<i64> = records.iter().map(|record| record.time).collect();
    for _ in 0..questions {
        let query = draw.query(&times);
        let expected: Vec<u64> = records.iter().filter(|it| query.matches(it)).map(|it| it.sequence).collect();
        for backwards in [false, true] {
            let (most_found, most_read) = (usize::try_from(1 + draw.below(50)).unwrap(), 1 + draw.below(400));
            let (found, _) = find(lookup, &query, backwards, most_found, most_read);
            assert_eq!(found, expected, "{query:?} {backwards}");
        }
    }
}

fn indexes(options: &StoreOptions) -> Vec<std::path::PathBuf> {
    let folder = std::fs::read_dir(options.data.join("index"));
    let mut files: Vec<_> = folder.into_iter().flatten().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn an_index_finds_what_reading_everything_finds() {
    let (_folder, options, _) = made(5);
    let mut draw = Draw(3);
    let mut server = Server::start(&options).unwrap();
    // Beside who writes, nothing is written: the closed segments are indexed in memory.
    let mut beside = JournalLookup::new(options.clone(), false);
    for _ in 0..4 {
        write(&mut server, &mut draw, 60);
        compare(&mut beside, &options, &mut draw, 15);
    }
    assert_eq!(indexes(&options), Vec::<std::path::PathBuf>::new());
    let mut lookup = JournalLookup::new(options.clone(), true);
    while lookup.write_missing().unwrap() {}
    let files = indexes(&options);
    assert!(files.len() > 3, "{files:?}");
    compare(&mut lookup, &options, &mut draw, 60);
    // Then those of the others are used too.
    compare(&mut beside, &options, &mut draw, 15);
    let facts = lookup.segments().unwrap();
    assert_eq!(facts.iter().map(|facts| facts.records).sum::<u64>(), server.chain.next_sequence - 1);
    assert!(facts.iter().filter(|facts| facts.index_octets > 0).count() == files.len());
    server.stop();

    // Damaged, missing, of something else: made anew, and the answers stay the same.
    let octets = std::fs::read(&files[1]).unwrap();
    let catalogue = usize::try_from(u64::from_le_bytes(octets[128..136].try_into().unwrap())).unwrap();
    // Among them the first block, of groups, and the last, of terms: the file opens, and the segment itself is read instead.
    for at in [0, 20, 90, 130, 136, catalogue - 1, octets.len() - 3] {
        let mut flipped = octets.clone();
        flipped[at] ^= 1;
        std::fs::write(&files[1], flipped).unwrap();
        compare(&mut lookup, &options, &mut draw, 3);
        compare(&mut beside, &options, &mut draw, 3);
        assert_eq!(std::fs::read(&files[1]).unwrap().len(), octets.len(), "octet {at}");
    }
    std::fs::copy(&files[2], &files[1]).unwrap();
    std::fs::remove_file(&files[0]).unwrap();
    compare(&mut lookup, &options, &mut draw, 10);
    assert_eq!(indexes(&options), files);
}

#[test]
fn a_rare_person_costs_little_and_nothing_of_anybody_is_in_clear() {
    let (_folder, options, _) = made(2);
    let mut draw = Draw(9);
    let mut server = Server::start(&options).unwrap();
    write(&mut server, &mut draw, 400);
    let mut rare = draw.record();
    rare.actor = Some(Named { uuid: None, dn: "uid=zephyr,dc=example".to_owned() });
    let frame = server.chain.frame(&rare, Vec::new(), [0; 16], Timestamp(server.chain.last_time.0 + 1), 0);
    server.journal.append(&[frame], server.directory.digest()).unwrap();
    write(&mut server, &mut draw, 400);
    let mut lookup = JournalLookup::new(options.clone(), true);
    while lookup.write_missing().unwrap() {}
    let query = Query { actor: Some("zephyr".to_owned()), ..Query::default() };
    let (found, read) = find(&mut lookup, &query, false, 10, 1_000_000);
    assert_eq!(found.len(), 1);
    assert!(read <= 12, "{read} records read for one");
    for path in indexes(&options) {
        let octets = std::fs::read(&path).unwrap();
        assert!(!octets.windows(6).any(|it| it == b"zephyr" || it == b"person"));
    }
    server.stop();
}

#[test]
fn another_installations_index_is_not_used() {
    let (_folder, options, _) = made(2);
    let mut server = Server::start(&options).unwrap();
    write(&mut server, &mut Draw(5), 200);
    server.stop();
    let mut lookup = JournalLookup::new(options.clone(), true);
    while lookup.write_missing().unwrap() {}
    let folder = tempfile::tempdir().unwrap();
    let other =
        StoreOptions { seal_key: Secret::new(vec![43; 32]), ..self::options(&folder.path().join("data"), Arc::new(RealDisk)) };
    create(&other).unwrap();
    let mut server = Server::start(&other).unwrap();
    write(&mut server, &mut Draw(6), 200);
    server.stop();
    super::folder::copy(&options.data.join("index"), &other.data.join("index"));
    compare(&mut JournalLookup::new(other.clone(), true), &other, &mut Draw(7), 20);
}

#[test]
fn what_lies_behind_damage_is_found_and_the_gaps_are_told() {
    let (_folder, options, _) = made(5);
    let mut server = Server::start(&options).unwrap();
    write(&mut server, &mut Draw(11), 400);
    server.stop();
    let records = all(&options);
    let segments = files(&options.data.join("journal"));
    assert!(segments.len() > 2, "{segments:?}");
    // The newest one goes on behind the damage too.
    for path in [&segments[1], segments.last().unwrap()] {
        let mut octets = std::fs::read(path).unwrap();
        let used = octets.iter().rposition(|octet| *octet != 0).unwrap();
        for part in 1..8 {
            octets[4096 + (used - 4096) * part / 8] ^= 1;
        }
        std::fs::write(path, octets).unwrap();
    }
    let query = Query { kinds: vec!["bind".to_owned()], ..Query::default() };
    let expected: BTreeSet<u64> = records.iter().filter(|it| query.matches(it)).map(|it| it.sequence).collect();
    for (writes, backwards, most_read) in [false, true]
        .into_iter()
        .flat_map(|writes| [(writes, false, 3), (writes, true, 3), (writes, false, 1000), (writes, true, 1000)])
    {
        let mut lookup = JournalLookup::new(options.clone(), writes);
        let mut request = LookupRequest { query: query.clone(), backwards, from: None, most_found: 7, most_read };
        let (mut sequences, mut lost, mut pieces) = (BTreeSet::new(), Vec::new(), 0);
        loop {
            let found = lookup.find(&request).unwrap();
            sequences.extend(found.records.iter().map(|found| found.record.sequence));
            lost.extend(found.damages.iter().map(|damage| damage.sequences));
            pieces += 1;
            match found.next {
                Some(next) => request.from = Some(next),
                None => break,
            }
        }
        let what = format!("{writes} {backwards} {most_read} {lost:?}");
        let is_lost = |sequence: &u64| lost.iter().any(|(first, last)| (first..=last).contains(&sequence));
        let missing: Vec<&u64> = expected.difference(&sequences).collect();
        assert!(!missing.is_empty() && missing.iter().all(|it| is_lost(it)), "{what}: {missing:?}");
        assert!(sequences.is_subset(&expected) && !sequences.iter().any(is_lost) && pieces > 5, "{what}");
        let told: BTreeSet<_> = lost.iter().copied().collect();
        assert!(told.len() == lost.len() && told.len() > 8, "{what}: each once");
    }
}
