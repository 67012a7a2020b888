//! One connection as a state machine that eats requests and returns actions. It does no I/O and reads no clock, so a test or a
//! fuzzer can drive all of it.

use std::sync::Arc;

use crate::directory::Directory;
use crate::model::{ResultCode, Timestamp};
use crate::operation::search::SearchStream;
use crate::operation::{Decision, Fresh, Identity, Peer, Proposal, Settings, TlsFacts};
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{Message, MessageId, Reply};

/// The state of one connection.
pub struct Session {
    identity: Identity,
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
    Hash(MessageId, Vec<HashJob>),
    /// Have the committer decide this, then call [`Session::committed`] once it is durable.
    Commit(MessageId, Box<Proposal>),
    /// Drop the search with this number, if there is one; what is with the committer goes on. No reply (RFC 4511 section 4.11).
    Abandon(MessageId),
    /// Send this, hand the note to the committer (its decision is not waited for and not told to the session), then hand the socket to
    /// TLS, then call [`Session::tls_established`].
    StartTls(MessageId, Reply, Box<Proposal>),
    /// All of these, in this order: a bind first ends what is under way, the last write's reply may release a bind that waited for it.
    Several(Vec<Action>),
    /// Send the notice, if there is one (message ID 0), and close.
    Close(Option<Reply>),
}

impl Session {
    /// A new connection. `tls` is given for LDAPS.
    pub fn new(number: u64, peer: Arc<Peer>, tls: Option<Arc<TlsFacts>>, settings: Arc<Settings>) -> Session {
        let _ = (number, peer, tls, settings);
        todo!()
    }

    /// Whether the server may read another request now: not while a bind is under way, nor between a StartTLS request and the end of its
    /// handshake, nor above the limit of outstanding operations.
    pub fn may_receive(&self) -> bool {
        todo!()
    }

    /// The largest request the server may read now, in octets.
    pub fn request_limit(&self) -> usize {
        todo!()
    }

    /// Eats one request.
    pub fn receive(&mut self, directory: &Arc<Directory>, message: Message, now: Timestamp, fresh: Fresh) -> Action {
        let _ = (directory, message, now, fresh);
        todo!()
    }

    /// The hash pool's answers.
    pub fn hashed(&mut self, directory: &Arc<Directory>, id: MessageId, answers: Vec<HashAnswer>, now: Timestamp) -> Action {
        let _ = (directory, id, answers, now);
        todo!()
    }

    /// The committer's decision, durable by now; `Err` when the append failed (52) or the queue was full (51). `directory` is the value
    /// published with it or a newer one: a bind that waited for this write is begun on it.
    pub fn committed(&mut self, directory: &Arc<Directory>, id: MessageId, decision: Result<Decision, ResultCode>) -> Action {
        let _ = (directory, id, decision);
        todo!()
    }

    /// A search of this session sent its last reply.
    pub fn search_ended(&mut self, id: MessageId) {
        let _ = id;
        todo!()
    }

    /// The handshake after StartTLS succeeded.
    pub fn tls_established(&mut self, tls: Arc<TlsFacts>) {
        let _ = tls;
        todo!()
    }

    /// Settings after a reload: for requests from now on.
    pub fn reload(&mut self, settings: Arc<Settings>) {
        let _ = settings;
        todo!()
    }

    /// Who the session is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}
