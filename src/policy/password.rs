//! Stored passwords: `{SCHEME}` values (RFC 2307, RFC 3112) verified, and new ones made with Argon2id.
//!
//! Everything here is slow on purpose and runs in the hash pool, never on a connection's task nor in the committer.

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

impl Default for Argon2Parameters {
    /// OWASP: 19,456 KiB, 2 passes, 1 lane.
    fn default() -> Argon2Parameters {
        Argon2Parameters { memory: 19_456, passes: 2, lanes: 1 }
    }
}

/// Work for the hash pool.
#[derive(Clone, Debug)]
pub enum HashJob {
    /// Is `given` the password behind one of `stored` (values of userPassword as stored)? An empty list verifies a decoy, so that
    /// every answer costs one Argon2id run; so does a value of a fast scheme: a decoy run is added to it.
    Verify {
        /// Stored values.
        stored: Vec<Secret>,
        /// What the client sent.
        given: Secret,
    },
    /// Makes a stored value of a clear-text password.
    Hash {
        /// The clear text.
        given: Secret,
        /// 16 random octets.
        salt: [u8; 16],
    },
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
    /// For `Hash`: the value to store.
    Hashed(Secret),
    /// The work could not be done: the pool's queue is full or the machine is out of memory. Answered with 51.
    Busy,
}

/// Reused between jobs of one thread of the pool: Argon2id's memory blocks and parameters.
pub struct Hasher {
    parameters: Argon2Parameters,
}

impl Hasher {
    /// Allocates the memory once.
    pub fn new(parameters: Argon2Parameters) -> Hasher {
        Hasher { parameters }
    }

    /// Does one job. `rehash_salt`: 16 random octets, used when a matched value is to be rewritten.
    pub fn perform(&mut self, job: &HashJob, rehash_salt: [u8; 16]) -> HashAnswer {
        let _ = (job, rehash_salt, &self.parameters);
        todo!()
    }
}

/// Whether a value carries a scheme this program can verify (`{SSHA}…`), as against clear text.
pub fn is_stored_form(value: &[u8]) -> bool {
    let _ = value;
    todo!()
}
