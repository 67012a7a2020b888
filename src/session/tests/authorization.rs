//! Acting as somebody else (RFC 4370), being told who one is (RFC 3829), and whose session a client serves.

use bytes::Bytes;

use super::harness::*;
use crate::journal::Named;
use crate::model::ResultCode;
use crate::protocol::{Control, Reply, Request, ber, oid};

fn proxied(identity: &str) -> Vec<Control> {
    let value = Some(Bytes::copy_from_slice(identity.as_bytes()));
    vec![Control { oid: oid::PROXIED_AUTHORIZATION.to_owned(), critical: true, value }]
}

fn tracking(texts: [&str; 4]) -> Control {
    let value = ber::encode(|writer| writer.sequence(|parts| texts.iter().for_each(|text| parts.octet_string(text.as_bytes()))));
    Control { oid: oid::SESSION_TRACKING.to_owned(), critical: false, value: Some(value) }
}

fn who(server: &mut Server, identity: &str) -> (u32, String) {
    match server.ask_with(extended(oid::WHO_AM_I, None), proxied(identity)) {
        Reply::Result { result, extended_value, .. } => {
            (result.code.number(), String::from_utf8(extended_value.unwrap_or_default().to_vec()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

const DENIED: (u32, &str) = (123, "not authorized to assume identity");

#[test]
fn administrators_act_as_others_for_one_request() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    assert_eq!(who(&mut server, &format!("dn:{ANNA}")), (0, format!("dn:{ANNA}")));
    assert_eq!(who(&mut server, "u:bert"), (0, format!("dn:{BERT}")));
    assert_eq!(who(&mut server, ""), (0, String::new()));
    assert_eq!(who(&mut server, "dn:"), (0, String::new()));
    for unknown in ["u:nobody", "dn:uid=nobody,dc=hospital,dc=example", "dn:nonsense", "anna", "x:anna"] {
        assert_eq!(who(&mut server, unknown).0, 123, "{unknown}");
    }
    assert_eq!(server.who_am_i(), format!("dn:{ADMIN}"));
}

#[test]
fn others_do_not_and_learn_nothing() {
    let mut server = Server::new(Door::tls());
    for (name, password) in [("", ""), (ANNA, PASSWORD)] {
        server.bind(name, password);
        for identity in [ANNA, ADMIN, "uid=nobody,dc=hospital,dc=example"] {
            let identity = format!("dn:{identity}");
            for request in
                [search(SUFFIX), extended(oid::WHO_AM_I, None), extended(oid::PASSWORD_MODIFY, None), replace(ANNA, "title", "x")]
            {
                assert_eq!(told(&result(&server.ask_with(request, proxied(&identity)))), DENIED);
            }
        }
        assert_eq!(who(&mut server, "").0, 123);
    }
}

#[test]
fn rights_are_those_of_the_assumed_identity_and_the_record_names_both() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    let as_anna = || proxied(&format!("dn:{ANNA}"));
    let changed = server.ask_with(replace(BERT, "title", "Nurse"), as_anna());
    assert_eq!(result(&changed).code, ResultCode::InsufficientAccessRights);
    let record = server.records.last().unwrap();
    let name = |named: &Option<Named>| named.as_ref().map(|named| named.dn.clone());
    assert_eq!((name(&record.actor), name(&record.assumed)), (Some(ADMIN.to_owned()), Some(ANNA.to_owned())));
    let own = server.ask_with(replace(ANNA, "userPassword", "battery staple horse"), as_anna());
    assert_eq!(result(&own).code, ResultCode::Success);
    let nobody = server.ask_with(replace(ANNA, "title", "Nurse"), proxied(""));
    assert_eq!(told(&result(&nobody)), (8, "modifications require authentication"));
    assert_eq!(name(&server.records.last().unwrap().assumed), Some(String::new()));
    assert_eq!(result(&server.ask_with(search(SUFFIX), proxied(""))).code, ResultCode::NoSuchObject);
    let denied = server.ask_with(replace(ANNA, "title", "Nurse"), proxied("u:nobody"));
    assert_eq!(told(&result(&denied)), DENIED);
    let record = server.records.last().unwrap();
    assert_eq!((record.reason, &record.assumed), (Some("not authorized to assume identity"), &None));
    assert_eq!(server.bind(ANNA, "battery staple horse").code, ResultCode::Success);
}

#[test]
fn who_is_no_administrator_any_more_when_it_is_decided_acts_as_nobody() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    let group = format!("cn=administrators,ou=roles,{SUFFIX}");
    server.send(replace(&group, "member", BERT));
    let id = crate::protocol::MessageId(77);
    let request = replace(ANNA, "userPassword", "battery staple horse");
    server.receive(crate::protocol::Message { id, request, controls: proxied(&format!("dn:{ANNA}")) });
    server.settle();
    assert_eq!(told(&result(&server.replies_to(id)[0])), DENIED, "judged on the value it is decided on");
}

#[test]
fn the_control_must_be_critical_and_has_its_places() {
    let mut server = Server::new(Door::clear());
    let mut controls = proxied("");
    controls[0].critical = false;
    let answer = server.ask_with(extended(oid::WHO_AM_I, None), controls);
    assert_eq!(told(&result(&answer)), (2, "proxied authorization criticality of FALSE not allowed"));
    let unavailable = (12, "critical control unavailable in context");
    assert_eq!(told(&result(&server.ask_with(extended(oid::START_TLS, None), proxied("")))), unavailable);
    assert_eq!(told(&result(&server.ask_with(simple("", ""), proxied("")))), unavailable);
    let none = Control { value: None, ..proxied("").remove(0) };
    let answer = server.ask_with(extended(oid::WHO_AM_I, None), vec![none]);
    assert_eq!(told(&result(&answer)), (2, "proxied authorization control value is absent"));
}

#[test]
fn a_bind_tells_who_the_session_is() {
    let mut server = Server::new(Door::tls());
    let asks = || vec![Control { oid: oid::AUTHORIZATION_IDENTITY_REQUEST.to_owned(), critical: true, value: None }];
    let mut identity = |request: Request| match server.ask_with(request, asks()) {
        Reply::Result { controls, .. } => controls.first().map(|control| {
            assert_eq!(control.oid, oid::AUTHORIZATION_IDENTITY_RESPONSE);
            String::from_utf8(control.value.clone().unwrap().to_vec()).unwrap()
        }),
        other => panic!("{other:?}"),
    };
    assert_eq!(identity(simple("UID=Anna, dc=hospital,dc=example", PASSWORD)), Some(format!("dn:{ANNA}")));
    assert_eq!(identity(sasl("PLAIN", Some(format!("\0bert\0{PASSWORD}").as_bytes()))), Some(format!("dn:{BERT}")));
    assert_eq!(identity(simple("", "")), Some(String::new()));
    assert_eq!(identity(simple(ANNA, "wrong")), None);
    let Reply::Result { controls, .. } = server.ask(simple(ANNA, PASSWORD)) else { panic!() };
    assert!(controls.is_empty(), "only who asks is told");
}

#[test]
fn the_journal_says_whose_session_was_served() {
    let mut server = Server::new(Door::tls());
    let long = "ä".repeat(1000);
    let controls = || {
        vec![tracking(["10.1.2.3", "station-4", "1.2.3", &long]), tracking(["", "b", "c", "d"]), tracking(["x", "x", "x", "x"])]
    };
    assert_eq!(result(&server.ask_with(simple(ADMIN, PASSWORD), controls())).code, ResultCode::Success);
    server.ask_with(replace(ANNA, "title", "Nurse"), controls());
    server.ask_with(replace(ANNA, "zork", "Nurse"), controls());
    server.ask_with(extended(oid::PASSWORD_MODIFY, None), controls());
    assert_eq!(server.records.len(), 4);
    for record in &server.records {
        let texts = |name: &str| -> Vec<String> {
            record.details.iter().filter(|(other, _)| *other == name).map(|(_, text)| text.clone()).collect()
        };
        assert_eq!(texts("sessionSourceIp"), ["10.1.2.3", ""], "{:?}", record.kind);
        assert_eq!(texts("sessionSourceName"), ["station-4", "b"]);
        assert_eq!(texts("sessionFormat"), ["1.2.3", "c"]);
        assert_eq!(texts("sessionIdentifier"), ["ä".repeat(128), "d".to_owned()]);
    }
    for request in [search(SUFFIX), extended(oid::WHO_AM_I, None)] {
        assert_eq!(result(&server.ask_with(request, controls())).code, ResultCode::Success);
    }
    let broken = Control { value: Some(Bytes::from_static(b"\x30\x03\x04\x01\xff")), ..tracking([""; 4]) };
    let answer = server.ask_with(search(SUFFIX), vec![broken]);
    assert_eq!(told(&result(&answer)), (2, "sessionTracking control could not be decoded"));
}
