//! How long a session may last: idle so long, or so old, by who is logged in.
//!
//! | who | idle | whatever it does |
//! |---|---|---|
//! | a person, or nobody | 15 minutes | |
//! | an administrator | 10 minutes | |
//! | a service | | 24 hours after its login |
//!
//! A session with an operation under way is not idle: a search that goes on keeps it.

use super::{Action, Session};
use crate::directory::Directory;
use crate::model::{ResultCode, Timestamp};
use crate::operation::AccountClass;
use crate::protocol::Reply;

/// Whether a session goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// Look again then: it does not end before, whatever the client does.
    Until(Timestamp),
    /// It is over: [`Session::end`] it.
    Over(Over),
}

/// Why a session is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// Nothing was asked for long enough.
    Idle,
    /// A service must log in anew.
    Age,
}

impl Over {
    /// What the client is told.
    pub fn diagnostic(self) -> &'static str {
        match self {
            Over::Idle => "session idle for too long",
            Over::Age => "session too old, log in again",
        }
    }
}

impl Session {
    /// Something was done for the client: it is idle from now on, not before.
    pub fn touch(&mut self, now: Timestamp) {
        self.active = self.active.max(now);
    }

    /// Whether the session goes on, judged by who is logged in on this value of the directory.
    pub fn lifetime(&self, directory: &Directory, now: Timestamp) -> Lifetime {
        let limits = &self.settings.limits;
        let after = |start: Timestamp, seconds: u32| Timestamp(start.0.saturating_add(i64::from(seconds) * 1_000_000));
        let (end, over) = match AccountClass::of(directory, self.identity.entry) {
            AccountClass::Service => (after(self.since, limits.service_lifetime), Over::Age),
            class => {
                let seconds = if class == AccountClass::Administrator { limits.idle_administrator } else { limits.idle };
                let start = if self.operations.is_empty() { self.active } else { now };
                (after(start, seconds), Over::Idle)
            }
        };
        if now < end { Lifetime::Until(end) } else { Lifetime::Over(over) }
    }

    /// Ends the session: the client must log in again (Notice of Disconnection with strongerAuthRequired).
    pub fn end(&mut self, over: Over) -> Action {
        self.close(Some(Reply::notice_of_disconnection(ResultCode::StrongerAuthRequired, over.diagnostic())))
    }
}
