//! What keeps somebody out of a governed group, whatever is approved: another duty (grantConflictsWith), another job (grantJobCode), an account
//! that is off.

use std::collections::BTreeSet;

use super::{CONFLICTS, JOB_CODE, reference, references, values};
use crate::directory::{ChainTooLong, Directory, Node};
use crate::model::{AttributeTypeId, EntryId};
use crate::policy::grant::JobCode;

/// The first obstacle, in words; none: there is none.
pub(super) fn of(head: &Directory, group: &Node, member: EntryId) -> Option<String> {
    let Some(node) = head.node(member) else { return Some("there is nobody to be a member".to_owned()) };
    if is_disabled(head, |id| node.entry.first(id)) {
        return Some(format!("{} is disabled", head.dn_text(member)));
    }
    if !is_in_role(head, group, |id| node.entry.values(id).collect()) {
        return Some(not_in_role(head, group, member));
    }
    conflict(head, group.id, member)
}

pub(super) fn not_in_role(head: &Directory, group: &Node, member: EntryId) -> String {
    let codes: Vec<_> = values(head, group, JOB_CODE).into_iter().map(String::from_utf8_lossy).collect();
    format!("{} has no job code of the group ({})", head.dn_text(member), codes.join(", "))
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
pub(super) fn conflict(head: &Directory, group: EntryId, member: EntryId) -> Option<String> {
    match find_conflict(head, group, member) {
        Ok(Some(other)) => {
            let (group, member) = (head.dn_text(group), head.dn_text(member));
            Some(format!("separation of duties: {member} is in {}, which conflicts with {group}", head.dn_text(other)))
        }
        Ok(None) => None,
        Err(ChainTooLong) => Some("separation of duties: there are too many groups to look at".to_owned()),
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
