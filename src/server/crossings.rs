//! When which accounts come to an end by time alone: the committer records each as it comes, and has the account's sessions look.

use std::collections::{BTreeSet, HashMap};

use crate::directory::{Change, Directory};
use crate::model::{EntryId, Timestamp};
use crate::operation::expiry;

/// The next end of every account that has one.
#[derive(Default)]
pub(super) struct Crossings {
    by_time: BTreeSet<(Timestamp, EntryId)>,
    by_account: HashMap<EntryId, Timestamp>,
}

impl Crossings {
    /// Of all accounts, as far as they are later than `since`: what came before was recorded when it did.
    pub(super) fn of(directory: &Directory, since: Timestamp) -> Crossings {
        let mut crossings = Crossings::default();
        directory.nodes().for_each(|node| crossings.look_at(directory, node.id, since));
        crossings
    }

    /// Looks at an account again: what it says may have changed, or one of its ends came.
    fn look_at(&mut self, directory: &Directory, id: EntryId, after: Timestamp) {
        let next = expiry::next_end(directory, id, after).map(|(_, end)| end);
        let known = match next {
            Some(next) => self.by_account.insert(id, next),
            None => self.by_account.remove(&id),
        };
        self.by_time.extend(next.map(|next| (next, id)));
        if let Some(known) = known.filter(|known| Some(*known) != next) {
            self.by_time.remove(&(known, id));
        }
    }

    /// Follows what was committed.
    pub(super) fn follow(&mut self, directory: &Directory, changes: &[Change], now: Timestamp) {
        for change in changes {
            if let Change::PutEntry { id, .. } | Change::RemoveEntry { id, .. } = change {
                self.look_at(directory, *id, now);
            }
        }
    }

    /// These were recorded.
    pub(super) fn passed(&mut self, directory: &Directory, passed: &[(Timestamp, EntryId)]) {
        for (end, id) in passed {
            self.look_at(directory, *id, *end);
        }
    }

    /// The first `most` ends that came by `now`.
    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<(Timestamp, EntryId)> {
        self.by_time.iter().take_while(|(end, _)| *end <= now).take(most).copied().collect()
    }

    /// Whether any came.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.by_time.first().is_some_and(|(end, _)| *end <= now)
    }
}

#[cfg(test)]
mod tests;
