//! A fast keyed hash for tables in memory. Who does not know the key cannot make names collide; nothing depends on the values,
//! because whatever is found is compared again.

use std::hash::{BuildHasher, DefaultHasher, Hasher};

/// A key and the hash under it.
#[derive(Clone, Copy)]
pub(super) struct KeyedHash([u8; 32]);

impl KeyedHash {
    pub(super) fn new(key: &[u8; 32]) -> KeyedHash {
        KeyedHash(*blake3::keyed_hash(key, b"tables in memory").as_bytes())
    }

    /// The hash of a number and octets.
    pub(super) fn of(&self, number: u64, octets: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher.write_u64(number);
        hasher.write(octets);
        hasher.finish()
    }
}

/// For std maps whose keys are hashes already.
#[derive(Clone, Copy, Default)]
pub(super) struct HashedAlready(u64);

impl BuildHasher for HashedAlready {
    type Hasher = HashedAlready;

    fn build_hasher(&self) -> HashedAlready {
        HashedAlready(0)
    }
}

impl Hasher for HashedAlready {
    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|octet| self.write_u64(u64::from(*octet)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
