//! Operational attributes that the server writes itself: who and when, entryUUID, entryCSN.

use super::Context;
use crate::directory::Directory;
use crate::model::{EntryBuilder, Section, Value};

/// Sets modifiersName, modifyTimestamp and entryCSN for a change made now by the sender. `csn_count` as in [`super::decide`].
pub fn modified(head: &Directory, context: &Context, csn_count: u32, entry: &mut EntryBuilder) {
    set(head, entry, "modifiersName", actor_name(head, context));
    set(head, entry, "modifyTimestamp", context.now.to_generalized_time());
    set(head, entry, "entryCSN", change_sequence_number(context, csn_count));
}

/// Sets what a new entry has in addition to [`modified`]; what is there already (an import's) stays.
pub(crate) fn created(head: &Directory, context: &Context, csn_count: u32, entry: &mut EntryBuilder) {
    let uuid = uuid::Builder::from_random_bytes(context.fresh.uuid).into_uuid();
    let new: [(&str, String); 6] = [
        ("entryUUID", uuid.to_string()),
        ("creatorsName", actor_name(head, context)),
        ("createTimestamp", context.now.to_generalized_time()),
        ("modifiersName", actor_name(head, context)),
        ("modifyTimestamp", context.now.to_generalized_time()),
        ("entryCSN", change_sequence_number(context, csn_count)),
    ];
    for (name, value) in new {
        let present = head.schema().attribute_type(name).is_some_and(|it| entry.get_mut(it.id, it.name()).is_some());
        if !present {
            set(head, entry, name, value);
        }
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
    match context.identity.entry.filter(|&id| head.node(id).is_some()) {
        Some(id) => head.dn_text(id),
        None => format!("cn=admin,{}", head.suffix()),
    }
}

/// OpenLDAP's form: time with microseconds, a count within it, the server and a modifier number.
fn change_sequence_number(context: &Context, csn_count: u32) -> String {
    format!("{}#{csn_count:06x}#000#000000", context.now.to_generalized_time_micros())
}
