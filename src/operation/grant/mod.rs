//! Governed groups, whose members come by grants: entries of the class accessGrant below the group, which are asked for, approved, and end.
//!
//! ```text
//! add of an accessGrant ─► ask (pending) ─► decide (add: grantDecision) ─► scheduled, active ─► turn (time) ─► expired
//!                                                                            │ people (their code or account changes)
//!                                                                            └─► suspended
//! ```
//!
//! While a grant is active its member is in the group's set as any member is, so nothing that reads memberships knows of grants. That time
//! alone makes something of them is seen at once: readers look at [`as_of`] their moment, changes are decided on a head from which
//! everything that turned was crossed before.

pub(crate) mod ask;
pub(crate) mod decide;
pub(crate) mod governed;
pub(super) mod obstacle;
pub(crate) mod people;
pub mod turn;

pub use turn::as_of;

use std::collections::HashSet;
use std::sync::Arc;

use super::access::Access;
use super::control::Controls;
use super::draft::Draft;
use super::modify::ModifyRequest;
use super::refusal::Refusal;
use super::write::{Success, Write};
use super::{Authority, Context, record, review, stamp};
use crate::directory::{Change, Directory, Membership, MembershipAttribute, Node};
use crate::journal::{RecordedChange, RecordedEffect, RecordedValue};
use crate::model::schema::Schema;
use crate::model::{EntryBuilder, EntryId, GrantState, ModificationOperation, Rdn, ResultCode, Timestamp, Value};
use crate::policy::grant::{Grant, GroupTerms, Identifier, MOST_APPROVALS};

const GRANT: &str = "accessGrant";
const GOVERNED: &str = "governedGroup";

const MEMBER: &str = "grantMember";
const NOT_BEFORE: &str = "grantNotBefore";
const NOT_AFTER: &str = "grantNotAfter";
const DECISION: &str = "grantDecision";
const APPROVER: &str = "grantApprover";
const CONFLICTS: &str = "grantConflictsWith";
const JOB_CODE: &str = "grantJobCode";
const APPROVALS: &str = "grantApprovalsRequired";
const MAXIMUM: &str = "grantMaxSeconds";
pub(super) const REVIEW_DAYS: &str = "grantReviewDays";

pub(super) const STATE: &str = "grantState";
const REQUESTED_BY: &str = "grantRequestedBy";
const REQUESTED_TIME: &str = "grantRequestedTime";
const REQUESTER_ID: &str = "grantRequesterId";
const APPROVED_BY: &str = "grantApprovedBy";
const APPROVED_TIME: &str = "grantApprovedTime";
pub(super) const APPROVER_ID: &str = "grantApproverId";
pub(super) const REVOKED_BY: &str = "grantRevokedBy";
pub(super) const REVOKED_TIME: &str = "grantRevokedTime";
pub(super) const REVIEWED_BY: &str = "grantReviewedBy";
pub(super) const REVIEWED_TIME: &str = "grantReviewedTime";
pub(super) const NOTICE: &str = "grantNotice";

/// What the server alone says of a grant.
const SERVER_ONLY: [&str; 12] = [
    STATE,
    REQUESTED_BY,
    REQUESTED_TIME,
    REQUESTER_ID,
    APPROVED_BY,
    APPROVED_TIME,
    APPROVER_ID,
    REVOKED_BY,
    REVOKED_TIME,
    REVIEWED_BY,
    REVIEWED_TIME,
    NOTICE,
];

/// Whether the server alone writes this attribute of grants, rules relaxed or not.
pub(crate) fn is_server_only(name: &str) -> bool {
    SERVER_ONLY.contains(&name)
}

fn is_grant(head: &Directory, node: &Node) -> bool {
    has_class(head, node, GRANT)
}

pub(super) fn is_governed(head: &Directory, node: &Node) -> bool {
    has_class(head, node, GOVERNED)
}

pub(super) fn has_class(head: &Directory, node: &Node, class: &str) -> bool {
    let object_class = head.schema().attribute_type("objectClass");
    object_class.is_some_and(|it| node.entry.values(it.id).any(|name| is_class(head.schema(), name, class)))
}

pub(super) fn is_class(schema: &Schema, name: &[u8], class: &str) -> bool {
    name.eq_ignore_ascii_case(class.as_bytes())
        || std::str::from_utf8(name).ok().and_then(|name| schema.object_class(name)).is_some_and(|it| it.name() == class)
}

pub(super) fn first<'e>(head: &Directory, node: &'e Node, name: &str) -> Option<&'e [u8]> {
    node.entry.first(head.schema().attribute_type(name)?.id)
}

pub(super) fn values<'e>(head: &Directory, node: &'e Node, name: &str) -> Vec<&'e [u8]> {
    head.schema().attribute_type(name).map(|it| node.entry.values(it.id).collect()).unwrap_or_default()
}

fn texts(head: &Directory, node: &Node, name: &str) -> Vec<String> {
    values(head, node, name).into_iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

pub(super) fn number(head: &Directory, node: &Node, name: &str) -> Option<i64> {
    std::str::from_utf8(first(head, node, name)?).ok()?.parse().ok()
}

pub(super) fn reference(head: &Directory, name: &str) -> Option<MembershipAttribute> {
    MembershipAttribute::of_type(head.schema().attribute_type(name)?)
}

/// The entries that an entry names by this attribute.
pub(super) fn references(head: &Directory, id: EntryId, name: &str) -> Vec<EntryId> {
    let named = reference(head, name).into_iter().flat_map(|attribute| head.memberships(id, attribute));
    named.filter_map(|it| if let Membership::Entry(_, entry) = it { Some(entry) } else { None }).collect()
}

pub(super) fn member_of_grant(head: &Directory, grant: EntryId) -> Option<EntryId> {
    references(head, grant, MEMBER).first().copied()
}

fn uuid(value: &[u8]) -> Option<Identifier> {
    uuid::Uuid::try_parse_ascii(value).ok().map(uuid::Uuid::into_bytes)
}

pub(super) fn uuid_of(head: &Directory, id: EntryId) -> Option<Identifier> {
    head.node(id).and_then(|node| head.uuid_of(node))
}

pub(super) fn uuid_text(id: Identifier) -> String {
    uuid::Uuid::from_bytes(id).to_string()
}

/// What a group asks of its grants.
fn group_terms(head: &Directory, group: &Node) -> GroupTerms {
    let approvals = number(head, group, APPROVALS).and_then(|number| u32::try_from(number).ok()).unwrap_or(1);
    GroupTerms { approvals: approvals.clamp(1, MOST_APPROVALS), maximum: number(head, group, MAXIMUM) }
}

/// A grant as it is stored.
fn grant(head: &Directory, node: &Node) -> Option<Grant> {
    let (state, window) = head.grant_of(&node.entry)?;
    Some(Grant {
        state,
        window,
        requesters: values(head, node, REQUESTER_ID).into_iter().filter_map(uuid).collect(),
        member: member_of_grant(head, node.id).and_then(|id| uuid_of(head, id)),
        approvals: values(head, node, APPROVER_ID).into_iter().filter_map(uuid).collect(),
    })
}

/// Whether somebody is an approver of a group: named, or a member of a group that is, at any depth.
pub(crate) fn is_approver(head: &Directory, group: EntryId, person: EntryId) -> bool {
    let approvers = references(head, group, APPROVER);
    approvers.contains(&person)
        || (!approvers.is_empty()
            && head.nested_groups_of(person).is_ok_and(|groups| approvers.iter().any(|approver| groups.contains(*approver))))
}

/// Whether somebody asked for a grant, gets it, or decides about it.
pub(crate) fn is_party(head: &Directory, node: &Node, person: EntryId) -> bool {
    let asked =
        || uuid_of(head, person).is_some_and(|id| values(head, node, REQUESTER_ID).into_iter().any(|it| uuid(it) == Some(id)));
    is_grant(head, node)
        && (references(head, node.id, MEMBER).contains(&person)
            || asked()
            || node.parent.is_some_and(|group| is_approver(head, group, person)))
}

/// What is done instead of an ordinary change: a decision about a grant or an item of a review, or a request for one in the place of a member. The right to do so comes
/// from the group.
pub(crate) fn intercept(
    write: &Write<'_>,
    request: &ModifyRequest,
    id: EntryId,
    access: &Access,
    controls: &Controls,
) -> Result<Option<Success>, Refusal> {
    if let Some(reviewed) = review::decide::intercept(write, request, id, access, controls)? {
        return Ok(Some(reviewed));
    }
    match decide::intercept(write, request, id, access, controls)? {
        None => governed::intercept(write, request, id),
        decided => Ok(decided),
    }
}

/// Judges a changed entry, group, grant, review or other; what is to be changed beside it where a grant starts over.
pub(crate) fn check(write: &Write<'_>, node: &Node, draft: &mut Draft<'_>) -> Result<Vec<Change>, Refusal> {
    governed::check(write, Some(node), draft)?;
    review::terms::changed(write, node, draft)?;
    ask::changed(write, node, draft)
}

/// 64 for a grant, a governed group or a review campaign that is named by anything but `cn`: its terms are no names.
pub(crate) fn check_name(write: &Write<'_>, draft: &Draft<'_>, rdn: &Rdn) -> Result<(), Refusal> {
    let name = draft.schema.attribute_type("cn").map(|it| it.id);
    let is_name = |part: &str| draft.schema.attribute_type(part).map(|it| it.id) == name;
    if write.context.authority == Authority::Installation || rdn.parts.iter().all(|part| is_name(&part.attribute_type)) {
        return Ok(());
    }
    let classes = draft.object_classes()?;
    let has = |wanted: &&str| classes.iter().any(|class| is_class(draft.schema, class.as_bytes(), wanted));
    match [GRANT, GOVERNED, "reviewCampaign", "reviewItem"].into_iter().find(has) {
        Some(class) => {
            Err(Refusal::new(ResultCode::NamingViolation, format!("'cn' alone names an entry of the class '{class}'")))
        }
        None => Ok(()),
    }
}

/// What follows from a changed entry for grants: added to `changes`, and for the record.
pub(crate) fn follow(
    write: &Write<'_>,
    node: &Node,
    draft: &Draft<'_>,
    started_over: Vec<Change>,
    changes: &mut Vec<Change>,
) -> Vec<RecordedEffect> {
    if !started_over.is_empty() {
        changes.extend(started_over);
        followed(write.head, write.context, write.csn_count, changes);
    }
    let effects = people::changed(write, node, &draft.entry, changes);
    people::approvers_left(write, &[], changes);
    effects
}

/// The grants of somebody.
pub(super) fn grants_of(head: &Directory, member: EntryId) -> Vec<&Arc<Node>> {
    let Some(attribute) = reference(head, MEMBER) else { return Vec::new() };
    head.holders(attribute, member).iter().filter_map(|id| head.node(id)).collect()
}

/// What makes somebody a member; nothing where that is so already.
pub(super) fn join(head: &Directory, group: EntryId, member: EntryId, since: Timestamp, by: &str) -> Vec<Change> {
    let membership = Membership::Entry(MembershipAttribute::Member, member);
    // A plain membership of before the group was governed may end: the grant goes on.
    match head.membership_grant(group, &membership) {
        Some(before) if before.until.is_none() => Vec::new(),
        _ => vec![Change::PutMembership { group, membership, since, by: by.to_owned(), until: None }],
    }
}

/// What ends the membership that somebody has by a grant; nothing where he has it by another one, too.
pub(super) fn leave(head: &Directory, group: EntryId, member: EntryId, grants: &[EntryId]) -> Vec<Change> {
    let membership = Membership::Entry(MembershipAttribute::Member, member);
    if !head.has_membership(group, &membership) || has_other(head, group, member, grants) {
        return Vec::new();
    }
    vec![Change::RemoveMembership { group, membership }]
}

pub(super) fn has_other(head: &Directory, group: EntryId, member: EntryId, grants: &[EntryId]) -> bool {
    let is_active = |node: &Node| head.grant_of(&node.entry).is_some_and(|(state, _)| state == GrantState::Active);
    grants_of(head, member).into_iter().any(|node| !grants.contains(&node.id) && node.parent == Some(group) && is_active(node))
}

/// A grant's entry while its state changes.
pub(super) struct Writing<'a> {
    head: &'a Directory,
    node: &'a Node,
    entry: EntryBuilder,
}

impl<'a> Writing<'a> {
    pub(super) fn new(head: &'a Directory, node: &'a Node) -> Writing<'a> {
        Writing { head, node, entry: node.entry.to_builder() }
    }

    pub(super) fn set(&mut self, name: &str, values: Vec<String>) {
        set(self.head, &mut self.entry, name, values);
    }

    pub(super) fn add(&mut self, name: &str, value: String) {
        let mut all = texts(self.head, self.node, name);
        if !all.contains(&value) {
            all.push(value);
        }
        self.set(name, all);
    }

    pub(super) fn state(&mut self, state: GrantState) {
        self.set(STATE, vec![state.name().to_owned()]);
    }

    /// It needs its approvals anew.
    pub(super) fn suspend(&mut self, notice: &str) {
        self.state(GrantState::Suspended);
        self.set(APPROVER_ID, Vec::new());
        self.set(NOTICE, vec![format!("suspended: {notice}")]);
    }

    pub(super) fn stamped(mut self, context: &Context, csn_count: u32) -> Change {
        stamp::modified(self.head, context, csn_count, &mut self.entry);
        self.change()
    }

    pub(super) fn change(self) -> Change {
        let Node { id, parent, name, .. } = self.node;
        Change::PutEntry { id: *id, parent: *parent, name: name.clone(), block: self.entry.build().block().clone() }
    }
}

pub(super) fn set(head: &Directory, entry: &mut EntryBuilder, name: &str, values: Vec<String>) {
    if let Some(attribute_type) = head.schema().attribute_type(name) {
        let values = values.into_iter().map(Value::from).collect();
        entry.set(attribute_type.id, attribute_type.name(), attribute_type.section(), values);
    }
}

fn entry_of(change: &Change) -> Option<EntryId> {
    match change {
        Change::PutEntry { id, .. } | Change::RemoveEntry { id, .. } => Some(*id),
        _ => None,
    }
}

/// Adds that the entries of members who came or left moved on, so that whoever follows memberOf looks at them: their entryCSN alone.
pub(super) fn followed(head: &Directory, context: &Context, csn_count: u32, changes: &mut Vec<Change>) {
    let of_member = |change: &Change| match change {
        Change::PutMembership { membership: Membership::Entry(MembershipAttribute::Member, id), .. }
        | Change::RemoveMembership { membership: Membership::Entry(MembershipAttribute::Member, id), .. } => Some(*id),
        _ => None,
    };
    let mut written: HashSet<EntryId> = changes.iter().filter_map(entry_of).collect();
    let members: Vec<EntryId> = changes.iter().filter_map(of_member).filter(|member| written.insert(*member)).collect();
    for node in members.into_iter().filter_map(|member| head.node(member)) {
        let mut entry = node.entry.to_builder();
        stamp::set(head, &mut entry, "entryCSN", stamp::change_stamp(head, context, csn_count).to_string());
        let block = entry.build().block().clone();
        changes.push(Change::PutEntry { id: node.id, parent: node.parent, name: node.name.clone(), block });
    }
}

/// What groups got and lost by these changes, for the record.
pub(super) fn effects(head: &Directory, changes: &[Change]) -> Vec<RecordedEffect> {
    let effect = |group: EntryId, membership: &Membership, operation| {
        let values = RecordedValue::Shown(vec![head.member_value(membership)]);
        let attribute = membership.attribute().name(head.schema()).to_owned();
        Some(RecordedEffect { entry: record::named(head, group)?, change: RecordedChange { attribute, operation, values } })
    };
    let of_change = |change: &Change| match change {
        Change::PutMembership { group, membership, .. } => effect(*group, membership, ModificationOperation::Add),
        Change::RemoveMembership { group, membership } => effect(*group, membership, ModificationOperation::Delete),
        _ => None,
    };
    changes.iter().filter_map(of_change).collect()
}

/// That a grant is in another state, for the record.
pub(super) fn state_effect(head: &Directory, grant: EntryId, state: GrantState) -> Option<RecordedEffect> {
    let values = RecordedValue::Shown(vec![Value::from(state.name().to_owned())]);
    let change = RecordedChange { attribute: STATE.to_owned(), operation: ModificationOperation::Replace, values };
    Some(RecordedEffect { entry: record::named(head, grant)?, change })
}
