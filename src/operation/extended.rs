//! Extended operations: Who am I? (RFC 4532), Password Modify (RFC 3062), StartTLS (RFC 4511 section 4.14).

use bytes::Bytes;

use super::{Context, Limits, ListenerKind, ProposedOperation, control, record};
use crate::directory::Directory;
use crate::journal::RecordKind;
use crate::model::{ResultCode, Secret};
use crate::protocol::{Control, LdapResult, Reply, ResponseKind, oid};

/// The extended operations of this server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExtendedOperation {
    /// StartTLS
    StartTls,
    /// Who am I?
    WhoAmI,
    /// Password Modify
    PasswordModify,
}

impl ExtendedOperation {
    /// The operation with this requestName.
    pub fn from_oid(name: &str) -> Option<ExtendedOperation> {
        match name {
            oid::START_TLS => Some(ExtendedOperation::StartTls),
            oid::WHO_AM_I => Some(ExtendedOperation::WhoAmI),
            oid::PASSWORD_MODIFY => Some(ExtendedOperation::PasswordModify),
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
    if decoded.proxied_authorization.is_some() && operation == ExtendedOperation::StartTls {
        return Err(LdapResult::with(ResultCode::UnavailableCriticalExtension, "critical control unavailable in context"));
    }
    Ok(())
}

/// Answers Who am I?: the authorization identity, empty for anonymous. An identity whose entry is gone is nobody any more.
pub fn who_am_i(directory: &Directory, context: &Context, value: Option<&Secret>) -> Reply {
    if value.is_some() {
        return Reply::result(ResponseKind::Extended, no_data_expected());
    }
    if let Err(result) = context.check_assumed(directory) {
        return Reply::result(ResponseKind::Extended, result);
    }
    let name = context.acting(directory).map_or_else(String::new, |id| format!("dn:{}", directory.dn_text(id)));
    Reply::Result {
        kind: ResponseKind::Extended,
        result: LdapResult::of(ResultCode::Success),
        sasl_credentials: None,
        extended_name: None,
        extended_value: Some(Bytes::from(name)),
        controls: Vec::new(),
    }
}

/// Whether TLS may start now. `outstanding`: other operations are under way. Texts are slapd's.
pub fn may_start_tls(context: &Context, value: Option<&Secret>, outstanding: bool) -> Result<(), LdapResult> {
    if value.is_some() {
        Err(no_data_expected())
    } else if context.tls.is_some() {
        Err(LdapResult::with(ResultCode::OperationsError, "TLS already started"))
    } else if outstanding {
        Err(LdapResult::with(ResultCode::OperationsError, "cannot start TLS when operations are outstanding"))
    } else if context.peer.listener != ListenerKind::Ldap {
        Err(LdapResult::with(ResultCode::UnwillingToPerform, "TLS is not offered on this connection"))
    } else if !context.settings.start_tls {
        Err(LdapResult::with(ResultCode::Unavailable, "Could not initialize TLS"))
    } else {
        Ok(())
    }
}

/// The response to StartTLS, which carries the name of the operation (RFC 4511 section 4.14.2).
pub fn start_tls_reply(result: LdapResult) -> Reply {
    Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: Some(oid::START_TLS.to_owned()),
        extended_value: None,
        controls: Vec::new(),
    }
}

/// What the journal says of a StartTLS that was granted.
pub fn start_tls_note(directory: &Directory, context: &Context) -> ProposedOperation {
    ProposedOperation::Note(Box::new(record::of_context(directory, context, RecordKind::StartTls)))
}

fn no_data_expected() -> LdapResult {
    LdapResult::with(ResultCode::ProtocolError, "no request data expected")
}
