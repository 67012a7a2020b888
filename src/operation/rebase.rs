//! What accounts remember of a future that a wrong clock made, once policy time was taken back: moments that lie ahead become the present one, and so
//! do the time steps of tokens. Else somebody would wait until then, a password would never grow old, and codes would be refused as used.

use std::sync::Arc;

use super::bind::bookkeeping;
use super::clock::STAGE;
use super::{Context, Decision};
use crate::directory::{AccountState, Change, Directory, Node};
use crate::journal::{Record, RecordKind};
use crate::model::{EntryId, FailedLogins, ResultCode, Timestamp, Value};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Entries that one frame puts right.
pub const ENTRIES_IN_A_FRAME: usize = 500;

/// Moments that the server writes into entries and judges by.
const MOMENTS: [&str; 5] =
    ["pwdChangedTime", "pwdAccountLockedTime", "breakGlassUseTime", "passwordExposedTime", "accountDisabledTime"];
/// Of a time step (RFC 6238's), in microseconds. Steps of other lengths are left alone where they are longer.
const STEP: i64 = 30_000_000;

/// The entries that something of lies ahead.
pub fn ahead(directory: &Directory, now: Timestamp) -> Vec<EntryId> {
    let is_ahead = |node: &&Arc<Node>| {
        let state = directory.login_state(node.id);
        state.is_some_and(|state| after(state, now) != *state) || !moments(directory, node, now).is_empty()
    };
    directory.nodes().filter(is_ahead).map(|node| node.id).collect()
}

/// Takes it back. A lock that failures made stays known as one: the entry and the bookkeeping say the same moment.
pub(crate) fn decide(head: &Directory, context: &Context, entries: &[EntryId]) -> Decision {
    let mut changes = Vec::new();
    for node in entries.iter().filter_map(|id| head.node(*id)) {
        let before = head.account_state(node.id);
        let state = after(&before, context.now);
        if state != before {
            changes.push(Change::PutAccountState { id: node.id, state });
        }
        let moments = moments(head, node, context.now);
        changes.extend(bookkeeping::rewritten(head, node.id, |entry| {
            moments.iter().for_each(|name| bookkeeping::set(head, entry, name, vec![written(context.now)]));
        }));
    }
    let mut record = Record::new(RecordKind::Clock);
    record.details = vec![(STAGE, "moments taken back".to_owned()), ("entries", entries.len().to_string())];
    let reply = Reply::result(ResponseKind::Extended, LdapResult::of(ResultCode::Success));
    Decision { reply, changes, record, preceding: Vec::new(), identity: None }
}

fn written(now: Timestamp) -> Value {
    Value::from(now.to_generalized_time_micros())
}

fn moments(directory: &Directory, node: &Node, now: Timestamp) -> Vec<&'static str> {
    let is_ahead = |name: &&str| {
        let value = directory.schema().attribute_type(name).and_then(|it| node.entry.first(it.id));
        value.and_then(|value| Timestamp::from_generalized_time(value).ok()).is_some_and(|moment| moment > now)
    };
    MOMENTS.into_iter().filter(is_ahead).collect()
}

fn after(state: &AccountState, now: Timestamp) -> AccountState {
    let present = u64::try_from(now.0.div_euclid(STEP)).unwrap_or_default();
    AccountState {
        last_login: state.last_login.map(|time| time.min(now)),
        one_time_step: state.one_time_step.map(|step| step.min(present)),
        failed: state.failed.as_ref().map(|failed| Arc::new(failed_after(failed, now))),
        grace_logins: state.grace_logins.iter().map(|time| *time.min(&now)).collect(),
        ..state.clone()
    }
}

fn failed_after(failed: &FailedLogins, now: Timestamp) -> FailedLogins {
    let mut after = failed.clone();
    let all = after.times.iter_mut().chain(after.sources.iter_mut().flat_map(|source| &mut source.times));
    all.for_each(|time| *time = (*time).min(now));
    after.locked = after.locked.map(|time| time.min(now));
    if after != *failed {
        // It was counted from a moment that never came.
        after.pause_end = None;
    }
    after
}
