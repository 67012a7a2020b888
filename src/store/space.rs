//! Free space, looked at before anything grows: what the disk holds back so that nothing of ours ends half way.
//!
//! ```text
//!        room                    reserve                half the reserve
//! ────────┼──────────────────────────┼─────────────────────────┼──────────
//!   binds and writes go on     they are answered 52;    the checkpoint rests too:
//!   again                      the checkpoint ends      the journal has what it lacks
//!                              what it has begun
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use crate::world::Disk;

/// Watches the file systems of the data folder and the journal. Clones share nothing but the disk.
#[derive(Clone)]
pub struct Space {
    disk: Arc<dyn Disk>,
    /// The data folder, and that of the journal where it is elsewhere.
    folders: Vec<PathBuf>,
    reserve: u64,
}

impl Space {
    /// `reserve`: octets that are held back; 0: space is not watched.
    pub(super) fn new(disk: Arc<dyn Disk>, folders: Vec<PathBuf>, reserve: u64) -> Space {
        Space { disk, folders, reserve }
    }

    /// Octets that are held back.
    pub fn reserve(&self) -> u64 {
        self.reserve
    }

    /// Octets free where there are fewest, those held back included; none where no file system tells.
    pub fn available(&self) -> Option<u64> {
        self.folders.iter().filter_map(|folder| self.disk.available(folder).ok()).min()
    }

    /// Whether something may grow by so many octets and leave the reserve alone. Where space is not watched, or the file system does not
    /// tell, it may try.
    pub fn allows(&self, octets: u64) -> bool {
        self.has(self.reserve.saturating_add(octets))
    }

    /// Whether there is so much room again that going on will last: an eighth more than is needed.
    pub fn allows_again(&self, octets: u64) -> bool {
        let needed = self.reserve.saturating_add(octets);
        self.has(needed.saturating_add(needed / 8))
    }

    /// Whether the reserve, which is there for that, still lets the checkpoint write so many octets.
    pub(super) fn allows_checkpoint(&self, octets: u64) -> bool {
        self.has((self.reserve / 2).saturating_add(octets))
    }

    fn has(&self, octets: u64) -> bool {
        self.reserve == 0 || self.available().is_none_or(|available| available >= octets)
    }
}
