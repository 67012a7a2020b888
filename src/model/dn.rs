//! Distinguished names and their string form (RFC 4514, and what RFC 2253 clients still send).
//!
//! A `Dn` keeps what the client spelled, decoded; comparing names is the schema's business
//! ([`Schema::rdn_key`](super::schema::Schema::rdn_key)), because each attribute type brings its own rule.

use super::Value;

/// One `type=value` of a relative distinguished name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttributeTypeAndValue {
    /// Short name or dotted object identifier, as spelled.
    pub attribute_type: String,
    /// The decoded value (for the `#hex` form: the octets inside the BER string).
    pub value: Value,
}

/// A relative distinguished name: one or more pairs, in the order spelled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rdn {
    /// At least one.
    pub parts: Vec<AttributeTypeAndValue>,
}

/// A distinguished name, most specific RDN first; empty for the root DSE.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dn {
    /// Most specific first.
    pub rdns: Vec<Rdn>,
}

/// Why octets are no distinguished name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid DN")]
pub struct DnError;

impl Rdn {
    /// Reads exactly one RDN.
    pub fn parse(text: &[u8]) -> Result<Rdn, DnError> {
        let _ = text;
        todo!()
    }
}

impl std::fmt::Display for Rdn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = f;
        todo!()
    }
}

impl Dn {
    /// Reads the string form: `\,` and `\2C` escapes, `#hex` values, spaces around `,` `;` `+` `=`, `;` as separator and quoted values of
    /// RFC 2253. Bounded: at most 64 KiB and 256 RDNs.
    pub fn parse(text: &[u8]) -> Result<Dn, DnError> {
        let _ = text;
        todo!()
    }

    /// Whether this is the empty name.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The name without its most specific RDN; none for the empty name.
    pub fn parent(&self) -> Option<Dn> {
        todo!()
    }
}

/// As slapd spells it: `,` between RDNs without spaces, specials as `\2C`, a leading or trailing space as `\20`, a leading `#` as
/// `\23`, `+` as `\2B`, UTF-8 raw, octets that are no UTF-8 as `\xx`.
impl std::fmt::Display for Dn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = f;
        todo!()
    }
}
