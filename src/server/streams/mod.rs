//! Streams: the journal's records to collectors outside, as syslog messages over TLS (RFC 5424, RFC 5425). A thread for each reads the journal's
//! files on its own; whoever binds or changes something never waits for one.
//!
//! ```text
//! position ─► connect ─► send what is durable behind it, for ten seconds or so many records ─► close_notify ─► close_notify of the collector
//!     ▲                                                                                                              │
//!     └─────────────────────────────────────────── written and synced ◄──────────────────────────────────────────────┘
//! ```
//! Syslog knows no acknowledgement: that the other side answers the end of the connection is what shows that it read everything before. What
//! it did not show it is sent again, so records may arrive twice, and none is left out.

mod position;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use self::position::{Position, PositionFile};
use super::committer::Durable;
use super::health::Health;
use super::notes;
use super::outbound::TlsPeer;
use crate::config::{StreamFormat, StreamSettings};
use crate::journal::query::{FoundRecord, LookupRequest, Query};
use crate::journal::syslog::{SyslogForm, SyslogSender, counted};
use crate::journal::{Record, RecordKind};
use crate::operation::monitor::HealthLevel;
use crate::store::{JournalLookup, StoreError, StoreOptions};
use crate::world::Clock;

/// nice(2) value of the threads.
const NICENESS: i32 = 10;
/// How often is looked for records, and whether it is time.
const LOOK: Duration = Duration::from_millis(250);
/// Records that are read at once.
const AT_ONCE: usize = 256;
/// Records that one connection takes at most …
const RECORDS: usize = 10_000;
/// … and how long it lasts, in microseconds: so late is the position at most.
const LASTS: u64 = 10_000_000;
/// How long is waited after a first failure, in microseconds; then twice as long each time …
const FIRST_RETRY: u64 = 1_000_000;
/// … and at most.
const LONGEST_RETRY: u64 = 60_000_000;
/// How long a stop waits for the last records to be taken.
const LAST_RECORDS: Duration = Duration::from_secs(5);

/// What the journal says of a stream that began, …
pub const STARTED: &str = "started";
/// … and of one that ends.
pub const STOPPED: &str = "stopped";

/// All streams of an installation.
pub struct Streams(Vec<Stream>);

impl Streams {
    /// Starts their threads and has health tell of them.
    pub fn start(
        settings: &[StreamSettings],
        options: &StoreOptions,
        durable: &Arc<ArcSwap<Durable>>,
        health: &Health,
    ) -> io::Result<Streams> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let started = settings.iter().map(|settings| {
            let stream = Stream::start(settings.clone(), options.clone(), Arc::clone(durable), host.clone())?;
            let watch = Arc::clone(stream.watch());
            health.add_trouble(move || watch.trouble());
            Ok(stream)
        });
        let streams: Vec<Stream> = started.collect::<io::Result<_>>()?;
        let watches: Vec<Arc<StreamWatch>> = streams.iter().map(|stream| Arc::clone(stream.watch())).collect();
        if !watches.is_empty() {
            health.add_gauge("monitorStreamedSequence", move || watches.iter().map(|watch| watch.taken()).min());
        }
        Ok(Streams(streams))
    }

    /// What the journal is to say of each.
    pub fn notes(&self, stage: &str) -> Vec<Record> {
        let record = |stream: &Stream| {
            let StreamSettings { name, peer, format, .. } = &stream.watch.settings;
            let mut details = vec![
                ("stream", name.clone()),
                ("stage", stage.to_owned()),
                ("collector", format!("{}:{}", peer.host, peer.port)),
                ("collectorName", peer.server_name.clone()),
                ("format", format.name().to_owned()),
            ];
            if stage == STOPPED {
                details.push(("takenSequence", stream.watch.taken().to_string()));
            }
            notes::record(RecordKind::Configuration, details)
        };
        self.0.iter().map(record).collect()
    }

    /// Has them send the last records, and waits a while.
    pub fn stop(self) {
        self.0.iter().for_each(Stream::ask_to_stop);
        self.0.into_iter().for_each(Stream::stop);
    }
}

/// Handle on one thread.
pub struct Stream {
    shared: Arc<Shared>,
    done: Receiver<()>,
    watch: Arc<StreamWatch>,
}

#[derive(Default)]
struct Shared {
    stop: Mutex<bool>,
    wake: Condvar,
}

/// How a stream does, for any thread.
pub struct StreamWatch {
    settings: StreamSettings,
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
}

enum StreamError {
    /// The collector, or the way there.
    Peer(io::Error),
    /// The journal cannot be read.
    Journal(StoreError),
    /// The position cannot be read or written.
    Position(io::Error),
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StreamError::Peer(error) => write!(f, "{error}"),
            StreamError::Journal(error) => write!(f, "the journal cannot be read: {error}"),
            StreamError::Position(error) => write!(f, "its position cannot be kept: {error}"),
        }
    }
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
    fn look(&self) -> (u64, u64, u64) {
        let (durable, now) = (self.durable.load().position.sequence, self.clock.monotonic());
        let mut state = self.state();
        if state.taken >= state.target.0 {
            state.target = (durable, now);
        }
        let waits = if state.taken >= state.target.0 { 0 } else { now.saturating_sub(state.target.1) };
        (durable, state.taken, waits)
    }

    /// Whether it is behind.
    pub fn trouble(&self) -> Option<(HealthLevel, String)> {
        let (durable, taken, waits) = self.look();
        let limit = u64::try_from(self.settings.behind.as_micros()).unwrap_or(u64::MAX);
        (waits > limit).then(|| {
            let StreamSettings { name, peer, .. } = &self.settings;
            let why = self.state().problem.as_ref().map_or(String::new(), |problem| format!(" ({problem})"));
            let text = format!(
                "the stream {name} of the journal is behind: {} records wait for {}:{}, some since {} s{why}; nothing is lost, they are sent \
                 when it takes them",
                durable.saturating_sub(taken),
                peer.host,
                peer.port,
                waits / 1_000_000
            );
            (HealthLevel::Yellow, text)
        })
    }

    fn taken_up_to(&self, sequence: u64) {
        let mut state = self.state();
        state.taken = sequence;
        state.problem = None;
        drop(state);
        self.look();
    }

    fn failed(&self, error: &StreamError) {
        let mut state = self.state();
        if state.problem.is_none() {
            tracing::warn!(stream = self.settings.name, %error, "a stream of the journal cannot go on; it is tried again");
        }
        state.problem = Some(error.to_string());
    }
}

struct Worker {
    settings: StreamSettings,
    shared: Arc<Shared>,
    watch: Arc<StreamWatch>,
    clock: Arc<dyn Clock>,
    durable: Arc<ArcSwap<Durable>>,
    lookup: JournalLookup,
    file: PositionFile,
    sender: SyslogSender,
    /// Where it goes on; none: not known yet.
    position: Option<Position>,
    /// After a failure: how long is waited, and until when, in microseconds of the monotonic clock.
    retry: Option<(u64, u64)>,
}

impl Stream {
    /// Starts the thread. `options`: of the journal that is streamed.
    pub fn start(
        settings: StreamSettings,
        options: StoreOptions,
        durable: Arc<ArcSwap<Durable>>,
        host: String,
    ) -> io::Result<Stream> {
        let shared = Arc::<Shared>::default();
        let clock = Arc::clone(&options.clock);
        let watch = Arc::new(StreamWatch::new(settings.clone(), Arc::clone(&clock), Arc::clone(&durable)));
        let mut worker = Worker {
            file: PositionFile::new(&options, &settings.name),
            sender: SyslogSender { host, version: env!("CARGO_PKG_VERSION"), enterprise: settings.enterprise },
            settings,
            shared: Arc::clone(&shared),
            watch: Arc::clone(&watch),
            clock,
            durable,
            lookup: JournalLookup::new(options, false),
            position: None,
            retry: None,
        };
        let (finished, done) = channel();
        std::thread::Builder::new().name("stream".to_owned()).spawn(move || worker.run(&finished))?;
        Ok(Stream { shared, done, watch })
    }

    /// How it does.
    pub fn watch(&self) -> &Arc<StreamWatch> {
        &self.watch
    }

    /// Has it send what is durable by now and end.
    pub fn ask_to_stop(&self) {
        *self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.wake.notify_one();
    }

    /// Waits for the end a while.
    pub fn stop(self) {
        self.ask_to_stop();
        if self.done.recv_timeout(LAST_RECORDS) == Err(RecvTimeoutError::Timeout) {
            let name = &self.watch.settings.name;
            tracing::warn!(stream = name, "the last records were not taken in time; they are sent at the next start");
        }
    }
}

impl Worker {
    fn run(&mut self, finished: &Sender<()>) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "the thread of a stream keeps normal priority");
        }
        loop {
            let stop = self.wait();
            if self.rests() && !stop {
                continue;
            }
            match self.deliver() {
                Ok(()) => self.retry = None,
                Err(error) => {
                    self.watch.failed(&error);
                    let pause = self.retry.map_or(FIRST_RETRY, |(pause, _)| pause.saturating_mul(2).min(LONGEST_RETRY));
                    self.retry = Some((pause, self.clock.monotonic().saturating_add(pause)));
                }
            }
            if stop {
                // Whoever waited may have given up.
                let _ = finished.send(());
                return;
            }
        }
    }

    /// Whether the last try failed a moment ago.
    fn rests(&self) -> bool {
        self.retry.is_some_and(|(_, until)| self.clock.monotonic() < until)
    }

    /// A moment, or until it is to end.
    fn wait(&self) -> bool {
        self.watch.look();
        let lock = self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner);
        *self.shared.wake.wait_timeout_while(lock, LOOK, |stop| !*stop).unwrap_or_else(PoisonError::into_inner).0
    }

    fn durable(&self) -> u64 {
        self.durable.load().position.sequence
    }

    /// One connection, if there is anything to send.
    fn deliver(&mut self) -> Result<(), StreamError> {
        let before = match &self.position {
            Some(position) => position.clone(),
            None => self.begin()?,
        };
        if before.sequence >= self.durable() {
            return Ok(());
        }
        let mut peer = TlsPeer::connect(&self.settings.peer).map_err(StreamError::Peer)?;
        let (mut sent, mut count) = (before, 0);
        let until = self.clock.monotonic().saturating_add(LASTS);
        loop {
            let (found, unreadable) = self.behind(sent.sequence)?;
            for record in &found {
                let message = counted(&self.sender.message(record, form(self.settings.format)));
                peer.send(message.as_bytes()).map_err(StreamError::Peer)?;
                sent = Position::of(record.record.sequence, record.leaf());
            }
            count += found.len();
            if count >= RECORDS || self.clock.monotonic() >= until {
                break;
            }
            if found.is_empty() && unreadable > sent.sequence {
                sent = Position::unreadable(unreadable);
            } else if found.is_empty() {
                if self.wait() {
                    break;
                }
                peer.check().map_err(StreamError::Peer)?;
            }
        }
        peer.finish(self.settings.needs_close_notify).map_err(StreamError::Peer)?;
        self.file.write(&sent).map_err(StreamError::Position)?;
        self.watch.taken_up_to(sent.sequence);
        self.position = Some(sent);
        Ok(())
    }

    /// The next records, and up to where some cannot be read.
    fn behind(&mut self, sequence: u64) -> Result<(Vec<FoundRecord>, u64), StreamError> {
        let request = LookupRequest {
            query: Query::default(),
            backwards: false,
            from: (sequence > 0).then_some(sequence),
            most_found: AT_ONCE,
            most_read: AT_ONCE as u64,
        };
        let found = self.lookup.find(&request).map_err(StreamError::Journal)?;
        let durable = self.durable();
        let mut unreadable = 0;
        for damage in found.damages {
            tracing::error!(stream = self.settings.name, "records of the journal cannot be read and are not streamed: {damage}");
            unreadable = damage.sequences.1.min(durable);
        }
        let due = sequence.saturating_add(1)..=durable;
        Ok((found.records.into_iter().filter(|found| due.contains(&found.record.sequence)).collect(), unreadable))
    }

    /// Where to go on: behind the position, where the journal is still the one that it is of.
    fn begin(&mut self) -> Result<Position, StreamError> {
        let nothing = Position::unreadable(0);
        let begun = match self.file.read().map_err(StreamError::Position)? {
            Some(position) if position.sequence == 0 || self.is_of_this_journal(&position)? => position,
            Some(position) => {
                tracing::warn!(
                    stream = self.settings.name,
                    position = position.sequence,
                    "the journal is not the one that was streamed: it is streamed from its beginning"
                );
                nothing
            }
            None if self.settings.from_beginning => nothing,
            None => self.newest()?.unwrap_or(nothing),
        };
        self.file.write(&begun).map_err(StreamError::Position)?;
        self.watch.taken_up_to(begun.sequence);
        self.position = Some(begun.clone());
        Ok(begun)
    }

    fn is_of_this_journal(&mut self, position: &Position) -> Result<bool, StreamError> {
        if position.sequence > self.durable() {
            return Ok(false);
        }
        if position.shows_nothing() {
            return Ok(true);
        }
        let (found, _) = self.behind(position.sequence.saturating_sub(1))?;
        // A record that cannot be read shows nothing.
        let same = |found: &FoundRecord| found.record.sequence != position.sequence || found.leaf().to_hex() == position.leaf;
        Ok(found.first().is_none_or(same))
    }

    fn newest(&mut self) -> Result<Option<Position>, StreamError> {
        let before = self.durable().saturating_sub(1);
        Ok(self.behind(before)?.0.last().map(|found| Position::of(found.record.sequence, found.leaf())))
    }
}

fn form(format: StreamFormat) -> SyslogForm {
    match format {
        StreamFormat::Json => SyslogForm::Json,
        StreamFormat::Cef => SyslogForm::Cef,
        StreamFormat::Rfc5424 => SyslogForm::StructuredData,
        StreamFormat::Dicom => SyslogForm::Dicom,
    }
}
