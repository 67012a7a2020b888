//! Transactions (RFC 5805): operations that were asked for one by one are decided in order on one tentative value, each seeing the ones
//! before it, and all are done or none.
//!
//! ```text
//! txnEndReq ::= SEQUENCE { commit BOOLEAN DEFAULT TRUE, identifier OCTET STRING }
//! txnEndRes ::= SEQUENCE {
//!     messageID MessageID OPTIONAL,
//!     updatesControls SEQUENCE OF SEQUENCE { messageID MessageID, controls Controls } OPTIONAL }
//! ```

use bytes::Bytes;

use super::control::Controls;
use super::refusal::Refusal;
use super::write::MAXIMUM_CHANGES;
use super::{Context, Decision, Proposal, ProposedOperation, decide_in};
use crate::directory::{Change, Directory};
use crate::journal::Record;
use crate::model::{ResultCode, Secret, Timestamp};
use crate::protocol::ber::{self, BerError, Reader, Tag, Writer};
use crate::protocol::{Control, LdapResult, MessageId, Reply, ResponseKind, oid};

/// Most operations of one transaction.
pub const MAXIMUM_OPERATIONS: usize = 1000;

/// Most octets that the operations of one transaction may hold while they wait for its end.
pub const MAXIMUM_OCTETS: usize = 16 * 1024 * 1024;

/// Most octets of entries that the operations of one transaction may write and of response controls that they may ask for: a small change
/// writes its whole entry, all go into one frame and all controls into one reply.
pub const MAXIMUM_RESULT: usize = 64 * 1024 * 1024;

/// Why an operation that was sound alone is not done.
const FAILED: &str = "transaction failed";

/// An end of a transaction as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndRequest {
    /// Do it, or forget it.
    pub commit: bool,
    /// Which.
    pub identifier: Bytes,
}

impl EndRequest {
    /// Reads the value of an end request: 2 for what is none.
    pub fn read(value: Option<&Secret>) -> Result<EndRequest, LdapResult> {
        let refusal = |text| LdapResult::with(ResultCode::ProtocolError, text);
        let value = value.ok_or_else(|| refusal("request data expected"))?;
        EndRequest::decode(value.expose()).map_err(|_| refusal("data decoding error"))
    }

    fn decode(value: &[u8]) -> Result<EndRequest, BerError> {
        let mut outer = Reader::new(value);
        let mut parts = outer.sequence()?;
        outer.finish()?;
        let commit = parts.optional(Tag::BOOLEAN)?.map(ber::boolean).transpose()?.unwrap_or(true);
        let identifier = Bytes::copy_from_slice(parts.octet_string()?);
        parts.finish()?;
        Ok(EndRequest { commit, identifier })
    }
}

/// The answer to a start: the identifier.
pub fn started(identifier: Bytes) -> Reply {
    extended(LdapResult::of(ResultCode::Success), None, Some(identifier))
}

/// The notice that the server gave a transaction up (section 2.4); it goes out with message ID 0.
pub fn aborted_notice(identifier: Bytes, result: LdapResult) -> Reply {
    extended(result, Some(oid::ABORTED_TRANSACTION.to_owned()), Some(identifier))
}

/// 2 for an identifier that is of no transaction here.
pub fn invalid_identifier() -> LdapResult {
    LdapResult::with(ResultCode::ProtocolError, "transaction identifier is invalid")
}

/// 2 for a change that says it is part of a transaction and is not, or that would be done as somebody else in it (section 4.4).
pub(crate) fn check(context: &Context, controls: &Controls) -> Result<(), Refusal> {
    if controls.transaction.is_none() {
        return Ok(());
    }
    if controls.proxied_authorization.is_some() {
        let text = "proxied authorization control has no place in a transaction";
        return Err(Refusal::new(ResultCode::ProtocolError, text));
    }
    if context.attached.transaction.is_none() {
        return Err(invalid_identifier().into());
    }
    Ok(())
}

/// What became of the steps so far.
struct Progress {
    /// With the changes of all steps so far, as long as none failed.
    head: Directory,
    changes: Vec<Change>,
    records: Vec<Record>,
    /// Response controls, by the step they answer.
    controls: Vec<(MessageId, Vec<Control>)>,
    /// What changes and controls hold, see [`MAXIMUM_RESULT`].
    octets: usize,
    /// The step that failed, and with what.
    failed: Option<(MessageId, LdapResult)>,
}

/// Decides all steps; `context` is that of the end request, and the steps are decided from its time on. Each step has a record. Those of
/// a transaction that failed say so, with the code of the step that did and 118 for the others.
pub(crate) fn decide(head: &Directory, context: &Context, steps: &[Proposal], csn_count: u32) -> Decision {
    let (changes, records, controls) = (Vec::new(), Vec::new(), Vec::new());
    let mut progress = Progress { head: head.clone(), changes, records, controls, octets: 0, failed: None };
    for (place, step) in (0..).zip(steps) {
        let now = Timestamp(context.now.0.saturating_add(place));
        progress.step(&Context { now, ..step.context.clone() }, &step.operation, csn_count);
    }
    progress.conclude()
}

impl Progress {
    fn step(&mut self, context: &Context, operation: &ProposedOperation, csn_count: u32) {
        let Decision { reply, changes, mut record, .. } = decide_in(&self.head, context, operation, csn_count);
        let Reply::Result { mut result, controls, .. } = reply else { return };
        if self.failed.is_some() {
            not_done(&mut record);
        } else {
            let limit = MAXIMUM_CHANGES.saturating_sub(self.changes.len());
            self.octets = self.octets.saturating_add(octets(&changes, &controls));
            if result.code == ResultCode::Success && (changes.len() > limit || self.octets > MAXIMUM_RESULT) {
                result = LdapResult::with(ResultCode::AdminLimitExceeded, "too many changes in one transaction");
            } else if result.code == ResultCode::Success && changes.iter().any(|change| self.head.apply(change).is_err()) {
                result = LdapResult::with(ResultCode::Other, "internal error");
            }
            if result.code != ResultCode::Success {
                record.result = result.code;
                record.reason = record.reason.or(Some(FAILED));
                self.records.iter_mut().for_each(not_done);
                self.failed = Some((context.message, result));
            } else {
                self.changes.extend(changes);
                if !controls.is_empty() {
                    self.controls.push((context.message, controls));
                }
            }
        }
        let identifier = context.attached.transaction.unwrap_or_default();
        record.details.push(("transaction", identifier.to_string()));
        self.records.push(record);
    }

    fn conclude(mut self) -> Decision {
        let count = self.records.len();
        for (place, record) in self.records.iter_mut().enumerate() {
            record.details.push(("transactionStep", format!("{} of {count}", place.saturating_add(1))));
        }
        let record = self.records.pop().unwrap_or_else(|| Record::new(crate::journal::RecordKind::Modify));
        let (reply, changes) = match &self.failed {
            Some((id, result)) => (ended(result.clone(), Some(*id), &[]), Vec::new()),
            None => (ended(LdapResult::of(ResultCode::Success), None, &self.controls), self.changes),
        };
        Decision { reply, changes, record, preceding: self.records, identity: None }
    }
}

fn octets(changes: &[Change], controls: &[Control]) -> usize {
    let entries = changes.iter().map(|change| if let Change::PutEntry { block, .. } = change { block.len() } else { 0 });
    let values = controls.iter().filter_map(|control| control.value.as_ref()).map(Bytes::len);
    entries.chain(values).fold(0, usize::saturating_add)
}

fn not_done(record: &mut Record) {
    record.result = ResultCode::Canceled;
    record.reason = Some(FAILED);
    record.effects.clear();
}

/// The answer to an end.
pub fn ended(result: LdapResult, failed: Option<MessageId>, controls: &[(MessageId, Vec<Control>)]) -> Reply {
    let value = (failed.is_some() || !controls.is_empty()).then(|| {
        ber::encode(|writer| {
            writer.sequence(|parts| {
                if let Some(id) = failed {
                    parts.integer(i64::from(id.0));
                }
                if !controls.is_empty() {
                    parts.sequence(|updates| controls.iter().for_each(|update| write_update(updates, update)));
                }
            });
        })
    });
    extended(result, None, value)
}

fn write_update(updates: &mut Writer<'_>, (id, controls): &(MessageId, Vec<Control>)) {
    updates.sequence(|update| {
        update.integer(i64::from(id.0));
        update.sequence(|list| {
            for control in controls {
                list.sequence(|parts| {
                    parts.octet_string(control.oid.as_bytes());
                    if let Some(value) = &control.value {
                        parts.octet_string(value);
                    }
                });
            }
        });
    });
}

fn extended(result: LdapResult, name: Option<String>, value: Option<Bytes>) -> Reply {
    Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: name,
        extended_value: value,
        controls: Vec::new(),
    }
}
