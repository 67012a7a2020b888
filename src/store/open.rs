//! Opening a data folder: lock, start-up check, replay, rebuild.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Checkpoint, Journal};
use crate::directory::{Directory, IndexDeclaration};
use crate::journal::{Chain, Frame};
use crate::model::schema::Schema;
use crate::model::{Dn, Secret};
use crate::world::{Clock, Disk, Entropy};

/// What opening needs.
#[derive(Clone)]
pub struct StoreOptions {
    /// `DIR/data`
    pub data: PathBuf,
    /// 32 octets: the seal key, from the key file or the environment.
    pub seal_key: Secret,
    /// The schema.
    pub schema: Arc<Schema>,
    /// The suffix.
    pub suffix: Dn,
    /// Indexes to build.
    pub indexes: Vec<IndexDeclaration>,
    /// The disk for the journal (sled goes to the file system itself).
    pub disk: Arc<dyn Disk>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// An open data folder. The lock is held until all parts are dropped.
pub struct Opened {
    /// The newest durable state.
    pub directory: Directory,
    /// For the committer.
    pub journal: Journal,
    /// What the next record continues.
    pub chain: Chain,
    /// Follows the journal.
    pub checkpoint: Checkpoint,
    /// What had to be done, for the log.
    pub notes: Vec<StartNote>,
}

/// Something an operator must know about a start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartNote {
    /// An incomplete last group was cut off: nobody was told about it.
    TornTail {
        /// File name.
        segment: String,
        /// Octets cut.
        octets: u64,
    },
    /// Frames newer than the checkpoint were replayed.
    Replayed {
        /// How many.
        frames: u64,
    },
    /// The checkpoint failed its check, was set aside and rebuilt from the journal.
    Rebuilt {
        /// Why.
        reason: String,
        /// Where the old one is.
        set_aside: PathBuf,
    },
}

/// How far opening is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Entries or frames done.
    pub done: u64,
    /// Of so many, where known.
    pub total: Option<u64>,
}

/// Why a data folder cannot be opened: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("{0}: in use by another bindery process; stop it first")]
    Locked(PathBuf),
    /// The key does not open it.
    #[error("{0}: the seal key does not fit this data folder; check [keys] in bindery.toml")]
    WrongKey(PathBuf),
    /// Written by a newer program.
    #[error("{path}: format {found} is newer than this program's {known}; use the newer program")]
    TooNew {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Damage in the journal itself.
    #[error("{segment}: damaged at sequence {sequence}: {problem}; restore the folder from a backup")]
    Damaged {
        /// File name.
        segment: String,
        /// Sequence.
        sequence: u64,
        /// What does not fit.
        problem: String,
    },
    /// The operating system said no.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its words.
        error: std::io::Error,
    },
    /// The content does not hang together.
    #[error("{0}")]
    Content(String),
}

/// Makes an empty data folder (journal, checkpoint, lock, format).
pub fn create(options: &StoreOptions) -> Result<(), StoreError> {
    let _ = options;
    todo!()
}

/// Opens a data folder and checks it: every start, whole.
pub fn open(options: &StoreOptions, progress: &mut dyn FnMut(Progress)) -> Result<Opened, StoreError> {
    let _ = (options, progress);
    todo!()
}

/// Reads all frames from a sequence on, in order, verifying as it goes; works beside a running server (a torn tail ends it quietly).
pub fn read_frames(
    options: &StoreOptions,
    from: u64,
    each: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let _ = (options, from, each);
    todo!()
}
