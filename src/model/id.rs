//! Small numbers that stand for entries and attribute types inside one process.

/// An entry's number: unique for the life of an installation, never given twice, kept across renames.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryId(pub u64);

/// An attribute type's place in the loaded [`schema`](super::schema::Schema). Never written to disk: a new schema may
/// number differently, so stored entries carry names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttributeTypeId(pub u32);
