//! Anchors: checkpoints where root on this machine cannot take them back: new files in a write-once folder, messages to a collector, cosignatures
//! of witnesses, time stamps. A thread for each, so that one which does not answer holds nobody up.

mod folder;
mod http;
mod syslog;
mod time_stamp;
mod witness;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use self::folder::Folder;
pub use self::folder::{KeptTimeStamp, evidence_folder, read, read_time_stamps};
use crate::config::AnchorSettings;
use crate::journal::SignedTreeHead;
use crate::journal::cosignature::WitnessKey;
use crate::journal::note::VerifyingKey;
use crate::journal::tree::root_of;
use crate::operation::monitor::HealthLevel;
use crate::server::health::Health;
use crate::server::notary::NotaryWatch;
use crate::store::{StoreOptions, TreeFiles};
use crate::world::Clock;

/// An anchor is stale when the last is older than so many intervals.
pub const STALE_INTERVALS: u32 = 3;
/// How long a stop waits for the last anchors.
const LAST_ANCHOR: Duration = Duration::from_secs(5);
/// How often is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// A place out of reach.
trait Anchor: Send {
    /// What it is called in messages.
    fn place(&self) -> String;
    /// Brings a checkpoint there, however long that takes.
    fn anchor(&mut self, head: &SignedTreeHead) -> Result<(), String>;
}

/// All anchors of an installation.
pub struct Anchors(Vec<Handle>);

/// Handle on a thread.
struct Handle {
    shared: Arc<Shared>,
    done: Receiver<()>,
    watch: Arc<AnchorWatch>,
}

#[derive(Default)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    wake: Condvar,
}

#[derive(Default)]
struct Mailbox {
    newest: Option<SignedTreeHead>,
    stop: bool,
}

/// How an anchor does, for any thread.
struct AnchorWatch {
    clock: Arc<dyn Clock>,
    interval: u64,
    place: String,
    last: Mutex<Last>,
}

struct Last {
    /// Size, and monotonic time; that of the start before the first.
    anchored: (Option<u64>, u64),
    problem: Option<String>,
}

impl AnchorWatch {
    /// Nothing is anchored yet.
    fn new(place: String, interval: Duration, clock: Arc<dyn Clock>) -> AnchorWatch {
        let last = Last { anchored: (None, clock.monotonic()), problem: None };
        let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        AnchorWatch { clock, interval, place, last: Mutex::new(last) }
    }

    /// Records that the last anchor is of.
    fn anchored(&self) -> Option<u64> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).anchored.0
    }

    /// Whether the last anchor is too old.
    fn trouble(&self) -> Option<(HealthLevel, String)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let age = self.clock.monotonic().saturating_sub(last.anchored.1);
        let limit = self.interval.saturating_mul(u64::from(STALE_INTERVALS));
        (age > limit).then(|| {
            let why = last.problem.as_ref().map_or(String::new(), |problem| format!(" ({problem})"));
            let text =
                format!("the journal was anchored {} s ago for the last time{why}: see to {}", age / 1_000_000, self.place);
            (HealthLevel::Red, text)
        })
    }
}

struct Worker {
    shared: Arc<Shared>,
    interval: Duration,
    anchor: Box<dyn Anchor>,
    watch: Arc<AnchorWatch>,
}

/// What the threads work with.
pub struct AnchorWork {
    /// Which anchors.
    pub settings: AnchorSettings,
    /// Of the journal.
    pub key: VerifyingKey,
    /// Of the installation.
    pub options: StoreOptions,
    /// Hears of an outsider who saw another journal.
    pub notary: Arc<NotaryWatch>,
}

impl AnchorWork {
    fn anchors(&self) -> io::Result<Vec<Box<dyn Anchor>>> {
        let files = || TreeFiles::new(Arc::clone(&self.options.disk), &self.options.data);
        let data = || self.options.data.clone();
        let mut anchors: Vec<Box<dyn Anchor>> = Vec::new();
        if let Some(path) = &self.settings.folder {
            let (key, notary) = (self.key.clone(), Arc::clone(&self.notary));
            let folder = Compared { folder: Folder(path.clone()), key, files: files(), notary, is_first: true };
            anchors.push(Box::new(folder));
        }
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        for settings in &self.settings.syslog {
            anchors.push(Box::new(syslog::Collector { settings: settings.clone(), host: host.clone() }));
        }
        for settings in &self.settings.witnesses {
            let key = WitnessKey::parse(&settings.key).ok_or_else(|| {
                io::Error::other(format!(
                    "{:?} is no key of a witness; write what it publishes, NAME+ID+KEY (Ed25519)",
                    settings.key
                ))
            })?;
            let (settings, notary) = (settings.clone(), Arc::clone(&self.notary));
            anchors.push(Box::new(witness::Witness { settings, key, files: files(), data: data(), notary, known: 0 }));
        }
        for settings in &self.settings.time_stamps {
            let entropy = Arc::clone(&self.options.entropy);
            anchors.push(Box::new(time_stamp::Authority { settings: settings.clone(), data: data(), entropy }));
        }
        Ok(anchors)
    }
}

impl Anchors {
    /// Starts the threads and has health tell of them.
    pub fn start(work: &AnchorWork, health: &Health) -> io::Result<Anchors> {
        let clock = &work.options.clock;
        let (mut handles, mut watches) = (Vec::new(), Vec::new());
        for anchor in work.anchors()? {
            let watch = Arc::new(AnchorWatch::new(anchor.place(), work.settings.interval, Arc::clone(clock)));
            let of_trouble = Arc::clone(&watch);
            health.add_trouble(move || of_trouble.trouble());
            watches.push(Arc::clone(&watch));
            handles.push(Handle::start(anchor, work.settings.interval, watch)?);
        }
        health.add_gauge("monitorAnchoredSequence", move || watches.iter().filter_map(|watch| watch.anchored()).max());
        Ok(Anchors(handles))
    }

    /// The newest checkpoint.
    pub(super) fn offer(&self, head: &SignedTreeHead) {
        for Handle { shared, .. } in &self.0 {
            shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner).newest = Some(head.clone());
            shared.wake.notify_one();
        }
    }

    /// Anchors the newest, where that is answered in time.
    pub(super) fn stop(self) {
        for Handle { shared, .. } in &self.0 {
            shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
            shared.wake.notify_one();
        }
        let mut began = None;
        for Handle { done, watch, .. } in self.0 {
            let now = watch.clock.monotonic();
            let waited = Duration::from_micros(now.saturating_sub(*began.get_or_insert(now)));
            let left = LAST_ANCHOR.saturating_sub(waited);
            if done.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                tracing::error!("{} did not answer in time: the last checkpoint is not anchored there", watch.place);
            }
        }
    }
}

impl Handle {
    fn start(anchor: Box<dyn Anchor>, interval: Duration, watch: Arc<AnchorWatch>) -> io::Result<Handle> {
        let shared = Arc::<Shared>::default();
        let worker = Worker { shared: Arc::clone(&shared), interval, anchor, watch: Arc::clone(&watch) };
        let (finished, done) = channel();
        std::thread::Builder::new().name("anchors".to_owned()).spawn(move || worker.run(&finished))?;
        Ok(Handle { shared, done, watch })
    }
}

impl Worker {
    fn run(mut self, finished: &Sender<()>) {
        let mut pause = Duration::ZERO;
        loop {
            let (head, stop) = self.next(pause);
            if let Some(head) = head {
                pause = if self.anchor(&head) { self.interval } else { RETRY };
            }
            if stop {
                // Whoever waited may have given up.
                let _ = finished.send(());
                return;
            }
        }
    }

    /// The newest checkpoint, once the pause is over or it is time to end.
    fn next(&self, pause: Duration) -> (Option<SignedTreeHead>, bool) {
        let lock = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.shared.wake.wait_timeout_while(lock, pause, |mailbox| !mailbox.stop);
        let lock = wait.unwrap_or_else(PoisonError::into_inner).0;
        let wait = self.shared.wake.wait_while(lock, |mailbox| mailbox.newest.is_none() && !mailbox.stop);
        let mut mailbox = wait.unwrap_or_else(PoisonError::into_inner);
        (mailbox.newest.take(), mailbox.stop)
    }

    fn anchor(&mut self, head: &SignedTreeHead) -> bool {
        let anchored = self.anchor.anchor(head);
        let mut last = self.watch.last.lock().unwrap_or_else(PoisonError::into_inner);
        match anchored {
            Ok(()) => {
                *last = Last { anchored: (Some(head.head.size), self.watch.clock.monotonic()), problem: None };
                true
            }
            Err(error) => {
                if last.problem.is_none() {
                    tracing::error!(error, place = self.watch.place, "the journal cannot be anchored; it is tried again");
                }
                last.problem = Some(error);
                false
            }
        }
    }
}

/// The write-once folder, whose newest anchor is compared with the journal before the first of this process is written.
struct Compared {
    folder: Folder,
    key: VerifyingKey,
    files: TreeFiles,
    notary: Arc<NotaryWatch>,
    is_first: bool,
}

impl Anchor for Compared {
    fn place(&self) -> String {
        self.folder.place()
    }

    fn anchor(&mut self, head: &SignedTreeHead) -> Result<(), String> {
        if self.is_first {
            // Nothing is written beside what could not be compared: it would look like the newest next time.
            self.compare(head)?;
            self.is_first = false;
        }
        self.folder.anchor(head)
    }
}

impl Compared {
    /// What was anchored before must be what the journal still says. An error where that cannot be found out now.
    fn compare(&self, head: &SignedTreeHead) -> Result<(), String> {
        let found = read(&self.folder.0).map_err(|error| format!("{}: {error}", self.folder.0.display()))?;
        let newest = found.into_iter().filter(|(anchor, _)| anchor.verify(&self.key).is_ok());
        let Some((anchor, name)) = newest.max_by_key(|(anchor, _)| anchor.head.size) else { return Ok(()) };
        let (size, time) = (anchor.head.size, anchor.head.time.to_rfc3339());
        let problem = if size > head.head.size {
            Some(format!("ends at sequence {}: it was cut off, or an older data folder was put in its place", head.head.size))
        } else {
            let root = root_of(&self.files, 0..size);
            let root = root.map_err(|error| format!("the anchor {name} cannot be compared with the journal ({error})"))?;
            (root != anchor.head.root).then(|| "begins with other records".to_owned())
        };
        if let Some(problem) = problem {
            let text = format!("the anchor {name} was signed for {size} records at {time}, and the journal {problem}");
            self.notary.set_trouble(HealthLevel::Red, Some(text));
        }
        Ok(())
    }
}
