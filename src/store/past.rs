//! The content of a past moment, piece by piece, beside whoever writes the journal: for who does not want all of it in memory.
//!
//! ```text
//! newest whole snapshot on the way to the moment ─► its rows ─► the frames between it and the moment, in order
//! ```
//! Rows and frames are checked as at a start. A snapshot that turns out to be damaged is told by beginning anew without it.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use super::content::{Lineage, decode};
use super::keys::Keys;
use super::lines::sequence_at;
use super::mark::marked;
use super::open::{journal_folder, opened_keys};
use super::reader::{JournalReader, ReadGroup};
use super::snapshot::{self, SnapshotFile};
use super::{StoreError, StoreOptions};
use crate::directory::{Change, Digest, Directory, Row};
use crate::journal::{Frame, LineStamp};
use crate::model::Timestamp;

const SNAPSHOT_FOLDER: &str = "snapshots";

/// Which moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastTarget {
    /// After this record.
    Sequence(u64),
    /// After the last record that is not later.
    Time(Timestamp),
    /// After the last record of all.
    Newest,
}

/// A piece of the content.
#[derive(Debug)]
pub enum PastPiece<'a> {
    /// Here it begins; what was told before does not count. The sequence of the snapshot whose rows follow; none: there is none.
    Begin(Option<u64>),
    /// A row of the snapshot.
    Row(Row),
    /// A frame behind it, and its changes.
    Frame(&'a Frame, &'a [Change]),
}

/// Takes pieces.
pub type EachPiece<'a> = dyn FnMut(PastPiece<'_>) -> Result<(), StoreError> + 'a;

/// A moment whose content can be read.
pub struct Past {
    options: StoreOptions,
    keys: Keys,
    reader: JournalReader,
    lineage: Lineage,
    sequence: u64,
    time: Timestamp,
}

/// Why reading ends.
enum Stop {
    Enough,
    Error(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Error(error)
    }
}

impl Past {
    /// Finds the moment. An error where it is before the first record or behind the last one.
    pub fn open(options: &StoreOptions, target: PastTarget) -> Result<Past, StoreError> {
        let (keys, _) = opened_keys(options)?;
        let folder = journal_folder(options);
        let durable = marked(&*options.disk, &folder, &keys.identity());
        let reader = JournalReader::new(Arc::clone(&options.disk), &folder, &keys)?;
        let last = newest(&reader, durable)?;
        let wanted = match target {
            PastTarget::Newest => last,
            PastTarget::Sequence(wanted) => wanted,
            PastTarget::Time(time) => {
                let later = sequence_at(options, Timestamp(time.0.saturating_add(1)))?;
                later.map_or(last, |later| later.saturating_sub(1)).min(last)
            }
        };
        if wanted == 0 {
            return Err(StoreError::Content("nothing is recorded before that moment".to_owned()));
        }
        if wanted > last {
            return Err(StoreError::Content(format!("record {wanted} is beyond the end of the journal, which is {last}")));
        }
        let (sequence, time) = match around(&reader, wanted)? {
            Around { last, time, .. } if last == wanted => (wanted, time),
            // Everything of a transaction happens at once.
            Around { first, .. } if matches!(target, PastTarget::Time(_)) && first > 1 => {
                let before = first.saturating_sub(1);
                (before, around(&reader, before)?.time)
            }
            Around { first, last, .. } => {
                let before = first.saturating_sub(1);
                return Err(StoreError::Content(format!(
                    "record {wanted} is one of the transaction {first} to {last}, which happened at once: ask for {before} or for {last}"
                )));
            }
        };
        let lineage = Lineage::to(sequence, &reader.restores());
        Ok(Past { options: options.clone(), keys, reader, lineage, sequence, time })
    }

    /// The last record that counts.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its policy time.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Nothing yet, with the schema of the program and the indexes of the options.
    pub fn empty_directory(&self) -> Directory {
        let StoreOptions { schema, suffix, indexes, .. } = &self.options;
        Directory::new(Arc::clone(schema), suffix.clone(), indexes, self.keys.digest_key())
    }

    /// Hands over the content.
    pub fn read(&self, each: &mut EachPiece<'_>) -> Result<(), StoreError> {
        let snapshots = snapshot::list(&*self.options.disk, &self.options.data.join(SNAPSHOT_FOLDER))?;
        let on_the_way = |sequence: u64| sequence <= self.sequence && self.lineage.holds(sequence);
        for (_, path) in snapshots.into_iter().filter(|(sequence, _)| on_the_way(*sequence)) {
            match self.read_from(&path, each) {
                // Damaged, or gone since it was listed: the one before, or the journal alone, has the same.
                Err(StoreError::Snapshot { .. }) => {}
                Err(StoreError::Io { path: gone, .. }) if gone == path => {}
                other => return other,
            }
        }
        each(PastPiece::Begin(None))?;
        self.read_frames(0, &mut |_| Ok(()), each)
    }

    /// Hands over the frames that led to the content after record `until`, as far as the journal still has them. Damage is stepped over.
    pub fn read_before(&self, until: u64, each: &mut EachPiece<'_>) -> Result<(), StoreError> {
        each(PastPiece::Begin(None))?;
        self.walk(1, &[], until, &mut |_| Ok(()), each)
    }

    /// The whole content in memory.
    pub fn directory(&self) -> Result<Directory, StoreError> {
        let mut building = Building { directory: self.empty_directory(), loads: false };
        let content = |error: crate::directory::ChangeError| StoreError::Content(error.to_string());
        self.read(&mut |piece| match piece {
            PastPiece::Begin(snapshot) => {
                building = Building { directory: self.empty_directory(), loads: snapshot.is_some() };
                Ok(())
            }
            PastPiece::Row(row) => building.directory.load_row(row).map_err(content),
            PastPiece::Frame(_, changes) => {
                building.finish().map_err(content)?;
                changes.iter().try_for_each(|change| building.directory.apply(change)).map_err(content)
            }
        })?;
        building.finish().map_err(content)?;
        Ok(building.directory)
    }

    fn read_from(&self, path: &Path, each: &mut EachPiece<'_>) -> Result<(), StoreError> {
        let file = SnapshotFile::open(Arc::clone(&self.options.disk), path, &self.keys)?;
        let position = *file.position();
        each(PastPiece::Begin(Some(position.sequence)))?;
        let mut digest = Digest::default();
        let digest_key = self.keys.digest_key();
        file.read::<StoreError>(&mut |row, _| {
            digest = digest.plus(Digest::of_row(&digest_key, &row));
            each(PastPiece::Row(row))
        })?;
        if digest != position.digest {
            return Err(snapshot::damaged(path, "its content's digest is not the one in its header"));
        }
        let mut fits = false;
        self.read_frames(
            position.sequence,
            &mut |group| {
                if group.last() == position.sequence {
                    fits = group.frames.last().map(Frame::leaf) == Some(position.leaf)
                        && group.header.digest == position.digest.to_bytes();
                }
                let misfit = || snapshot::damaged(path, format!("the journal says something else of {}", position.sequence));
                if group.last() >= position.sequence && !fits { Err(misfit()) } else { Ok(()) }
            },
            each,
        )
    }

    /// The frames on the way behind this sequence.
    fn read_frames(
        &self,
        behind: u64,
        look: &mut dyn FnMut(&ReadGroup) -> Result<(), StoreError>,
        each: &mut EachPiece<'_>,
    ) -> Result<(), StoreError> {
        let from = behind.max(1);
        let needed = self.lineage.behind(from);
        let needed: Vec<RangeInclusive<u64>> =
            needed.into_iter().map(|range| *range.start()..=(*range.end()).min(self.sequence)).collect();
        let mut each_behind = |piece: PastPiece<'_>| match piece {
            PastPiece::Frame(frame, _) if frame.last_sequence() <= behind => Ok(()),
            piece => each(piece),
        };
        self.walk(from, &needed, self.sequence, look, &mut each_behind)
    }

    fn walk(
        &self,
        from: u64,
        needed: &[RangeInclusive<u64>],
        until: u64,
        look: &mut dyn FnMut(&ReadGroup) -> Result<(), StoreError>,
        each: &mut EachPiece<'_>,
    ) -> Result<(), StoreError> {
        let read = self.reader.read_needed::<Stop>(from, 0, needed, &mut |group| {
            look(&group)?;
            for frame in &group.frames {
                if frame.last_sequence() > until {
                    return Err(Stop::Enough);
                }
                if self.lineage.holds(frame.last_sequence()) {
                    let changes = decode(&group, std::slice::from_ref(frame))?;
                    each(PastPiece::Frame(frame, &changes))?;
                }
            }
            if group.last() >= until { Err(Stop::Enough) } else { Ok(()) }
        });
        match read {
            Ok(_) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Error(error)) => Err(error),
        }
    }
}

struct Building {
    directory: Directory,
    /// Rows are being loaded.
    loads: bool,
}

impl Building {
    fn finish(&mut self) -> Result<(), crate::directory::ChangeError> {
        if std::mem::take(&mut self.loads) { self.directory.finish_loading() } else { Ok(()) }
    }
}

/// The last record of the journal that was durable when this was asked.
fn newest(reader: &JournalReader, durable: u64) -> Result<u64, StoreError> {
    let end = reader.read::<StoreError>(u64::MAX, durable, &mut |_| Ok(()))?;
    let last = end.end.sequence;
    Ok(if durable == 0 { last } else { last.min(durable) })
}

/// A frame with a certain record in it.
#[derive(Clone, Copy, Default)]
struct Around {
    first: u64,
    last: u64,
    time: Timestamp,
}

fn around(reader: &JournalReader, wanted: u64) -> Result<Around, StoreError> {
    let mut found = Around::default();
    let read = reader.read_needed::<Stop>(wanted, 0, &[wanted..=wanted], &mut |group| {
        if let Some(frame) = group.frames.iter().find(|frame| (frame.sequence..=frame.last_sequence()).contains(&wanted)) {
            let time = frame.lines().next_back().and_then(LineStamp::parse).map_or(0, |stamp| stamp.time);
            found = Around { first: frame.sequence, last: frame.last_sequence(), time: Timestamp(time) };
            return Err(Stop::Enough);
        }
        Ok(())
    });
    match read {
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Enough) => Ok(found),
        Ok(_) => Err(StoreError::Content(format!("record {wanted} is not in the journal any more"))),
    }
}
