//! Logins that are remembered: what they save, what ends them, and that no refusal ever takes the short way. Argon2 runs are counted.

use super::harness::*;
use crate::journal::RecordKind;
use crate::model::{ResultCode, Secret};
use crate::operation::RememberedLoginSettings;
use crate::protocol::{MessageId, Reply, Request, oid};

const WARD: &str = "ou=ward,dc=hospital,dc=example";
const EMMA: &str = "uid=emma,ou=ward,dc=hospital,dc=example";
const NURSES: &str = "cn=nurses,dc=hospital,dc=example";
/// Emma is in it.
const STAFF: &str = "cn=staff,dc=hospital,dc=example";

/// A server that remembers logins, with an account below an entry that can be renamed, and a group.
fn server() -> Server {
    let mut door = Door::tls();
    door.settings.remembered_logins = Some(RememberedLoginSettings { key: Secret::new(vec![3; 32]), seconds: 300 });
    let mut server = Server::new(door);
    server.add(WARD, &[("objectClass", &["organizationalUnit"])]);
    server.add(EMMA, &person("emma"));
    server.add(STAFF, &[("objectClass", &["groupOfNames"]), ("member", &[ADMIN, EMMA])]);
    server.add(NURSES, &[("objectClass", &["groupOfNames"]), ("member", &[ADMIN])]);
    server
}

fn person(uid: &'static str) -> Vec<(&'static str, &'static [&'static str])> {
    let mail: &'static [&'static str] = if uid == "emma" { &["emma@hospital.example"] } else { &["x@hospital.example"] };
    vec![("objectClass", &["inetOrgPerson"]), ("cn", &["P"]), ("sn", &["P"]), ("mail", mail), ("userPassword", &[PASSWORD])]
}

/// The code of a bind and the Argon2 runs it cost. It leaves exactly one record.
fn cost(server: &mut Server, name: &str, password: &str) -> (u32, u64) {
    let (runs, records) = (server.argon2_runs(), server.records.len());
    let code = server.bind(name, password).code;
    let record = server.records.last().expect("every bind is recorded");
    assert_eq!((server.records.len(), record.kind, record.result), (records + 1, RecordKind::Bind, code));
    (code.number(), server.argon2_runs() - runs)
}

fn as_admin(server: &mut Server, request: Request) {
    assert_eq!(server.bind(ADMIN, PASSWORD).code, ResultCode::Success);
    let reply = server.ask(request);
    assert_eq!(result(&reply).code, ResultCode::Success, "{reply:?}");
}

#[test]
fn the_same_login_again_costs_no_run_and_is_recorded_and_lets_in_all_the_same() {
    let mut server = server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    let first = server.directory.account_state(server.id_of(EMMA)).last_login;
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 0));
    assert_eq!(server.who_am_i(), format!("dn:{EMMA}"));
    assert!(server.directory.account_state(server.id_of(EMMA)).last_login > first, "login times go on");
    assert_eq!(cost(&mut server, &EMMA.to_uppercase(), PASSWORD), (0, 0), "however the name is spelled");
    let plain = sasl("PLAIN", Some(format!("\0emma\0{PASSWORD}").as_bytes()));
    let runs = server.argon2_runs();
    assert_eq!(result(&server.ask(plain)).code, ResultCode::Success);
    assert_eq!(server.argon2_runs(), runs);
}

#[test]
fn every_refusal_costs_a_run_whoever_is_remembered() {
    let mut server = server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    for (name, password) in
        [(EMMA, "wrong"), (EMMA, "correct horse "), (CARL, PASSWORD), ("uid=zork,dc=hospital,dc=example", PASSWORD)]
    {
        assert_eq!(cost(&mut server, name, password), (49, 1), "{name} {password}");
        assert_eq!(cost(&mut server, name, password), (49, 1), "{name} {password}, again");
        assert_eq!(server.who_am_i(), "");
    }
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (49, 1), "too soon after wrong ones, remembered or not");
    server.clock += 1_000_000;
    // Somebody else's password, remembered for that account alone.
    assert_eq!(cost(&mut server, ANNA, PASSWORD), (0, 1));
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 0), "a wrong try ends nothing");
}

#[test]
fn any_change_to_the_account_ends_it() {
    let change = |operation| {
        move |attribute: &str, value: &str| {
            let Request::Modify { name, mut changes } = replace(EMMA, attribute, value) else { unreachable!() };
            changes[0].operation = operation;
            Request::Modify { name, changes }
        }
    };
    use crate::model::ModificationOperation::{Add, Delete, Replace};
    let rename = |name: &str, to: &str, superior: Option<&str>| Request::ModifyDn {
        name: bytes::Bytes::copy_from_slice(name.as_bytes()),
        new_rdn: bytes::Bytes::copy_from_slice(to.as_bytes()),
        delete_old_rdn: true,
        new_superior: superior.map(|it| bytes::Bytes::copy_from_slice(it.as_bytes())),
    };
    let in_group = |group: &str, operation| {
        let Request::Modify { name, mut changes } = replace(group, "member", EMMA) else { unreachable!() };
        changes[0].operation = operation;
        Request::Modify { name, changes }
    };
    let moved = format!("uid=emma,{SUFFIX}");
    let renamed = format!("uid=emma,ou=station,{SUFFIX}");
    let changes: Vec<(&str, Vec<Request>, &str, &str)> = vec![
        ("a description", vec![change(Replace)("description", "nurse")], EMMA, PASSWORD),
        ("another password", vec![change(Replace)("userPassword", "another one of them")], EMMA, "another one of them"),
        ("the same password, stored anew", vec![change(Replace)("userPassword", PASSWORD)], EMMA, PASSWORD),
        ("a second password", vec![change(Add)("userPassword", "a second one of them")], EMMA, PASSWORD),
        (
            "locked and unlocked",
            vec![change(Add)("pwdAccountLockedTime", "000001010000Z"), change(Delete)("pwdAccountLockedTime", "000001010000Z")],
            EMMA,
            PASSWORD,
        ),
        ("another name", vec![rename(EMMA, "uid=emily", None)], "uid=emily,ou=ward,dc=hospital,dc=example", PASSWORD),
        ("another place", vec![rename(EMMA, "uid=emma", Some(SUFFIX))], &moved, PASSWORD),
        ("another name of what it is below", vec![rename(WARD, "ou=station", None)], &renamed, PASSWORD),
        ("a group more", vec![in_group(NURSES, Add)], EMMA, PASSWORD),
        ("a group less", vec![in_group(STAFF, Delete)], EMMA, PASSWORD),
    ];
    for (what, requests, name, password) in changes {
        let mut server = server();
        assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
        assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 0));
        for request in requests {
            as_admin(&mut server, request);
        }
        let (code, runs) = cost(&mut server, name, password);
        assert!(code == 0 && runs >= 1, "{what}: {code}, {runs} runs");
        assert_eq!(cost(&mut server, name, password), (0, 0), "{what}: remembered anew");
    }
}

#[test]
fn a_password_that_is_no_longer_stored_ends_with_the_change() {
    let mut server = server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    as_admin(&mut server, replace(EMMA, "userPassword", "another one of them"));
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (49, 1));
    as_admin(&mut server, Request::Delete { name: bytes::Bytes::from_static(EMMA.as_bytes()) });
    assert_eq!(cost(&mut server, EMMA, "another one of them"), (49, 1));
    // Who comes after an account under its name is somebody else.
    let mut server = self::server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    as_admin(&mut server, Request::Delete { name: bytes::Bytes::from_static(EMMA.as_bytes()) });
    server.add(EMMA, &person("x"));
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
}

#[test]
fn own_password_changes_end_it() {
    let mut server = server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    let value = crate::protocol::ber::encode(|writer| {
        writer.sequence(|parts| parts.element(crate::protocol::ber::Tag::context(2), b"a new pass phrase"));
    });
    assert_eq!(result(&server.ask(extended(oid::PASSWORD_MODIFY, Some(&value)))).code, ResultCode::Success);
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (49, 1));
    assert_eq!(cost(&mut server, EMMA, "a new pass phrase"), (0, 1));
}

#[test]
fn login_times_and_a_rehash_do_not_end_it() {
    let mut server = server();
    let before = server.id_of(BERT);
    assert_eq!(cost(&mut server, BERT, PASSWORD), (0, 1), "of an old scheme: rewritten now");
    assert_eq!(server.records.last().unwrap().changes.len(), 1);
    assert_eq!(cost(&mut server, BERT, PASSWORD), (0, 0));
    assert_eq!(cost(&mut server, BERT, PASSWORD), (0, 0));
    assert_eq!(server.id_of(BERT), before);
}

#[test]
fn a_locked_account_takes_the_long_way() {
    let mut server = server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    as_admin(&mut server, replace(EMMA, "pwdAccountLockedTime", "000001010000Z"));
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (49, 1));
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (49, 1));
}

#[test]
fn a_login_that_is_refused_after_it_was_recalled_takes_as_long_as_any_other_refusal() {
    // The account is locked, or its password goes, between the look at what is remembered and the decision.
    let races: [fn(&mut Server); 2] = [Server::lock_emma, |server| server.without_password(EMMA)];
    for race in races {
        let mut server = server();
        assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
        let (runs, records) = (server.argon2_runs(), server.records.len());
        let id = server.send(simple(EMMA, PASSWORD));
        race(&mut server);
        assert!(server.work(), "the decision");
        assert_eq!((server.records.len(), server.argon2_runs()), (records + 1, runs), "it is recorded");
        assert_eq!(server.records.last().unwrap().result, ResultCode::InvalidCredentials);
        assert!(server.replies_to(id).is_empty(), "and not told yet");
        assert_eq!(server.who_am_i_now(), None, "nothing else is taken meanwhile");
        server.settle();
        let told: Vec<_> = server.replies_to(id).iter().map(|reply| result(reply).code).collect();
        assert_eq!((told, server.argon2_runs()), (vec![ResultCode::InvalidCredentials], runs + 1));
        assert_eq!(server.who_am_i(), "");
    }
}

#[test]
fn a_recalled_login_that_cannot_be_recorded_takes_the_long_way_too() {
    let mut server = server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    server.broken = true;
    let runs = server.argon2_runs();
    assert_eq!(server.bind(EMMA, PASSWORD).code, ResultCode::Unavailable);
    assert_eq!(server.argon2_runs(), runs + 1, "52 says nothing of the password");
    assert_eq!(server.bind(EMMA, "wrong").code, ResultCode::Unavailable);
    assert_eq!(server.argon2_runs(), runs + 2);
}

#[test]
fn it_ends_by_itself_and_use_does_not_prolong_it() {
    let mut server = server();
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
    server.clock += REMEMBERED / 2;
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 0));
    server.clock += REMEMBERED / 2;
    assert_eq!(cost(&mut server, EMMA, PASSWORD), (0, 1));
}

#[test]
fn where_it_is_switched_off_every_login_costs_a_run() {
    let mut server = Server::new(Door::tls());
    for _ in 0..3 {
        assert_eq!(cost(&mut server, ANNA, PASSWORD), (0, 1));
    }
}

impl Server {
    fn lock_emma(&mut self) {
        self.change_past_sessions(replace(EMMA, "pwdAccountLockedTime", "000001010000Z"));
    }

    /// Who am I? sent while a bind is under way is refused with 51.
    fn who_am_i_now(&mut self) -> Option<String> {
        let id: MessageId = self.send(extended(oid::WHO_AM_I, None));
        match self.replies_to(id).pop() {
            Some(Reply::Result { result, extended_value: Some(value), .. }) if result.code == ResultCode::Success => {
                Some(String::from_utf8(value.to_vec()).unwrap())
            }
            _ => None,
        }
    }
}
