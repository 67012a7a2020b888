//! What bars an account, and until when. Every attribute counts; one that bars is enough.

use super::age::{self, PasswordAge};
use super::{Facts, Lock, intruder};
use crate::model::Timestamp;
use crate::policy::password::policy::PasswordPolicy;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Seconds for which an emergency account may be used, from the first login with its password.
pub const BREAK_GLASS_USE: u32 = 4 * 60 * 60;
/// Seconds after a login of one within which the reason must be given.
pub const BREAK_GLASS_REASON: u32 = 15 * 60;

/// What can bar an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ground {
    /// accountDisabled is TRUE.
    Disabled,
    /// userAccountControl has 0x2.
    UserAccountControl,
    /// nsAccountLock is true.
    NsAccountLock,
    /// It is before pwdStartTime.
    StartTime,
    /// pwdEndTime is over.
    EndTime,
    /// accountExpires is over.
    AccountExpires,
    /// krbPrincipalExpiration is over.
    PrincipalExpiration,
    /// shadowExpire is over.
    ShadowExpire,
    /// pwdAccountLockedTime says so, for good or for a time.
    Locked,
    /// lockoutTime says so.
    LockoutTime,
    /// Too many logins failed: pwdAccountLockedTime is the server's own.
    Failures,
    /// The emergency account was used, and its password was not set anew.
    Used,
    /// Nobody logged in for longer than pwdMaxIdle.
    Idle,
    /// The policy asks for it, and nobody recorded to have looked at the person's papers.
    NotProofed,
    /// The password is older than pwdMaxAge or passwordExpirationTime says, and no login is left with it.
    PasswordAge,
    /// The password was not changed for longer than shadowMax and shadowInactive together.
    ShadowInactive,
}

impl Ground {
    /// Those that bar an account however it is proven who asks.
    pub const OF_ACCOUNT: [Ground; 13] = [
        Ground::Disabled,
        Ground::UserAccountControl,
        Ground::NsAccountLock,
        Ground::StartTime,
        Ground::EndTime,
        Ground::AccountExpires,
        Ground::PrincipalExpiration,
        Ground::ShadowExpire,
        Ground::Locked,
        Ground::LockoutTime,
        Ground::Used,
        Ground::Idle,
        Ground::NotProofed,
    ];

    /// Those that bar its password alone.
    pub const OF_PASSWORD: [Ground; 3] = [Ground::Failures, Ground::PasswordAge, Ground::ShadowInactive];

    /// Whether it is a lock, which may end.
    pub fn is_lock(self) -> bool {
        matches!(self, Ground::Locked | Ground::LockoutTime | Ground::Failures)
    }

    /// Whether it is the end of the account or of its password.
    pub fn is_expiry(self) -> bool {
        use Ground::{AccountExpires, EndTime, PasswordAge, PrincipalExpiration, ShadowExpire, ShadowInactive};
        matches!(self, EndTime | AccountExpires | PrincipalExpiration | ShadowExpire | PasswordAge | ShadowInactive)
    }

    /// The attribute it is read from.
    pub fn attribute(self) -> &'static str {
        match self {
            Ground::Disabled => "accountDisabled",
            Ground::UserAccountControl => "userAccountControl",
            Ground::NsAccountLock => "nsAccountLock",
            Ground::StartTime => "pwdStartTime",
            Ground::EndTime => "pwdEndTime",
            Ground::AccountExpires => "accountExpires",
            Ground::PrincipalExpiration => "krbPrincipalExpiration",
            Ground::ShadowExpire => "shadowExpire",
            Ground::Locked | Ground::Failures => "pwdAccountLockedTime",
            Ground::LockoutTime => "lockoutTime",
            Ground::Used => "breakGlassUseTime",
            Ground::Idle => "lastLoginTime",
            Ground::NotProofed => "accountProofedTime",
            Ground::PasswordAge => "pwdChangedTime",
            Ground::ShadowInactive => "shadowInactive",
        }
    }

    fn look(self, facts: &Facts, policy: &PasswordPolicy, now: Timestamp) -> Option<Barrier> {
        let barrier = |since, until| Barrier { ground: self, since, until };
        let always = |is: bool| is.then(|| barrier(None, None));
        let disabled = |is: bool| is.then(|| barrier(facts.disabled_since, None));
        match self {
            Ground::Disabled => disabled(facts.disabled),
            Ground::UserAccountControl => disabled(facts.disabled_by_control),
            Ground::NsAccountLock => disabled(facts.disabled_by_lock),
            // Only people have papers.
            Ground::NotProofed if facts.service || facts.break_glass => None,
            Ground::NotProofed => always(policy.proofing && !(facts.proofed_by && facts.proofed_time)),
            Ground::StartTime => facts.starts.filter(|starts| now < *starts).map(|starts| barrier(None, Some(starts))),
            Ground::Locked if facts.lock_of_failures.is_some() => None,
            Ground::Failures if facts.break_glass => None,
            Ground::Failures => failure_lock(facts.lock_of_failures?, policy, now),
            Ground::Locked => match facts.locked? {
                Lock::ForGood => Some(barrier(None, None)),
                Lock::Since(since) => locked(self, since, policy.lockout_duration, now),
            },
            Ground::LockoutTime => locked(self, facts.lockout?, policy.lockout_duration, now),
            Ground::PasswordAge if age::age(facts, policy, now) != PasswordAge::Expired => None,
            _ => self.end(facts, policy).filter(|end| now >= *end).map(|end| barrier(Some(end), None)),
        }
    }

    /// The first moment at which it bars, where that is a matter of time alone.
    fn end(self, facts: &Facts, policy: &PasswordPolicy) -> Option<Timestamp> {
        match self {
            Ground::EndTime => facts.ends,
            Ground::AccountExpires => facts.account_expires,
            Ground::PrincipalExpiration => facts.principal_expires,
            Ground::ShadowExpire => facts.shadow_expires,
            Ground::Used if facts.break_glass => Some(later(facts.used?, BREAK_GLASS_USE)),
            Ground::Idle if policy.maximum_idle > 0 && !facts.break_glass => {
                // A password set since begins the time anew: that is how an administrator lets somebody in again.
                let last = facts.last_login?.max(facts.password_changed.unwrap_or(Timestamp::EARLIEST));
                Some(later(last, policy.maximum_idle))
            }
            Ground::PasswordAge => age::expiry(facts, policy),
            Ground::ShadowInactive => facts.shadow_too_late(),
            _ => None,
        }
    }
}

/// Something that bars an account now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Barrier {
    /// What.
    pub ground: Ground,
    /// From which moment on, where that is known.
    pub since: Option<Timestamp>,
    /// The moment from which on it no longer does; none: until somebody changes something.
    pub until: Option<Timestamp>,
}

fn later(time: Timestamp, seconds: u32) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::from(seconds).saturating_mul(MICROS_PER_SECOND)))
}

/// A lock that failed logins made.
fn failure_lock(since: Timestamp, policy: &PasswordPolicy, now: Timestamp) -> Option<Barrier> {
    let until = intruder::lock_ends(since, policy);
    let holds = until.is_none_or(|until| now < until);
    holds.then_some(Barrier { ground: Ground::Failures, since: Some(since), until })
}

/// A lock that began: it holds before its time too, and for good where the policy knows no end.
fn locked(ground: Ground, since: Timestamp, duration: u32, now: Timestamp) -> Option<Barrier> {
    let until = (duration > 0).then(|| later(since, duration));
    let holds = until.is_none_or(|until| now < until);
    holds.then_some(Barrier { ground, since: Some(since), until })
}

impl Facts {
    /// Whether a lock that failed logins made holds.
    pub fn locked_by_failures(&self, policy: &PasswordPolicy, now: Timestamp) -> bool {
        Ground::Failures.look(self, policy, now).is_some()
    }
}

/// All that bars the account at a moment, whatever proves who asks.
pub fn barriers<'a>(facts: &'a Facts, policy: &'a PasswordPolicy, now: Timestamp) -> impl Iterator<Item = Barrier> + 'a {
    Ground::OF_ACCOUNT.into_iter().filter_map(move |ground| ground.look(facts, policy, now))
}

/// What bars its password.
pub fn password_barrier(facts: &Facts, policy: &PasswordPolicy, now: Timestamp) -> Option<Barrier> {
    Ground::OF_PASSWORD.into_iter().find_map(|ground| ground.look(facts, policy, now))
}

/// What will bar the account next by time alone, and when.
pub fn next_end(facts: &Facts, policy: &PasswordPolicy, now: Timestamp) -> Option<(Ground, Timestamp)> {
    let all = Ground::OF_ACCOUNT.into_iter().chain(Ground::OF_PASSWORD);
    let ends = all.filter_map(|ground| Some((ground, ground.end(facts, policy)?)));
    ends.filter(|(_, end)| *end > now).min_by_key(|(_, end)| *end)
}
