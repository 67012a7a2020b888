//! People who enrol their own one-time codes.

use super::harness::{As, Server};
use crate::model::{ResultCode, Secret};
use crate::operation::enrolment;
use crate::operation::otp;
use crate::operation::{Authority, Decision, Proposal, ProposedOperation, decide};
use crate::policy::otp::{Parameters, Token};
use crate::protocol::Reply;
use crate::protocol::ber::{self, Reader, Tag};
use std::sync::Arc;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";

/// Asks for a step; the code, the reason and the answer.
fn ask(server: &mut Server, parts: &[(u8, &[u8])]) -> (u32, Option<&'static str>, Vec<u8>) {
    let value = ber::encode(|writer| {
        writer.sequence(|writer| parts.iter().for_each(|(number, part)| writer.element(Tag::context(*number), part)));
    });
    let context = server.context(Authority::Session);
    let (request, jobs) = enrolment::begin(&server.directory, &context, Some(&Secret::from(&*value)));
    let request = request.with_answers(server.hash(&jobs));
    let proposal = Proposal { context, operation: ProposedOperation::OtpEnrolment(request) };
    let Decision { reply, changes, record, .. } = decide(&server.directory, &proposal, 0);
    let mut next = (*server.directory).clone();
    changes.iter().for_each(|change| next.apply(change).unwrap());
    server.directory = Arc::new(next);
    let Reply::Result { result, extended_value, .. } = reply else { panic!("no result") };
    assert_eq!(record.result, result.code);
    (result.code.number(), record.reason, extended_value.map(|value| value.to_vec()).unwrap_or_default())
}

/// The secret's codes, and the ticket.
fn begun(answer: &[u8]) -> (Token, Vec<u8>) {
    let mut parts = Reader::new(answer).sequence().unwrap();
    let uri = std::str::from_utf8(parts.expect(Tag::context(0)).unwrap()).unwrap().to_owned();
    let ticket = parts.expect(Tag::context(1)).unwrap().to_vec();
    let (_, rest) = uri.split_once("secret=").unwrap();
    let secret = rest.split('&').next().unwrap();
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    (Token::new(&Secret::from(secret.as_bytes()), &Parameters::default()).unwrap(), ticket)
}

fn step(server: &Server) -> u64 {
    u64::try_from(server.now.0 / 30_000_000).unwrap()
}

fn of_anna(server: &Server) -> Option<otp::Enrolled> {
    otp::of_account(&server.directory, server.find(ANNA).unwrap(), server.now)
}

#[test]
fn the_first_factor_needs_the_password_and_counts_once_a_code_confirms_it() {
    let mut server = Server::new().as_(As::Anna);
    server.factors = vec!["password"];
    assert_eq!(ask(&mut server, &[]), (49, Some("no password"), Vec::new()));
    assert_eq!(ask(&mut server, &[(0, b"a guess")]).1, Some("wrong password"));
    let (code, _, answer) = ask(&mut server, &[(0, b"anna knows it")]);
    assert_eq!(code, 0);
    let (token, ticket) = begun(&answer);
    assert!(of_anna(&server).is_none(), "nothing counts before it is confirmed");
    assert_eq!(ask(&mut server, &[(1, b"000000"), (2, &ticket)]).1, Some("wrong one-time code"));
    server.now.0 += 60_000_000;
    let mut other = ticket.clone();
    other[3] ^= 1;
    let right = token.code(step(&server));
    assert_eq!(ask(&mut server, &[(1, right.as_bytes()), (2, &other)]).0, ResultCode::UnwillingToPerform.number());
    let (code, _, answer) = ask(&mut server, &[(1, right.as_bytes()), (2, &ticket)]);
    assert_eq!(code, 0);
    let mut recovery = Reader::new(&answer).sequence().unwrap().constructed(Tag::context_constructed(2)).unwrap();
    let first = recovery.octet_string().unwrap().to_vec();
    let enrolled = of_anna(&server).unwrap();
    assert_eq!(enrolled.last, Some(step(&server)), "the code that confirmed it logs nobody in");
    assert_eq!(server.directory.account_state(enrolled.entry).failed.as_deref().map(|failed| failed.in_a_row), Some(2));
    assert_eq!(ask(&mut server, &[(1, right.as_bytes()), (2, &ticket)]).0, 53, "a ticket is good once");

    // The next factor asks for this one: the password alone does not do, a recovery code does, and a session that has it.
    assert_eq!(ask(&mut server, &[(0, b"anna knows it")]).1, Some("one-time code missing"));
    assert_eq!(ask(&mut server, &[(1, right.as_bytes())]).1, Some("one-time code used before"));
    let (code, _, answer) = ask(&mut server, &[(1, &first)]);
    assert_eq!(code, 0);
    assert_eq!(ask(&mut server, &[(1, &first)]).0, 49, "once");
    server.now.0 += 60_000_000;
    let (token, ticket) = begun(&answer);
    let right = token.code(step(&server));
    assert_eq!(ask(&mut server, &[(1, right.as_bytes()), (2, &ticket)]).0, 0);
    server.factors = vec!["password", "otp"];
    assert_eq!(ask(&mut server, &[]).0, 0);
}

#[test]
fn a_ticket_is_good_for_ten_minutes_and_for_the_account_as_it_stands() {
    let mut server = Server::new().as_(As::Anna);
    server.factors = vec!["password"];
    let (_, _, answer) = ask(&mut server, &[(0, b"anna knows it")]);
    let (token, ticket) = begun(&answer);
    server.who = As::Bert;
    let with = |server: &Server| token.code(step(server));
    let code = with(&server);
    assert_eq!(ask(&mut server, &[(1, code.as_bytes()), (2, &ticket)]).0, 53, "somebody else's");
    server.who = As::Anna;
    server.now.0 += 598_000_000;
    let code = with(&server);
    assert_eq!(ask(&mut server, &[(1, code.as_bytes()), (2, &ticket)]).0, 53, "too late");
    let (_, _, answer) = ask(&mut server, &[(0, b"anna knows it")]);
    let (token, ticket) = begun(&answer);
    (server.who, server.factors) = (As::Admin, vec!["ldapi"]);
    assert_eq!(server.modify("replace: title\ntitle: Matron"), "0");
    (server.who, server.factors) = (As::Anna, vec!["password"]);
    let code = token.code(step(&server));
    assert_eq!(ask(&mut server, &[(1, code.as_bytes()), (2, &ticket)]).0, 53, "the account is another one by now");
}

#[test]
fn who_may_not_enrol() {
    let mut server = Server::new().as_(As::Anonymous);
    assert_eq!(ask(&mut server, &[]).0, 8);
    server.who = As::Anna;
    server.factors = vec!["app-password"];
    assert_eq!(ask(&mut server, &[(0, b"anna knows it")]).0, 50);
    server.factors = vec!["password"];
    server.confidential = false;
    assert_eq!(ask(&mut server, &[(0, b"anna knows it")]).0, 13);
    // An administrator's password alone must not become a second factor.
    server.confidential = true;
    server.who = As::Admin;
    server.factors = vec!["ldapi"];
    assert_eq!(
        server.change("dn: cn=rule,dc=mercy,dc=example\nchangetype: add\nobjectClass: bindRule\nbindEffect: allow\n"),
        "0"
    );
    server.factors = vec!["password"];
    assert_eq!(ask(&mut server, &[(0, b"administrators know it")]).0, 8);
    server.factors = vec!["password", "certificate"];
    assert_eq!(ask(&mut server, &[(0, b"administrators know it")]).0, 0);
}
