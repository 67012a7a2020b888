//! One connection as a state machine that eats requests and returns actions. It does no I/O and reads no clock, so a test or a
//! fuzzer can drive all of it.
//!
//! ```text
//!            ┌──────────── bind ────────────► BindWaits ── last write answered ──┐
//!            │  writes under way: they are ended first, searches are dropped     ▼
//!  ───► Open ┼──────────── bind, nothing under way ─────────────────────────► Binding ── decided ──► Open
//!            ├── StartTLS ──► StartingTls ── handshake ──► Open
//!            └── unbind, protocol error ──► Closed
//!
//!  an operation:  search ─► Searching ─► ended          compare ─► (Hashing ─►) answered
//!                 write  ─► (Hashing ─►) Committing ─► answered
//! ```
//!
//! RFC 4511 section 4.2.1 lets a server end or abandon what is under way when a bind arrives: searches are abandoned and get no
//! result, what changes or compares passwords is ended and answered first, under the identity it was asked with.

mod begin;
mod cancel;
mod complete;
mod lifetime;
mod operations;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

use std::sync::Arc;

pub use lifetime::Lifetime;

use crate::directory::Directory;
use crate::model::{ResultCode, Secret, Timestamp};
use crate::operation::backup::BackupSnapshot;
use crate::operation::bind::Proof;
use crate::operation::exposed::Exposure;
use crate::operation::extended::cancelled_operation;
use crate::operation::key_rotation::KeysChanged;
use crate::operation::search::SearchStream;
use crate::operation::{
    Attached, Authority, CertificateFacts, Context, Decision, Fresh, Identity, Peer, Proposal, SessionEnd, Settings, TlsFacts,
};
use crate::policy::password::{HashAnswer, HashJob, LoginTag};
use crate::protocol::{LdapResult, Message, MessageId, Reply, Request, oid};
pub use operations::Ticket;
use operations::{Operations, WaitingBind};
use transaction::Transaction;

/// The state of one connection.
pub struct Session {
    number: u64,
    peer: Arc<Peer>,
    tls: Option<Arc<TlsFacts>>,
    settings: Arc<Settings>,
    identity: Identity,
    operations: Operations,
    phase: Phase,
    transaction: Option<Transaction>,
    /// How many were started: their identifiers.
    transactions: u64,
    /// When something was last asked for or done.
    active: Timestamp,
    /// When who is logged in now logged in.
    since: Timestamp,
    /// How often the session was suspended when it was last judged; none since the login.
    judged: Option<u64>,
}

/// What the connection as a whole is at.
enum Phase {
    Open,
    /// A bind that waits for writes to end.
    BindWaits(Box<WaitingBind>),
    /// A bind is under way; it is among the operations. What its password came to, once that is known.
    Binding(Proof),
    /// Between the answer to StartTLS and the end of the handshake.
    StartingTls,
    /// Unbound, or cut off.
    Closed,
}

/// What the server is to do next.
pub enum Action {
    /// Nothing.
    Nothing,
    /// Send these for this message.
    Reply(MessageId, Vec<Reply>),
    /// Register this search and pull it while the socket takes more; tell [`Session::search_ended`] when it is over.
    Search(MessageId, Box<SearchStream>),
    /// Have the hash pool do these, then call [`Session::hashed`] with the answers in the same order.
    Hash(Ticket, Vec<HashJob>),
    /// Have a snapshot taken, then call [`Session::snapshot_taken`].
    Snapshot(Ticket),
    /// Have a rotation of the seal key begun, then call [`Session::key_rotation_begun`].
    RotateKey(Ticket),
    /// If a login with this tag is remembered, and matched one of the values of the job, call [`Session::hashed`] with
    /// [`HashAnswer::Recalled`] at once; else as [`Action::Hash`].
    Recall(Ticket, LoginTag, Box<HashJob>),
    /// Remember this login: the password behind the tag was verified by a run of the hash, matches this stored value, and was let in.
    Remember(LoginTag, Secret),
    /// Find out, when there is room for it and beside the connection, whether this password was right; then have the committer decide
    /// [`Exposure::proposal`]. Nobody waits for it.
    Expose(Box<Exposure>),
    /// Have the committer decide this, then call [`Session::committed`] once it is durable.
    Commit(MessageId, Box<Proposal>),
    /// Drop the search with this number, if there is one; what is with the committer goes on. No reply (RFC 4511 section 4.11).
    Abandon(MessageId),
    /// Send this, hand the note to the committer (its decision is not waited for and not told to the session), then hand the socket to
    /// TLS, then call [`Session::tls_established`].
    StartTls(MessageId, Reply, Box<Proposal>),
    /// All of these, in this order: a bind first ends what is under way, the last write's reply may release a bind that waited for it.
    Several(Vec<Action>),
    /// Send the notice, if there is one (message ID 0), and close; then hand the note of the end to the committer, if there is one. Nobody
    /// waits for its decision.
    Close(Option<Reply>, Option<Box<Proposal>>),
}

impl Session {
    /// A new connection. `tls` is given for LDAPS.
    pub fn new(number: u64, peer: Arc<Peer>, tls: Option<Arc<TlsFacts>>, settings: Arc<Settings>) -> Session {
        let (identity, operations) = (Identity::default(), Operations::default());
        let never = Timestamp::default();
        Session {
            number,
            peer,
            tls,
            settings,
            identity,
            operations,
            phase: Phase::Open,
            transaction: None,
            transactions: 0,
            active: never,
            since: never,
            judged: None,
        }
    }

    /// Whether the server may read another request now: not while a bind is under way, nor between a StartTLS request and the end of its
    /// handshake, nor above the limit of outstanding operations.
    pub fn may_receive(&self) -> bool {
        matches!(self.phase, Phase::Open) && self.operations.len() < self.settings.limits.pending_operations
    }

    /// The largest request the server may read now, in octets.
    pub fn request_limit(&self) -> usize {
        match self.identity.entry {
            Some(_) => self.settings.limits.request,
            None => self.settings.limits.unauthenticated_request,
        }
    }

    /// Eats one request. Whoever calls this without asking [`Session::may_receive`] gets 51, but may always unbind, abandon or cancel.
    pub fn receive(&mut self, directory: &Arc<Directory>, message: Message, now: Timestamp, fresh: Fresh) -> Action {
        let directory = &crate::operation::as_of(directory, now);
        self.touch(now);
        if let Some(live) = &self.identity.live {
            live.note_request(&message.request, now);
        }
        match self.phase {
            Phase::Closed => return Action::Nothing,
            // What comes between StartTLS and the handshake could be from anybody on the way.
            Phase::StartingTls => return self.close(SessionEnd::ProtocolError, None),
            Phase::Open | Phase::BindWaits(_) | Phase::Binding(_) => {}
        }
        if message.id.0 <= 0 || self.is_in_use(message.id) {
            let text = "message ID is zero, negative or in use";
            let notice = Reply::notice_of_disconnection(ResultCode::ProtocolError, text);
            return self.close(SessionEnd::ProtocolError, Some(notice));
        }
        match (&message.request, message.request.response_kind()) {
            (Request::Unbind, _) => self.close(SessionEnd::Unbind, None),
            (Request::Abandon(id), _) => self.abandon(*id),
            (request, Some(kind)) if !self.may_receive() && !is_cancel(request) => {
                Action::Reply(message.id, vec![Reply::result(kind, LdapResult::of(ResultCode::Busy))])
            }
            _ => {
                let context = self.context(directory, &message, now, fresh);
                self.begin(directory, context, message)
            }
        }
    }

    /// Whether a request that waits behind others should be received before them: it ends what is under way, and nothing else could be
    /// taken before that has ended.
    pub fn is_urgent(&self, request: &Request) -> bool {
        match request {
            Request::Abandon(id) => self.operations.contains(*id),
            Request::Extended { oid, value } if oid == oid::CANCEL => {
                cancelled_operation(value.as_ref()).is_ok_and(|id| self.operations.contains(id))
            }
            _ => false,
        }
    }

    /// The hash pool's answers. Without one for each job the operation is answered with 51.
    pub fn hashed(&mut self, directory: &Arc<Directory>, ticket: Ticket, answers: Vec<HashAnswer>) -> Action {
        self.complete_hashing(directory, ticket, answers)
    }

    /// The snapshot that [`Action::Snapshot`] asked for, or why there is none.
    pub fn snapshot_taken(
        &mut self,
        directory: &Arc<Directory>,
        ticket: Ticket,
        taken: Result<BackupSnapshot, ResultCode>,
    ) -> Action {
        self.complete_snapshot(directory, ticket, taken)
    }

    /// The rotation that [`Action::RotateKey`] asked for, or why there is none.
    pub fn key_rotation_begun(
        &mut self,
        directory: &Arc<Directory>,
        ticket: Ticket,
        begun: Result<KeysChanged, ResultCode>,
    ) -> Action {
        self.complete_key_rotation(directory, ticket, begun)
    }

    /// The committer's decision, durable by now; `Err` when the append failed (52) or the queue was full (51). `directory` is the value
    /// published with it or a newer one: a bind that waited for this write is begun on it.
    pub fn committed(&mut self, directory: &Arc<Directory>, id: MessageId, decision: Result<Decision, ResultCode>) -> Action {
        self.complete_commit(directory, id, decision)
    }

    /// A search of this session sent its last reply.
    pub fn search_ended(&mut self, id: MessageId) {
        self.operations.end_search(id);
    }

    /// The handshake after StartTLS succeeded.
    pub fn tls_established(&mut self, tls: Arc<TlsFacts>) {
        self.tls = Some(tls);
        if matches!(self.phase, Phase::StartingTls) {
            self.phase = Phase::Open;
        }
    }

    /// Settings after a reload: for requests from now on.
    pub fn reload(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// How many operations are under way.
    pub fn pending(&self) -> usize {
        self.operations.len()
    }

    /// Whether an operation is under way or waits.
    pub fn is_pending(&self, id: MessageId) -> bool {
        self.is_in_use(id)
    }

    /// Who the session is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The client's certificate, where it showed one.
    pub fn certificate(&self) -> Option<&CertificateFacts> {
        self.tls.as_ref().and_then(|tls| tls.certificate.as_ref())
    }

    fn context(&self, directory: &Directory, message: &Message, now: Timestamp, fresh: Fresh) -> Context {
        let mut context = Context {
            now,
            session: self.number,
            message: message.id,
            peer: Arc::clone(&self.peer),
            tls: self.tls.clone(),
            identity: self.identity.clone(),
            authority: Authority::Session,
            settings: Arc::clone(&self.settings),
            fresh,
            attached: Attached::default(),
        };
        if let Some(kind) = message.request.response_kind() {
            context.attached = Attached::read(directory, &context, kind, &message.controls);
        }
        context
    }

    fn is_in_use(&self, id: MessageId) -> bool {
        let waits = matches!(&self.phase, Phase::BindWaits(bind) if bind.context.message == id);
        waits || self.operations.contains(id)
    }

    /// Abandon (RFC 4511 section 4.11): a search is dropped; of anything else only the reply is. Binds cannot be abandoned.
    fn abandon(&mut self, id: MessageId) -> Action {
        if self.operations.abandon(id) { Action::Abandon(id) } else { Action::Nothing }
    }

    fn close(&mut self, end: SessionEnd, notice: Option<Reply>) -> Action {
        let note = self.note_of_end(end);
        self.phase = Phase::Closed;
        self.identity = Identity::default();
        self.operations.clear();
        self.transaction = None;
        Action::Close(notice, note)
    }
}

fn is_cancel(request: &Request) -> bool {
    matches!(request, Request::Extended { oid, .. } if oid == oid::CANCEL)
}
