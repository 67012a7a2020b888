//! Names, places, numbers.

use super::fixture::{self, SUFFIX, dn, entry, found, person, put, rooted};
use crate::directory::{Change, Lookup};
use crate::model::EntryId;

const ROOT: EntryId = EntryId(1);

#[test]
fn names_are_found_however_they_are_spelled() {
    let mut directory = rooted();
    let people = put(&mut directory, Some(ROOT), "ou=People", &[("objectClass", "organizationalUnit"), ("ou", "People")]);
    let jane =
        put(&mut directory, Some(people), "cn=Doe\\2C Jane+uid=jd", &[("objectClass", "inetOrgPerson"), ("cn", "Doe, Jane")]);
    assert_eq!(found(&directory, "UID=JD+CN=doe\\,  jane, OU=people,DC=Example;dc=ORG"), jane);
    assert_eq!(directory.dn_text(jane), "cn=Doe\\2C Jane+uid=jd,ou=People,dc=example,dc=org");
    assert_eq!(directory.dn(jane).to_string(), directory.dn_text(jane));
    assert_eq!(directory.find(&dn("cn=x,ou=a,ou=people,dc=example,dc=org")), Lookup::Missing { matched: people });
    assert_eq!(directory.find(&dn("cn=x,dc=example,dc=org")), Lookup::Missing { matched: ROOT });
    assert_eq!(directory.find(&dn("dc=org")), Lookup::Outside);
    assert_eq!(directory.find(&dn("dc=example,dc=com")), Lookup::Outside);
    assert_eq!(directory.find(&dn("")), Lookup::Outside);
    assert_eq!(fixture::empty(&[]).find(&dn(SUFFIX)), Lookup::Outside);
}

#[test]
fn an_empty_suffix_holds_every_name() {
    let mut directory = crate::directory::Directory::new(fixture::schema(), dn(""), &[], fixture::KEY);
    directory.apply(&entry(1, None, "", &[("objectClass", "extensibleObject")])).unwrap();
    let org = put(&mut directory, Some(ROOT), "dc=org", &[("objectClass", "domain"), ("dc", "org")]);
    assert_eq!(found(&directory, "dc=ORG"), org);
    assert_eq!(found(&directory, ""), ROOT);
    assert_eq!(directory.dn_text(org), "dc=org");
}

#[test]
fn a_move_takes_everything_below_along() {
    let mut directory = rooted();
    let old = put(&mut directory, Some(ROOT), "ou=Old", &[("objectClass", "organizationalUnit"), ("ou", "Old")]);
    let ward = put(&mut directory, Some(old), "ou=Ward", &[("objectClass", "organizationalUnit"), ("ou", "Ward")]);
    let jane = person(&mut directory, ward, "jane");
    let new = put(&mut directory, Some(ROOT), "ou=New", &[("objectClass", "organizationalUnit"), ("ou", "New")]);
    let before = directory.clone();
    directory.apply(&entry(ward.0, Some(new), "ou=Ward 7", &[("objectClass", "organizationalUnit"), ("ou", "Ward 7")])).unwrap();
    assert_eq!(found(&directory, "uid=jane,ou=ward 7,ou=new,dc=example,dc=org"), jane);
    assert_eq!(directory.find(&dn("uid=jane,ou=ward,ou=old,dc=example,dc=org")), Lookup::Missing { matched: old });
    assert!(directory.is_within(jane, new) && !directory.is_within(jane, old) && directory.is_within(jane, jane));
    assert_eq!((directory.child_count(old), directory.child_count(new)), (0, 1));
    assert_eq!(found(&before, "uid=jane,ou=ward,ou=old,dc=example,dc=org"), jane, "an older value stays as it was");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut directory = rooted();
    let unit = put(&mut directory, Some(ROOT), "ou=A", &[("objectClass", "organizationalUnit"), ("ou", "A")]);
    let jane = person(&mut directory, unit, "jane");
    let attributes = [("objectClass", "organizationalUnit"), ("ou", "A")];
    let digest = directory.digest();
    let refused = [
        entry(9, Some(ROOT), "ou=a", &attributes),
        entry(9, Some(EntryId(77)), "ou=B", &attributes),
        entry(9, None, SUFFIX, &attributes),
        entry(1, None, "dc=example,dc=com", &attributes),
        entry(9, Some(ROOT), "no name", &attributes),
        entry(9, Some(ROOT), "ou=B,ou=C", &attributes),
        entry(unit.0, Some(jane), "ou=A", &attributes),
        entry(unit.0, Some(unit), "ou=A", &attributes),
        Change::RemoveEntry { id: unit, next_id: directory.next_entry_id() },
        Change::PutEntry { id: jane, parent: Some(unit), name: "uid=jane".into(), block: bytes::Bytes::from_static(b"\x30\x01") },
        Change::PutAccountState { id: EntryId(77), state: Default::default() },
    ];
    for change in refused {
        assert!(directory.apply(&change).is_err(), "{change:?}");
        assert_eq!(directory.digest(), digest);
        assert_eq!((directory.entry_count(), directory.child_count(ROOT), directory.child_count(unit)), (3, 1, 1));
    }
}

#[test]
fn a_number_is_never_given_twice_not_even_after_a_restart() {
    let mut directory = rooted();
    let last = person(&mut directory, ROOT, "jane");
    directory.apply(&Change::RemoveEntry { id: last, next_id: directory.next_entry_id() }).unwrap();
    assert_eq!(directory.next_entry_id(), EntryId(last.0 + 1));
    let mut again = fixture::empty(&[]);
    directory.rows().for_each(|row| again.load_row(row).unwrap());
    again.finish_loading().unwrap();
    assert_eq!(again.next_entry_id(), directory.next_entry_id());
    assert_eq!(again.find(&dn("uid=jane,dc=example,dc=org")), Lookup::Missing { matched: ROOT });
}

#[test]
fn rows_that_do_not_hang_together_are_refused() {
    let directory = rooted();
    let unit =
        |id, parent, name: &str| entry(id, Some(EntryId(parent)), name, &[("objectClass", "organizationalUnit"), ("ou", "A")]);
    let state = Change::PutAccountState {
        id: EntryId(9),
        state: crate::directory::AccountState {
            last_login: Some(Default::default()),
            last_login_source: None,
            ..Default::default()
        },
    };
    let cases: [(&str, Vec<Change>); 6] = [
        ("no parent", vec![unit(5, 4, "ou=A")]),
        ("a ring", vec![unit(5, 6, "ou=A"), unit(6, 5, "ou=B")]),
        ("the same name", vec![unit(5, 1, "ou=A"), unit(6, 1, "ou=a")]),
        ("a second root", vec![entry(5, None, SUFFIX, &[("objectClass", "domain"), ("dc", "example")])]),
        ("login times of nobody", vec![state]),
        ("a member that is not there", vec![fixture::join(ROOT, fixture::member(EntryId(5)))]),
    ];
    for (name, changes) in cases {
        let mut loaded = fixture::empty(&[]);
        let more = changes.iter().flat_map(|change| change.rows(&fixture::KEY));
        let more = more.map(|row| crate::directory::Row { table: row.table, key: row.key, value: row.value.unwrap() });
        directory.rows().chain(more).for_each(|row| loaded.load_row(row).unwrap());
        assert!(loaded.finish_loading().is_err(), "{name}");
    }
}
