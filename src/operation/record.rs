//! What the journal says of an operation: who, to what, which changes, redacted by the schema.

use super::control::SessionTracking;
use super::{Assumed, Context};
use crate::directory::Directory;
use crate::journal::{Named, Record, RecordKind, RecordedChange, RecordedValue, TlsStamp};
use crate::model::schema::Schema;
use crate::model::{Attribute, Dn, EntryId, Modification, ModificationOperation};

/// A record of something the session of `context` asked for: success without target or changes, to be filled in.
pub(crate) fn of_context(directory: &Directory, context: &Context, kind: RecordKind) -> Record {
    Record {
        session: Some(context.session),
        message: Some(context.message.0),
        peer: Some(context.peer.text.clone()),
        tls: context.tls.as_ref().map(|tls| TlsStamp {
            version: tls.version.clone(),
            suite: tls.suite.clone(),
            certificate: tls.certificate.as_ref().map(|certificate| certificate.sha256.clone()),
        }),
        actor: actor(directory, context),
        assumed: assumed(directory, context),
        details: context.attached.tracking.iter().flat_map(SessionTracking::details).collect(),
        method: context.identity.method.map(str::to_owned),
        factors: context.identity.factors.clone(),
        ..Record::new(kind)
    }
}

fn actor(directory: &Directory, context: &Context) -> Option<Named> {
    match context.authority {
        super::Authority::Installation => Some(Named { uuid: None, dn: super::stamp::actor_name(directory, context) }),
        super::Authority::Session => context.identity.entry.and_then(|id| named(directory, id)),
    }
}

/// Whom the actor acts as; nobody has no name.
fn assumed(directory: &Directory, context: &Context) -> Option<Named> {
    match context.attached.assumed? {
        Assumed::Anonymous => Some(Named { uuid: None, dn: String::new() }),
        Assumed::Entry(id) => named(directory, id),
        Assumed::Denied => None,
    }
}

/// An entry by number and name; none once it is gone.
pub(crate) fn named(directory: &Directory, id: EntryId) -> Option<Named> {
    let node = directory.node(id)?;
    let uuid = directory.schema().attribute_type("entryUUID").and_then(|uuid| node.entry.first(uuid.id));
    Some(Named { uuid: uuid.map(|uuid| String::from_utf8_lossy(uuid).into_owned()), dn: directory.dn_text(id) })
}

/// The name of a request, whether or not it is an entry.
pub(crate) fn named_in_request(directory: &Directory, name: &[u8]) -> Named {
    match Dn::parse(name) {
        Ok(dn) => {
            let found = match directory.find(&dn) {
                crate::directory::Lookup::Found(id) => named(directory, id),
                _ => None,
            };
            found.unwrap_or_else(|| Named { uuid: None, dn: dn.to_string() })
        }
        Err(_) => Named { uuid: None, dn: format!("(no name: {} octets)", name.len()) },
    }
}

/// Changes of a request that nobody answers for which its record names.
const STRANGERS_CHANGES: usize = 32;

/// Leaves the values, and what is beyond the first few changes, out of the record of a request that nobody answers for: anybody who
/// reaches the server could fill the disk with them.
pub(crate) fn shorten(record: &mut Record) {
    let count = record.changes.len();
    if count > STRANGERS_CHANGES {
        record.changes.truncate(STRANGERS_CHANGES);
        record.details.push(("changes", count.to_string()));
    }
    for change in &mut record.changes {
        if let RecordedValue::Shown(values) = &change.values {
            change.values = RecordedValue::Redacted(values.len());
        }
    }
}

/// Octets of an attribute description that the schema does not know beyond which only its length is recorded.
const LONGEST_UNKNOWN: usize = 128;

/// The attributes of an add.
pub(crate) fn of_attributes(schema: &Schema, attributes: &[Attribute]) -> Vec<RecordedChange> {
    attributes.iter().map(|attribute| recorded(schema, ModificationOperation::Add, attribute)).collect()
}

/// The changes of a modify.
pub(crate) fn of_modifications(schema: &Schema, changes: &[Modification]) -> Vec<RecordedChange> {
    changes.iter().map(|change| recorded(schema, change.operation, &change.attribute)).collect()
}

/// Values of secret types are not shown, nor those of types the schema does not know: nobody can say what they are.
fn recorded(schema: &Schema, operation: ModificationOperation, attribute: &Attribute) -> RecordedChange {
    let described = schema.describe(&attribute.description).ok();
    let secret = described.as_ref().is_none_or(|it| schema.attribute_type_by_id(it.attribute_type).secret);
    let values = match secret {
        true => RecordedValue::Redacted(attribute.values.len()),
        false => RecordedValue::Shown(attribute.values.clone()),
    };
    let unknown = || match attribute.description.len() {
        length if length > LONGEST_UNKNOWN => format!("(unknown attribute: {length} octets)"),
        _ => attribute.description.clone(),
    };
    let attribute = described.map_or_else(unknown, |it| it.spelled);
    RecordedChange { attribute, operation, values }
}
