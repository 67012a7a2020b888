//! The checkpoint's thread: applies, rests, catches up, makes a new sled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Group, QUEUE_CHANGES, Request, Shared, merge};
use crate::directory::Directory;
use crate::store::StoreError;
use crate::store::content::decode;
use crate::store::fill::{SledPlace, guarded};
use crate::store::reader::JournalSource;
use crate::store::rows::{Rows, RowsError, wait_until_free};
use crate::store::space::Space;
use crate::world::Clock;

/// How long changes are gathered before they are written: rows that change again meanwhile are written once.
const GATHER: Duration = Duration::from_millis(300);
/// While more is waiting, the time between two flushes, in microseconds, …
const FLUSH_MICROSECONDS: u64 = 1_000_000;
/// … and the octets.
const FLUSH_OCTETS: usize = 64 * 1024 * 1024;
/// Changes read from the journal that are applied at once.
const CATCH_UP_CHANGES: usize = 8192;
/// Records that may be missing when groups queue again: they are read while the queue fills.
const CATCH_UP_REST: u64 = QUEUE_CHANGES as u64 / 2;
/// How often a resting checkpoint looks whether there is room, and how long it waits before it makes a new sled the first time, …
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … and at most.
const RETRY_LAST: Duration = Duration::from_secs(60);

/// What the thread works with.
pub(in crate::store) struct Follower {
    pub(in crate::store) sled: SledPlace,
    pub(in crate::store) journal: JournalSource,
    pub(in crate::store) space: Space,
    pub(in crate::store) digest_key: [u8; 32],
    pub(in crate::store) clock: Arc<dyn Clock>,
}

/// Why reading the journal was broken off.
enum Halt {
    /// Everything that was asked for is there.
    Enough,
    /// The thread is to end.
    Stopped,
    Rows(RowsError),
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Halt {
        Halt::Store(error)
    }
}

impl From<RowsError> for Halt {
    fn from(error: RowsError) -> Halt {
        Halt::Rows(error)
    }
}

impl Follower {
    pub(super) fn run(&self, shared: &Shared, rows: Rows) {
        self.work(shared, rows);
        shared.lock().ended = true;
        shared.room.notify_all();
    }

    fn work(&self, shared: &Shared, mut rows: Rows) {
        loop {
            let wait = match guarded(|| self.follow(shared, &mut rows)) {
                Ok(()) if !shared.begin_reseal() => break,
                Ok(()) => Duration::ZERO,
                Err(error) => {
                    shared.fail(&error);
                    RETRY_FIRST
                }
            };
            // sled writes once more when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(rows)));
            rows = match self.make_anew(shared, wait) {
                Some(rows) => rows,
                None => return,
            };
        }
        let _ = catch_unwind(AssertUnwindSafe(|| drop(rows)));
    }

    /// Until it is time to end, or to be made anew under another key. An error is sled's: what it holds is not to be trusted any more.
    fn follow(&self, shared: &Shared, rows: &mut Rows) -> Result<(), RowsError> {
        let mut last_flush = self.clock.monotonic();
        let mut unflushed = 0usize;
        loop {
            if shared.lock().behind && !self.catch_up(shared, rows)? {
                return Ok(());
            }
            if shared.lock().is_resealed() {
                return Ok(());
            }
            let Some(mut groups) = shared.take(unflushed > 0) else { return Ok(()) };
            // One that waited for room in the queue while the journal was read may be there already.
            let applied = rows.meta().map_or(0, |meta| meta.applied);
            groups.retain(|group| group.through > applied);
            let octets = groups.iter().map(|group| group.octets).sum::<usize>();
            if !self.wait_for_room(shared, octets) {
                return Ok(());
            }
            unflushed = unflushed.saturating_add(octets).max(1);
            if let Some(last) = groups.last() {
                let (through, digest) = (last.through, last.digest.to_bytes());
                let changes = groups.into_iter().flat_map(|group| group.changes);
                rows.apply(merge(changes, &self.digest_key), through, digest)?;
            }
            let due = self.clock.monotonic().saturating_sub(last_flush) >= FLUSH_MICROSECONDS || unflushed >= FLUSH_OCTETS;
            if due || shared.lock().groups.is_empty() {
                shared.flush(rows)?;
                last_flush = self.clock.monotonic();
                unflushed = 0;
            }
        }
    }

    /// Rests while there is no room for so many octets. False when it is time to end.
    fn wait_for_room(&self, shared: &Shared, octets: usize) -> bool {
        // sled writes more than it is given.
        let octets = octets.saturating_mul(2) as u64;
        let mut rested = false;
        while !self.space.allows_checkpoint(octets) {
            if !rested {
                rested = true;
                shared.rest("the disk is full");
            }
            if shared.pause(RETRY_FIRST) {
                return false;
            }
        }
        if rested {
            shared.go_on();
        }
        true
    }

    /// Reads what is missing from the journal. Groups queue again before the last of it is read: under load there is always more. False
    /// when it is time to end.
    fn catch_up(&self, shared: &Shared, rows: &mut Rows) -> Result<bool, RowsError> {
        let mut seen_at = None;
        loop {
            let (target, is_last) = {
                let mut queue = shared.lock();
                if queue.stop {
                    return Ok(false);
                }
                let applied = rows.meta().map_or(0, |meta| meta.applied);
                let is_last = queue.newest.saturating_sub(applied) <= CATCH_UP_REST;
                queue.behind = !is_last;
                (queue.newest, is_last)
            };
            match self.read_up_to(shared, rows, target) {
                Ok(()) | Err(Halt::Enough) => shared.flush(rows)?,
                Err(Halt::Stopped) => return Ok(false),
                // A file read while it is made may look damaged. Damage stays where it is.
                Err(Halt::Store(StoreError::Damaged { sequence, .. })) if seen_at != Some(sequence) => seen_at = Some(sequence),
                Err(Halt::Rows(error)) => return Err(error),
                Err(Halt::Store(error)) => return Err(RowsError(format!("catching up with the journal: {error}"))),
            }
            if !is_last {
                continue;
            }
            let applied = rows.meta().map_or(0, |meta| meta.applied);
            let mut queue = shared.lock();
            if applied < target {
                // The next segment was just being made.
                queue.fall_behind();
            } else if !queue.behind {
                queue.trouble = None;
                tracing::info!(sequence = applied, "the checkpoint is up to date again");
                return Ok(true);
            }
        }
    }

    fn read_up_to(&self, shared: &Shared, rows: &mut Rows, target: u64) -> Result<(), Halt> {
        let from = rows.meta().map_or(0, |meta| meta.applied);
        if from >= target {
            return Ok(());
        }
        let mut changes = Vec::new();
        let read = self.journal.reader()?.read(from.saturating_add(1), target, &mut |group| {
            let last = group.last();
            if last <= from {
                return Ok(());
            }
            if group.restores.is_some() {
                return Err(RowsError("a restore lies between".to_owned()).into());
            }
            changes.extend(decode(&group, &group.frames)?);
            if changes.len() >= CATCH_UP_CHANGES || last >= target {
                if !self.wait_for_room(shared, group.frames.iter().map(|frame| frame.changes.len()).sum()) {
                    return Err(Halt::Stopped);
                }
                let changes = std::mem::take(&mut changes).into_iter();
                rows.apply(merge(changes, &self.digest_key), last, group.header.digest)?;
                shared.moves();
            }
            if last >= target { Err(Halt::Enough) } else { Ok(()) }
        });
        read.map(drop)
    }

    /// Makes a new sled from a directory value, again and again until it succeeds. None when it is time to end.
    fn make_anew(&self, shared: &Shared, mut wait: Duration) -> Option<Rows> {
        loop {
            if shared.pause(wait) {
                return None;
            }
            wait = wait.saturating_mul(2).clamp(RETRY_FIRST, RETRY_LAST);
            if !self.space.allows_again(0) {
                wait = RETRY_FIRST;
                continue;
            }
            let (directory, through) = shared.ask()?;
            match self.refill(shared, &directory, through) {
                Ok(rows) => return Some(rows),
                Err(error) => tracing::debug!(%error, "the checkpoint cannot be made anew yet"),
            }
        }
    }

    fn refill(&self, shared: &Shared, directory: &Directory, through: u64) -> Result<Rows, RowsError> {
        let folder = &self.sled.folder;
        if !wait_until_free(folder) {
            return Err(RowsError("sled's file is locked".to_owned()));
        }
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(RowsError(format!("{}: {error}", folder.display())));
            }
            Ok(()) | Err(_) => {}
        }
        let rows = self.sled.fill(directory, through, &mut |_| {
            shared.moves();
            !shared.lock().stop && self.space.allows_checkpoint(0)
        })?;
        shared.applied.store(through, Ordering::Release);
        shared.lock().key_check = Some(rows.key_check());
        Ok(rows)
    }
}

impl Shared {
    /// What to apply next; none when it is time to end. Gathers for a moment unless there is plenty or something waits for a flush.
    fn take(&self, in_a_hurry: bool) -> Option<Vec<Group>> {
        let queue = self.lock();
        let waits = self.work.wait_while(queue, |queue| queue.groups.is_empty() && !queue.is_wanted());
        let mut queue = waits.unwrap_or_else(PoisonError::into_inner);
        if !in_a_hurry {
            let waited = self.work.wait_timeout_while(queue, GATHER, |queue| !queue.is_urgent() && !queue.is_wanted());
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.groups.is_empty() && queue.stop {
            return None;
        }
        let groups = std::mem::take(&mut queue.groups);
        self.moves();
        (queue.changes, queue.octets) = (0, 0);
        self.room.notify_all();
        Some(groups.into())
    }

    fn flush(&self, rows: &Rows) -> Result<(), RowsError> {
        #[cfg(test)]
        {
            let held = self.lock().held.take();
            held.map(|held| held.recv());
        }
        #[cfg(test)]
        if std::mem::take(&mut self.lock().breaks) {
            return Err(RowsError("broken by a test".to_owned()));
        }
        rows.flush()?;
        self.moves();
        self.applied.store(rows.meta().map_or(0, |meta| meta.applied), Ordering::Release);
        Ok(())
    }

    /// Waits. Whether it is time to end.
    fn pause(&self, time: Duration) -> bool {
        let waited = self.work.wait_timeout_while(self.lock(), time, |queue| !queue.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    fn rest(&self, reason: &str) {
        let mut queue = self.lock();
        queue.resting = true;
        queue.trouble = Some(reason.to_owned());
        tracing::warn!(
            "the checkpoint rests, because {reason}; nothing is lost, the journal has what it lacks, and it goes on by itself"
        );
        self.room.notify_all();
    }

    fn go_on(&self) {
        let mut queue = self.lock();
        queue.resting = false;
        queue.trouble = None;
        tracing::info!("the checkpoint goes on");
    }

    fn fail(&self, error: &RowsError) {
        tracing::error!(
            %error,
            "the checkpoint cannot be written; nothing is lost, the journal goes on, and the checkpoint is made anew once the disk that \
             holds the data folder lets it: look after that disk"
        );
        let mut queue = self.lock();
        queue.trouble = Some(error.to_string());
        (queue.resting, queue.key_check) = (false, None);
        queue.fall_behind();
        self.room.notify_all();
    }

    /// Whether it is to be made anew; then what is queued is read from the journal afterwards.
    fn begin_reseal(&self) -> bool {
        let mut queue = self.lock();
        if !queue.is_resealed() {
            return false;
        }
        tracing::info!("the checkpoint is made anew under the new seal key");
        (queue.reseal, queue.key_check) = (false, None);
        queue.fall_behind();
        self.room.notify_all();
        true
    }

    /// A directory value from the one writer; none when it is time to end.
    fn ask(&self) -> Option<(Directory, u64)> {
        let mut queue = self.lock();
        queue.request = Request::Asked;
        let waits = self.work.wait_while(queue, |queue| matches!(queue.request, Request::Asked) && !queue.stop);
        let mut queue = waits.unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut queue.request) {
            Request::Answered(directory, through) => Some((*directory, through)),
            Request::None | Request::Asked => None,
        }
    }
}

impl super::Queue {
    /// Whether the thread has something else to do than to apply groups.
    fn is_wanted(&self) -> bool {
        self.stop || self.behind || self.reseal
    }

    /// Whether it is to be made anew under another key, and not to end.
    fn is_resealed(&self) -> bool {
        self.reseal && !self.stop
    }
}
