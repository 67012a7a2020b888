//! Operational attributes that the server writes itself: who and when, entryUUID, entryCSN.

use std::collections::BTreeSet;

use super::{Authority, Context};
use crate::directory::{Change, ContextState, Directory};
use crate::model::{ChangeStamp, EntryBuilder, EntryId, Section, Value};

/// Sets modifiersName, modifyTimestamp and entryCSN for a change made now by the sender. `csn_count` as in [`super::decide`].
pub fn modified(head: &Directory, context: &Context, csn_count: u32, entry: &mut EntryBuilder) {
    set(head, entry, "modifiersName", actor_name(head, context));
    set(head, entry, "modifyTimestamp", context.now.to_generalized_time());
    set(head, entry, "entryCSN", change_stamp(head, context, csn_count).to_string());
}

/// The stamp of the operation that is being decided on `head`.
pub(crate) fn change_stamp(head: &Directory, context: &Context, csn_count: u32) -> ChangeStamp {
    head.context().stamp.following(context.now, csn_count)
}

/// Completes the changes of an operation that changes what readers see: the stamp of the whole comes first, and groups whose set changed
/// are written anew, so that whoever follows entryCSN sees them. An import's groups keep the stamps they came with.
pub(crate) fn finished(head: &Directory, context: &Context, csn_count: u32, changes: &mut Vec<Change>) {
    if changes.is_empty() {
        return;
    }
    if context.authority == Authority::Session {
        let groups: BTreeSet<EntryId> = changes.iter().filter_map(group_of).collect();
        touched(head, context, csn_count, groups, changes);
    }
    let number = head.context().number.saturating_add(1);
    changes.insert(0, Change::PutContext(ContextState { stamp: change_stamp(head, context, csn_count), number }));
}

/// Adds to `changes` that these entries were modified now, where the changes do not put or remove them already.
pub(crate) fn touched(
    head: &Directory,
    context: &Context,
    csn_count: u32,
    entries: impl IntoIterator<Item = EntryId>,
    changes: &mut Vec<Change>,
) {
    let written: BTreeSet<EntryId> = changes.iter().filter_map(entry_of).collect();
    for node in entries.into_iter().filter(|id| !written.contains(id)).filter_map(|id| head.node(id)) {
        let mut entry = node.entry.to_builder();
        modified(head, context, csn_count, &mut entry);
        let (name, block) = (node.name.clone(), entry.build().block().clone());
        changes.push(Change::PutEntry { id: node.id, parent: node.parent, name, block });
    }
}

fn group_of(change: &Change) -> Option<EntryId> {
    match change {
        Change::PutMembership { group, .. } | Change::RemoveMembership { group, .. } => Some(*group),
        _ => None,
    }
}

fn entry_of(change: &Change) -> Option<EntryId> {
    match change {
        Change::PutEntry { id, .. } | Change::RemoveEntry { id, .. } => Some(*id),
        _ => None,
    }
}

/// Sets what a new entry has in addition to [`modified`]; what is there already (an import's) stays, but for an entryCSN that lies ahead.
pub(crate) fn created(head: &Directory, context: &Context, csn_count: u32, entry: &mut EntryBuilder) {
    let stamp = change_stamp(head, context, csn_count);
    let uuid = uuid::Builder::from_random_bytes(context.fresh.uuid).into_uuid();
    let new: [(&str, String); 6] = [
        ("entryUUID", uuid.to_string()),
        ("creatorsName", actor_name(head, context)),
        ("createTimestamp", context.now.to_generalized_time()),
        ("modifiersName", actor_name(head, context)),
        ("modifyTimestamp", context.now.to_generalized_time()),
        ("entryCSN", stamp.to_string()),
    ];
    for (name, value) in new {
        let Some(attribute_type) = head.schema().attribute_type(name) else { continue };
        let given = entry.get_mut(attribute_type.id, attribute_type.name()).and_then(|given| given.values.first());
        let kept =
            given.is_some_and(|given| name != "entryCSN" || ChangeStamp::parse(given).is_some_and(|(given, _)| given <= stamp));
        if !kept {
            set(head, entry, name, value);
        }
    }
}

/// Who made an entry as somebody else.
pub(crate) const CREATING_ACTOR: &str = "creatingActor";

/// Says of a new entry who made it, where that is not whom creatorsName names.
pub(crate) fn created_by(head: &Directory, context: &Context, entry: &mut EntryBuilder) {
    if let Some(own) = context.identity.entry.filter(|_| context.attached.assumed.is_some()) {
        set(head, entry, CREATING_ACTOR, head.dn_text(own));
    }
}

/// Sets one server-written attribute to one value. An attribute the schema does not know is left out.
pub(crate) fn set(head: &Directory, entry: &mut EntryBuilder, name: &str, value: String) {
    if let Some(attribute_type) = head.schema().attribute_type(name) {
        entry.set(attribute_type.id, attribute_type.name(), Section::Operational, vec![Value::from(value)]);
    }
}

/// The DN that stands in creatorsName and modifiersName.
pub(crate) fn actor_name(head: &Directory, context: &Context) -> String {
    match context.acting(head) {
        Some(id) => head.dn_text(id),
        None => format!("cn=admin,{}", head.suffix()),
    }
}
