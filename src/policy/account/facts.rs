//! What an entry and its bookkeeping say of an account, read from values as they are stored.

use crate::model::{AccountAttribute, Timestamp};

/// userAccountControl's ACCOUNTDISABLE ([MS-ADTS] section 2.2.16).
const ACCOUNT_DISABLE: i64 = 0x2;
/// Units of 100 ns from 1601 to 1970.
const UNITS_TO_1970: i128 = 116_444_736_000_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Facts about one account; the default is one that nothing bars.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// accountKind: breakglass.
    pub break_glass: bool,
    /// Since when the emergency account is used: the first login with its password.
    pub used: Option<Timestamp>,
    /// accountKind: service.
    pub service: bool,
    /// accountProofedBy is there.
    pub proofed_by: bool,
    /// accountProofedTime is there.
    pub proofed_time: bool,
    /// passwordNeedsFactor: the password is too short to be the only factor.
    pub needs_factor: bool,
    /// accountDisabled.
    pub disabled: bool,
    /// userAccountControl has the bit 0x2.
    pub disabled_by_control: bool,
    /// nsAccountLock.
    pub disabled_by_lock: bool,
    /// Since when any of these three says so: accountDisabledTime.
    pub disabled_since: Option<Timestamp>,
    /// pwdStartTime.
    pub starts: Option<Timestamp>,
    /// pwdEndTime.
    pub ends: Option<Timestamp>,
    /// accountExpires, where that is not never.
    pub account_expires: Option<Timestamp>,
    /// krbPrincipalExpiration.
    pub principal_expires: Option<Timestamp>,
    /// The start of the day shadowExpire; none for 0, which shadow(5) says not to use and tools write for never.
    pub shadow_expires: Option<Timestamp>,
    /// pwdAccountLockedTime.
    pub locked: Option<Lock>,
    /// When failed logins locked the account, while pwdAccountLockedTime says just that.
    pub lock_of_failures: Option<Timestamp>,
    /// lockoutTime, where that is not 0.
    pub lockout: Option<Timestamp>,
    /// When somebody last logged in: lastLoginTime.
    pub last_login: Option<Timestamp>,
    /// pwdChangedTime.
    pub password_changed: Option<Timestamp>,
    /// passwordExpirationTime.
    pub password_expires: Option<Timestamp>,
    /// Logins since the password expired: values of pwdGraceUseTime.
    pub grace_logins: u32,
    /// pwdReset.
    pub reset: bool,
    /// pwdLastSet is 0.
    pub never_set: bool,
    /// Days since 1970: shadowLastChange.
    pub shadow_last_change: Option<i64>,
    /// Days: shadowMax, where there is an end.
    pub shadow_max: Option<i64>,
    /// Days: shadowInactive, where there is an end.
    pub shadow_inactive: Option<i64>,
}

/// A pwdAccountLockedTime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    /// Until an administrator takes it away (draft-behera-ldap-password-policy-11 section 5.3.3).
    ForGood,
    /// From then on, for as long as the policy says.
    Since(Timestamp),
}

impl Lock {
    /// The value that means for good.
    pub const FOR_GOOD: &'static [u8] = b"000001010000Z";
}

impl Facts {
    /// Whether something that was written into the entry disables the account.
    pub fn is_disabled(&self) -> bool {
        self.disabled || self.disabled_by_control || self.disabled_by_lock
    }

    /// Takes one value into account. Values that are not of their syntax say nothing: the schema lets none in.
    pub fn note(&mut self, attribute: AccountAttribute, value: &[u8]) {
        match attribute {
            AccountAttribute::Kind => {
                self.break_glass |= value.eq_ignore_ascii_case(b"breakglass");
                self.service |= value.eq_ignore_ascii_case(b"service");
            }
            AccountAttribute::Disabled => self.disabled |= is_true(value),
            AccountAttribute::UserAccountControl => self.disabled_by_control |= integer(value) & ACCOUNT_DISABLE != 0,
            AccountAttribute::NsAccountLock => self.disabled_by_lock |= is_true(value),
            AccountAttribute::StartTime => self.starts = time(value),
            AccountAttribute::EndTime => self.ends = time(value),
            AccountAttribute::AccountExpires => self.account_expires = file_time(value),
            AccountAttribute::KrbPrincipalExpiration => self.principal_expires = time(value),
            AccountAttribute::ShadowExpire => self.shadow_expires = days(value).filter(|days| *days > 0).map(start_of_day),
            AccountAttribute::ShadowMax => self.shadow_max = days(value),
            AccountAttribute::ShadowInactive => self.shadow_inactive = days(value),
            AccountAttribute::ShadowLastChange => self.shadow_last_change = days(value),
            AccountAttribute::AccountLockedTime => self.locked = lock(value),
            AccountAttribute::LockoutTime => self.lockout = file_time(value),
            AccountAttribute::PwdLastSet => self.never_set = integer(value) == 0,
            AccountAttribute::PwdReset => self.reset = is_true(value),
            AccountAttribute::PwdChangedTime => self.password_changed = time(value),
            AccountAttribute::ProofedBy => self.proofed_by = true,
            AccountAttribute::ProofedTime => self.proofed_time = true,
            AccountAttribute::PasswordNeedsFactor => self.needs_factor |= is_true(value),
            AccountAttribute::PasswordExpirationTime => self.password_expires = time(value),
            AccountAttribute::BreakGlassUseTime => self.used = time(value),
            AccountAttribute::DisabledTime => self.disabled_since = time(value),
        }
    }

    /// Takes into account that failed logins locked the account. An administrator who wrote pwdAccountLockedTime since, or took it away, has
    /// the last word.
    pub fn note_lock_of_failures(&mut self, locked: Option<Timestamp>) {
        self.lock_of_failures = locked.filter(|locked| self.locked == Some(Lock::Since(*locked)));
    }

    /// The day the password was last changed on, as far as anybody says.
    fn last_change_day(&self) -> Option<i64> {
        let changed = self.password_changed.map(|changed| changed.0.div_euclid(MICROS_PER_DAY));
        self.shadow_last_change.max(changed)
    }

    /// From when on the password must be changed by shadowMax, as shadow(5) counts days.
    pub fn shadow_overdue(&self) -> Option<Timestamp> {
        let last_day = self.last_change_day()?.saturating_add(self.shadow_max?);
        Some(start_of_day(last_day.saturating_add(1)))
    }

    /// From when on it is too late to change it, by shadowInactive.
    pub fn shadow_too_late(&self) -> Option<Timestamp> {
        let inactive = self.shadow_inactive?.saturating_mul(MICROS_PER_DAY);
        Some(Timestamp(self.shadow_overdue()?.0.saturating_add(inactive)))
    }

    /// Whether the password must be changed before anything else: it was set by another, or it is overdue by its shadow attributes.
    /// `asked_for`: whether the policy asks for it (pwdMustChange). Shadow attributes hold nobody behind whose account no person sits.
    pub fn must_change(&self, asked_for: bool, now: Timestamp) -> bool {
        let is_attended = !self.service && !self.break_glass;
        self.never_set || asked_for && (self.reset || is_attended && self.must_change_by_shadow(now))
    }

    fn must_change_by_shadow(&self, now: Timestamp) -> bool {
        let never_changed = self.shadow_last_change == Some(0) && self.password_changed.is_none();
        never_changed || self.shadow_overdue().is_some_and(|overdue| now >= overdue)
    }
}

fn is_true(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"TRUE")
}

fn time(value: &[u8]) -> Option<Timestamp> {
    Timestamp::from_generalized_time(value).ok()
}

fn lock(value: &[u8]) -> Option<Lock> {
    if value == Lock::FOR_GOOD { Some(Lock::ForGood) } else { time(value).map(Lock::Since) }
}

/// An INTEGER of any length; the nearest that fits.
fn integer(value: &[u8]) -> i64 {
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    let nearest = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    text.parse().unwrap_or(nearest)
}

/// Days; none where they are below 0, which means never.
fn days(value: &[u8]) -> Option<i64> {
    Some(integer(value)).filter(|days| *days >= 0)
}

fn start_of_day(days: i64) -> Timestamp {
    Timestamp(days.saturating_mul(MICROS_PER_DAY))
}

/// A time of Active Directory; none for 0 and for the greatest one, which both mean never. What lies between two microseconds is over
/// at the later one.
fn file_time(value: &[u8]) -> Option<Timestamp> {
    let units = integer(value);
    if units == 0 || units == i64::MAX {
        return None;
    }
    let since_1970 = i128::from(units) - UNITS_TO_1970;
    let micros = since_1970.div_euclid(10) + i128::from(since_1970.rem_euclid(10) != 0);
    i64::try_from(micros).ok().map(Timestamp)
}
