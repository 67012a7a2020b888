//! Certificates: certificateExactMatch and certificateMatch (RFC 4523 sections 2.5, 2.6 and 3.1, 3.2).
//!
//! certificateMatch decides serialNumber, issuer, subject, certificateValid, subjectKeyIdentifier, authorityKeyIdentifier (its
//! keyIdentifier), subjectPublicKeyAlgID, keyUsage and subjectAltName (its kinds of names). An assertion with other components is
//! refused, so it is Undefined rather than half an answer.

use super::super::Schema;
use super::super::matching_rule::{Key, SyntaxError};
use super::component::{self, Components};
use super::der::{self, Element, Reader};
use super::gser::Gser;

type Prepared = Result<Key, SyntaxError>;

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";
pub(super) const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";

/// In the order of their bits (RFC 5280 section 4.2.1.3).
const USAGES: [&str; 9] = [
    "digitalsignature",
    "nonrepudiation",
    "keyencipherment",
    "dataencipherment",
    "keyagreement",
    "keycertsign",
    "crlsign",
    "encipheronly",
    "decipheronly",
];

/// In the order of their tags (RFC 5280 section 4.2.1.6).
const KINDS_OF_NAMES: [&str; 9] = [
    "othername",
    "rfc822name",
    "dnsname",
    "x400address",
    "directoryname",
    "edipartyname",
    "uniformresourceidentifier",
    "ipaddress",
    "registeredid",
];

/// What rules ask a certificate for, still in DER.
struct Certificate<'a> {
    serial_number: &'a [u8],
    /// Content of the Name.
    issuer: &'a [u8],
    not_before: i64,
    not_after: i64,
    subject: &'a [u8],
    key_algorithm: &'a [u8],
    /// Content of the extensions' SEQUENCE.
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads the frame of a certificate (RFC 5280 section 4.1).
    fn read(value: &'a [u8]) -> Option<Certificate<'a>> {
        let mut outer = der::sequence(value)?;
        let mut inner = Reader(outer.take(der::SEQUENCE)?);
        outer.take(der::SEQUENCE)?;
        outer.take(der::BIT_STRING)?;
        _ = inner.take(der::constructed(0));
        let serial_number = inner.take(der::INTEGER).filter(|content| !content.is_empty())?;
        inner.take(der::SEQUENCE)?;
        let issuer = inner.take(der::SEQUENCE)?;
        let mut validity = Reader(inner.take(der::SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = inner.take(der::SEQUENCE)?;
        let mut key = Reader(inner.take(der::SEQUENCE)?);
        let key_algorithm = Reader(key.take(der::SEQUENCE)?).take(der::OBJECT_IDENTIFIER)?;
        // Unique identifiers of issuer and subject.
        _ = inner.take(0x81);
        _ = inner.take(0x82);
        let extensions = match inner.take(der::constructed(3)) {
            Some(tagged) => Reader(tagged).take(der::SEQUENCE)?,
            None => &[],
        };
        let certificate = Certificate { serial_number, issuer, not_before, not_after, subject, key_algorithm, extensions };
        (inner.is_empty() && outer.is_empty()).then_some(certificate)
    }
}

/// The content of the extension's OCTET STRING.
pub(super) fn extension<'a>(extensions: &'a [u8], oid: &str) -> Option<&'a [u8]> {
    let mut reader = Reader(extensions);
    loop {
        let mut extension = Reader(reader.take(der::SEQUENCE)?);
        let name = der::dotted(extension.take(der::OBJECT_IDENTIFIER)?);
        _ = extension.take(der::BOOLEAN);
        let content = extension.take(der::OCTET_STRING)?;
        if name.is_some_and(|name| name == oid) {
            return Some(content);
        }
    }
}

/// The keyIdentifier of an authority key identifier.
pub(super) fn authority_key_identifier(extensions: &[u8]) -> Option<&[u8]> {
    der::sequence(extension(extensions, AUTHORITY_KEY_IDENTIFIER)?)?.take(0x80)
}

/// Whether the octets are a certificate. Signatures and trust are the business of who uses it.
pub(in super::super) fn is_certificate(value: &[u8]) -> bool {
    Certificate::read(value).is_some()
}

/// certificateExactMatch: serial number and issuer.
pub(in super::super) fn exact(schema: &Schema, value: &[u8]) -> Prepared {
    let certificate = Certificate::read(value).ok_or(SyntaxError)?;
    exact_key(der::shortest(certificate.serial_number), &component::name(schema, certificate.issuer)?)
}

fn exact_key(serial_number: &[u8], issuer: &[u8]) -> Prepared {
    let mut key = Components::default();
    key.push(component::SERIAL_NUMBER, serial_number);
    key.push(component::ISSUER, issuer);
    Ok(key.into_key())
}

/// `{ serialNumber 5, issuer rdnSequence:"cn=CA" }`, slapd's older `5$cn=CA`, a whole certificate, or the assertion in DER.
pub(in super::super) fn exact_assertion(schema: &Schema, assertion: &[u8]) -> Prepared {
    if assertion.first() == Some(&der::SEQUENCE) {
        return exact(schema, assertion).or_else(|_| exact_of_der(schema, assertion));
    }
    if assertion.trim_ascii_start().starts_with(b"{") {
        return exact_of_gser(schema, Gser::read(assertion).ok_or(SyntaxError)?);
    }
    let dollar = assertion.iter().position(|&octet| octet == b'$').ok_or(SyntaxError)?;
    let (serial_number, issuer) = assertion.split_at_checked(dollar).ok_or(SyntaxError)?;
    let serial_number = component::integer_of_decimal(serial_number.trim_ascii()).ok_or(SyntaxError)?;
    exact_key(&serial_number, &component::text_name(schema, issuer.get(1..).unwrap_or_default())?)
}

fn exact_of_der(schema: &Schema, assertion: &[u8]) -> Prepared {
    let mut reader = der::sequence(assertion).ok_or(SyntaxError)?;
    let serial_number = reader.take(der::INTEGER).filter(|content| !content.is_empty()).ok_or(SyntaxError)?;
    let issuer = reader.take(der::SEQUENCE).filter(|_| reader.is_empty()).ok_or(SyntaxError)?;
    exact_key(der::shortest(serial_number), &component::name(schema, issuer)?)
}

/// CertificateExactAssertion.
pub(super) fn exact_of_gser(schema: &Schema, assertion: Gser) -> Prepared {
    let (mut serial_number, mut issuer) = (None, None);
    for (name, value) in assertion.fields().ok_or(SyntaxError)? {
        match name.as_str() {
            "serialnumber" => serial_number = Some(component::asserted_integer(&value)?),
            "issuer" => issuer = Some(component::asserted_name(schema, value)?),
            _ => return Err(SyntaxError),
        }
    }
    exact_key(&serial_number.ok_or(SyntaxError)?, &issuer.ok_or(SyntaxError)?)
}

/// certificateMatch: all that can be asserted.
pub(in super::super) fn components(schema: &Schema, value: &[u8]) -> Prepared {
    let certificate = Certificate::read(value).ok_or(SyntaxError)?;
    let extensions = certificate.extensions;
    let mut key = Components::default();
    key.push(component::SERIAL_NUMBER, der::shortest(certificate.serial_number));
    key.push(component::ISSUER, &component::name(schema, certificate.issuer)?);
    key.push(component::SUBJECT, &component::name(schema, certificate.subject)?);
    let validity = [component::moment(certificate.not_before), component::moment(certificate.not_after)].concat();
    key.push(component::VALIDITY, &validity);
    key.push_all(component::KEY_ALGORITHM, der::dotted(certificate.key_algorithm));
    let identifier = extension(extensions, SUBJECT_KEY_IDENTIFIER).and_then(|octets| Reader(octets).take(der::OCTET_STRING));
    key.push_all(component::SUBJECT_KEY_IDENTIFIER, identifier);
    key.push_all(component::AUTHORITY_KEY_IDENTIFIER, authority_key_identifier(extensions));
    key.push_all(component::KEY_USAGE, extension(extensions, KEY_USAGE).and_then(usage));
    key.push_all(component::ALTERNATIVE_NAMES, extension(extensions, SUBJECT_ALTERNATIVE_NAME).and_then(kinds_of_names));
    Ok(key.into_key())
}

/// One octet a bit.
fn usage(extension: &[u8]) -> Option<Vec<u8>> {
    let (_, octets) = Reader(extension).take(der::BIT_STRING)?.split_first()?;
    Some(octets.iter().flat_map(|octet| (0..8).map(move |bit| octet >> (7 - bit) & 1)).collect())
}

fn kinds_of_names(extension: &[u8]) -> Option<Vec<u8>> {
    let mut names = der::sequence(extension)?;
    let tags = std::iter::from_fn(|| names.any().map(|Element { tag, .. }| tag & 0x1f));
    Some(tags.collect())
}

/// CertificateAssertion.
pub(in super::super) fn assertion(schema: &Schema, assertion: &[u8]) -> Prepared {
    components_of_gser(schema, Gser::read(assertion).ok_or(SyntaxError)?)
}

pub(super) fn components_of_gser(schema: &Schema, assertion: Gser) -> Prepared {
    let mut key = Components::default();
    for (name, value) in assertion.fields().ok_or(SyntaxError)? {
        match name.as_str() {
            "serialnumber" => key.push(component::SERIAL_NUMBER, &component::asserted_integer(&value)?),
            "issuer" => key.push(component::ISSUER, &component::asserted_name(schema, value)?),
            "subject" => key.push(component::SUBJECT, &component::asserted_name(schema, value)?),
            "certificatevalid" => key.push(component::VALIDITY, &component::asserted_moment(value)?),
            "subjectkeyidentifier" => key.push(component::SUBJECT_KEY_IDENTIFIER, &asserted_octets(value)?),
            "authoritykeyidentifier" => key.push(component::AUTHORITY_KEY_IDENTIFIER, &asserted_key_identifier(value)?),
            "subjectpublickeyalgid" => match value {
                Gser::Word(oid) => key.push(component::KEY_ALGORITHM, oid.as_bytes()),
                _ => return Err(SyntaxError),
            },
            "keyusage" => key.push(component::KEY_USAGE, &asserted_usage(value)?),
            "subjectaltname" => key.push(component::ALTERNATIVE_NAMES, &[asserted_kind_of_name(value)?]),
            _ => return Err(SyntaxError),
        }
    }
    Ok(key.into_key())
}

fn asserted_octets(value: Gser) -> Result<Vec<u8>, SyntaxError> {
    match value {
        Gser::Octets(octets) => Ok(octets),
        _ => Err(SyntaxError),
    }
}

/// `{ keyIdentifier '…'H }`
pub(super) fn asserted_key_identifier(value: Gser) -> Result<Vec<u8>, SyntaxError> {
    match value.fields().ok_or(SyntaxError)?.pop() {
        Some((name, value)) if name == "keyidentifier" => asserted_octets(value),
        _ => Err(SyntaxError),
    }
}

/// `{ digitalSignature, keyAgreement }` or `'10001'B`
fn asserted_usage(value: Gser) -> Result<Vec<u8>, SyntaxError> {
    match value {
        Gser::Bits(bits) => Ok(bits.into_iter().map(u8::from).collect()),
        Gser::Braces(items) => {
            let mut usage = vec![0; USAGES.len()];
            for item in items {
                let (None, Gser::Word(name)) = item else { return Err(SyntaxError) };
                let place = USAGES.iter().position(|known| known.eq_ignore_ascii_case(&name)).ok_or(SyntaxError)?;
                usage.iter_mut().skip(place).take(1).for_each(|bit| *bit = 1);
            }
            Ok(usage)
        }
        _ => Err(SyntaxError),
    }
}

/// `builtinNameForm:dNSName`
fn asserted_kind_of_name(value: Gser) -> Result<u8, SyntaxError> {
    let (Some(choice), Gser::Word(kind)) = value.chosen() else { return Err(SyntaxError) };
    let place = KINDS_OF_NAMES.iter().position(|known| known.eq_ignore_ascii_case(&kind));
    match place.and_then(|place| u8::try_from(place).ok()) {
        Some(place) if choice == "builtinnameform" => Ok(place),
        _ => Err(SyntaxError),
    }
}

#[cfg(test)]
mod tests {
    use super::super::der::Reader;

    #[test]
    fn bits_of_a_usage_are_read_from_the_left() {
        assert_eq!(super::usage(&[0x03, 0x02, 0x05, 0xa0]).unwrap(), [1, 0, 1, 0, 0, 0, 0, 0]);
        assert!(super::usage(&[0x03, 0x00]).is_none() && Reader(&[0x03]).any().is_none());
    }
}
