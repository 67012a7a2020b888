//! What may be decided about a grant, by whom, and what becomes of it: one function of the group's terms, the grant, who decides and the
//! moment.

mod job_code;
#[cfg(test)]
mod tests;

pub use job_code::{JobCode, JobCodeError};

use crate::model::{GrantState, GrantWindow, ResultCode, Timestamp};

/// An entryUUID: people are told apart by it, whatever they are called.
pub type Identifier = [u8; 16];

/// Approvals that a group may ask for, at most.
pub const MOST_APPROVALS: u32 = 100;

/// What a governed group asks of its grants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupTerms {
    /// How many different approvers must approve.
    pub approvals: u32,
    /// Seconds of the longest grant; none: it may have no end.
    pub maximum: Option<i64>,
}

/// A grant as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// As it is stored: time may have made something else of it.
    pub state: GrantState,
    /// From when until when.
    pub window: GrantWindow,
    /// Who asked, and whoever changed what was asked for: each of them had a hand in its terms.
    pub requesters: Vec<Identifier>,
    /// Who gets it.
    pub member: Option<Identifier>,
    /// Who approved its present terms.
    pub approvals: Vec<Identifier>,
}

/// Who decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decider {
    /// Who.
    pub id: Identifier,
    /// An approver of the group, or an administrator.
    pub may_decide: bool,
    /// The session was begun with more than a password.
    pub has_factor: bool,
}

/// What may be decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It may be.
    Approve,
    /// It may not be.
    Deny,
    /// It may not be any longer.
    Revoke,
    /// It is still needed.
    Reviewed,
}

/// What comes of a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The approval counts, and so many more are needed.
    Waits {
        /// At least one.
        missing: u32,
    },
    /// That was the last approval: it is scheduled, or active at once.
    Approved(GrantState),
    /// It was denied or revoked.
    Revoked,
    /// It was looked at and stays.
    Reviewed,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// What the client gets.
    pub code: ResultCode,
    /// And in words.
    pub text: String,
}

impl Decision {
    /// The decision with this name.
    pub fn named(name: &[u8]) -> Option<Decision> {
        let named = [
            (&b"approve"[..], Decision::Approve),
            (b"deny", Decision::Deny),
            (b"revoke", Decision::Revoke),
            (b"reviewed", Decision::Reviewed),
        ];
        named.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, decision)| decision)
    }
}

fn refused(code: ResultCode, text: impl Into<String>) -> Refused {
    Refused { code, text: text.into() }
}

/// Judges the terms of a grant that is asked for or approved at `now`: 19 for one that ends before it begins, that is over already, or that
/// is longer than the group's grants may be.
pub fn check_window(group: &GroupTerms, window: GrantWindow, now: Timestamp) -> Result<(), Refused> {
    let constraint = |text: String| Err(refused(ResultCode::ConstraintViolation, text));
    let from = window.from.unwrap_or(now).max(now);
    let Some(until) = window.until else {
        return match group.maximum {
            Some(seconds) => constraint(format!("grantNotAfter: grants of this group end after {seconds} seconds at the latest")),
            None => Ok(()),
        };
    };
    if until <= now {
        return constraint("grantNotAfter: is over already".to_owned());
    }
    if until <= from {
        return constraint("grantNotAfter: is before grantNotBefore".to_owned());
    }
    match group.maximum {
        Some(seconds) if until.0.saturating_sub(from.0) > seconds.saturating_mul(1_000_000) => {
            constraint(format!("grantNotAfter: grants of this group last {seconds} seconds at most"))
        }
        _ => Ok(()),
    }
}

/// Decides about a grant. `obstacle`: what keeps its member out of the group, in words.
///
/// Giving up what one asked for or has needs neither the right nor a second factor.
pub fn decide(
    group: &GroupTerms,
    grant: &Grant,
    decider: &Decider,
    decision: Decision,
    obstacle: Option<String>,
    now: Timestamp,
) -> Result<Outcome, Refused> {
    let state = grant.state.at(grant.window, now);
    let is_party = grant.member == Some(decider.id) || grant.requesters.contains(&decider.id);
    let gives_up = is_party && decision == Decision::Revoke;
    if !gives_up {
        check_decider(decider, is_party)?;
    }
    if state.is_over() {
        return Err(refused(ResultCode::UnwillingToPerform, format!("the grant is {}; ask for another", state.name())));
    }
    match decision {
        Decision::Approve => approve(group, grant, state, decider, obstacle, now),
        Decision::Revoke => Ok(Outcome::Revoked),
        Decision::Deny if state == GrantState::Pending => Ok(Outcome::Revoked),
        Decision::Deny => Err(unfit(state, "what is not pending is revoked, not denied")),
        Decision::Reviewed if state == GrantState::Active => Ok(Outcome::Reviewed),
        Decision::Reviewed => Err(unfit(state, "only what is active is reviewed")),
    }
}

fn check_decider(decider: &Decider, is_party: bool) -> Result<(), Refused> {
    if !decider.may_decide {
        return Err(refused(ResultCode::InsufficientAccessRights, "grants are decided by the approvers of the group"));
    }
    if is_party {
        let text = "a grant is decided by somebody else than who asked for it or gets it";
        return Err(refused(ResultCode::InsufficientAccessRights, text));
    }
    if !decider.has_factor {
        return Err(refused(ResultCode::StrongerAuthRequired, "a second factor is required"));
    }
    Ok(())
}

fn approve(
    group: &GroupTerms,
    grant: &Grant,
    state: GrantState,
    decider: &Decider,
    obstacle: Option<String>,
    now: Timestamp,
) -> Result<Outcome, Refused> {
    if !matches!(state, GrantState::Pending | GrantState::Suspended) {
        return Err(unfit(state, "only what is pending or suspended is approved"));
    }
    if grant.approvals.contains(&decider.id) {
        return Err(refused(ResultCode::UnwillingToPerform, "you approved this grant already; others must, too"));
    }
    if let Some(obstacle) = obstacle {
        return Err(refused(ResultCode::UnwillingToPerform, obstacle));
    }
    check_window(group, grant.window, now)?;
    let approvals = u32::try_from(grant.approvals.len()).unwrap_or(u32::MAX).saturating_add(1);
    match group.approvals.max(1).saturating_sub(approvals) {
        0 => Ok(Outcome::Approved(GrantState::Scheduled.at(grant.window, now))),
        missing => Ok(Outcome::Waits { missing }),
    }
}

fn unfit(state: GrantState, text: &str) -> Refused {
    refused(ResultCode::UnwillingToPerform, format!("the grant is {}; {text}", state.name()))
}
