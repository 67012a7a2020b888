//! The header of a segment: a page of its own, so that groups never share one with it.
//!
//! All numbers little-endian:
//!
//! ```text
//! offset size
//!      0    8  "BNDsegmt"
//!      8    4  format, as in the file `format`
//!     16   16  node                    }
//!     32   32  installation salt       } as in the file `format`
//!     64   32  key check               }
//!     96   32  salt of this segment's key
//!    128    8  sequence of the first frame
//!    136   32  leaf of the record before it
//!    168    8  first sequence of the segment before; 0: there is none
//!    176    8  octets of that segment that count; what lies behind them is void
//!    184    8  last sequence that is void; 0: none. A failed append left frames `first` to this one in the segment before;
//!              nobody was told about them, and their sequences are given anew here
//!    192    8  1 + the sequence whose content holds from this segment on, where a restore begins it; 0: that of the record before
//!    200   48  the key of digests, as in the file `format`; zeros: it is not there
//!   4064   32  BLAKE3 of octets 0 to 4063
//! ```

use super::StoreError;
use super::identity::{DIGEST_OCTETS, FORMAT, Identity};
use crate::journal::Leaf;

/// Octets of a header.
pub(super) const SEGMENT_HEADER_OCTETS: usize = 4096;

const MAGIC: [u8; 8] = *b"BNDsegmt";
const CHECK_AT: usize = SEGMENT_HEADER_OCTETS - 32;

/// What counts of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    /// Its first sequence.
    pub(super) first: u64,
    /// Octets, header included.
    pub(super) length: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) identity: Identity,
    pub(super) salt: [u8; 32],
    pub(super) first: u64,
    pub(super) leaf_before: Leaf,
    pub(super) previous: Option<Extent>,
    pub(super) voids_through: u64,
    /// The segment begins with a restore: the content before it is that of this sequence.
    pub(super) restores: Option<u64>,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let previous = self.previous.unwrap_or(Extent { first: 0, length: 0 });
        let mut octets = Vec::with_capacity(SEGMENT_HEADER_OCTETS);
        octets.extend_from_slice(&MAGIC);
        octets.extend_from_slice(&FORMAT.to_le_bytes());
        octets.extend_from_slice(&[0; 4]);
        octets.extend_from_slice(&self.identity.node);
        octets.extend_from_slice(&self.identity.salt);
        octets.extend_from_slice(&self.identity.key_check);
        octets.extend_from_slice(&self.salt);
        octets.extend_from_slice(&self.first.to_le_bytes());
        octets.extend_from_slice(&self.leaf_before.0);
        octets.extend_from_slice(&previous.first.to_le_bytes());
        octets.extend_from_slice(&previous.length.to_le_bytes());
        octets.extend_from_slice(&self.voids_through.to_le_bytes());
        octets.extend_from_slice(&self.restores.map_or(0, |sequence| sequence.saturating_add(1)).to_le_bytes());
        octets.extend_from_slice(&self.identity.digest.unwrap_or([0; DIGEST_OCTETS]));
        octets.resize(CHECK_AT, 0);
        let check = blake3::hash(&octets);
        octets.extend_from_slice(check.as_bytes());
        octets
    }

    /// `Ok(None)` where there is no intact header.
    pub(super) fn decode(octets: &[u8], path: &std::path::Path) -> Result<Option<SegmentHeader>, StoreError> {
        let intact = octets
            .get(..SEGMENT_HEADER_OCTETS)
            .and_then(|page| page.split_at_checked(CHECK_AT))
            .filter(|(content, check)| content.starts_with(&MAGIC) && blake3::hash(content).as_bytes() == check);
        let Some((content, _)) = intact else { return Ok(None) };
        let found = take(content, 8).map_or(0, u32::from_le_bytes);
        if found > FORMAT {
            return Err(StoreError::TooNew { path: path.to_owned(), found, known: FORMAT });
        }
        Ok(SegmentHeader::decode_content(content))
    }

    fn decode_content(content: &[u8]) -> Option<SegmentHeader> {
        let previous = Extent { first: u64::from_le_bytes(take(content, 168)?), length: u64::from_le_bytes(take(content, 176)?) };
        Some(SegmentHeader {
            identity: Identity {
                node: take(content, 16)?,
                salt: take(content, 32)?,
                key_check: take(content, 64)?,
                digest: Some(take(content, 200)?).filter(|sealed| *sealed != [0; DIGEST_OCTETS]),
            },
            salt: take(content, 96)?,
            first: u64::from_le_bytes(take(content, 128)?),
            leaf_before: Leaf(take(content, 136)?),
            previous: (previous.first != 0).then_some(previous),
            voids_through: u64::from_le_bytes(take(content, 184)?),
            restores: u64::from_le_bytes(take(content, 192)?).checked_sub(1),
        })
    }
}

fn take<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    octets.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// `00000000000000000042.segment`
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.segment")
}

/// The first sequence in a segment's name; none for files of other names.
pub(super) fn first_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".segment")?;
    (digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok())?
}
