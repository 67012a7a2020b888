//! Rotation of the seal key: everything in the data folder is sealed anew under another key, file by file, while it is used.
//!
//! ```text
//! draw the next key ─► `format` names it ─► new segments are under it ─► snapshots ─► closed segments ─► checkpoint ─► key file
//!  (seal.key.next)      (begun from here)                                                                (the old one: seal.key.retired-…)
//! ```
//! There is no list of what is done: each file says in its header which key it is under. A rotation that broke off anywhere is one that is
//! under way, and goes on with the next start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::checkpoint::CheckpointWatch;
use super::keys::{KeyFiles, Keys, name_of_check};
use super::open::{Folder, key_files, seal_key};
use super::rewrite::Rewriter;
use super::seal::SealKey;
use super::space::Space;
use super::{Snapshots, StoreError};
use crate::journal::to_hex;
use crate::world::{Disk, Entropy};

/// Seals a data folder under another key. Clones share it.
#[derive(Clone)]
pub struct Rotation {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    entropy: Arc<dyn Entropy>,
    data: PathBuf,
    keys: Keys,
    files: Option<KeyFiles>,
    rewriter: Rewriter,
    snapshots: Snapshots,
    checkpoint: CheckpointWatch,
    space: Space,
    margin: u64,
    state: Mutex<State>,
    left: AtomicU64,
}

#[derive(Default)]
struct State {
    under_way: bool,
    /// The key that the rotation leads away from; none where only single files are under another key than the one in force.
    old: Option<SealKey>,
    files: u64,
    /// Files that cannot be read whole, and why: they stay as they are.
    skipped: BTreeMap<PathBuf, String>,
}

/// From which key to which: their checks in hex, which say nothing of the keys but whether one is the right one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyChange {
    /// The key before.
    pub old: String,
    /// The key in force.
    pub new: String,
}

/// What one step of a rotation did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RotationStep {
    /// There is nothing to do.
    Idle,
    /// A file is sealed anew.
    Resealed(String),
    /// The journal's last segment is under an older key: the next record begins another one.
    WantsRecord,
    /// The checkpoint is being made anew.
    Waits,
    /// Everything is sealed under the new key.
    Done(Rotated),
}

/// A rotation that is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// From which key to which; none: files that were under older keys are under the one in force now.
    pub change: Option<KeyChange>,
    /// Files sealed anew by this process.
    pub files: u64,
    /// Files that are damaged and stay under the older key, and why.
    pub skipped: Vec<String>,
    /// Where the old key is kept.
    pub retired: Option<PathBuf>,
}

impl Rotation {
    /// Of a folder that is being opened. Removes what a rotation left unfinished.
    pub(super) fn new(folder: &Folder<'_>, snapshots: Snapshots, checkpoint: CheckpointWatch) -> Result<Rotation, StoreError> {
        let options = folder.options;
        let rewriter = Rewriter { source: folder.journal(), entropy: Arc::clone(&options.entropy) };
        rewriter.remove_unfinished()?;
        let files = key_files(options);
        let is_begun = files.as_ref().map(KeyFiles::next).transpose()?.flatten().is_some();
        let old = if is_begun { Some(seal_key(options)?) } else { None };
        let rotation = Rotation {
            shared: Arc::new(Shared {
                disk: Arc::clone(&options.disk),
                entropy: Arc::clone(&options.entropy),
                data: options.data.clone(),
                keys: folder.keys.clone(),
                files,
                rewriter,
                snapshots,
                checkpoint,
                space: folder.space(),
                margin: folder.segment_octets.saturating_mul(2),
                state: Mutex::new(State { under_way: is_begun, old, ..State::default() }),
                left: AtomicU64::new(0),
            }),
        };
        let outdated = rotation.shared.outdated()?;
        let is_under_way = is_begun || !outdated.files.is_empty() || outdated.last || outdated.checkpoint;
        if is_under_way {
            rotation.shared.count(&outdated);
        }
        rotation.shared.lock().under_way = is_under_way;
        Ok(rotation)
    }

    /// Draws another key and puts it in force: what is written from here on is sealed under it, the rest is [`Rotation::step`]'s. Where a
    /// rotation is under way, that is the one.
    pub fn begin(&self) -> Result<KeyChange, StoreError> {
        let Some(files) = &self.shared.files else {
            return Err(StoreError::Content(
                "the seal key is in the environment, where no program can change it: put it into a file, name that as keys.seal in bindery.toml, \
                 start again, and rotate it then"
                    .to_owned(),
            ));
        };
        let mut state = self.shared.lock();
        if state.old.is_none() {
            state.old = Some(self.shared.keys.sealing().key.clone());
            state.files = 0;
        }
        let begun = files.draw_next(&*self.shared.entropy).and_then(|next| self.shared.put_in_force(&next));
        if begun.is_err() && files.next().is_ok_and(|next| next.is_none()) {
            state.old = None;
        }
        begun?;
        state.under_way = true;
        let outdated = self.shared.outdated()?;
        self.shared.count(&outdated);
        self.shared.change(&state)?.ok_or_else(|| StoreError::Content("no rotation is under way".to_owned()))
    }

    /// For a start: whether a rotation goes on, and from which key to which.
    pub fn resume(&self) -> Result<Option<KeyChange>, StoreError> {
        let state = self.shared.lock();
        self.shared.go_on_with_next(&state)?;
        self.shared.change(&state)
    }

    /// Whether files are to be sealed anew.
    pub fn is_under_way(&self) -> bool {
        self.shared.lock().under_way
    }

    /// How many files are not under the key in force, the checkpoint and the key's file among them; as of the last step.
    pub fn left(&self) -> u64 {
        self.shared.left.load(Ordering::Acquire)
    }

    /// Seals one file anew. An error leaves everything as it was; it can be tried again. `go_on` is asked now and then.
    pub fn step(&self, go_on: &dyn Fn() -> bool) -> Result<RotationStep, StoreError> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        if !state.under_way {
            return Ok(RotationStep::Idle);
        }
        shared.go_on_with_next(&state)?;
        let outdated = shared.outdated()?;
        let left = shared.count(&outdated);
        if let Some(path) = outdated.files.iter().find(|path| !state.skipped.contains_key(*path)) {
            let length = shared.disk.length(path).map_err(|error| StoreError::Io { path: path.clone(), error })?;
            if !shared.space.allows(length.saturating_add(shared.margin)) {
                let error = std::io::Error::new(std::io::ErrorKind::StorageFull, "no room to seal it anew");
                return Err(StoreError::Io { path: path.clone(), error });
            }
            return match shared.reseal(path, go_on) {
                Ok(done) => {
                    state.files += u64::from(done);
                    shared.left.store(left.saturating_sub(u64::from(done)), Ordering::Release);
                    Ok(if done { RotationStep::Resealed(name(path)) } else { RotationStep::Waits })
                }
                Err(error @ (StoreError::Damaged { .. } | StoreError::Snapshot { .. })) => {
                    state.skipped.insert(path.clone(), error.to_string());
                    Ok(RotationStep::Waits)
                }
                Err(error) => Err(error),
            };
        }
        if outdated.last {
            return Ok(RotationStep::WantsRecord);
        }
        if outdated.checkpoint {
            shared.checkpoint.reseal();
            return Ok(RotationStep::Waits);
        }
        shared.finish(&mut state).map(RotationStep::Done)
    }
}

/// What is not under the key in force.
struct Outdated {
    /// Snapshots and closed segments.
    files: Vec<PathBuf>,
    /// The journal's last file.
    last: bool,
    checkpoint: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_in_force(&self, next: &SealKey) -> Result<(), StoreError> {
        self.keys.advance(next, &*self.disk, &self.data)
    }

    /// A rotation that broke off between drawing the key and putting it in force.
    fn go_on_with_next(&self, state: &State) -> Result<(), StoreError> {
        let Some(files) = self.files.as_ref().filter(|_| state.old.is_some()) else { return Ok(()) };
        files.next()?.map_or(Ok(()), |next| self.put_in_force(&next))
    }

    fn change(&self, state: &State) -> Result<Option<KeyChange>, StoreError> {
        let identity = self.keys.identity();
        let Some(old) = &state.old else { return Ok(None) };
        Ok(Some(KeyChange { old: to_hex(&identity.check_of(old)?), new: to_hex(&identity.key_check) }))
    }

    fn outdated(&self) -> Result<Outdated, StoreError> {
        let mut files = self.snapshots.outdated()?;
        let mut last = false;
        let (reader, identity) = (self.rewriter.source.reader()?, self.keys.identity());
        for (path, header, is_last) in reader.files() {
            let is_ours = |header: &&super::header::SegmentHeader| header.identity.is_of(&identity);
            if header.filter(is_ours).is_some_and(|header| !self.keys.is_current(&header.identity.key_check)) {
                last |= is_last;
                files.extend((!is_last).then(|| path.to_owned()));
            }
        }
        let checkpoint = self.checkpoint.key_check().is_none_or(|key_check| !self.keys.is_current(&key_check));
        Ok(Outdated { files, last, checkpoint })
    }

    fn count(&self, outdated: &Outdated) -> u64 {
        let left =
            outdated.files.len().saturating_add(usize::from(outdated.last)).saturating_add(usize::from(outdated.checkpoint));
        // And the file of the key itself.
        let left = left.saturating_add(1) as u64;
        self.left.store(left, Ordering::Release);
        left
    }

    /// False: it was given up, and is as it was.
    fn reseal(&self, path: &PathBuf, go_on: &dyn Fn() -> bool) -> Result<bool, StoreError> {
        let reader = self.rewriter.source.reader()?;
        let Some((_, Some(header), _)) = reader.files().into_iter().find(|(segment, ..)| segment == path) else {
            return self.snapshots.reseal(path, go_on).map(|()| true);
        };
        self.rewriter.reseal(&reader, path, header, go_on)
    }

    fn finish(&self, state: &mut State) -> Result<Rotated, StoreError> {
        let change = self.change(state)?;
        let mut retired = None;
        if let (Some(files), Some(old)) = (&self.files, &state.old)
            && files.next()?.is_some()
        {
            let name = name_of_check(&self.keys.identity().check_of(old)?);
            retired = Some(files.put_next_in_place(old, &name)?);
        }
        let skipped: Vec<String> = std::mem::take(&mut state.skipped).into_values().collect();
        if skipped.is_empty() {
            self.keys.forget_others();
        }
        let files = state.files;
        *state = State::default();
        self.left.store(0, Ordering::Release);
        Ok(Rotated { change, files, skipped, retired })
    }
}

fn name(path: &std::path::Path) -> String {
    super::snapshot::name_of(path)
}
