//! The real clock and the real randomness: the only place that reads either.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::model::Timestamp;
use crate::world::{Clock, Entropy};

/// The system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Monotonic time counts from here.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that provides time")]
    pub fn new() -> SystemClock {
        SystemClock { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    /// A clock set before 1970 reads as 1970: policy time then stays at the last durable record.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that provides time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// AWS-LC's generator, seeded by the kernel.
#[derive(Clone, Debug)]
pub struct SystemEntropy {
    random: SystemRandom,
}

impl SystemEntropy {
    /// Nothing is drawn yet.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that provides randomness")]
    pub fn new() -> SystemEntropy {
        SystemEntropy { random: SystemRandom::new() }
    }
}

impl Default for SystemEntropy {
    fn default() -> SystemEntropy {
        SystemEntropy::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, target: &mut [u8]) {
        if self.random.fill(target).is_err() {
            // A salt or key that is not random would be worse than no server.
            tracing::error!("the system gives no random octets; the server cannot go on");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_this_century_and_monotonic_time_does_not_go_back() {
        let clock = SystemClock::new();
        let (first, second) = (clock.monotonic(), clock.monotonic());
        assert!(first <= second);
        assert!((946_684_800_000_000..4_102_444_800_000_000).contains(&clock.now().0));
    }

    #[test]
    fn random_octets_differ() {
        let (mut left, mut right) = ([0; 32], [0; 32]);
        SystemEntropy::new().fill(&mut left);
        SystemEntropy::new().fill(&mut right);
        assert_ne!(left, right);
    }
}
