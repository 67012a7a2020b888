//! Add (RFC 4511 section 4.7).

use bytes::Bytes;

use super::access::{self, Access};
use super::draft::{CheckedAttribute, Draft, Home};
use super::password_change;
use super::prepare::{self, Passwords};
use super::refusal::{Refusal, parse_name};
use super::write::{Success, Write, is_subschema, no_superior_knowledge, not_permitted};
use super::{Authority, audit, bind_rules, disabled, dynamic, grant, identifier, managed_account, relax, review, stamp};
use crate::directory::{AccountState, Change, Lookup, MEMBER_ENDS, Node};
use crate::journal::Named;
use crate::model::{Attribute, Dn, EntryId, ModificationOperation, Rdn, ResultCode, Timestamp};
use crate::policy::access::{Right, Subject};
use crate::protocol::{Control, ResponseKind};

/// An add request on its way to the committer.
#[derive(Debug)]
pub struct AddRequest {
    /// The name as it came.
    pub name: Bytes,
    /// The attributes as they came; clear-text passwords replaced by [`super::prepare::with_answers`].
    pub attributes: Vec<Attribute>,
    /// The controls as they came.
    pub controls: Vec<Control>,
    /// Which password values this server hashed itself.
    pub(crate) passwords: Passwords,
    /// Puts this content in the place of what the suffix entry holds; only for who holds the data folder.
    pub(crate) replaces_suffix: bool,
}

impl AddRequest {
    /// A request as it came off the wire or out of a file.
    pub fn new(name: Bytes, attributes: Vec<Attribute>, controls: Vec<Control>) -> AddRequest {
        AddRequest { name, attributes, controls, passwords: Passwords::default(), replaces_suffix: false }
    }

    /// For an import that brings the suffix entry along: the one that `init` made gives way to it.
    pub fn replaces_suffix(&mut self) {
        self.replaces_suffix = true;
    }
}

/// Where a new entry goes.
struct Place {
    /// The number of the entry there, whose content is replaced.
    id: Option<EntryId>,
    parent: Option<EntryId>,
    /// An entry that who asks may not know of has the name: told to those alone who could add it.
    is_taken: bool,
    /// What `Change::PutEntry` calls it: its RDN, the whole name for the suffix entry.
    name: String,
}

/// Decides an add.
pub(crate) fn add(write: &Write<'_>, request: &AddRequest) -> Result<Success, Refusal> {
    let controls = write.controls(ResponseKind::Add, &request.controls)?;
    let dn = parse_name(write.head.schema(), &request.name, "invalid DN")?;
    let subject = write.writer()?;
    let may_replace = request.replaces_suffix && write.context.authority == Authority::Installation;
    let access = write.access();
    if matches!(write.head.find(&dn), Lookup::Missing { .. }) {
        access.check_seen(write.head, &dn)?;
        write.check_referral(&dn, &controls)?;
    }
    let may_ask = grant::ask::may_ask(write, &access, request, subject, &dn);
    let place = place(write, &dn, &access, subject, (may_replace, may_ask))?;
    let id = place.id.unwrap_or_else(|| write.head.next_entry_id());
    let mut bookkeeping = AccountState::default();

    let relaxed = relax::is_allowed(&controls, subject)?;
    let mut draft = Draft::added_by(write);
    take_attributes(write, request, subject, relaxed, &mut draft, &mut bookkeeping)?;
    let rdn = dn.rdns.first().ok_or_else(|| Refusal::new(ResultCode::InvalidDnSyntax, "invalid DN"))?;
    check_passwords(write, request, subject, &mut draft)?;
    if place.parent.is_some() {
        draft.reserved.check_place(Some(id))?;
    }
    let mut numbers = Vec::new();
    let assigned = identifier::assign_numbers(write, &mut draft, &mut numbers)?;
    draft.add_rdn_values(rdn)?;
    let is_import = write.context.authority == Authority::Installation;
    if !relaxed && !is_import {
        super::place::check_new_classes(&draft, None)?;
        super::place::check_naming_attributes(draft.schema, rdn)?;
    }
    let structural = draft.check(rdn)?;
    let opening = check_kinds(write, &mut draft, rdn, place.parent)?;
    identifier::check_unique(write, place.id.and_then(|id| write.head.node(id)).map(|node| &**node), &draft)?;
    if relaxed {
        relax::check_identity(write.head, None, &draft)?;
    } else {
        super::place::check_place(write.head, structural, rdn, place.parent, None)?;
    }
    dynamic::complete(write, &mut draft, place.parent)?;
    stamp::set(write.head, &mut draft.entry, "structuralObjectClass", structural.to_owned());
    stamp::created(write.head, write.context, write.csn_count, &mut draft.entry);
    stamp::created_by(write.head, write.context, &mut draft.entry);

    let entry = draft.entry.build();
    if !access.is_everything() {
        let (name, rdn_key) = (place.name.clone(), write.head.schema().rdn_key(rdn));
        let node = Node { id, parent: place.parent, name, rdn_key, entry: entry.clone() };
        check_rights(write, &access, request, &node, may_ask)?;
    }
    if place.is_taken {
        return Err(Refusal::new(ResultCode::EntryAlreadyExists, ""));
    }
    let mut changes = vec![Change::PutEntry { id, parent: place.parent, name: place.name, block: entry.block().clone() }];
    let actor = stamp::actor_name(write.head, write.context);
    changes.extend(draft.members.changes(id, write.context.now, &actor));
    changes.extend(opening.iter().flat_map(|opening| review::open::items(write, id, opening)));
    changes.extend(draft.reserved.changes(write.context.now, &actor));
    changes.extend(numbers);
    if bookkeeping != AccountState::default() {
        changes.push(Change::PutAccountState { id, state: bookkeeping });
    }
    write.settle_waiting(&dn, &mut changes)?;
    if controls.assertion.is_some() {
        write.check_assertion(&write.after(&changes)?, &access, controls.assertion.as_ref(), id)?;
    }
    let uuid = write.head.schema().attribute_type("entryUUID").and_then(|uuid| entry.first(uuid.id));
    let uuid = uuid.map(|uuid| String::from_utf8_lossy(uuid).into_owned());
    let target = Some(Named { uuid, dn: dn.to_string() });
    Ok(Success { target, details: assigned, ..write.finish(changes, id, &controls)? })
}

/// What an account, a rule, a grant or a review must be that is added; the items of a review.
fn check_kinds(
    write: &Write<'_>,
    draft: &mut Draft<'_>,
    rdn: &Rdn,
    parent: Option<EntryId>,
) -> Result<Option<review::terms::Opening>, Refusal> {
    managed_account::check(write, None, draft)?;
    disabled::settle(write, None, draft);
    bind_rules::check(write, draft)?;
    access::check(write, draft)?;
    audit::check(write, draft)?;
    grant::check_name(write, draft, rdn)?;
    grant::governed::check(write, None, draft)?;
    grant::ask::asked(write, parent, draft)?;
    review::terms::added(write, draft)
}

/// 50 unless this entry may be added at this place, each of its attributes allowed. A grant is asked for where no rule forbids it.
fn check_rights(write: &Write<'_>, access: &Access, request: &AddRequest, node: &Node, may_ask: bool) -> Result<(), Refusal> {
    let given = request.attributes.iter().filter_map(|given| write.head.schema().describe(&given.description).ok());
    let given = given.map(|it| it.attribute_type);
    let may = if may_ask { !access.denies_new(write.head, node, given) } else { access.allows_new(write.head, node, given) };
    if may { Ok(()) } else { Err(not_permitted()) }
}

/// Finds the place: 68 where it is taken, 32 without a parent, 53 outside the suffix, 33 below an alias, 50 without the right.
fn place(
    write: &Write<'_>,
    dn: &Dn,
    access: &Access,
    subject: Subject,
    (may_replace, may_ask): (bool, bool),
) -> Result<Place, Refusal> {
    if dn.is_empty() || is_subschema(write.head, dn) {
        let what = if dn.is_empty() { "root DSE" } else { "subschema subentry" };
        return Err(Refusal::new(ResultCode::EntryAlreadyExists, format!("{what} already exists")));
    }
    match write.head.find(dn) {
        Lookup::Found(id) if may_replace && write.head.suffix_entry() == Some(id) => {
            Ok(Place { id: Some(id), parent: None, is_taken: false, name: write.head.dn_text(id) })
        }
        Lookup::Found(id) if access.sees_id(write.head, id) => Err(Refusal::new(ResultCode::EntryAlreadyExists, "")),
        found @ (Lookup::Found(_) | Lookup::Missing { .. }) => {
            // A name that who asks may not know of is answered as one that nobody has, as long as that can be.
            let parent = dn.parent().map(|parent| write.head.find(&parent));
            let Some(Lookup::Found(parent)) = parent else {
                let matched = if let Lookup::Missing { matched } = found { Some(matched) } else { None };
                return Err(access.no_such_object(write.head, matched));
            };
            if !access.sees_id(write.head, parent) && !may_ask {
                return Err(access.no_such_object(write.head, Some(parent)));
            }
            if !may_ask && !access.may_allow(Right::Create) {
                return Err(not_permitted());
            }
            if super::search::is_alias(write.head, parent) {
                return Err(Refusal::new(ResultCode::AliasProblem, "parent is an alias"));
            }
            let name = dn.rdns.first().map(ToString::to_string).unwrap_or_default();
            Ok(Place { id: None, parent: Some(parent), is_taken: matches!(found, Lookup::Found(_)), name })
        }
        Lookup::Outside if !write.is_within_suffix(dn) => Err(no_superior_knowledge()),
        Lookup::Outside if dn.rdns.len() != write.head.suffix().rdns.len() => Err(Refusal::no_such_object(write.head, None)),
        Lookup::Outside if !subject.administrator => Err(not_permitted()),
        Lookup::Outside => Ok(Place { id: None, parent: None, is_taken: false, name: dn.to_string() }),
    }
}

/// Checks the attributes of the request and puts them into the draft.
fn take_attributes(
    write: &Write<'_>,
    request: &AddRequest,
    subject: Subject,
    relaxed: bool,
    draft: &mut Draft<'_>,
    bookkeeping: &mut AccountState,
) -> Result<(), Refusal> {
    if request.attributes.is_empty() {
        return Err(Refusal::new(ResultCode::ProtocolError, "no attributes provided"));
    }
    for (index, given) in request.attributes.iter().enumerate() {
        if given.values.is_empty() {
            return Err(Refusal::new(ResultCode::ProtocolError, "no values for attribute type"));
        }
        let attribute = CheckedAttribute::new(write.head, given, true)?;
        match write.context.authority {
            Authority::Session if relaxed => relax::check_attribute(&attribute)?,
            Authority::Session => {
                attribute.check_user_modification()?;
                attribute.check_not_obsolete()?;
            }
            Authority::Installation if attribute.home == Home::Computed => {
                keep_bookkeeping(&attribute, given, bookkeeping);
                keep_ends(&attribute, given, draft);
                continue;
            }
            Authority::Installation => {}
        }
        if attribute.home == Home::Block {
            attribute.check_values(draft.schema, &given.values)?;
        }
        if prepare::is_password(draft.schema, attribute.attribute_type.id) {
            request.passwords.check(&attribute, index, &given.values, subject)?;
        }
        put(draft, &attribute, given)?;
    }
    Ok(())
}

/// Judges the passwords by the policy that will be in force, and puts the account's state right.
fn check_passwords(write: &Write<'_>, request: &AddRequest, subject: Subject, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let schema = write.head.schema();
    let mut new = Vec::new();
    for (index, given) in request.attributes.iter().enumerate() {
        if prepare::is_password_description(schema, &given.description) {
            new.extend((0..given.values.len()).map(|value| request.passwords.new_password(index, value)));
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let is_given = |given: &&Attribute, name: &str| {
        let (one, other) = (schema.attribute_type(&given.description), schema.attribute_type(name));
        one.zip(other).is_some_and(|(one, other)| one.id == other.id)
    };
    let given = |name: &str| request.attributes.iter().find(|given| is_given(given, name));
    let policy = given("pwdPolicySubentry").and_then(|given| given.values.first());
    password_change::check_new(write.head, write.context, policy.map(AsRef::as_ref), new)?;
    password_change::settle(write.head, write.context, subject, None, &mut draft.entry, false, |name| given(name).is_some());
    Ok(())
}

/// Login bookkeeping of an export; other computed attributes in it say nothing that is not known.
fn keep_bookkeeping(attribute: &CheckedAttribute<'_>, given: &Attribute, bookkeeping: &mut AccountState) {
    let Some(value) = given.values.first() else { return };
    match attribute.attribute_type.name() {
        // Both say the same; the later is told more exactly.
        "lastLoginTime" | "pwdLastSuccess" => {
            bookkeeping.last_login = bookkeeping.last_login.max(Timestamp::from_generalized_time(value).ok());
        }
        "lastLoginSource" => bookkeeping.last_login_source = Some(String::from_utf8_lossy(value).into_owned()),
        _ => {}
    }
}

/// When memberships end, as an export says it.
fn keep_ends(attribute: &CheckedAttribute<'_>, given: &Attribute, draft: &mut Draft<'_>) {
    if attribute.attribute_type.name() == MEMBER_ENDS {
        given.values.iter().for_each(|value| draft.members.keep_end(value));
    }
}

fn put(draft: &mut Draft<'_>, attribute: &CheckedAttribute<'_>, given: &Attribute) -> Result<(), Refusal> {
    if attribute.home == Home::Reserved {
        return draft.reserved.apply(attribute, ModificationOperation::Add, &given.values, true);
    }
    let Home::Members(members) = attribute.home else {
        if draft.values_mut(attribute).is_some() {
            let text = format!("attribute '{}' provided more than once", attribute.name());
            return Err(Refusal::new(ResultCode::AttributeOrValueExists, text));
        }
        draft.set_values(attribute, given.values.clone());
        return Ok(());
    };
    attribute.check_count(&given.values)?;
    for (element, until) in draft.members.read(attribute, members, &given.values, true)? {
        until.iter().for_each(|until| draft.members.set_end(&element, *until));
        draft.members.set(element, true);
    }
    Ok(())
}
