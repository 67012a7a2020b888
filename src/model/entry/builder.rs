//! Building and changing entries.

use bytes::Bytes;

use super::{AttributeTypeId, Entry, Section, block};
use crate::model::Value;

/// An attribute while an entry is being built or changed.
#[derive(Clone, PartialEq, Eq)]
pub struct BuilderAttribute {
    /// The attribute type.
    pub attribute_type: AttributeTypeId,
    /// Canonical name and options (lower case, sorted): `cn;lang-en`.
    pub description: String,
    /// Where it will live.
    pub section: Section,
    /// The values.
    pub values: Vec<Value>,
}

/// Gathers attributes and lays the block out. Within a section the order of first insertion is kept; attributes without
/// values are left out.
#[derive(Clone, Default)]
pub struct EntryBuilder {
    /// In insertion order.
    pub attributes: Vec<BuilderAttribute>,
}

impl EntryBuilder {
    pub(super) fn from_entry(entry: &Entry) -> EntryBuilder {
        let block = entry.block();
        let attributes = entry.attributes().map(|attribute| BuilderAttribute {
            attribute_type: attribute.attribute_type,
            description: attribute.description.to_owned(),
            section: attribute.section,
            values: attribute.values().map(|value| block.slice_ref(value)).collect(),
        });
        EntryBuilder { attributes: attributes.collect() }
    }

    /// The attribute with exactly this type and description.
    pub fn get(&self, attribute_type: AttributeTypeId, description: &str) -> Option<&BuilderAttribute> {
        self.attributes.iter().find(|attribute| attribute.is(attribute_type, description))
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, attribute_type: AttributeTypeId, description: &str) -> Option<&mut BuilderAttribute> {
        self.attributes.iter_mut().find(|attribute| attribute.is(attribute_type, description))
    }

    /// Replaces or inserts an attribute; no values removes it.
    pub fn set(&mut self, attribute_type: AttributeTypeId, description: &str, section: Section, values: Vec<Value>) {
        if values.is_empty() {
            self.attributes.retain(|attribute| !attribute.is(attribute_type, description));
        } else if let Some(attribute) = self.get_mut(attribute_type, description) {
            attribute.values = values;
        } else {
            let description = description.to_owned();
            self.attributes.push(BuilderAttribute { attribute_type, description, section, values });
        }
    }

    /// Octets of the block that [`EntryBuilder::build`] makes: at most [`Entry::MAXIMUM_BLOCK`] can be stored.
    pub fn encoded_length(&self) -> usize {
        let present = self.attributes.iter().filter(|attribute| !attribute.values.is_empty());
        present.map(|attribute| block::attribute_length(&attribute.description, &attribute.values)).sum()
    }

    /// Lays the block out.
    pub fn build(&self) -> Entry {
        let in_order = Section::ALL.into_iter().flat_map(|section| {
            let present =
                self.attributes.iter().filter(move |attribute| attribute.section == section && !attribute.values.is_empty());
            present.map(|attribute| attribute.parts())
        });
        block::lay_out(in_order, self.encoded_length())
    }
}

impl BuilderAttribute {
    fn is(&self, attribute_type: AttributeTypeId, description: &str) -> bool {
        self.attribute_type == attribute_type && self.description == description
    }

    fn parts(&self) -> (AttributeTypeId, Section, &str, &[Bytes]) {
        (self.attribute_type, self.section, &self.description, &self.values)
    }
}

impl std::fmt::Debug for BuilderAttribute {
    // Values may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({} values)", self.description, self.values.len())
    }
}

impl std::fmt::Debug for EntryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.attributes).finish()
    }
}
