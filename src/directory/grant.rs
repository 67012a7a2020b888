//! Since when and by whose hand groups have their members.
//!
//! Members that came together share what is kept of it: a run goes from its first member to the next run, so a group that was written at
//! once costs one run however large it is. Who is a member is for others to say: a run may begin at an entry that is none any more.

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use super::change::MembershipAttribute;
use super::id_set::IdSet;
use crate::model::{EntryId, Timestamp};

/// Since when and by whose hand a group has an element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembershipGrant {
    /// Since when.
    pub since: Timestamp,
    /// The actor's DN at the time, as text.
    pub by: Arc<str>,
    /// The first moment at which it does not have it any more; none: the membership has no end.
    pub until: Option<Timestamp>,
}

/// Which entry's members, by which attribute.
pub(super) type Set = (EntryId, MembershipAttribute);

/// Most runs in a block: a change copies no more than 1.5 KB.
const BLOCK: usize = 64;

/// The grants of all memberships of entries.
#[derive(Clone, Default)]
pub(super) struct Grants {
    /// Set and a member at or before the first run → some runs in order of members.
    blocks: OrdMap<(EntryId, MembershipAttribute, EntryId), Arc<Vec<Run>>>,
    /// Each actor's name is kept once. They grow with the people who ever changed a group.
    actors: Vector<Arc<str>>,
    numbers: OrdMap<Arc<str>, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    first: EntryId,
    since: Timestamp,
    /// Place in `actors`.
    by: u32,
}

impl Run {
    fn is_like(self, other: Run) -> bool {
        self.since == other.since && self.by == other.by
    }
}

impl Grants {
    /// What is kept of a member, but for its end; of others it says nothing of meaning.
    pub(super) fn get(&self, set: Set, member: EntryId) -> Option<MembershipGrant> {
        self.covering(set, member).map(|run| self.grant(run))
    }

    /// The members of a set with what is kept of them, but for their ends.
    pub(super) fn in_order<'a>(&'a self, set: Set, members: &'a IdSet) -> impl Iterator<Item = (EntryId, MembershipGrant)> + 'a {
        let (from, to) = ((set.0, set.1, EntryId(0)), (set.0, set.1, EntryId(u64::MAX)));
        let mut runs = self.blocks.range(from..=to).flat_map(|(_, runs)| runs.iter().copied()).peekable();
        let mut current = None;
        members.iter().filter_map(move |member| {
            while let Some(run) = runs.next_if(|run| run.first <= member) {
                current = Some(run);
            }
            Some((member, self.grant(current?)))
        })
    }

    /// A member came in, or is granted anew; `members` has it.
    pub(super) fn put(&mut self, set: Set, member: EntryId, members: &IdSet, since: Timestamp, by: &str) {
        let run = Run { first: member, since, by: self.actor(by) };
        let before = self.covering(set, member);
        if before.is_some_and(|before| before.is_like(run)) {
            return;
        }
        self.insert(set, run);
        if let Some(before) = before.filter(|before| before.first < member && members.next_from(before.first) == Some(member)) {
            self.remove_run(set, before.first);
        }
        let Some(next) = member.0.checked_add(1).and_then(|behind| members.next_from(EntryId(behind))) else { return };
        match self.covering(set, next) {
            // The run that was parted goes on behind the member.
            Some(covering) if covering.first == member => {
                if let Some(before) = before {
                    self.insert(set, Run { first: next, ..before });
                }
            }
            Some(behind) if behind.is_like(run) && behind.first == next => self.remove_run(set, next),
            _ => {}
        }
    }

    /// A member left; `members`: those that are left.
    pub(super) fn remove(&mut self, set: Set, member: EntryId, members: Option<&IdSet>) {
        let Some(run) = self.covering(set, member) else { return };
        let next = members.and_then(|members| members.next_from(run.first));
        let is_used = next.and_then(|next| self.covering(set, next)).is_some_and(|of_next| of_next.first == run.first);
        if !is_used {
            self.remove_run(set, run.first);
        }
    }

    /// The one copy of an actor's name.
    pub(super) fn actor_name(&mut self, name: &str) -> Arc<str> {
        let number = self.actor(name);
        self.name(number)
    }

    fn grant(&self, run: Run) -> MembershipGrant {
        MembershipGrant { since: run.since, by: self.name(run.by), until: None }
    }

    fn name(&self, actor: u32) -> Arc<str> {
        self.actors.get(actor as usize).cloned().unwrap_or_else(|| "".into())
    }

    fn actor(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (name, number) = (Arc::<str>::from(name), u32::try_from(self.actors.len()).unwrap_or(u32::MAX));
        self.actors.push_back(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    /// The run a member lies in: where the first run of its block left, the last one of the block before.
    fn covering(&self, set: Set, member: EntryId) -> Option<Run> {
        let mut blocks = self.blocks.range((set.0, set.1, EntryId(0))..=(set.0, set.1, member)).rev();
        blocks.find_map(|(_, runs)| {
            let place = runs.partition_point(|run| run.first <= member);
            runs.get(place.checked_sub(1)?).copied()
        })
    }

    /// Where the last block begins that begins at or before a member.
    fn block(&self, set: Set, member: EntryId) -> Option<EntryId> {
        let range = (set.0, set.1, EntryId(0))..=(set.0, set.1, member);
        self.blocks.range(range).next_back().map(|((_, _, begin), _)| *begin)
    }

    /// Puts a run in, in place of one that begins at the same member.
    fn insert(&mut self, set: Set, run: Run) {
        let key = |begin| (set.0, set.1, begin);
        let Some(begin) = self.block(set, run.first) else {
            let first = self.blocks.range(key(run.first)..=key(EntryId(u64::MAX))).next().map(|((_, _, begin), _)| *begin);
            // The first block takes it in.
            let mut runs = first.and_then(|begin| self.blocks.remove(&key(begin))).unwrap_or_default();
            Arc::make_mut(&mut runs).insert(0, run);
            self.put_block(set, run.first, runs);
            return;
        };
        let Some(mut runs) = self.blocks.remove(&key(begin)) else { return };
        match runs.binary_search_by_key(&run.first, |run| run.first) {
            Ok(place) => {
                if let Some(same) = Arc::make_mut(&mut runs).get_mut(place) {
                    *same = run;
                }
            }
            Err(place) if place == BLOCK => {
                self.blocks.insert(key(run.first), Arc::new(vec![run]));
            }
            Err(place) => Arc::make_mut(&mut runs).insert(place, run),
        }
        self.put_block(set, begin, runs);
    }

    /// Puts a block in its place, or its halves.
    fn put_block(&mut self, set: Set, begin: EntryId, mut runs: Arc<Vec<Run>>) {
        if runs.len() > BLOCK {
            let behind = Arc::make_mut(&mut runs).split_off(BLOCK / 2);
            if let Some(run) = behind.first() {
                self.blocks.insert((set.0, set.1, run.first), Arc::new(behind));
            }
        }
        self.blocks.insert((set.0, set.1, begin), runs);
    }

    fn remove_run(&mut self, set: Set, first: EntryId) {
        let Some(begin) = self.block(set, first) else { return };
        let key = (set.0, set.1, begin);
        let Some(runs) = self.blocks.get_mut(&key) else { return };
        Arc::make_mut(runs).retain(|run| run.first != first);
        if runs.is_empty() {
            self.blocks.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const SET: Set = (EntryId(7), MembershipAttribute::Member);
    const OTHER: Set = (EntryId(7), MembershipAttribute::UniqueMember);

    /// Groups side by side, as memberships keep them.
    #[derive(Default)]
    struct Kept {
        grants: Grants,
        members: [IdSet; 2],
    }

    impl Kept {
        fn put(&mut self, which: usize, member: u64, since: i64, by: &str) {
            let members = &mut self.members[which];
            members.insert(EntryId(member));
            self.grants.put([SET, OTHER][which], EntryId(member), members, Timestamp(since), by);
        }

        fn remove(&mut self, which: usize, member: u64) {
            if self.members[which].remove(EntryId(member)) {
                self.grants.remove([SET, OTHER][which], EntryId(member), Some(&self.members[which]));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn each_member_keeps_its_own(
            deeds in proptest::collection::vec((0usize..2, 0u64..200, 0i64..3, any::<bool>(), 0u8..4), 1..600)
        ) {
            let mut kept = Kept::default();
            let mut model: [BTreeMap<u64, (i64, &str)>; 2] = Default::default();
            for (which, member, since, by, leaves) in deeds {
                let by = if by { "cn=anna" } else { "cn=bela" };
                if leaves == 0 {
                    kept.remove(which, member);
                    model[which].remove(&member);
                } else {
                    kept.put(which, member, since, by);
                    model[which].insert(member, (since, by));
                }
            }
            for (which, set) in [SET, OTHER].into_iter().enumerate() {
                let found = kept.grants.in_order(set, &kept.members[which]);
                let found: Vec<_> = found.map(|(member, grant)| (member.0, (grant.since.0, grant.by.to_string()))).collect();
                let expected: Vec<_> = model[which].iter().map(|(member, (since, by))| (*member, (*since, (*by).to_owned()))).collect();
                prop_assert_eq!(&found, &expected);
                for (member, (since, by)) in found {
                    let grant = kept.grants.get(set, EntryId(member)).unwrap();
                    prop_assert_eq!((grant.since.0, &*grant.by), (since, by.as_str()));
                }
            }
            let runs: usize = kept.grants.blocks.values().map(|runs| runs.len()).sum();
            prop_assert!(runs <= model[0].len() + model[1].len());
        }
    }

    #[test]
    fn who_came_together_is_kept_together() {
        let mut kept = Kept::default();
        (0..10_000).for_each(|member| kept.put(0, member, 5, "cn=anna"));
        assert_eq!(kept.grants.blocks.values().map(|runs| runs.len()).sum::<usize>(), 1);
        kept.put(0, 5_000, 6, "cn=bela");
        assert_eq!(kept.grants.blocks.values().map(|runs| runs.len()).sum::<usize>(), 3);
        assert_eq!(kept.grants.get(SET, EntryId(5_001)).unwrap().since, Timestamp(5));
        (0..10_000).for_each(|member| kept.remove(0, member));
        assert!(kept.grants.blocks.is_empty());
    }
}
