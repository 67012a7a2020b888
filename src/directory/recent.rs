//! What changed last, as far back as memory holds it: those who follow the directory find here which entries to look at again.

use imbl::Vector;

use super::ContextState;
use crate::model::{ChangeStamp, EntryId};

/// Most changes that are held: whoever is further behind must compare everything.
pub const RECENT_CHANGES: usize = 20_000;

/// One change of one entry. Memberships are in none: a group whose set changes is written anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecentChange {
    /// Which entry.
    pub id: EntryId,
    /// What happened to it.
    pub happening: Happening,
    /// The operation.
    pub context: ContextState,
}

/// What happened to an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happening {
    /// It was added, changed, renamed or moved.
    Put(Place),
    /// It was removed; its entryUUID.
    Removed(Option<[u8; 16]>),
}

/// Where an entry that was written stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Where it stood before.
    Kept,
    /// Below the same entry under another name, or it is new.
    Named,
    /// Below another entry.
    Moved,
}

/// The newest changes, numbered from 0 for the first one after the start of the process.
#[derive(Clone, Default)]
pub struct Recent {
    changes: Vector<RecentChange>,
    /// Number of the first one held.
    first: u64,
    /// Every change after this stamp is held.
    since: ChangeStamp,
}

impl Recent {
    /// Nothing yet, after the change with this stamp.
    pub(super) fn starting(since: ChangeStamp) -> Recent {
        Recent { since, ..Recent::default() }
    }

    pub(super) fn push(&mut self, id: EntryId, happening: Happening, context: ContextState) {
        self.changes.push_back(RecentChange { id, happening, context });
        if self.changes.len() > RECENT_CHANGES
            && let Some(oldest) = self.changes.pop_front()
        {
            self.first = self.first.saturating_add(1);
            self.since = self.since.max(oldest.context.stamp);
        }
    }

    /// The number the next change gets.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.changes.len() as u64)
    }

    /// The change with this number; none: not yet there, or no longer held.
    pub fn get(&self, number: u64) -> Option<&RecentChange> {
        self.changes.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Whether every change from this number on is held.
    pub fn holds(&self, number: u64) -> bool {
        number >= self.first
    }

    /// The number of the first change after a stamp; none where not every change after it is held.
    pub fn after(&self, stamp: ChangeStamp) -> Option<u64> {
        if stamp < self.since {
            return None;
        }
        let (mut low, mut high) = (self.first, self.end());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(|change| change.context.stamp <= stamp) { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn state(time: i64) -> ContextState {
        ContextState { stamp: ChangeStamp { time: Timestamp(time), count: 0 }, number: 0 }
    }

    #[test]
    fn what_is_after_a_stamp_is_found_while_all_of_it_is_held() {
        let mut recent = Recent::starting(state(10).stamp);
        assert_eq!(recent.after(state(10).stamp), Some(0));
        assert_eq!(recent.after(state(9).stamp), None);
        // Two changes of one operation each.
        for change in 0..RECENT_CHANGES as u64 {
            recent.push(EntryId(change), Happening::Put(Place::Kept), state(11 + (change / 2) as i64));
        }
        assert_eq!(recent.after(state(10).stamp), Some(0));
        assert_eq!(recent.after(state(12).stamp), Some(4));
        assert_eq!(recent.after(state(i64::MAX).stamp), Some(recent.end()));
        // Half of the first operation is gone: it is no longer held.
        recent.push(EntryId(7), Happening::Removed(None), state(90_000));
        assert_eq!(recent.after(state(10).stamp), None);
        assert_eq!(recent.after(state(11).stamp), Some(2));
        assert!(recent.holds(1) && !recent.holds(0));
        assert_eq!(recent.get(recent.end() - 1).map(|change| change.id), Some(EntryId(7)));
        assert_eq!(recent.get(recent.end()), None);
        assert_eq!(recent.get(0), None);
    }
}
