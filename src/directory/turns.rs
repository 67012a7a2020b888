//! When time alone turns grants from one state into the next, and how they are found by who approved them.

use super::{Directory, IdSet, Membership, MembershipAttribute};
use crate::model::{Entry, EntryId, GrantState, GrantWindow, Timestamp};

/// By whom a grant was approved: it has an index of equality in every directory.
pub(super) const APPROVER_ID: &str = "grantApproverId";

/// What of a grant's entry time goes by.
#[derive(Clone, Copy)]
pub(super) struct GrantTypes {
    state: crate::model::AttributeTypeId,
    from: crate::model::AttributeTypeId,
    until: crate::model::AttributeTypeId,
}

impl GrantTypes {
    pub(super) fn new(schema: &crate::model::schema::Schema) -> Option<GrantTypes> {
        let id = |name| schema.attribute_type(name).map(|it| it.id);
        Some(GrantTypes { state: id("grantState")?, from: id("grantNotBefore")?, until: id("grantNotAfter")? })
    }
}

impl Directory {
    /// State and window of a grant; none for any other entry.
    pub fn grant_of(&self, entry: &Entry) -> Option<(GrantState, GrantWindow)> {
        let types = self.fixed.grant_types?;
        let state = GrantState::named(entry.first(types.state)?)?;
        let time = |id| Timestamp::from_generalized_time(entry.first(id)?).ok();
        Some((state, GrantWindow { from: time(types.from), until: time(types.until) }))
    }

    /// When time next makes something else of a grant or a review campaign.
    pub(super) fn turn_of(&self, entry: &Entry) -> Option<Timestamp> {
        match self.grant_of(entry) {
            Some((state, window)) => state.next_turn(window),
            None => self.campaign_of(entry).and_then(|(state, times)| times.next_turn(state)),
        }
    }

    /// The grants and campaigns of which time made something else by now, those that turned first first: `most` at most.
    pub fn turned(&self, now: Timestamp, most: usize) -> Vec<EntryId> {
        self.turns.over(now).take(most).collect()
    }

    /// Whether there are any, or memberships that are over.
    pub fn has_turned(&self, now: Timestamp) -> bool {
        self.turns.over(now).next().is_some() || self.has_ended(now)
    }

    /// The entries that have this one as an element of this attribute.
    pub fn holders(&self, attribute: MembershipAttribute, member: EntryId) -> IdSet {
        self.memberships.holders_of(&Membership::Entry(attribute, member))
    }

    /// Whether any entry has an element of this attribute.
    pub fn is_held(&self, attribute: MembershipAttribute) -> bool {
        !self.memberships.holders(attribute).is_empty()
    }

    /// The grants that the one with this entryUUID approved.
    pub fn approved_by(&self, uuid: &[u8]) -> IdSet {
        let schema = self.schema();
        let found = schema.attribute_type(APPROVER_ID).and_then(|attribute_type| {
            let rule = attribute_type.equality?;
            let key = (rule.prepare)(schema, uuid).ok()?;
            self.indexes.equality(&self.fixed.index_plan, schema, attribute_type.id, rule, &key.0)
        });
        let approver = schema.attribute_type(APPROVER_ID).map(|it| it.id);
        let is_his = |id: &EntryId| {
            let node = self.node(*id).zip(approver);
            node.is_some_and(|(node, approver)| node.entry.values(approver).any(|value| value.eq_ignore_ascii_case(uuid)))
        };
        found.unwrap_or_default().iter().filter(is_his).collect()
    }

    /// The entries that are members of a group, or of a group in it, at any depth.
    pub fn nested_members_of(&self, group: EntryId) -> Result<IdSet, super::ChainTooLong> {
        self.nested_members(group, &mut super::chain::ChainWork::new())
    }

    /// Whoever follows this value hears of what came after `told` when it is committed.
    pub fn keep_quiet_since(&mut self, told: &Directory) {
        (self.recent, self.context) = (told.recent.clone(), told.context);
    }
}
