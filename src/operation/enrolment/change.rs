//! What enrolling and removing one-time codes change in an account's entry, which is its own token.

use bytes::Bytes;

use crate::model::{Attribute, Modification, ModificationOperation, Secret, Timestamp};
use crate::policy::otp::SECRET_LENGTH;

/// How many recovery codes are made.
const RECOVERY_CODES: usize = 8;
/// Six digits, as the codes they stand for.
const CODES: u32 = 1_000_000;
const CLASSES: [&str; 3] = ["oathTOTPUser", "oathTOTPToken", "otpRecovery"];

/// An account as it stands.
pub struct Account {
    /// Its name.
    pub dn: String,
    /// Its object classes.
    pub classes: Vec<String>,
    /// Whether it has a token.
    pub has_token: bool,
}

/// A new secret and its recovery codes.
pub struct Enrolment {
    /// What codes are made with.
    pub secret: Secret,
    /// Codes for when the token is lost.
    pub recovery: Vec<Secret>,
}

impl Enrolment {
    /// Draws them.
    pub fn draw(fill: &mut dyn FnMut(&mut [u8])) -> Enrolment {
        let mut secret = vec![0; SECRET_LENGTH];
        fill(&mut secret);
        Enrolment::with_secret(Secret::new(secret), fill)
    }

    /// Draws recovery codes beside a secret.
    pub(super) fn with_secret(secret: Secret, fill: &mut dyn FnMut(&mut [u8])) -> Enrolment {
        let mut recovery: Vec<Secret> = Vec::with_capacity(RECOVERY_CODES);
        while recovery.len() < RECOVERY_CODES {
            let mut octets = [0; 4];
            fill(&mut octets);
            let drawn = u32::from_be_bytes(octets);
            // All codes are equally likely.
            if drawn >= u32::MAX - u32::MAX % CODES {
                continue;
            }
            let code = Secret::new(format!("{:06}", drawn % CODES).into_bytes());
            if !recovery.contains(&code) {
                recovery.push(code);
            }
        }
        Enrolment { secret, recovery }
    }

    /// Makes the account its own token.
    pub fn changes(&self, account: &Account, now: Timestamp) -> Vec<Modification> {
        let missing = CLASSES.into_iter().filter(|class| !has_class(account, class));
        let missing: Vec<Bytes> = missing.map(|class| Bytes::from_static(class.as_bytes())).collect();
        let mut changes = Vec::new();
        if !missing.is_empty() {
            changes.push(change(ModificationOperation::Add, "objectClass", missing));
        }
        let octets = |secret: &Secret| Bytes::copy_from_slice(secret.expose());
        changes.extend([
            replace("oathTOTPToken", vec![Bytes::copy_from_slice(account.dn.as_bytes())]),
            // Another app's parameters: the new one has those that all apps take for granted.
            replace("oathTOTPParams", Vec::new()),
            replace("oathSecret", vec![octets(&self.secret)]),
            replace("oathSecretTime", vec![Bytes::from(now.to_generalized_time())]),
            replace("otpRecoveryCode", self.recovery.iter().map(octets).collect()),
        ]);
        changes
    }
}

/// Takes it all away.
pub fn removal(account: &Account) -> Vec<Modification> {
    let attributes = [
        "oathTOTPToken",
        "oathHOTPToken",
        "oathTOTPParams",
        "oathHOTPParams",
        "oathTOTPLastTimeStep",
        "oathHOTPCounter",
        "oathSecret",
        "oathSecretTime",
        "otpRecoveryCode",
    ];
    let mut changes: Vec<Modification> = attributes.into_iter().map(|name| replace(name, Vec::new())).collect();
    let classes = CLASSES.into_iter().chain(["oathHOTPUser", "oathHOTPToken"]).filter(|class| has_class(account, class));
    let classes: Vec<Bytes> = classes.map(|class| Bytes::from_static(class.as_bytes())).collect();
    if !classes.is_empty() {
        changes.push(change(ModificationOperation::Delete, "objectClass", classes));
    }
    changes
}

fn has_class(account: &Account, class: &str) -> bool {
    account.classes.iter().any(|has| has.eq_ignore_ascii_case(class))
}

fn replace(name: &str, values: Vec<Bytes>) -> Modification {
    change(ModificationOperation::Replace, name, values)
}

fn change(operation: ModificationOperation, name: &str, values: Vec<Bytes>) -> Modification {
    Modification { operation, attribute: Attribute { description: name.to_owned(), values } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_160_bits_and_codes_six_digits_each_its_own() {
        let mut count = 0u8;
        let enrolment = Enrolment::draw(&mut |target| {
            // Twice the same, and one that would make some codes likelier.
            count += 1;
            target.fill(match count {
                3 => 2,
                4 => 0xff,
                other => other,
            });
        });
        assert_eq!(enrolment.secret.len(), 20);
        assert_eq!(enrolment.recovery.len(), RECOVERY_CODES);
        assert_eq!(count, 11, "one was drawn twice, one left out");
        for code in &enrolment.recovery {
            assert!(code.len() == 6 && code.expose().iter().all(u8::is_ascii_digit));
        }
    }
}
