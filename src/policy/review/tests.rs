//! Each rule of decisions about items.

use super::*;

const REVIEWER: Reviewer = Reviewer { may_decide: true, is_beneficiary: false, has_factor: true };

fn code(campaign: CampaignState, item: ItemState, reviewer: Reviewer, decision: Decision) -> u32 {
    decide(campaign, item, reviewer, decision).map_or_else(|refused| refused.code.number(), |_| 0)
}

#[test]
fn only_a_reviewer_decides_never_about_himself_and_with_a_second_factor() {
    for decision in [Decision::Confirm, Decision::Revoke] {
        let by = |reviewer| code(CampaignState::Open, ItemState::Open, reviewer, decision);
        assert_eq!(by(REVIEWER), 0);
        assert_eq!(by(Reviewer { may_decide: false, ..REVIEWER }), 50);
        assert_eq!(by(Reviewer { is_beneficiary: true, ..REVIEWER }), 50);
        assert_eq!(by(Reviewer { has_factor: false, ..REVIEWER }), 8);
    }
}

#[test]
fn each_state_allows_its_decisions() {
    use CampaignState::{Closed, Open, Overdue};
    let codes = |campaign, item| [Decision::Confirm, Decision::Revoke].map(|it| code(campaign, item, REVIEWER, it));
    for campaign in [Open, Overdue] {
        assert_eq!(codes(campaign, ItemState::Open), [0, 0]);
        assert_eq!(codes(campaign, ItemState::Confirmed), [0, 0], "a mind may be changed");
    }
    assert_eq!(codes(Closed, ItemState::Confirmed), [53, 53]);
    assert_eq!(codes(Closed, ItemState::Suspended), [0, 0]);
    assert_eq!(codes(Closed, ItemState::Kept), [0, 0]);
    for campaign in CampaignState::ALL {
        assert_eq!(codes(campaign, ItemState::Revoked), [53, 53]);
        assert_eq!(codes(campaign, ItemState::Ended), [53, 53]);
    }
}

#[test]
fn what_was_suspended_is_restored_or_given_up() {
    let closed = |decision| decide(CampaignState::Closed, ItemState::Suspended, REVIEWER, decision);
    assert_eq!(closed(Decision::Confirm), Ok(Outcome::Restored));
    assert_eq!(closed(Decision::Revoke), Ok(Outcome::GivenUp));
    assert_eq!([Outcome::Restored, Outcome::GivenUp].map(Outcome::state), [ItemState::Confirmed, ItemState::Revoked]);
}

#[test]
fn states_and_decisions_have_names() {
    for state in ItemState::ALL {
        assert_eq!(ItemState::named(state.name().to_uppercase().as_bytes()), Some(state));
    }
    assert_eq!((ItemState::named(b""), Decision::named(b"reviewed")), (None, None));
    assert_eq!([&b"Confirm"[..], b"REVOKE"].map(Decision::named), [Some(Decision::Confirm), Some(Decision::Revoke)]);
}
