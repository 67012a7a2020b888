//! `bindery otp enrol` by the person whose codes they are: asked of the running server in two steps.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use super::super::installation::server_socket;
use super::super::{CommandError, Installation, output, password_file};
use super::{cannot, connect, print_recovery, print_uri};
use crate::model::Secret;
use crate::protocol::ber::{self, BerError, Reader, Tag};
use crate::protocol::oid;
use crate::wire::client::{ClientError, LocalClient};

/// How often a code may be typed.
const TRIES: u32 = 3;

pub(super) fn enrol(installation: &Installation, password: Option<&Path>) -> Result<ExitCode, CommandError> {
    let socket = server_socket(installation)?.map(|(socket, _)| socket);
    let absent =
        || cannot("no server runs, which people ask for codes of their own; with a UID an administrator enrols without one");
    let mut client = connect(&socket.ok_or_else(absent)?)?;
    let password = password.map(|file| password_file::read(Some(file))).transpose()?;
    let parts: Vec<(u8, &[u8])> = password.as_ref().map(|password| (0, password.expose())).into_iter().collect();
    let answer = ask(&mut client, &parts).map_err(|error| match error {
        ClientError::Refused { text, .. } if text == "the password is needed" => {
            cannot("the first one-time codes of an account need its password: --password-file FILE")
        }
        error => cannot(error),
    })?;
    let (uri, ticket) = begun(&answer).map_err(unreadable)?;
    print_uri(&uri)?;
    for tries_left in (0..TRIES).rev() {
        let code = typed("\nCode that the app shows: ")?;
        match ask(&mut client, &[(1, code.as_bytes()), (2, &ticket)]) {
            Ok(answer) => {
                print_recovery(&enrolled(&answer).map_err(unreadable)?)?;
                output::line(format_args!(
                    "\nenrolled: log in with the password and, right behind it, the six digits that the app shows"
                ))?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(ClientError::Refused { code, text }) if code == "InvalidCredentials" && tries_left > 0 => output::remark(text),
            Err(error) => return Err(cannot(error)),
        }
    }
    Err(cannot("nothing was changed"))
}

fn ask(client: &mut LocalClient, parts: &[(u8, &[u8])]) -> Result<Vec<u8>, ClientError> {
    let value = ber::encode(|writer| {
        writer.sequence(|writer| parts.iter().for_each(|(number, part)| writer.element(Tag::context(*number), part)));
    });
    client.extended_with(oid::OTP_ENROLMENT, Some(value.to_vec()))
}

fn begun(answer: &[u8]) -> Result<(Secret, Vec<u8>), BerError> {
    let mut parts = Reader::new(answer).sequence()?;
    Ok((Secret::from(parts.expect(Tag::context(0))?), parts.expect(Tag::context(1))?.to_vec()))
}

fn enrolled(answer: &[u8]) -> Result<Vec<Secret>, BerError> {
    let mut list = Reader::new(answer).sequence()?.constructed(Tag::context_constructed(2))?;
    let mut codes = Vec::new();
    while !list.is_empty() {
        codes.push(Secret::from(list.octet_string()?));
    }
    Ok(codes)
}

fn unreadable(error: BerError) -> CommandError {
    cannot(format!("the server's answer cannot be read: {error}; is it of another version?"))
}

/// A line of standard input.
fn typed(question: &str) -> Result<String, CommandError> {
    let mut line = String::new();
    let asked = io::stderr().write_all(question.as_bytes());
    asked.and_then(|()| io::stdin().lock().read_line(&mut line)).map_err(cannot)?;
    Ok(line.trim().to_owned())
}
