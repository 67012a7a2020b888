//! Extended operations (RFC 4511 section 4.12): which there are, and what is common to them. Password Modify is a change and stands with
//! those.

mod cancel;
mod start_tls;
mod who_am_i;

use super::{Context, Limits, control, standing};
use crate::directory::Directory;
use crate::model::ResultCode;
use crate::protocol::{Control, LdapResult, Reply, ResponseKind, oid};
pub use cancel::cancelled_operation;
pub use start_tls::{may_start_tls, start_tls_note, start_tls_reply};
pub use who_am_i::who_am_i;

/// The extended operations of this server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExtendedOperation {
    /// StartTLS
    StartTls,
    /// Who am I?
    WhoAmI,
    /// Password Modify
    PasswordModify,
    /// Cancel
    Cancel,
    /// Refresh of a dynamic entry
    Refresh,
    /// Start of a transaction
    StartTransaction,
    /// End of a transaction
    EndTransaction,
    /// A snapshot for a backup
    Backup,
    /// A rotation of the seal key
    KeyRotation,
    /// A jump of the clock is right
    ClockConfirmation,
    /// How an account stands
    AccountReport,
    /// What would be decided about logins that nobody tries
    PolicyTest,
    /// Whether somebody has a right
    Explain,
    /// The journal is about to be read
    JournalRead,
    /// Passwords of applications
    AppPassword,
    /// One-time codes of the person who asks
    OtpEnrolment,
}

impl ExtendedOperation {
    /// The operation with this requestName.
    pub fn from_oid(name: &str) -> Option<ExtendedOperation> {
        match name {
            oid::START_TLS => Some(ExtendedOperation::StartTls),
            oid::WHO_AM_I => Some(ExtendedOperation::WhoAmI),
            oid::PASSWORD_MODIFY => Some(ExtendedOperation::PasswordModify),
            oid::CANCEL => Some(ExtendedOperation::Cancel),
            oid::REFRESH => Some(ExtendedOperation::Refresh),
            oid::START_TRANSACTION => Some(ExtendedOperation::StartTransaction),
            oid::BACKUP => Some(ExtendedOperation::Backup),
            oid::CLOCK_CONFIRMATION => Some(ExtendedOperation::ClockConfirmation),
            oid::KEY_ROTATION => Some(ExtendedOperation::KeyRotation),
            oid::ACCOUNT_REPORT => Some(ExtendedOperation::AccountReport),
            oid::POLICY_TEST => Some(ExtendedOperation::PolicyTest),
            oid::EXPLAIN => Some(ExtendedOperation::Explain),
            oid::JOURNAL_READ => Some(ExtendedOperation::JournalRead),
            oid::APP_PASSWORD => Some(ExtendedOperation::AppPassword),
            oid::OTP_ENROLMENT => Some(ExtendedOperation::OtpEnrolment),
            oid::END_TRANSACTION => Some(ExtendedOperation::EndTransaction),
            _ => None,
        }
    }
}

/// The answer to a requestName this server does not know.
pub fn unsupported() -> Reply {
    Reply::result(ResponseKind::Extended, LdapResult::with(ResultCode::ProtocolError, "unsupported extended operation"))
}

/// Refuses controls that cannot be read or have no place beside this operation.
pub fn check_controls(operation: ExtendedOperation, controls: &[Control], limits: &Limits) -> Result<(), LdapResult> {
    let decoded = control::decode(ResponseKind::Extended, controls, limits)?;
    let assumes =
        matches!(operation, ExtendedOperation::WhoAmI | ExtendedOperation::StartTransaction | ExtendedOperation::Refresh);
    if decoded.proxied_authorization.is_some() && operation == ExtendedOperation::EndTransaction {
        return Err(LdapResult::with(ResultCode::ProtocolError, "proxied authorization control has no place in a transaction"));
    }
    if decoded.transaction.is_some() || (decoded.proxied_authorization.is_some() && !assumes) {
        return Err(LdapResult::with(ResultCode::UnavailableCriticalExtension, "critical control unavailable in context"));
    }
    Ok(())
}

/// 50 for who must change the own password before anything else.
pub fn check_restricted(directory: &Directory, context: &Context) -> Result<(), LdapResult> {
    standing::check_restricted(directory, context).map_err(|refusal| refusal.result)
}

fn no_data_expected() -> LdapResult {
    LdapResult::with(ResultCode::ProtocolError, "no request data expected")
}
