//! Segments one by one: what their headers say, and the groups of one alone.

use std::path::Path;

use super::{FIRST_GROUP_OCTETS, JournalReader, ReadGroup, Reading};
use crate::journal::{ChainCheck, read_group};
use crate::store::StoreError;
use crate::store::header::{SEGMENT_HEADER_OCTETS, SegmentHeader};
use crate::store::seal::SegmentSealer;

impl JournalReader {
    /// The sequences of restores and what each restored, ascending.
    pub(in crate::store) fn restores(&self) -> Vec<(u64, u64)> {
        let headers = self.segments.iter().filter_map(|segment| segment.header.as_ref());
        headers.filter_map(|header| Some((header.first, header.restores?))).collect()
    }

    /// The line of the record that a segment begins with; none where it cannot be read.
    pub(in crate::store) fn first_line_of(&self, first: u64) -> Option<String> {
        let segment = self.segments.iter().find(|segment| segment.first == first)?;
        let header = segment.header.as_ref()?;
        let octets = self.disk.read_part(&segment.path, SEGMENT_HEADER_OCTETS as u64, FIRST_GROUP_OCTETS).ok()?;
        let key = self.keys.of(&header.identity, &segment.path).ok()?;
        let sealer = SegmentSealer::new(&key, &header.salt, header.first).ok()?;
        let frames = read_group(&octets).ok()?.open(&sealer).ok()?;
        let line = frames.first()?.lines().next()?.to_owned();
        Some(line)
    }

    /// Whether a segment's header is damaged, so that nobody knows whether it begins with a restore.
    pub(in crate::store) fn has_unknown_headers(&self) -> bool {
        self.segments.iter().any(|segment| segment.header.is_none())
    }

    /// The segments, and whether each is the last file: the one that may still be written.
    pub(in crate::store) fn files(&self) -> Vec<(&Path, Option<&SegmentHeader>, bool)> {
        let last = self.segments.len().checked_sub(1).filter(|_| self.unborn.is_none());
        let files = self.segments.iter().enumerate();
        files.map(|(index, segment)| (segment.path.as_path(), segment.header.as_ref(), Some(index) == last)).collect()
    }

    /// Reads one of those that is not the last, alone and strictly.
    pub(in crate::store) fn read_closed(
        &self,
        path: &Path,
        each: &mut dyn FnMut(ReadGroup) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(index) = self.segments.iter().position(|segment| segment.path == path) else { return Ok(()) };
        let mut state = Reading {
            check: ChainCheck::default(),
            needed: vec![0..=u64::MAX],
            proven: u64::MAX,
            damages: Vec::new(),
            gap: false,
        };
        let (Some(segment), Some(header)) = (self.segments.get(index), self.enter(index, true, u64::MAX, &mut state)?) else {
            return Ok(());
        };
        let next = self.segments.get(index + 1).and_then(|next| next.header.as_ref()).and_then(|header| header.previous);
        let named = next.filter(|extent| extent.first == segment.first);
        self.walk(segment, header, Some(named), &mut state, each).map(drop)
    }
}
