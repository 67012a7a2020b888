//! What bars an account, and until when. Every attribute counts; one that bars is enough.

use super::{Facts, Lock};
use crate::model::Timestamp;
use crate::policy::password::policy::PasswordPolicy;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What a policy says of an account's use. Times in seconds; 0: none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccountRules {
    /// pwdMaxIdle: how long an account may go without a login.
    pub max_idle: u32,
    /// pwdLockoutDuration: how long a lock lasts that has a beginning; 0: until an administrator takes it away.
    pub lockout_duration: u32,
    /// The same for a lock that failed logins made.
    pub failure_lock_duration: u32,
}

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
    /// Nobody logged in for longer than pwdMaxIdle.
    Idle,
    /// The password is older than passwordExpirationTime says.
    PasswordExpirationTime,
    /// The password was not changed for longer than shadowMax and shadowInactive together.
    ShadowInactive,
}

impl AccountRules {
    /// What a policy says.
    pub fn of(policy: &PasswordPolicy) -> AccountRules {
        let failure_lock_duration = if policy.locks_account() { policy.lockout_duration } else { 0 };
        AccountRules { max_idle: policy.maximum_idle, lockout_duration: policy.lockout_duration, failure_lock_duration }
    }
}

impl Ground {
    /// Those that bar an account however it is proven who asks.
    pub const OF_ACCOUNT: [Ground; 11] = [
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
        Ground::Idle,
    ];

    /// Those that bar its password alone.
    pub const OF_PASSWORD: [Ground; 3] = [Ground::Failures, Ground::PasswordExpirationTime, Ground::ShadowInactive];

    /// Whether it is a lock, which may end.
    pub fn is_lock(self) -> bool {
        matches!(self, Ground::Locked | Ground::LockoutTime | Ground::Failures)
    }

    /// Whether it is the end of the account or of its password.
    pub fn is_expiry(self) -> bool {
        use Ground::{AccountExpires, EndTime, PasswordExpirationTime, PrincipalExpiration, ShadowExpire, ShadowInactive};
        matches!(self, EndTime | AccountExpires | PrincipalExpiration | ShadowExpire | PasswordExpirationTime | ShadowInactive)
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
            Ground::Idle => "lastLoginTime",
            Ground::PasswordExpirationTime => "passwordExpirationTime",
            Ground::ShadowInactive => "shadowInactive",
        }
    }

    fn look(self, facts: &Facts, rules: &AccountRules, now: Timestamp) -> Option<Barrier> {
        let barrier = |since, until| Barrier { ground: self, since, until };
        let always = |is: bool| is.then(|| barrier(None, None));
        match self {
            Ground::Disabled => always(facts.disabled),
            Ground::UserAccountControl => always(facts.disabled_by_control),
            Ground::NsAccountLock => always(facts.disabled_by_lock),
            Ground::StartTime => facts.starts.filter(|starts| now < *starts).map(|starts| barrier(None, Some(starts))),
            Ground::Locked if facts.lock_of_failures.is_some() => None,
            Ground::Failures if facts.break_glass => None,
            Ground::Failures => locked(self, facts.lock_of_failures?, rules.failure_lock_duration, now),
            Ground::Locked => match facts.locked? {
                Lock::ForGood => Some(barrier(None, None)),
                Lock::Since(since) => locked(self, since, rules.lockout_duration, now),
            },
            Ground::LockoutTime => locked(self, facts.lockout?, rules.lockout_duration, now),
            _ => self.end(facts, rules).filter(|end| now >= *end).map(|end| barrier(Some(end), None)),
        }
    }

    /// The first moment at which it bars, where that is a matter of time alone.
    fn end(self, facts: &Facts, rules: &AccountRules) -> Option<Timestamp> {
        match self {
            Ground::EndTime => facts.ends,
            Ground::AccountExpires => facts.account_expires,
            Ground::PrincipalExpiration => facts.principal_expires,
            Ground::ShadowExpire => facts.shadow_expires,
            Ground::Idle if rules.max_idle > 0 && !facts.break_glass => {
                // A password set since begins the time anew: that is how an administrator lets somebody in again.
                let last = facts.last_login?.max(facts.password_changed.unwrap_or(Timestamp::EARLIEST));
                Some(later(last, rules.max_idle))
            }
            Ground::PasswordExpirationTime => facts.password_expires,
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

/// A lock that began: it holds before its time too, and for good where the policy knows no end.
fn locked(ground: Ground, since: Timestamp, duration: u32, now: Timestamp) -> Option<Barrier> {
    let until = (duration > 0).then(|| later(since, duration));
    let holds = until.is_none_or(|until| now < until);
    holds.then_some(Barrier { ground, since: Some(since), until })
}

impl Facts {
    /// Whether a lock that failed logins made holds.
    pub fn locked_by_failures(&self, rules: &AccountRules, now: Timestamp) -> bool {
        Ground::Failures.look(self, rules, now).is_some()
    }
}

/// All that bars the account at a moment, whatever proves who asks.
pub fn barriers<'a>(facts: &'a Facts, rules: &'a AccountRules, now: Timestamp) -> impl Iterator<Item = Barrier> + 'a {
    Ground::OF_ACCOUNT.into_iter().filter_map(move |ground| ground.look(facts, rules, now))
}

/// What bars its password.
pub fn password_barrier(facts: &Facts, rules: &AccountRules, now: Timestamp) -> Option<Barrier> {
    Ground::OF_PASSWORD.into_iter().find_map(|ground| ground.look(facts, rules, now))
}

/// What will bar the account next by time alone, and when.
pub fn next_end(facts: &Facts, rules: &AccountRules, now: Timestamp) -> Option<(Ground, Timestamp)> {
    let all = Ground::OF_ACCOUNT.into_iter().chain(Ground::OF_PASSWORD);
    let ends = all.filter_map(|ground| Some((ground, ground.end(facts, rules)?)));
    ends.filter(|(_, end)| *end > now).min_by_key(|(_, end)| *end)
}
