//! What the grants of people come to when their entries change or go: in the same commit.

use std::collections::HashSet;

use super::obstacle::Obstacle;
use super::{
    APPROVER, NOTICE, REVOKED_TIME, Writing, effects, grants_of, is_grant, leave, member_of_grant, obstacle, reference,
    state_effect, uuid_of, uuid_text,
};
use crate::directory::{Change, Directory, Membership, Node};
use crate::journal::RecordedEffect;
use crate::model::{EntryBuilder, EntryId, GrantState, ResultCode};
use crate::operation::draft::Draft;
use crate::operation::refusal::Refusal;
use crate::operation::write::Write;

/// An entry becomes `after`: its grants whose groups are for another job, and all of them where the account is off, are suspended. What
/// somebody approved whose account is off is flagged.
pub(crate) fn changed(write: &Write<'_>, node: &Node, after: &EntryBuilder, changes: &mut Vec<Change>) -> Vec<RecordedEffect> {
    let head = write.head;
    let now = |id| after.attributes.iter().find(|it| it.attribute_type == id).and_then(|it| it.values.first());
    let goes_off =
        obstacle::is_disabled(head, |id| now(id).map(AsRef::as_ref)) && !obstacle::is_disabled(head, |id| node.entry.first(id));
    let mut suspended = Vec::new();
    for grant in grants_of(head, node.id) {
        if !matches!(state(head, grant), Some(GrantState::Scheduled | GrantState::Active)) {
            continue;
        }
        let Some(group) = grant.parent.and_then(|group| head.node(group)) else { continue };
        let of = |id| after.attributes.iter().filter(move |it| it.attribute_type == id).flat_map(|it| &it.values);
        let notice = match () {
            () if goes_off => Obstacle::Disabled(node.id),
            () if !obstacle::is_in_role(head, group, |id| of(id).map(AsRef::as_ref).collect()) => {
                Obstacle::OtherRole { group: group.id, member: node.id }
            }
            () => continue,
        };
        suspended.push((grant, group.id, notice.text(head)));
    }
    // All of them at once: of two grants for one group each would find the other one still there.
    let none_of: Vec<EntryId> = suspended.iter().map(|(grant, ..)| grant.id).collect();
    let (mut found, mut groups) = (Vec::new(), HashSet::new());
    for (grant, group, notice) in suspended {
        let mut writing = Writing::new(head, grant);
        writing.suspend(&notice);
        found.extend(state_effect(head, grant.id, GrantState::Suspended));
        changes.push(writing.stamped(write.context, write.csn_count));
        if groups.insert(group) {
            let left = leave(head, group, node.id, &none_of);
            found.extend(effects(head, &left));
            changes.extend(left);
        }
    }
    if goes_off {
        flag(write, node.id, None, &[], changes);
    }
    found
}

/// Entries go: what they were to get is revoked, what they approved is flagged.
pub(crate) fn removed(write: &Write<'_>, entries: &[EntryId], changes: &mut Vec<Change>) -> Vec<RecordedEffect> {
    let mut effects = Vec::new();
    for id in entries {
        for grant in grants_of(write.head, *id) {
            if entries.contains(&grant.id) || state(write.head, grant).is_none_or(GrantState::is_over) {
                continue;
            }
            let mut writing = Writing::new(write.head, grant);
            writing.state(GrantState::Revoked);
            writing.set(REVOKED_TIME, vec![write.context.now.to_generalized_time()]);
            writing.set(NOTICE, vec![format!("member deleted: {}", write.head.dn_text(*id))]);
            effects.extend(state_effect(write.head, grant.id, GrantState::Revoked));
            changes.push(writing.stamped(write.context, write.csn_count));
        }
        flag(write, *id, None, entries, changes);
    }
    effects
}

/// 53 for the removal of grants that are not over, unless their group goes too: then they would be members of it for ever, or nobody would know
/// why they no longer are.
pub(crate) fn check_removable(head: &Directory, entries: &[EntryId]) -> Result<(), Refusal> {
    for node in entries.iter().filter_map(|id| head.node(*id)) {
        let is_open = || state(head, node).is_some_and(|state| !state.is_over());
        let group_stays = || node.parent.is_some_and(|group| !entries.contains(&group));
        if is_grant(head, node) && is_open() && group_stays() {
            let text = format!("{} is not over; revoke it first (add: grantDecision, revoke)", head.dn_text(node.id));
            return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("open grant"));
        }
    }
    Ok(())
}

/// 53: a grant stays with its group.
pub(crate) fn check_move(head: &Directory, node: &Node, parent: EntryId) -> Result<(), Refusal> {
    if node.parent == Some(parent) || !is_grant(head, node) {
        return Ok(());
    }
    let text = "a grant stays below its group; ask for another";
    Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("grant"))
}

/// Grants that are not over say that who approved them left.
fn flag(write: &Write<'_>, approver: EntryId, group: Option<EntryId>, gone: &[EntryId], changes: &mut Vec<Change>) {
    let head = write.head;
    let Some(uuid) = uuid_of(head, approver).map(uuid_text) else { return };
    for grant in head.approved_by(uuid.as_bytes()).iter().filter_map(|id| head.node(id)) {
        let is_written = changes.iter().any(|change| matches!(change, Change::PutEntry { id, .. } if *id == grant.id));
        let is_elsewhere = group.is_some() && grant.parent != group;
        if is_written || is_elsewhere || gone.contains(&grant.id) || state(head, grant).is_none_or(GrantState::is_over) {
            continue;
        }
        let mut writing = Writing::new(head, grant);
        writing.add(NOTICE, format!("approver left: {}", head.dn_text(approver)));
        changes.push(writing.stamped(write.context, write.csn_count));
    }
}

/// Approvers leave a group: what they approved there is flagged.
pub(crate) fn approvers_left(write: &Write<'_>, group: &Node, draft: &Draft<'_>, changes: &mut Vec<Change>) {
    let Some(attribute) = reference(write.head, APPROVER) else { return };
    let left: Vec<EntryId> = draft
        .members
        .differences()
        .filter_map(|(membership, is_in)| match membership {
            Membership::Entry(of, id) if *of == attribute && !is_in => Some(*id),
            _ => None,
        })
        .collect();
    left.into_iter().for_each(|approver| flag(write, approver, Some(group.id), &[], changes));
}

fn state(head: &Directory, grant: &Node) -> Option<GrantState> {
    head.grant_of(&grant.entry).map(|(state, _)| state)
}

/// The member of a grant that is to become another one leaves the group.
pub(super) fn taken_back(head: &Directory, grant: &Node) -> Vec<Change> {
    match (state(head, grant), grant.parent, member_of_grant(head, grant.id)) {
        (Some(GrantState::Active), Some(group), Some(member)) => leave(head, group, member, &[grant.id]),
        _ => Vec::new(),
    }
}
