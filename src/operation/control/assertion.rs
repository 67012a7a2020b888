//! Assertion (RFC 4528): a Filter.

use super::{Controls, Value};
use crate::protocol::ber::Reader;
use crate::protocol::{LdapResult, filter};

pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let mut reader = Reader::new(value.octets()?);
    let filter = filter::decode(&mut reader).map_err(|error| LdapResult::with(error.code(), error.diagnostic()))?;
    reader.finish().map_err(|_| value.undecodable())?;
    controls.assertion = Some(filter);
    Ok(())
}
