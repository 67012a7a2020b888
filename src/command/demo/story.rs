//! What happens while the sample hospital is set up, as `story.toml` says it.

use std::net::Ipv4Addr;

use serde::Deserialize;

use super::login::new_password;
use crate::model::Timestamp;

const STORY: &str = include_str!("story.toml");
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The whole of it.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Story {
    /// uids of those who get a password.
    pub(super) passwords: Vec<String>,
    /// uids of those who have an authenticator.
    pub(super) tokens: Vec<String>,
    #[serde(rename = "session")]
    pub(super) sessions: Vec<Session>,
}

/// One connection, and what is done on it.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    pub(super) what: String,
    /// A uid or a whole name.
    pub(super) who: String,
    pub(super) from: Ipv4Addr,
    /// How often a wrong password is given.
    #[serde(default)]
    pub(super) wrong: u32,
    #[serde(default)]
    pub(super) ldif: String,
    pub(super) read: Option<String>,
    #[serde(default)]
    pub(super) finds: usize,
    #[serde(default)]
    pub(super) campaign: String,
    #[serde(default)]
    pub(super) confirm: Vec<String>,
    #[serde(default)]
    pub(super) revoke: Vec<String>,
    /// Result of the last thing that is done.
    pub(super) refused: Option<String>,
}

impl Story {
    pub(super) fn read() -> Result<Story, String> {
        toml::from_str(STORY).map_err(|error| format!("the sample hospital's story: {error}"))
    }
}

/// How a moment is written.
pub(super) type Spelling = fn(Timestamp) -> String;

/// Puts the suffix, moments and new passwords in their places.
pub(super) fn filled(text: &str, suffix: &str, now: Timestamp, spelling: Spelling) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let word = behind.split_once('}').and_then(|(word, behind)| Some((value(word, suffix, now, spelling)?, behind)));
        match word {
            Some((value, behind)) => {
                filled.push_str(&value);
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = behind;
            }
        }
    }
    filled.push_str(rest);
    filled
}

fn value(word: &str, suffix: &str, now: Timestamp, spelling: Spelling) -> Option<String> {
    match word {
        "suffix" => return Some(suffix.to_owned()),
        "password" => return Some(new_password()),
        _ => {}
    }
    let span = word.strip_prefix('+')?;
    let unit = match span.chars().last()? {
        's' => 1,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let seconds = span.get(..span.len().checked_sub(1)?)?.parse::<i64>().ok()?.checked_mul(unit)?;
    Some(spelling(Timestamp(now.0.checked_add(seconds.checked_mul(MICROS_PER_SECOND)?)?)))
}
