//! The sled checkpoint: follows the journal at a distance of at most a second, one thread, bounded queue.
//!
//! ```text
//!               no room on the disk             room again
//!   Following ─────────────────────► Resting ─────────────► Following, or, where the queue ran over meanwhile, Behind
//!       │ sled fails                                          ▲
//!       ▼                                                     │ up to date
//!    Broken ── room, a directory value: a new sled ──► Behind: what is missing is read from the journal
//! ```
//! The one writer never waits for a checkpoint that rests, is broken or behind, nor long for any other: what the queue has no room for stands
//! in the journal.

mod follower;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

pub(super) use follower::Follower;

use super::rows::Rows;
use crate::directory::{Change, Digest, Directory, Identifier, Membership, RowChange, Table};
use crate::world::Clock;

/// Changes that may wait before `submit` blocks.
pub(super) const QUEUE_CHANGES: usize = 65_536;
/// Octets that may wait before `submit` blocks.
pub(super) const QUEUE_OCTETS: usize = 64 * 1024 * 1024;
/// What an operator is told of a checkpoint that stands still.
const STANDS_STILL: &str = "it does not get on; the next start reads what it lacks from the journal: look after the disk that holds the data \
     folder, and restart the server when that suits";
/// A checkpoint with something to do that does nothing for so long stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handle on the checkpoint's thread. Dropped without [`Checkpoint::stop`] it stops too.
pub struct Checkpoint {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _lock: Arc<File>,
}

/// Tells how the checkpoint is, from any thread.
#[derive(Clone)]
pub struct CheckpointWatch(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Something to do for the thread.
    work: Condvar,
    /// Room in the queue.
    room: Condvar,
    applied: AtomicU64,
    clock: Arc<dyn Clock>,
    /// When the thread last finished something, in microseconds of the monotonic clock.
    moved: AtomicU64,
}

#[derive(Default)]
struct Queue {
    groups: VecDeque<Group>,
    changes: usize,
    octets: usize,
    stop: bool,
    /// The thread did.
    ended: bool,
    /// Last sequence submitted.
    newest: u64,
    /// The thread applies nothing for now: nobody waits for room in the queue.
    resting: bool,
    /// Groups were let go: the journal has them.
    behind: bool,
    request: Request,
    /// The seal key it is under; none while it is made anew.
    key_check: Option<[u8; 32]>,
    /// It is to be made anew under the key in force.
    reseal: bool,
    /// Why it does not follow, in words for an operator.
    trouble: Option<String>,
    /// The next round of the thread fails as if sled had.
    #[cfg(test)]
    breaks: bool,
    /// How long it may stand still in place of [`PATIENCE`].
    #[cfg(test)]
    patience: Option<Duration>,
    /// The next round of the thread waits for this.
    #[cfg(test)]
    held: Option<std::sync::mpsc::Receiver<()>>,
}

/// The thread asks the one writer for a directory value to make a new sled from.
#[derive(Default)]
enum Request {
    #[default]
    None,
    Asked,
    Answered(Box<Directory>, u64),
}

struct Group {
    through: u64,
    changes: Vec<Change>,
    octets: usize,
    digest: Digest,
}

impl Checkpoint {
    /// How long a writer that others wait for waits for room: a moment in which a disk that is only slow catches up.
    pub const SHORT_WAIT: Duration = Duration::from_millis(500);
    /// How long one that nobody waits for does.
    pub const LONG_WAIT: Duration = Duration::from_secs(60);

    pub(super) fn start(rows: Rows, follower: Follower, lock: Arc<File>) -> std::io::Result<Checkpoint> {
        let applied = rows.meta().map_or(0, |meta| meta.applied);
        let key_check = Some(rows.key_check());
        let queue = Mutex::new(Queue { newest: applied, key_check, ..Queue::default() });
        let clock = Arc::clone(&follower.clock);
        let moved = AtomicU64::new(clock.monotonic());
        let applied = AtomicU64::new(applied);
        let shared = Arc::new(Shared { queue, work: Condvar::new(), room: Condvar::new(), applied, clock, moved });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(move || follower.run(&theirs, rows))?;
        Ok(Checkpoint { shared, thread: Some(thread), _lock: lock })
    }

    /// Hands over what a durable group changed; waits for at most so long while the bounded queue is full. `through`: last sequence of the
    /// group.
    pub fn submit(&self, through: u64, changes: Vec<Change>, digest_after: Digest, most: Duration) {
        let octets = changes.iter().map(size_of_change).sum();
        let mut queue = self.shared.lock();
        queue.newest = through;
        if queue.is_full() {
            let no_room = |queue: &mut Queue| queue.is_full() && !queue.resting && !queue.behind;
            let waited = self.shared.room.wait_timeout_while(queue, most, no_room);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.is_full() {
            queue.fall_behind();
        }
        if queue.behind {
            self.shared.work.notify_one();
            return;
        }
        let was_idle = queue.groups.is_empty();
        if was_idle {
            self.shared.moves();
        }
        queue.changes = queue.changes.saturating_add(changes.len());
        queue.octets = queue.octets.saturating_add(octets);
        queue.groups.push_back(Group { through, changes, octets, digest: digest_after });
        if was_idle || queue.is_urgent() {
            self.shared.work.notify_one();
        }
    }

    /// Whether the thread waits for [`Checkpoint::renew`].
    pub fn wants_renewal(&self) -> bool {
        matches!(self.shared.lock().request, Request::Asked)
    }

    /// The directory as it is at a durable sequence, from which a new sled is made.
    pub fn renew(&self, directory: Directory, through: u64) {
        self.shared.lock().request = Request::Answered(Box::new(directory), through);
        self.shared.work.notify_one();
    }

    /// Last sequence the checkpoint holds durably.
    pub fn applied(&self) -> u64 {
        self.shared.applied.load(Ordering::Acquire)
    }

    /// For who wants to know how it is.
    pub fn watch(&self) -> CheckpointWatch {
        CheckpointWatch(Arc::clone(&self.shared))
    }

    /// Applies what is queued, makes it durable and ends the thread. Where that is not possible the next start does it.
    pub fn stop(mut self) {
        self.end();
    }

    /// A thread that does not get on any more is left behind: it ends with the process, and what it had begun is as after a crash.
    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.lock().stop = true;
        self.shared.work.notify_one();
        loop {
            let running = |queue: &mut Queue| !queue.ended;
            let queue = self.shared.lock();
            let patience = queue.patience();
            let waited = self.shared.room.wait_timeout_while(queue, patience, running);
            if waited.unwrap_or_else(PoisonError::into_inner).0.ended {
                // The thread catches its own panics and logs them.
                let _ = thread.join();
                return;
            }
            if self.shared.stands_still(patience) {
                tracing::error!(
                    "the checkpoint does not end: it is left as it is, and the next start reads the journal behind it"
                );
                return;
            }
        }
    }

    /// Makes the next round of the thread fail as if sled had.
    #[cfg(test)]
    pub(super) fn break_sled(&self) {
        self.shared.lock().breaks = true;
    }

    /// Makes the next round of the thread stand still, as long as the returned end is there, and this handle wait only so long for it.
    #[cfg(test)]
    pub(super) fn hold_sled(&self, patience: Duration) -> std::sync::mpsc::Sender<()> {
        let (release, held) = std::sync::mpsc::channel();
        let mut queue = self.shared.lock();
        queue.held = Some(held);
        queue.patience = Some(patience);
        release
    }
}

impl CheckpointWatch {
    /// Last sequence the checkpoint holds durably.
    pub fn applied(&self) -> u64 {
        self.0.applied.load(Ordering::Acquire)
    }

    /// Has it made anew under the key in force, unless that is under way.
    pub(super) fn reseal(&self) {
        let mut queue = self.0.lock();
        if queue.key_check.is_some() {
            queue.reseal = true;
            self.0.work.notify_one();
        }
    }

    /// The seal key it is under; none while it is made anew.
    pub(super) fn key_check(&self) -> Option<[u8; 32]> {
        self.0.lock().key_check
    }

    /// Why it does not follow the journal at present.
    pub fn trouble(&self) -> Option<String> {
        let queue = self.0.lock();
        let has_work = queue.behind || !queue.groups.is_empty();
        let stands_still = has_work && !queue.resting && queue.trouble.is_none() && self.0.stands_still(queue.patience());
        if stands_still { Some(STANDS_STILL.to_owned()) } else { queue.trouble.clone() }
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        self.end();
    }
}

impl Queue {
    fn is_full(&self) -> bool {
        self.changes >= QUEUE_CHANGES || self.octets >= QUEUE_OCTETS
    }

    /// Whether to stop gathering.
    fn is_urgent(&self) -> bool {
        self.stop || self.changes >= QUEUE_CHANGES / 4 || self.octets >= QUEUE_OCTETS / 4
    }

    fn patience(&self) -> Duration {
        #[cfg(test)]
        if let Some(patience) = self.patience {
            return patience;
        }
        PATIENCE
    }

    fn fall_behind(&mut self) {
        self.behind = true;
        self.groups.clear();
        (self.changes, self.octets) = (0, 0);
    }
}

impl Shared {
    /// The thread did something.
    fn moves(&self) {
        self.moved.store(self.clock.monotonic(), Ordering::Relaxed);
    }

    /// Whether it did nothing for so long.
    fn stands_still(&self, patience: Duration) -> bool {
        let since = self.clock.monotonic().saturating_sub(self.moved.load(Ordering::Relaxed));
        u128::from(since) >= patience.as_micros()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of changes applied in order: the last one of each row counts. Sorted, so that sled's pages are written in order.
pub(super) fn merge(changes: impl Iterator<Item = Change>, digest_key: &[u8; 32]) -> Vec<RowChange> {
    let mut rows: BTreeMap<(Table, Box<[u8]>), Option<Bytes>> = BTreeMap::new();
    for row in changes.flat_map(|change| change.rows(digest_key)) {
        rows.insert((row.table, row.key), row.value);
    }
    rows.into_iter().map(|((table, key), value)| RowChange { table, key, value }).collect()
}

/// Roughly the octets a change holds in memory.
fn size_of_change(change: &Change) -> usize {
    const FIXED: usize = 128;
    let variable = match change {
        Change::PutEntry { name, block, .. } => name.len().saturating_add(block.len()),
        Change::PutMembership { membership, by, .. } => by.len().saturating_add(size_of_membership(membership)),
        Change::RemoveMembership { membership, .. } => size_of_membership(membership),
        Change::Reserve { identifier, by, .. } => by.len().saturating_add(size_of_identifier(identifier)),
        Change::Release { identifier } => size_of_identifier(identifier),
        Change::PutNextNumber { attribute, .. } => attribute.len(),
        Change::RemoveEntry { .. } | Change::PutAccountState { .. } | Change::PutContext(_) => 0,
        Change::ReviseSchema(revision) => {
            let texts = revision.put.iter().map(|definition| definition.text.len().saturating_add(FIXED));
            texts.sum::<usize>().saturating_add(revision.remove.len().saturating_mul(FIXED))
        }
    };
    variable.saturating_add(FIXED)
}

fn size_of_identifier(identifier: &Identifier) -> usize {
    identifier.attribute.len().saturating_add(identifier.key.len()).saturating_add(identifier.value.len())
}

fn size_of_membership(membership: &Membership) -> usize {
    match membership {
        Membership::Entry(..) => 0,
        Membership::Outside { key, value, .. } => key.len().saturating_add(value.len()),
    }
}
