//! The check of every start: memory is filled from the checkpoint, compared with what the checkpoint and the journal say of it, and
//! brought up to date with the frames behind it. A checkpoint that fails is set aside, and a new one is made from the newest snapshot and the
//! frames since.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::checkpoint::{Follower, merge};
use super::content::{Content, PROGRESS_STEP, content_at, decode, proven_beside_sled, replay, report};
use super::fill::guarded;
use super::open::{Folder, sync_real_folder};
use super::reader::JournalEnd;
use super::rows::{Meta, Rows, RowsError, wait_until_free};
use super::{Checkpoint, Progress, StartNote, StoreError};
use crate::directory::{Change, Digest, Directory, Row};

/// Checkpoints set aside that are kept.
const SET_ASIDE_KEPT: usize = 2;
/// Rows that are handed over at once while memory is filled, …
const SCAN_PART: usize = 256;
/// … and how often that is done before the reader waits.
const SCAN_AHEAD: usize = 4;

pub(super) struct Recovery<'a> {
    folder: &'a Folder<'a>,
    notes: &'a mut Vec<StartNote>,
    progress: &'a mut dyn FnMut(Progress),
    /// Up to here the mark, the checkpoint and the newest snapshot prove the journal to have been durable, whatever is wrong with their rows.
    proven: u64,
}

pub(super) struct Recovered {
    pub(super) directory: Directory,
    pub(super) checkpoint: Checkpoint,
    pub(super) end: JournalEnd,
}

/// Why going on is impossible: the checkpoint can be made anew, anything else cannot.
enum Trouble {
    Checkpoint(String),
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<RowsError> for Trouble {
    fn from(error: RowsError) -> Trouble {
        Trouble::Checkpoint(error.0)
    }
}

impl<'a> Recovery<'a> {
    pub(super) fn new(
        folder: &'a Folder<'a>,
        notes: &'a mut Vec<StartNote>,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Recovery<'a> {
        Recovery { folder, notes, progress, proven: 0 }
    }

    pub(super) fn run(mut self) -> Result<Recovered, StoreError> {
        self.proven = proven_beside_sled(self.folder)?;
        match self.load_checkpoint() {
            Ok((rows, directory, meta)) => match self.follow(rows, directory, meta) {
                Err(Trouble::Checkpoint(reason)) => self.rebuild(reason),
                Err(Trouble::Store(error)) => Err(error),
                Ok(recovered) => Ok(recovered),
            },
            Err(Trouble::Checkpoint(reason)) => self.rebuild(reason),
            Err(Trouble::Store(error)) => Err(error),
        }
    }

    /// Opens sled, makes it whole where a crash left it in the middle of something, and fills memory from it.
    fn load_checkpoint(&mut self) -> Result<(Rows, Directory, Meta), Trouble> {
        let sled = self.folder.sled_folder();
        if !wait_until_free(&sled) {
            return Err(StoreError::Locked(sled).into());
        }
        let mut rows = guarded(|| self.open_rows(false))?;
        let meta = rows.meta().ok_or(Trouble::Checkpoint("the checkpoint is empty".to_owned()))?;
        self.proven = self.proven.max(meta.target);
        if meta.applied != meta.target {
            self.complete(&mut rows, meta)?;
        }
        let meta = rows.meta().unwrap_or_default();
        let mut directory = self.folder.empty_directory()?;
        self.scan(&rows, &mut directory, meta.rows)?;
        // sled keeps most of what it was made to read: memory for the indexes, if it is given back before they are built.
        guarded(|| {
            drop(rows);
            Ok(())
        })?;
        directory.finish_loading().map_err(|error| Trouble::Checkpoint(error.to_string()))?;
        check_references(&directory)?;
        if directory.digest().to_bytes() != meta.digest {
            return Err(Trouble::Checkpoint("the content's digest is not the one written with it".to_owned()));
        }
        if !wait_until_free(&sled) {
            return Err(StoreError::Locked(sled).into());
        }
        let rows = guarded(|| self.open_rows(false))?;
        if rows.meta() != Some(meta) {
            return Err(Trouble::Checkpoint("it changed while it was read".to_owned()));
        }
        Ok((rows, directory, meta))
    }

    fn open_rows(&self, may_be_new: bool) -> Result<Rows, RowsError> {
        let Folder { keys, options, .. } = self.folder;
        let sled = self.folder.sled_folder();
        if !may_be_new && !sled.join("db").exists() {
            return Err(RowsError("the checkpoint is not there".to_owned()));
        }
        Rows::open(&sled, keys, &*options.entropy, may_be_new)
    }

    /// Applies anew the frames that were being applied when the last process ended.
    fn complete(&self, rows: &mut Rows, meta: Meta) -> Result<(), Trouble> {
        let mut changes = Vec::new();
        let mut digest = None;
        self.folder.reader()?.read::<StoreError>(meta.applied.saturating_add(1), self.proven, &mut |group| {
            if group.last() > meta.applied && group.last() <= meta.target {
                digest = Some(group.header.digest);
                changes.extend(decode(&group, &group.frames)?);
            }
            Ok(())
        })?;
        let digest = digest.ok_or(Trouble::Checkpoint("the journal has no group for the checkpoint's sequence".to_owned()))?;
        let digest_key = self.folder.digest_key()?;
        guarded(|| {
            rows.apply(merge(changes.into_iter(), &digest_key), meta.target, digest)?;
            rows.flush()
        })?;
        Ok(())
    }

    /// One thread reads and unseals, another fills memory.
    fn scan(&mut self, rows: &Rows, directory: &mut Directory, total: u64) -> Result<(), Trouble> {
        let (read, waiting) = sync_channel::<Vec<Row>>(SCAN_AHEAD);
        let progress = &mut *self.progress;
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || guarded(|| scan_in_parts(rows, &read)));
            let (mut done, mut reported) = (0u64, 0);
            for part in waiting {
                done += part.len() as u64;
                if done / PROGRESS_STEP != reported / PROGRESS_STEP {
                    progress(Progress { done, total: Some(total) });
                    reported = done;
                }
                for row in part {
                    directory.load_row(row.clone()).map_err(|error| match directory.schema_mismatch_of_row(&row) {
                        // The journal would say the same: it is not the checkpoint that is wrong.
                        Some(problem) => Trouble::Store(StoreError::Schema(problem)),
                        None => Trouble::Checkpoint(error.to_string()),
                    })?;
                }
            }
            Ok(reading.join().unwrap_or_else(|_| Err(RowsError("reading broke down".to_owned())))?)
        })
    }

    /// Compares the checkpoint with the journal's word for its sequence and applies what is newer.
    fn follow(&mut self, rows: Rows, mut directory: Directory, meta: Meta) -> Result<Recovered, Trouble> {
        let reader = self.folder.reader()?;
        let checkpoint = self.start(rows)?;
        let mut agrees = meta.applied == 0 && directory.digest() == Digest::default();
        let mut frames = 0;
        let mut newest: Option<(u64, Vec<Change>, Digest)> = None;
        let progress = &mut *self.progress;
        let end = reader.read(meta.applied, self.proven, &mut |group| {
            let last = group.last();
            if last <= meta.applied {
                agrees |= last == meta.applied && group.header.digest == meta.digest;
                return Ok(());
            }
            if !agrees {
                return Err(Trouble::Checkpoint("the journal says another digest for the checkpoint's sequence".to_owned()));
            }
            if group.restores.is_some() {
                return Err(Trouble::Checkpoint("it is older than a restore".to_owned()));
            }
            let changes = replay(&group, &mut directory)?;
            // A group behind it shows that this one was durable; the last one waits until it is.
            if let Some((through, changes, digest)) = newest.replace((last, changes, directory.digest())) {
                checkpoint.submit(through, changes, digest, Checkpoint::LONG_WAIT);
            }
            frames += group.frames.len() as u64;
            report(progress, frames, group.frames.len());
            Ok(())
        })?;
        if !agrees {
            return Err(Trouble::Checkpoint("the journal says another digest for the checkpoint's sequence".to_owned()));
        }
        end.clean(&*self.folder.options.disk)?;
        if let Some((through, changes, digest)) = newest {
            checkpoint.submit(through, changes, digest, Checkpoint::LONG_WAIT);
        }
        if frames > 0 {
            self.notes.push(StartNote::Replayed { frames });
        }
        Ok(Recovered { directory, checkpoint, end })
    }

    /// Makes memory from a snapshot and the journal, or from the journal alone, and a new checkpoint from memory.
    fn rebuild(&mut self, reason: String) -> Result<Recovered, StoreError> {
        let made = content_at(self.folder, None, self.proven, self.notes, self.progress)?;
        let Content { directory, end, snapshot, frames } = made;
        check_references(&directory)?;
        // A checkpoint proves what it holds to have been durable: the journal's end must be so first.
        end.clean(&*self.folder.options.disk)?;
        // Only now, when content could be made, the old checkpoint is moved out of the way.
        let set_aside = self.set_aside()?;
        let rows = self.fill(&directory, end.end.sequence)?;
        let checkpoint = self.start(rows)?;
        self.notes.push(StartNote::Rebuilt { reason, set_aside, snapshot, frames });
        Ok(Recovered { directory, checkpoint, end })
    }

    fn start(&self, rows: Rows) -> Result<Checkpoint, StoreError> {
        let follower = Follower {
            sled: self.folder.sled(),
            journal: self.folder.journal(),
            space: self.folder.space(),
            digest_key: self.folder.digest_key()?,
            clock: Arc::clone(&self.folder.options.clock),
        };
        let started = Checkpoint::start(rows, follower, Arc::clone(&self.folder.lock));
        started.map_err(|error| StoreError::Io { path: self.folder.sled_folder(), error })
    }

    fn fill(&mut self, directory: &Directory, through: u64) -> Result<Rows, StoreError> {
        let progress = &mut *self.progress;
        let filled = self.folder.sled().fill(directory, through, &mut |done| {
            progress(Progress { done, total: None });
            true
        });
        filled.map_err(|error| StoreError::Content(format!("{}: {error}", self.folder.sled_folder().display())))
    }

    /// Renames the sled folder to `sled.aside-N` and drops the oldest such folders. Where there is none the name is still taken.
    fn set_aside(&self) -> Result<PathBuf, StoreError> {
        let data = &self.folder.options.data;
        let sled = self.folder.sled_folder();
        let error = |path: &PathBuf| {
            let path = path.clone();
            move |error| StoreError::Io { path, error }
        };
        let mut numbers: Vec<u64> = std::fs::read_dir(data)
            .map_err(error(data))?
            .flatten()
            .filter_map(|item| item.file_name().to_str()?.strip_prefix("sled.aside-")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let path_of = |number: u64| data.join(format!("sled.aside-{number}"));
        let target = path_of(numbers.last().map_or(1, |last| last.saturating_add(1)));
        match std::fs::rename(&sled, &target) {
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(error(&sled))?,
        }
        for number in numbers.iter().rev().skip(SET_ASIDE_KEPT.saturating_sub(1)) {
            let old = path_of(*number);
            std::fs::remove_dir_all(&old).map_err(error(&old))?;
        }
        sync_real_folder(data)?;
        Ok(target)
    }
}

fn check_references(directory: &Directory) -> Result<(), StoreError> {
    directory.undefined_reference().map_or(Ok(()), |problem| Err(StoreError::Schema(problem)))
}

/// Ends early when nobody takes the rows any more.
fn scan_in_parts(rows: &Rows, read: &SyncSender<Vec<Row>>) -> Result<(), RowsError> {
    let nobody = |_| RowsError("the rows are not wanted any more".to_owned());
    let mut part = Vec::with_capacity(SCAN_PART);
    rows.scan(&mut |row| {
        part.push(row);
        if part.len() == SCAN_PART {
            read.send(std::mem::replace(&mut part, Vec::with_capacity(SCAN_PART))).map_err(nobody)?;
        }
        Ok(())
    })?;
    read.send(part).map_err(nobody)
}
