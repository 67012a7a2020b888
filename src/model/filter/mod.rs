//! Search filters (RFC 4511 section 4.5.1.7) and their string form (RFC 4515). Binary-safe: assertion values are octets.
//!
//! ```text
//! filter     = "(" ( "&" *filter / "|" *filter / "!" filter / item ) ")"
//! item       = attr ( "=" / "~=" / ">=" / "<=" ) value                simple
//!            / attr "=*"                                             present
//!            / attr "=" [value] "*" *( value "*" ) [value]           substring
//!            / attr [":dn"] [":" rule] ":=" value                    extensible
//!            / [":dn"] ":" rule ":=" value
//! value      = *( any UTF-8 but NUL "(" ")" "*" "\" / "\" hexdigit hexdigit )
//! ```

mod read;
#[cfg(test)]
mod tests;
mod write;

use super::Value;

/// A filter as it came, attribute descriptions unresolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    /// All are true; empty is True (RFC 4526).
    And(Vec<Filter>),
    /// One is true; empty is False (RFC 4526).
    Or(Vec<Filter>),
    /// Negation.
    Not(Box<Filter>),
    /// `(attribute=value)`
    Equality(String, Value),
    /// `(attribute=a*b*c)`
    Substrings(String, Substrings),
    /// `(attribute>=value)`
    GreaterOrEqual(String, Value),
    /// `(attribute<=value)`
    LessOrEqual(String, Value),
    /// `(attribute=*)`
    Present(String),
    /// `(attribute~=value)`
    Approximate(String, Value),
    /// `(attribute:dn:rule:=value)`
    Extensible(MatchingRuleAssertion),
}

/// The parts of a substring assertion; at least one is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Substrings {
    /// At the start.
    pub initial: Option<Value>,
    /// In this order in between.
    pub any: Vec<Value>,
    /// At the end.
    pub last: Option<Value>,
}

/// An extensible match (RFC 4511 section 4.5.1.7.7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MatchingRuleAssertion {
    /// The rule's name or object identifier.
    pub matching_rule: Option<String>,
    /// The attribute, or none for all that the rule applies to.
    pub attribute: Option<String>,
    /// The assertion value.
    pub value: Value,
    /// Whether the entry's DN counts as well.
    pub dn_attributes: bool,
}

/// Why a text is no filter.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("bad filter at octet {position}: {problem}")]
pub struct FilterError {
    /// Zero-based.
    pub position: usize,
    /// What was wrong.
    pub problem: &'static str,
}

impl Filter {
    /// Deepest nesting that is read: BEHAVIOUR "Default limits".
    pub const MAXIMUM_DEPTH: usize = 100;
    /// Most terms in one filter that a client sends, counted as in [`Filter::weight`]: every candidate of a search may cost a test of each.
    pub const MAXIMUM_TERMS: usize = 10_000;

    /// What a term about parts of values counts as, beside those in the middle: every value is prepared and searched through for it.
    pub const TERMS_OF_PARTS: usize = 10;
    /// What a term about every attribute that a rule applies to counts as.
    pub const TERMS_OF_ANY: usize = 100;

    /// Reads the string form, `\xx` escapes included; depth at most [`Filter::MAXIMUM_DEPTH`], where an item alone has depth 1.
    /// `(&)` and `(|)` are read (RFC 4526); spaces around parentheses are not.
    pub fn parse(text: &[u8]) -> Result<Filter, FilterError> {
        read::filter(text)
    }

    /// How many filters stand within each other; an item alone is 1.
    pub fn depth(&self) -> usize {
        let deepest = match self {
            Filter::And(filters) | Filter::Or(filters) => filters.iter().map(Filter::depth).max().unwrap_or(0),
            Filter::Not(filter) => filter.depth(),
            _ => 0,
        };
        deepest.saturating_add(1)
    }

    /// How many terms there are to test, parts of substrings counted each.
    pub fn terms(&self) -> usize {
        self.sum(&|filter| match filter {
            Filter::Substrings(_, parts) => parts.any.len().saturating_add(1),
            _ => 1,
        })
    }

    /// What testing an entry costs: as many terms as [`Filter::terms`], those that are dear counted more often.
    pub fn weight(&self) -> usize {
        self.sum(&|filter| match filter {
            Filter::Substrings(_, parts) => parts.any.len().saturating_add(Filter::TERMS_OF_PARTS),
            Filter::Extensible(MatchingRuleAssertion { attribute: None, .. }) => Filter::TERMS_OF_ANY,
            _ => 1,
        })
    }

    fn sum(&self, own: &impl Fn(&Filter) -> usize) -> usize {
        let inner = match self {
            Filter::And(filters) | Filter::Or(filters) => {
                filters.iter().fold(0_usize, |sum, filter| filter.sum(own).saturating_add(sum))
            }
            Filter::Not(filter) => filter.sum(own),
            _ => 0,
        };
        inner.saturating_add(own(self))
    }
}
