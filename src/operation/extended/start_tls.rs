//! StartTLS (RFC 4511 section 4.14)

use super::no_data_expected;
use crate::directory::Directory;
use crate::journal::RecordKind;
use crate::model::{ResultCode, Secret};
use crate::operation::{Context, ListenerKind, ProposedOperation, record};
use crate::protocol::{LdapResult, Reply, ResponseKind, oid};

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
