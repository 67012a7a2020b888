//! How long a session may last: idle so long, or so old, by who is logged in, and only while its account may hold it.
//!
//! | who | idle | whatever it does |
//! |---|---|---|
//! | nobody | 15 minutes | |
//! | a person | 15 minutes | 12 hours after the login |
//! | an administrator | 10 minutes | 12 hours after the login |
//! | a service | | 24 hours after the login |
//! | an emergency account | | 4 hours after the first login with its password; 15 minutes after each unless the reason is given |
//!
//! A session with an operation under way is not idle: a search that goes on keeps it.

use std::sync::Arc;

use super::{Action, Session};
use crate::directory::Directory;
use crate::journal::{Record, RecordKind, TlsStamp};
use crate::model::{ResultCode, Timestamp};
use crate::operation::{AccountClass, Context, Fresh, Identity, Proposal, ProposedOperation, SessionEnd};
use crate::operation::{Attached, Authority};
use crate::policy::account::BREAK_GLASS_USE;
use crate::protocol::{MessageId, Reply, Request, ResponseKind};

/// Whether a session goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// Look again then: it does not end before, whatever the client does.
    Until(Timestamp),
    /// It is over: [`Session::end`] it.
    Over(SessionEnd),
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
        let idle_since = if self.operations.is_empty() { self.active } else { now };
        let old = |seconds| (after(self.since, seconds), SessionEnd::Age);
        let idle = |seconds| (after(idle_since, seconds), SessionEnd::Idle);
        let sooner = |one: (Timestamp, SessionEnd), other: (Timestamp, SessionEnd)| if other.0 < one.0 { other } else { one };
        let (mut until, end) = match AccountClass::of(directory, self.identity.entry) {
            AccountClass::Service => old(limits.service_lifetime),
            AccountClass::BreakGlass => old(BREAK_GLASS_USE),
            AccountClass::Administrator => sooner(idle(limits.idle_administrator), old(limits.person_lifetime)),
            AccountClass::Person if self.identity.entry.is_none() => idle(limits.idle),
            AccountClass::Person => sooner(idle(limits.idle), old(limits.person_lifetime)),
        };
        match self.identity.live.as_ref().map(|live| live.judge_published(directory, now)) {
            Some(Err(end)) => return Lifetime::Over(end),
            Some(Ok(Some(change))) => until = until.min(change),
            Some(Ok(None)) | None => {}
        }
        if now < until { Lifetime::Until(until) } else { Lifetime::Over(end) }
    }

    /// Whether a commit bore on the account since the session was last judged: nothing more may be done before it is. Costs a comparison.
    pub fn is_suspended(&self) -> bool {
        self.identity.live.as_ref().is_some_and(|live| self.judged != Some(live.epoch()))
    }

    /// Whether the session must be judged before it takes this request: by a bind it is another one, and by an unbind it ends.
    pub fn must_stand_for(&self, request: &Request) -> bool {
        self.is_suspended() && !matches!((request, request.response_kind()), (Request::Unbind, _) | (_, Some(ResponseKind::Bind)))
    }

    /// Judges a session that is suspended; what it says ends it. `newest` gives the value published last, and is asked for after it was
    /// looked at how often the session was suspended.
    pub fn review(&mut self, newest: impl FnOnce() -> Arc<Directory>, now: Timestamp) -> Option<SessionEnd> {
        let live = self.identity.live.as_ref()?;
        let epoch = live.epoch();
        if self.judged == Some(epoch) {
            return None;
        }
        match live.judge_published(&crate::operation::as_of(&newest(), now), now) {
            Ok(_) => {
                self.judged = Some(epoch);
                None
            }
            Err(end) => Some(end),
        }
    }

    /// Ends the session: the client must log in again (Notice of Disconnection with strongerAuthRequired).
    pub fn end(&mut self, end: SessionEnd) -> Action {
        self.close(end, Some(Reply::notice_of_disconnection(ResultCode::StrongerAuthRequired, end.diagnostic())))
    }

    /// Ends a session whose connection ends or has ended; what the journal is to say, where somebody was logged in.
    pub fn gone(&mut self, end: SessionEnd) -> Option<Box<Proposal>> {
        match self.close(end, None) {
            Action::Close(_, note) => note,
            _ => None,
        }
    }

    /// What the journal says of the end; nothing where nobody is logged in.
    pub(super) fn note_of_end(&self, end: SessionEnd) -> Option<Box<Proposal>> {
        let live = self.identity.live.as_ref()?;
        let record = Record {
            session: Some(self.number),
            peer: Some(self.peer.text.clone()),
            tls: self.tls.as_ref().map(|tls| TlsStamp {
                version: tls.version.clone(),
                suite: tls.suite.clone(),
                certificate: tls.certificate.as_ref().map(|certificate| certificate.sha256.clone()),
            }),
            actor: live.named.clone(),
            method: self.identity.method.map(str::to_owned),
            factors: self.identity.factors.clone(),
            reason: Some(end.reason()),
            ..Record::new(RecordKind::SessionEnd)
        };
        let context = Context {
            now: self.active,
            session: self.number,
            message: MessageId(0),
            peer: Arc::clone(&self.peer),
            tls: None,
            identity: Identity::default(),
            authority: Authority::Session,
            settings: Arc::clone(&self.settings),
            fresh: Fresh::default(),
            attached: Attached::default(),
        };
        Some(Box::new(Proposal { context, operation: ProposedOperation::Note(Box::new(record)) }))
    }
}
