//! Whether a connection's session goes on: its age, its rest, and what was committed about its account.

use std::sync::Arc;
use std::time::Duration;

use super::timers::Deadline;
use super::{Connection, Stage};
use crate::model::Timestamp;
use crate::operation::SessionEnd;
use crate::session::Lifetime;

/// How soon a session that is over is looked at again while something of it is being made durable.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Connection {
    /// Ends a session that is over; else sets when it is looked at again.
    pub(super) async fn look_at_lifetime(&mut self) {
        let is_revoked = self.session.certificate().is_some_and(|certificate| self.services.is_revoked(certificate));
        if is_revoked && self.stage != Stage::Closing {
            return self.revoke(SessionEnd::CertificateRevoked).await;
        }
        let now = self.services.now();
        let wait = match self.session.lifetime(&self.services.directory(), now) {
            Lifetime::Until(end) => micros(now, end),
            Lifetime::Over(end) if !end.is_revocation() && self.elsewhere > 0 => LOOK_AGAIN,
            Lifetime::Over(end) => return self.revoke(end).await,
        };
        self.timers.set(Deadline::Lifetime, self.services.monotonic(), wait);
    }

    /// Ends the session: nothing more of its results leaves but what is on its way.
    pub(super) async fn revoke(&mut self, end: SessionEnd) {
        self.tell(end.diagnostic());
        self.revoked = end.is_revocation();
        if self.revoked {
            self.output.cut();
        }
        let action = self.session.end(end);
        self.perform(action).await;
    }

    /// Judges a session whose standing was taken. `false`: it is over.
    pub(super) async fn stands(&mut self) -> bool {
        let services = Arc::clone(&self.services);
        match self.session.review(|| services.directory(), services.now()) {
            Some(end) => {
                self.revoke(end).await;
                false
            }
            None => true,
        }
    }

    /// Follows who is logged in.
    pub(super) fn follow_login(&mut self) {
        let live = self.session.identity().live.as_ref();
        if let (Some(presence), Some(live)) = (&self.presence, live)
            && presence.is_of(live)
        {
            return;
        }
        self.presence = live.map(|live| self.services.sessions().enter(Arc::clone(live), Some(self.completion_sender.clone())));
    }

    /// Something was committed that bears on the account.
    pub(super) async fn look_again(&mut self) {
        if let Some(live) = &self.session.identity().live {
            live.looks();
        }
        if self.stage != Stage::Closing && self.stands().await {
            self.look_at_lifetime().await;
        }
    }
}

/// From one moment to another.
fn micros(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(to.0.saturating_sub(from.0).unsigned_abs())
}
