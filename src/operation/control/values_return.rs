//! Matched values (RFC 3876): which values of the entries found are returned.
//!
//! ```text
//! ValuesReturnFilter := SEQUENCE OF SimpleFilterItem          a Filter without and, or, not and dnAttributes
//! ```

use super::{Controls, Value};
use crate::model::{Filter, ResultCode};
use crate::protocol::ber::Reader;
use crate::protocol::{LdapResult, filter};

/// Most items: each is tested against every value of every entry.
const MAXIMUM_ITEMS: usize = 100;

pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let mut outer = Reader::new(value.octets()?);
    let mut list = outer.sequence().map_err(|_| value.undecodable())?;
    outer.finish().map_err(|_| value.undecodable())?;
    let mut items = Vec::new();
    while !list.is_empty() {
        if items.len() >= MAXIMUM_ITEMS {
            return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too many terms in one filter"));
        }
        let item = filter::decode(&mut list).map_err(|error| LdapResult::with(error.code(), error.diagnostic()))?;
        if !is_simple(&item) {
            return Err(value.undecodable());
        }
        items.push(item);
    }
    controls.matched_values = Some(items);
    Ok(())
}

fn is_simple(item: &Filter) -> bool {
    match item {
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => false,
        Filter::Extensible(assertion) => !assertion.dn_attributes,
        _ => true,
    }
}
