//! The mark: how far the journal has been durable, in a small file beside it.
//!
//! Without it nothing tells a last segment that lost its end, or is gone, from one that never had it: the checkpoint is up to a second
//! behind. After the fdatasync of each group, and before anybody is told of it, the group's last sequence is written here, and never
//! synced: what a killed process has written stays in the page cache, so whatever was acknowledged is marked. A power cut may take the mark
//! back to an earlier one, or tear it, but the journal lies on the device before the mark is written, so it never proves too much.
//!
//! ```text
//! offset size
//!      0    8  "BNDmark1"
//!      8   16  node, as in the file `format`: the mark of another installation says nothing
//!     24    8  the last sequence that was durable
//!     32   32  BLAKE3 of octets 0 to 31
//!    512   64  the same once more: the two are written in turn, so that one that is torn leaves the one before
//! ```
//!
//! It stays with its journal: a backup has none, and a restored folder begins one of its own. Damaged, older or missing it proves less,
//! and that is all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::identity::Identity;
use crate::world::{Disk, DiskFile};

const FILE_NAME: &str = "mark";
const MAGIC: [u8; 8] = *b"BNDmark1";
/// Octets of a mark.
const MARK_OCTETS: usize = 64;
const CHECK_AT: usize = 32;
/// Where the two stand: a sector each.
const SLOTS: [usize; 2] = [0, 512];

/// Writes marks.
pub(super) struct Mark {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    node: [u8; 16],
    file: Option<Arc<dyn DiskFile>>,
    /// The next one goes here.
    slot: usize,
    /// That it cannot be written was told.
    is_told: bool,
}

impl Mark {
    /// The mark of the journal in this folder.
    pub(super) fn beside(disk: Arc<dyn Disk>, journal: &Path, identity: &Identity) -> Mark {
        Mark { disk, path: path_beside(journal), node: identity.node, file: None, slot: 0, is_told: false }
    }

    /// Everything up to this sequence is on the device. Where that cannot be written the older mark stays: the journal is whole, only
    /// the proof of its end is older than it should be.
    pub(super) fn set(&mut self, sequence: u64) {
        match self.write(sequence) {
            Ok(()) => self.is_told = false,
            Err(_) if self.is_told => {}
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(
                    "{path}: {error}; nothing is lost, but should the journal lose its end now, it may go unseen; look after the disk"
                );
                self.is_told = true;
            }
        }
    }

    fn write(&mut self, sequence: u64) -> std::io::Result<()> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let octets = self.disk.read_front(&self.path, SLOTS[1] + MARK_OCTETS).unwrap_or_default();
                let [first, second] = SLOTS.map(|at| decode(&octets, at, &self.node));
                self.slot = usize::from(first > second);
                let file = self.disk.open(&self.path)?;
                self.file = Some(Arc::clone(&file));
                file
            }
        };
        let at = SLOTS.get(self.slot).copied().unwrap_or_default();
        file.write_all_at(&encode(sequence, &self.node), at as u64)?;
        self.slot = 1 - self.slot.min(1);
        Ok(())
    }
}

/// The last sequence that the journal in this folder is known to have been durable up to; 0 where there is no mark that says so.
pub(super) fn marked(disk: &dyn Disk, journal: &Path, identity: &Identity) -> u64 {
    let octets = disk.read_front(&path_beside(journal), SLOTS[1] + MARK_OCTETS).unwrap_or_default();
    SLOTS.iter().filter_map(|at| decode(&octets, *at, &identity.node)).max().unwrap_or(0)
}

fn path_beside(journal: &Path) -> PathBuf {
    journal.with_file_name(FILE_NAME)
}

fn encode(sequence: u64, node: &[u8; 16]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(MARK_OCTETS);
    octets.extend_from_slice(&MAGIC);
    octets.extend_from_slice(node);
    octets.extend_from_slice(&sequence.to_le_bytes());
    let check = blake3::hash(&octets);
    octets.extend_from_slice(check.as_bytes());
    octets
}

fn decode(octets: &[u8], at: usize, node: &[u8; 16]) -> Option<u64> {
    let (content, check) = octets.get(at..at.checked_add(MARK_OCTETS)?)?.split_at_checked(CHECK_AT)?;
    let is_ours = content.starts_with(&MAGIC) && content.get(8..24) == Some(node) && blake3::hash(content).as_bytes() == check;
    is_ours.then(|| content.get(24..CHECK_AT)?.try_into().ok().map(u64::from_le_bytes))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::SimulatedDisk;
    use crate::store::seal::SealKey;

    fn identity() -> Identity {
        let key = SealKey::new(&crate::model::Secret::new(vec![7; 32])).unwrap();
        Identity::generate(&key, &crate::store::tests::CountingEntropy::default()).unwrap()
    }

    #[test]
    fn a_torn_or_damaged_mark_leaves_the_one_before_and_a_strangers_says_nothing() {
        let (disk, journal, ours) = (SimulatedDisk::new(1), Path::new("/data/journal"), identity());
        let path = Path::new("/data/mark");
        assert_eq!(marked(&disk, journal, &ours), 0);
        // Every process goes on where the last one left off, over the older of the two.
        for sequence in 1..40_u64 {
            let mut mark = Mark::beside(Arc::new(disk.clone()), journal, &ours);
            for sequence in [sequence * 10, sequence * 10 + 1, sequence * 10 + 2].into_iter().take(1 + sequence as usize % 3) {
                let before = marked(&disk, journal, &ours);
                // Written in part.
                let torn = disk.copy(1);
                torn.fail_writes(true);
                Mark::beside(Arc::new(torn.clone()), journal, &ours).set(sequence);
                assert_eq!(marked(&torn, journal, &ours), before);
                mark.set(sequence);
                assert_eq!(marked(&disk, journal, &ours), sequence);
            }
            let (newest, length) = (marked(&disk, journal, &ours), disk.read(path).unwrap().len());
            for at in 0..length {
                let damaged = disk.copy(1);
                damaged.flip(path, at, 1 << (at % 8));
                assert!(marked(&damaged, journal, &ours) <= newest);
            }
            let cut = disk.copy(1);
            cut.shorten(path, sequence as usize * 13 % length);
            assert!(marked(&cut, journal, &ours) <= newest);
        }
        let mut stranger = ours;
        stranger.node[3] ^= 1;
        assert_eq!(marked(&disk, journal, &stranger), 0);
    }
}
