//! What a bind leaves behind: when and from where an account was last logged in to, which logins failed, a lock that they made. None of it
//! is a modification of the entry.

use std::sync::Arc;

use super::{PendingBind, reason};
use crate::directory::{Change, Directory};
use crate::journal::{Record, RecordKind, RecordedChange, RecordedValue};
use crate::model::{Entry, EntryBuilder, EntryId, FailedLogins, ModificationOperation, ResultCode, Secret, Timestamp, Value};
use crate::operation::refusal::Refusal;
use crate::operation::standing::Standing;
use crate::operation::{Context, account, record, standing};
use crate::policy::account::age::PasswordAge;
use crate::policy::account::{self as account_policy, BREAK_GLASS_USE, Ground, intruder};
use crate::policy::password::HashAnswer;
use crate::protocol::LdapResult;

/// Since when an emergency account is used.
const USE_TIME: &str = "breakGlassUseTime";
/// Why there is a record of it.
const EMERGENCY: &str = "emergency account used";

/// The lock, whoever made it.
pub(crate) const LOCKED_TIME: &str = "pwdAccountLockedTime";
/// Logins with an expired password.
pub(crate) const GRACE_LOGINS: &str = "pwdGraceUseTime";

/// 49 for a password that is not to be looked at yet, right or wrong: it counts as no try.
pub(super) fn check_wait(standing: Option<&Standing<'_>>, context: &Context, pending: &PendingBind) -> Result<(), Refusal> {
    let looked_at = matches!(pending.answer, Some(HashAnswer::Verified { .. } | HashAnswer::Previous | HashAnswer::Recalled(_)))
        || pending.app.is_some();
    match standing.filter(|_| looked_at && pending.refusal.is_none() && pending.method.is_password()) {
        Some(standing) if standing.waits(&context.peer, context.now) => {
            Err(Refusal { result: LdapResult::of(ResultCode::InvalidCredentials), reason: reason::MUST_WAIT })
        }
        _ => Ok(()),
    }
}

/// A wrong password was given. `alerts`: what somebody is told of it.
pub(crate) fn failed(
    head: &Directory,
    context: &Context,
    id: EntryId,
    standing: &Standing<'_>,
    by_code: bool,
    record: &mut Record,
    alerts: &mut Vec<Record>,
) -> Vec<Change> {
    // Deleted while the password was looked at: there is nothing to keep it with.
    if head.node(id).is_none() {
        return Vec::new();
    }
    let (facts, policy) = (&standing.facts, &*standing.policy);
    // Whoever guesses at the password of an emergency account must not make it wait; who tries codes knows the password.
    if (facts.break_glass && !by_code) || facts.locked_by_failures(policy, context.now) {
        return Vec::new();
    }
    let mut state = head.account_state(id);
    // A lock that an administrator took away is forgotten with what made it.
    let before = state.failed.as_deref().filter(|before| before.locked.is_none() || facts.lock_of_failures.is_some());
    let mut after = intruder::after_failure(before, policy, &standing::source(&context.peer), context.now);
    if intruder::is_alarming(before, &after) {
        alerts.push(alert(head, context, id, after.in_a_row));
    }
    // What an administrator locked stays locked as it is.
    let held = account_policy::barriers(facts, policy, context.now).any(|barrier| barrier.ground == Ground::Locked);
    if held || facts.break_glass {
        after.locked = None;
    }
    let lock = after.locked;
    state.failed = Some(Arc::new(after));
    let mut changes = vec![Change::PutAccountState { id, state }];
    // A lock that is over goes from the entry too: nobody would know it any more as the server's own.
    if lock != facts.lock_of_failures && !held {
        let values: Vec<Value> = lock.map(|lock| Value::from(lock.to_generalized_time_micros())).into_iter().collect();
        note(record, LOCKED_TIME, RecordedValue::Shown(values.clone()));
        changes.extend(rewritten(head, id, |entry| set(head, entry, LOCKED_TIME, values)));
    }
    changes
}

/// What the journal says of an account whose password somebody guesses at, or some device does not know any more.
fn alert(head: &Directory, context: &Context, id: EntryId, failures: u32) -> Record {
    let mut record = Record::new(RecordKind::Alert);
    record.target = record::named(head, id);
    record.peer = Some(context.peer.text.clone());
    record.reason = Some(reason::MANY_FAILURES);
    record.details = vec![("failures", failures.to_string())];
    record
}

/// The account was logged in to. `age`: how the password stands; none where something else was proven. `rewrite`: a stored password that matched, and its new form.
pub(super) fn logged_in(
    head: &Directory,
    context: &Context,
    id: EntryId,
    standing: &Standing<'_>,
    age: Option<PasswordAge>,
    rewrite: Option<(&Secret, &Secret)>,
    record: &mut Record,
) -> Vec<Change> {
    let mut state = head.account_state(id);
    state.last_login = Some(context.now);
    state.last_login_source = Some(context.peer.address.map_or_else(|| context.peer.text.clone(), |address| address.to_string()));
    // What proves nothing about the password forgives no guesses at it.
    let failed = if age.is_some() { state.failed.take() } else { None };
    let unlocks = failed.as_ref().is_some_and(|failed| failed.locked.is_some());
    if let Some(failed) = failed {
        state.failed = after_success(standing, context, &failed);
    }
    if age.is_some_and(|age| matches!(age, PasswordAge::Grace(_))) {
        state.grace_logins.push(context.now);
    }
    let unlocks = unlocks && standing.facts.lock_of_failures.is_some();
    let mut changes = vec![Change::PutAccountState { id, state }];
    if rewrite.is_none() && !unlocks {
        return changes;
    }
    changes.extend(rewritten(head, id, |entry| {
        if unlocks {
            note(record, LOCKED_TIME, RecordedValue::Shown(Vec::new()));
            set(head, entry, LOCKED_TIME, Vec::new());
        }
        if rewrite.is_some_and(|(old, new)| rehash(head, entry, old, new)) {
            note(record, "userPassword", RecordedValue::Redacted(1));
        }
    }));
    changes
}

/// An emergency account was logged in to: from the first time on its use has an end, which stands in the entry until somebody sets another
/// password. What the journal says beside the login. `changes`: those of the login so far.
pub(super) fn emergency(
    head: &Directory,
    context: &Context,
    id: EntryId,
    changes: &mut Vec<Change>,
    record: &mut Record,
) -> Vec<Record> {
    let facts = standing::facts(head, id);
    if !facts.break_glass {
        return Vec::new();
    }
    let since = facts.used.unwrap_or(context.now);
    if facts.used.is_none() {
        // Whole seconds, as all such attributes.
        let since = vec![Value::from(since.to_generalized_time())];
        note(record, USE_TIME, RecordedValue::Shown(since.clone()));
        put_use(head, id, changes, since);
    }
    let end = Timestamp(since.0.saturating_add(i64::from(BREAK_GLASS_USE) * 1_000_000));
    let details = vec![("since", since.to_generalized_time()), ("end", end.to_generalized_time())];
    vec![Record { kind: RecordKind::BreakGlass, reason: Some(EMERGENCY), changes: Vec::new(), details, ..record.clone() }]
}

fn put_use(head: &Directory, id: EntryId, changes: &mut Vec<Change>, since: Vec<Value>) {
    let written = changes.iter_mut().find_map(|change| match change {
        Change::PutEntry { id: written, block, .. } if *written == id => Some(block),
        _ => None,
    });
    match written {
        Some(block) => {
            let Ok(before) = Entry::from_block(block.clone(), |name| head.schema().section_of(name)) else { return };
            let mut entry = before.to_builder();
            set(head, &mut entry, USE_TIME, since);
            *block = entry.build().block().clone();
        }
        None => changes.extend(rewritten(head, id, |entry| set(head, entry, USE_TIME, since))),
    }
}

fn after_success(standing: &Standing<'_>, context: &Context, failed: &FailedLogins) -> Option<Arc<FailedLogins>> {
    let after = intruder::after_success(failed, &standing.policy, &standing::source(&context.peer), context.now);
    (!after.is_empty()).then(|| Arc::new(after))
}

/// What of the bookkeeping an administrator or a new password begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Forgiven {
    /// Failed logins, and the lock that they made.
    pub(crate) failures: bool,
    /// Logins with the expired password: another one, or who takes them away, alone gives more of them.
    pub(crate) grace_logins: bool,
}

impl Forgiven {
    /// Of a new password.
    pub(crate) const ALL: Forgiven = Forgiven { failures: true, grace_logins: true };
}

/// The bookkeeping without what is forgiven; none where there is nothing to forget.
pub(crate) fn forgiven(head: &Directory, id: EntryId, what: Forgiven) -> Option<Change> {
    let before = head.login_state(id)?;
    let mut state = before.clone();
    if what.failures {
        state.failed = None;
    }
    if what.grace_logins {
        state.grace_logins.clear();
    }
    (state != *before).then_some(Change::PutAccountState { id, state })
}

/// Takes the server's own lock, where the entry has it, out of an entry whose failures are forgiven: without them it would be an
/// administrator's.
pub(crate) fn unlock(head: &Directory, id: EntryId, entry: &mut EntryBuilder) {
    if standing::facts(head, id).lock_of_failures.is_some() {
        set(head, entry, LOCKED_TIME, Vec::new());
    }
}

fn note(record: &mut Record, attribute: &str, values: RecordedValue) {
    let operation = ModificationOperation::Replace;
    record.changes.push(RecordedChange { attribute: attribute.to_owned(), operation, values });
}

/// The entry with something of it changed; its stamps stay.
pub(crate) fn rewritten(head: &Directory, id: EntryId, change: impl FnOnce(&mut EntryBuilder)) -> Option<Change> {
    let node = head.node(id)?;
    let mut entry = node.entry.to_builder();
    change(&mut entry);
    let block = entry.build().block().clone();
    (block != *node.entry.block()).then(|| Change::PutEntry { id, parent: node.parent, name: node.name.clone(), block })
}

pub(crate) fn set(head: &Directory, entry: &mut EntryBuilder, name: &str, values: Vec<Value>) {
    if let Some(attribute_type) = head.schema().attribute_type(name) {
        entry.set(attribute_type.id, attribute_type.name(), attribute_type.section(), values);
    }
}

/// One stored password in its new form.
fn rehash(head: &Directory, entry: &mut EntryBuilder, old: &Secret, new: &Secret) -> bool {
    let Some(attribute_type) = account::password_attribute(head) else { return false };
    let name = head.schema().attribute_type_by_id(attribute_type).name();
    let values = entry.get_mut(attribute_type, name).map(|attribute| &mut attribute.values);
    let found = values.and_then(|values| values.iter_mut().find(|value| Secret::from(value.as_ref()) == *old));
    found.map(|value| *value = Value::copy_from_slice(new.expose())).is_some()
}
