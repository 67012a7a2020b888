//! Reading the journal: which segments there are, what counts of them, and every group in order, verified.
//!
//! A segment with another one behind it is read up to the length that one's header names, strictly: anything else is damage. The last
//! segment ends where only zeros follow. A group that does not fit there is a torn tail, unless something proves that it had been
//! durable: an intact group behind it, or the checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::header::{Extent, SEGMENT_HEADER_OCTETS, SegmentHeader, first_of_name};
use super::identity::Identity;
use super::seal::{SealKey, SegmentSealer};
use super::segment::End;
use crate::journal::{ChainCheck, Frame, FrameError, GROUP_MAGIC, GroupHeader, read_group, read_group_header};
use crate::world::Disk;

/// Where the journal is and what opens it.
#[derive(Clone)]
pub(super) struct JournalSource {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) key: SealKey,
    pub(super) identity: Identity,
}

impl JournalSource {
    /// Reads the headers of what is there now.
    pub(super) fn reader(&self) -> Result<JournalReader, StoreError> {
        JournalReader::new(Arc::clone(&self.disk), &self.folder, self.key.clone(), &self.identity)
    }
}

/// The journal's segments, headers checked.
pub(super) struct JournalReader {
    disk: Arc<dyn Disk>,
    key: SealKey,
    segments: Vec<SegmentFile>,
    /// A last file without an intact header.
    unborn: Option<(u64, PathBuf)>,
}

struct SegmentFile {
    path: PathBuf,
    header: SegmentHeader,
}

/// A group read and verified.
pub(super) struct ReadGroup {
    pub(super) segment: String,
    pub(super) header: GroupHeader,
    pub(super) frames: Vec<Frame>,
    /// It is the record of a restore to this sequence.
    pub(super) restores: Option<u64>,
}

impl ReadGroup {
    pub(super) fn last(&self) -> u64 {
        self.frames.last().map_or(0, Frame::last_sequence)
    }
}

/// What reading to the end found.
pub(super) struct JournalEnd {
    pub(super) end: End,
    pub(super) time: crate::model::Timestamp,
    pub(super) tail: Tail,
}

/// What lies behind the last group.
#[derive(Default)]
pub(super) struct Tail {
    /// Octets of an incomplete group, and the segment's file.
    pub(super) torn: Option<(String, u64)>,
    /// The last segment with groups: its file is cut to the length in `End`.
    pub(super) cut: Option<PathBuf>,
    /// The last group of all and where it stands, if nothing behind it shows that it was made durable.
    pub(super) last_group: Option<(u64, Vec<u8>)>,
    /// Files behind it without any group, to be removed in this order: the last one first.
    pub(super) empty: Vec<PathBuf>,
}

impl JournalEnd {
    /// Cuts off what nobody was told about and removes files that hold nothing, so that the next segment follows what counts. The last
    /// group is written once more before it counts: a process may have been killed before its sync, or have seen it fail, and then the
    /// group may stand in the page cache alone, marked as written.
    pub(super) fn clean(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        if let (Some(path), Some(extent)) = (&self.tail.cut, self.end.segment) {
            let cut = || -> std::io::Result<()> {
                let file = disk.open(path)?;
                if file.length()? > extent.length {
                    file.set_length(extent.length)?;
                }
                if let Some((at, octets)) = &self.tail.last_group {
                    file.write_all_at(octets, *at)?;
                }
                file.sync_data()
            };
            cut().map_err(|error| StoreError::Io { path: path.clone(), error })?;
        }
        for path in &self.tail.empty {
            disk.remove(path).map_err(|error| StoreError::Io { path: path.clone(), error })?;
        }
        Ok(())
    }
}

impl JournalReader {
    /// Lists the segments and checks that their headers form one row.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        folder: &Path,
        key: SealKey,
        identity: &Identity,
    ) -> Result<JournalReader, StoreError> {
        let files = list(&*disk, folder)?;
        let mut segments: Vec<SegmentFile> = Vec::with_capacity(files.len());
        let mut unborn = None;
        for (index, (first, path)) in files.iter().enumerate() {
            let Some(header) = read_header(&*disk, path)? else {
                if index + 1 == files.len() {
                    unborn = Some((*first, path.clone()));
                    break;
                }
                return Err(damaged(path, *first, "the segment's header"));
            };
            let previous = segments.last().map(|segment| segment.header.first);
            check_header(&header, *first, previous, identity).map_err(|problem| damaged(path, *first, problem))?;
            segments.push(SegmentFile { path: path.clone(), header });
        }
        Ok(JournalReader { disk, key, segments, unborn })
    }

    /// The sequences of restores and what each restored, ascending.
    pub(super) fn restores(&self) -> Vec<(u64, u64)> {
        self.segments.iter().filter_map(|segment| Some((segment.header.first, segment.header.restores?))).collect()
    }

    /// Reads every group from the segment that holds sequence `from` on. `proven`: the last sequence something else proves to have been
    /// durable.
    pub(super) fn read<E: From<StoreError>>(
        &self,
        from: u64,
        proven: u64,
        each: &mut dyn FnMut(ReadGroup) -> Result<(), E>,
    ) -> Result<JournalEnd, E> {
        let start = self.segments.iter().rposition(|segment| segment.header.first <= from.max(1)).unwrap_or(0);
        let mut check = ChainCheck::default();
        let (mut end, mut tail) = (End::default(), Tail::default());
        // A file is made when everything before its first sequence is durable, even where its header never got to the disk.
        let named = self.unborn.as_ref().map_or(0, |(first, _)| first.saturating_sub(1));
        self.check_unborn(proven, &mut tail)?;
        let proven = proven.max(named);
        for (index, segment) in self.segments.iter().enumerate().skip(start) {
            if index == start {
                check.last_sequence = segment.header.first.saturating_sub(1);
                check.last_leaf = segment.header.leaf_before;
                end.segment = segment.header.previous;
            } else if segment.header.first != check.last_sequence.saturating_add(1)
                || segment.header.leaf_before != check.last_leaf
            {
                let problem = "the segment does not continue the one before";
                return Err(damaged(&segment.path, segment.header.first, problem).into());
            }
            let next = self.segments.get(index + 1).map(|next| &next.header);
            let walked = self.walk(segment, next.and_then(|next| next.previous), proven, &mut check, each)?;
            if next.is_none() {
                self.finish(index, walked, &mut end, &mut tail);
            } else {
                end.segment = next.and_then(|next| next.previous);
            }
        }
        let last = check.last_sequence;
        if last < proven {
            let path = self.segments.last().map_or_else(|| PathBuf::from("journal"), |segment| segment.path.clone());
            let problem = format!("the journal ends at sequence {last}, but had been durable up to {proven}");
            return Err(damaged(&path, last.saturating_add(1), &problem).into());
        }
        (end.sequence, end.leaf) = (last, check.last_leaf);
        Ok(JournalEnd { end, time: check.last_time, tail })
    }

    fn finish(&self, index: usize, walked: Walked, end: &mut End, tail: &mut Tail) {
        let Some(segment) = self.segments.get(index) else { return };
        if let Some(octets) = walked.torn {
            tail.torn = Some((name(&segment.path), octets));
        }
        if walked.groups > 0 {
            end.segment = Some(Extent { first: segment.header.first, length: walked.length });
            tail.cut = Some(segment.path.clone());
            tail.last_group = Some(walked.last_group);
        } else {
            end.segment = segment.header.previous;
            tail.empty.push(segment.path.clone());
            tail.cut = index.checked_sub(1).and_then(|before| self.segments.get(before)).map(|before| before.path.clone());
        }
    }

    fn walk<E: From<StoreError>>(
        &self,
        segment: &SegmentFile,
        limit: Option<Extent>,
        proven: u64,
        check: &mut ChainCheck,
        each: &mut dyn FnMut(ReadGroup) -> Result<(), E>,
    ) -> Result<Walked, E> {
        let octets = self.disk.read(&segment.path).map_err(|error| StoreError::Io { path: segment.path.clone(), error })?;
        let counts = match limit {
            None => octets.as_slice(),
            Some(extent) => usize::try_from(extent.length)
                .ok()
                .and_then(|length| octets.get(..length))
                .ok_or_else(|| damaged(&segment.path, check.last_sequence.saturating_add(1), "the file ends early"))?,
        };
        let sealer = SegmentSealer::new(&self.key, &segment.header.salt, segment.header.first).map_err(StoreError::from)?;
        let mut at = SEGMENT_HEADER_OCTETS;
        let mut groups = 0;
        let mut last_group = 0..0;
        let walked = |at: usize, groups, last: std::ops::Range<usize>, torn| {
            let last_group = (last.start as u64, counts.get(last).unwrap_or_default().to_vec());
            Walked { length: at as u64, groups, last_group, torn }
        };
        loop {
            let rest = counts.get(at..).unwrap_or_default();
            let expected = check.last_sequence.saturating_add(1);
            if rest.is_empty() || (limit.is_none() && is_zero(rest)) {
                return Ok(walked(at, groups, last_group, None));
            }
            let group = match read_group(rest) {
                Ok(group) => group,
                Err(error) if limit.is_some() || expected <= proven || proves_durable(rest, expected) => {
                    return Err(damaged(&segment.path, expected, problem_of(&error)).into());
                }
                Err(_) => return Ok(walked(at, groups, last_group, Some(used(rest)))),
            };
            if group.header.first != expected || group.header.previous_durable != check.last_sequence || group.header.count == 0 {
                return Err(damaged(&segment.path, expected, "the group does not continue the one before").into());
            }
            let frames = group.open(&sealer).map_err(|error| of_frame(&segment.path, &error))?;
            for frame in &frames {
                check.accept(frame).map_err(|problem| damaged(&segment.path, frame.sequence, problem))?;
            }
            last_group = at..at.saturating_add(group.length);
            at = last_group.end;
            groups += 1;
            let restores = if groups == 1 { segment.header.restores } else { None };
            each(ReadGroup { segment: name(&segment.path), header: group.header, frames, restores })?;
        }
    }

    /// A last file whose header never got to the disk holds nothing; one that lost its header is damage.
    fn check_unborn(&self, proven: u64, tail: &mut Tail) -> Result<(), StoreError> {
        let Some((first, path)) = &self.unborn else { return Ok(()) };
        let octets = self.disk.read(path).map_err(|error| StoreError::Io { path: path.clone(), error })?;
        if *first <= proven || proves_durable(&octets, 0) {
            return Err(damaged(path, *first, "the segment's header"));
        }
        if !is_zero(&octets) {
            tail.torn = Some((name(path), used(&octets)));
        }
        tail.empty.push(path.clone());
        Ok(())
    }
}

struct Walked {
    length: u64,
    groups: u64,
    /// Where the last group stands, and its octets.
    last_group: (u64, Vec<u8>),
    torn: Option<u64>,
}

/// The identity in the oldest intact header: stands in for a damaged `format` file.
pub(super) fn identity_of_journal(disk: &dyn Disk, folder: &Path) -> Result<Option<Identity>, StoreError> {
    for (_, path) in list(disk, folder)? {
        if let Some(header) = read_header(disk, &path)? {
            return Ok(Some(header.identity));
        }
    }
    Ok(None)
}

fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let paths = disk.list(folder).map_err(|error| StoreError::Io { path: folder.to_owned(), error })?;
    let mut files: Vec<(u64, PathBuf)> =
        paths.into_iter().filter_map(|path| Some((first_of_name(path.file_name()?.to_str()?)?, path))).collect();
    files.sort();
    Ok(files)
}

fn read_header(disk: &dyn Disk, path: &Path) -> Result<Option<SegmentHeader>, StoreError> {
    let octets = disk.read_front(path, SEGMENT_HEADER_OCTETS).map_err(|error| StoreError::Io { path: path.to_owned(), error })?;
    SegmentHeader::decode(&octets, path)
}

fn check_header(header: &SegmentHeader, first: u64, previous: Option<u64>, identity: &Identity) -> Result<(), &'static str> {
    if header.identity != *identity {
        return Err("the segment belongs to another installation");
    }
    if header.first != first {
        return Err("the segment's name is not that in its header");
    }
    if header.restores.is_some_and(|restored| restored >= first) {
        return Err("the segment restores what comes after it");
    }
    match (header.previous.map(|extent| extent.first), previous) {
        (None, None) if first == 1 => Ok(()),
        (Some(named), Some(present)) if named == present => Ok(()),
        _ => Err("the segment before is missing"),
    }
}

/// Whether an intact group follows that was written when sequence `expected` was durable already.
fn proves_durable(octets: &[u8], expected: u64) -> bool {
    let Some((first, _)) = GROUP_MAGIC.split_first() else { return false };
    let mut rest = octets;
    while let Some(at) = rest.iter().position(|octet| octet == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(&GROUP_MAGIC)
            && read_group_header(rest).is_some_and(|(header, _)| header.previous_durable >= expected)
        {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

fn is_zero(octets: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    octets.chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk))
}

/// Octets up to the last that is not zero.
fn used(octets: &[u8]) -> u64 {
    octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last as u64 + 1)
}

fn problem_of(error: &FrameError) -> &'static str {
    match error {
        FrameError::Incomplete => "the group ends early",
        FrameError::Damaged { problem, .. } => problem,
    }
}

fn of_frame(path: &Path, error: &FrameError) -> StoreError {
    match error {
        FrameError::Incomplete => damaged(path, 0, problem_of(error)),
        FrameError::Damaged { sequence, problem } => damaged(path, *sequence, problem),
    }
}

fn damaged(path: &Path, sequence: u64, problem: &str) -> StoreError {
    StoreError::Damaged { segment: name(path), sequence, problem: problem.to_owned() }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
