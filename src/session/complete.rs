//! What follows when the hash pool or the committer is done with an operation.

use std::sync::Arc;

use super::begin::several;
use super::operations::{Hashing, Stage, Ticket};
use super::{Action, Phase, Session};
use crate::directory::Directory;
use crate::model::{ResultCode, Secret};
use crate::operation::backup::{BackupRequest, BackupSnapshot};
use crate::operation::bind::Proof;
use crate::operation::key_rotation::{KeyRotationRequest, KeysChanged};
use crate::operation::search::SearchStream;
use crate::operation::{Decision, ProposedOperation, audit, compare, prepare};
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{LdapResult, MessageId, Reply, ResponseKind};

impl Session {
    pub(super) fn complete_hashing(&mut self, directory: &Arc<Directory>, ticket: Ticket, answers: Vec<HashAnswer>) -> Action {
        if let Some((id, reply)) = self.operations.take_refused(ticket) {
            self.phase = Phase::Open;
            return self.answer(directory, id, reply);
        }
        let Some((id, operation, context, hashing)) = self.operations.take_hashing(ticket) else { return Action::Nothing };
        if operation.abandoned {
            self.leave_transaction(&context);
            return several(vec![self.release_transaction(), self.release_bind(directory)]);
        }
        let proposed = match hashing {
            Hashing::Compare(request) => {
                let directory_then = crate::operation::as_of(directory, context.now);
                let reply = compare::compare(&directory_then, &context, &request, &answers);
                match audit::compared(&directory_then, &context, &request, &reply) {
                    Some(read) => ProposedOperation::AuditedRead(Box::new(read)),
                    None => return self.answer(directory, id, reply),
                }
            }
            Hashing::Bind(pending) => {
                let pending = pending.with_answers(answers);
                self.phase = Phase::Binding(pending.proof());
                ProposedOperation::Bind(pending)
            }
            Hashing::OtpEnrolment(request) => ProposedOperation::OtpEnrolment(request.with_answers(answers)),
            Hashing::PasswordModify(request) => ProposedOperation::PasswordModify(request.with_answers(answers)),
            // The hash pool has nothing to do with it.
            Hashing::Backup => ProposedOperation::Backup(BackupRequest::after(Err(ResultCode::Other))),
            Hashing::KeyRotation => ProposedOperation::KeyRotation(KeyRotationRequest::after(Err(ResultCode::Other))),
            Hashing::Write(operation) => prepare::with_answers(operation, answers),
        };
        let action = self.propose(context, operation.kind, proposed);
        several(vec![action, self.release_bind(directory)])
    }

    pub(super) fn complete_snapshot(
        &mut self,
        directory: &Arc<Directory>,
        ticket: Ticket,
        taken: Result<BackupSnapshot, ResultCode>,
    ) -> Action {
        self.complete_errand(directory, ticket, ProposedOperation::Backup(BackupRequest::after(taken)))
    }

    pub(super) fn complete_key_rotation(
        &mut self,
        directory: &Arc<Directory>,
        ticket: Ticket,
        begun: Result<KeysChanged, ResultCode>,
    ) -> Action {
        self.complete_errand(directory, ticket, ProposedOperation::KeyRotation(KeyRotationRequest::after(begun)))
    }

    fn complete_errand(&mut self, directory: &Arc<Directory>, ticket: Ticket, proposed: ProposedOperation) -> Action {
        let Some((id, operation, context, _)) = self.operations.take_hashing(ticket) else { return Action::Nothing };
        // Abandoned or not: it was done for somebody, and the journal says for whom.
        let action = self.commit(context, operation.kind, proposed);
        if operation.abandoned {
            self.operations.abandon(id);
        }
        several(vec![action, self.release_bind(directory)])
    }

    pub(super) fn complete_commit(
        &mut self,
        directory: &Arc<Directory>,
        id: MessageId,
        decision: Result<Decision, ResultCode>,
    ) -> Action {
        if let Some(search) = self.operations.take_recording(id) {
            return self.complete_recording(directory, id, search, decision);
        }
        let Some(operation) = self.operations.take_committing(id) else { return Action::Nothing };
        let (reply, identity) = match decision {
            Ok(Decision { reply, identity, .. }) => (reply, identity),
            Err(code) => (Reply::result(operation.kind, LdapResult::of(code)), None),
        };
        let mut remember = Action::Nothing;
        if operation.kind == ResponseKind::Bind {
            match (std::mem::replace(&mut self.phase, Phase::Open), &identity) {
                (Phase::Binding(Proof::Recalled), None) => return self.refuse_slowly(id, reply),
                (Phase::Binding(Proof::Verified(tag, stored)), Some(_)) => remember = Action::Remember(tag, stored),
                _ => {}
            }
            self.identity = identity.unwrap_or_else(|| self.identity.nobody());
            self.judged = None;
            // Nothing was received since the bind.
            self.since = self.active;
        }
        let action = if operation.abandoned { self.release_bind(directory) } else { self.answer(directory, id, reply) };
        several(vec![remember, action])
    }

    /// A search that reads the journal is recorded: now it may be pulled.
    fn complete_recording(
        &mut self,
        directory: &Arc<Directory>,
        id: MessageId,
        search: Option<Box<SearchStream>>,
        decision: Result<Decision, ResultCode>,
    ) -> Action {
        let Some(search) = search else { return self.release_bind(directory) };
        let reply = match decision {
            Ok(decision) if decision.record.result == ResultCode::Success => {
                self.operations.put(id, ResponseKind::SearchDone, Stage::Searching);
                return Action::Search(id, search);
            }
            Ok(decision) => decision.reply,
            Err(code) => Reply::result(ResponseKind::SearchDone, LdapResult::of(code)),
        };
        self.answer(directory, id, reply)
    }

    /// A login that was recalled and is refused all the same takes as long as a wrong password does.
    fn refuse_slowly(&mut self, id: MessageId, reply: Reply) -> Action {
        self.phase = Phase::Binding(Proof::None);
        self.identity = self.identity.nobody();
        let ticket = self.operations.put_refused(id, ResponseKind::Bind, reply);
        Action::Hash(ticket, vec![HashJob::verify(Vec::new(), Secret::new(Vec::new()))])
    }

    fn answer(&mut self, directory: &Arc<Directory>, id: MessageId, reply: Reply) -> Action {
        several(vec![Action::Reply(id, vec![reply]), self.release_bind(directory)])
    }
}
