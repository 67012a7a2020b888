//! Modify of the subschema entry: definitions added, replaced and taken away while the server runs (RFC 4512 section 4.2).
//!
//! What a definition is told from others by is its identifier. A value added with the identifier of a definition that is there and
//! another text takes its place, so that "delete the old, add the new" in one request and "add" alone do the same.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::control::{self, Controls};
use super::draft::CheckedAttribute;
use super::modify::ModifyRequest;
use super::refusal::Refusal;
use super::selection::Selection;
use super::write::{MAXIMUM_CHANGES, Success, Write, not_permitted};
use super::{root_dse, stamp};
use crate::directory::{
    Change, Directory, Membership, RevisionError, SUBSCHEMA, SchemaRevision, StoredDefinition, WaitingMembership,
};
use crate::journal::Named;
use crate::model::schema::{SchemaDefinition, SchemaElement};
use crate::model::{Modification, ModificationOperation, ResultCode, Value};
use crate::protocol::oid;

/// Most definitions made online: each change costs a walk over all.
const MAXIMUM_DEFINITIONS: usize = 10_000;
/// Below this arc stand the numbers of types that were removed.
const RESERVED: &str = "0.0.";
/// Octets of one definition.
const LONGEST_DEFINITION: usize = 64 * 1024;

/// Decides a modify of the subschema entry.
pub(crate) fn modify(write: &Write<'_>, request: &ModifyRequest, controls: &Controls) -> Result<Success, Refusal> {
    let head = write.head;
    if !write.writer()?.administrator {
        return Err(not_permitted());
    }
    if controls.assertion.as_ref().is_some_and(|filter| !root_dse::matches(head, filter, &root_dse::subschema(head))) {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let (before, definitions) = (BTreeMap::new(), BTreeMap::new());
    let mut draft = SchemaDraft { head, before, definitions, permissive: controls.permissive_modify };
    for change in &request.changes {
        draft.apply(change)?;
    }
    draft.check_names()?;
    let mut revision = draft.revision();
    (revision.at, revision.by) = (write.context.now, stamp::actor_name(head, write.context));
    let mut changes = Vec::new();
    if !revision.put.is_empty() || !revision.remove.is_empty() {
        if head.definitions().count().saturating_add(revision.put.len()) > MAXIMUM_DEFINITIONS {
            return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many definitions"));
        }
        head.check_revision(&revision)?;
        let types = draft.touched_types(&revision);
        changes.push(Change::ReviseSchema(revision));
        rename_outside(write, &types, &mut changes)?;
    }
    let mut response_controls = Vec::new();
    if let Some(attributes) = &controls.pre_read {
        response_controls.push(read(head, oid::PRE_READ, attributes));
    }
    if let Some(attributes) = &controls.post_read {
        response_controls.push(read(&write.after(&changes)?, oid::POST_READ, attributes));
    }
    let target = Some(Named { uuid: None, dn: SUBSCHEMA.to_owned() });
    Ok(Success { changes, target, controls: response_controls, effects: Vec::new(), details: Vec::new() })
}

/// Names that lead nowhere here are kept under a key that depends on how their types are defined: those whose key is another one now are kept
/// under that.
fn rename_outside(write: &Write<'_>, types: &HashSet<String>, changes: &mut Vec<Change>) -> Result<(), Refusal> {
    let outside = write.head.outside_naming(types);
    if outside.is_empty() {
        return Ok(());
    }
    let after = write.after(changes)?;
    // All go before the first comes: a new key may be another one's old key.
    let mut renamed_ones = Vec::new();
    for WaitingMembership { group, membership, since, by, until } in outside {
        let Membership::Outside { attribute, value, .. } = &membership else { continue };
        let Ok(renamed) = after.resolve_member(*attribute, value) else { continue };
        if renamed != membership {
            changes.push(Change::RemoveMembership { group, membership });
            renamed_ones.push(Change::PutMembership { group, membership: renamed, since, by, until });
        }
    }
    changes.extend(renamed_ones);
    if changes.len() > MAXIMUM_CHANGES {
        return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many changes in one operation"));
    }
    Ok(())
}

/// The response to a pre- or post-read control (RFC 4527).
fn read(directory: &Directory, oid: &str, attributes: &[String]) -> crate::protocol::Control {
    let selection = Selection::new(directory, attributes, false);
    control::read_response(oid, SUBSCHEMA, &selection.encode_block(directory, &root_dse::subschema(directory), None))
}

/// The definitions of each kind that the request is about, as it changes them.
struct SchemaDraft<'a> {
    head: &'a Directory,
    /// As they are.
    before: BTreeMap<SchemaElement, Definitions>,
    /// As they will be.
    definitions: BTreeMap<SchemaElement, Definitions>,
    /// What is there already need not be added, what is not there need not be deleted.
    permissive: bool,
}

/// By identifier.
type Definitions = BTreeMap<String, SchemaDefinition>;

impl SchemaDraft<'_> {
    fn apply(&mut self, change: &Modification) -> Result<(), Refusal> {
        let attribute = CheckedAttribute::new(self.head, &change.attribute, true)?;
        attribute.check_user_modification()?;
        let name = attribute.attribute_type.name();
        let known = SchemaElement::ALL.into_iter().find(|element| element.attribute() == name);
        let Some(element) = known.filter(|_| attribute.description.options.is_empty()) else {
            return Err(unwilling(format!("{}: not changed here; {}", attribute.name(), changeable())));
        };
        let values = change.attribute.values.as_slice();
        match change.operation {
            ModificationOperation::Add => self.add(element, values),
            ModificationOperation::Delete if values.is_empty() => {
                Err(unwilling(format!("{name}: some definitions are built in; name those that are to go")))
            }
            ModificationOperation::Delete => self.delete(element, values),
            ModificationOperation::Replace => {
                let new = read_all(element, values)?;
                let definitions = self.of(element);
                definitions.clear();
                put_all(definitions, new);
                Ok(())
            }
            ModificationOperation::Increment => {
                let text = format!("modify/increment: {name}: attribute syntax inappropriate for increment");
                Err(Refusal::new(ResultCode::ConstraintViolation, text))
            }
        }
    }

    fn add(&mut self, element: SchemaElement, values: &[Value]) -> Result<(), Refusal> {
        let permissive = self.permissive;
        let definitions = self.of(element);
        let new = read_all(element, values)?;
        for (index, definition) in new.iter().enumerate() {
            let known = definitions.get(&definition.identifier).is_some_and(|known| known.text == definition.text);
            if known && !permissive {
                let text = format!("modify/add: {}: value #{index} already exists", element.attribute());
                return Err(Refusal::new(ResultCode::AttributeOrValueExists, text));
            }
        }
        put_all(definitions, new);
        Ok(())
    }

    fn delete(&mut self, element: SchemaElement, values: &[Value]) -> Result<(), Refusal> {
        let permissive = self.permissive;
        let definitions = self.of(element);
        for (index, value) in values.iter().enumerate() {
            let identifier = text(element, index, value)
                .and_then(|text| SchemaDefinition::identifier_of(text).map_err(|problem| invalid(element, index, &problem)))?;
            if definitions.remove(&identifier).is_none() && !permissive {
                let text = format!("modify/delete: {}: no such value", element.attribute());
                return Err(Refusal::new(ResultCode::NoSuchAttribute, text));
            }
        }
        Ok(())
    }

    /// The definitions of a kind, as the changes so far left them.
    fn of(&mut self, element: SchemaElement) -> &mut Definitions {
        let schema = self.head.schema();
        let before = self.before.entry(element).or_insert_with(|| by_identifier(schema.definitions(element)));
        self.definitions.entry(element).or_insert_with(|| before.clone())
    }

    /// 19 for a reserved identifier, and where two definitions would share a name. Structure rules are known by their numbers alone.
    fn check_names(&self) -> Result<(), Refusal> {
        let reserved = self.definitions.values().flatten().find(|(identifier, _)| identifier.starts_with(RESERVED));
        if let Some((identifier, _)) = reserved {
            let text = format!("object identifier '{identifier}' is no one's to use: it begins with {RESERVED}");
            return Err(Refusal::new(ResultCode::ConstraintViolation, text));
        }
        for (element, definitions) in self.definitions.iter().filter(|(element, _)| **element != SchemaElement::DitStructureRule)
        {
            let mut owners: HashMap<String, &SchemaDefinition> = HashMap::new();
            for definition in definitions.values() {
                for name in &definition.names {
                    if let Some(other) = owners.insert(name.to_ascii_lowercase(), definition)
                        && other.identifier != definition.identifier
                    {
                        let (first, second) = (&other.identifier, &definition.identifier);
                        let text = format!("{}: name '{name}' is that of {first} and of {second}", element.attribute());
                        return Err(Refusal::new(ResultCode::ConstraintViolation, text));
                    }
                }
            }
        }
        Ok(())
    }

    /// Every name, in lower case, that stood or will stand for an attribute type that changes.
    fn touched_types(&self, revision: &SchemaRevision) -> HashSet<String> {
        let is_type = |element: SchemaElement| element == SchemaElement::AttributeType;
        let put = revision.put.iter().filter(|it| is_type(it.element)).map(|it| &it.identifier);
        let identifiers = put.chain(revision.remove.iter().filter(|it| is_type(it.0)).map(|it| &it.1));
        let schema = self.head.schema();
        let mut names = HashSet::new();
        for identifier in identifiers {
            let before = schema.attribute_type(identifier).map(|it| it.names.as_slice()).unwrap_or_default();
            let wanted = self.definitions.get(&SchemaElement::AttributeType).and_then(|all| all.get(identifier));
            let after = wanted.map(|it| it.names.as_slice()).unwrap_or_default();
            names.extend(before.iter().chain(after).map(|name| name.to_ascii_lowercase()));
            names.insert(identifier.clone());
            names.insert(format!("oid.{identifier}"));
        }
        names
    }

    /// What has to change. Definitions that come to say what the built-in ones say need not be kept.
    fn revision(&self) -> SchemaRevision {
        let head = self.head;
        let mut revision =
            SchemaRevision { put: Vec::new(), remove: Vec::new(), at: crate::model::Timestamp(0), by: String::new() };
        let mut next_position = head.definitions().map(|stored| stored.position).max().map_or(1, |last| last.saturating_add(1));
        for (&element, wanted) in &self.definitions {
            let Some(now) = self.before.get(&element) else { continue };
            let base = head.base_schema();
            // Read only where a built-in definition changes.
            let mut built_in: Option<Definitions> = None;
            let stored: HashMap<&str, &StoredDefinition> = head
                .definitions()
                .filter(|stored| stored.element == element)
                .map(|stored| (stored.identifier.as_str(), stored))
                .collect();
            for (identifier, definition) in wanted {
                if now.get(identifier).is_some_and(|known| known.text == definition.text) {
                    continue;
                }
                let is_built_in = base.definition_exists(element, identifier)
                    && built_in
                        .get_or_insert_with(|| by_identifier(base.definitions(element)))
                        .get(identifier)
                        .map(|it| &it.text)
                        == Some(&definition.text);
                if is_built_in {
                    revision.remove.push((element, identifier.clone()));
                    continue;
                }
                let position = stored.get(identifier.as_str()).map_or(next_position, |stored| stored.position);
                next_position = next_position.max(position.saturating_add(1));
                let (identifier, text) = (identifier.clone(), definition.text.clone());
                revision.put.push(StoredDefinition { element, identifier, position, text });
            }
            let gone = now.keys().filter(|identifier| !wanted.contains_key(*identifier));
            revision.remove.extend(gone.map(|identifier| (element, identifier.clone())));
        }
        revision
    }
}

fn by_identifier(definitions: impl Iterator<Item = SchemaDefinition>) -> Definitions {
    definitions.map(|definition| (definition.identifier.clone(), definition)).collect()
}

fn put_all(definitions: &mut Definitions, new: Vec<SchemaDefinition>) {
    definitions.extend(new.into_iter().map(|definition| (definition.identifier.clone(), definition)));
}

/// Reads values: 21 for one that is no definition, 20 for an identifier given twice.
fn read_all(element: SchemaElement, values: &[Value]) -> Result<Vec<SchemaDefinition>, Refusal> {
    let mut definitions: Vec<SchemaDefinition> = Vec::with_capacity(values.len());
    let mut seen = HashMap::new();
    for (index, value) in values.iter().enumerate() {
        let text = text(element, index, value)?;
        let definition = SchemaDefinition::read(element, text).map_err(|problem| invalid(element, index, &problem))?;
        if let Some(first) = seen.insert(definition.identifier.clone(), index) {
            let text = format!("{}: value #{first} provided more than once", element.attribute());
            return Err(Refusal::new(ResultCode::AttributeOrValueExists, text));
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

fn text(element: SchemaElement, index: usize, value: &Value) -> Result<&str, Refusal> {
    if value.len() > LONGEST_DEFINITION {
        return Err(Refusal::new(ResultCode::AdminLimitExceeded, format!("{}: value #{index} is too long", element.attribute())));
    }
    std::str::from_utf8(value).map_err(|_| invalid(element, index, "no UTF-8"))
}

fn invalid(element: SchemaElement, index: usize, problem: &str) -> Refusal {
    let text = format!("{}: value #{index} invalid per syntax: {problem}", element.attribute());
    Refusal::new(ResultCode::InvalidAttributeSyntax, text)
}

fn unwilling(text: String) -> Refusal {
    Refusal::new(ResultCode::UnwillingToPerform, text)
}

fn changeable() -> String {
    let names: Vec<&str> = SchemaElement::ALL.into_iter().map(SchemaElement::attribute).collect();
    format!("only {} are", names.join(", "))
}

impl From<RevisionError> for Refusal {
    fn from(error: RevisionError) -> Refusal {
        let code = match error {
            RevisionError::Kept(_) => ResultCode::UnwillingToPerform,
            RevisionError::Unfit(_) => ResultCode::ConstraintViolation,
        };
        Refusal::new(code, error.to_string()).because("schema")
    }
}
