//! So many a second: a bucket of tokens that fills up at a steady rate.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Parts of a token: a rate of one a second gives one part a microsecond.
const PARTS: u64 = 1_000_000;

/// Tokens a second, and how many lie ready after a rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How fast tokens come.
    pub per_second: u32,
    /// How many there can be.
    pub burst: u32,
}

impl Rate {
    /// A second's worth may come at once.
    pub fn per_second(per_second: u32) -> Rate {
        Rate { per_second, burst: per_second }
    }

    fn full(self) -> u64 {
        u64::from(self.burst).saturating_mul(PARTS)
    }
}

/// What is missing from a full bucket; more than it holds is a debt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    missing: u64,
    at: u64,
}

impl Bucket {
    /// Whether there is a token.
    pub fn has_one(&mut self, rate: Rate, now: u64) -> bool {
        self.fill(rate, now);
        self.missing.saturating_add(PARTS) <= rate.full()
    }

    /// Takes tokens, there or not; the debt grows to that of `seconds` at most.
    pub fn take(&mut self, rate: Rate, now: u64, tokens: u32, seconds: u32) {
        self.fill(rate, now);
        let most =
            rate.full().saturating_add(u64::from(rate.per_second).saturating_mul(u64::from(seconds)).saturating_mul(PARTS));
        self.missing = self.missing.saturating_add(u64::from(tokens).saturating_mul(PARTS)).min(most);
    }

    /// Takes one where there is one.
    pub fn try_take(&mut self, rate: Rate, now: u64) -> bool {
        let has_one = self.has_one(rate, now);
        if has_one {
            self.take(rate, now, 1, 0);
        }
        has_one
    }

    /// Puts tokens back that were not needed.
    pub fn give_back(&mut self, tokens: u32) {
        self.missing = self.missing.saturating_sub(u64::from(tokens).saturating_mul(PARTS));
    }

    /// Whether less than half is left.
    pub fn is_low(&mut self, rate: Rate, now: u64) -> bool {
        self.fill(rate, now);
        self.missing > rate.full() / 2
    }

    /// Whether nothing is missing: such a bucket can be forgotten.
    pub fn is_full(&mut self, rate: Rate, now: u64) -> bool {
        self.fill(rate, now);
        self.missing == 0
    }

    /// How long until there is a token.
    pub fn wait(&mut self, rate: Rate, now: u64) -> Duration {
        self.fill(rate, now);
        let missing = self.missing.saturating_add(PARTS).saturating_sub(rate.full());
        Duration::from_micros(missing.div_ceil(u64::from(rate.per_second.max(1))))
    }

    fn fill(&mut self, rate: Rate, now: u64) {
        let elapsed = now.saturating_sub(self.at);
        self.missing = self.missing.saturating_sub(elapsed.saturating_mul(u64::from(rate.per_second)));
        self.at = self.at.max(now);
    }
}

/// A bucket for each key, those that are full forgotten. Where there are too many, all new keys share one.
#[derive(Debug)]
pub struct Buckets<K> {
    by_key: HashMap<K, Bucket>,
    most: usize,
    rest: Bucket,
    swept: u64,
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// Microseconds between two looks for what can be forgotten.
    const SWEEP: u64 = 1_000_000;

    /// With room for so many keys.
    pub fn new(most: usize) -> Buckets<K> {
        Buckets { by_key: HashMap::new(), most, rest: Bucket::default(), swept: 0 }
    }

    /// The bucket of a key.
    pub fn of(&mut self, key: K, rate: Rate, now: u64) -> &mut Bucket {
        if now >= self.swept.saturating_add(Self::SWEEP) {
            self.swept = now;
            self.by_key.retain(|_, bucket| !bucket.is_full(rate, now));
        }
        if self.by_key.len() >= self.most && !self.by_key.contains_key(&key) {
            return &mut self.rest;
        }
        self.by_key.entry(key).or_default()
    }

    /// How many keys it remembers.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_burst_then_the_rate() {
        let (rate, mut bucket) = (Rate { per_second: 10, burst: 3 }, Bucket::default());
        let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.try_take(rate, now)).count();
        assert_eq!(taken(&mut bucket, 5 * SECOND), 3);
        assert_eq!(bucket.wait(rate, 5 * SECOND), Duration::from_millis(100));
        assert_eq!(taken(&mut bucket, 5 * SECOND + 99_999), 0);
        assert_eq!(taken(&mut bucket, 5 * SECOND + 100_000), 1);
        assert_eq!(taken(&mut bucket, 60 * SECOND), 3, "a rest fills it and no more");
        assert_eq!(taken(&mut bucket, 50 * SECOND), 0, "time that goes back gives nothing");
    }

    #[test]
    fn a_debt_is_bounded_and_paid_back() {
        let (rate, mut bucket) = (Rate::per_second(10), Bucket::default());
        bucket.take(rate, SECOND, 1_000_000, 5);
        assert_eq!(bucket.wait(rate, SECOND), Duration::from_millis(5100));
        assert!(bucket.is_low(rate, 6 * SECOND) && !bucket.has_one(rate, 6 * SECOND));
        assert!(bucket.is_full(rate, 7 * SECOND));
    }

    #[test]
    fn what_is_not_needed_comes_back() {
        let (rate, mut bucket) = (Rate::per_second(1), Bucket::default());
        assert!(bucket.try_take(rate, 0) && !bucket.has_one(rate, 0));
        bucket.give_back(1);
        assert!(bucket.is_full(rate, 0));
    }

    #[test]
    fn a_table_is_bounded_and_forgets() {
        let (rate, mut buckets) = (Rate::per_second(1), Buckets::new(100));
        for key in 0..100_000 {
            assert!(buckets.of(key, rate, SECOND).try_take(rate, SECOND) || key >= 100);
        }
        assert_eq!(buckets.len(), 100);
        assert!(!buckets.of(200_000, rate, SECOND).has_one(rate, SECOND), "those that find no room share one bucket");
        assert!(buckets.of(5, rate, 3 * SECOND).has_one(rate, 3 * SECOND));
        assert_eq!(buckets.len(), 1, "the full ones are forgotten");
    }
}
