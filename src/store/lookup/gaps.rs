//! Records of a segment that are missing, where a question would have looked among them.

use super::index::{Lookup, Place};
use super::{IndexError, Segment, name, range};
use crate::journal::query::{LookupRequest, gap_term};
use crate::store::reader::Damage;

/// Those that an answer passed which went as far as `until`; none: to the segment's end.
pub(super) fn passed(
    index: &dyn Lookup,
    segment: &Segment,
    request: &LookupRequest,
    until: Option<u64>,
) -> Result<Vec<Damage>, IndexError> {
    let postings = index.postings(gap_term())?;
    if postings.is_empty() {
        return Ok(Vec::new());
    }
    let range = range(index, request)?;
    let mut damages = Vec::new();
    for ordinal in postings.into_iter().filter(|ordinal| (range.start..=range.end).contains(ordinal)) {
        let place = |ordinal: Option<u32>| -> Result<Option<Place>, IndexError> {
            let Some(ordinal) = ordinal.filter(|ordinal| *ordinal < index.groups()) else { return Ok(None) };
            Ok(index.places(&[ordinal])?.first().copied())
        };
        let header = segment.header.as_ref().map_or(0, |header| header.first);
        let first = place(ordinal.checked_sub(1))?.map_or(header, |before| before.end());
        let behind = place(Some(ordinal))?.map(|place| place.first).or(segment.next);
        let last = behind.map_or(first, |behind| behind.saturating_sub(1));
        let is_passed = match (request.backwards, request.from, until) {
            (false, from, until) => from.is_none_or(|from| first > from) && until.is_none_or(|until| last < until),
            (true, from, until) => from.is_none_or(|from| last < from) && until.is_none_or(|until| first > until),
        };
        if is_passed {
            let problem = "the octets are damaged".to_owned();
            damages.push(Damage { segment: name(segment), sequences: (first, last), problem });
        }
    }
    Ok(damages)
}
