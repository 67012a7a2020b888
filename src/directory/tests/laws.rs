//! Laws over random sequences of changes.

use std::sync::Arc;

use proptest::prelude::*;

use super::fixture::{self, all_indexes, entry};
use crate::directory::{
    AccountState, Change, ContextState, Digest, Directory, Membership, MembershipAttribute, Row, SchemaRevision, StoredDefinition,
};
use crate::model::schema::SchemaElement;
use crate::model::{EntryId, FailedLogins, FailingSource, Timestamp};

/// Something one might do; impossible ones are refused by `apply`.
#[derive(Clone, Debug)]
enum Deed {
    Put {
        id: u64,
        parent: u64,
        name: u8,
        words: Vec<u8>,
    },
    Remove(u64),
    Join {
        group: u64,
        member: u64,
        attribute: MembershipAttribute,
        by: u8,
    },
    JoinOutside {
        group: u64,
        word: u8,
        spelling: bool,
    },
    Leave {
        group: u64,
        member: u64,
        attribute: MembershipAttribute,
    },
    LeaveOutside {
        group: u64,
        word: u8,
    },
    Reserve {
        word: u8,
        spelling: bool,
        by: u8,
    },
    Release {
        word: u8,
    },
    Number {
        attribute: bool,
        next: u64,
    },
    Login {
        id: u64,
        time: Option<i64>,
    },
    Operation(u8),
    /// Words are values of such an attribute where it is defined.
    Define {
        number: u8,
        wide: bool,
    },
    Undefine(u8),
}

fn attributes() -> Vec<MembershipAttribute> {
    let manager = fixture::schema().attribute_type("manager").and_then(MembershipAttribute::of_type).unwrap();
    vec![MembershipAttribute::Member, MembershipAttribute::UniqueMember, manager]
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let id = || 1u64..12;
    let attribute = || proptest::sample::select(attributes());
    prop_oneof![
        12 => (id(), id(), 0u8..6, proptest::collection::vec(0u8..6, 0..4))
            .prop_map(|(id, parent, name, words)| Deed::Put { id, parent, name, words }),
        3 => id().prop_map(Deed::Remove),
        6 => (id(), id(), attribute(), 0u8..3).prop_map(|(group, member, attribute, by)| Deed::Join { group, member, attribute, by }),
        3 => (id(), 0u8..4, any::<bool>()).prop_map(|(group, word, spelling)| Deed::JoinOutside { group, word, spelling }),
        3 => (id(), id(), attribute()).prop_map(|(group, member, attribute)| Deed::Leave { group, member, attribute }),
        3 => (id(), 0u8..4).prop_map(|(group, word)| Deed::LeaveOutside { group, word }),
        3 => (id(), proptest::option::of(0i64..1000)).prop_map(|(id, time)| Deed::Login { id, time }),
        3 => any::<u8>().prop_map(Deed::Operation),
        4 => (0u8..4, any::<bool>(), 0u8..3).prop_map(|(word, spelling, by)| Deed::Reserve { word, spelling, by }),
        3 => (0u8..4).prop_map(|word| Deed::Release { word }),
        3 => (any::<bool>(), 0u64..5).prop_map(|(attribute, next)| Deed::Number { attribute, next }),
        1 => (0u8..4, any::<bool>()).prop_map(|(number, wide)| Deed::Define { number, wide }),
        1 => (0u8..4).prop_map(Deed::Undefine),
    ]
}

fn change(deed: &Deed, directory: &Directory) -> Change {
    let outside = |word: u8, spelled: bool| {
        let value = if spelled { format!("CN=Word{word}, dc=elsewhere") } else { format!("cn=word{word},dc=elsewhere") };
        directory.resolve_member(MembershipAttribute::Member, value.as_bytes()).unwrap()
    };
    let identifier = |word: u8, spelled: bool| {
        let value = if spelled { format!("Word {word}") } else { format!("word  {word}") };
        let schema = fixture::schema();
        directory.identifier(schema.attribute_type("uid").unwrap(), value.as_bytes()).unwrap()
    };
    match deed {
        Deed::Put { id: 1, words, .. } => {
            let description = words.iter().map(u8::to_string).collect::<String>() + "x";
            entry(1, None, fixture::SUFFIX, &[("objectClass", "domain"), ("dc", "example"), ("description", &description)])
        }
        Deed::Put { id, parent, name, words } => {
            let words: Vec<String> = words.iter().map(|word| format!("Word {word}{word}")).collect();
            let names: Vec<String> =
                words.iter().map(|word| format!("word{}", word.len() % 2 + usize::from(*name) % 3)).collect();
            let mut attributes = vec![("objectClass", "organizationalUnit"), ("ou", "x")];
            for (name, word) in names.iter().zip(&words) {
                let is_defined = directory.schema().attribute_type(name).is_some();
                attributes.push((if is_defined { name } else { "description" }, word));
            }
            let block = fixture::block_by(directory.schema(), &attributes);
            Change::PutEntry { id: EntryId(*id), parent: Some(EntryId(*parent)), name: format!("ou=Name{name}"), block }
        }
        Deed::Remove(id) => Change::RemoveEntry { id: EntryId(*id), next_id: directory.next_entry_id() },
        Deed::Join { group, member, attribute, by } => Change::PutMembership {
            group: EntryId(*group),
            membership: Membership::Entry(*attribute, EntryId(*member)),
            since: Timestamp(i64::from(*by)),
            by: format!("cn={by}"),
            until: (*by % 2 == 0).then(|| Timestamp(i64::from(*by) + 7)),
        },
        Deed::JoinOutside { group, word, spelling } => fixture::join(EntryId(*group), outside(*word, *spelling)),
        Deed::Leave { group, member, attribute } => {
            Change::RemoveMembership { group: EntryId(*group), membership: Membership::Entry(*attribute, EntryId(*member)) }
        }
        Deed::LeaveOutside { group, word } => {
            Change::RemoveMembership { group: EntryId(*group), membership: outside(*word, false) }
        }
        Deed::Operation(count) => {
            let (before, now) = (directory.context(), Timestamp(i64::from(*count)));
            Change::PutContext(ContextState { stamp: before.stamp.following(now, 0), number: before.number + 1 })
        }
        Deed::Define { number, wide } => {
            let single = if *wide { "" } else { " SINGLE-VALUE" };
            let text = format!("( 1.3.6.1.4.1.99999.9.{number} NAME 'word{number}' SUP name{single} )");
            let identifier = format!("1.3.6.1.4.1.99999.9.{number}");
            let position = 10 + u64::from(*number);
            let put = vec![StoredDefinition { element: SchemaElement::AttributeType, identifier, position, text }];
            Change::ReviseSchema(SchemaRevision { put, remove: Vec::new(), at: Timestamp(1), by: "cn=admin".to_owned() })
        }
        Deed::Undefine(number) => {
            let remove = vec![(SchemaElement::AttributeType, format!("1.3.6.1.4.1.99999.9.{number}"))];
            Change::ReviseSchema(SchemaRevision { put: Vec::new(), remove, at: Timestamp(2), by: String::new() })
        }
        Deed::Reserve { word, spelling, by } => {
            Change::Reserve { identifier: identifier(*word, *spelling), since: Timestamp(i64::from(*by)), by: format!("cn={by}") }
        }
        Deed::Release { word } => Change::Release { identifier: identifier(*word, false) },
        Deed::Number { attribute, next } => {
            let attribute = if *attribute { "uidNumber" } else { "employeeNumber" };
            Change::PutNextNumber { attribute: fixture::schema().attribute_type(attribute).unwrap().oid.clone(), next: *next }
        }
        Deed::Login { id, time } => Change::PutAccountState {
            id: EntryId(*id),
            state: AccountState {
                last_login: time.map(Timestamp),
                last_login_source: time.map(|time| format!("127.0.0.{time}")),
                one_time_step: time.map(i64::unsigned_abs),
                time_step_drift: time.filter(|time| time % 2 == 0).map(|_| -2),
                failed: time.filter(|time| time % 2 == 0).map(|time| {
                    let source = FailingSource { name: format!("127.0.0.{time}"), times: vec![Timestamp(time)] };
                    Arc::new(FailedLogins { in_a_row: 1, sources: vec![source], ..FailedLogins::default() })
                }),
                grace_logins: Vec::new(),
            },
        },
    }
}

/// Everything a reader can see, and the rows.
fn content(directory: &Directory) -> (Vec<String>, Vec<Row>) {
    let mut seen = Vec::new();
    for node in directory.nodes() {
        let id = node.id;
        let groups: Vec<_> = directory.groups_of(id).collect();
        let members: Vec<_> = attributes().into_iter().map(|attribute| directory.member_values(id, attribute)).collect();
        let holding: Vec<_> = directory.memberships_held_by(id).collect();
        let attributes = (directory.membership_attributes(id), directory.has_memberships(id), holding);
        let children: Vec<_> = directory.children(id).collect();
        let place = (directory.dn_text(id), directory.find(&directory.dn(id)), directory.account_state(id));
        seen.push(format!("{id:?} {place:?} {groups:?} {members:?} {attributes:?} {children:?} {:?}", node.entry.block()));
    }
    let numbers =
        ["uidNumber", "employeeNumber"].map(|name| directory.next_number(directory.schema().attribute_type(name).unwrap()));
    seen.push(format!("{:?} {} {numbers:?}", directory.reserved().collect::<Vec<_>>(), directory.reserved_count()));
    let mut rows: Vec<Row> = directory.rows().collect();
    rows.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
    (seen, rows)
}

fn digest_of(rows: &[Row]) -> Digest {
    rows.iter().fold(Digest::default(), |sum, row| sum.plus(Digest::of_row(&fixture::KEY, row)))
}

fn loaded(rows: impl Iterator<Item = Row>) -> Directory {
    let mut directory = fixture::empty(&all_indexes());
    rows.for_each(|row| directory.load_row(row).unwrap());
    directory.finish_loading().unwrap();
    directory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn changes_rows_and_digest_tell_the_same(deeds in proptest::collection::vec(any_deed(), 0..80)) {
        let mut directory = fixture::rooted();
        let mut rows = std::collections::BTreeMap::new();
        let first = directory.rows().next().unwrap();
        rows.insert((first.table, first.key.clone()), first.value);
        for deed in &deeds {
            let change = change(deed, &directory);
            // Only what was decided so is ever applied.
            if matches!(&change, Change::ReviseSchema(revision) if directory.check_revision(revision).is_err()) {
                continue;
            }
            let before = content(&directory);
            if directory.apply(&change).is_err() {
                prop_assert_eq!(content(&directory), before, "a refused change changes nothing");
                continue;
            }
            let once = (content(&directory), directory.digest(), directory.next_entry_id());
            directory.apply(&change).unwrap();
            prop_assert_eq!((content(&directory), directory.digest(), directory.next_entry_id()), once, "twice is once");
            for row in change.rows(&fixture::KEY) {
                match row.value {
                    Some(value) => rows.insert((row.table, row.key), value),
                    None => rows.remove(&(row.table, row.key)),
                };
            }
        }
        let (seen, own_rows) = content(&directory);
        let written: Vec<Row> = rows.into_iter().map(|((table, key), value)| Row { table, key, value }).collect();
        prop_assert_eq!(&written, &own_rows, "what changes write is what the directory holds");
        prop_assert_eq!(directory.digest(), digest_of(&own_rows));
        let again = loaded(own_rows.into_iter().rev());
        prop_assert_eq!(again.digest(), directory.digest());
        prop_assert_eq!(content(&again), (seen, written));
        prop_assert_eq!(again.next_entry_id(), directory.next_entry_id());
        prop_assert_eq!(again.context(), directory.context());
        prop_assert_eq!(again.entry_count(), directory.entry_count());
        prop_assert_eq!(usage(&again), usage(&directory), "kept up and counted anew");
        prop_assert_eq!(published(&again), published(&directory));
        prop_assert_eq!(index_content(&again), index_content(&directory), "kept up and built anew, indexes are the same");
        for directory in [&directory, &again] {
            for node in directory.nodes() {
                let found = directory.referrers(node.id, usize::MAX).map(|found| found.iter().collect::<Vec<_>>());
                prop_assert_eq!(found, Some(referrers(directory, node.id)), "kept up and built anew");
            }
        }
    }
}

/// Those whose elements are this entry or lie below it, found by looking at all.
fn referrers(directory: &Directory, id: EntryId) -> Vec<EntryId> {
    let names = |holder: EntryId| {
        directory
            .membership_attributes(holder)
            .into_iter()
            .flat_map(move |attribute| directory.memberships(holder, attribute))
            .any(|membership| matches!(membership, Membership::Entry(_, member) if directory.is_within(member, id)))
    };
    directory.nodes().map(|node| node.id).filter(|holder| names(*holder)).collect()
}

/// How many entries have each attribute and list each class, as far as there are any.
fn usage(directory: &Directory) -> std::collections::BTreeMap<String, u64> {
    let schema = directory.schema();
    let types = schema.attribute_types().iter().map(|it| (it.oid.clone(), directory.entries_with(it.id)));
    let classes = schema.object_classes().iter().enumerate();
    let classes = classes.map(|(index, class)| (class.oid.clone(), directory.usage.entries_of(index)));
    types.chain(classes).filter(|(_, count)| *count > 0).collect()
}

fn published(directory: &Directory) -> std::collections::BTreeSet<String> {
    directory.schema().published_attribute_types().into_iter().collect()
}

fn index_content(directory: &Directory) -> String {
    format!("{:?}", directory.indexes)
}
