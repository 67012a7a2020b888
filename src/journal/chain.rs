//! The chain: gives each record its sequence, the leaf before it and a salted commitment to its changes, and so makes it a frame;
//! and checks that frames read back continue each other.

use aws_lc_rs::digest;

use super::line::to_hex;
use super::record::sha256;
use super::{Frame, Leaf, LineStamp, Record, RecordStamp};
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
    /// changes later also strips what could confirm a guess of them. A frame without changes keeps none.
    pub fn frame(&mut self, record: &Record, changes: Vec<u8>, salt: [u8; 16], time: Timestamp, monotonic: u64) -> Frame {
        let salt = if changes.is_empty() { [0; 16] } else { salt };
        let commitment = if changes.is_empty() { None } else { Some(to_hex(&commitment(&salt, &changes))) };
        let sequence = self.next_sequence;
        let line = record.to_line(&RecordStamp {
            sequence,
            previous: self.last_leaf,
            time,
            monotonic,
            boot: self.boot.clone(),
            node: self.node.clone(),
            commitment,
        });
        self.next_sequence = sequence.saturating_add(1);
        self.last_leaf = Leaf::of_line(&line);
        self.last_time = time;
        Frame { sequence, line, changes, salt }
    }
}

/// SHA-256(salt ‖ changes): what a record says about its changes without showing them.
fn commitment(salt: &[u8; 16], changes: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(salt);
    context.update(changes);
    sha256(context)
}

/// Walks frames in order and checks that each continues the one before and carries the changes it commits to.
#[derive(Clone, Debug, Default)]
pub struct ChainCheck {
    /// Sequence of the last frame accepted; 0 before the first.
    pub last_sequence: u64,
    /// Its leaf.
    pub last_leaf: Leaf,
    /// Its policy time.
    pub last_time: Timestamp,
}

impl ChainCheck {
    /// Accepts the next frame, or says what does not fit.
    pub fn accept(&mut self, frame: &Frame) -> Result<(), &'static str> {
        let stamp = LineStamp::parse(&frame.line).ok_or("the record is not one this program can read")?;
        if stamp.sequence != frame.sequence || Some(stamp.sequence) != self.last_sequence.checked_add(1) {
            return Err("the record's sequence does not follow the one before");
        }
        if stamp.previous != self.last_leaf {
            return Err("the record does not continue the chain");
        }
        let expected = if frame.changes.is_empty() { None } else { Some(commitment(&frame.salt, &frame.changes)) };
        if stamp.commitment != expected {
            return Err("the changes are not those the record commits to");
        }
        self.last_sequence = stamp.sequence;
        self.last_leaf = Leaf::of_line(&frame.line);
        self.last_time = Timestamp(stamp.time);
        Ok(())
    }
}
