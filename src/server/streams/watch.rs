//! How a stream does, for health.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::StreamError;
use crate::config::StreamSettings;
use crate::operation::monitor::HealthLevel;
use crate::server::committer::Durable;
use crate::world::Clock;

/// How a stream does, for any thread.
pub struct StreamWatch {
    pub(super) settings: StreamSettings,
    clock: Arc<dyn Clock>,
    durable: Arc<ArcSwap<Durable>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Last sequence that was taken.
    taken: u64,
    /// A sequence that was durable at a monotonic time: what the age of what waits is measured by.
    target: (u64, u64),
    problem: Option<String>,
    /// Sequences that could not be read and are not streamed: the first and the last of them, and how many.
    missed: Option<(u64, u64, u64)>,
}

impl StreamWatch {
    /// Nothing is sent yet.
    pub fn new(settings: StreamSettings, clock: Arc<dyn Clock>, durable: Arc<ArcSwap<Durable>>) -> StreamWatch {
        let state = State { target: (durable.load().position.sequence, clock.monotonic()), ..State::default() };
        StreamWatch { settings, clock, durable, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Last sequence that the collector took.
    pub fn taken(&self) -> u64 {
        self.state().taken
    }

    /// Looks whether what was durable a while ago was taken meanwhile; then it is asked of what is durable now.
    pub(super) fn look(&self) -> (u64, u64, u64) {
        let (durable, now) = (self.durable.load().position.sequence, self.clock.monotonic());
        let mut state = self.state();
        if state.taken >= state.target.0 {
            state.target = (durable, now);
        }
        let waits = if state.taken >= state.target.0 { 0 } else { now.saturating_sub(state.target.1) };
        (durable, state.taken, waits)
    }

    /// Whether records were left out, or it is behind.
    pub fn trouble(&self) -> Option<(HealthLevel, String)> {
        let behind = self.behind();
        let Some((first, last, count)) = self.state().missed else { return behind.map(|text| (HealthLevel::Yellow, text)) };
        let text = format!(
            "the stream {} left out {count} records of the journal between {first} and {last}, which cannot be read: find out with bindery \
             journal verify what happened to them",
            self.settings.name
        );
        Some((HealthLevel::Red, [Some(text), behind].into_iter().flatten().collect::<Vec<_>>().join("; ")))
    }

    fn behind(&self) -> Option<String> {
        let (durable, taken, waits) = self.look();
        let limit = u64::try_from(self.settings.behind.as_micros()).unwrap_or(u64::MAX);
        (waits > limit).then(|| {
            let StreamSettings { name, peer, .. } = &self.settings;
            let why = self.state().problem.as_ref().map_or(String::new(), |problem| format!(" ({problem})"));
            format!(
                "the stream {name} of the journal is behind: {} records wait for {}:{}, some since {} s{why}; nothing is lost, they are sent \
                 when it takes them",
                durable.saturating_sub(taken),
                peer.host,
                peer.port,
                waits / 1_000_000
            )
        })
    }

    pub(super) fn left_out(&self, (first, last): (u64, u64)) {
        tracing::error!(
            stream = self.settings.name,
            first,
            last,
            "records of the journal cannot be read and are not streamed; find out with: bindery journal verify"
        );
        let mut state = self.state();
        let (begin, _, count) = state.missed.unwrap_or((first, last, 0));
        state.missed = Some((begin.min(first), last, count.saturating_add(last.saturating_sub(first)).saturating_add(1)));
    }

    pub(super) fn taken_up_to(&self, sequence: u64) {
        let mut state = self.state();
        state.taken = sequence;
        state.problem = None;
        drop(state);
        self.look();
    }

    pub(super) fn failed(&self, error: &StreamError) {
        let mut state = self.state();
        if state.problem.is_none() {
            tracing::warn!(stream = self.settings.name, %error, "a stream of the journal cannot go on; it is tried again");
        }
        state.problem = Some(error.to_string());
    }
}
