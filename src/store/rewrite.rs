//! Writing closed segments anew: sealed under the key in force.
//!
//! Groups stay as they are, and as long as they are, so the chain verifies as before, and what the next segment's header says of this one
//! holds. A segment is written beside the old one, read back, and takes its name: a crash leaves the old one or the new one. What is damaged
//! is left alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::header::{SEGMENT_HEADER_OCTETS, SegmentHeader};
use super::reader::{JournalReader, JournalSource};
use super::seal::SegmentSealer;
use crate::journal::{ChainCheck, Frame, Leaf, encode_group, read_group};
use crate::world::Entropy;

/// Behind the name of a segment that is being written.
const UNFINISHED: &str = "segment.new";

/// Writes closed segments anew. One at a time: who calls sees to that.
#[derive(Clone)]
pub(super) struct Rewriter {
    pub(super) source: JournalSource,
    pub(super) entropy: Arc<dyn Entropy>,
}

/// What a new file must be found to hold.
struct Written {
    header: SegmentHeader,
    groups: u64,
    leaf: Leaf,
}

impl Rewriter {
    /// Seals a closed segment under the key in force. False: `go_on`, which is asked before each group, said no, and nothing is changed.
    pub(super) fn reseal(
        &self,
        reader: &JournalReader,
        path: &Path,
        header: &SegmentHeader,
        go_on: &dyn Fn() -> bool,
    ) -> Result<bool, StoreError> {
        let disk = &*self.source.disk;
        let unfinished = path.with_extension(UNFINISHED);
        let done = self.write(reader, path, &unfinished, header, go_on).and_then(|written| {
            let Some(written) = written else { return Ok(false) };
            self.verify(&unfinished, &written)?;
            disk.rename(&unfinished, path).map_err(|error| StoreError::Io { path: path.to_owned(), error })?;
            Ok(true)
        });
        if !matches!(done, Ok(true)) {
            // Room for others; what stays is removed by the next start.
            let _ = disk.remove(&unfinished);
        }
        done
    }

    /// Removes what a crash left.
    pub(super) fn remove_unfinished(&self) -> Result<(), StoreError> {
        let JournalSource { disk, folder, .. } = &self.source;
        let paths = disk.list(folder).map_err(|error| StoreError::Io { path: folder.clone(), error })?;
        let is_unfinished = |path: &PathBuf| path.to_str().is_some_and(|name| name.ends_with(UNFINISHED));
        for path in paths.into_iter().filter(is_unfinished) {
            disk.remove(&path).map_err(|error| StoreError::Io { path, error })?;
        }
        Ok(())
    }

    /// Writes the new file and makes it durable.
    fn write(
        &self,
        reader: &JournalReader,
        path: &Path,
        unfinished: &Path,
        header: &SegmentHeader,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Written>, StoreError> {
        let io = |error| StoreError::Io { path: unfinished.to_owned(), error };
        let mut salt = [0; 32];
        self.entropy.fill(&mut salt);
        let sealing = self.source.keys.sealing();
        let sealer = SegmentSealer::new(&sealing.key, &salt, header.first)?;
        let file = self.source.disk.open(unfinished).map_err(io)?;
        file.set_length(0).map_err(io)?;
        let (mut length, mut groups, mut leaf) = (SEGMENT_HEADER_OCTETS as u64, 0, header.leaf_before);
        let (mut goes_on, mut buffer) = (true, Vec::new());
        reader.read_closed(path, &mut |group| {
            goes_on = goes_on && go_on();
            if !goes_on {
                return Ok(());
            }
            buffer.clear();
            encode_group(&group.header, &group.frames, &sealer, &mut buffer)?;
            file.write_all_at(&buffer, length).map_err(io)?;
            length = length.saturating_add(buffer.len() as u64);
            if length != group.end {
                return Err(StoreError::Content(format!("{}: a group became longer or shorter", unfinished.display())));
            }
            leaf = group.frames.last().map_or(leaf, Frame::leaf);
            groups += 1;
            Ok(())
        })?;
        if !goes_on {
            return Ok(None);
        }
        let header = SegmentHeader { identity: sealing.identity.clone(), salt, ..header.clone() };
        file.write_all_at(&header.encode(), 0).and_then(|()| file.sync_data()).map_err(io)?;
        Ok(Some(Written { header, groups, leaf }))
    }

    /// Reads the new file back: every group opens, and the records continue each other.
    fn verify(&self, unfinished: &Path, written: &Written) -> Result<(), StoreError> {
        let wrong = || StoreError::Content(format!("{}: what was written is not what is read back", unfinished.display()));
        let read = self.source.disk.read(unfinished);
        let octets = read.map_err(|error| StoreError::Io { path: unfinished.to_owned(), error })?;
        let Written { header, groups, leaf } = written;
        if SegmentHeader::decode(&octets, unfinished)?.as_ref() != Some(header) {
            return Err(wrong());
        }
        let key = self.source.keys.of(&header.identity, unfinished)?;
        let sealer = SegmentSealer::new(&key, &header.salt, header.first)?;
        let (last_sequence, last_leaf) = (header.first.saturating_sub(1), header.leaf_before);
        let mut check = ChainCheck { last_sequence, last_leaf, ..ChainCheck::default() };
        let mut rest = octets.get(SEGMENT_HEADER_OCTETS..).unwrap_or_default();
        let mut found = 0;
        while !rest.is_empty() {
            let group = read_group(rest).map_err(|_| wrong())?;
            for frame in group.open(&sealer).map_err(|_| wrong())? {
                check.accept(&frame).map_err(|_| wrong())?;
            }
            found += 1;
            rest = rest.get(group.length..).unwrap_or_default();
        }
        if found == *groups && check.last_leaf == *leaf { Ok(()) } else { Err(wrong()) }
    }
}
