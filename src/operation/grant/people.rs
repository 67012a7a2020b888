//! What the grants of people come to when their entries change or go: in the same commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::obstacle::{self, Obstacle};
use super::{
    APPROVER, APPROVER_ID, NOTICE, REVOKED_TIME, Writing, effects, grants_of, is_approver, is_grant, leave, member_of_grant,
    reference, state_effect, texts, uuid, uuid_of, uuid_text, values,
};
use crate::directory::{Change, Directory, Membership, MembershipAttribute, Node};
use crate::journal::RecordedEffect;
use crate::model::{EntryBuilder, EntryId, GrantState, ResultCode};
use crate::operation::refusal::Refusal;
use crate::operation::write::Write;
use crate::policy::grant::Identifier;

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
        suspended.push((grant, group.id, notice.notice()));
    }
    // All of them at once: of two grants for one group each would find the other one still there.
    let none_of: Vec<EntryId> = suspended.iter().map(|(grant, ..)| grant.id).collect();
    let (mut found, mut groups) = (Vec::new(), HashSet::new());
    for (grant, group, notice) in suspended {
        let mut writing = Writing::new(head, grant);
        writing.suspend(notice);
        found.extend(state_effect(head, grant.id, GrantState::Suspended));
        changes.push(writing.stamped(write.context, write.csn_count));
        if groups.insert(group) {
            let left = leave(head, group, node.id, &none_of);
            found.extend(effects(head, &left));
            changes.extend(left);
        }
    }
    if goes_off {
        let left = approved(head, node.id).map(|grant| (grant, vec![node.id])).collect();
        flag(write, left, &[], changes);
    }
    found
}

/// Entries go: what they were to get is revoked, what they approved is flagged, and what those approved who were approvers by way of them.
/// What became of grants, for the record.
pub(crate) fn removed(write: &Write<'_>, entries: &[EntryId], changes: &mut Vec<Change>) -> Vec<RecordedEffect> {
    let mut revoked = Vec::new();
    for id in entries {
        for grant in grants_of(write.head, *id) {
            if entries.contains(&grant.id) || !is_open(write.head, grant) {
                continue;
            }
            let mut writing = Writing::new(write.head, grant);
            writing.state(GrantState::Revoked);
            writing.set(REVOKED_TIME, vec![write.context.now.to_generalized_time()]);
            writing.set(NOTICE, vec![format!("member deleted: {}", write.head.dn_text(*id))]);
            changes.push(writing.stamped(write.context, write.csn_count));
            revoked.extend(state_effect(write.head, grant.id, GrantState::Revoked));
        }
        let left = approved(write.head, *id).map(|grant| (grant, vec![*id])).collect();
        flag(write, left, entries, changes);
    }
    approvers_left(write, entries, changes);
    revoked
}

/// 53 for the removal of grants that are not over, unless their group goes too: then they would be members of it for ever, or nobody would know
/// why they no longer are.
pub(crate) fn check_removable(head: &Directory, entries: &[EntryId]) -> Result<(), Refusal> {
    for node in entries.iter().filter_map(|id| head.node(*id)) {
        let group_stays = || node.parent.is_some_and(|group| !entries.contains(&group));
        if is_grant(head, node) && is_open(head, node) && group_stays() {
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

/// The grants that somebody approved.
fn approved(head: &Directory, approver: EntryId) -> impl Iterator<Item = EntryId> {
    let uuid = uuid_of(head, approver).map(uuid_text);
    uuid.map(|uuid| head.approved_by(uuid.as_bytes())).unwrap_or_default().into_iter()
}

/// Grants that are not over say that those who approved them left.
fn flag(write: &Write<'_>, left: BTreeMap<EntryId, Vec<EntryId>>, gone: &[EntryId], changes: &mut Vec<Change>) {
    let head = write.head;
    for (grant, approvers) in left.into_iter().filter_map(|(id, approvers)| Some((head.node(id)?, approvers))) {
        let is_written = changes.iter().any(|change| matches!(change, Change::PutEntry { id, .. } if *id == grant.id));
        if is_written || gone.contains(&grant.id) || !is_open(head, grant) {
            continue;
        }
        let mut writing = Writing::new(head, grant);
        let mut notices = texts(head, grant, NOTICE);
        let new = approvers.into_iter().map(|approver| format!("approver left: {}", head.dn_text(approver)));
        notices.extend(new.filter(|notice| !notices.contains(notice)).collect::<Vec<_>>());
        writing.set(NOTICE, notices);
        changes.push(writing.stamped(write.context, write.csn_count));
    }
}

/// By these changes people are no approvers of a group any more, named or by way of a group at any depth: what they approved there is flagged.
pub(crate) fn approvers_left(write: &Write<'_>, gone: &[EntryId], changes: &mut Vec<Change>) {
    let head = write.head;
    let Some(attribute) = reference(head, APPROVER).filter(|attribute| head.is_held(*attribute)) else { return };
    let (governed, candidates) = bereft(head, attribute, changes);
    let mut open: HashMap<Identifier, Vec<(EntryId, EntryId)>> = HashMap::new();
    for group in governed.into_iter().filter(|group| !gone.contains(group)) {
        for grant in head.children(group).filter_map(|id| head.node(id)).filter(|grant| is_open(head, grant)) {
            for approver in values(head, grant, APPROVER_ID).into_iter().filter_map(uuid) {
                open.entry(approver).or_default().push((group, grant.id));
            }
        }
    }
    if open.is_empty() {
        return;
    }
    let mut after = head.clone();
    if changes.iter().try_for_each(|change| after.apply(change)).is_err() {
        return;
    }
    let mut left: BTreeMap<EntryId, Vec<EntryId>> = BTreeMap::new();
    for person in people_of(head, candidates).into_iter().filter(|person| !gone.contains(person)) {
        for (group, grant) in uuid_of(head, person).and_then(|uuid| open.get(&uuid)).into_iter().flatten() {
            if is_approver(head, *group, person) && !is_approver(&after, *group, person) {
                left.entry(*grant).or_default().push(person);
            }
        }
    }
    flag(write, left, gone, changes);
}

/// The governed groups that lose approvers by these changes, and what went from among those.
fn bereft(head: &Directory, attribute: MembershipAttribute, changes: &[Change]) -> (BTreeSet<EntryId>, BTreeSet<EntryId>) {
    let mut above: HashMap<EntryId, Vec<EntryId>> = HashMap::new();
    let (mut governed, mut candidates) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let Change::RemoveMembership { group, membership: Membership::Entry(of, element) } = change else { continue };
        if *of == attribute {
            governed.insert(*group);
            candidates.insert(*element);
        } else if MembershipAttribute::OF_GROUPS.contains(of) {
            let decided = above.entry(*group).or_insert_with(|| decided_by(head, attribute, *group));
            if !decided.is_empty() {
                governed.extend(decided.iter());
                candidates.insert(*element);
            }
        }
    }
    (governed, candidates)
}

/// The governed groups whose approvers a group is, or is among at any depth.
fn decided_by(head: &Directory, attribute: MembershipAttribute, group: EntryId) -> Vec<EntryId> {
    let outer = head.nested_groups_of(group).unwrap_or_default();
    std::iter::once(group).chain(outer).flat_map(|group| head.holders(attribute, group)).collect()
}

/// These and whoever is in them.
fn people_of(head: &Directory, candidates: BTreeSet<EntryId>) -> BTreeSet<EntryId> {
    let mut all = candidates.clone();
    for candidate in candidates {
        if head.members_of(candidate).next().is_some() {
            all.extend(head.nested_members_of(candidate).unwrap_or_default());
        }
    }
    all
}

fn is_open(head: &Directory, grant: &Node) -> bool {
    state(head, grant).is_some_and(|state| !state.is_over())
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
