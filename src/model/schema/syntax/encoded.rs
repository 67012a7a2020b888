//! Syntaxes of numbers, times, bits and identifiers.

use crate::model::Timestamp;

/// TRUE or FALSE (RFC 4517 section 3.3.3).
pub(in super::super) fn is_boolean(value: &[u8]) -> bool {
    matches!(value, b"TRUE" | b"FALSE")
}

/// `-` only before a number other than zero, no leading zeros (RFC 4517 section 3.3.16).
pub(in super::super) fn is_integer(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    digits.iter().all(u8::is_ascii_digit)
        && match digits.first() {
            Some(b'0') => value == b"0",
            first => first.is_some(),
        }
}

/// The characters between the quotes of `'0101'B` (RFC 4517 section 3.3.2).
pub(in super::super) fn bits(value: &[u8]) -> Option<&[u8]> {
    let bits = value.strip_prefix(b"'")?.strip_suffix(b"'B")?;
    bits.iter().all(|bit| matches!(bit, b'0' | b'1')).then_some(bits)
}

pub(super) fn is_bit_string(value: &[u8]) -> bool {
    bits(value).is_some()
}

pub(super) fn is_generalized_time(value: &[u8]) -> bool {
    Timestamp::from_generalized_time(value).is_ok()
}

/// `YYMMDDhhmm[ss]` and `Z`, `+hhmm`, `-hhmm` or nothing (RFC 4517 section 3.3.34).
pub(super) fn is_utc_time(value: &[u8]) -> bool {
    let digits = value.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let Some((moment, zone)) = value.split_at_checked(digits) else { return false };
    let zone_holds = match zone.split_first() {
        None | Some((b'Z', [])) => true,
        Some((b'+' | b'-', offset)) => offset.len() == 4 && in_range(offset, 0, 0..=23) && in_range(offset, 2, 0..=59),
        Some(_) => false,
    };
    (digits == 10 || (digits == 12 && in_range(moment, 10, 0..=59)))
        && zone_holds
        && in_range(moment, 2, 1..=12)
        && in_range(moment, 4, 1..=31)
        && in_range(moment, 6, 0..=23)
        && in_range(moment, 8, 0..=59)
}

/// Whether the two digits at `start` are a number of the range.
fn in_range(text: &[u8], start: usize, range: std::ops::RangeInclusive<u8>) -> bool {
    let pair = text.get(start..start + 2).and_then(|pair| std::str::from_utf8(pair).ok());
    pair.filter(|pair| pair.bytes().all(|octet| octet.is_ascii_digit()))
        .and_then(|pair| pair.parse::<u8>().ok())
        .is_some_and(|number| range.contains(&number))
}

/// `597ae2f6-16a6-1027-98f4-d28b5365dc14` (RFC 4530 section 2.1).
pub(in super::super) fn is_uuid(value: &[u8]) -> bool {
    let groups: Vec<&[u8]> = value.split(|&octet| octet == b'-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| is_hexadecimal(group))
}

/// `20261122101500.000001Z#000000#000#000000`: time, count, replica, modification.
pub(in super::super) fn is_change_sequence_number(value: &[u8]) -> bool {
    let groups: Vec<&[u8]> = value.split(|&octet| octet == b'#').collect();
    let [time, numbers @ ..] = groups.as_slice() else { return false };
    let time_holds = time.len() == 22
        && time.ends_with(b"Z")
        && time.get(14) == Some(&b'.')
        && time.iter().enumerate().all(|(place, octet)| octet.is_ascii_digit() || place == 14 || place == 21);
    time_holds && numbers.iter().map(|group| group.len()).eq([6, 3, 6]) && numbers.iter().all(|group| is_hexadecimal(group))
}

fn is_hexadecimal(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit)
}
