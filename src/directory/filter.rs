//! Filters resolved against the schema and evaluated with three-valued logic (RFC 4511 section 4.5.1.7).

use super::{Directory, Node};
use crate::model::{AttributeTypeId, Filter};

/// The three values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    /// The entry matches.
    True,
    /// It does not.
    False,
    /// It cannot be said: an unknown attribute, a value of the wrong syntax, an attribute the sender may not search.
    Undefined,
}

/// A filter with attribute types resolved and assertion values prepared, once per search.
pub struct PreparedFilter {
    _private: (),
}

/// What evaluation needs beside the entry.
pub struct FilterContext<'a> {
    /// The instant.
    pub directory: &'a Directory,
    /// Whether the sender may search this attribute on this entry; `false` makes the assertion Undefined.
    pub may_search: &'a dyn Fn(AttributeTypeId, &Node) -> bool,
}

impl PreparedFilter {
    /// Resolves and prepares. Never fails: what cannot be resolved is Undefined. Assertions on attributes flagged secret are Undefined.
    pub fn new(directory: &Directory, filter: &Filter) -> PreparedFilter {
        let _ = (directory, filter);
        todo!()
    }

    /// Evaluates for one entry, computed attributes (memberOf, entryDN, hasSubordinates, numSubordinates, member, lastLoginTime, …) included.
    pub fn evaluate(&self, context: &FilterContext<'_>, node: &Node) -> Truth {
        let _ = (context, node);
        todo!()
    }
}
