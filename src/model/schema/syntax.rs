//! Syntaxes (RFC 4517 section 3.3): which octets are a value.

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
