//! A digest over the whole content that costs O(1) per change: the sum of keyed hashes of all rows.

use super::Row;

/// 256 bits, added as four 64-bit lanes without carry between them; order does not matter, and removing is subtracting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest(pub [u64; 4]);

impl Digest {
    /// The digest of one row under a key: BLAKE3, keyed, over table, length of the key, key and value.
    pub fn of_row(key: &[u8; 32], row: &Row) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&[row.table as u8]);
        hasher.update(&(row.key.len() as u64).to_be_bytes());
        hasher.update(&row.key);
        hasher.update(&row.value);
        Digest::from_bytes(*hasher.finalize().as_bytes())
    }

    /// The sum.
    pub fn plus(self, other: Digest) -> Digest {
        self.by_lane(other, u64::wrapping_add)
    }

    /// The difference.
    pub fn minus(self, other: Digest) -> Digest {
        self.by_lane(other, u64::wrapping_sub)
    }

    /// 32 octets, little-endian lanes.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (target, lane) in bytes.chunks_exact_mut(8).zip(self.0) {
            target.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }

    /// The other way.
    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        let mut lanes = [0; 4];
        for (lane, source) in lanes.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *lane = u64::from_le_bytes(*source);
        }
        Digest(lanes)
    }

    fn by_lane(self, other: Digest, combine: fn(u64, u64) -> u64) -> Digest {
        let mut lanes = self.0;
        for (lane, with) in lanes.iter_mut().zip(other.0) {
            *lane = combine(*lane, with);
        }
        Digest(lanes)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::Digest;
    use crate::directory::{Row, Table};

    fn row(key: &[u8], value: &'static [u8]) -> Row {
        Row { table: Table::Entries, key: key.into(), value: Bytes::from_static(value) }
    }

    #[test]
    fn key_table_and_boundary_count() {
        let digest = Digest::of_row(&[1; 32], &row(b"ab", b"c"));
        assert_ne!(digest, Digest::of_row(&[2; 32], &row(b"ab", b"c")));
        assert_ne!(digest, Digest::of_row(&[1; 32], &row(b"a", b"bc")));
        assert_ne!(digest, Digest::of_row(&[1; 32], &Row { table: Table::Meta, ..row(b"ab", b"c") }));
    }

    proptest! {
        #[test]
        fn sums_do_not_care_about_order(first: [u64; 4], second: [u64; 4]) {
            let (first, second) = (Digest(first), Digest(second));
            prop_assert_eq!(first.plus(second), second.plus(first));
            prop_assert_eq!(first.plus(second).minus(first), second);
            prop_assert_eq!(Digest::from_bytes(first.to_bytes()), first);
        }
    }
}
