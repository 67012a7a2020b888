//! The extended operation that says that a jump of the clock is right (no values either way): what ends by time ends from then on. For
//! administrators, over the Unix socket; recorded whatever comes of it.

use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Context, Decision, ListenerKind, record, standing};
use crate::directory::Directory;
use crate::journal::{Record, RecordKind};
use crate::model::ResultCode;
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// The detail that says what happened to the clock.
pub const STAGE: &str = "stage";
const CONFIRMED: &str = "confirmed";

/// Decides it. The clock is told once the record is durable.
pub(crate) fn confirm(head: &Directory, context: &Context) -> Decision {
    let mut record = record::of_context(head, context, RecordKind::Clock);
    let result = match jump(head, context) {
        Ok(micros) => {
            record.details.extend([(STAGE, CONFIRMED.to_owned()), ("ahead", micros.to_string())]);
            LdapResult::of(ResultCode::Success)
        }
        Err(refusal) => {
            record.reason = Some(refusal.reason);
            refusal.result
        }
    };
    record.result = result.code;
    let reply = Reply::result(ResponseKind::Extended, result);
    Decision { reply, changes: Vec::new(), record, preceding: Vec::new(), identity: None }
}

fn jump(head: &Directory, context: &Context) -> Result<i64, Refusal> {
    standing::check_restricted(head, context)?;
    if !context.subject(head).administrator {
        return Err(not_permitted());
    }
    if context.peer.listener != ListenerKind::Ldapi {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "the clock is confirmed over the server's Unix socket"));
    }
    let held = context.settings.monitor.monitored().and_then(super::monitor::Monitored::clock_jump);
    let none = || Refusal::new(ResultCode::UnwillingToPerform, "the clock did not jump, or is believed already");
    held.ok_or_else(|| none().because("no jump of the clock"))
}

/// Whether this record confirms a jump.
pub fn is_confirmation(record: &Record) -> bool {
    record.kind == RecordKind::Clock
        && record.result == ResultCode::Success
        && record.details.iter().any(|(name, value)| *name == STAGE && value == CONFIRMED)
}
