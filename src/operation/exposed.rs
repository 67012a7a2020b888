//! Passwords that came over a connection that can be listened to. They were refused (13) before anybody looked at them; whether one was right is
//! found out afterwards, beside the connection, so that the answer tells nothing: the account of one that was is marked until it has
//! another password (`passwordExposedTime`), with a record of its own.

use super::bind::bookkeeping;
use super::{Context, Decision, Proposal, ProposedOperation, account, app_password, record};
use crate::directory::{Change, Directory, Node};
use crate::journal::{RecordKind, RecordedChange, RecordedValue};
use crate::model::{EntryId, ModificationOperation, ResultCode, Secret, Timestamp, Value};
use crate::policy::app_password::FACTOR;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// When it was seen.
const EXPOSED: &str = "passwordExposedTime";
const CREDENTIAL: &str = "credential";

/// A password that is to be looked at. Not more of them are than the server has room for: what is marked is a find, and no proof of its
/// absence.
#[derive(Debug)]
pub struct Exposure {
    account: EntryId,
    job: HashJob,
    /// It is one of an application, of this name.
    app: Option<String>,
    /// Of the bind that was refused.
    context: Context,
}

/// A password that was right.
#[derive(Debug)]
pub struct ExposedCredential {
    account: EntryId,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The password that is stored as this.
    Password(Secret),
    /// The password of an application with this name.
    App(String),
}

impl Exposure {
    /// What is to be looked at of a password that came for this account; none where it has none, or is marked already.
    pub(crate) fn of(directory: &Directory, context: &Context, account: EntryId, given: Secret) -> Option<Exposure> {
        let node = directory.node(account)?;
        let app = app_password::find(directory, account, &given).map(|one| one.name);
        let stored = account::stored_passwords(directory, Some(account));
        if app.is_none() && (stored.is_empty() || of_node(directory, node).is_some()) {
            return None;
        }
        Some(Exposure { account, job: HashJob::verify(stored, given), app, context: context.clone() })
    }

    /// What the hash pool is to do; none where the password is known already.
    pub fn job(&self) -> Option<HashJob> {
        self.app.is_none().then(|| self.job.clone())
    }

    /// What is to be decided once that was done; none: it was not right. `answer`: the hash pool's.
    pub fn proposal(self, answer: Option<HashAnswer>) -> Option<Box<Proposal>> {
        let what = match (self.app, answer) {
            (Some(app), _) => What::App(app),
            (None, Some(HashAnswer::Verified { matched: Some(matched), .. })) => What::Password(matched),
            (None, _) => return None,
        };
        let operation = ProposedOperation::Exposed(ExposedCredential { account: self.account, what });
        Some(Box::new(Proposal { context: self.context, operation }))
    }
}

/// Marks the account, where the password is still its. Called by [`super::decide`].
pub(crate) fn finish(head: &Directory, context: &Context, exposed: &ExposedCredential) -> Decision {
    let mut record = record::of_context(head, context, RecordKind::CredentialExposed);
    record.target = record::named(head, exposed.account);
    let mut changes = Vec::new();
    let is_still = match &exposed.what {
        What::App(name) => {
            record.details.extend([(CREDENTIAL, FACTOR.to_owned()), ("appPassword", name.clone())]);
            app_password::of_account(head, exposed.account).iter().any(|one| one.name == *name)
        }
        What::Password(stored) => {
            record.details.push((CREDENTIAL, "password".to_owned()));
            let is_still = account::stored_passwords(head, Some(exposed.account)).contains(stored);
            if is_still {
                let time = vec![Value::from(context.now.to_generalized_time())];
                let (attribute, values) = (EXPOSED.to_owned(), RecordedValue::Shown(time.clone()));
                record.changes.push(RecordedChange { attribute, operation: ModificationOperation::Replace, values });
                changes.extend(mark(head, exposed.account, time));
            }
            is_still
        }
    };
    if !is_still {
        record.result = ResultCode::NoSuchAttribute;
        record.reason = Some(super::bind::reason::CHANGED_MEANWHILE);
    }
    let reply = Reply::result(ResponseKind::Bind, LdapResult::of(record.result));
    Decision { reply, changes, record, preceding: Vec::new(), identity: None }
}

fn mark(head: &Directory, id: EntryId, time: Vec<Value>) -> Option<Change> {
    bookkeeping::rewritten(head, id, |entry| bookkeeping::set(head, entry, EXPOSED, time))
}

fn of_node(directory: &Directory, node: &Node) -> Option<Timestamp> {
    let value = node.entry.first(directory.schema().attribute_type(EXPOSED)?.id)?;
    Timestamp::from_generalized_time(value).ok()
}

/// When the password of an account came over a connection that can be listened to, and was right.
pub(crate) fn of_account(directory: &Directory, account: EntryId) -> Option<Timestamp> {
    of_node(directory, directory.node(account)?)
}
