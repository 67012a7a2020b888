//! Sessions that are idle for too long or too old.

use crate::model::{ResultCode, Timestamp};
use crate::operation::SessionEnd;
use crate::protocol::{Reply, oid};
use crate::session::Lifetime;
use crate::session::tests::harness::{ADMIN, ANNA, Door, PASSWORD, START, Server, replace, search, simple};

const MINUTE: i64 = 60_000_000;

fn lifetime(server: &Server, minutes: i64) -> Lifetime {
    server.session.lifetime(&server.directory, Timestamp(START.0 + minutes * MINUTE))
}

fn is_over(server: &Server, minutes: i64) -> bool {
    lifetime(server, minutes) == Lifetime::Over(SessionEnd::Idle)
}

#[test]
fn a_person_and_nobody_may_be_idle_for_fifteen_minutes_an_administrator_for_ten() {
    for (name, limit) in [(Some(ANNA), 15), (None, 15), (Some(ADMIN), 10)] {
        let mut server = Server::new(Door::tls());
        server.session.touch(START);
        name.map(|name| server.bind(name, PASSWORD));
        assert!(!is_over(&server, limit) || name.is_none(), "{name:?}: the bind was a moment after the start");
        assert!(!is_over(&server, limit - 1), "{name:?}");
        assert!(is_over(&server, limit + 1), "{name:?}");
        server.session.touch(Timestamp(START.0 + 5 * MINUTE));
        assert!(!is_over(&server, limit + 4) && is_over(&server, limit + 6), "{name:?}: whoever asks is not idle");
        let Lifetime::Until(next) = lifetime(&server, 6) else { panic!("over") };
        assert_eq!(next, Timestamp(START.0 + (limit + 5) * MINUTE), "{name:?}: when to look again");
    }
}

#[test]
fn people_log_in_anew_after_twelve_hours_whatever_they_do() {
    for name in [ANNA, ADMIN] {
        let mut server = Server::new(Door::tls());
        server.bind(name, PASSWORD);
        server.session.touch(Timestamp(START.0 + 719 * MINUTE));
        let Lifetime::Until(next) = lifetime(&server, 719) else { panic!("over") };
        assert!(next < Timestamp(START.0 + 721 * MINUTE));
        assert_eq!(lifetime(&server, 721), Lifetime::Over(SessionEnd::Age), "{name}");
    }
}

#[test]
fn who_becomes_an_administrator_is_one_at_once() {
    let mut server = Server::new(Door::tls());
    server.bind(ANNA, PASSWORD);
    assert!(!is_over(&server, 12));
    let mut admin = Server::new(Door::tls());
    admin.bind(ADMIN, PASSWORD);
    assert!(is_over(&admin, 12));
    admin.ask(replace(&format!("cn=administrators,ou=roles,{}", super::harness::SUFFIX), "member", ANNA));
    assert_eq!(lifetime(&admin, 1), Lifetime::Over(SessionEnd::RightsLost), "who is none any more logs in again");
}

#[test]
fn what_is_under_way_keeps_a_session() {
    let mut server = Server::new(Door::tls());
    server.bind(ANNA, PASSWORD);
    server.send(search(ANNA));
    assert!(!is_over(&server, 1000));
    server.settle();
    assert!(is_over(&server, 1000));
    server.send(simple(ANNA, PASSWORD));
    assert!(!is_over(&server, 1000), "a bind that waits for the hash pool as well");
}

#[test]
fn the_notice_says_that_a_new_login_is_needed() {
    for (over, text) in [(SessionEnd::Idle, "session idle for too long"), (SessionEnd::Age, "session too old, log in again")] {
        let mut server = Server::new(Door::tls());
        server.bind(ANNA, PASSWORD);
        let crate::session::Action::Close(Some(Reply::Result { result, extended_name, .. }), Some(_)) = server.session.end(over)
        else {
            panic!("no notice")
        };
        assert_eq!((result.code, result.diagnostic.as_str()), (ResultCode::StrongerAuthRequired, text));
        assert_eq!(extended_name.as_deref(), Some(oid::NOTICE_OF_DISCONNECTION));
        assert_eq!(server.session.identity().entry, None);
        assert!(!server.session.may_receive());
    }
}

#[test]
fn a_service_is_never_idle_and_logs_in_once_a_day() {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    let mut changes = Vec::new();
    for (attribute, value) in [
        ("objectClass", "managedAccount"),
        ("accountKind", "service"),
        ("accountOwner", ADMIN),
        ("accountNetwork", "192.0.2.0/24"),
    ] {
        let crate::protocol::Request::Modify { changes: change, .. } = add_value(ANNA, attribute, value) else { unreachable!() };
        changes.extend(change);
    }
    let reply = server.ask(crate::protocol::Request::Modify { name: ANNA.into(), changes });
    assert_eq!(super::harness::result(&reply).code, ResultCode::Success, "{reply:?}");
    let mut service = Server::new(Door::tls());
    service.directory = server.directory.clone();
    service.bind(ANNA, PASSWORD);
    assert!(matches!(lifetime(&service, 23 * 60), Lifetime::Until(_)));
    service.session.touch(Timestamp(START.0 + 24 * 60 * MINUTE));
    assert_eq!(lifetime(&service, 24 * 60 + 1), Lifetime::Over(SessionEnd::Age), "whatever it does");
}

fn add_value(name: &str, attribute: &str, value: &str) -> crate::protocol::Request {
    let crate::protocol::Request::Modify { name, mut changes } = replace(name, attribute, value) else { unreachable!() };
    changes.iter_mut().for_each(|change| change.operation = crate::model::ModificationOperation::Add);
    crate::protocol::Request::Modify { name, changes }
}
