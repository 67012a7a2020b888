//! Syntaxes (RFC 4517 section 3.3): which octets are a value.

mod address;
mod encoded;
mod foreign;
mod guide;
mod name;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub(super) use encoded::{bits, is_boolean, is_change_sequence_number, is_integer, is_uuid};
pub(super) use foreign::*;
pub use name::split_uid;
pub(super) use table::*;

/// A syntax.
pub struct Syntax {
    /// Dotted object identifier.
    pub oid: &'static str,
    /// DESC
    pub description: &'static str,
    /// Whether values are transferred with `;binary` only (RFC 4522: certificates and the like).
    pub requires_binary: bool,
    /// Whether values are text that a person can read (false: LDIF and journal write base64).
    pub human_readable: bool,
    /// Whether the octets are a value.
    pub is_valid: fn(&[u8]) -> bool,
}

impl std::fmt::Debug for Syntax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.oid)
    }
}

/// By object identifier.
pub(super) fn find(oid: &str) -> Option<&'static Syntax> {
    all().find(|syntax| syntax.oid == oid)
}

/// Every syntax the program knows.
pub(super) fn all() -> impl Iterator<Item = &'static Syntax> {
    SYNTAXES.iter().chain(&FOREIGN)
}

/// Any octets.
pub(super) fn octet_string() -> &'static Syntax {
    &ANY_OCTETS
}
