//! userPassword in adds, modifies, searches and compares.

use super::harness::{As, Server};
use crate::operation::prepare;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
/// Of the word `secret`.
const STORED: &str = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
/// Takes passwords that cannot be looked at.
const LENIENT: &str = "\
dn: cn=lenient,dc=mercy,dc=example
changetype: add
objectClass: device
objectClass: pwdPolicy
cn: lenient
pwdAttribute: userPassword
pwdCheckQuality: 1
";

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
    assert_eq!(server.modify("replace: userPassword\nuserPassword: another one of mine"), "0");
    assert!(is(&mut server, "another one of mine") && !is(&mut server, "anna knows it"));
    let both =
        "delete: userPassword\nuserPassword: another one of mine\n-\nadd: userPassword\nuserPassword: a third one of mine\n-";
    assert_eq!(server.modify(both), "0");
    assert!(is(&mut server, "a third one of mine") && !is(&mut server, "another one of mine"));
    assert_eq!(server.modify(both), "53 Must supply correct old password to change to new one");
    assert_eq!(server.record.as_ref().unwrap().reason, Some("wrong old password"));
    let only_deleted = "delete: userPassword\nuserPassword: another one of mine\n-";
    assert_eq!(server.modify(only_deleted), "53 Must supply correct old password to change to new one");
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
    assert_eq!(server.modify(&stored), "19 Password fails quality checking policy");
    server.import(LENIENT);
    assert_eq!(server.modify("add: pwdPolicySubentry\npwdPolicySubentry: cn=lenient,dc=mercy,dc=example"), "0");
    assert_eq!(server.modify(&stored), "0");
    assert!(is(&mut server, "secret"));
    server.who = As::Anna;
    let with_hash = format!("delete: userPassword\nuserPassword: {STORED}\n-\nadd: userPassword\nuserPassword: stolen\n-");
    assert_eq!(server.modify(&with_hash), "53 Must supply correct old password to change to new one");
    server.who = As::Admin;
    assert_eq!(server.modify(&format!("delete: userPassword\nuserPassword: {STORED}")), "0");
    assert_eq!(server.compare(ANNA, "userPassword", b"secret"), "16");
}

#[test]
fn passwords_do_not_come_in_clear_nor_in_heaps() {
    let mut server = Server::new().as_(As::Anna);
    let many: String = (0..9).map(|n| format!("userPassword: number {n}\n")).collect();
    assert_eq!(server.modify(&format!("replace: userPassword\n{many}")), "19 Password policy only allows one password value");
    server.who = As::Admin;
    assert_eq!(server.modify(&format!("replace: userPassword\n{many}")), "11 too many passwords in one request");
    server.who = As::Anna;
    server.confidential = false;
    assert_eq!(server.modify("replace: userPassword\nuserPassword: another one of mine"), "13 confidentiality required");
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

/// Whether Anna's new password is one she had, with what happens between the look at it and the decision.
fn changed_after(before_decision: impl FnOnce(&mut Server)) -> (String, Option<&'static str>) {
    let mut server = Server::new();
    server.import(&LENIENT.replace("pwdCheckQuality: 1", "pwdCheckQuality: 0\npwdInHistory: 2"));
    assert_eq!(server.modify("add: pwdPolicySubentry\npwdPolicySubentry: cn=lenient,dc=mercy,dc=example"), "0");
    server.who = As::Anna;
    let (operation, context) = server.prepared("replace: userPassword\nuserPassword: the next one");
    before_decision(&mut server);
    let answer = server.decided(operation, context);
    (answer, server.record.unwrap().reason)
}

#[test]
fn old_passwords_are_judged_on_the_newest_value() {
    assert_eq!(changed_after(|_| {}).0, "0");
    let meanwhile = |password: &'static str| {
        changed_after(move |server| assert_eq!(server.modify(&format!("replace: userPassword\nuserPassword: {password}")), "0"))
    };
    // Of what came in between nobody knows whether it is the same.
    assert_eq!(meanwhile("the next one"), ("51".to_owned(), Some("busy")));
    let forbidden = changed_after(|server| {
        server.who = As::Admin;
        let policy =
            "dn: cn=lenient,dc=mercy,dc=example\nchangetype: modify\nadd: pwdAllowUserChange\npwdAllowUserChange: FALSE\n";
        assert_eq!(server.change(policy), "0");
        server.who = As::Anna;
    });
    assert_eq!(forbidden.0, "50 User alteration of password is not allowed");
}

#[test]
fn nobody_reads_old_passwords() {
    let mut server = Server::new();
    server.import(&LENIENT.replace("pwdCheckQuality: 1", "pwdCheckQuality: 0\npwdInHistory: 2"));
    assert_eq!(server.modify("add: pwdPolicySubentry\npwdPolicySubentry: cn=lenient,dc=mercy,dc=example"), "0");
    assert_eq!(server.modify("replace: userPassword\nuserPassword: the next one"), "0");
    let history = server.directory.schema().attribute_type("pwdHistory").unwrap().id;
    let node = server.directory.node(server.find(ANNA).unwrap()).unwrap().clone();
    assert_eq!(node.entry.values(history).count(), 1);
    assert!(!server.read(ANNA, &["*", "+", "pwdHistory"]).contains("pwdHistory"));
    let (found, _) = server.search("dc=mercy,dc=example", crate::model::Scope::Subtree, "(pwdHistory=*)", &["1.1"]);
    assert_eq!(found, "");
    assert_eq!(server.modify("delete: pwdHistory"), "19 pwdHistory: no user modification allowed");
}
