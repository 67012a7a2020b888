//! The extended operation that a command on this machine begins with before it reads the journal's files: whoever reads it is recorded, with
//! the question, before anything is read.
//!
//! ```text
//! requestValue:  the question, as text
//! responseValue: none
//! ```
//!
//! For administrators and auditors, over the Unix socket: it gives nothing that a reader of the files does not have. Asked for and refused,
//! it is recorded all the same.

use super::context::is_auditor;
use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Context, Decision, ListenerKind, accesslog, record};
use crate::directory::Directory;
use crate::journal::RecordKind;
use crate::model::{ResultCode, Secret};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Octets that a question may have.
pub const LONGEST_QUESTION: usize = 4096;
/// The detail of a record that holds the question.
pub const QUESTION: &str = "question";

/// A reading of the journal on its way to the committer.
#[derive(Debug)]
pub struct JournalReadRequest {
    question: Option<String>,
    /// Over LDAP, below `cn=accesslog`.
    is_search: bool,
}

impl JournalReadRequest {
    /// What was asked; none where that is no text of a fair length.
    pub fn read(value: Option<&Secret>) -> JournalReadRequest {
        let text = value.map(Secret::expose).filter(|octets| octets.len() <= LONGEST_QUESTION);
        let question = text.and_then(|octets| std::str::from_utf8(octets).ok()).map(str::to_owned);
        JournalReadRequest { question, is_search: false }
    }

    /// A search below `cn=accesslog`.
    pub fn of_search(question: &str) -> JournalReadRequest {
        let question = question.chars().take(LONGEST_QUESTION).collect();
        JournalReadRequest { question: Some(question), is_search: true }
    }

    /// Octets that it holds.
    pub(crate) fn octets(&self) -> usize {
        self.question.as_ref().map_or(0, String::len)
    }
}

fn permitted(directory: &Directory, context: &Context, request: &JournalReadRequest) -> Result<(), Refusal> {
    if request.is_search {
        return if accesslog::may_read(directory, context) { Ok(()) } else { Err(Refusal::no_such_object(directory, None)) };
    }
    let subject = context.subject(directory);
    if !subject.administrator && !subject.identity.is_some_and(|id| is_auditor(directory, id)) {
        return Err(not_permitted());
    }
    if context.peer.listener != ListenerKind::Ldapi {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "the journal's files are read on the server's machine"));
    }
    if request.question.is_none() {
        return Err(Refusal::new(ResultCode::ProtocolError, "the question is expected as text"));
    }
    Ok(())
}

/// Records that somebody is about to read the journal, and answers whether that may be.
pub(crate) fn finish(directory: &Directory, context: &Context, request: &JournalReadRequest) -> Decision {
    let mut record = record::of_context(directory, context, RecordKind::JournalRead);
    let result = match permitted(directory, context, request) {
        Ok(()) => {
            // Those who are refused do not write texts of theirs into the journal.
            record.details.extend(request.question.iter().map(|text| (QUESTION, text.clone())));
            LdapResult::of(ResultCode::Success)
        }
        Err(refusal) => {
            record.reason = Some(refusal.reason);
            refusal.result
        }
    };
    record.result = result.code;
    let reply = Reply::result(if request.is_search { ResponseKind::SearchDone } else { ResponseKind::Extended }, result);
    Decision { reply, changes: Vec::new(), record, preceding: Vec::new(), identity: None }
}
