//! A change of password under the policy in force: whether it may be made, and what of the account's state changes with it. Shared by add,
//! modify and Password Modify.

use super::bind_rules;
use super::control;
use super::policies;
use super::refusal::Refusal;
use super::{Authority, Context, account, standing};
use crate::directory::Directory;
use crate::model::{AttributeTypeId, EntryBuilder, EntryId, ResultCode, Secret, Value};
use crate::policy::access::Subject;
use crate::policy::password::change::{self, ChangeRefusal, NewPassword, OldPassword, OwnChange, PasswordChange, Reuse};
use crate::policy::password::history;
use crate::policy::password::policy::{PasswordPolicy, PasswordPolicyError};
use crate::policy::password::quality::Surroundings;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::Control;

/// Kinds of accounts behind which nobody sits who could change a password at the next login.
const UNATTENDED: [&[u8]; 2] = [b"service", b"breakglass"];

/// State that a new password ends.
const ENDED: [&str; 3] = ["pwdFailureTime", "pwdGraceUseTime", "pwdAccountTmpLockoutEnd"];

/// Attributes whose values others try first, beside mail.
const PERSONAL: [&str; 6] = ["uid", "cn", "sn", "givenName", "displayName", "employeeNumber"];
/// Values that are looked at.
const MOST_TEXTS: usize = 64;
/// Octets of one of them.
const LONGEST_TEXT: usize = 256;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// pwdLastSet counts units of 100 ns from 1601.
const FILE_TIME_OF_1970: i64 = 116_444_736_000_000_000;

/// What a new password is compared with: those the account has and had.
#[derive(Debug)]
pub(crate) struct Comparison {
    with: Vec<Secret>,
    answer: Option<HashAnswer>,
}

impl Comparison {
    /// Of the owner's new password; only owners are held to what was there before.
    pub(crate) fn new(directory: &Directory, owner: EntryId) -> Comparison {
        let policy = policies::password_policy(directory, Some(owner));
        Comparison { with: known(directory, owner, &policy), answer: None }
    }

    /// What the hash pool is to do.
    pub(crate) fn job(&self, given: Secret) -> HashJob {
        HashJob::Find { among: self.with.clone(), given }
    }

    /// What it said.
    pub(crate) fn answer(&mut self, answer: HashAnswer) {
        self.answer = Some(answer);
    }

    /// Judged on the newest value: 51 where the account has or had a password by now that was not looked at.
    fn reuse(&self, head: &Directory, owner: EntryId, policy: &PasswordPolicy) -> Result<Reuse, Refusal> {
        let Some(HashAnswer::Verified { matched, .. }) = &self.answer else { return Err(busy()) };
        if known(head, owner, policy).iter().any(|stored| !self.with.contains(stored)) {
            return Err(busy());
        }
        let is_among = |stored: &[Secret]| matched.as_ref().is_some_and(|matched| stored.contains(matched));
        Ok(match () {
            () if is_among(&account::stored_passwords(head, Some(owner))) => Reuse::Unchanged,
            () if is_among(&old_passwords(head, owner, policy.history)) => Reuse::InHistory,
            () => Reuse::New,
        })
    }
}

fn known(directory: &Directory, owner: EntryId, policy: &PasswordPolicy) -> Vec<Secret> {
    let mut known = account::stored_passwords(directory, Some(owner));
    known.extend(old_passwords(directory, owner, policy.history));
    known
}

/// The newest passwords, at most that many, that an account had before.
fn old_passwords(directory: &Directory, id: EntryId, most: u32) -> Vec<Secret> {
    let (Some(node), Some(history)) = (directory.node(id), type_of(directory, "pwdHistory")) else { return Vec::new() };
    history::newest(node.entry.values(history), most)
}

/// The two before the present one: phones go on with them.
pub(crate) fn two_before(directory: &Directory, id: EntryId) -> Vec<Secret> {
    old_passwords(directory, id, history::REMEMBERED)
}

/// What the owner of an account brings along with a new password.
pub(crate) struct Proof<'a> {
    /// The old password.
    pub(crate) old: OldPassword,
    /// The new one beside those before; none where there is no new one.
    pub(crate) comparison: Option<&'a Comparison>,
}

/// Judges a change of an account's password. `new`: each new one. Whether one is taken that is too short to be the only factor.
pub(crate) fn check(
    head: &Directory,
    context: &Context,
    subject: Subject,
    target: EntryId,
    new: Vec<NewPassword>,
    proof: &Proof<'_>,
) -> Result<bool, Refusal> {
    if context.authority == Authority::Installation {
        return Ok(false);
    }
    let policy = policies::password_policy(head, Some(target));
    let second_factor = bind_rules::always_needs_factor(head, context, target);
    let mut change = PasswordChange { owner: None, new, second_factor };
    if subject.identity == Some(target) {
        let mut own = OwnChange {
            old: proof.old,
            age: age(head, context, target),
            was_reset: account_flag(head, target, "pwdReset"),
            reuse: Reuse::New,
        };
        // What can be told without the comparison comes first.
        change.owner = Some(own.clone());
        change::judge(&policy, &change)?;
        match proof.comparison {
            Some(comparison) => own.reuse = comparison.reuse(head, target, &policy)?,
            // The account became the sender's own since the request was prepared.
            None if change.new.iter().any(|new| *new != NewPassword::Hashed) => return Err(busy()),
            None => {}
        }
        change.owner = Some(own);
    }
    change::judge(&policy, &change)?;
    Ok(change.needs_factor(&policy))
}

/// 50 for an owner who takes the password away instead of changing it while that must be done.
pub(crate) fn check_removal(head: &Directory, context: &Context, owner: EntryId) -> Result<(), Refusal> {
    let is_pending = account_flag(head, owner, "pwdReset") || standing::must_change(head, owner, context.now);
    if is_pending { Err(standing::must_change_first()) } else { Ok(()) }
}

/// 19 for an owner who would have more than one password.
pub(crate) fn several() -> Refusal {
    let refusal = Refusal::new(ResultCode::ConstraintViolation, "Password policy only allows one password value");
    refusal.because("several passwords")
}

/// Judges the passwords of an entry that is being made. `policy`: the name in its pwdPolicySubentry.
pub(crate) fn check_new(
    head: &Directory,
    context: &Context,
    policy: Option<&[u8]>,
    new: Vec<NewPassword>,
) -> Result<(), Refusal> {
    if context.authority == Authority::Installation {
        return Ok(());
    }
    Ok(change::judge(&policies::password_policy_named(head, policy), &PasswordChange { owner: None, new, second_factor: false })?)
}

impl From<ChangeRefusal> for Refusal {
    fn from(refusal: ChangeRefusal) -> Refusal {
        let (code, text) = refusal.result();
        Refusal::new(code, text).because(refusal.reason())
    }
}

/// The control that tells how it went, where it was asked for. `reason`: why the operation was refused; none: it was not.
pub(crate) fn response_control(context: &Context, reason: Option<&'static str>) -> Option<Control> {
    let error = |reason| ChangeRefusal::ALL.into_iter().find(|refusal| refusal.reason() == reason).map(ChangeRefusal::error);
    let error: Option<PasswordPolicyError> = reason.and_then(error);
    context.attached.password_policy.then(|| control::password_policy_response(None, error))
}

/// Puts the account's state right after its passwords changed. `target`: none for an entry that is being made. `given`: whether the
/// request says itself what this attribute is. `needs_factor`: as [`check`] says.
pub(crate) fn settle(
    head: &Directory,
    context: &Context,
    subject: Subject,
    target: Option<EntryId>,
    entry: &mut EntryBuilder,
    needs_factor: bool,
    given: impl Fn(&str) -> bool,
) {
    let Some(password) = account::password_attribute(head) else { return };
    let before = account::stored_passwords(head, target);
    let after: Vec<Secret> = values(entry, password).iter().map(|value| Secret::from(value.as_ref())).collect();
    if context.authority == Authority::Installation || before == after {
        return;
    }
    let name = type_of(head, "pwdPolicySubentry").and_then(|id| values(entry, id).first().cloned());
    let policy = policies::password_policy_named(head, name.as_deref());
    let given_up: Vec<Secret> = before.into_iter().filter(|stored| !after.contains(stored)).collect();
    remember(head, context, entry, &given_up, policy.history);

    let by_owner = target.is_some() && subject.identity == target;
    if by_owner && after.is_empty() {
        // What an administrator or the time asked for is asked for still.
        return;
    }
    let must_change = !after.is_empty() && !by_owner && policy.must_change && !is_unattended(head, entry);
    let mut put = |name: &str, value: Option<String>| {
        if !given(name) {
            set(head, entry, name, value.map(Value::from).into_iter().collect());
        }
    };
    put("pwdChangedTime", (!after.is_empty()).then(|| context.now.to_generalized_time()));
    put("pwdReset", must_change.then(|| "TRUE".to_owned()));
    put("passwordNeedsFactor", needs_factor.then(|| "TRUE".to_owned()));
    ENDED.iter().for_each(|name| put(name, None));
    put("passwordExpirationTime", None);
    put("passwordExposedTime", None);
    if !by_owner {
        // An emergency account is sealed anew by somebody else.
        put("breakGlassUseTime", None);
    }
    // Nobody takes away what an administrator locked but an administrator.
    let locked_by_failures = || target.is_some_and(|id| standing::facts(head, id).lock_of_failures.is_some());
    if !by_owner || locked_by_failures() {
        put("pwdAccountLockedTime", None);
    }
    let today = context.now.0.div_euclid(MICROS_PER_DAY).to_string();
    let file_time = context.now.0.saturating_mul(10).saturating_add(FILE_TIME_OF_1970).to_string();
    let set_at = if must_change { "0".to_owned() } else { file_time };
    let mut follow = |name: &str, value: String| {
        let is_there = type_of(head, name).is_some_and(|id| !values(entry, id).is_empty());
        if is_there && !given(name) {
            set(head, entry, name, vec![Value::from(value)]);
        }
    };
    follow("shadowLastChange", today);
    follow("pwdLastSet", set_at);
    if !by_owner {
        follow("lockoutTime", "0".to_owned());
    }
}

/// What a new password is held against: what is known of the person, by these values of its entry, and of the place.
pub(crate) fn surroundings<'a>(
    directory: &Directory,
    context: &'a Context,
    values: impl Fn(&str) -> Vec<String>,
) -> Surroundings<'a> {
    let mut texts: Vec<String> = PERSONAL.iter().flat_map(|name| values(name)).collect();
    // The part of an address before the @ is the person's, the rest the place's.
    texts.extend(values("mail").into_iter().map(|mail| mail.replace('@', " ")));
    texts.extend(directory.suffix().rdns.iter().flat_map(|rdn| &rdn.parts).map(|part| text_of(&part.value)));
    let organization = type_of(directory, "o").zip(directory.suffix_entry().and_then(|id| directory.node(id)));
    texts.extend(organization.iter().flat_map(|(o, suffix)| suffix.entry.values(*o)).map(text_of));
    texts.retain(|text| text.len() <= LONGEST_TEXT);
    texts.truncate(MOST_TEXTS);
    Surroundings { blocklist: context.settings.blocklist.as_deref(), texts }
}

/// The same for an entry that is there.
pub(crate) fn surroundings_of<'a>(directory: &Directory, context: &'a Context, id: Option<EntryId>) -> Surroundings<'a> {
    surroundings(directory, context, |name| {
        let node = type_of(directory, name).zip(id.and_then(|id| directory.node(id)));
        node.map(|(attribute, node)| node.entry.values(attribute).map(text_of).collect()).unwrap_or_default()
    })
}

fn text_of(value: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(value.as_ref()).into_owned()
}

/// How many passwords an entry has.
pub(crate) fn count(head: &Directory, entry: &EntryBuilder) -> usize {
    account::password_attribute(head).map_or(0, |password| values(entry, password).len())
}

/// Old passwords that are given up go to those that may not be used again.
fn remember(head: &Directory, context: &Context, entry: &mut EntryBuilder, given_up: &[Secret], most: u32) {
    let Some(attribute) = type_of(head, "pwdHistory") else { return };
    let before = values(entry, attribute).to_vec();
    let after = history::after(before.into_iter(), given_up, context.now, most.max(history::REMEMBERED));
    set(head, entry, "pwdHistory", after);
}

fn is_unattended(head: &Directory, entry: &EntryBuilder) -> bool {
    let kind = type_of(head, "accountKind").and_then(|id| values(entry, id).first());
    kind.is_some_and(|kind| UNATTENDED.iter().any(|unattended| kind.eq_ignore_ascii_case(unattended)))
}

fn age(head: &Directory, context: &Context, id: EntryId) -> Option<i64> {
    let changed = type_of(head, "pwdChangedTime").zip(head.node(id)).and_then(|(changed, node)| node.entry.first(changed))?;
    let changed = crate::model::Timestamp::from_generalized_time(changed).ok()?;
    Some(context.now.0.saturating_sub(changed.0))
}

fn account_flag(head: &Directory, id: EntryId, name: &str) -> bool {
    type_of(head, name).zip(head.node(id)).and_then(|(flag, node)| node.entry.first(flag)) == Some(b"TRUE")
}

fn type_of(head: &Directory, name: &str) -> Option<AttributeTypeId> {
    head.schema().attribute_type(name).map(|attribute_type| attribute_type.id)
}

/// The values of an attribute without options.
fn values(entry: &EntryBuilder, attribute: AttributeTypeId) -> &[Value] {
    let found = entry.attributes.iter().find(|it| it.attribute_type == attribute && !it.description.contains(';'));
    found.map(|found| found.values.as_slice()).unwrap_or_default()
}

fn set(head: &Directory, entry: &mut EntryBuilder, name: &str, values: Vec<Value>) {
    if let Some(attribute_type) = head.schema().attribute_type(name) {
        entry.set(attribute_type.id, attribute_type.name(), attribute_type.section(), values);
    }
}

fn busy() -> Refusal {
    Refusal::new(ResultCode::Busy, "")
}
