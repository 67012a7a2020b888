//! Which entries name something below an entry by a membership: their values change with its name. Kept for every superior, so that a rename
//! finds them without looking at what lies below.

use std::collections::BTreeMap;

use imbl::OrdMap;

use super::Directory;
use super::id_map::IdMap;
use super::id_set::IdSet;
use crate::model::EntryId;

/// For every entry: who names entries below it, and how often.
#[derive(Clone, Default)]
pub(super) struct NamedBelow {
    /// Superior → entries that name one below it.
    holders: IdMap<IdSet>,
    /// Superior and such an entry → how many more than one it names. Most references are one of their entry's, and cost nothing here.
    more: OrdMap<(EntryId, EntryId), u64>,
}

impl NamedBelow {
    /// The entries that name one below.
    fn holders(&self, superior: EntryId) -> IdSet {
        self.holders.get(superior.0).cloned().unwrap_or_default()
    }

    fn count(&self, superior: EntryId, holder: EntryId) -> u64 {
        let is_in = self.holders.get(superior.0).is_some_and(|holders| holders.contains(holder));
        if is_in { self.more.get(&(superior, holder)).copied().unwrap_or(0).saturating_add(1) } else { 0 }
    }

    fn set(&mut self, superior: EntryId, holder: EntryId, count: u64) {
        match count.checked_sub(1) {
            None | Some(0) => {
                self.more.remove(&(superior, holder));
            }
            Some(more) => {
                self.more.insert((superior, holder), more);
            }
        }
        match self.holders.get_mut(superior.0) {
            Some(holders) if count == 0 => {
                holders.remove(holder);
                if holders.is_empty() {
                    self.holders.remove(superior.0);
                }
            }
            Some(holders) => {
                holders.insert(holder);
            }
            None if count == 0 => {}
            None => {
                self.holders.insert(superior.0, std::iter::once(holder).collect());
            }
        }
    }
}

impl Directory {
    /// The entries whose values name this entry or one below it: groups by their members, others by references. None where there are more
    /// than `at_most`. What it costs grows with what it finds, not with what lies below.
    pub fn referrers(&self, id: EntryId, at_most: usize) -> Option<IdSet> {
        let mut found = self.named_below.holders(id);
        if found.len() > at_most {
            return None;
        }
        found.unite(&self.memberships.referrers_of(id));
        (found.len() <= at_most).then_some(found)
    }

    /// `holder` names `member` once more, or once less.
    pub(super) fn count_named(&mut self, member: EntryId, holder: EntryId, is_new: bool) {
        for superior in self.superiors(member) {
            let count = self.named_below.count(superior, holder);
            let count = if is_new { count.saturating_add(1) } else { count.saturating_sub(1) };
            self.named_below.set(superior, holder, count);
        }
    }

    /// An entry went to below another superior, with all below it.
    pub(super) fn move_named(&mut self, id: EntryId, superiors_before: &[EntryId]) {
        let superiors = self.superiors(id);
        let Some(found) = self.referrers(id, usize::MAX) else { return };
        for holder in found.iter() {
            let itself = self.memberships.held_by(id).filter(|(_, holders)| holders.contains(holder)).count() as u64;
            let moved = self.named_below.count(id, holder).saturating_add(itself);
            for superior in superiors_before.iter().filter(|it| !superiors.contains(it)) {
                let count = self.named_below.count(*superior, holder).saturating_sub(moved);
                self.named_below.set(*superior, holder, count);
            }
            for superior in superiors.iter().filter(|it| !superiors_before.contains(it)) {
                let count = self.named_below.count(*superior, holder).saturating_add(moved);
                self.named_below.set(*superior, holder, count);
            }
        }
    }

    /// All above an entry, nearest first.
    pub(super) fn superiors(&self, id: EntryId) -> Vec<EntryId> {
        self.tree.upwards(id).skip(1).map(|node| node.id).collect()
    }

    /// Counts anew, from all memberships.
    pub(super) fn build_named_below(&mut self) {
        let mut named_below = NamedBelow::default();
        let mut nodes = self.tree.nodes().neighbours();
        for (holder, _, members) in self.memberships.sets() {
            let mut counts: BTreeMap<EntryId, u64> = BTreeMap::new();
            for parent in members.iter().filter_map(|member| nodes.get(member.0)?.parent) {
                *counts.entry(parent).or_default() += 1;
            }
            for (parent, count) in counts {
                for superior in self.tree.upwards(parent).map(|node| node.id) {
                    let count = named_below.count(superior, holder).saturating_add(count);
                    named_below.set(superior, holder, count);
                }
            }
        }
        self.named_below = named_below;
    }
}
