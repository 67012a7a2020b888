//! Indexes over entries: equality, presence, ordering and substring, as the configuration declares them.

use crate::model::AttributeTypeId;

/// Which questions an index answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IndexKinds {
    /// `(a=v)`
    pub equality: bool,
    /// `(a=*)`
    pub presence: bool,
    /// `(a>=v)` and `(a<=v)`
    pub ordering: bool,
    /// `(a=*v*)`
    pub substring: bool,
}

/// An attribute to index. Values of its subtypes are indexed with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexDeclaration {
    /// The attribute type.
    pub attribute_type: AttributeTypeId,
    /// The kinds.
    pub kinds: IndexKinds,
}
