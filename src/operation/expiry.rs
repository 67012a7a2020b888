//! The moment at which time alone bars an account or its password: it is recorded when it comes. What is decided never waits for that record,
//! every decision looks at the time itself.

use super::{record, standing};
use crate::directory::Directory;
use crate::journal::{Record, RecordKind};
use crate::model::{EntryId, Timestamp};
use crate::policy::account::{self, Ground};
use crate::policy::password::policy::PasswordPolicy;

/// The next such moment after `after`, by what the entry says. What follows from logins (pwdMaxIdle) moves with each and is not among them.
pub fn next_end(directory: &Directory, id: EntryId, after: Timestamp) -> Option<(Ground, Timestamp)> {
    let policy = PasswordPolicy { maximum_idle: 0, ..PasswordPolicy::default() };
    account::next_end(&standing::facts(directory, id), &policy, after)
}

/// What the journal says when an account comes to its end at `end`; nothing where it does not.
pub fn record_of_end(directory: &Directory, id: EntryId, end: Timestamp) -> Option<Record> {
    let (ground, found) = next_end(directory, id, Timestamp(end.0.saturating_sub(1)))?;
    if found != end {
        return None;
    }
    let mut record = Record::new(RecordKind::Expire);
    record.target = record::named(directory, id);
    record.reason = Some(standing::reason_of(ground));
    record.details = vec![("attribute", ground.attribute().to_owned()), ("end", end.to_generalized_time_micros())];
    Some(record)
}
