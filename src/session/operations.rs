//! The operations of a connection that are under way, by message ID.

use std::collections::{BTreeMap, BTreeSet};

use crate::operation::bind::PendingBind;
use crate::operation::compare::CompareRequest;
use crate::operation::enrolment::EnrolmentRequest;
use crate::operation::password::PasswordModifyRequest;
use crate::operation::search::SearchStream;
use crate::operation::{Context, ProposedOperation};
use crate::protocol::{BindRequest, Control, LdapResult, MessageId, Reply, ResponseKind};

/// Work of the hash pool, by which its answers find their way back: a message ID may be in use again by then.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket {
    number: u64,
    message: MessageId,
}

impl Ticket {
    /// The message ID that it was asked with.
    pub fn message(self) -> MessageId {
        self.message
    }
}

/// Operations that were begun and not yet answered.
#[derive(Default)]
pub(super) struct Operations {
    by_id: BTreeMap<MessageId, Operation>,
    /// What the hash pool works for.
    hashing: BTreeSet<Ticket>,
    /// Answered already, because they were cancelled; the hash pool still works for them.
    cancelled: BTreeMap<Ticket, Operation>,
    next_ticket: u64,
}

/// One of them.
pub(super) struct Operation {
    pub(super) kind: ResponseKind,
    pub(super) stage: Stage,
    /// A search that goes on until it is abandoned.
    persistent: bool,
    /// Its reply is not wanted any more.
    pub(super) abandoned: bool,
}

/// How far an operation is.
pub(super) enum Stage {
    /// The server pulls it.
    Searching,
    /// With the hash pool.
    Hashing(Ticket, Box<(Context, Hashing)>),
    /// With the committer.
    Committing,
    /// A search that is pulled once the committer has recorded it.
    Recording(Box<SearchStream>),
    /// A bind that was decided without a run of the hash and is refused: one is done before this is sent, for every refusal takes as long.
    Refused(Ticket, Box<Reply>),
}

/// What came of cancelling an operation.
pub(super) enum Cancelled {
    /// It gets no other answer than that it is cancelled.
    Ended(ResponseKind),
    /// There is none with this number, or it is ended already.
    Unknown,
    /// It is being made durable.
    Committing,
    /// Binds cannot be cancelled.
    Bind,
}

/// What goes on once the hash pool has answered.
pub(super) enum Hashing {
    Bind(PendingBind),
    Compare(CompareRequest),
    PasswordModify(PasswordModifyRequest),
    OtpEnrolment(EnrolmentRequest),
    /// A backup, whose snapshot is being taken: not with the hash pool, but just as long away.
    Backup,
    /// A rotation of the seal key that is being begun.
    KeyRotation,
    /// An add or a modify.
    Write(ProposedOperation),
}

/// A bind request that waits for what is under way to end.
pub(super) struct WaitingBind {
    pub(super) context: Context,
    pub(super) request: AskedBind,
    pub(super) controls: Vec<Control>,
}

/// A bind as it was asked for.
pub(super) enum AskedBind {
    Request(BindRequest),
    /// Its inside could not be read.
    Malformed(LdapResult),
}

impl Operation {
    /// Whether a thread does something for it that is recorded whatever happens to who asked.
    fn is_errand(&self) -> bool {
        matches!(&self.stage, Stage::Hashing(_, held) if matches!(held.1, Hashing::Backup | Hashing::KeyRotation))
    }
}

impl Operations {
    /// How many, those included whose reply is not wanted any more but which still cost work.
    pub(super) fn len(&self) -> usize {
        self.by_id.len() + self.cancelled.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the number is in use. That of an abandoned write is, until the write has ended.
    pub(super) fn contains(&self, id: MessageId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn put(&mut self, id: MessageId, kind: ResponseKind, stage: Stage) {
        self.by_id.insert(id, Operation { kind, stage, persistent: false, abandoned: false });
    }

    /// The hash pool is to work on this.
    pub(super) fn put_hashing(&mut self, id: MessageId, kind: ResponseKind, context: Context, hashing: Hashing) -> Ticket {
        let ticket = self.ticket(id);
        self.hashing.insert(ticket);
        self.put(id, kind, Stage::Hashing(ticket, Box::new((context, hashing))));
        ticket
    }

    /// The hash pool's work on this is done; it leaves the table.
    pub(super) fn take_hashing(&mut self, ticket: Ticket) -> Option<(MessageId, Operation, Context, Hashing)> {
        let id = ticket.message;
        if !self.hashing.remove(&ticket) {
            return None;
        }
        let mut operation = match self.cancelled.remove(&ticket) {
            Some(operation) => operation,
            None => self.by_id.remove(&id)?,
        };
        match std::mem::replace(&mut operation.stage, Stage::Committing) {
            Stage::Hashing(_, held) => {
                let (context, hashing) = *held;
                Some((id, operation, context, hashing))
            }
            Stage::Searching | Stage::Committing | Stage::Recording(_) | Stage::Refused(..) => None,
        }
    }

    /// The search that the committer has recorded; it leaves the table. None within: it is not wanted any more.
    pub(super) fn take_recording(&mut self, id: MessageId) -> Option<Option<Box<SearchStream>>> {
        if !matches!(self.by_id.get(&id)?.stage, Stage::Recording(_)) {
            return None;
        }
        let Operation { stage, abandoned, .. } = self.by_id.remove(&id)?;
        match stage {
            Stage::Recording(search) => Some((!abandoned).then_some(search)),
            _ => None,
        }
    }

    /// The committer's work on this is done; it leaves the table.
    pub(super) fn take_committing(&mut self, id: MessageId) -> Option<Operation> {
        match self.by_id.get(&id)?.stage {
            Stage::Committing => self.by_id.remove(&id),
            Stage::Searching | Stage::Hashing(..) | Stage::Recording(_) | Stage::Refused(..) => None,
        }
    }

    /// The answer that only waited for the hash pool's time; the operation leaves the table.
    pub(super) fn take_refused(&mut self, ticket: Ticket) -> Option<(MessageId, Reply)> {
        match self.by_id.get(&ticket.message)?.stage {
            Stage::Refused(own, _) if own == ticket => {}
            _ => return None,
        }
        match self.by_id.remove(&ticket.message)?.stage {
            Stage::Refused(_, reply) => Some((ticket.message, *reply)),
            _ => None,
        }
    }

    /// This answer waits until the hash pool has done as much as for any other refusal.
    pub(super) fn put_refused(&mut self, id: MessageId, kind: ResponseKind, reply: Reply) -> Ticket {
        let ticket = self.ticket(id);
        self.put(id, kind, Stage::Refused(ticket, Box::new(reply)));
        ticket
    }

    fn ticket(&mut self, message: MessageId) -> Ticket {
        let number = self.next_ticket;
        self.next_ticket += 1;
        Ticket { number, message }
    }

    /// Puts a search in that goes on until it is abandoned.
    pub(super) fn put_persistent(&mut self, id: MessageId) {
        let (kind, stage) = (ResponseKind::SearchDone, Stage::Searching);
        self.by_id.insert(id, Operation { kind, stage, persistent: true, abandoned: false });
    }

    /// How many searches go on until they are abandoned.
    pub(super) fn persistent(&self) -> usize {
        self.by_id.values().filter(|operation| operation.persistent).count()
    }

    pub(super) fn end_search(&mut self, id: MessageId) {
        if matches!(self.by_id.get(&id), Some(Operation { stage: Stage::Searching, .. })) {
            self.by_id.remove(&id);
        }
    }

    /// `true`: it was a search and is forgotten. Anything else but a bind ends without a reply.
    pub(super) fn abandon(&mut self, id: MessageId) -> bool {
        match self.by_id.get_mut(&id) {
            Some(Operation { stage: Stage::Searching, .. }) => self.by_id.remove(&id).is_some(),
            Some(operation) => {
                operation.abandoned = operation.kind != ResponseKind::Bind;
                false
            }
            None => false,
        }
    }

    /// Ends an operation that has not come to the committer. It is answered, so its number is free from then on; but that of a backup or a rotation of
    /// the key, which comes to the committer all the same.
    pub(super) fn cancel(&mut self, id: MessageId) -> Cancelled {
        match self.by_id.get_mut(&id) {
            Some(Operation { stage: Stage::Searching, .. }) => {
                self.by_id.remove(&id);
                Cancelled::Ended(ResponseKind::SearchDone)
            }
            None | Some(Operation { abandoned: true, .. }) => Cancelled::Unknown,
            Some(Operation { kind: ResponseKind::Bind, .. }) => Cancelled::Bind,
            Some(Operation { stage: Stage::Committing | Stage::Recording(_) | Stage::Refused(..), .. }) => Cancelled::Committing,
            Some(operation @ Operation { stage: Stage::Hashing(..), .. }) if operation.is_errand() => {
                operation.abandoned = true;
                Cancelled::Ended(operation.kind)
            }
            Some(&mut Operation { kind, stage: Stage::Hashing(ticket, _), .. }) => {
                let operation = self.by_id.remove(&id).map(|operation| Operation { abandoned: true, ..operation });
                self.cancelled.extend(operation.map(|operation| (ticket, operation)));
                Cancelled::Ended(kind)
            }
        }
    }

    /// Forgets all searches and names them.
    pub(super) fn abandon_searches(&mut self) -> Vec<MessageId> {
        let is_search = |operation: &Operation| matches!(operation.stage, Stage::Searching);
        let searches = self.by_id.iter().filter(|(_, operation)| is_search(operation)).map(|(&id, _)| id).collect();
        self.by_id.retain(|_, operation| !is_search(operation));
        for operation in self.by_id.values_mut().filter(|operation| matches!(operation.stage, Stage::Recording(_))) {
            operation.abandoned = true;
        }
        searches
    }

    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.hashing.clear();
        self.cancelled.clear();
    }
}
