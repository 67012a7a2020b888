//! Takes snapshots while the server serves: when the journal grew by much, after a time, and when a backup asks for one. The same thread
//! seals files anew while the seal key is rotated.
//!
//! One thread below normal priority. It works on a published directory value, so neither readers nor the committer wait for it; that a
//! snapshot cannot be taken is loud and stops nothing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::committer::{Committer, Durable};
use super::committer_thread::{Address, CommitterHandle, Completion, CompletionSender};
use super::notes;
use super::rotation::{Next, Rotator};
use crate::config::SnapshotSettings;
use crate::directory::Directory;
use crate::journal::{Record, RecordKind, to_hex};
use crate::model::ResultCode;
use crate::operation::backup::BackupSnapshot;
use crate::operation::{Context, Proposal, ProposedOperation};
use crate::policy::share::Owner;
use crate::session::Ticket;
use crate::store::{Position, Rotation, SnapshotFacts, Snapshots, StoreError, Taken};
use crate::world::Clock;

/// nice(2) value of the thread.
const NICENESS: i32 = 5;
/// How often is looked at how much the journal grew.
const LOOK: Duration = Duration::from_secs(1);
/// Backups that may wait for a snapshot; beyond that they are told 51.
const WAITING: usize = 16;
/// Octets of journal below which time alone is no reason: an idle server writes nothing.
const WORTH_OCTETS: u64 = 16 * 1024;
/// Microseconds after a failure before the next try that nobody asked for.
const RETRY: u64 = 60_000_000;
/// A stop takes a snapshot when the journal grew by this part of what makes one due anyway.
const PART_ON_STOP: u64 = 16;
/// Octets a frame is taken for where they were not counted: those of processes before this one.
const OCTETS_A_FRAME: u64 = 512;
/// Looks at the published value until it is the one of the published position.
const LOOKS: u32 = 100_000;

/// Handle on the thread.
pub struct Snapshotter {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    wake: Condvar,
}

type Waiting = Vec<(Ticket, CompletionSender)>;

#[derive(Default)]
struct Mailbox {
    waiting: Waiting,
    /// Who wants the seal key rotated.
    rotations: Waiting,
    stop: bool,
}

/// What of a committer the thread reads, once the committer has a thread of its own.
pub struct Source {
    published: Arc<ArcSwap<Directory>>,
    durable: Arc<ArcSwap<Durable>>,
    snapshots: Snapshots,
    rotation: Rotation,
    unsnapped: u64,
}

impl Source {
    /// Of this one.
    pub fn of(committer: &Committer) -> Source {
        Source {
            published: committer.published(),
            durable: committer.durable(),
            snapshots: committer.snapshots().clone(),
            rotation: committer.rotation().clone(),
            unsnapped: unsnapped(committer),
        }
    }
}

/// What the thread works with.
struct Worker {
    shared: Arc<Shared>,
    published: Arc<ArcSwap<Directory>>,
    durable: Arc<ArcSwap<Durable>>,
    snapshots: Snapshots,
    rotator: Rotator,
    committer: CommitterHandle,
    context: Context,
    settings: SnapshotSettings,
    clock: Arc<dyn Clock>,
    since: Since,
}

/// What happened since the last snapshot.
#[derive(Clone, Copy)]
struct Since {
    /// The journal's octets when it was taken, counted as [`Durable::octets`] is; below zero for what earlier processes wrote.
    octets: i128,
    /// Monotonic time.
    at: u64,
    /// How long the last one is.
    length: u64,
    /// No try before this moment but for a backup.
    not_before: u64,
}

impl Snapshotter {
    /// Starts the thread.
    pub fn start(
        source: Source,
        committer: CommitterHandle,
        context: Context,
        settings: SnapshotSettings,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Snapshotter> {
        let shared = Arc::new(Shared::default());
        let Source { published, durable, snapshots, rotation, unsnapped } = source;
        let rotator = Rotator::new(rotation);
        let since =
            Since { octets: -i128::from(unsnapped), at: clock.monotonic(), length: snapshots.newest_octets(), not_before: 0 };
        let worker = Worker {
            shared: Arc::clone(&shared),
            published,
            durable,
            snapshots,
            rotator,
            committer,
            context,
            settings,
            clock,
            since,
        };
        let thread = std::thread::Builder::new().name("snapshots".to_owned()).spawn(move || worker.run())?;
        Ok(Snapshotter { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Asks for a snapshot of what is durable now or later; `completion` hears of it.
    pub fn ask(&self, ticket: Ticket, completion: CompletionSender) -> Result<(), ResultCode> {
        self.shared.put(|mailbox| &mut mailbox.waiting, ticket, completion)
    }

    /// Asks for a rotation of the seal key; `completion` hears when it is begun.
    pub fn ask_rotation(&self, ticket: Ticket, completion: CompletionSender) -> Result<(), ResultCode> {
        self.shared.put(|mailbox| &mut mailbox.rotations, ticket, completion)
    }

    /// Ends the thread; a snapshot it is writing is given up.
    pub fn stop(&self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the thread that takes snapshots broke down by a fault of the server; please report it");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(
        &self,
        place: fn(&mut Mailbox) -> &mut Waiting,
        ticket: Ticket,
        completion: CompletionSender,
    ) -> Result<(), ResultCode> {
        let mut mailbox = self.lock();
        if mailbox.stop {
            return Err(ResultCode::Unavailable);
        }
        let waiting = place(&mut mailbox);
        if waiting.len() >= WAITING {
            return Err(ResultCode::Busy);
        }
        waiting.push((ticket, completion));
        self.wake.notify_one();
        Ok(())
    }
}

impl Worker {
    fn run(mut self) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "the thread that takes snapshots keeps normal priority");
        }
        if let Some(record) = self.rotator.resume() {
            self.note(record);
        }
        let mut look = Duration::ZERO;
        loop {
            let Some((waiting, rotations)) = self.next(look) else { return };
            if !rotations.is_empty() {
                self.begin_rotation(rotations);
            }
            if !waiting.is_empty() || self.is_due() {
                self.take_for(waiting);
            }
            look = self.rotate();
        }
    }

    fn take_for(&mut self, waiting: Waiting) {
        let taken = self.take();
        let answer = match &taken {
            Ok(taken) => Ok(for_backup(taken.facts.clone())),
            Err(_) => Err(ResultCode::Other),
        };
        self.tell(taken);
        for (id, completion) in waiting {
            // A connection has room for as many completions as it may have operations outstanding: this fails only when it is gone.
            let _ = completion.try_send(Completion::Snapshot(id, answer.clone()));
        }
    }

    fn begin_rotation(&mut self, waiting: Waiting) {
        let answer = self.rotator.begin().ok_or(ResultCode::Other);
        for (id, completion) in waiting {
            let _ = completion.try_send(Completion::KeyRotation(id, answer.clone()));
        }
    }

    /// One step, if a rotation is under way. How long to wait for the next.
    fn rotate(&mut self) -> Duration {
        let Worker { rotator, shared, committer, context, clock, .. } = self;
        let go_on = || !shared.lock().stop;
        match rotator.step(clock.monotonic(), &go_on, &mut |record| note(committer, context, record)) {
            Next::Now => Duration::ZERO,
            Next::In(pause) => pause,
            Next::Never => LOOK,
        }
    }

    /// Who waits for a snapshot and who for a rotation, after a look's time; none when it is time to end.
    fn next(&self, look: Duration) -> Option<(Waiting, Waiting)> {
        let idle = |mailbox: &mut Mailbox| mailbox.waiting.is_empty() && mailbox.rotations.is_empty() && !mailbox.stop;
        let waited = self.shared.wake.wait_timeout_while(self.shared.lock(), look, idle);
        let mut mailbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        let waiting = std::mem::take(&mut mailbox.waiting);
        let rotations = std::mem::take(&mut mailbox.rotations);
        if !mailbox.stop {
            return Some((waiting, rotations));
        }
        for (id, completion) in rotations {
            let _ = completion.try_send(Completion::KeyRotation(id, Err(ResultCode::Unavailable)));
        }
        for (id, completion) in waiting {
            let _ = completion.try_send(Completion::Snapshot(id, Err(ResultCode::Unavailable)));
        }
        None
    }

    fn is_due(&self) -> bool {
        let now = self.clock.monotonic();
        let grown = grown(&self.durable.load(), self.since);
        let interval = u64::try_from(self.settings.interval.as_micros()).unwrap_or(u64::MAX);
        let is_old = now.saturating_sub(self.since.at) >= interval && grown >= WORTH_OCTETS;
        // Not oftener than the journal grows by as much as a snapshot is long: that bounds what snapshots add to the disk's work.
        let is_long = grown >= self.settings.octets.max(self.since.length);
        now >= self.since.not_before && (is_old || is_long) && self.snapshots.check_room(self.since.length).is_ok()
    }

    fn take(&mut self) -> Result<Taken, StoreError> {
        self.snapshots.check_room(self.since.length)?;
        let (directory, durable) = self.durable_value()?;
        let go_on = || !self.shared.lock().stop;
        let taken = self.snapshots.take(&directory, &durable.position, &go_on);
        match &taken {
            Ok(taken) => {
                let (at, length) = (self.clock.monotonic(), taken.facts.octets);
                self.since = Since { octets: i128::from(durable.octets), at, length, not_before: 0 };
            }
            Err(_) => self.since.not_before = self.clock.monotonic().saturating_add(RETRY),
        }
        taken
    }

    /// The published value and where the journal was then: they are published one after the other, and the digest tells whether they fit.
    fn durable_value(&self) -> Result<(Arc<Directory>, Arc<Durable>), StoreError> {
        for _ in 0..LOOKS {
            let durable = self.durable.load_full();
            let directory = self.published.load_full();
            if directory.digest() == durable.position.digest {
                return Ok((directory, durable));
            }
            std::thread::yield_now();
        }
        Err(StoreError::Content("the published value never was the one of its sequence".to_owned()))
    }

    fn tell(&self, taken: Result<Taken, StoreError>) {
        let record = match taken {
            Ok(taken) => told(&taken),
            Err(_) if self.shared.lock().stop => return,
            Err(error) => failed(&error),
        };
        self.note(record);
    }

    fn note(&self, record: Record) {
        note(&self.committer, &self.context, record);
    }
}

/// Has something recorded that no client waits for.
fn note(committer: &CommitterHandle, context: &Context, record: Record) {
    let what = record.kind.name();
    let operation = ProposedOperation::Note(Box::new(record));
    let proposal = Proposal { context: context.clone(), operation };
    if let Err(code) = committer.submit(proposal, Address::NOBODY, Owner::Local, None) {
        tracing::error!(code = code.number(), what, "an event could not be recorded");
    }
}

/// Octets the journal grew by.
fn grown(durable: &Durable, since: Since) -> u64 {
    u64::try_from(i128::from(durable.octets).saturating_sub(since.octets)).unwrap_or(0)
}

/// Octets of journal behind the newest snapshot, as far as they can be told without reading.
fn unsnapped(committer: &Committer) -> u64 {
    let newest = committer.snapshots().newest().unwrap_or(0);
    committer.position().sequence.saturating_sub(newest).saturating_mul(OCTETS_A_FRAME)
}

/// Takes one when the server has stopped and much happened since the last: the next start may need it.
pub fn on_stop(committer: &mut Committer, context: Context, settings: SnapshotSettings) {
    if unsnapped(committer) >= settings.octets / PART_ON_STOP {
        now(committer, context);
    }
}

/// Takes one where nobody else writes, and has it recorded. A failure is told and recorded; what was to be done is done.
pub fn now(committer: &mut Committer, context: Context) -> Option<SnapshotFacts> {
    let directory = committer.head().clone();
    let taken = committer.snapshots().take(&directory, &committer.position(), &|| true);
    let facts = taken.as_ref().ok().map(|taken| taken.facts.clone());
    let record = match &taken {
        Ok(taken) => told(taken),
        Err(error) => failed(error),
    };
    if committer.note(context, record).is_err() {
        tracing::error!("a snapshot could not be recorded");
    }
    facts
}

/// What the client that asked for it is told.
pub fn for_backup(facts: SnapshotFacts) -> BackupSnapshot {
    let SnapshotFacts { name, position: Position { sequence, time, digest, .. }, .. } = facts;
    BackupSnapshot { name, sequence, time, digest: to_hex(&digest.to_bytes()) }
}

fn told(taken: &Taken) -> Record {
    let SnapshotFacts { name, position, rows, octets } = &taken.facts;
    tracing::info!(name, sequence = position.sequence, rows, octets, "snapshot taken and read back");
    let mut details = details(name, position);
    details.push(("rows", rows.to_string()));
    details.push(("octets", octets.to_string()));
    for damaged in &taken.damaged {
        let problem = format!("{}: {}", damaged.name, damaged.problem);
        tracing::error!(
            "an older snapshot was damaged and is removed: {problem}; look after the disk that holds the data folder"
        );
        details.push(("damaged", problem));
    }
    notes::record(RecordKind::Snapshot, details)
}

fn failed(error: &StoreError) -> Record {
    tracing::error!(
        %error,
        "a snapshot could not be taken; the service goes on and the snapshots before it stay: look after the disk that holds the data folder"
    );
    let details = vec![("problem", error.to_string())];
    let record = notes::record(RecordKind::Snapshot, details);
    Record { result: ResultCode::Other, reason: Some("snapshot failed"), ..record }
}

/// What the journal says of a snapshot.
pub fn details(name: &str, position: &Position) -> Vec<(&'static str, String)> {
    vec![("name", name.to_owned()), ("sequence", position.sequence.to_string()), ("digest", to_hex(&position.digest.to_bytes()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_counts_what_earlier_processes_wrote() {
        let durable = Durable { octets: 1000, ..Durable::default() };
        let since = |octets| Since { octets, at: 0, length: 0, not_before: 0 };
        assert_eq!(grown(&durable, since(-500)), 1500);
        assert_eq!(grown(&durable, since(400)), 600);
        assert_eq!(grown(&durable, since(1001)), 0);
    }
}
