//! Simple paged results (RFC 2696): `SEQUENCE { size INTEGER, cookie OCTET STRING }`, in requests and responses.

use super::{Controls, Value};
use crate::protocol::{Control, LdapResult, ber, oid};

/// The value of a paged results control (RFC 2696).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagedRequest {
    /// Entries on this page.
    pub size: u32,
    /// Empty on the first page.
    pub cookie: Vec<u8>,
}

pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let (size, cookie) = value.sequence(|parts| Ok((parts.integer()?, parts.octet_string()?.to_vec())))?;
    let size = u32::try_from(size).ok().filter(|&size| size <= i32::MAX as u32);
    let size = size.ok_or_else(|| value.error("control size invalid"))?;
    controls.paged = Some(PagedRequest { size, cookie });
    Ok(())
}

/// The paged results control of a response. The size is no estimate: RFC 2696 lets a server that has none send 0.
pub(crate) fn paged_response(cookie: &[u8]) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|writer| {
            writer.integer(0);
            writer.octet_string(cookie);
        });
    });
    Control { oid: oid::PAGED_RESULTS.to_owned(), critical: false, value: Some(value) }
}
