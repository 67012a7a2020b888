//! Does the hash pool's jobs: every verification costs at least one Argon2id run, whatever is stored.

use super::argon2::{self, Memory, OutOfMemory};
use super::scheme::{Stored, constant_time_equal};
use super::{Argon2Parameters, HashAnswer, HashJob};
use crate::model::Secret;

/// Stored values of one entry that are looked at; each of scheme Argon2 costs a run, so their number must be bounded.
const MAX_STORED_VALUES: usize = 8;

/// Reused between jobs of one thread of the pool: Argon2id's memory blocks and parameters.
pub struct Hasher {
    parameters: Argon2Parameters,
    memory: Memory,
}

/// What a stored value says of a password.
struct Verdict {
    matches: bool,
    /// An Argon2id value no weaker than a new one: nothing to rewrite.
    current: bool,
}

impl Hasher {
    /// The memory is allocated with the first job. Where there is not enough of it, jobs are answered with `Busy` until there is.
    pub fn new(parameters: Argon2Parameters) -> Hasher {
        Hasher { parameters, memory: Memory::default() }
    }

    /// Does one job. `rehash_salt`: 16 random octets, used when a matched value is to be rewritten.
    pub fn perform(&mut self, job: &HashJob, rehash_salt: [u8; 16]) -> HashAnswer {
        let answer = match job {
            HashJob::Verify { stored, given } => self.verify(stored, given, &rehash_salt),
            HashJob::Find { among, given } => self.find(among, given),
            HashJob::Hash { given, salt } => self.hash(given, salt).map(HashAnswer::Hashed),
        };
        // A value of far greater cost may have made the memory grow.
        let _ = self.memory.fit(self.parameters.memory as usize);
        answer.unwrap_or(HashAnswer::Busy)
    }

    /// Argon2 runs so far: what a test of equal cost counts.
    pub fn runs(&self) -> u64 {
        self.memory.runs
    }

    /// The run that would make the new value is done whether the password is right or wrong, and also when there is nothing to verify
    /// (unknown account, no password): it is the decoy. It is left out only where all that is stored is current Argon2id, which has
    /// cost its run already. So unknown, wrong and right take the same time, except that an Argon2 or bcrypt value of
    /// another program's parameters adds its own cost until the first right bind rewrites it.
    fn verify(&mut self, stored: &[Secret], given: &Secret, rehash_salt: &[u8; 16]) -> Result<HashAnswer, OutOfMemory> {
        let mut matched: Option<(&Secret, bool)> = None;
        let (mut any_current, mut any_old) = (false, false);
        for value in stored.iter().take(MAX_STORED_VALUES) {
            let Some(verdict) = self.judge(value, given.expose())? else { continue };
            any_current |= verdict.current;
            any_old |= !verdict.current;
            if verdict.matches && !given.is_empty() && matched.is_none() {
                matched = Some((value, verdict.current));
            }
        }
        let remade = if any_old || !any_current { Some(self.hash(given, rehash_salt)?) } else { None };
        Ok(match matched {
            Some((value, true)) => HashAnswer::Verified { matched: Some(value.clone()), rehashed: None },
            Some((value, false)) => HashAnswer::Verified { matched: Some(value.clone()), rehashed: remade },
            None => HashAnswer::Verified { matched: None, rehashed: None },
        })
    }

    fn find(&mut self, among: &[Secret], given: &Secret) -> Result<HashAnswer, OutOfMemory> {
        for value in among.iter().take(HashJob::MOST_OLD) {
            if self.judge(value, given.expose())?.is_some_and(|verdict| verdict.matches) {
                return Ok(HashAnswer::Verified { matched: Some(value.clone()), rehashed: None });
            }
        }
        Ok(HashAnswer::Verified { matched: None, rehashed: None })
    }

    /// `None` for what can match nothing and costs nothing.
    fn judge(&mut self, value: &Secret, given: &[u8]) -> Result<Option<Verdict>, OutOfMemory> {
        let old = |matches| Some(Verdict { matches, current: false });
        Ok(match Stored::parse(value.expose()) {
            Stored::Argon2(argon2) => Some(Verdict {
                matches: argon2.verify(&mut self.memory, given)?,
                current: argon2.is_as_strong_as(self.parameters),
            }),
            Stored::Digest(digest) => old(digest.verify(given)),
            Stored::Pbkdf2(pbkdf2) => old(pbkdf2.verify(given)),
            Stored::Crypt(crypt) => old(crypt.verify(given)),
            Stored::ClearText(text) => old(constant_time_equal(text, given)),
            Stored::Unusable => None,
        })
    }

    fn hash(&mut self, given: &Secret, salt: &[u8; 16]) -> Result<Secret, OutOfMemory> {
        argon2::make(&mut self.memory, self.parameters, given.expose(), salt).map(Secret::new)
    }
}
