//! How an account stands: what its entry, its bookkeeping and its policy come to at a moment.

use std::sync::Arc;

use super::policies::password_policy;
use super::refusal::Refusal;
use super::{Context, Peer};
use crate::directory::Directory;
use crate::model::{EntryId, FailedLogins, ResultCode, Timestamp};
use crate::operation::bind::reason;
use crate::operation::control::{PasswordWarning, Usability, password_policy_response};
use crate::policy::account::age::{self, PasswordAge};
use crate::policy::account::{self, Barrier, Facts, Ground, intruder};
use crate::policy::password::policy::{PasswordPolicy, PasswordPolicyError};
use crate::policy::share::Origin;
use crate::protocol::{Control, LdapResult};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What is known of an account; of no entry nothing.
pub(crate) fn facts(directory: &Directory, id: EntryId) -> Facts {
    let mut facts = Facts::default();
    if let Some(node) = directory.node(id) {
        directory.account_values(node).for_each(|(attribute, value)| facts.note(attribute, value));
    }
    if let Some(state) = directory.login_state(id) {
        facts.last_login = state.last_login;
        facts.grace_logins = u32::try_from(state.grace_logins.len()).unwrap_or(u32::MAX);
        facts.note_lock_of_failures(state.failed.as_ref().and_then(|failed| failed.locked));
    }
    facts
}

/// An account's facts and the policy in force for it, looked up once for all that is asked about it.
pub(crate) struct Standing<'d> {
    pub(crate) facts: Facts,
    pub(crate) policy: Arc<PasswordPolicy>,
    failed: Option<&'d FailedLogins>,
}

impl<'d> Standing<'d> {
    /// Of an entry.
    pub(crate) fn of(directory: &'d Directory, id: EntryId) -> Standing<'d> {
        let failed = directory.login_state(id).and_then(|state| state.failed.as_deref());
        Standing { facts: facts(directory, id), policy: password_policy(directory, Some(id)), failed }
    }

    /// What bars the account at a moment, first its own state, then its password's.
    pub(crate) fn barrier(&self, now: Timestamp, by_password: bool) -> Option<Barrier> {
        let of_password = || account::password_barrier(&self.facts, &self.policy, now).filter(|_| by_password);
        account::barriers(&self.facts, &self.policy, now).next().or_else(of_password)
    }

    /// 49 for an account that may not log in at a moment, whatever the proof. `by_password`: its password must be good still, too. Judged
    /// after everything else, so that it costs what a login costs.
    pub(crate) fn check(&self, now: Timestamp, by_password: bool) -> Result<(), Refusal> {
        match self.barrier(now, by_password) {
            Some(barrier) => {
                Err(Refusal { result: LdapResult::of(ResultCode::InvalidCredentials), reason: reason_of(barrier.ground) })
            }
            None => Ok(()),
        }
    }

    /// Whether it is too early for another password from there, after those that failed.
    pub(crate) fn waits(&self, peer: &Peer, now: Timestamp) -> bool {
        let until = |failed| intruder::waits_until(failed, &self.policy, &source(peer), now);
        self.failed.and_then(until).is_some()
    }

    /// Whether its password is good beside a second factor alone, and none was proven.
    pub(crate) fn is_too_short(&self, factors: &[&str]) -> bool {
        self.facts.needs_factor && factors == ["password"]
    }

    /// How its password stands.
    pub(crate) fn of_password(&self, now: Timestamp) -> PasswordStanding {
        PasswordStanding {
            age: age::age(&self.facts, &self.policy, now),
            must_change: self.facts.must_change(self.policy.must_change, now),
        }
    }
}

/// How the password of an account that is logged in to stands.
#[derive(Clone, Copy)]
pub(crate) struct PasswordStanding {
    /// By its age.
    pub(crate) age: PasswordAge,
    /// It must be changed before anything else is done.
    pub(crate) must_change: bool,
}

impl PasswordStanding {
    /// What the password policy control tells of it.
    pub(crate) fn control(self) -> Control {
        let warning = match self.age {
            _ if self.must_change => None,
            PasswordAge::Good | PasswordAge::Expired => None,
            PasswordAge::Ending(seconds) => Some(PasswordWarning::TimeBeforeExpiration(seconds)),
            PasswordAge::Grace(more) => Some(PasswordWarning::GraceLoginsRemaining(more)),
        };
        password_policy_response(warning, self.must_change.then_some(PasswordPolicyError::ChangeAfterReset))
    }
}

/// Whether the password must be changed before anything else is done.
pub(crate) fn must_change(directory: &Directory, id: EntryId, now: Timestamp) -> bool {
    Standing::of(directory, id).of_password(now).must_change
}

/// Whether the password of an account may not be all that a login proves: it is too short for that. Whoever logs in with it alone must change it.
pub(crate) fn is_too_short(directory: &Directory, id: EntryId, factors: &[&str]) -> bool {
    Standing::of(directory, id).is_too_short(factors)
}

/// 50 for a session that may do nothing but change its password, while that is still to be changed.
pub(crate) fn check_restricted(directory: &Directory, context: &Context) -> Result<(), Refusal> {
    let restricted = context.identity.entry.filter(|_| context.identity.must_change);
    let must = |id| must_change(directory, id, context.now) || is_too_short(directory, id, &context.identity.factors);
    if restricted.is_some_and(must) { Err(must_change_first()) } else { Ok(()) }
}

/// 50
pub(crate) fn must_change_first() -> Refusal {
    let text = "Operations are restricted to bind/unbind/abandon/StartTLS/modify password";
    Refusal::new(ResultCode::InsufficientAccessRights, text).because("password must be changed first")
}

/// The same for a change of a password: of the own entry, and as nobody else, it may be made. `target`: the entry that the request names.
pub(crate) fn check_restricted_to_own(directory: &Directory, context: &Context, target: Option<EntryId>) -> Result<(), Refusal> {
    let is_own = target.is_some() && target == context.identity.entry && context.attached.assumed.is_none();
    if is_own { Ok(()) } else { check_restricted(directory, context) }
}

/// Where a login comes from, as failures are counted.
pub(crate) fn source(peer: &Peer) -> String {
    peer.address.map_or_else(|| peer.text.clone(), |address| Origin::of(address).to_string())
}

/// Whether the account can log in with its password, as the account usability control tells it.
pub(crate) fn usability(directory: &Directory, id: EntryId, now: Timestamp) -> Usability {
    let Standing { facts, policy, .. } = Standing::of(directory, id);
    let seconds = |until: Timestamp| until.0.saturating_sub(now.0).saturating_add(MICROS_PER_SECOND - 1) / MICROS_PER_SECOND;
    let of_password = account::password_barrier(&facts, &policy, now);
    let all: Vec<Barrier> = account::barriers(&facts, &policy, now).chain(of_password).collect();
    let reset = facts.must_change(policy.must_change, now);
    if all.is_empty() && !reset {
        return Usability::Usable { seconds: account::next_end(&facts, &policy, now).map(|(_, end)| seconds(end)) };
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
        Ground::Used => reason::USED,
        Ground::Idle => reason::IDLE,
        Ground::NotProofed => reason::NOT_PROOFED,
        Ground::PasswordAge => reason::PASSWORD_EXPIRED,
        Ground::ShadowInactive => reason::PASSWORD_OUTLIVED,
    }
}
