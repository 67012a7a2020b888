//! Whose sessions a change makes look, and that they are woken by it: nobody waits for a clock.

use tokio::sync::mpsc;

use super::*;
use crate::model::{ResultCode, Value};
use crate::operation::SessionEnd;
use crate::operation::bind::bookkeeping;
use crate::session::tests::harness::{ADMIN, ANNA, BERT, Door, PASSWORD, SUFFIX, Server, replace};

/// A session in the registry, and what its connection is told.
struct Seat {
    presence: Presence,
    told: mpsc::Receiver<Completion>,
}

impl Seat {
    fn live(&self) -> &LiveSession {
        &self.presence.live
    }

    fn was_woken(&mut self) -> bool {
        let woken = matches!(self.told.try_recv(), Ok(Completion::Review));
        assert!(self.told.try_recv().is_err(), "once");
        woken
    }
}

fn live(name: &str, number: u64) -> Arc<LiveSession> {
    let mut server = Server::new(Door::tls());
    assert_eq!(server.bind(name, PASSWORD).code, ResultCode::Success);
    let live = server.session.identity().live.clone().unwrap();
    drop(server);
    let mut live = Arc::try_unwrap(live).unwrap();
    live.number = number;
    Arc::new(live)
}

fn seat(registry: &Arc<Registry>, name: &str, number: u64) -> Seat {
    let (waker, told) = mpsc::channel(4);
    Seat { presence: registry.enter(live(name, number), Some(waker)), told }
}

/// Who of Anna, Bert and the administrator is made to look by what is done.
fn made_to_look(act: impl FnOnce(&mut Server) -> Vec<Change>) -> Vec<&'static str> {
    let registry = Arc::<Registry>::default();
    let mut seats: Vec<Seat> = (1..).zip([ANNA, BERT, ADMIN]).map(|(number, name)| seat(&registry, name, number)).collect();
    let mut server = Server::new(Door::tls());
    let mut woken = Woken::default();
    let before = Arc::clone(&server.directory);
    let changes = act(&mut server);
    registry.suspend(&before, &server.directory, &changes, &mut woken);
    let suspended: Vec<bool> = seats.iter().map(|seat| seat.live().epoch() > 0).collect();
    assert!(seats.iter_mut().all(|seat| seat.told.try_recv().is_err()), "those who asked for it are answered first");
    woken.wake();
    assert_eq!(suspended, seats.iter_mut().map(Seat::was_woken).collect::<Vec<_>>(), "who is to look is woken");
    ["anna", "bert", "admin"].into_iter().zip(suspended).filter(|(_, is)| *is).map(|(name, _)| name).collect()
}

#[test]
fn a_change_makes_those_look_whom_it_bears_on() {
    assert_eq!(made_to_look(|server| server.change_past_sessions(replace(ANNA, "sn", "Ek"))), ["anna"]);
    let group = format!("cn=administrators,ou=roles,{SUFFIX}");
    assert_eq!(made_to_look(|server| server.change_past_sessions(replace(&group, "member", BERT))), ["bert", "admin"]);
    assert!(made_to_look(|server| server.change_past_sessions(replace(SUFFIX, "description", "x"))).is_empty());
}

#[test]
fn a_rule_makes_all_look_wherever_it_stands() {
    let everybody = ["anna", "bert", "admin"];
    let rule: &[(&str, &[&str])] = &[("objectClass", &["bindRule"]), ("bindEffect", &["deny"])];
    let name = format!("cn=rule,{SUFFIX}");
    assert_eq!(made_to_look(|server| server.add(&name, rule)), everybody);
    let folder: &[(&str, &[&str])] = &[("objectClass", &["organizationalUnit"])];
    let below = |server: &mut Server| {
        server.add(&format!("ou=policies,{SUFFIX}"), folder);
        server.add(&format!("ou=binds,ou=policies,{SUFFIX}"), folder)
    };
    assert_eq!(made_to_look(below), everybody);
}

#[test]
fn who_was_woken_and_has_not_looked_is_not_woken_again() {
    let registry = Arc::<Registry>::default();
    let mut anna = seat(&registry, ANNA, 1);
    let mut woken = Woken::default();
    let account = anna.live().account;
    for expected in [true, false] {
        registry.suspend_of(account, &mut woken);
        woken.wake();
        assert_eq!(anna.was_woken(), expected);
    }
    assert_eq!(anna.live().epoch(), 2, "each takes the standing");
    anna.live().looks();
    registry.suspend_of(account, &mut woken);
    woken.wake();
    assert!(anna.was_woken());
}

#[test]
fn many_are_woken_in_turns_and_all_of_them() {
    let (wakers, mut told): (VecDeque<_>, Vec<_>) = (0..300).map(|_| mpsc::channel(4)).unzip();
    let mut woken = Woken(wakers);
    let mut counts = Vec::new();
    while !woken.is_empty() {
        woken.wake();
        counts.push(told.iter_mut().filter_map(|told| told.try_recv().ok()).count());
    }
    assert_eq!(counts, [128, 128, 44]);
}

#[test]
fn a_session_is_found_listed_ended_and_gone() {
    let registry = Arc::<Registry>::default();
    assert!(registry.is_empty() && registry.find(1).is_none());
    let (mut first, mut second) = (seat(&registry, ANNA, 7), seat(&registry, ANNA, 3));
    let bert = seat(&registry, BERT, 5);
    let numbers = |registry: &Registry| registry.all().iter().map(|live| live.number).collect::<Vec<_>>();
    assert_eq!((registry.len(), numbers(&registry)), (3, vec![3, 5, 7]));
    assert_eq!(registry.find(5).unwrap().account, bert.live().account);
    let mut woken = Woken::default();
    registry.end(7, &mut woken);
    registry.end(8, &mut woken);
    woken.wake();
    assert!(first.was_woken() && !second.was_woken());
    let server = Server::new(Door::tls());
    let end = first.live().judge(&server.directory, crate::model::Timestamp(server.clock));
    assert_eq!(end, Err(crate::operation::SessionEnd::Administrator));
    drop(first);
    assert_eq!(numbers(&registry), [3, 5]);
    drop((second, bert));
    assert!(registry.is_empty() && registry.all().is_empty());
    assert!(registry.shards.iter().all(|shard| shard.lock().unwrap().is_empty()), "nothing is kept of accounts");
}

#[test]
fn a_password_that_is_hashed_anew_is_that_of_all_sessions_of_the_account() {
    let registry = Arc::<Registry>::default();
    let (anna, bert) = (seat(&registry, ANNA, 1), seat(&registry, BERT, 2));
    let mut server = Server::new(Door::tls());
    let before = PasswordVersion::of(&server.directory, anna.live().account).unwrap();
    for name in [ANNA, BERT] {
        server.change_past_sessions(replace(name, "userPassword", "{SSHA}x"));
    }
    let now = crate::model::Timestamp(server.clock);
    registry.expect_password(anna.live().account, before, &server.directory);
    registry.adopt_password(anna.live().account);
    assert!(anna.live().judge(&server.directory, now).is_ok());
    assert_eq!(bert.live().judge(&server.directory, now), Err(crate::operation::SessionEnd::PasswordChanged));
    // One that did not know the password before does not come back when the next one is hashed anew.
    let account = bert.live().account;
    let before = PasswordVersion::of(&server.directory, account).unwrap();
    server.change_past_sessions(replace(BERT, "userPassword", "{SSHA}y"));
    registry.expect_password(account, before, &server.directory);
    registry.adopt_password(account);
    assert_eq!(bert.live().judge(&server.directory, now), Err(crate::operation::SessionEnd::PasswordChanged));
}

#[test]
fn a_session_looks_when_the_application_changes_that_it_came_through() {
    let registry = Arc::<Registry>::default();
    let application = live(BERT, 2).account;
    let mut through = Arc::try_unwrap(live(ANNA, 1)).unwrap();
    through.applications = vec![application];
    let presence = registry.enter(Arc::new(through), None);
    registry.suspend_of(application, &mut Woken::default());
    assert_eq!(presence.live.epoch(), 1);
    assert_eq!((registry.all().len(), registry.len()), (1, 1), "it is told of once");
    drop(presence);
    assert!(registry.shards.iter().all(|shard| shard.lock().unwrap().is_empty()), "nothing of it is left");
}

#[test]
fn a_login_that_was_decided_beside_a_rehash_goes_on_though_it_comes_here_after_it() {
    let (registry, live) = (Arc::<Registry>::default(), live(ANNA, 1));
    let server = Server::new(Door::tls());
    let (account, mut after) = (live.account, (*server.directory).clone());
    let rehash = bookkeeping::rewritten(&after, account, |entry| {
        bookkeeping::set(&server.directory, entry, "userPassword", vec![Value::from("{ARGON2}of the same password".to_owned())]);
    });
    let before = PasswordVersion::of(&after, account).unwrap();
    after.apply(&rehash.unwrap()).unwrap();
    assert_eq!(live.judge(&after, live.since), Err(SessionEnd::PasswordChanged));
    registry.expect_password(account, before, &after);
    let presence = registry.enter(live, None);
    assert!(presence.live.judge(&after, presence.live.since).is_ok());
    assert!(presence.live.judge(&server.directory, presence.live.since).is_ok(), "what is published a moment longer");
}
