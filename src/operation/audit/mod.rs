//! Audited reads: which searches and compares are recorded, and what is said of them.
//!
//! ```text
//! X-AUDIT-READ in the schema ─┐
//! auditRule entries ──────────┴─► AuditRules, compiled once ─► this asker's ─► SearchAudit: entries with audited attributes are held
//!                                                                                   │ until the record that counts them is durable
//!                                                                     compare ──────┴─► AuditedRead ─► committer ─► the answer
//! ```
//! Where there is no flag that a search can meet, and no rule, a search costs one look at that.

mod check;
mod compared;
mod compile;
mod searched;
mod told;

pub(crate) use check::{check, check_unnamed};
pub use compared::{compared, refused_search};
pub(crate) use searched::{Next, SearchAudit};

use bytes::Bytes;

use super::{Context, Decision, record};
use crate::directory::Directory;
use crate::journal::{Record, RecordKind};
use crate::model::ResultCode;
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// A search or a compare, or a part of one, that is to be recorded before its answer leaves.
#[derive(Debug)]
pub struct AuditedRead {
    kind: RecordKind,
    /// The name that the request was about.
    name: Bytes,
    code: ResultCode,
    /// The answer, where the session waits with it.
    reply: Option<Reply>,
    /// The rule that wants it.
    rule: Option<String>,
    details: Vec<(&'static str, String)>,
}

impl AuditedRead {
    /// Octets that it holds.
    pub(crate) fn octets(&self) -> usize {
        self.details.iter().map(|(_, text)| text.len()).fold(self.name.len(), usize::saturating_add)
    }
}

/// Records it.
pub(crate) fn finish(directory: &Directory, context: &Context, read: &AuditedRead) -> Decision {
    let mut details = read.details.clone();
    let of_context = record::of_context(directory, context, read.kind);
    details.extend(of_context.details.iter().cloned());
    let record = Record {
        target: Some(record::named_in_request(directory, &read.name)),
        result: read.code,
        rule: read.rule.clone(),
        details,
        ..of_context
    };
    let kind = if read.kind == RecordKind::Compare { ResponseKind::Compare } else { ResponseKind::SearchDone };
    let reply = read.reply.clone().unwrap_or_else(|| Reply::result(kind, LdapResult::of(read.code)));
    Decision { reply, changes: Vec::new(), record, preceding: Vec::new(), identity: None }
}
