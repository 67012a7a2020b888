//! The password policy control (1.3.6.1.4.1.42.2.27.8.5.1, draft-behera-ldap-password-policy-11 section 6): whoever sends it, without a
//! value, is told how a password stands.
//!
//! ```text
//! PasswordPolicyResponseValue ::= SEQUENCE {
//!     warning [0] CHOICE { timeBeforeExpiration [0] INTEGER, graceAuthNsRemaining [1] INTEGER } OPTIONAL,
//!     error   [1] ENUMERATED OPTIONAL }
//! ```

use crate::policy::password::policy::PasswordPolicyError;
use crate::protocol::ber::{self, Tag};
use crate::protocol::{Control, oid};

/// What is told of an expiry that is near or past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordWarning {
    /// Seconds until the password expires.
    TimeBeforeExpiration(u32),
    /// Logins that are left with an expired password.
    GraceLoginsRemaining(u32),
}

/// The response; neither: all is well.
pub fn password_policy_response(warning: Option<PasswordWarning>, error: Option<PasswordPolicyError>) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            if let Some(warning) = warning {
                let (tag, number) = match warning {
                    PasswordWarning::TimeBeforeExpiration(seconds) => (Tag::context(0), seconds),
                    PasswordWarning::GraceLoginsRemaining(logins) => (Tag::context(1), logins),
                };
                parts.constructed(Tag::context_constructed(0), |choice| choice.integer_as(tag, i64::from(number)));
            }
            if let Some(error) = error {
                parts.element(Tag::context(1), &[error as u8]);
            }
        });
    });
    Control { oid: oid::PASSWORD_POLICY.to_owned(), critical: false, value: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(warning: Option<PasswordWarning>, error: Option<PasswordPolicyError>) -> String {
        let value = password_policy_response(warning, error).value.unwrap();
        value.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// As slapd's, octet by octet.
    #[test]
    fn the_response_is_encoded_as_clients_know_it() {
        assert_eq!(hex(None, None), "3000");
        assert_eq!(hex(Some(PasswordWarning::TimeBeforeExpiration(86_400)), None), "3007a0058003015180");
        assert_eq!(hex(Some(PasswordWarning::GraceLoginsRemaining(1)), None), "3005a003810101");
        assert_eq!(hex(None, Some(PasswordPolicyError::PasswordExpired)), "3003810100");
        assert_eq!(hex(None, Some(PasswordPolicyError::AccountLocked)), "3003810101");
        assert_eq!(hex(None, Some(PasswordPolicyError::ChangeAfterReset)), "3003810102");
        let both = hex(Some(PasswordWarning::GraceLoginsRemaining(0)), Some(PasswordPolicyError::PasswordTooLong));
        assert_eq!(both, "3008a003810100810109");
    }
}
