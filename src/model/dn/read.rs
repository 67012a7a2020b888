//! Reading the string form.

use bytes::Bytes;

use super::{AttributeTypeAndValue, Dn, DnError, Rdn, Value, write};
use crate::model::name;

/// Reads one RDN or more.
pub(super) fn rdns(text: &[u8]) -> Result<Vec<Rdn>, DnError> {
    if text.len() > Dn::MAXIMUM_LENGTH || std::str::from_utf8(text).is_err() {
        return Err(DnError);
    }
    let mut reader = Reader { rest: text };
    let mut rdns = vec![reader.rdn()?];
    while reader.take(|octet| matches!(octet, b',' | b';')) {
        if rdns.len() == Dn::MAXIMUM_RDNS {
            return Err(DnError);
        }
        rdns.push(reader.rdn()?);
    }
    if !reader.rest.is_empty() {
        return Err(DnError);
    }
    // An octet is written as three at most, so only a long name could outgrow the limit when it is written back.
    if text.len() > Dn::MAXIMUM_LENGTH / 3 && write::length(&rdns) > Dn::MAXIMUM_LENGTH {
        return Err(DnError);
    }
    Ok(rdns)
}

/// What slapd takes for space around the parts of a name.
fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\n' | b'\r')
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn rdn(&mut self) -> Result<Rdn, DnError> {
        let mut parts = vec![self.attribute_type_and_value()?];
        while self.take(|octet| octet == b'+') {
            parts.push(self.attribute_type_and_value()?);
        }
        Ok(Rdn { parts })
    }

    fn attribute_type_and_value(&mut self) -> Result<AttributeTypeAndValue, DnError> {
        self.skip_spaces();
        let attribute_type = self.attribute_type()?;
        self.skip_spaces();
        if !self.take(|octet| octet == b'=') {
            return Err(DnError);
        }
        self.skip_spaces();
        let value = match self.rest.first() {
            Some(b'#') => self.hexadecimal()?,
            Some(b'"') => self.quoted()?,
            _ => self.string()?,
        };
        self.skip_spaces();
        Ok(AttributeTypeAndValue { attribute_type, value })
    }

    fn attribute_type(&mut self) -> Result<String, DnError> {
        let spelled = self.take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.'));
        let (identifier, valid) = match spelled.split_at_checked(4) {
            // RFC 2253 section 4 asks to accept this from clients of RFC 1779.
            Some((prefix, identifier)) if prefix.eq_ignore_ascii_case(b"OID.") => {
                (identifier, name::is_numeric_identifier(identifier))
            }
            _ => (spelled, name::is_object_identifier(spelled)),
        };
        if !valid {
            return Err(DnError);
        }
        Ok(identifier.iter().copied().map(char::from).collect())
    }

    /// `string`, up to a separator; unescaped spaces at its end are not part of it.
    fn string(&mut self) -> Result<Value, DnError> {
        let mut value = Vec::new();
        let mut kept = 0;
        while let Some((octet, rest)) = self.rest.split_first() {
            match *octet {
                b',' | b';' | b'+' => break,
                b'\\' => {
                    value.push(self.escaped()?);
                    kept = value.len();
                    continue;
                }
                b'"' | b'<' | b'>' | b'\0' => return Err(DnError),
                octet => {
                    value.push(octet);
                    if !is_space(octet) {
                        kept = value.len();
                    }
                }
            }
            self.rest = rest;
        }
        value.truncate(kept);
        Ok(Bytes::from(value))
    }

    /// `\` and a special character or two hexadecimal digits.
    fn escaped(&mut self) -> Result<u8, DnError> {
        match *self.rest {
            [b'\\', special @ (b'"' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\' | b' ' | b'#'), ref rest @ ..] => {
                self.rest = rest;
                Ok(special)
            }
            [b'\\', high, low, ref rest @ ..] => {
                self.rest = rest;
                hexadecimal_pair(high, low)
            }
            _ => Err(DnError),
        }
    }

    /// The quoted form of RFC 1779, which RFC 2253 section 4 asks to accept.
    fn quoted(&mut self) -> Result<Value, DnError> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let mut value = Vec::new();
        while let Some((octet, rest)) = self.rest.split_first() {
            match *octet {
                b'"' => {
                    self.rest = rest;
                    return Ok(Bytes::from(value));
                }
                b'\\' => value.push(self.escaped()?),
                b'\0' => return Err(DnError),
                octet => {
                    value.push(octet);
                    self.rest = rest;
                }
            }
        }
        Err(DnError)
    }

    /// `#` and the BER of a string in hexadecimal.
    fn hexadecimal(&mut self) -> Result<Value, DnError> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let digits = self.take_while(|octet| octet.is_ascii_hexdigit());
        let (pairs, odd) = digits.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(DnError);
        }
        let encoded = pairs.iter().map(|[high, low]| hexadecimal_pair(*high, *low)).collect::<Result<Vec<u8>, DnError>>()?;
        string_content(Bytes::from(encoded))
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if wanted(*first) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|octet| !wanted(*octet)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn skip_spaces(&mut self) {
        self.take_while(is_space);
    }
}

fn hexadecimal_pair(high: u8, low: u8) -> Result<u8, DnError> {
    match (char::from(high).to_digit(16), char::from(low).to_digit(16)) {
        (Some(high), Some(low)) => u8::try_from(high << 4 | low).map_err(|_| DnError),
        _ => Err(DnError),
    }
}

/// The octets inside one BER string whose octets stand for themselves; X.690 section 8.1.
fn string_content(encoded: Bytes) -> Result<Value, DnError> {
    const STRING_TAGS: [u8; 7] = [
        0x04, // OCTET STRING
        0x0C, // UTF8String
        0x12, // NumericString
        0x13, // PrintableString
        0x14, // TeletexString
        0x16, // IA5String
        0x1A, // VisibleString
    ];
    let (header, length) = match *encoded {
        [tag, length @ 0..=0x7F, ..] if STRING_TAGS.contains(&tag) => (2, usize::from(length)),
        [tag, 0x81, length, ..] if STRING_TAGS.contains(&tag) => (3, usize::from(length)),
        [tag, 0x82, high, low, ..] if STRING_TAGS.contains(&tag) => (4, usize::from(high) << 8 | usize::from(low)),
        _ => return Err(DnError),
    };
    if encoded.len() != header + length {
        return Err(DnError);
    }
    Ok(encoded.slice(header..))
}
