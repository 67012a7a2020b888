//! BEHAVIOUR.md "Bind", line by line.

use super::harness::*;
use crate::journal::RecordKind;
use crate::model::Timestamp;
use crate::operation::{CertificateFacts, CertificateRule};
use crate::protocol::{Authentication, BindRequest, Control, Message, MessageId, Reply, Request};

/// Answer, inner reason and number of verifications of a bind on a fresh connection.
fn tried(door: Door, request: Request) -> ((u32, String), Option<&'static str>, usize) {
    let mut server = Server::new(door);
    let result = result(&server.ask(request));
    let record = server.records.last().expect("every bind is recorded");
    assert_eq!((server.records.len(), record.kind, record.result), (1, RecordKind::Bind, result.code));
    assert!(result.matched.is_empty());
    ((result.code.number(), result.diagnostic), record.reason, server.verified)
}

fn expected(code: u32, text: &str) -> (u32, String) {
    (code, text.to_owned())
}

#[test]
fn simple_binds_that_fail() {
    let cases = [
        (simple(ANNA, ""), expected(53, "unauthenticated bind (DN with no password) disallowed"), "name without a password", 0),
        (simple(ANNA, "wrong"), expected(49, ""), "wrong password", 1),
        (simple(CARL, PASSWORD), expected(49, ""), "no password", 1),
        (simple("uid=zork,dc=hospital,dc=example", PASSWORD), expected(49, ""), "unknown name", 1),
        (simple("dc=elsewhere", PASSWORD), expected(49, ""), "unknown name", 1),
        (simple("", PASSWORD), expected(49, ""), "password without a name", 1),
        (simple("zork", PASSWORD), expected(34, "invalid DN"), "invalid name", 0),
        (
            versioned(2, ANNA, PASSWORD),
            expected(2, "historical protocol version requested, use LDAPv3 instead"),
            "bad version",
            0,
        ),
        (versioned(1, ANNA, PASSWORD), expected(2, "requested protocol version not supported"), "bad version", 0),
        (versioned(4, ANNA, PASSWORD), expected(2, "requested protocol version not supported"), "bad version", 0),
        (sasl("", None), expected(7, "no SASL mechanism provided"), "method not offered", 0),
        (sasl("ZORK", None), expected(7, "SASL mechanism not supported"), "method not offered", 0),
    ];
    for (request, answer, reason, verified) in cases {
        let asked = format!("{request:?}");
        assert_eq!(tried(Door::tls(), request), (answer, Some(reason), verified), "{asked}");
    }
}

#[test]
fn a_choice_ldap_does_not_define() {
    let request = BindRequest { version: 3, name: bytes::Bytes::new(), authentication: Authentication::Unknown };
    let answer = tried(Door::tls(), Request::Bind(request));
    assert_eq!(answer, (expected(7, "unknown authentication method"), Some("method not offered"), 0));
}

#[test]
fn a_clear_channel_is_refused_before_the_password_is_looked_at() {
    for name in [ANNA, CARL, "uid=zork,dc=hospital,dc=example", ""] {
        let answer = tried(Door::clear(), simple(name, PASSWORD));
        assert_eq!(answer, (expected(13, "confidentiality required"), Some("clear channel"), 0), "{name}");
    }
    let plain = sasl("PLAIN", Some(format!("\0anna\0{PASSWORD}").as_bytes()));
    assert_eq!(tried(Door::waived(), plain), (expected(13, "confidentiality required"), Some("clear channel"), 0));
}

#[test]
fn a_waiver_lets_a_network_in_until_it_ends() {
    assert_eq!(tried(Door::waived(), simple(ANNA, PASSWORD)).0, expected(0, ""));
    let mut ended = Door::waived();
    ended.settings.clear_text[0].until = Timestamp(START.0 - 1);
    assert_eq!(tried(ended, simple(ANNA, PASSWORD)).0.0, 13);
}

#[test]
fn anonymous_binds_are_allowed_in_clear_and_recorded() {
    assert_eq!(tried(Door::clear(), simple("", "")), (expected(0, ""), None, 0));
}

#[test]
fn a_right_password_makes_the_session_the_account() {
    let mut server = Server::new(Door::tls());
    assert_eq!(told(&server.bind(&ANNA.to_uppercase(), PASSWORD)), (0, ""));
    assert_eq!(server.who_am_i(), format!("dn:{ANNA}"));
    assert_eq!(server.session.identity().factors, ["password"]);
    let record = &server.records[0];
    assert_eq!(record.actor, record.target);
    assert_eq!(record.actor.as_ref().map(|actor| actor.dn.as_str()), Some(ANNA));
    assert_eq!((record.method.as_deref(), record.factors.as_slice()), (Some("SIMPLE"), ["password"].as_slice()));
    assert_eq!((record.reason, record.unknown_name.as_ref()), (None, None));
    let state = server.directory.account_state(server.id_of(ANNA));
    assert!(state.last_login > Some(START));
    assert_eq!(state.last_login_source.as_deref(), Some("192.0.2.7"));
}

#[test]
fn any_bind_that_fails_leaves_the_session_anonymous() {
    let failing =
        [simple(ANNA, "wrong"), simple(ANNA, ""), simple("zork", "x"), versioned(2, ANNA, PASSWORD), sasl("ZORK", None)];
    for request in failing {
        let mut server = Server::new(Door::tls());
        assert_eq!(told(&server.bind(ANNA, PASSWORD)).0, 0);
        assert_ne!(result(&server.ask(request)).code.number(), 0);
        assert_eq!(server.who_am_i(), "");
        assert_eq!(server.session.identity().entry, None);
    }
}

#[test]
fn an_unknown_name_is_kept_as_keyed_hash_and_length() {
    let unknown = |key: u8, name: &str| {
        let mut door = Door::tls();
        door.settings.hash_key = crate::model::Secret::new(vec![key; 32]);
        let mut server = Server::new(door);
        server.bind(name, PASSWORD);
        let record = server.records.pop().unwrap();
        assert!(record.target.is_none() && !format!("{record:?}").contains("hunter2"));
        record.unknown_name.unwrap()
    };
    let (hash, length) = unknown(1, "cn=hunter2");
    assert_eq!((hash.len(), length), (64, 10));
    assert_eq!(unknown(1, "cn=hunter2").0, hash);
    assert_ne!(unknown(2, "cn=hunter2").0, hash);
    assert_eq!(unknown(1, "hunter2").1, 7);
}

#[test]
fn a_hash_of_an_old_scheme_is_rewritten_without_a_trace_of_modification() {
    let mut server = Server::new(Door::tls());
    let read = |server: &Server, name: &str| {
        let node = server.directory.node(server.id_of(BERT)).unwrap().clone();
        let attribute_type = server.directory.schema().attribute_type(name).unwrap().id;
        String::from_utf8(node.entry.first(attribute_type).unwrap().to_vec()).unwrap()
    };
    let before = (read(&server, "modifyTimestamp"), read(&server, "entryCSN"));
    assert_eq!(read(&server, "userPassword"), OLD_SCHEME);
    assert_eq!(told(&server.bind(BERT, PASSWORD)).0, 0);
    let rewritten = read(&server, "userPassword");
    assert!(rewritten.starts_with("{ARGON2}"), "a stored form of Argon2id");
    assert_eq!((read(&server, "modifyTimestamp"), read(&server, "entryCSN")), before);
    assert_eq!(told(&server.bind(BERT, PASSWORD)).0, 0);
    assert_eq!(read(&server, "userPassword"), rewritten);
    assert_eq!(told(&server.bind(BERT, "wrong")).0, 49);
}

#[test]
fn two_logins_that_both_rewrite_an_old_hash_both_succeed() {
    let mut server = Server::new(Door::tls());
    let first = server.send(simple(BERT, PASSWORD));
    assert!(server.work(), "the password is verified");
    // Another connection's login of the same account comes in between, verified against the old hash as well.
    let mut other = Server::new(Door::tls());
    assert_eq!(told(&other.bind(BERT, PASSWORD)).0, 0);
    server.take_entry_from(&other, BERT);
    server.settle();
    assert_eq!(told(&result(&server.replies_to(first)[0])), (0, ""));
    assert_eq!(told(&server.bind(BERT, "wrong")).0, 49);
}

#[test]
fn an_account_that_is_deleted_while_a_wrong_password_is_looked_at_is_refused_as_any() {
    let mut server = Server::new(Door::tls());
    let id = server.send(simple(BERT, "wrong"));
    assert!(server.work(), "the password is looked at");
    server.without_entry(BERT);
    server.settle();
    assert_eq!(told(&result(&server.replies_to(id)[0])), (49, ""));
}

#[test]
fn a_password_that_changes_while_it_is_verified_does_not_let_in() {
    let mut server = Server::new(Door::tls());
    let id = server.send(simple(ANNA, PASSWORD));
    assert!(server.work(), "the password is verified");
    server.without_password(ANNA);
    server.settle();
    assert_eq!(told(&result(&server.replies_to(id)[0])), (49, ""));
    assert_eq!(server.records.last().unwrap().reason, Some("account changed meanwhile"));
    assert_eq!(server.who_am_i(), "");
}

#[test]
fn when_the_journal_cannot_be_written_nobody_gets_in() {
    let mut server = Server::new(Door::tls());
    server.broken = true;
    assert_eq!(told(&server.bind(ANNA, PASSWORD)), (52, ""));
    assert_eq!(server.who_am_i(), "");
}

#[test]
fn a_critical_control_nobody_knows() {
    let mut server = Server::new(Door::tls());
    let control = Control { oid: "1.2.3.4".to_owned(), critical: true, value: None };
    server.receive(Message { id: MessageId(77), request: simple(ANNA, PASSWORD), controls: vec![control] });
    server.settle();
    assert_eq!(result(&server.replies_to(MessageId(77))[0]).code.number(), 12);
    assert_eq!((server.records[0].reason, server.verified), (Some("control refused"), 0));
}

#[test]
fn plain_over_what_cannot_be_read_on_the_way() {
    let cases = [
        (format!("\0anna\0{PASSWORD}"), 0, None),
        (format!("\0u:anna\0{PASSWORD}"), 0, None),
        (format!("\0dn:{ANNA}\0{PASSWORD}"), 0, None),
        (format!("u:anna\0anna\0{PASSWORD}"), 0, None),
        (format!("dn:{ANNA}\0anna\0{PASSWORD}"), 0, None),
        (format!("dn:{BERT}\0anna\0{PASSWORD}"), 49, Some("not authorized to assume identity")),
        (format!("zork\0anna\0{PASSWORD}"), 49, Some("not authorized to assume identity")),
        ("\0anna\0wrong".to_owned(), 49, Some("wrong password")),
        (format!("\0zork\0{PASSWORD}"), 49, Some("unknown name")),
        (format!("\0dn:zork\0{PASSWORD}"), 49, Some("unknown name")),
        ("\0carl\0x".to_owned(), 49, Some("no password")),
    ];
    for (credentials, code, reason) in cases {
        for door in [Door::tls(), Door::ldapi(None)] {
            let answer = tried(door, sasl("plain", Some(credentials.as_bytes())));
            assert_eq!(answer, (expected(code, ""), reason, 1), "{credentials:?}");
        }
    }
    for malformed in [b"".as_slice(), b"\0", b"anna", b"\0anna\0", b"\0\0secret", b"\0anna\0a\0b", b"\0anna\0\xff"] {
        let answer = tried(Door::tls(), sasl("PLAIN", Some(malformed)));
        assert_eq!(answer, (expected(49, ""), Some("malformed credentials"), 0), "{malformed:?}");
    }
}

#[test]
fn plain_without_an_initial_response_is_asked_for_one() {
    let mut server = Server::new(Door::tls());
    match server.ask(sasl("PLAIN", None)) {
        Reply::Result { result, sasl_credentials: Some(challenge), .. } => {
            assert_eq!((result.code.number(), challenge.len()), (14, 0));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.who_am_i(), "");
    let credentials = format!("\0anna\0{PASSWORD}");
    assert_eq!(result(&server.ask(sasl("PLAIN", Some(credentials.as_bytes())))).code.number(), 0);
    assert_eq!(server.who_am_i(), format!("dn:{ANNA}"));
    assert_eq!(server.session.identity().method, Some("SASL(PLAIN)"));
}

#[test]
fn external_by_local_user() {
    for credentials in [None, Some(String::new()), Some(format!("dn:{ADMIN}"))] {
        let mut server = Server::new(Door::ldapi(Some(ADMIN)));
        let reply = server.ask(sasl("EXTERNAL", credentials.as_deref().map(str::as_bytes)));
        assert_eq!(told(&result(&reply)), (0, ""));
        assert_eq!(server.who_am_i(), format!("dn:{ADMIN}"));
        assert_eq!((server.session.identity().method, server.verified), (Some("SASL(EXTERNAL)"), 0));
        assert_eq!(server.session.identity().factors, ["ldapi"]);
    }
    let other = format!("dn:{ANNA}");
    let assumed = tried(Door::ldapi(Some(ADMIN)), sasl("EXTERNAL", Some(other.as_bytes())));
    assert_eq!(assumed, (expected(49, ""), Some("not authorized to assume identity"), 0));
    assert_eq!(tried(Door::ldapi(None), sasl("EXTERNAL", None)).0.0, 48);
    let gone = tried(Door::ldapi(Some("cn=gone,dc=hospital,dc=example")), sasl("EXTERNAL", None));
    assert_eq!(gone, (expected(49, ""), Some("certificate or local user without an entry"), 0));
}

fn with_certificate(rules: &[CertificateRule]) -> Door {
    let mut door = Door::tls();
    door.settings.certificate_rules = rules.to_vec();
    door.tls.as_mut().unwrap().certificate = Some(CertificateFacts {
        sha256: "00".repeat(32),
        subject: BERT.to_owned(),
        issuer: "cn=ca".to_owned(),
        serial: "5".to_owned(),
        emails: vec!["unknown@hospital.example".to_owned(), "ANNA@hospital.example".to_owned()],
        common_name: Some("P".to_owned()),
        uid: Some("carl".to_owned()),
        usages: Vec::new(),
    });
    door
}

#[test]
fn external_by_certificate() {
    let attribute = |name: &str| name.to_owned();
    let subject = CertificateRule::SubjectDn;
    let email = CertificateRule::Email { attribute: attribute("mail") };
    let ambiguous = CertificateRule::CommonName { attribute: attribute("cn") };
    let uid = CertificateRule::Uid { attribute: attribute("uid") };
    let cases = [
        (vec![subject.clone()], Some(BERT)),
        (vec![email.clone()], Some(ANNA)),
        (vec![uid.clone()], Some(CARL)),
        (vec![ambiguous.clone(), email, subject], Some(ANNA)),
        (vec![ambiguous], None),
        (vec![], None),
    ];
    for (rules, account) in cases {
        let mut server = Server::new(with_certificate(&rules));
        let code = result(&server.ask(sasl("EXTERNAL", None))).code.number();
        assert_eq!(code, if account.is_some() { 0 } else { 49 }, "{rules:?}");
        assert_eq!(server.who_am_i(), account.map_or_else(String::new, |dn| format!("dn:{dn}")));
    }
    let mut server = Server::new(with_certificate(&[uid]));
    assert_eq!(result(&server.ask(sasl("EXTERNAL", Some(b"u:carl")))).code.number(), 0);
    assert_eq!(server.session.identity().factors, ["certificate"]);
    assert_eq!(tried(Door::tls(), sasl("EXTERNAL", None)).1, Some("no certificate or local user"));
}
