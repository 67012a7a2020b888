//! Journal segments on disk: preallocated files of groups, one fdatasync a group.
//!
//! ```text
//!            append              error
//!  Closed ───────────► Open ─────────────► Failed
//!    ▲   opens a file    │ full               │ recover: opens a file that voids
//!    └───────────────────┘◄───────────────────┘ what the failed one holds too much
//! ```
//! A process never goes on in a file of another process: it starts Closed, so every file is sealed under a key of its own.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::header::{Extent, SEGMENT_HEADER_OCTETS, SegmentHeader, segment_name};
use super::keys::Keys;
use super::mark::Mark;
use super::seal::SegmentSealer;
use crate::directory::Digest;
use crate::journal::{Frame, GROUP_RECORDS_LIMIT, GroupHeader, Leaf, encode_group};
use crate::world::{Disk, DiskFile, EmergencyFolder, Entropy};

/// Room that the buffer for a group may keep; what one large group made it grow beyond is given back.
const KEPT: usize = 4 * 1024 * 1024;
/// Octets that a group mostly stays below.
const GROUP_OCTETS: u64 = 16 * 1024 * 1024;
/// Octets reserved for a segment; a new one is begun before a group would go beyond.
pub(super) const SEGMENT_OCTETS: u64 = 64 * 1024 * 1024;

/// The open journal: the one place where acknowledged things become durable.
pub struct Journal {
    place: Place,
    state: State,
    buffer: Vec<u8>,
    durable: u64,
    last_leaf: Leaf,
    /// The newest segment that holds something durable, the open one left aside.
    previous: Option<Extent>,
    voided: Option<(u64, u64)>,
    /// The next segment begins with a restore to this sequence.
    restores: Option<u64>,
    /// Octets of the segments before the open one.
    closed_octets: u64,
    mark: Mark,
    _lock: Arc<File>,
}

/// Where and how segments are made.
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) folder: PathBuf,
    pub(super) keys: Keys,
    pub(super) segment_octets: u64,
}

/// Where the journal ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct End {
    /// Last durable sequence.
    pub(super) sequence: u64,
    /// Its leaf.
    pub(super) leaf: Leaf,
    /// The segment it is in.
    pub(super) segment: Option<Extent>,
}

enum State {
    Closed,
    Open(Segment),
    /// Sequences up to this one may be in the file that failed.
    Failed {
        through: u64,
    },
}

struct Segment {
    file: Arc<dyn DiskFile>,
    sealer: SegmentSealer,
    /// Which key it is sealed under.
    key_check: [u8; 32],
    first: u64,
    length: u64,
}

/// Why a group could not be made durable. The file is not used again: the caller drops its tentative head, answers 52, and calls
/// [`Journal::recover`] before the next append.
#[derive(Debug, thiserror::Error)]
#[error("journal: {0}")]
pub struct AppendError(pub String);

impl Journal {
    pub(super) fn new(place: Place, end: End, lock: Arc<File>) -> Journal {
        let closed_octets = place.octets().unwrap_or(0);
        let mut mark = Mark::beside(Arc::clone(&place.disk), &place.folder, &place.keys.identity());
        if end.sequence > 0 {
            mark.set(end.sequence);
        }
        Journal {
            place,
            state: State::Closed,
            buffer: Vec::new(),
            durable: end.sequence,
            last_leaf: end.leaf,
            previous: end.segment,
            voided: None,
            restores: None,
            closed_octets,
            mark,
            _lock: lock,
        }
    }

    /// The same, but the next append is the record of a restore: from there on the content is that of `sequence`, and a segment says so.
    pub(super) fn restoring(mut self, sequence: u64) -> Journal {
        self.restores = Some(sequence);
        self
    }

    /// Writes one group and returns when it is on the device. `frames` follow each other without gap and continue the last group.
    pub fn append(&mut self, frames: &[Frame], digest_after: Digest) -> Result<(), AppendError> {
        let Some(last) = frames.last() else { return Ok(()) };
        self.check_continues(frames)?;
        if matches!(self.state, State::Failed { .. }) {
            return Err(AppendError("an append failed before; no file is open".to_owned()));
        }
        match self.write_group(frames, digest_after) {
            Ok(()) => {
                self.restores = None;
                self.durable = last.last_sequence();
                self.last_leaf = last.leaf();
                // On the device by now, and nobody was told yet.
                self.mark.set(self.durable);
                Ok(())
            }
            Err(error) => {
                self.give_up(last.last_sequence());
                Err(error)
            }
        }
    }

    /// After a failed append: opens the next segment, which voids the sequences nobody was told about. Fails while the disk is still
    /// in trouble; may be called again.
    pub fn recover(&mut self) -> Result<(), AppendError> {
        let State::Failed { through } = self.state else { return Ok(()) };
        let segment = self.open_segment(through)?;
        self.state = State::Open(segment);
        self.voided = (through > self.durable).then_some((self.durable.saturating_add(1), through));
        Ok(())
    }

    /// Where it goes on in an emergency, if there is such a place.
    pub fn emergency(&self) -> Option<Arc<dyn EmergencyFolder>> {
        self.place.disk.emergency()
    }

    /// The next group begins a segment of its own.
    pub fn leave_segment(&mut self) {
        if matches!(self.state, State::Open(_)) {
            self.close();
        }
    }

    /// Octets that the disk must have for the next group: those of a segment, where the open one may not have room for it.
    pub fn octets_needed(&self) -> u64 {
        match &self.state {
            State::Open(segment)
                if segment.length.saturating_add(GROUP_OCTETS) <= self.place.segment_octets
                    && self.place.keys.is_current(&segment.key_check) =>
            {
                0
            }
            _ => self.place.segment_octets,
        }
    }

    /// Octets of all segments, what is only reserved left out.
    pub fn octets(&self) -> u64 {
        let open = if let State::Open(segment) = &self.state { segment.length } else { 0 };
        self.closed_octets.saturating_add(open)
    }

    /// First sequence of the segment that is open.
    pub fn segment(&self) -> Option<u64> {
        if let State::Open(segment) = &self.state { Some(segment.first) } else { None }
    }

    /// Last sequence that is durable.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// The sequences the last [`Journal::recover`] voided, first and last: for the record the caller writes about it.
    pub fn voided(&self) -> Option<(u64, u64)> {
        self.voided
    }

    fn check_continues(&self, frames: &[Frame]) -> Result<(), AppendError> {
        let mut expected = self.durable.saturating_add(1);
        for frame in frames {
            if frame.sequence != expected {
                return Err(AppendError(format!("sequence {} where {expected} is due", frame.sequence)));
            }
            expected = frame.last_sequence().saturating_add(1);
        }
        let records = expected.saturating_sub(self.durable).saturating_sub(1);
        if records > GROUP_RECORDS_LIMIT {
            return Err(AppendError(format!("a group of {records} records is beyond the limit of {GROUP_RECORDS_LIMIT}")));
        }
        Ok(())
    }

    fn write_group(&mut self, frames: &[Frame], digest_after: Digest) -> Result<(), AppendError> {
        if !matches!(self.state, State::Open(_)) {
            self.state = State::Open(self.open_segment(0)?);
        }
        self.encode(frames, digest_after)?;
        if self.is_full() {
            self.close();
            self.state = State::Open(self.open_segment(0)?);
            self.encode(frames, digest_after)?;
        }
        let State::Open(segment) = &mut self.state else { return Ok(()) };
        let written = segment.file.write_all_at(&self.buffer, segment.length).and_then(|()| segment.file.sync_data());
        let path = self.place.folder.join(segment_name(segment.first));
        written.map_err(|error| AppendError(format!("{}: {error}", path.display())))?;
        segment.length = segment.length.saturating_add(self.buffer.len() as u64);
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        Ok(())
    }

    /// Fills the buffer with the whole group, sealed for the open segment.
    fn encode(&mut self, frames: &[Frame], digest_after: Digest) -> Result<(), AppendError> {
        let records: u64 = frames.iter().map(Frame::records).sum();
        let header = GroupHeader {
            count: u32::try_from(records).map_err(|_| AppendError("too many records".to_owned()))?,
            first: self.durable.saturating_add(1),
            previous_durable: self.durable,
            digest: digest_after.to_bytes(),
        };
        self.buffer.clear();
        let State::Open(segment) = &self.state else { return Err(AppendError("no segment is open".to_owned())) };
        encode_group(&header, frames, &segment.sealer, &mut self.buffer).map_err(|error| AppendError(error.to_string()))
    }

    /// Whether the buffer does not go into the open segment: there is no room, or another key is in force. A group longer than a whole
    /// segment makes its segment longer.
    fn is_full(&self) -> bool {
        let State::Open(segment) = &self.state else { return false };
        if !self.place.keys.is_current(&segment.key_check) {
            return segment.holds_groups();
        }
        segment.holds_groups() && segment.length.saturating_add(self.buffer.len() as u64) > self.place.segment_octets
    }

    /// Gives the reserved space behind the last group back. Where that fails nothing is lost but space: readers stop at the length that
    /// the next header names.
    fn close(&mut self) {
        if let State::Open(segment) = &self.state {
            let _ = segment.file.set_length(segment.length);
            self.closed_octets = self.closed_octets.saturating_add(segment.length);
            self.previous = Some(segment.extent());
        }
        self.state = State::Closed;
    }

    /// What was refused must not come back when the process dies before [`Journal::recover`]: the file is cut, if the disk still lets us.
    fn give_up(&mut self, through: u64) {
        if let State::Open(segment) = &self.state {
            let _ = segment.file.set_length(segment.length);
            if segment.holds_groups() {
                self.closed_octets = self.closed_octets.saturating_add(segment.length);
                self.previous = Some(segment.extent());
            }
        }
        // Sequences voided before and not given since are still void.
        let earlier = self.voided.filter(|(first, _)| *first == self.durable.saturating_add(1));
        self.state = State::Failed { through: through.max(earlier.map_or(0, |(_, last)| last)) };
    }

    /// Makes the next segment durable, ready for its first group. A file of that name holds nothing durable: it was given up.
    fn open_segment(&self, voids_through: u64) -> Result<Segment, AppendError> {
        let first = self.durable.saturating_add(1);
        let path = self.place.folder.join(segment_name(first));
        let disk = &self.place.disk;
        let mut salt = [0; 32];
        self.place.entropy.fill(&mut salt);
        let sealing = self.place.keys.sealing();
        let sealer = SegmentSealer::new(&sealing.key, &salt, first).map_err(|error| AppendError(error.to_string()))?;
        let key_check = sealing.identity.key_check;
        let header = SegmentHeader {
            identity: sealing.identity.clone(),
            salt,
            first,
            leaf_before: self.last_leaf,
            previous: self.previous,
            voids_through,
            restores: self.restores,
        };
        let make = || -> io::Result<Arc<dyn DiskFile>> {
            match disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let file = disk.open(&path)?;
            file.reserve(self.place.segment_octets)?;
            file.write_all_at(&header.encode(), 0)?;
            file.sync_data()?;
            disk.sync_folder(&self.place.folder)?;
            Ok(file)
        };
        let file = make().map_err(|error| {
            // Room for others; what stays is emptied by the next try or set aside by the next start.
            let _ = disk.remove(&path);
            AppendError(format!("{}: {error}", path.display()))
        })?;
        Ok(Segment { file, sealer, key_check, first, length: SEGMENT_HEADER_OCTETS as u64 })
    }
}

impl Place {
    /// Octets of the segments that are there.
    fn octets(&self) -> io::Result<u64> {
        let lengths = self.disk.list(&self.folder)?.into_iter().map(|path| self.disk.length(&path));
        lengths.sum()
    }
}

impl Segment {
    fn holds_groups(&self) -> bool {
        self.length > SEGMENT_HEADER_OCTETS as u64
    }

    fn extent(&self) -> Extent {
        Extent { first: self.first, length: self.length }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let State::Open(segment) = &self.state {
            let _ = segment.file.set_length(segment.length);
        }
    }
}
