//! Snapshots: the whole content as it was after one sequence, sealed, in one file, taken while the server serves.
//!
//! ```text
//! snapshots/snapshot-<sequence, 20 digits>:   header page, pieces, footer; all numbers little-endian
//!
//! offset size
//!      0    8  "BNDsnaps"
//!      8    4  format, 1
//!     16   16  node                    }
//!     32   32  installation salt       } as in the file `format`
//!     64   32  key check               }
//!     96   32  salt of this file's key
//!    128    8  sequence
//!    136   32  leaf of its record
//!    168    8  its policy time
//!    176   32  digest of the content
//!   4064   32  BLAKE3 of octets 0 to 4063
//!
//!   4096       pieces, each: octets that follow, the highest bit set in the last one (4); sealed
//!              footer: "BNDsnend", number of pieces (8), number of rows (8), BLAKE3 of all octets of the file before it (32)
//! ```
//!
//! What is sealed is one row after the other, each: table (1), length of the key (4), length of the value (4), key, value; cut into pieces
//! of 64 KiB without regard to rows. A piece's number is its nonce; number, whether it is the last, and the header's checksum are
//! associated data, so that no piece opens at another place or behind another header.
//!
//! A snapshot is written under another name, synced, read back with its digest recomputed, and only then renamed.

mod read;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use read::SnapshotFile;

use super::StoreError;
use super::disk::is_of_medium;
use super::keys::Keys;
use super::space::Space;
use crate::directory::{Digest, Directory};
use crate::journal::Leaf;
use crate::model::Timestamp;
use crate::world::{Disk, Entropy};

/// Snapshots that are kept.
pub const SNAPSHOTS_KEPT: usize = 2;

/// Format of snapshots this program writes.
const FORMAT: u32 = 1;
const HEADER_OCTETS: usize = 4096;
const CHECK_AT: usize = HEADER_OCTETS - blake3::OUT_LEN;
const MAGIC: [u8; 8] = *b"BNDsnaps";
const FOOTER_MAGIC: [u8; 8] = *b"BNDsnend";
const FOOTER_OCTETS: usize = 24 + blake3::OUT_LEN;
/// Octets of rows in one piece.
const PIECE_OCTETS: usize = 64 * 1024;
const LAST_PIECE: u32 = 1 << 31;
const ROW_HEADER_OCTETS: usize = 9;
const PURPOSE: &str = "bindery snapshot 1";

const PREFIX: &str = "snapshot-";
const UNFINISHED: &str = ".new";

/// Where the journal was when a directory value was published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Sequence of the last record.
    pub sequence: u64,
    /// Its leaf.
    pub leaf: Leaf,
    /// Its policy time.
    pub time: Timestamp,
    /// Digest of the content after it.
    pub digest: Digest,
}

/// A snapshot that is known to be whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotFacts {
    /// File name.
    pub name: String,
    /// What it holds.
    pub position: Position,
    /// Number of rows.
    pub rows: u64,
    /// Length of the file.
    pub octets: u64,
}

/// The snapshots of a data folder. Clones share it.
#[derive(Clone)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    entropy: Arc<dyn Entropy>,
    folder: PathBuf,
    keys: Keys,
    space: Space,
    margin: u64,
    /// Held while one is taken.
    taking: Mutex<()>,
    strippable: AtomicU64,
    /// The data folder stays locked while a snapshot may be written into it.
    _lock: Arc<std::fs::File>,
}

/// What snapshots are made with.
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) folder: PathBuf,
    pub(super) keys: Keys,
    pub(super) space: Space,
    /// Octets beyond the reserve that are left to the journal.
    pub(super) margin: u64,
    pub(super) lock: Arc<std::fs::File>,
}

/// Whether taking a snapshot is still wanted.
struct GoOn<'a> {
    go_on: &'a dyn Fn() -> bool,
    /// What the disk holds back, and what the journal is to grow by meanwhile, is not for snapshots; none where nothing is written.
    room: Option<(&'a Space, u64)>,
    path: &'a Path,
}

impl GoOn<'_> {
    fn check(&self) -> Result<(), StoreError> {
        if self.room.is_some_and(|(space, margin)| !space.allows(margin)) {
            return Err(full(self.path));
        }
        if (self.go_on)() {
            return Ok(());
        }
        let error = io::Error::new(io::ErrorKind::Interrupted, "the server stops");
        Err(StoreError::Io { path: self.path.to_owned(), error })
    }
}

/// Another snapshot than the new one, found damaged while deciding which to keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedSnapshot {
    /// File name.
    pub name: String,
    /// What does not fit.
    pub problem: String,
}

/// A snapshot was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The new one, or the one there was of that sequence.
    pub facts: SnapshotFacts,
    /// Older ones that were damaged, and are removed.
    pub damaged: Vec<DamagedSnapshot>,
}

impl Snapshots {
    pub(super) fn new(place: Place) -> Snapshots {
        let Place { disk, entropy, folder, keys, space, margin, lock } = place;
        let (taking, strippable) = (Mutex::default(), AtomicU64::new(0));
        let shared = Shared { disk, entropy, folder, keys, space, margin, taking, strippable, _lock: lock };
        Snapshots { shared: Arc::new(shared) }
    }

    /// Takes a snapshot of a directory value and keeps the last two. One at a time; the value is read piece by piece, nothing of it is
    /// copied as a whole. `position` is where the journal was when the value was published. `go_on` is asked now and then: where it says
    /// no, what was written is given up.
    pub fn take(&self, directory: &Directory, position: &Position, go_on: &dyn Fn() -> bool) -> Result<Taken, StoreError> {
        let shared = &*self.shared;
        let _one_at_a_time = shared.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if directory.digest() != position.digest {
            return Err(StoreError::Content("the directory is not the one of this sequence".to_owned()));
        }
        shared.remove_unfinished()?;
        let path = shared.folder.join(snapshot_name(position.sequence));
        let reading = GoOn { go_on, room: None, path: &path };
        let writing = GoOn { go_on, room: Some((&shared.space, shared.margin)), path: &path };
        let facts = match shared.verified(&path, &reading) {
            Ok(facts) if facts.position == *position => facts,
            _ => shared.write(directory, position, &path, &writing)?,
        };
        let damaged = shared.keep_the_last(&path, &reading)?;
        Ok(Taken { facts, damaged })
    }

    /// An error where the disk has no room for one of so many octets beside a journal that goes on.
    pub fn check_room(&self, octets: u64) -> Result<(), StoreError> {
        let Shared { space, margin, folder, .. } = &*self.shared;
        if space.allows(octets.saturating_add(*margin)) { Ok(()) } else { Err(full(folder)) }
    }

    /// Changes of frames up to this sequence are needed by no snapshot that is kept: both were found whole, and the older one holds
    /// what those frames did. 0 before that is known. What is above is needed to rebuild from the older one.
    pub fn strippable(&self) -> u64 {
        self.shared.strippable.load(Ordering::Acquire)
    }

    /// The snapshots that are sealed under another key than the one in force; damaged ones left out.
    pub(super) fn outdated(&self) -> Result<Vec<PathBuf>, StoreError> {
        let shared = &*self.shared;
        let is_outdated = |path: &PathBuf| {
            let opened = SnapshotFile::open(Arc::clone(&shared.disk), path, &shared.keys);
            opened.is_ok_and(|file| !shared.keys.is_current(&file.identity().key_check))
        };
        let found = list(&*shared.disk, &shared.folder)?.into_iter().map(|(_, path)| path);
        Ok(found.filter(is_outdated).collect())
    }

    /// Writes a snapshot anew under the key in force: beside the old one, read back, renamed. `go_on` as in [`Snapshots::take`].
    pub(super) fn reseal(&self, path: &Path, go_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        let shared = &*self.shared;
        let _one_at_a_time = shared.taking.lock().unwrap_or_else(PoisonError::into_inner);
        shared.remove_unfinished()?;
        let old = SnapshotFile::open(Arc::clone(&shared.disk), path, &shared.keys)?;
        let go_on = GoOn { go_on, room: Some((&shared.space, shared.margin)), path };
        let position = *old.position();
        let written = shared
            .write_rows(&position, path, &go_on, &mut |writer| old.read::<StoreError>(&mut |row, _| writer.put(&row)).map(drop));
        written.map(drop)
    }

    /// Reads every snapshot there is whole, the newest first.
    pub fn check(&self) -> Result<Vec<Result<SnapshotFacts, StoreError>>, StoreError> {
        let shared = &*self.shared;
        let paths = list(&*shared.disk, &shared.folder)?;
        Ok(paths.iter().map(|(_, path)| shared.verified(path, &GoOn { go_on: &|| true, room: None, path })).collect())
    }

    /// The sequence of the newest snapshot there is, whole or not.
    pub fn newest(&self) -> Option<u64> {
        list(&*self.shared.disk, &self.shared.folder).ok()?.first().map(|(sequence, _)| *sequence)
    }

    /// How long its file is; 0 where there is none.
    pub fn newest_octets(&self) -> u64 {
        let Shared { disk, folder, .. } = &*self.shared;
        let newest = list(&**disk, folder).ok().and_then(|snapshots| snapshots.into_iter().next());
        newest.and_then(|(_, path)| disk.length(&path).ok()).unwrap_or(0)
    }
}

impl Shared {
    fn write(
        &self,
        directory: &Directory,
        position: &Position,
        path: &Path,
        go_on: &GoOn<'_>,
    ) -> Result<SnapshotFacts, StoreError> {
        self.write_rows(position, path, go_on, &mut |writer| directory.rows().try_for_each(|row| writer.put(&row)))
    }

    /// `rows` hands over all of them.
    fn write_rows(
        &self,
        position: &Position,
        path: &Path,
        go_on: &GoOn<'_>,
        rows: &mut dyn FnMut(&mut write::Writer<'_>) -> Result<(), StoreError>,
    ) -> Result<SnapshotFacts, StoreError> {
        let unfinished = path.with_extension("new");
        let written = write::write(self, rows, position, &unfinished, go_on).and_then(|()| {
            let facts = self.verified(&unfinished, go_on)?;
            self.disk.rename(&unfinished, path).map_err(|error| StoreError::Io { path: path.to_owned(), error })?;
            Ok(SnapshotFacts { name: name_of(path), ..facts })
        });
        written.inspect_err(|_| {
            // Room for others; what stays is removed before the next one.
            let _ = self.disk.remove(&unfinished);
        })
    }

    /// Reads a snapshot whole and recomputes its digest.
    fn verified(&self, path: &Path, go_on: &GoOn<'_>) -> Result<SnapshotFacts, StoreError> {
        let file = SnapshotFile::open(Arc::clone(&self.disk), path, &self.keys)?;
        file.verify(&self.keys.digest_key(), &|| go_on.check())
    }

    fn remove_unfinished(&self) -> Result<(), StoreError> {
        let io = |error| StoreError::Io { path: self.folder.clone(), error };
        let paths = match self.disk.list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.create_folder(&self.folder).map_err(io)?;
                Vec::new()
            }
            listed => listed.map_err(io)?,
        };
        for path in paths {
            let name = name_of(&path);
            if name.starts_with(PREFIX) && name.ends_with(UNFINISHED) {
                self.disk.remove(&path).map_err(|error| StoreError::Io { path, error })?;
            }
        }
        Ok(())
    }

    /// Removes all but the new one and the newest before it that is whole.
    fn keep_the_last(&self, new: &Path, go_on: &GoOn<'_>) -> Result<Vec<DamagedSnapshot>, StoreError> {
        let (mut kept, mut damaged) = (1, Vec::new());
        for (sequence, path) in list(&*self.disk, &self.folder)? {
            if path == new {
                continue;
            }
            if kept < SNAPSHOTS_KEPT {
                match self.verified(&path, go_on) {
                    Ok(_) => {
                        kept += 1;
                        if kept == SNAPSHOTS_KEPT {
                            self.strippable.store(sequence, Ordering::Release);
                        }
                        continue;
                    }
                    Err(StoreError::Snapshot { name, problem }) => damaged.push(DamagedSnapshot { name, problem }),
                    Err(error) => return Err(error),
                }
            }
            self.disk.remove(&path).map_err(|error| StoreError::Io { path, error })?;
        }
        Ok(damaged)
    }
}

/// `snapshot-00000000000000000042`
pub(super) fn snapshot_name(sequence: u64) -> String {
    format!("{PREFIX}{sequence:020}")
}

/// The sequence in a snapshot's name.
pub(super) fn sequence_of(path: &Path) -> Option<u64> {
    sequence_of_name(&name_of(path))
}

fn sequence_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    (digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The snapshots of a folder, the newest first; none where there is no folder.
pub(super) fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let paths = match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(|error| StoreError::Io { path: folder.to_owned(), error })?,
    };
    let mut found: Vec<(u64, PathBuf)> =
        paths.into_iter().filter_map(|path| Some((sequence_of_name(path.file_name()?.to_str()?)?, path))).collect();
    found.sort_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
    Ok(found)
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> StoreError {
    StoreError::Snapshot { name: name_of(path), problem: problem.into() }
}

/// A file that the disk does not give back is a damaged one.
fn unreadable(path: &Path, error: io::Error) -> StoreError {
    if is_of_medium(&error) { damaged(path, error.to_string()) } else { StoreError::Io { path: path.to_owned(), error } }
}

fn full(path: &Path) -> StoreError {
    let error = io::Error::new(io::ErrorKind::StorageFull, "the disk is full");
    StoreError::Io { path: path.to_owned(), error }
}

/// What binds a piece to its place.
fn associated(number: u64, is_last: bool, header_check: &[u8]) -> Vec<u8> {
    [&number.to_le_bytes(), &[u8::from(is_last)][..], header_check].concat()
}

fn nonce(number: u64) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [0, 0, 0, 0, a, b, c, d, e, f, g, h]
}
