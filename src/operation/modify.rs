//! Modify (RFC 4511 section 4.6, increment of RFC 4525).

use std::collections::HashSet;

use bytes::Bytes;

use super::access::Access;
use super::bind::bookkeeping::{self, Forgiven};
use super::draft::{CheckedAttribute, Draft, Home, ValueKey};
use super::password_change::{self, Proof};
use super::prepare::{self, Outcome, Passwords};
use super::refusal::{Refusal, parse_name};
use super::write::{Success, Write, is_subschema, not_permitted};
use super::{
    Authority, access, audit, bind_rules, disabled, dynamic, grant, identifier, managed_account, relax, schema_change, sessions,
    stamp,
};
use crate::directory::{Change, MembershipAttribute, Node};
use crate::model::schema::Schema;
use crate::model::{Dn, EntryId, Modification, ModificationOperation, Rdn, ResultCode, Value};
use crate::policy::access::{Right, Subject};
use crate::protocol::{Control, ResponseKind};

/// A modify request on its way to the committer.
#[derive(Debug)]
pub struct ModifyRequest {
    /// The name as it came.
    pub name: Bytes,
    /// The changes in order; clear-text passwords replaced by [`super::prepare::with_answers`].
    pub changes: Vec<Modification>,
    /// The controls as they came.
    pub controls: Vec<Control>,
    /// Which password values were hashed or verified.
    pub(crate) passwords: Passwords,
}

impl ModifyRequest {
    /// A request as it came off the wire or out of a file.
    pub fn new(name: Bytes, changes: Vec<Modification>, controls: Vec<Control>) -> ModifyRequest {
        ModifyRequest { name, changes, controls, passwords: Passwords::default() }
    }
}

/// Whether every change is one of userPassword: what a person may do to the own entry.
pub(crate) fn only_password(schema: &Schema, changes: &[Modification]) -> bool {
    !changes.is_empty()
        && changes.iter().all(|change| {
            change.operation != ModificationOperation::Increment
                && prepare::is_password_description(schema, &change.attribute.description)
        })
}

/// Decides a modify: all changes in order, or none.
pub(crate) fn modify(write: &Write<'_>, request: &ModifyRequest) -> Result<Success, Refusal> {
    let controls = write.controls(ResponseKind::Modify, &request.controls)?;
    let schema = write.head.schema();
    let dn = parse_name(schema, &request.name, "invalid DN")?;
    check_counts(&request.changes)?;
    if sessions::is_here(write.head, &dn) {
        return sessions::give_reason(write, &dn, &request.changes, controls.assertion.as_ref());
    }
    let only_password = only_password(schema, &request.changes);
    let subject = if only_password { write.writer_of_password(&dn)? } else { write.writer()? };
    check_modifiable(&dn)?;
    if is_subschema(write.head, &dn) {
        return schema_change::modify(write, request, &controls);
    }
    let access = write.access();
    access.check_seen(write.head, &dn)?;
    write.check_referral(&dn, &controls)?;
    let id = write.find(&dn, &access)?;
    if let Some(done) = grant::intercept(write, request, id, &access, &controls)? {
        return Ok(done);
    }
    check_rights(write, &access, request, id, only_password)?;
    write.check_assertion(write.head, &access, controls.assertion.as_ref(), id)?;

    let (Some(mut draft), Some(node)) = (Draft::changed_by(write, id), write.head.node(id)) else {
        return Err(Refusal::no_such_object(write.head, None));
    };
    let relaxed = relax::is_allowed(&controls, subject)?;
    let is_own = subject.identity == Some(id) && write.context.authority == Authority::Session;
    if is_own && prepare::new_passwords(schema, &request.changes) > 1 {
        return Err(password_change::several());
    }
    let checked = check_changes(write, request, subject, relaxed)?;
    let changes_password = checked.iter().any(|it| prepare::is_password(schema, it.attribute_type.id));
    let needs_factor = changes_password && check_password(write, request, subject, id, &checked)?;
    for (index, (change, attribute)) in request.changes.iter().zip(&checked).enumerate() {
        apply(&mut draft, change, attribute, controls.permissive_modify, |value| request.passwords.outcome(index, value))?;
    }
    let has_new_password = changes_password && settle_password(write, subject, id, &mut draft, &checked, needs_factor)?;
    let rdn = rdn_of(node, &dn)?;
    draft.reserved.check_place(Some(id))?;
    let mut numbers = Vec::new();
    let assigned = identifier::assign_numbers(write, &mut draft, &mut numbers)?;
    let structural = draft.structural_class()?;
    if !relaxed {
        check_structural_class(write, node, structural)?;
        super::place::check_new_classes(&draft, Some(node))?;
    }
    draft.check(&rdn)?;
    let started_over = check_kinds(write, node, &mut draft)?;
    identifier::check_unique(write, Some(node), &draft)?;
    dynamic::check_class(write.head, node, &draft)?;
    if relaxed {
        relax::check_identity(write.head, Some(node), &draft)?;
        stamp::set(write.head, &mut draft.entry, "structuralObjectClass", structural.to_owned());
    }
    stamp_modified(write, &mut draft, &checked, relaxed);

    let forgiven = forgiven(has_new_password, &checked);
    if forgiven.failures && !checked.iter().any(is_lock) {
        bookkeeping::unlock(write.head, id, &mut draft.entry);
    }
    let block = draft.entry.build().block().clone();
    let mut changes = vec![Change::PutEntry { id, parent: node.parent, name: node.name.clone(), block }];
    let actor = stamp::actor_name(write.head, write.context);
    changes.extend(draft.members.changes(id, write.context.now, &actor));
    let effects = grant::follow(write, node, &draft, started_over, &mut changes);
    changes.extend(draft.reserved.changes(write.context.now, &actor));
    changes.extend(numbers);
    changes.extend(bookkeeping::forgiven(write.head, id, forgiven));
    Ok(Success { details: assigned, effects, ..write.finish(changes, id, &controls)? })
}

/// What an account, a rule, a grant or a review must be; what is to be changed beside it where a grant starts over.
fn check_kinds(write: &Write<'_>, node: &Node, draft: &mut Draft<'_>) -> Result<Vec<Change>, Refusal> {
    managed_account::check(write, Some(node), draft)?;
    disabled::settle(write, Some(node), draft);
    bind_rules::check(write, draft)?;
    access::check(write, draft)?;
    audit::check(write, draft)?;
    grant::check(write, node, draft)
}

/// Who and when; with relaxed rules the stamps that the request itself sets.
fn stamp_modified(write: &Write<'_>, draft: &mut Draft<'_>, checked: &[CheckedAttribute<'_>], relaxed: bool) {
    let given = if relaxed { relax::given_stamps(draft, checked) } else { Vec::new() };
    stamp::modified(write.head, write.context, write.csn_count, &mut draft.entry);
    given.into_iter().for_each(|(name, value)| stamp::set(write.head, &mut draft.entry, name, value));
}

fn rdn_of(node: &Node, dn: &Dn) -> Result<Rdn, Refusal> {
    match node.parent {
        Some(_) => Rdn::parse(node.name.as_bytes()).map_err(|_| Refusal::new(ResultCode::Other, "internal error")),
        None => dn.rdns.first().cloned().ok_or_else(|| Refusal::new(ResultCode::InvalidDnSyntax, "invalid DN")),
    }
}

/// 50 unless every change is allowed.
fn check_rights(
    write: &Write<'_>,
    access: &Access,
    request: &ModifyRequest,
    id: EntryId,
    only_password: bool,
) -> Result<(), Refusal> {
    if only_password {
        return access.require(write.head, Right::SetPassword, id);
    }
    let allowed = write.head.node(id).is_some_and(|node| access.allows_changes(write.head, &request.changes, node));
    if allowed { Ok(()) } else { Err(not_permitted()) }
}

/// What of the bookkeeping begins anew with changes of these attributes, because an administrator says so.
fn forgiven(has_new_password: bool, checked: &[CheckedAttribute<'_>]) -> Forgiven {
    let is_grace = |it: &&CheckedAttribute<'_>| it.attribute_type.name() == bookkeeping::GRACE_LOGINS;
    let kept = || checked.iter().filter(|it| it.home == Home::Bookkeeping);
    Forgiven {
        failures: has_new_password || checked.iter().any(is_lock) || kept().any(|it| !is_grace(&it)),
        grace_logins: has_new_password || kept().any(|it| is_grace(&it)),
    }
}

fn is_lock(attribute: &CheckedAttribute<'_>) -> bool {
    attribute.attribute_type.name() == bookkeeping::LOCKED_TIME
}

/// What is wrong with a request whatever the entry: 2.
fn check_counts(changes: &[Modification]) -> Result<(), Refusal> {
    for change in changes {
        let text = match (change.operation, change.attribute.values.len()) {
            (ModificationOperation::Add, 0) => "modify/add operation requires values",
            (ModificationOperation::Increment, 0) => "modify/increment operation requires value",
            (ModificationOperation::Increment, 2..) => "modify/increment operation requires single value",
            _ => continue,
        };
        return Err(Refusal::new(ResultCode::ProtocolError, text));
    }
    if changes.is_empty() {
        return Err(Refusal::new(ResultCode::ProtocolError, "no modifications provided"));
    }
    Ok(())
}

fn check_modifiable(dn: &Dn) -> Result<(), Refusal> {
    if dn.is_empty() {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "modify upon the root DSE not supported"));
    }
    Ok(())
}

/// Resolves and checks every change before any is made.
fn check_changes<'a>(
    write: &Write<'a>,
    request: &ModifyRequest,
    subject: Subject,
    relaxed: bool,
) -> Result<Vec<CheckedAttribute<'a>>, Refusal> {
    let schema = write.head.schema();
    let mut checked = Vec::with_capacity(request.changes.len());
    for (index, change) in request.changes.iter().enumerate() {
        let values = &change.attribute.values;
        let stores = change.operation != ModificationOperation::Delete && !values.is_empty();
        let attribute = CheckedAttribute::new(write.head, &change.attribute, stores)?;
        if relaxed {
            relax::check_attribute(&attribute)?;
        } else if write.context.authority == Authority::Session || attribute.home == Home::Computed {
            attribute.check_user_modification()?;
        }
        if attribute.home == Home::Bookkeeping && !values.is_empty() {
            return Err(attribute.constraint("no user modification allowed"));
        }
        if stores && !relaxed && write.context.authority == Authority::Session {
            attribute.check_not_obsolete()?;
        }
        let is_password = prepare::is_password(schema, attribute.attribute_type.id);
        if attribute.home == Home::Block && !is_password {
            attribute.check_values(schema, values)?;
        }
        if is_password && stores {
            request.passwords.check(&attribute, index, values, subject)?;
        }
        checked.push(attribute);
    }
    Ok(checked)
}

/// Judges the change of password in a request by the policy in force. Whether the new one is too short to be the only factor.
fn check_password(
    write: &Write<'_>,
    request: &ModifyRequest,
    subject: Subject,
    id: EntryId,
    checked: &[CheckedAttribute<'_>],
) -> Result<bool, Refusal> {
    let stores = |(index, (change, attribute)): (usize, (&Modification, &CheckedAttribute<'_>))| {
        let is_new = change.operation != ModificationOperation::Delete
            && prepare::is_password(write.head.schema(), attribute.attribute_type.id);
        let count = if is_new { change.attribute.values.len() } else { 0 };
        (0..count).map(|value| request.passwords.new_password(index, value)).collect::<Vec<_>>()
    };
    let new = request.changes.iter().zip(checked).enumerate().flat_map(stores).collect();
    let proof = Proof { old: request.passwords.old(), comparison: request.passwords.comparison() };
    password_change::check(write.head, write.context, subject, id, new, &proof)
}

/// Puts the account's state right after the changes are made. An owner has one password. False where the owner took it away and that is all.
fn settle_password(
    write: &Write<'_>,
    subject: Subject,
    id: EntryId,
    draft: &mut Draft<'_>,
    checked: &[CheckedAttribute<'_>],
    needs_factor: bool,
) -> Result<bool, Refusal> {
    let (is_owner, count) = (subject.identity == Some(id), password_change::count(write.head, &draft.entry));
    match count {
        0 if is_owner => password_change::check_removal(write.head, write.context, id)?,
        2.. if is_owner => return Err(password_change::several()),
        _ => {}
    }
    let given = |name: &str| checked.iter().any(|it| it.attribute_type.name() == name);
    password_change::settle(write.head, write.context, subject, Some(id), &mut draft.entry, needs_factor, given);
    Ok(count > 0 || !is_owner)
}

/// Makes one change. `permissive`: what is there already need not be added, what is not there need not be deleted. `outcome`: what
/// the hash pool said of a password value, by its index.
fn apply(
    draft: &mut Draft<'_>,
    change: &Modification,
    attribute: &CheckedAttribute<'_>,
    permissive: bool,
    outcome: impl Fn(usize) -> Option<Outcome>,
) -> Result<(), Refusal> {
    let values = &change.attribute.values;
    if let Home::Members(members) = attribute.home {
        return apply_to_members(draft, change, attribute, members, permissive);
    }
    if attribute.home == Home::Reserved {
        return draft.reserved.apply(attribute, change.operation, values, permissive);
    }
    if attribute.home == Home::Bookkeeping {
        let is_there = draft.has_bookkeeping(attribute.attribute_type.id);
        let must_be = change.operation == ModificationOperation::Delete && !permissive;
        return if is_there || !must_be { Ok(()) } else { Err(no_such(attribute, "delete", "attribute")) };
    }
    match change.operation {
        ModificationOperation::Add => add_values(draft, attribute, values, permissive),
        ModificationOperation::Delete if values.is_empty() => match draft.values_mut(attribute) {
            Some(_) => {
                draft.set_values(attribute, Vec::new());
                Ok(())
            }
            None if permissive => Ok(()),
            None => Err(no_such(attribute, "delete", "attribute")),
        },
        ModificationOperation::Delete => delete_values(draft, attribute, values, permissive, outcome),
        ModificationOperation::Replace => {
            draft.set_values(attribute, values.clone());
            Ok(())
        }
        ModificationOperation::Increment => increment(draft, attribute, values.first()),
    }
}

fn no_such(attribute: &CheckedAttribute<'_>, operation: &str, what: &str) -> Refusal {
    Refusal::new(ResultCode::NoSuchAttribute, format!("modify/{operation}: {}: no such {what}", attribute.name()))
}

fn no_equality_rule(attribute: &CheckedAttribute<'_>, operation: &str) -> Refusal {
    let text = format!("modify/{operation}: {}: no equality matching rule", attribute.name());
    Refusal::new(ResultCode::InappropriateMatching, text)
}

fn exists(attribute: &CheckedAttribute<'_>, index: usize) -> Refusal {
    let text = format!("modify/add: {}: value #{index} already exists", attribute.name());
    Refusal::new(ResultCode::AttributeOrValueExists, text)
}

fn has_equality_rule(schema: &Schema, attribute: &CheckedAttribute<'_>) -> bool {
    schema.equality_key(attribute.attribute_type.id, &[]).is_some()
}

fn add_values(
    draft: &mut Draft<'_>,
    attribute: &CheckedAttribute<'_>,
    values: &[Value],
    permissive: bool,
) -> Result<(), Refusal> {
    let schema = draft.schema;
    let Some(present) = draft.values_mut(attribute) else {
        draft.set_values(attribute, values.to_vec());
        return Ok(());
    };
    if !has_equality_rule(schema, attribute) {
        return Err(no_equality_rule(attribute, "add"));
    }
    let key = |value: &Value| ValueKey::of(schema, attribute.attribute_type, value);
    let mut keys: HashSet<ValueKey> = present.iter().map(key).collect();
    for (index, value) in values.iter().enumerate() {
        if keys.insert(key(value)) {
            present.push(value.clone());
        } else if !permissive {
            return Err(exists(attribute, index));
        }
    }
    Ok(())
}

fn delete_values(
    draft: &mut Draft<'_>,
    attribute: &CheckedAttribute<'_>,
    values: &[Value],
    permissive: bool,
    outcome: impl Fn(usize) -> Option<Outcome>,
) -> Result<(), Refusal> {
    let schema = draft.schema;
    let Some(present) = draft.values_mut(attribute) else {
        return if permissive { Ok(()) } else { Err(no_such(attribute, "delete", "attribute")) };
    };
    if !has_equality_rule(schema, attribute) {
        return Err(no_equality_rule(attribute, "delete"));
    }
    let key = |value: &Value| ValueKey::of(schema, attribute.attribute_type, value);
    let mut keys: HashSet<ValueKey> = present.iter().map(key).collect();
    for (index, value) in values.iter().enumerate() {
        match outcome(index) {
            Some(Outcome::Busy) => return Err(Refusal::new(ResultCode::Busy, "")),
            Some(Outcome::NoMatch) => return Err(no_such(attribute, "delete", "value").because("wrong password")),
            _ if keys.remove(&key(value)) || permissive => {}
            _ => return Err(no_such(attribute, "delete", "value")),
        }
    }
    let mut rest = std::mem::take(present);
    rest.retain(|value| keys.contains(&key(value)));
    draft.set_values(attribute, rest);
    Ok(())
}

const NOT_INCREMENTED: &str = "attribute syntax inappropriate for increment";

/// RFC 4525: adds to each value. Values that do not fit in 128 bits are refused, not wrapped.
fn increment(draft: &mut Draft<'_>, attribute: &CheckedAttribute<'_>, by: Option<&Value>) -> Result<(), Refusal> {
    const INTEGER: &str = "1.3.6.1.4.1.1466.115.121.1.27";
    let refusal = |problem: &str| {
        let text = format!("modify/increment: {}: {problem}", attribute.name());
        Refusal::new(ResultCode::ConstraintViolation, text)
    };
    if attribute.attribute_type.syntax.oid != INTEGER {
        return Err(attribute.constraint(NOT_INCREMENTED));
    }
    let Some(present) = draft.values_mut(attribute) else { return Err(no_such(attribute, "increment", "attribute")) };
    let number = |value: &Value| std::str::from_utf8(value).ok().and_then(|text| text.parse::<i128>().ok());
    let by = by.and_then(number).ok_or_else(|| refusal("increment out of range"))?;
    for value in present.iter_mut() {
        let sum = number(value).and_then(|number| number.checked_add(by)).ok_or_else(|| refusal("value out of range"))?;
        *value = Value::from(sum.to_string());
    }
    Ok(())
}

fn apply_to_members(
    draft: &mut Draft<'_>,
    change: &Modification,
    attribute: &CheckedAttribute<'_>,
    members: MembershipAttribute,
    permissive: bool,
) -> Result<(), Refusal> {
    attribute.check_count(&change.attribute.values)?;
    let may_end = matches!(change.operation, ModificationOperation::Add | ModificationOperation::Replace);
    let elements = draft.members.read(attribute, members, &change.attribute.values, may_end)?;
    let draft = &mut draft.members;
    match change.operation {
        ModificationOperation::Add => {
            for (index, (element, until)) in elements.into_iter().enumerate() {
                match (draft.set(element.clone(), true), until) {
                    (true, Some(until)) => draft.set_end(&element, until),
                    (true, None) => {}
                    (false, _) if permissive => {}
                    (false, _) => return Err(exists(attribute, index)),
                }
            }
        }
        ModificationOperation::Delete if draft.count(members) == 0 && permissive => {}
        ModificationOperation::Delete if draft.count(members) == 0 => return Err(no_such(attribute, "delete", "attribute")),
        ModificationOperation::Delete if elements.is_empty() => draft.replace(members, Vec::new()),
        ModificationOperation::Delete => {
            for (element, _) in elements {
                if !draft.set(element, false) && !permissive {
                    return Err(no_such(attribute, "delete", "value"));
                }
            }
        }
        ModificationOperation::Replace => draft.replace(members, elements),
        ModificationOperation::Increment => return Err(attribute.constraint(NOT_INCREMENTED)),
    }
    Ok(())
}

/// 69: what an entry is stays.
fn check_structural_class(write: &Write<'_>, node: &Node, structural: &str) -> Result<(), Refusal> {
    let attribute_type = write.head.schema().attribute_type("structuralObjectClass");
    let before = attribute_type.and_then(|it| node.entry.first(it.id)).and_then(|it| std::str::from_utf8(it).ok());
    match before {
        Some(before) if !before.eq_ignore_ascii_case(structural) => {
            let text = format!("structural object class modification from '{before}' to '{structural}' not allowed");
            Err(Refusal::new(ResultCode::ObjectClassModsProhibited, text))
        }
        _ => Ok(()),
    }
}
