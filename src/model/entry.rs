//! An entry as one immutable block: its attributes already BER-encoded, an offset table beside them.
//!
//! ```text
//! block := user section ‖ operational section ‖ secret section
//! section := PartialAttribute*          (RFC 4511 section 4.1.7, definite short or long lengths, as they go on the wire)
//! ```
//! Names in the block are the schema's canonical spelling plus options, so `*` leaves as one copy, and a block read from disk
//! describes itself. DN-valued memberships (member, uniqueMember, memberUid) and computed attributes are not in here:
//! see `directory`.

use bytes::Bytes;

use super::{AttributeTypeId, Value};

/// Which part of the block an attribute lives in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Section {
    /// userApplications attributes: what `*` asks for.
    User,
    /// Operational attributes: what `+` asks for.
    Operational,
    /// Attributes the schema flags `X-SECRET`: never returned.
    Secret,
}

/// An immutable entry. Cloning is cheap (the block is shared).
#[derive(Clone)]
pub struct Entry {
    _private: Bytes,
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
}

impl<'a> AttributeView<'a> {
    /// The values in stored order.
    pub fn values(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        std::iter::empty()
    }
}

/// Why stored octets are no entry block.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("entry block is damaged: {0}")]
pub struct EntryError(pub &'static str);

impl Entry {
    /// Reads a stored block. `resolve` maps a description's base name to its type and section (an unknown name is an error).
    pub fn from_block(block: Bytes, resolve: impl Fn(&str) -> Option<(AttributeTypeId, Section)>) -> Result<Entry, EntryError> {
        let _ = (block, resolve);
        todo!()
    }

    /// The block, as stored on disk.
    pub fn block(&self) -> &Bytes {
        todo!()
    }

    /// The octets of one section: for `User` what answers `*`.
    pub fn encoded_section(&self, section: Section) -> &[u8] {
        let _ = section;
        todo!()
    }

    /// All attributes, sections in order.
    pub fn attributes(&self) -> impl Iterator<Item = AttributeView<'_>> {
        std::iter::empty()
    }

    /// The attributes (one per set of options) of exactly this type, subtypes not included.
    pub fn attributes_of(&self, attribute_type: AttributeTypeId) -> impl Iterator<Item = AttributeView<'_>> {
        let _ = attribute_type;
        std::iter::empty()
    }

    /// The values of exactly this type without options.
    pub fn values(&self, attribute_type: AttributeTypeId) -> impl Iterator<Item = &[u8]> {
        let _ = attribute_type;
        std::iter::empty()
    }

    /// The first such value.
    pub fn first(&self, attribute_type: AttributeTypeId) -> Option<&[u8]> {
        self.values(attribute_type).next()
    }

    /// A builder that holds everything in this entry, to change it.
    pub fn to_builder(&self) -> EntryBuilder {
        todo!()
    }
}

impl std::fmt::Debug for Entry {
    // Values may be secret: only the size is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({} octets)", self._private.len())
    }
}

/// An attribute while an entry is being built or changed.
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
#[derive(Default)]
pub struct EntryBuilder {
    /// In insertion order.
    pub attributes: Vec<BuilderAttribute>,
}

impl EntryBuilder {
    /// The attribute with exactly this type and description.
    pub fn get_mut(&mut self, attribute_type: AttributeTypeId, description: &str) -> Option<&mut BuilderAttribute> {
        let _ = (attribute_type, description);
        todo!()
    }

    /// Replaces or inserts an attribute; no values removes it.
    pub fn set(&mut self, attribute_type: AttributeTypeId, description: &str, section: Section, values: Vec<Value>) {
        let _ = (attribute_type, description, section, values);
        todo!()
    }

    /// Lays the block out.
    pub fn build(&self) -> Entry {
        todo!()
    }
}
