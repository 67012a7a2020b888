//! Enrolment of one-time codes by the person whose they are, in two steps of one extended operation. Nothing counts before a code of the new
//! secret confirms that the app has it.
//!
//! ```text
//! OtpEnrolRequestValue  ::= SEQUENCE { password [0], code [1], ticket [2] OCTET STRING OPTIONAL each }
//! OtpEnrolResponseValue ::= SEQUENCE { uri [0], ticket [1] OCTET STRING OPTIONAL each, recovery [2] SEQUENCE OF OCTET STRING OPTIONAL }
//!
//! without ticket  ─► the proof: the first factor of an account needs its password again, a later one the present factor
//!                    (of the session, or a code)          ─► answered with the secret (uri) and a ticket; nothing changes
//! with ticket     ─► code: one of the new secret          ─► enrolled, answered with recovery codes
//! ```
//!
//! The server keeps nothing between the steps: the secret is derived from what the ticket says, under a key that it does not say. A ticket is good for
//! ten minutes, for this account, until anything of its entry changes.

mod change;

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;

pub use change::{Account, Enrolment, removal};

use super::bind::{self, bookkeeping, reason};
use super::context::is_administrator;
use super::refusal::Refusal;
use super::standing::{self, Standing};
use super::write::Write;
use super::{
    AccountKind, Authority, Context, Decision, account, app_password, bind_rules, modify, otp, password_change, record, stamp,
};
use crate::directory::{AccountState, Change, Directory};
use crate::journal::{Record, RecordKind};
use crate::model::{EntryId, ResultCode, Secret, Timestamp};
use crate::policy::otp::{self as codes, Parameters, SECRET_LENGTH, Token};
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::ber::{self, BerError, Reader, Tag};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Microseconds that a ticket is good for.
const TICKET_LIFE: i64 = 600_000_000;
/// Octets of a ticket: what was drawn, when, and a seal over both.
const DRAWN: usize = 16;
const TICKET: usize = DRAWN + 8 + 32;
/// Octets of the whole request, at most.
const LARGEST_REQUEST: usize = 16 * 1024;

/// A request on its way to the committer.
#[derive(Debug)]
pub struct EnrolmentRequest {
    asked: Result<Asked, LdapResult>,
    /// What the hash pool said of the password.
    answer: Option<HashAnswer>,
}

#[derive(Debug, Default)]
struct Asked {
    password: bool,
    code: Option<Secret>,
    ticket: Option<Vec<u8>>,
}

/// What came of a step.
enum Step {
    /// The secret, as apps read it, and the ticket.
    Begun {
        uri: Secret,
        ticket: Vec<u8>,
    },
    Enrolled(Vec<Secret>),
}

impl EnrolmentRequest {
    /// What the hash pool said, where it was asked.
    pub fn with_answers(self, answers: Vec<HashAnswer>) -> EnrolmentRequest {
        EnrolmentRequest { answer: answers.into_iter().next(), ..self }
    }
}

/// Reads a request and says what the hash pool must do first.
pub fn begin(directory: &Directory, context: &Context, value: Option<&Secret>) -> (EnrolmentRequest, Vec<HashJob>) {
    let value = value.filter(|value| value.len() <= LARGEST_REQUEST);
    let malformed = || LdapResult::with(ResultCode::ProtocolError, "data decoding error");
    let read = value.ok_or_else(malformed).and_then(|value| decode(value.expose()).map_err(|_| malformed()));
    let mut jobs = Vec::new();
    let asked = read.map(|(asked, password)| {
        // Whoever may not ask is not worth a run: nobody learns anything by that.
        if let (Some(given), Ok(own)) = (password, permitted(directory, context)) {
            let (stored, before) = (account::stored_passwords(directory, Some(own)), password_change::two_before(directory, own));
            jobs.push(HashJob::Verify { stored, before, given });
        }
        asked
    });
    (EnrolmentRequest { asked, answer: None }, jobs)
}

fn decode(value: &[u8]) -> Result<(Asked, Option<Secret>), BerError> {
    let mut message = Reader::new(value);
    let mut parts = message.sequence()?;
    message.finish()?;
    let password = parts.optional(Tag::context(0))?.map(Secret::from);
    let code = parts.optional(Tag::context(1))?.map(Secret::from);
    let ticket = parts.optional(Tag::context(2))?.map(<[u8]>::to_vec);
    parts.finish()?;
    Ok((Asked { password: password.is_some(), code, ticket }, password))
}

/// The own account, for who may enrol codes for it.
fn permitted(directory: &Directory, context: &Context) -> Result<EntryId, Refusal> {
    standing::check_restricted(directory, context)?;
    if !context.may_send_credentials() {
        return Err(Refusal::new(ResultCode::ConfidentialityRequired, "confidentiality required"));
    }
    app_password::check_main(context)?;
    let own = context.identity.entry.and_then(|id| directory.node(id));
    let own = own.ok_or_else(|| Refusal::new(ResultCode::StrongerAuthRequired, "only authenticated users may enrol codes"))?;
    if AccountKind::of(directory, own) == AccountKind::Service {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "services have no one-time codes"));
    }
    if is_administrator(directory, own.id) {
        // Else the password alone would be enough to become one with a second factor.
        bind_rules::check_writer(directory, context, context.subject(directory))?;
    }
    Ok(own.id)
}

/// Decides a step on the newest value. Called by [`super::decide`].
pub(crate) fn finish(head: &Directory, context: &Context, request: &EnrolmentRequest, csn_count: u32) -> Decision {
    let mut record = record::of_context(head, context, RecordKind::OtpEnrolment);
    record.target = context.identity.entry.and_then(|id| record::named(head, id));
    let (mut changes, mut preceding) = (Vec::new(), Vec::new());
    let (result, value) = match decide(head, context, request, csn_count, &mut record, &mut changes) {
        Ok(step) => {
            if matches!(step, Step::Enrolled(_)) {
                stamp::finished(head, context, csn_count, &mut changes);
            }
            (LdapResult::of(ResultCode::Success), Some(response(&step)))
        }
        Err(refusal) => {
            changes.clear();
            record.changes.clear();
            let by_code = refusal.reason == reason::WRONG_CODE;
            // Else a session that somebody left open would be a place to guess at.
            if let Some(own) = context.identity.entry.filter(|_| by_code || refusal.reason == reason::WRONG_PASSWORD) {
                let standing = Standing::of(head, own);
                changes = bookkeeping::failed(head, context, own, &standing, by_code, &mut record, &mut preceding);
            }
            record.reason = Some(refusal.reason);
            (refusal.result, None)
        }
    };
    record.result = result.code;
    let reply = Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: None,
        extended_value: value,
        controls: Vec::new(),
    };
    Decision { reply, changes, record, preceding, identity: None }
}

fn decide(
    head: &Directory,
    context: &Context,
    request: &EnrolmentRequest,
    csn_count: u32,
    record: &mut Record,
    changes: &mut Vec<Change>,
) -> Result<Step, Refusal> {
    let asked = request.asked.as_ref().map_err(|result| Refusal::of_result(result.clone()))?;
    record.details.push(("stage", if asked.ticket.is_some() { "confirm" } else { "begin" }.to_owned()));
    let own = permitted(head, context)?;
    if Standing::of(head, own).waits(&context.peer, context.now) {
        return Err(wrong("too soon after failed logins").because(reason::MUST_WAIT));
    }
    match &asked.ticket {
        None => {
            prove(head, context, own, asked, request.answer.as_ref(), record, changes)?;
            let ticket = Ticket { drawn: context.fresh.uuid, time: context.now };
            let secret = ticket.secret(head, context, own);
            let dn = head.dn_text(own);
            let issuer = issuer(head);
            let uri = codes::enrolment_uri(&secret, &issuer, &label(head, own).unwrap_or(dn), 6, 30);
            Ok(Step::Begun { uri, ticket: ticket.sealed(head, context, own) })
        }
        Some(ticket) => {
            let too_late = || Refusal::new(ResultCode::UnwillingToPerform, "the ticket is not good any more: begin again");
            let ticket = Ticket::open(head, context, own, ticket).ok_or_else(too_late)?;
            let secret = ticket.secret(head, context, own);
            let code = asked.code.as_ref().ok_or_else(|| wrong("a code of the new secret is needed"))?;
            let token = Token::new(&secret, &Parameters::default());
            let step = token.as_ref().and_then(|token| token.step_of(code, None, context.now));
            let step = step.ok_or_else(|| wrong("that is no code of the new secret").because(reason::WRONG_CODE))?;
            let drift = token.map(|token| token.drift_of(step, context.now)).filter(|drift| *drift != 0);
            enrol(head, context, own, secret, csn_count, record, changes).inspect(|_| {
                // The code that confirms it logs nobody in.
                let state = AccountState { one_time_step: Some(step), time_step_drift: drift, ..head.account_state(own) };
                changes.push(Change::PutAccountState { id: own, state });
            })
        }
    }
}

fn wrong(text: &str) -> Refusal {
    Refusal::new(ResultCode::InvalidCredentials, text)
}

/// What the first step asks for: of who has no factor yet the password again, of who has one that one.
fn prove(
    head: &Directory,
    context: &Context,
    own: EntryId,
    asked: &Asked,
    answer: Option<&HashAnswer>,
    record: &mut Record,
    changes: &mut Vec<Change>,
) -> Result<(), Refusal> {
    let Some(enrolled) = otp::of_account(head, own, context.now) else {
        return prove_password(head, own, asked, answer);
    };
    let given = match &asked.code {
        Some(code) => code,
        None if context.identity.has_second_factor() => return Ok(()),
        None => return Err(wrong("a code of the present token is needed").because(reason::NO_CODE)),
    };
    let taken =
        bind::judge_given(head, context, &enrolled, given).map_err(|refused| wrong("wrong one-time code").because(refused))?;
    taken.consume(head, changes, record);
    Ok(())
}

fn prove_password(head: &Directory, own: EntryId, asked: &Asked, answer: Option<&HashAnswer>) -> Result<(), Refusal> {
    match answer {
        _ if !asked.password => Err(wrong("the password is needed").because(reason::NO_PASSWORD)),
        Some(HashAnswer::Verified { matched: Some(matched), .. }) => {
            match account::stored_passwords(head, Some(own)).contains(matched) {
                true => Ok(()),
                false => Err(wrong("").because(reason::CHANGED_MEANWHILE)),
            }
        }
        Some(HashAnswer::Verified { matched: None, .. }) => Err(wrong("wrong password").because(reason::WRONG_PASSWORD)),
        Some(HashAnswer::Previous) => Err(wrong("wrong password").because(reason::PREVIOUS_PASSWORD)),
        _ => Err(Refusal::new(ResultCode::Busy, "").because(reason::BUSY)),
    }
}

/// Makes the account its own token.
fn enrol(
    head: &Directory,
    context: &Context,
    own: EntryId,
    secret: Secret,
    csn_count: u32,
    record: &mut Record,
    changes: &mut Vec<Change>,
) -> Result<Step, Refusal> {
    let mut counter = 0_u64;
    let mut fill = |target: &mut [u8]| {
        counter = counter.wrapping_add(1);
        let seed = [b"bindery 2026 recovery codes", &counter.to_be_bytes()[..], &context.fresh.password, &context.fresh.salt];
        let octets = digest::digest(&digest::SHA256, &seed.concat());
        target.iter_mut().zip(octets.as_ref()).for_each(|(to, from)| *to = *from);
    };
    let enrolment = Enrolment::with_secret(secret, &mut fill);
    let dn = head.dn_text(own);
    let found = otp::account(head, &dn).ok_or_else(|| Refusal::no_such_object(head, None))?;
    let (dn, classes, has_token) = found;
    let account = Account { dn, classes, has_token };
    let asked = enrolment.changes(&account, context.now);
    record.changes.extend(record::of_modifications(head.schema(), &asked));
    // What a person may write of the own entry does not matter: it is for this that the proof was asked.
    let context = Context { authority: Authority::Installation, ..context.clone() };
    let request = modify::ModifyRequest::new(Bytes::from(account.dn), asked, Vec::new());
    let success = modify::modify(&Write { head, context: &context, csn_count }, &request)?;
    changes.extend(success.changes);
    Ok(Step::Enrolled(enrolment.recovery))
}

/// `dc=hospital,dc=example` is called hospital.example.
fn issuer(head: &Directory) -> String {
    let values = head.suffix().rdns.iter().flat_map(|rdn| &rdn.parts);
    let values: Vec<String> = values.map(|part| String::from_utf8_lossy(&part.value).into_owned()).collect();
    values.join(".")
}

fn label(head: &Directory, own: EntryId) -> Option<String> {
    let part = head.dn(own).rdns.first()?.parts.first()?.value.clone();
    String::from_utf8(part.to_vec()).ok()
}

/// What the person gives back with the code.
struct Ticket {
    drawn: [u8; DRAWN],
    time: Timestamp,
}

impl Ticket {
    /// Over the ticket and the account as it stands; each purpose has its own.
    fn mac(&self, purpose: &[u8], head: &Directory, context: &Context, own: EntryId) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, context.settings.hash_key.expose());
        let mut mac = hmac::Context::with_key(&key);
        let version = account::version(head, Some(own)).unwrap_or_default();
        let uuid = record::named(head, own).and_then(|named| named.uuid).unwrap_or_default();
        for part in [purpose, &self.drawn, &self.time.0.to_be_bytes(), uuid.as_bytes(), &version] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.sign()
    }

    fn secret(&self, head: &Directory, context: &Context, own: EntryId) -> Secret {
        let tag = self.mac(b"bindery 2026 secret of one-time codes", head, context, own);
        Secret::new(tag.as_ref().iter().copied().take(SECRET_LENGTH).collect())
    }

    fn sealed(&self, head: &Directory, context: &Context, own: EntryId) -> Vec<u8> {
        let seal = self.mac(b"bindery 2026 ticket of one-time codes", head, context, own);
        [&self.drawn[..], &self.time.0.to_be_bytes(), seal.as_ref()].concat()
    }

    /// None: it is not one of this account as it stands, or too old.
    fn open(head: &Directory, context: &Context, own: EntryId, sealed: &[u8]) -> Option<Ticket> {
        if sealed.len() != TICKET {
            return None;
        }
        let drawn = sealed.get(..DRAWN)?.try_into().ok()?;
        let time = Timestamp(i64::from_be_bytes(sealed.get(DRAWN..DRAWN + 8)?.try_into().ok()?));
        let ticket = Ticket { drawn, time };
        let age = context.now.0.checked_sub(time.0)?;
        let is_ours = Secret::new(ticket.sealed(head, context, own)) == Secret::from(sealed);
        (is_ours && (0..TICKET_LIFE).contains(&age)).then_some(ticket)
    }
}

fn response(step: &Step) -> Bytes {
    ber::encode(|writer| {
        writer.sequence(|parts| match step {
            Step::Begun { uri, ticket } => {
                parts.element(Tag::context(0), uri.expose());
                parts.element(Tag::context(1), ticket);
            }
            Step::Enrolled(recovery) => parts.constructed(Tag::context_constructed(2), |list| {
                recovery.iter().for_each(|code| list.octet_string(code.expose()));
            }),
        });
    })
}
