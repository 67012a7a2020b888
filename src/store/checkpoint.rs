//! The sled checkpoint: follows the journal at a distance of at most a second, one thread, bounded queue.

use crate::directory::{Change, Digest};

/// Handle on the checkpoint's thread.
pub struct Checkpoint {
    _private: (),
}

impl Checkpoint {
    /// Hands over what a durable group changed; blocks while the bounded queue is full. `through`: last sequence of the group.
    pub fn submit(&self, through: u64, changes: Vec<Change>, digest_after: Digest) {
        let _ = (through, changes, digest_after);
        todo!()
    }

    /// Last sequence the checkpoint holds durably.
    pub fn applied(&self) -> u64 {
        todo!()
    }

    /// An error that stopped the thread, for health and the log (the journal goes on; the next start replays).
    pub fn failure(&self) -> Option<String> {
        todo!()
    }

    /// Applies what is queued, makes it durable and ends the thread.
    pub fn stop(self) {
        todo!()
    }
}
