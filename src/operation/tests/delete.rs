//! Deleting, alone and in trees.

use super::harness::{As, Server, attribute_list, control, entry_in};
use crate::directory::Change;
use crate::journal::{Record, RecordedValue};
use crate::operation::delete::MAXIMUM_EFFECTS;
use crate::protocol::oid;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const PEOPLE: &str = "ou=people,dc=mercy,dc=example";

fn delete(dn: &str) -> String {
    format!("dn: {dn}\nchangetype: delete\n")
}

#[test]
fn leaves_go_and_others_stay() {
    let mut server = Server::new();
    assert_eq!(server.change(&delete(PEOPLE)), "66 subordinate objects must be deleted first");
    assert_eq!(server.change(&delete(ANNA)), "0");
    assert_eq!(server.change(&delete(ANNA)), "32 [ou=people,dc=mercy,dc=example]");
    assert_eq!(server.change(&delete("dc=other")), "53 no global superior knowledge");
    assert_eq!(server.change(&delete("")), "53 cannot delete the root DSE");
    assert_eq!(server.change(&delete("nonsense")), "34 invalid DN");
    server.who = As::Bert;
    assert_eq!(server.change(&delete("uid=bert,ou=people,dc=mercy,dc=example")), "50");
}

#[test]
fn a_tree_goes_at_once() {
    let mut server = Server::new();
    server.controls.push(control(oid::TREE_DELETE, None));
    assert_eq!(server.change(&delete(PEOPLE)), "0");
    assert_eq!(server.find(PEOPLE), None);
    let removed = server.changes.iter().filter(|change| matches!(change, Change::RemoveEntry { .. })).count();
    assert_eq!(removed, 3);
    let record = server.record.unwrap();
    assert_eq!(record.details.len(), 2);
    assert!(record.details.contains(&("deleted", ANNA.to_owned())));
}

/// The groups a record names as having lost members, and whom.
fn lost(record: &Record) -> Vec<(String, Vec<String>)> {
    let values = |values: &RecordedValue| match values {
        RecordedValue::Shown(values) => values.iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect(),
        RecordedValue::Redacted(_) => panic!("members are no secret"),
    };
    record.effects.iter().map(|effect| (effect.entry.dn.clone(), values(&effect.change.values))).collect()
}

#[test]
fn a_tree_names_the_memberships_of_all_that_go() {
    let mut server = Server::new();
    let bert = format!("uid=bert,{PEOPLE}");
    let (outside, inside) = ("cn=ward,ou=roles,dc=mercy,dc=example", format!("cn=ward,{PEOPLE}"));
    for group in [outside, &inside] {
        server.import(&format!("dn: {group}\nobjectClass: groupOfNames\nmember: {ANNA}\nmember: {bert}\n"));
    }
    server.controls.push(control(oid::TREE_DELETE, None));
    assert_eq!(server.change(&delete(PEOPLE)), "0");
    let mut effects = lost(server.record.as_ref().unwrap());
    effects.iter_mut().for_each(|(_, members)| members.sort());
    effects.sort();
    let both = vec![ANNA.to_owned(), bert];
    assert_eq!(effects, [(inside, both.clone()), (outside.to_owned(), both)], "each once, whichever side went first");
}

#[test]
fn a_record_names_no_more_memberships_than_the_bound() {
    let mut server = Server::new();
    let group = "cn=ward,ou=roles,dc=mercy,dc=example";
    let members: String = (0..MAXIMUM_EFFECTS + 7).map(|number| format!("member: uid=p{number},{PEOPLE}\n")).collect();
    server.import(&format!("dn: {group}\nobjectClass: groupOfNames\n{members}"));
    assert_eq!(server.change(&delete(group)), "0");
    let record = server.record.unwrap();
    assert_eq!(lost(&record)[0].1.len(), MAXIMUM_EFFECTS);
    assert!(record.details.contains(&("effectsNotNamed", "7".to_owned())));
}

#[test]
fn memberships_go_first() {
    let mut server = Server::new();
    let group = "cn=ward,ou=roles,dc=mercy,dc=example";
    server.import(&format!(
        "dn: {group}\nobjectClass: groupOfNames\nmember: {ANNA}\nmember: uid=bert,{PEOPLE}\nmember: uid=gone,{PEOPLE}\n"
    ));
    assert_eq!(server.change(&delete(ANNA)), "0");
    assert!(matches!(server.changes[0], Change::PutContext(_)));
    assert!(matches!(server.changes[1], Change::RemoveMembership { .. }));
    assert!(matches!(server.changes[2], Change::RemoveEntry { .. }));
    let record = server.record.as_ref().unwrap();
    assert_eq!(lost(record), [(group.to_owned(), vec![ANNA.to_owned()])]);
    assert_eq!(server.read(group, &["member"]), format!("member: uid=bert,{PEOPLE}\nmember: uid=gone,{PEOPLE}\n"));
    assert_eq!(server.change(&delete(group)), "0");
    assert_eq!(server.changes.len(), 4);
    let members = vec![format!("uid=bert,{PEOPLE}"), format!("uid=gone,{PEOPLE}")];
    assert_eq!(lost(server.record.as_ref().unwrap()), [(group.to_owned(), members)], "who was in it can be read in the journal");
    assert_eq!(server.read(&format!("uid=bert,{PEOPLE}"), &["memberOf"]), "");
}

#[test]
fn the_entry_is_read_before_it_goes() {
    let mut server = Server::new();
    server.controls.push(control(oid::PRE_READ, attribute_list(&["cn"])));
    assert_eq!(server.change(&delete(ANNA)), "0");
    assert_eq!(entry_in(&server.response_controls[0]), format!("dn: {ANNA}\ncn: Anna Moreau\n"));
}
