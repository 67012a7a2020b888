//! Tests by injection: cuts of power, flipped octets, full disks, lost and old files.

mod checkpoint;
mod damage;
mod folder;
mod journal;
mod lookup;
mod mark;
mod open;
mod past;
mod restore;
mod rotate;
mod schema;
mod snapshot;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::journal::{Record, RecordKind};
use crate::model::Timestamp;
use crate::world::{Clock, Entropy};

/// Counts: every draw is another one, and two runs are the same.
#[derive(Default)]
pub(super) struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, target: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&number.to_le_bytes());
        hasher.finalize_xof().fill(target);
    }
}

/// A second passes whenever somebody looks.
#[derive(Default)]
pub(super) struct SteppingClock(AtomicU64);

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(self.monotonic()).unwrap())
    }

    fn monotonic(&self) -> u64 {
        self.0.fetch_add(1_000_000, Ordering::Relaxed)
    }
}

pub(super) fn record(kind: RecordKind, detail: &str) -> Record {
    Record { details: vec![("test", detail.to_owned())], ..Record::new(kind) }
}
