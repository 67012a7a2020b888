//! LDIF (RFC 2849): content and change records, read as a stream with line numbers, and written.

use std::io::{self, BufRead, Write};

use super::{Attribute, Modification};

/// One record of an LDIF file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LdifRecord {
    /// The DN as written (decoded from base64 where it was), not yet parsed.
    pub dn: Vec<u8>,
    /// Line of the `dn:` (from 1).
    pub line: u64,
    /// Controls of a change record: object identifier, criticality, value.
    pub controls: Vec<(String, bool, Option<Vec<u8>>)>,
    /// What the record says.
    pub body: LdifBody,
}

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

/// Reads records one by one; after an error it goes on with the next record, so that `--continue` works.
pub struct LdifReader<R> {
    input: R,
}

impl<R: BufRead> LdifReader<R> {
    /// Longest logical line: 16 MiB.
    pub const MAXIMUM_LINE: usize = 16 * 1024 * 1024;

    /// Starts at the first line. `version: 1` is optional; CR LF and LF both end lines; `<` URLs are refused unless `file:` and allowed.
    pub fn new(input: R) -> LdifReader<R> {
        LdifReader { input }
    }
}

impl<R: BufRead> Iterator for LdifReader<R> {
    type Item = Result<LdifRecord, LdifError>;

    fn next(&mut self) -> Option<Self::Item> {
        let _ = &self.input;
        todo!()
    }
}

/// Writes one `name: value` line, base64 where RFC 2849 asks for it, folded at 76 columns.
pub fn write_line(output: &mut impl Write, name: &str, value: &[u8]) -> io::Result<()> {
    let _ = (output, name, value);
    todo!()
}
