//! What a search covers.

/// scope (RFC 4511 section 4.5.1.2; children is draft-sermersheim-ldap-subordinate-scope).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// 0
    Base,
    /// 1
    One,
    /// 2
    Subtree,
    /// 3: the subtree without its base
    Children,
}

/// derefAliases (RFC 4511 section 4.5.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DerefAliases {
    /// 0
    Never,
    /// 1
    InSearching,
    /// 2
    FindingBase,
    /// 3
    Always,
}
