//! How an account stands: what its entry, its bookkeeping and its policy come to at a moment.

use super::policies::password_policy;
use super::refusal::Refusal;
use super::{Context, Peer};
use crate::directory::Directory;
use crate::model::{EntryId, ResultCode, Timestamp};
use crate::operation::bind::reason;
use crate::operation::control::Usability;
use crate::policy::account::{self, AccountRules, Barrier, Facts, Ground, intruder};
use crate::policy::share::Origin;
use crate::protocol::LdapResult;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What is known of an account; of no entry nothing.
pub(crate) fn facts(directory: &Directory, id: EntryId) -> Facts {
    let mut facts = Facts::default();
    if let Some(node) = directory.node(id) {
        directory.account_values(node).for_each(|(attribute, value)| facts.note(attribute, value));
    }
    if let Some(state) = directory.login_state(id) {
        facts.last_login = state.last_login;
        facts.note_lock_of_failures(state.failed.as_ref().and_then(|failed| failed.locked));
    }
    facts
}

/// What the account's policy says of its use.
pub(crate) fn rules(directory: &Directory, id: EntryId) -> AccountRules {
    AccountRules::of(&password_policy(directory, Some(id)))
}

/// 49 for an account that may not log in at this moment, whatever the proof. `by_password`: its password must be good still, too. Judged
/// after everything else, so that it costs what a login costs.
pub(crate) fn check(directory: &Directory, context: &Context, id: EntryId, by_password: bool) -> Result<(), Refusal> {
    let (facts, rules, now) = (facts(directory, id), rules(directory, id), context.now);
    let of_password = || account::password_barrier(&facts, &rules, now).filter(|_| by_password);
    match account::barriers(&facts, &rules, now).next().or_else(of_password) {
        Some(barrier) => {
            Err(Refusal { result: LdapResult::of(ResultCode::InvalidCredentials), reason: reason_of(barrier.ground) })
        }
        None => Ok(()),
    }
}

/// Whether it is too early for another password, after those that failed.
pub(crate) fn waits(directory: &Directory, context: &Context, id: EntryId) -> bool {
    let Some(failed) = directory.login_state(id).and_then(|state| state.failed.as_deref()) else { return false };
    let policy = password_policy(directory, Some(id));
    let until = intruder::waits_until(failed, &policy, &source(&context.peer), context.now);
    until.is_some() && !facts(directory, id).break_glass
}

/// Where a login comes from, as failures are counted.
pub(crate) fn source(peer: &Peer) -> String {
    peer.address.map_or_else(|| peer.text.clone(), |address| Origin::of(address).to_string())
}

/// Whether the account can log in with its password, as the account usability control tells it.
pub(crate) fn usability(directory: &Directory, id: EntryId, now: Timestamp) -> Usability {
    let (facts, rules) = (facts(directory, id), rules(directory, id));
    let seconds = |until: Timestamp| until.0.saturating_sub(now.0).saturating_add(MICROS_PER_SECOND - 1) / MICROS_PER_SECOND;
    let of_password = account::password_barrier(&facts, &rules, now);
    let all: Vec<Barrier> = account::barriers(&facts, &rules, now).chain(of_password).collect();
    let reset = facts.must_change(now);
    if all.is_empty() && !reset {
        return Usability::Usable { seconds: account::next_end(&facts, &rules, now).map(|(_, end)| seconds(end)) };
    }
    // Unlocked when the last of several locks ends; where something else bars it, or a lock has no end, there is no such time.
    let last = all.iter().map(|barrier| barrier.until.filter(|_| barrier.ground.is_lock())).collect::<Option<Vec<_>>>();
    Usability::Unusable {
        inactive: all.iter().any(|barrier| !barrier.ground.is_expiry()),
        reset,
        expired: all.iter().any(|barrier| barrier.ground.is_expiry()),
        seconds_before_unlock: last.and_then(|ends| ends.into_iter().max()).map(seconds),
    }
}

/// As the journal spells it.
pub(crate) fn reason_of(ground: Ground) -> &'static str {
    match ground {
        Ground::Disabled => reason::DISABLED,
        Ground::UserAccountControl => reason::DISABLED_BY_CONTROL,
        Ground::NsAccountLock => reason::DISABLED_BY_LOCK,
        Ground::StartTime => reason::NOT_YET_VALID,
        Ground::EndTime => reason::EXPIRED,
        Ground::AccountExpires => reason::ACCOUNT_EXPIRES,
        Ground::PrincipalExpiration => reason::PRINCIPAL_EXPIRED,
        Ground::ShadowExpire => reason::SHADOW_EXPIRED,
        Ground::Locked => reason::LOCKED,
        Ground::Failures => reason::LOCKED_BY_FAILURES,
        Ground::LockoutTime => reason::LOCKED_BY_TIME,
        Ground::Idle => reason::IDLE,
        Ground::PasswordExpirationTime => reason::PASSWORD_EXPIRED,
        Ground::ShadowInactive => reason::PASSWORD_OUTLIVED,
    }
}
