//! Delete (RFC 4511 section 4.8), of a whole subtree with the tree delete control.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::refusal::{Refusal, parse_name};
use super::write::{MAXIMUM_CHANGES, Success, Write, is_subschema};
use super::{access, audit, bind_rules, grant, identifier, record, review, sessions};
use crate::directory::{Change, Directory, MembershipAttribute};
use crate::journal::{RecordedChange, RecordedEffect, RecordedValue};
use crate::model::{Dn, EntryId, ModificationOperation, ResultCode};
use crate::policy::access::Right;
use crate::protocol::{Control, ResponseKind, oid};

/// Most entries that one tree delete removes: they go in one frame, and the journal names each.
pub const MAXIMUM_TREE_DELETE: usize = 10_000;

/// Memberships lost by one delete that its record names.
pub const MAXIMUM_EFFECTS: usize = 1000;

/// A delete request on its way to the committer.
#[derive(Debug)]
pub struct DeleteRequest {
    /// The name as it came.
    pub name: Bytes,
    /// The controls as they came.
    pub controls: Vec<Control>,
}

/// Decides a delete.
pub(crate) fn delete(write: &Write<'_>, request: &DeleteRequest) -> Result<Success, Refusal> {
    let controls = write.controls(ResponseKind::Delete, &request.controls)?;
    let dn = parse_name(write.head.schema(), &request.name, "invalid DN")?;
    let subject = write.writer()?;
    if sessions::is_here(write.head, &dn) {
        return sessions::end(write, subject, &dn, controls.assertion.as_ref());
    }
    check_deletable(write, &dn)?;
    let access = write.access();
    access.check_seen(write.head, &dn)?;
    write.check_referral(&dn, &controls)?;
    let id = write.find(&dn, &access)?;
    access.require(write.head, Right::Delete, id)?;
    write.check_assertion(write.head, &access, controls.assertion.as_ref(), id)?;
    if !controls.tree_delete && write.head.child_count(id) > 0 {
        return Err(Refusal::new(ResultCode::NotAllowedOnNonLeaf, "subordinate objects must be deleted first"));
    }
    let entries = bottom_up(write, id)?;
    entries.iter().try_for_each(|&entry| access.require(write.head, Right::Delete, entry))?;
    bind_rules::check_unnamed(write.head, &entries)?;
    access::check_unnamed(write.head, &access, &entries, false)?;
    audit::check_unnamed(write.head, &entries, false)?;
    grant::people::check_removable(write.head, &entries)?;
    review::terms::check_removable(write, &entries)?;
    let mut changes = Vec::new();
    for &entry in &entries {
        remove(write, entry, &mut changes)?;
    }
    access::check_not_locked_out(write, &changes)?;
    let revoked = grant::people::removed(write, &entries, &mut changes);
    let (mut effects, not_named) = lost_memberships(write.head, &changes);
    effects.extend(revoked);
    let pre_read = write.read(write.head, oid::PRE_READ, controls.pre_read.as_ref(), id);
    let below = entries.iter().filter(|&&entry| entry != id);
    let mut details: Vec<_> = below.map(|&entry| ("deleted", write.head.dn_text(entry))).collect();
    if not_named > 0 {
        details.push(("effectsNotNamed", not_named.to_string()));
    }
    Ok(Success { changes, target: record::named(write.head, id), controls: pre_read.into_iter().collect(), effects, details })
}

fn check_deletable(write: &Write<'_>, dn: &Dn) -> Result<(), Refusal> {
    let text = match () {
        () if dn.is_empty() => "cannot delete the root DSE",
        () if is_subschema(write.head, dn) => "subschema subentry deletion not supported",
        () => return Ok(()),
    };
    Err(Refusal::new(ResultCode::UnwillingToPerform, text))
}

/// The entry and all below it, each after those below it.
fn bottom_up(write: &Write<'_>, top: EntryId) -> Result<Vec<EntryId>, Refusal> {
    let mut entries = vec![top];
    let mut next = 0;
    while let Some(&entry) = entries.get(next) {
        for child in write.head.children(entry) {
            if entries.len() >= MAXIMUM_TREE_DELETE {
                let text = format!("more than {MAXIMUM_TREE_DELETE} entries in one tree delete");
                return Err(Refusal::new(ResultCode::AdminLimitExceeded, text));
            }
            entries.push(child);
        }
        next += 1;
    }
    entries.reverse();
    Ok(entries)
}

/// Takes an entry out of every group and every reference, empties what it refers to itself, and removes it.
pub(crate) fn remove(write: &Write<'_>, id: EntryId, changes: &mut Vec<Change>) -> Result<(), Refusal> {
    let mut removal = write.head.removal(id);
    let gone = removal.pop();
    changes.extend(removal);
    identifier::reserve(write, id, changes);
    changes.extend(gone);
    if changes.len() > MAXIMUM_CHANGES {
        return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many changes in one operation"));
    }
    Ok(())
}

/// What groups lose by these changes, and how many memberships beyond [`MAXIMUM_EFFECTS`] are not named. A group that is deleted itself
/// is named with its members.
pub(crate) fn lost_memberships(head: &Directory, changes: &[Change]) -> (Vec<RecordedEffect>, usize) {
    let mut seen = HashSet::new();
    let mut places: HashMap<(EntryId, MembershipAttribute), usize> = HashMap::new();
    let mut effects: Vec<RecordedEffect> = Vec::new();
    for change in changes {
        let Change::RemoveMembership { group, membership } = change else { continue };
        // Where both group and member go, both say so.
        if !seen.insert((*group, membership)) || seen.len() > MAXIMUM_EFFECTS {
            continue;
        }
        let place = *places.entry((*group, membership.attribute())).or_insert(effects.len());
        if place == effects.len() {
            let (attribute, operation) = (membership.attribute().name(head.schema()).to_owned(), ModificationOperation::Delete);
            let Some(entry) = record::named(head, *group) else { continue };
            let change = RecordedChange { attribute, operation, values: RecordedValue::Shown(Vec::new()) };
            effects.push(RecordedEffect { entry, change });
        }
        if let Some(RecordedEffect { change: RecordedChange { values: RecordedValue::Shown(values), .. }, .. }) =
            effects.get_mut(place)
        {
            values.push(head.member_value(membership));
        }
    }
    (effects, seen.len().saturating_sub(MAXIMUM_EFFECTS))
}
