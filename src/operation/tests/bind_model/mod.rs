//! Random lives of a few accounts (policies, attributes that bar or end them, rules, one-time codes, logins from here and there, moves of the
//! clock) against a plain reference: each answer, its control, and what it leaves behind must be the same.
//!
//! `BINDERY_BIND_LIVES=N` plays more of them, `BINDERY_BIND_SEED=S` the one with that seed, telling each step.

mod life;
mod reference;

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use self::life::{Life, Step};
use self::reference::{Account, Answer, Attempt, Lock, decide};
use super::harness::{As, Server};
use crate::model::{Secret, Timestamp};
use crate::operation::bind;
use crate::operation::{Authority, Context, Decision, Identity, ListenerKind, Peer, TlsFacts};
use crate::policy::otp::{Parameters, Token};
use crate::protocol::{Authentication, BindRequest, Reply, oid};

/// Lives that `cargo test` plays.
const LIVES: u64 = 200;
const SECRET: &str = "12345678901234567890";

#[test]
fn the_decision_about_a_login_is_the_one_that_is_written() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = number("BINDERY_BIND_SEED") {
        return play(seed, true).unwrap_or_else(|difference| panic!("{difference}"));
    }
    let lives = number("BINDERY_BIND_LIVES").unwrap_or(LIVES);
    let mut differences: Vec<String> = (1..=lives).filter_map(|seed| play(seed, false).err()).collect();
    differences.sort_by_key(String::len);
    // The shortest are the plainest.
    let shown: Vec<&str> = differences.iter().take(4).map(String::as_str).collect();
    assert!(differences.is_empty(), "{} of {lives} lives differ:\n{}", differences.len(), shown.join("\n\n"));
}

/// What was met in lives that were played: a test of the test.
#[test]
fn lives_meet_what_they_are_for() {
    let mut codes = [0_u32; 4];
    let (mut locked, mut controls) = (0, std::collections::BTreeSet::new());
    for seed in 1..=40 {
        let mut life = Life::new(seed, &code_of);
        while let Some(step) = life.next() {
            let Step::Login(attempt) = step else { continue };
            let answer = decide(&mut life.world, &attempt);
            codes[match answer.code {
                0 => 0,
                13 => 1,
                49 => 2,
                _ => 3,
            }] += 1;
            controls.extend(answer.control.map(|control| control[..control.len().min(10)].to_owned()));
            locked += u32::from(matches!(life.world.accounts[attempt.account].said.lock, Some(Lock::OfFailures(_))));
        }
    }
    let enough = codes[0] > 120 && codes[1] > 20 && codes[2] > 200 && codes[3] == 0 && locked > 20 && controls.len() > 2;
    assert!(enough, "{codes:?} {locked} {controls:?}");
}

fn code_of(step: i64) -> String {
    let token = Token::new(&Secret::from(SECRET.as_bytes()), &Parameters::default()).unwrap();
    token.code(u64::try_from(step).unwrap())
}

/// Plays a life; how it differs from what it should be.
fn play(seed: u64, aloud: bool) -> Result<(), String> {
    let mut life = Life::new(seed, &code_of);
    let mut server = Server::new();
    server.now = Timestamp(life.start - 100 * reference::SECOND);
    server.import(&life.ldif());
    let mut told = String::new();
    while let Some(step) = life.next() {
        let _ = writeln!(told, "{} {step:?}", Timestamp(life.now).to_rfc3339());
        let (expected, found, account) = match &step {
            Step::Login(attempt) => {
                let found = log_in(&mut server, &life.world.accounts[attempt.account].dn.clone(), attempt);
                (decide(&mut life.world, attempt), found, attempt.account)
            }
            Step::Change(account, ldif) => {
                (server.who, server.factors) = (As::Admin, vec!["ldapi"]);
                server.now = Timestamp(life.now - reference::SECOND);
                let answer = server.change(ldif);
                let code = answer.split(' ').next().unwrap().parse().unwrap();
                (Answer { code: 0, control: None }, Answer { code, control: None }, *account)
            }
        };
        let _ = writeln!(told, "  => {found:?}");
        let account = &life.world.accounts[account];
        let (left, should) = (left_behind(&mut server, &account.dn), should_be_left(account));
        if expected != found || left != should {
            // What happened to others does not matter.
            let own = told.lines().collect::<Vec<_>>();
            let last = own[own.len().saturating_sub(12)..].join("\n");
            return Err(format!(
                "a life with {:?}\nof {account:?}\n{:?}\n{last}\nexpected {expected:?}, found {found:?}\nshould be left:\n{should}is \
                 left:\n{left}replay: BINDERY_BIND_SEED={seed} cargo test --lib bind_model",
                life.world.policy, life.world.rules
            ));
        }
    }
    if aloud {
        #[allow(clippy::print_stdout)]
        {
            println!("{:#?}\n{:#?}\n{told}", life.world.policy, life.world.rules);
        }
    }
    Ok(())
}

/// The login as the server does it, and what it changes.
fn log_in(server: &mut Server, dn: &str, attempt: &Attempt) -> Answer {
    let listener = match attempt.listener {
        "ldap" => ListenerKind::Ldap,
        "ldaps" => ListenerKind::Ldaps,
        _ => ListenerKind::Ldapi,
    };
    let text = attempt.from.map_or_else(|| "ldapi".to_owned(), |address| format!("{address}:1"));
    let peer = Peer { text, address: attempt.from, listener, ldapi_identity: attempt.local.then(|| dn.to_owned()) };
    let tls = |version: &str| TlsFacts { version: format!("TLSv{version}"), suite: String::new(), certificate: None };
    server.who = As::Anonymous;
    let mut context = Context {
        now: Timestamp(attempt.now),
        peer: Arc::new(peer),
        tls: attempt.tls.map(|version| Arc::new(tls(version))),
        identity: Identity::default(),
        ..server.context(Authority::Session)
    };
    context.attached.password_policy = true;
    let (name, authentication) = match &attempt.given {
        Some(given) => (Bytes::copy_from_slice(dn.as_bytes()), Authentication::Simple(Secret::from(given.as_bytes()))),
        None => (Bytes::new(), Authentication::Sasl { mechanism: "EXTERNAL".to_owned(), credentials: None }),
    };
    let request = BindRequest { version: 3, name, authentication };
    let pending = match bind::begin(&server.directory, &context, request, &[]) {
        bind::Step::Verify(job, pending) => {
            let answers = server.hash(&[*job]);
            pending.with_answers(answers)
        }
        bind::Step::Commit(pending) => pending,
    };
    let Decision { reply, changes, record, .. } = bind::finish(&server.directory, &context, &pending);
    let mut next = (*server.directory).clone();
    changes.iter().for_each(|change| next.apply(change).unwrap());
    server.directory = Arc::new(next);
    let Reply::Result { result, controls, .. } = reply else { panic!("not a result") };
    assert_eq!(record.reason.is_some(), result.code.number() != 0);
    assert!(result.code.number() != 49 || result.diagnostic.is_empty() && controls.is_empty());
    let control = controls.iter().find(|control| control.oid == oid::PASSWORD_POLICY && attempt.given.is_some());
    let hex = |value: &Bytes| value.iter().map(|octet| format!("{octet:02x}")).collect();
    Answer { code: u16::try_from(result.code.number()).unwrap(), control: control.map(|it| hex(it.value.as_ref().unwrap())) }
}

/// What of it a client can read.
fn left_behind(server: &mut Server, dn: &str) -> String {
    (server.who, server.factors) = (As::Admin, vec!["ldapi"]);
    server.read(dn, &["pwdFailureTime", "pwdAccountLockedTime", "pwdLastSuccess", "pwdGraceUseTime"])
}

fn should_be_left(account: &Account) -> String {
    let time = |time: i64| Timestamp(time).to_generalized_time_micros();
    let mut lines: Vec<String> = account.failures.iter().map(|failure| format!("pwdFailureTime: {}\n", time(*failure))).collect();
    lines.extend(account.grace.iter().map(|grace| format!("pwdGraceUseTime: {}\n", time(*grace))));
    lines.extend(account.last_login.map(|last| format!("pwdLastSuccess: {}\n", time(last))));
    lines.extend(account.said.lock.map(|lock| match lock {
        Lock::ForGood => "pwdAccountLockedTime: 000001010000Z\n".to_owned(),
        Lock::Since(since) | Lock::OfFailures(since) => format!("pwdAccountLockedTime: {}\n", time(since)),
    }));
    lines.sort();
    lines.concat()
}
