//! Transactions (RFC 5805): one at a time on a session. Its changes are kept until the client ends it, and only then decided, together.
//!
//! ```text
//!              ┌── change with the identifier: kept, answered with success ──┐
//!              ▼                                                             │
//!  start ─► Specified ───────────────────────────────────────────────────────┘
//!              ├── end: committed as one proposal, or forgotten
//!              ├── end while a password of it is being hashed: as soon as that is done
//!              ├── bind, unbind: forgotten without notice
//!              └── StartTLS, too large, or a change that cannot be part of it: forgotten, with the notice
//! ```

use bytes::Bytes;

use super::begin::several;
use super::{Action, Session};
use crate::directory::Directory;
use crate::model::{ResultCode, Secret};
use crate::operation::transaction::{self, EndRequest, MAXIMUM_OCTETS, MAXIMUM_OPERATIONS};
use crate::operation::{Assumed, Context, Proposal, ProposedOperation, control};
use crate::protocol::{Control, LdapResult, MessageId, Reply, ResponseKind};

/// The transaction of a session.
pub(super) struct Transaction {
    number: u64,
    /// As whom it is done.
    assumed: Option<Assumed>,
    /// In the order asked for; those without a proposal wait for the hash pool.
    steps: Vec<(MessageId, Option<Proposal>)>,
    octets: usize,
    /// The end that waits for the hash pool.
    end: Option<Box<Context>>,
}

impl Transaction {
    fn identifier(&self) -> Bytes {
        Bytes::from(self.number.to_string())
    }

    fn is_whole(&self) -> bool {
        self.steps.iter().all(|(_, proposal)| proposal.is_some())
    }
}

impl Session {
    pub(super) fn start_transaction(&mut self, directory: &Directory, context: &Context, value: Option<&Secret>) -> Action {
        let subject = context.subject(directory);
        let refused = match context.check_assumed(directory) {
            Err(result) => Some(result),
            Ok(()) if value.is_some() => Some(LdapResult::with(ResultCode::ProtocolError, "no request data expected")),
            Ok(()) if self.transaction.is_some() => Some(LdapResult::with(ResultCode::Busy, "Too many transactions")),
            Ok(()) if subject.identity.is_none() && !subject.administrator => {
                Some(LdapResult::with(ResultCode::StrongerAuthRequired, "modifications require authentication"))
            }
            Ok(()) => None,
        };
        if let Some(result) = refused {
            return answer(context.message, result);
        }
        self.transactions = self.transactions.saturating_add(1);
        let assumed = context.attached.assumed;
        let transaction = Transaction { number: self.transactions, assumed, steps: Vec::new(), octets: 0, end: None };
        let reply = transaction::started(transaction.identifier());
        self.transaction = Some(transaction);
        Action::Reply(context.message, vec![reply])
    }

    pub(super) fn end_transaction(&mut self, context: Context, value: Option<&Secret>) -> Action {
        let id = context.message;
        let request = match EndRequest::read(value) {
            Ok(request) => request,
            Err(result) => return answer(id, result),
        };
        let is_asked =
            |transaction: &mut Transaction| transaction.end.is_none() && transaction.identifier() == request.identifier;
        let Some(mut transaction) = self.transaction.take_if(is_asked) else {
            return answer(id, transaction::invalid_identifier());
        };
        if !request.commit {
            return answer(id, LdapResult::of(ResultCode::Success));
        }
        if transaction.is_whole() {
            return self.commit_transaction(context, transaction);
        }
        self.await_commit(id, ResponseKind::Extended);
        transaction.end = Some(Box::new(context));
        self.transaction = Some(transaction);
        Action::Nothing
    }

    /// Makes a change part of the transaction it names, if it can be. One that cannot is refused by the committer, which records it, and
    /// the transaction is given up: without it, it is not what the client meant.
    pub(super) fn join_transaction(
        &mut self,
        context: &mut Context,
        kind: ResponseKind,
        controls: &[Control],
        octets: usize,
    ) -> Action {
        let Some(named) = named_transaction(controls) else { return Action::Nothing };
        let Some(transaction) = self.transaction.as_mut().filter(|it| it.end.is_none() && it.identifier() == named) else {
            return Action::Nothing;
        };
        let sound = control::decode(kind, controls, &context.settings.limits)
            .is_ok_and(|controls| controls.transaction.is_some() && controls.proxied_authorization.is_none());
        if !sound {
            return self
                .give_up_transaction(LdapResult::with(ResultCode::ProtocolError, "a change cannot be part of the transaction"));
        }
        let octets = transaction.octets.saturating_add(octets);
        if transaction.steps.len() >= MAXIMUM_OPERATIONS || octets > MAXIMUM_OCTETS {
            return self.give_up_transaction(LdapResult::with(ResultCode::AdminLimitExceeded, "too large a transaction"));
        }
        transaction.octets = octets;
        transaction.steps.push((context.message, None));
        context.attached.transaction = Some(transaction.number);
        context.attached.assumed = transaction.assumed;
        Action::Nothing
    }

    /// Keeps a change of a transaction until the end. `Err`: the transaction is gone, the change is not to be made.
    pub(super) fn keep_in_transaction(&mut self, mut proposal: Proposal) -> Result<(), Box<Proposal>> {
        let number = proposal.context.attached.transaction;
        let transaction = self.transaction.as_mut().filter(|transaction| Some(transaction.number) == number);
        let place =
            transaction.and_then(|it| it.steps.iter_mut().find(|(id, kept)| *id == proposal.context.message && kept.is_none()));
        match place {
            Some((_, kept)) => {
                *kept = Some(proposal);
                Ok(())
            }
            None => {
                proposal.context.attached.transaction = None;
                Err(Box::new(proposal))
            }
        }
    }

    /// A change whose reply is not wanted any more is no part of its transaction.
    pub(super) fn leave_transaction(&mut self, context: &Context) {
        if let Some(transaction) = self.transaction.as_mut().filter(|it| Some(it.number) == context.attached.transaction) {
            transaction.steps.retain(|(id, kept)| *id != context.message || kept.is_some());
        }
    }

    /// Commits the transaction whose end waited for passwords to be hashed.
    pub(super) fn release_transaction(&mut self) -> Action {
        match self.transaction.take_if(|transaction| transaction.end.is_some() && transaction.is_whole()) {
            Some(mut transaction) => match transaction.end.take() {
                Some(context) => self.commit_transaction(*context, transaction),
                None => Action::Nothing,
            },
            None => Action::Nothing,
        }
    }

    fn commit_transaction(&mut self, context: Context, transaction: Transaction) -> Action {
        let steps: Vec<Proposal> = transaction.steps.into_iter().filter_map(|(_, proposal)| proposal).collect();
        if steps.is_empty() {
            let id = context.message;
            let wanted = self.operations.take_committing(id).is_none_or(|operation| !operation.abandoned);
            return if wanted { answer(id, LdapResult::of(ResultCode::Success)) } else { Action::Nothing };
        }
        self.commit(context, ResponseKind::Extended, ProposedOperation::Transaction(steps))
    }

    /// A bind ends transactions without notice (RFC 5805 section 3.5); one whose end was asked for before it goes on.
    pub(super) fn forget_transaction(&mut self) {
        self.transaction.take_if(|transaction| transaction.end.is_none());
    }

    /// Ends the transaction, if there is one, and tells the client.
    pub(super) fn give_up_transaction(&mut self, result: LdapResult) -> Action {
        match self.transaction.take() {
            Some(transaction) => {
                let notice = transaction::aborted_notice(transaction.identifier(), result);
                Action::Reply(MessageId(0), vec![notice])
            }
            None => Action::Nothing,
        }
    }

    /// Octets that the transaction keeps until its end.
    pub fn transaction_octets(&self) -> usize {
        self.transaction.as_ref().map_or(0, |transaction| transaction.octets)
    }

    /// Gives up the transaction, where there is no memory for it, and tells the client.
    pub fn abort_transaction(&mut self, result: LdapResult) -> Action {
        self.give_up_transaction(result)
    }

    /// What follows a change that came back from the hash pool: an end may have waited for it.
    pub(super) fn after_step(&mut self, id: MessageId, kind: ResponseKind) -> Action {
        let accepted = Action::Reply(id, vec![Reply::result(kind, LdapResult::of(ResultCode::Success))]);
        several(vec![accepted, self.release_transaction()])
    }
}

fn named_transaction(controls: &[Control]) -> Option<&Bytes> {
    let specification = controls.iter().find(|control| control.oid == crate::protocol::oid::TRANSACTION_SPECIFICATION)?;
    specification.value.as_ref()
}

fn answer(id: MessageId, result: LdapResult) -> Action {
    Action::Reply(id, vec![Reply::result(ResponseKind::Extended, result)])
}
