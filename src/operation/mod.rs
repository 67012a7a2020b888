//! The operations of LDAP as pure functions: `(directory, context, request) → outcome`. One file each.
//!
//! What changes the directory is decided by [`decide`], which the committer calls on its newest private head; everything that a
//! client may read is decided on a published value.

pub(crate) mod access;
pub(crate) mod accesslog;
mod account;
pub mod account_report;
pub mod add;
pub mod app_password;
mod attached;
pub mod audit;
pub mod backup;
pub mod bind;
pub(crate) mod bind_rules;
pub mod compare;

pub mod clock;
mod context;
pub mod control;
pub mod default_rules;
pub mod delete;
mod disabled;
mod draft;
pub mod dynamic;
pub mod enrolment;
pub mod expiry;
pub mod explain;
pub mod exposed;
pub mod extended;
pub mod grant;
pub mod identifier;
pub mod journal_read;
pub mod key_rotation;
pub mod live;
mod managed_account;
mod member_draft;
pub mod modify;
pub mod modify_dn;
pub mod monitor;
pub(crate) mod otp;
pub mod password;
mod password_change;
mod place;
pub mod policies;
pub mod policy_test;
pub mod prepare;
pub mod rebase;
pub(crate) mod record;
mod referral;
mod refusal;
mod relax;
pub mod report;
mod reserved_draft;
pub mod review;
pub mod revoked;
pub mod root_dse;
mod schema_change;
pub mod search;
mod selection;
pub mod sessions;
mod size;
pub mod stamp;
pub(crate) mod standing;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod upgrade;
mod write;

pub use account::AccountClass;
pub use attached::{Assumed, Attached};
pub use context::{
    Authority, CertificateFacts, CertificateRule, Context, Disclosure, Fresh, Identity, Limits, ListenerKind, Peer,
    RememberedLoginSettings, Settings, TlsFacts, WaivedNetwork,
};
pub use grant::as_of;
pub use live::{LiveSession, SessionEnd};
pub use managed_account::AccountKind;

use crate::directory::{Change, Directory};
use crate::journal::{Record, RecordKind};
use crate::model::{EntryId, ResultCode};
use crate::protocol::{LdapResult, Reply, ResponseKind};
use write::{Asked, Write};

/// An operation that must be decided by the committer: it changes something, or it must be recorded (every bind).
#[derive(Debug)]
pub struct Proposal {
    /// Who, from where, when asked.
    pub context: Context,
    /// What.
    pub operation: ProposedOperation,
}

/// What the committer can be asked to decide.
#[derive(Debug)]
pub enum ProposedOperation {
    /// A bind whose credentials were looked at (or need not be).
    Bind(bind::PendingBind),
    /// An add, its clear-text passwords hashed.
    Add(add::AddRequest),
    /// A modify, its clear-text passwords hashed.
    Modify(modify::ModifyRequest),
    /// A delete.
    Delete(delete::DeleteRequest),
    /// A rename or move.
    ModifyDn(modify_dn::ModifyDnRequest),
    /// A Password Modify, old password verified, new one hashed.
    PasswordModify(password::PasswordModifyRequest),
    /// Puts entries right that an older program kept in another way; see [`upgrade::outdated`].
    Upgrade(Vec<EntryId>),
    /// A refresh of a dynamic entry (RFC 2589).
    Refresh(dynamic::RefreshRequest),
    /// A backup: its snapshot is taken, or it was refused.
    Backup(backup::BackupRequest),
    /// A rotation of the seal key: it is begun, or was refused.
    KeyRotation(key_rotation::KeyRotationRequest),
    /// The journal is about to be read.
    JournalRead(journal_read::JournalReadRequest),
    /// A search or compare that is recorded before it is answered.
    AuditedRead(Box<audit::AuditedRead>),
    /// A password of an application is made or taken away.
    AppPassword(app_password::AppPasswordRequest),
    /// Takes back what these entries remember of a future that a wrong clock made; see [`rebase::ahead`].
    Rebase(Vec<EntryId>),
    /// A password that was refused because it came in clear is the right one.
    Exposed(exposed::ExposedCredential),
    /// A person enrols one-time codes.
    OtpEnrolment(enrolment::EnrolmentRequest),
    /// Somebody says that a jump of the clock is right.
    ClockConfirmation,
    /// The end of a transaction (RFC 5805): its operations, all or none.
    Transaction(Vec<Proposal>),
    /// Something that happened and is only to be recorded (start, stop, StartTLS, configuration, …); answered with success.
    Note(Box<Record>),
}

/// What was decided, all or nothing.
#[derive(Debug)]
pub struct Decision {
    /// What the client gets once the frame is durable.
    pub reply: Reply,
    /// What changes; empty when refused.
    pub changes: Vec<Change>,
    /// What the journal says.
    pub record: Record,
    /// What it says of the operations before it in a transaction, which share its frame; each a microsecond after the one before.
    pub preceding: Vec<Record>,
    /// For a bind: whom the session is from now on.
    pub identity: Option<Identity>,
}

/// Decides one proposal on `head`, the newest value. Does not change `head`: the committer applies `Decision::changes`.
/// `head` may be ahead of what readers see. `csn_count` distinguishes decisions of one microsecond in entryCSN.
pub fn decide(head: &Directory, proposal: &Proposal, csn_count: u32) -> Decision {
    decide_in(head, &proposal.context, &proposal.operation, csn_count)
}

fn decide_in(head: &Directory, context: &Context, operation: &ProposedOperation, csn_count: u32) -> Decision {
    let write = Write { head, context, csn_count };
    let schema = head.schema();
    match operation {
        ProposedOperation::Upgrade(entries) => upgrade::decide(head, context, entries),
        ProposedOperation::Bind(pending) => bind::finish(head, context, pending),
        ProposedOperation::PasswordModify(request) => password::finish(head, context, request, csn_count),
        ProposedOperation::Backup(request) => backup::finish(head, context, request),
        ProposedOperation::KeyRotation(request) => key_rotation::finish(head, context, request),
        ProposedOperation::JournalRead(request) => journal_read::finish(head, context, request),
        ProposedOperation::AuditedRead(read) => audit::finish(head, context, read),
        ProposedOperation::AppPassword(request) => app_password::finish(head, context, request, csn_count),
        ProposedOperation::Rebase(entries) => rebase::decide(head, context, entries),
        ProposedOperation::Exposed(exposed) => exposed::finish(head, context, exposed),
        ProposedOperation::OtpEnrolment(request) => enrolment::finish(head, context, request, csn_count),
        ProposedOperation::ClockConfirmation => clock::confirm(head, context),
        ProposedOperation::Refresh(request) => dynamic::refresh(&write, request),
        ProposedOperation::Transaction(steps) => transaction::decide(head, context, steps, csn_count),
        ProposedOperation::Note(record) => Decision {
            reply: Reply::result(ResponseKind::Extended, LdapResult::of(ResultCode::Success)),
            changes: Vec::new(),
            record: (**record).clone(),
            preceding: Vec::new(),
            identity: None,
        },
        ProposedOperation::Add(request) => {
            let asked = Asked::new(RecordKind::Add, ResponseKind::Add, &request.name)
                .with_changes(record::of_attributes(schema, &request.attributes));
            write.conclude(asked.with_controls(&request.controls), add::add(&write, request))
        }
        ProposedOperation::Modify(request) => {
            let asked = Asked::new(RecordKind::Modify, ResponseKind::Modify, &request.name)
                .with_changes(record::of_modifications(schema, &request.changes));
            write.conclude(asked.with_controls(&request.controls), modify::modify(&write, request))
        }
        ProposedOperation::Delete(request) => {
            let asked = Asked::new(RecordKind::Delete, ResponseKind::Delete, &request.name);
            write.conclude(asked.with_controls(&request.controls), delete::delete(&write, request))
        }
        ProposedOperation::ModifyDn(request) => {
            let asked = Asked::new(RecordKind::ModifyDn, ResponseKind::ModifyDn, &request.name).with_details(request.details());
            write.conclude(asked.with_controls(&request.controls), modify_dn::modify_dn(&write, request))
        }
    }
}
