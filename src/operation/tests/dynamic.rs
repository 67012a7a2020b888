//! Dynamic entries (RFC 2589).

use std::sync::Arc;

use bytes::Bytes;

use super::harness::{As, Server};
use crate::directory::Change;
use crate::journal::RecordKind;
use crate::model::Timestamp;
use crate::operation::dynamic::{self, LONGEST_TTL, RefreshRequest};
use crate::operation::{Authority, ProposedOperation};

const VISIT: &str = "cn=visit,dc=mercy,dc=example";
const GROUP: &str = "cn=ward,ou=roles,dc=mercy,dc=example";

fn server() -> Server {
    let mut server = Server::new();
    let add = format!("dn: {VISIT}\nchangetype: add\nobjectClass: organizationalRole\nobjectClass: DYNAMICOBJECT\n");
    assert_eq!(server.change(&add), "0");
    server.import(&format!("dn: {GROUP}\nobjectClass: groupOfNames\nmember: {VISIT}\nmember: cn=admin,dc=mercy,dc=example\n"));
    server
}

fn refresh(server: &mut Server, name: &str, ttl: i64) -> String {
    let request = RefreshRequest { name: Bytes::copy_from_slice(name.as_bytes()), ttl, controls: Vec::new() };
    server.propose(ProposedOperation::Refresh(request), Authority::Session)
}

#[test]
fn a_view_has_what_lives_at_its_moment() {
    let server = server();
    let id = server.find(VISIT).unwrap();
    let expires = server.directory.expires(server.directory.node(id).unwrap()).unwrap();
    let before = server.directory.at(Timestamp(expires.0 - 1));
    assert!(before.node(id).is_some());
    let after = server.directory.at(expires);
    assert!(after.node(id).is_none() && server.directory.node(id).is_some());
    assert_eq!((after.recent().end(), after.context()), (server.directory.recent().end(), server.directory.context()));
    let group = server.find(GROUP).unwrap();
    assert!(server.directory.is_member(group, id) && !after.is_member(group, id));
    let plain = Server::new();
    assert!(Arc::ptr_eq(&plain.directory.at(expires), &plain.directory), "nothing is copied where nothing expires");
}

#[test]
fn expiry_is_a_change_with_a_record_and_its_effects() {
    let mut server = server();
    let mut context = server.context(Authority::Session);
    assert!(dynamic::expire(&server.directory, &context).is_none());
    context.now = Timestamp(context.now.0 + 86_401_000_000);
    let decision = dynamic::expire(&server.directory, &context).unwrap();
    assert_eq!((decision.record.kind, decision.preceding.len()), (RecordKind::Expire, 0));
    assert_eq!(decision.record.target.as_ref().unwrap().dn, VISIT);
    assert_eq!(decision.record.effects[0].entry.dn, GROUP);
    let mut after = (*server.directory).clone();
    decision.changes.iter().for_each(|change| after.apply(change).unwrap());
    assert!(decision.changes.iter().any(|change| matches!(change, Change::RemoveEntry { .. })));
    assert!(after.expired(context.now).is_empty());
    assert!(dynamic::expire(&after, &context).is_none());
}

#[test]
fn the_time_survives_in_rows() {
    let mut server = server();
    assert_eq!(refresh(&mut server, VISIT, LONGEST_TTL), "0");
    let schema = Arc::clone(server.directory.schema());
    let mut loaded = crate::directory::Directory::new(schema, server.directory.suffix().clone(), &[], [7; 32]);
    server.directory.rows().for_each(|row| loaded.load_row(row).unwrap());
    loaded.finish_loading().unwrap();
    let late = Timestamp(server.now.0 + LONGEST_TTL * 1_000_000);
    assert!(loaded.expired(Timestamp(late.0 - 1)).is_empty());
    assert_eq!(loaded.expired(late), [server.find(VISIT).unwrap()]);
}

#[test]
fn who_refreshes_what() {
    let mut server = server();
    assert_eq!(refresh(&mut server, VISIT, 60), "0");
    assert_eq!(server.record.as_ref().unwrap().kind, RecordKind::Refresh);
    assert_eq!(refresh(&mut server, "ou=people,dc=mercy,dc=example", 60), "65 refresh operation only applies to dynamic objects");
    assert_eq!(refresh(&mut server, "nonsense", 60), "34 invalid DN");
    server.who = As::Anna;
    assert_eq!(refresh(&mut server, VISIT, 60), "32 [dc=mercy,dc=example]");
    server.who = As::Anonymous;
    assert_eq!(refresh(&mut server, VISIT, 60), "8 modifications require authentication");
}
