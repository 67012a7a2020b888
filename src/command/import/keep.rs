//! Definitions for attributes of another server that are to be kept although nothing here knows them.

use bytes::Bytes;

use super::describe;
use crate::command::CommandError;
use crate::command::installation::{Aside, OfflineInstallation};
use crate::directory::SUBSCHEMA;
use crate::model::{Attribute, Modification, ModificationOperation, Value};
use crate::operation::modify::ModifyRequest;
use crate::operation::{Proposal, ProposedOperation};
use crate::server::bulk::Bulk;

/// Adds a definition to the schema for each name that has none.
pub(super) fn define(names: &[String], bulk: &mut Bulk<'_>, aside: &Aside) -> Result<(), CommandError> {
    let schema = bulk.head().schema();
    let unknown = names.iter().filter(|name| schema.attribute_type(name).is_none());
    let values: Vec<Value> = unknown.map(|name| Value::from(definition(name))).collect();
    if values.is_empty() {
        return Ok(());
    }
    let attribute = Attribute { description: "attributeTypes".to_owned(), values };
    let change = Modification { operation: ModificationOperation::Add, attribute };
    let request = ModifyRequest::new(Bytes::from_static(SUBSCHEMA.as_bytes()), vec![change], Vec::new());
    let mut proposal = [Proposal { context: aside.context(), operation: ProposedOperation::Modify(request) }];
    let replies = bulk.load(&mut proposal, |_| true).map_err(|error| CommandError::Cannot(error.to_string()))?;
    match replies.iter().find_map(OfflineInstallation::refusal) {
        Some(refusal) => Err(CommandError::Usage(format!("--keep {}: {}", names.join(" "), describe(refusal)))),
        None => Ok(()),
    }
}

/// Operational, so that entries of every class may have it; octets, so that every value is one. The identifier is made of the name, so that
/// the same name is the same attribute everywhere (X.667: the arc of UUIDs).
fn definition(name: &str) -> String {
    let hash = blake3::derive_key("bindery 2026 identifier of a kept attribute", name.to_ascii_lowercase().as_bytes());
    let octets = hash.first_chunk::<16>().copied().unwrap_or_default();
    let number = uuid::Builder::from_custom_bytes(octets).into_uuid().as_u128();
    format!(
        "( 2.25.{number} NAME '{name}' DESC 'kept from another server' EQUALITY octetStringMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 USAGE directoryOperation X-ORIGIN 'import' )"
    )
}
