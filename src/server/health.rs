//! How the server is: kept by the committer and whoever registers a gauge, read by anybody as `cn=monitor`.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::alerts::Alerts;
use super::policy_clock::LARGEST_JUMP;
use super::registry::Registry;
use crate::journal::Record;
use crate::model::Timestamp;
use crate::operation::LiveSession;
use crate::operation::monitor::{HealthLevel, MonitorReport, Monitored};
use crate::store::{CheckpointWatch, Space};
use crate::world::Clock;

/// What becomes of binds and changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum JournalState {
    /// They are recorded.
    Written = 0,
    /// They are answered with 52: the disk's reserve is reached.
    DiskFull = 1,
    /// They are answered with 52: a write or a sync failed, and no new segment could be made since.
    Failed = 2,
}

/// A number that some part of the server can tell: the attribute of `cn=monitor` and how to find it.
type Gauge = (&'static str, Box<dyn Fn() -> Option<u64> + Send + Sync>);

/// Something that some part of the server finds wrong.
type Trouble = Box<dyn Fn() -> Option<(HealthLevel, String)> + Send + Sync>;

/// Kept up by the committer.
pub struct Health {
    journal: AtomicU8,
    durable: AtomicU64,
    octets: AtomicU64,
    started: Timestamp,
    checkpoint: CheckpointWatch,
    space: Space,
    gauges: Mutex<Vec<Gauge>>,
    troubles: Mutex<Vec<Trouble>>,
    sessions: Arc<Registry>,
    alerts: Alerts,
    /// Microseconds: the time of the last durable record.
    time: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Health {
    /// Of a store that was just opened.
    pub(super) fn new(
        durable: u64,
        clock: Arc<dyn Clock>,
        checkpoint: CheckpointWatch,
        space: Space,
        sessions: Arc<Registry>,
    ) -> Health {
        Health {
            journal: AtomicU8::new(JournalState::Written as u8),
            durable: AtomicU64::new(durable),
            octets: AtomicU64::new(0),
            started: clock.now(),
            checkpoint,
            space,
            gauges: Mutex::default(),
            troubles: Mutex::default(),
            sessions,
            alerts: Alerts::default(),
            time: AtomicI64::new(clock.now().0),
            clock,
        }
    }

    /// Adds a number to `cn=monitor`, under an attribute of the schema. It must be quick to find; none: what it tells of is gone.
    pub fn add_gauge(&self, attribute: &'static str, read: impl Fn() -> Option<u64> + Send + Sync + 'static) {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).push((attribute, Box::new(read)));
    }

    /// Adds somebody who tells what is wrong; it must be quick to find.
    pub fn add_trouble(&self, tell: impl Fn() -> Option<(HealthLevel, String)> + Send + Sync + 'static) {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(tell));
    }

    pub(super) fn set_journal(&self, state: JournalState) {
        self.journal.store(state as u8, Ordering::Release);
    }

    pub(super) fn set_durable(&self, sequence: u64, octets: u64) {
        self.durable.store(sequence, Ordering::Release);
        self.octets.store(octets, Ordering::Release);
    }

    /// Takes note of records that are durable, at the time of the last one.
    pub(super) fn follow<'a>(&self, records: impl IntoIterator<Item = &'a Record>, now: Timestamp) {
        self.time.store(now.0, Ordering::Release);
        self.alerts.follow(records, now);
    }

    /// What becomes of binds and changes.
    pub fn journal(&self) -> JournalState {
        match self.journal.load(Ordering::Acquire) {
            0 => JournalState::Written,
            1 => JournalState::DiskFull,
            _ => JournalState::Failed,
        }
    }

    /// Last durable sequence.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    fn problems(&self) -> (HealthLevel, Vec<String>) {
        let mut level = HealthLevel::Green;
        let mut problems = Vec::new();
        let journal = match self.journal() {
            JournalState::Written => None,
            JournalState::DiskFull => Some(
                "the disk that holds the data folder is full: binds and changes are answered with 52; make space, then the server goes on \
                 by itself",
            ),
            JournalState::Failed => Some(
                "the journal cannot be written: binds and changes are answered with 52; make space or replace the disk that holds the data \
                 folder, then the server goes on by itself",
            ),
        };
        if let Some(problem) = journal {
            level = HealthLevel::Red;
            problems.push(problem.to_owned());
        }
        if let Some(problem) = self.checkpoint.trouble() {
            level = level.max(HealthLevel::Yellow);
            problems.push(format!(
                "the checkpoint does not follow the journal ({problem}): nothing is lost, but the next start takes longer; look after the \
                 disk that holds the data folder, then it goes on by itself"
            ));
        }
        let alerts = self.alerts.told(Timestamp(self.time.load(Ordering::Acquire)));
        if !alerts.is_empty() {
            level = level.max(HealthLevel::Yellow);
            problems.extend(alerts);
        }
        if let Some(ahead) = self.clock.held_jump() {
            level = level.max(HealthLevel::Yellow);
            problems.push(format!(
                "the clock jumped ahead by {} s and is not followed for ten minutes: put it right, or say that it is: bindery clock confirm",
                ahead / 1_000_000
            ));
        }
        let behind = self.time.load(Ordering::Acquire).saturating_sub(self.clock.now().0);
        if behind > LARGEST_JUMP {
            level = HealthLevel::Red;
            problems.push(format!(
                "the clock is {} s behind the last record: until it has caught up no time passes, so codes of tokens are refused and nothing ends; \
                 put the clock right, or, where it was wrong before, stop the server and run bindery clock rebase",
                behind / 1_000_000
            ));
        }
        for (graver, problem) in self.troubles.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(|tell| tell()) {
            level = level.max(graver);
            problems.push(problem);
        }
        (level, problems)
    }
}

impl Monitored for Health {
    fn sessions(&self) -> Vec<Arc<LiveSession>> {
        self.sessions.all()
    }

    fn session(&self, number: u64) -> Option<Arc<LiveSession>> {
        self.sessions.find(number)
    }

    fn clock_jump(&self) -> Option<i64> {
        self.clock.held_jump()
    }

    fn report(&self) -> MonitorReport {
        let (health, problems) = self.problems();
        let (applied, durable) = (self.checkpoint.applied(), self.durable());
        let mut values = vec![
            ("monitorStartTime", self.started.to_generalized_time()),
            ("monitorDurableSequence", durable.to_string()),
            ("monitorCheckpointSequence", applied.to_string()),
            ("monitorCheckpointLag", durable.saturating_sub(applied).to_string()),
            ("monitorJournalOctets", self.octets.load(Ordering::Acquire).to_string()),
            ("monitorDiskReserve", self.space.reserve().to_string()),
        ];
        values.extend(self.space.available().map(|octets| ("monitorDiskAvailable", octets.to_string())));
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        values.extend(gauges.iter().filter_map(|(attribute, read)| Some((*attribute, read()?.to_string()))));
        MonitorReport { health, problems, values }
    }
}
