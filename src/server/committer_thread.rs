//! The committer's thread: gathers what is waiting into groups, so that many operations share one fdatasync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::committer::{Committer, LARGEST_GROUP};
use super::registry::WAKING_INTERVAL;
use crate::model::{ResultCode, Timestamp};
use crate::operation::backup::BackupSnapshot;
use crate::operation::key_rotation::KeysChanged;
use crate::operation::search::LogPart;
use crate::operation::{Decision, Proposal};
use crate::policy::share::{Ledger, Owner, Share as Room};
use crate::protocol::MessageId;
use crate::session::Ticket;

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
    Hashed(Ticket, Vec<crate::policy::password::HashAnswer>),
    /// Something was committed that bears on the account that is logged in.
    Review,
    /// By the thread that takes snapshots.
    Snapshot(Ticket, Result<BackupSnapshot, ResultCode>),
    /// By the thread that reads the journal: what a search, known by this number, asked for.
    Log(u64, Result<LogPart, ResultCode>),
    /// By the committer: what a search, known by this number, is to tell before it goes on.
    Recorded(u64, Result<(), ResultCode>),
    /// By the thread that takes snapshots: a rotation of the seal key was begun.
    KeyRotation(Ticket, Result<KeysChanged, ResultCode>),
}

/// Which part of the queue's room one account, or one address without an account, may take.
const PART_OF_ONE: usize = 4;
/// Room in the queue, by number …
const PLACES: Room = Room { overall: QUEUE, each: QUEUE / PART_OF_ONE };
/// … and by octets. A part is larger than the largest request.
const OCTETS: Room = Room { overall: QUEUE_OCTETS, each: QUEUE_OCTETS / 2 };

/// What of a connection a decision is for.
#[derive(Clone, Copy, Debug)]
pub enum Address {
    /// The operation with this number.
    Operation(MessageId),
    /// The search that the connection knows by this number: its message's may be another operation's by then.
    Search(u64),
}

impl Address {
    /// Where nobody is told.
    pub const NOBODY: Address = Address::Operation(MessageId(0));

    fn completion(self, decision: Result<Decision, ResultCode>) -> Completion {
        match self {
            Address::Operation(id) => Completion::Committed(id, decision.map(Box::new)),
            Address::Search(number) => Completion::Recorded(number, decision.map(drop)),
        }
    }
}

struct Waiting {
    proposal: Proposal,
    address: Address,
    completion: Option<CompletionSender>,
    share: Share,
}

/// What the proposals that wait or are decided take of the queue, and whose they are.
#[derive(Default)]
struct Held {
    places: Ledger<Owner>,
    octets: Ledger<Owner>,
}

/// What a proposal takes, given back when it is dropped.
struct Share {
    owner: Owner,
    octets: usize,
    held: Arc<Mutex<Held>>,
}

impl Share {
    fn take(held: &Arc<Mutex<Held>>, owner: Owner, octets: usize) -> Option<Share> {
        let mut locked = held.lock().unwrap_or_else(PoisonError::into_inner);
        if !locked.places.take(owner, 1, PLACES) {
            return None;
        }
        if !locked.octets.take(owner, octets, OCTETS) {
            locked.places.give_back(owner, 1);
            return None;
        }
        Some(Share { owner, octets, held: Arc::clone(held) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.places.give_back(self.owner, 1);
        held.octets.give_back(self.owner, self.octets);
    }
}

/// A way to the committer, cheap to clone. The thread ends when the last one is dropped.
#[derive(Clone)]
pub struct CommitterHandle {
    queue: SyncSender<Waiting>,
    held: Arc<Mutex<Held>>,
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

    /// Tells how many proposals wait or are decided.
    pub fn waiting(&self) -> impl Fn() -> Option<u64> + Send + Sync + 'static {
        let held = Arc::clone(&self.held);
        move || Some(held.lock().unwrap_or_else(PoisonError::into_inner).places.held() as u64)
    }

    /// Hands a proposal over; `completion` hears of it once it is durable. When the queue is full, or the owner's part of it, the proposal
    /// is not taken.
    pub fn submit(
        &self,
        proposal: Proposal,
        address: Address,
        owner: Owner,
        completion: Option<CompletionSender>,
    ) -> Result<(), ResultCode> {
        let share = Share::take(&self.held, owner, proposal.octets()).ok_or(ResultCode::Busy)?;
        self.queue.try_send(Waiting { proposal, address, completion, share }).map_err(|error| match error {
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
    let mut all_woken = true;
    loop {
        let before = committer.head().recent().end();
        let first = match waiting.recv_timeout(if all_woken { EXPIRY_INTERVAL } else { WAKING_INTERVAL }) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) if !all_woken => {
                all_woken = committer.retire();
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {
                committer.tick();
                if committer.head().recent().end() != before {
                    changed.send_replace(());
                }
                all_woken = committer.retire();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return committer,
        };
        let group = std::iter::once(first).chain(waiting.try_iter().take(LARGEST_GROUP - 1));
        for Waiting { proposal, address, completion, share } in group {
            proposals.push(proposal);
            addresses.push((address, completion));
            shares.push(share);
        }
        let decisions = committer.commit(&mut proposals);
        if committer.head().recent().end() != before {
            changed.send_replace(());
        }
        for ((address, completion), decision) in addresses.drain(..).zip(decisions) {
            if let Some(completion) = completion {
                // A connection has room for as many completions as it may have operations outstanding: this fails only when it is gone.
                let _ = completion.try_send(address.completion(decision));
            }
        }
        proposals.clear();
        shares.clear();
        all_woken = committer.retire();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EntryId;

    fn account(number: u64) -> Owner {
        Owner::Account(EntryId(number))
    }

    #[test]
    fn octets_are_bounded_given_back_and_one_large_proposal_is_taken_alone() {
        let held = Arc::default();
        let large = Share::take(&held, account(1), QUEUE_OCTETS + 1).unwrap();
        assert!(Share::take(&held, account(2), 1).is_none(), "nothing beside one that is larger than the limit");
        drop(large);
        let half = Share::take(&held, account(1), QUEUE_OCTETS / 2).unwrap();
        let other_half = Share::take(&held, account(2), QUEUE_OCTETS / 2).unwrap();
        assert!(Share::take(&held, account(3), 1).is_none());
        drop(half);
        assert!(Share::take(&held, account(1), QUEUE_OCTETS / 2 + 1).is_none());
        drop(other_half);
        let held = held.lock().unwrap();
        assert_eq!((held.octets.held(), held.places.held()), (0, 0));
    }

    #[test]
    fn one_account_leaves_room_for_others() {
        let held = Arc::default();
        let shares: Vec<Share> = (0..QUEUE).map_while(|_| Share::take(&held, account(1), 1000)).collect();
        assert_eq!(shares.len(), QUEUE / PART_OF_ONE);
        assert!(Share::take(&held, account(2), 1000).is_some());
    }
}
