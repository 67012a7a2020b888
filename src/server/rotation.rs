//! Rotation of the seal key beside a running server, or where none runs: what is said of it and recorded, and how often a step is made.

use std::time::Duration;

use super::notes;
use crate::journal::{Record, RecordKind};
use crate::operation::key_rotation::{KeysChanged, details};
use crate::store::{KeyChange, Rotated, Rotation, RotationStep};

/// Between two looks at what a rotation waits for.
const PAUSE: Duration = Duration::from_millis(50);
/// Looks at a last segment that is under an older key before a record is written for the sake of another one.
const LOOKS: u32 = 20;
/// After an error.
const RETRY: Duration = Duration::from_secs(60);

/// Makes the steps of a rotation.
pub struct Rotator {
    rotation: Rotation,
    /// Looks at a last segment under an older key.
    looks: u32,
    /// Microseconds of the monotonic clock before which nothing is tried.
    not_before: u64,
}

/// When the next step is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// At once.
    Now,
    /// After this time.
    In(Duration),
    /// There is nothing to do.
    Never,
}

impl Rotator {
    /// Of an open data folder.
    pub fn new(rotation: Rotation) -> Rotator {
        Rotator { rotation, looks: 0, not_before: 0 }
    }

    /// Puts a new key in force, or says which rotation is under way. None: it cannot be begun, and the log says why.
    pub fn begin(&mut self) -> Option<KeysChanged> {
        match self.rotation.begin() {
            Ok(change) => {
                tracing::info!(old = change.old, new = change.new, "the seal key is rotated: new records are under the new key");
                self.not_before = 0;
                Some(changed(change))
            }
            Err(error) => {
                tracing::error!(%error, "a rotation of the seal key could not be begun");
                None
            }
        }
    }

    /// After a start: what is to be recorded where a rotation goes on that broke off.
    pub fn resume(&mut self) -> Option<Record> {
        match self.rotation.resume() {
            Ok(change) => change.map(|change| {
                tracing::info!(left = self.rotation.left(), "a rotation of the seal key goes on that was broken off");
                notes::record(RecordKind::KeyRotation, details("resumed", &changed(change)))
            }),
            Err(error) => {
                tracing::error!(%error, "a rotation of the seal key that was broken off cannot go on; the service does");
                None
            }
        }
    }

    /// Makes one. `now`: microseconds of the monotonic clock; `note` has something recorded.
    pub fn step(&mut self, now: u64, go_on: &dyn Fn() -> bool, note: &mut dyn FnMut(Record)) -> Next {
        if now < self.not_before {
            return Next::Never;
        }
        match self.rotation.step(go_on) {
            Ok(RotationStep::Idle) => return Next::Never,
            Ok(RotationStep::Resealed(name)) => {
                tracing::info!(name, left = self.rotation.left(), "sealed under the new key, and read back");
                return Next::Now;
            }
            Ok(RotationStep::Waits) => {}
            Ok(RotationStep::WantsRecord) => {
                self.looks += 1;
                if self.looks == LOOKS {
                    let left = ("left", self.rotation.left().to_string());
                    note(notes::record(RecordKind::KeyRotation, vec![("stage", "segment".to_owned()), left]));
                    self.looks = 0;
                }
            }
            Ok(RotationStep::Done(rotated)) => {
                note(done(&rotated));
                return Next::Never;
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "the rotation of the seal key cannot go on; the service does, both keys are needed, and it is tried again: look after the \
                     disks that hold the data folder and the keys"
                );
                self.not_before = now.saturating_add(u64::try_from(RETRY.as_micros()).unwrap_or(u64::MAX));
                return Next::Never;
            }
        }
        Next::In(PAUSE)
    }
}

/// What an operation says of it.
pub fn changed(KeyChange { old, new }: KeyChange) -> KeysChanged {
    KeysChanged { old, new }
}

/// Says in the log and for the journal that it is done.
fn done(rotated: &Rotated) -> Record {
    let Rotated { change, files, skipped, retired } = rotated;
    let mut facts = match change {
        Some(KeyChange { old, new }) => details("done", &KeysChanged { old: old.clone(), new: new.clone() }),
        None => vec![("stage", "done".to_owned())],
    };
    facts.push(("files", files.to_string()));
    for damaged in skipped {
        tracing::error!("not sealed anew: {damaged}; what can be read of it needs the old key on");
        facts.push(("damaged", damaged.clone()));
    }
    let retired = retired.as_ref().map(|path| path.display().to_string());
    tracing::info!(
        files,
        retired,
        "everything is under the new seal key; the old one is needed for backups made before, and for folders that were set aside"
    );
    notes::record(RecordKind::KeyRotation, facts)
}
