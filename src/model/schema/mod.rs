//! The schema (RFC 4512 section 4): definitions parsed from their published text, syntaxes, matching rules, entry validation.

mod content;
mod definition;
mod matching_rule;
mod normalization;
mod syntax;

pub use content::{ContentViolation, EntryContent};
pub use definition::{AttributeType, AttributeUsage, ObjectClass, ObjectClassKind, SchemaError};
pub use matching_rule::{Key, MatchingRule, RuleKind, SubstringPart, SyntaxError};
pub use syntax::Syntax;

use super::{AttributeTypeId, Dn, Rdn, Section};

/// An attribute description resolved against the schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttributeDescription {
    /// The type.
    pub attribute_type: AttributeTypeId,
    /// Canonical name and options as stored in entries: `cn;lang-en` (options lower case, sorted, each once).
    pub spelled: String,
    /// The options alone, lower case, sorted.
    pub options: Vec<String>,
}

/// Why a description cannot be resolved; the texts are BEHAVIOUR.md's (`zork: attribute type undefined`).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DescriptionError {
    /// No such attribute type.
    #[error("{0}: attribute type undefined")]
    Undefined(String),
    /// Not the grammar of RFC 4512 section 2.5.
    #[error("{0}: invalid attribute description")]
    Invalid(String),
    /// An option that is neither a language tag nor `binary` where it applies.
    #[error("{0}: unrecognized option")]
    UnrecognizedOption(String),
    /// `userCertificate` without `;binary`, or `;binary` where the syntax does not ask for it.
    #[error("{0}: requires ;binary transfer")]
    RequiresBinary(String),
    /// `cn;binary`
    #[error("{0}: option \"binary\" not supported with type")]
    BinaryNotSupported(String),
}

/// The loaded schema: immutable, shared as `Arc<Schema>`.
pub struct Schema {
    _private: (),
}

/// The normalised name of one RDN: equal keys mean equal names (parts in any order, each by its type's equality rule).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RdnKey(pub Box<[u8]>);

impl Schema {
    /// The definitions embedded in the program (`schema/*.ldif`).
    pub fn embedded() -> Result<Schema, SchemaError> {
        todo!()
    }

    /// Loads `cn=schema`-like LDIF (`attributeTypes:` and `objectClasses:` values) in the order given: (name for errors, text).
    pub fn load(files: &[(&str, &str)]) -> Result<Schema, SchemaError> {
        let _ = files;
        todo!()
    }

    /// Looks a type up by any of its names (any case) or its object identifier, options not allowed.
    pub fn attribute_type(&self, name: &str) -> Option<&AttributeType> {
        let _ = name;
        todo!()
    }

    /// The type with this number. Numbers come from this very schema.
    pub fn attribute_type_by_id(&self, id: AttributeTypeId) -> &AttributeType {
        let _ = id;
        todo!()
    }

    /// All types, in the order loaded.
    pub fn attribute_types(&self) -> &[AttributeType] {
        todo!()
    }

    /// The type itself and every type below it (RFC 4512 section 2.5.1): what a filter or a request for it covers.
    pub fn with_subtypes(&self, id: AttributeTypeId) -> &[AttributeTypeId] {
        let _ = id;
        todo!()
    }

    /// Looks a class up by any of its names or its object identifier.
    pub fn object_class(&self, name: &str) -> Option<&ObjectClass> {
        let _ = name;
        todo!()
    }

    /// All classes, in the order loaded.
    pub fn object_classes(&self) -> &[ObjectClass] {
        todo!()
    }

    /// Looks a matching rule up by name or object identifier.
    pub fn matching_rule(&self, name: &str) -> Option<&'static MatchingRule> {
        let _ = name;
        todo!()
    }

    /// Resolves a description for use in a filter or a request (options allowed even where no value can carry them).
    pub fn describe(&self, description: &str) -> Result<AttributeDescription, DescriptionError> {
        let _ = description;
        todo!()
    }

    /// Resolves a description under which values are to be stored: BEHAVIOUR.md "DNs and attribute options" refusals apply.
    pub fn describe_for_storage(&self, description: &str) -> Result<AttributeDescription, DescriptionError> {
        let _ = description;
        todo!()
    }

    /// For `Entry::from_block`: type and section of a base name.
    pub fn section_of(&self, name: &str) -> Option<(AttributeTypeId, Section)> {
        let _ = name;
        todo!()
    }

    /// The equality key of a value of this type: its equality rule's, or that of the nearest supertype that has one.
    /// `None` when the type has no equality rule.
    pub fn equality_key(&self, id: AttributeTypeId, value: &[u8]) -> Option<Result<Key, SyntaxError>> {
        let _ = (id, value);
        todo!()
    }

    /// Whether a value is one of the type's syntax.
    pub fn check_syntax(&self, id: AttributeTypeId, value: &[u8]) -> Result<(), SyntaxError> {
        let _ = (id, value);
        todo!()
    }

    /// The key of one RDN. An undefined type is compared by its lower-case name and caseIgnoreMatch; a value its rule refuses, octet by octet.
    pub fn rdn_key(&self, rdn: &Rdn) -> RdnKey {
        let _ = rdn;
        todo!()
    }

    /// The key of a whole name (the RDN keys, length-prefixed, most general first, so that a subtree is a prefix).
    pub fn dn_key(&self, dn: &Dn) -> Box<[u8]> {
        let _ = dn;
        todo!()
    }

    /// Values of the subschema entry, each a definition in RFC 4512 text.
    pub fn published_attribute_types(&self) -> Vec<String> {
        todo!()
    }
    /// See [`Schema::published_attribute_types`].
    pub fn published_object_classes(&self) -> Vec<String> {
        todo!()
    }
    /// See [`Schema::published_attribute_types`].
    pub fn published_syntaxes(&self) -> Vec<String> {
        todo!()
    }
    /// See [`Schema::published_attribute_types`].
    pub fn published_matching_rules(&self) -> Vec<String> {
        todo!()
    }
    /// See [`Schema::published_attribute_types`].
    pub fn published_matching_rule_use(&self) -> Vec<String> {
        todo!()
    }
}
