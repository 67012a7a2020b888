//! Identifiers: values that no two entries share, values of deleted entries that are kept, and numbers that the server gives out.

use super::draft::Draft;
use super::refusal::Refusal;
use super::stamp;
use super::write::Write;
use super::{Authority, Context};
use crate::directory::{Change, Directory, Identifier, Node};
use crate::model::schema::{AttributeType, Key};
use crate::model::{EntryId, ResultCode, Value};

/// What the configuration says of identifiers. An attribute that the schema does not know is passed over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IdentifierSettings {
    /// Attributes whose values no two entries share.
    pub unique: Vec<String>,
    /// Those of them whose values are given to nobody else once their entry was deleted.
    pub kept: Vec<String>,
    /// Numbers to give out.
    pub numbers: Vec<NumberRange>,
}

/// Numbers of one attribute, given out in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumberRange {
    /// The attribute.
    pub attribute: String,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// The value that asks for the next one.
    pub ask: String,
    /// Shorter numbers get zeros in front.
    pub digits: usize,
}

/// 19 for a value that another entry has, or that is kept from a deleted one. Values that the entry had before are not asked about.
pub(crate) fn check_unique(write: &Write<'_>, before: Option<&Node>, draft: &Draft<'_>) -> Result<(), Refusal> {
    let (head, settings) = (write.head, &write.context.settings.identifiers);
    for attribute_type in known(head, &settings.unique) {
        let keeps = settings.kept.iter().any(|name| is_type(head, name, attribute_type));
        for value in new_values(head, attribute_type, before, draft) {
            let Some(identifier) = head.identifier(attribute_type, value) else { continue };
            let key = Key(identifier.key.clone());
            if let Some(other) = head.other_with(attribute_type, &key, before.map(|node| node.id)) {
                return Err(taken(head, write.context, attribute_type, other));
            }
            if keeps && head.is_reserved(&identifier) {
                let text = format!("{}: value is reserved, an entry that was deleted had it", attribute_type.name());
                return Err(Refusal::new(ResultCode::ConstraintViolation, text).because("identifier"));
            }
        }
    }
    Ok(())
}

/// Who loads a file may know whose the value is; a client may not.
fn taken(head: &Directory, context: &Context, attribute_type: &AttributeType, other: EntryId) -> Refusal {
    let text = match context.authority {
        Authority::Installation => format!("{}: value is that of {}", attribute_type.name(), head.dn_text(other)),
        Authority::Session => format!("{}: value is that of another entry", attribute_type.name()),
    };
    Refusal::new(ResultCode::ConstraintViolation, text).because("identifier")
}

/// Values of an attribute and its subtypes in the draft that the entry did not have before.
fn new_values<'d>(
    head: &'d Directory,
    attribute_type: &AttributeType,
    before: Option<&'d Node>,
    draft: &'d Draft<'_>,
) -> impl Iterator<Item = &'d Value> {
    let types = head.schema().with_subtypes(attribute_type.id);
    let attributes = draft.entry.attributes.iter().filter(move |attribute| types.contains(&attribute.attribute_type));
    attributes.flat_map(move |attribute| {
        let had = move |value: &Value| {
            let attributes = before.into_iter().flat_map(|node| node.entry.attributes_of(attribute.attribute_type));
            attributes.flat_map(|attribute| attribute.values()).any(|had| had == value)
        };
        attribute.values.iter().filter(move |value| !had(value))
    })
}

/// What keeps the identifiers of an entry that is deleted.
pub(crate) fn reserve(write: &Write<'_>, id: EntryId, changes: &mut Vec<Change>) {
    let Some(node) = write.head.node(id) else { return };
    let by = stamp::actor_name(write.head, write.context);
    for attribute_type in known(write.head, &write.context.settings.identifiers.kept) {
        let types = write.head.schema().with_subtypes(attribute_type.id);
        let values = types.iter().flat_map(|it| node.entry.attributes_of(*it)).flat_map(|attribute| attribute.values());
        let identifiers = values.filter_map(|value| write.head.identifier(attribute_type, value));
        changes.extend(identifiers.map(|identifier| Change::Reserve { identifier, since: write.context.now, by: by.clone() }));
    }
}

/// Puts numbers where the draft asks for the next one. Gives what was assigned, for the record.
pub(crate) fn assign_numbers(
    write: &Write<'_>,
    draft: &mut Draft<'_>,
    changes: &mut Vec<Change>,
) -> Result<Vec<(&'static str, String)>, Refusal> {
    let mut assigned = Vec::new();
    for range in &write.context.settings.identifiers.numbers {
        let Some(attribute_type) = write.head.schema().attribute_type(&range.attribute) else { continue };
        let Some(asking) = draft.entry.get_mut(attribute_type.id, attribute_type.name()) else { continue };
        let Some(value) = asking.values.iter_mut().find(|value| **value == range.ask.as_bytes()) else { continue };
        let (number, text) = next_number(write.head, attribute_type, range)?;
        *value = Value::from(text.clone());
        changes.push(Change::PutNextNumber { attribute: attribute_type.oid.clone(), next: number.saturating_add(1) });
        assigned.push(("assigned", format!("{}={text}", attribute_type.name())));
    }
    Ok(assigned)
}

/// The next number that nobody has. Numbers that are in use already are passed over once: from then on counting starts behind them.
fn next_number(head: &Directory, attribute_type: &AttributeType, range: &NumberRange) -> Result<(u64, String), Refusal> {
    let first = head.next_number(attribute_type).unwrap_or(range.first).max(range.first);
    for number in first..=range.last {
        let text = format!("{number:0digits$}", digits = range.digits);
        let free = head.identifier(attribute_type, text.as_bytes()).is_some_and(|identifier: Identifier| {
            !head.is_reserved(&identifier) && head.other_with(attribute_type, &Key(identifier.key), None).is_none()
        });
        if free {
            return Ok((number, text));
        }
    }
    let text = format!("{}: no number is left to give", attribute_type.name());
    Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("identifier"))
}

fn known<'a>(head: &'a Directory, names: &'a [String]) -> impl Iterator<Item = &'a AttributeType> {
    names.iter().filter_map(|name| head.schema().attribute_type(name))
}

fn is_type(head: &Directory, name: &str, attribute_type: &AttributeType) -> bool {
    head.schema().attribute_type(name).is_some_and(|it| it.id == attribute_type.id)
}
