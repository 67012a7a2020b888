//! Opening a data folder: lock, start-up check, replay, rebuild.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fill::SledPlace;
use super::identity::Identity;
use super::keys::{KeyFiles, Keys};
use super::mark::marked;
use super::reader::{Damage, JournalEnd, JournalReader, JournalSource, identity_of_journal};
use super::replay::Recovery;
use super::rows::{Meta, Rows};
use super::seal::SealKey;
use super::segment::{Place, SEGMENT_OCTETS};
use super::snapshot::{self, Snapshots};
use super::space::Space;
use super::undone::undone;
use super::{Checkpoint, Journal, Rotation};
use crate::directory::{Directory, IndexDeclaration};
use crate::journal::{Chain, Frame, to_hex};
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
    /// The key file: beside it are the keys that a rotation goes to and comes from. None: the key is not in a file, and stays.
    pub key_file: Option<PathBuf>,
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
    /// Octets of the disk that are left alone: below them binds and writes are refused. 0: space is not watched.
    pub reserve: u64,
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
    /// Takes and keeps snapshots.
    pub snapshots: Snapshots,
    /// Seals everything anew under another key.
    pub rotation: Rotation,
    /// Watches the disk's free space.
    pub space: Space,
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
    /// The checkpoint failed its check, was set aside and rebuilt.
    Rebuilt {
        /// Why.
        reason: String,
        /// Where the old one is.
        set_aside: PathBuf,
        /// From which snapshot; none: from the journal's beginning.
        snapshot: Option<String>,
        /// And how many frames.
        frames: u64,
    },
    /// A snapshot was to be used, could not be, and was skipped.
    SnapshotDamaged {
        /// File name.
        name: String,
        /// What does not fit.
        problem: String,
    },
    /// Old records in the journal cannot be read. What they changed is in the checkpoint or in a snapshot.
    Damaged(Damage),
    /// The file `format` was missing or damaged and was written anew from the journal's headers.
    FormatRewritten,
}

impl std::fmt::Display for StartNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartNote::TornTail { segment, octets } => {
                write!(f, "{segment}: an incomplete last group of {octets} octets was cut off; nobody was told about it")
            }
            StartNote::Replayed { frames } => write!(f, "{frames} frames newer than the checkpoint were replayed"),
            StartNote::Rebuilt { reason, set_aside, snapshot, frames } => {
                let from = match snapshot {
                    Some(name) => format!("{name} and the {frames} frames since"),
                    None => format!("the journal from its beginning ({frames} frames)"),
                };
                let old = set_aside.display();
                write!(f, "the checkpoint failed its check ({reason}) and was rebuilt from {from}; the old one is {old}")
            }
            StartNote::SnapshotDamaged { name, problem } => {
                write!(f, "{name}: damaged ({problem}) and not used; the next snapshot takes its place; look after the disk")
            }
            StartNote::Damaged(damage) => write!(
                f,
                "{damage}; what they changed is not lost, it is in the checkpoint; copy that file out of a backup while the server is \
                 stopped, if the records matter"
            ),
            StartNote::FormatRewritten => {
                f.write_str("the file format was missing or damaged and was written anew from the journal")
            }
        }
    }
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
    /// No key there is opens it.
    #[error(
        "{path}: sealed under the seal key {needed}, and what is there is {there}: put that key back where [keys] in bindery.toml says; where it \
         was rotated away, beside it, as seal.key.retired-{needed}"
    )]
    WrongKey {
        /// The data folder, or the file in it.
        path: PathBuf,
        /// The name of the key it needs.
        needed: String,
        /// The names of those that are there.
        there: String,
    },
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
    /// Damage in a snapshot, or it does not belong here.
    #[error("{name}: damaged: {problem}; remove the file, the server takes another one by itself")]
    Snapshot {
        /// File name.
        name: String,
        /// What does not fit.
        problem: String,
    },
    /// Too little room to go on: a start writes to the journal at once.
    #[error(
        "{path}: the disk is full: {available} octets are free, {needed} are needed to start; make space, or lower limits.disk-reserve in \
         bindery.toml, then start again"
    )]
    Full {
        /// The data folder.
        path: PathBuf,
        /// Octets free.
        available: u64,
        /// Octets needed.
        needed: u64,
    },
    /// Something is wrong with a backup, or it does not reach as far as asked.
    #[error("{0}")]
    Backup(String),
    /// Definitions were changed or taken away while the server was stopped, and what is stored needs them.
    #[error("{0}")]
    Schema(String),
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

impl From<crate::journal::SealError> for StoreError {
    fn from(error: crate::journal::SealError) -> StoreError {
        StoreError::Content(error.to_string())
    }
}

/// What the parts of opening share.
pub(super) struct Folder<'a> {
    pub(super) options: &'a StoreOptions,
    pub(super) keys: Keys,
    pub(super) lock: Arc<File>,
    pub(super) segment_octets: u64,
}

impl Folder<'_> {
    pub(super) fn journal_folder(&self) -> PathBuf {
        self.options.data.join(JOURNAL_FOLDER)
    }

    pub(super) fn sled_folder(&self) -> PathBuf {
        self.options.data.join(SLED_FOLDER)
    }

    pub(super) fn snapshot_folder(&self) -> PathBuf {
        self.options.data.join(SNAPSHOT_FOLDER)
    }

    pub(super) fn snapshots(&self) -> Result<Snapshots, StoreError> {
        Ok(Snapshots::new(snapshot::Place {
            disk: Arc::clone(&self.options.disk),
            entropy: Arc::clone(&self.options.entropy),
            folder: self.snapshot_folder(),
            keys: self.keys.clone(),
            space: self.space(),
            // What the committer asks for before it begins a segment, and one more to be used meanwhile.
            margin: self.segment_octets.saturating_mul(2),
            lock: Arc::clone(&self.lock),
        }))
    }

    pub(super) fn reader(&self) -> Result<JournalReader, StoreError> {
        self.journal().reader()
    }

    pub(super) fn journal(&self) -> JournalSource {
        JournalSource { disk: Arc::clone(&self.options.disk), folder: self.journal_folder(), keys: self.keys.clone() }
    }

    pub(super) fn sled(&self) -> SledPlace {
        SledPlace {
            data: self.options.data.clone(),
            folder: self.sled_folder(),
            keys: self.keys.clone(),
            entropy: Arc::clone(&self.options.entropy),
        }
    }

    pub(super) fn space(&self) -> Space {
        let mut folders = vec![self.options.data.clone()];
        folders.extend(elsewhere(&self.options.data).map(|_| self.journal_folder()));
        Space::new(Arc::clone(&self.options.disk), folders, self.options.reserve)
    }

    /// A full disk is told before anything is begun on it.
    fn check_space(&self) -> Result<(), StoreError> {
        let space = self.space();
        match space.available() {
            Some(available) if !space.allows(self.segment_octets) => Err(StoreError::Full {
                path: self.options.data.clone(),
                available,
                needed: space.reserve().saturating_add(self.segment_octets),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn digest_key(&self) -> Result<[u8; 32], StoreError> {
        Ok(self.keys.digest_key())
    }

    pub(super) fn empty_directory(&self) -> Result<Directory, StoreError> {
        let digest_key = self.digest_key()?;
        Ok(Directory::new(Arc::clone(&self.options.schema), self.options.suffix.clone(), &self.options.indexes, digest_key))
    }
}

const JOURNAL_FOLDER: &str = "journal";
const SLED_FOLDER: &str = "sled";
const SNAPSHOT_FOLDER: &str = "snapshots";
const LOCK_FILE: &str = "lock";
/// How often reading the journal beside a running server is begun anew because a key came that was not there before.
const KEY_TRIES: u32 = 3;

/// Makes an empty data folder (journal, checkpoint, lock, format). The format file comes last: where making broke off, it can be
/// done again.
pub fn create(options: &StoreOptions) -> Result<(), StoreError> {
    let key = seal_key(options)?;
    let disk = &*options.disk;
    for folder in [options.data.clone(), options.data.join(JOURNAL_FOLDER), options.data.join(SNAPSHOT_FOLDER)] {
        disk.create_folder(&folder).map_err(|error| StoreError::Io { path: folder, error })?;
    }
    let _lock = lock(&options.data)?;
    let journal = options.data.join(JOURNAL_FOLDER);
    if Identity::read(disk, &options.data)?.is_some() || identity_of_journal(disk, &journal)?.is_some() {
        return Err(StoreError::Content(format!("{}: there is a data folder already", options.data.display())));
    }
    let identity = Identity::generate(&key, &*options.entropy)?;
    let sled = options.data.join(SLED_FOLDER);
    if sled.exists() {
        std::fs::remove_dir_all(&sled).map_err(|error| StoreError::Io { path: sled.clone(), error })?;
    }
    let keys = Keys::new(identity.clone(), vec![key], &options.data)?;
    let filled = Rows::open(&sled, &keys, &*options.entropy, true).and_then(|mut rows| rows.finish_filling(Meta::default()));
    filled.map_err(|error| StoreError::Content(format!("{}: {error}", sled.display())))?;
    sync_real_folder(&sled)?;
    sync_real_folder(&options.data)?;
    identity.write(disk, &options.data)
}

/// Where the segments are.
pub(super) fn journal_folder(options: &StoreOptions) -> PathBuf {
    folder_of_journal(&options.data)
}

/// Where the journal of a data folder really is, where that is not in it: on a disk of its own.
pub fn elsewhere(data: &Path) -> Option<PathBuf> {
    std::fs::read_link(folder_of_journal(data)).ok()
}

/// Where the segments of a data folder are.
pub fn folder_of_journal(data: &Path) -> PathBuf {
    data.join(JOURNAL_FOLDER)
}

/// The installation's name in the journal.
pub fn node(options: &StoreOptions) -> Result<String, StoreError> {
    identity(options).map(|(identity, _)| identity.node_text())
}

/// Opens a data folder and checks it: every start, whole.
pub fn open(options: &StoreOptions, progress: &mut dyn FnMut(Progress)) -> Result<Opened, StoreError> {
    open_with(options, SEGMENT_OCTETS, progress)
}

/// The same with segments of another size, in octets: small ones let tests see many of them.
pub fn open_with(options: &StoreOptions, segment_octets: u64, progress: &mut dyn FnMut(Progress)) -> Result<Opened, StoreError> {
    let lock = Arc::new(lock(&options.data)?);
    let mut notes = Vec::new();
    let (keys, is_rewritten) = opened_keys(options)?;
    if is_rewritten {
        keys.identity().write(&*options.disk, &options.data)?;
        notes.push(StartNote::FormatRewritten);
    }
    keys.go_on_with_configured(options)?;
    let folder = Folder { options, keys, lock, segment_octets };
    folder.check_space()?;
    let mut recovered = Recovery::new(&folder, &mut notes, progress).run()?;
    recovered.directory.set_undone(undone(&folder.reader()?, recovered.end.time));
    if let Some((segment, octets)) = &recovered.end.tail.torn {
        notes.push(StartNote::TornTail { segment: segment.clone(), octets: *octets });
    }
    notes.extend(recovered.end.damages.iter().cloned().map(StartNote::Damaged));
    let chain = chain(&folder, &recovered.end);
    let journal = Journal::new(place(&folder), recovered.end.end, Arc::clone(&folder.lock));
    let (snapshots, space) = (folder.snapshots()?, folder.space());
    let rotation = Rotation::new(&folder, snapshots.clone(), recovered.checkpoint.watch())?;
    Ok(Opened {
        directory: recovered.directory,
        journal,
        chain,
        checkpoint: recovered.checkpoint,
        snapshots,
        rotation,
        space,
        notes,
    })
}

/// Reads all frames from a sequence on, in order, verifying as it goes; works beside a running server (a torn tail ends it quietly).
pub fn read_frames(
    options: &StoreOptions,
    from: u64,
    each: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let journal = options.data.join(JOURNAL_FOLDER);
    let mut next = from.max(1);
    let (mut seen_at, mut tries) = (0, 0);
    loop {
        // The keys may change while it is read.
        let (keys, _) = opened_keys(options)?;
        // What is marked before is there when it is read.
        let proven = marked(&*options.disk, &journal, &keys.identity());
        let reader = JournalReader::new(Arc::clone(&options.disk), &journal, &keys)?;
        let outcome = reader.read(next, proven, &mut |group| {
            for frame in group.frames {
                let last = frame.last_sequence();
                if last >= next {
                    each(frame.starting_at(next))?;
                    next = last.saturating_add(1);
                }
            }
            Ok(())
        });
        match outcome {
            Ok(_) => return Ok(()),
            // A file read while it is written may look torn in front of a group that came meanwhile. Damage stays where it is.
            Err(StoreError::Damaged { sequence, .. }) if sequence != seen_at => seen_at = sequence,
            // Sealed anew since the keys were read.
            Err(StoreError::WrongKey { .. }) if tries < KEY_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// The same for who wants all that can be read: damage is told, with what can be read before and behind it. An error where nothing can be
/// read behind it.
pub fn read_frames_around(
    options: &StoreOptions,
    from: u64,
    each: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
    told: &mut dyn FnMut(Damage) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut next = from.max(1);
    let read = read_frames(options, from, &mut |frame| {
        next = frame.last_sequence().saturating_add(1);
        each(frame)
    });
    let Err(strict @ StoreError::Damaged { .. }) = read else { return read };
    let (keys, _) = opened_keys(options)?;
    let journal = options.data.join(JOURNAL_FOLDER);
    let proven = marked(&*options.disk, &journal, &keys.identity());
    let reader = JournalReader::new(Arc::clone(&options.disk), &journal, &keys)?;
    let end = reader.read_around::<StoreError>(next, &mut |group| {
        let mut frames = group.frames.into_iter().filter(|frame| frame.last_sequence() >= next);
        frames.try_for_each(|frame| each(frame.starting_at(next)))
    })?;
    end.damages.into_iter().filter(|damage| damage.sequences.1 >= next).try_for_each(told)?;
    if end.end.sequence < proven { Err(strict) } else { Ok(()) }
}

pub(super) fn seal_key(options: &StoreOptions) -> Result<SealKey, StoreError> {
    SealKey::new(&options.seal_key).ok_or_else(|| StoreError::Content("the seal key must be 32 octets long".to_owned()))
}

/// The lock is let go when the file is closed, also by a kill.
pub(super) fn lock(data: &Path) -> Result<File, StoreError> {
    let path = data.join(LOCK_FILE);
    let opened = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| StoreError::Io { path: path.clone(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(StoreError::Io { path, error }),
    }
}

/// The keys of a data folder, with who it is, and whether its file `format` has to be written anew.
pub(super) fn opened_keys(options: &StoreOptions) -> Result<(Keys, bool), StoreError> {
    let mut candidates = vec![seal_key(options)?];
    if let Some(files) = key_files(options) {
        candidates.extend(files.configured());
        candidates.extend(files.next()?);
        candidates.extend(files.retired()?);
    }
    let (identity, is_rewritten) = identity(options)?;
    Ok((Keys::new(identity, candidates, &options.data)?, is_rewritten))
}

pub(super) fn key_files(options: &StoreOptions) -> Option<KeyFiles> {
    Some(KeyFiles::new(Arc::clone(&options.disk), options.key_file.clone()?))
}

impl Keys {
    /// A folder made of a backup is under the key of that time: what is new is sealed under the one that is configured.
    pub(super) fn go_on_with_configured(&self, options: &StoreOptions) -> Result<(), StoreError> {
        let identity = self.identity();
        let configured = seal_key(options)?;
        let next = key_files(options).map(|files| files.next()).transpose()?.flatten();
        for expected in [Some(&configured), next.as_ref()].into_iter().flatten() {
            if identity.is_sealed_by(expected)? {
                return Ok(());
            }
        }
        self.advance(&configured, &*options.disk, &options.data)
    }
}

/// Who this installation is, and whether the format file has to be written anew.
fn identity(options: &StoreOptions) -> Result<(Identity, bool), StoreError> {
    let disk = &*options.disk;
    if let Some(identity) = Identity::read(disk, &options.data)? {
        return Ok((identity, false));
    }
    let identity = identity_of_journal(disk, &options.data.join(JOURNAL_FOLDER))?
        .ok_or_else(|| StoreError::Content(format!("{}: no data folder, or its file format is lost", options.data.display())))?;
    Ok((identity, true))
}

/// Where the journal's segments are made.
pub(super) fn place(folder: &Folder<'_>) -> Place {
    Place {
        disk: Arc::clone(&folder.options.disk),
        entropy: Arc::clone(&folder.options.entropy),
        folder: folder.journal_folder(),
        keys: folder.keys.clone(),
        segment_octets: folder.segment_octets,
    }
}

pub(super) fn chain(folder: &Folder<'_>, found: &JournalEnd) -> Chain {
    let mut boot = [0; 8];
    folder.options.entropy.fill(&mut boot);
    Chain {
        next_sequence: found.end.sequence.saturating_add(1),
        last_leaf: found.end.leaf,
        last_time: found.time,
        node: folder.keys.identity().node_text(),
        boot: to_hex(&boot),
    }
}

pub(super) fn sync_real_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| StoreError::Io { path: path.to_owned(), error })
}
