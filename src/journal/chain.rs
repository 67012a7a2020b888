//! The chain: gives each record its sequence, the leaf before it and a salted commitment to its changes, and so makes it a frame;
//! and checks that frames read back continue each other.

use aws_lc_rs::digest;

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
        self.frame_of([record], changes, salt, time, monotonic)
    }

    /// The same with several records, which all commit to the changes of the whole frame. `time` is that of the first, each further one is
    /// a microsecond later.
    pub fn frame_of<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Record>,
        changes: Vec<u8>,
        salt: [u8; 16],
        time: Timestamp,
        monotonic: u64,
    ) -> Frame {
        let salt = if changes.is_empty() { [0; 16] } else { salt };
        let commitment = if changes.is_empty() { None } else { Some(commitment(&salt, &changes)) };
        let sequence = self.next_sequence;
        let mut lines = String::new();
        for (place, record) in (0..).zip(records) {
            let time = Timestamp(time.0.saturating_add(place));
            let line = record.to_line(&RecordStamp {
                sequence: self.next_sequence,
                previous: self.last_leaf,
                time,
                monotonic,
                boot: &self.boot,
                node: &self.node,
                commitment,
            });
            self.next_sequence = self.next_sequence.saturating_add(1);
            self.last_leaf = Leaf::of_line(&line);
            self.last_time = time;
            if lines.is_empty() {
                lines = line;
            } else {
                lines.push('\n');
                lines.push_str(&line);
            }
        }
        Frame { sequence, line: lines, changes, salt }
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
        let expected = if frame.changes.is_empty() { None } else { Some(commitment(&frame.salt, &frame.changes)) };
        if Some(frame.sequence) != self.last_sequence.checked_add(1) {
            return Err("the record's sequence does not follow the one before");
        }
        for line in frame.lines() {
            let stamp = LineStamp::parse(line).ok_or("the record is not one this program can read")?;
            if Some(stamp.sequence) != self.last_sequence.checked_add(1) {
                return Err("the record's sequence does not follow the one before");
            }
            if stamp.previous != self.last_leaf {
                return Err("the record does not continue the chain");
            }
            if stamp.commitment != expected {
                return Err("the changes are not those the record commits to");
            }
            self.last_sequence = stamp.sequence;
            self.last_leaf = Leaf::of_line(line);
            self.last_time = Timestamp(stamp.time);
        }
        Ok(())
    }
}
