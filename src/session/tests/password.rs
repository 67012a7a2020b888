//! Password Modify (RFC 3062).

use bytes::Bytes;

use super::harness::*;
use crate::journal::{RecordKind, RecordedValue};
use crate::protocol::ber::{self, Reader, Tag};
use crate::protocol::{Reply, Request, oid};

fn change(identity: Option<&str>, old: Option<&str>, new: Option<&str>) -> Request {
    let value = ber::encode(|writer| {
        writer.sequence(|writer| {
            for (number, part) in (0..).zip([identity, old, new]) {
                if let Some(part) = part {
                    writer.element(Tag::context(number), part.as_bytes());
                }
            }
        });
    });
    extended(oid::PASSWORD_MODIFY, Some(&value))
}

/// What a bound identity is told, and why.
fn tried(door: Door, as_whom: Option<&str>, request: Request) -> ((u32, String), Option<&'static str>) {
    let mut server = Server::new(door);
    if let Some(name) = as_whom {
        assert_eq!(told(&server.bind(name, PASSWORD)).0, 0);
    }
    let result = result(&server.ask(request));
    let record = server.records.last().unwrap();
    assert_eq!((record.kind, record.result), (RecordKind::PasswordModify, result.code));
    ((result.code.number(), result.diagnostic), record.reason)
}

fn expected(code: u32, text: &str) -> (u32, String) {
    (code, text.to_owned())
}

#[test]
fn a_person_changes_the_own_password() {
    for identity in [None, Some(ANNA.to_owned()), Some(format!("dn:{ANNA}")), Some("u:anna".to_owned())] {
        let mut server = Server::new(Door::tls());
        server.bind(ANNA, PASSWORD);
        let reply = server.ask(change(identity.as_deref(), Some(PASSWORD), Some("battery staple horse")));
        assert_eq!(told(&result(&reply)), (0, ""));
        assert!(matches!(reply, Reply::Result { extended_value: None, extended_name: None, .. }));
        let record = server.records.last().unwrap();
        assert_eq!(record.target.as_ref().map(|target| target.dn.as_str()), Some(ANNA));
        assert_eq!(record.changes[0].values, RecordedValue::Redacted(1));
        assert!(!format!("{record:?}").contains("staple"));
        assert_eq!(told(&server.bind(ANNA, PASSWORD)).0, 49);
        assert_eq!(told(&server.bind(ANNA, "battery staple horse")).0, 0);
    }
}

#[test]
fn an_administrator_changes_the_password_of_another() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    assert_eq!(result(&server.ask(change(Some(CARL), None, Some("battery staple horse")))).code.number(), 0);
    let node = server.directory.node(server.id_of(CARL)).unwrap().clone();
    let modifier = server.directory.schema().attribute_type("modifiersName").unwrap().id;
    assert_eq!(node.entry.first(modifier), Some(ADMIN.as_bytes()));
    assert_eq!(told(&server.bind(CARL, "battery staple horse")).0, 0);
}

#[test]
fn without_a_new_password_one_is_made_up_and_told() {
    let mut server = Server::new(Door::tls());
    server.bind(ANNA, PASSWORD);
    let Reply::Result { extended_value: Some(value), .. } = server.ask(extended(oid::PASSWORD_MODIFY, None)) else {
        panic!("no value");
    };
    let generated = generated(&value);
    assert_eq!(generated.len(), 23);
    assert_eq!(told(&server.bind(ANNA, PASSWORD)).0, 49);
    assert_eq!(told(&server.bind(ANNA, &generated)).0, 0);
}

fn generated(value: &Bytes) -> String {
    let mut reader = Reader::new(value);
    let mut parts = reader.sequence().unwrap();
    let password = String::from_utf8(parts.expect(Tag::context(0)).unwrap().to_vec()).unwrap();
    assert!(parts.is_empty() && reader.is_empty());
    password
}

#[test]
fn refusals() {
    let wrong_old = (expected(53, "unwilling to verify old password"), Some("wrong old password"));
    assert_eq!(tried(Door::tls(), Some(ANNA), change(None, Some("wrong"), Some("x"))), wrong_old);
    assert_eq!(tried(Door::tls(), Some(ADMIN), change(Some(CARL), Some("any"), Some("x"))), wrong_old);
    let anonymous = expected(8, "only authenticated users may change passwords");
    assert_eq!(tried(Door::tls(), None, change(Some(ANNA), None, Some("x"))).0, anonymous);
    assert_eq!(tried(Door::clear(), None, change(Some(ANNA), None, Some("x"))).0, anonymous);
    assert_eq!(tried(Door::tls(), Some(ANNA), change(Some(BERT), Some(PASSWORD), Some("x"))).0, expected(50, ""));
    assert_eq!(tried(Door::tls(), Some(ADMIN), change(Some("u:zork"), None, Some("x"))).0, expected(32, ""));
    assert_eq!(tried(Door::tls(), Some(ADMIN), change(Some("dn:cn=zork"), None, Some("x"))).0, expected(32, ""));
    assert_eq!(tried(Door::tls(), Some(ADMIN), change(Some("zork"), None, Some("x"))).0, expected(34, "Invalid DN"));
    assert_eq!(tried(Door::tls(), Some(ADMIN), change(Some(""), None, Some("x"))).0.0, 53);
    assert_eq!(tried(Door::tls(), Some(ANNA), change(None, None, Some(""))).0, expected(53, "new password value is empty"));
    let malformed = extended(oid::PASSWORD_MODIFY, Some(b"zork"));
    assert_eq!(tried(Door::tls(), Some(ANNA), malformed).0, expected(2, "data decoding error"));
}

#[test]
fn an_entry_whose_classes_allow_no_password() {
    let roles = format!("cn=administrators,ou=roles,{SUFFIX}");
    let answer = tried(Door::tls(), Some(ADMIN), change(Some(&roles), None, Some("long enough for the rest")));
    assert_eq!(answer.0, expected(65, "attribute 'userPassword' not allowed"));
}

#[test]
fn a_waiver_that_ends_while_bound() {
    let mut server = Server::new(Door::waived());
    server.bind(ANNA, PASSWORD);
    server.session.reload(std::sync::Arc::new(Door::clear().settings));
    assert_eq!(told(&result(&server.ask(change(None, None, Some("x"))))), (13, "confidentiality required"));
}
