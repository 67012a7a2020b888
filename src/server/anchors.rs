//! Anchors: checkpoints written where root on this machine cannot take them back, as new files in a write-once folder. A thread of its own, so
//! that a folder which does not answer holds nobody up.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::config::AnchorSettings;
use crate::journal::note::VerifyingKey;
use crate::journal::tree::root_of;
use crate::journal::{SignedTreeHead, parse_tree_heads};
use crate::operation::monitor::HealthLevel;
use crate::server::notary::NotaryWatch;
use crate::store::TreeFiles;
use crate::world::Clock;

/// An anchor is stale when the last is older than so many intervals.
pub const STALE_INTERVALS: u32 = 3;
/// How long a stop waits for the last anchor.
const LAST_ANCHOR: Duration = Duration::from_secs(5);
/// How often the folder is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// Octets of a file in the folder that are read: a checkpoint is much shorter.
const LARGEST: u64 = 64 * 1024;

/// Handle on the thread.
pub struct Anchors {
    shared: Arc<Shared>,
    done: Receiver<()>,
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

/// How anchoring does, for any thread.
pub struct AnchorWatch {
    clock: Arc<dyn Clock>,
    interval: u64,
    folder: PathBuf,
    last: Mutex<Last>,
}

struct Last {
    /// Size, and monotonic time; that of the start before the first.
    anchored: (Option<u64>, u64),
    problem: Option<String>,
}

impl AnchorWatch {
    /// Nothing is anchored yet.
    pub fn new(settings: &AnchorSettings, clock: Arc<dyn Clock>) -> AnchorWatch {
        let last = Last { anchored: (None, clock.monotonic()), problem: None };
        let interval = u64::try_from(settings.interval.as_micros()).unwrap_or(u64::MAX);
        AnchorWatch { clock, interval, folder: settings.folder.clone(), last: Mutex::new(last) }
    }

    /// Records that the last anchor is of.
    pub fn anchored(&self) -> Option<u64> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).anchored.0
    }

    /// Whether the last anchor is too old.
    pub fn trouble(&self) -> Option<(HealthLevel, String)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let age = self.clock.monotonic().saturating_sub(last.anchored.1);
        let limit = self.interval.saturating_mul(u64::from(STALE_INTERVALS));
        (age > limit).then(|| {
            let why = last.problem.as_ref().map_or(String::new(), |problem| format!(" ({problem})"));
            let text = format!(
                "the journal was anchored {} s ago for the last time{why}: see to the folder {}",
                age / 1_000_000,
                self.folder.display()
            );
            (HealthLevel::Red, text)
        })
    }
}

struct Worker {
    shared: Arc<Shared>,
    settings: AnchorSettings,
    key: VerifyingKey,
    files: TreeFiles,
    watch: Arc<AnchorWatch>,
    notary: Arc<NotaryWatch>,
}

impl Anchors {
    /// Starts the thread.
    pub fn start(
        settings: AnchorSettings,
        key: VerifyingKey,
        files: TreeFiles,
        watch: Arc<AnchorWatch>,
        notary: Arc<NotaryWatch>,
    ) -> io::Result<Anchors> {
        let shared = Arc::<Shared>::default();
        let worker = Worker { shared: Arc::clone(&shared), settings, key, files, watch, notary };
        let (finished, done) = channel();
        std::thread::Builder::new().name("anchors".to_owned()).spawn(move || worker.run(&finished))?;
        Ok(Anchors { shared, done })
    }

    /// The newest checkpoint.
    pub(super) fn offer(&self, head: SignedTreeHead) {
        self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner).newest = Some(head);
        self.shared.wake.notify_one();
    }

    /// Anchors the newest, if the folder answers in time.
    pub(super) fn stop(self) {
        self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.shared.wake.notify_one();
        if self.done.recv_timeout(LAST_ANCHOR) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the folder of anchors did not answer in time: the last checkpoint is not anchored");
        }
    }
}

impl Worker {
    fn run(self, finished: &Sender<()>) {
        let mut pause = Duration::ZERO;
        let mut is_first = true;
        loop {
            let (head, stop) = self.next(pause);
            if let Some(head) = head {
                if std::mem::take(&mut is_first) {
                    self.compare(&head);
                }
                pause = if self.anchor(&head) { self.settings.interval } else { RETRY };
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

    fn anchor(&self, head: &SignedTreeHead) -> bool {
        let written = write(&self.settings.folder, head);
        let mut last = self.watch.last.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Ok(()) => {
                *last = Last { anchored: (Some(head.head.size), self.watch.clock.monotonic()), problem: None };
                true
            }
            Err(error) => {
                if last.problem.is_none() {
                    tracing::error!(%error, folder = %self.settings.folder.display(), "the journal cannot be anchored; it is tried again");
                }
                last.problem = Some(error.to_string());
                false
            }
        }
    }

    /// What was anchored before must be what the journal still says.
    fn compare(&self, head: &SignedTreeHead) {
        let newest = match read(&self.settings.folder) {
            Ok(found) => found.into_iter().filter(|(anchor, _)| anchor.verify(&self.key).is_ok()),
            // The folder is told of when it cannot be written.
            Err(_) => return,
        };
        let Some((anchor, name)) = newest.max_by_key(|(anchor, _)| anchor.head.size) else { return };
        let (size, time) = (anchor.head.size, anchor.head.time.to_rfc3339());
        let problem = if size > head.head.size {
            Some(format!("ends at sequence {}: it was cut off, or an older data folder was put in its place", head.head.size))
        } else {
            match root_of(&self.files, 0..size) {
                Ok(root) if root == anchor.head.root => None,
                Ok(_) => Some("begins with other records".to_owned()),
                Err(error) => Some(format!("cannot be compared with it ({error})")),
            }
        };
        if let Some(problem) = problem {
            let text = format!("the anchor {name} was signed for {size} records at {time}, and the journal {problem}");
            self.notary.set_trouble(HealthLevel::Red, Some(text));
        }
    }
}

/// A new file, which nobody has written to before.
fn write(folder: &Path, head: &SignedTreeHead) -> io::Result<()> {
    let path = folder.join(file_name(head));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path);
    let mut file = match made {
        // Signed in the same microsecond of the same records: it is this one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && std::fs::read(&path)? == head.note.as_bytes() => {
            return Ok(());
        }
        other => other?,
    };
    file.write_all(head.note.as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Sorted by name they are sorted by size.
fn file_name(head: &SignedTreeHead) -> String {
    let node = head.head.origin.rsplit('/').next().unwrap_or_default();
    format!("{node}-{:020}-{}.checkpoint", head.head.size, head.head.time.to_generalized_time_micros())
}

/// The anchors in a folder with the names of their files; what is none is left out.
pub fn read(folder: &Path) -> io::Result<Vec<(SignedTreeHead, String)>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".checkpoint") || item.metadata()?.len() > LARGEST {
            continue;
        }
        let text = std::fs::read_to_string(item.path()).unwrap_or_default();
        found.extend(parse_tree_heads(&text).into_iter().map(|head| (head, name.clone())));
    }
    Ok(found)
}
