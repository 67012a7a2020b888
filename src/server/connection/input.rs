//! What is read of a client's requests, and when.

use std::task::{Context, Poll};
use std::time::Duration;

use super::output::poll_read;
use super::timers::Deadline;
use super::{Connection, Event};

/// Octets of requests that are read while none can be taken, so that Abandon, Cancel and the client's end are noticed. Behind more than
/// this they are not.
const READ_AHEAD: usize = 64 * 1024;
/// How long the searches of a client that sends no more may go on: it may be gone altogether.
const LAST_REPLIES: Duration = Duration::from_secs(60);
impl Connection {
    /// Where requests can be taken the input buffer stays below one request and one read: no more is read before a whole request is there.
    /// Where they cannot it stays below [`READ_AHEAD`] and one read; nothing is read while a request waits because of its address.
    pub(super) fn reads(&self) -> bool {
        !self.input_ended && (self.takes_requests() || (self.input.len() < READ_AHEAD && !self.timers.is_set(Deadline::Rest)))
    }

    /// A client that ends its sending side still gets what it asked for.
    pub(super) fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        let Some(stream) = self.stream.as_mut() else { return Poll::Ready(Event::End) };
        let missing = self.expected.saturating_sub(self.input.len());
        let size = self.allowance.read_size();
        let room = if missing > 0 { size.min(missing) } else { size };
        poll_read(stream, &mut self.input, room, context).map(|read| match read {
            Ok(0) => {
                self.input_ended = true;
                self.timers.set(Deadline::LastReplies, self.services.monotonic(), LAST_REPLIES);
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
