//! An attribute as a client or an LDIF file wrote it: a description and values, not yet checked against the schema.

use bytes::Bytes;

/// One attribute value, as octets (RFC 4511 section 4.1.5).
pub type Value = Bytes;

/// An attribute description as it was spelled (`cn;lang-en`) with its values (RFC 4511 section 4.1.7).
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Type and options as they were spelled.
    pub description: String,
    /// The values; a set by the RFC, kept in the order given.
    pub values: Vec<Value>,
}

impl Attribute {
    /// Roughly the octets it holds in memory: many short values cost more than their own octets.
    pub fn octets(&self) -> usize {
        let values = self.values.iter().map(|value| value.len().saturating_add(size_of::<Value>()));
        values.fold(self.description.len(), usize::saturating_add)
    }
}

impl std::fmt::Debug for Attribute {
    // Values may be passwords: what an attribute holds is never printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attribute({}, {} values)", self.description, self.values.len())
    }
}
