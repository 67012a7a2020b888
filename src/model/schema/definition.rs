//! Attribute type and object class definitions, and their text form (RFC 4512 section 4.1).

use super::{MatchingRule, Syntax};
use crate::model::{AttributeTypeId, Section};

/// What an attribute type is for (RFC 4512 section 4.1.2 "usage").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttributeUsage {
    /// userApplications
    UserApplications,
    /// directoryOperation
    DirectoryOperation,
    /// distributedOperation
    DistributedOperation,
    /// dSAOperation
    DsaOperation,
}

/// An attribute type with what it inherits filled in.
pub struct AttributeType {
    /// Its place in the schema.
    pub id: AttributeTypeId,
    /// Dotted object identifier.
    pub oid: String,
    /// Short names; the first is the canonical spelling. Empty: the object identifier is the name.
    pub names: Vec<String>,
    /// DESC
    pub description: Option<String>,
    /// OBSOLETE
    pub obsolete: bool,
    /// SUP
    pub superior: Option<AttributeTypeId>,
    /// EQUALITY, inherited where not given
    pub equality: Option<&'static MatchingRule>,
    /// ORDERING, inherited
    pub ordering: Option<&'static MatchingRule>,
    /// SUBSTR, inherited
    pub substring: Option<&'static MatchingRule>,
    /// SYNTAX, inherited
    pub syntax: &'static Syntax,
    /// The `{64}` behind the syntax: advice to implementations, not enforced.
    pub length_bound: Option<u32>,
    /// SINGLE-VALUE
    pub single_value: bool,
    /// COLLECTIVE
    pub collective: bool,
    /// NO-USER-MODIFICATION
    pub no_user_modification: bool,
    /// USAGE
    pub usage: AttributeUsage,
    /// `X-SECRET 'TRUE'`: values are never returned, recorded, searched or printed.
    pub secret: bool,
    /// `X-INTEGRITY 'TRUE'` on a user attribute whose values are names: a value follows when the entry it names is renamed, and goes when
    /// that is deleted.
    pub integrity: bool,
    /// `X-AUDIT-READ 'TRUE'`, on it or on one above it: searches that return or test it are recorded, and compares.
    pub audit_read: bool,
    /// X- extensions with their values, in order.
    pub extensions: Vec<(String, Vec<String>)>,
}

impl AttributeType {
    /// The canonical name.
    pub fn name(&self) -> &str {
        self.names.first().map_or(self.oid.as_str(), String::as_str)
    }

    /// Whether its values are names that a unique identifier may follow (RFC 4517 section 3.3.21).
    pub fn is_name_and_optional_uid(&self) -> bool {
        self.syntax.oid == super::syntax::NAME_AND_OPTIONAL_UID
    }

    /// Where its values live in an entry block.
    pub fn section(&self) -> Section {
        if self.secret {
            Section::Secret
        } else if self.usage == AttributeUsage::UserApplications {
            Section::User
        } else {
            Section::Operational
        }
    }
}

/// Kind of an object class (RFC 4512 section 2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectClassKind {
    /// ABSTRACT
    Abstract,
    /// STRUCTURAL
    Structural,
    /// AUXILIARY
    Auxiliary,
}

/// An object class.
pub struct ObjectClass {
    /// Dotted object identifier.
    pub oid: String,
    /// Short names, the first canonical.
    pub names: Vec<String>,
    /// DESC
    pub description: Option<String>,
    /// OBSOLETE
    pub obsolete: bool,
    /// SUP: indexes into [`super::Schema::object_classes`].
    pub superiors: Vec<usize>,
    /// Kind.
    pub kind: ObjectClassKind,
    /// MUST of this class alone.
    pub must: Vec<AttributeTypeId>,
    /// MAY of this class alone.
    pub may: Vec<AttributeTypeId>,
    /// X- extensions.
    pub extensions: Vec<(String, Vec<String>)>,
}

impl ObjectClass {
    /// The canonical name.
    pub fn name(&self) -> &str {
        self.names.first().map_or(self.oid.as_str(), String::as_str)
    }
}

/// Why a schema cannot be loaded: names the file, the definition and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}: line {line}: {problem}")]
pub struct SchemaError {
    /// The file's name as given.
    pub file: String,
    /// Line of the definition, from 1.
    pub line: u64,
    /// What is wrong, in words for an administrator.
    pub problem: String,
}
