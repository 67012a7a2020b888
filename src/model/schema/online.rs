//! Definitions that are added to a schema or changed in it while it is in force: read one by one, and put together with the schema they
//! are added to.

use std::collections::HashMap;

use base64::Engine;

use super::source::Source;
use super::{AttributeType, Schema, SchemaError, loader, publish, text};
use crate::model::AttributeTypeId;

/// What a definition defines: the attributes of the subschema entry that can be changed (RFC 4512 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SchemaElement {
    /// attributeTypes
    AttributeType,
    /// objectClasses
    ObjectClass,
    /// dITContentRules
    DitContentRule,
    /// nameForms
    NameForm,
    /// dITStructureRules
    DitStructureRule,
}

impl SchemaElement {
    /// All of them, each before those that refer to it.
    pub const ALL: [SchemaElement; 5] = [
        SchemaElement::AttributeType,
        SchemaElement::ObjectClass,
        SchemaElement::DitContentRule,
        SchemaElement::NameForm,
        SchemaElement::DitStructureRule,
    ];

    /// The attribute of the subschema entry.
    pub fn attribute(self) -> &'static str {
        match self {
            SchemaElement::AttributeType => "attributeTypes",
            SchemaElement::ObjectClass => "objectClasses",
            SchemaElement::DitContentRule => "dITContentRules",
            SchemaElement::NameForm => "nameForms",
            SchemaElement::DitStructureRule => "dITStructureRules",
        }
    }

    /// What one of them is called in texts.
    pub fn title(self) -> &'static str {
        match self {
            SchemaElement::AttributeType => "attribute type",
            SchemaElement::ObjectClass => "object class",
            SchemaElement::DitContentRule => "DIT content rule",
            SchemaElement::NameForm => "name form",
            SchemaElement::DitStructureRule => "DIT structure rule",
        }
    }
}

/// One definition, read and written out again in the one form in which the subschema entry shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaDefinition {
    /// What it defines.
    pub element: SchemaElement,
    /// Its object identifier, or the number of a structure rule: what tells it from others of its kind.
    pub identifier: String,
    /// Its short names.
    pub names: Vec<String>,
    /// RFC 4512 text.
    pub text: String,
}

impl SchemaDefinition {
    /// Reads one definition; the error says what is wrong with it in words for an administrator. What it refers to is not looked at.
    pub fn read(element: SchemaElement, definition: &str) -> Result<SchemaDefinition, String> {
        let source = Source::default();
        let (identifier, names, text) = match element {
            SchemaElement::AttributeType => {
                let text = loader::attribute_type(definition, &source)?;
                (text.oid.clone(), text.names.clone(), publish::attribute_type(&text))
            }
            SchemaElement::ObjectClass => {
                let text = loader::object_class(definition, &source)?;
                (text.oid.clone(), text.names.clone(), publish::object_class(&text))
            }
            SchemaElement::DitContentRule => {
                let text = loader::content_rule(definition, &source)?;
                if !text::is_numeric_oid(&text.oid) {
                    return Err(format!("'{}' is no object identifier; write that of the structural class", text.oid));
                }
                (text.oid.clone(), text.names.clone(), publish::content_rule(&text))
            }
            SchemaElement::NameForm => {
                let text = loader::name_form(definition, &source)?;
                (text.oid.clone(), text.names.clone(), publish::name_form(&text))
            }
            SchemaElement::DitStructureRule => {
                let text = loader::structure_rule(definition)?;
                (text.number.to_string(), text.names.clone(), publish::structure_rule(&text))
            }
        };
        Ok(SchemaDefinition { element, identifier, names, text })
    }

    /// The identifier of a definition that need not be complete: what objectIdentifierFirstComponentMatch compares.
    pub fn identifier_of(definition: &str) -> Result<String, String> {
        text::first_component(definition)
    }

    /// `attribute type 'zork'`
    pub fn title(&self) -> String {
        format!("{} '{}'", self.element.title(), self.names.first().unwrap_or(&self.identifier))
    }
}

/// Marks a place among the attribute types that nothing holds any more: numbers of other types must not move while entries use them.
const REMOVED: &str = "X-REMOVED";

impl Schema {
    /// Every definition of one kind that the subschema entry publishes.
    pub fn definitions(&self, element: SchemaElement) -> impl Iterator<Item = SchemaDefinition> {
        let texts = match element {
            SchemaElement::AttributeType => self.published_attribute_types(),
            SchemaElement::ObjectClass => self.published_object_classes(),
            SchemaElement::DitContentRule => self.published_dit_content_rules(),
            SchemaElement::NameForm => self.published_name_forms(),
            SchemaElement::DitStructureRule => self.published_dit_structure_rules(),
        };
        texts.into_iter().filter_map(move |text| SchemaDefinition::read(element, &text).ok())
    }

    /// This schema with `changed` in place of its own definitions with the same identifiers, or beside them. Attribute types keep the
    /// numbers they have in `previous`, so that entries read with it are entries of the result too; new ones come behind all that
    /// ever had one. The error names the definition that does not fit.
    pub fn with_definitions(&self, previous: &Schema, changed: &[SchemaDefinition]) -> Result<Schema, SchemaError> {
        let mut lines: String = self.substitutes.published().map(|text| format!("ldapSyntaxes: {text}\n")).collect();
        let mut places = self.type_places(previous, changed);
        for (number, place) in places.iter().enumerate() {
            let text = match place {
                Some(text) => text.clone(),
                None => removed(number, previous),
            };
            add_line(&mut lines, SchemaElement::AttributeType, &text);
        }
        for element in SchemaElement::ALL.into_iter().filter(|element| *element != SchemaElement::AttributeType) {
            for text in self.texts(element, changed) {
                add_line(&mut lines, element, &text);
            }
        }
        let mut schema = Schema::load(&[("the changed schema", &lines)])?;
        for (number, place) in places.iter_mut().enumerate() {
            if place.is_none()
                && let Some(published) = schema.published_types.get_mut(number)
            {
                published.clear();
            }
        }
        Ok(schema)
    }

    /// The text that stands at each number; none where a type was removed.
    fn type_places(&self, previous: &Schema, changed: &[SchemaDefinition]) -> Vec<Option<String>> {
        let numbers: HashMap<&str, usize> =
            previous.attribute_types.iter().enumerate().map(|(number, it)| (it.numbered_as(), number)).collect();
        let mut places: Vec<Option<String>> = vec![None; previous.attribute_types.len()];
        let own = self.published_types.iter().zip(&self.attribute_types).map(|(text, it)| (it.oid.as_str(), text));
        let is_type = |definition: &&SchemaDefinition| definition.element == SchemaElement::AttributeType;
        let changed = changed.iter().filter(is_type).map(|definition| (definition.identifier.as_str(), &definition.text));
        let mut new = HashMap::new();
        for (oid, text) in own.chain(changed) {
            let next = places.len();
            let number = *numbers.get(oid).unwrap_or_else(|| new.entry(oid).or_insert(next));
            if number == next {
                places.push(None);
            }
            if let Some(place) = places.get_mut(number) {
                *place = Some(text.clone());
            }
        }
        places
    }

    /// All definitions of a kind: the changed ones in their old places, new ones behind.
    fn texts(&self, element: SchemaElement, changed: &[SchemaDefinition]) -> Vec<String> {
        let mut definitions: Vec<SchemaDefinition> = self.definitions(element).collect();
        for definition in changed.iter().filter(|definition| definition.element == element) {
            match definitions.iter_mut().find(|known| known.identifier == definition.identifier) {
                Some(known) => *known = definition.clone(),
                None => definitions.push(definition.clone()),
            }
        }
        definitions.into_iter().map(|definition| definition.text).collect()
    }
}

impl AttributeType {
    /// Whether this only keeps the number of a type that was removed: it has no name, counts as secret and cannot be written.
    pub fn is_removed(&self) -> bool {
        self.extensions.iter().any(|(name, _)| name == REMOVED)
    }

    /// The object identifier under which this number was given.
    fn numbered_as(&self) -> &str {
        let removed = self.extensions.iter().find(|(name, _)| name == REMOVED);
        removed.and_then(|(_, values)| values.first()).map_or(self.oid.as_str(), String::as_str)
    }
}

/// What stands where a type was removed. Its identifier is below an arc in which there are no attribute types.
fn removed(number: usize, previous: &Schema) -> String {
    const OCTET_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.40";
    let oid = previous.attribute_type_by_id(AttributeTypeId(number as u32)).numbered_as();
    format!(
        "( 0.0.{number} OBSOLETE SYNTAX {OCTET_STRING} NO-USER-MODIFICATION USAGE dSAOperation X-SECRET 'TRUE' {REMOVED} '{oid}' )"
    )
}

/// Texts may hold line ends.
fn add_line(lines: &mut String, element: SchemaElement, text: &str) {
    lines.push_str(element.attribute());
    if text.contains(['\n', '\r']) {
        lines.push_str(":: ");
        base64::engine::general_purpose::STANDARD.encode_string(text, lines);
    } else {
        lines.push_str(": ");
        lines.push_str(text);
    }
    lines.push('\n');
}
