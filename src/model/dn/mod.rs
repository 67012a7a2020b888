//! Distinguished names and their string form (RFC 4514, and what RFC 2253 clients still send).
//!
//! ```text
//! distinguishedName       = [ relativeDistinguishedName *( ( "," / ";" ) relativeDistinguishedName ) ]
//! relativeDistinguishedName = attributeTypeAndValue *( "+" attributeTypeAndValue )
//! attributeTypeAndValue   = ( descr / [ "OID." ] numericoid ) "=" ( string / "#" 1*hexpair / DQUOTE *quotechar DQUOTE )
//! ```
//! with white space allowed around each of them.
//!
//! A `Dn` keeps what the client spelled, decoded; comparing names is the schema's business
//! ([`Schema::rdn_key`](super::schema::Schema::rdn_key)), because each attribute type brings its own rule.

mod read;
#[cfg(test)]
mod tests;
mod write;

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
    /// Reads exactly one RDN. Bounded as [`Dn::parse`].
    pub fn parse(text: &[u8]) -> Result<Rdn, DnError> {
        match <[Rdn; 1]>::try_from(read::rdns(text)?) {
            Ok([rdn]) => Ok(rdn),
            Err(_) => Err(DnError),
        }
    }
}

impl Dn {
    /// Longest string form in octets, as read and as written.
    pub const MAXIMUM_LENGTH: usize = 64 * 1024;
    /// Most RDNs.
    pub const MAXIMUM_RDNS: usize = 256;

    /// Reads the string form: `\,` and `\2C` escapes, `#hex` values, spaces around `,` `;` `+` `=`, `;` as separator and quoted values of
    /// RFC 2253. Bounded: at most 64 KiB (also when written back) and 256 RDNs. Octets that are no UTF-8 must be escaped.
    pub fn parse(text: &[u8]) -> Result<Dn, DnError> {
        if text.is_empty() {
            return Ok(Dn::default());
        }
        Ok(Dn { rdns: read::rdns(text)? })
    }

    /// Whether this is the empty name.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The name without its most specific RDN; none for the empty name.
    pub fn parent(&self) -> Option<Dn> {
        self.rdns.split_first().map(|(_, above)| Dn { rdns: above.to_vec() })
    }
}
