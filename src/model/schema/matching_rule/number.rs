//! Rules on numbers and times, as keys whose octets order as the values do (RFC 4517 sections 4.2.16–4.2.20).

use super::super::{Schema, syntax, text};
use super::{Key, SyntaxError};
use crate::model::Timestamp;

/// Whole numbers of any size.
///
/// ```text
/// key := 0x00 ‖ inverted size    a negative number
///      | 0x01                    zero
///      | 0x02 ‖ size             a positive number
/// size := count of digits (one octet, or 0xff and four) ‖ digits
/// ```
pub(super) fn integer(_: &Schema, value: &[u8]) -> Result<Key, SyntaxError> {
    if !syntax::is_integer(value) {
        return Err(SyntaxError);
    }
    let (negative, digits) = value.strip_prefix(b"-").map_or((false, value), |digits| (true, digits));
    if digits == b"0" {
        return Ok(Key::from(vec![1]));
    }
    let mut key = Vec::with_capacity(digits.len() + 2);
    key.push(2);
    match u8::try_from(digits.len()) {
        Ok(count) if count < u8::MAX => key.push(count),
        _ => {
            key.push(u8::MAX);
            key.extend_from_slice(&u32::try_from(digits.len()).map_err(|_| SyntaxError)?.to_be_bytes());
        }
    }
    key.extend_from_slice(digits);
    if negative {
        key.iter_mut().skip(1).for_each(|octet| *octet = !*octet);
        key.iter_mut().take(1).for_each(|sign| *sign = 0);
    }
    Ok(Key::from(key))
}

/// The number a definition starts with: `( 5 …` (integerFirstComponentMatch).
pub(super) fn integer_first_component(schema: &Schema, value: &[u8]) -> Result<Key, SyntaxError> {
    let text = std::str::from_utf8(value).map_err(|_| SyntaxError)?;
    integer(schema, text::first_component(text).map_err(|_| SyntaxError)?.as_bytes())
}

/// Moments, to the microsecond.
pub(super) fn generalized_time(_: &Schema, value: &[u8]) -> Result<Key, SyntaxError> {
    let moment = Timestamp::from_generalized_time(value).map_err(|_| SyntaxError)?;
    // With the sign bit turned over, big-endian octets order as the numbers do.
    Ok(Key(Box::from((moment.0 ^ i64::MIN).to_be_bytes())))
}

/// Numbers of 64 bits in two's complement, for rules on their bits.
pub(super) fn bits(_: &Schema, value: &[u8]) -> Result<Key, SyntaxError> {
    if !syntax::is_integer(value) {
        return Err(SyntaxError);
    }
    let number: i64 = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(SyntaxError)?;
    Ok(Key(Box::from(number.to_be_bytes())))
}

/// Microsoft's LDAP_MATCHING_RULE_BIT_AND: all bits of the assertion are set.
pub(super) fn has_all_bits(asserted: &Key, of_value: &Key) -> bool {
    asserted.0.len() == of_value.0.len() && asserted.0.iter().zip(&of_value.0).all(|(asked, found)| asked & found == *asked)
}

/// Microsoft's LDAP_MATCHING_RULE_BIT_OR: some bit of the assertion is set.
pub(super) fn has_any_bit(asserted: &Key, of_value: &Key) -> bool {
    asserted.0.iter().zip(&of_value.0).any(|(asked, found)| asked & found != 0)
}
