//! Loading much into a stopped installation: one thread decides, another makes frames and appends them, so that deciding does not wait for
//! the disk. The order is the committer's: a group is durable before the next one is written.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::committer::Committer;
use crate::directory::{Change, ChangeError, Digest, Directory};
use crate::journal::{Chain, Record};
use crate::model::Timestamp;
use crate::operation::{self, Proposal};
use crate::protocol::Reply;
use crate::store::{AppendError, Checkpoint, Journal, Space};
use crate::world::{Clock, Entropy};

/// Groups that may be decided and not yet written.
const AHEAD: usize = 4;

/// Why loading ended early. What was durable by then stays.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The journal cannot take more.
    #[error("the journal cannot be written: {0}; make space or replace the disk, then load the rest")]
    Append(#[from] AppendError),
    /// A fault of the program.
    #[error("an operation broke down by a fault of the program: {0}; please report it")]
    Broken(#[from] ChangeError),
    /// The writing thread is gone; its own error says why.
    #[error("the writing thread ended")]
    Ended,
}

/// Decided and not yet durable.
struct Group {
    records: Vec<(Record, Vec<u8>, Timestamp)>,
    changes: Vec<Change>,
    digest: Digest,
}

/// The deciding side.
pub struct Bulk<'a> {
    head: Directory,
    last_time: Timestamp,
    clock: &'a dyn Clock,
    groups: SyncSender<Group>,
}

/// The writing side.
struct Writer<'a> {
    journal: &'a mut Journal,
    chain: &'a mut Chain,
    checkpoint: &'a Checkpoint,
    space: &'a Space,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
}

impl Committer {
    /// Runs `work` with a [`Bulk`] and returns when everything it loaded is durable. After an error the committer must not be used
    /// further: the data folder is opened anew.
    pub fn bulk<R>(&mut self, work: impl FnOnce(&mut Bulk<'_>) -> R) -> (R, Result<(), BulkError>) {
        let parts = self.parts();
        let (clock, entropy) = (parts.clock, parts.entropy);
        let (groups, waiting) = sync_channel(AHEAD);
        let mut bulk = Bulk { head: parts.head.clone(), last_time: parts.chain.last_time, clock, groups };
        let mut writer = Writer {
            journal: parts.journal,
            chain: parts.chain,
            checkpoint: parts.checkpoint,
            space: parts.space,
            clock,
            entropy,
        };
        let (result, head, written) = std::thread::scope(|scope| {
            let writing = scope.spawn(move || writer.run(&waiting));
            let result = work(&mut bulk);
            let Bulk { head, groups, .. } = bulk;
            drop(groups);
            (result, head, writing.join().unwrap_or(Err(BulkError::Ended)))
        });
        if written.is_ok() {
            *parts.head = head.clone();
            parts.published.store(std::sync::Arc::new(head));
            self.tell_durable(0);
        }
        (result, written)
    }

    /// Runs `work` with a [`Bulk`] that decides as [`Committer::bulk`] does and writes nothing.
    pub fn rehearse<R>(&mut self, work: impl FnOnce(&mut Bulk<'_>) -> R) -> R {
        let parts = self.parts();
        let (groups, waiting) = sync_channel(AHEAD);
        let (head, last_time) = (parts.head.clone(), parts.chain.last_time);
        let mut bulk = Bulk { head, last_time, clock: parts.clock, groups };
        std::thread::scope(|scope| {
            // Takes the groups so that the deciding side goes on; it ends with the bulk.
            scope.spawn(move || waiting.into_iter().for_each(drop));
            let result = work(&mut bulk);
            drop(bulk);
            result
        })
    }
}

impl Bulk<'_> {
    /// The directory with everything loaded so far.
    pub fn head(&self) -> &Directory {
        &self.head
    }

    /// Decides proposals in order, each seeing the ones before it, and hands them to the writer. After the first reply that `go_on` does not
    /// like the rest is left undecided: fewer replies than proposals come back.
    pub fn load(&mut self, proposals: &mut [Proposal], go_on: impl Fn(&Reply) -> bool) -> Result<Vec<Reply>, BulkError> {
        let mut replies = Vec::with_capacity(proposals.len());
        let mut group = Group { records: Vec::with_capacity(proposals.len()), changes: Vec::new(), digest: Digest::default() };
        for proposal in proposals {
            let now = self.clock.now().max(Timestamp(self.last_time.0.saturating_add(1)));
            self.last_time = now;
            proposal.context.now = now;
            let decision = operation::decide(&self.head, proposal, 0);
            if !decision.preceding.is_empty() {
                return Err(ChangeError("transactions are not loaded".to_owned()).into());
            }
            let mut encoded = Vec::new();
            for change in &decision.changes {
                self.head.apply(change)?;
                change.encode(&mut encoded);
            }
            group.records.push((decision.record, encoded, now));
            group.changes.extend(decision.changes);
            let enough = !go_on(&decision.reply);
            replies.push(decision.reply);
            if enough {
                break;
            }
        }
        group.digest = self.head.digest();
        self.groups.send(group).map_err(|_| BulkError::Ended)?;
        Ok(replies)
    }
}

impl Writer<'_> {
    fn run(&mut self, waiting: &Receiver<Group>) -> Result<(), BulkError> {
        for group in waiting {
            let mut frames = Vec::with_capacity(group.records.len());
            for (record, changes, now) in group.records {
                let mut salt = [0; 16];
                self.entropy.fill(&mut salt);
                frames.push(self.chain.frame(&record, changes, salt, now, self.clock.monotonic()));
            }
            if !self.space.allows(self.journal.octets_needed()) {
                return Err(AppendError("the disk is full".to_owned()).into());
            }
            self.journal.append(&frames, group.digest)?;
            self.checkpoint.submit(
                self.chain.next_sequence.saturating_sub(1),
                group.changes,
                group.digest,
                Checkpoint::LONG_WAIT,
            );
        }
        Ok(())
    }
}
