//! Clear-text passwords in add and modify requests: what the hash pool must do before the committer decides, and where its answers go.

use zeroize::Zeroize;

use super::access::Access;
use super::add::AddRequest;
use super::draft::CheckedAttribute;
use super::modify::only_password;
use super::password_change::{self, Comparison};
use super::refusal::{Refusal, parse_name};
use super::{Authority, Context, ProposedOperation, standing, write};
use crate::directory::{Directory, Lookup};
use crate::model::schema::Schema;
use crate::model::{Attribute, AttributeTypeId, EntryId, Modification, ModificationOperation, ResultCode, Secret, Value};
use crate::policy::access::{Right, Subject};
use crate::policy::password::change::{ChangeRefusal, NewPassword, OldPassword};
use crate::policy::password::quality::Quality;
use crate::policy::password::{HashAnswer, HashJob, clear_text, is_stored_form};

/// Most passwords that one request may bring: each costs a run of Argon2id.
pub const MAXIMUM_PASSWORDS: usize = 8;

/// Which password values of a request the hash pool looked at, and what came of it.
#[derive(Debug, Default)]
pub struct Passwords {
    /// What it was asked about values, in this order.
    slots: Vec<Slot>,
    /// The owner's new password beside those before: asked last.
    comparison: Option<Comparison>,
}

/// One value that the hash pool looks at.
#[derive(Debug)]
struct Slot {
    place: Place,
    purpose: Purpose,
    /// What was told of it in clear.
    quality: Quality,
    /// None until it has answered.
    outcome: Option<Outcome>,
}

/// Index of the attribute or change in its request, and of the value in that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    attribute: usize,
    value: usize,
}

/// What came of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// The stored form of the given password is in its place.
    Hashed,
    /// To be deleted: the stored value that it is the password of is in its place.
    Matched,
    /// To be deleted: it is the password of no stored value.
    NoMatch,
    /// The hash pool could not do it.
    Busy,
}

/// Whether values of this type are passwords, hashed by this server: userPassword and its subtypes.
pub(crate) fn is_password(schema: &Schema, attribute_type: AttributeTypeId) -> bool {
    schema
        .attribute_type("userPassword")
        .is_some_and(|it| it.id == attribute_type || schema.with_subtypes(it.id).contains(&attribute_type))
}

/// Whether this description names a password.
pub(crate) fn is_password_description(schema: &Schema, description: &str) -> bool {
    schema.describe(description).is_ok_and(|it| is_password(schema, it.attribute_type))
}

/// How many new passwords changes bring.
pub(crate) fn new_passwords(schema: &Schema, changes: &[Modification]) -> usize {
    let is_new = |change: &&Modification| {
        change.operation != ModificationOperation::Delete && is_password_description(schema, &change.attribute.description)
    };
    changes.iter().filter(is_new).map(|change| change.attribute.values.len()).sum()
}

/// What the hash pool must do before this operation is proposed; empty for most. The answers go to [`with_answers`] in this order.
/// Nothing is asked for where the sender may not make the change anyway, nor where there are more passwords than
/// [`MAXIMUM_PASSWORDS`], or than one new one of the owner: the operation is refused then.
pub fn jobs(directory: &Directory, context: &Context, operation: &mut ProposedOperation) -> Vec<HashJob> {
    let subject = context.subject(directory);
    let found = clear_values(directory.schema(), operation, subject.administrator);
    if found.is_empty() || found.len() > MAXIMUM_PASSWORDS {
        return Vec::new();
    }
    let Some(target) = permitted_target(directory, context, operation) else { return Vec::new() };
    let stored: Vec<Secret> = target.map(|id| stored_passwords(directory, id)).unwrap_or_default();
    let surroundings = match &*operation {
        ProposedOperation::Add(request) => password_change::surroundings(directory, context, |name| given_texts(request, name)),
        _ => password_change::surroundings_of(directory, context, target),
    };
    let owner = target.filter(|&target| subject.identity == Some(target) && context.authority == Authority::Session);
    if owner.is_some() && found.iter().filter(|(_, purpose, _)| *purpose == Purpose::Hash).count() > 1 {
        return Vec::new();
    }
    let mut passwords = Passwords::default();
    let mut jobs = Vec::with_capacity(found.len() + 1);
    let mut new = None;
    for (index, (place, purpose, value)) in found.into_iter().enumerate() {
        let given = given(value);
        passwords.slots.push(Slot { place, purpose, quality: Quality::of(given.expose(), &surroundings), outcome: None });
        jobs.push(match purpose {
            Purpose::Hash => {
                new = Some(given.clone());
                HashJob::Hash { given, salt: salt(&context.fresh.salt, index), beside: stored.clone() }
            }
            Purpose::Verify => HashJob::verify(stored.clone(), given),
        });
    }
    if let (Some(owner), Some(given)) = (owner, new) {
        let comparison = passwords.comparison.insert(Comparison::new(directory, owner));
        jobs.push(comparison.job(given));
    }
    match operation {
        ProposedOperation::Add(request) => request.passwords = passwords,
        ProposedOperation::Modify(request) => request.passwords = passwords,
        _ => {}
    }
    jobs
}

/// What an entry that is to be added says under this name.
fn given_texts(request: &AddRequest, name: &str) -> Vec<String> {
    let named = request.attributes.iter().filter(|attribute| attribute.description.eq_ignore_ascii_case(name));
    named.flat_map(|attribute| &attribute.values).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// The password in a value that is no stored form: `{CLEARTEXT}` is not part of it.
fn given(value: &Value) -> Secret {
    Secret::from(clear_text(value).unwrap_or(value))
}

/// Puts the answers to [`jobs`] in the place of the clear-text passwords.
pub fn with_answers(mut operation: ProposedOperation, answers: Vec<HashAnswer>) -> ProposedOperation {
    let mut passwords = match &mut operation {
        ProposedOperation::Add(request) => std::mem::take(&mut request.passwords),
        ProposedOperation::Modify(request) => std::mem::take(&mut request.passwords),
        _ => return operation,
    };
    let mut answers = answers.into_iter();
    for slot in &mut passwords.slots {
        let (outcome, replacement) = match (slot.purpose, answers.next()) {
            (Purpose::Hash, Some(HashAnswer::Hashed(stored))) => (Outcome::Hashed, Some(stored)),
            (Purpose::Verify, Some(HashAnswer::Verified { matched: Some(stored), .. })) => (Outcome::Matched, Some(stored)),
            (Purpose::Verify, Some(HashAnswer::Verified { matched: None, .. })) => (Outcome::NoMatch, None),
            _ => (Outcome::Busy, None),
        };
        if let Some(value) = value_mut(&mut operation, slot.place) {
            // What matched nothing, or was not looked at, is compared with nothing either: of that only its place is left.
            let left = replacement.map_or_else(
                || Value::from(format!("value {} of change {}", slot.place.value, slot.place.attribute)),
                |stored| Value::copy_from_slice(stored.expose()),
            );
            wipe(std::mem::replace(value, left));
        }
        slot.outcome = Some(outcome);
    }
    if let (Some(comparison), Some(answer)) = (&mut passwords.comparison, answers.next()) {
        comparison.answer(answer);
    }
    match &mut operation {
        ProposedOperation::Add(request) => request.passwords = passwords,
        ProposedOperation::Modify(request) => request.passwords = passwords,
        _ => {}
    }
    operation
}

/// Overwrites a password that came in clear; nobody else holds it, because requests own their values.
fn wipe(value: Value) {
    if let Ok(mut octets) = value.try_into_mut() {
        octets.zeroize();
    }
}

/// What the hash pool is to do with a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    Hash,
    Verify,
}

/// The password values the hash pool must look at. Stored forms are taken as they are from administrators alone.
fn clear_values<'a>(schema: &Schema, operation: &'a ProposedOperation, administrator: bool) -> Vec<(Place, Purpose, &'a Value)> {
    let mut found = Vec::new();
    let mut look = |index: usize, attribute: &'a Attribute, purpose: Purpose| {
        if !is_password_description(schema, &attribute.description) {
            return;
        }
        for (value_index, value) in attribute.values.iter().enumerate() {
            let taken_as_it_is = is_stored_form(value) && (administrator || purpose == Purpose::Hash);
            if !taken_as_it_is && !given(value).is_empty() {
                found.push((Place { attribute: index, value: value_index }, purpose, value));
            }
        }
    };
    match operation {
        ProposedOperation::Add(request) => {
            request.attributes.iter().enumerate().for_each(|(index, attribute)| look(index, attribute, Purpose::Hash));
        }
        ProposedOperation::Modify(request) => {
            for (index, change) in request.changes.iter().enumerate() {
                let purpose = match change.operation {
                    ModificationOperation::Delete => Purpose::Verify,
                    _ => Purpose::Hash,
                };
                look(index, &change.attribute, purpose);
            }
        }
        _ => {}
    }
    found
}

/// Whether the sender may make this change, and to which entry (none for an add). Judged anew by the committer.
fn permitted_target(directory: &Directory, context: &Context, operation: &ProposedOperation) -> Option<Option<EntryId>> {
    let subject = write::writer(directory, context).ok()?;
    match operation {
        ProposedOperation::Modify(request) => {
            let dn = parse_name(directory.schema(), &request.name, "invalid DN").ok()?;
            let Lookup::Found(id) = directory.find(&dn) else {
                // A change before it in the same transaction may make it.
                return (context.attached.transaction.is_some() && subject.administrator).then_some(None);
            };
            let only_password = only_password(directory.schema(), &request.changes);
            standing::check_restricted_to_own(directory, context, Some(id).filter(|_| only_password)).ok()?;
            let (access, node) = (Access::new(directory, context), directory.node(id)?);
            let may = if only_password {
                access.allows(directory, Right::SetPassword, node, None)
            } else {
                access.allows_changes(directory, &request.changes, node)
            };
            may.then_some(Some(id))
        }
        _ => (Access::new(directory, context).may_allow(Right::Create) && standing::check_restricted(directory, context).is_ok())
            .then_some(None),
    }
}

/// The values of userPassword as stored.
pub(crate) fn stored_passwords(directory: &Directory, id: EntryId) -> Vec<Secret> {
    let (Some(node), Some(password)) = (directory.node(id), directory.schema().attribute_type("userPassword")) else {
        return Vec::new();
    };
    node.entry.values(password.id).map(Secret::from).collect()
}

fn value_mut(operation: &mut ProposedOperation, place: Place) -> Option<&mut Value> {
    let attribute = match operation {
        ProposedOperation::Add(request) => request.attributes.get_mut(place.attribute)?,
        ProposedOperation::Modify(request) => &mut request.changes.get_mut(place.attribute)?.attribute,
        _ => return None,
    };
    attribute.values.get_mut(place.value)
}

/// One salt for each password of a request, from the one drawn for it.
fn salt(fresh: &[u8; 16], index: usize) -> [u8; 16] {
    let mut salt = *fresh;
    if index > 0 {
        let mut hasher = blake3::Hasher::new_derive_key("bindery further password salts of one request");
        hasher.update(fresh).update(&(index as u64).to_be_bytes());
        hasher.finalize_xof().fill(&mut salt);
    }
    salt
}

impl Passwords {
    /// What came of a value; none where the hash pool did not look at it.
    pub(crate) fn outcome(&self, attribute: usize, value: usize) -> Option<Outcome> {
        let place = Place { attribute, value };
        self.slots.iter().find(|slot| slot.place == place).and_then(|slot| slot.outcome)
    }

    /// What is known of a new password.
    pub(crate) fn new_password(&self, attribute: usize, value: usize) -> NewPassword {
        let place = Place { attribute, value };
        let is_new = |slot: &&Slot| slot.place == place && slot.purpose == Purpose::Hash;
        self.slots.iter().find(is_new).map_or(NewPassword::Hashed, |slot| NewPassword::Clear(slot.quality))
    }

    /// Whether the old password came along, to be deleted.
    pub(crate) fn old(&self) -> OldPassword {
        let any = |outcome| self.slots.iter().any(|slot| slot.outcome == Some(outcome));
        match () {
            () if any(Outcome::NoMatch) => OldPassword::Wrong,
            () if any(Outcome::Matched) => OldPassword::Right,
            () => OldPassword::Absent,
        }
    }

    /// The owner's new password beside those before.
    pub(crate) fn comparison(&self) -> Option<&Comparison> {
        self.comparison.as_ref()
    }

    /// Judges the password values to be stored, the attribute at `index` in the request: hashed here, or a stored form that an
    /// administrator brings. Anything else is refused, clear text never stored.
    pub(crate) fn check(
        &self,
        attribute: &CheckedAttribute<'_>,
        index: usize,
        values: &[Value],
        subject: Subject,
    ) -> Result<(), Refusal> {
        if values.len() > MAXIMUM_PASSWORDS {
            return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many passwords in one request"));
        }
        for (place, value) in values.iter().enumerate() {
            match self.outcome(index, place) {
                Some(Outcome::Hashed) => {}
                Some(Outcome::Busy) => return Err(Refusal::new(ResultCode::Busy, "")),
                Some(Outcome::Matched | Outcome::NoMatch) => return Err(attribute.constraint("unexpected value")),
                None if given(value).is_empty() => return Err(quality()),
                None if is_stored_form(value) && subject.administrator => {}
                None if is_stored_form(value) => return Err(quality()),
                None if self.slots.is_empty() => {
                    // Too many of them over several attributes, or the sender got the right only after the request was prepared.
                    return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many passwords in one request"));
                }
                None => return Err(Refusal::new(ResultCode::Busy, "")),
            }
        }
        Ok(())
    }
}

fn quality() -> Refusal {
    ChangeRefusal::Quality.into()
}
