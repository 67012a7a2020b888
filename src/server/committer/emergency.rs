//! The journal goes on in a folder on another disk, because it cannot be written in its place and somebody said so; and back.
//!
//! ```text
//! in its place ── cannot be written, and there is a call ──► in the emergency folder
//!      ▲                                                        │ the call is taken back
//!      └────────── segments are copied to their place ◄─────────┘
//! ```
//!
//! Both turns are recorded, the first with who called and why. After a start the journal is in its place again.

use std::sync::Arc;

use super::super::health::Health;
use super::super::notes;
use crate::journal::{Record, RecordKind};
use crate::operation::monitor::HealthLevel;
use crate::world::{EmergencyCall, EmergencyFolder};

/// Where the journal goes on, and what is still to be recorded of it.
pub(super) struct Emergency {
    folder: Arc<dyn EmergencyFolder>,
    turns: Vec<Turn>,
}

enum Turn {
    Begun(EmergencyCall),
    Ended,
}

impl Emergency {
    /// What an emergency before this start left there is taken back.
    pub(super) fn new(folder: Arc<dyn EmergencyFolder>, health: &Health) -> Emergency {
        let of_health = Arc::clone(&folder);
        health.add_trouble(move || of_health.is_on().then(|| (HealthLevel::Yellow, told(&*of_health))));
        if let Err(error) = folder.available() {
            let path = folder.path().display();
            tracing::warn!(%error, folder = %path, "the emergency folder is not there: mount its disk, or make it for the server's user");
        }
        let mut emergency = Emergency { folder, turns: Vec::new() };
        if emergency.folder.holds_segments() {
            emergency.end();
        }
        emergency
    }

    pub(super) fn is_on(&self) -> bool {
        self.folder.is_on()
    }

    /// Whether a segment of so many octets can be made there.
    pub(super) fn has_room(&self, octets: u64) -> bool {
        self.folder.available().is_ok_and(|available| available >= octets)
    }

    /// Whether it is begun: somebody asked for it, and it is not on yet.
    pub(super) fn begin(&mut self) -> bool {
        if self.is_on() {
            return false;
        }
        let Some(call) = self.folder.call() else { return false };
        self.folder.turn(true);
        tracing::warn!(
            folder = %self.folder.path().display(),
            by = call.by,
            reason = call.reason,
            "the journal goes on in the emergency folder: binds and changes go on; mend the disk that holds the data folder, then run \
             bindery journal emergency end"
        );
        self.turns.push(Turn::Begun(call));
        true
    }

    /// Whether it is on and nobody wants it any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_on() && self.folder.call().is_none()
    }

    /// The journal is in its place from now on; what is in the folder is copied there beside everything else.
    pub(super) fn end(&mut self) {
        self.folder.turn(false);
        self.folder.forget_call();
        self.turns.push(Turn::Ended);
        let folder = Arc::clone(&self.folder);
        let taking = std::thread::Builder::new().name("journal-return".to_owned()).spawn(move || take_back(&*folder));
        if let Err(error) = taking {
            tracing::error!(%error, "segments stay in the emergency folder until the next start: there is no thread to copy them");
        }
    }

    pub(super) fn has_turned(&self) -> bool {
        !self.turns.is_empty()
    }

    /// One of each turn.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        self.turns.iter().map(|turn| {
            let mut details = vec![("folder", self.folder.path().display().to_string())];
            match turn {
                Turn::Begun(call) => details.extend([
                    ("stage", "begun".to_owned()),
                    ("calledBy", call.by.clone()),
                    ("callReason", call.reason.clone()),
                ]),
                Turn::Ended => details.push(("stage", "ended".to_owned())),
            }
            notes::record(RecordKind::Emergency, details)
        })
    }

    /// They are durable.
    pub(super) fn recorded(&mut self) {
        self.turns.clear();
    }
}

fn take_back(folder: &dyn EmergencyFolder) {
    match folder.take_back() {
        Ok(()) => tracing::info!("the journal is in its place again, with what was written in the emergency folder"),
        Err(error) => tracing::error!(
            %error,
            folder = %folder.path().display(),
            "segments stay in the emergency folder and are read there: keep its disk where it is; the next start tries to copy them again"
        ),
    }
}

fn told(folder: &dyn EmergencyFolder) -> String {
    format!(
        "the journal is written to the emergency folder {}: mend the disk that holds the data folder, then run bindery journal emergency end",
        folder.path().display()
    )
}
