//! Two logins with one code, and what became of an account between the two halves of a login.

use super::harness::{As, Server};
use crate::model::{Secret, Timestamp};
use crate::operation::{Authority, ProposedOperation, otp};
use crate::policy::otp::{Parameters, Token};

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const SECRET: &str = "12345678901234567890";

fn enrolled() -> Server {
    let mut server = Server::new();
    let token = format!(
        "add: objectClass\nobjectClass: oathTOTPUser\nobjectClass: oathTOTPToken\n-\nadd: oathTOTPToken\noathTOTPToken: {ANNA}\n-\n\
         add: oathSecret\noathSecret: {SECRET}"
    );
    assert_eq!(server.modify(&token), "0");
    assert_eq!(
        server.change("dn: cn=rule,dc=mercy,dc=example\nchangetype: add\nobjectClass: bindRule\nbindEffect: require-factor\n"),
        "0"
    );
    server.who = As::Anonymous;
    server
}

/// The time step of the next operation.
fn step(server: &Server) -> u64 {
    u64::try_from(server.now.0 / 30_000_000).unwrap()
}

fn with_code(server: &Server) -> String {
    let token = Token::new(&Secret::from(SECRET.as_bytes()), &Parameters::default()).unwrap();
    format!("anna knows it{}", token.code(step(server)))
}

#[test]
fn of_two_racing_logins_with_one_code_one_succeeds() {
    let mut server = enrolled();
    let (taken, password) = (step(&server), with_code(&server));
    let (first, second) = (server.begin_bind(ANNA, &password), server.begin_bind(ANNA, &password));
    assert_eq!(server.propose(ProposedOperation::Bind(first), Authority::Session), "0");
    assert_eq!(server.propose(ProposedOperation::Bind(second), Authority::Session), "49");
    assert_eq!(server.record.as_ref().and_then(|record| record.reason), Some("one-time code used before"));
    assert_eq!(server.directory.account_state(server.find(ANNA).unwrap()).one_time_step, Some(taken));
}

#[test]
fn a_code_that_was_asked_for_is_judged_though_no_rule_asks_any_more() {
    let mut server = enrolled();
    let password = with_code(&server);
    let (whole, alone) = (server.begin_bind(ANNA, &password), server.begin_bind(ANNA, "anna knows it"));
    server.who = As::Admin;
    server.factors = vec!["ldapi"];
    assert_eq!(server.change("dn: cn=rule,dc=mercy,dc=example\nchangetype: delete\n"), "0");
    server.who = As::Anonymous;
    assert_eq!(server.propose(ProposedOperation::Bind(alone), Authority::Session), "49", "never two readings");
    assert_eq!(server.propose(ProposedOperation::Bind(whole), Authority::Session), "0");
}

#[test]
fn parameters_are_read_and_a_secret_that_is_too_old_makes_no_codes() {
    let mut server = Server::new();
    let parameters = "\
dn: cn=parameters,dc=mercy,dc=example
changetype: add
objectClass: applicationProcess
objectClass: oathTOTPParams
oathOTPLength: 8
oathHMACAlgorithm: 1.2.840.113549.2.9
oathTOTPTimeStepPeriod: 60
oathSecretMaxAge: 3600
";
    assert_eq!(server.change(parameters), "0");
    let token = format!(
        "add: objectClass\nobjectClass: oathTOTPUser\nobjectClass: oathTOTPToken\n-\nadd: oathTOTPToken\noathTOTPToken: {ANNA}\n-\n\
         add: oathSecret\noathSecret: {SECRET}\n-\nadd: oathSecretTime\noathSecretTime: 20261118000000Z\n-\n\
         add: oathTOTPParams\noathTOTPParams: cn=parameters,dc=mercy,dc=example"
    );
    assert_eq!(server.modify(&token), "0");
    let anna = server.find(ANNA).unwrap();
    let end = Timestamp::from_generalized_time(b"20261118010000Z").unwrap();
    let found = otp::of_account(&server.directory, anna, Timestamp(end.0 - 1)).unwrap();
    assert_eq!((found.entry, found.token.digits(), found.last), (anna, 8, None));
    assert!(otp::of_account(&server.directory, anna, end).is_none());
    // An account that names itself goes like any other.
    assert_eq!(server.change(&format!("dn: {ANNA}\nchangetype: delete\n")), "0");
}
