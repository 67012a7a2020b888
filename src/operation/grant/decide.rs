//! `add: grantDecision`: approvers approve, deny, revoke and review.

use super::obstacle::Obstacle;
use super::{
    APPROVED_BY, APPROVED_TIME, APPROVER_ID, DECISION, NOTICE, REVIEWED_BY, REVIEWED_TIME, REVOKED_BY, REVOKED_TIME, Writing,
    ask, effects, followed, grant, group_terms, is_approver, is_grant, join, leave, member_of_grant, obstacle, people, uuid_text,
};
use crate::directory::{Change, Node};
use crate::model::{EntryId, GrantState, Modification, ModificationOperation, ResultCode};
use crate::operation::access::Access;
use crate::operation::control::Controls;
use crate::operation::modify::ModifyRequest;
use crate::operation::refusal::Refusal;
use crate::operation::write::{Success, Write};
use crate::operation::{Authority, app_password, review};
use crate::policy::grant::{self as rules, Decider, Decision, Outcome};

/// Decides where a request says so.
pub(crate) fn intercept(
    write: &Write<'_>,
    request: &ModifyRequest,
    id: EntryId,
    access: &Access,
    controls: &Controls,
) -> Result<Option<Success>, Refusal> {
    let is_decision = |change: &Modification| {
        let description = change.attribute.description.as_str();
        description.eq_ignore_ascii_case(DECISION)
            || (description.starts_with("2.25.")
                && write.head.schema().attribute_type(description).is_some_and(|it| it.name() == DECISION))
    };
    if write.context.authority == Authority::Installation || !request.changes.iter().any(is_decision) {
        return Ok(None);
    }
    let Some(node) = write.head.node(id).filter(|node| is_grant(write.head, node)) else { return Ok(None) };
    let [Modification { operation: ModificationOperation::Add, attribute }] = request.changes.as_slice() else {
        return Err(not_alone());
    };
    let [value] = attribute.values.as_slice() else { return Err(not_alone()) };
    let Some(decision) = Decision::named(value) else {
        let text = "grantDecision: value #0 invalid per syntax (approve, deny, revoke or reviewed)";
        return Err(Refusal::new(ResultCode::InvalidAttributeSyntax, text));
    };
    write.check_assertion(write.head, access, controls.assertion.as_ref(), id)?;
    decide(write, node, decision, access, controls).map(Some)
}

fn not_alone() -> Refusal {
    let text = "grantDecision: one value is added, in a request of its own";
    Refusal::new(ResultCode::UnwillingToPerform, text).because("grant")
}

fn decide(write: &Write<'_>, node: &Node, decision: Decision, access: &Access, controls: &Controls) -> Result<Success, Refusal> {
    let (head, now) = (write.head, write.context.now);
    let internal = || Refusal::new(ResultCode::Other, "internal error").because("grant without state");
    let group = node.parent.and_then(|id| head.node(id)).ok_or_else(internal)?;
    let stored = grant(head, node).ok_or_else(internal)?;
    let decider = decider(write, group)?;
    let member = member_of_grant(head, node.id);
    let obstacle = match (decision, member) {
        (Decision::Approve, Some(member)) => obstacle::of(head, group, member),
        (Decision::Approve, None) => Some(Obstacle::Nobody),
        _ => None,
    };
    let obstacle = obstacle.map(|obstacle| obstacle.told(head, access));
    let outcome = rules::decide(&group_terms(head, group), &stored, &decider.1, decision, obstacle, now).map_err(ask::refusal)?;

    let by = head.dn_text(decider.0);
    let time = now.to_generalized_time();
    let mut writing = Writing::new(head, node);
    let mut changes = Vec::new();
    match &outcome {
        Outcome::Waits { .. } | Outcome::Approved(_) => {
            if stored.approvals.is_empty() {
                // Those of before it was suspended.
                writing.set(APPROVED_BY, vec![by.clone()]);
            } else {
                writing.add(APPROVED_BY, by.clone());
            }
            writing.add(APPROVER_ID, uuid_text(decider.1.id));
            writing.set(APPROVED_TIME, vec![time]);
            if let Outcome::Approved(state) = outcome {
                writing.state(state);
                writing.set(NOTICE, Vec::new());
                let joins = (state == GrantState::Active).then_some(member).flatten();
                changes.extend(joins.into_iter().flat_map(|member| join(head, group.id, member, now, &by)));
            }
        }
        Outcome::Revoked => {
            writing.state(GrantState::Revoked);
            writing.set(REVOKED_BY, vec![by]);
            writing.set(REVOKED_TIME, vec![time]);
            if stored.state == GrantState::Active {
                changes.extend(member.into_iter().flat_map(|member| leave(head, group.id, member, &[node.id])));
            }
        }
        Outcome::Reviewed => {
            writing.set(REVIEWED_BY, vec![by]);
            writing.set(REVIEWED_TIME, vec![time]);
            writing.set(NOTICE, Vec::new());
        }
    }
    if matches!(outcome, Outcome::Revoked | Outcome::Reviewed) {
        changes.extend(review::decide::follow(write, node, decider.0, outcome == Outcome::Revoked));
    }
    conclude(write, writing, changes, &outcome, controls)
}

fn conclude(
    write: &Write<'_>,
    writing: Writing<'_>,
    memberships: Vec<Change>,
    outcome: &Outcome,
    controls: &Controls,
) -> Result<Success, Refusal> {
    let id = writing.node.id;
    let effects = effects(write.head, &memberships);
    let mut changes = vec![writing.stamped(write.context, write.csn_count)];
    changes.extend(memberships);
    people::approvers_left(write, &[], &mut changes);
    followed(write.head, write.context, write.csn_count, &mut changes);
    let detail = match outcome {
        Outcome::Waits { missing } => ("approvalsMissing", missing.to_string()),
        Outcome::Approved(state) => ("grantState", state.name().to_owned()),
        Outcome::Revoked => ("grantState", GrantState::Revoked.name().to_owned()),
        Outcome::Reviewed => ("grantState", GrantState::Active.name().to_owned()),
    };
    Ok(Success { effects, details: vec![detail], ..write.finish(changes, id, controls)? })
}

/// Who decides: the session's own identity, whomever it acts as otherwise.
fn decider(write: &Write<'_>, group: &Node) -> Result<(EntryId, Decider), Refusal> {
    let (head, context) = (write.head, write.context);
    app_password::check_main(context)?;
    if context.attached.assumed.is_some() {
        let text = "grants are decided by oneself, not as somebody else";
        return Err(Refusal::new(ResultCode::InsufficientAccessRights, text));
    }
    let own = context.own(head);
    let found = own.identity.and_then(|id| Some((id, head.uuid_of(head.node(id)?)?)));
    let (id, uuid) = found.ok_or_else(|| Refusal::new(ResultCode::InsufficientAccessRights, ""))?;
    let decider = Decider {
        id: uuid,
        may_decide: own.administrator || is_approver(head, group.id, id),
        has_factor: context.identity.has_second_factor(),
    };
    Ok((id, decider))
}
