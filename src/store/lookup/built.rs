//! An index that is made by reading a segment: of the newest one, which grows, and of a closed one without a file.

use super::Segment;
use super::index::{Building, Place};
use crate::journal::query::{ReadRecord, gap_term, terms_of, unread_term};
use crate::journal::{Frame, FrameError, read_group};
use crate::store::StoreError;
use crate::store::seal::SegmentSealer;

/// Octets of a segment that are read at once to index them.
const CHUNK_OCTETS: usize = 8 * 1024 * 1024;

/// An index in memory, and how far it goes.
pub(super) struct Built {
    pub(super) index: Building,
    pub(super) offset: u64,
    pub(super) is_whole: bool,
    /// There was a group that is whole and does not open.
    pub(super) has_closed_groups: bool,
}

impl Built {
    pub(super) fn extend(
        &mut self,
        disk: &dyn crate::world::Disk,
        segment: &Segment,
        sealer: &SegmentSealer,
        durable: u64,
    ) -> Result<(), StoreError> {
        let end = segment.end.map_or(u64::MAX, |end| end.length);
        let mut wanted = CHUNK_OCTETS;
        loop {
            let room = usize::try_from(end.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(wanted);
            let octets = disk.read_part(&segment.path, self.offset, room);
            let octets = octets.map_err(|error| StoreError::Io { path: segment.path.clone(), error })?;
            let mut at = 0;
            while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
                match read_group(rest) {
                    Ok(group) if group.last() <= durable => {
                        let opened = group.open(sealer);
                        let is_closed = opened.is_err();
                        self.has_closed_groups |= is_closed;
                        let frames = opened.unwrap_or_default();
                        let records: Vec<ReadRecord> =
                            frames.iter().flat_map(Frame::lines).filter_map(ReadRecord::parse).collect();
                        let place = Place {
                            offset: self.offset + at as u64,
                            length: u32::try_from(group.length).unwrap_or(u32::MAX),
                            first: group.header.first,
                            records: group.header.count,
                            time: records.first().map_or_else(|| self.last_time(), |record| record.time),
                        };
                        if segment.header.as_ref().is_some_and(|header| self.index.end(header.first) < place.first) {
                            self.index.mark(gap_term());
                        }
                        let unread = is_closed.then(unread_term);
                        self.index.add(place, records.iter().flat_map(terms_of).chain(unread));
                        at += group.length;
                    }
                    Ok(_) => return self.stop_at(at),
                    Err(FrameError::Incomplete) => break,
                    // What can be read behind it is found all the same, and the gap is told.
                    Err(FrameError::Damaged { .. }) => match next_group(rest) {
                        Some((step, _)) if segment.end.is_some() => at += step,
                        None if segment.end.is_some() => at += rest.len(),
                        // Behind what is durable a group may be half written.
                        Some((step, last)) if last.is_some_and(|last| last <= durable) => at += step,
                        _ => return self.stop_at(at),
                    },
                }
            }
            self.offset += at as u64;
            if at == 0 {
                // One group may be larger than what was read.
                if octets.len() < room || room < wanted || octets.is_empty() {
                    return Ok(());
                }
                wanted = wanted.saturating_mul(2);
            }
        }
    }

    fn stop_at(&mut self, at: usize) -> Result<(), StoreError> {
        self.offset += at as u64;
        Ok(())
    }

    fn last_time(&self) -> i64 {
        self.index.places.last().map_or(0, |place| place.time)
    }
}

/// Octets up to the next group, and its last sequence where all of it is there.
fn next_group(rest: &[u8]) -> Option<(usize, Option<u64>)> {
    let behind = rest.get(1..)?;
    let group = |at: usize| match read_group(behind.get(at..)?) {
        Ok(group) => Some((at + 1, Some(group.last()))),
        Err(FrameError::Incomplete) => Some((at + 1, None)),
        Err(FrameError::Damaged { .. }) => None,
    };
    memchr::memmem::find_iter(behind, &crate::journal::GROUP_MAGIC).find_map(group)
}
