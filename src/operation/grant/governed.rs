//! What a governed group must say of itself, and who may not be put into it by hand.

use super::{
    APPROVALS, APPROVER, CONFLICTS, GOVERNED, JOB_CODE, MAXIMUM, NOT_AFTER, REVIEW_DAYS, has_other, is_class, is_governed,
    is_grant, obstacle, reference,
};
use crate::directory::{Membership, MembershipAttribute, Node};
use crate::model::{Attribute, Dn, EntryId, Modification, ModificationOperation, ResultCode, Timestamp, Value};
use crate::operation::add::{self, AddRequest};
use crate::operation::draft::Draft;
use crate::operation::modify::ModifyRequest;
use crate::operation::refusal::Refusal;
use crate::operation::write::{Success, Write};
use crate::operation::{Authority, record};
use crate::policy::grant::{JobCode, MOST_APPROVALS};

/// The class whose groups can be governed: it may have no member.
const STRUCTURAL: &str = "groupOfMembers";

/// Judges a group that is added (`before`: none) or changed.
pub(crate) fn check(write: &Write<'_>, before: Option<&Node>, draft: &Draft<'_>) -> Result<(), Refusal> {
    if write.context.authority == Authority::Installation {
        return Ok(());
    }
    let classes = draft.object_classes()?;
    let is = |wanted: &str| classes.iter().any(|class| is_class(draft.schema, class.as_bytes(), wanted));
    let was = before.is_some_and(|node| is_governed(write.head, node));
    if !is(GOVERNED) {
        if let Some(node) = before.filter(|_| was) {
            check_release(write, node)?;
        }
        return check_duties(write, before, draft);
    }
    if !is(STRUCTURAL) {
        return Err(Refusal::new(ResultCode::ObjectClassViolation, "a governedGroup is a groupOfMembers"));
    }
    check_terms(write, draft)?;
    check_members(write, before, draft)
}

fn check_terms(write: &Write<'_>, draft: &Draft<'_>) -> Result<(), Refusal> {
    for (name, most) in [(APPROVALS, i64::from(MOST_APPROVALS)), (MAXIMUM, i64::from(u32::MAX)), (REVIEW_DAYS, 36_500)] {
        for value in values(draft, name) {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
            if !number.is_some_and(|number| (1..=most).contains(&number)) {
                let text = format!("{name}: a number from 1 to {most}");
                return Err(Refusal::new(ResultCode::ConstraintViolation, text));
            }
        }
    }
    for (index, value) in values(draft, JOB_CODE).iter().enumerate() {
        if JobCode::read(draft.schema, value).is_err() {
            let text = format!("{JOB_CODE}: value #{index} invalid per syntax");
            return Err(Refusal::new(ResultCode::InvalidAttributeSyntax, text));
        }
    }
    for name in [APPROVER, CONFLICTS] {
        let attribute = reference(write.head, name);
        if let Some(outside) = attribute.and_then(|attribute| draft.members.first_outside(attribute)) {
            let text = format!("{name}: there is no entry {}", String::from_utf8_lossy(outside));
            return Err(Refusal::new(ResultCode::ConstraintViolation, text));
        }
    }
    if !values(draft, "memberURL").is_empty() {
        return Err(Refusal::new(ResultCode::ObjectClassViolation, "attribute 'memberURL' not allowed in a governedGroup"));
    }
    Ok(())
}

/// 53: nobody is put in by hand, and who came by a grant leaves by its end. Who was in before the group was governed may be taken out.
fn check_members(write: &Write<'_>, before: Option<&Node>, draft: &Draft<'_>) -> Result<(), Refusal> {
    let other_ends = draft.members.other_ends().map(|membership| (membership, true));
    for (membership, is_in) in draft.members.differences().chain(other_ends) {
        if !MembershipAttribute::OF_GROUPS.contains(&membership.attribute()) {
            continue;
        }
        let comes_by_grant = || match (membership, before) {
            (Membership::Entry(_, member), Some(group)) => has_other(write.head, group.id, *member, &[]),
            _ => false,
        };
        if is_in || comes_by_grant() {
            let attribute = membership.attribute().name(draft.schema);
            let way = if is_in {
                "add an accessGrant below it, or the member as <TTL=seconds,DN>"
            } else {
                "revoke the grant (add: grantDecision, revoke)"
            };
            let text = format!("{attribute}: the members of a governed group come by grants; {way}");
            return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("governed group"));
        }
    }
    Ok(())
}

/// 53 while grants are not over: nobody would end them.
fn check_release(write: &Write<'_>, group: &Node) -> Result<(), Refusal> {
    let is_open = |id: EntryId| {
        let node = write.head.node(id).filter(|node| is_grant(write.head, node));
        node.and_then(|node| write.head.grant_of(&node.entry)).is_some_and(|(state, _)| !state.is_over())
    };
    if let Some(open) = write.head.children(group.id).find(|id| is_open(*id)) {
        let mut text = "the group stays governed while its grants are not over".to_owned();
        if write.access().sees_id(write.head, open) {
            text = format!("{text}: {}", write.head.dn_text(open));
        }
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("governed group"));
    }
    Ok(())
}

/// 53: who is in a group may not be put by hand into one that conflicts with it. Costs nothing where no group names such a conflict.
fn check_duties(write: &Write<'_>, before: Option<&Node>, draft: &Draft<'_>) -> Result<(), Refusal> {
    let held = reference(write.head, CONFLICTS).is_some_and(|attribute| write.head.is_held(attribute));
    let Some(group) = before.filter(|_| held) else { return Ok(()) };
    for (membership, is_in) in draft.members.differences() {
        let Membership::Entry(attribute, member) = membership else { continue };
        if !is_in || !MembershipAttribute::OF_GROUPS.contains(attribute) {
            continue;
        }
        if let Some(conflict) = obstacle::conflict(write.head, group.id, *member) {
            let text = conflict.told(write.head, &write.access());
            return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("separation of duties"));
        }
    }
    Ok(())
}

fn values<'d>(draft: &'d Draft<'_>, name: &str) -> &'d [Value] {
    let attribute_type = draft.schema.attribute_type(name);
    let found = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
    found.map(|attribute| attribute.values.as_slice()).unwrap_or_default()
}

/// Seconds of the longest membership that a value can ask for: 136 years.
const LONGEST: i64 = 0xffff_ffff;

/// A value as Active Directory's tools give an end to a membership: `<TTL=seconds,DN>`.
pub(crate) fn timed(value: &[u8]) -> Option<(i64, &[u8])> {
    let inner = value.strip_prefix(b"<")?.strip_suffix(b">")?;
    let rest = inner.get(..4).filter(|tag| tag.eq_ignore_ascii_case(b"TTL=")).and(inner.get(4..))?;
    let comma = rest.iter().position(|octet| *octet == b',')?;
    let (seconds, dn) = rest.split_at_checked(comma)?;
    let seconds = std::str::from_utf8(seconds).ok()?.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds))?;
    Some((seconds, dn.get(1..)?))
}

/// `add: member` with a member that has an end, on a governed group: asks for a grant. The right is that of asking.
pub(crate) fn intercept(write: &Write<'_>, request: &ModifyRequest, id: EntryId) -> Result<Option<Success>, Refusal> {
    let is_timed = |change: &Modification| {
        change.attribute.description.eq_ignore_ascii_case("member")
            && change.attribute.values.iter().any(|value| timed(value).is_some())
    };
    if write.context.authority == Authority::Installation || !request.changes.iter().any(is_timed) {
        return Ok(None);
    }
    let Some(group) = write.head.node(id).filter(|node| is_governed(write.head, node)) else { return Ok(None) };
    let only = |text: &str| Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("governed group"));
    let [Modification { operation: ModificationOperation::Add, attribute }] = request.changes.as_slice() else {
        return only("member: a grant is asked for in a request of its own");
    };
    let [value] = attribute.values.as_slice() else { return only("member: one grant is asked for at a time") };
    let Some((seconds, member)) = timed(value) else { return only("member: one grant is asked for at a time") };
    let name = uuid::Builder::from_random_bytes(write.context.fresh.uuid).into_uuid().to_string();
    let end = Timestamp(write.context.now.0.saturating_add(seconds.saturating_mul(1_000_000)));
    let attribute = |name: &str, value: String| Attribute { description: name.to_owned(), values: vec![Value::from(value)] };
    let attributes = vec![
        attribute("objectClass", "accessGrant".to_owned()),
        attribute("cn", name.clone()),
        Attribute { description: "grantMember".to_owned(), values: vec![Value::copy_from_slice(member)] },
        attribute(NOT_AFTER, end.to_generalized_time_micros()),
    ];
    if Dn::parse(member).is_err() {
        return Err(Refusal::new(ResultCode::InvalidAttributeSyntax, "member: value #0 invalid per syntax"));
    }
    let grant = format!("cn={name},{}", write.head.dn_text(group.id));
    let asked = add::add(write, &AddRequest::new(grant.clone().into(), attributes, Vec::new()))?;
    Ok(Some(Success { target: record::named(write.head, id), details: vec![("grant", grant)], ..asked }))
}
