//! What a request becomes: an answer at once, a search to pull, work for the hash pool, or a proposal for the committer.

use std::sync::Arc;

use super::operations::{AskedBind, Hashing, Stage, WaitingBind};
use super::{Action, Phase, Session};
use crate::directory::Directory;
use crate::model::{ResultCode, Secret};
use crate::operation::add::AddRequest;
use crate::operation::bind::{self, Proof, Step};
use crate::operation::compare::{self, CompareRequest};
use crate::operation::delete::DeleteRequest;
use crate::operation::dynamic::RefreshRequest;
use crate::operation::extended::{self, ExtendedOperation};
use crate::operation::journal_read::JournalReadRequest;
use crate::operation::modify::ModifyRequest;
use crate::operation::modify_dn::ModifyDnRequest;
use crate::operation::{
    Context, Identity, Proposal, ProposedOperation, SessionEnd, account_report, app_password, audit, backup, enrolment, explain,
    key_rotation, password, policy_test, prepare, search,
};
use crate::protocol::{Control, LdapResult, Message, MessageId, Reply, Request, ResponseKind, SearchRequest};

/// Most searches of one connection that go on until they are abandoned.
pub(super) const MAXIMUM_PERSISTENT: usize = 16;

impl Session {
    /// Begins any operation but unbind and abandon.
    pub(super) fn begin(&mut self, directory: &Arc<Directory>, context: Context, message: Message) -> Action {
        let Message { id, request, controls } = message;
        match request {
            Request::Bind(request) => self.bind(directory, context, AskedBind::Request(request), controls),
            Request::Malformed { kind, code, diagnostic } => {
                let result = LdapResult::with(code, diagnostic);
                match kind {
                    ResponseKind::Bind => self.bind(directory, context, AskedBind::Malformed(result), controls),
                    _ => Action::Reply(id, vec![Reply::result(kind, result)]),
                }
            }
            Request::Search(request) => self.search(directory, &context, &request, &controls),
            Request::Compare { name, attribute, value } => {
                self.compare(directory, context, CompareRequest { name, attribute, value, controls })
            }
            Request::Add { name, attributes } => {
                let request = AddRequest::new(name, attributes, controls);
                self.write(directory, context, ResponseKind::Add, ProposedOperation::Add(request))
            }
            Request::Modify { name, changes } => {
                let request = ModifyRequest::new(name, changes, controls);
                self.write(directory, context, ResponseKind::Modify, ProposedOperation::Modify(request))
            }
            Request::Delete { name } => {
                let request = DeleteRequest { name, controls };
                self.write(directory, context, ResponseKind::Delete, ProposedOperation::Delete(request))
            }
            Request::ModifyDn { name, new_rdn, delete_old_rdn, new_superior } => {
                let request = ModifyDnRequest { name, new_rdn, delete_old_rdn, new_superior, controls };
                self.write(directory, context, ResponseKind::ModifyDn, ProposedOperation::ModifyDn(request))
            }
            Request::Extended { oid, value } => self.extended(directory, context, &oid, value.as_ref(), &controls),
            Request::Unbind => self.close(SessionEnd::Unbind, None),
            Request::Abandon(target) => self.abandon(target),
        }
    }

    /// From here to the decision the session is anonymous (RFC 4513 section 4).
    fn bind(&mut self, directory: &Arc<Directory>, mut context: Context, request: AskedBind, controls: Vec<Control>) -> Action {
        self.identity = self.identity.nobody();
        context.identity = self.identity.clone();
        self.forget_transaction();
        let mut actions: Vec<Action> = self.operations.abandon_searches().into_iter().map(Action::Abandon).collect();
        self.phase = Phase::BindWaits(Box::new(WaitingBind { context, request, controls }));
        actions.push(self.release_bind(directory));
        several(actions)
    }

    /// Begins the bind that waits, once nothing else is under way.
    pub(super) fn release_bind(&mut self, directory: &Arc<Directory>) -> Action {
        if !self.operations.is_empty() {
            return Action::Nothing;
        }
        match std::mem::replace(&mut self.phase, Phase::Binding(Proof::None)) {
            Phase::BindWaits(bind) => self.begin_bind(directory, *bind),
            phase => {
                self.phase = phase;
                Action::Nothing
            }
        }
    }

    fn begin_bind(&mut self, directory: &Directory, bind: WaitingBind) -> Action {
        let WaitingBind { context, request, controls } = bind;
        let step = match request {
            AskedBind::Request(request) => bind::begin(directory, &context, request, &controls),
            AskedBind::Malformed(result) => Step::Commit(bind::malformed(result)),
        };
        match step {
            Step::Verify(job, pending) => {
                let id = context.message;
                let tag = pending.tag().cloned();
                let ticket = self.operations.put_hashing(id, ResponseKind::Bind, context, Hashing::Bind(pending));
                match tag {
                    Some(tag) => Action::Recall(ticket, tag, job),
                    None => Action::Hash(ticket, vec![*job]),
                }
            }
            Step::Commit(mut pending) => {
                self.phase = Phase::Binding(pending.proof());
                let exposure = pending.take_exposure().map(Action::Expose);
                let action = self.commit(context, ResponseKind::Bind, ProposedOperation::Bind(pending));
                several(std::iter::once(action).chain(exposure).collect())
            }
        }
    }

    fn search(&mut self, directory: &Arc<Directory>, context: &Context, request: &SearchRequest, controls: &[Control]) -> Action {
        let id = context.message;
        match search::begin(directory, context, request, controls) {
            Ok(stream) if stream.is_persistent() && self.operations.persistent() >= MAXIMUM_PERSISTENT => {
                let result = LdapResult::with(ResultCode::AdminLimitExceeded, "too many persistent searches on this connection");
                Action::Reply(id, vec![Reply::result(ResponseKind::SearchDone, result)])
            }
            Ok(stream) if stream.question().is_some() => {
                let request = JournalReadRequest::of_search(stream.question().unwrap_or_default());
                self.operations.put(id, ResponseKind::SearchDone, Stage::Recording(Box::new(stream)));
                let operation = ProposedOperation::JournalRead(request);
                Action::Commit(id, Box::new(Proposal { context: context.clone(), operation }))
            }
            Ok(stream) => {
                if stream.is_persistent() {
                    self.operations.put_persistent(id);
                } else {
                    self.operations.put(id, ResponseKind::SearchDone, Stage::Searching);
                }
                Action::Search(id, Box::new(stream))
            }
            Err(reply) => match audit::refused_search(context, request, &reply) {
                Some(read) => {
                    self.commit(context.clone(), ResponseKind::SearchDone, ProposedOperation::AuditedRead(Box::new(read)))
                }
                None => Action::Reply(id, vec![reply]),
            },
        }
    }

    fn compare(&mut self, directory: &Directory, context: Context, request: CompareRequest) -> Action {
        let id = context.message;
        let jobs = compare::jobs(directory, &context, &request);
        if jobs.is_empty() {
            let reply = compare::compare(directory, &context, &request, &[]);
            return match audit::compared(directory, &context, &request, &reply) {
                Some(read) => self.commit(context, ResponseKind::Compare, ProposedOperation::AuditedRead(Box::new(read))),
                None => Action::Reply(id, vec![reply]),
            };
        }
        Action::Hash(self.operations.put_hashing(id, ResponseKind::Compare, context, Hashing::Compare(request)), jobs)
    }

    fn write(
        &mut self,
        directory: &Directory,
        mut context: Context,
        kind: ResponseKind,
        mut operation: ProposedOperation,
    ) -> Action {
        let notice = self.join_transaction(&mut context, kind, operation.controls(), operation.octets());
        let jobs = prepare::jobs(directory, &context, &mut operation);
        if jobs.is_empty() {
            return several(vec![notice, self.propose(context, kind, operation)]);
        }
        let id = context.message;
        let ticket = self.operations.put_hashing(id, kind, context, Hashing::Write(operation));
        several(vec![notice, Action::Hash(ticket, jobs)])
    }

    /// Hands a change to its transaction, or to the committer.
    pub(super) fn propose(&mut self, context: Context, kind: ResponseKind, operation: ProposedOperation) -> Action {
        if context.attached.transaction.is_none() {
            return self.commit(context, kind, operation);
        }
        let id = context.message;
        match self.keep_in_transaction(Proposal { context, operation }) {
            Ok(()) => self.after_step(id, kind),
            Err(proposal) => {
                let Proposal { context, operation } = *proposal;
                self.commit(context, kind, operation)
            }
        }
    }

    fn extended(
        &mut self,
        directory: &Directory,
        context: Context,
        oid: &str,
        value: Option<&Secret>,
        controls: &[Control],
    ) -> Action {
        let id = context.message;
        let Some(operation) = ExtendedOperation::from_oid(oid) else { return Action::Reply(id, vec![extended::unsupported()]) };
        if operation == ExtendedOperation::PasswordModify {
            return self.password_modify(directory, context, value, controls);
        }
        if let Err(result) = extended::check_controls(operation, controls, &context.settings.limits) {
            return Action::Reply(id, vec![Reply::result(ResponseKind::Extended, result)]);
        }
        if matches!(operation, ExtendedOperation::StartTransaction | ExtendedOperation::Backup | ExtendedOperation::KeyRotation)
            && let Err(result) = extended::check_restricted(directory, &context)
        {
            return Action::Reply(id, vec![Reply::result(ResponseKind::Extended, result)]);
        }
        match operation {
            ExtendedOperation::StartTls => self.start_tls(directory, context, value),
            ExtendedOperation::Refresh => match RefreshRequest::read(value, controls) {
                Ok(request) => self.commit(context, ResponseKind::Extended, ProposedOperation::Refresh(request)),
                Err(result) => Action::Reply(id, vec![Reply::result(ResponseKind::Extended, result)]),
            },
            ExtendedOperation::StartTransaction => self.start_transaction(directory, &context, value),
            ExtendedOperation::EndTransaction => self.end_transaction(context, value),
            ExtendedOperation::Backup => self.backup(directory, context, value),
            ExtendedOperation::JournalRead => {
                let request = ProposedOperation::JournalRead(JournalReadRequest::read(value));
                self.commit(context, ResponseKind::Extended, request)
            }
            ExtendedOperation::OtpEnrolment => self.enrol(directory, context, value),
            ExtendedOperation::AppPassword => self.app_password(directory, context, value),
            ExtendedOperation::KeyRotation => self.rotate_key(directory, context, value),
            ExtendedOperation::ClockConfirmation if value.is_some() => {
                let result = LdapResult::with(ResultCode::ProtocolError, "no request data expected");
                Action::Reply(id, vec![Reply::result(ResponseKind::Extended, result)])
            }
            ExtendedOperation::ClockConfirmation => {
                self.commit(context, ResponseKind::Extended, ProposedOperation::ClockConfirmation)
            }
            ExtendedOperation::Cancel => self.cancel(id, value),
            ExtendedOperation::Explain => Action::Reply(id, vec![explain::answer(directory, &context, value)]),
            ExtendedOperation::PolicyTest => Action::Reply(id, vec![policy_test::answer(directory, &context, value)]),
            ExtendedOperation::AccountReport => Action::Reply(id, vec![account_report::answer(directory, &context, value)]),
            _ => Action::Reply(id, vec![extended::who_am_i(directory, &context, value)]),
        }
    }

    fn app_password(&mut self, directory: &Directory, context: Context, value: Option<&Secret>) -> Action {
        let reply = match app_password::read(value) {
            Ok(request) => match app_password::answer(directory, &context, &request) {
                Some(reply) => reply,
                None => return self.commit(context, ResponseKind::Extended, ProposedOperation::AppPassword(request)),
            },
            Err(result) => Reply::result(ResponseKind::Extended, result),
        };
        Action::Reply(context.message, vec![reply])
    }

    fn enrol(&mut self, directory: &Directory, context: Context, value: Option<&Secret>) -> Action {
        let (kind, (request, jobs)) = (ResponseKind::Extended, enrolment::begin(directory, &context, value));
        if jobs.is_empty() {
            return self.commit(context, kind, ProposedOperation::OtpEnrolment(request));
        }
        let id = context.message;
        Action::Hash(self.operations.put_hashing(id, kind, context, Hashing::OtpEnrolment(request)), jobs)
    }

    fn password_modify(
        &mut self,
        directory: &Directory,
        mut context: Context,
        value: Option<&Secret>,
        controls: &[Control],
    ) -> Action {
        let kind = ResponseKind::Extended;
        let octets = value.map_or(0, |value| value.expose().len());
        let notice = self.join_transaction(&mut context, kind, controls, octets);
        let (request, jobs) = password::begin(directory, &context, value, controls);
        if jobs.is_empty() {
            return several(vec![notice, self.propose(context, kind, ProposedOperation::PasswordModify(request))]);
        }
        let id = context.message;
        let hashing = Hashing::PasswordModify(request);
        several(vec![notice, Action::Hash(self.operations.put_hashing(id, kind, context, hashing), jobs)])
    }

    fn backup(&mut self, directory: &Directory, context: Context, value: Option<&Secret>) -> Action {
        match backup::begin(directory, &context, value) {
            Ok(()) => {
                let id = context.message;
                Action::Snapshot(self.operations.put_hashing(id, ResponseKind::Extended, context, Hashing::Backup))
            }
            Err(refused) => self.commit(context, ResponseKind::Extended, ProposedOperation::Backup(refused)),
        }
    }

    fn rotate_key(&mut self, directory: &Directory, context: Context, value: Option<&Secret>) -> Action {
        match key_rotation::begin(directory, &context, value) {
            Ok(()) => {
                let id = context.message;
                Action::RotateKey(self.operations.put_hashing(id, ResponseKind::Extended, context, Hashing::KeyRotation))
            }
            Err(refused) => self.commit(context, ResponseKind::Extended, ProposedOperation::KeyRotation(refused)),
        }
    }

    /// The session is anonymous as soon as the request is granted: what was proven in clear says nothing about the other end of TLS.
    fn start_tls(&mut self, directory: &Directory, context: Context, value: Option<&Secret>) -> Action {
        let id = context.message;
        if let Err(result) = extended::may_start_tls(&context, value, !self.operations.is_empty()) {
            return Action::Reply(id, vec![extended::start_tls_reply(result)]);
        }
        let notice = self.give_up_transaction(LdapResult::with(ResultCode::Other, "TLS is starting"));
        self.identity = Identity::default();
        self.phase = Phase::StartingTls;
        let operation = extended::start_tls_note(directory, &context);
        let reply = extended::start_tls_reply(LdapResult::of(ResultCode::Success));
        several(vec![notice, Action::StartTls(id, reply, Box::new(Proposal { context, operation }))])
    }

    /// An operation that the committer decides, now or soon.
    pub(super) fn await_commit(&mut self, id: MessageId, kind: ResponseKind) {
        self.operations.put(id, kind, Stage::Committing);
    }

    /// Hands an operation to the committer.
    pub(super) fn commit(&mut self, context: Context, kind: ResponseKind, operation: ProposedOperation) -> Action {
        let id = context.message;
        self.await_commit(id, kind);
        Action::Commit(id, Box::new(Proposal { context, operation }))
    }
}

/// One action for several: none of them idle, and no list where one will do.
pub(super) fn several(mut actions: Vec<Action>) -> Action {
    actions.retain(|action| !matches!(action, Action::Nothing));
    match actions.len() {
        0 => Action::Nothing,
        1 => actions.remove(0),
        _ => Action::Several(actions),
    }
}
