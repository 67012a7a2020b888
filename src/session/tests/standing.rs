//! Sessions whose account may not hold them any more.

use std::sync::Arc;

use crate::model::{ResultCode, Timestamp};
use crate::operation::SessionEnd;
use crate::operation::live::PasswordVersion;
use crate::policy::account::Ground;
use crate::protocol::Request;
use crate::session::tests::harness::{ADMIN, ANNA, BERT, Door, PASSWORD, Server, replace, result};

/// A session of somebody, suspended after a change that was made past it.
fn after(name: &str, change: Request) -> (Server, Option<SessionEnd>) {
    let mut server = logged_in(name);
    server.change_past_sessions(change);
    let end = suspended(&mut server);
    (server, end)
}

fn logged_in(name: &str) -> Server {
    let mut server = Server::new(Door::tls());
    assert_eq!(server.bind(name, PASSWORD).code, ResultCode::Success);
    let directory = Arc::clone(&server.directory);
    assert_eq!(server.session.review(|| directory, Timestamp(server.clock)), None);
    assert!(!server.session.is_suspended());
    server
}

fn suspended(server: &mut Server) -> Option<SessionEnd> {
    server.session.identity().live.as_ref().unwrap().suspend();
    assert!(server.session.is_suspended());
    let directory = Arc::clone(&server.directory);
    server.session.review(|| directory, Timestamp(server.clock))
}

#[test]
fn what_bars_the_account_and_a_new_password_end_a_session_what_does_not_bear_on_it_does_not() {
    for (change, end) in [
        (replace(ANNA, "nsAccountLock", "true"), Some(SessionEnd::Barred(Ground::NsAccountLock))),
        (replace(ANNA, "pwdAccountLockedTime", "000001010000Z"), Some(SessionEnd::Barred(Ground::Locked))),
        (replace(ANNA, "pwdEndTime", "20200101000000Z"), Some(SessionEnd::Barred(Ground::EndTime))),
        (replace(ANNA, "userPassword", "{SSHA}x"), Some(SessionEnd::PasswordChanged)),
        (replace(ANNA, "sn", "Moreau-Ek"), None),
        (replace(ANNA, "pwdEndTime", "20990101000000Z"), None),
        (replace(BERT, "nsAccountLock", "true"), None),
    ] {
        let text = format!("{change:?}");
        let (server, found) = after(ANNA, change);
        assert_eq!(found, end, "{text}");
        assert_eq!(server.session.is_suspended(), end.is_some(), "{text}");
    }
}

#[test]
fn a_lock_that_ends_by_itself_keeps_who_is_logged_in() {
    let mut server = logged_in(ANNA);
    let name = format!("cn=default,ou=passwords,ou=policies,{}", super::harness::SUFFIX);
    server.add(&format!("ou=policies,{}", super::harness::SUFFIX), &[("objectClass", &["organizationalUnit"])]);
    server.add(&format!("ou=passwords,ou=policies,{}", super::harness::SUFFIX), &[("objectClass", &["organizationalUnit"])]);
    let classes = &["organizationalRole", "pwdPolicy"];
    server.add(&name, &[("objectClass", classes), ("pwdAttribute", &["userPassword"]), ("pwdLockoutDuration", &["900"])]);
    let now = String::from_utf8(Timestamp(server.clock).to_generalized_time().into()).unwrap();
    server.change_past_sessions(replace(ANNA, "pwdAccountLockedTime", &now));
    assert_eq!(suspended(&mut server), None);
}

#[test]
fn a_password_that_is_hashed_anew_is_the_same() {
    // BERT's is stored in an old scheme until this login.
    let mut server = logged_in(BERT);
    assert_eq!(suspended(&mut server), None);
}

#[test]
fn who_changes_the_own_password_stays_and_the_end_is_recorded_once() {
    let mut server = logged_in(ANNA);
    let live = server.session.identity().live.clone().unwrap();
    let before = PasswordVersion::of(&server.directory, live.account).unwrap();
    server.change_past_sessions(replace(ANNA, "userPassword", "{SSHA}x"));
    live.expect_password(before, &server.directory);
    live.adopt_password();
    assert_eq!(suspended(&mut server), None);
    let end = server.session.gone(SessionEnd::ClientClosed).unwrap();
    let crate::operation::ProposedOperation::Note(record) = end.operation else { panic!("a note") };
    assert_eq!((record.reason, record.actor.map(|actor| actor.dn)), (Some("closed by the client"), Some(ANNA.to_owned())));
    assert!(server.session.gone(SessionEnd::ClientClosed).is_none());
    assert!(Server::new(Door::tls()).session.gone(SessionEnd::Idle).is_none(), "nobody was logged in");
}

#[test]
fn own_passwords_that_never_became_durable_change_nothing() {
    let mut server = logged_in(ANNA);
    let live = server.session.identity().live.clone().unwrap();
    let durable = Arc::clone(&server.directory);
    let before = PasswordVersion::of(&durable, live.account).unwrap();
    for password in ["{SSHA}x", "{SSHA}y"] {
        server.change_past_sessions(replace(ANNA, "userPassword", password));
        live.expect_password(before, &server.directory);
        assert_eq!(suspended(&mut server), None, "what it asks for in the same group is its own");
        server.directory = Arc::clone(&durable);
        assert_eq!(suspended(&mut server), None);
    }
    server.change_past_sessions(replace(ANNA, "userPassword", "{SSHA}z"));
    assert_eq!(suspended(&mut server), Some(SessionEnd::PasswordChanged), "somebody else set it");
}

#[test]
fn a_change_that_is_decided_after_the_account_was_disabled_is_nobody_s_and_recorded_as_the_account_s() {
    let mut server = logged_in(ADMIN);
    let proposal = server.proposal_of(replace(BERT, "sn", "Ek"));
    server.change_past_sessions(replace(ADMIN, "nsAccountLock", "true"));
    let mut proposal = proposal;
    let revoked = crate::operation::revoked::take_rights(&server.directory, &mut proposal).unwrap();
    let decision = revoked.mark(crate::operation::decide(&server.directory, &proposal, 0));
    assert_eq!(result(&decision.reply).code, ResultCode::StrongerAuthRequired);
    assert!(decision.changes.is_empty());
    let record = decision.record;
    assert_eq!((record.actor.unwrap().dn, record.reason), (ADMIN.to_owned(), Some("account disabled (nsAccountLock)")));
}
