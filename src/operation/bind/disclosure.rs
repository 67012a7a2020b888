//! What a refused bind says of the account where the configuration asks for it (`disclose = "legacy"`, or one of the two alone): the error of
//! the password policy control, and the codes that applications written for Active Directory look for in the text. All of it is about the account: a right
//! password and a wrong one are told the same. That a source must wait is not told: not every refusal of a right password makes it wait.

use super::finish;
use crate::model::ResultCode;
use crate::operation::Context;
use crate::operation::control::password_policy_response;
use crate::operation::standing::Standing;
use crate::policy::account::Ground;
use crate::policy::password::policy::PasswordPolicyError;
use crate::protocol::{LdapResult, Reply};

/// The answer: 49 with its text, and the control where it was asked for.
pub(super) fn reply(standing: Option<&Standing<'_>>, context: &Context) -> Reply {
    let barrier = standing.and_then(|standing| standing.barrier(context.now, true)).map(|barrier| barrier.ground);
    let (code, error) = match barrier {
        Some(ground) if ground.is_lock() => ("775", Some(PasswordPolicyError::AccountLocked)),
        Some(Ground::PasswordAge | Ground::ShadowInactive) => ("532", Some(PasswordPolicyError::PasswordExpired)),
        Some(ground) if ground.is_expiry() => ("701", None),
        Some(Ground::StartTime) => ("530", None),
        Some(_) => ("533", None),
        None => ("52e", None),
    };
    let discloses = context.settings.discloses;
    let text = format!("80090308: LdapErr: AcceptSecurityContext error, data {code}, v0");
    let text = if discloses.texts { text } else { String::new() };
    let mut reply = finish::reply(LdapResult::with(ResultCode::InvalidCredentials, text));
    if let Reply::Result { controls, .. } = &mut reply
        && context.attached.password_policy
        && discloses.control
    {
        controls.push(password_policy_response(None, error));
    }
    reply
}
