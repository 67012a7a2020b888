//! Questions and records.

use super::*;
use crate::journal::tests::record;
use crate::journal::{Leaf, Record};
use crate::journal::{Named, RecordKind, RecordStamp, RecordedChange, RecordedEffect, RecordedValue};
use crate::model::{ModificationOperation, ResultCode};

fn read(record: &Record, sequence: u64, time: i64) -> ReadRecord {
    let stamp = RecordStamp {
        sequence,
        previous: Leaf::default(),
        time: Timestamp(time),
        monotonic: 1,
        boot: "b",
        node: "n",
        commitment: None,
    };
    ReadRecord::parse(&record.to_line(&stamp)).unwrap()
}

fn named(dn: &str, uuid: &str) -> Option<Named> {
    Some(Named { uuid: Some(uuid.to_owned()), dn: dn.to_owned() })
}

fn change(attribute: &str, values: &[&'static [u8]]) -> RecordedChange {
    RecordedChange {
        attribute: attribute.to_owned(),
        operation: ModificationOperation::Add,
        values: RecordedValue::Shown(values.iter().map(|value| bytes::Bytes::from_static(value)).collect()),
    }
}

fn modify() -> ReadRecord {
    let mut modify = record(RecordKind::Modify);
    modify.peer = Some("10.1.2.3:4711".to_owned());
    modify.actor = named("uid=Admin, ou=people,dc=x", "AAAA-1");
    modify.target = named("cn=Nurses,ou=groups,dc=x", "BBBB-2");
    modify.changes = vec![change("member", &[b"uid=a,dc=x", b"\xff"])];
    modify.effects = vec![RecordedEffect { entry: named("uid=a,dc=x", "CCCC-3").unwrap(), change: change("seeAlso", &[b"x"]) }];
    modify.result = ResultCode::InsufficientAccessRights;
    modify.reason = Some("not permitted");
    modify.details = vec![("one", "1".to_owned()), ("two", "2".to_owned()), ("two", "3".to_owned())];
    read(&modify, 7, 1_000)
}

#[test]
fn a_line_reads_back_whole() {
    let read = modify();
    assert_eq!((read.sequence, read.time, read.kind.as_str(), read.result), (7, 1_000, "modify", 50));
    assert_eq!(read.changes[0].values.as_ref().unwrap()[1], ReadValue::Octets { base64: "/w==".to_owned() });
    assert_eq!(read.effects[0].dn.as_deref(), Some("uid=a,dc=x"));
    assert_eq!((read.detail("one"), read.details["two"].texts().len()), (Some("1"), 2));
    assert!(ReadRecord::parse("{}").is_none() && ReadRecord::parse("").is_none());
}

/// Every question that `matches` says yes to must be one that the index finds: each list has a term of the record.
fn found(query: &Query, record: &ReadRecord) -> bool {
    let terms = terms_of(record);
    let by_index = query.terms().iter().all(|any| any.iter().any(|term| terms.contains(term)));
    let matches = query.matches(record);
    assert!(by_index || !matches, "the index would miss {query:?}");
    matches
}

#[test]
fn people_are_found_by_name_by_identifier_and_by_the_value_that_names_them() {
    let record = modify();
    let actor = |text: &str| Query { actor: Some(text.to_owned()), ..Query::default() };
    let target = |text: &str| Query { target: Some(text.to_owned()), ..Query::default() };
    let about = |text: &str| Query { about: Some(text.to_owned()), ..Query::default() };
    for key in ["admin", "ADMIN", "uid=admin,ou=People,dc=X", "uid=admin , ou=people, dc=x", "aaaa-1"] {
        assert!(found(&actor(key), &record) && found(&about(key), &record), "{key}");
        assert!(!found(&target(key), &record), "{key}");
    }
    for key in ["nurses", "cn=nurses,ou=groups,dc=x", "BBBB-2", "uid=a,dc=x", "cccc-3"] {
        assert!(found(&target(key), &record) && found(&about(key), &record), "{key}");
        assert!(!found(&actor(key), &record), "{key}");
    }
    assert!(!found(&actor(""), &record), "not anonymous");
    let anonymous = read(&self::record(RecordKind::Bind), 1, 1);
    assert!(found(&actor(""), &anonymous));
}

#[test]
fn time_type_result_reason_and_peer() {
    let record = modify();
    let at = |since, until| Query { since: Some(Timestamp(since)), until: Some(Timestamp(until)), ..Query::default() };
    assert!(found(&at(1_000, 1_001), &record));
    assert!(!found(&at(1_001, 2_000), &record) && !found(&at(0, 1_000), &record));
    let kinds = |kinds: &[&str]| Query { kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(), ..Query::default() };
    assert!(found(&kinds(&["bind", "MODIFY"]), &record) && !found(&kinds(&["bind"]), &record));
    let result = |result| Query { result: Some(result), ..Query::default() };
    assert!(found(&result(WantedResult::Failed), &record) && found(&result(WantedResult::Code(50)), &record));
    assert!(!found(&result(WantedResult::Done), &record) && !found(&result(WantedResult::Code(49)), &record));
    assert!(found(&Query { reason: Some("Not Permitted".to_owned()), ..Query::default() }, &record));
    assert!(!found(&Query { reason: Some("other".to_owned()), ..Query::default() }, &record));
    let peer = |text: &str| Query { peer: Some(WantedPeer::parse(text)), ..Query::default() };
    assert!(found(&peer("10.1.2.3"), &record) && found(&peer("10.0.0.0/8"), &record));
    assert!(
        !found(&peer("10.1.2.4"), &record) && !found(&peer("192.168.0.0/16"), &record) && !found(&peer("ldapi uid=0"), &record)
    );
}

#[test]
fn every_form_keeps_apart_what_belongs_apart() {
    let mut record = modify();
    record.actor.as_mut().unwrap().dn = "cn=a\\,b|c,dc=x".to_owned();
    record.reason = Some("two\nlines, \"quoted\"".to_owned());
    let fields = record.csv_fields();
    assert_eq!(fields[..5], ["7", "1970-01-01T00:00:00.001000Z", "modify", "50", "two\nlines, \"quoted\""]);
    assert_eq!(fields[20..], ["member:+ uid=a,dc=x, /w==", "uid=a,dc=x seeAlso:+ x", "one=1; two=2; two=3"]);
    let cef = record.to_cef("1|0");
    assert!(
        cef.starts_with(
            "CEF:0|Bindery|Bindery|1\\|0|modify|modify failed|6|rt=1 externalId=7 outcome=failed suser=cn\\=a\\\\,b|c,dc\\=x "
        ),
        "{cef}"
    );
    assert!(cef.contains(" src=10.1.2.3 spt=4711 reason=two\\nlines, \"quoted\" cn1Label=result cn1=50"), "{cef}");
    assert!(!cef.contains('\n'));
    assert_eq!(record.row()[5], "cn=Nurses,ou=groups,dc=x");
}
