//! Entries that live until a time (RFC 2589), in the order of those times, and the directory as it is at a moment.

use std::sync::Arc;

use imbl::OrdSet;

use super::{Change, Directory, Node};
use crate::model::{Entry, EntryId, Timestamp};

/// Entries that are looked at together for whether their time is over.
const AT_ONCE: usize = 500;
/// Levels of dynamic entries below each other that a view takes away; what is deeper is seen until it is removed.
const LEVELS: usize = 8;

/// When which entries expire, in microseconds since 1970.
#[derive(Clone, Default)]
pub(super) struct Expiries {
    by_time: OrdSet<(i64, u64)>,
}

impl Expiries {
    /// Follows one entry from when it expired to when it does.
    pub(super) fn update(&mut self, id: EntryId, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        if let Some(time) = before {
            self.by_time.remove(&(time.0, id.0));
        }
        if let Some(time) = after {
            self.by_time.insert((time.0, id.0));
        }
    }

    /// Those whose time has come, in the order of their times.
    pub(super) fn over(&self, now: Timestamp) -> impl Iterator<Item = EntryId> + '_ {
        self.by_time.iter().take_while(move |(time, _)| *time <= now.0).map(|(_, id)| EntryId(*id))
    }
}

impl Directory {
    /// When an entry's time is over; none for one that stays.
    pub fn expires(&self, node: &Node) -> Option<Timestamp> {
        self.expiry_of(&node.entry)
    }

    pub(super) fn expiry_of(&self, entry: &Entry) -> Option<Timestamp> {
        let text = entry.first(self.fixed.expires?)?;
        Timestamp::from_generalized_time(text).ok()
    }

    /// Entries whose time is over and that have nothing below them, the longest first: 500 at most.
    pub fn expired(&self, now: Timestamp) -> Vec<EntryId> {
        self.expiries.over(now).take(AT_ONCE).filter(|id| self.child_count(*id) == 0).collect()
    }

    /// What removes an entry: it leaves every group and reference, and whatever it holds itself leaves it.
    pub fn removal(&self, id: EntryId) -> Vec<Change> {
        let held = self.memberships_held_by(id).map(|(group, membership)| Change::RemoveMembership { group, membership });
        let mut changes: Vec<Change> = held.collect();
        for attribute in self.membership_attributes(id) {
            let elements = self.memberships(id, attribute);
            changes.extend(elements.map(|membership| Change::RemoveMembership { group: id, membership }));
        }
        changes.push(Change::RemoveEntry { id, next_id: self.next_entry_id() });
        changes
    }

    /// The directory as it is at a moment: without what has expired by then, whether or not its removal was committed, and with the time
    /// that is left to what has not. The same value where nothing in it ever expires.
    pub fn at(self: &Arc<Directory>, now: Timestamp) -> Arc<Directory> {
        if self.expiries.by_time.is_empty() {
            return Arc::clone(self);
        }
        let mut view = (**self).clone();
        view.moment = now;
        for _ in 0..LEVELS {
            let expired = view.expired(now);
            if expired.is_empty() {
                break;
            }
            for id in expired {
                if view.removal(id).iter().any(|change| view.apply(change).is_err()) {
                    return Arc::clone(self);
                }
            }
        }
        // Who follows changes hears of the removal when it is committed.
        (view.recent, view.context) = (self.recent.clone(), self.context);
        Arc::new(view)
    }

    /// Looks at this value as of a moment.
    pub fn set_moment(&mut self, now: Timestamp) {
        self.moment = now;
    }

    /// Seconds that are left to an entry at the moment of this value, one at least; none for one that stays.
    pub(super) fn seconds_left(&self, node: &Node) -> Option<i64> {
        let left = self.expires(node)?.0.saturating_sub(self.moment.0);
        Some((left.saturating_add(500_000) / 1_000_000).max(1))
    }
}
