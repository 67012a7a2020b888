//! The index of one segment: where its groups stand, and in which of them each term occurs.

use std::collections::HashMap;
use std::ops::Range;

use super::IndexError;
use crate::journal::query::{Term, unread_term};

/// Where a group stands in its segment's file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Octets from the file's beginning.
    pub(super) offset: u64,
    /// Octets.
    pub(super) length: u32,
    /// Sequence of its first record.
    pub(super) first: u64,
    /// How many records.
    pub(super) records: u32,
    /// Time of the first.
    pub(super) time: i64,
}

impl Place {
    /// The sequence behind its last record.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.records))
    }
}

/// An index as it is made, in memory.
#[derive(Default)]
pub(super) struct Building {
    pub(super) places: Vec<Place>,
    /// Ordinals of groups, ascending.
    pub(super) terms: HashMap<Term, Vec<u32>>,
}

impl Building {
    /// Adds the next group.
    pub(super) fn add(&mut self, place: Place, terms: impl IntoIterator<Item = Term>) {
        let ordinal = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(place);
        for term in terms {
            let list = self.terms.entry(term).or_default();
            if list.last() != Some(&ordinal) {
                list.push(ordinal);
            }
        }
    }
}

impl Building {
    /// The sequence behind the last record of a segment that begins with `first`.
    pub(super) fn end(&self, first: u64) -> u64 {
        self.places.last().map_or(first, Place::end)
    }

    /// Adds a term to the group that comes next, or to what would be its place.
    pub(super) fn mark(&mut self, term: Term) {
        let ordinal = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.terms.entry(term).or_default().push(ordinal);
    }
}

/// Whoever can look up groups of one segment.
pub(super) trait Lookup {
    /// How many groups there are.
    fn groups(&self) -> u32;
    /// The groups in which a term occurs, ascending.
    fn postings(&self, term: Term) -> Result<Vec<u32>, IndexError>;
    /// Where these stand; they are ascending.
    fn places(&self, ordinals: &[u32]) -> Result<Vec<Place>, IndexError>;
    /// The first group for which `is_behind` holds; it does so for all behind that one.
    fn partition(&self, is_behind: &dyn Fn(&Place) -> bool) -> Result<u32, IndexError>;
}

impl Lookup for Building {
    fn groups(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    fn postings(&self, term: Term) -> Result<Vec<u32>, IndexError> {
        Ok(self.terms.get(&term).cloned().unwrap_or_default())
    }

    fn places(&self, ordinals: &[u32]) -> Result<Vec<Place>, IndexError> {
        let place = |ordinal: &u32| self.places.get(usize::try_from(*ordinal).ok()?).copied().ok_or(IndexError).ok();
        ordinals.iter().map(|ordinal| place(ordinal).ok_or(IndexError)).collect()
    }

    fn partition(&self, is_behind: &dyn Fn(&Place) -> bool) -> Result<u32, IndexError> {
        Ok(u32::try_from(self.places.partition_point(|place| !is_behind(place))).unwrap_or(u32::MAX))
    }
}

/// The groups within `range` that have at least one term of each list, and those that nobody could read, ascending.
pub(super) fn candidates(index: &dyn Lookup, wanted: &[Vec<Term>], range: Range<u32>) -> Result<Vec<u32>, IndexError> {
    let mut found: Option<Vec<u32>> = None;
    for any in wanted {
        let mut list = Vec::new();
        for term in any {
            list.extend(index.postings(*term)?.into_iter().filter(|ordinal| range.contains(ordinal)));
        }
        list.sort_unstable();
        list.dedup();
        found = Some(match found {
            None => list,
            Some(before) => before.into_iter().filter(|ordinal| list.binary_search(ordinal).is_ok()).collect(),
        });
        if found.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    let Some(mut found) = found else { return Ok(range.collect()) };
    found.extend(index.postings(unread_term())?.into_iter().filter(|ordinal| range.contains(ordinal)));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
