//! Matching rules (RFC 4517 section 4, RFC 4530, …): one function each, value → key, whose equality and order are the rule's.

mod list;
mod number;
mod octets;
mod string;
mod table;
#[cfg(test)]
mod tests;
mod word;

pub(super) use table::{RULES, undefined_type_rule};

use super::{AttributeType, Schema, syntax};

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
    /// Something of its own, asked for in an extensible match only: [`MatchingRule::accepts`] decides.
    Extensible,
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

type Prepare = fn(&Schema, &[u8]) -> Result<Key, SyntaxError>;
type Holds = fn(&Key, &Key) -> bool;
type PreparePart = fn(&Schema, SubstringPart, &[u8]) -> Result<Key, SyntaxError>;

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
    /// Object identifiers of the syntaxes whose values it can be asked about.
    pub value_syntaxes: &'static [&'static str],
    /// Prepares an attribute value. For a substring rule: the key in which the prepared parts are looked for: an initial part is a
    /// prefix of it, the others are contained in this order without overlap, a final part is its end.
    pub prepare: Prepare,
    /// Prepares an assertion value where it differs from a value (objectIdentifierFirstComponentMatch, certificateExactMatch, …).
    pub prepare_assertion: Prepare,
    /// Prepares one part of a substring assertion; only for substring rules.
    pub prepare_part: Option<PreparePart>,
    /// Whether a prepared assertion (first) is true of a prepared value (second), where that is not whether the keys are equal:
    /// all extensible rules and a few equality rules. [`MatchingRule::accepts`] asks it.
    pub holds: Option<Holds>,
}

impl MatchingRule {
    /// Whether the rule may be asked about values of this type (RFC 4512 section 4.1.4): it is one of the type's own rules or takes
    /// values of its syntax.
    pub fn applies_to(&self, attribute_type: &AttributeType) -> bool {
        let own = [attribute_type.equality, attribute_type.ordering, attribute_type.substring];
        own.iter().flatten().any(|rule| rule.oid == self.oid) || self.value_syntaxes.contains(&attribute_type.syntax.oid)
    }

    /// Whether values of this type may be put in the order of this rule's keys: rules for text also order IA5 strings, which have no
    /// ordering rule of their own.
    pub fn can_order(&self, attribute_type: &AttributeType) -> bool {
        let text_rule = self.value_syntaxes.contains(&syntax::DIRECTORY_STRING);
        matches!(self.kind, RuleKind::Equality | RuleKind::Ordering)
            && (self.applies_to(attribute_type) || (text_rule && attribute_type.syntax.oid == syntax::IA5_STRING))
    }

    /// Whether a prepared assertion is true of a prepared value; for rules that are neither on order nor on substrings.
    pub fn accepts(&self, assertion: &Key, of_value: &Key) -> bool {
        self.holds.map_or_else(|| assertion == of_value, |holds| holds(assertion, of_value))
    }

    /// Whether keys of this rule are keys of names: distinguishedNameMatch and uniqueMemberMatch.
    pub(super) fn compares_names(&self) -> bool {
        self.oid == table::DISTINGUISHED_NAME_MATCH || self.takes_uid()
    }

    /// Whether a unique identifier may follow the name: uniqueMemberMatch.
    pub(super) fn takes_uid(&self) -> bool {
        self.oid == table::UNIQUE_MEMBER_MATCH
    }
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

impl From<Vec<u8>> for Key {
    fn from(octets: Vec<u8>) -> Key {
        Key(octets.into_boxed_slice())
    }
}
