//! What waits for a client to take it, and searches that add to it while there is room.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio::sync::watch;

use super::Connection;
use super::timers::Deadline;
use crate::journal::query::LookupRequest;
use crate::model::ResultCode;
use crate::operation::search::{LogPart, Pull, SearchStream};
use crate::operation::{AccountClass, Proposal};
use crate::protocol::ber::Header;
use crate::protocol::{MessageId, Reply};
use crate::server::committer_thread::Address;
use crate::server::stream::Stream;
use crate::wire;

/// Octets of replies that may wait for a client to take them before its searches rest. BEHAVIOUR "a slow reader": as much again is held by
/// the system ([`super::super::listener`]).
pub(super) const HIGH: usize = 512 * 1024;
/// Candidates that a connection's searches look at together before its task lets others run.
const SEARCH_BUDGET: u32 = 1000;
/// Room that an empty buffer may keep; what one large request or entry made grow beyond it is given back.
const KEPT: usize = 2 * HIGH;
/// Octets that a client must take in the time it is given, or all there is: fewer count as none.
const STEP: usize = 64 * 1024;

/// Replies that wait.
#[derive(Default)]
pub(super) struct Output {
    buffer: BytesMut,
    /// Octets at the front that belong to a message of which some were written.
    begun: usize,
    /// Octets written since the client's time began.
    written: usize,
}

/// What becomes of a search that was pulled.
enum After {
    GoesOn,
    Waits(watch::Receiver<()>),
    /// For records of the journal.
    Fetches(Box<LookupRequest>),
    /// For its own record.
    Records(Box<Proposal>),
    Ended,
}

impl Output {
    pub(super) fn put(&mut self, id: MessageId, reply: &Reply) {
        wire::encode(id, reply, &mut self.buffer);
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.begun = 0;
    }

    /// Drops everything but the rest of a message that was begun.
    pub(super) fn cut(&mut self) {
        self.buffer.truncate(self.begun);
    }

    /// So many octets were taken.
    fn advance(&mut self, written: usize) {
        while self.begun < written {
            let next = self.buffer.get(self.begun..).and_then(length_of_message);
            self.begun = self.begun.saturating_add(next.unwrap_or(self.buffer.len()));
        }
        self.begun = self.begun.min(self.buffer.len()).saturating_sub(written);
        self.buffer.advance(written);
    }

    /// All that waits, to be written to its end.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        self.begun = 0;
        &mut self.buffer
    }

    /// Lets go of a buffer that is not needed.
    pub(super) fn give_back(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Whether the client took enough for its time to begin anew.
    pub(super) fn went_on(&mut self) -> bool {
        let went_on = self.written >= STEP;
        if went_on {
            self.written = 0;
        }
        went_on
    }

    /// Writes what it can. `true`: the buffer was emptied just now; `false`: there was nothing to write.
    pub(super) fn poll_write(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.buffer.is_empty() {
            return Pin::new(stream).poll_flush(context).map_ok(|()| false);
        }
        while !self.buffer.is_empty() {
            match Pin::new(&mut *stream).poll_write(context, &self.buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.written = self.written.saturating_add(written);
                    self.advance(written);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.written = 0;
        give_back(&mut self.buffer);
        Pin::new(stream).poll_flush(context).map_ok(|()| true)
    }
}

/// Octets of the message at the front, its header included.
fn length_of_message(octets: &[u8]) -> Option<usize> {
    let header = Header::read(octets).ok().flatten()?;
    usize::try_from(header.length).ok()?.checked_add(header.size)
}

impl Connection {
    /// Lets each search in turn add to the output while there is room and budget.
    pub(super) fn pull_searches(&mut self) {
        if self.searches.is_empty() || !self.has_room() || self.timers.is_set(Deadline::SearchRest) {
            return;
        }
        let mut budget = SEARCH_BUDGET;
        self.pull_within(&mut budget);
        let (services, session) = (&self.services, &self.session);
        let class = || AccountClass::of(&services.directory(), session.identity().entry);
        let is_administrator = || matches!(class(), AccountClass::Administrator | AccountClass::BreakGlass);
        if let Some(rest) = self.allowance.scanned(SEARCH_BUDGET - budget, is_administrator) {
            self.rest_searches(rest);
        }
    }

    fn rest_searches(&mut self, rest: Duration) {
        self.timers.set(Deadline::SearchRest, self.services.monotonic(), rest);
    }

    fn pull_within(&mut self, budget: &mut u32) {
        let now = self.services.now();
        for _ in 0..self.searches.len() {
            if *budget == 0 || self.over.is_some() {
                return;
            }
            let Some((id, mut search)) = self.searches.pop_front() else { return };
            match self.pull(id, &mut search, budget, now) {
                After::Ended => {
                    self.session.touch(now);
                    self.session.search_ended(id);
                }
                After::GoesOn => self.searches.push_back((id, search)),
                After::Waits(changes) => self.parked.park(id, search, changes),
                After::Fetches(request) => self.fetch(id, search, *request),
                After::Records(proposal) => self.record(id, search, *proposal),
            }
        }
    }

    /// Has records of the journal looked up.
    fn fetch(&mut self, id: MessageId, mut search: Box<SearchStream>, request: LookupRequest) {
        self.fetches += 1;
        match self.services.look_up(self.fetches, request, self.completion_sender.clone()) {
            Ok(()) => {
                self.elsewhere += 1;
                self.fetching.push((self.fetches, id, search));
            }
            Err(code) => {
                search.supply(Err(code));
                self.searches.push_back((id, search));
            }
        }
    }

    /// The records that a search waits for; it may be given up by now.
    pub(super) fn supply(&mut self, number: u64, part: Result<LogPart, ResultCode>) {
        let Some(place) = self.fetching.iter().position(|(waiting, ..)| *waiting == number) else { return };
        let (_, id, mut search) = self.fetching.swap_remove(place);
        search.supply(part);
        self.searches.push_back((id, search));
    }

    /// Has a search recorded before it goes on.
    fn record(&mut self, id: MessageId, mut search: Box<SearchStream>, proposal: Proposal) {
        self.fetches += 1;
        let (address, owner) = (Address::Search(self.fetches), self.allowance.seat.owner());
        match self.services.commit(proposal, address, owner, Some(self.completion_sender.clone())) {
            Ok(()) => {
                self.elsewhere += 1;
                self.fetching.push((self.fetches, id, search));
            }
            Err(code) => {
                search.recorded(Err(code));
                self.searches.push_back((id, search));
            }
        }
    }

    /// What a search waits for is recorded, or cannot be; it may be given up by now.
    pub(super) fn recorded(&mut self, number: u64, recorded: Result<(), ResultCode>) {
        let Some(place) = self.fetching.iter().position(|(waiting, ..)| *waiting == number) else { return };
        let (_, id, mut search) = self.fetching.swap_remove(place);
        search.recorded(recorded);
        self.searches.push_back((id, search));
    }

    fn pull(&mut self, id: MessageId, search: &mut SearchStream, budget: &mut u32, now: crate::model::Timestamp) -> After {
        loop {
            if !self.has_room() {
                return After::GoesOn;
            }
            let pulled = search.pull(budget, now);
            if self.session.is_suspended() {
                let services = &self.services;
                self.over = self.session.review(|| services.directory(), now);
                if self.over.is_some() {
                    return After::Ended;
                }
            }
            // What is published is asked for behind what was pulled: a change of rules that was acknowledged before counts.
            if !matches!(pulled, Pull::Pause | Pull::Wait) && !search.is_allowed_on(&self.services.published(), now) {
                self.output.put(id, &search.revoked());
                return After::Ended;
            }
            match pulled {
                Pull::Reply(reply) => self.output.put(id, &reply),
                Pull::Pause => return After::GoesOn,
                Pull::Fetch(request) => return After::Fetches(request),
                Pull::Record(proposal) => return After::Records(proposal),
                Pull::Wait => {
                    // Asked for before the newest value is looked at, so that none is missed.
                    let changes = self.services.changes();
                    if !search.wake(&self.services.directory()) {
                        return After::Waits(changes);
                    }
                }
                Pull::Done(reply) => {
                    self.output.put(id, &reply);
                    return After::Ended;
                }
            }
        }
    }
}

/// Reads what is there, at least `room` octets of it at once.
pub(super) fn poll_read(
    stream: &mut Stream,
    input: &mut BytesMut,
    room: usize,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    input.reserve(room);
    let read = std::pin::pin!(tokio::io::AsyncReadExt::read_buf(stream, input));
    read.poll(context)
}

/// Lets go of the room of an empty buffer that grew large.
pub(super) fn give_back(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.try_reclaim(KEPT) {
        *buffer = BytesMut::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_buffer_is_given_back_and_only_when_it_is_empty() {
        for (size, left, kept) in [(16 * 1024, 0, true), (KEPT, 1, true), (KEPT, 0, false)] {
            let mut buffer = BytesMut::zeroed(size);
            buffer.advance(size - left);
            give_back(&mut buffer);
            assert_eq!((buffer.len(), buffer.try_reclaim(16 * 1024 - left)), (left, kept), "{size} {left}");
        }
    }
}
