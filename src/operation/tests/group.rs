//! Groups: the membership set through member, uniqueMember, memberUid and memberOf.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::harness::Server;
use crate::directory::{Change, Membership, MembershipAttribute};
use crate::model::Timestamp;
use crate::operation::member_draft::MemberDraft;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const BERT: &str = "uid=bert,ou=people,dc=mercy,dc=example";
const WARD: &str = "cn=ward,ou=roles,dc=mercy,dc=example";

fn with_group() -> Server {
    let mut server = Server::new();
    server.import(&format!("dn: {WARD}\nobjectClass: groupOfNames\nmember: {ANNA}\n"));
    server
}

fn modify(server: &mut Server, changes: &str) -> String {
    server.change(&format!("dn: {WARD}\nchangetype: modify\n{changes}\n"))
}

#[test]
fn member_and_member_of_are_two_readings() {
    let mut server = with_group();
    assert_eq!(modify(&mut server, &format!("add: member\nmember: {BERT}")), "0");
    assert_eq!(server.changes.len(), 3);
    assert_eq!(server.read(WARD, &["member"]), format!("member: {ANNA}\nmember: {BERT}\n"));
    assert_eq!(server.read(BERT, &["memberOf"]), format!("memberOf: {WARD}\n"));
    assert!(!server.read(BERT, &["*"]).contains("memberOf"));
    assert!(server.read(WARD, &[]).contains(&format!("member: {BERT}")));
}

#[test]
fn texts() {
    let mut server = with_group();
    for (changes, answer) in [
        (
            format!("add: member\nmember: {BERT}\nmember: UID=Anna, ou=people,dc=mercy,dc=example"),
            "20 modify/add: member: value #1 already exists",
        ),
        (format!("add: member\nmember: {BERT}\nmember: {BERT}"), "20 member: value #0 provided more than once"),
        (format!("delete: member\nmember: {BERT}"), "16 modify/delete: member: no such value"),
        ("delete: memberUid".to_owned(), "16 modify/delete: memberUid: no such attribute"),
        ("add: member\nmember: nonsense".to_owned(), "21 member: value #0 invalid per syntax"),
        ("delete: member".to_owned(), "65 object class 'groupOfNames' requires attribute 'member'"),
        ("replace: member".to_owned(), "65 object class 'groupOfNames' requires attribute 'member'"),
        ("add: memberUid\nmemberUid: anna".to_owned(), "65 attribute 'memberUid' not allowed"),
    ] {
        assert_eq!(modify(&mut server, &changes), answer, "{changes}");
    }
}

#[test]
fn replacing_computes_the_difference() {
    let mut server = with_group();
    assert_eq!(
        modify(&mut server, &format!("replace: member\nmember: {ANNA}\nmember: {BERT}\nmember: uid=x,dc=mercy,dc=example")),
        "0"
    );
    let put = server.changes.iter().filter(|change| matches!(change, Change::PutMembership { .. })).count();
    assert_eq!((put, server.changes.len()), (2, 4));
    assert_eq!(modify(&mut server, &format!("delete: member\n-\nadd: member\nmember: {BERT}\n-")), "0");
    assert_eq!(server.read(WARD, &["member"]), format!("member: {BERT}\n"));
}

#[test]
fn a_name_without_an_entry_becomes_a_member_when_the_entry_comes() {
    let mut server = with_group();
    let carl = "uid=carl,ou=people,dc=mercy,dc=example";
    assert_eq!(modify(&mut server, "add: member\nmember: UID=Carl,ou=people,dc=mercy,dc=example"), "0");
    server.import(&format!("dn: {carl}\nobjectClass: inetOrgPerson\ncn: Carl\nsn: Bo\n"));
    assert_eq!(server.read(carl, &["memberOf"]), format!("memberOf: {WARD}\n"));
    let settled = server.changes.iter().any(|change| {
        matches!(change, Change::PutMembership { membership: Membership::Entry(..), by, .. } if by == "cn=admin,dc=mercy,dc=example")
    });
    assert!(settled, "{:?}", server.changes);
    assert_eq!(server.read(WARD, &["member"]), format!("member: {ANNA}\nmember: {carl}\n"));
}

#[test]
fn a_rename_settles_and_follows() {
    let mut server = with_group();
    assert_eq!(modify(&mut server, "add: member\nmember: uid=bert,ou=staff,dc=mercy,dc=example"), "0");
    let rename = "dn: ou=people,dc=mercy,dc=example\nchangetype: modrdn\nnewrdn: ou=staff\ndeleteoldrdn: 1\n";
    assert_eq!(server.change(rename), "0");
    let bert = "uid=bert,ou=staff,dc=mercy,dc=example";
    assert_eq!(server.read(bert, &["memberOf"]), format!("memberOf: {WARD}\n"));
    assert_eq!(server.read(WARD, &["member"]), format!("member: uid=anna,ou=staff,dc=mercy,dc=example\nmember: {bert}\n"));
}

#[test]
fn a_group_may_hold_itself() {
    let mut server = Server::new();
    let add = format!("dn: {WARD}\nchangetype: add\nobjectClass: groupOfNames\nmember: {WARD}\n");
    assert_eq!(server.change(&add), "0");
    assert_eq!(server.read(WARD, &["memberOf"]), format!("memberOf: {WARD}\n"));
}

#[test]
fn values_are_read_in_ranges() {
    let mut server = with_group();
    let carl = "uid=carl,dc=elsewhere";
    assert_eq!(modify(&mut server, &format!("add: member\nmember: {carl}\nmember: {BERT}")), "0");
    for (asked, answer) in [
        ("member;range=0-0", format!("member;range=0-0: {ANNA}\n")),
        ("MEMBER;Range=1-1", format!("member;range=1-1: {BERT}\n")),
        ("member;range=2-2", format!("member;range=2-*: {carl}\n")),
        ("member;range=1-*", format!("member;range=1-*: {BERT}\nmember;range=1-*: {carl}\n")),
        ("member;range=0-2", format!("member;range=0-*: {ANNA}\nmember;range=0-*: {BERT}\nmember;range=0-*: {carl}\n")),
        ("member;range=7-18446744073709551615", "member;range=7-*:\n".to_owned()),
        ("uniqueMember;range=0-1", String::new()),
        ("member;range=1-0", String::new()),
        ("member;range=-1-2", String::new()),
        ("member;range=0-18446744073709551616", String::new()),
        ("member;range=0", String::new()),
        ("member;lang-en;range=0-1", String::new()),
        ("cn;range=0-1", String::new()),
    ] {
        assert_eq!(server.read(WARD, &[asked]), answer, "{asked}");
    }
    assert_eq!(server.read(WARD, &["member;range=0-0", "member;range=1-*"]), format!("member;range=0-0: {ANNA}\n"));
    assert_eq!(server.read(ANNA, &["memberOf;range=0-9"]), format!("memberOf;range=0-*: {WARD}\n"));
}

#[test]
fn groups_at_any_depth_are_an_option_of_member_of() {
    let mut server = with_group();
    let house = "cn=house,ou=roles,dc=mercy,dc=example";
    server.import(&format!("dn: {house}\nobjectClass: groupOfUniqueNames\nuniqueMember: {WARD}\n"));
    assert_eq!(server.read(ANNA, &["memberOf"]), format!("memberOf: {WARD}\n"));
    let both = format!("memberOf;x-nested: {house}\nmemberOf;x-nested: {WARD}\n");
    assert_eq!(server.read(ANNA, &["memberof;X-Nested"]), both);
    assert_eq!(server.read(BERT, &["memberOf;x-nested"]), "");
    for (dn, attribute, group, answer) in [
        (ANNA, "memberOf;x-nested", house, "6"),
        (ANNA, "memberOf", house, "5"),
        (WARD, "memberOf;x-nested", WARD, "5"),
        (BERT, "memberOf;x-nested", WARD, "16"),
    ] {
        assert_eq!(server.compare(dn, attribute, group.as_bytes()), answer, "{dn} {attribute} {group}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize, bool),
    Replace(Vec<usize>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..12_usize, any::<bool>()).prop_map(|(person, present)| Step::Set(person, present)),
        1 => proptest::collection::vec(0..12_usize, 0..6).prop_map(Step::Replace),
    ];
    proptest::collection::vec(step, 0..40)
}

#[test]
fn a_draft_is_a_set_and_its_changes_are_the_difference() {
    let mut server = Server::new();
    let person = |n: usize| format!("uid=p{n},ou=people,dc=mercy,dc=example");
    for n in 0..12 {
        server.import(&format!("dn: {}\nobjectClass: inetOrgPerson\ncn: p\nsn: p\n", person(n)));
    }
    let members: String = (0..6).map(|n| format!("member: {}\n", person(n))).collect();
    server.import(&format!("dn: {WARD}\nobjectClass: groupOfNames\n{members}"));
    let group = server.find(WARD).unwrap();
    let elements: Vec<Membership> =
        (0..12).map(|n| Membership::Entry(MembershipAttribute::Member, server.find(&person(n)).unwrap())).collect();
    let before: BTreeSet<usize> = (0..6).collect();
    proptest!(|(steps in steps())| {
        let mut draft = MemberDraft::new(&server.directory, Some(group));
        let mut model = before.clone();
        for step in steps {
            match step {
                Step::Set(n, present) => {
                    let changes = if present { model.insert(n) } else { model.remove(&n) };
                    prop_assert_eq!(draft.set(elements[n].clone(), present), changes);
                }
                Step::Replace(people) => {
                    model = people.iter().copied().collect();
                    draft.replace(MembershipAttribute::Member, people.iter().map(|&n| (elements[n].clone(), None)).collect());
                }
            }
            prop_assert_eq!(draft.count(MembershipAttribute::Member), model.len());
        }
        let changes = draft.changes(group, Timestamp(1), "");
        prop_assert_eq!(changes.len(), before.symmetric_difference(&model).count());
        let mut after = (*server.directory).clone();
        changes.iter().for_each(|change| after.apply(change).unwrap());
        for (n, element) in elements.iter().enumerate() {
            prop_assert_eq!(after.has_membership(group, element), model.contains(&n));
        }
    });
}
