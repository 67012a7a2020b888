//! The states of a grant, and what time alone makes of them.
//!
//! ```text
//! pending ──approved──► scheduled ──notBefore──► active
//!    │                     │                      │ ▲
//!    │                     └────── suspended ◄────┘ │ approved anew
//!    │                                └─────────────┘
//!    └── denied, revoked ──► revoked     notAfter ──► expired      (from every state but these two)
//! ```

use super::Timestamp;

/// How far a grant is. Its member is one of the group while it is active, and at no other time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GrantState {
    /// It waits for approvals.
    Pending,
    /// It is approved and begins later.
    Scheduled,
    /// It holds.
    Active,
    /// Its time is over.
    Expired,
    /// It was denied or taken back.
    Revoked,
    /// It held and does not, until it is approved anew.
    Suspended,
}

/// From when until when a grant holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GrantWindow {
    /// The first moment; none: that of its approval.
    pub from: Option<Timestamp>,
    /// The first moment at which it does not hold any more; none: it has no end.
    pub until: Option<Timestamp>,
}

impl GrantState {
    /// All of them.
    pub const ALL: [GrantState; 6] = [
        GrantState::Pending,
        GrantState::Scheduled,
        GrantState::Active,
        GrantState::Expired,
        GrantState::Revoked,
        GrantState::Suspended,
    ];

    /// As it stands in grantState.
    pub fn name(self) -> &'static str {
        match self {
            GrantState::Pending => "pending",
            GrantState::Scheduled => "scheduled",
            GrantState::Active => "active",
            GrantState::Expired => "expired",
            GrantState::Revoked => "revoked",
            GrantState::Suspended => "suspended",
        }
    }

    /// The state with this name.
    pub fn named(name: &[u8]) -> Option<GrantState> {
        GrantState::ALL.into_iter().find(|state| name.eq_ignore_ascii_case(state.name().as_bytes()))
    }

    /// Whether nothing more comes of it.
    pub fn is_over(self) -> bool {
        matches!(self, GrantState::Expired | GrantState::Revoked)
    }

    /// What time alone makes of it.
    pub fn at(self, window: GrantWindow, now: Timestamp) -> GrantState {
        match self {
            GrantState::Expired | GrantState::Revoked => self,
            _ if window.until.is_some_and(|until| until <= now) => GrantState::Expired,
            GrantState::Scheduled if window.from.is_none_or(|from| from <= now) => GrantState::Active,
            _ => self,
        }
    }

    /// The first moment at which time alone makes something else of it.
    pub fn next_turn(self, window: GrantWindow) -> Option<Timestamp> {
        match self {
            GrantState::Expired | GrantState::Revoked => None,
            GrantState::Scheduled => {
                let from = window.from.unwrap_or(Timestamp::EARLIEST);
                Some(window.until.map_or(from, |until| until.min(from)))
            }
            GrantState::Pending | GrantState::Active | GrantState::Suspended => window.until,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_moment_counts_and_the_last_does_not() {
        let window = GrantWindow { from: Some(Timestamp(10)), until: Some(Timestamp(20)) };
        let at = |state: GrantState, now| state.at(window, Timestamp(now));
        assert_eq!([9, 10, 19, 20].map(|now| at(GrantState::Scheduled, now)), {
            use GrantState::{Active, Expired, Scheduled};
            [Scheduled, Active, Active, Expired]
        });
        for waiting in [GrantState::Pending, GrantState::Suspended, GrantState::Active] {
            assert_eq!((at(waiting, 19), at(waiting, 20)), (waiting, GrantState::Expired));
        }
        assert_eq!(at(GrantState::Revoked, 20), GrantState::Revoked);
        assert_eq!(GrantState::named(b"SUSPENDED"), Some(GrantState::Suspended));
        assert_eq!(GrantState::named(b""), None);
    }

    proptest! {
        #[test]
        fn it_turns_at_the_next_turn_and_not_before(
            state in 0usize..6,
            from in proptest::option::of(0i64..50),
            until in proptest::option::of(0i64..50),
            now in 0i64..50,
        ) {
            let (state, now) = (GrantState::ALL[state], Timestamp(now));
            let window = GrantWindow { from: from.map(Timestamp), until: until.map(Timestamp) };
            let is_due = state.next_turn(window).is_some_and(|turn| turn <= now);
            prop_assert_eq!(state.at(window, now) != state, is_due);
            // One step is enough.
            let after = state.at(window, now);
            prop_assert_eq!(after.at(window, now), after);
        }
    }
}
