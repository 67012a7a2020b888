//! Under what a request is done: proxied authorization (RFC 4370), whose value is an authzId, in a transaction (RFC 5805); and the authorization identity controls of a bind (RFC 3829).

use bytes::Bytes;

use super::{Controls, Value};
use crate::protocol::{Control, LdapResult, oid};

/// Must be critical: a server that does not know it would act as somebody else.
pub(super) fn proxied(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    if !value.is_critical() {
        return Err(value.error("criticality of FALSE not allowed"));
    }
    controls.proxied_authorization = Some(Bytes::copy_from_slice(value.given()?));
    Ok(())
}

/// Must be critical: a server that does not know it would make the change at once.
pub(super) fn transaction(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    if !value.is_critical() {
        return Err(value.error("criticality of FALSE not allowed"));
    }
    controls.transaction = Some(Bytes::copy_from_slice(value.given()?));
    Ok(())
}

/// What a bind that asked for it is told: the identity in the form of RFC 4513 section 5.2.1.8, empty for anonymous.
pub(crate) fn identity_response(name: Option<String>) -> Control {
    let identity = name.map(|name| format!("dn:{name}")).unwrap_or_default();
    Control { oid: oid::AUTHORIZATION_IDENTITY_RESPONSE.to_owned(), critical: false, value: Some(identity.into()) }
}
