//! Wrong passwords from one origin: so many a second, beyond that its binds wait.
//!
//! ```text
//!            more than half of the burst left            less: each takes a token first
//!  ask ───► Free ─┬─ refused: takes a token      ───►  Reserved ─┬─ refused: the token is gone
//!                 └─ right: nothing                              └─ right: the token comes back
//!                                                   none left: Later
//! ```

use std::time::Duration;

use super::rate::{Bucket, Rate};

/// Seconds that an origin waits at most for what came at once.
const LONGEST_DEBT: u32 = 5;

/// The tries of one origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tries {
    bucket: Bucket,
    /// That binds wait was told since it began.
    told: bool,
}

/// Leave to try one bind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    /// Nothing was taken for it.
    Free,
    /// A token was taken for it.
    Reserved,
}

/// What came of asking for leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Go on.
    Granted(Permit),
    /// Ask again after that time. `first`: it is the first of a burst, worth a line in the log.
    Later {
        /// How long until a token is there.
        wait: Duration,
        /// Nothing was told of this burst yet.
        first: bool,
    },
}

impl Tries {
    /// May a bind be tried now?
    pub fn ask(&mut self, rate: Rate, now: u64) -> Asked {
        if !self.bucket.is_low(rate, now) {
            self.told = false;
            return Asked::Granted(Permit::Free);
        }
        if self.bucket.try_take(rate, now) {
            return Asked::Granted(Permit::Reserved);
        }
        Asked::Later { wait: self.bucket.wait(rate, now), first: !std::mem::replace(&mut self.told, true) }
    }

    /// The bind came to its end. `wrong`: it was a wrong guess.
    pub fn ended(&mut self, permit: Permit, wrong: bool, rate: Rate, now: u64) {
        match (permit, wrong) {
            (Permit::Free, true) => self.bucket.take(rate, now, 1, LONGEST_DEBT),
            (Permit::Reserved, false) => self.bucket.give_back(1),
            (Permit::Free, false) | (Permit::Reserved, true) => {}
        }
    }

    /// Whether it can be forgotten.
    pub fn is_over(&mut self, rate: Rate, now: u64) -> bool {
        self.bucket.is_full(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// How many wrong binds get through in so many seconds, each tried as soon as it may be.
    fn wrong(tries: &mut Tries, rate: Rate, from: u64, seconds: u64) -> (usize, usize) {
        let (mut through, mut told) = (0, 0);
        for step in 0..seconds * 1000 {
            let now = from + step * 1000;
            for _ in 0..50 {
                match tries.ask(rate, now) {
                    Asked::Granted(permit) => {
                        through += 1;
                        tries.ended(permit, true, rate, now);
                    }
                    Asked::Later { first, .. } => {
                        told += usize::from(first);
                        break;
                    }
                }
            }
        }
        (through, told)
    }

    #[test]
    fn a_storm_comes_down_to_the_rate_and_is_told_once() {
        let (rate, mut tries) = (Rate::per_second(20), Tries::default());
        let (through, told) = wrong(&mut tries, rate, SECOND, 10);
        assert!((200..=220).contains(&through), "{through} in ten seconds");
        assert_eq!(told, 1);
        assert!(tries.is_over(rate, 20 * SECOND), "it is forgotten after a rest");
        assert_eq!(wrong(&mut tries, rate, 100 * SECOND, 2).1, 1, "the next burst is told again");
    }

    #[test]
    fn right_passwords_are_never_held_up_and_cost_nothing() {
        let (rate, mut tries) = (Rate::per_second(20), Tries::default());
        for number in 0..10_000 {
            let Asked::Granted(permit) = tries.ask(rate, number) else { panic!("held up") };
            tries.ended(permit, false, rate, number);
        }
    }

    #[test]
    fn right_passwords_among_wrong_ones_give_their_tokens_back() {
        let (rate, mut tries) = (Rate::per_second(20), Tries::default());
        wrong(&mut tries, rate, SECOND, 3);
        let now = 4 * SECOND + 100_000;
        let mut right = 0;
        while right < 1000 {
            let Asked::Granted(permit) = tries.ask(rate, now) else { panic!("held up after {right}") };
            assert_eq!(permit, Permit::Reserved);
            tries.ended(permit, false, rate, now);
            right += 1;
        }
    }

    #[test]
    fn what_came_at_once_is_paid_back_in_seconds() {
        let (rate, mut tries) = (Rate::per_second(20), Tries::default());
        let permits: Vec<_> = (0..2000).map(|_| tries.ask(rate, SECOND)).collect();
        for asked in permits {
            let Asked::Granted(permit) = asked else { panic!("nothing was wrong yet") };
            tries.ended(permit, true, rate, SECOND);
        }
        let Asked::Later { wait, .. } = tries.ask(rate, SECOND) else { panic!("2000 wrong ones at once") };
        assert!(wait > Duration::from_secs(4) && wait < Duration::from_secs(6), "{wait:?}");
    }
}
