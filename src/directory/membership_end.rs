//! Memberships that end by themselves: until when which group has which element, and which end next.

use std::ops::{Bound, RangeBounds};

use bytes::Bytes;
use imbl::{OrdMap, OrdSet};

use super::{Directory, Membership, MembershipAttribute};
use crate::model::{EntryId, Timestamp};

/// Most memberships without an end cost nothing here.
#[derive(Clone, Default)]
pub(super) struct MembershipEnds {
    by_element: OrdMap<(EntryId, Membership), Timestamp>,
    by_time: OrdSet<(Timestamp, EntryId, Membership)>,
}

impl MembershipEnds {
    /// The element's membership ends then; none: it does not end.
    pub(super) fn put(&mut self, group: EntryId, membership: &Membership, until: Option<Timestamp>) {
        if self.by_element.is_empty() && until.is_none() {
            return;
        }
        let element = unspelled(membership);
        if let Some(before) = self.by_element.remove(&(group, element.clone())) {
            self.by_time.remove(&(before, group, element.clone()));
        }
        if let Some(until) = until {
            self.by_time.insert((until, group, element.clone()));
            self.by_element.insert((group, element), until);
        }
    }

    /// Until when a group has an element; none: its membership has no end.
    pub(super) fn get(&self, group: EntryId, membership: &Membership) -> Option<Timestamp> {
        if self.by_element.is_empty() {
            return None;
        }
        self.by_element.get(&(group, unspelled(membership))).copied()
    }

    fn of(&self, group: EntryId) -> impl Iterator<Item = (&Membership, Timestamp)> {
        self.by_element.range(keys_of(group)).map(|((_, membership), until)| (membership, *until))
    }

    fn over(&self, now: Timestamp) -> impl Iterator<Item = &(Timestamp, EntryId, Membership)> {
        self.by_time.iter().take_while(move |(until, ..)| *until <= now)
    }
}

impl Directory {
    /// The memberships that are over by now, those that ended first first: group, element as it is kept, end. `most` at most.
    pub fn ended(&self, now: Timestamp, most: usize) -> Vec<(EntryId, Membership, Timestamp)> {
        let over = self.memberships.ends().over(now).take(most);
        over.filter_map(|(until, group, element)| Some((*group, self.memberships.get(*group, element)?.0, *until))).collect()
    }

    /// Whether there are any.
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.memberships.ends().by_time.get_min().is_some_and(|(until, ..)| *until <= now)
    }

    /// The elements of a group whose membership ends, with the ends.
    pub fn ends_of(&self, group: EntryId) -> impl Iterator<Item = (Membership, Timestamp)> + '_ {
        let ends = self.memberships.ends().of(group);
        ends.filter_map(move |(element, until)| Some((self.memberships.get(group, element)?.0, until)))
    }
}

/// Two spellings of one value are one element.
fn unspelled(membership: &Membership) -> Membership {
    match membership {
        Membership::Entry(..) => membership.clone(),
        Membership::Outside { attribute, key, .. } => {
            Membership::Outside { attribute: *attribute, key: key.clone(), value: Bytes::new() }
        }
    }
}

/// Everything kept under this group.
fn keys_of(group: EntryId) -> impl RangeBounds<(EntryId, Membership)> {
    let first = |id: u64| (EntryId(id), Membership::Entry(MembershipAttribute::Member, EntryId(0)));
    let end = group.0.checked_add(1).map_or(Bound::Unbounded, |next| Bound::Excluded(first(next)));
    (Bound::Included(first(group.0)), end)
}
