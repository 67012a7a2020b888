//! Reading the journal: which segments there are, what counts of them, and every group in order, verified.
//!
//! A segment with another one behind it is read up to the length that one's header names, strictly: anything else is damage. The last
//! segment ends where only zeros follow. A group that does not fit there is a torn tail, unless something proves that it had been
//! durable: an intact group behind it, or the checkpoint.
//!
//! Damage before the first sequence that is asked for is told and stepped over: whoever asks has the content of that time from elsewhere,
//! the checkpoint or a snapshot. Only the records in it are lost.

mod closed;
mod octets;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::disk::is_of_medium;
use super::header::{Extent, SEGMENT_HEADER_OCTETS, SegmentHeader, first_of_name, segment_name};
use super::identity::Identity;
use super::keys::Keys;
use super::seal::SegmentSealer;
use super::segment::End;
use crate::journal::{ChainCheck, Frame, FrameError, GroupHeader, LineStamp, read_group};
use crate::world::Disk;
use octets::{find_group, is_zero, proves_durable, used};

/// Octets that the record of a restore, alone in its group, stays far below.
const FIRST_GROUP_OCTETS: usize = 256 * 1024;

/// Where the journal is and what opens it.
#[derive(Clone)]
pub(super) struct JournalSource {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) keys: Keys,
}

impl JournalSource {
    /// Reads the headers of what is there now.
    pub(super) fn reader(&self) -> Result<JournalReader, StoreError> {
        JournalReader::new(Arc::clone(&self.disk), &self.folder, &self.keys)
    }
}

/// The journal's segments, headers checked.
pub(super) struct JournalReader {
    disk: Arc<dyn Disk>,
    keys: Keys,
    identity: Identity,
    segments: Vec<SegmentFile>,
    /// A last file without an intact header.
    unborn: Option<(u64, PathBuf)>,
}

struct SegmentFile {
    /// As its name says.
    first: u64,
    path: PathBuf,
    /// None where it is damaged.
    header: Option<SegmentHeader>,
}

/// Damage that was stepped over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// File name.
    pub segment: String,
    /// First and last sequence that cannot be read.
    pub sequences: (u64, u64),
    /// What does not fit.
    pub problem: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Damage { segment, sequences: (first, last), problem } = self;
        write!(f, "{segment}: damaged at sequence {first}: {problem}; records {first} to {last} are lost")
    }
}

impl Damage {
    /// Whether something is missing, as opposed to not being what it was.
    pub fn is_gap(&self) -> bool {
        is_gap(&self.problem)
    }
}

/// Whether a problem is that something is missing.
pub fn is_gap(problem: &str) -> bool {
    ["is missing", "ends early", "was cut off"].iter().any(|words| problem.contains(words))
}

/// A group read and verified.
pub(super) struct ReadGroup {
    pub(super) segment: String,
    pub(super) header: GroupHeader,
    pub(super) frames: Vec<Frame>,
    /// It is the record of a restore to this sequence.
    pub(super) restores: Option<u64>,
    /// Where it ends in its file.
    pub(super) end: u64,
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
    /// What was stepped over.
    pub(super) damages: Vec<Damage>,
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
    /// Lists the segments. A damaged header is an error only for who reads that segment; one that names a key which is not there is an
    /// error in any case.
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path, keys: &Keys) -> Result<JournalReader, StoreError> {
        let identity = keys.identity();
        let files = list(&*disk, folder)?;
        let mut segments: Vec<SegmentFile> = Vec::with_capacity(files.len());
        let mut unborn = None;
        for (index, (first, path)) in files.iter().enumerate() {
            let header = read_header(&*disk, path)?;
            if let Some(header) = header.as_ref().filter(|header| header.identity.is_of(&identity)) {
                keys.of(&header.identity, path)?;
            }
            if header.is_none() && index + 1 == files.len() {
                unborn = Some((*first, path.clone()));
            } else {
                segments.push(SegmentFile { first: *first, path: path.clone(), header });
            }
        }
        Ok(JournalReader { disk, keys: keys.clone(), identity, segments, unborn })
    }

    /// Reads every group from the segment that holds sequence `from` on. `proven`: the last sequence something else proves to have been
    /// durable.
    pub(super) fn read<E: From<StoreError>>(
        &self,
        from: u64,
        proven: u64,
        each: &mut dyn FnMut(ReadGroup) -> Result<(), E>,
    ) -> Result<JournalEnd, E> {
        self.read_needed(from, proven, &[from..=u64::MAX], each)
    }

    /// The same for who has to know what there is and not what it comes to: damage before the last segment's end is stepped over
    /// everywhere.
    pub(super) fn read_around<E: From<StoreError>>(
        &self,
        from: u64,
        each: &mut dyn FnMut(ReadGroup) -> Result<(), E>,
    ) -> Result<JournalEnd, E> {
        self.read_needed(from, 0, &[], each)
    }

    /// The same for who needs some sequences: damage to others is stepped over.
    pub(super) fn read_needed<E: From<StoreError>>(
        &self,
        from: u64,
        proven: u64,
        needed: &[RangeInclusive<u64>],
        each: &mut dyn FnMut(ReadGroup) -> Result<(), E>,
    ) -> Result<JournalEnd, E> {
        let from = from.max(1);
        let start = self.segments.iter().rposition(|segment| segment.first <= from).unwrap_or(0);
        let mut state = Reading {
            check: ChainCheck::default(),
            needed: needed.to_vec(),
            proven,
            damages: self.damages_before(start),
            gap: false,
        };
        let (mut end, mut tail) = (End::default(), Tail::default());
        // A file is made when everything before its first sequence is durable, even where its header never got to the disk.
        let named = self.unborn.as_ref().map_or(0, |(first, _)| first.saturating_sub(1));
        let unborn = match self.check_unborn(proven, &mut tail) {
            // Whoever wants all there is hears of it when the rest is read.
            Err(error) if needed.is_empty() => Some(error),
            other => other.map(|()| None)?,
        };
        state.proven = proven.max(named);
        for (index, segment) in self.segments.iter().enumerate().skip(start) {
            let Some(header) = self.enter(index, index == start, from, &mut state)? else { continue };
            end.segment = if index == start { header.previous } else { end.segment };
            let next = self.segments.get(index + 1);
            let limit =
                next.map(|next| next.header.as_ref().and_then(|header| header.previous).filter(|it| it.first == segment.first));
            let walked = self.walk(segment, header, limit, &mut state, each)?;
            match limit {
                None => self.finish(index, header, walked, &mut end, &mut tail),
                Some(_) => end.segment = Some(Extent { first: segment.first, length: walked.length }),
            }
        }
        if let Some(error) = unborn {
            return Err(error.into());
        }
        let last = state.check.last_sequence;
        if last < state.proven {
            let path = self.segments.last().map_or_else(|| PathBuf::from("journal"), |segment| segment.path.clone());
            let problem = format!(
                "the journal ends at sequence {last}, but had been durable up to {}: its end was cut off, or a segment behind it is missing",
                state.proven
            );
            return Err(damaged(&path, last.saturating_add(1), &problem).into());
        }
        (end.sequence, end.leaf) = (last, state.check.last_leaf);
        Ok(JournalEnd { end, time: state.check.last_time, tail, damages: state.damages })
    }

    /// Checks that a segment continues the one before. None: its header is damaged, and that was stepped over.
    fn enter(&self, index: usize, is_start: bool, from: u64, state: &mut Reading) -> Result<Option<&SegmentHeader>, StoreError> {
        let Some(segment) = self.segments.get(index) else { return Ok(None) };
        let previous = index.checked_sub(1).and_then(|before| self.segments.get(before)).map(|before| before.first);
        let checked = match &segment.header {
            None => Err("the segment's header"),
            Some(header) => check_header(header, segment.first, &self.identity).map(|()| header),
        };
        let header = match checked {
            Ok(header) => header,
            Err(problem) => {
                let next = self.segments.get(index + 1).map(|next| next.first);
                state.step_over(segment, segment.first, next, problem)?;
                state.gap = true;
                return Ok(None);
            }
        };
        let check = &state.check;
        let missing = || header.previous.map_or("before".to_owned(), |extent| format!("before, {},", segment_name(extent.first)));
        let problem = if is_start && header.first > from {
            Some(format!("the segment {} is missing", missing()))
        } else if is_start
            || state.gap
            || check.last_sequence == header.first.saturating_sub(1) && check.last_leaf == header.leaf_before
        {
            None
        } else if header.previous.map(|extent| extent.first) != previous {
            Some(format!("the segment {} is missing", missing()))
        } else {
            Some("the segment does not continue the one before".to_owned())
        };
        if let Some(problem) = problem {
            let expected = if is_start { from } else { check.last_sequence.saturating_add(1) };
            state.step_over(segment, expected, Some(header.first.max(expected.saturating_add(1))), &problem)?;
        }
        state.gap = false;
        state.check.last_sequence = header.first.saturating_sub(1);
        state.check.last_leaf = header.leaf_before;
        Ok(Some(header))
    }

    /// What is wrong with the headers of segments that are not read.
    fn damages_before(&self, start: usize) -> Vec<Damage> {
        let mut damages = Vec::new();
        for (index, segment) in self.segments.iter().enumerate().take(start) {
            let next = self.segments.get(index + 1).map_or(segment.first, |next| next.first.saturating_sub(1));
            let problem = match &segment.header {
                None => Err("the segment's header"),
                Some(header) => check_header(header, segment.first, &self.identity),
            };
            if let Err(problem) = problem {
                let sequences = (segment.first, next);
                damages.push(Damage { segment: name(&segment.path), sequences, problem: problem.to_owned() });
            }
        }
        damages
    }

    fn finish(&self, index: usize, header: &SegmentHeader, walked: Walked, end: &mut End, tail: &mut Tail) {
        let Some(segment) = self.segments.get(index) else { return };
        if let Some(octets) = walked.torn {
            tail.torn = Some((name(&segment.path), octets));
        }
        if walked.groups > 0 {
            end.segment = Some(Extent { first: header.first, length: walked.length });
            tail.cut = Some(segment.path.clone());
            tail.last_group = Some(walked.last_group);
        } else {
            end.segment = header.previous;
            tail.empty.push(segment.path.clone());
            tail.cut = index.checked_sub(1).and_then(|before| self.segments.get(before)).map(|before| before.path.clone());
        }
    }

    /// `limit`: none in the last segment; the next one's word on where this one ends, where that can be read.
    fn walk<E: From<StoreError>>(
        &self,
        segment: &SegmentFile,
        header: &SegmentHeader,
        limit: Option<Option<Extent>>,
        state: &mut Reading,
        each: &mut dyn FnMut(ReadGroup) -> Result<(), E>,
    ) -> Result<Walked, E> {
        let octets = match self.disk.read(&segment.path) {
            Ok(octets) => octets,
            Err(error) => {
                self.step_over_unreadable(segment, error, state)?;
                return Ok(Walked { length: SEGMENT_HEADER_OCTETS as u64, ..Walked::default() });
            }
        };
        // A file that was just written anew has a header of its own.
        let now = SegmentHeader::decode(&octets, &segment.path)?.filter(|now| now.is_of_segment(header));
        let header = now.as_ref().unwrap_or(header);
        let length = limit.flatten().map_or(octets.len(), |extent| usize::try_from(extent.length).unwrap_or(usize::MAX));
        let counts = octets.get(..length).unwrap_or(&octets);
        let key = self.keys.of(&header.identity, &segment.path)?;
        let sealer = SegmentSealer::new(&key, &header.salt, header.first).map_err(StoreError::from)?;
        let end_of_segment = self.segments.iter().map(|next| next.first).find(|first| *first > segment.first);
        let mut walked = Walked { length: SEGMENT_HEADER_OCTETS as u64, ..Walked::default() };
        let mut at = SEGMENT_HEADER_OCTETS;
        loop {
            let rest = counts.get(at..).unwrap_or_default();
            let expected = state.check.last_sequence.saturating_add(1);
            if limit == Some(None) && end_of_segment.is_some_and(|end| expected >= end) {
                // What lies behind was given up; only the next header says where.
                return Ok(walked);
            }
            if rest.is_empty() && counts.len() < length {
                state.step_over(segment, expected, end_of_segment, "the file ends early")?;
                state.gap = true;
                return Ok(walked);
            }
            if rest.is_empty() || (limit.flatten().is_none() && is_zero(rest)) {
                return Ok(walked);
            }
            let group = match self.open_group(segment, &sealer, rest, state) {
                Ok(group) => group,
                // Only in the last segment, where a group ends early or was written in part.
                Err(problem)
                    if problem.may_be_torn && limit.is_none() && expected > state.proven && !proves_durable(rest, expected) =>
                {
                    walked.torn = Some(used(rest));
                    return Ok(walked);
                }
                Err(problem) => {
                    let resumed = find_group(rest, expected);
                    let next = resumed.as_ref().map(|(_, first)| *first).or(end_of_segment);
                    state.step_over(segment, problem.sequence.max(expected), next, problem.problem)?;
                    let Some((skip, first)) = resumed else {
                        state.gap = true;
                        return Ok(walked);
                    };
                    at = at.saturating_add(skip);
                    state.resume(first, counts.get(at..).unwrap_or_default(), &sealer);
                    continue;
                }
            };
            let (mut group, length) = group;
            group.restores = header.restores.filter(|_| group.header.first == header.first);
            walked.last_group = (at as u64, rest.get(..length).unwrap_or_default().to_vec());
            at = at.saturating_add(length);
            group.end = at as u64;
            (walked.length, walked.groups) = (at as u64, walked.groups + 1);
            each(group)?;
        }
    }

    /// A segment that the disk does not give back: all of it is damaged.
    fn step_over_unreadable(&self, segment: &SegmentFile, error: std::io::Error, state: &mut Reading) -> Result<(), StoreError> {
        let next = self.segments.iter().map(|next| next.first).find(|first| *first > segment.first);
        if !is_of_medium(&error) {
            return Err(StoreError::Io { path: segment.path.clone(), error });
        }
        let expected = state.check.last_sequence.saturating_add(1);
        state.step_over(segment, expected, next, &format!("it cannot be read: {error}"))?;
        state.gap = true;
        Ok(())
    }

    /// The group at the front of `rest`, verified.
    fn open_group(
        &self,
        segment: &SegmentFile,
        sealer: &SegmentSealer,
        rest: &[u8],
        state: &mut Reading,
    ) -> Result<(ReadGroup, usize), Problem> {
        let expected = state.check.last_sequence.saturating_add(1);
        let sealed =
            read_group(rest).map_err(|error| Problem { sequence: expected, problem: problem_of(&error), may_be_torn: true })?;
        let fails = |sequence, problem| Problem { sequence, problem, may_be_torn: false };
        let header = sealed.header.clone();
        if header.first != expected || header.previous_durable != state.check.last_sequence || header.count == 0 {
            return Err(fails(expected, "the group does not continue the one before"));
        }
        let frames = sealed.open(sealer).map_err(|error| match error {
            FrameError::Incomplete => fails(expected, problem_of(&error)),
            FrameError::Damaged { sequence, problem } => fails(sequence, problem),
        })?;
        let mut check = state.check.clone();
        for frame in &frames {
            check.accept(frame).map_err(|problem| fails(frame.sequence, problem))?;
        }
        state.check = check;
        Ok((ReadGroup { segment: name(&segment.path), header, frames, restores: None, end: 0 }, sealed.length))
    }

    /// A last file whose header never got to the disk holds nothing; one that lost its header is damage.
    fn check_unborn(&self, proven: u64, tail: &mut Tail) -> Result<(), StoreError> {
        let Some((first, path)) = &self.unborn else { return Ok(()) };
        let octets = self.disk.read(path).map_err(|error| match is_of_medium(&error) {
            true => damaged(path, *first, &format!("it cannot be read: {error}")),
            false => StoreError::Io { path: path.clone(), error },
        })?;
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

impl SegmentHeader {
    /// Whether a header is of the same segment, however often that was written anew.
    fn is_of_segment(&self, other: &SegmentHeader) -> bool {
        self.first == other.first && self.leaf_before == other.leaf_before && self.identity.is_of(&other.identity)
    }
}

/// How far reading is.
struct Reading {
    check: ChainCheck,
    /// Damage to other sequences is stepped over.
    needed: Vec<RangeInclusive<u64>>,
    /// Up to here something else proves the journal to have been durable.
    proven: u64,
    damages: Vec<Damage>,
    /// What came before the next segment was stepped over: it need not continue anything.
    gap: bool,
}

/// Why a group cannot be read.
struct Problem {
    sequence: u64,
    problem: &'static str,
    /// It looks as a group does that was never written whole.
    may_be_torn: bool,
}

impl Reading {
    /// Notes damage from `sequence` up to where reading goes on, if nothing of that is needed; otherwise it is an error.
    fn step_over(&mut self, segment: &SegmentFile, sequence: u64, next: Option<u64>, problem: &str) -> Result<(), StoreError> {
        let touches = |range: &RangeInclusive<u64>, next: u64| sequence.min(next) <= *range.end() && *range.start() < next;
        let Some(next) = next.filter(|next| !self.needed.iter().any(|range| touches(range, *next))) else {
            return Err(damaged(&segment.path, sequence, problem));
        };
        let sequences = (sequence.min(next), next.saturating_sub(1).max(sequence));
        self.damages.push(Damage { segment: name(&segment.path), sequences, problem: problem.to_owned() });
        Ok(())
    }

    /// Goes on with the group at the front of `rest`, which says itself what it continues. Its seal shows that it stands where it was
    /// written; what is lost before it shows in the chain.
    fn resume(&mut self, first: u64, rest: &[u8], sealer: &SegmentSealer) {
        self.check.last_sequence = first.saturating_sub(1);
        let opened = read_group(rest).ok().and_then(|group| group.open(sealer).ok());
        let stamp = opened.as_deref().and_then(|frames| LineStamp::parse(frames.first()?.lines().next()?));
        if let Some(stamp) = stamp {
            self.check.last_leaf = stamp.previous;
        }
    }
}

#[derive(Default)]
struct Walked {
    length: u64,
    groups: u64,
    /// Where the last group stands, and its octets.
    last_group: (u64, Vec<u8>),
    torn: Option<u64>,
}

/// The identity in the newest intact header: stands in for a damaged `format` file.
pub(super) fn identity_of_journal(disk: &dyn Disk, folder: &Path) -> Result<Option<Identity>, StoreError> {
    for (_, path) in list(disk, folder)?.into_iter().rev() {
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
    match disk.read_front(path, SEGMENT_HEADER_OCTETS) {
        Ok(octets) => SegmentHeader::decode(&octets, path),
        Err(error) if is_of_medium(&error) => Ok(None),
        Err(error) => Err(StoreError::Io { path: path.to_owned(), error }),
    }
}

fn check_header(header: &SegmentHeader, first: u64, identity: &Identity) -> Result<(), &'static str> {
    if !header.identity.is_of(identity) {
        return Err("the segment belongs to another installation");
    }
    if header.first != first {
        return Err("the segment's name is not that in its header");
    }
    if header.restores.is_some_and(|restored| restored >= first) {
        return Err("the segment restores what comes after it");
    }
    Ok(())
}

fn problem_of(error: &FrameError) -> &'static str {
    match error {
        FrameError::Incomplete => "the group ends early",
        FrameError::Damaged { problem, .. } => problem,
    }
}

fn damaged(path: &Path, sequence: u64, problem: &str) -> StoreError {
    StoreError::Damaged { segment: name(path), sequence, problem: problem.to_owned() }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
