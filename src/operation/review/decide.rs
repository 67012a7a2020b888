//! `add: reviewDecision`: reviewers confirm and revoke.

use std::sync::Arc;

use super::super::grant::{
    self, APPROVER_ID as GRANT_APPROVER_ID, NOTICE, REVIEWED_BY as GRANT_REVIEWED_BY, REVIEWED_TIME as GRANT_REVIEWED_TIME,
    REVOKED_BY, REVOKED_TIME, Writing, effects, followed, join, leave, obstacle, people, state_effect, values,
};
use super::terms::not_so;
use super::{
    APPROVER_ID, DECISION, GRANT, ITEM_STATE, Item, NOT_AFTER, REVIEWED_BY, REVIEWED_TIME, campaign, count_of, grant_state,
    is_reviewer, item_state,
};
use crate::directory::{Change, Directory, Membership, MembershipAttribute, Node};
use crate::journal::RecordedEffect;
use crate::model::{CampaignState, EntryId, GrantState, Modification, ModificationOperation, ResultCode, Timestamp};
use crate::operation::access::Access;
use crate::operation::control::Controls;
use crate::operation::modify::ModifyRequest;
use crate::operation::refusal::Refusal;
use crate::operation::write::{Success, Write};
use crate::operation::{Authority, app_password};
use crate::policy::grant::Refused;
use crate::policy::review::{self as rules, Decision, ItemState, Outcome, Reviewer};

/// Decides where the entry is an item: nothing else is done to items.
pub(crate) fn intercept(
    write: &Write<'_>,
    request: &ModifyRequest,
    id: EntryId,
    access: &Access,
    controls: &Controls,
) -> Result<Option<Success>, Refusal> {
    let head = write.head;
    let item = head.node(id).filter(|node| item_state(head, node).is_some());
    let Some(node) = item.filter(|_| write.context.authority != Authority::Installation) else { return Ok(None) };
    let [Modification { operation: ModificationOperation::Add, attribute }] = request.changes.as_slice() else {
        return Err(not_alone());
    };
    let is_decision = head.schema().attribute_type(&attribute.description).is_some_and(|it| it.name() == DECISION);
    let ([value], true) = (attribute.values.as_slice(), is_decision) else { return Err(not_alone()) };
    let Some(decision) = Decision::named(value) else {
        let text = "reviewDecision: value #0 invalid per syntax (confirm or revoke)";
        return Err(Refusal::new(ResultCode::InvalidAttributeSyntax, text));
    };
    write.check_assertion(head, access, controls.assertion.as_ref(), id)?;
    decide(write, node, decision, access, controls).map(Some)
}

fn not_alone() -> Refusal {
    not_so("an item is decided (add: reviewDecision, one value, in a request of its own) and not changed otherwise")
}

fn decide(write: &Write<'_>, node: &Node, decision: Decision, access: &Access, controls: &Controls) -> Result<Success, Refusal> {
    let head = write.head;
    let internal = || Refusal::new(ResultCode::Other, "internal error").because("item without campaign");
    let item = Item::of(head, node).ok_or_else(internal)?;
    let of = node.parent.and_then(|id| head.node(id)).ok_or_else(internal)?;
    let (state, _) = campaign(head, of).ok_or_else(internal)?;
    let (person, reviewer) = reviewer(write, &item)?;
    let outcome = rules::decide(state, item.state, reviewer, decision).map_err(refusal)?;
    let by = head.dn_text(person);
    let mut changes = match outcome {
        Outcome::Confirmed => confirmed(write, &item, &by)?,
        Outcome::Revoked => revoked(write, &item, &by)?,
        Outcome::Restored => restored(write, &item, access, &by)?,
        Outcome::GivenUp => given_up(write, &item, &by),
    };
    let mut effects = effects(head, &changes);
    effects.extend(grant_effect(head, &item, outcome, &changes));
    let mut writing = Writing::new(head, node);
    writing.set(ITEM_STATE, vec![outcome.state().name().to_owned()]);
    writing.set(REVIEWED_BY, vec![by]);
    writing.set(REVIEWED_TIME, vec![write.context.now.to_generalized_time()]);
    writing.set(APPROVER_ID, Vec::new());
    writing.set(NOT_AFTER, Vec::new());
    changes.push(writing.stamped(write.context, write.csn_count));
    changes.extend(counted(write, of, &[(item.state, outcome.state())]));
    people::approvers_left(write, &[], &mut changes);
    followed(head, write.context, write.csn_count, &mut changes);
    let details = vec![("reviewItemState", outcome.state().name().to_owned())];
    Ok(Success { effects, details, ..write.finish(changes, node.id, controls)? })
}

/// What policy refuses, for the client and the journal.
fn refusal(refused: Refused) -> Refusal {
    let reason = match refused.code {
        ResultCode::InsufficientAccessRights => "not permitted",
        ResultCode::StrongerAuthRequired => "no second factor",
        _ => "review",
    };
    Refusal::new(refused.code, refused.text).because(reason)
}

/// Who decides: the session's own identity, whomever it acts as otherwise.
fn reviewer(write: &Write<'_>, item: &Item<'_>) -> Result<(EntryId, Reviewer), Refusal> {
    let (head, context) = (write.head, write.context);
    app_password::check_main(context)?;
    if context.attached.assumed.is_some() {
        let text = "reviews are decided by oneself, not as somebody else";
        return Err(Refusal::new(ResultCode::InsufficientAccessRights, text));
    }
    let own = context.own(head);
    let person = own.identity.ok_or_else(|| Refusal::new(ResultCode::InsufficientAccessRights, ""))?;
    let reviewer = Reviewer {
        may_decide: own.administrator || is_reviewer(head, item.node, person),
        is_beneficiary: is_beneficiary(head, item, person),
        has_factor: context.identity.has_second_factor(),
    };
    Ok((person, reviewer))
}

/// Whether somebody is who has the membership, himself or in a group that has it. What cannot be said counts as yes.
fn is_beneficiary(head: &Directory, item: &Item<'_>, person: EntryId) -> bool {
    match &item.membership {
        Some(Membership::Entry(_, member)) => {
            *member == person || head.nested_groups_of(person).map_or(true, |groups| groups.contains(*member))
        }
        Some(Membership::Outside { attribute: MembershipAttribute::MemberUid, value, .. }) => {
            let uid = head.schema().attribute_type("uid").map(|it| it.id);
            let own = head.node(person).zip(uid);
            own.is_some_and(|(node, uid)| node.entry.values(uid).any(|own| own.eq_ignore_ascii_case(value)))
        }
        _ => false,
    }
}

fn gone() -> Refusal {
    not_so("the membership came to its end otherwise")
}

fn confirmed(write: &Write<'_>, item: &Item<'_>, by: &str) -> Result<Vec<Change>, Refusal> {
    let Some((_, _, grant)) = item.holds(write.head) else { return Err(gone()) };
    let written = grant.map(|grant| {
        let mut writing = Writing::new(write.head, grant);
        reviewed(write, &mut writing, by);
        writing.stamped(write.context, write.csn_count)
    });
    Ok(written.into_iter().collect())
}

fn reviewed(write: &Write<'_>, writing: &mut Writing<'_>, by: &str) {
    writing.set(GRANT_REVIEWED_BY, vec![by.to_owned()]);
    writing.set(GRANT_REVIEWED_TIME, vec![write.context.now.to_generalized_time()]);
    writing.set(NOTICE, Vec::new());
}

fn revoked(write: &Write<'_>, item: &Item<'_>, by: &str) -> Result<Vec<Change>, Refusal> {
    let head = write.head;
    let Some((group, membership, grant)) = item.holds(head) else { return Err(gone()) };
    Ok(match (grant, item.member()) {
        (Some(grant), Some(member)) => {
            let mut changes = vec![revoked_grant(write, grant, by)];
            changes.extend(leave(head, group.id, member, &[grant.id]));
            changes
        }
        _ => vec![Change::RemoveMembership { group: group.id, membership: membership.clone() }],
    })
}

fn revoked_grant(write: &Write<'_>, grant: &Node, by: &str) -> Change {
    let mut writing = Writing::new(write.head, grant);
    writing.state(GrantState::Revoked);
    writing.set(REVOKED_BY, vec![by.to_owned()]);
    writing.set(REVOKED_TIME, vec![write.context.now.to_generalized_time()]);
    writing.stamped(write.context, write.csn_count)
}

/// A grant that somebody else suspended or changed meanwhile is left as it is.
fn given_up(write: &Write<'_>, item: &Item<'_>, by: &str) -> Vec<Change> {
    let suspended = item.grant.filter(|grant| grant_state(write.head, grant) == Some(GrantState::Suspended));
    suspended.map(|grant| revoked_grant(write, grant, by)).into_iter().collect()
}

/// Puts back what was suspended, where nothing stands against it by now.
fn restored(write: &Write<'_>, item: &Item<'_>, access: &Access, by: &str) -> Result<Vec<Change>, Refusal> {
    let (head, now) = (write.head, write.context.now);
    let (group, membership) = item.group.zip(item.membership.as_ref()).ok_or_else(gone)?;
    let Some(member) = item.member() else {
        return Ok(vec![put(item, group, membership, write, by)?]);
    };
    if let Some(obstacle) = obstacle::of(head, group, member) {
        return Err(not_so(&obstacle.told(head, access)));
    }
    if !item.by_grant {
        return Ok(if head.has_membership(group.id, membership) {
            Vec::new()
        } else {
            vec![put(item, group, membership, write, by)?]
        });
    }
    let grant = item.grant.ok_or_else(gone)?;
    match grant_state(head, grant) {
        Some(GrantState::Suspended) => {}
        Some(state) => return Err(not_so(&format!("the grant is {} by now", state.name()))),
        None => return Err(gone()),
    }
    let mut writing = Writing::new(head, grant);
    writing.state(GrantState::Active);
    reviewed(write, &mut writing, by);
    let approvers = values(head, item.node, APPROVER_ID).into_iter();
    writing.set(GRANT_APPROVER_ID, approvers.map(|it| String::from_utf8_lossy(it).into_owned()).collect());
    let mut changes = vec![writing.stamped(write.context, write.csn_count)];
    changes.extend(join(head, group.id, member, now, by));
    Ok(changes)
}

/// The membership as it was, with its end.
fn put(item: &Item<'_>, group: &Node, membership: &Membership, write: &Write<'_>, by: &str) -> Result<Change, Refusal> {
    let end = grant::first(write.head, item.node, NOT_AFTER);
    let until = end.and_then(|end| Timestamp::from_generalized_time(end).ok());
    if until.is_some_and(|until| until <= write.context.now) {
        return Err(gone());
    }
    Ok(Change::PutMembership {
        group: group.id,
        membership: membership.clone(),
        since: write.context.now,
        by: by.to_owned(),
        until,
    })
}

/// That the grant is in another state, where these changes put it there.
fn grant_effect(head: &Directory, item: &Item<'_>, outcome: Outcome, changes: &[Change]) -> Option<RecordedEffect> {
    let state = match outcome {
        Outcome::Confirmed => return None,
        Outcome::Restored => GrantState::Active,
        Outcome::Revoked | Outcome::GivenUp => GrantState::Revoked,
    };
    let grant = item.grant?.id;
    let is_written = changes.iter().any(|change| matches!(change, Change::PutEntry { id, .. } if *id == grant));
    is_written.then(|| state_effect(head, grant, state)).flatten()
}

/// A campaign's counts when items are in another state.
fn counted(write: &Write<'_>, campaign: &Node, moves: &[(ItemState, ItemState)]) -> Option<Change> {
    let head = write.head;
    let mut writing = Writing::new(head, campaign);
    let mut is_other = false;
    for state in [ItemState::Open, ItemState::Confirmed, ItemState::Revoked, ItemState::Suspended, ItemState::Ended] {
        let name = count_of(state);
        let is = |it: ItemState| i64::from(count_of(it) == name);
        let difference: i64 = moves.iter().map(|(before, after)| is(*after) - is(*before)).sum();
        if difference != 0 {
            let count = grant::number(head, campaign, name).unwrap_or(0).saturating_add(difference).max(0);
            writing.set(name, vec![count.to_string()]);
            is_other = true;
        }
    }
    is_other.then(|| writing.stamped(write.context, write.csn_count))
}

/// A grant was decided about directly: items about it that nobody decided follow. A review by who is a reviewer of the item confirms it.
pub(crate) fn follow(write: &Write<'_>, grant: &Node, by: EntryId, is_revoked: bool) -> Vec<Change> {
    let head = write.head;
    let Some(attribute) = grant::reference(head, GRANT).filter(|attribute| head.is_held(*attribute)) else { return Vec::new() };
    let mut changes = Vec::new();
    let items: Vec<&Arc<Node>> = head.holders(attribute, grant.id).iter().filter_map(|id| head.node(id)).collect();
    for node in items {
        let campaign = node.parent.and_then(|id| Some((head.node(id)?, campaign(head, head.node(id)?)?.0)));
        let (Some(ItemState::Open), Some((of, state))) = (item_state(head, node), campaign) else { continue };
        let may_confirm = write.context.own(head).administrator || is_reviewer(head, node, by);
        if state == CampaignState::Closed || !(is_revoked || may_confirm) {
            continue;
        }
        let after = if is_revoked { ItemState::Revoked } else { ItemState::Confirmed };
        let mut writing = Writing::new(head, node);
        writing.set(ITEM_STATE, vec![after.name().to_owned()]);
        writing.set(REVIEWED_BY, vec![head.dn_text(by)]);
        writing.set(REVIEWED_TIME, vec![write.context.now.to_generalized_time()]);
        changes.push(writing.stamped(write.context, write.csn_count));
        changes.extend(counted(write, of, &[(ItemState::Open, after)]));
    }
    changes
}
