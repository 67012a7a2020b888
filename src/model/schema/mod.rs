//! The schema (RFC 4512 section 4): definitions parsed from their published text, syntaxes, matching rules, entry validation.

mod check;
mod compare;
mod content;
mod definition;
mod description;
mod dit_loader;
mod dit_rule;
mod dit_text;
mod embedded;
mod loader;
mod matching_rule;
mod name_key;
mod name_map;
mod narrowing;
mod normalization;
mod online;
mod placement;
mod publish;
mod register;
mod source;
mod substitute;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod x509;

pub use check::{Finding, Report};
pub use content::{ContentViolation, EntryContent};
pub use definition::{AttributeType, AttributeUsage, ObjectClass, ObjectClassKind, SchemaError};
pub use description::{AttributeDescription, DescriptionError};
pub use dit_rule::{DitContentRule, DitStructureRule, NameForm};
pub use embedded::PosixSchema;
pub use matching_rule::{Key, MatchingRule, RuleKind, SubstringPart, SyntaxError};
pub use narrowing::{SchemaChange, SchemaUsage};
pub use normalization::folded;
pub use online::{SchemaDefinition, SchemaElement};
pub use placement::PlacementViolation;
pub use syntax::{Syntax, split_uid};

use super::{AttributeTypeId, Section};
use name_map::NameMap;

/// The loaded schema: immutable, shared as `Arc<Schema>`.
pub struct Schema {
    attribute_types: Vec<AttributeType>,
    type_names: NameMap,
    /// For each type: itself, then every type below it.
    subtypes: Vec<Vec<AttributeTypeId>>,
    /// For each type its canonical name in lower case, as keys of names carry it.
    key_names: Vec<Box<str>>,
    object_classes: Vec<ObjectClass>,
    class_names: NameMap,
    /// For each class: itself, then every class above it, nearest first.
    class_lines: Vec<Vec<usize>>,
    class_contents: Vec<content::ClassContent>,
    dit_rules: dit_loader::DitRules,
    substitutes: substitute::Substitutes,
    rule_names: NameMap,
    published_types: Vec<String>,
    /// Where each type was read: file and line.
    type_origins: Vec<String>,
    published_classes: Vec<String>,
    undefined: AttributeType,
}

/// The normalised name of one RDN: equal keys mean equal names (parts in any order, each by its type's equality rule).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RdnKey(pub Box<[u8]>);

impl Schema {
    /// The definitions embedded in the program (`schema/*.ldif`), accounts and groups as RFC 2307 has them.
    pub fn embedded() -> Result<Schema, SchemaError> {
        Schema::embedded_with(&[])
    }

    /// What slapd of OpenLDAP knows with its core, cosine, inetorgperson and nis files.
    pub fn known_to_openldap() -> Result<Schema, SchemaError> {
        let mut files = embedded::files(PosixSchema::Rfc2307);
        files.retain(|(name, _)| embedded::KNOWN_TO_OPENLDAP.contains(name));
        Schema::load(&files)
    }

    /// The embedded definitions and more files behind them: (name for errors, text).
    pub fn embedded_with(more: &[(&str, &str)]) -> Result<Schema, SchemaError> {
        let mut files: Vec<(&str, &str)> = embedded::files(PosixSchema::default());
        files.extend(more);
        Schema::load(&files)
    }

    /// The embedded definitions and those of an installation's files: (name for errors, text). What a file says against an embedded
    /// definition, and matching rules that the program does not have, are left out; what was left out is said beside the schema.
    pub fn installed(posix: PosixSchema, files: &[(&str, &str)]) -> Result<(Schema, Vec<SchemaError>), SchemaError> {
        loader::load_beside(&embedded::files(posix), files)
    }

    /// Loads `cn=schema`-like LDIF (`attributeTypes:`, `objectClasses:`, `dITContentRules:`, `nameForms:` and `dITStructureRules:`
    /// values) or OpenLDAP `.schema` text: (name for errors, text). Definitions may refer to later ones and to those of later files; one that repeats an earlier one is skipped, one
    /// that says more adds to it.
    pub fn load(files: &[(&str, &str)]) -> Result<Schema, SchemaError> {
        loader::load(files)
    }

    /// Looks a type up by any of its names (any case) or its object identifier, options not allowed.
    pub fn attribute_type(&self, name: &str) -> Option<&AttributeType> {
        self.attribute_types.get(self.type_names.get(name)? as usize)
    }

    /// Where the definition of a type was read, for texts: `ward.ldif, line 3`.
    pub fn place_of(&self, name: &str) -> Option<&str> {
        self.type_origins.get(self.type_names.get(name)? as usize).map(String::as_str)
    }

    /// The type with this number. Numbers come from this very schema; for any other one a nameless type answers that has no
    /// rules, counts as secret and cannot be written.
    pub fn attribute_type_by_id(&self, id: AttributeTypeId) -> &AttributeType {
        self.attribute_types.get(id.0 as usize).unwrap_or(&self.undefined)
    }

    /// All types, in the order loaded.
    pub fn attribute_types(&self) -> &[AttributeType] {
        &self.attribute_types
    }

    /// The type itself and every type below it (RFC 4512 section 2.5.1): what a filter or a request for it covers.
    pub fn with_subtypes(&self, id: AttributeTypeId) -> &[AttributeTypeId] {
        self.subtypes.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Looks a class up by any of its names or its object identifier.
    pub fn object_class(&self, name: &str) -> Option<&ObjectClass> {
        self.object_classes.get(self.class_names.get(name)? as usize)
    }

    /// All classes, in the order loaded.
    pub fn object_classes(&self) -> &[ObjectClass] {
        &self.object_classes
    }

    /// The class and every class above it, nearest first (indexes into [`Schema::object_classes`]): what an entry that lists only
    /// this class belongs to. Empty for an unknown name.
    pub fn class_with_superiors(&self, name: &str) -> &[usize] {
        let index = self.class_names.get(name).map(|index| index as usize);
        index.and_then(|index| self.class_lines.get(index)).map_or(&[], Vec::as_slice)
    }

    /// Looks a matching rule up by name or object identifier.
    pub fn matching_rule(&self, name: &str) -> Option<&'static MatchingRule> {
        matching_rule::RULES.get(self.rule_names.get(name)? as usize)
    }

    /// For `Entry::from_block`: type and section of a base name.
    pub fn section_of(&self, name: &str) -> Option<(AttributeTypeId, Section)> {
        self.attribute_type(name).map(|definition| (definition.id, definition.section()))
    }

    /// The equality key of a value of this type: its equality rule's, or that of the nearest supertype that has one.
    /// `None` when the type has no equality rule.
    pub fn equality_key(&self, id: AttributeTypeId, value: &[u8]) -> Option<Result<Key, SyntaxError>> {
        self.attribute_type_by_id(id).equality.map(|rule| (rule.prepare)(self, value))
    }

    /// Whether a value is one of the type's syntax.
    pub fn check_syntax(&self, id: AttributeTypeId, value: &[u8]) -> Result<(), SyntaxError> {
        if (self.attribute_type_by_id(id).syntax.is_valid)(value) { Ok(()) } else { Err(SyntaxError) }
    }
}
