//! Reading a Filter from its BER (RFC 4511 section 4.5.1.7): of a search request, of an assertion control (RFC 4528).
//!
//! ```text
//! Filter := [0] SET OF Filter  (and)      | [1] SET OF Filter (or)          | [2] Filter (not)
//!         | [3] assertion (equality)      | [4] substrings                  | [5] assertion (greaterOrEqual)
//!         | [6] assertion (lessOrEqual)   | [7] attribute (present)         | [8] assertion (approximate)
//!         | [9] matching rule assertion (extensible)
//! ```

use bytes::Bytes;

use super::ber::{BerError, Class, Reader, Tag, boolean};
use crate::model::{Filter, MatchingRuleAssertion, ResultCode, Substrings};

/// Why octets are no filter that is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FilterDecodeError {
    /// More than [`Filter::MAXIMUM_DEPTH`] filters within each other.
    #[error("filter nested too deeply")]
    TooDeep,
    /// More than [`Filter::MAXIMUM_TERMS`] terms.
    #[error("too many terms in one filter")]
    TooLong,
    /// Not the encoding of a filter.
    #[error("{0}")]
    Malformed(&'static str),
}

impl FilterDecodeError {
    /// The code to answer with: a filter that is only too deep or too long breaks no rule of the protocol but a limit of ours.
    pub fn code(self) -> ResultCode {
        match self {
            FilterDecodeError::TooDeep | FilterDecodeError::TooLong => ResultCode::AdminLimitExceeded,
            FilterDecodeError::Malformed(_) => ResultCode::ProtocolError,
        }
    }

    /// The text to answer with; it quotes nothing of the filter.
    pub fn diagnostic(self) -> &'static str {
        match self {
            FilterDecodeError::TooDeep => "filter nested too deeply",
            FilterDecodeError::TooLong => "too many terms in one filter",
            FilterDecodeError::Malformed(text) => text,
        }
    }
}

impl From<BerError> for FilterDecodeError {
    fn from(_: BerError) -> FilterDecodeError {
        FilterDecodeError::Malformed("filter decoding error")
    }
}

/// Reads one filter off the front of `reader`.
pub fn decode(reader: &mut Reader<'_>) -> Result<Filter, FilterDecodeError> {
    let mut terms = Filter::MAXIMUM_TERMS;
    decode_within(reader, Filter::MAXIMUM_DEPTH, &mut terms)
}

/// Reads an AttributeDescription: UTF-8 and not empty.
pub fn attribute_description(octets: &[u8]) -> Result<String, &'static str> {
    match std::str::from_utf8(octets) {
        Ok("") => Err("empty attribute description"),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err("attribute description is not UTF-8"),
    }
}

/// `levels` is how many filters may still stand within each other, this one included; `terms` how many terms may still come.
fn decode_within(reader: &mut Reader<'_>, levels: usize, terms: &mut usize) -> Result<Filter, FilterDecodeError> {
    let inner = levels.checked_sub(1).ok_or(FilterDecodeError::TooDeep)?;
    take_terms(terms, 1)?;
    let (tag, content) = reader.element()?;
    let constructed = tag.number() != 7;
    if tag.class() != Class::Context || tag.number() > 9 {
        return Err(FilterDecodeError::Malformed("unknown filter type"));
    }
    if tag.is_constructed() != constructed {
        return Err(FilterDecodeError::Malformed("filter decoding error"));
    }
    let mut parts = Reader::new(content);
    match tag.number() {
        0 => filters(parts, inner, terms).map(Filter::And),
        1 => filters(parts, inner, terms).map(Filter::Or),
        2 => {
            let negated = decode_within(&mut parts, inner, terms)?;
            parts.finish()?;
            Ok(Filter::Not(Box::new(negated)))
        }
        3 => assertion(parts).map(|(attribute, value)| Filter::Equality(attribute, value)),
        4 => substrings(parts, terms),
        5 => assertion(parts).map(|(attribute, value)| Filter::GreaterOrEqual(attribute, value)),
        6 => assertion(parts).map(|(attribute, value)| Filter::LessOrEqual(attribute, value)),
        7 => description(content).map(Filter::Present),
        8 => assertion(parts).map(|(attribute, value)| Filter::Approximate(attribute, value)),
        _ => extensible(parts, terms),
    }
}

fn take_terms(terms: &mut usize, count: usize) -> Result<(), FilterDecodeError> {
    *terms = terms.checked_sub(count).ok_or(FilterDecodeError::TooLong)?;
    Ok(())
}

fn filters(mut parts: Reader<'_>, inner: usize, terms: &mut usize) -> Result<Vec<Filter>, FilterDecodeError> {
    let mut filters = Vec::new();
    while !parts.is_empty() {
        filters.push(decode_within(&mut parts, inner, terms)?);
    }
    Ok(filters)
}

fn assertion(mut parts: Reader<'_>) -> Result<(String, Bytes), FilterDecodeError> {
    let attribute = description(parts.octet_string()?)?;
    let value = Bytes::copy_from_slice(parts.octet_string()?);
    parts.finish_extensible(0)?;
    Ok((attribute, value))
}

fn substrings(mut parts: Reader<'_>, terms: &mut usize) -> Result<Filter, FilterDecodeError> {
    take_terms(terms, Filter::TERMS_OF_PARTS - 1)?;
    let attribute = description(parts.octet_string()?)?;
    let mut pieces = parts.sequence()?;
    parts.finish_extensible(0)?;
    if pieces.is_empty() {
        return Err(FilterDecodeError::Malformed("substring filter without substrings"));
    }
    let mut found = Substrings::default();
    if let Some(initial) = pieces.optional(Tag::context(0))? {
        found.initial = Some(Bytes::copy_from_slice(initial));
    }
    while let Some(any) = pieces.optional(Tag::context(1))? {
        take_terms(terms, 1)?;
        found.any.push(Bytes::copy_from_slice(any));
    }
    if let Some(last) = pieces.optional(Tag::context(2))? {
        found.last = Some(Bytes::copy_from_slice(last));
    }
    pieces.finish().map_err(|_| FilterDecodeError::Malformed("substrings out of order"))?;
    Ok(Filter::Substrings(attribute, found))
}

fn extensible(mut parts: Reader<'_>, terms: &mut usize) -> Result<Filter, FilterDecodeError> {
    let matching_rule = parts.optional(Tag::context(1))?.map(rule).transpose()?;
    let attribute = parts.optional(Tag::context(2))?.map(description).transpose()?;
    let value = Bytes::copy_from_slice(parts.expect(Tag::context(3))?);
    let dn_attributes = parts.optional(Tag::context(4))?.map(boolean).transpose()?.unwrap_or(false);
    parts.finish_extensible(5)?;
    if matching_rule.is_none() && attribute.is_none() {
        return Err(FilterDecodeError::Malformed("extensible match without attribute and matching rule"));
    }
    if attribute.is_none() {
        take_terms(terms, Filter::TERMS_OF_ANY - 1)?;
    }
    Ok(Filter::Extensible(MatchingRuleAssertion { matching_rule, attribute, value, dn_attributes }))
}

fn rule(octets: &[u8]) -> Result<String, FilterDecodeError> {
    match std::str::from_utf8(octets) {
        Ok("") => Err(FilterDecodeError::Malformed("empty matching rule")),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(FilterDecodeError::Malformed("matching rule is not UTF-8")),
    }
}

fn description(octets: &[u8]) -> Result<String, FilterDecodeError> {
    attribute_description(octets).map_err(FilterDecodeError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(octets: &[u8]) -> Result<Filter, FilterDecodeError> {
        let mut reader = Reader::new(octets);
        let filter = decode(&mut reader)?;
        reader.finish()?;
        Ok(filter)
    }

    fn nested(levels: usize) -> Vec<u8> {
        let mut octets = vec![0x87, 2, b'c', b'n'];
        for _ in 1..levels {
            octets = crate::protocol::ber::encode(|writer| writer.element(Tag(0xa2), &octets)).to_vec();
        }
        octets
    }

    #[test]
    fn every_choice() {
        let cn = || "cn".to_owned();
        let value = |text: &'static [u8]| Bytes::from_static(text);
        for (octets, filter) in [
            (&b"\xa0\x00"[..], Filter::And(vec![])),
            (b"\xa1\x04\x87\x02cn", Filter::Or(vec![Filter::Present(cn())])),
            (b"\xa2\x04\x87\x02cn", Filter::Not(Box::new(Filter::Present(cn())))),
            (b"\xa3\x07\x04\x02cn\x04\x01\xff", Filter::Equality(cn(), value(b"\xff"))),
            (b"\xa5\x06\x04\x02cn\x04\x00", Filter::GreaterOrEqual(cn(), value(b""))),
            (b"\xa6\x07\x04\x02cn\x04\x01b", Filter::LessOrEqual(cn(), value(b"b"))),
            (b"\xa8\x07\x04\x02cn\x04\x01c", Filter::Approximate(cn(), value(b"c"))),
            (
                b"\xa4\x12\x04\x02cn\x30\x0c\x80\x01a\x81\x01b\x81\x01c\x82\x01d",
                Filter::Substrings(
                    cn(),
                    Substrings { initial: Some(value(b"a")), any: vec![value(b"b"), value(b"c")], last: Some(value(b"d")) },
                ),
            ),
            (
                b"\xa9\x0f\x81\x032.5\x82\x02cn\x83\x01x\x84\x01\xff",
                Filter::Extensible(MatchingRuleAssertion {
                    matching_rule: Some("2.5".to_owned()),
                    attribute: Some(cn()),
                    value: value(b"x"),
                    dn_attributes: true,
                }),
            ),
        ] {
            assert_eq!(decode_all(octets), Ok(filter), "{octets:02x?}");
        }
    }

    #[test]
    fn malformed_filters() {
        for octets in [
            &b"\x87\x00"[..],                                // no description
            b"\x87\x01\xff",                                 // not UTF-8
            b"\xa7\x04\x04\x02cn",                           // constructed present
            b"\x80\x00",                                     // primitive and
            b"\xaa\x00",                                     // no such choice
            b"\x04\x02cn",                                   // not even a context tag
            b"\xa2\x00",                                     // not without a filter
            b"\xa2\x08\x87\x02cn\x87\x02cn",                 // not with two
            b"\xa3\x04\x04\x02cn",                           // no value
            b"\xa4\x06\x04\x02cn\x30\x00",                   // no substrings
            b"\xa4\x0c\x04\x02cn\x30\x06\x82\x01a\x80\x01b", // final before initial
            b"\xa4\x0c\x04\x02cn\x30\x06\x80\x01a\x80\x01b", // two initials
            b"\xa9\x03\x83\x01x",                            // neither rule nor attribute
            b"\xa0\x05\x87\x04cn",                           // child over the end of its parent
            b"",
        ] {
            assert!(matches!(decode_all(octets), Err(FilterDecodeError::Malformed(_))), "{octets:02x?}");
        }
    }

    #[test]
    fn depth_is_limited() {
        assert!(decode_all(&nested(Filter::MAXIMUM_DEPTH)).is_ok());
        assert_eq!(decode_all(&nested(Filter::MAXIMUM_DEPTH + 1)), Err(FilterDecodeError::TooDeep));
        assert_eq!(decode_all(&nested(5000)), Err(FilterDecodeError::TooDeep));
    }

    #[test]
    fn length_is_limited() {
        let any_of = |count: usize| {
            crate::protocol::ber::encode(|writer| writer.element(Tag(0xa1), &b"\x87\x02cn".repeat(count))).to_vec()
        };
        let parts = |count: usize| {
            crate::protocol::ber::encode(|writer| {
                writer.constructed(Tag(0xa4), |parts| {
                    parts.octet_string(b"cn");
                    parts.element(Tag::SEQUENCE, &b"\x81\x01a".repeat(count));
                });
            })
            .to_vec()
        };
        let longest = decode_all(&any_of(Filter::MAXIMUM_TERMS - 1)).unwrap();
        assert_eq!(longest.weight(), Filter::MAXIMUM_TERMS);
        assert_eq!(decode_all(&any_of(Filter::MAXIMUM_TERMS)), Err(FilterDecodeError::TooLong));
        assert_eq!(decode_all(&parts(Filter::MAXIMUM_TERMS - Filter::TERMS_OF_PARTS)).unwrap().weight(), Filter::MAXIMUM_TERMS);
        assert_eq!(decode_all(&parts(Filter::MAXIMUM_TERMS - 9)), Err(FilterDecodeError::TooLong));
        let by_rule = |count: usize| {
            let one = b"\xa9\x08\x81\x032.5\x83\x01x".repeat(count);
            crate::protocol::ber::encode(|writer| writer.element(Tag(0xa1), &one)).to_vec()
        };
        assert_eq!(decode_all(&by_rule(99)).unwrap().weight(), 9901);
        assert_eq!(decode_all(&by_rule(100)), Err(FilterDecodeError::TooLong), "terms about all attributes are dear");
    }
}
