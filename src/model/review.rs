//! How far a review campaign is, and what time alone makes of it.
//!
//! ```text
//! open ──due──► overdue ──due + grace──► closed
//! ```

use super::Timestamp;

/// How far a campaign is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CampaignState {
    /// Reviewers are asked.
    Open,
    /// They are late.
    Overdue,
    /// What nobody confirmed is suspended.
    Closed,
}

/// The moments of a campaign.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CampaignTimes {
    /// Until then everything is to be reviewed.
    pub due: Timestamp,
    /// From then on what nobody confirmed is suspended; the same as `due` or later.
    pub closes: Timestamp,
    /// When reviewers are reminded, in any order.
    pub reminders: Vec<Timestamp>,
    /// Reminders of moments up to this one were given, or not needed.
    pub reminded: Timestamp,
}

impl CampaignState {
    /// All of them.
    pub const ALL: [CampaignState; 3] = [CampaignState::Open, CampaignState::Overdue, CampaignState::Closed];

    /// As it stands in reviewState.
    pub fn name(self) -> &'static str {
        match self {
            CampaignState::Open => "open",
            CampaignState::Overdue => "overdue",
            CampaignState::Closed => "closed",
        }
    }

    /// The state with this name.
    pub fn named(name: &[u8]) -> Option<CampaignState> {
        CampaignState::ALL.into_iter().find(|state| name.eq_ignore_ascii_case(state.name().as_bytes()))
    }
}

impl CampaignTimes {
    /// What a campaign in this state is at a moment: what is closed stays so.
    pub fn state(&self, state: CampaignState, now: Timestamp) -> CampaignState {
        match state {
            CampaignState::Closed => CampaignState::Closed,
            _ if self.closes <= now => CampaignState::Closed,
            CampaignState::Open if self.due > now => CampaignState::Open,
            _ => CampaignState::Overdue,
        }
    }

    /// Whether a reminder is to be given: it is not late yet, and one of the moments has come.
    pub fn is_reminder_due(&self, state: CampaignState, now: Timestamp) -> bool {
        self.state(state, now) == CampaignState::Open && self.next_reminder().is_some_and(|moment| moment <= now)
    }

    /// The first moment at which time alone makes something else of it, or a reminder is to be given.
    pub fn next_turn(&self, state: CampaignState) -> Option<Timestamp> {
        match state {
            CampaignState::Closed => None,
            CampaignState::Overdue => Some(self.closes),
            CampaignState::Open => {
                let turn = self.due.min(self.closes);
                Some(self.next_reminder().map_or(turn, |moment| moment.min(turn)))
            }
        }
    }

    fn next_reminder(&self) -> Option<Timestamp> {
        self.reminders.iter().copied().filter(|moment| *moment > self.reminded).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(due: i64, grace: i64, reminders: &[i64], reminded: i64) -> CampaignTimes {
        CampaignTimes {
            due: Timestamp(due),
            closes: Timestamp(due + grace),
            reminders: reminders.iter().map(|before| Timestamp(due - before)).collect(),
            reminded: Timestamp(reminded),
        }
    }

    #[test]
    fn each_moment_counts_from_itself_on() {
        use CampaignState::{Closed, Open, Overdue};
        let it = times(20, 10, &[5], 0);
        assert_eq!([19, 20, 29, 30].map(|now| it.state(Open, Timestamp(now))), [Open, Overdue, Overdue, Closed]);
        assert_eq!(times(20, 0, &[], 0).state(Open, Timestamp(20)), Closed, "without grace nothing is overdue");
        assert_eq!(it.state(Closed, Timestamp(0)), Closed);
        assert_eq!([14, 15, 19, 20].map(|now| it.is_reminder_due(Open, Timestamp(now))), [false, true, true, false]);
        assert!(!times(20, 10, &[5], 15).is_reminder_due(Open, Timestamp(16)), "it was given");
        assert_eq!(CampaignState::named(b"OVERDUE"), Some(Overdue));
        assert_eq!(CampaignState::named(b"over"), None);
    }

    proptest! {
        #[test]
        fn it_turns_at_the_next_turn_and_not_before(
            state in 0usize..3,
            due in 0i64..50,
            grace in 0i64..20,
            reminders in proptest::collection::vec(1i64..30, 0..4),
            reminded in -40i64..50,
            now in 0i64..80,
        ) {
            let (state, now) = (CampaignState::ALL[state], Timestamp(now));
            let mut it = times(due, grace, &reminders, reminded);
            let is_due = it.next_turn(state).is_some_and(|turn| turn <= now);
            let turns = it.state(state, now) != state || it.is_reminder_due(state, now);
            prop_assert_eq!(turns, is_due);
            // One step is enough.
            let after = it.state(state, now);
            it.reminded = it.reminded.max(now);
            prop_assert!(it.next_turn(after).is_none_or(|turn| turn > now));
        }
    }
}
