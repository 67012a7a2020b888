//! Who am I?, StartTLS and operations nobody knows.

use super::harness::*;
use crate::journal::RecordKind;
use crate::protocol::{Control, Message, MessageId, Reply, oid};

#[test]
fn who_am_i_of_everybody() {
    let mut server = Server::new(Door::tls());
    assert_eq!(server.who_am_i(), "");
    server.bind(ADMIN, PASSWORD);
    assert_eq!(server.who_am_i(), format!("dn:{ADMIN}"));
    server.bind("", "");
    assert_eq!(server.who_am_i(), "");
    let reply = server.ask(extended(oid::WHO_AM_I, Some(b"x")));
    assert_eq!(told(&result(&reply)), (2, "no request data expected"));
}

#[test]
fn an_operation_nobody_knows() {
    let mut server = Server::new(Door::clear());
    assert_eq!(told(&result(&server.ask(extended("1.2.3", None)))), (2, "unsupported extended operation"));
}

#[test]
fn a_critical_control_nobody_knows() {
    let mut server = Server::new(Door::tls());
    for (id, name) in [(50, oid::WHO_AM_I), (51, oid::START_TLS), (52, oid::PASSWORD_MODIFY)] {
        let controls = vec![Control { oid: "1.2.3.4".to_owned(), critical: true, value: None }];
        server.receive(Message { id: MessageId(id), request: extended(name, None), controls });
        server.settle();
        assert_eq!(result(&server.replies_to(MessageId(id))[0]).code.number(), 12, "{name}");
    }
}

#[test]
fn start_tls_makes_anonymous_and_is_recorded() {
    let mut server = Server::new(Door::waived());
    server.bind(ANNA, PASSWORD);
    server.records.clear();
    match server.ask(extended(oid::START_TLS, None)) {
        Reply::Result { result, extended_name, .. } => {
            assert_eq!((told(&result), extended_name.as_deref()), ((0, ""), Some(oid::START_TLS)));
        }
        other => panic!("{other:?}"),
    }
    assert!(server.handshake_due && !server.session.may_receive());
    let record = &server.records[0];
    assert_eq!((record.kind, record.actor.as_ref().map(|actor| actor.dn.as_str())), (RecordKind::StartTls, Some(ANNA)));
    server.handshake();
    assert!(server.session.may_receive());
    assert_eq!(server.who_am_i(), "");
    assert_eq!(told(&server.bind(ANNA, PASSWORD)).0, 0);
    assert_eq!(server.records.last().unwrap().tls.as_ref().map(|tls| tls.version.as_str()), Some("TLSv1.3"));
    assert_eq!(told(&result(&server.ask(extended(oid::START_TLS, None)))), (1, "TLS already started"));
    assert_eq!(server.who_am_i(), format!("dn:{ANNA}"));
}

#[test]
fn start_tls_refused() {
    let refused = |door: Door, value: Option<&[u8]>| {
        let mut server = Server::new(door);
        let result = result(&server.ask(extended(oid::START_TLS, value)));
        assert!(!server.handshake_due && server.session.may_receive());
        (result.code.number(), result.diagnostic)
    };
    let mut no_certificate = Door::clear();
    no_certificate.settings.start_tls = false;
    assert_eq!(refused(Door::clear(), Some(b"")), (2, "no request data expected".to_owned()));
    assert_eq!(refused(Door::tls(), None), (1, "TLS already started".to_owned()));
    assert_eq!(refused(Door::ldapi(None), None), (53, "TLS is not offered on this connection".to_owned()));
    assert_eq!(refused(no_certificate, None), (52, "Could not initialize TLS".to_owned()));
}

#[test]
fn start_tls_with_operations_outstanding() {
    let mut server = Server::new(Door::waived());
    server.bind(ADMIN, PASSWORD);
    let change = server.send(replace(ANNA, "title", "Nurse"));
    let start = server.send(extended(oid::START_TLS, None));
    server.settle();
    assert_eq!(told(&result(&server.replies_to(start)[0])), (1, "cannot start TLS when operations are outstanding"));
    assert_eq!(result(&server.replies_to(change)[0]).code.number(), 0);
    assert_eq!(server.who_am_i(), format!("dn:{ADMIN}"));
}

#[test]
fn what_comes_between_start_tls_and_the_handshake_ends_the_connection() {
    let mut server = Server::new(Door::clear());
    server.ask(extended(oid::START_TLS, None));
    server.send(simple(ANNA, PASSWORD));
    assert!(matches!(server.closed, Some(None)));
}
