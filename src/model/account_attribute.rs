//! Attributes that say whether an account may be used, and from when until when: draft-behera's, and those of other servers that
//! administrators already write.

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountAttribute {
    /// accountKind: `person`, `service`, `breakglass`
    Kind,
    /// accountDisabled: TRUE
    Disabled,
    /// userAccountControl of Active Directory: bits, 0x2 disabled
    UserAccountControl,
    /// nsAccountLock of 389 Directory Server: TRUE
    NsAccountLock,
    /// pwdStartTime: generalized time
    StartTime,
    /// pwdEndTime: generalized time
    EndTime,
    /// accountExpires of Active Directory: 100 ns since 1601
    AccountExpires,
    /// krbPrincipalExpiration of MIT Kerberos and FreeIPA: generalized time
    KrbPrincipalExpiration,
    /// shadowExpire (RFC 2307): days since 1970
    ShadowExpire,
    /// shadowMax (RFC 2307): days a password lasts
    ShadowMax,
    /// shadowInactive (RFC 2307): days an outlived password may still be changed with
    ShadowInactive,
    /// shadowLastChange (RFC 2307): days since 1970
    ShadowLastChange,
    /// pwdAccountLockedTime: generalized time, `000001010000Z` for good
    AccountLockedTime,
    /// lockoutTime of Active Directory: 100 ns since 1601
    LockoutTime,
    /// pwdLastSet of Active Directory: 100 ns since 1601, 0 where it must be changed
    PwdLastSet,
    /// pwdReset: TRUE
    PwdReset,
    /// pwdChangedTime: generalized time
    PwdChangedTime,
    /// passwordExpirationTime of 389 Directory Server: generalized time
    PasswordExpirationTime,
    /// accountProofedBy: who looked at the person's papers
    ProofedBy,
    /// accountProofedTime: generalized time
    ProofedTime,
    /// passwordNeedsFactor: TRUE
    PasswordNeedsFactor,
    /// breakGlassUseTime: generalized time
    BreakGlassUseTime,
    /// accountDisabledTime: generalized time
    DisabledTime,
}

impl AccountAttribute {
    /// All of them.
    pub const ALL: [AccountAttribute; 23] = [
        AccountAttribute::Kind,
        AccountAttribute::Disabled,
        AccountAttribute::UserAccountControl,
        AccountAttribute::NsAccountLock,
        AccountAttribute::StartTime,
        AccountAttribute::EndTime,
        AccountAttribute::AccountExpires,
        AccountAttribute::KrbPrincipalExpiration,
        AccountAttribute::ShadowExpire,
        AccountAttribute::ShadowMax,
        AccountAttribute::ShadowInactive,
        AccountAttribute::ShadowLastChange,
        AccountAttribute::AccountLockedTime,
        AccountAttribute::LockoutTime,
        AccountAttribute::PwdLastSet,
        AccountAttribute::PwdReset,
        AccountAttribute::PwdChangedTime,
        AccountAttribute::PasswordExpirationTime,
        AccountAttribute::ProofedBy,
        AccountAttribute::ProofedTime,
        AccountAttribute::PasswordNeedsFactor,
        AccountAttribute::BreakGlassUseTime,
        AccountAttribute::DisabledTime,
    ];

    /// The attribute's canonical name.
    pub fn name(self) -> &'static str {
        match self {
            AccountAttribute::Kind => "accountKind",
            AccountAttribute::Disabled => "accountDisabled",
            AccountAttribute::UserAccountControl => "userAccountControl",
            AccountAttribute::NsAccountLock => "nsAccountLock",
            AccountAttribute::StartTime => "pwdStartTime",
            AccountAttribute::EndTime => "pwdEndTime",
            AccountAttribute::AccountExpires => "accountExpires",
            AccountAttribute::KrbPrincipalExpiration => "krbPrincipalExpiration",
            AccountAttribute::ShadowExpire => "shadowExpire",
            AccountAttribute::ShadowMax => "shadowMax",
            AccountAttribute::ShadowInactive => "shadowInactive",
            AccountAttribute::ShadowLastChange => "shadowLastChange",
            AccountAttribute::AccountLockedTime => "pwdAccountLockedTime",
            AccountAttribute::LockoutTime => "lockoutTime",
            AccountAttribute::PwdLastSet => "pwdLastSet",
            AccountAttribute::PwdReset => "pwdReset",
            AccountAttribute::PwdChangedTime => "pwdChangedTime",
            AccountAttribute::PasswordExpirationTime => "passwordExpirationTime",
            AccountAttribute::ProofedBy => "accountProofedBy",
            AccountAttribute::ProofedTime => "accountProofedTime",
            AccountAttribute::PasswordNeedsFactor => "passwordNeedsFactor",
            AccountAttribute::BreakGlassUseTime => "breakGlassUseTime",
            AccountAttribute::DisabledTime => "accountDisabledTime",
        }
    }
}
