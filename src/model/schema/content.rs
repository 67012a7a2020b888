//! Whether an entry's attributes agree with its object classes (RFC 4512 sections 2.4 and 4.1.1).

use super::Schema;
use crate::model::AttributeTypeId;

/// What validation needs of an entry: its object classes as spelled and the types that have values (operational ones too).
pub struct EntryContent<'a> {
    /// Values of objectClass.
    pub object_classes: Vec<&'a str>,
    /// Types present.
    pub attribute_types: Vec<AttributeTypeId>,
}

/// Why content is refused; the texts are BEHAVIOUR.md's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContentViolation {
    /// 21: an objectClass value that is not defined.
    #[error("objectClass: value #{0} invalid per syntax")]
    UnknownClass(usize),
    /// 65
    #[error("no structural object class provided")]
    NoStructuralClass,
    /// 65: two structural chains.
    #[error("invalid structural object class chain ({0}/{1})")]
    TwoStructuralChains(String, String),
    /// 65
    #[error("object class '{class}' requires attribute '{attribute}'")]
    Missing {
        /// Class that asks for it.
        class: String,
        /// What is missing.
        attribute: String,
    },
    /// 65
    #[error("attribute '{0}' not allowed")]
    NotAllowed(String),
}

impl Schema {
    /// Checks classes and attributes and returns the structural class (an index into [`Schema::object_classes`]). Superior
    /// classes need not be listed. `extensibleObject` allows every user attribute.
    pub fn validate(&self, content: &EntryContent<'_>) -> Result<usize, ContentViolation> {
        let _ = content;
        todo!()
    }
}
