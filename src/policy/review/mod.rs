//! What may be decided about a membership under review, by whom, and what comes of it: one function of the campaign, the item and who decides.

#[cfg(test)]
mod tests;

use crate::model::{CampaignState, ResultCode};
use crate::policy::grant::Refused;

/// How far an item of a campaign is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ItemState {
    /// Nobody decided.
    Open,
    /// Somebody said that it is still needed.
    Confirmed,
    /// Somebody said that it is not.
    Revoked,
    /// Nobody said anything in time: it does not hold until somebody confirms it.
    Suspended,
    /// It came to its end otherwise.
    Ended,
    /// Nobody said anything in time, and it stays: without it nobody would be an administrator.
    Kept,
}

/// What may be decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It is still needed.
    Confirm,
    /// It is not.
    Revoke,
}

/// Who decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reviewer {
    /// A reviewer of the item, or an administrator.
    pub may_decide: bool,
    /// It is about the own membership, or about that of a group that one is in.
    pub is_beneficiary: bool,
    /// The session was begun with more than a password.
    pub has_factor: bool,
}

/// What comes of a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It goes on.
    Confirmed,
    /// It ends.
    Revoked,
    /// It was suspended and holds again.
    Restored,
    /// It was suspended and stays so for good.
    GivenUp,
}

impl ItemState {
    /// All of them.
    pub const ALL: [ItemState; 6] =
        [ItemState::Open, ItemState::Confirmed, ItemState::Revoked, ItemState::Suspended, ItemState::Ended, ItemState::Kept];

    /// As it stands in reviewItemState.
    pub fn name(self) -> &'static str {
        match self {
            ItemState::Open => "open",
            ItemState::Confirmed => "confirmed",
            ItemState::Revoked => "revoked",
            ItemState::Suspended => "suspended",
            ItemState::Ended => "ended",
            ItemState::Kept => "kept",
        }
    }

    /// The state with this name.
    pub fn named(name: &[u8]) -> Option<ItemState> {
        ItemState::ALL.into_iter().find(|state| name.eq_ignore_ascii_case(state.name().as_bytes()))
    }
}

impl Decision {
    /// The decision with this name.
    pub fn named(name: &[u8]) -> Option<Decision> {
        let named = [(&b"confirm"[..], Decision::Confirm), (b"revoke", Decision::Revoke)];
        named.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, decision)| decision)
    }
}

impl Outcome {
    /// What the item is then.
    pub fn state(self) -> ItemState {
        match self {
            Outcome::Confirmed | Outcome::Restored => ItemState::Confirmed,
            Outcome::Revoked | Outcome::GivenUp => ItemState::Revoked,
        }
    }
}

/// Decides about an item: 50 for who is no reviewer of it or has it himself, 8 without a second factor, 53 where there is nothing to decide.
pub fn decide(campaign: CampaignState, item: ItemState, reviewer: Reviewer, decision: Decision) -> Result<Outcome, Refused> {
    let refused = |code, text: &str| Err(Refused { code, text: text.to_owned() });
    if !reviewer.may_decide {
        return refused(ResultCode::InsufficientAccessRights, "items are decided by the reviewers of the campaign");
    }
    if reviewer.is_beneficiary {
        return refused(ResultCode::InsufficientAccessRights, "a membership is reviewed by somebody else than who has it");
    }
    if !reviewer.has_factor {
        return refused(ResultCode::StrongerAuthRequired, "a second factor is required");
    }
    let is_closed = campaign == CampaignState::Closed;
    match (item, decision) {
        (ItemState::Open, Decision::Confirm) => Ok(Outcome::Confirmed),
        (ItemState::Confirmed, Decision::Confirm) if !is_closed => Ok(Outcome::Confirmed),
        (ItemState::Open | ItemState::Kept, Decision::Revoke) => Ok(Outcome::Revoked),
        (ItemState::Kept, Decision::Confirm) => Ok(Outcome::Confirmed),
        (ItemState::Confirmed, Decision::Revoke) if !is_closed => Ok(Outcome::Revoked),
        (ItemState::Suspended, Decision::Confirm) => Ok(Outcome::Restored),
        (ItemState::Suspended, Decision::Revoke) => Ok(Outcome::GivenUp),
        (ItemState::Confirmed, _) => refused(
            ResultCode::UnwillingToPerform,
            "the campaign is closed, and the membership was confirmed; end it in the ordinary way",
        ),
        (ItemState::Revoked, _) => {
            refused(ResultCode::UnwillingToPerform, "the membership was revoked; it is given again in the ordinary way")
        }
        (ItemState::Ended, _) => refused(ResultCode::UnwillingToPerform, "the membership came to its end otherwise"),
    }
}
