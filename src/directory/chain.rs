//! Memberships at any depth: what 1.2.840.113556.1.4.1941 asks and `memberOf;x-nested` shows. Loops end by themselves, because nothing is
//! looked at twice.

use super::{Computed, Directory, IdSet, Membership, MembershipAttribute};
use crate::model::EntryId;
use crate::model::schema::AttributeDescription;

/// Groups that are followed, at most, to answer one question (a filter is one, however many chains are in it). A group of more than a few
/// hundred counts more than once.
pub const MAXIMUM_CHAIN_WORK: usize = 10_000;

/// Entries that lead nowhere are looked at so much faster.
const STEPS: usize = 16;

/// More entries lie on the way than one question may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainTooLong;

/// What may still be looked at.
pub(super) struct ChainWork(usize);

impl ChainWork {
    pub(super) fn new() -> ChainWork {
        ChainWork(MAXIMUM_CHAIN_WORK * STEPS)
    }

    /// Nothing at all.
    pub(super) fn none() -> ChainWork {
        ChainWork(0)
    }

    /// How many groups were followed.
    pub(super) fn groups_followed(&self) -> u32 {
        u32::try_from((MAXIMUM_CHAIN_WORK * STEPS).saturating_sub(self.0) / STEPS).unwrap_or(u32::MAX)
    }

    fn spend(&mut self, taken_in: &IdSet) -> Result<(), ChainTooLong> {
        let steps = if taken_in.is_empty() { 1 } else { STEPS + taken_in.len() / STEPS };
        self.0 = self.0.checked_sub(steps).ok_or(ChainTooLong)?;
        Ok(())
    }
}

impl Directory {
    /// The groups that name an account (memberUid) which is `wanted`.
    pub(super) fn holders_of_names(&self, work: &mut ChainWork, wanted: impl Fn(&[u8]) -> bool) -> Result<IdSet, ChainTooLong> {
        let mut found = IdSet::default();
        for (name, groups) in self.memberships.names() {
            if wanted(&name) {
                work.spend(groups)?;
                found.unite(groups);
            } else {
                work.spend(&IdSet::default())?;
            }
        }
        Ok(found)
    }

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
        if matches!(attribute, MembershipAttribute::Reference(_)) {
            return self.referring(attribute, found, work);
        }
        for group in self.groups_above(self.memberships.group_holders_of(membership), work)? {
            let holders = self.memberships.holders_of(&Membership::Entry(attribute, group));
            work.spend(&holders)?;
            found.unite(&holders);
        }
        Ok(found)
    }

    /// These entries and all that refer to one of them by this attribute, at any depth.
    fn referring(&self, attribute: MembershipAttribute, found: IdSet, work: &mut ChainWork) -> Result<IdSet, ChainTooLong> {
        let mut waiting: Vec<EntryId> = found.iter().collect();
        let mut found = found;
        while let Some(id) = waiting.pop() {
            let referring = self.memberships.holders_of(&Membership::Entry(attribute, id));
            work.spend(&referring)?;
            waiting.extend(referring.iter().filter(|id| found.insert(*id)));
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
