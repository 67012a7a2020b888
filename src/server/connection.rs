//! One client's task: reads requests, does what its [`Session`] asks for, writes replies.
//!
//! A search is pulled only while the client takes what was written, so a slow reader costs a bounded buffer and nothing else.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::committer_thread::Completion;
use super::parked::Parked;
use super::services::Services;
use super::snapshotter;
use super::stream::Stream;
use super::tls;
use crate::model::ResultCode;
use crate::operation::search::{Pull, SearchStream};
use crate::operation::{Fresh, Peer, Settings, TlsFacts};
use crate::protocol::{Message, MessageId, Reply, Request};
use crate::session::{Action, Session};
use crate::wire::{self, Urgent};

/// Octets of replies that may wait for a client to take them before its searches rest. BEHAVIOUR "a slow reader".
const OUTPUT_HIGH: usize = 512 * 1024;
/// Candidates that a connection's searches look at together before its task lets others run.
const SEARCH_BUDGET: u32 = 1000;
/// Octets of requests that are read while none can be taken, so that Abandon, Cancel and the client's end are noticed. Behind more than
/// this they are not.
const READ_AHEAD: usize = 64 * 1024;
/// How long the searches of a client that sends no more may go on: it may be gone altogether.
const LAST_REPLIES: Duration = Duration::from_secs(60);
/// Octets read at once.
const READ_SIZE: usize = 16 * 1024;
/// Room that an empty buffer may keep; what one large request or entry made grow beyond it is given back.
const KEPT: usize = 2 * OUTPUT_HIGH;
/// How long a client may take to fetch what is left for it once its connection is to be closed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Completions that can wait for a connection: more than it may have operations outstanding.
const COMPLETIONS: usize = 1024;

/// A client's connection and all that is under way for it.
pub struct Connection {
    stream: Option<Stream>,
    session: Session,
    services: Arc<Services>,
    settings: Arc<Settings>,
    input: BytesMut,
    output: BytesMut,
    searches: VecDeque<(MessageId, Box<SearchStream>)>,
    /// Those that wait for a change.
    parked: Parked,
    completions: mpsc::Receiver<Completion>,
    completion_sender: mpsc::Sender<Completion>,
    /// Operations with the committer or the hash pool.
    elsewhere: usize,
    stage: Stage,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    first_request: Option<Pin<Box<Sleep>>>,
    /// Input came, or requests were taken, since the input was last looked through for what is urgent.
    unseen: bool,
    /// The client sends no more: when the connection ends, whatever is still under way.
    input_ended: Option<Pin<Box<Sleep>>>,
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

/// What becomes of a search that was pulled.
enum After {
    GoesOn,
    Waits(watch::Receiver<()>),
    Ended,
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
    /// The first request did not come in time.
    Idle,
    /// The client is gone, or everything is sent after the decision to close.
    End,
}

impl Connection {
    /// Runs a client's connection to its end. `tls`: facts of a handshake that is already done.
    pub async fn run(stream: Stream, number: u64, peer: Arc<Peer>, tls: Option<Arc<TlsFacts>>, services: Arc<Services>) {
        let settings = services.settings();
        let (completion_sender, completions) = mpsc::channel(COMPLETIONS);
        let deadline = services.timeouts().first_request;
        let connection = Connection {
            stream: Some(stream),
            session: Session::new(number, peer, tls, Arc::clone(&settings)),
            shutdown: Box::pin(services.shutdown().cancelled_owned()),
            services,
            settings,
            input: BytesMut::new(),
            output: BytesMut::new(),
            searches: VecDeque::new(),
            parked: Parked::default(),
            completions,
            completion_sender,
            elsewhere: 0,
            stage: Stage::Open,
            first_request: Some(Box::pin(tokio::time::sleep(deadline))),
            unseen: false,
            input_ended: None,
        };
        connection.serve().await;
    }

    async fn serve(mut self) {
        loop {
            self.follow_reload();
            self.take_requests().await;
            while self.take_urgent().await {
                self.take_requests().await;
            }
            self.pull_searches();
            if self.input_ended.is_some() && self.stage == Stage::Open && self.is_idle() && self.has_room() {
                self.close(None);
            }
            if self.stage == Stage::Draining && self.is_idle() {
                self.close(Some(Reply::notice_of_disconnection(ResultCode::Unavailable, "server is shutting down")));
            }
            match self.next_event().await {
                Event::Read | Event::Wrote => {}
                Event::Completed(completion) => self.completed(completion).await,
                Event::Search => tokio::task::yield_now().await,
                Event::Changed(searches) => self.searches.extend(searches),
                Event::Shutdown => self.stage = Stage::Draining,
                Event::Idle => self.close(None),
                Event::End => break,
            }
        }
        if let Some(mut stream) = self.stream.take() {
            // A client that is gone cannot be told; the socket is closed either way.
            let _ = tokio::time::timeout(Duration::from_secs(1), stream.shutdown()).await;
        }
    }

    async fn next_event(&mut self) -> Event {
        let closing = self.stage == Stage::Closing;
        let event = poll_fn(|context| self.poll_event(context));
        if closing { tokio::time::timeout(LAST_WORDS, event).await.unwrap_or(Event::End) } else { event.await }
    }

    fn follow_reload(&mut self) {
        if self.services.settings_changed(&self.settings) {
            self.settings = self.services.settings();
            self.session.reload(Arc::clone(&self.settings));
        }
    }

    /// Nothing is under way.
    fn is_idle(&self) -> bool {
        self.elsewhere == 0 && self.searches.is_empty()
    }

    fn has_room(&self) -> bool {
        self.output.len() < OUTPUT_HIGH
    }

    /// Whether the next request may be taken.
    fn takes_requests(&self) -> bool {
        self.has_room() && self.session.may_receive()
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
        self.first_request = None;
        let fresh = self.fresh_for(&message.request);
        let action = self.session.receive(&self.services.directory(), message, self.services.now(), fresh);
        self.perform(action).await;
    }

    /// Decodes and hands over every whole request that may be taken now.
    async fn take_requests(&mut self) {
        while self.stage == Stage::Open && self.takes_requests() {
            let message = match wire::decode(&mut self.input, self.session.request_limit()) {
                Ok(Some(message)) => {
                    give_back(&mut self.input);
                    message
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::info!(%error, "a client sent what is no LDAP message; its connection is closed");
                    self.close(Some(Reply::notice_of_disconnection(ResultCode::ProtocolError, "protocol error")));
                    return;
                }
            };
            self.receive(message).await;
        }
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
        self.elsewhere = self.elsewhere.saturating_sub(1);
        let action = match completion {
            Completion::Committed(id, decision) => {
                self.session.committed(&self.services.directory(), id, decision.map(|decision| *decision))
            }
            Completion::Snapshot(id, taken) => {
                self.session.snapshot_taken(&self.services.directory(), id, taken.map(snapshotter::for_backup))
            }
            Completion::Hashed(id, answers) => self.session.hashed(&self.services.directory(), id, answers),
        };
        self.perform(action).await;
    }

    /// Does what the session asks for, and what it asks for in consequence.
    async fn perform(&mut self, action: Action) {
        let mut actions = VecDeque::from([action]);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Nothing => {}
                Action::Reply(id, replies) => {
                    for reply in &replies {
                        wire::encode(id, reply, &mut self.output);
                    }
                }
                Action::Search(id, search) => self.searches.push_back((id, search)),
                Action::Hash(id, jobs) => {
                    self.elsewhere += 1;
                    self.services.hash(id, jobs, self.completion_sender.clone());
                }
                Action::Snapshot(id) => match self.services.snapshot(id, self.completion_sender.clone()) {
                    Ok(()) => self.elsewhere += 1,
                    Err(code) => actions.push_front(self.session.snapshot_taken(&self.services.directory(), id, Err(code))),
                },
                Action::Commit(id, proposal) => match self.services.commit(*proposal, id, Some(self.completion_sender.clone())) {
                    Ok(()) => self.elsewhere += 1,
                    Err(code) => actions.push_front(self.session.committed(&self.services.directory(), id, Err(code))),
                },
                Action::Abandon(id) => {
                    self.searches.retain(|(running, _)| *running != id);
                    self.parked.remove(id);
                }
                Action::StartTls(id, reply, note) => {
                    wire::encode(id, &reply, &mut self.output);
                    if let Err(code) = self.services.commit(*note, id, None) {
                        tracing::error!(code = code.number(), "a StartTLS could not be recorded");
                    }
                    self.start_tls().await;
                }
                Action::Several(more) => more.into_iter().rev().for_each(|action| actions.push_front(action)),
                Action::Close(notice) => self.close(notice),
            }
        }
    }

    fn close(&mut self, notice: Option<Reply>) {
        if let Some(notice) = notice {
            wire::encode(MessageId(0), &notice, &mut self.output);
        }
        self.searches.clear();
        self.parked.clear();
        self.stage = Stage::Closing;
    }

    /// Sends what is waiting in clear, then lets TLS take the socket. What a client sent behind its StartTLS request before the handshake
    /// could have been put there by anybody on the way (CVE-2011-0411 and its kin): the connection ends.
    async fn start_tls(&mut self) {
        let (Some(Stream::Clear(mut socket)), true) = (self.stream.take(), self.input.is_empty()) else {
            self.output.clear();
            return self.close(None);
        };
        let upgraded = tokio::time::timeout(self.services.timeouts().handshake, async {
            socket.write_all_buf(&mut self.output).await?;
            self.services.accept_tls(socket).await
        });
        match upgraded.await {
            Ok(Ok(stream)) => {
                let facts = Arc::new(tls::facts(stream.get_ref().1));
                self.session.tls_established(facts);
                self.stream = Some(Stream::Tls(Box::new(stream)));
            }
            Ok(Err(error)) => {
                tracing::info!(%error, "StartTLS handshake failed");
                self.close(None);
            }
            Err(_) => {
                tracing::info!("StartTLS handshake took too long");
                self.close(None);
            }
        }
    }

    /// Lets each search in turn add to the output while there is room and budget.
    fn pull_searches(&mut self) {
        if self.searches.is_empty() || self.output.len() >= OUTPUT_HIGH {
            return;
        }
        let now = self.services.now();
        let mut budget = SEARCH_BUDGET;
        for _ in 0..self.searches.len() {
            if budget == 0 {
                return;
            }
            let Some((id, mut search)) = self.searches.pop_front() else { return };
            let after = loop {
                if self.output.len() >= OUTPUT_HIGH {
                    break After::GoesOn;
                }
                match search.pull(&mut budget, now) {
                    Pull::Reply(reply) => wire::encode(id, &reply, &mut self.output),
                    Pull::Pause => break After::GoesOn,
                    Pull::Wait => {
                        // Asked for before the newest value is looked at, so that none is missed.
                        let changes = self.services.changes();
                        if !search.wake(&self.services.directory()) {
                            break After::Waits(changes);
                        }
                    }
                    Pull::Done(reply) => {
                        wire::encode(id, &reply, &mut self.output);
                        break After::Ended;
                    }
                }
            };
            match after {
                After::Ended => self.session.search_ended(id),
                After::GoesOn => self.searches.push_back((id, search)),
                After::Waits(changes) => self.parked.park(id, search, changes),
            }
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        let Some(stream) = self.stream.as_mut() else { return Poll::Ready(Event::End) };
        match poll_write(stream, &mut self.output, context) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Event::Wrote),
            Poll::Ready(Ok(false)) if self.stage == Stage::Closing => return Poll::Ready(Event::End),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::End),
            Poll::Ready(Ok(false)) | Poll::Pending => {}
        }
        if let Poll::Ready(Some(completion)) = self.completions.poll_recv(context) {
            return Poll::Ready(Event::Completed(completion));
        }
        if let Poll::Ready(searches) = self.parked.poll(context) {
            return Poll::Ready(Event::Changed(searches));
        }
        if self.stage == Stage::Open {
            if self.shutdown.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Shutdown);
            }
            if self.first_request.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready()) {
                return Poll::Ready(Event::Idle);
            }
        }
        if self.input_ended.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Event::End);
        }
        if self.stage == Stage::Open
            && self.reads()
            && let Poll::Ready(event) = self.poll_input(context)
        {
            return Poll::Ready(event);
        }
        if !self.searches.is_empty() && self.has_room() {
            return Poll::Ready(Event::Search);
        }
        Poll::Pending
    }

    /// Where requests can be taken the input buffer stays below one request and one read: no more is read before a whole request is there.
    /// Where they cannot it stays below [`READ_AHEAD`] and one read.
    fn reads(&self) -> bool {
        self.input_ended.is_none() && (self.takes_requests() || self.input.len() < READ_AHEAD)
    }

    /// A client that ends its sending side still gets what it asked for.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        let Some(stream) = self.stream.as_mut() else { return Poll::Ready(Event::End) };
        poll_read(stream, &mut self.input, context).map(|read| match read {
            Ok(0) => {
                self.input_ended = Some(Box::pin(tokio::time::sleep(LAST_REPLIES)));
                Event::Read
            }
            Ok(_) => {
                self.unseen = true;
                Event::Read
            }
            Err(_) => Event::End,
        })
    }
}

fn poll_read(stream: &mut Stream, input: &mut BytesMut, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    input.reserve(READ_SIZE);
    let read = std::pin::pin!(tokio::io::AsyncReadExt::read_buf(stream, input));
    read.poll(context)
}

/// Writes what it can. `true`: the buffer was emptied just now; `false`: there was nothing to write.
fn poll_write(stream: &mut Stream, output: &mut BytesMut, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
    if output.is_empty() {
        return Pin::new(stream).poll_flush(context).map_ok(|()| false);
    }
    while !output.is_empty() {
        match Pin::new(&mut *stream).poll_write(context, output) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => output.advance(written),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
    give_back(output);
    Pin::new(stream).poll_flush(context).map_ok(|()| true)
}

/// Lets go of the room of an empty buffer that grew large: thousands of idle connections would hold on to it.
fn give_back(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.try_reclaim(KEPT) {
        *buffer = BytesMut::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_buffer_is_given_back_and_only_when_it_is_empty() {
        for (size, left, kept) in [(READ_SIZE, 0, true), (KEPT, 1, true), (KEPT, 0, false)] {
            let mut buffer = BytesMut::zeroed(size);
            buffer.advance(size - left);
            give_back(&mut buffer);
            assert_eq!((buffer.len(), buffer.try_reclaim(READ_SIZE - left)), (left, kept), "{size} {left}");
        }
    }
}
