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

#[cfg(test)]
mod tests;
mod watch;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use self::watch::StreamWatch;
use super::committer::Durable;
use super::health::Health;
use super::notes;
use super::outbound::TlsPeer;
use crate::config::{StreamFormat, StreamSettings};
use crate::journal::query::{FoundRecord, LookupRequest, Query};
use crate::journal::syslog::{SyslogForm, SyslogSender, counted};
use crate::journal::{Record, RecordKind};
use crate::store::{JournalLookup, PositionFile, StoreError, StoreOptions, StreamPosition};
use crate::world::Clock;

/// nice(2) value of the threads.
const NICENESS: i32 = 10;
/// How often is looked for records, and whether it is time.
const LOOK: Duration = Duration::from_millis(250);
/// Records that are read at once.
const AT_ONCE: usize = 256;
/// Records that one connection takes at most, …
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

struct Worker {
    settings: StreamSettings,
    shared: Arc<Shared>,
    watch: Arc<StreamWatch>,
    clock: Arc<dyn Clock>,
    durable: Arc<ArcSwap<Durable>>,
    options: StoreOptions,
    lookup: JournalLookup,
    file: PositionFile,
    sender: SyslogSender,
    /// Where it goes on; none: not known yet.
    position: Option<StreamPosition>,
    /// Records that the next connection takes at most: fewer after a failure, so that what comes before a record that is not taken is.
    most: usize,
    /// Sequences that could not be read a moment ago, …
    doubted: Option<(u64, u64)>,
    /// … and those that could not be read again, which is told.
    left_out: Option<(u64, u64)>,
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
            lookup: JournalLookup::new(options.clone(), false),
            options,
            position: None,
            most: RECORDS,
            doubted: None,
            left_out: None,
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
        let mut count = 0;
        let sent = self.send(&mut peer, before, &mut count);
        let finished = sent.and_then(|sent| {
            peer.finish(self.settings.needs_close_notify).map_err(|error| self.not_taken(error, count, &sent))?;
            Ok(sent)
        });
        let sent = finished.inspect_err(|_| self.most = (count / 2).max(1))?;
        self.most = self.most.saturating_mul(2).min(RECORDS);
        self.file.write(&sent).map_err(StreamError::Position)?;
        self.watch.taken_up_to(sent.sequence);
        self.position = Some(sent);
        Ok(())
    }

    /// Sends what is behind a position; where that ends.
    fn send(&mut self, peer: &mut TlsPeer, before: StreamPosition, count: &mut usize) -> Result<StreamPosition, StreamError> {
        let mut sent = before;
        let until = self.clock.monotonic().saturating_add(LASTS);
        loop {
            let (found, unreadable) = self.behind(sent.sequence)?;
            for record in &found {
                let next = record.record.sequence;
                if *count >= self.most || !self.passes(&sent, next)? {
                    return Ok(sent);
                }
                let message = self.sender.message_within(record, form(self.settings.format), self.settings.largest_message);
                *count += 1;
                sent = StreamPosition::of(next, record.leaf());
                peer.send(counted(&message).as_bytes()).map_err(|error| self.not_taken(error, *count, &sent))?;
            }
            if *count >= self.most || self.clock.monotonic() >= until {
                return Ok(sent);
            }
            if found.is_empty() && unreadable > sent.sequence {
                if !self.passes(&sent, unreadable.saturating_add(1))? {
                    return Ok(sent);
                }
                sent = StreamPosition::unreadable(unreadable);
            } else if found.is_empty() {
                if self.wait() {
                    return Ok(sent);
                }
                peer.check().map_err(StreamError::Peer)?;
            }
        }
    }

    /// A failure, with the record where there was but one that it can be about.
    fn not_taken(&self, error: io::Error, count: usize, sent: &StreamPosition) -> StreamError {
        if count != 1 {
            return StreamError::Peer(error);
        }
        StreamError::Peer(io::Error::new(error.kind(), format!("record {} alone is not taken: {error}", sent.sequence)))
    }

    /// Whether all records before the next were sent, or can be left out: those that are not in the journal any more, and those that could not be
    /// read twice, which is told.
    fn passes(&mut self, sent: &StreamPosition, next: u64) -> Result<bool, StreamError> {
        let begin = self.lookup.first().map_err(StreamError::Journal)?;
        let gap = (sent.sequence.saturating_add(1).max(begin), next.saturating_sub(1));
        if gap.0 > gap.1 {
            return Ok(true);
        }
        if self.left_out == Some(gap) {
            return Ok(true);
        }
        if self.doubted.take() == Some(gap) {
            self.left_out = Some(gap);
            self.watch.left_out(gap);
            return Ok(true);
        }
        // What was read is read anew, from the files alone.
        self.doubted = Some(gap);
        self.lookup = JournalLookup::new(self.options.clone(), false);
        Ok(false)
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
            unreadable = damage.sequences.1.min(durable);
        }
        let due = sequence.saturating_add(1)..=durable;
        Ok((found.records.into_iter().filter(|found| due.contains(&found.record.sequence)).collect(), unreadable))
    }

    /// Where to go on: behind the position, where the journal is still the one that it is of.
    fn begin(&mut self) -> Result<StreamPosition, StreamError> {
        let nothing = StreamPosition::unreadable(0);
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

    fn is_of_this_journal(&mut self, position: &StreamPosition) -> Result<bool, StreamError> {
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

    fn newest(&mut self) -> Result<Option<StreamPosition>, StreamError> {
        let before = self.durable().saturating_sub(1);
        Ok(self.behind(before)?.0.last().map(|found| StreamPosition::of(found.record.sequence, found.leaf())))
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
