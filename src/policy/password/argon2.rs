//! `{ARGON2}`: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` (the PHC string format, as OpenLDAP's argon2 module writes it; RFC 9106).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::Argon2Parameters;
use super::scheme::{base64, decimal};

/// KiB that a stored value may ask for.
const MAX_MEMORY: u32 = 256 * 1024;
/// KiB times passes that a stored value may ask for: some 27 times the cost of a new hash, half a second of a core.
const MAX_WORK: u64 = 1024 * 1024;
/// Lanes that a stored value may ask for (they run one after the other here).
const MAX_LANES: u32 = 64;
/// Octets of salt that Argon2 accepts, and that make sense.
const SALT_LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;
/// Octets of hash: a shorter one would match too easily.
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;
/// Octets of a new hash.
const NEW_HASH_LENGTH: usize = 32;

/// Argon2's memory could not be allocated.
#[derive(Debug)]
pub(super) struct OutOfMemory;

/// A hash with what it was made with.
#[derive(Clone)]
pub(super) struct Argon2Value {
    algorithm: Algorithm,
    version: Version,
    parameters: Argon2Parameters,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// The blocks that Argon2 fills, kept between runs.
#[derive(Default)]
pub(super) struct Memory {
    blocks: Vec<Block>,
    /// Argon2 runs so far.
    pub(super) runs: u64,
}

/// Whether Argon2 can run with these costs, and without stopping the hash pool for long.
pub(super) fn within_limits(memory: u32, passes: u32, lanes: u32) -> bool {
    (1..=MAX_LANES).contains(&lanes)
        && passes >= 1
        && (lanes * 8..=MAX_MEMORY).contains(&memory)
        && u64::from(memory) * u64::from(passes) <= MAX_WORK
}

impl Argon2Value {
    /// `$variant$v=version$m=KiB,t=passes,p=lanes$salt$hash`; without `v=` it is version 16, as the first PHC strings were.
    pub(super) fn parse(text: &[u8]) -> Option<Argon2Value> {
        let mut fields = text.strip_prefix(b"$")?.split(|octet| *octet == b'$');
        let algorithm = match fields.next()? {
            b"argon2id" => Algorithm::Argon2id,
            b"argon2i" => Algorithm::Argon2i,
            b"argon2d" => Algorithm::Argon2d,
            _ => return None,
        };
        let mut field = fields.next()?;
        let mut version = Version::V0x10;
        if let Some(number) = field.strip_prefix(b"v=") {
            version = decimal(number).and_then(|number| Version::try_from(number).ok())?;
            field = fields.next()?;
        }
        let parameters = parse_parameters(field)?;
        let salt = base64(fields.next()?).filter(|salt| SALT_LENGTHS.contains(&salt.len()))?;
        let hash = base64(fields.next()?).filter(|hash| HASH_LENGTHS.contains(&hash.len()))?;
        fields.next().is_none().then_some(Argon2Value { algorithm, version, parameters, salt, hash })
    }

    /// The hash of a password that is made as this one was: one Argon2 run.
    pub(super) fn hash(&self, memory: &mut Memory, password: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
        let hash = memory.run(self.algorithm, self.version, self.parameters, password, &self.salt, self.hash.len())?;
        Ok(hash.to_vec())
    }

    /// The hash.
    pub(super) fn digest(&self) -> &[u8] {
        &self.hash
    }

    /// Whether both are of one password exactly where their hashes are equal.
    pub(super) fn is_made_like(&self, other: &Argon2Value) -> bool {
        (self.algorithm, self.version, self.parameters) == (other.algorithm, other.version, other.parameters)
            && self.salt == other.salt
            && self.hash.len() == other.hash.len()
    }

    /// Its salt, where a new value could have been made with it.
    pub(super) fn salt_for(&self, wanted: Argon2Parameters) -> Option<[u8; 16]> {
        let is_like_new = self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.parameters == wanted
            && self.hash.len() == NEW_HASH_LENGTH;
        is_like_new.then(|| self.salt.as_slice().try_into().ok())?
    }

    /// A stored value of another hash made alike. Only for what is Argon2id of version 19.
    pub(super) fn with_digest(&self, hash: &[u8]) -> Vec<u8> {
        stored_value(self.parameters, &self.salt, hash)
    }

    /// Whether verifying costs an attacker at least what a new hash would.
    pub(super) fn is_as_strong_as(&self, wanted: Argon2Parameters) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.parameters.memory >= wanted.memory
            && self.parameters.passes >= wanted.passes
            && self.salt.len() >= 16
            && self.hash.len() >= NEW_HASH_LENGTH
    }
}

/// `m=…,t=…,p=…` in any order, each exactly once, nothing else.
fn parse_parameters(field: &[u8]) -> Option<Argon2Parameters> {
    let (mut memory, mut passes, mut lanes) = (None, None, None);
    for part in field.split(|octet| *octet == b',') {
        let (name, number) = part.split_at_checked(2)?;
        let slot = match name {
            b"m=" => &mut memory,
            b"t=" => &mut passes,
            b"p=" => &mut lanes,
            _ => return None,
        };
        if slot.replace(decimal(number)?).is_some() {
            return None;
        }
    }
    let (memory, passes, lanes) = (memory?, passes?, lanes?);
    within_limits(memory, passes, lanes).then_some(Argon2Parameters { memory, passes, lanes })
}

/// A new stored value, `{ARGON2}` included: one Argon2id run.
pub(super) fn make(
    memory: &mut Memory,
    parameters: Argon2Parameters,
    password: &[u8],
    salt: &[u8; 16],
) -> Result<Vec<u8>, OutOfMemory> {
    let hash = memory.run(Algorithm::Argon2id, Version::V0x13, parameters, password, salt, NEW_HASH_LENGTH)?;
    Ok(stored_value(parameters, salt, &hash))
}

fn stored_value(parameters: Argon2Parameters, salt: &[u8], hash: &[u8]) -> Vec<u8> {
    let Argon2Parameters { memory, passes, lanes } = parameters;
    let salt = BASE64_STANDARD_NO_PAD.encode(salt);
    let hash = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(hash));
    format!("{{ARGON2}}$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${}", *hash).into_bytes()
}

impl Memory {
    /// Makes room for `blocks` KiB, and gives back what a costlier stored value took.
    pub(super) fn fit(&mut self, blocks: usize) -> Result<(), OutOfMemory> {
        if self.blocks.len() > blocks {
            self.blocks.truncate(blocks);
            self.blocks.shrink_to_fit();
        }
        let missing = blocks - self.blocks.len();
        self.blocks.try_reserve_exact(missing).map_err(|_| OutOfMemory)?;
        self.blocks.resize(blocks, Block::new());
        Ok(())
    }

    fn run(
        &mut self,
        algorithm: Algorithm,
        version: Version,
        parameters: Argon2Parameters,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, OutOfMemory> {
        let Argon2Parameters { memory, passes, lanes } = parameters;
        // Parameters are within limits by now; were they not, no hash could be made, which is what `OutOfMemory` stands for.
        let params = Params::new(memory, passes, lanes, Some(length)).map_err(|_| OutOfMemory)?;
        if self.blocks.len() < params.block_count() {
            self.fit(params.block_count())?;
        }
        self.runs += 1;
        let mut hash = Zeroizing::new(vec![0; length]);
        Argon2::new(algorithm, version, params)
            .hash_password_into_with_memory(password, salt, &mut hash, &mut self.blocks)
            .map_err(|_| OutOfMemory)?;
        Ok(hash)
    }
}
