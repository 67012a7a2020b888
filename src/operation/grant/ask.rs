//! Asking for a grant, and changing what was asked for: both begin with a grant that is pending.

use super::{
    APPROVED_BY, APPROVED_TIME, APPROVER_ID, DECISION, GRANT, MEMBER, NOT_AFTER, NOT_BEFORE, NOTICE, REQUESTED_BY,
    REQUESTED_TIME, REQUESTER_ID, STATE, grants_of, group_terms, is_approver, is_class, is_governed, is_grant, obstacle, people,
    reference, set, uuid_of, uuid_text,
};
use crate::directory::{Change, Directory, Lookup, MembershipAttribute, Node};
use crate::model::{AttributeTypeId, Dn, EntryId, GrantState, GrantWindow, ResultCode, Timestamp, Value};
use crate::operation::access::Access;
use crate::operation::add::AddRequest;
use crate::operation::draft::Draft;
use crate::operation::refusal::Refusal;
use crate::operation::write::Write;
use crate::operation::{Authority, app_password, stamp};
use crate::policy::access::Subject;
use crate::policy::grant;

/// What is asked for; a change of any of it starts over.
const TERMS: [&str; 4] = [NOT_BEFORE, NOT_AFTER, "grantReason", "grantTicket"];

/// Whether this add asks for a grant as anybody may: for oneself, or, as an approver of the group, for somebody else. Such a request gives
/// nobody anything: others decide about it.
pub(crate) fn may_ask(write: &Write<'_>, access: &Access, request: &AddRequest, subject: Subject, dn: &Dn) -> bool {
    let (Authority::Session, Some(asking)) = (write.context.authority, subject.identity) else { return false };
    let schema = write.head.schema();
    let given = |name: &str| {
        let wanted = schema.attribute_type(name).map(|it| it.id);
        let is = move |description: &str| schema.attribute_type(description).map(|it| it.id) == wanted;
        request.attributes.iter().filter(move |it| is(&it.description)).flat_map(|it| &it.values)
    };
    let classes = |value: &Value| is_class(schema, value, GRANT) || is_class(schema, value, "top");
    if !given("objectClass").any(|value| is_class(schema, value, GRANT)) || !given("objectClass").all(classes) {
        return false;
    }
    let Some(Lookup::Found(group)) = dn.parent().map(|parent| write.head.find(&parent)) else { return false };
    if !write.head.node(group).is_some_and(|node| is_governed(write.head, node) && access.sees(write.head, node)) {
        return false;
    }
    let own = |value: &Value| Dn::parse(value).is_ok_and(|dn| matches!(write.head.find(&dn), Lookup::Found(id) if id == asking));
    given(MEMBER).all(own) || is_approver(write.head, group, asking)
}

/// Makes what is added a request, where it is a grant.
pub(crate) fn asked(write: &Write<'_>, parent: Option<EntryId>, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if write.context.authority == Authority::Installation || !is_grant_draft(draft)? {
        return Ok(());
    }
    let group = parent.and_then(|id| write.head.node(id)).filter(|node| is_governed(write.head, node));
    let Some(group) = group else {
        return Err(Refusal::new(ResultCode::NamingViolation, "an accessGrant stands below a governedGroup"));
    };
    if draft.object_classes()?.iter().any(|class| is_class(draft.schema, class.as_bytes(), "dynamicObject")) {
        // It would go without its member leaving the group.
        let text = "a grant ends by grantNotAfter: it is no dynamicObject";
        return Err(Refusal::new(ResultCode::ObjectClassViolation, text));
    }
    if has(draft, DECISION) {
        let text = "grantDecision: who asks does not decide";
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("grant"));
    }
    request(write, group, None, draft)
}

/// A change of a grant's terms starts over: what is to be changed beside the entry.
pub(crate) fn changed(write: &Write<'_>, node: &Node, draft: &mut Draft<'_>) -> Result<Vec<Change>, Refusal> {
    let head = write.head;
    if write.context.authority == Authority::Installation || !is_grant(head, node) || !differs(head, node, draft) {
        return Ok(Vec::new());
    }
    if let Some((state, _)) = head.grant_of(&node.entry).filter(|(state, _)| state.is_over()) {
        let text = format!("the grant is {}; ask for another", state.name());
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("grant"));
    }
    let Some(group) = node.parent.and_then(|id| head.node(id)) else { return Ok(Vec::new()) };
    let changes = people::taken_back(head, node);
    request(write, group, Some(node.id), draft)?;
    Ok(changes)
}

fn differs(head: &Directory, node: &Node, draft: &Draft<'_>) -> bool {
    let member = reference(head, MEMBER);
    let other_term = |name: &&str| {
        let Some(attribute_type) = head.schema().attribute_type(name) else { return false };
        let after = draft.entry.get(attribute_type.id, attribute_type.name()).map(|it| it.values.as_slice()).unwrap_or_default();
        !node.entry.values(attribute_type.id).eq(after.iter().map(AsRef::as_ref))
    };
    draft.members.differences().any(|(membership, _)| Some(membership.attribute()) == member) || TERMS.iter().any(other_term)
}

/// Judges what is asked for, and makes it pending. `own`: the grant, where there is one already.
fn request(write: &Write<'_>, group: &Node, own: Option<EntryId>, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let (head, now) = (write.head, write.context.now);
    app_password::check_main(write.context)?;
    let member = member(head, draft)?;
    if head.node(member).is_some_and(|node| can_have_members(head, node)) {
        let text = "a grant is for one person or service: grantMember is a group, and who puts people into it would decide";
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("grant"));
    }
    let window = GrantWindow { from: time(draft, NOT_BEFORE), until: time(draft, NOT_AFTER) };
    grant::check_window(&group_terms(head, group), window, now).map_err(refusal)?;
    let is_open = |node: &&&std::sync::Arc<Node>| {
        let state = head.grant_of(&node.entry).map(|(state, _)| state);
        node.parent == Some(group.id) && Some(node.id) != own && state == Some(GrantState::Pending)
    };
    if let Some(other) = grants_of(head, member).iter().find(is_open) {
        let text = format!("{} asks for this group already", head.dn_text(other.id));
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("grant"));
    }
    if let Some(obstacle) = obstacle::of(head, group, member) {
        let text = obstacle.told(head, &write.access());
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("grant"));
    }
    // Whoever acts as somebody else asks as who he is: nobody approves what he asked for himself.
    let requester = write.context.identity.entry.or_else(|| write.context.acting(head));
    let by = requester.map_or_else(|| stamp::actor_name(head, write.context), |id| head.dn_text(id));
    // Whoever asked before stays a party: the terms are others, the wish may be the same.
    let mut asked_by = texts(draft, REQUESTER_ID);
    asked_by.extend(requester.and_then(|id| uuid_of(head, id)).map(uuid_text).filter(|id| !asked_by.contains(id)));
    for (name, values) in [
        (STATE, vec![GrantState::Pending.name().to_owned()]),
        (REQUESTED_BY, vec![by]),
        (REQUESTED_TIME, vec![now.to_generalized_time()]),
        (REQUESTER_ID, asked_by),
        (APPROVED_BY, Vec::new()),
        (APPROVED_TIME, Vec::new()),
        (APPROVER_ID, Vec::new()),
        (NOTICE, Vec::new()),
    ] {
        set(head, &mut draft.entry, name, values);
    }
    Ok(())
}

/// Who is to be a member: 19 where there is no such entry.
fn member(head: &Directory, draft: &Draft<'_>) -> Result<EntryId, Refusal> {
    let attribute = reference(head, MEMBER);
    if let Some(outside) = attribute.and_then(|attribute| draft.members.first_outside(attribute)) {
        let text = format!("{MEMBER}: there is no entry {}", String::from_utf8_lossy(outside));
        return Err(Refusal::new(ResultCode::ConstraintViolation, text));
    }
    let found = attribute.map(|attribute| draft.members.entries(attribute)).unwrap_or_default();
    match found.as_slice() {
        [member] => Ok(*member),
        _ => Err(Refusal::new(ResultCode::ObjectClassViolation, "object class 'accessGrant' requires attribute 'grantMember'")),
    }
}

/// Whether an entry's classes allow it what makes others members of it.
fn can_have_members(head: &Directory, node: &Node) -> bool {
    let schema = head.schema();
    let named = |name: &[u8]| std::str::from_utf8(name).ok().and_then(|name| schema.object_class(name));
    let of_groups: Vec<AttributeTypeId> =
        MembershipAttribute::OF_GROUPS.into_iter().filter_map(|it| Some(it.attribute_type(schema)?.id)).collect();
    let object_class = schema.attribute_type("objectClass");
    let mut classes = object_class.into_iter().flat_map(|it| node.entry.values(it.id)).filter_map(named);
    classes.any(|class| class.must.iter().chain(&class.may).any(|id| of_groups.contains(id)))
}

fn time(draft: &Draft<'_>, name: &str) -> Option<Timestamp> {
    let attribute_type = draft.schema.attribute_type(name)?;
    Timestamp::from_generalized_time(draft.entry.get(attribute_type.id, attribute_type.name())?.values.first()?).ok()
}

fn texts(draft: &Draft<'_>, name: &str) -> Vec<String> {
    let attribute_type = draft.schema.attribute_type(name);
    let found = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
    found.into_iter().flat_map(|it| &it.values).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn has(draft: &Draft<'_>, name: &str) -> bool {
    let attribute_type = draft.schema.attribute_type(name);
    attribute_type.is_some_and(|it| draft.entry.attributes.iter().any(|attribute| attribute.attribute_type == it.id))
}

fn is_grant_draft(draft: &Draft<'_>) -> Result<bool, Refusal> {
    Ok(draft.object_classes()?.iter().any(|class| is_class(draft.schema, class.as_bytes(), GRANT)))
}

/// What policy refuses, for the client and the journal.
pub(super) fn refusal(refused: grant::Refused) -> Refusal {
    let reason = match refused.code {
        ResultCode::InsufficientAccessRights => "not permitted",
        ResultCode::StrongerAuthRequired => "no second factor",
        _ => "grant",
    };
    Refusal::new(refused.code, refused.text).because(reason)
}
