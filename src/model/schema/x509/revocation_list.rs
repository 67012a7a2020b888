//! Certificate revocation lists: certificateListExactMatch and certificateListMatch (RFC 4523 sections 2.9, 2.10, 3.5 and 3.6).
//!
//! Distribution points are not compared, so assertions that name one are refused. certificateListMatch decides issuer, minCRLNumber,
//! maxCRLNumber, dateAndTime (the moment of issue, X.509 section 17.2.6) and authorityKeyIdentifier (its keyIdentifier).

use super::super::Schema;
use super::super::matching_rule::{Key, SyntaxError};
use super::certificate::{asserted_key_identifier, authority_key_identifier, extension};
use super::component::{self, Components};
use super::der::{self, Reader};
use super::gser::Gser;

type Prepared = Result<Key, SyntaxError>;

const NUMBER: &str = "2.5.29.20";

struct RevocationList<'a> {
    /// Content of the Name.
    issuer: &'a [u8],
    this_update: i64,
    /// Content of the extensions' SEQUENCE.
    extensions: &'a [u8],
}

impl<'a> RevocationList<'a> {
    /// Reads the frame of a list (RFC 5280 section 5.1).
    fn read(value: &'a [u8]) -> Option<RevocationList<'a>> {
        let mut outer = der::sequence(value)?;
        let mut inner = Reader(outer.take(der::SEQUENCE)?);
        outer.take(der::SEQUENCE)?;
        outer.take(der::BIT_STRING)?;
        _ = inner.take(der::INTEGER);
        inner.take(der::SEQUENCE)?;
        let issuer = inner.take(der::SEQUENCE)?;
        let this_update = inner.time()?;
        _ = inner.time();
        _ = inner.take(der::SEQUENCE);
        let extensions = match inner.take(der::constructed(0)) {
            Some(tagged) => Reader(tagged).take(der::SEQUENCE)?,
            None => &[],
        };
        (inner.is_empty() && outer.is_empty()).then_some(RevocationList { issuer, this_update, extensions })
    }
}

/// Whether the octets are a revocation list.
pub(in super::super) fn is_revocation_list(value: &[u8]) -> bool {
    RevocationList::read(value).is_some()
}

/// certificateListExactMatch: issuer and moment of issue.
pub(in super::super) fn exact(schema: &Schema, value: &[u8]) -> Prepared {
    let list = RevocationList::read(value).ok_or(SyntaxError)?;
    exact_key(&component::name(schema, list.issuer)?, component::moment(list.this_update))
}

fn exact_key(issuer: &[u8], this_update: [u8; 8]) -> Prepared {
    let mut key = Components::default();
    key.push(component::ISSUER, issuer);
    key.push(component::THIS_UPDATE, &this_update);
    Ok(key.into_key())
}

/// `{ issuer rdnSequence:"cn=CA", thisUpdate utcTime:"261122112500Z" }`, or a whole list.
pub(in super::super) fn exact_assertion(schema: &Schema, assertion: &[u8]) -> Prepared {
    if assertion.first() == Some(&der::SEQUENCE) {
        return exact(schema, assertion);
    }
    let (mut issuer, mut this_update) = (None, None);
    for (name, value) in Gser::read(assertion).and_then(Gser::fields).ok_or(SyntaxError)? {
        match name.as_str() {
            "issuer" => issuer = Some(component::asserted_name(schema, value)?),
            "thisupdate" => this_update = Some(component::asserted_moment(value)?),
            _ => return Err(SyntaxError),
        }
    }
    exact_key(&issuer.ok_or(SyntaxError)?, this_update.ok_or(SyntaxError)?)
}

/// certificateListMatch: all that can be asserted.
pub(in super::super) fn components(schema: &Schema, value: &[u8]) -> Prepared {
    let list = RevocationList::read(value).ok_or(SyntaxError)?;
    let mut key = Components::default();
    key.push(component::ISSUER, &component::name(schema, list.issuer)?);
    key.push(component::THIS_UPDATE, &component::moment(list.this_update));
    let number = extension(list.extensions, NUMBER).and_then(|octets| Reader(octets).take(der::INTEGER));
    key.push_all(component::REVOCATION_LIST_NUMBER, number.map(|number| component::ordered(der::shortest(number))));
    key.push_all(component::AUTHORITY_KEY_IDENTIFIER, authority_key_identifier(list.extensions));
    Ok(key.into_key())
}

/// CertificateListAssertion.
pub(in super::super) fn assertion(schema: &Schema, assertion: &[u8]) -> Prepared {
    let mut key = Components::default();
    for (name, value) in Gser::read(assertion).and_then(Gser::fields).ok_or(SyntaxError)? {
        let number = |value: &Gser| component::asserted_integer(value).map(|number| component::ordered(&number));
        match name.as_str() {
            "issuer" => key.push(component::ISSUER, &component::asserted_name(schema, value)?),
            "dateandtime" => key.push(component::THIS_UPDATE, &component::asserted_moment(value)?),
            "mincrlnumber" => key.push(component::LEAST_NUMBER, &number(&value)?),
            "maxcrlnumber" => key.push(component::GREATEST_NUMBER, &number(&value)?),
            "authoritykeyidentifier" => key.push(component::AUTHORITY_KEY_IDENTIFIER, &asserted_key_identifier(value)?),
            _ => return Err(SyntaxError),
        }
    }
    Ok(key.into_key())
}
