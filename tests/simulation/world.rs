//! Time and randomness of a simulated machine. Time moves when the script says so.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bindery::model::Timestamp;
use bindery::world::{Clock, Entropy};

/// A wall clock that may be set back, and a monotonic one.
pub(crate) struct SimulatedClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl SimulatedClock {
    /// Begins in November 2026.
    pub(crate) fn new() -> SimulatedClock {
        SimulatedClock { wall: AtomicI64::new(1_795_000_000_000_000), monotonic: AtomicU64::new(1) }
    }

    /// So many microseconds pass.
    pub(crate) fn pass(&self, microseconds: u64) {
        self.wall.fetch_add(microseconds as i64, Ordering::Relaxed);
        self.monotonic.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_by(&self, microseconds: i64) {
        self.wall.fetch_add(microseconds, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> u64 {
        self.monotonic.load(Ordering::Relaxed)
    }
}

/// Octets that follow from a number and how often they were asked for.
pub(crate) struct SimulatedEntropy(Mutex<(u64, u64)>);

impl SimulatedEntropy {
    /// The stream of this number.
    pub(crate) fn new(stream: u64) -> SimulatedEntropy {
        SimulatedEntropy(Mutex::new((stream, 0)))
    }

    /// Goes on with another stream: how much opening drew depends on what it found in sled.
    pub(crate) fn go_on_with(&self, stream: u64) {
        *self.0.lock().unwrap() = (stream, 0);
    }
}

impl Entropy for SimulatedEntropy {
    fn fill(&self, target: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&state.0.to_le_bytes()).update(&state.1.to_le_bytes());
        hasher.finalize_xof().fill(target);
        state.1 += 1;
    }
}
