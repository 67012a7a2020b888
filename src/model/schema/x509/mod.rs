//! X.509 as RFC 4523 has it in LDAP: certificates, revocation lists and pairs of certificates as values, and the assertions that
//! find them.
//!
//! Values are DER (RFC 4522 `;binary` transfer). Assertions are text in the encoding of RFC 3641, whether asked with `;binary` or not:
//! that is what clients send. A whole certificate or list is taken as an assertion on itself.

pub(super) mod certificate;
mod component;
mod der;
mod gser;
pub(super) mod pair;
pub(super) mod revocation_list;
#[cfg(test)]
mod tests;
mod time;

use super::matching_rule::Key;

/// Whether the octets are one SEQUENCE in DER, whatever is in it.
pub(super) fn is_sequence(value: &[u8]) -> bool {
    der::sequence(value).is_some()
}

/// Whether everything an assertion says is true of a value; [`MatchingRule::holds`](super::MatchingRule) of the rules here.
pub(super) fn holds(assertion: &Key, of_value: &Key) -> bool {
    component::hold(assertion, of_value)
}

/// For the syntaxes of assertions: whether a rule can read it. Names in it are read as such, their types need not be defined.
pub(super) fn is_assertion(value: &[u8]) -> bool {
    gser::Gser::read(value).is_some_and(|value| value.fields().is_some())
}
