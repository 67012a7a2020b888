//! The sled checkpoint: follows the journal at a distance of at most a second, one thread, bounded queue.
//!
//! ```text
//!               no room on the disk             room again
//!   Following ─────────────────────► Resting ─────────────► Following, or, where the queue ran over meanwhile, Behind
//!       │ sled fails                                          ▲
//!       ▼                                                     │ up to date
//!    Broken ── room, a directory value: a new sled ──► Behind: what is missing is read from the journal
//! ```
//! The one writer never waits for a checkpoint that rests, is broken or behind: what the queue has no room for stands in the journal.

mod follower;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;

pub(super) use follower::Follower;

use super::rows::Rows;
use crate::directory::{Change, Digest, Directory, Identifier, Membership, RowChange, Table};

/// Changes that may wait before `submit` blocks.
pub(super) const QUEUE_CHANGES: usize = 65_536;
/// Octets that may wait before `submit` blocks.
pub(super) const QUEUE_OCTETS: usize = 64 * 1024 * 1024;

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
}

#[derive(Default)]
struct Queue {
    groups: VecDeque<Group>,
    changes: usize,
    octets: usize,
    stop: bool,
    /// Last sequence submitted.
    newest: u64,
    /// The thread applies nothing for now: nobody waits for room in the queue.
    resting: bool,
    /// Groups were let go: the journal has them.
    behind: bool,
    request: Request,
    /// Why it does not follow, in words for an operator.
    trouble: Option<String>,
    /// The next round of the thread fails as if sled had.
    #[cfg(test)]
    breaks: bool,
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
    pub(super) fn start(rows: Rows, follower: Follower, lock: Arc<File>) -> std::io::Result<Checkpoint> {
        let applied = rows.meta().map_or(0, |meta| meta.applied);
        let queue = Mutex::new(Queue { newest: applied, ..Queue::default() });
        let shared = Arc::new(Shared { queue, work: Condvar::new(), room: Condvar::new(), applied: AtomicU64::new(applied) });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(move || follower.run(&theirs, rows))?;
        Ok(Checkpoint { shared, thread: Some(thread), _lock: lock })
    }

    /// Hands over what a durable group changed; blocks while the bounded queue is full and the thread gets on. `through`: last sequence of
    /// the group.
    pub fn submit(&self, through: u64, changes: Vec<Change>, digest_after: Digest) {
        let octets = changes.iter().map(size_of_change).sum();
        let mut queue = self.shared.lock();
        queue.newest = through;
        while queue.is_full() && !queue.resting && !queue.behind {
            queue = self.shared.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.is_full() {
            queue.fall_behind();
        }
        if queue.behind {
            self.shared.work.notify_one();
            return;
        }
        let was_idle = queue.groups.is_empty();
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

    fn end(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // The thread catches its own panics and logs them.
            let _ = thread.join();
        }
    }

    /// Makes the next round of the thread fail as if sled had.
    #[cfg(test)]
    pub(super) fn break_sled(&self) {
        self.shared.lock().breaks = true;
    }
}

impl CheckpointWatch {
    /// Last sequence the checkpoint holds durably.
    pub fn applied(&self) -> u64 {
        self.0.applied.load(Ordering::Acquire)
    }

    /// Why it does not follow the journal at present.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().trouble.clone()
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

    fn fall_behind(&mut self) {
        self.behind = true;
        self.groups.clear();
        (self.changes, self.octets) = (0, 0);
    }
}

impl Shared {
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
