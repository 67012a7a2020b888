//! Password Modify (RFC 3062): `begin` reads the request, the hash pool verifies the old password and hashes the new one, `finish`
//! changes the entry on the newest value.
//!
//! ```text
//! PasswdModifyRequestValue  ::= SEQUENCE { userIdentity [0], oldPasswd [1], newPasswd [2] OCTET STRING OPTIONAL each }
//! PasswdModifyResponseValue ::= SEQUENCE { genPasswd [0] OCTET STRING OPTIONAL }
//! ```

#[cfg(test)]
mod tests;

use super::access::Access;
use super::bind::bookkeeping::{self, Forgiven};
use super::draft::Draft;
use super::password_change::{self, Comparison, Proof};
use super::refusal::Refusal;
use super::{Context, Decision, account, app_password, bind_rules, control, record, stamp, standing, transaction};
use crate::directory::{Change, Directory, Lookup, Node};
use crate::journal::{RecordKind, RecordedChange, RecordedValue};
use crate::model::{Dn, EntryId, ModificationOperation, ResultCode, Secret, Value};
use crate::policy::access::Right;
use crate::policy::password::change::{ChangeRefusal, NewPassword, OldPassword};
use crate::policy::password::quality::Quality;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::ber::{self, BerError, Reader, Tag};
use crate::protocol::{Control, LdapResult, Reply, ResponseKind};

/// Letters and digits that are not taken for one another when read aloud or from paper; 32 of them: five bits each.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Of a generated password: 100 bits.
const GENERATED_CHARACTERS: usize = 20;
/// Between hyphens.
const GENERATED_GROUP: usize = 5;

/// A Password Modify on its way to the committer.
#[derive(Debug)]
pub struct PasswordModifyRequest {
    /// Whose password.
    target: Option<EntryId>,
    /// A refusal that stands already.
    refusal: Option<Refusal>,
    /// Whether the first answer is about the old password.
    verifies_old: bool,
    /// A password the server made up, to be told.
    generated: Option<Secret>,
    /// What was told of a password that the client sent.
    quality: Option<Quality>,
    /// The owner's new password beside those before: the last answer is about it.
    comparison: Option<Comparison>,
    answers: Vec<HashAnswer>,
}

impl PasswordModifyRequest {
    /// What the hash pool said, in the order of the jobs.
    pub fn with_answers(mut self, mut answers: Vec<HashAnswer>) -> PasswordModifyRequest {
        if let Some(comparison) = &mut self.comparison {
            answers.pop().into_iter().for_each(|answer| comparison.answer(answer));
        }
        PasswordModifyRequest { answers, ..self }
    }
}

/// Reads a request and says what the hash pool must do first (nothing where it is refused already).
pub fn begin(
    directory: &Directory,
    context: &Context,
    value: Option<&Secret>,
    controls: &[Control],
) -> (PasswordModifyRequest, Vec<HashJob>) {
    let mut request = PasswordModifyRequest {
        target: None,
        refusal: None,
        verifies_old: false,
        generated: None,
        quality: None,
        comparison: None,
        answers: Vec::new(),
    };
    match prepare(directory, context, value, controls, &mut request) {
        Ok(jobs) => (request, jobs),
        Err(refusal) => {
            request.refusal = Some(refusal);
            (request, Vec::new())
        }
    }
}

fn prepare(
    directory: &Directory,
    context: &Context,
    value: Option<&Secret>,
    controls: &[Control],
    request: &mut PasswordModifyRequest,
) -> Result<Vec<HashJob>, Refusal> {
    let controls = control::decode(ResponseKind::Extended, controls, &context.settings.limits).map_err(Refusal::of_result)?;
    transaction::check(context, &controls)?;
    context.check_assumed(directory)?;
    let subject = context.subject(directory);
    let Some(own) = subject.identity else {
        return Err(Refusal::new(ResultCode::StrongerAuthRequired, "only authenticated users may change passwords"));
    };
    if !context.may_send_credentials() {
        return Err(Refusal::new(ResultCode::ConfidentialityRequired, "confidentiality required"));
    }
    app_password::check_main(context)?;
    let wanted = Wanted::read(value.map(Secret::expose))?;
    if controls.transaction.is_some() && wanted.new.is_none() {
        // The answer to the end has no place for it (RFC 5805 section 2.3).
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "a generated password cannot be told in a transaction"));
    }
    let access = Access::new(directory, context);
    let target = wanted.identity.map_or(Ok(own), |identity| find(directory, &access, identity));
    request.target = target.as_ref().ok().copied();
    standing::check_restricted_to_own(directory, context, request.target)?;
    let target = target?;
    access.require(directory, Right::SetPassword, target)?;
    let stored = account::stored_passwords(directory, Some(target));
    let mut jobs = Vec::new();
    if let Some(old) = wanted.old {
        request.verifies_old = true;
        jobs.push(HashJob::verify(stored.clone(), Secret::from(old)));
    }
    let given = match wanted.new {
        Some(new) => {
            request.quality = Some(Quality::of(new, &password_change::surroundings_of(directory, context, Some(target))));
            Secret::from(new)
        }
        None => request.generated.insert(generate(context.fresh.password)).clone(),
    };
    jobs.push(HashJob::Hash { given: given.clone(), salt: context.fresh.salt, beside: stored });
    if target == own {
        jobs.push(request.comparison.insert(Comparison::new(directory, own)).job(given));
    }
    Ok(jobs)
}

/// The request value, taken apart.
#[derive(Default)]
struct Wanted<'a> {
    identity: Option<&'a [u8]>,
    old: Option<&'a [u8]>,
    new: Option<&'a [u8]>,
}

impl Wanted<'_> {
    /// No value asks for a new password of the own account.
    fn read(value: Option<&[u8]>) -> Result<Wanted<'_>, Refusal> {
        let Some(value) = value else { return Ok(Wanted::default()) };
        let malformed = |_| Refusal::new(ResultCode::ProtocolError, "data decoding error");
        let wanted = Wanted::decode(value).map_err(malformed)?;
        if wanted.new.is_some_and(<[u8]>::is_empty) {
            return Err(Refusal::new(ResultCode::UnwillingToPerform, "new password value is empty").because("empty password"));
        }
        Ok(wanted)
    }

    fn decode(value: &[u8]) -> Result<Wanted<'_>, BerError> {
        let mut message = Reader::new(value);
        let mut parts = message.sequence()?;
        message.finish()?;
        let wanted = Wanted {
            identity: parts.optional(Tag::context(0))?,
            old: parts.optional(Tag::context(1))?,
            new: parts.optional(Tag::context(2))?,
        };
        parts.finish()?;
        Ok(wanted)
    }
}

/// The entry that userIdentity names: a DN, bare or behind `dn:`, or `u:` and a user name.
fn find(directory: &Directory, access: &Access, identity: &[u8]) -> Result<EntryId, Refusal> {
    if let Some(user) = identity.strip_prefix(b"u:") {
        let found = account::by_user_name(directory, user).filter(|&id| access.sees_id(directory, id));
        return found.ok_or_else(|| Refusal::no_such_object(directory, None));
    }
    let name = identity.strip_prefix(b"dn:").unwrap_or(identity);
    let dn = Dn::parse(name).map_err(|_| Refusal::new(ResultCode::InvalidDnSyntax, "Invalid DN"))?;
    if dn.is_empty() {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "no password is associated with the Root DSE"));
    }
    access.check_seen(directory, &dn)?;
    match directory.find(&dn) {
        Lookup::Found(id) => Ok(id),
        Lookup::Missing { matched } => Err(Refusal::no_such_object(directory, Some(matched))),
        Lookup::Outside => Err(Refusal::no_such_object(directory, None)),
    }
}

/// A password of 100 random bits that can be read aloud: `k7mpa-…`.
fn generate(random: [u8; 16]) -> Secret {
    let mut bits = u128::from_le_bytes(random);
    let mut password = Vec::with_capacity(GENERATED_CHARACTERS + GENERATED_CHARACTERS / GENERATED_GROUP);
    for position in 0..GENERATED_CHARACTERS {
        if position > 0 && position % GENERATED_GROUP == 0 {
            password.push(b'-');
        }
        password.extend(READABLE.get((bits & 31) as usize));
        bits >>= 5;
    }
    Secret::new(password)
}

/// Decides a Password Modify on the newest value and makes its record. Called by [`super::decide`].
pub fn finish(head: &Directory, context: &Context, request: &PasswordModifyRequest, csn_count: u32) -> Decision {
    let mut record = record::of_context(head, context, RecordKind::PasswordModify);
    record.target = request.target.and_then(|id| record::named(head, id));
    match change(head, context, request, csn_count) {
        Ok(change) => {
            record.changes.push(RecordedChange {
                attribute: "userPassword".to_owned(),
                operation: ModificationOperation::Replace,
                values: RecordedValue::Redacted(1),
            });
            let mut changes = vec![change];
            changes.extend(request.target.and_then(|id| bookkeeping::forgiven(head, id, Forgiven::ALL)));
            stamp::finished(head, context, csn_count, &mut changes);
            let controls = password_change::response_control(context, None);
            let reply = reply(LdapResult::of(ResultCode::Success), request.generated.as_ref(), controls);
            Decision { reply, changes, record, preceding: Vec::new(), identity: None }
        }
        Err(Refusal { result, reason }) => {
            record.result = result.code;
            record.reason = Some(reason);
            let reply = reply(result, None, password_change::response_control(context, Some(reason)));
            Decision { reply, changes: Vec::new(), record, preceding: Vec::new(), identity: None }
        }
    }
}

fn change(head: &Directory, context: &Context, request: &PasswordModifyRequest, csn_count: u32) -> Result<Change, Refusal> {
    if let Some(Refusal { result, reason }) = &request.refusal {
        return Err(Refusal { result: result.clone(), reason });
    }
    context.check_assumed(head)?;
    let gone = || Refusal::no_such_object(head, None);
    let target = request.target.ok_or_else(gone)?;
    standing::check_restricted_to_own(head, context, Some(target))?;
    let node = head.node(target).ok_or_else(gone)?;
    let subject = context.subject(head);
    Access::new(head, context).require(head, Right::SetPassword, target)?;
    if subject.identity != Some(target) {
        bind_rules::check_writer(head, context, subject)?;
    }
    let mut answers = request.answers.iter();
    let old = if request.verifies_old { check_old(head, target, answers.next())? } else { OldPassword::Absent };
    if old == OldPassword::Wrong {
        let refusal = Refusal::new(ResultCode::UnwillingToPerform, "unwilling to verify old password");
        return Err(refusal.because(ChangeRefusal::OldWrong.reason()));
    }
    let Some(HashAnswer::Hashed(hashed)) = answers.next() else { return Err(busy()) };
    let new = request.quality.map_or(NewPassword::Generated, NewPassword::Clear);
    let proof = Proof { old, comparison: request.comparison.as_ref() };
    let needs_factor = password_change::check(head, context, subject, target, vec![new], &proof)?;
    with_password(head, context, node, hashed, needs_factor, csn_count)
}

/// The old password must be one of the stored ones still.
fn check_old(head: &Directory, target: EntryId, answer: Option<&HashAnswer>) -> Result<OldPassword, Refusal> {
    match answer {
        Some(HashAnswer::Verified { matched: Some(matched), .. })
            if account::stored_passwords(head, Some(target)).contains(matched) =>
        {
            Ok(OldPassword::Right)
        }
        Some(HashAnswer::Verified { .. }) => Ok(OldPassword::Wrong),
        _ => Err(busy()),
    }
}

fn busy() -> Refusal {
    Refusal::of_result(LdapResult::of(ResultCode::Busy))
}

/// The entry with this as its only password; it must keep the rules every entry keeps.
fn with_password(
    head: &Directory,
    context: &Context,
    node: &Node,
    hashed: &Secret,
    needs_factor: bool,
    csn_count: u32,
) -> Result<Change, Refusal> {
    let attribute_type = head
        .schema()
        .attribute_type("userPassword")
        .ok_or_else(|| Refusal::new(ResultCode::UndefinedAttributeType, "userPassword: attribute type undefined"))?;
    let dn = head.dn(node.id);
    let (Some(mut draft), Some(rdn)) = (Draft::of_entry(head, node.id), dn.rdns.first()) else {
        return Err(Refusal::no_such_object(head, None));
    };
    let values = vec![Value::copy_from_slice(hashed.expose())];
    draft.entry.set(attribute_type.id, attribute_type.name(), attribute_type.section(), values);
    password_change::settle(head, context, context.subject(head), Some(node.id), &mut draft.entry, needs_factor, |_| false);
    draft.check(rdn)?;
    stamp::modified(head, context, csn_count, &mut draft.entry);
    let block = draft.entry.build().block().clone();
    Ok(Change::PutEntry { id: node.id, parent: node.parent, name: node.name.clone(), block })
}

fn reply(result: LdapResult, generated: Option<&Secret>, controls: Option<Control>) -> Reply {
    let value = generated
        .map(|password| ber::encode(|writer| writer.sequence(|writer| writer.element(Tag::context(0), password.expose()))));
    Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: None,
        extended_value: value,
        controls: controls.into_iter().collect(),
    }
}
