//! Changes survive being written and read, rows say what changes said, damage is an error.

use bytes::Bytes;
use std::sync::Arc;

use proptest::prelude::*;

use super::row::{self, Content};
use super::{AccountState, Change, ContextState, Identifier, Membership, MembershipAttribute, ReferenceAttribute, Row, Table};
use crate::directory::{LastRevision, SchemaRevision, StoredDefinition};
use crate::model::schema::SchemaElement;
use crate::model::{ChangeStamp, EntryId, FailedLogins, FailingSource, Timestamp};

const KEY: [u8; 32] = [7; 32];

fn any_failed() -> impl Strategy<Value = FailedLogins> {
    let times = |most| proptest::collection::vec(any::<i64>().prop_map(Timestamp), 0..=most);
    let time = || proptest::option::of(any::<i64>().prop_map(Timestamp));
    let source =
        (".{0,20}", times(FailedLogins::MAXIMUM_TIMES_OF_SOURCE)).prop_map(|(name, times)| FailingSource { name, times });
    let sources = proptest::collection::vec(source, 0..=FailedLogins::MAXIMUM_SOURCES);
    (any::<u32>(), times(FailedLogins::MAXIMUM_TIMES), sources, time(), time())
        .prop_map(|(in_a_row, times, sources, locked, pause_end)| FailedLogins { in_a_row, times, sources, locked, pause_end })
}

fn any_membership() -> impl Strategy<Value = Membership> {
    let attribute = proptest::sample::select(vec![
        MembershipAttribute::Member,
        MembershipAttribute::UniqueMember,
        MembershipAttribute::MemberUid,
        MembershipAttribute::Reference(ReferenceAttribute::new("0.9.2342.19200300.100.1.10").unwrap()),
        MembershipAttribute::Reference(ReferenceAttribute::new("2.5.4.32").unwrap()),
    ]);
    let octets = || proptest::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        (attribute.clone(), any::<u64>()).prop_map(|(attribute, id)| Membership::Entry(attribute, EntryId(id))),
        (attribute, octets(), octets()).prop_map(|(attribute, key, value)| Membership::Outside {
            attribute,
            key: key.into(),
            value: Bytes::from(value)
        }),
    ]
}

fn any_revision() -> impl Strategy<Value = SchemaRevision> {
    let element = || proptest::sample::select(SchemaElement::ALL.to_vec());
    let definition = (element(), "[0-9.]{1,12}", any::<u64>(), ".{0,40}")
        .prop_map(|(element, identifier, position, text)| StoredDefinition { element, identifier, position, text });
    let removed = (element(), "[0-9.]{1,12}");
    (proptest::collection::vec(definition, 0..4), proptest::collection::vec(removed, 0..4), any::<i64>(), ".{0,20}")
        .prop_map(|(put, remove, at, by)| SchemaRevision { put, remove, at: Timestamp(at), by })
}

fn any_identifier() -> impl Strategy<Value = Identifier> {
    let octets = || proptest::collection::vec(any::<u8>(), 0..40);
    (".{0,20}", octets(), octets()).prop_map(|(attribute, key, value)| Identifier {
        attribute,
        key: key.into(),
        value: value.into(),
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    let octets = || proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let id = || any::<u64>().prop_map(EntryId);
    let step = proptest::option::of(any::<u64>());
    let state = (proptest::option::of(any::<i64>()), proptest::option::of(".{0,20}"), step, proptest::option::of(any_failed()))
        .prop_map(|(time, last_login_source, one_time_step, failed)| AccountState {
            last_login: time.map(Timestamp),
            last_login_source,
            time_step_drift: one_time_step.map(|step| (step % 21) as i8 - 10),
            one_time_step,
            failed: failed.map(Arc::new),
            grace_logins: time.map(Timestamp).into_iter().collect(),
        });
    prop_oneof![
        (id(), proptest::option::of(id()), ".{0,40}", octets()).prop_map(|(id, parent, name, block)| Change::PutEntry {
            id,
            parent,
            name,
            block
        }),
        (id(), id()).prop_map(|(id, next_id)| Change::RemoveEntry { id, next_id }),
        (id(), any_membership(), any::<i64>(), ".{0,40}", proptest::option::of(any::<i64>())).prop_map(
            |(group, membership, since, by, until)| Change::PutMembership {
                group,
                membership,
                since: Timestamp(since),
                by,
                until: until.map(Timestamp),
            }
        ),
        (id(), any_membership()).prop_map(|(group, membership)| Change::RemoveMembership { group, membership }),
        (any_identifier(), any::<i64>(), ".{0,40}").prop_map(|(identifier, since, by)| Change::Reserve {
            identifier,
            since: Timestamp(since),
            by
        }),
        any_identifier().prop_map(|identifier| Change::Release { identifier }),
        (".{0,20}", any::<u64>()).prop_map(|(attribute, next)| Change::PutNextNumber { attribute, next }),
        (id(), state).prop_map(|(id, state)| Change::PutAccountState { id, state }),
        (any::<i64>(), any::<u32>(), any::<u64>()).prop_map(|(time, count, number)| {
            Change::PutContext(ContextState { stamp: ChangeStamp { time: Timestamp(time), count }, number })
        }),
        any_revision().prop_map(Change::ReviseSchema),
    ]
}

fn back_to_change(content: Content) -> Change {
    match content {
        Content::Entry { id, parent, name, block } => Change::PutEntry { id, parent, name, block },
        Content::Membership { group, membership, since, by, until } => {
            Change::PutMembership { group, membership, since, by, until }
        }
        Content::AccountState { id, state } => Change::PutAccountState { id, state },
        Content::Context(state) => Change::PutContext(state),
        Content::Definition(definition) => {
            let put = vec![definition];
            Change::ReviseSchema(SchemaRevision { put, remove: Vec::new(), at: Timestamp(0), by: String::new() })
        }
        Content::LastRevision(LastRevision { at, by }) => {
            Change::ReviseSchema(SchemaRevision { put: Vec::new(), remove: Vec::new(), at, by })
        }
        Content::Reserved { identifier, since, by } => Change::Reserve { identifier, since, by },
        Content::NextNumber { attribute, next } => Change::PutNextNumber { attribute, next },
        Content::NextEntryId(next_id) => Change::RemoveEntry { id: EntryId(0), next_id },
    }
}

proptest! {
    #[test]
    fn changes_survive(changes in proptest::collection::vec(any_change(), 0..6)) {
        let mut stored = Vec::new();
        changes.iter().for_each(|change| change.encode(&mut stored));
        let mut input = stored.as_slice();
        for change in &changes {
            prop_assert_eq!(&Change::decode(&mut input).unwrap(), change);
        }
        prop_assert!(input.is_empty());
    }

    #[test]
    fn a_cut_change_is_an_error(change in any_change(), at in 0.0f64..1.0) {
        let mut stored = Vec::new();
        change.encode(&mut stored);
        let cut = (stored.len() as f64 * at) as usize;
        prop_assert!(Change::decode(&mut &stored[..cut]).is_err());
    }

    #[test]
    fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = Change::decode(&mut octets.as_slice());
        for table in Table::ALL {
            let _ = row::read(&Row { table, key: octets.clone().into(), value: Bytes::from(octets.clone()) });
        }
    }

    #[test]
    fn rows_say_what_the_change_said(change in any_change()) {
        let present = change.rows(&KEY).into_iter().filter_map(|row| Some(Row { table: row.table, key: row.key, value: row.value? }));
        let contents: Vec<_> = present.map(|row| back_to_change(row::read(&row).unwrap())).collect();
        match &change {
            Change::RemoveEntry { next_id, .. } => {
                prop_assert_eq!(contents, vec![Change::RemoveEntry { id: EntryId(0), next_id: *next_id }]);
            }
            Change::RemoveMembership { .. } | Change::Release { .. } => prop_assert!(contents.is_empty()),
            Change::PutAccountState { state, .. } if *state == AccountState::default() => prop_assert!(contents.is_empty()),
            Change::ReviseSchema(revision) => {
                let mut seen = SchemaRevision { put: Vec::new(), remove: revision.remove.clone(), at: Timestamp(0), by: String::new() };
                for content in contents {
                    let Change::ReviseSchema(part) = content else { panic!("a definition or who made it") };
                    seen.put.extend(part.put);
                    (seen.at, seen.by) = (part.at, part.by);
                }
                prop_assert_eq!(&seen, revision);
            }
            _ => prop_assert_eq!(contents, vec![change]),
        }
    }
}

#[test]
fn keys_are_in_the_order_of_numbers() {
    let mut keys: Vec<_> = [3u64, 300, 70_000, 1 << 40].map(|id| row::entry(EntryId(id), None, "", b"").key).into();
    let sorted = keys.clone();
    keys.sort();
    assert_eq!(keys, sorted);
}

#[test]
fn no_name_stands_in_a_key() {
    let membership = Membership::Outside {
        attribute: MembershipAttribute::MemberUid,
        key: (*b"jdoe").into(),
        value: Bytes::from_static(b"jdoe"),
    };
    let change = Change::PutMembership { group: EntryId(1), membership, since: Timestamp(1), by: String::new(), until: None };
    assert!(!change.rows(&KEY)[0].key.windows(4).any(|window| window == b"jdoe"));
    assert_ne!(change.rows(&KEY)[0].key, change.rows(&[8; 32])[0].key);
}

#[test]
fn what_older_programs_wrote_of_an_account_is_read_and_written_alike() {
    let mut octets = vec![5, 0, 0, 0, 0, 0, 0, 0, 9, 1];
    octets.extend(7i64.to_be_bytes());
    octets.extend([1, 0, 0, 0, 2, b':', b':']);
    let change = Change::PutAccountState {
        id: EntryId(9),
        state: AccountState {
            last_login: Some(Timestamp(7)),
            last_login_source: Some("::".to_owned()),
            ..AccountState::default()
        },
    };
    assert_eq!(Change::decode(&mut octets.as_slice()).unwrap(), change);
    let mut written = Vec::new();
    change.encode(&mut written);
    assert_eq!(written, octets);
}
