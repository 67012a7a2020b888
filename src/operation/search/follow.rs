//! Searches that go on: content synchronization (RFC 4533) and persistent search (draft-ietf-ldapext-psearch-03).
//!
//! ```text
//! sync, no usable cookie ──► content: each entry as added ────────────────────────┐
//! sync, old cookie ────────► content: changed entries as added, UUIDs of others ──┤ ─► done, or ─► watching ◄─┐
//! sync, cookie covered ────► what was written since: added, or deleted UUIDs ─────┘                   └────────┘
//! persistent search ───────► [content] ───────────────────────────────────────────────────────────► watching
//! ```

mod persistent;
mod shown;
mod sync;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::watch::{End, Step, Wanted, Watch};
use super::{CHAIN_TOO_LONG, Pull, RULES_CHANGED, cost, done};
use crate::directory::{Directory, Node, PreparedFilter, SearchCursor, Step as CursorStep};
use crate::model::{AttributeTypeId, DerefAliases, EntryId, Filter, MatchingRuleAssertion, ResultCode, Timestamp};
use crate::operation::Context;
use crate::operation::access::{Access, Glances};
use crate::operation::control::Controls;
use crate::operation::refusal::Refusal;
use crate::protocol::{LdapResult, Reply, SearchRequest};
use persistent::Persistent;
use shown::Shown;
use sync::{Beginning, Sync};

/// What a search may send before it waits for changes.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) size: Option<u32>,
    pub(super) deadline: Option<Timestamp>,
}

/// A search that goes on, or a refresh.
pub(super) struct Following {
    watch: Watch,
    shown: Shown,
    cost: u32,
    stage: Stage,
    kind: Kind,
    bounds: Bounds,
    sent: u32,
    /// Of the value that the content is read from.
    glances: Glances,
    /// Sent before anything else.
    ready: VecDeque<Reply>,
    /// Ends the search once `ready` is sent.
    last: Option<Reply>,
}

enum Stage {
    /// What is in the result now.
    Content(Box<SearchCursor>),
    /// What was written since the cookie.
    Changes,
    /// What is written from now on.
    Watching,
}

enum Kind {
    Sync(Sync),
    Persistent(Persistent),
}

/// Starts such a search, where the controls ask for one.
pub(super) fn begin(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &Controls,
    base: EntryId,
    bounds: Bounds,
) -> Result<Option<Following>, Refusal> {
    if !is_asked(controls) {
        return Ok(None);
    }
    check(request, controls)?;
    let synchronized = controls.sync.is_some();
    let access = Access::published(directory, context);
    let follows = controls.sync.as_ref().is_none_or(|asked| asked.persist);
    if follows && access.mark().is_none() {
        let text = "access rules with a filter on memberOf or the like: the result cannot be followed";
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text));
    }
    let wanted = Wanted { context: context.clone(), base, scope: request.scope, filter: request.filter.clone(), synchronized };
    let shown = Shown::new(directory, request, context.subject(directory).administrator, synchronized);
    let cursor = || {
        let filter = PreparedFilter::new(directory, &request.filter);
        Stage::Content(Box::new(SearchCursor::new(Arc::clone(directory), base, request.scope, filter, None)))
    };
    let (kind, stage, watch) = match (&controls.sync, controls.persistent) {
        (Some(asked), _) => {
            let (sync, beginning) = Sync::new(directory, &access, base, asked)?;
            match beginning {
                Beginning::Content => (Kind::Sync(sync), cursor(), Watch::new(directory, wanted)),
                Beginning::Changes(position) => (Kind::Sync(sync), Stage::Changes, Watch::since(directory, wanted, position)),
            }
        }
        (None, Some(asked)) => {
            let stage = if asked.changes_only { Stage::Watching } else { cursor() };
            (Kind::Persistent(Persistent(asked)), stage, Watch::new(directory, wanted))
        }
        (None, None) => return Ok(None),
    };
    if watch.chain_too_long() {
        return Err(Refusal::new(ResultCode::AdminLimitExceeded, CHAIN_TOO_LONG));
    }
    let cost = cost(&request.filter);
    Ok(Some(Following {
        watch,
        shown,
        cost,
        stage,
        kind,
        bounds,
        sent: 0,
        glances: Glances::default(),
        ready: VecDeque::new(),
        last: None,
    }))
}

/// Whether the controls ask for a search that goes on, or a refresh.
pub(super) fn is_asked(controls: &Controls) -> bool {
    controls.sync.is_some() || controls.persistent.is_some()
}

/// What cannot be followed.
fn check(request: &SearchRequest, controls: &Controls) -> Result<(), Refusal> {
    let protocol = |text: &str| Err(Refusal::new(ResultCode::ProtocolError, text));
    if controls.sync.is_some() && controls.persistent.is_some() {
        return protocol("Sync control specified with persistent search control");
    }
    if controls.paged.is_some() {
        return protocol("Sync control specified with pagedResults control");
    }
    if controls.sort.is_some() || controls.view.is_some() {
        return protocol("Sync control specified with sort control");
    }
    if controls.matched_values.is_some()
        || controls.dereference.is_some()
        || controls.account_usability
        || controls.effective_rights.is_some()
    {
        return protocol("Sync control specified with a control of entries");
    }
    // RFC 4533 section 3.3 forbids it. Persistent searches meet aliases as entries whatever they ask for: JNDI asks for it by default.
    if controls.sync.is_some() && matches!(request.deref, DerefAliases::InSearching | DerefAliases::Always) {
        return protocol("aliases cannot be followed while searching");
    }
    if controls.sync.is_some() && depends_on_others(&request.filter) {
        let text = "filter on names or nested groups cannot be synchronized";
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text));
    }
    Ok(())
}

/// Whether an entry can come to match without being written: by its name, or by groups of groups.
fn depends_on_others(filter: &Filter) -> bool {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().any(depends_on_others),
        Filter::Not(filter) => depends_on_others(filter),
        Filter::Extensible(MatchingRuleAssertion { matching_rule, dn_attributes, .. }) => {
            let in_chain = |rule: &String| rule == IN_CHAIN.0 || rule.eq_ignore_ascii_case(IN_CHAIN.1);
            *dn_attributes || matching_rule.as_ref().is_some_and(in_chain)
        }
        _ => false,
    }
}

/// The matching rule that follows nested groups.
const IN_CHAIN: (&str, &str) = ("1.2.840.113556.1.4.1941", "inChainMatch");

impl Following {
    /// Goes on, looking at no more than `budget` entries.
    pub(super) fn pull(&mut self, budget: &mut u32, now: Timestamp) -> Pull {
        loop {
            if let Some(reply) = self.ready.pop_front() {
                return Pull::Reply(reply);
            }
            if let Some(reply) = self.last.take() {
                return Pull::Done(reply);
            }
            let refreshing = !matches!(self.stage, Stage::Watching);
            if refreshing && self.bounds.deadline.is_some_and(|deadline| now > deadline) {
                return self.end(LdapResult::of(ResultCode::TimeLimitExceeded));
            }
            let pull = match self.stage {
                Stage::Content(_) => self.content(budget),
                Stage::Changes | Stage::Watching => self.changes(budget, now),
            };
            if let Some(pull) = pull {
                return pull;
            }
        }
    }

    /// A newer value was published; whether there is anything to pull.
    pub(super) fn wake(&mut self, directory: &Arc<Directory>) -> bool {
        self.watch.wake(directory) || !self.ready.is_empty()
    }

    /// Whether it goes on after what is there.
    pub(super) fn is_persistent(&self) -> bool {
        match &self.kind {
            Kind::Sync(sync) => sync.persists(),
            Kind::Persistent(_) => true,
        }
    }

    fn content(&mut self, budget: &mut u32) -> Option<Pull> {
        let Stage::Content(cursor) = &mut self.stage else { return None };
        let synchronized = matches!(self.kind, Kind::Sync(_));
        let directory = Arc::clone(cursor.directory());
        let glances = RefCell::new(&mut self.glances);
        let may_search = |attribute_type: AttributeTypeId, node: &Node| {
            Watch::may_search(&directory, attribute_type, node, synchronized)
                && self.watch.access().may_search_in(&directory, attribute_type, node, &mut glances.borrow_mut())
        };
        let allowed = budget.div_ceil(self.cost);
        let mut left = allowed;
        let step = cursor.next(&mut left, &may_search);
        *budget = budget.saturating_sub((allowed - left).saturating_mul(self.cost));
        match step {
            CursorStep::Pause => Some(Pull::Pause),
            CursorStep::End => {
                self.refreshed();
                None
            }
            CursorStep::Match(node) if !self.watch.access().glance(&directory, &node, &mut self.glances).sees() => None,
            CursorStep::Match(node) => {
                let reply = match &mut self.kind {
                    Kind::Sync(sync) => sync.present(&directory, self.watch.access(), &node, &mut self.shown)?,
                    Kind::Persistent(_) => self.shown.entry(&directory, self.watch.access(), &node, None),
                };
                Some(self.counted(reply))
            }
        }
    }

    fn changes(&mut self, budget: &mut u32, now: Timestamp) -> Option<Pull> {
        let event = match self.watch.next(budget, self.cost, now) {
            Step::Pause => return Some(Pull::Pause),
            Step::Ended(end) => return Some(self.cannot_go_on(end)),
            Step::CaughtUp if matches!(self.stage, Stage::Changes) => {
                self.refreshed();
                return None;
            }
            Step::CaughtUp => return Some(self.caught_up()),
            Step::Event(event) => event,
        };
        let refreshing = matches!(self.stage, Stage::Changes);
        let reply = match &mut self.kind {
            Kind::Sync(sync) => sync.changed(&event, &self.watch, &mut self.shown, refreshing),
            Kind::Persistent(persistent) => persistent.changed(&event, &self.watch, &mut self.shown),
        };
        let reply = reply?;
        Some(if refreshing && matches!(reply, Reply::Entry { .. }) { self.counted(reply) } else { Pull::Reply(reply) })
    }

    /// An entry of the refresh, unless the size limit is reached.
    fn counted(&mut self, reply: Reply) -> Pull {
        if self.bounds.size.is_some_and(|limit| self.sent >= limit) {
            return self.end(LdapResult::of(ResultCode::SizeLimitExceeded));
        }
        self.sent = self.sent.saturating_add(1);
        Pull::Reply(reply)
    }

    /// What there was is sent.
    fn refreshed(&mut self) {
        let by_changes = matches!(self.stage, Stage::Changes);
        let stamp = self.watch.directory().context().stamp;
        self.stage = Stage::Watching;
        let Kind::Sync(sync) = &mut self.kind else { return };
        self.ready.extend(sync.left());
        if sync.persists() {
            self.ready.push_back(sync.refreshed(stamp, by_changes));
            return;
        }
        self.last = Some(sync.done(LdapResult::of(ResultCode::Success), stamp, by_changes));
    }

    fn caught_up(&mut self) -> Pull {
        let stamp = self.watch.directory().context().stamp;
        match &mut self.kind {
            Kind::Sync(sync) => sync.new_cookie(stamp).map_or(Pull::Wait, Pull::Reply),
            Kind::Persistent(_) => Pull::Wait,
        }
    }

    fn cannot_go_on(&mut self, end: End) -> Pull {
        let code = match (end, &self.kind) {
            (End::NoRight, _) => ResultCode::InsufficientAccessRights,
            (End::RulesChanged, _) => return Pull::Done(self.revoked()),
            (End::NoBase, _) => ResultCode::NoSuchObject,
            (End::BaseRenamed | End::TooFarBehind, Kind::Sync(_)) => ResultCode::SyncRefreshRequired,
            (End::BaseRenamed, Kind::Persistent(_)) => ResultCode::NoSuchObject,
            (End::TooFarBehind, Kind::Persistent(_)) => ResultCode::Busy,
            (End::ChainTooLong, _) => return self.end(LdapResult::with(ResultCode::AdminLimitExceeded, CHAIN_TOO_LONG)),
        };
        self.end(LdapResult::of(code))
    }

    /// The end where other access rules are for who asked. A client that keeps a copy asks again with its cookie, and is told everything.
    pub(super) fn revoked(&self) -> Reply {
        match &self.kind {
            Kind::Sync(sync) => sync.ended(LdapResult::with(ResultCode::SyncRefreshRequired, RULES_CHANGED)),
            Kind::Persistent(_) => done(LdapResult::with(ResultCode::UnwillingToPerform, RULES_CHANGED)),
        }
    }

    fn end(&mut self, result: LdapResult) -> Pull {
        Pull::Done(match &self.kind {
            Kind::Sync(sync) => sync.ended(result),
            Kind::Persistent(_) => done(result),
        })
    }
}
