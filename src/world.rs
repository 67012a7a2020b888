//! What the pure middle is not allowed to reach for itself: time, randomness and the disk, as traits.
//!
//! The real ones live in `server::world` (clock, entropy) and `store::disk` (disk); tests pass their own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::Timestamp;

/// The wall clock and a clock that never goes back.
pub trait Clock: Send + Sync {
    /// Coordinated universal time, in microseconds since 1970.
    fn now(&self) -> Timestamp;
    /// Microseconds since an arbitrary start; never decreases, not moved by clock corrections.
    fn monotonic(&self) -> u64;
    /// A jump ahead of the wall clock that is not believed yet, in microseconds.
    fn held_jump(&self) -> Option<i64> {
        None
    }
    /// Somebody says that the wall clock is right.
    fn confirm(&self) {}
    /// What happened to it since this was last asked, oldest first.
    fn take_turns(&self) -> Vec<ClockTurn> {
        Vec::new()
    }
}

/// Something that happened to a clock that does not believe every jump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockTurn {
    /// The wall clock jumped ahead by so many microseconds: it is not followed.
    Jumped(i64),
    /// It went back to where it was.
    Returned,
    /// Nobody said anything for long enough: it is followed from now on, so many microseconds ahead.
    Believed(i64),
}

/// A cryptographically strong source of random octets.
pub trait Entropy: Send + Sync {
    /// Fills the whole of `target`.
    fn fill(&self, target: &mut [u8]);
}

/// A disk as the journal needs it. Every method blocks; errors are those of the operating system.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing, made when absent (mode 0600).
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Reads the first `length` octets of a file, fewer where it is shorter.
    fn read_front(&self, path: &Path, length: usize) -> io::Result<Vec<u8>>;
    /// Reads up to `length` octets of a file from `offset` on, fewer only where it ends.
    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// A file that is there, from its beginning on: the same one to its end, whatever takes its name meanwhile.
    fn reader(&self, path: &Path) -> io::Result<Box<dyn io::Read>>;
    /// How long a file is, in octets.
    fn length(&self, path: &Path) -> io::Result<u64>;
    /// The paths of what lies directly in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes a folder and those above it (mode 0700), and syncs the one above.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Renames and syncs the folders concerned.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file and syncs its folder.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Octets that may still be written on the file system that holds a folder.
    fn available(&self, folder: &Path) -> io::Result<u64>;
    /// Makes entries made or removed in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Where the journal goes on when it cannot be written in its place, if there is such a place.
    fn emergency(&self) -> Option<Arc<dyn EmergencyFolder>> {
        None
    }
}

/// A folder on another disk, in which the journal goes on when somebody says so.
pub trait EmergencyFolder: Send + Sync {
    /// Who asked for it, and why; none: nobody does, or not any more.
    fn call(&self) -> Option<EmergencyCall>;
    /// Forgets who asked.
    fn forget_call(&self);
    /// Whether new segments are made there.
    fn is_on(&self) -> bool;
    /// New segments are made there from now on, or not any more.
    fn turn(&self, on: bool);
    /// Octets that may still be written there.
    fn available(&self) -> io::Result<u64>;
    /// Whether segments are there.
    fn holds_segments(&self) -> bool;
    /// Takes all segments to where the others are, one after the other; nothing while new ones are made there.
    fn take_back(&self) -> io::Result<()>;
    /// Where it is.
    fn path(&self) -> &Path;
}

/// Somebody wants the journal to go on elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmergencyCall {
    /// The name of the machine's user.
    pub by: String,
    /// In the own words.
    pub reason: String,
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reserves space up to `length` octets without changing what can be read before the old end.
    fn reserve(&self, length: u64) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// The present length in octets.
    fn length(&self) -> io::Result<u64>;
    /// fdatasync(2): returns when what was written is on the device.
    fn sync_data(&self) -> io::Result<()>;
}
