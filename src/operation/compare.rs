//! Compare (RFC 4511 section 4.10).

use bytes::Bytes;

use super::access::Access;
use super::control::{self, Controls};
use super::prepare::{is_password, stored_passwords};
use super::referral;
use super::refusal::{Refusal, parse_name};
use super::selection::{class_and_superiors, covers_options};
use super::write::{is_true, not_permitted};
use super::{Context, app_password, root_dse, standing};
use crate::directory::{Computed, Membership, MembershipAttribute};
use crate::directory::{Directory, Lookup, Node};
use crate::model::schema::{AttributeDescription, Key, Schema};
use crate::model::{AttributeTypeId, Dn, EntryId, ResultCode, Secret};
use crate::policy::access::Right;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{Control, LdapResult, Reply, ResponseKind};

/// A compare request.
#[derive(Debug)]
pub struct CompareRequest {
    /// entry
    pub name: Bytes,
    /// attributeDesc
    pub attribute: String,
    /// assertionValue
    pub value: Secret,
    /// The controls as they came.
    pub controls: Vec<Control>,
}

/// What the hash pool must do before [`compare`] can answer: one job when a password is compared, otherwise nothing.
pub fn jobs(directory: &Directory, context: &Context, request: &CompareRequest) -> Vec<HashJob> {
    let schema = directory.schema();
    let Ok(description) = schema.describe(&request.attribute) else { return Vec::new() };
    if !is_password(schema, description.attribute_type) || !context.may_send_credentials() {
        return Vec::new();
    }
    let Ok(Lookup::Found(id)) = parse_name(schema, &request.name, "").map(|dn| directory.find(&dn)) else { return Vec::new() };
    let stored = stored_passwords(directory, id);
    if app_password::check_main(context).is_err() {
        return Vec::new();
    }
    if stored.is_empty() || !may_compare(directory, &Access::published(directory, context), id, description.attribute_type) {
        return Vec::new();
    }
    vec![HashJob::verify(stored, request.value.clone())]
}

/// Answers on one instant. `answers`: those to [`jobs`], empty where there were none.
pub fn compare(directory: &Directory, context: &Context, request: &CompareRequest, answers: &[HashAnswer]) -> Reply {
    let result = match decide(directory, context, request, answers) {
        Ok(true) => LdapResult::of(ResultCode::CompareTrue),
        Ok(false) => LdapResult::of(ResultCode::CompareFalse),
        Err(refusal) => refusal.result,
    };
    Reply::result(ResponseKind::Compare, result)
}

fn decide(directory: &Directory, context: &Context, request: &CompareRequest, answers: &[HashAnswer]) -> Result<bool, Refusal> {
    let controls = control::decode(ResponseKind::Compare, &request.controls, &context.settings.limits)?;
    standing::check_restricted(directory, context)?;
    context.check_assumed(directory)?;
    let schema = directory.schema();
    let dn = parse_name(schema, &request.name, "invalid DN")?;
    let special = root_dse::special(directory, context, &dn);
    let subject = context.subject(directory);
    let access = Access::published(directory, context);
    let id = match special {
        Some(_) => None,
        None => Some(find(directory, &dn, &access, &controls)?),
    };
    let failed = controls.assertion.as_ref().is_some_and(|assertion| match (&special, id) {
        (Some(node), _) => !root_dse::matches(directory, assertion, node),
        (None, Some(id)) => !is_true(directory, &access, assertion, id),
        (None, None) => true,
    });
    if failed {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let undefined = |_| Refusal::new(ResultCode::UndefinedAttributeType, "");
    let description = schema.describe_for_assertion(&request.attribute).map_err(undefined)?;
    if let Some(node) = special {
        return compare_values(directory, &node, &description, request.value.expose(), None);
    }
    let Some(node) = id.and_then(|id| directory.node(id)) else { return Err(Refusal::no_such_object(directory, None)) };
    if is_password(schema, description.attribute_type) {
        return compare_password(directory, context, &access, node.id, description.attribute_type, answers);
    }
    if schema.attribute_type_by_id(description.attribute_type).secret {
        return Err(Refusal::new(ResultCode::InsufficientAccessRights, ""));
    }
    if !may_compare(directory, &access, node.id, description.attribute_type) {
        return Err(not_permitted());
    }
    if directory.computed(description.attribute_type) == Some(Computed::Reserved) && !subject.administrator {
        return Err(Refusal::new(ResultCode::InsufficientAccessRights, ""));
    }
    compare_values(directory, node, &description, request.value.expose(), Some(&access))
}

/// Whether values of an attribute may be compared. Passwords count as any other: no lockout sees a guess, so only who is given it by name.
fn may_compare(directory: &Directory, access: &Access, id: EntryId, attribute_type: AttributeTypeId) -> bool {
    directory.node(id).is_some_and(|node| access.allows(directory, Right::Compare, node, Some(attribute_type)))
}

/// The entry: 32 with the nearest one above that may be known of.
fn find(directory: &Directory, dn: &Dn, access: &Access, controls: &Controls) -> Result<EntryId, Refusal> {
    access.check_seen(directory, dn)?;
    if !controls.manage_dsa_it {
        referral::check(directory, dn, None)?;
    }
    match directory.find(dn) {
        Lookup::Found(id) => Ok(id),
        Lookup::Missing { matched } => Err(Refusal::no_such_object(directory, Some(matched))),
        Lookup::Outside => Err(Refusal::no_such_object(directory, None)),
    }
}

fn compare_password(
    directory: &Directory,
    context: &Context,
    access: &Access,
    id: EntryId,
    attribute_type: AttributeTypeId,
    answers: &[HashAnswer],
) -> Result<bool, Refusal> {
    if !context.may_send_credentials() {
        return Err(Refusal::new(ResultCode::ConfidentialityRequired, "confidentiality required"));
    }
    if !may_compare(directory, access, id, attribute_type) {
        return Err(not_permitted());
    }
    app_password::check_main(context)?;
    let stored = stored_passwords(directory, id);
    if stored.is_empty() {
        return Err(Refusal::new(ResultCode::NoSuchAttribute, ""));
    }
    match answers.first() {
        // What matched must still be there.
        Some(HashAnswer::Verified { matched, .. }) => Ok(matched.as_ref().is_some_and(|matched| stored.contains(matched))),
        _ => Err(Refusal::new(ResultCode::Busy, "")),
    }
}

/// Compares with the values of a description and its subtypes: 16 where there are none, 18 without an equality rule, 21 for a value that
/// rule refuses. Subtypes that who asks may not compare are as if they had none. `access`: none for an entry that is made when it is read.
fn compare_values(
    directory: &Directory,
    node: &Node,
    asked: &AttributeDescription,
    value: &[u8],
    access: Option<&Access>,
) -> Result<bool, Refusal> {
    let stored_entry = access.is_some();
    let schema = directory.schema();
    let asserted = asserted_key(schema, asked, value)?;
    if stored_entry && directory.is_nested_member_of(asked) {
        return compare_nested(directory, node, value);
    }
    if schema.attribute_type_by_id(asked.attribute_type).name() == "objectClass" {
        return Ok(is_of_class(schema, node, asked.attribute_type, value));
    }
    let mut present = false;
    for &attribute_type in schema.with_subtypes(asked.attribute_type) {
        if access.is_some_and(|access| !access.allows(directory, Right::Compare, node, Some(attribute_type))) {
            continue;
        }
        let computed = directory.computed(attribute_type).filter(|_| stored_entry && asked.options.is_empty());
        if let Some(computed) = computed {
            present |= is_shown(directory, node, computed);
            if compare_computed(directory, node, computed, value, &asserted) {
                return Ok(true);
            }
        }
        for attribute in node.entry.attributes_of(attribute_type) {
            if !covers_options(&asked.options, attribute.description) {
                continue;
            }
            present = true;
            let equal = |value: &[u8]| is_equal(schema, attribute_type, &asserted, value);
            if attribute.values().any(equal) {
                return Ok(true);
            }
        }
    }
    if present { Ok(false) } else { Err(Refusal::new(ResultCode::NoSuchAttribute, "")) }
}

/// An entry of a class is of every class above it (RFC 4512 section 2.4).
fn is_of_class(schema: &Schema, node: &Node, object_class: AttributeTypeId, asserted: &[u8]) -> bool {
    let class = |name: &[u8]| std::str::from_utf8(name).ok().and_then(|name| schema.object_class(name));
    let Some(asserted) = class(asserted) else { return false };
    let below = |value: &[u8]| {
        class(value).is_some_and(|class| class_and_superiors(schema, class).iter().any(|superior| superior.oid == asserted.oid))
    };
    node.entry.values(object_class).any(below)
}

fn asserted_key(schema: &Schema, asked: &AttributeDescription, value: &[u8]) -> Result<Key, Refusal> {
    let rule = schema.attribute_type_by_id(asked.attribute_type).equality;
    let rule = rule.ok_or_else(|| Refusal::new(ResultCode::InappropriateMatching, "inappropriate matching request"))?;
    let bad = |_| Refusal::new(ResultCode::InvalidAttributeSyntax, "value does not conform to assertion syntax");
    (rule.prepare_assertion)(schema, value).map_err(bad)
}

/// `memberOf;x-nested`: whether the entry is in the group or in a group in it, at any depth.
fn compare_nested(directory: &Directory, node: &Node, value: &[u8]) -> Result<bool, Refusal> {
    let groups = directory.nested_groups_of(node.id);
    let groups = groups.map_err(|_| Refusal::new(ResultCode::AdminLimitExceeded, "too many nested groups to follow"))?;
    match Dn::parse(value).map(|dn| directory.find(&dn)) {
        _ if groups.is_empty() => Err(Refusal::new(ResultCode::NoSuchAttribute, "")),
        Ok(Lookup::Found(group)) => Ok(groups.contains(group)),
        _ => Ok(false),
    }
}

fn is_equal(schema: &Schema, attribute_type: AttributeTypeId, asserted: &Key, value: &[u8]) -> bool {
    let rule = schema.attribute_type_by_id(attribute_type).equality;
    rule.is_some_and(|rule| (rule.prepare)(schema, value).is_ok_and(|key| rule.accepts(asserted, &key)))
}

/// Whether a read shows values, listed or computed.
fn is_shown(directory: &Directory, node: &Node, computed: Computed) -> bool {
    match computed {
        Computed::Members(MembershipAttribute::Member) if directory.is_dynamic(node) => true,
        Computed::MemberOf => !directory.all_groups_of(node.id).is_empty(),
        computed => computed.is_present(directory, node),
    }
}

/// A membership set is asked, not read.
fn compare_computed(directory: &Directory, node: &Node, computed: Computed, value: &[u8], asserted: &Key) -> bool {
    match computed {
        Computed::Members(attribute) => directory.resolve_member(attribute, value).is_ok_and(|membership| {
            let is_computed = || match membership {
                Membership::Entry(MembershipAttribute::Member, member) => directory.is_dynamic_member(node.id, member),
                _ => false,
            };
            directory.has_membership(node.id, &membership) || is_computed()
        }),
        Computed::MemberOf => match Dn::parse(value).map(|dn| directory.find(&dn)) {
            Ok(Lookup::Found(group)) => directory.is_member(group, node.id) || directory.is_dynamic_member(group, node.id),
            _ => false,
        },
        _ => {
            let schema = directory.schema();
            let Some(attribute_type) = computed.attribute_type(schema) else { return false };
            computed.values(directory, node).iter().any(|value| is_equal(schema, attribute_type, asserted, value))
        }
    }
}
