//! The second factor of a bind: the one-time code at the end of its password, and what the bind rules say.

use bytes::Bytes;

use super::{PendingBind, reason};
use crate::directory::{AccountState, Change, Directory};
use crate::journal::{Record, RecordedChange, RecordedValue};
use crate::model::{Entry, EntryId, ModificationOperation, ResultCode, Secret, Value};
use crate::operation::bind_rules::{self, Outcome};
use crate::operation::otp::Enrolled;
use crate::operation::refusal::Refusal;
use crate::operation::{Context, app_password, otp};
use crate::policy::app_password::AppPassword;
use crate::policy::password::LONGEST_NORMALIZED;
use crate::protocol::LdapResult;

/// What `begin` made of the password.
#[derive(Debug, Default)]
pub(super) enum OneTimeCode {
    /// No rule asks for a factor that the connection does not prove, or the account has no token: all of it is the password.
    #[default]
    NotAsked,
    /// A rule does, and what came does not end in a code. It is verified all the same: this answer must cost what every other costs.
    Missing,
    /// A code of this token.
    Given(EntryId, Secret),
}

/// Whether the rules let a login in that proves its password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prospect {
    /// They may.
    Open,
    /// They will not.
    Barred,
}

/// A code that is taken by the bind it came with.
pub(crate) struct Taken {
    token: EntryId,
    /// The time step or counter; none: a recovery code.
    step: Option<u64>,
    /// How far off the token's clock is, where that is known.
    drift: Option<i8>,
    recovery: Option<Value>,
}

/// Splits the code off where the rules ask for one.
pub(super) fn split(
    directory: &Directory,
    context: &Context,
    account: Option<EntryId>,
    given: Secret,
) -> (OneTimeCode, Secret, Prospect) {
    let Some(account) = account else { return (OneTimeCode::NotAsked, given, Prospect::Barred) };
    match bind_rules::judge(directory, context, account).outcome {
        Outcome::Allowed | Outcome::Waived => return (OneTimeCode::NotAsked, given, Prospect::Open),
        Outcome::Refused(_) => return (OneTimeCode::NotAsked, given, Prospect::Barred),
        Outcome::NeedsFactor => {}
    }
    if bind_rules::factor_of_connection(directory, context, account).is_some() {
        return (OneTimeCode::NotAsked, given, Prospect::Open);
    }
    let Some(enrolled) = otp::of_account(directory, account, context.now) else {
        return (OneTimeCode::NotAsked, given, Prospect::Barred);
    };
    // How many forms a password has, and so how many runs it costs, must not depend on whether something was split off.
    let splits = given.expose().len() <= LONGEST_NORMALIZED;
    match crate::policy::otp::split(&given, enrolled.token.digits()).filter(|_| splits) {
        Some((password, code)) => (OneTimeCode::Given(enrolled.entry, code), password, Prospect::Open),
        None => (OneTimeCode::Missing, given, Prospect::Barred),
    }
}

/// Judges the code, once the password is right: 49 like a wrong password. The rule that asked for a code which did not come goes into the
/// record.
pub(super) fn judge_code(
    head: &Directory,
    context: &Context,
    pending: &PendingBind,
    record: &mut Record,
) -> Result<Option<Taken>, Refusal> {
    let refused = |reason| Err(refusal(reason));
    let (token, code) = match &pending.code {
        OneTimeCode::NotAsked => return Ok(None),
        OneTimeCode::Missing => {
            record.rule = pending.account.and_then(|account| bind_rules::judge(head, context, account).rule);
            return refused(reason::NO_CODE);
        }
        OneTimeCode::Given(token, code) => (*token, code),
    };
    let enrolled = pending.account.and_then(|account| otp::of_account(head, account, context.now));
    let Some(enrolled) = enrolled.filter(|enrolled| enrolled.entry == token) else {
        return refused(reason::CHANGED_MEANWHILE);
    };
    judge_given(head, context, &enrolled, code).map(Some).map_err(refusal)
}

/// Judges a code of a token, or one in its place. `Err`: the reason, as the journal spells it.
pub(crate) fn judge_given(
    head: &Directory,
    context: &Context,
    enrolled: &Enrolled,
    code: &Secret,
) -> Result<Taken, &'static str> {
    let token = enrolled.entry;
    if let Some(step) = enrolled.token.step_of(code, enrolled.last, context.now) {
        let drift = Some(enrolled.token.drift_of(step, context.now)).filter(|drift| *drift != 0);
        return Ok(Taken { token, step: Some(step), drift, recovery: None });
    }
    if let Some(recovery) = otp::recovery_code(head, token, code) {
        return Ok(Taken { token, step: None, drift: None, recovery: Some(recovery) });
    }
    match enrolled.token.was_taken(code, enrolled.last, context.now) {
        true => Err(reason::USED_CODE),
        false => Err(reason::WRONG_CODE),
    }
}

/// Judges the rules, once everything else allows the login. The factors that it proves beside `own`; the rule that decided goes into
/// the record, whatever it decided.
pub(super) fn judge_rules(
    head: &Directory,
    context: &Context,
    account: EntryId,
    own: Option<&'static str>,
    has_code: bool,
    record: &mut Record,
) -> Result<Option<&'static str>, Refusal> {
    let by_code = has_code.then_some("otp");
    if own == Some("ldapi") && bind_rules::is_always_let_in(head, account) {
        return Ok(None);
    }
    let ruling = bind_rules::judge(head, context, account);
    record.rule = ruling.rule;
    match ruling.outcome {
        Outcome::Allowed => Ok(by_code),
        Outcome::Waived => {
            record.details.push(("waiver", "second-factor".to_owned()));
            Ok(by_code)
        }
        Outcome::Refused(reason) => Err(refusal(reason)),
        Outcome::NeedsFactor if own.is_some_and(|own| own != "password") => Ok(None),
        Outcome::NeedsFactor => {
            let other = by_code.or_else(|| bind_rules::factor_of_connection(head, context, account));
            other.map(Some).ok_or_else(|| refusal(reason::NO_FACTOR))
        }
    }
}

/// The same for a password of an application: its own rule must let it in. The factor that the connection proves beside it, where that rule
/// asks for one.
pub(super) fn judge_app_password(
    head: &Directory,
    context: &Context,
    account: EntryId,
    app: &AppPassword,
    record: &mut Record,
) -> Result<Option<&'static str>, Refusal> {
    app_password::check(head, account, app, context.now).map_err(refusal)?;
    let ruling = bind_rules::judge_app_password(head, context, account, app);
    record.rule = ruling.rule;
    match ruling.outcome {
        Outcome::Allowed => Ok(None),
        Outcome::Refused(reason) => Err(refusal(reason)),
        Outcome::NeedsFactor | Outcome::Waived => {
            let of_connection = bind_rules::factor_of_connection(head, context, account);
            of_connection.map(Some).ok_or_else(|| refusal(reason::NO_FACTOR))
        }
    }
}

fn refusal(reason: &'static str) -> Refusal {
    Refusal { result: LdapResult::of(ResultCode::InvalidCredentials), reason }
}

impl Taken {
    /// Takes the code, so that nobody logs in with it again: in the bookkeeping of the token, or by removing a recovery code. `changes`: those
    /// of this login so far; the token may be the account itself.
    pub(crate) fn consume(&self, head: &Directory, changes: &mut Vec<Change>, record: &mut Record) {
        if let Some(recovery) = &self.recovery {
            record.details.push(("recoveryCode", "used".to_owned()));
            record.changes.push(RecordedChange {
                attribute: "otpRecoveryCode".to_owned(),
                operation: ModificationOperation::Delete,
                values: RecordedValue::Redacted(1),
            });
            self.remove(recovery, head, changes);
            return;
        }
        let of_token = changes.iter_mut().find_map(|change| match change {
            Change::PutAccountState { id, state } if *id == self.token => Some(state),
            _ => None,
        });
        match of_token {
            Some(state) => (state.one_time_step, state.time_step_drift) = (self.step, self.drift),
            None => {
                let (one_time_step, time_step_drift) = (self.step, self.drift);
                let state = AccountState { one_time_step, time_step_drift, ..head.account_state(self.token) };
                changes.push(Change::PutAccountState { id: self.token, state });
            }
        }
    }

    /// The token without a recovery code. Nothing else of it changes: a login is no modification.
    fn remove(&self, recovery: &Value, head: &Directory, changes: &mut Vec<Change>) {
        let (Some(node), Some(attribute_type)) = (head.node(self.token), head.schema().attribute_type("otpRecoveryCode")) else {
            return;
        };
        let mut written = changes.iter_mut().find_map(|change| match change {
            Change::PutEntry { id, block, .. } if *id == self.token => Some(block),
            _ => None,
        });
        let read = |block: &&mut Bytes| Entry::from_block((**block).clone(), |name| head.schema().section_of(name)).ok();
        let before = written.as_ref().and_then(read);
        let mut entry = before.as_ref().unwrap_or(&node.entry).to_builder();
        let values = entry.get(attribute_type.id, attribute_type.name()).map(|it| it.values.clone()).unwrap_or_default();
        let left = values.into_iter().filter(|value| value != recovery).collect();
        entry.set(attribute_type.id, attribute_type.name(), attribute_type.section(), left);
        let without = entry.build().block().clone();
        match &mut written {
            Some(block) => **block = without,
            None => {
                let (parent, name) = (node.parent, node.name.clone());
                changes.push(Change::PutEntry { id: node.id, parent, name, block: without });
            }
        }
    }
}
