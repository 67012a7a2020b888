//! Memberships at any depth: what 1.2.840.113556.1.4.1941 asks and `memberOf;x-nested` shows. Loops end by themselves, because nothing is
//! looked at twice.

use super::{Computed, Directory, IdSet, Membership};
use crate::model::EntryId;
use crate::model::schema::AttributeDescription;

/// Entries that are looked at, at most, to answer one question (a filter is one, however many chains are in it). An entry with many
/// memberships counts more than once.
pub const MAXIMUM_CHAIN_WORK: usize = 10_000;

/// Memberships that are taken in about as fast as one entry is looked at.
const AT_ONCE: usize = 256;

/// More entries lie on the way than one question may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainTooLong;

/// What may still be looked at.
pub(super) struct ChainWork(usize);

impl ChainWork {
    pub(super) fn new() -> ChainWork {
        ChainWork(MAXIMUM_CHAIN_WORK)
    }

    fn spend(&mut self, taken_in: &IdSet) -> Result<(), ChainTooLong> {
        self.0 = self.0.checked_sub(1 + taken_in.len() / AT_ONCE).ok_or(ChainTooLong)?;
        Ok(())
    }
}

impl Directory {
    /// Whether this is `memberOf;x-nested`: memberOf with the groups at any depth.
    pub fn is_nested_member_of(&self, description: &AttributeDescription) -> bool {
        description.options == [Computed::NESTED] && self.computed(description.attribute_type) == Some(Computed::MemberOf)
    }

    /// The groups that have an entry as a member, or have a group that has it, at any depth.
    pub fn nested_groups_of(&self, member: EntryId) -> Result<IdSet, ChainTooLong> {
        self.groups_above(self.memberships.groups_of(member), &mut ChainWork::new())
    }

    /// The entries that are members of a group, or of a group in it, at any depth.
    pub(super) fn nested_members(&self, group: EntryId, work: &mut ChainWork) -> Result<IdSet, ChainTooLong> {
        let groups = self.memberships.groups();
        let mut found = IdSet::default();
        let mut seen: IdSet = std::iter::once(group).collect();
        let mut waiting = vec![group];
        while let Some(group) = waiting.pop() {
            let members = self.memberships.members_of(group);
            work.spend(&members)?;
            waiting.extend(members.intersection(&groups).iter().filter(|inner| seen.insert(*inner)));
            found.unite(&members);
        }
        Ok(found)
    }

    /// The entries that have this element, or have a group that has it, at any depth; the last step by the element's own attribute.
    pub(super) fn nested_holders(&self, membership: &Membership, work: &mut ChainWork) -> Result<IdSet, ChainTooLong> {
        let mut found = self.memberships.holders_of(membership);
        let attribute = membership.attribute();
        for group in self.groups_above(self.memberships.group_holders_of(membership), work)? {
            let holders = self.memberships.holders_of(&Membership::Entry(attribute, group));
            work.spend(&holders)?;
            found.unite(&holders);
        }
        Ok(found)
    }

    /// These groups and all that have one of them, at any depth.
    fn groups_above(&self, groups: IdSet, work: &mut ChainWork) -> Result<IdSet, ChainTooLong> {
        let mut waiting: Vec<EntryId> = groups.iter().collect();
        let mut found = groups;
        while let Some(group) = waiting.pop() {
            let above = self.memberships.groups_of(group);
            work.spend(&above)?;
            waiting.extend(above.iter().filter(|outer| found.insert(*outer)));
        }
        Ok(found)
    }
}
