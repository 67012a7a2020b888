//! Cancel (RFC 3909).

use super::harness::*;
use crate::model::{ResultCode, Secret};
use crate::protocol::{Message, MessageId, Request, oid};

fn codes(server: &Server, id: MessageId) -> Vec<ResultCode> {
    server.replies_to(id).iter().map(|reply| result(reply).code).collect()
}

#[test]
fn a_search_stops_and_both_are_answered() {
    let mut server = Server::new(Door::tls());
    server.bind(ANNA, PASSWORD);
    let found = server.send(search(SUFFIX));
    let cancelled = server.send(cancel(found.0));
    assert_eq!(codes(&server, found), [ResultCode::Canceled], "at once, and no entry after it");
    assert_eq!(codes(&server, cancelled), [ResultCode::Success]);
    assert!(!server.work(), "nothing is left to do");
    assert_eq!(server.session.operations.len(), 0);
    let order: Vec<MessageId> = server.replies.iter().map(|(id, _)| *id).filter(|id| [found, cancelled].contains(id)).collect();
    assert_eq!(order, [found, cancelled]);
    assert_eq!(told(&result(&server.ask(cancel(found.0)))), (119, "message ID not found"));
}

#[test]
fn what_waits_for_a_hash_is_not_done() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    server.records.clear();
    let changed = server.send(replace(ANNA, "userPassword", "battery staple horse"));
    let cancelled = server.send(cancel(changed.0));
    let again = server.send(cancel(changed.0));
    server.settle();
    assert_eq!((codes(&server, changed), codes(&server, cancelled)), (vec![ResultCode::Canceled], vec![ResultCode::Success]));
    assert_eq!(codes(&server, again), [ResultCode::NoSuchOperation]);
    assert!(server.records.is_empty(), "it never came to the committer");
    assert_eq!(server.bind(ANNA, PASSWORD).code, ResultCode::Success, "the password is still the old one");
}

#[test]
fn its_number_is_free_once_it_is_answered() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    let changed = server.send(replace(ANNA, "userPassword", "battery staple horse"));
    server.send(cancel(changed.0));
    let pending = server.session.pending();
    server.receive(Message { id: changed, request: replace(ANNA, "userPassword", "correct battery"), controls: Vec::new() });
    assert!(server.closed.is_none(), "the number is in use by nobody");
    assert_eq!(server.session.pending(), pending + 1, "what still costs work is counted");
    server.settle();
    assert_eq!(codes(&server, changed), [ResultCode::Canceled, ResultCode::Success]);
    assert_eq!(server.session.pending(), 0);
    assert_eq!(server.bind(ANNA, "battery staple horse").code, ResultCode::InvalidCredentials, "the first change was not made");
    assert_eq!(server.bind(ANNA, "correct battery").code, ResultCode::Success);
}

#[test]
fn what_is_with_the_committer_is_too_late_and_a_bind_cannot_be_cancelled() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    let changed = server.send(replace(ANNA, "title", "Nurse"));
    let cancelled = server.send(cancel(changed.0));
    let bound = server.send(simple(ANNA, PASSWORD));
    let waiting = server.send(cancel(bound.0));
    server.work();
    let hashing = server.send(cancel(bound.0));
    server.settle();
    assert_eq!((codes(&server, changed), codes(&server, cancelled)), (vec![ResultCode::Success], vec![ResultCode::TooLate]));
    assert_eq!(codes(&server, bound), [ResultCode::Success]);
    assert_eq!(
        (codes(&server, waiting), codes(&server, hashing)),
        (vec![ResultCode::CannotCancel], vec![ResultCode::CannotCancel])
    );
    assert_eq!(server.who_am_i(), format!("dn:{ANNA}"));
}

#[test]
fn malformed_requests() {
    let mut server = Server::new(Door::tls());
    for (value, text) in [
        (None, "no message ID supplied"),
        (Some(&b""[..]), "message ID parse failed"),
        (Some(b"\x02\x01\x05"), "message ID parse failed"),
        (Some(b"\x30\x03\x02\x01\x05\x00"), "message ID parse failed"),
        (Some(b"\x30\x05\x02\x01\x05\x05\x00"), "message ID parse failed"),
        (Some(b"\x30\x03\x02\x01\x00"), "message ID invalid"),
        (Some(b"\x30\x03\x02\x01\xff"), "message ID invalid"),
        (Some(b"\x30\x07\x02\x05\x01\x00\x00\x00\x00"), "message ID invalid"),
    ] {
        assert_eq!(told(&result(&server.ask(extended(oid::CANCEL, value)))), (2, text));
    }
    assert_eq!(told(&result(&server.ask(cancel(4711)))), (119, "message ID not found"));
}

#[test]
fn it_is_served_where_nothing_else_is() {
    let mut door = Door::tls();
    door.settings.limits.pending_operations = 2;
    let mut server = Server::new(door);
    server.bind(ADMIN, PASSWORD);
    let (first, second) = (server.send(search(SUFFIX)), server.send(search(SUFFIX)));
    assert!(!server.session.may_receive());
    let urgent = |server: &Server, request: Request| server.session.is_urgent(&request);
    assert!(urgent(&server, cancel(first.0)) && urgent(&server, Request::Abandon(second)));
    assert!(!urgent(&server, cancel(4711)) && !urgent(&server, Request::Abandon(MessageId(4711))));
    let broken = Request::Extended { oid: oid::CANCEL.to_owned(), value: Some(Secret::from(b"x".as_slice())) };
    assert!(!urgent(&server, broken) && !urgent(&server, Request::Unbind) && !urgent(&server, search(SUFFIX)));
    let id = MessageId(500);
    server.receive(Message { id, request: cancel(first.0), controls: Vec::new() });
    assert_eq!((codes(&server, first), codes(&server, id)), (vec![ResultCode::Canceled], vec![ResultCode::Success]));
    assert!(server.session.may_receive());
}
