//! Frames and groups: the unit of commit is a frame (record with change), the unit of fdatasync a group of them.

/// A record's line and the encoded changes that belong to it, before sealing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Sequence of the record.
    pub sequence: u64,
    /// The record's canonical line.
    pub line: String,
    /// Encoded `directory::Change`s, concatenated; empty where nothing changed.
    pub changes: Vec<u8>,
    /// Salt of the commitment to the changes.
    pub salt: [u8; 16],
}

/// What stands before a group of frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupHeader {
    /// Number of frames.
    pub count: u32,
    /// Sequence of the first.
    pub first: u64,
    /// Last sequence known durable when the group was written.
    pub previous_durable: u64,
    /// Digest of the directory after the group.
    pub digest: [u8; 32],
}

/// Why octets are no group.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The octets end inside the group: a torn tail if nothing follows.
    #[error("the group ends early")]
    Incomplete,
    /// A checksum or seal does not fit.
    #[error("damaged at sequence {sequence}: {problem}")]
    Damaged {
        /// First sequence of the group, as far as it can be told.
        sequence: u64,
        /// What does not fit.
        problem: &'static str,
    },
}
