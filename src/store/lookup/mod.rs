//! Looking records up in the journal, beside whoever writes it.
//!
//! ```text
//! question ─► segments whose sequences and time may hold answers ─► index: which groups ─► groups read, opened, judged one by one
//! ```
//! A closed segment's index is a sealed file, made from the segment where it is missing; the newest segment's is in memory and grows as
//! the segment does. Neither is trusted: what it names is read with its checksum and seals, and judged by the question itself.

mod built;
mod file;
mod gaps;
mod index;
mod runs;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use built::Built;
use file::{IndexFile, Of, index_name};
use index::{Building, Lookup, Place, candidates};
use runs::runs;

use super::StoreError;
use super::header::{Extent, SEGMENT_HEADER_OCTETS, SegmentHeader, first_of_name};
use super::keys::Keys;
use super::mark::marked;
use super::open::opened_keys;
use super::reader::{Damage, JournalReader};
use super::seal::SegmentSealer;
use crate::journal::query::{FoundRecord, LookupRequest, Query, ReadRecord, gap_term};
use crate::journal::{Frame, FrameError, read_group};
use crate::store::StoreOptions;

/// How often it is begun anew where files change under the reader.
const TRIES: u32 = 3;

const INDEX_FOLDER: &str = "index";
const JOURNAL_FOLDER: &str = "journal";

/// An index cannot be read: it is made anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct IndexError;

/// A part of an answer.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order asked for.
    pub records: Vec<FoundRecord>,
    /// Where to go on; none: that was all.
    pub next: Option<u64>,
    /// Records that were read for it.
    pub read: u64,
    /// What could not be read.
    pub damages: Vec<Damage>,
}

impl Found {
    fn is_enough(&self, request: &LookupRequest) -> bool {
        self.records.len() >= request.most_found || self.read >= request.most_read
    }
}

/// What the journal's segments come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SegmentFacts {
    /// Sequence of the first record.
    pub first: u64,
    /// How many records.
    pub records: u64,
    /// Octets of the file that count.
    pub octets: u64,
    /// Time of the first record and of the last group, microseconds.
    pub times: Option<(i64, i64)>,
    /// Octets of its index's file; 0: it is in memory.
    pub index_octets: u64,
}

/// Looks records up. Cheap to keep: the newest segment's index stays in memory.
pub struct JournalLookup {
    options: StoreOptions,
    /// Missing indexes are written where they belong.
    writes: bool,
    keys: Option<Keys>,
    segments: Vec<Segment>,
    /// Of segments without an index file.
    built: HashMap<u64, Built>,
}

/// A segment as its header, and the next one's, tell.
#[derive(Clone)]
struct Segment {
    path: PathBuf,
    header: Option<SegmentHeader>,
    /// Where it ends; none: it is the newest.
    end: Option<Extent>,
    /// The first sequence of the next one.
    next: Option<u64>,
}

enum Index<'a> {
    Built(&'a Building),
    File(Box<IndexFile>),
}

impl Index<'_> {
    fn lookup(&self) -> &dyn Lookup {
        match self {
            Index::Built(index) => *index,
            Index::File(index) => &**index,
        }
    }
}

impl JournalLookup {
    /// Of the journal of a data folder. `writes`: whoever asks holds the folder, and index files that are missing are written.
    pub fn new(options: StoreOptions, writes: bool) -> JournalLookup {
        JournalLookup { options, writes, keys: None, segments: Vec::new(), built: HashMap::new() }
    }

    /// Reads the next part of an answer. Reads files, so it takes its time.
    pub fn find(&mut self, request: &LookupRequest) -> Result<Found, StoreError> {
        for _ in 1..TRIES {
            match self.try_find(request) {
                // Sealed anew, or renamed, since it was listed.
                Err(StoreError::WrongKey { .. } | StoreError::Io { .. }) => self.forget(),
                other => return other,
            }
        }
        self.try_find(request)
    }

    /// Writes the index of one closed segment that has none. `false`: all have one.
    pub fn write_missing(&mut self) -> Result<bool, StoreError> {
        let written = self.try_write_missing();
        if written.is_err() {
            // Sealed anew, perhaps: the next look lists what there is.
            self.forget();
        }
        written
    }

    fn try_write_missing(&mut self) -> Result<bool, StoreError> {
        self.refresh()?;
        for segment in self.segments.clone() {
            let (Some(header), Some(end)) = (&segment.header, segment.end) else { continue };
            let keys = self.keys()?;
            let path = self.index_path(header.first);
            if IndexFile::open(&self.options.disk, &path, Of { header, length: end.length }, &keys).is_none() {
                self.built.remove(&header.first);
                self.extend(&segment, u64::MAX)?;
                self.write(&segment)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first sequence that there is.
    pub fn first(&mut self) -> Result<u64, StoreError> {
        if self.segments.is_empty() {
            self.refresh()?;
        }
        Ok(self.segments.first().and_then(|segment| first_of_name(&name(segment))).unwrap_or(1))
    }

    /// What there is, oldest first.
    pub fn segments(&mut self) -> Result<Vec<SegmentFacts>, StoreError> {
        self.refresh()?;
        let durable = self.durable()?;
        let mut facts = Vec::new();
        for segment in self.segments.clone() {
            let Some(header) = &segment.header else { continue };
            let index_octets = self.options.disk.length(&self.index_path(header.first)).unwrap_or(0);
            let octets = segment.end.map(|end| end.length);
            let first = header.first;
            let index = self.index(&segment, durable)?;
            let lookup = index.lookup();
            let groups = lookup.groups();
            let ends: Vec<u32> = [0, groups.saturating_sub(1)].into_iter().filter(|_| groups > 0).collect();
            let places = lookup.places(&ends).unwrap_or_default();
            let (front, last) = (places.first(), places.last());
            facts.push(SegmentFacts {
                first,
                records: last.map_or(0, |last| (last.first + u64::from(last.records)).saturating_sub(first)),
                octets: octets.unwrap_or_else(|| last.map_or(0, |last| last.offset + u64::from(last.length))),
                times: front.zip(last).map(|(front, last)| (front.time, last.time)),
                index_octets: if segment.end.is_some() { index_octets } else { 0 },
            });
        }
        Ok(facts)
    }

    fn forget(&mut self) {
        self.keys = None;
        self.segments.clear();
        self.built.clear();
    }

    fn keys(&mut self) -> Result<Keys, StoreError> {
        if let Some(keys) = &self.keys {
            return Ok(keys.clone());
        }
        let (keys, _) = opened_keys(&self.options)?;
        self.keys = Some(keys.clone());
        Ok(keys)
    }

    fn index_path(&self, first: u64) -> PathBuf {
        self.options.data.join(INDEX_FOLDER).join(index_name(first))
    }

    /// The last sequence whose group was synced.
    fn durable(&mut self) -> Result<u64, StoreError> {
        let identity = self.keys()?.identity();
        match marked(&*self.options.disk, &self.options.data.join(JOURNAL_FOLDER), &identity) {
            // There is no mark: nothing says that a group was not.
            0 => Ok(u64::MAX),
            durable => Ok(durable),
        }
    }

    /// Lists the segments, and reads their headers where there are other ones than before.
    fn refresh(&mut self) -> Result<(), StoreError> {
        let folder = self.options.data.join(JOURNAL_FOLDER);
        let keys = self.keys()?;
        let paths = self.options.disk.list(&folder).map_err(|error| StoreError::Io { path: folder.clone(), error })?;
        let names: Vec<&PathBuf> = paths.iter().filter(|path| path.extension().is_some_and(|it| it == "segment")).collect();
        if !self.segments.is_empty() && names.iter().copied().eq(self.segments.iter().map(|segment| &segment.path)) {
            return Ok(());
        }
        let reader = JournalReader::new(Arc::clone(&self.options.disk), &folder, &keys)?;
        let files = reader.files();
        let mut segments: Vec<Segment> = Vec::with_capacity(files.len());
        for (path, header, _) in files {
            if let (Some(before), Some(header)) = (segments.last_mut(), header) {
                before.end = header.previous.filter(|end| before.header.as_ref().is_some_and(|it| it.first == end.first));
                before.next = Some(header.first);
            }
            segments.push(Segment { path: path.to_owned(), header: header.cloned(), end: None, next: None });
        }
        // What was the newest has come to its end, and may be shorter than it was thought.
        let closed = |first: &u64| segments.iter().any(|it| it.end.is_some_and(|end| end.first == *first));
        self.built.retain(|first, _| !closed(first));
        self.segments = segments;
        Ok(())
    }

    fn try_find(&mut self, request: &LookupRequest) -> Result<Found, StoreError> {
        // What was durable before is there when it is read.
        let durable = self.durable()?;
        self.refresh()?;
        let mut found = Found::default();
        let mut segments = self.segments.clone();
        if request.backwards {
            segments.reverse();
        }
        for segment in segments {
            let Some(header) = &segment.header else {
                found.damages.push(damage(&segment, "the segment's header"));
                continue;
            };
            let is_over = match (request.backwards, request.from) {
                (false, Some(from)) => segment.next.is_some_and(|next| next <= from.saturating_add(1)),
                (true, Some(from)) => header.first >= from,
                (_, None) => false,
            };
            if !is_over && self.find_in(&segment, request, durable, &mut found)? {
                return Ok(found);
            }
        }
        found.next = None;
        Ok(found)
    }

    /// `true`: as much was found or read as was wanted.
    fn find_in(
        &mut self,
        segment: &Segment,
        request: &LookupRequest,
        durable: u64,
        found: &mut Found,
    ) -> Result<bool, StoreError> {
        let mut asked = request.clone();
        let is_enough = loop {
            match self.find_some(segment, &asked, durable, found)? {
                Some(from) => asked.from = Some(from),
                None if found.is_enough(request) => break true,
                None => break false,
            }
        };
        let passed = found.next.filter(|_| is_enough);
        let gaps = self.ask(segment, durable, |index| gaps::passed(index, segment, request, passed))?;
        found.damages.extend(gaps.unwrap_or_else(|IndexError| vec![damage(segment, "its index")]));
        Ok(is_enough)
    }

    /// Where to go on in the segment, if more of it is to be looked at.
    fn find_some(
        &mut self,
        segment: &Segment,
        request: &LookupRequest,
        durable: u64,
        found: &mut Found,
    ) -> Result<Option<u64>, StoreError> {
        let Some(header) = &segment.header else { return Ok(None) };
        let key = self.keys()?.of(&header.identity, &segment.path)?;
        let sealer = SegmentSealer::new(&key, &header.salt, header.first)?;
        let Ok((places, goes_on)) = self.ask(segment, durable, |index| places(index, request))? else {
            found.damages.push(damage(segment, "its index"));
            return Ok(None);
        };
        let runs = runs(&places, request.backwards);
        for run in runs {
            let (Some(front), Some(last)) = (run.first(), run.last()) else { continue };
            let length = usize::try_from(last.offset + u64::from(last.length) - front.offset).unwrap_or(usize::MAX);
            let octets = self.options.disk.read_part(&segment.path, front.offset, length);
            let octets = octets.map_err(|error| StoreError::Io { path: segment.path.clone(), error })?;
            let in_order: Box<dyn Iterator<Item = &Place>> =
                if request.backwards { Box::new(run.iter().rev()) } else { Box::new(run.iter()) };
            for place in in_order {
                let start = usize::try_from(place.offset - front.offset).unwrap_or(usize::MAX);
                match open_group(octets.get(start..).unwrap_or_default(), place, &sealer) {
                    Ok(frames) => {
                        if take(frames, request, durable, found) {
                            return Ok(None);
                        }
                    }
                    Err(_) if self.is_sealed_anew(segment)? => return Err(sealed_anew(segment)),
                    Err(problem) => found.damages.push(Damage {
                        segment: name(segment),
                        sequences: (place.first, place.first + u64::from(place.records) - 1),
                        problem: problem.to_owned(),
                    }),
                }
            }
        }
        Ok(goes_on)
    }

    /// Whether the file is another one than that whose header was read: a rotation of the key puts a new one in its place, under the same name.
    fn is_sealed_anew(&self, segment: &Segment) -> Result<bool, StoreError> {
        let octets = self.options.disk.read_front(&segment.path, SEGMENT_HEADER_OCTETS);
        let octets = octets.map_err(|error| StoreError::Io { path: segment.path.clone(), error })?;
        let now = SegmentHeader::decode(&octets, &segment.path)?;
        Ok(now.map(|header| header.salt) != segment.header.as_ref().map(|header| header.salt))
    }

    /// Asks a segment's index; where its file, which only closed segments have, cannot be read: what the segment itself says.
    fn ask<T>(
        &mut self,
        segment: &Segment,
        durable: u64,
        question: impl Fn(&dyn Lookup) -> Result<T, IndexError>,
    ) -> Result<Result<T, IndexError>, StoreError> {
        if let Ok(answer) = question(self.index(segment, durable)?.lookup()) {
            return Ok(Ok(answer));
        }
        tracing::warn!(segment = name(segment), "the index of a segment cannot be read: the segment itself is read");
        Ok(question(self.extend(segment, u64::MAX)?))
    }

    fn index(&mut self, segment: &Segment, durable: u64) -> Result<Index<'_>, StoreError> {
        let (Some(header), Some(end)) = (&segment.header, segment.end) else {
            return self.extend(segment, durable).map(Index::Built);
        };
        let keys = self.keys()?;
        let of = Of { header, length: end.length };
        if let Some(file) = IndexFile::open(&self.options.disk, &self.index_path(header.first), of, &keys) {
            return Ok(Index::File(Box::new(file)));
        }
        self.extend(segment, u64::MAX)?;
        if self.writes {
            self.write(segment)?;
            if let Some(file) = IndexFile::open(&self.options.disk, &self.index_path(header.first), of, &keys) {
                return Ok(Index::File(Box::new(file)));
            }
        }
        self.extend(segment, u64::MAX).map(Index::Built)
    }

    /// Writes what was built of a closed segment, and lets go of it.
    fn write(&mut self, segment: &Segment) -> Result<(), StoreError> {
        let (Some(header), Some(end)) = (&segment.header, segment.end) else { return Ok(()) };
        let folder = self.options.data.join(INDEX_FOLDER);
        self.options.disk.create_folder(&folder).map_err(|error| StoreError::Io { path: folder, error })?;
        let Some(built) = self.built.remove(&header.first) else { return Ok(()) };
        let path = self.index_path(header.first);
        let of = Of { header, length: end.length };
        let keys = self.keys()?;
        file::write(&built.index, of, &keys, &*self.options.disk, &*self.options.entropy, &path)
    }

    /// The index in memory of a segment, brought up to its end.
    fn extend(&mut self, segment: &Segment, durable: u64) -> Result<&Building, StoreError> {
        let keys = self.keys()?;
        let disk = Arc::clone(&self.options.disk);
        let first = segment.header.as_ref().map_or(0, |header| header.first);
        let built = self.built.entry(first).or_insert_with(|| Built {
            index: Building::default(),
            offset: SEGMENT_HEADER_OCTETS as u64,
            is_whole: false,
            has_closed_groups: false,
        });
        if let Some(header) = segment.header.as_ref().filter(|_| !built.is_whole) {
            let key = keys.of(&header.identity, &segment.path)?;
            let sealer = SegmentSealer::new(&key, &header.salt, header.first)?;
            built.extend(&*disk, segment, &sealer, durable)?;
            built.is_whole = segment.end.is_some();
            if built.is_whole && segment.next.is_some_and(|next| built.index.end(header.first) < next) {
                built.index.mark(gap_term());
            }
            let has_closed_groups = std::mem::take(&mut built.has_closed_groups);
            if has_closed_groups && self.is_sealed_anew(segment)? {
                self.built.remove(&first);
                return Err(sealed_anew(segment));
            }
        }
        self.built.get(&first).map(|built| &built.index).ok_or_else(|| sealed_anew(segment))
    }
}

/// Tells [`JournalLookup::find`] to begin anew.
fn sealed_anew(segment: &Segment) -> StoreError {
    StoreError::Io { path: segment.path.clone(), error: std::io::Error::other("it is being sealed under another key") }
}

/// The groups that may hold answers, ascending, and whether there are more of them: where to go on.
fn places(index: &dyn Lookup, request: &LookupRequest) -> Result<(Vec<Place>, Option<u64>), IndexError> {
    let range = range(index, request)?;
    let all = candidates(index, &request.query.terms(), range)?;
    let ordinals = bounded(&all, request);
    let places = index.places(ordinals)?;
    let end = if request.backwards { places.first() } else { places.last() };
    let end = end.filter(|_| ordinals.len() < all.len());
    let goes_on = end.map(|place| if request.backwards { place.first } else { place.end().saturating_sub(1) });
    Ok((places, goes_on))
}

/// The groups of the times and sequences asked for.
fn range(index: &dyn Lookup, request: &LookupRequest) -> Result<std::ops::Range<u32>, IndexError> {
    let Query { since, until, .. } = request.query;
    // A group holds what came between its time and that of the next.
    let begin = match since {
        Some(since) => index.partition(&|place| place.time > since.0)?.saturating_sub(1),
        None => 0,
    };
    let end = match until {
        Some(until) => index.partition(&|place| place.time >= until.0)?,
        None => index.groups(),
    };
    let (begin, end) = match (request.from, request.backwards) {
        (None, _) => (begin, end),
        (Some(from), false) => {
            (begin.max(index.partition(&|place| place.first + u64::from(place.records) > from.saturating_add(1))?), end)
        }
        (Some(from), true) => (begin, end.min(index.partition(&|place| place.first >= from)?)),
    };
    Ok(begin..end.max(begin))
}

/// Of so many groups no more is looked at than records may be read: each has at least one.
fn bounded<'a>(ordinals: &'a [u32], request: &LookupRequest) -> &'a [u32] {
    let most = usize::try_from(request.most_read).unwrap_or(usize::MAX).saturating_add(1);
    if request.backwards {
        ordinals.get(ordinals.len().saturating_sub(most)..).unwrap_or(ordinals)
    } else {
        ordinals.get(..most).unwrap_or(ordinals)
    }
}

fn open_group(octets: &[u8], place: &Place, sealer: &SegmentSealer) -> Result<Vec<Frame>, &'static str> {
    let problem = |error: FrameError| match error {
        FrameError::Incomplete => "the group ends early",
        FrameError::Damaged { problem, .. } => problem,
    };
    let group = read_group(octets).map_err(problem)?;
    if group.header.first != place.first {
        return Err("the group is not the one that the index names");
    }
    group.open(sealer).map_err(problem)
}

/// Takes what answers the question. `true`: enough was found or read.
fn take(frames: Vec<Frame>, request: &LookupRequest, durable: u64, found: &mut Found) -> bool {
    let mut lines: Vec<String> = frames.iter().flat_map(Frame::lines).map(str::to_owned).collect();
    if request.backwards {
        lines.reverse();
    }
    for line in lines {
        let Some(record) = ReadRecord::parse(&line) else { continue };
        let sequence = record.sequence;
        let was_seen = request.from.is_some_and(|from| if request.backwards { sequence >= from } else { sequence <= from });
        if was_seen || sequence > durable {
            continue;
        }
        found.read += 1;
        found.next = Some(sequence);
        if request.query.matches(&record) {
            found.records.push(FoundRecord { record, line });
        }
        if found.is_enough(request) {
            return true;
        }
    }
    false
}

fn damage(segment: &Segment, problem: &str) -> Damage {
    let first = segment.header.as_ref().map_or(0, |header| header.first);
    let last = segment.next.map_or(first, |next| next.saturating_sub(1));
    Damage { segment: name(segment), sequences: (first, last), problem: problem.to_owned() }
}

fn name(segment: &Segment) -> String {
    segment.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
