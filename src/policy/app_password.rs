//! Passwords of an application of its own: drawn by the server, told once, and kept as a digest alone. 130 random bits need no slow hash.

use aws_lc_rs::digest;

use crate::model::{Secret, Timestamp};

/// What a login with one proves: less than the password of the account, and never a second factor.
pub const FACTOR: &str = "app-password";

/// Whether a factor, as a session spells it, is more than what is typed.
pub fn is_second_factor(factor: &str) -> bool {
    !matches!(factor, "password" | FACTOR)
}

/// Most that an account has.
pub const MOST: usize = 20;
/// Octets of a name, at most.
const LONGEST_NAME: usize = 40;
/// Letters and digits that are not taken for one another; 32 of them: five bits each.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 130 bits.
const CHARACTERS: usize = 26;
/// Between hyphens.
const GROUP: usize = 5;
/// What the digest is of, so that it is of nothing else.
const PURPOSE: &[u8] = b"bindery 2026 application password";

/// One of them, without the password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppPassword {
    /// What the account calls it.
    pub name: String,
    /// When it was made.
    pub made: Timestamp,
    /// It is good until then.
    pub until: Option<Timestamp>,
    /// entryUUID of the bind rule that it is bound to.
    pub rule: String,
}

/// Why there is no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a name has 1 to 40 letters, digits, dots, hyphens and underscores")]
pub struct NameError;

impl AppPassword {
    /// One that is being made now.
    pub fn new(name: &str, made: Timestamp, until: Option<Timestamp>, rule: String) -> Result<AppPassword, NameError> {
        let is_good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
        match (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_good) {
            true => Ok(AppPassword { name: name.to_owned(), made, until, rule }),
            false => Err(NameError),
        }
    }

    /// `phone made=20261123080000Z rule=UUID until=20271123080000Z`
    pub fn read(value: &[u8]) -> Option<AppPassword> {
        let mut words = std::str::from_utf8(value).ok()?.split(' ');
        let name = words.next()?;
        let (mut made, mut until, mut rule) = (None, None, None);
        for word in words {
            let (key, value) = word.split_once('=')?;
            match key {
                "made" => made = Some(Timestamp::from_generalized_time(value.as_bytes()).ok()?),
                "until" => until = Some(Timestamp::from_generalized_time(value.as_bytes()).ok()?),
                "rule" => rule = Some(value.to_owned()),
                // A later program says more of it, and that may bar it.
                _ => return None,
            }
        }
        AppPassword::new(name, made?, until, rule?).ok()
    }

    /// What [`AppPassword::read`] reads.
    pub fn to_value(&self) -> String {
        let until = self.until.map(|until| format!(" until={}", until.to_generalized_time_micros())).unwrap_or_default();
        format!("{} made={} rule={}{until}", self.name, self.made.to_generalized_time_micros(), self.rule)
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

/// A password of 130 of these bits: `k7mpa-…`.
pub fn generate(random: &[u8; 32]) -> Secret {
    let mut password = Vec::with_capacity(CHARACTERS + CHARACTERS / GROUP);
    // One character of each octet: 256 is a multiple of 32.
    for (position, octet) in random.iter().take(CHARACTERS).enumerate() {
        if position > 0 && position % GROUP == 0 && CHARACTERS - position >= GROUP {
            password.push(b'-');
        }
        password.extend(READABLE.get(usize::from(octet & 31)));
    }
    Secret::new(password)
}

/// The characters of what may be such a password, however it was typed; none for what is none.
fn characters(given: &Secret) -> Option<Secret> {
    if !(CHARACTERS..=2 * CHARACTERS).contains(&given.len()) {
        return None;
    }
    let typed = given.expose().iter().filter(|octet| !matches!(octet, b'-' | b' '));
    let typed = Secret::new(typed.map(u8::to_ascii_lowercase).collect());
    (typed.len() == CHARACTERS && typed.expose().iter().all(|octet| READABLE.contains(octet))).then_some(typed)
}

/// The stored form of what may be such a password of an account with this entryUUID; none for what is none.
pub fn digest(account: &[u8], given: &Secret) -> Option<Secret> {
    let characters = characters(given)?;
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [PURPOSE, account, characters.expose()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let hex: String = context.finish().as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    Some(Secret::new(hex.into_bytes()))
}

/// The stored form beside a name.
pub fn stored(name: &str, digest: &Secret) -> Secret {
    Secret::new([name.as_bytes(), b":", digest.expose()].concat())
}

/// The name of the one of these stored values that has this digest. All are looked at, whichever it is.
pub fn matching<'v>(stored: impl Iterator<Item = &'v [u8]>, digest: &Secret) -> Option<&'v str> {
    let mut found = None;
    for value in stored.take(MOST) {
        let Some(colon) = value.iter().position(|octet| *octet == b':') else { continue };
        let (Some(name), Some(kept)) = (value.get(..colon), value.get(colon + 1..)) else { continue };
        if Secret::from(kept) == *digest {
            found = std::str::from_utf8(name).ok();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.as_bytes())
    }

    #[test]
    fn a_password_has_130_bits_and_is_found_however_it_is_typed() {
        let random: [u8; 32] = std::array::from_fn(|place| (place * 9) as u8);
        let password = generate(&random);
        let text = std::str::from_utf8(password.expose()).unwrap();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 5, 6], "{text}");
        let digest = |given: &str| super::digest(b"anna", &secret(given));
        let kept = digest(text).unwrap();
        assert_eq!(digest(&text.to_uppercase().replace('-', " ")).as_ref(), Some(&kept));
        assert_eq!(digest(&text.replace('-', "")).as_ref(), Some(&kept));
        assert_ne!(super::digest(b"bert", &password), Some(kept.clone()), "of this account alone");
        for other in ["anna knows it", "", &text[1..], &format!("{text}2"), &text.replace(&text[..1], "l")] {
            assert_eq!(digest(other), None, "{other}");
        }
        let values = [stored("phone", &secret("00")), stored("mail", &kept), secret("nonsense")];
        assert_eq!(matching(values.iter().map(Secret::expose), &kept), Some("mail"));
        assert_eq!(matching(values.iter().take(1).map(Secret::expose), &kept), None);
    }

    #[test]
    fn what_is_known_of_one_is_read_as_it_was_written() {
        let made = Timestamp(1_795_000_000_000_001);
        let one = AppPassword::new("phone.2", made, None, "rule-uuid".to_owned()).unwrap();
        let until = AppPassword { until: Some(Timestamp(made.0 + 5)), ..one.clone() };
        for it in [&one, &until] {
            assert_eq!(AppPassword::read(it.to_value().as_bytes()).as_ref(), Some(it));
        }
        assert!(
            !one.is_over(Timestamp(i64::MAX)) && !until.is_over(Timestamp(made.0 + 4)) && until.is_over(Timestamp(made.0 + 5))
        );
        let value = |text: &str| AppPassword::read(text.as_bytes());
        for nonsense in
            ["", "phone", "phone made=20261123080000Z", "phone made=x rule=y", &format!("{} and=more", one.to_value())]
        {
            assert_eq!(value(nonsense), None, "{nonsense}");
        }
        for name in ["", "two words", "a:b", "ä", &"x".repeat(41)] {
            assert!(AppPassword::new(name, made, None, String::new()).is_err(), "{name}");
        }
    }
}
