//! The operations of LDAP as pure functions: `(directory, context, request) → outcome`. One file each.
//!
//! What changes the directory is decided by [`decide`], which the committer calls on its newest private head; everything that a
//! client may read is decided on a published value.

mod account;
pub mod add;
pub mod bind;
pub mod compare;
mod context;
pub mod control;
pub mod delete;
pub mod extended;
pub mod modify;
pub mod modify_dn;
pub mod password;
pub mod prepare;
pub(crate) mod record;
mod refusal;
pub mod root_dse;
pub mod search;
pub mod stamp;

pub use context::{
    Authority, CertificateFacts, CertificateRule, Context, Fresh, Identity, Limits, ListenerKind, Peer, Settings, TlsFacts,
    WaivedNetwork,
};

use crate::directory::{Change, Directory};
use crate::journal::Record;
use crate::protocol::Reply;

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
    /// For a bind: whom the session is from now on.
    pub identity: Option<Identity>,
}

/// Decides one proposal on `head`, the newest value. Does not change `head`: the committer applies `Decision::changes`.
/// `head` may be ahead of what readers see. `csn_count` distinguishes decisions of one microsecond in entryCSN.
pub fn decide(head: &Directory, proposal: &Proposal, csn_count: u32) -> Decision {
    let _ = (head, proposal, csn_count);
    todo!()
}
