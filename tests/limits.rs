//! Limits that hold over connections, against the real program: what one address and one account may have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD};
use ldap3_proto::proto::LdapResultCode;

/// An installation with these lines below `[limits]`.
fn limited(limits: &str) -> Installation {
    let installation = Installation::new();
    let file = installation.configuration();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[limits]\n", &format!("[limits]\n{limits}\n"))).unwrap();
    installation
}

fn log_in(address: &str) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    client
}

#[test]
fn one_address_may_have_so_many_connections_and_those_that_say_nothing_make_room() {
    let installation = limited("connections-per-address = 3");
    let server = installation.serve();
    let silent = Client::connect(&server.ldap()).unwrap();
    let open: Vec<Client> = (0..3).map(|_| log_in(&server.ldap())).collect();
    assert!(silent.is_closed(), "the one that said nothing made room for the third");
    let mut fourth = Client::connect(&server.ldap()).unwrap();
    assert!(fourth.bind(ADMIN, PASSWORD).is_err(), "nobody says nothing any more");
    assert!(server.log().contains("as many connections are open from this address as may be"), "{}", server.log());
    drop(open);
    // The server notices in its own time that they are gone.
    while Client::connect(&server.ldap()).and_then(|mut client| client.bind(ADMIN, PASSWORD)).is_err() {
        std::thread::yield_now();
    }
}

#[test]
fn one_account_may_have_so_many_connections_and_the_journal_says_who_was_refused() {
    let installation = limited("connections-per-person = 2");
    let server = installation.serve();
    let (first, mut second) = (log_in(&server.ldap()), log_in(&server.ldap()));
    let mut third = Client::connect(&server.ldap()).unwrap();
    assert_eq!(third.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::AdminLimitExceeded);
    assert_eq!(third.bind(ADMIN, "wrong").unwrap(), LdapResultCode::InvalidCredentials, "only who may know is told");
    assert_eq!(second.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success, "logging in anew takes no further place");
    drop(first);
    while third.bind(ADMIN, PASSWORD).unwrap() != LdapResultCode::Success {
        std::thread::yield_now();
    }
    assert_eq!(server.stop(), Some(0));
    let journal = installation.succeed(&["journal", "export"]);
    assert!(journal.contains("\"reason\":\"too many sessions of the account\",\"result\":11"), "{journal}");
}

#[test]
fn after_too_many_refused_binds_further_ones_wait_and_everything_else_goes_on() {
    let installation = limited("failed-binds-per-second = 1");
    let server = installation.serve();
    let mut known = log_in(&server.ldap());
    let mut guesser = Client::connect(&server.ldap()).unwrap();
    for _ in 0..2 {
        assert_eq!(guesser.bind(ADMIN, "wrong").unwrap(), LdapResultCode::InvalidCredentials);
        assert!(known.read(ADMIN, &["1.1"]).unwrap().is_some());
    }
    let told = server.log().lines().filter(|line| line.contains("too many binds were refused from this address")).count();
    assert_eq!(told, 1, "one line for a burst: {}", server.log());
    assert_eq!(server.stop(), Some(0));
}
