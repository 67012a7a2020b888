//! What an authenticator app would show: `$code`, `$code+1`, `$code-2`.

use bindery::model::Timestamp;
use totp_rs::{Builder, Secret};

/// oathSecret of every token in the transcripts.
const SECRET: &[u8] = b"12345678901234567890";
const MICROS_PER_STEP: i64 = 30_000_000;

/// A word with the code of a time step in the place of `$code` at its end, by the clock of the transcript.
pub fn fill(word: &str, now: Timestamp) -> String {
    let Some((before, steps)) = word.split_once("$code") else { return word.to_owned() };
    let steps: i64 = if steps.is_empty() { 0 } else { steps.parse().unwrap_or_else(|_| panic!("{word}: no number of steps")) };
    let step = u64::try_from(now.0.div_euclid(MICROS_PER_STEP) + steps).unwrap();
    let generator = Builder::new().with_secret(Secret::new(SECRET.into())).with_step_duration(30).build_noncompliant();
    format!("{before}{}", generator.generate(step * 30))
}
