//! The sled checkpoint: follows the journal at a distance of at most a second, one thread, bounded queue.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

use super::rows::{Rows, RowsError};
use crate::directory::{Change, Digest, Identifier, Membership, RowChange, Table};
use crate::world::Clock;

/// Changes that may wait before `submit` blocks.
pub(super) const QUEUE_CHANGES: usize = 65_536;
/// Octets that may wait before `submit` blocks.
pub(super) const QUEUE_OCTETS: usize = 64 * 1024 * 1024;
/// How long changes are gathered before they are written: rows that change again meanwhile are written once.
const GATHER: Duration = Duration::from_millis(300);
/// While more is waiting, the time between two flushes, in microseconds, …
const FLUSH_MICROSECONDS: u64 = 1_000_000;
/// … and the octets.
const FLUSH_OCTETS: usize = 64 * 1024 * 1024;

/// Handle on the checkpoint's thread. Dropped without [`Checkpoint::stop`] it stops too.
pub struct Checkpoint {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _lock: Arc<File>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Something to do for the thread.
    work: Condvar,
    /// Room in the queue.
    room: Condvar,
    applied: AtomicU64,
    digest_key: [u8; 32],
}

#[derive(Default)]
struct Queue {
    groups: VecDeque<Group>,
    changes: usize,
    octets: usize,
    stop: bool,
    failed: bool,
}

struct Group {
    through: u64,
    changes: Vec<Change>,
    octets: usize,
    digest: Digest,
}

impl Checkpoint {
    pub(super) fn start(rows: Rows, digest_key: [u8; 32], clock: Arc<dyn Clock>, lock: Arc<File>) -> std::io::Result<Checkpoint> {
        let applied = rows.meta().map_or(0, |meta| meta.applied);
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            applied: AtomicU64::new(applied),
            digest_key,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(move || theirs.run(rows, &*clock))?;
        Ok(Checkpoint { shared, thread: Some(thread), _lock: lock })
    }

    /// Hands over what a durable group changed; blocks while the bounded queue is full. `through`: last sequence of the group.
    pub fn submit(&self, through: u64, changes: Vec<Change>, digest_after: Digest) {
        let octets = changes.iter().map(size_of_change).sum();
        let mut queue = self.shared.lock();
        while queue.is_full() && !queue.failed {
            queue = self.shared.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.failed {
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

    /// Last sequence the checkpoint holds durably.
    pub fn applied(&self) -> u64 {
        self.shared.applied.load(Ordering::Acquire)
    }

    /// Applies what is queued, makes it durable and ends the thread.
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
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut rows: Rows, clock: &dyn Clock) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.follow(&mut rows, clock)));
        let failure = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("sled panicked".to_owned()),
        };
        if let Some(error) = failure {
            tracing::error!(
                %error,
                "the checkpoint cannot be written any more; nothing is lost, the journal goes on and the next start replays it, but \
                 that start takes longer the later it comes: look after the disk that holds the data folder, then restart the server"
            );
            let mut queue = self.lock();
            queue.failed = true;
            queue.groups.clear();
            (queue.changes, queue.octets) = (0, 0);
            self.room.notify_all();
        }
        // sled writes once more when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(rows)));
    }

    fn follow(&self, rows: &mut Rows, clock: &dyn Clock) -> Result<(), RowsError> {
        let mut last_flush = clock.monotonic();
        let mut unflushed = 0usize;
        while let Some(groups) = self.take(unflushed > 0) {
            unflushed = unflushed.saturating_add(groups.iter().map(|group| group.octets).sum::<usize>()).max(1);
            if let Some(last) = groups.last() {
                let (through, digest) = (last.through, last.digest.to_bytes());
                rows.apply(merge(groups.into_iter().flat_map(|group| group.changes), &self.digest_key), through, digest)?;
            }
            let due = clock.monotonic().saturating_sub(last_flush) >= FLUSH_MICROSECONDS || unflushed >= FLUSH_OCTETS;
            if due || self.lock().groups.is_empty() {
                rows.flush()?;
                self.applied.store(rows.meta().map_or(0, |meta| meta.applied), Ordering::Release);
                last_flush = clock.monotonic();
                unflushed = 0;
            }
        }
        Ok(())
    }

    /// What to apply next; none when it is time to end. Gathers for a moment unless there is plenty or something waits for a flush.
    fn take(&self, in_a_hurry: bool) -> Option<Vec<Group>> {
        let queue = self.lock();
        let mut queue =
            self.work.wait_while(queue, |queue| queue.groups.is_empty() && !queue.stop).unwrap_or_else(PoisonError::into_inner);
        if !in_a_hurry {
            let waited = self.work.wait_timeout_while(queue, GATHER, |queue| !queue.is_urgent());
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.groups.is_empty() {
            return None;
        }
        let groups = std::mem::take(&mut queue.groups);
        (queue.changes, queue.octets) = (0, 0);
        self.room.notify_all();
        Some(groups.into())
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
