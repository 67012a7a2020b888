//! Pairs of cross certificates and supported algorithms: certificatePairExactMatch, certificatePairMatch and
//! algorithmIdentifierMatch (RFC 4523 sections 2.7, 2.8, 2.11, 3.3, 3.4 and 3.7).

use super::super::Schema;
use super::super::matching_rule::{Key, SyntaxError};
use super::certificate;
use super::component::{self, Components};
use super::der::{self, Reader};
use super::gser::Gser;

type Prepared = Result<Key, SyntaxError>;

/// The certificates issued to this authority and by it; one may be missing.
type Pair<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn read(value: &[u8]) -> Option<Pair<'_>> {
    let mut reader = der::sequence(value)?;
    let pair = (reader.take(der::constructed(0)), reader.take(der::constructed(1)));
    (reader.is_empty() && pair != (None, None)).then_some(pair)
}

/// Whether the octets are a pair of certificates.
pub(in super::super) fn is_pair(value: &[u8]) -> bool {
    let is_good = |one: Option<&[u8]>| one.is_none_or(certificate::is_certificate);
    read(value).is_some_and(|(forward, reverse)| is_good(forward) && is_good(reverse))
}

pub(in super::super) fn exact(schema: &Schema, value: &[u8]) -> Prepared {
    of_both(schema, value, certificate::exact)
}

pub(in super::super) fn components(schema: &Schema, value: &[u8]) -> Prepared {
    of_both(schema, value, certificate::components)
}

fn of_both(schema: &Schema, value: &[u8], prepare: fn(&Schema, &[u8]) -> Prepared) -> Prepared {
    let (forward, reverse) = read(value).ok_or(SyntaxError)?;
    let mut key = Components::default();
    for (number, certificate) in [(component::FORWARD, forward), (component::REVERSE, reverse)] {
        if let Some(certificate) = certificate {
            key.push(number, &prepare(schema, certificate)?.0);
        }
    }
    Ok(key.into_key())
}

/// `{ issuedToThisCAAssertion { serialNumber 5, issuer rdnSequence:"cn=CA" }, issuedByThisCAAssertion { … } }`: one of them or both.
pub(in super::super) fn exact_assertion(schema: &Schema, assertion: &[u8]) -> Prepared {
    of_assertions(schema, assertion, certificate::exact_of_gser)
}

/// The same with the assertions of certificateMatch.
pub(in super::super) fn assertion(schema: &Schema, assertion: &[u8]) -> Prepared {
    of_assertions(schema, assertion, certificate::components_of_gser)
}

fn of_assertions(schema: &Schema, assertion: &[u8], prepare: fn(&Schema, Gser) -> Prepared) -> Prepared {
    let mut key = Components::default();
    for (name, value) in Gser::read(assertion).and_then(Gser::fields).ok_or(SyntaxError)? {
        let number = match name.as_str() {
            "issuedtothiscaassertion" => component::FORWARD,
            "issuedbythiscaassertion" => component::REVERSE,
            _ => return Err(SyntaxError),
        };
        key.push(number, &prepare(schema, value)?.0);
    }
    if key.is_empty() { Err(SyntaxError) } else { Ok(key.into_key()) }
}

/// The algorithm of a supported algorithm: its object identifier, and its parameters in DER where it has any.
pub(in super::super) fn algorithm(_: &Schema, value: &[u8]) -> Prepared {
    let mut reader = der::sequence(value).ok_or(SyntaxError)?;
    let mut algorithm = Reader(reader.take(der::SEQUENCE).ok_or(SyntaxError)?);
    let oid = algorithm.take(der::OBJECT_IDENTIFIER).and_then(der::dotted).ok_or(SyntaxError)?;
    let parameters = algorithm.any().map(|element| element.whole).unwrap_or_default();
    algorithm_key(&oid, parameters)
}

fn algorithm_key(oid: &str, parameters: &[u8]) -> Prepared {
    let mut key = Components::default();
    key.push(component::ALGORITHM, oid.as_bytes());
    key.push(component::ALGORITHM, parameters);
    Ok(key.into_key())
}

/// Whether the octets are a supported algorithm.
pub(in super::super) fn is_supported_algorithm(value: &[u8]) -> bool {
    let Some(mut reader) = der::sequence(value) else { return false };
    let algorithm = reader.take(der::SEQUENCE).and_then(|content| Reader(content).take(der::OBJECT_IDENTIFIER));
    algorithm.and_then(der::dotted).is_some()
}

/// `{ algorithm 1.2.840.113549.1.1.1, parameters NULL }`; other parameters cannot be written.
pub(in super::super) fn algorithm_assertion(_: &Schema, assertion: &[u8]) -> Prepared {
    let (mut algorithm, mut parameters): (_, &[u8]) = (None, &[]);
    for (name, value) in Gser::read(assertion).and_then(Gser::fields).ok_or(SyntaxError)? {
        match (name.as_str(), value) {
            ("algorithm", Gser::Word(oid)) => algorithm = Some(oid),
            ("parameters", Gser::Word(null)) if null.eq_ignore_ascii_case("NULL") => parameters = &[5, 0],
            _ => return Err(SyntaxError),
        }
    }
    algorithm_key(&algorithm.ok_or(SyntaxError)?, parameters)
}
