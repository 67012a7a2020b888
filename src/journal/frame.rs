//! Frames and groups: the unit of commit is a frame (record with change), the unit of fdatasync a group of them.
//!
//! A group on disk, all numbers little-endian:
//!
//! ```text
//! offset size
//!      0    8  "BNDgroup"
//!      8    8  octets of the frames that follow the header
//!     16    4  number of records
//!     20    4  0
//!     24    8  sequence of the first frame
//!     32    8  last sequence known durable when the group was written
//!     40   32  digest of the directory after the group
//!     72   32  BLAKE3 of octets 0 to 71 and of the frames
//!    104   16  BLAKE3 of octets 0 to 103, cut
//!    120    8  0
//!    128       frames, each: length of the sealed record (4), length of the sealed changes (4; 0: none), record, changes
//! ```
//!
//! A frame holds one record, that of a transaction several with a newline between them.
//! Record and changes are sealed apart, so that changes can be stripped one day while records stay.

use super::Leaf;

/// Size of a group's header.
pub const GROUP_HEADER_OCTETS: usize = 128;
/// Starts every group.
pub const GROUP_MAGIC: [u8; 8] = *b"BNDgroup";
/// Records a group may have.
pub const GROUP_RECORDS_LIMIT: u64 = 65_536;

const FRAME_HEADER_OCTETS: usize = 8;
const CHECKSUM_AT: usize = 72;
const HEADER_CHECK_AT: usize = 104;

/// A record's line and the encoded changes that belong to it, before sealing. A transaction's frame has several records, one sequence
/// each, and the changes of all of them: on disk it is all there or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Sequence of the first record.
    pub sequence: u64,
    /// The record's canonical line; where there are several, a newline between each and the next.
    pub line: String,
    /// Encoded `directory::Change`s, concatenated; empty where nothing changed.
    pub changes: Vec<u8>,
    /// Salt of the commitment to the changes.
    pub salt: [u8; 16],
}

impl Frame {
    /// The records' lines in order; mostly one.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.line.split('\n')
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.lines().count() as u64
    }

    /// Sequence of the last record.
    pub fn last_sequence(&self) -> u64 {
        self.sequence.saturating_add(self.records()).saturating_sub(1)
    }

    /// The leaf of the last record.
    pub fn leaf(&self) -> Leaf {
        Leaf::of_line(self.lines().next_back().unwrap_or_default())
    }

    /// Without the records before this sequence.
    pub fn starting_at(mut self, sequence: u64) -> Frame {
        while self.sequence < sequence
            && let Some((_, rest)) = self.line.split_once('\n')
        {
            self.line = rest.to_owned();
            self.sequence = self.sequence.saturating_add(1);
        }
        self
    }
}

/// What stands before a group of frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupHeader {
    /// Number of records: of frames, where no transaction is among them.
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

/// The two sealed parts of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FramePart {
    /// The record's line.
    Record,
    /// Salt and changes.
    Changes,
}

/// A part could not be sealed or opened: the wrong key, or other octets than were sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the seal does not fit")]
pub struct SealError;

/// Seals and opens the parts of frames; the place (file, sequence, part) is bound into the seal.
pub trait Sealer {
    /// Appends the sealed octets to `output`.
    fn seal(&self, part: FramePart, sequence: u64, octets: &[&[u8]], output: &mut Vec<u8>) -> Result<(), SealError>;
    /// Opens what `seal` made.
    fn open(&self, part: FramePart, sequence: u64, sealed: &[u8]) -> Result<Vec<u8>, SealError>;
}

/// Appends a whole group to `output`. `header.count` and `header.first` are those of `frames`.
pub fn encode_group(header: &GroupHeader, frames: &[Frame], sealer: &dyn Sealer, output: &mut Vec<u8>) -> Result<(), SealError> {
    let start = output.len();
    output.extend_from_slice(&GROUP_MAGIC);
    output.extend_from_slice(&[0; GROUP_HEADER_OCTETS - 8]);
    for frame in frames {
        encode_frame(frame, sealer, output)?;
    }
    let (head, body) =
        output.get_mut(start..).and_then(|group| group.split_at_mut_checked(GROUP_HEADER_OCTETS)).ok_or(SealError)?;
    put(head, 8, &(body.len() as u64).to_le_bytes());
    put(head, 16, &header.count.to_le_bytes());
    put(head, 24, &header.first.to_le_bytes());
    put(head, 32, &header.previous_durable.to_le_bytes());
    put(head, 40, &header.digest);
    let checksum = group_checksum(head, body);
    put(head, CHECKSUM_AT, &checksum);
    let check = header_check(head);
    put(head, HEADER_CHECK_AT, &check);
    Ok(())
}

fn encode_frame(frame: &Frame, sealer: &dyn Sealer, output: &mut Vec<u8>) -> Result<(), SealError> {
    let start = output.len();
    output.extend_from_slice(&[0; FRAME_HEADER_OCTETS]);
    sealer.seal(FramePart::Record, frame.sequence, &[frame.line.as_bytes()], output)?;
    let record = part_length(output.len() - start - FRAME_HEADER_OCTETS)?;
    let changes_start = output.len();
    if !frame.changes.is_empty() {
        sealer.seal(FramePart::Changes, frame.sequence, &[&frame.salt, &frame.changes], output)?;
    }
    let changes = part_length(output.len() - changes_start)?;
    if let Some(head) = output.get_mut(start..) {
        put(head, 0, &record.to_le_bytes());
        put(head, 4, &changes.to_le_bytes());
    }
    Ok(())
}

fn part_length(length: usize) -> Result<u32, SealError> {
    u32::try_from(length).map_err(|_| SealError)
}

/// Reads a group's header off the front of `octets` with the length of the frames behind it. `None` where there is no intact header.
pub fn read_group_header(octets: &[u8]) -> Option<(GroupHeader, u64)> {
    let head = octets.get(..GROUP_HEADER_OCTETS)?;
    if !head.starts_with(&GROUP_MAGIC) || head.get(HEADER_CHECK_AT..HEADER_CHECK_AT + 16)? != header_check(head) {
        return None;
    }
    if head.get(20..24)? != [0; 4] || head.get(120..)? != [0; 8] {
        return None;
    }
    let header = GroupHeader {
        count: u32::from_le_bytes(take(head, 16)?),
        first: u64::from_le_bytes(take(head, 24)?),
        previous_durable: u64::from_le_bytes(take(head, 32)?),
        digest: take(head, 40)?,
    };
    Some((header, u64::from_le_bytes(take(head, 8)?)))
}

/// A group as it stands in a file: checksum verified, still sealed.
#[derive(Clone, Debug)]
pub struct SealedGroup<'a> {
    /// Its header.
    pub header: GroupHeader,
    /// Octets of the whole group, header included.
    pub length: usize,
    body: &'a [u8],
}

/// Reads the group at the front of `octets` and verifies its checksum.
pub fn read_group(octets: &[u8]) -> Result<SealedGroup<'_>, FrameError> {
    if octets.len() < GROUP_HEADER_OCTETS {
        return Err(FrameError::Incomplete);
    }
    let (header, length) =
        read_group_header(octets).ok_or(FrameError::Damaged { sequence: 0, problem: "no intact group header" })?;
    let length = usize::try_from(length).map_err(|_| FrameError::Incomplete)?;
    let (head, rest) = octets.split_at_checked(GROUP_HEADER_OCTETS).ok_or(FrameError::Incomplete)?;
    let body = rest.get(..length).ok_or(FrameError::Incomplete)?;
    if head.get(CHECKSUM_AT..HEADER_CHECK_AT) != Some(group_checksum(head, body).as_slice()) {
        return Err(FrameError::Damaged { sequence: header.first, problem: "the group's checksum does not fit" });
    }
    Ok(SealedGroup { header, length: GROUP_HEADER_OCTETS + length, body })
}

impl SealedGroup<'_> {
    /// Sequence of the last record.
    pub fn last(&self) -> u64 {
        self.header.first.saturating_add(u64::from(self.header.count)).saturating_sub(1)
    }

    /// Opens all frames.
    pub fn open(&self, sealer: &dyn Sealer) -> Result<Vec<Frame>, FrameError> {
        let mut body = self.body;
        let mut frames = Vec::with_capacity(usize::try_from(u64::from(self.header.count).min(GROUP_RECORDS_LIMIT)).unwrap_or(0));
        let mut sequence = self.header.first;
        while sequence <= self.last() && self.header.count > 0 {
            let damaged = |problem| FrameError::Damaged { sequence, problem };
            let record_length = take_length(&mut body).ok_or(damaged("the frame's lengths do not fit"))?;
            let changes_length = take_length(&mut body).ok_or(damaged("the frame's lengths do not fit"))?;
            let record = split(&mut body, record_length).ok_or(damaged("the record ends early"))?;
            let changes = split(&mut body, changes_length).ok_or(damaged("the changes end early"))?;
            let line = sealer.open(FramePart::Record, sequence, record).map_err(|_| damaged("the record's seal does not fit"))?;
            let line = String::from_utf8(line).map_err(|_| damaged("the record is no text"))?;
            let (salt, changes) = if changes.is_empty() {
                ([0; 16], Vec::new())
            } else {
                let mut opened =
                    sealer.open(FramePart::Changes, sequence, changes).map_err(|_| damaged("the changes' seal does not fit"))?;
                let salt = take(&opened, 0).ok_or(damaged("the changes have no salt"))?;
                opened.drain(..16);
                (salt, opened)
            };
            let frame = Frame { sequence, line, changes, salt };
            sequence = frame.last_sequence().saturating_add(1);
            frames.push(frame);
        }
        if body.is_empty() && sequence == self.last().saturating_add(1) {
            Ok(frames)
        } else {
            Err(FrameError::Damaged { sequence: self.header.first, problem: "the frames are not those of the header" })
        }
    }
}

fn take_length(body: &mut &[u8]) -> Option<usize> {
    let octets = split(body, 4)?;
    usize::try_from(u32::from_le_bytes(octets.try_into().ok()?)).ok()
}

fn split<'a>(body: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (front, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some(front)
}

fn take<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    octets.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn put(octets: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = octets.get_mut(at..).and_then(|rest| rest.get_mut(..value.len())) {
        place.copy_from_slice(value);
    }
}

fn group_checksum(head: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head.get(..CHECKSUM_AT).unwrap_or_default());
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

fn header_check(head: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(head.get(..HEADER_CHECK_AT).unwrap_or_default());
    take(hash.as_bytes(), 0).unwrap_or_default()
}
