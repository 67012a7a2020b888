//! Groups' sets, read from both sides.

use bytes::Bytes;

use super::fixture::{all_indexes, dn, empty, group, join, member, person, rooted};
use crate::directory::{Change, Directory, Membership, MembershipAttribute};
use crate::model::{EntryId, Timestamp};

const ROOT: EntryId = EntryId(1);

fn resolve(directory: &Directory, attribute: MembershipAttribute, value: &str) -> Membership {
    directory.resolve_member(attribute, value.as_bytes()).unwrap()
}

fn texts(values: Vec<Bytes>) -> Vec<String> {
    values.into_iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

#[test]
fn member_and_member_of_are_two_readings_of_one_set() {
    let mut directory = rooted();
    let (jane, nurses) = (person(&mut directory, ROOT, "jane"), group(&mut directory, ROOT, "nurses"));
    directory.apply(&join(nurses, resolve(&directory, MembershipAttribute::Member, "UID=Jane,dc=EXAMPLE,dc=org"))).unwrap();
    assert!(directory.is_member(nurses, jane) && !directory.is_member(jane, nurses));
    assert_eq!(directory.groups_of(jane).collect::<Vec<_>>(), [nurses]);
    assert_eq!(texts(directory.member_values(nurses, MembershipAttribute::Member)), ["uid=jane,dc=example,dc=org"]);
    assert_eq!(directory.membership_grant(nurses, &member(jane)).unwrap().by.as_ref(), "cn=admin,dc=example,dc=org");
    directory.apply(&Change::RemoveMembership { group: nurses, membership: member(jane) }).unwrap();
    assert!(!directory.is_member(nurses, jane));
    assert_eq!(directory.groups_of(jane).count() + directory.member_count(nurses, MembershipAttribute::Member), 0);
}

#[test]
fn a_group_through_member_and_unique_member_is_one_group() {
    let mut directory = rooted();
    let (jane, nurses) = (person(&mut directory, ROOT, "jane"), group(&mut directory, ROOT, "nurses"));
    for attribute in [MembershipAttribute::Member, MembershipAttribute::UniqueMember] {
        directory.apply(&join(nurses, Membership::Entry(attribute, jane))).unwrap();
    }
    assert_eq!(directory.groups_of(jane).collect::<Vec<_>>(), [nurses]);
    directory.apply(&Change::RemoveMembership { group: nurses, membership: member(jane) }).unwrap();
    assert!(directory.is_member(nurses, jane), "still by uniqueMember");
}

#[test]
fn values_that_are_no_entry_are_compared_by_their_rule() {
    let mut directory = rooted();
    let nurses = group(&mut directory, ROOT, "nurses");
    let given = [
        (MembershipAttribute::Member, "cn=Gone,dc=example,dc=org", "CN=gone, DC=example,dc=org"),
        (MembershipAttribute::UniqueMember, "dc=example,dc=org#'0101'B", "DC=Example,dc=org#'0101'B"),
        (MembershipAttribute::MemberUid, "jane", "jane"),
    ];
    for (attribute, value, other_spelling) in given {
        let membership = resolve(&directory, attribute, value);
        assert!(matches!(membership, Membership::Outside { .. }), "{value}");
        directory.apply(&join(nurses, membership)).unwrap();
        assert!(directory.has_membership(nurses, &resolve(&directory, attribute, other_spelling)), "{other_spelling}");
        assert_eq!(texts(directory.member_values(nurses, attribute)), [value]);
    }
    assert_ne!(
        resolve(&directory, MembershipAttribute::UniqueMember, "dc=example,dc=org#'0101'B"),
        resolve(&directory, MembershipAttribute::UniqueMember, "dc=example,dc=org#'01'B")
    );
    assert!(directory.resolve_member(MembershipAttribute::Member, b"no name").is_err());
    assert_eq!(directory.groups_of(ROOT).count(), 0, "a name with a unique identifier is not the entry");
}

#[test]
fn what_waits_for_an_entry_is_found_with_what_lies_below_it() {
    let mut directory = rooted();
    let nurses = group(&mut directory, ROOT, "nurses");
    let values = ["ou=new,dc=example,dc=org", "cn=a,ou=new,dc=example,dc=org", "ou=newer,dc=example,dc=org"];
    for value in values {
        directory.apply(&join(nurses, resolve(&directory, MembershipAttribute::Member, value))).unwrap();
    }
    directory
        .apply(&join(nurses, resolve(&directory, MembershipAttribute::UniqueMember, "ou=new,dc=example,dc=org#'1'B")))
        .unwrap();
    let waiting = directory.waiting_memberships(&dn("OU=New,dc=example,dc=org"));
    let mut found = texts(waiting.iter().map(|waiting| directory.member_value(&waiting.membership)).collect());
    found.sort();
    assert_eq!(found, ["cn=a,ou=new,dc=example,dc=org", "ou=new,dc=example,dc=org"]);
    assert!(waiting.iter().all(|waiting| waiting.group == nurses && waiting.by == "cn=admin,dc=example,dc=org"));
}

#[test]
fn an_entry_with_memberships_cannot_go() {
    let mut directory = rooted();
    let (jane, nurses) = (person(&mut directory, ROOT, "jane"), group(&mut directory, ROOT, "nurses"));
    directory.apply(&join(nurses, member(jane))).unwrap();
    let next_id = directory.next_entry_id();
    assert!(directory.apply(&Change::RemoveEntry { id: jane, next_id }).is_err());
    assert!(directory.apply(&Change::RemoveEntry { id: nurses, next_id }).is_err());
    directory.apply(&Change::RemoveMembership { group: nurses, membership: member(jane) }).unwrap();
    directory.apply(&Change::RemoveEntry { id: jane, next_id }).unwrap();
    directory.apply(&Change::RemoveEntry { id: nurses, next_id }).unwrap();
    assert_eq!(directory.entry_count(), 1);
}

#[test]
fn a_membership_of_what_is_not_there_is_refused() {
    let mut directory = rooted();
    assert!(directory.apply(&join(ROOT, member(EntryId(9)))).is_err());
    assert!(directory.apply(&join(EntryId(9), member(ROOT))).is_err());
    assert!(directory.apply(&join(ROOT, Membership::Entry(MembershipAttribute::MemberUid, ROOT))).is_err());
}

#[test]
fn a_membership_ends_where_it_says_and_goes_with_its_element() {
    let mut directory = rooted();
    let (jane, nurses) = (person(&mut directory, ROOT, "jane"), group(&mut directory, ROOT, "nurses"));
    let gone = resolve(&directory, MembershipAttribute::Member, "cn=Gone,dc=example,dc=org");
    let before = directory.digest();
    let put = |membership: &Membership, until: Option<i64>| Change::PutMembership {
        group: nurses,
        membership: membership.clone(),
        since: Timestamp(1),
        by: String::new(),
        until: until.map(Timestamp),
    };
    directory.apply(&put(&member(jane), Some(10))).unwrap();
    directory.apply(&put(&gone, Some(5))).unwrap();
    let over = |directory: &Directory, now| {
        let ended = directory.ended(Timestamp(now), 10);
        assert_eq!(directory.has_turned(Timestamp(now)), !ended.is_empty());
        ended.into_iter().map(|(group, membership, until)| (group, membership, until.0)).collect::<Vec<_>>()
    };
    assert_eq!(over(&directory, 4), []);
    assert_eq!(over(&directory, 9), [(nurses, gone.clone(), 5)]);
    assert_eq!(over(&directory, 10), [(nurses, gone.clone(), 5), (nurses, member(jane), 10)]);
    assert_eq!(directory.membership_grant(nurses, &member(jane)).unwrap().until, Some(Timestamp(10)));
    // Rows lead back to the same.
    let rows: Vec<_> = directory.rows().collect();
    let mut loaded = empty(&all_indexes());
    rows.into_iter().for_each(|row| loaded.load_row(row).unwrap());
    loaded.finish_loading().unwrap();
    assert_eq!((over(&loaded, 10), loaded.digest()), (over(&directory, 10), directory.digest()));
    // Another end takes the place of the one before; none leaves the membership.
    directory.apply(&put(&member(jane), Some(20))).unwrap();
    assert_eq!(over(&directory, 19).len(), 1);
    directory.apply(&put(&member(jane), None)).unwrap();
    assert_eq!(over(&directory, i64::MAX), [(nurses, gone.clone(), 5)]);
    directory.apply(&put(&member(jane), Some(20))).unwrap();
    for membership in [gone, member(jane)] {
        directory.apply(&Change::RemoveMembership { group: nurses, membership }).unwrap();
    }
    assert_eq!((over(&directory, i64::MAX), directory.digest()), (Vec::new(), before));
    // Who is put in again has no end from before.
    directory.apply(&put(&member(jane), None)).unwrap();
    assert_eq!(directory.ends_of(nurses).count(), 0);
}
