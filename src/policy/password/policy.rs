//! A password policy (draft-behera-ldap-password-policy-11 section 5.2): what a pwdPolicy entry says, by default what NIST SP 800-63B-4
//! says.

/// A password policy. Times are in seconds, lengths in characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasswordPolicy {
    /// pwdMinAge: between two changes of a password; 0: at any time.
    pub minimum_age: u32,
    /// pwdMaxAge: until a password expires; 0: never.
    pub maximum_age: u32,
    /// pwdInHistory: passwords that may not be used again; 0: any may. At most [`PasswordPolicy::LONGEST_HISTORY`].
    pub history: u32,
    /// pwdCheckQuality
    pub check_quality: QualityCheck,
    /// pwdMinLength; 0: any length.
    pub minimum_length: u32,
    /// passwordMinLengthWithFactor: the same where no login goes without a second factor; never more than `minimum_length`.
    pub minimum_length_with_factor: u32,
    /// pwdMaxLength; 0: any length.
    pub maximum_length: u32,
    /// pwdExpireWarning: before a password expires; 0: none.
    pub expire_warning: u32,
    /// pwdGraceAuthNLimit: logins with an expired password; 0: none.
    pub grace_logins: u32,
    /// pwdGraceExpiry: for which an expired password is good for such logins; 0: as long as there are any left.
    pub grace_expiry: u32,
    /// pwdLockout: whether the account is locked after `maximum_failures` failures, wherever they come from; see
    /// [`PasswordPolicy::locks_account`].
    pub lockout: bool,
    /// pwdLockoutDuration: after which a locked account is unlocked; 0: by an administrator only.
    pub lockout_duration: u32,
    /// pwdMaxFailure: consecutive failures that lock the account; 0: none do.
    pub maximum_failures: u32,
    /// pwdFailureCountInterval: after which a failure counts no more; 0: it counts until a login succeeds.
    pub failure_interval: u32,
    /// pwdMaxRecordedFailure: failures whose times are kept; 0: as many as are counted.
    pub maximum_recorded_failures: u32,
    /// pwdMustChange: whether a password that an administrator gave must be changed at the first login.
    pub must_change: bool,
    /// pwdAllowUserChange: whether people change their own passwords.
    pub allow_user_change: bool,
    /// pwdSafeModify: whether the old password must come with the new one.
    pub safe_modify: bool,
    /// pwdMinDelay: for which no login is looked at after the first failure; 0: none.
    pub minimum_delay: u32,
    /// pwdMaxDelay: what the delay, doubled by each failure, does not exceed; never below `minimum_delay`.
    pub maximum_delay: u32,
    /// accountProofingRequired: whether nobody logs in until somebody recorded to have looked at the person's papers.
    pub proofing: bool,
    /// pwdMaxIdle: without a login after which there is none any more; 0: any time.
    pub maximum_idle: u32,
}

/// How a new password is looked at (pwdCheckQuality).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QualityCheck {
    /// 0: not at all, not even its length.
    Off,
    /// 1: one that cannot be looked at, because it comes hashed, is taken.
    Lenient,
    /// 2: one that cannot be looked at is refused.
    Strict,
}

/// What the password policy control tells of an operation that is refused or restricted, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PasswordPolicyError {
    /// passwordExpired
    PasswordExpired = 0,
    /// accountLocked
    AccountLocked = 1,
    /// changeAfterReset
    ChangeAfterReset = 2,
    /// passwordModNotAllowed
    PasswordModNotAllowed = 3,
    /// mustSupplyOldPassword
    MustSupplyOldPassword = 4,
    /// insufficientPasswordQuality
    InsufficientPasswordQuality = 5,
    /// passwordTooShort
    PasswordTooShort = 6,
    /// passwordTooYoung
    PasswordTooYoung = 7,
    /// passwordInHistory
    PasswordInHistory = 8,
    /// passwordTooLong
    PasswordTooLong = 9,
}

impl Default for PasswordPolicy {
    /// NIST SP 800-63B-4: 15 characters as the only factor, no composition rules, no periodic change, at most 100 failures in a row;
    /// guessing is slowed down from the first failure on.
    fn default() -> PasswordPolicy {
        PasswordPolicy {
            minimum_age: 0,
            maximum_age: 0,
            history: 0,
            check_quality: QualityCheck::Strict,
            minimum_length: 15,
            minimum_length_with_factor: 8,
            maximum_length: 256,
            expire_warning: 0,
            grace_logins: 0,
            grace_expiry: 0,
            lockout: true,
            lockout_duration: 0,
            maximum_failures: 100,
            failure_interval: 0,
            maximum_recorded_failures: 0,
            must_change: true,
            allow_user_change: true,
            safe_modify: false,
            minimum_delay: 1,
            maximum_delay: 900,
            proofing: false,
            maximum_idle: 0,
        }
    }
}

impl PasswordPolicy {
    /// Most old passwords that are looked at: each costs an Argon2 run with every change.
    pub const LONGEST_HISTORY: u32 = 24;

    /// Failures in a row that lock any account until an administrator acts (NIST SP 800-63B-4 section 3.2.2).
    pub const MAXIMUM_FAILURES: u32 = 100;

    /// Whether failures count for the account as a whole, as draft-behera has it: pwdLockout with a pwdMaxFailure from 1 to 99. Otherwise
    /// they count by source, with the delays of this policy.
    pub fn locks_account(&self) -> bool {
        self.lockout && (1..PasswordPolicy::MAXIMUM_FAILURES).contains(&self.maximum_failures)
    }

    /// What an entry says; `value` gives the first value of an attribute. What it leaves out, or says in no way that means something, is
    /// as in the default.
    pub fn read<'a>(value: impl Fn(&str) -> Option<&'a [u8]>) -> PasswordPolicy {
        let default = PasswordPolicy::default();
        let number = |name: &str, default: u32| value(name).and_then(read_number).unwrap_or(default);
        let flag = |name: &str, default: bool| value(name).and_then(read_flag).unwrap_or(default);
        let lockout = flag("pwdLockout", default.lockout);
        let maximum_failures = number("pwdMaxFailure", default.maximum_failures);
        let minimum_length = number("pwdMinLength", default.minimum_length);
        // Who writes a length and nothing of second factors means it for everybody.
        let with_factor = value("pwdMinLength").map_or(default.minimum_length_with_factor, |_| minimum_length);
        let locks_account = PasswordPolicy { lockout, maximum_failures, ..default.clone() }.locks_account();
        // Who locks the account after a few failures slows them down only where that is said as well.
        let minimum_delay = number("pwdMinDelay", if locks_account { 0 } else { default.minimum_delay });
        PasswordPolicy {
            minimum_age: number("pwdMinAge", default.minimum_age),
            maximum_age: number("pwdMaxAge", default.maximum_age),
            history: number("pwdInHistory", default.history).min(PasswordPolicy::LONGEST_HISTORY),
            check_quality: match value("pwdCheckQuality").and_then(read_number) {
                None => default.check_quality,
                Some(0) => QualityCheck::Off,
                Some(1) => QualityCheck::Lenient,
                Some(_) => QualityCheck::Strict,
            },
            minimum_length,
            minimum_length_with_factor: number("passwordMinLengthWithFactor", with_factor).min(minimum_length),
            maximum_length: number("pwdMaxLength", default.maximum_length),
            expire_warning: number("pwdExpireWarning", default.expire_warning),
            grace_logins: number("pwdGraceAuthNLimit", default.grace_logins),
            grace_expiry: number("pwdGraceExpiry", default.grace_expiry),
            lockout,
            lockout_duration: number("pwdLockoutDuration", default.lockout_duration),
            maximum_failures,
            failure_interval: number("pwdFailureCountInterval", default.failure_interval),
            maximum_recorded_failures: number("pwdMaxRecordedFailure", default.maximum_recorded_failures),
            must_change: flag("pwdMustChange", default.must_change),
            allow_user_change: flag("pwdAllowUserChange", default.allow_user_change),
            safe_modify: flag("pwdSafeModify", default.safe_modify),
            minimum_delay,
            maximum_delay: number("pwdMaxDelay", default.maximum_delay).max(minimum_delay),
            proofing: flag("accountProofingRequired", default.proofing),
            maximum_idle: number("pwdMaxIdle", default.maximum_idle),
        }
    }
}

/// An INTEGER that is not negative; what does not fit is as much as fits.
fn read_number(value: &[u8]) -> Option<u32> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(std::str::from_utf8(value).ok()?.parse().unwrap_or(u32::MAX))
}

fn read_flag(value: &[u8]) -> Option<bool> {
    match value {
        b"TRUE" => Some(true),
        b"FALSE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{PasswordPolicy, QualityCheck};

    fn read(attributes: &[(&str, &'static str)]) -> PasswordPolicy {
        PasswordPolicy::read(|name| attributes.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_bytes()))
    }

    #[test]
    fn what_is_left_out_is_as_nist_says() {
        let policy = read(&[]);
        assert_eq!(policy, PasswordPolicy::default());
        assert_eq!((policy.minimum_length, policy.maximum_age, policy.maximum_failures), (15, 0, 100));
        let policy = read(&[("pwdMaxAge", "7776000"), ("pwdLockout", "FALSE"), ("pwdMinLength", "0"), ("pwdCheckQuality", "1")]);
        assert_eq!((policy.maximum_age, policy.lockout, policy.minimum_length), (7_776_000, false, 0));
        assert_eq!((policy.check_quality, policy.maximum_length), (QualityCheck::Lenient, 256));
        let with_factor = |attributes: &[_]| read(attributes).minimum_length_with_factor;
        assert_eq!((with_factor(&[]), with_factor(&[("pwdMinLength", "12")])), (8, 12));
        assert_eq!(with_factor(&[("pwdMinLength", "12"), ("passwordMinLengthWithFactor", "9")]), 9);
        assert_eq!(with_factor(&[("pwdMinLength", "12"), ("passwordMinLengthWithFactor", "20")]), 12);
    }

    #[test]
    fn impossible_values_count_as_none_and_huge_ones_as_much() {
        let policy =
            read(&[("pwdMinLength", "-3"), ("pwdMaxAge", "99999999999999999999"), ("pwdInHistory", "1000"), ("pwdMinAge", "")]);
        assert_eq!((policy.minimum_length, policy.maximum_age, policy.minimum_age), (15, u32::MAX, 0));
        assert_eq!(policy.history, PasswordPolicy::LONGEST_HISTORY);
        assert_eq!(read(&[("pwdCheckQuality", "7")]).check_quality, QualityCheck::Strict);
        assert_eq!(read(&[("pwdMinDelay", "30"), ("pwdMaxDelay", "0")]).maximum_delay, 30);
    }
}
