//! What certificates and revocation lists are compared by, as octets, and what is asserted of them in the same form.
//!
//! ```text
//! components := (number ‖ length as 4 octets, big-endian ‖ octets)*
//! ```

use super::super::Schema;
use super::super::matching_rule::{Key, SyntaxError};
use super::der::{self, Reader};
use super::gser::Gser;
use super::time;
use crate::model::{AttributeTypeAndValue, Dn, Rdn};

pub(super) const SERIAL_NUMBER: u8 = 1;
pub(super) const ISSUER: u8 = 2;
pub(super) const SUBJECT: u8 = 3;
/// Of a value: first and last moment. Of an assertion: one moment between them.
pub(super) const VALIDITY: u8 = 4;
pub(super) const SUBJECT_KEY_IDENTIFIER: u8 = 5;
pub(super) const AUTHORITY_KEY_IDENTIFIER: u8 = 6;
pub(super) const KEY_ALGORITHM: u8 = 7;
/// One octet a bit. Of an assertion: the bits that are set.
pub(super) const KEY_USAGE: u8 = 8;
/// Tags of the kinds of names.
pub(super) const ALTERNATIVE_NAMES: u8 = 9;
pub(super) const THIS_UPDATE: u8 = 10;
pub(super) const REVOCATION_LIST_NUMBER: u8 = 11;
pub(super) const LEAST_NUMBER: u8 = 12;
pub(super) const GREATEST_NUMBER: u8 = 13;
/// Components of the two certificates of a pair.
pub(super) const FORWARD: u8 = 14;
pub(super) const REVERSE: u8 = 15;
pub(super) const ALGORITHM: u8 = 16;

/// Components being written.
#[derive(Default)]
pub(super) struct Components(Vec<u8>);

impl Components {
    pub(super) fn push(&mut self, number: u8, octets: &[u8]) {
        self.0.push(number);
        self.0.extend_from_slice(&u32::try_from(octets.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(octets);
    }

    pub(super) fn push_all(&mut self, number: u8, octets: Option<impl AsRef<[u8]>>) {
        if let Some(octets) = octets {
            self.push(number, octets.as_ref());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_key(self) -> Key {
        Key::from(self.0)
    }
}

/// Components one after the other.
pub(super) fn all(components: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = components;
    std::iter::from_fn(move || {
        let (&number, behind) = rest.split_first()?;
        let (length, behind) = behind.split_first_chunk::<4>()?;
        let (octets, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = behind;
        Some((number, octets))
    })
}

pub(super) fn get(components: &[u8], number: u8) -> Option<&[u8]> {
    all(components).find(|(other, _)| *other == number).map(|(_, octets)| octets)
}

/// Whether all that is asserted is true of a value.
pub(super) fn hold(assertion: &Key, of_value: &Key) -> bool {
    all_hold(&assertion.0, &of_value.0)
}

fn all_hold(assertion: &[u8], of_value: &[u8]) -> bool {
    all(assertion).all(|(number, asserted)| {
        let number_of_value = match number {
            LEAST_NUMBER | GREATEST_NUMBER => REVOCATION_LIST_NUMBER,
            other => other,
        };
        let Some(value) = get(of_value, number_of_value) else {
            // Without the extension a key may be used for everything (X.509 section 13.3.2).
            return number == KEY_USAGE;
        };
        match number {
            VALIDITY => value.split_at_checked(8).is_some_and(|(first, last)| (first..=last).contains(&asserted)),
            KEY_USAGE => asserted.iter().enumerate().all(|(bit, set)| *set == 0 || value.get(bit) == Some(&1)),
            ALTERNATIVE_NAMES => asserted.iter().all(|kind| value.contains(kind)),
            LEAST_NUMBER => value >= asserted,
            GREATEST_NUMBER => value <= asserted,
            FORWARD | REVERSE => all_hold(asserted, value),
            _ => value == asserted,
        }
    })
}

/// A moment whose octets order as moments do.
pub(super) fn moment(micros: i64) -> [u8; 8] {
    (micros ^ i64::MIN).to_be_bytes()
}

/// `utcTime:"…"`, `generalTime:"…"` or, as slapd has it, the text of a generalized time alone.
pub(super) fn asserted_moment(value: Gser) -> Result<[u8; 8], SyntaxError> {
    let micros = match value.chosen() {
        (Some(kind), Gser::Text(text)) if kind == "utctime" => time::utc(text.as_bytes()),
        (Some(kind), Gser::Text(text)) if kind == "generaltime" => time::general(text.as_bytes()),
        (None, Gser::Text(text)) => time::general(text.as_bytes()),
        _ => None,
    };
    micros.map(moment).ok_or(SyntaxError)
}

/// A number in decimal digits, or `'F0'H`, as the octets of the shortest DER integer.
pub(super) fn asserted_integer(value: &Gser) -> Result<Vec<u8>, SyntaxError> {
    match value {
        Gser::Word(digits) => integer_of_decimal(digits.as_bytes()).ok_or(SyntaxError),
        Gser::Octets(octets) if !octets.is_empty() => Ok(der::shortest(&[&[0], octets.as_slice()].concat()).to_vec()),
        _ => Err(SyntaxError),
    }
}

/// Serial numbers have 20 octets at most (RFC 5280 section 4.1.2.2); this many digits are enough for sloppy issuers.
const MOST_DIGITS: usize = 200;

pub(super) fn integer_of_decimal(text: &[u8]) -> Option<Vec<u8>> {
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Little-endian while it grows.
    let mut octets: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u32::from(digit - b'0');
        for octet in &mut octets {
            carry += u32::from(*octet) * 10;
            *octet = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            octets.push((carry & 0xff) as u8);
        }
    }
    octets.push(0);
    if negative {
        let mut carry = true;
        for octet in &mut octets {
            let (sum, over) = (!*octet).overflowing_add(u8::from(carry));
            (*octet, carry) = (sum, over);
        }
    }
    octets.reverse();
    Some(der::shortest(&octets).to_vec())
}

/// An integer so that the octets of those that are not negative order as they do.
pub(super) fn ordered(integer: &[u8]) -> Vec<u8> {
    let mut key = vec![u8::try_from(integer.len()).unwrap_or(u8::MAX)];
    key.extend_from_slice(integer);
    key
}

/// `rdnSequence:"…"`, or the text of a name alone.
pub(super) fn asserted_name(schema: &Schema, value: Gser) -> Result<Box<[u8]>, SyntaxError> {
    match value.chosen() {
        (Some(kind), Gser::Text(text)) if kind == "rdnsequence" => text_name(schema, text.as_bytes()),
        (None, Gser::Text(text)) => text_name(schema, text.as_bytes()),
        _ => Err(SyntaxError),
    }
}

pub(super) fn text_name(schema: &Schema, text: &[u8]) -> Result<Box<[u8]>, SyntaxError> {
    Ok(schema.dn_key(&Dn::parse(text).map_err(|_| SyntaxError)?))
}

/// The key of a Name: the content of its SEQUENCE, most general RDN first.
pub(super) fn name(schema: &Schema, content: &[u8]) -> Result<Box<[u8]>, SyntaxError> {
    let mut rdns = Vec::new();
    let mut reader = Reader(content);
    while !reader.is_empty() {
        rdns.push(rdn(reader.take(der::SET).ok_or(SyntaxError)?).ok_or(SyntaxError)?);
        if rdns.len() > Dn::MAXIMUM_RDNS {
            return Err(SyntaxError);
        }
    }
    rdns.reverse();
    Ok(schema.dn_key(&Dn { rdns }))
}

fn rdn(content: &[u8]) -> Option<Rdn> {
    let mut parts = Vec::new();
    let mut reader = Reader(content);
    while !reader.is_empty() {
        let mut part = Reader(reader.take(der::SEQUENCE)?);
        let attribute_type = der::dotted(part.take(der::OBJECT_IDENTIFIER)?)?;
        let value = part.any()?;
        let value = text_of(value.tag, value.content).unwrap_or_else(|| value.content.to_vec());
        parts.push(AttributeTypeAndValue { attribute_type, value: value.into() });
    }
    (!parts.is_empty()).then_some(Rdn { parts })
}

/// The UTF-8 of ASN.1's wider character strings; the others are taken as they are.
fn text_of(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    match tag {
        // TeletexString: what writes it means Latin-1.
        0x14 => Some(content.iter().map(|&octet| char::from(octet)).collect::<String>().into_bytes()),
        0x1c => {
            let (units, rest) = content.as_chunks::<4>();
            let text: Option<String> = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect();
            text.filter(|_| rest.is_empty()).map(String::into_bytes)
        }
        0x1e => {
            let (units, rest) = content.as_chunks::<2>();
            let text: Result<String, _> = char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect();
            text.ok().filter(|_| rest.is_empty()).map(String::into_bytes)
        }
        _ => None,
    }
}
