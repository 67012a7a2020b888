//! The end of a bind: judged on the newest value, recorded whatever comes of it.

use std::sync::Arc;

use super::factor::{self, Taken};
use super::{Method, PendingBind, bookkeeping, disclosure, reason};
use crate::directory::Directory;
use crate::journal::{Record, RecordKind};
use crate::model::{EntryId, ResultCode, Secret};
use crate::operation::refusal::Refusal;
use crate::operation::standing::{PasswordStanding, Standing};
use crate::operation::{Context, Decision, Disclosure, Identity, LiveSession, account, bind_rules, control, record};
use crate::policy::password::HashAnswer;
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// A bind that succeeds: as whom, and what to store in the place of an old hash.
struct Accepted<'a> {
    account: Option<EntryId>,
    /// The stored value that matched and its replacement.
    rewrite: Option<(&'a Secret, &'a Secret)>,
    /// What it proves beside its method's own factor.
    second: Option<&'static str>,
    /// The one-time code that came with it.
    taken: Option<Taken>,
}

impl<'a> Accepted<'a> {
    fn new(account: Option<EntryId>, rewrite: Option<(&'a Secret, &'a Secret)>) -> Accepted<'a> {
        Accepted { account, rewrite, second: None, taken: None }
    }
}

/// Decides a bind on the newest value and makes its record. Called by [`crate::operation::decide`].
pub fn finish(head: &Directory, context: &Context, pending: &PendingBind) -> Decision {
    let mut record = record::of_context(head, context, RecordKind::Bind);
    record.method = pending.method.name().map(str::to_owned);
    record.target = pending.account.and_then(|id| record::named(head, id));
    record.unknown_name = pending.unknown_name.clone();
    let by_password = pending.method.is_password();
    let standing = pending.account.map(|id| Standing::of(head, id));
    let standing = standing.as_ref();
    let judged = bookkeeping::check_wait(standing, context, pending).and_then(|()| judge(head, pending));
    let judged = judged.and_then(|accepted| match accepted.account.zip(standing) {
        Some((id, standing)) => {
            let taken = factor::judge_code(head, context, pending, &mut record)?;
            check_standing(head, standing, context, id, pending.method)?;
            let second = match &pending.app {
                Some(app) => factor::judge_app_password(head, context, id, app, &mut record)?,
                None => {
                    let (own, has_code) = (pending.method.factor(), taken.is_some());
                    factor::judge_rules(head, context, id, own, has_code, &mut record)?
                }
            };
            Ok(Accepted { second, taken, ..accepted })
        }
        None => Ok(accepted),
    });
    match judged.and_then(|accepted| refuse_session(pending, accepted)) {
        Ok(accepted) => succeed(head, context, pending, accepted, standing, record),
        Err(refused) => {
            let counts = matches!(refused.reason, reason::WRONG_PASSWORD | reason::WRONG_CODE);
            let guessed = pending.account.zip(standing).filter(|_| counts);
            let mut preceding = Vec::new();
            let by_code = refused.reason == reason::WRONG_CODE;
            let failed = |(id, standing)| bookkeeping::failed(head, context, id, standing, by_code, &mut record, &mut preceding);
            let changes = guessed.map(failed).unwrap_or_default();
            record.result = refused.result.code;
            record.reason = Some(refused.reason);
            let tells = context.settings.discloses != Disclosure::default() && by_password && pending.refusal.is_none();
            let reply = match refused.result.code {
                ResultCode::InvalidCredentials if tells => disclosure::reply(standing, context),
                _ => reply(refused.result),
            };
            Decision { reply, changes, record, preceding, identity: None }
        }
    }
}

/// Neither idleness nor a policy that asks for a proofing bars an administrator at the machine itself: somebody must be able to let people in again. Nothing else is forgiven: they are
/// the last things that are looked at.
fn check_standing(
    head: &Directory,
    standing: &Standing<'_>,
    context: &Context,
    id: EntryId,
    method: Method,
) -> Result<(), Refusal> {
    let checked = standing.check(context.now, method.is_password());
    let is_idle = checked.as_ref().is_err_and(|refusal| matches!(refusal.reason, reason::IDLE | reason::NOT_PROOFED));
    let may_be_idle = is_idle && method.factor() == Some("ldapi") && bind_rules::is_always_let_in(head, id);
    if may_be_idle { Ok(()) } else { checked }
}

fn judge<'a>(head: &Directory, pending: &'a PendingBind) -> Result<Accepted<'a>, Refusal> {
    let reason = pending.reason.unwrap_or(reason::WRONG_PASSWORD);
    let refused = |code| Refusal { result: LdapResult::of(code), reason };
    if let Some(result) = &pending.refusal {
        return Err(Refusal { result: result.clone(), reason });
    }
    let changed = || Refusal { result: LdapResult::of(ResultCode::InvalidCredentials), reason: reason::CHANGED_MEANWHILE };
    match pending.method {
        Method::Anonymous => Ok(Accepted::new(None, None)),
        Method::External(_) => {
            let account = pending.account.filter(|&id| head.node(id).is_some()).ok_or_else(changed)?;
            Ok(Accepted::new(Some(account), None))
        }
        Method::Simple | Method::Plain if pending.app.is_some() => {
            let account = pending.account.filter(|&id| head.node(id).is_some()).ok_or_else(changed)?;
            Ok(Accepted::new(Some(account), None))
        }
        Method::Simple | Method::Plain => match &pending.answer {
            Some(HashAnswer::Verified { matched: Some(matched), rehashed }) => {
                let account = pending.account.ok_or_else(|| refused(ResultCode::InvalidCredentials))?;
                if account::stored_passwords(head, Some(account)).contains(matched) {
                    return Ok(Accepted::new(Some(account), rehashed.as_ref().map(|new| (matched, new))));
                }
                // A login beside this one may have rewritten the same password in its new form: that moves no entryCSN.
                let unmodified = head.node(account).is_some() && account::version(head, Some(account)) == pending.version;
                if unmodified { Ok(Accepted::new(Some(account), None)) } else { Err(changed()) }
            }
            Some(HashAnswer::Recalled(matched)) => match pending.account {
                Some(account) if account::stored_passwords(head, Some(account)).contains(matched) => {
                    Ok(Accepted::new(Some(account), None))
                }
                _ => Err(changed()),
            },
            Some(HashAnswer::Verified { matched: None, .. }) => Err(refused(ResultCode::InvalidCredentials)),
            Some(HashAnswer::Previous) => {
                Err(Refusal { result: LdapResult::of(ResultCode::InvalidCredentials), reason: reason::PREVIOUS_PASSWORD })
            }
            Some(HashAnswer::Busy | HashAnswer::Hashed(_)) | None => {
                Err(Refusal { result: LdapResult::of(ResultCode::Busy), reason: reason::BUSY })
            }
        },
        Method::Unknown => Err(refused(ResultCode::AuthMethodNotSupported)),
    }
}

/// 11 for an account with as many sessions as may be. Judged after everything else, so it tells nothing to whom cannot log in.
fn refuse_session<'a>(pending: &PendingBind, accepted: Accepted<'a>) -> Result<Accepted<'a>, Refusal> {
    if pending.too_many {
        let result = LdapResult::with(ResultCode::AdminLimitExceeded, "too many connections of this account");
        return Err(Refusal { result, reason: reason::TOO_MANY_SESSIONS });
    }
    Ok(accepted)
}

fn succeed(
    head: &Directory,
    context: &Context,
    pending: &PendingBind,
    accepted: Accepted<'_>,
    standing: Option<&Standing<'_>>,
    mut record: Record,
) -> Decision {
    let Some((id, standing)) = accepted.account.zip(standing) else {
        let identity = Some(context.identity.nobody());
        return Decision { reply: success(head, context, None), changes: Vec::new(), record, preceding: Vec::new(), identity };
    };
    let factors: Vec<&'static str> = pending.factor().into_iter().chain(accepted.second).collect();
    let by_own_password = pending.method.is_password() && pending.app.is_none();
    let mut told = by_own_password.then(|| standing.of_password(context.now));
    if let Some(told) = &mut told {
        told.must_change |= standing.is_too_short(&factors);
    }
    record.actor = record.target.clone();
    record.factors = factors.clone();
    if let Some(app) = &pending.app {
        record.details.push(("appPassword", app.name.clone()));
    }
    if let Some(application) = context.identity.application {
        record.details.push(("application", head.dn_text(application)));
    }
    let mut changes =
        bookkeeping::logged_in(head, context, id, standing, told.map(|told| told.age), accepted.rewrite, &mut record);
    if let Some(taken) = accepted.taken {
        taken.consume(head, &mut changes, &mut record);
    }
    let preceding = bookkeeping::emergency(head, context, id, &mut changes, &mut record);
    let live = head.node(id).map(|node| {
        LiveSession::new(head, context, node, record.actor.clone(), factors.clone())
            .by_app_password(pending.app.as_deref().cloned())
    });
    let identity = Some(Identity {
        entry: Some(id),
        method: pending.method.name(),
        factors,
        must_change: told.is_some_and(|told| told.must_change),
        live: live.map(Arc::new),
        application: bind_rules::application_of(head, id).or(context.identity.application),
    });
    Decision { reply: success(head, context, Some((id, told))), changes, record, preceding, identity }
}

/// Success, with the identity where it was asked for (RFC 3829).
fn success(head: &Directory, context: &Context, account: Option<(EntryId, Option<PasswordStanding>)>) -> Reply {
    let mut reply = reply(LdapResult::of(ResultCode::Success));
    if let Reply::Result { controls, .. } = &mut reply
        && context.attached.tells_identity
    {
        controls.push(control::identity_response(account.map(|(id, _)| head.dn_text(id))));
    }
    if let Reply::Result { controls, .. } = &mut reply
        && context.attached.password_policy
        && let Some((_, told)) = account
    {
        controls.push(told.map_or_else(|| control::password_policy_response(None, None), PasswordStanding::control));
    }
    reply
}

pub(super) fn reply(result: LdapResult) -> Reply {
    let credentials = (result.code == ResultCode::SaslBindInProgress).then(bytes::Bytes::new);
    Reply::Result {
        kind: ResponseKind::Bind,
        result,
        sasl_credentials: credentials,
        extended_name: None,
        extended_value: None,
        controls: Vec::new(),
    }
}
