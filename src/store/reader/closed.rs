//! Segments one by one, for who writes them anew.

use std::path::Path;

use super::{JournalReader, ReadGroup, Reading};
use crate::journal::ChainCheck;
use crate::store::StoreError;
use crate::store::header::SegmentHeader;

impl JournalReader {
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
        let mut state = Reading { check: ChainCheck::default(), needed: 0, proven: u64::MAX, damages: Vec::new(), gap: false };
        let (Some(segment), Some(header)) = (self.segments.get(index), self.enter(index, true, u64::MAX, &mut state)?) else {
            return Ok(());
        };
        let next = self.segments.get(index + 1).and_then(|next| next.header.as_ref()).and_then(|header| header.previous);
        let named = next.filter(|extent| extent.first == segment.first);
        self.walk(segment, header, Some(named), &mut state, each).map(drop)
    }
}
