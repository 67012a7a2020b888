//! Operations that overlap: binds, abandons, message IDs, limits.

use super::harness::*;
use crate::model::ResultCode;
use crate::protocol::{Message, MessageId, Reply, Request, ResponseKind, oid};

#[test]
fn search_abandon_and_bind_pipelined() {
    let mut server = Server::new(Door::tls());
    server.bind(ANNA, PASSWORD);
    let found = server.send(search(SUFFIX));
    server.send(Request::Abandon(found));
    let bound = server.send(simple(BERT, PASSWORD));
    server.settle();
    assert!(server.replies_to(found).is_empty());
    assert_eq!(server.replies_to(bound).len(), 1);
    assert_eq!(server.who_am_i(), format!("dn:{BERT}"));
}

#[test]
fn a_bind_drops_searches_and_waits_for_writes() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    let found = server.send(search(SUFFIX));
    let changed = server.send(replace(ANNA, "userPassword", "battery staple horse"));
    let bound = server.send(simple(ANNA, "battery staple horse"));
    assert!(!server.session.may_receive());
    assert_eq!(server.session.identity().entry, None, "anonymous from the bind request on");
    server.settle();
    assert!(server.replies_to(found).is_empty());
    assert_eq!(told(&result(&server.replies_to(changed)[0])).0, 0, "under the identity it was asked with");
    assert_eq!(told(&result(&server.replies_to(bound)[0])).0, 0, "judged after the change it followed");
    let order: Vec<MessageId> = server.replies.iter().map(|(id, _)| *id).filter(|id| [changed, bound].contains(id)).collect();
    assert_eq!(order, [changed, bound]);
    assert_eq!(server.who_am_i(), format!("dn:{ANNA}"));
}

#[test]
fn an_abandoned_write_is_done_and_recorded_but_not_answered() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    server.records.clear();
    let changed = server.send(replace(ANNA, "title", "Nurse"));
    server.send(Request::Abandon(changed));
    server.settle();
    assert!(server.replies_to(changed).is_empty());
    assert_eq!(server.records.len(), 1);
    assert_eq!(server.session.operations.len(), 0);
}

#[test]
fn a_write_abandoned_before_the_committer_has_it_is_not_done() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    server.records.clear();
    let changed = server.send(replace(ANNA, "userPassword", "battery staple horse"));
    server.send(Request::Abandon(changed));
    let bound = server.send(simple(ANNA, PASSWORD));
    server.settle();
    assert!(server.replies_to(changed).is_empty());
    assert_eq!(told(&result(&server.replies_to(bound)[0])).0, 0, "the password is still the old one");
    assert_eq!(server.records.len(), 1);
}

#[test]
fn abandoning_what_is_unknown_is_ignored() {
    let mut server = Server::new(Door::tls());
    server.send(Request::Abandon(MessageId(4711)));
    server.settle();
    assert!(server.replies.is_empty() && server.closed.is_none());
    assert_eq!(server.who_am_i(), "");
}

#[test]
fn a_message_id_of_zero_or_in_use_ends_the_connection() {
    for id in [0, -1, 9] {
        let mut server = Server::new(Door::tls());
        server.receive(Message { id: MessageId(9), request: simple("", ""), controls: Vec::new() });
        server.receive(Message { id: MessageId(id), request: extended(oid::WHO_AM_I, None), controls: Vec::new() });
        let Some(Some(Reply::Result { result, extended_name, .. })) = &server.closed else { panic!("not closed") };
        assert_eq!((result.code, extended_name.as_deref()), (ResultCode::ProtocolError, Some(oid::NOTICE_OF_DISCONNECTION)));
        server.settle();
        assert!(server.replies.is_empty(), "nothing follows the notice");
    }
}

#[test]
fn a_message_id_is_free_again_once_answered() {
    let mut server = Server::new(Door::tls());
    for _ in 0..3 {
        server.receive(Message { id: MessageId(9), request: simple(ANNA, PASSWORD), controls: Vec::new() });
        server.settle();
    }
    assert_eq!((server.replies_to(MessageId(9)).len(), server.closed.is_none()), (3, true));
}

#[test]
fn unbind_closes_without_a_word() {
    let mut server = Server::new(Door::tls());
    server.bind(ANNA, PASSWORD);
    server.replies.clear();
    server.send(search(SUFFIX));
    server.send(Request::Unbind);
    server.send(extended(oid::WHO_AM_I, None));
    server.settle();
    assert!(matches!(server.closed, Some(None)) && server.replies.is_empty());
    assert!(!server.session.may_receive());
}

#[test]
fn a_malformed_request_fails_alone() {
    let mut server = Server::new(Door::tls());
    server.bind(ANNA, PASSWORD);
    for kind in [ResponseKind::SearchDone, ResponseKind::Add, ResponseKind::Extended] {
        let request = Request::Malformed { kind, code: ResultCode::ProtocolError, diagnostic: "bad" };
        match server.ask(request) {
            Reply::Result { kind: answered, result, .. } => assert_eq!((answered, told(&result)), (kind, (2, "bad"))),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.who_am_i(), format!("dn:{ANNA}"));
    let request = Request::Malformed { kind: ResponseKind::Bind, code: ResultCode::ProtocolError, diagnostic: "bad" };
    assert_eq!(told(&result(&server.ask(request))), (2, "bad"));
    assert_eq!(server.who_am_i(), "", "a bind that fails leaves nobody");
    assert_eq!(server.records.last().unwrap().reason, Some("malformed request"));
}

#[test]
fn no_more_than_the_limit_of_operations_is_taken() {
    let mut door = Door::tls();
    door.settings.limits.pending_operations = 3;
    let mut server = Server::new(door);
    server.bind(ADMIN, PASSWORD);
    let sent: Vec<MessageId> = (0..3).map(|_| server.send(replace(ANNA, "title", "Nurse"))).collect();
    assert!(!server.session.may_receive());
    let over = server.send(replace(ANNA, "title", "Nurse"));
    assert_eq!(result(&server.replies_to(over)[0]).code, ResultCode::Busy);
    server.settle();
    assert!(server.session.may_receive());
    assert!(sent.iter().all(|&id| result(&server.replies_to(id)[0]).code == ResultCode::Success));
}

#[test]
fn larger_requests_only_after_authentication() {
    let mut server = Server::new(Door::tls());
    let limits = Door::tls().settings.limits;
    assert_eq!(server.session.request_limit(), limits.unauthenticated_request);
    server.bind(ANNA, PASSWORD);
    assert_eq!(server.session.request_limit(), limits.request);
    server.bind(ANNA, "wrong");
    assert_eq!(server.session.request_limit(), limits.unauthenticated_request);
}
