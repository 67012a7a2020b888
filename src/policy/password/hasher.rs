//! Does the hash pool's jobs: every verification costs at least one Argon2id run, whatever is stored.

use super::argon2::{self, Argon2Value, Memory, OutOfMemory};
use super::scheme::{Stored, constant_time_equal};
use super::unicode::Forms;
use super::{Argon2Parameters, HashAnswer, HashJob};
use crate::model::Secret;

/// Stored values of one entry that are looked at; each of scheme Argon2 costs a run, so their number must be bounded.
const MAX_STORED_VALUES: usize = 8;

/// Reused between jobs of one thread of the pool: Argon2id's memory blocks and parameters.
pub struct Hasher {
    parameters: Argon2Parameters,
    memory: Memory,
}

/// A password and the hashes that were made of it in this job: values with the same salt and costs share their runs.
struct Given<'a> {
    forms: Forms<'a>,
    /// For each salt, the hashes of all forms.
    hashes: Vec<(Argon2Value, Vec<Secret>)>,
}

/// What a stored value says of a password.
struct Verdict {
    matches: bool,
    /// Made of the password as it is hashed today.
    normalized: bool,
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
            HashJob::Verify { stored, before, given } => self.verify(stored, before, given, &rehash_salt),
            HashJob::Find { among, given } => self.find(among, given),
            HashJob::Hash { given, salt, beside } => self.hash_beside(beside, given, salt).map(HashAnswer::Hashed),
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
    /// another program's parameters adds its own cost until the first right bind rewrites it. A password that came in another form than the
    /// normalized one costs two runs, for whatever account. Those before it cost none: they are compared with hashes that were made anyway.
    fn verify(
        &mut self,
        stored: &[Secret],
        before: &[Secret],
        given: &Secret,
        rehash_salt: &[u8; 16],
    ) -> Result<HashAnswer, OutOfMemory> {
        let mut password = Given::new(given);
        let due = self.memory.runs + password.forms.count() as u64;
        let mut matched: Option<(&Secret, Verdict)> = None;
        let (mut any_current, mut any_old) = (false, false);
        for value in stored.iter().take(MAX_STORED_VALUES) {
            let Some(verdict) = self.judge(value, &mut password)? else { continue };
            any_current |= verdict.current;
            any_old |= !verdict.current;
            if verdict.matches && !given.is_empty() && matched.is_none() {
                matched = Some((value, verdict));
            }
        }
        let remade = if any_old || !any_current { Some(self.hash(password.forms.normalized(), rehash_salt)?) } else { None };
        while self.memory.runs < due {
            self.hash(given.expose(), rehash_salt)?;
        }
        Ok(match matched {
            Some((value, verdict)) => {
                let rehashed = match (verdict.current, verdict.normalized) {
                    (true, true) => None,
                    (true, false) => password.normalized_form_of(value),
                    (false, _) => remade,
                };
                HashAnswer::Verified { matched: Some(value.clone()), rehashed }
            }
            None if before.iter().any(|value| password.is_known(value)) => HashAnswer::Previous,
            None => HashAnswer::Verified { matched: None, rehashed: None },
        })
    }

    fn find(&mut self, among: &[Secret], given: &Secret) -> Result<HashAnswer, OutOfMemory> {
        let mut password = Given::new(given);
        for value in among.iter().take(HashJob::MOST_OLD) {
            if self.judge(value, &mut password)?.is_some_and(|verdict| verdict.matches) {
                return Ok(HashAnswer::Verified { matched: Some(value.clone()), rehashed: None });
            }
        }
        Ok(HashAnswer::Verified { matched: None, rehashed: None })
    }

    /// `None` for what can match nothing and costs nothing.
    fn judge(&mut self, value: &Secret, given: &mut Given<'_>) -> Result<Option<Verdict>, OutOfMemory> {
        let old = |matches: &dyn Fn(&[u8]) -> bool| {
            // No form is left out: how long it takes tells nothing of which one is right.
            let matches = given.forms.all().fold(false, |any, form| any | matches(form));
            Some(Verdict { matches, normalized: true, current: false })
        };
        Ok(match Stored::parse(value.expose()) {
            Stored::Argon2(argon2) => Some(self.judge_argon2(argon2, given)?),
            Stored::Digest(digest) => old(&|given| digest.verify(given)),
            Stored::Pbkdf2(pbkdf2) => old(&|given| pbkdf2.verify(given)),
            Stored::Crypt(crypt) => old(&|given| crypt.verify(given)),
            Stored::ClearText(text) => old(&|given| constant_time_equal(text, given)),
            Stored::Unusable => None,
        })
    }

    fn judge_argon2(&mut self, value: Argon2Value, given: &mut Given<'_>) -> Result<Verdict, OutOfMemory> {
        let current = value.is_as_strong_as(self.parameters);
        let place = match given.place_of(&value) {
            Some(place) => place,
            None => {
                let hashes: Result<Vec<Secret>, OutOfMemory> =
                    given.forms.all().map(|form| value.hash(&mut self.memory, form).map(Secret::new)).collect();
                given.hashes.push((value.clone(), hashes?));
                given.hashes.len() - 1
            }
        };
        let hashes = given.hashes.get(place).map(|(_, hashes)| hashes.as_slice()).unwrap_or_default();
        let matches = |hash: &Secret| constant_time_equal(hash.expose(), value.digest());
        let any = hashes.iter().fold(false, |any, hash| any | matches(hash));
        Ok(Verdict { matches: any, normalized: hashes.first().is_some_and(matches), current })
    }

    fn hash(&mut self, given: &[u8], salt: &[u8; 16]) -> Result<Secret, OutOfMemory> {
        argon2::make(&mut self.memory, self.parameters, given, salt).map(Secret::new)
    }

    /// With the salt of a password that the account has, so that one run compares with them all; but never a value that is there already: what
    /// is set anew must show.
    fn hash_beside(&mut self, beside: &[Secret], given: &Secret, salt: &[u8; 16]) -> Result<Secret, OutOfMemory> {
        let forms = Forms::of(given.expose());
        if let Some(shared) = beside.iter().find_map(|value| argon2_of(value)?.salt_for(self.parameters)) {
            let value = self.hash(forms.normalized(), &shared)?;
            if !beside.contains(&value) {
                return Ok(value);
            }
        }
        self.hash(forms.normalized(), salt)
    }
}

impl<'a> Given<'a> {
    fn new(given: &'a Secret) -> Given<'a> {
        Given { forms: Forms::of(given.expose()), hashes: Vec::new() }
    }

    fn place_of(&self, value: &Argon2Value) -> Option<usize> {
        self.hashes.iter().position(|(with, _)| with.is_made_like(value))
    }

    fn hashes_like(&self, value: &Argon2Value) -> &[Secret] {
        let found = self.place_of(value).and_then(|place| self.hashes.get(place));
        found.map(|(_, hashes)| hashes.as_slice()).unwrap_or_default()
    }

    /// Whether a stored value is of this password, as far as that can be told without a run.
    fn is_known(&self, value: &Secret) -> bool {
        let Some(value) = argon2_of(value) else { return false };
        self.hashes_like(&value).iter().any(|hash| constant_time_equal(hash.expose(), value.digest()))
    }

    /// A stored value made of the normalized password instead, with the same salt.
    fn normalized_form_of(&self, value: &Secret) -> Option<Secret> {
        let value = argon2_of(value)?;
        self.hashes_like(&value).first().map(|hash| Secret::new(value.with_digest(hash.expose())))
    }
}

fn argon2_of(value: &Secret) -> Option<Argon2Value> {
    match Stored::parse(value.expose()) {
        Stored::Argon2(argon2) => Some(argon2),
        _ => None,
    }
}
