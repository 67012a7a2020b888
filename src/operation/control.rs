//! Request controls: which are known, where they are allowed, and what they ask for (RFC 4511 section 4.1.11).

use super::Limits;
use crate::model::Filter;
use crate::protocol::{Control, LdapResult, ResponseKind};

/// What the controls of one request ask for.
#[derive(Clone, Debug, Default)]
pub struct Controls {
    /// Assertion (RFC 4528).
    pub assertion: Option<Filter>,
    /// Pre-read (RFC 4527): the attributes asked for.
    pub pre_read: Option<Vec<String>>,
    /// Post-read (RFC 4527): the attributes asked for.
    pub post_read: Option<Vec<String>>,
    /// Simple paged results (RFC 2696).
    pub paged: Option<PagedRequest>,
    /// ManageDsaIT (RFC 3296).
    pub manage_dsa_it: bool,
    /// Tree delete.
    pub tree_delete: bool,
}

/// The value of a paged results control (RFC 2696).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagedRequest {
    /// Entries on this page.
    pub size: u32,
    /// Empty on the first page.
    pub cookie: Vec<u8>,
}

/// Reads the controls of a request that `kind` answers. Refused: 12 for a critical control that is unknown or has no place here, 2 for
/// one that is there twice or whose value cannot be read, 11 for too many.
pub fn decode(kind: ResponseKind, controls: &[Control], limits: &Limits) -> Result<Controls, LdapResult> {
    let _ = (kind, controls, limits);
    todo!()
}
