//! Passwords an account had before (pwdHistory, draft-behera-ldap-password-policy-11 section 5.3.5): when each was given up, and its
//! stored form.
//!
//! ```text
//! 20261101120000Z#1.3.6.1.4.1.1466.115.121.1.40#98#{ARGON2}$argon2id$…
//! ```

use crate::model::{Secret, Timestamp, Value};

/// Octet String: what the stored form is.
const SYNTAX: &str = "1.3.6.1.4.1.1466.115.121.1.40";

/// The stored form in a value; none for what is no such value.
pub fn stored_form(value: &[u8]) -> Option<Secret> {
    let mut parts = value.splitn(4, |octet| *octet == b'#');
    let (_time, _syntax, length, data) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    (length == data.len()).then(|| Secret::from(data))
}

/// Passwords before the present one that a login may go on with without counting as a failure; they are kept whatever the policy says.
pub const REMEMBERED: u32 = 2;

/// The stored forms in the newest values, at most that many; what is no such value is left out.
pub fn newest<'a>(values: impl Iterator<Item = &'a [u8]>, most: u32) -> Vec<Secret> {
    let mut values: Vec<&[u8]> = if most == 0 { Vec::new() } else { values.collect() };
    values.sort_by_key(|value| time(value));
    let spare = values.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
    values.into_iter().skip(spare).filter_map(stored_form).collect()
}

/// The values after some stored forms were given up at `now`; the newest `most` are kept.
pub fn after(values: impl Iterator<Item = Value>, given_up: &[Secret], now: Timestamp, most: u32) -> Vec<Value> {
    let mut values: Vec<Value> = values.collect();
    values.extend(given_up.iter().map(|stored| value(stored, now)));
    // The time comes first, and is as long in all of them.
    values.sort_by_key(|value| time(value));
    let spare = values.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
    values.split_off(spare)
}

fn value(stored: &Secret, now: Timestamp) -> Value {
    let stored = stored.expose();
    let mut value = format!("{}#{SYNTAX}#{}#", now.to_generalized_time(), stored.len()).into_bytes();
    value.extend_from_slice(stored);
    Value::from(value)
}

fn time(value: &[u8]) -> Option<Timestamp> {
    Timestamp::from_generalized_time(value.split(|octet| *octet == b'#').next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_793_534_400_000_000);

    #[test]
    fn what_is_given_up_is_found_again() {
        let stored = Secret::from(b"{SSHA}with#in it".as_slice());
        let values = after(std::iter::empty(), std::slice::from_ref(&stored), NOON, 3);
        let expected = b"20261101120000Z#1.3.6.1.4.1.1466.115.121.1.40#16#{SSHA}with#in it";
        assert_eq!(values.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(), [expected.as_slice()]);
        assert_eq!(stored_form(&values[0]), Some(stored));
        for bad in [b"".as_slice(), b"a#b#c", b"20261101120000Z#1.2#3#{S", b"20261101120000Z#1.2#x#{S}"] {
            assert_eq!(stored_form(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_newest_are_kept() {
        let mut values = Vec::new();
        for day in 0..5 {
            let stored = Secret::new(format!("{{X}}{day}").into_bytes());
            values = after(values.into_iter(), &[stored], Timestamp(NOON.0 + day * 86_400_000_000), 3);
        }
        let kept: Vec<_> = values.iter().filter_map(|value| stored_form(value)).collect();
        assert_eq!(kept, ["{X}2", "{X}3", "{X}4"].map(|text| Secret::from(text.as_bytes())));
        assert!(after(values.into_iter(), &[], NOON, 0).is_empty());
    }
}
