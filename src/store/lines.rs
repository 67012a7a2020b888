//! Single records of the journal, for who does not want all of it; works beside a running server.

use std::ops::RangeInclusive;

use super::header::first_of_name;
use super::open::journal_folder;
use super::{StoreError, StoreOptions, read_frames};
use crate::journal::LineStamp;
use crate::model::Timestamp;

/// The lines of these sequences, in order and with them, as far as they are there.
pub fn read_lines(
    options: &StoreOptions,
    range: &RangeInclusive<u64>,
    each: &mut dyn FnMut(u64, &str) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut enough = range.is_empty();
    let read = read_frames(options, *range.start(), &mut |frame| {
        for (sequence, line) in (frame.sequence..).zip(frame.lines()) {
            if range.contains(&sequence) {
                each(sequence, line)?;
            }
            enough = enough || sequence >= *range.end();
        }
        // Nothing is wrong; there is no other way to end reading.
        if enough { Err(StoreError::Content("enough is read".to_owned())) } else { Ok(()) }
    });
    if enough { Ok(()) } else { read }
}

/// The first record that is not before a moment, as far as there is one.
pub fn sequence_at(options: &StoreOptions, time: Timestamp) -> Result<Option<u64>, StoreError> {
    let mut start = 1;
    for (first, _) in segments(options)? {
        let mut is_before = false;
        read_lines(options, &(first..=first), &mut |_, line| {
            is_before = LineStamp::parse(line).is_some_and(|stamp| stamp.time < time.0);
            Ok(())
        })?;
        if !is_before {
            break;
        }
        start = first;
    }
    let mut found = None;
    let read = read_frames(options, start, &mut |frame| {
        for (sequence, line) in (frame.sequence..).zip(frame.lines()) {
            if found.is_none() && LineStamp::parse(line).is_some_and(|stamp| stamp.time >= time.0) {
                found = Some(sequence);
            }
        }
        if found.is_some() { Err(StoreError::Content("enough is read".to_owned())) } else { Ok(()) }
    });
    if found.is_some() { Ok(found) } else { read.map(|()| None) }
}

/// The segment's file that a record is in.
pub fn segment_of(options: &StoreOptions, sequence: u64) -> Option<String> {
    let segments = segments(options).ok()?;
    segments.into_iter().take_while(|(first, _)| *first <= sequence).last().map(|(_, name)| name)
}

/// First sequence and name of each file.
fn segments(options: &StoreOptions) -> Result<Vec<(u64, String)>, StoreError> {
    let folder = journal_folder(options);
    let paths = options.disk.list(&folder).map_err(|error| StoreError::Io { path: folder, error })?;
    let names = paths.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let mut segments: Vec<(u64, String)> = names.filter_map(|name| Some((first_of_name(&name)?, name))).collect();
    segments.sort();
    Ok(segments)
}
