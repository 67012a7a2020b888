//! The notary: a thread that follows the journal with its Merkle tree and signs checkpoints of it. Nobody who waits for an answer waits for
//! it: what it is not told in time it reads from the journal.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::anchors::Anchors;
use super::committer::Durable;
use crate::journal::note::SigningKey;
use crate::journal::tree::Tree;
use crate::journal::{Frame, Leaf, TreeHead};
use crate::operation::monitor::HealthLevel;
use crate::store::{self, StoreError, StoreOptions, TreeFiles, TreeWriter};

/// A checkpoint is signed after so many records …
pub const RECORDS: u64 = 1000;
/// … and after this time in any case, in microseconds: a heartbeat.
const INTERVAL: u64 = 60_000_000;
/// How long is waited after a first failure, in microseconds; then twice as long, up to [`INTERVAL`].
const FIRST_RETRY: u64 = 1_000_000;
/// How often is looked whether it is time.
const LOOK: Duration = Duration::from_secs(1);
/// So many records that wait wake the notary before its next look.
const WAKES: usize = 256;
/// Octets of records that may wait for the notary; what comes beyond that it reads from the journal.
const WAITING: usize = 8 * 1024 * 1024;
/// Records that are read from the journal between two writes of the tree.
const AT_ONCE: u64 = 4096;

/// What became durable since the notary looked.
#[derive(Default)]
struct Told {
    /// Sequence of the first record.
    first: u64,
    /// Lines of a frame each.
    frames: Vec<String>,
    octets: usize,
    /// First sequences of segments that were begun meanwhile.
    begun: Vec<u64>,
    /// First sequence of the last segment.
    segment: Option<u64>,
    ended: bool,
}

#[derive(Default)]
struct Mailbox {
    told: Mutex<Told>,
    wake: Condvar,
}

/// What the committer tells the notary by. The notary ends when it is dropped.
pub struct Announcer(Arc<Mailbox>);

impl Announcer {
    /// Tells of a group that is durable. Never waits, and mostly wakes nobody.
    pub(super) fn tell(&self, frames: Vec<Frame>, segment: Option<u64>) {
        let Some(first) = frames.first().map(|frame| frame.sequence) else { return };
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.octets > WAITING {
            // What it is not told it reads.
            told.frames.clear();
            (told.octets, told.first) = (0, 0);
        }
        if told.frames.is_empty() {
            told.first = first;
        }
        if told.segment.is_some() && told.segment != segment {
            told.begun.push(first);
        }
        told.segment = segment;
        for frame in frames {
            told.octets = told.octets.saturating_add(frame.line.len());
            told.frames.push(frame.line);
        }
        if told.frames.len() >= WAKES {
            self.0.wake.notify_one();
        }
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.0.wake.notify_one();
    }
}

impl Mailbox {
    /// What was told, after a while or when there is much of it.
    fn take(&self) -> Told {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.wake.wait_timeout_while(told, LOOK, |told| told.frames.len() < WAKES && !told.ended);
        let mut told = wait.unwrap_or_else(PoisonError::into_inner).0;
        let (segment, ended) = (told.segment, told.ended);
        std::mem::replace(&mut told, Told { segment, ended, ..Told::default() })
    }
}

/// How the notary does, for any thread.
#[derive(Default)]
pub struct NotaryWatch {
    signed: Mutex<Option<u64>>,
    trouble: Mutex<Option<(HealthLevel, String)>>,
}

impl NotaryWatch {
    /// Records that the last checkpoint is of.
    pub fn signed(&self) -> Option<u64> {
        *self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong.
    pub fn trouble(&self) -> Option<(HealthLevel, String)> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_signed(&self, size: u64) {
        *self.signed.lock().unwrap_or_else(PoisonError::into_inner) = Some(size);
    }

    /// Red stays: it is about what happened, and only a look at the journal ends it.
    pub(super) fn set_trouble(&self, level: HealthLevel, trouble: Option<String>) {
        let mut there = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if there.as_ref().is_some_and(|(there, _)| *there == HealthLevel::Red) {
            return;
        }
        if let Some(trouble) = &trouble
            && there.as_ref().is_none_or(|(_, there)| there != trouble)
        {
            tracing::error!("{trouble}");
        }
        *there = trouble.map(|trouble| (level, trouble));
    }
}

/// Handle on the thread.
pub struct Notary(JoinHandle<()>);

/// Tells of a thread that broke down: nobody else would notice before the server stops.
struct ToldOfBreakdown(Arc<NotaryWatch>);

impl Drop for ToldOfBreakdown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = "the thread that signs checkpoints broke down by a fault of the server: nobody signs for the journal until it is \
                        started again; please report it";
            self.0.set_trouble(HealthLevel::Red, Some(text.to_owned()));
        }
    }
}

/// What the thread works with.
struct Worker {
    options: StoreOptions,
    files: TreeFiles,
    writer: Option<TreeWriter>,
    key: SigningKey,
    durable: Arc<ArcSwap<Durable>>,
    watch: Arc<NotaryWatch>,
    anchors: Option<Anchors>,
    /// Checkpoints of an earlier time that the tree is to be compared with.
    expected: Expected,
    /// Size of the last checkpoint of this process, and when that was.
    signed: Option<(u64, u64)>,
    /// After a failure: how long is waited, and until when, in microseconds of the monotonic clock.
    retry: Option<(u64, u64)>,
}

/// Checkpoints that were signed before, the largest first.
#[derive(Clone, Default)]
struct Expected(Vec<TreeHead>);

impl Expected {
    fn new(mut heads: Vec<TreeHead>) -> Expected {
        heads.sort_by_key(|head| std::cmp::Reverse(head.size));
        Expected(heads)
    }

    fn largest(&self) -> u64 {
        self.0.first().map_or(0, |head| head.size)
    }

    fn largest_up_to(&self, durable: u64) -> u64 {
        self.0.iter().map(|head| head.size).find(|size| *size <= durable).unwrap_or(0)
    }

    /// A leaf was added to the tree: a checkpoint of this size with another root.
    fn passed(&mut self, tree: &Tree) -> Option<TreeHead> {
        let mut wrong = None;
        while let Some(head) = self.0.pop_if(|head| head.size <= tree.size()) {
            if head.size == tree.size() && head.root != tree.root() {
                wrong = wrong.or(Some(head));
            }
        }
        wrong
    }
}

impl Notary {
    /// Starts the thread. It ends when what it hears by is dropped.
    pub fn start(
        options: StoreOptions,
        key: SigningKey,
        durable: Arc<ArcSwap<Durable>>,
        watch: Arc<NotaryWatch>,
        anchors: Option<Anchors>,
    ) -> io::Result<(Notary, Announcer)> {
        let mailbox = Arc::<Mailbox>::default();
        let announcer = Announcer(Arc::clone(&mailbox));
        let files = TreeFiles::new(Arc::clone(&options.disk), &options.data);
        let (writer, expected, signed) = (None, Expected::default(), None);
        let mut worker = Worker { options, files, writer, key, durable, watch, anchors, expected, signed, retry: None };
        let told = ToldOfBreakdown(Arc::clone(&worker.watch));
        let thread = std::thread::Builder::new().name("notary".to_owned()).spawn(move || {
            // In the closure, so that it is dropped where the thread ends.
            let _told = told;
            worker.run(&mailbox);
        })?;
        Ok((Notary(thread), announcer))
    }

    /// Waits until the last checkpoint is signed; the committer is gone before.
    pub fn stop(self) {
        if self.0.join().is_err() {
            tracing::error!("the thread that signs checkpoints broke down by a fault of the server; please report it");
        }
    }
}

impl Worker {
    fn run(&mut self, mailbox: &Mailbox) {
        self.step(Worker::catch_up_and_sign);
        loop {
            let told = mailbox.take();
            if !self.rests() || told.ended {
                self.step(|worker| worker.follow(&told));
            }
            if told.ended {
                break;
            }
        }
        self.step(Worker::catch_up_and_sign);
        if let Some(anchors) = self.anchors.take() {
            anchors.stop();
        }
    }

    fn catch_up_and_sign(&mut self) -> Result<(), StoreError> {
        self.catch_up()?;
        self.sign()
    }

    fn step(&mut self, work: impl FnOnce(&mut Worker) -> Result<(), StoreError>) {
        match work(self) {
            Ok(()) => {
                self.retry = None;
                self.watch.set_trouble(HealthLevel::Yellow, None);
            }
            Err(error) => {
                // What is in the files is looked at anew, and that may be much.
                self.writer = None;
                let pause = self.retry.map_or(FIRST_RETRY, |(pause, _)| pause.saturating_mul(2).min(INTERVAL));
                self.retry = Some((pause, self.options.clock.monotonic().saturating_add(pause)));
                let hope = match error {
                    StoreError::Damaged { .. } => "nobody signs for the journal until that file was put back from a backup",
                    _ => "nothing is lost, it goes on by itself",
                };
                let text = format!("no checkpoint of the journal can be signed: {error}; {hope}");
                self.watch.set_trouble(HealthLevel::Yellow, Some(text));
            }
        }
    }

    /// Whether the last try failed a moment ago.
    fn rests(&self) -> bool {
        self.retry.is_some_and(|(_, until)| self.options.clock.monotonic() < until)
    }

    fn follow(&mut self, told: &Told) -> Result<(), StoreError> {
        if !told.frames.is_empty() && self.size() == told.first.saturating_sub(1) {
            for line in told.frames.iter().flat_map(|lines| lines.split('\n')) {
                if told.begun.contains(&self.size().saturating_add(1)) {
                    self.sign()?;
                }
                self.push(line);
                if self.signed.is_none_or(|(size, _)| self.size().saturating_sub(size) >= RECORDS) {
                    self.sign()?;
                }
            }
        } else if !told.frames.is_empty() || self.writer.is_none() {
            self.catch_up()?;
        }
        let now = self.options.clock.monotonic();
        if self.signed.is_none_or(|(_, at)| now.saturating_sub(at) >= INTERVAL) { self.catch_up_and_sign() } else { Ok(()) }
    }

    fn size(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.tree().size())
    }

    fn push(&mut self, line: &str) {
        let Some(writer) = &mut self.writer else { return };
        writer.push(Leaf::of_line(line));
        if let Some(head) = self.expected.passed(writer.tree()) {
            let text = format!(
                "the journal was altered: its first {} records are not those that a checkpoint was signed for at {}; find out with: bindery \
                 journal verify",
                head.size,
                head.time.to_rfc3339()
            );
            self.watch.set_trouble(HealthLevel::Red, Some(text));
        }
    }

    /// Reads what it was not told of from the journal, no further than what is durable.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        let durable = self.durable.load().position.sequence;
        if self.writer.is_none() {
            self.take_up(durable)?;
        }
        if self.size() >= durable {
            return Ok(());
        }
        let (options, from) = (self.options.clone(), self.size().saturating_add(1));
        store::read_frames(&options, from, &mut |frame| {
            for (sequence, line) in (frame.sequence..).zip(frame.lines()) {
                if sequence <= durable && sequence == self.size().saturating_add(1) {
                    self.push(line);
                }
            }
            if self.size().is_multiple_of(AT_ONCE) { self.flush() } else { Ok(()) }
        })?;
        self.flush()
    }

    /// Begins with what is stored, as far as the last checkpoint shows that it is right.
    fn take_up(&mut self, durable: u64) -> Result<(), StoreError> {
        let io = |files: &TreeFiles, error| StoreError::Io { path: files.folder().to_owned(), error };
        let heads = self.files.checkpoints().map_err(|error| io(&self.files, error))?;
        let own = heads.into_iter().filter(|head| head.verify(self.key.public()).is_ok()).map(|head| head.head);
        let expected = Expected::new(own.collect());
        let size = expected.largest();
        if size > durable {
            let text = format!(
                "the journal ends at sequence {durable}, but a checkpoint was signed for {size}: it was cut off, or an older data folder was \
                 put in its place; find out with: bindery journal verify"
            );
            self.watch.set_trouble(HealthLevel::Red, Some(text));
        }
        let (mut rest, mut wrong) = (expected.clone(), None);
        let begin = expected.largest_up_to(durable);
        let passed = &mut |tree: &Tree| wrong = wrong.take().or_else(|| rest.passed(tree));
        let stored = self.files.writer(begin, passed).map_err(|error| io(&self.files, error))?;
        if begin > 0 && stored.tree().size() == begin && wrong.is_none() {
            (self.writer, self.expected) = (Some(stored), rest);
            return Ok(());
        }
        // What is stored may be wrong, or the journal: it is read.
        self.writer = Some(self.files.writer(0, &mut |_| {}).map_err(|error| io(&self.files, error))?);
        self.expected = expected;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.flush().map_err(|error| StoreError::Io { path: self.files.folder().to_owned(), error })
    }

    fn sign(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        let Some(writer) = &self.writer else { return Ok(()) };
        let (size, root) = (writer.tree().size(), writer.tree().root());
        let origin = self.key.public().name().to_owned();
        let head = TreeHead { origin, size, root, time: self.options.clock.now() }.sign(&self.key);
        self.files.keep(&head).map_err(|error| StoreError::Io { path: self.files.folder().to_owned(), error })?;
        self.signed = Some((size, self.options.clock.monotonic()));
        self.watch.set_signed(size);
        if let Some(anchors) = &self.anchors {
            anchors.offer(&head);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
