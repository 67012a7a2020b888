//! A past moment is what it was: after every record of a random life, restores, transactions, rotation and snapshots included, the content
//! read back, whole and entry by entry, is that of the directory there was.

use std::sync::Arc;

use super::folder::{Server, options, rows};
use crate::directory::{Change, Directory, MembershipAttribute, PastEntry, PastNames};
use crate::model::{Dn, EntryId, Timestamp};
use crate::store::disk::RealDisk;
use crate::store::{Past, PastPiece, PastTarget, StoreOptions, create};

/// The entry as the past has it: who was called what, then what concerns it.
fn names(past: &Past) -> PastNames {
    let mut names = PastNames::new(past.empty_directory());
    past.read(&mut |piece| {
        match piece {
            PastPiece::Begin(_) => names = PastNames::new(past.empty_directory()),
            PastPiece::Row(row) => names.row(row).unwrap(),
            PastPiece::Frame(_, changes) => changes.iter().for_each(|change| names.change(change).unwrap()),
        }
        Ok(())
    })
    .unwrap();
    names.settle().unwrap();
    names
}

fn entry(past: &Past, id: EntryId) -> PastEntry<u64> {
    let (mut found, mut snapshot) = (PastEntry::new(id), None);
    past.read(&mut |piece| {
        match piece {
            PastPiece::Begin(began) => (found, snapshot) = (PastEntry::new(id), began),
            PastPiece::Row(row) => {
                Change::of_row(&row).unwrap().iter().for_each(|change| found.change(change, None));
            }
            PastPiece::Frame(frame, changes) => {
                changes.iter().for_each(|change| found.change(change, Some(frame.last_sequence())));
            }
        }
        Ok(())
    })
    .unwrap();
    if let Some(snapshot) = snapshot {
        let mut earlier = PastEntry::new(id);
        past.read_before(snapshot, &mut |piece| {
            if let PastPiece::Frame(frame, changes) = piece {
                changes.iter().for_each(|change| earlier.change(change, Some(frame.last_sequence())));
            }
            Ok(())
        })
        .unwrap();
        found.learn(&earlier);
    }
    assert!(!found.is_unexplained(), "each fact has its record");
    found
}

fn compare(options: &StoreOptions, sequence: u64, expected: &Directory) {
    let past = Past::open(options, PastTarget::Sequence(sequence)).unwrap();
    assert_eq!(past.sequence(), sequence);
    assert_eq!(rows(&past.directory().unwrap()), rows(expected), "sequence {sequence}");
    let names = names(&past);
    for node in expected.nodes() {
        let dn = expected.dn_text(node.id);
        assert_eq!(names.dn_text(node.id).as_deref(), Some(dn.as_str()));
        assert_eq!(names.find(&Dn::parse(dn.to_uppercase().as_bytes()).unwrap()), Some(node.id));
        let found = entry(&past, node.id);
        let mut members: Vec<_> = found.members(&names).into_iter().map(|fact| (fact.attribute, fact.value)).collect();
        let of = |attribute: MembershipAttribute| {
            let name = attribute.name(expected.schema()).to_owned();
            expected.member_values(node.id, attribute).into_iter().map(move |value| (name.clone(), value))
        };
        let mut wanted: Vec<_> = expected.membership_attributes(node.id).into_iter().flat_map(of).collect();
        members.sort();
        wanted.sort();
        assert_eq!(members, wanted, "{dn} at {sequence}");
        let mut groups: Vec<bytes::Bytes> = found.groups(&names).into_iter().map(|fact| fact.value).collect();
        let mut wanted: Vec<bytes::Bytes> = expected.groups_of(node.id).map(|group| expected.dn_text(group).into()).collect();
        groups.sort();
        wanted.sort();
        assert_eq!(groups, wanted, "groups of {dn} at {sequence}");
        assert!(found.is_there() && found.made().is_some_and(|made| *made <= sequence));
    }
    assert_eq!(names.dn_text(expected.next_entry_id()), None);
}

#[test]
fn each_moment_of_a_random_life_is_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("data"), Arc::new(RealDisk));
    create(&options).unwrap();
    let mut server = Server::start(&options).unwrap();
    let mut moments: Vec<(u64, Timestamp, Directory)> = Vec::new();
    for step in 0..90 {
        server.step().unwrap();
        if step % 25 == 20 {
            server.snapshot().unwrap();
        }
        let position = server.position();
        moments.push((position.sequence, position.time, server.directory.clone()));
    }
    for (sequence, time, expected) in moments.iter().step_by(7) {
        compare(&options, *sequence, expected);
        let past = Past::open(&options, PastTarget::Time(*time)).unwrap();
        assert_eq!((past.sequence(), past.time()), (*sequence, *time));
    }
    let last = moments.last().unwrap().0;
    assert_eq!(Past::open(&options, PastTarget::Newest).unwrap().sequence(), last);
    assert!(Past::open(&options, PastTarget::Sequence(last + 1)).is_err());
    assert!(Past::open(&options, PastTarget::Sequence(0)).is_err());
    assert!(Past::open(&options, PastTarget::Time(Timestamp(-1))).is_err());
    server.stop();
}
