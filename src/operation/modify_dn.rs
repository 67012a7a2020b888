//! Modify DN: renaming and moving (RFC 4511 section 4.9). What lies below moves along without being touched.

use bytes::Bytes;

use super::access::{self, Access};
use super::control::Controls;
use super::draft::Draft;
use super::refusal::{Refusal, is_sound, parse_name};
use super::write::{Success, Write, is_subschema, not_permitted};
use super::{Authority, audit, bind_rules, dynamic, grant, identifier, managed_account, review, stamp};
use crate::directory::{Change, Lookup, Node, RECENT_CHANGES};
use crate::journal::Named;
use crate::model::{AttributeTypeId, Dn, EntryId, Rdn, ResultCode};
use crate::policy::access::Right;
use crate::protocol::{Control, ResponseKind};

/// A rename or move on its way to the committer.
#[derive(Debug)]
pub struct ModifyDnRequest {
    /// The name as it came.
    pub name: Bytes,
    /// newrdn as it came.
    pub new_rdn: Bytes,
    /// deleteoldrdn
    pub delete_old_rdn: bool,
    /// newSuperior as it came.
    pub new_superior: Option<Bytes>,
    /// The controls as they came.
    pub controls: Vec<Control>,
}

impl ModifyDnRequest {
    /// What the journal says of it beside the name.
    pub(crate) fn details(&self) -> Vec<(&'static str, String)> {
        let text = |octets: &Bytes| match Dn::parse(octets) {
            Ok(dn) => dn.to_string(),
            Err(_) => format!("(no name: {} octets)", octets.len()),
        };
        let mut details = vec![("newRdn", text(&self.new_rdn)), ("deleteOldRdn", self.delete_old_rdn.to_string())];
        details.extend(self.new_superior.as_ref().map(|superior| ("newSuperior", text(superior))));
        details
    }
}

/// Decides a rename.
pub(crate) fn modify_dn(write: &Write<'_>, request: &ModifyDnRequest) -> Result<Success, Refusal> {
    let controls = write.controls(ResponseKind::ModifyDn, &request.controls)?;
    let schema = write.head.schema();
    let dn = parse_name(schema, &request.name, "invalid DN")?;
    let new_rdn = Rdn::parse(&request.new_rdn).ok().filter(|rdn| is_sound(schema, rdn));
    let new_rdn = new_rdn.ok_or_else(|| Refusal::new(ResultCode::InvalidDnSyntax, "invalid new RDN"))?;
    let new_superior =
        request.new_superior.as_ref().map(|superior| parse_name(schema, superior, "invalid newSuperior")).transpose()?;
    write.writer()?;
    check_renamable(write, &dn)?;
    let access = write.access();
    access.check_seen(write.head, &dn)?;
    write.check_referral(&dn, &controls)?;
    let id = write.find(&dn, &access)?;
    if ![Right::Rename, Right::MoveOut].into_iter().any(|right| access.require(write.head, right, id).is_ok()) {
        return Err(not_permitted());
    }
    write.check_assertion(write.head, &access, controls.assertion.as_ref(), id)?;

    let Some(node) = write.head.node(id) else { return Err(Refusal::no_such_object(write.head, None)) };
    let Some(old_parent) = node.parent else {
        return Err(cannot_leave());
    };
    let parent = match &new_superior {
        Some(superior) => self::new_superior(write, &access, superior, id, &controls)?,
        None => old_parent,
    };
    check_rights(write, &access, node, &new_rdn, parent)?;
    check_value_rights(write, &access, node, &new_rdn, request.delete_old_rdn)?;
    access::check_unnamed(write.head, &access, &[id], true)?;
    audit::check_unnamed(write.head, &[id], true)?;
    dynamic::check_move(write.head, node, parent)?;
    grant::people::check_move(write.head, node, parent)?;
    review::terms::check_move(write.head, node)?;
    let new_dn = name_below(write, parent, &new_rdn);
    if matches!(write.head.find(&new_dn), Lookup::Found(other) if other != id) {
        return Err(Refusal::new(ResultCode::EntryAlreadyExists, ""));
    }
    let (draft, started_over) = renamed_entry(write, node, (&new_rdn, parent), request.delete_old_rdn)?;
    let block = draft.entry.build().block().clone();
    let mut changes = vec![Change::PutEntry { id, parent: Some(parent), name: new_rdn.to_string(), block }];
    let effects = grant::follow(write, node, &draft, started_over, &mut changes);
    write.settle_waiting(&new_dn, &mut changes)?;
    if write.context.authority == Authority::Session {
        // Their values spell the old name. Where there are so many that those who follow could not keep up, the rename stays a small change.
        let referrers = write.head.referrers(id, RECENT_CHANGES / 2).unwrap_or_default();
        stamp::touched(write.head, write.context, write.csn_count, referrers, &mut changes);
    }
    let success = write.finish(changes, id, &controls)?;
    let uuid = success.target.as_ref().and_then(|target| target.uuid.clone());
    let old = ("oldDn", write.head.dn_text(id));
    Ok(Success { target: Some(Named { uuid, dn: new_dn.to_string() }), details: vec![old], effects, ..success })
}

/// 50 unless the entry may have another name, leave where it is and come to where it is to be, as far as that changes.
fn check_rights(write: &Write<'_>, access: &Access, node: &Node, new_rdn: &Rdn, parent: EntryId) -> Result<(), Refusal> {
    let head = write.head;
    let renamed = head.schema().rdn_key(new_rdn) != node.rdn_key;
    let moved = node.parent != Some(parent);
    let there = Node {
        id: node.id,
        parent: Some(parent),
        name: new_rdn.to_string(),
        rdn_key: head.schema().rdn_key(new_rdn),
        entry: node.entry.clone(),
    };
    let may = ((!renamed && moved) || access.allows(head, Right::Rename, node, None))
        && (!moved || access.allows(head, Right::MoveOut, node, None))
        && (!moved || access.allows(head, Right::MoveIn, &there, None));
    if may { Ok(()) } else { Err(not_permitted()) }
}

/// 50 unless who asks may write the values that the name brings along and takes away. Of attributes that name the entry before and after, the
/// right to rename is enough.
fn check_value_rights(write: &Write<'_>, access: &Access, node: &Node, new_rdn: &Rdn, delete_old: bool) -> Result<(), Refusal> {
    let (head, schema) = (write.head, write.head.schema());
    let old_rdn = Rdn::parse(node.name.as_bytes()).map_err(|_| Refusal::new(ResultCode::Other, "internal error"))?;
    let types = |rdn: &Rdn| -> Vec<AttributeTypeId> {
        rdn.parts.iter().filter_map(|part| schema.attribute_type(&part.attribute_type)).map(|it| it.id).collect()
    };
    let (old, new) = (types(&old_rdn), types(new_rdn));
    let may = |right, id: AttributeTypeId| {
        access.allows(head, right, node, Some(id)) || access.allows(head, Right::Replace, node, Some(id))
    };
    let adds = new.iter().filter(|id| !old.contains(id)).all(|id| may(Right::AddValue, *id));
    let removes = !delete_old || old.iter().filter(|id| !new.contains(id)).all(|id| may(Right::DeleteValue, *id));
    if adds && removes { Ok(()) } else { Err(not_permitted()) }
}

fn check_renamable(write: &Write<'_>, dn: &Dn) -> Result<(), Refusal> {
    let text = match () {
        () if dn.is_empty() => "cannot rename the root DSE",
        () if is_subschema(write.head, dn) => "cannot rename the subschema subentry",
        () => return Ok(()),
    };
    Err(Refusal::new(ResultCode::UnwillingToPerform, text))
}

/// 71: the suffix itself keeps its name, and nothing goes to where another server may be.
fn cannot_leave() -> Refusal {
    Refusal::new(ResultCode::AffectsMultipleDsas, "cannot rename between DSAs")
}

/// The new parent: 71 outside the suffix and behind a referral (RFC 3296 section 5.6), 32 where there is none, 53 below the entry itself.
fn new_superior(
    write: &Write<'_>,
    access: &Access,
    superior: &Dn,
    moved: EntryId,
    controls: &Controls,
) -> Result<EntryId, Refusal> {
    if !write.is_within_suffix(superior) {
        return Err(cannot_leave());
    }
    let not_found = |_| Refusal::new(ResultCode::NoSuchObject, "new superior not found");
    access.check_seen(write.head, superior).map_err(not_found)?;
    write.check_referral(superior, controls).map_err(|_| cannot_leave())?;
    let found = match write.head.find(superior) {
        Lookup::Found(parent) => Some(parent).filter(|&parent| access.sees_id(write.head, parent)),
        _ => None,
    };
    let Some(parent) = found else { return Err(Refusal::new(ResultCode::NoSuchObject, "new superior not found")) };
    if write.head.is_within(parent, moved) {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "cannot place an entry below itself"));
    }
    if super::search::is_alias(write.head, parent) {
        return Err(Refusal::new(ResultCode::AliasProblem, "new superior is an alias"));
    }
    Ok(parent)
}

fn name_below(write: &Write<'_>, parent: EntryId, rdn: &Rdn) -> Dn {
    let mut rdns = vec![rdn.clone()];
    rdns.extend(write.head.dn(parent).rdns);
    Dn { rdns }
}

/// The entry under its new name, judged as after any other change; what is to be changed beside it where a grant starts over.
fn renamed_entry<'a>(
    write: &Write<'a>,
    node: &Node,
    (new_rdn, parent): (&Rdn, EntryId),
    delete_old: bool,
) -> Result<(Draft<'a>, Vec<Change>), Refusal> {
    let internal = || Refusal::new(ResultCode::Other, "internal error");
    let mut draft = Draft::of_entry(write.head, node.id).ok_or_else(internal)?;
    let old_rdn = Rdn::parse(node.name.as_bytes()).map_err(|_| internal())?;
    if delete_old {
        draft.remove_rdn_values(&old_rdn)?;
    }
    draft.add_rdn_values(new_rdn)?;
    let structural = draft.check(new_rdn)?;
    if draft.schema.rdn_key(&old_rdn) != draft.schema.rdn_key(new_rdn) {
        super::place::check_naming_attributes(draft.schema, new_rdn)?;
        grant::check_name(write, &draft, new_rdn)?;
    }
    super::place::check_place(write.head, structural, new_rdn, Some(parent), Some(node.id))?;
    managed_account::check(write, Some(node), &draft)?;
    bind_rules::check(write, &draft)?;
    access::check(write, &draft).and_then(|()| audit::check(write, &draft))?;
    let started_over = grant::check(write, node, &mut draft)?;
    identifier::check_unique(write, Some(node), &draft)?;
    dynamic::check_class(write.head, node, &draft)?;
    stamp::modified(write.head, write.context, write.csn_count, &mut draft.entry);
    Ok((draft, started_over))
}
