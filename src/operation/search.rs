//! Search (RFC 4511 section 4.5): a stream that is pulled while the socket takes more.
//!
//! ```text
//! begin ─► [aliases in scope, if they are dereferenced] ─► cursor over one root after the other ─► [sorted] ─► done
//!              budget used up: Pause                           entry: Reply, budget used up: Pause
//! ```

mod alias;
mod answer;
mod begin;
mod cookie;
mod dereference;
mod follow;
mod log;
mod reference;
mod rights;
mod sort;
mod sorting;
mod sync_cookie;
mod view;
mod watch;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) use alias::is_alias;

pub use begin::begin;
pub use log::LogPart;

use super::access::{self, Glances};
use super::audit::{self, SearchAudit};
use super::sessions::Listing;
use super::{Context, Proposal, as_of, control, root_dse};
use crate::directory::{Directory, Node, PreparedFilter, SearchCursor, Step};
use crate::journal::query::LookupRequest;
use crate::model::{AttributeTypeId, EntryId, Filter, ResultCode, Timestamp};
use crate::protocol::{Control, LdapResult, Reply, ResponseKind};
use alias::{AliasWalk, Root};
use answer::Answer;
use cookie::{Cookie, Page};
use follow::Following;
use log::LogReading;
use reference::{Hidden, References};
use sort::InOrder;
use sorting::Sorting;

/// A search under way.
pub struct SearchStream {
    directory: Arc<Directory>,
    filter: Filter,
    /// What looking at one candidate takes of the budget: more for a long filter.
    cost: u32,
    answer: Answer,
    phase: Phase,
    /// Where the search goes on after the present cursor.
    roots: VecDeque<Root>,
    /// All of them, where a search may have to begin anew.
    first_roots: VecDeque<Root>,
    sorting: Option<Sorting>,
    hidden: Hidden,
    /// The base entry is returned even where it is an alias.
    base: EntryId,
    dereferences: bool,
    sent: u32,
    /// Most entries that are sent.
    size_limit: Option<u32>,
    /// When the search ends, found or not.
    deadline: Option<Timestamp>,
    page: Option<Page>,
    /// What is known of what may be looked at of entries.
    glances: Glances,
    /// The newest rules and memberships that it was judged by.
    judged: Option<(u64, u64)>,
    /// Who is acted as somebody else, and must be allowed to still.
    acting: Option<Box<Context>>,
    /// Where something of it may have to be recorded.
    audit: Option<Box<SearchAudit>>,
}

/// What the next pull does.
enum Phase {
    /// Sends the root DSE or the subschema entry.
    Special(Option<Reply>),
    /// Goes through what is below the monitor.
    Listed(Box<Listing>),
    /// Goes through records of the journal.
    Log(Box<LogReading>),
    /// Looks for aliases in scope.
    Aliases(AliasWalk),
    /// Walks the cursor of this root.
    Walking(EntryId, Box<SearchCursor>),
    /// Goes to the next root.
    NextRoot,
    /// Sends continuation references for a root, then walks it.
    References(References),
    /// Ends with this.
    Refused(LdapResult),
    /// Sends these.
    Sorted(Box<InOrder>),
    /// Follows the result, or synchronizes it.
    Following(Box<Following>),
}

/// One pull.
pub enum Pull {
    /// Send this and pull again.
    Reply(Reply),
    /// Budget used up: see to other things, then pull again.
    Pause,
    /// Have this decided, tell [`SearchStream::recorded`] once it is durable, then pull again.
    Record(Box<Proposal>),
    /// Look these records up, hand what was found to [`SearchStream::supply`], then pull again.
    Fetch(Box<LookupRequest>),
    /// Everything there is was sent: go on when [`SearchStream::wake`] says so.
    Wait,
    /// Send this; the search is over.
    Done(Reply),
}

impl SearchStream {
    /// Goes on, looking at no more than `budget` candidates, at fewer with a long filter.
    pub fn pull(&mut self, budget: &mut u32, now: Timestamp) -> Pull {
        match self.audit.take() {
            None => self.pull_on(budget, now),
            Some(mut audit) => {
                let pull = self.pull_audited(&mut audit, budget, now);
                self.audit = Some(audit);
                pull
            }
        }
    }

    fn pull_audited(&mut self, audit: &mut SearchAudit, budget: &mut u32, now: Timestamp) -> Pull {
        loop {
            if let Some(reply) = audit.ready() {
                return Pull::Reply(reply);
            }
            match audit.ended() {
                Some(Ok(reply)) => return Pull::Done(reply),
                Some(Err(result)) => return self.end(result),
                None => {}
            }
            let (next, is_end) = match self.pull_on(budget, now) {
                Pull::Reply(reply) => (audit.take(&self.directory, reply), false),
                Pull::Done(reply) => (audit.end(reply), true),
                Pull::Wait => match audit.rests() {
                    Some(next) => (next, false),
                    None => return Pull::Wait,
                },
                other => return other,
            };
            match next {
                audit::Next::Send(reply) if is_end => return Pull::Done(reply),
                audit::Next::Send(reply) => return Pull::Reply(reply),
                audit::Next::Held => {}
                audit::Next::Record(proposal) => return Pull::Record(proposal),
            }
        }
    }

    /// What [`Pull::Record`] asked for is durable, or cannot be recorded: then nothing more of the search leaves.
    pub fn recorded(&mut self, recorded: Result<(), ResultCode>) {
        if let Some(audit) = &mut self.audit {
            audit.recorded(recorded);
        }
    }

    fn pull_on(&mut self, budget: &mut u32, now: Timestamp) -> Pull {
        loop {
            if self.deadline.is_some_and(|deadline| now > deadline) {
                return self.end(LdapResult::of(ResultCode::TimeLimitExceeded));
            }
            match &mut self.phase {
                Phase::Special(entry) => match entry.take() {
                    Some(entry) => return Pull::Reply(entry),
                    None => return self.end(LdapResult::of(ResultCode::Success)),
                },
                Phase::Listed(_) => {
                    if let Some(pull) = self.list(budget) {
                        return pull;
                    }
                }
                Phase::Log(_) => {
                    if let Some(pull) = self.read_log(budget) {
                        return pull;
                    }
                }
                Phase::Aliases(walk) => match walk.step(&self.directory, budget) {
                    alias::Progress::Pause => return Pull::Pause,
                    alias::Progress::TooMany => {
                        let result = LdapResult::with(ResultCode::AdminLimitExceeded, "too many aliases in scope");
                        return self.end(result);
                    }
                    alias::Progress::Done(roots) => self.start(roots),
                },
                Phase::NextRoot => match self.roots.pop_front() {
                    Some(root) => self.enter(root),
                    None => {
                        if let Some(pull) = self.walked() {
                            return pull;
                        }
                    }
                },
                Phase::Following(following) => return following.pull(budget, now),
                Phase::Refused(result) => {
                    let result = result.clone();
                    return self.end(result);
                }
                Phase::References(_) => match self.next_reference(budget) {
                    (Some(reference), _) => return Pull::Reply(reference),
                    (None, true) => return Pull::Pause,
                    (None, false) => {}
                },
                Phase::Sorted(entries) => {
                    let Some(less) = budget.checked_sub(1) else { return Pull::Pause };
                    *budget = less;
                    let Some((place, id)) = entries.next() else { return self.end(LdapResult::of(ResultCode::Success)) };
                    if let Some(node) = self.directory.node(id).cloned() {
                        return self.send_from(&place, &node, budget);
                    }
                }
                Phase::Walking(..) => {
                    if let Some(pull) = self.walk_on(budget) {
                        return pull;
                    }
                }
            }
        }
    }

    /// Looks at the next candidates of the present root; nothing where it is at its end, or what was found is not sent now.
    fn walk_on(&mut self, budget: &mut u32) -> Option<Pull> {
        let Phase::Walking(root, cursor) = &mut self.phase else { return None };
        let root = *root;
        // At least one while there is any budget: a search must get on.
        let allowed = budget.div_ceil(self.cost);
        let mut left = allowed;
        let (directory, access) = (&self.directory, self.answer.access());
        let glances = RefCell::new(&mut self.glances);
        let may_search = |attribute_type: AttributeTypeId, node: &Node| {
            access.may_search_in(directory, attribute_type, node, &mut glances.borrow_mut())
        };
        let step = cursor.next(&mut left, &may_search);
        *budget = budget.saturating_sub((allowed - left).saturating_mul(self.cost));
        match step {
            Step::Pause => Some(Pull::Pause),
            Step::End => {
                self.phase = Phase::NextRoot;
                None
            }
            Step::Match(node) => self.found(root, &node, budget),
        }
    }

    /// Looks at the next entry below the monitor; nothing where it does not match.
    fn list(&mut self, budget: &mut u32) -> Option<Pull> {
        let Phase::Listed(listing) = &mut self.phase else { return None };
        if *budget == 0 {
            return Some(Pull::Pause);
        }
        *budget = budget.saturating_sub(self.cost);
        let Some(node) = listing.next(&self.directory) else { return Some(self.end(LdapResult::of(ResultCode::Success))) };
        if !root_dse::matches(&self.directory, &self.filter, &node) {
            return None;
        }
        if self.size_limit.is_some_and(|limit| self.sent >= limit) {
            return Some(self.end(LdapResult::of(ResultCode::SizeLimitExceeded)));
        }
        self.sent = self.sent.saturating_add(1);
        Some(Pull::Reply(self.answer.special(&self.directory, &node.name, &node)))
    }

    /// Whether who asks may see on the newest value, at this moment, what was allowed when the search began. Where not, nothing more of it
    /// is sent. Costs a comparison where neither rules nor memberships changed.
    pub fn is_allowed_on(&mut self, newest: &Arc<Directory>, now: Timestamp) -> bool {
        // What turned by now counts, whether or not that was written down.
        let turned = newest.has_turned(now).then(|| as_of(newest, now));
        let newest = turned.as_ref().unwrap_or(newest);
        let access = self.answer.access();
        let version = access::version(newest);
        let is_known = self.judged == Some(version) || access::version(&self.directory) == version;
        if is_known && access.until().is_none_or(|until| now < until) {
            return true;
        }
        let may_act = self.acting.as_ref().is_none_or(|context| context.check_assumed(newest).is_ok());
        let is_allowed = may_act && access.holds_on(newest, now);
        if is_allowed {
            self.judged = Some(version);
        }
        is_allowed
    }

    /// The end of a search whose rights are not what they were.
    pub fn revoked(&self) -> Reply {
        match &self.phase {
            Phase::Following(following) => following.revoked(),
            _ => done(LdapResult::with(ResultCode::UnwillingToPerform, RULES_CHANGED)),
        }
    }

    /// A newer value of the directory was published: whether there is anything to pull.
    pub fn wake(&mut self, directory: &Arc<Directory>) -> bool {
        match &mut self.phase {
            Phase::Following(following) => following.wake(directory),
            _ => true,
        }
    }

    /// Whether the search goes on after what is there, until it is abandoned.
    pub fn is_persistent(&self) -> bool {
        matches!(&self.phase, Phase::Following(following) if following.is_persistent())
    }

    /// What the filter weighs ([`Filter::weight`]); it is kept while the search goes on.
    pub fn weight(&self) -> usize {
        self.filter.weight()
    }

    /// Whether entries are put in order before they are sent.
    pub fn sorts(&self) -> bool {
        self.sorting.as_ref().is_some_and(Sorting::is_collecting)
    }

    /// Begins with the first root, or where the last page ended; a search that is sorted finds that place later.
    fn start(&mut self, mut roots: VecDeque<Root>) {
        self.phase = Phase::NextRoot;
        if self.sorting.as_ref().is_some_and(Sorting::is_collecting) {
            self.first_roots.clone_from(&roots);
            self.roots = roots;
            return;
        }
        let resumed = self.page.as_ref().and_then(|page| page.resumed.as_ref());
        let resumed = resumed.map(|cookie: &Cookie| (cookie.root, cookie.after));
        let Some((root, after)) = resumed else {
            self.roots = roots;
            return;
        };
        while let Some(first) = roots.pop_front() {
            if first.id == root {
                self.walk(first, Some(after));
                break;
            }
        }
        self.roots = roots;
    }

    fn walk(&mut self, root: Root, after: Option<EntryId>) {
        let filter = PreparedFilter::new(&self.directory, &self.filter);
        if filter.chain_too_long() {
            self.phase = Phase::Refused(LdapResult::with(ResultCode::AdminLimitExceeded, CHAIN_TOO_LONG));
            return;
        }
        let cursor = SearchCursor::new(Arc::clone(&self.directory), root.id, root.scope, filter, after);
        self.phase = Phase::Walking(root.id, Box::new(cursor));
    }

    /// What a match comes to; nothing for an alias that was dereferenced, and for an entry that is sent later.
    fn found(&mut self, root: EntryId, node: &Node, budget: &mut u32) -> Option<Pull> {
        if self.dereferences && node.id != self.base && alias::target_of(&self.directory, node).is_some() {
            return None;
        }
        if !self.answer.access().glance(&self.directory, node, &mut self.glances).sees() {
            return None;
        }
        if self.hidden.any() && self.hidden.hides(&self.directory, node) {
            return None;
        }
        match self.put_in_order(node) {
            None => Some(self.send(root, node, budget)),
            Some(sorting::Step::Taken) => None,
            Some(sorting::Step::Pull(pull)) => Some(*pull),
        }
    }

    /// Sends an entry, unless the page is full or the size limit reached.
    fn send(&mut self, root: EntryId, node: &Node, budget: &mut u32) -> Pull {
        if let Some(cookie) = self.page.as_ref().and_then(|page| page.next_cookie(self.sent)) {
            return self.last(LdapResult::of(ResultCode::Success), Some(&cookie));
        }
        if self.size_limit.is_some_and(|limit| self.sent >= limit) {
            return self.end(LdapResult::of(ResultCode::SizeLimitExceeded));
        }
        self.sent = self.sent.saturating_add(1);
        if let Some(page) = &mut self.page {
            page.sent(root, node.id);
        }
        match self.answer.entry(&self.directory, node, &mut self.glances, budget) {
            Ok(reply) => Pull::Reply(reply),
            Err(result) => self.end(result),
        }
    }

    fn send_from(&mut self, place: &[u8], node: &Node, budget: &mut u32) -> Pull {
        let pull = self.send(self.base, node, budget);
        if let (Some(page), Pull::Reply(_)) = (&mut self.page, &pull) {
            page.sent_from(place);
        }
        pull
    }

    /// The last reply; of a paged search with an empty cookie: there is no further page.
    fn end(&self, result: LdapResult) -> Pull {
        self.last(result, self.page.as_ref().map(|_| &[][..]))
    }

    fn last(&self, result: LdapResult, cookie: Option<&[u8]>) -> Pull {
        let mut reply = done(result);
        let sorting = self.sorting.iter().flat_map(Sorting::controls);
        for control in sorting.chain(cookie.map(control::paged_response)) {
            add_control(&mut reply, control);
        }
        Pull::Done(reply)
    }
}

/// What a client is told whose search ends because access rules, or its groups, are others than when it began.
const RULES_CHANGED: &str = "access rules changed, search again";
/// Why a filter is not evaluated.
const CHAIN_TOO_LONG: &str = "too many nested groups to follow";
/// Terms of a filter that are tested about as fast as a candidate is found.
const TERMS_AT_ONCE: usize = 8;

fn cost(filter: &Filter) -> u32 {
    u32::try_from(filter.weight() / TERMS_AT_ONCE).unwrap_or(u32::MAX).max(1)
}

fn done(result: LdapResult) -> Reply {
    Reply::result(ResponseKind::SearchDone, result)
}

fn add_control(reply: &mut Reply, control: Control) {
    if let Reply::Result { controls, .. } = reply {
        controls.push(control);
    }
}
