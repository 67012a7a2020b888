//! Whether a password may be changed so (draft-behera-ldap-password-policy-11 section 8.2), in the order in which slapd asks.

use super::policy::{PasswordPolicy, PasswordPolicyError, QualityCheck};
use super::quality::Quality;
use crate::model::ResultCode;

/// A change of a password, as far as a policy asks for it.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// None: an administrator gives another password to the account.
    pub owner: Option<OwnChange>,
    /// The new passwords.
    pub new: Vec<NewPassword>,
    /// No login of the account goes without a second factor.
    pub second_factor: bool,
}

impl PasswordChange {
    /// Whether a password is taken that is too short to be the only factor.
    pub fn needs_factor(&self, policy: &PasswordPolicy) -> bool {
        let is_short =
            |new: &NewPassword| matches!(new, NewPassword::Clear(quality) if quality.characters < policy.minimum_length);
        self.second_factor && policy.check_quality != QualityCheck::Off && self.new.iter().any(is_short)
    }
}

/// What is known of a new password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewPassword {
    /// It came in clear.
    Clear(Quality),
    /// It came hashed: nothing can be told of it.
    Hashed,
    /// The server made it up at random: it is good enough.
    Generated,
}

/// What is asked for where people change their own password, and not of an administrator who gives another one.
#[derive(Clone, Debug)]
pub struct OwnChange {
    /// Whether the old password came along.
    pub old: OldPassword,
    /// Microseconds since the password was changed last, where that is known.
    pub age: Option<i64>,
    /// An administrator gave the password: it may be changed at any age.
    pub was_reset: bool,
    /// What the new password is.
    pub reuse: Reuse,
}

/// The old password beside a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OldPassword {
    /// It did not come.
    Absent,
    /// It came and is right.
    Right,
    /// It came and is wrong.
    Wrong,
}

/// Whether a new password was one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reuse {
    /// It was not.
    New,
    /// It is the one there is.
    Unchanged,
    /// It is one of those before.
    InHistory,
}

/// Why a password is not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeRefusal {
    /// pwdAllowUserChange
    NotAllowed,
    /// pwdSafeModify
    OldAbsent,
    /// The old password is wrong.
    OldWrong,
    /// pwdMinAge
    TooYoung,
    /// pwdMinLength
    TooShort,
    /// pwdMaxLength
    TooLong,
    /// pwdCheckQuality
    Quality,
    /// It is the one there is.
    Unchanged,
    /// pwdInHistory
    InHistory,
}

impl ChangeRefusal {
    /// All of them.
    pub const ALL: [ChangeRefusal; 9] = [
        ChangeRefusal::NotAllowed,
        ChangeRefusal::OldAbsent,
        ChangeRefusal::OldWrong,
        ChangeRefusal::TooYoung,
        ChangeRefusal::TooShort,
        ChangeRefusal::TooLong,
        ChangeRefusal::Quality,
        ChangeRefusal::Unchanged,
        ChangeRefusal::InHistory,
    ];

    /// What the client is told, slapd's codes and texts.
    pub fn result(self) -> (ResultCode, &'static str) {
        match self {
            ChangeRefusal::NotAllowed => (ResultCode::InsufficientAccessRights, "User alteration of password is not allowed"),
            ChangeRefusal::OldAbsent => {
                (ResultCode::InsufficientAccessRights, "Must supply old password to be changed as well as new one")
            }
            ChangeRefusal::OldWrong => (ResultCode::UnwillingToPerform, "Must supply correct old password to change to new one"),
            ChangeRefusal::TooYoung => (ResultCode::ConstraintViolation, "Password is too young to change"),
            ChangeRefusal::TooShort | ChangeRefusal::TooLong | ChangeRefusal::Quality => {
                (ResultCode::ConstraintViolation, "Password fails quality checking policy")
            }
            ChangeRefusal::Unchanged => (ResultCode::ConstraintViolation, "Password is not being changed from existing value"),
            ChangeRefusal::InHistory => (ResultCode::ConstraintViolation, "Password is in history of old passwords"),
        }
    }

    /// What the password policy control tells.
    pub fn error(self) -> PasswordPolicyError {
        match self {
            ChangeRefusal::NotAllowed => PasswordPolicyError::PasswordModNotAllowed,
            ChangeRefusal::OldAbsent | ChangeRefusal::OldWrong => PasswordPolicyError::MustSupplyOldPassword,
            ChangeRefusal::TooYoung => PasswordPolicyError::PasswordTooYoung,
            ChangeRefusal::TooShort => PasswordPolicyError::PasswordTooShort,
            ChangeRefusal::TooLong => PasswordPolicyError::PasswordTooLong,
            ChangeRefusal::Quality => PasswordPolicyError::InsufficientPasswordQuality,
            ChangeRefusal::Unchanged | ChangeRefusal::InHistory => PasswordPolicyError::PasswordInHistory,
        }
    }

    /// What the journal says.
    pub fn reason(self) -> &'static str {
        match self {
            ChangeRefusal::NotAllowed => "password change not allowed",
            ChangeRefusal::OldAbsent => "old password absent",
            ChangeRefusal::OldWrong => "wrong old password",
            ChangeRefusal::TooYoung => "password too young",
            ChangeRefusal::TooShort => "password too short",
            ChangeRefusal::TooLong => "password too long",
            ChangeRefusal::Quality => "password quality",
            ChangeRefusal::Unchanged => "password unchanged",
            ChangeRefusal::InHistory => "password in history",
        }
    }
}

/// Judges a change. Who administers may give any password that is good enough; history, age and the old password are asked of the owner.
pub fn judge(policy: &PasswordPolicy, change: &PasswordChange) -> Result<(), ChangeRefusal> {
    if let Some(own) = &change.owner {
        judge_owner(policy, own)?;
    }
    let minimum_length = if change.second_factor { policy.minimum_length_with_factor } else { policy.minimum_length };
    change.new.iter().try_for_each(|quality| judge_quality(policy, minimum_length, *quality))?;
    match change.owner.as_ref().map(|own| own.reuse) {
        Some(Reuse::Unchanged) => Err(ChangeRefusal::Unchanged),
        Some(Reuse::InHistory) if policy.history > 0 => Err(ChangeRefusal::InHistory),
        _ => Ok(()),
    }
}

fn judge_owner(policy: &PasswordPolicy, own: &OwnChange) -> Result<(), ChangeRefusal> {
    let minimum_age = i64::from(policy.minimum_age) * 1_000_000;
    match () {
        () if !policy.allow_user_change => Err(ChangeRefusal::NotAllowed),
        () if policy.safe_modify && own.old == OldPassword::Absent => Err(ChangeRefusal::OldAbsent),
        () if minimum_age > 0 && !own.was_reset && own.age.is_some_and(|age| age < minimum_age) => Err(ChangeRefusal::TooYoung),
        () if own.old == OldPassword::Wrong => Err(ChangeRefusal::OldWrong),
        () => Ok(()),
    }
}

fn judge_quality(policy: &PasswordPolicy, minimum_length: u32, new: NewPassword) -> Result<(), ChangeRefusal> {
    match (policy.check_quality, new) {
        (QualityCheck::Off, _) | (_, NewPassword::Generated) | (QualityCheck::Lenient, NewPassword::Hashed) => Ok(()),
        (QualityCheck::Strict, NewPassword::Hashed) => Err(ChangeRefusal::Quality),
        (_, NewPassword::Clear(quality)) if quality.characters < minimum_length => Err(ChangeRefusal::TooShort),
        (_, NewPassword::Clear(quality)) if policy.maximum_length > 0 && quality.characters > policy.maximum_length => {
            Err(ChangeRefusal::TooLong)
        }
        (_, NewPassword::Clear(quality)) if quality.predictable => Err(ChangeRefusal::Quality),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(characters: u32) -> NewPassword {
        NewPassword::Clear(Quality { characters, predictable: false })
    }

    fn own() -> OwnChange {
        OwnChange { old: OldPassword::Absent, age: Some(0), was_reset: false, reuse: Reuse::New }
    }

    fn of_owner(policy: &PasswordPolicy, own: OwnChange) -> Result<(), ChangeRefusal> {
        judge(policy, &PasswordChange { owner: Some(own), new: vec![long(20)], second_factor: false })
    }

    #[test]
    fn length_and_what_cannot_be_looked_at() {
        let policy = PasswordPolicy::default();
        let given = |policy: &PasswordPolicy, quality| {
            judge(policy, &PasswordChange { owner: None, new: vec![quality], second_factor: false })
        };
        assert_eq!(given(&policy, long(14)), Err(ChangeRefusal::TooShort));
        assert_eq!(given(&policy, long(15)), Ok(()));
        assert_eq!(given(&policy, long(256)), Ok(()));
        assert_eq!(given(&policy, long(257)), Err(ChangeRefusal::TooLong));
        let predictable = NewPassword::Clear(Quality { characters: 20, predictable: true });
        assert_eq!(given(&policy, predictable), Err(ChangeRefusal::Quality));
        assert_eq!(given(&policy, NewPassword::Hashed), Err(ChangeRefusal::Quality));
        let lenient = PasswordPolicy { check_quality: QualityCheck::Lenient, maximum_length: 0, ..policy.clone() };
        assert_eq!(given(&lenient, NewPassword::Hashed), Ok(()));
        assert_eq!(given(&lenient, long(14)), Err(ChangeRefusal::TooShort));
        assert_eq!(given(&lenient, long(100_000)), Ok(()));
        let off = PasswordPolicy { check_quality: QualityCheck::Off, ..policy };
        assert_eq!(given(&off, long(1)), Ok(()));
        assert_eq!(given(&off, NewPassword::Hashed), Ok(()));
    }

    #[test]
    fn beside_a_second_factor_eight_are_enough() {
        let policy = PasswordPolicy::default();
        let given = |characters, second_factor| {
            let change = PasswordChange { owner: None, new: vec![long(characters)], second_factor };
            (judge(&policy, &change), change.needs_factor(&policy))
        };
        assert_eq!(given(7, true).0, Err(ChangeRefusal::TooShort));
        assert_eq!(given(8, true), (Ok(()), true));
        assert_eq!(given(14, true), (Ok(()), true));
        assert_eq!(given(15, true), (Ok(()), false));
        assert_eq!(given(14, false).0, Err(ChangeRefusal::TooShort));
        let off = PasswordPolicy { check_quality: QualityCheck::Off, ..policy.clone() };
        let change = PasswordChange { owner: None, new: vec![long(3), NewPassword::Hashed], second_factor: true };
        assert!(!change.needs_factor(&off), "who looks at nothing asks for nothing");
    }

    #[test]
    fn age_to_the_microsecond() {
        let policy = PasswordPolicy { minimum_age: 60, ..PasswordPolicy::default() };
        let aged = |age, was_reset| of_owner(&policy, OwnChange { age, was_reset, ..own() });
        assert_eq!(aged(Some(59_999_999), false), Err(ChangeRefusal::TooYoung));
        assert_eq!(aged(Some(60_000_000), false), Ok(()));
        assert_eq!(aged(Some(0), true), Ok(()));
        assert_eq!(aged(None, false), Ok(()));
    }

    #[test]
    fn the_old_password_and_whether_there_may_be_a_change_at_all() {
        let policy = PasswordPolicy { safe_modify: true, ..PasswordPolicy::default() };
        let with = |policy: &PasswordPolicy, old| of_owner(policy, OwnChange { old, ..own() });
        assert_eq!(with(&policy, OldPassword::Absent), Err(ChangeRefusal::OldAbsent));
        assert_eq!(with(&policy, OldPassword::Wrong), Err(ChangeRefusal::OldWrong));
        assert_eq!(with(&policy, OldPassword::Right), Ok(()));
        let forbidden = PasswordPolicy { allow_user_change: false, ..policy };
        assert_eq!(with(&forbidden, OldPassword::Right), Err(ChangeRefusal::NotAllowed));
        assert_eq!(judge(&forbidden, &PasswordChange { owner: None, new: vec![long(15)], second_factor: false }), Ok(()));
    }

    #[test]
    fn what_was_there_before() {
        let policy = PasswordPolicy::default();
        let with = |policy: &PasswordPolicy, reuse| of_owner(policy, OwnChange { reuse, ..own() });
        assert_eq!(with(&policy, Reuse::Unchanged), Err(ChangeRefusal::Unchanged));
        assert_eq!(with(&policy, Reuse::InHistory), Ok(()));
        assert_eq!(with(&PasswordPolicy { history: 1, ..policy }, Reuse::InHistory), Err(ChangeRefusal::InHistory));
    }

    #[test]
    fn each_refusal_has_a_reason_of_its_own() {
        let reasons: std::collections::BTreeSet<_> = ChangeRefusal::ALL.map(ChangeRefusal::reason).into();
        assert_eq!(reasons.len(), ChangeRefusal::ALL.len());
    }
}
