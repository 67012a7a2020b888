//! An entry as one immutable block: its attributes already BER-encoded, an offset table beside them.
//!
//! ```text
//! block := user section ‖ operational section ‖ secret section
//! section := PartialAttribute*          (RFC 4511 section 4.1.7, definite lengths in their shortest form, as they go on the wire)
//! ```
//! Names in the block are the schema's canonical spelling plus options, so `*` leaves as one copy, and a block read from disk
//! describes itself. DN-valued memberships (member, uniqueMember, memberUid) and computed attributes are not in here:
//! see `directory`.

mod block;
mod builder;
mod slots;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use super::AttributeTypeId;
pub use block::Values;
pub use builder::{BuilderAttribute, EntryBuilder};
use slots::{Slot, Slots};

/// Which part of the block an attribute lives in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Section {
    /// userApplications attributes: what `*` asks for.
    User,
    /// Operational attributes: what `+` asks for.
    Operational,
    /// Attributes the schema flags `X-SECRET`: never returned.
    Secret,
}

impl Section {
    /// In the order of the block.
    pub const ALL: [Section; 3] = [Section::User, Section::Operational, Section::Secret];
}

/// An immutable entry. Cloning is cheap (the block is shared).
#[derive(Clone)]
pub struct Entry(Arc<Inner>);

struct Inner {
    block: Bytes,
    operational_start: u32,
    secret_start: u32,
    slots: Slots,
}

/// One attribute of an entry, borrowed from its block.
pub struct AttributeView<'a> {
    /// The attribute type.
    pub attribute_type: AttributeTypeId,
    /// The description as it goes on the wire: canonical name and options.
    pub description: &'a str,
    /// Whether the description has options.
    pub has_options: bool,
    /// Where it lives.
    pub section: Section,
    /// The whole PartialAttribute as BER.
    pub encoded: &'a [u8],
    values: Values<'a>,
}

impl<'a> AttributeView<'a> {
    /// The values in stored order.
    pub fn values(&self) -> Values<'a> {
        self.values.clone()
    }

    /// The options, lower case and sorted.
    pub fn options(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.description.split(';').skip(1)
    }
}

/// Why stored octets are no entry block.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("entry block is damaged: {0}")]
pub struct EntryError(pub &'static str);

impl Entry {
    /// Longest block in octets. An operation refuses what would be longer (see [`EntryBuilder::encoded_length`]).
    pub const MAXIMUM_BLOCK: usize = 256 * 1024 * 1024;

    /// Reads a stored block. `resolve` maps a description's base name to its type and section. An unknown name, an attribute
    /// without values, one outside its section and any octet too many or too few is an error.
    pub fn from_block(block: Bytes, resolve: impl Fn(&str) -> Option<(AttributeTypeId, Section)>) -> Result<Entry, EntryError> {
        block::read(block, resolve)
    }

    /// The block, as stored on disk.
    pub fn block(&self) -> &Bytes {
        &self.0.block
    }

    /// The octets of one section: for `User` what answers `*`.
    pub fn encoded_section(&self, section: Section) -> &[u8] {
        let (operational, secret) = (self.0.operational_start as usize, self.0.secret_start as usize);
        let range = match section {
            Section::User => 0..operational,
            Section::Operational => operational..secret,
            Section::Secret => secret..self.0.block.len(),
        };
        self.0.block.get(range).unwrap_or_default()
    }

    /// All attributes, sections in order.
    pub fn attributes(&self) -> impl Iterator<Item = AttributeView<'_>> {
        self.0.slots.iter().enumerate().filter_map(|(position, slot)| self.view(position, slot))
    }

    /// The attributes (one per set of options) of exactly this type, subtypes not included.
    pub fn attributes_of(&self, attribute_type: AttributeTypeId) -> impl Iterator<Item = AttributeView<'_>> {
        let of_type = self.0.slots.iter().enumerate().filter(move |(_, slot)| slot.attribute_type == attribute_type);
        of_type.filter_map(|(position, slot)| self.view(position, slot))
    }

    /// The attributes of the types that `choose` chooses, with what it says of them. The others are not looked into.
    pub fn attributes_chosen<'a, T: 'a>(
        &'a self,
        choose: impl Fn(AttributeTypeId) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (T, AttributeView<'a>)> + 'a {
        let chosen = self.0.slots.iter().enumerate();
        chosen.filter_map(move |(position, slot)| Some((choose(slot.attribute_type)?, self.view(position, slot)?)))
    }

    /// The type of each attribute, sections in order; one that stands there with several sets of options comes several times.
    pub fn attribute_types(&self) -> impl Iterator<Item = AttributeTypeId> + '_ {
        self.0.slots.iter().map(|slot| slot.attribute_type)
    }

    /// The types of which this entry and the other do not say exactly the same, in any order.
    pub fn types_that_differ(&self, other: &Entry) -> Vec<AttributeTypeId> {
        let mut differing = Vec::new();
        if self.attribute_types().eq(other.attribute_types()) {
            for (position, slot) in self.0.slots.iter().enumerate() {
                if !differing.contains(&slot.attribute_type) && self.encoded_at(position) != other.encoded_at(position) {
                    differing.push(slot.attribute_type);
                }
            }
            return differing;
        }
        for attribute_type in self.attribute_types().chain(other.attribute_types()) {
            let differs = || !self.encoded_of(attribute_type).eq(other.encoded_of(attribute_type));
            if !differing.contains(&attribute_type) && differs() {
                differing.push(attribute_type);
            }
        }
        differing
    }

    /// The values of exactly this type without options.
    pub fn values(&self, attribute_type: AttributeTypeId) -> impl Iterator<Item = &[u8]> {
        self.attributes_of(attribute_type).filter(|attribute| !attribute.has_options).flat_map(|attribute| attribute.values)
    }

    /// The first such value.
    pub fn first(&self, attribute_type: AttributeTypeId) -> Option<&[u8]> {
        self.values(attribute_type).next()
    }

    /// A builder that holds everything in this entry, to change it.
    pub fn to_builder(&self) -> EntryBuilder {
        EntryBuilder::from_entry(self)
    }

    /// The attributes of exactly this type as they are encoded.
    fn encoded_of(&self, attribute_type: AttributeTypeId) -> impl Iterator<Item = &[u8]> {
        let of_type = self.0.slots.iter().enumerate().filter(move |(_, slot)| slot.attribute_type == attribute_type);
        of_type.filter_map(|(position, _)| self.encoded_at(position))
    }

    /// The attribute at a place as it is encoded.
    fn encoded_at(&self, position: usize) -> Option<&[u8]> {
        let start = self.0.slots.get(position)?.start as usize;
        let end = self.0.slots.get(position + 1).map_or(self.0.block.len(), |next| next.start as usize);
        self.0.block.get(start..end)
    }

    fn view(&self, position: usize, slot: Slot) -> Option<AttributeView<'_>> {
        let encoded = self.encoded_at(position)?;
        let (description, values) = block::split_attribute(encoded)?;
        let section = if slot.start < self.0.operational_start {
            Section::User
        } else if slot.start < self.0.secret_start {
            Section::Operational
        } else {
            Section::Secret
        };
        Some(AttributeView {
            attribute_type: slot.attribute_type,
            description,
            has_options: description.contains(';'),
            section,
            encoded,
            values,
        })
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.0.block == other.0.block
    }
}

impl Eq for Entry {}

impl std::fmt::Debug for Entry {
    // Values may be secret: only the size is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({} octets)", self.0.block.len())
    }
}
