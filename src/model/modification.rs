//! One change of a modify request (RFC 4511 section 4.6, RFC 4525).

use super::Attribute;

/// What to do with an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModificationOperation {
    /// Adds values.
    Add,
    /// Removes values, or the whole attribute when none are given.
    Delete,
    /// Replaces all values; none given removes the attribute.
    Replace,
    /// Adds a number to each value (RFC 4525).
    Increment,
}

/// One change of a modify request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Modification {
    /// What to do.
    pub operation: ModificationOperation,
    /// The attribute and the values concerned.
    pub attribute: Attribute,
}
