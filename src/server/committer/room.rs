//! Whether the journal can take more: there is room on the disk, and no append failed, or the journal has got over it.

use super::Committer;
use super::emergency::Emergency;
use crate::server::health::JournalState;
use crate::store::AppendError;

impl Committer {
    /// What is to be done now and then while nobody asks for anything: notices that the disk has room again, makes the checkpoint anew where
    /// it has to be, removes expired entries.
    pub fn tick(&mut self) {
        if self.may_write() {
            self.expire();
        }
        self.renew_checkpoint();
    }

    /// Says it once when that changes, with what to do.
    pub(super) fn may_write(&mut self) -> bool {
        self.end_emergency();
        if self.may_write_here() {
            return true;
        }
        self.begin_emergency() && self.may_write_here()
    }

    fn may_write_here(&mut self) -> bool {
        let has_room = self.has_room(self.journal.octets_needed());
        if has_room == self.full {
            self.full = !has_room;
            if self.full {
                tracing::error!(
                    available = self.space.available(),
                    reserve = self.space.reserve(),
                    "the disk that holds the data folder is full: binds and changes are answered with 52, searches go on; make space, then \
                     the server goes on by itself"
                );
            } else {
                tracing::info!(available = self.space.available(), "the disk has room again: binds and changes go on");
            }
            self.report();
        }
        has_room && (!self.failed || self.try_recovery())
    }

    fn has_room(&self, needed: u64) -> bool {
        match self.emergency.as_ref().filter(|emergency| emergency.is_on()) {
            Some(emergency) => emergency.has_room(needed),
            None if self.full => self.space.allows_again(needed),
            None => self.space.allows(needed),
        }
    }

    /// Where it was asked for.
    fn begin_emergency(&mut self) -> bool {
        let begun = self.emergency.as_mut().is_some_and(Emergency::begin);
        if begun {
            self.journal.leave_segment();
        }
        begun
    }

    /// Where nobody asks for it any more.
    fn end_emergency(&mut self) {
        if let Some(emergency) = self.emergency.as_mut().filter(|emergency| emergency.is_over()) {
            // Before any of it is taken back.
            self.journal.leave_segment();
            emergency.end();
        }
    }

    pub(super) fn failed_to_append(&mut self, error: &AppendError) {
        if !self.failed {
            tracing::error!(
                %error,
                "the journal cannot be written: binds and changes are answered with 52 until it can; \
                 make space or replace the disk that holds the data folder, then the server goes on by itself"
            );
        }
        self.failed = true;
        self.report();
    }

    /// After a durable group.
    pub(super) fn written(&mut self) {
        self.health.set_durable(self.journal.durable(), self.journal.octets());
        self.renew_checkpoint();
    }

    fn renew_checkpoint(&self) {
        if self.checkpoint.wants_renewal() {
            self.checkpoint.renew(self.head.clone(), self.journal.durable());
        }
    }

    fn try_recovery(&mut self) -> bool {
        match self.journal.recover() {
            Ok(()) => {
                self.failed = false;
                self.voided = self.journal.voided();
                tracing::info!("the journal can be written again: binds and changes go on");
                self.report();
                true
            }
            Err(error) => {
                tracing::debug!(%error, "the journal still cannot be written");
                false
            }
        }
    }

    fn report(&self) {
        self.health.set_journal(match (self.full, self.failed) {
            (true, _) => JournalState::DiskFull,
            (false, true) => JournalState::Failed,
            (false, false) => JournalState::Written,
        });
    }
}
