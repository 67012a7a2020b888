//! userPassword in adds, modifies, searches and compares.

use super::harness::{As, Server};
use crate::operation::prepare;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
/// Of the word `secret`.
const STORED: &str = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

fn is(server: &mut Server, password: &str) -> bool {
    let (who, confidential) = (server.who, server.confidential);
    (server.who, server.confidential) = (As::Admin, true);
    let answer = server.compare(ANNA, "userPassword", password.as_bytes());
    (server.who, server.confidential) = (who, confidential);
    answer == "6"
}

#[test]
fn clear_text_is_never_stored() {
    let server = Server::new();
    let id = server.find(ANNA).unwrap();
    let stored = prepare::stored_passwords(&server.directory, id);
    assert_eq!(stored.len(), 1);
    assert!(stored[0].expose().starts_with(b"{ARGON2}$argon2id$"));
}

#[test]
fn a_person_changes_the_own_password() {
    let mut server = Server::new().as_(As::Anna);
    assert_eq!(server.modify("replace: userPassword\nuserPassword: another one"), "0");
    assert!(is(&mut server, "another one") && !is(&mut server, "anna knows it"));
    let both = "delete: userPassword\nuserPassword: another one\n-\nadd: userPassword\nuserPassword: a third\n-";
    assert_eq!(server.modify(both), "0");
    assert!(is(&mut server, "a third") && !is(&mut server, "another one"));
    assert_eq!(server.modify(both), "16 modify/delete: userPassword: no such value");
    assert_eq!(server.record.as_ref().unwrap().reason, Some("wrong password"));
    server.who = As::Bert;
    assert_eq!(server.modify("replace: userPassword\nuserPassword: mine now"), "50");
}

#[test]
fn stored_forms_come_from_administrators_only() {
    let mut server = Server::new().as_(As::Anna);
    let stored = format!("replace: userPassword\nuserPassword: {STORED}");
    assert_eq!(server.modify(&stored), "19 Password fails quality checking policy");
    assert_eq!(server.modify("replace: userPassword\nuserPassword:"), "19 Password fails quality checking policy");
    server.who = As::Admin;
    assert_eq!(server.modify(&stored), "0");
    assert!(is(&mut server, "secret"));
    server.who = As::Anna;
    let with_hash = format!("delete: userPassword\nuserPassword: {STORED}\n-\nadd: userPassword\nuserPassword: stolen\n-");
    assert_eq!(server.modify(&with_hash), "16 modify/delete: userPassword: no such value");
    server.who = As::Admin;
    assert_eq!(server.modify(&format!("delete: userPassword\nuserPassword: {STORED}")), "0");
    assert_eq!(server.compare(ANNA, "userPassword", b"secret"), "16");
}

#[test]
fn passwords_do_not_come_in_clear_nor_in_heaps() {
    let mut server = Server::new().as_(As::Anna);
    let many: String = (0..9).map(|n| format!("userPassword: number {n}\n")).collect();
    assert_eq!(server.modify(&format!("replace: userPassword\n{many}")), "11 too many passwords in one request");
    server.confidential = false;
    assert_eq!(server.modify("replace: userPassword\nuserPassword: another one"), "13 confidentiality required");
    assert!(is(&mut server, "anna knows it"));
}

#[test]
fn passwords_are_never_read_or_searched() {
    let mut server = Server::new();
    assert_eq!(server.read(ANNA, &["userPassword", "2.5.4.35"]), "");
    assert!(!server.read(ANNA, &["*", "+", "@simpleSecurityObject"]).contains("assword"));
    for filter in ["(userPassword=*)", "(!(userPassword=*))", "(userPassword=anna knows it)"] {
        let (entries, answer) = server.search("dc=mercy,dc=example", crate::model::Scope::Subtree, filter, &["1.1"]);
        assert_eq!((entries.as_str(), answer.as_str()), ("", "0"), "{filter}");
    }
}
