//! Stored passwords: `{SCHEME}` values (RFC 2307 section 5.3, as OpenLDAP and its contributed modules write them) verified, and new
//! ones made with Argon2id.
//!
//! Everything here is slow on purpose and runs in the hash pool, never on a connection's task nor in the committer.

mod argon2;
#[cfg(test)]
mod before_tests;
pub mod blocklist;
pub mod change;
mod crypt;
mod digest;
mod hasher;
pub mod history;
mod pbkdf2;
pub mod policy;
pub mod quality;
mod remembered;
mod scheme;
#[cfg(test)]
mod tests;
mod unicode;

pub use hasher::Hasher;
pub use remembered::{LoginTag, REMEMBERED_LOGINS, RememberedLogins};
pub use unicode::{LONGEST_NORMALIZED, is_normalized};

use crate::model::Secret;

/// Cost of Argon2id for new hashes. Values below the OWASP floor need a waiver in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argon2Parameters {
    /// KiB of memory.
    pub memory: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Argon2Parameters {
    /// OWASP's floor (Password Storage Cheat Sheet): 19,456 KiB, 2 passes, 1 lane.
    pub const FLOOR: Argon2Parameters = Argon2Parameters { memory: 19_456, passes: 2, lanes: 1 };

    /// Whether Argon2 can run with these, and within the limits that stored values are held to.
    pub fn is_usable(&self) -> bool {
        argon2::within_limits(self.memory, self.passes, self.lanes)
    }
}

impl Default for Argon2Parameters {
    fn default() -> Argon2Parameters {
        Argon2Parameters::FLOOR
    }
}

/// Work for the hash pool.
#[derive(Clone, Debug)]
pub enum HashJob {
    /// Is `given` the password behind one of `stored` (values of userPassword as stored)? An empty list verifies a decoy, so that
    /// every answer costs one Argon2id run; so does a value of another scheme: the run that would rewrite it is added to it.
    Verify {
        /// Stored values.
        stored: Vec<Secret>,
        /// Passwords that the account had before, as stored: at no cost of their own, hence found only where they share their salt with one
        /// of `stored`.
        before: Vec<Secret>,
        /// What the client sent.
        given: Secret,
    },
    /// Which of these stored values, old ones of the same account, is `given` the password behind? Answered as `Verify` is, without a decoy.
    Find {
        /// Stored values; at most [`HashJob::MOST_OLD`] are looked at.
        among: Vec<Secret>,
        /// What the client sent.
        given: Secret,
    },
    /// Makes a stored value of a clear-text password.
    Hash {
        /// The clear text.
        given: Secret,
        /// 16 random octets.
        salt: [u8; 16],
        /// The account's passwords as stored: where one of them is as costly as a new one, the new one gets its salt.
        beside: Vec<Secret>,
    },
}

impl HashJob {
    /// Each may cost an Argon2 run: those an account has, and its history.
    pub const MOST_OLD: usize = 8 + policy::PasswordPolicy::LONGEST_HISTORY as usize;

    /// [`HashJob::Verify`] where nobody asks for passwords before.
    pub fn verify(stored: Vec<Secret>, given: Secret) -> HashJob {
        HashJob::Verify { stored, before: Vec::new(), given }
    }
}

/// What came of a [`HashJob`].
#[derive(Clone, Debug)]
pub enum HashAnswer {
    /// For `Verify`: the stored value that matched, if any, and a new stored value where that one was of another scheme or of weaker
    /// parameters (made with `rehash_salt`).
    Verified {
        /// Which stored value matched.
        matched: Option<Secret>,
        /// What to store in its place.
        rehashed: Option<Secret>,
    },
    /// For `Verify`: it is none of those stored, but one of those before.
    Previous,
    /// For `Verify`, without a run: a login with this password and this stored value succeeded a moment ago, and the account is unchanged.
    Recalled(Secret),
    /// For `Hash`: the value to store.
    Hashed(Secret),
    /// The work could not be done: the pool's queue is full or the machine is out of memory. Answered with 51.
    Busy,
}

/// Whether a value carries a scheme this program can verify (`{SSHA}…`), as against clear text. `{CLEARTEXT}` is clear text: see
/// [`clear_text`].
pub fn is_stored_form(value: &[u8]) -> bool {
    clear_text(value).is_none()
}

/// The scheme in front of a value, as it is spelled, and whether this program can verify such values; `None` for clear text without one.
pub fn scheme_of(value: &[u8]) -> Option<(&str, bool)> {
    let (scheme, rest) = scheme::split(value)?;
    let name = value.get(1..value.len().checked_sub(rest.len() + 1)?)?;
    Some((std::str::from_utf8(name).ok()?, scheme != scheme::Scheme::Unknown))
}

/// The clear text in a value that a client or a file gave for userPassword: the value itself when it carries no scheme this program can
/// verify, what follows `{CLEARTEXT}`, or `None` when it is a stored form.
pub fn clear_text(value: &[u8]) -> Option<&[u8]> {
    match scheme::split(value) {
        Some((scheme::Scheme::ClearText, text)) => Some(text),
        Some((scheme::Scheme::Unknown, _)) | None => Some(value),
        Some(_) => None,
    }
}
