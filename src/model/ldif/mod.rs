//! LDIF (RFC 2849): content and change records, read as a stream with line numbers, and written.
//!
//! A file is a sequence of records with blank lines between them. `lines` unfolds and drops comments, `read` gives a record's
//! lines their meaning, `write` is the way back.

mod lines;
mod read;
#[cfg(test)]
mod tests;
mod value;
mod write;

use super::{Attribute, Modification};

pub use read::LdifReader;
pub use write::{write_entry, write_line};

/// One record of an LDIF file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LdifRecord {
    /// The DN as written (decoded from base64 where it was), not yet parsed.
    pub dn: Vec<u8>,
    /// Line of the `dn:` (from 1).
    pub line: u64,
    /// Controls of a change record.
    pub controls: Vec<LdifControl>,
    /// What the record says.
    pub body: LdifBody,
}

impl LdifRecord {
    /// Roughly the octets it holds in memory.
    pub fn octets(&self) -> usize {
        let body = match &self.body {
            LdifBody::Add(attributes) => attributes.iter().map(Attribute::octets).fold(0, usize::saturating_add),
            LdifBody::Modify(changes) => changes.iter().map(|it| it.attribute.octets()).fold(0, usize::saturating_add),
            LdifBody::Delete => 0,
            LdifBody::Rename { new_rdn, new_superior, .. } => {
                new_rdn.len().saturating_add(new_superior.as_ref().map_or(0, |name| name.len()))
            }
        };
        let controls = self.controls.iter().filter_map(|(_, _, value)| value.as_ref()).map(Vec::len);
        controls.fold(body.saturating_add(self.dn.len()), usize::saturating_add)
    }
}

/// A control of a change record: object identifier, criticality, value.
pub type LdifControl = (String, bool, Option<Vec<u8>>);

/// What an LDIF record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LdifBody {
    /// A content record, or `changetype: add`. Attributes of the same description are gathered, in first-seen order.
    Add(Vec<Attribute>),
    /// `changetype: modify`
    Modify(Vec<Modification>),
    /// `changetype: delete`
    Delete,
    /// `changetype: modrdn` or `moddn`
    Rename {
        /// The new RDN as written.
        new_rdn: Vec<u8>,
        /// Whether the old RDN's values go.
        delete_old_rdn: bool,
        /// The new parent as written.
        new_superior: Option<Vec<u8>>,
    },
}

/// Why a file is no LDIF, or could not be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LdifError {
    /// Line in the file, from 1.
    pub line: u64,
    /// What was wrong, never with a value.
    pub problem: String,
}
