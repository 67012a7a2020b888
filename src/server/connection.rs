//! One client's task: reads requests, does what its [`Session`] asks for, writes replies.
//!
//! A search is pulled only while the client takes what was written, so a slow reader costs a bounded buffer and nothing else.

mod allowance;
mod input;
mod output;
mod standing;
mod start_tls;
mod timers;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::committer_thread::{Address, Completion};
use super::gate::Seat;
use super::parked::Parked;
use super::registry::Presence;
use super::services::Services;
use super::stream::Stream;
use crate::config::ConnectionSettings;
use crate::model::ResultCode;
use crate::operation::search::SearchStream;
use crate::operation::{Fresh, Peer, Proposal, SessionEnd, Settings, TlsFacts};
use crate::protocol::{LdapResult, Message, MessageId, Reply, Request, ResponseKind};
use crate::session::{Action, Session};
use crate::wire::{self, Urgent};
use allowance::{Allowance, RETRY};
use output::Output;
use timers::{Deadline, Timers};

/// How long a client may take to fetch what is left for it once its connection is to be closed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The same where its session was revoked.
const LAST_WORDS_OF_REVOKED: Duration = Duration::from_millis(300);
/// How long the end of a connection may take that a client does not follow.
const LAST_SHUTDOWN: Duration = Duration::from_secs(1);
/// Completions that can wait for a connection: more than it may have operations outstanding.
const COMPLETIONS: usize = 1024;
/// How long buffers stay that are not used: thousands of idle connections would hold on to them.
const QUIET: Duration = Duration::from_secs(2);

/// A client's connection and all that is under way for it.
pub struct Connection {
    stream: Option<Stream>,
    session: Session,
    services: Arc<Services>,
    settings: Arc<Settings>,
    limits: Arc<ConnectionSettings>,
    peer: Arc<Peer>,
    allowance: Allowance,
    timers: Timers,
    input: BytesMut,
    /// Octets of the request that is being read, where it is known; 0 otherwise.
    expected: usize,
    output: Output,
    searches: VecDeque<(MessageId, Box<SearchStream>)>,
    /// Those that wait for records of the journal, and how many did so far.
    fetching: Vec<(u64, MessageId, Box<SearchStream>)>,
    fetches: u64,
    /// Those that wait for a change.
    parked: Parked,
    completions: mpsc::Receiver<Completion>,
    completion_sender: mpsc::Sender<Completion>,
    /// Operations with the committer or the hash pool.
    elsewhere: usize,
    stage: Stage,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Ready when the connection must make room for others, which happens only before its first request.
    evicted: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// A request that waits because too many were refused from its address.
    waiting: Option<Message>,
    /// Input came, or requests were taken, since the input was last looked through for what is urgent.
    unseen: bool,
    /// Something happened since buffers were last looked at.
    used: bool,
    presence: Option<Presence>,
    /// Why the connection ends, where the session does not say so itself.
    cause: SessionEnd,
    /// Why the session is over, found while its searches were pulled.
    over: Option<SessionEnd>,
    /// The session was ended because its account may not hold it any more: it is closed at once.
    revoked: bool,
    /// What the journal is to say of the end of the session.
    note: Option<Box<Proposal>>,
    /// The client sends no more: when the connection ends, whatever is still under way.
    input_ended: bool,
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Taking requests.
    Open,
    /// The server stops: what is under way ends, then the notice goes out.
    Draining,
    /// What is in the buffer goes out, then the connection is closed.
    Closing,
}

/// What woke a connection.
enum Event {
    Read,
    Wrote,
    Completed(Completion),
    /// A search can go on.
    Search,
    /// The directory changed: these may have something to send.
    Changed(Vec<(MessageId, Box<SearchStream>)>),
    Shutdown,
    /// A deadline passed.
    Passed(Deadline),
    /// Others need the place more.
    Evicted,
    /// The client is gone, or everything is sent after the decision to close.
    End,
}

impl Connection {
    /// Runs a client's connection to its end. `tls`: facts of a handshake that is already done.
    pub async fn run(stream: Stream, seat: Seat, peer: Arc<Peer>, tls: Option<Arc<TlsFacts>>, services: Arc<Services>) {
        let settings = services.settings();
        let (completion_sender, completions) = mpsc::channel(COMPLETIONS);
        let limits = seat.gate().settings();
        let mut timers = Timers::new();
        timers.set(Deadline::FirstRequest, services.monotonic(), limits.first_request);
        let mut connection = Connection {
            stream: Some(stream),
            session: Session::new(seat.number(), Arc::clone(&peer), tls, Arc::clone(&settings)),
            shutdown: Box::pin(services.shutdown().cancelled_owned()),
            evicted: Some(Box::pin(seat.evicted().cancelled_owned())),
            services,
            settings,
            limits,
            peer,
            allowance: Allowance::new(seat),
            timers,
            input: BytesMut::new(),
            expected: 0,
            output: Output::default(),
            searches: VecDeque::new(),
            fetching: Vec::new(),
            fetches: 0,
            parked: Parked::default(),
            completions,
            completion_sender,
            elsewhere: 0,
            stage: Stage::Open,
            waiting: None,
            unseen: false,
            used: false,
            presence: None,
            cause: SessionEnd::ClientClosed,
            over: None,
            revoked: false,
            note: None,
            input_ended: false,
        };
        let now = connection.services.now();
        connection.session.touch(now);
        connection.look_at_lifetime().await;
        connection.serve().await;
    }

    async fn serve(mut self) {
        loop {
            self.follow_reload().await;
            self.take_requests().await;
            while self.take_urgent().await {
                self.take_requests().await;
            }
            self.pull_searches();
            if let Some(end) = self.over.take() {
                self.revoke(end).await;
            }
            self.settle();
            if self.input_ended && self.stage == Stage::Open && self.is_idle() && self.has_room() {
                self.close(None);
            }
            if self.stage == Stage::Draining && self.is_idle() {
                self.cause = SessionEnd::Shutdown;
                self.close(Some(Reply::notice_of_disconnection(ResultCode::Unavailable, "server is shutting down")));
            }
            match self.next_event().await {
                Event::Read | Event::Wrote => {}
                Event::Completed(completion) => self.completed(completion).await,
                Event::Search => tokio::task::yield_now().await,
                Event::Changed(searches) => self.searches.extend(searches),
                Event::Shutdown => self.stage = Stage::Draining,
                Event::Passed(deadline) => {
                    if !self.passed(deadline).await {
                        break;
                    }
                }
                Event::Evicted => {
                    tracing::debug!(peer = self.peer.text, "a connection that said nothing made room for another");
                    break;
                }
                Event::End => break,
            }
        }
        if let Some(mut stream) = self.stream.take() {
            let patience = if self.revoked { LAST_WORDS_OF_REVOKED } else { LAST_SHUTDOWN };
            // A client that is gone cannot be told; the socket is closed either way.
            let _ = tokio::time::timeout(patience, stream.shutdown()).await;
        }
        let note = self.note.take().or_else(|| self.session.gone(self.cause));
        let (services, owner) = (Arc::clone(&self.services), self.allowance.seat.owner());
        // What the connection holds is given back first: the journal may be slow.
        drop(self);
        if let Some(note) = note {
            services.record_end(*note, owner).await;
        }
    }

    async fn next_event(&mut self) -> Event {
        let closing = self.stage == Stage::Closing;
        let patience = if self.revoked { LAST_WORDS_OF_REVOKED } else { LAST_WORDS };
        let event = poll_fn(|context| self.poll_event(context));
        if closing { tokio::time::timeout(patience, event).await.unwrap_or(Event::End) } else { event.await }
    }

    async fn follow_reload(&mut self) {
        if self.services.settings_changed(&self.settings) {
            self.settings = self.services.settings();
            self.limits = self.allowance.seat.gate().settings();
            self.session.reload(Arc::clone(&self.settings));
            self.look_at_lifetime().await;
        }
    }

    /// A deadline passed. `false`: the connection ends here.
    async fn passed(&mut self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::Rest | Deadline::SearchRest => {}
            Deadline::Quiet => self.give_back_buffers(),
            Deadline::Lifetime => self.look_at_lifetime().await,
            Deadline::FirstRequest => self.close(None),
            Deadline::WholeRequest => {
                self.cause = SessionEnd::Stalled;
                self.tell("a client took too long to send a request; its connection is closed");
                self.close(None);
            }
            Deadline::Write => {
                self.cause = SessionEnd::Stalled;
                self.tell("a client did not take its results; its connection is closed");
                return false;
            }
            Deadline::LastReplies => return false,
        }
        true
    }

    /// A line in the log, unless there are too many already.
    fn tell(&self, what: &str) {
        if self.allowance.seat.gate().may_tell() {
            tracing::info!(peer = self.peer.text, "{what}");
        }
    }

    /// What is not under way any more holds nothing.
    fn settle(&mut self) {
        let session = &self.session;
        self.allowance.settle(session.pending(), |id| session.is_pending(id));
        self.allowance.hold_results(self.output.len());
        self.used = true;
        if self.input.capacity() > 0 || self.output.capacity() > 0 {
            self.timers.set_once(Deadline::Quiet, || self.services.monotonic(), QUIET);
        }
    }

    fn give_back_buffers(&mut self) {
        if std::mem::take(&mut self.used) {
            self.timers.set(Deadline::Quiet, self.services.monotonic(), QUIET);
            return;
        }
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.output.give_back();
    }

    /// Nothing is under way.
    fn is_idle(&self) -> bool {
        self.elsewhere == 0 && self.searches.is_empty() && self.waiting.is_none()
    }

    fn has_room(&self) -> bool {
        self.allowance.has_room(self.output.len(), output::HIGH)
    }

    /// Whether the next request may be taken.
    fn takes_requests(&self) -> bool {
        self.has_room() && self.session.may_receive() && !self.timers.is_set(Deadline::Rest)
    }

    /// Takes each Abandon and Cancel that is wanted out of requests that have to wait. `true`: there was one.
    async fn take_urgent(&mut self) -> bool {
        let (mut from, mut taken) = (0, false);
        while self.stage == Stage::Open && self.unseen && !self.takes_requests() {
            let session = &self.session;
            let is_wanted = |request: &Request| session.is_urgent(request);
            match wire::decode_urgent(&mut self.input, &mut from, session.request_limit(), is_wanted) {
                Urgent::Taken(message) => {
                    self.receive(*message).await;
                    taken = true;
                }
                Urgent::Nothing if !taken => self.unseen = false,
                // What was passed over may be wanted by now: it is looked at once more.
                Urgent::Later | Urgent::Nothing => break,
            }
        }
        taken
    }

    async fn receive(&mut self, message: Message) {
        self.timers.clear(Deadline::FirstRequest);
        self.evicted = None;
        let id = message.id;
        self.allowance.arrived(id);
        if self.session.must_stand_for(&message.request) && !self.stands().await {
            return;
        }
        let fresh = self.fresh_for(&message.request);
        let action = self.session.receive(&self.services.directory(), message, self.services.now(), fresh);
        self.perform(action).await;
        self.allowance.follow_identity(self.session.identity().entry);
        self.follow_login();
        let session = &self.session;
        self.allowance.tried_nothing(|id| session.is_pending(id));
        if !self.allowance.keep(self.session.transaction_octets()) {
            let action = self.session.abort_transaction(LdapResult::with(ResultCode::Busy, "no memory for the transaction"));
            self.perform(action).await;
        }
    }

    /// Decodes and hands over every whole request that may be taken now.
    async fn take_requests(&mut self) {
        while self.stage == Stage::Open && self.takes_requests() {
            if !self.allowance.may_begin(self.session.pending()) {
                return self.rest(RETRY);
            }
            let message = match self.next_request() {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(error) => {
                    self.tell(&format!("a client sent what is no LDAP message ({error}); its connection is closed"));
                    self.cause = SessionEnd::ProtocolError;
                    self.close(Some(Reply::notice_of_disconnection(ResultCode::ProtocolError, "protocol error")));
                    return;
                }
            };
            if let Err((wait, first)) = self.allowance.may_try(message.id, &message.request) {
                if first {
                    tracing::warn!(
                        peer = self.peer.text,
                        "too many binds were refused from this address: more from there wait; nothing is recorded of those that give up"
                    );
                }
                self.waiting = Some(message);
                return self.rest(wait);
            }
            self.receive(message).await;
        }
        // The time that is not the client's does not count.
        self.timers.clear(Deadline::WholeRequest);
    }

    /// The request that waited, or the next whole one.
    fn next_request(&mut self) -> Result<Option<Message>, wire::WireError> {
        if let Some(message) = self.waiting.take() {
            return Ok(Some(message));
        }
        let limit = self.session.request_limit();
        let message = wire::decode(&mut self.input, limit)?;
        if message.is_some() {
            self.timers.clear(Deadline::WholeRequest);
            self.expected = 0;
            output::give_back(&mut self.input);
            return Ok(message);
        }
        if !self.input.is_empty() {
            self.timers.set_once(Deadline::WholeRequest, || self.services.monotonic(), self.limits.whole_request);
        }
        if let Some(octets) = wire::declared(&self.input, limit)? {
            if self.allowance.expect(octets) {
                // All at once: a buffer that grows by and by is copied and leaves what it held behind.
                self.input.reserve(octets.saturating_sub(self.input.len()));
                self.expected = octets;
            } else {
                self.rest(RETRY);
            }
        }
        Ok(None)
    }

    /// Takes no request for a while.
    fn rest(&mut self, wait: Duration) {
        self.timers.set(Deadline::Rest, self.services.monotonic(), wait);
    }

    /// Randomness for a request; what only reads needs none.
    fn fresh_for(&self, request: &Request) -> Fresh {
        let mut fresh = Fresh::default();
        if !matches!(request, Request::Search(_) | Request::Compare { .. } | Request::Unbind | Request::Abandon(_)) {
            let entropy = self.services.entropy();
            [&mut fresh.uuid, &mut fresh.salt, &mut fresh.password].into_iter().for_each(|octets| entropy.fill(octets));
        }
        fresh
    }

    async fn completed(&mut self, completion: Completion) {
        if matches!(completion, Completion::Review) {
            return self.look_again().await;
        }
        self.elsewhere = self.elsewhere.saturating_sub(1);
        if matches!(completion, Completion::Hashed(..)) && self.session.is_suspended() && !self.stands().await {
            return;
        }
        let known = self.session.identity().live.clone();
        self.session.touch(self.services.now());
        let action = match completion {
            Completion::Committed(id, decision) => {
                self.allowance.decided(id, &decision);
                self.session.committed(&self.services.directory(), id, decision.map(|decision| *decision))
            }
            Completion::Hashed(ticket, answers) => self.session.hashed(&self.services.directory(), ticket, answers),
            Completion::Snapshot(id, taken) => self.session.snapshot_taken(&self.services.directory(), id, taken),
            Completion::KeyRotation(id, begun) => self.session.key_rotation_begun(&self.services.directory(), id, begun),
            Completion::Log(number, part) => {
                self.supply(number, part);
                Action::Nothing
            }
            Completion::Recorded(number, recorded) => {
                self.recorded(number, recorded);
                Action::Nothing
            }
            Completion::Review => Action::Nothing,
        };
        self.perform(action).await;
        self.allowance.follow_identity(self.session.identity().entry);
        self.follow_login();
        // How long a session lasts depends on who is logged in, and what was committed before the registry knew of it was not told to it.
        let now_known = &self.session.identity().live;
        if now_known.is_some() && *now_known != known && self.stage == Stage::Open {
            self.look_at_lifetime().await;
        }
    }

    /// Does what the session asks for, and what it asks for in consequence.
    async fn perform(&mut self, action: Action) {
        let mut actions = VecDeque::from([action]);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Nothing => {}
                Action::Reply(id, replies) => replies.iter().for_each(|reply| self.output.put(id, reply)),
                Action::Search(id, search) => self.begin_search(id, search),
                Action::Hash(ticket, jobs) => {
                    self.elsewhere += 1;
                    let origin = self.allowance.seat.origin();
                    self.services.hash(ticket, jobs, origin, self.completion_sender.clone());
                }
                Action::Commit(id, mut proposal) => {
                    self.allowance.claim(&self.services.directory(), id, &mut proposal);
                    let owner = self.allowance.seat.owner();
                    match self.services.commit(*proposal, Address::Operation(id), owner, Some(self.completion_sender.clone())) {
                        Ok(()) => self.elsewhere += 1,
                        Err(code) => {
                            self.allowance.decided(id, &Err(code));
                            actions.push_front(self.session.committed(&self.services.directory(), id, Err(code)));
                        }
                    }
                }
                Action::Snapshot(id) => match self.services.snapshot(id, self.completion_sender.clone()) {
                    Ok(()) => self.elsewhere += 1,
                    Err(code) => actions.push_front(self.session.snapshot_taken(&self.services.directory(), id, Err(code))),
                },
                Action::RotateKey(id) => match self.services.rotate_key(id, self.completion_sender.clone()) {
                    Ok(()) => self.elsewhere += 1,
                    Err(code) => actions.push_front(self.session.key_rotation_begun(&self.services.directory(), id, Err(code))),
                },
                Action::Recall(ticket, tag, job) => match self.services.recall(&tag, &job) {
                    Some(answer) => actions.push_front(self.session.hashed(&self.services.directory(), ticket, vec![answer])),
                    None => actions.push_front(Action::Hash(ticket, vec![*job])),
                },
                Action::Expose(exposure) => {
                    let (origin, owner) = (self.allowance.seat.origin(), self.allowance.seat.owner());
                    self.services.look_at_exposure(*exposure, origin, owner);
                }
                Action::Remember(tag, stored) => self.services.remember(tag, stored),
                Action::Abandon(id) => {
                    self.searches.retain(|(running, _)| *running != id);
                    self.fetching.retain(|(_, waiting, _)| *waiting != id);
                    self.parked.remove(id);
                }
                Action::StartTls(id, reply, note) => {
                    self.output.put(id, &reply);
                    if let Err(code) = self.services.commit(*note, Address::Operation(id), self.allowance.seat.owner(), None) {
                        tracing::error!(code = code.number(), "a StartTLS could not be recorded");
                    }
                    self.start_tls().await;
                }
                Action::Several(more) => more.into_iter().rev().for_each(|action| actions.push_front(action)),
                Action::Close(notice, note) => {
                    self.note = note;
                    self.close(notice);
                }
            }
        }
    }

    fn begin_search(&mut self, id: MessageId, search: Box<SearchStream>) {
        match self.allowance.begin_search(id, &search) {
            Ok(()) => self.searches.push_back((id, search)),
            Err(text) => {
                self.session.search_ended(id);
                let result = LdapResult::with(ResultCode::Busy, text);
                self.output.put(id, &Reply::result(ResponseKind::SearchDone, result));
            }
        }
    }

    fn close(&mut self, notice: Option<Reply>) {
        if let Some(notice) = notice {
            self.output.put(MessageId(0), &notice);
        }
        self.searches.clear();
        self.fetching.clear();
        self.parked.clear();
        self.waiting = None;
        self.stage = Stage::Closing;
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        let Some(stream) = self.stream.as_mut() else { return Poll::Ready(Event::End) };
        match self.output.poll_write(stream, context) {
            Poll::Ready(Ok(true)) => {
                self.timers.clear(Deadline::Write);
                return Poll::Ready(Event::Wrote);
            }
            Poll::Ready(Ok(false)) if self.stage == Stage::Closing => return Poll::Ready(Event::End),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::End),
            Poll::Ready(Ok(false)) => {}
            Poll::Pending => {
                if self.output.went_on() {
                    self.timers.clear(Deadline::Write);
                }
                self.timers.set_once(Deadline::Write, || self.services.monotonic(), self.limits.write);
            }
        }
        if let Poll::Ready(Some(completion)) = self.completions.poll_recv(context) {
            return Poll::Ready(Event::Completed(completion));
        }
        if let Poll::Ready(searches) = self.parked.poll(context) {
            return Poll::Ready(Event::Changed(searches));
        }
        if self.stage == Stage::Open && self.shutdown.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Shutdown);
        }
        if self.evicted.as_mut().is_some_and(|evicted| evicted.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Event::Evicted);
        }
        let services = &self.services;
        if let Poll::Ready(deadline) = self.timers.poll(context, || services.monotonic()) {
            return Poll::Ready(Event::Passed(deadline));
        }
        if self.stage == Stage::Open
            && self.reads()
            && let Poll::Ready(event) = self.poll_input(context)
        {
            return Poll::Ready(event);
        }
        if !self.searches.is_empty() && self.has_room() && !self.timers.is_set(Deadline::SearchRest) {
            return Poll::Ready(Event::Search);
        }
        Poll::Pending
    }
}
