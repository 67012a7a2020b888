//! Reads the journal's files for searches of `cn=accesslog`, and writes the indexes of closed segments.
//!
//! One thread below normal priority: neither connections nor the committer wait for it. Searches take turns, a part of an answer each.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::committer_thread::{Completion, CompletionSender};
use crate::journal::query::LookupRequest;
use crate::model::ResultCode;
use crate::operation::monitor::HealthLevel;
use crate::operation::search::LogPart;
use crate::store::{Damage, Found, JournalLookup, StoreError, StoreOptions};

/// nice(2) value of the thread.
const NICENESS: i32 = 10;
/// Parts that may be asked for and not yet read; beyond that searches are told 51.
const WAITING: usize = 64;
/// How often is looked for a closed segment without an index while nobody asks.
const LOOK: Duration = Duration::from_secs(2);
/// The same after that failed.
const LOOK_AFTER_FAILURE: Duration = Duration::from_secs(60);

struct Asked {
    number: u64,
    request: LookupRequest,
    completion: CompletionSender,
}

/// The last damage that a search met, for health: only a look at the journal ends it.
#[derive(Default)]
struct DamageWatch(Mutex<Option<String>>);

impl DamageWatch {
    fn met(&self, damage: &Damage) {
        tracing::error!("the journal: {damage}");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(damage.to_string());
    }

    fn trouble(&self) -> Option<(HealthLevel, String)> {
        let met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |met: &String| {
            format!("a search below cn=accesslog met damage of the journal ({met}): bindery journal verify says what is left")
        };
        met.as_ref().map(|met| (HealthLevel::Red, text(met)))
    }
}

/// Handle on the thread.
pub struct JournalReader {
    damage: Arc<DamageWatch>,
    queue: Mutex<Option<SyncSender<Asked>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl JournalReader {
    /// Starts the thread.
    pub fn start(options: StoreOptions) -> std::io::Result<JournalReader> {
        let (queue, waiting) = sync_channel(WAITING);
        let damage = Arc::<DamageWatch>::default();
        let of_thread = Arc::clone(&damage);
        let thread = std::thread::Builder::new().name("journal-reader".to_owned()).spawn(move || {
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::warn!(%error, "the thread that reads the journal keeps normal priority");
            }
            run(JournalLookup::new(options, true), &waiting, &of_thread);
        })?;
        Ok(JournalReader { damage, queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Tells what is wrong with the journal, as far as searches met it.
    pub fn trouble(&self) -> impl Fn() -> Option<(HealthLevel, String)> + Send + Sync + 'static {
        let damage = Arc::clone(&self.damage);
        move || damage.trouble()
    }

    /// Asks for a part of an answer; `completion` hears of it under this number.
    pub fn ask(&self, number: u64, request: LookupRequest, completion: CompletionSender) -> Result<(), ResultCode> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(ResultCode::Unavailable) };
        queue.try_send(Asked { number, request, completion }).map_err(|error| match error {
            TrySendError::Full(_) => ResultCode::Busy,
            TrySendError::Disconnected(_) => ResultCode::Unavailable,
        })
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the thread that reads the journal broke down by a fault of the server; please report it");
        }
    }
}

fn run(mut lookup: JournalLookup, waiting: &Receiver<Asked>, damage: &DamageWatch) {
    let mut look = LOOK;
    loop {
        match waiting.recv_timeout(look) {
            Ok(Asked { number, request, completion }) => {
                let part = lookup.find(&request).map(|found| part_of(found, damage)).map_err(|error| refused(&error));
                // A connection has room for as many completions as it may have operations outstanding: this fails only when it is gone.
                let _ = completion.try_send(Completion::Log(number, part));
            }
            Err(RecvTimeoutError::Timeout) => look = index(&mut lookup),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Writes one index that is missing; how long to wait for the next look.
fn index(lookup: &mut JournalLookup) -> Duration {
    match lookup.write_missing() {
        Ok(true) => Duration::ZERO,
        Ok(false) => LOOK,
        Err(error) => {
            tracing::warn!(%error, "an index of the journal could not be written: questions about it take longer until it is");
            LOOK_AFTER_FAILURE
        }
    }
}

fn part_of(found: Found, damage: &DamageWatch) -> LogPart {
    found.damages.iter().for_each(|met| damage.met(met));
    let unreadable = found.damages.iter().map(|damage| damage.sequences).collect();
    LogPart { records: found.records, next: found.next, read: found.read, unreadable }
}

fn refused(error: &StoreError) -> ResultCode {
    tracing::error!(%error, "the journal could not be read for a search");
    ResultCode::Other
}
