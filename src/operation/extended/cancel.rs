//! Cancel (RFC 3909): `cancelRequestValue ::= SEQUENCE { cancelID MessageID }`. What it does to an operation is the session's.

use crate::model::{ResultCode, Secret};
use crate::protocol::ber::{BerError, Reader};
use crate::protocol::{LdapResult, MessageId};

/// The operation to cancel. Texts are slapd's.
pub fn cancelled_operation(value: Option<&Secret>) -> Result<MessageId, LdapResult> {
    let refusal = |text| LdapResult::with(ResultCode::ProtocolError, text);
    let value = value.ok_or_else(|| refusal("no message ID supplied"))?;
    let id = read(value.expose()).map_err(|_| refusal("message ID parse failed"))?;
    i32::try_from(id).ok().filter(|&id| id > 0).map(MessageId).ok_or_else(|| refusal("message ID invalid"))
}

fn read(value: &[u8]) -> Result<i64, BerError> {
    let mut outer = Reader::new(value);
    let mut parts = outer.sequence()?;
    outer.finish()?;
    let id = parts.integer()?;
    parts.finish()?;
    Ok(id)
}
