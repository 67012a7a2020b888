//! What a connection waits for by the clock: several deadlines and one timer, which is looked at once an event.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

/// What a deadline is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deadline {
    /// The first whole request.
    FirstRequest,
    /// The rest of a request whose first octets came.
    WholeRequest,
    /// The client must have taken some of what waits for it.
    Write,
    /// The session may be idle for too long, or too old.
    Lifetime,
    /// Buffers that were not used since are given back.
    Quiet,
    /// Requests are taken again.
    Rest,
    /// Searches go on again.
    SearchRest,
    /// The searches of a client that sends no more must have ended.
    LastReplies,
}

impl Deadline {
    const COUNT: usize = 8;
    const ALL: [Deadline; Deadline::COUNT] = [
        Deadline::FirstRequest,
        Deadline::WholeRequest,
        Deadline::Write,
        Deadline::Lifetime,
        Deadline::Quiet,
        Deadline::Rest,
        Deadline::SearchRest,
        Deadline::LastReplies,
    ];
}

/// The deadlines of one connection, in microseconds of the monotonic clock.
pub(super) struct Timers {
    deadlines: [Option<u64>; Deadline::COUNT],
    /// Fires at the earliest of them, or before: one that was cleared is not taken out of it.
    sleep: Option<Pin<Box<Sleep>>>,
    fires: u64,
}

impl Timers {
    pub(super) fn new() -> Timers {
        Timers { deadlines: [None; Deadline::COUNT], sleep: None, fires: u64::MAX }
    }

    /// Sets a deadline, in the place of the one of its kind that there was.
    pub(super) fn set(&mut self, deadline: Deadline, now: u64, after: Duration) {
        let at = now.saturating_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
        self.put(deadline, Some(at));
        if at < self.fires {
            self.arm(now, at);
        }
    }

    /// Sets it where there is none.
    pub(super) fn set_once(&mut self, deadline: Deadline, now: impl FnOnce() -> u64, after: Duration) {
        if !self.is_set(deadline) {
            self.set(deadline, now(), after);
        }
    }

    pub(super) fn clear(&mut self, deadline: Deadline) {
        self.put(deadline, None);
    }

    pub(super) fn is_set(&self, deadline: Deadline) -> bool {
        self.deadlines.get(deadline as usize).is_some_and(Option::is_some)
    }

    /// Ready with a deadline that has passed; it is cleared.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, now: impl Fn() -> u64) -> Poll<Deadline> {
        loop {
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let now = now();
            if let Some(passed) = Deadline::ALL.into_iter().find(|deadline| self.at(*deadline).is_some_and(|at| at <= now)) {
                self.clear(passed);
                // Others may have passed as well: the timer stays as it is and is looked at again.
                self.arm(now, now);
                return Poll::Ready(passed);
            }
            match self.deadlines.into_iter().flatten().min() {
                Some(next) => self.arm(now, next),
                None => {
                    self.sleep = None;
                    self.fires = u64::MAX;
                }
            }
        }
    }

    fn at(&self, deadline: Deadline) -> Option<u64> {
        self.deadlines.get(deadline as usize).copied().flatten()
    }

    fn put(&mut self, deadline: Deadline, at: Option<u64>) {
        if let Some(place) = self.deadlines.get_mut(deadline as usize) {
            *place = at;
        }
    }

    fn arm(&mut self, now: u64, at: u64) {
        self.fires = at;
        let sleep = tokio::time::sleep(Duration::from_micros(at.saturating_sub(now)));
        match &mut self.sleep {
            Some(armed) => armed.as_mut().set(sleep),
            None => self.sleep = Some(Box::pin(sleep)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[allow(clippy::disallowed_methods, reason = "the paused clock of the runtime is the one that is moved here")]
    fn clock() -> impl Fn() -> u64 + Copy {
        let start = tokio::time::Instant::now();
        move || u64::try_from(start.elapsed().as_micros()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_fires_in_its_turn_and_what_was_cleared_does_not() {
        let (now, mut timers) = (clock(), Timers::new());
        timers.set(Deadline::Lifetime, now(), Duration::from_secs(900));
        timers.set(Deadline::Write, now(), Duration::from_secs(60));
        timers.set(Deadline::FirstRequest, now(), Duration::from_secs(10));
        timers.set(Deadline::Rest, now(), Duration::from_secs(10));
        timers.set_once(Deadline::Rest, now, Duration::from_secs(1));
        timers.clear(Deadline::Write);
        let mut fired = Vec::new();
        while timers.deadlines.iter().any(Option::is_some) {
            fired.push((poll_fn(|context| timers.poll(context, now)).await, now() / 1_000_000));
        }
        assert_eq!(fired, [(Deadline::FirstRequest, 10), (Deadline::Rest, 10), (Deadline::Lifetime, 900)]);
        timers.set(Deadline::Rest, now(), Duration::from_secs(1));
        assert_eq!(poll_fn(|context| timers.poll(context, now)).await, Deadline::Rest);
        assert_eq!(now() / 1_000_000, 901);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_put_off_fires_late() {
        let (now, mut timers) = (clock(), Timers::new());
        timers.set(Deadline::Write, now(), Duration::from_secs(60));
        timers.set(Deadline::Write, now(), Duration::from_secs(90));
        assert_eq!(poll_fn(|context| timers.poll(context, now)).await, Deadline::Write);
        assert_eq!(now() / 1_000_000, 90);
    }
}
