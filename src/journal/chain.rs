//! The chain: gives each record its sequence, the leaf before it and a salted commitment to its changes, and so makes it a frame.

use super::{Frame, Leaf, Record};
use crate::model::Timestamp;

/// Where the journal stands: what the next record continues.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Sequence the next record gets.
    pub next_sequence: u64,
    /// Leaf of the last record.
    pub last_leaf: Leaf,
    /// Policy time of the last record: time never goes back below it.
    pub last_time: Timestamp,
    /// Installation, as text.
    pub node: String,
    /// Process incarnation, hex.
    pub boot: String,
}

impl Chain {
    /// Makes the next frame and moves on. `salt` is 16 random octets for the commitment; it is kept with the sealed changes, so stripping
    /// changes later also strips what could confirm a guess of them.
    pub fn frame(&mut self, record: &Record, changes: Vec<u8>, salt: [u8; 16], time: Timestamp, monotonic: u64) -> Frame {
        let _ = (record, changes, salt, time, monotonic);
        todo!()
    }
}
