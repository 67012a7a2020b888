//! How old a password may become (draft-behera-ldap-password-policy-11 sections 7.2 and 7.3): a warning before its end, and some logins after
//! it, so that it can be changed.

use super::Facts;
use crate::model::Timestamp;
use crate::policy::password::policy::PasswordPolicy;

/// Most logins with an expired password, whatever a policy says.
pub const MAXIMUM_GRACE_LOGINS: u32 = 100;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// How a password stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordAge {
    /// No end is near.
    Good,
    /// It expires in so many seconds.
    Ending(u32),
    /// It has expired and is good for this login and so many more.
    Grace(u32),
    /// It has expired.
    Expired,
}

/// When the password expires: pwdMaxAge after pwdChangedTime, or at passwordExpirationTime, whichever comes first. What was never changed
/// does not expire by its age.
pub fn expiry(facts: &Facts, policy: &PasswordPolicy) -> Option<Timestamp> {
    let by_age = facts.password_changed.filter(|_| policy.maximum_age > 0).map(|changed| later(changed, policy.maximum_age));
    [by_age, facts.password_expires].into_iter().flatten().min()
}

/// How the password stands at a moment.
pub fn age(facts: &Facts, policy: &PasswordPolicy, now: Timestamp) -> PasswordAge {
    let Some(end) = expiry(facts, policy) else { return PasswordAge::Good };
    if now < end {
        let left = end.0.saturating_sub(now.0);
        let warned = left <= i64::from(policy.expire_warning).saturating_mul(MICROS_PER_SECOND);
        let seconds = u32::try_from(left.saturating_add(MICROS_PER_SECOND - 1) / MICROS_PER_SECOND).unwrap_or(u32::MAX);
        return if warned { PasswordAge::Ending(seconds) } else { PasswordAge::Good };
    }
    let in_time = policy.grace_expiry == 0 || now < later(end, policy.grace_expiry);
    let left = policy.grace_logins.min(MAXIMUM_GRACE_LOGINS).saturating_sub(facts.grace_logins);
    match left.checked_sub(1).filter(|_| in_time) {
        Some(more) => PasswordAge::Grace(more),
        None => PasswordAge::Expired,
    }
}

fn later(time: Timestamp, seconds: u32) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::from(seconds).saturating_mul(MICROS_PER_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: Timestamp = Timestamp(1_795_000_000_000_000);

    fn at(policy: &PasswordPolicy, grace_logins: u32, micros: i64) -> PasswordAge {
        let facts = Facts { password_changed: Some(CHANGED), grace_logins, ..Facts::default() };
        age(&facts, policy, Timestamp(CHANGED.0 + micros))
    }

    #[test]
    fn a_password_is_warned_of_and_expires_to_the_microsecond() {
        let policy = PasswordPolicy { maximum_age: 100, expire_warning: 10, ..PasswordPolicy::default() };
        assert_eq!(at(&policy, 0, 89_999_999), PasswordAge::Good);
        assert_eq!(at(&policy, 0, 90_000_000), PasswordAge::Ending(10));
        assert_eq!(at(&policy, 0, 99_999_999), PasswordAge::Ending(1));
        assert_eq!(at(&policy, 0, 100_000_000), PasswordAge::Expired);
        let unwarned = PasswordPolicy { expire_warning: 0, ..policy };
        assert_eq!(at(&unwarned, 0, 99_999_999), PasswordAge::Good);
        assert_eq!(at(&PasswordPolicy::default(), 0, i64::MAX / 2), PasswordAge::Good, "no end unless a policy says so");
    }

    #[test]
    fn grace_is_counted_and_ends() {
        let policy = PasswordPolicy { maximum_age: 100, grace_logins: 2, grace_expiry: 50, ..PasswordPolicy::default() };
        assert_eq!(at(&policy, 0, 100_000_000), PasswordAge::Grace(1));
        assert_eq!(at(&policy, 1, 149_999_999), PasswordAge::Grace(0));
        assert_eq!(at(&policy, 2, 100_000_000), PasswordAge::Expired);
        assert_eq!(at(&policy, 0, 150_000_000), PasswordAge::Expired);
        let without_end = PasswordPolicy { grace_expiry: 0, ..policy };
        assert_eq!(at(&without_end, 0, 100_000_000_000), PasswordAge::Grace(1));
    }

    #[test]
    fn the_earlier_end_counts() {
        let policy = PasswordPolicy { maximum_age: 100, ..PasswordPolicy::default() };
        let mut facts = Facts { password_expires: Some(Timestamp(CHANGED.0 + 5)), ..Facts::default() };
        assert_eq!(expiry(&facts, &policy), Some(Timestamp(CHANGED.0 + 5)), "never changed here");
        facts.password_changed = Some(CHANGED);
        assert_eq!(expiry(&facts, &policy), Some(Timestamp(CHANGED.0 + 5)));
        facts.password_expires = Some(Timestamp(CHANGED.0 + 200_000_000));
        assert_eq!(expiry(&facts, &policy), Some(Timestamp(CHANGED.0 + 100_000_000)));
    }
}
