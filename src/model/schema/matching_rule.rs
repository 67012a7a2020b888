//! Matching rules (RFC 4517 section 4, RFC 4530, …): one function each, value → key, whose equality and order are the rule's.

use super::Schema;

/// The prepared form of a value under one rule: comparing keys octet by octet is the rule (equality, and order for ordering rules).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Box<[u8]>);

/// A value or an assertion that is not of the syntax its rule needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid per syntax")]
pub struct SyntaxError;

/// What a rule decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleKind {
    /// Equality.
    Equality,
    /// Order.
    Ordering,
    /// Substrings.
    Substring,
}

/// Which part of a substring assertion is being prepared (RFC 4518 section 2.6.1 treats spaces differently in each).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubstringPart {
    /// At the start.
    Initial,
    /// In between.
    Any,
    /// At the end.
    Final,
}

/// A matching rule.
pub struct MatchingRule {
    /// Dotted object identifier.
    pub oid: &'static str,
    /// Short name.
    pub name: &'static str,
    /// Object identifier of its assertion syntax.
    pub assertion_syntax: &'static str,
    /// What it decides.
    pub kind: RuleKind,
    /// Prepares an attribute value. For a substring rule: the key in which the prepared parts are looked for.
    pub prepare: fn(&Schema, &[u8]) -> Result<Key, SyntaxError>,
    /// Prepares an assertion value where it differs from a value (objectIdentifierFirstComponentMatch, certificateExactMatch, …).
    pub prepare_assertion: fn(&Schema, &[u8]) -> Result<Key, SyntaxError>,
    /// Prepares one part of a substring assertion; only for substring rules.
    pub prepare_part: Option<fn(&Schema, SubstringPart, &[u8]) -> Result<Key, SyntaxError>>,
}

impl std::fmt::Debug for Key {
    // A key may come from a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({} octets)", self.0.len())
    }
}

impl std::fmt::Debug for MatchingRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
