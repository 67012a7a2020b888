//! Lines, chain, frames and groups.

use bytes::Bytes;

use super::*;
use crate::model::{ModificationOperation, ResultCode, Timestamp};

pub(crate) fn record(kind: RecordKind) -> Record {
    Record::new(kind)
}

fn chain() -> Chain {
    Chain { next_sequence: 1, last_leaf: Leaf::default(), last_time: Timestamp(0), node: "n".into(), boot: "b".into() }
}

/// XOR with the place: enough to notice a part opened at another place.
struct Toy;

impl Sealer for Toy {
    fn seal(&self, part: FramePart, sequence: u64, octets: &[&[u8]], output: &mut Vec<u8>) -> Result<(), SealError> {
        output.push(u8::from(part == FramePart::Changes) ^ sequence.to_le_bytes()[0]);
        output.extend(octets.concat().iter().map(|octet| octet ^ 0x55));
        Ok(())
    }

    fn open(&self, part: FramePart, sequence: u64, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (tag, rest) = sealed.split_first().ok_or(SealError)?;
        if *tag != u8::from(part == FramePart::Changes) ^ sequence.to_le_bytes()[0] {
            return Err(SealError);
        }
        Ok(rest.iter().map(|octet| octet ^ 0x55).collect())
    }
}

#[test]
fn a_line_is_sorted_complete_and_leaves_out_what_is_absent() {
    let mut full = record(RecordKind::Modify);
    full.session = Some(7);
    full.message = Some(2);
    full.peer = Some("127.0.0.1:50123".into());
    full.tls = Some(TlsStamp { version: "TLSv1.3".into(), suite: "TLS13_AES_256_GCM_SHA384".into(), certificate: None });
    full.actor = Some(Named { uuid: Some("u-1".into()), dn: "cn=admin,dc=x".into() });
    full.target = Some(Named { uuid: None, dn: "cn=\"q\"".into() });
    full.unknown_name = Some(("ab".into(), 9));
    full.method = Some("SIMPLE".into());
    full.factors = vec!["password", "certificate"];
    full.rule = Some("r".into());
    full.result = ResultCode::Busy;
    full.reason = Some("why");
    full.changes = vec![
        RecordedChange {
            attribute: "cn".into(),
            operation: ModificationOperation::Add,
            values: RecordedValue::Shown(vec![Bytes::from_static(b"a"), Bytes::from_static(b"\xff\xfe")]),
        },
        RecordedChange {
            attribute: "userPassword".into(),
            operation: ModificationOperation::Replace,
            values: RecordedValue::Redacted(2),
        },
    ];
    full.details = vec![("z", "1".into()), ("gone", "cn=a".into()), ("gone", "cn=b".into())];
    let stamp = RecordStamp {
        sequence: 3,
        previous: Leaf([0xab; 32]),
        time: Timestamp(1_700_000_000_000_001),
        monotonic: 5,
        boot: "b",
        node: "n",
        commitment: Some([0xcd; 32]),
    };
    let line = full.to_line(&stamp);
    let previous = "ab".repeat(32);
    assert_eq!(
        line,
        format!(
            concat!(
                r#"{{"actor":{{"dn":"cn=admin,dc=x","uuid":"u-1"}},"boot":"b","changes":[{{"attr":"cn","op":"add","#,
                r#""values":["a",{{"base64":"//4="}}]}},{{"attr":"userPassword","op":"replace","redacted":2}}],"commitment":"{commitment}","#,
                r#""details":{{"gone":["cn=a","cn=b"],"z":"1"}},"factors":["password","certificate"],"message":2,"method":"SIMPLE","#,
                r#""mono":5,"node":"n","peer":"127.0.0.1:50123","prev":"{previous}","reason":"why","result":51,"rule":"r","seq":3,"#,
                r#""session":7,"target":{{"dn":"cn=\"q\""}},"time":1700000000000001,"#,
                r#""tls":{{"suite":"TLS13_AES_256_GCM_SHA384","version":"TLSv1.3"}},"type":"modify","#,
                r#""unknownName":{{"hash":"ab","length":9}},"v":1}}"#
            ),
            previous = previous,
            commitment = "cd".repeat(32)
        )
    );
    let bare = record(RecordKind::Stop).to_line(&RecordStamp { commitment: None, ..stamp });
    let read: serde_json::Value = serde_json::from_str(&bare).unwrap();
    let names: Vec<&str> = read.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["boot", "mono", "node", "prev", "result", "seq", "time", "type", "v"]);
}

#[test]
fn a_leaf_is_the_hash_of_rfc_9162() {
    // SHA-256 of a single zero octet.
    assert_eq!(Leaf::of_line("").to_hex(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

#[test]
fn the_chain_stamps_and_the_check_accepts_only_what_continues_it() {
    let mut chain = chain();
    let first = chain.frame(&record(RecordKind::Start), Vec::new(), [9; 16], Timestamp(10), 1);
    let second = chain.frame(&record(RecordKind::Add), b"change".to_vec(), [9; 16], Timestamp(11), 2);
    let third = chain.frame(&record(RecordKind::Stop), Vec::new(), [9; 16], Timestamp(12), 3);
    assert_eq!((first.sequence, first.salt, second.sequence, second.salt), (1, [0; 16], 2, [9; 16]));
    assert_eq!(LineStamp::parse(&second.line).unwrap().previous, first.leaf());
    assert_eq!(LineStamp::parse(&first.line).unwrap().commitment, None);

    let mut check = ChainCheck::default();
    assert_eq!(check.clone().accept(&second), Err("the record's sequence does not follow the one before"));
    check.accept(&first).unwrap();
    for (name, forged) in [
        ("changes", Frame { changes: b"chAnge".to_vec(), ..second.clone() }),
        ("salt", Frame { salt: [8; 16], ..second.clone() }),
        ("stripped", Frame { changes: Vec::new(), ..second.clone() }),
    ] {
        assert_eq!(check.clone().accept(&forged), Err("the changes are not those the record commits to"), "{name}");
    }
    let edited = Frame { line: first.line.replace("\"time\":10", "\"time\":11"), ..first.clone() };
    let mut other = ChainCheck::default();
    other.accept(&edited).unwrap();
    assert_eq!(other.accept(&second), Err("the record does not continue the chain"));
    check.accept(&second).unwrap();
    check.accept(&third).unwrap();
    assert_eq!((check.last_sequence, check.last_leaf, check.last_time), (3, chain.last_leaf, Timestamp(12)));
}

#[test]
fn a_frame_of_several_records_is_one_link_each_and_one_piece() {
    let mut chain = chain();
    let first = chain.frame(&record(RecordKind::Start), Vec::new(), [9; 16], Timestamp(10), 1);
    let three = [record(RecordKind::Add), record(RecordKind::Modify), record(RecordKind::Delete)];
    let frame = chain.frame_of(&three, b"changes".to_vec(), [9; 16], Timestamp(20), 2);
    let last = chain.frame(&record(RecordKind::Stop), Vec::new(), [9; 16], Timestamp(30), 3);
    assert_eq!((frame.sequence, frame.records(), frame.last_sequence(), last.sequence), (2, 3, 4, 5));
    let stamps: Vec<LineStamp> = frame.lines().map(|line| LineStamp::parse(line).unwrap()).collect();
    assert_eq!(stamps.iter().map(|stamp| (stamp.sequence, stamp.time)).collect::<Vec<_>>(), [(2, 20), (3, 21), (4, 22)]);
    assert!(stamps.iter().all(|stamp| stamp.commitment.is_some() && stamp.commitment == stamps[0].commitment));
    assert_eq!(stamps[1].previous, Leaf::of_line(frame.lines().next().unwrap()));

    let frames = [first.clone(), frame.clone(), last.clone()];
    let mut check = ChainCheck::default();
    frames.iter().for_each(|frame| check.accept(frame).unwrap());
    assert_eq!((check.last_sequence, check.last_leaf), (5, chain.last_leaf));
    let two = frame.lines().take(2).collect::<Vec<_>>().join("\n");
    let mut check = ChainCheck::default();
    check.accept(&first).unwrap();
    check.accept(&Frame { line: two, ..frame.clone() }).unwrap();
    assert!(check.accept(&last).is_err(), "a record cannot be left out");
    let swapped = frame.lines().rev().collect::<Vec<_>>().join("\n");
    let mut check = ChainCheck::default();
    check.accept(&first).unwrap();
    assert!(check.accept(&Frame { line: swapped, ..frame.clone() }).is_err());

    let header = GroupHeader { count: 5, first: 1, previous_durable: 0, digest: [3; 32] };
    let mut octets = Vec::new();
    encode_group(&header, &frames, &Toy, &mut octets).unwrap();
    let read = read_group(&octets).unwrap();
    assert_eq!((read.last(), read.open(&Toy).unwrap()), (5, frames.to_vec()));
    for wrong in [3, 4, 6] {
        let mut octets = Vec::new();
        encode_group(&GroupHeader { count: wrong, ..header.clone() }, &frames, &Toy, &mut octets).unwrap();
        assert!(read_group(&octets).unwrap().open(&Toy).is_err(), "{wrong}");
    }
    assert_eq!(frame.clone().starting_at(3).sequence, 3);
    assert_eq!(frame.clone().starting_at(4).line, frame.lines().last().unwrap());
    assert_eq!(frame.clone().starting_at(1), frame);
}

fn group() -> (Vec<Frame>, Vec<u8>) {
    let mut chain = chain();
    let frames: Vec<Frame> = (0..5u8)
        .map(|number| {
            let changes = vec![number; usize::from(number) * 3];
            chain.frame(&record(RecordKind::Add), changes, [number; 16], Timestamp(i64::from(number)), 0)
        })
        .collect();
    let header = GroupHeader { count: 5, first: 1, previous_durable: 0, digest: [3; 32] };
    let mut octets = Vec::new();
    encode_group(&header, &frames, &Toy, &mut octets).unwrap();
    (frames, octets)
}

#[test]
fn a_group_reads_back() {
    let (frames, mut octets) = group();
    let length = octets.len();
    octets.extend_from_slice(&[0; 100]);
    let read = read_group(&octets).unwrap();
    assert_eq!((read.length, read.last(), read.header.digest), (length, 5, [3; 32]));
    assert_eq!(read.open(&Toy).unwrap(), frames);
}

#[test]
fn every_flipped_octet_of_a_group_is_noticed_and_every_cut_too() {
    let (_, octets) = group();
    for at in 0..octets.len() {
        let mut flipped = octets.clone();
        flipped[at] ^= 0x40;
        assert!(read_group(&flipped).is_err(), "octet {at}");
        assert!(read_group(&octets[..at]).is_err(), "cut at {at}");
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_octets_never_panic(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = read_group(&octets);
        let mut with_magic = GROUP_MAGIC.to_vec();
        with_magic.extend_from_slice(&octets);
        let _ = read_group(&with_magic);
        let _ = LineStamp::parse(&String::from_utf8_lossy(&octets));
    }
}
