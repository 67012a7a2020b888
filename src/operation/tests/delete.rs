//! Deleting, alone and in trees.

use super::harness::{As, Server, attribute_list, control, entry_in};
use crate::directory::Change;
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

#[test]
fn memberships_go_first() {
    let mut server = Server::new();
    let group = "cn=ward,ou=roles,dc=mercy,dc=example";
    server.import(&format!(
        "dn: {group}\nobjectClass: groupOfNames\nmember: {ANNA}\nmember: uid=bert,{PEOPLE}\nmember: uid=gone,{PEOPLE}\n"
    ));
    assert_eq!(server.change(&delete(ANNA)), "0");
    assert!(matches!(server.changes[0], Change::RemoveMembership { .. }));
    assert!(matches!(server.changes[1], Change::RemoveEntry { .. }));
    assert_eq!(server.record.as_ref().unwrap().changes[0].attribute, "memberOf");
    assert_eq!(server.read(group, &["member"]), format!("member: uid=bert,{PEOPLE}\nmember: uid=gone,{PEOPLE}\n"));
    assert_eq!(server.change(&delete(group)), "0");
    assert_eq!(server.changes.len(), 3);
    assert_eq!(server.read(&format!("uid=bert,{PEOPLE}"), &["memberOf"]), "");
}

#[test]
fn the_entry_is_read_before_it_goes() {
    let mut server = Server::new();
    server.controls.push(control(oid::PRE_READ, attribute_list(&["cn"])));
    assert_eq!(server.change(&delete(ANNA)), "0");
    assert_eq!(entry_in(&server.response_controls[0]), format!("dn: {ANNA}\ncn: Anna Moreau\n"));
}
