//! What keeps somebody out of a governed group, whatever is approved: another duty (grantConflictsWith), another job (grantJobCode), an account
//! that is off.

use std::collections::BTreeSet;

use super::{CONFLICTS, JOB_CODE, reference, references, values};
use crate::directory::{ChainTooLong, Directory, Node};
use crate::model::{AttributeTypeId, EntryId};
use crate::operation::access::Access;
use crate::policy::grant::JobCode;

/// What is in the way of a membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::operation) enum Obstacle {
    /// There is nobody to be a member.
    Nobody,
    /// The member's account is off.
    Disabled(EntryId),
    /// The member has none of the job codes of the group.
    OtherRole {
        /// With the codes.
        group: EntryId,
        /// Without one.
        member: EntryId,
    },
    /// The member is in another group, which conflicts with this one.
    Conflict {
        /// The one to get into.
        group: EntryId,
        /// Who would.
        member: EntryId,
        /// The one that the member is in.
        other: EntryId,
    },
    /// Nobody can tell whether there is a conflict.
    TooManyGroups,
}

impl Obstacle {
    /// In words without a name: for the grant itself, which its member may read.
    pub(super) fn notice(self) -> &'static str {
        match self {
            Obstacle::Nobody => "there is nobody to be a member",
            Obstacle::Disabled(_) => "the account of the member is disabled",
            Obstacle::OtherRole { .. } => "the member has no job code of the group",
            Obstacle::Conflict { .. } => "separation of duties: the member is in a group that conflicts with this one",
            Obstacle::TooManyGroups => "separation of duties: there are too many groups to look at",
        }
    }

    /// In words, with all names: for the journal.
    pub(super) fn text(self, head: &Directory) -> String {
        let name = |id| head.dn_text(id);
        match self {
            Obstacle::Nobody => "there is nobody to be a member".to_owned(),
            Obstacle::Disabled(member) => format!("{} is disabled", name(member)),
            Obstacle::OtherRole { group, member } => {
                let codes = head.node(group).map(|group| values(head, group, JOB_CODE)).unwrap_or_default();
                let codes: Vec<_> = codes.into_iter().map(String::from_utf8_lossy).collect();
                format!("{} has no job code of the group ({})", name(member), codes.join(", "))
            }
            Obstacle::Conflict { group, member, other } => {
                format!("separation of duties: {} is in {}, which conflicts with {}", name(member), name(other), name(group))
            }
            Obstacle::TooManyGroups => "separation of duties: there are too many groups to look at".to_owned(),
        }
    }

    /// The same for somebody who may read so much of it: what he may not know of is not named.
    pub(in crate::operation) fn told(self, head: &Directory, access: &Access) -> String {
        let may_read = |id: EntryId, attribute: &str| {
            let attribute = head.schema().attribute_type(attribute).map(|it| it.id);
            head.node(id).zip(attribute).is_some_and(|(node, attribute)| access.readable(head, node).contains(attribute))
        };
        match self {
            Obstacle::Disabled(member) if !may_read(member, "accountDisabled") => {
                "the account of the member may not have it now".to_owned()
            }
            Obstacle::OtherRole { group, .. } if !may_read(group, JOB_CODE) => self.notice().to_owned(),
            Obstacle::Conflict { member, other, .. } if !access.sees_id(head, other) || !may_read(member, "memberOf") => {
                self.notice().to_owned()
            }
            _ => self.text(head),
        }
    }
}

/// The first obstacle; none: there is none.
pub(in crate::operation) fn of(head: &Directory, group: &Node, member: EntryId) -> Option<Obstacle> {
    let Some(node) = head.node(member) else { return Some(Obstacle::Nobody) };
    if is_disabled(head, |id| node.entry.first(id)) {
        return Some(Obstacle::Disabled(member));
    }
    if !is_in_role(head, group, |id| node.entry.values(id).collect()) {
        return Some(Obstacle::OtherRole { group: group.id, member });
    }
    conflict(head, group.id, member)
}

/// Whether the account with these values is off.
pub(super) fn is_disabled<'v>(head: &Directory, first: impl Fn(AttributeTypeId) -> Option<&'v [u8]>) -> bool {
    let disabled = head.schema().attribute_type("accountDisabled");
    disabled.and_then(|it| first(it.id)).is_some_and(|value| value.eq_ignore_ascii_case(b"TRUE"))
}

/// Whether the group is for whoever has these values.
pub(super) fn is_in_role<'v>(head: &Directory, group: &Node, of: impl Fn(AttributeTypeId) -> Vec<&'v [u8]>) -> bool {
    let codes = values(head, group, JOB_CODE);
    let schema = head.schema();
    codes.is_empty()
        || codes.into_iter().any(|code| JobCode::read(schema, code).is_ok_and(|code| code.is_of(schema, |id| of(id).into_iter())))
}

/// Which duties keep somebody out of a group: those of the group itself and of the groups it is in, at any depth, named from either side.
pub(super) fn conflict(head: &Directory, group: EntryId, member: EntryId) -> Option<Obstacle> {
    match find_conflict(head, group, member) {
        Ok(other) => other.map(|other| Obstacle::Conflict { group, member, other }),
        Err(ChainTooLong) => Some(Obstacle::TooManyGroups),
    }
}

fn find_conflict(head: &Directory, group: EntryId, member: EntryId) -> Result<Option<EntryId>, ChainTooLong> {
    let Some(attribute) = reference(head, CONFLICTS).filter(|attribute| head.is_held(*attribute)) else { return Ok(None) };
    let mut joined = vec![group];
    joined.extend(head.nested_groups_of(group)?.iter());
    let mut others = BTreeSet::new();
    for group in joined {
        others.extend(references(head, group, CONFLICTS));
        others.extend(head.holders(attribute, group).iter());
    }
    if others.is_empty() {
        return Ok(None);
    }
    let present = head.nested_groups_of(member)?;
    if let Some(other) = others.iter().find(|other| present.contains(**other) || **other == member) {
        return Ok(Some(*other));
    }
    if head.members_of(member).next().is_none() {
        return Ok(None);
    }
    // A group becomes a member: with it everybody in it.
    let inner = head.nested_members_of(member)?;
    for other in others {
        if !head.nested_members_of(other)?.intersection(&inner).is_empty() {
            return Ok(Some(other));
        }
    }
    Ok(None)
}
