//! A clock that does not believe a wall clock which jumps ahead: what ends by time alone would end at once, and nothing could take it back.
//!
//! ```text
//!            more than five minutes ahead of the monotonic clock
//!  followed ───────────────────────────────────────────────────► held: goes on with the monotonic clock
//!     ▲                                                            │
//!     └──── confirmed, or the wall clock went back, or ten minutes passed
//! ```
//!
//! Time before the process began is not its business: the first look is believed. Turning back is the committer's: nothing is ever decided
//! before the last durable record.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;
use crate::world::{Clock, ClockTurn};

/// Microseconds that the wall clock may be ahead of what is expected.
pub const LARGEST_JUMP: i64 = 300_000_000;
/// Microseconds of the monotonic clock after which a jump is believed though nobody confirmed it. Within as many, small jumps add up.
pub const HOLD: u64 = 600_000_000;
/// Turns that are kept until somebody asks for them.
const MOST_TURNS: usize = 16;

/// See the head of this file.
pub struct PolicyClock {
    inner: Arc<dyn Clock>,
    /// Wall clock less monotonic clock, as believed.
    lead: AtomicI64,
    /// When that was, by the monotonic clock.
    anchored: AtomicU64,
    is_held: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the jump was seen, by the monotonic clock, and how large it was.
    held: Option<(u64, i64)>,
    turns: Vec<ClockTurn>,
}

impl State {
    /// Whether the clock is further ahead than what is held already.
    fn grows(&self, ahead: i64) -> bool {
        self.held.is_none_or(|(_, held)| ahead.saturating_sub(held) > LARGEST_JUMP)
    }
}

impl PolicyClock {
    /// Believes what this clock says now.
    pub fn new(inner: Arc<dyn Clock>) -> PolicyClock {
        let (wall, monotonic) = (inner.now(), inner.monotonic());
        PolicyClock {
            lead: AtomicI64::new(lead(wall, monotonic)),
            anchored: AtomicU64::new(monotonic),
            is_held: AtomicBool::new(false),
            state: Mutex::default(),
            inner,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expected(&self, monotonic: u64) -> i64 {
        self.lead.load(Ordering::Acquire).saturating_add(signed(monotonic))
    }

    /// Follows the wall clock from here on.
    fn follow(&self, state: &mut State, wall: Timestamp, monotonic: u64) {
        // A clock that is turned back does not give room for a jump: what was believed once may be believed again.
        self.lead.fetch_max(lead(wall, monotonic), Ordering::AcqRel);
        self.anchored.store(monotonic, Ordering::Release);
        state.held = None;
        self.is_held.store(false, Ordering::Release);
    }

    #[cold]
    fn judge(&self) -> Timestamp {
        let mut state = self.lock();
        let (wall, monotonic) = (self.inner.now(), self.inner.monotonic());
        let expected = self.expected(monotonic);
        let ahead = wall.0.saturating_sub(expected);
        let turn = match state.held {
            // A small jump must not open the way for a large one.
            None | Some(_) if ahead > LARGEST_JUMP && state.grows(ahead) => {
                state.held = Some((monotonic, ahead));
                self.is_held.store(true, Ordering::Release);
                Some(ClockTurn::Jumped(ahead))
            }
            Some(_) if ahead <= LARGEST_JUMP => {
                self.follow(&mut state, wall, monotonic);
                Some(ClockTurn::Returned)
            }
            Some((since, _)) if monotonic.saturating_sub(since) >= HOLD => {
                self.follow(&mut state, wall, monotonic);
                Some(ClockTurn::Believed(ahead))
            }
            None => {
                self.follow(&mut state, wall, monotonic);
                None
            }
            Some(_) => None,
        };
        if state.turns.len() < MOST_TURNS {
            state.turns.extend(turn);
        }
        if state.held.is_some() { Timestamp(expected) } else { wall }
    }
}

impl Clock for PolicyClock {
    fn now(&self) -> Timestamp {
        let (wall, monotonic) = (self.inner.now(), self.inner.monotonic());
        let ahead = wall.0.saturating_sub(self.expected(monotonic));
        let is_fresh = monotonic.saturating_sub(self.anchored.load(Ordering::Acquire)) < HOLD;
        if ahead <= LARGEST_JUMP && is_fresh && !self.is_held.load(Ordering::Acquire) { wall } else { self.judge() }
    }

    fn monotonic(&self) -> u64 {
        self.inner.monotonic()
    }

    fn held_jump(&self) -> Option<i64> {
        self.now();
        let is_held = self.is_held.load(Ordering::Acquire);
        is_held.then(|| self.inner.now().0.saturating_sub(self.expected(self.inner.monotonic())))
    }

    fn confirm(&self) {
        let mut state = self.lock();
        let (wall, monotonic) = (self.inner.now(), self.inner.monotonic());
        // What was confirmed is the jump that was seen.
        if state.held.is_some() && !state.grows(wall.0.saturating_sub(self.expected(monotonic))) {
            self.follow(&mut state, wall, monotonic);
        }
    }

    fn take_turns(&self) -> Vec<ClockTurn> {
        self.now();
        std::mem::take(&mut self.lock().turns)
    }
}

fn signed(monotonic: u64) -> i64 {
    i64::try_from(monotonic).unwrap_or(i64::MAX)
}

fn lead(wall: Timestamp, monotonic: u64) -> i64 {
    wall.0.saturating_sub(signed(monotonic))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const START: i64 = 1_795_000_000 * SECOND;

    /// Both clocks, moved by hand.
    #[derive(Default)]
    struct Hands {
        wall: AtomicI64,
        monotonic: AtomicU64,
    }

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp(self.wall.load(Ordering::Relaxed))
        }
        fn monotonic(&self) -> u64 {
            self.monotonic.load(Ordering::Relaxed)
        }
    }

    impl Hands {
        fn pass(&self, micros: i64) {
            self.wall.fetch_add(micros, Ordering::Relaxed);
            self.monotonic.fetch_add(micros.unsigned_abs(), Ordering::Relaxed);
        }
        fn jump(&self, micros: i64) {
            self.wall.fetch_add(micros, Ordering::Relaxed);
        }
    }

    fn clock() -> (Arc<Hands>, PolicyClock) {
        let hands = Arc::new(Hands { wall: AtomicI64::new(START), monotonic: AtomicU64::new(7) });
        (Arc::clone(&hands), PolicyClock::new(hands))
    }

    /// Seconds since the start.
    fn at(clock: &PolicyClock) -> i64 {
        (clock.now().0 - START) / SECOND
    }

    #[test]
    fn five_minutes_are_followed_and_a_microsecond_more_is_not() {
        let (hands, clock) = clock();
        hands.jump(LARGEST_JUMP);
        assert_eq!((at(&clock), clock.held_jump(), clock.take_turns()), (300, None, Vec::new()));
        hands.jump(1);
        assert_eq!((clock.now(), clock.held_jump()), (Timestamp(START), Some(LARGEST_JUMP + 1)));
        assert_eq!(clock.take_turns(), [ClockTurn::Jumped(LARGEST_JUMP + 1)]);
        assert_eq!(clock.take_turns(), [], "once");
    }

    #[test]
    fn a_jump_is_held_for_ten_minutes_while_time_goes_on() {
        let (hands, clock) = clock();
        hands.pass(60 * SECOND);
        hands.jump(86_400 * SECOND);
        assert_eq!(at(&clock), 60);
        hands.pass(600 * SECOND - 1);
        assert_eq!(at(&clock), 659);
        hands.pass(1);
        assert_eq!(at(&clock), 86_400 + 660);
        assert_eq!(clock.take_turns(), [ClockTurn::Jumped(86_400 * SECOND), ClockTurn::Believed(86_400 * SECOND)]);
        assert_eq!(clock.held_jump(), None);
        hands.pass(30 * 86_400 * SECOND);
        assert_eq!((at(&clock), clock.take_turns()), (31 * 86_400 + 660, Vec::new()), "time that passes is no jump");
    }

    #[test]
    fn who_says_so_is_believed_and_a_clock_that_goes_back_is_followed() {
        let (hands, clock) = clock();
        hands.jump(3600 * SECOND);
        assert_eq!(at(&clock), 0);
        clock.confirm();
        assert_eq!((at(&clock), clock.held_jump()), (3600, None));
        hands.jump(3600 * SECOND);
        assert_eq!(at(&clock), 3600);
        hands.jump(-3600 * SECOND);
        assert_eq!((at(&clock), clock.held_jump()), (3600, None));
        let hour = 3600 * SECOND;
        assert_eq!(clock.take_turns(), [ClockTurn::Jumped(hour), ClockTurn::Jumped(hour), ClockTurn::Returned]);
        clock.confirm();
        assert_eq!(at(&clock), 3600, "there is nothing to confirm");
    }

    #[test]
    fn small_jumps_add_up_and_turning_back_makes_no_room_for_one() {
        let (hands, clock) = clock();
        for _ in 0..2 {
            hands.pass(SECOND);
            hands.jump(150 * SECOND);
            clock.now();
        }
        hands.jump(SECOND);
        assert_eq!(at(&clock), 2, "301 seconds within ten minutes");
        clock.confirm();
        let believed = at(&clock);
        hands.jump(-86_400 * SECOND);
        assert_eq!(at(&clock), believed - 86_400);
        hands.pass(700 * SECOND);
        clock.now();
        hands.jump(86_400 * SECOND);
        assert_eq!((at(&clock), clock.held_jump()), (believed + 700, None), "back to what was believed");
        hands.jump(301 * SECOND);
        assert_eq!(at(&clock), believed + 700);
    }
}
