//! The committer's thread: gathers what is waiting into groups, so that many operations share one fdatasync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::committer::{Committer, LARGEST_GROUP};
use crate::model::{ResultCode, Timestamp};
use crate::operation::{Decision, Proposal};
use crate::protocol::MessageId;
use crate::store::SnapshotFacts;

/// How long an idle committer waits before it looks for dynamic entries whose time is over. Nobody sees those meanwhile.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

/// Proposals that may wait for the committer; beyond that clients are told 51.
pub const QUEUE: usize = 10_000;
/// Octets that proposals may hold while they wait or are decided; beyond that clients are told 51. One proposal alone is always taken.
pub const QUEUE_OCTETS: usize = 64 * 1024 * 1024;

/// Where a decision goes: the connection that proposed it.
pub type CompletionSender = mpsc::Sender<Completion>;

/// What a connection is told of work done elsewhere.
#[derive(Debug)]
pub enum Completion {
    /// By the committer; durable.
    Committed(MessageId, Result<Box<Decision>, ResultCode>),
    /// By the hash pool.
    Hashed(MessageId, Vec<crate::policy::password::HashAnswer>),
    /// By the thread that takes snapshots.
    Snapshot(MessageId, Result<SnapshotFacts, ResultCode>),
}

struct Waiting {
    proposal: Proposal,
    id: MessageId,
    completion: Option<CompletionSender>,
    share: Share,
}

/// What a proposal takes of [`QUEUE_OCTETS`], given back when it is dropped.
struct Share {
    octets: usize,
    held: Arc<AtomicUsize>,
}

impl Share {
    fn take(held: &Arc<AtomicUsize>, octets: usize) -> Option<Share> {
        let fits = |held: usize| held.checked_add(octets).filter(|&sum| held == 0 || sum <= QUEUE_OCTETS);
        held.try_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Share { octets, held: Arc::clone(held) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

/// A way to the committer, cheap to clone. The thread ends when the last one is dropped.
#[derive(Clone)]
pub struct CommitterHandle {
    queue: SyncSender<Waiting>,
    /// Octets of the proposals that wait or are decided.
    held: Arc<AtomicUsize>,
    durable_time: Arc<AtomicI64>,
    changes: watch::Receiver<()>,
}

impl CommitterHandle {
    /// Policy time of the last durable record.
    pub fn durable_time(&self) -> Timestamp {
        Timestamp(self.durable_time.load(Ordering::Acquire))
    }

    /// Says when a directory with changed entries was published, from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        changes
    }

    /// Hands a proposal over; `completion` hears of it once it is durable. When the queue is full the proposal is not taken.
    pub fn submit(&self, proposal: Proposal, id: MessageId, completion: Option<CompletionSender>) -> Result<(), ResultCode> {
        let share = Share::take(&self.held, proposal.octets()).ok_or(ResultCode::Busy)?;
        self.queue.try_send(Waiting { proposal, id, completion, share }).map_err(|error| match error {
            TrySendError::Full(_) => ResultCode::Busy,
            TrySendError::Disconnected(_) => ResultCode::Unavailable,
        })
    }
}

/// Starts the thread. Joining it gives the committer back once every handle is gone and the queue is empty.
pub fn start(committer: Committer) -> std::io::Result<(CommitterHandle, JoinHandle<Committer>)> {
    let (queue, waiting) = sync_channel(QUEUE);
    let durable_time = committer.durable_time();
    let (changed, changes) = watch::channel(());
    let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(move || {
        // Without a committer nothing more would be decided and those who wait would never hear: the process ends, and whoever supervises it
        // starts it anew from what is durable.
        catch_unwind(AssertUnwindSafe(|| run(committer, &waiting, &changed))).unwrap_or_else(|_| {
            tracing::error!(
                "the committer broke down by a fault of the server: the process ends at once; start it again and please report it"
            );
            std::process::abort()
        })
    })?;
    Ok((CommitterHandle { queue, held: Arc::default(), durable_time, changes }, thread))
}

fn run(mut committer: Committer, waiting: &Receiver<Waiting>, changed: &watch::Sender<()>) -> Committer {
    let mut proposals = Vec::with_capacity(LARGEST_GROUP);
    let mut addresses = Vec::with_capacity(LARGEST_GROUP);
    let mut shares = Vec::with_capacity(LARGEST_GROUP);
    loop {
        let before = committer.head().recent().end();
        let first = match waiting.recv_timeout(EXPIRY_INTERVAL) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                committer.expire();
                if committer.head().recent().end() != before {
                    changed.send_replace(());
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return committer,
        };
        let group = std::iter::once(first).chain(waiting.try_iter().take(LARGEST_GROUP - 1));
        for Waiting { proposal, id, completion, share } in group {
            proposals.push(proposal);
            addresses.push((id, completion));
            shares.push(share);
        }
        let decisions = committer.commit(&mut proposals);
        if committer.head().recent().end() != before {
            changed.send_replace(());
        }
        proposals.clear();
        shares.clear();
        for ((id, completion), decision) in addresses.drain(..).zip(decisions) {
            if let Some(completion) = completion {
                // A connection has room for as many completions as it may have operations outstanding: this fails only when it is gone.
                let _ = completion.try_send(Completion::Committed(id, decision.map(Box::new)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_bounded_given_back_and_one_large_proposal_is_taken_alone() {
        let held = Arc::default();
        let large = Share::take(&held, QUEUE_OCTETS + 1).unwrap();
        assert!(Share::take(&held, 1).is_none(), "nothing beside one that is larger than the limit");
        drop(large);
        let half = Share::take(&held, QUEUE_OCTETS / 2).unwrap();
        let other_half = Share::take(&held, QUEUE_OCTETS / 2).unwrap();
        assert!(Share::take(&held, 1).is_none());
        drop(half);
        assert!(Share::take(&held, QUEUE_OCTETS / 2 + 1).is_none());
        drop(other_half);
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }
}
