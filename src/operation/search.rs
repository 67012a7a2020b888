//! Search (RFC 4511 section 4.5): a stream that is pulled while the socket takes more.
//!
//! ```text
//! begin ─► [aliases in scope, if they are dereferenced] ─► cursor over one root after the other ─► done
//!              budget used up: Pause                           entry: Reply, budget used up: Pause
//! ```

mod alias;
mod cookie;

use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) use alias::is_alias;

use super::control::{self, Controls};
use super::refusal::{Refusal, parse_name};
use super::selection::Selection;
use super::write::{is_subschema, is_true};
use super::{Context, root_dse};
use crate::directory::SUBSCHEMA;
use crate::directory::{Directory, Node, PreparedFilter, SearchCursor, Step};
use crate::model::{DerefAliases, Dn, EntryId, Filter, ResultCode, Scope, Timestamp};
use crate::policy::access::{self, Right};
use crate::protocol::{Control, LdapResult, Reply, ResponseKind, SearchRequest};
use alias::{AliasWalk, Root};
use cookie::{Cookie, Page};

/// A search under way.
pub struct SearchStream {
    directory: Arc<Directory>,
    filter: Filter,
    /// What looking at one candidate takes of the budget: more for a long filter.
    cost: u32,
    selection: Selection,
    phase: Phase,
    /// Where the search goes on after the present cursor.
    roots: VecDeque<Root>,
    /// The base entry is returned even where it is an alias.
    base: EntryId,
    dereferences: bool,
    sent: u32,
    /// Most entries that are sent.
    size_limit: Option<u32>,
    /// When the search ends, found or not.
    deadline: Option<Timestamp>,
    page: Option<Page>,
}

/// What the next pull does.
enum Phase {
    /// Sends the root DSE or the subschema entry.
    Special(Option<Reply>),
    /// Looks for aliases in scope.
    Aliases(AliasWalk),
    /// Walks the cursor of this root.
    Walking(EntryId, Box<SearchCursor>),
    /// Goes to the next root.
    NextRoot,
    /// Ends with this.
    Refused(LdapResult),
}

/// One pull.
pub enum Pull {
    /// Send this and pull again.
    Reply(Reply),
    /// Budget used up: see to other things, then pull again.
    Pause,
    /// Send this; the search is over.
    Done(Reply),
}

/// Starts a search, or answers at once.
#[allow(clippy::result_large_err, reason = "the error is the answer, made once and sent")]
pub fn begin(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &[Control],
) -> Result<SearchStream, Reply> {
    let controls = control::decode(ResponseKind::SearchDone, controls, &context.settings.limits).map_err(done)?;
    begin_decoded(directory, context, request, &controls).map_err(|refusal| done(refusal.result))
}

fn begin_decoded(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &Controls,
) -> Result<SearchStream, Refusal> {
    context.check_assumed(directory)?;
    let base = parse_name(directory.schema(), &request.base, "invalid DN")?;
    if request.attributes.len() > Selection::MAXIMUM {
        return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many attributes asked for"));
    }
    let selection = Selection::new(directory, &request.attributes, request.types_only);
    if base.is_empty() || is_subschema(directory, &base) {
        return special(directory, context, request, controls, &base, selection);
    }
    let subject = context.subject(directory);
    if subject.identity.is_none() && !subject.administrator {
        return Err(Refusal::no_such_object(directory, None));
    }
    let finds_alias = matches!(request.deref, DerefAliases::FindingBase | DerefAliases::Always);
    let base = alias::resolve_base(directory, base, finds_alias)?;
    if !access::allows(subject, Right::Read, base) {
        return Err(Refusal::no_such_object(directory, None));
    }
    if controls.assertion.as_ref().is_some_and(|assertion| !is_true(directory, assertion, base)) {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let page = cookie::page(context, request, controls.paged.as_ref())?;
    let resumed = page.as_ref().and_then(|page| page.resumed);
    let mut stream = SearchStream {
        directory: Arc::clone(directory),
        filter: request.filter.clone(),
        cost: cost(&request.filter),
        selection,
        phase: Phase::NextRoot,
        roots: VecDeque::new(),
        base,
        dereferences: matches!(request.deref, DerefAliases::InSearching | DerefAliases::Always) && request.scope != Scope::Base,
        sent: resumed.map_or(0, |cookie| cookie.sent),
        size_limit: limit(request.size_limit, context.settings.limits.size, subject.administrator),
        deadline: limit(request.time_limit, context.settings.limits.time, subject.administrator)
            .map(|seconds| Timestamp(context.now.0.saturating_add(i64::from(seconds) * 1_000_000))),
        page,
    };
    let root = Root { id: base, scope: request.scope };
    if stream.dereferences {
        stream.phase = Phase::Aliases(AliasWalk::new(root));
    } else {
        stream.start(VecDeque::from([root]));
    }
    Ok(stream)
}

/// What the client asked for (0: nothing) and what the configuration allows to others than administrators.
fn limit(asked: u32, configured: u32, administrator: bool) -> Option<u32> {
    let asked = Some(asked).filter(|&asked| asked > 0);
    if administrator { asked } else { Some(asked.map_or(configured, |asked| asked.min(configured))) }
}

/// The root DSE and the subschema entry: base searches, and a subtree of the subschema entry, which has nothing below it.
fn special(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &Controls,
    base: &Dn,
    selection: Selection,
) -> Result<SearchStream, Refusal> {
    if base.is_empty() && request.scope != Scope::Base {
        return Err(Refusal::no_such_object(directory, None));
    }
    let node = if base.is_empty() { root_dse::root_dse(directory, context) } else { root_dse::subschema(directory) };
    let page = cookie::page(context, request, controls.paged.as_ref())?;
    if controls.assertion.as_ref().is_some_and(|assertion| !root_dse::matches(directory, assertion, &node)) {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let in_scope = matches!(request.scope, Scope::Base | Scope::Subtree);
    let entry = (in_scope && root_dse::matches(directory, &request.filter, &node)).then(|| Reply::Entry {
        name: if base.is_empty() { String::new() } else { SUBSCHEMA.to_owned() },
        attributes: selection.encode_block(&node),
        controls: Vec::new(),
    });
    Ok(SearchStream {
        directory: Arc::clone(directory),
        filter: Filter::Or(Vec::new()),
        cost: 1,
        selection,
        phase: Phase::Special(entry),
        roots: VecDeque::new(),
        base: root_dse::NO_ENTRY,
        dereferences: false,
        sent: 0,
        size_limit: None,
        deadline: None,
        page,
    })
}

impl SearchStream {
    /// Goes on, looking at no more than `budget` candidates, at fewer with a long filter.
    pub fn pull(&mut self, budget: &mut u32, now: Timestamp) -> Pull {
        loop {
            if self.deadline.is_some_and(|deadline| now > deadline) {
                return self.end(LdapResult::of(ResultCode::TimeLimitExceeded));
            }
            match &mut self.phase {
                Phase::Special(entry) => match entry.take() {
                    Some(entry) => return Pull::Reply(entry),
                    None => return self.end(LdapResult::of(ResultCode::Success)),
                },
                Phase::Aliases(walk) => match walk.step(&self.directory, budget) {
                    alias::Progress::Pause => return Pull::Pause,
                    alias::Progress::TooMany => {
                        let result = LdapResult::with(ResultCode::AdminLimitExceeded, "too many aliases in scope");
                        return self.end(result);
                    }
                    alias::Progress::Done(roots) => self.start(roots),
                },
                Phase::NextRoot => match self.roots.pop_front() {
                    Some(root) => self.walk(root, None),
                    None => return self.end(LdapResult::of(ResultCode::Success)),
                },
                Phase::Refused(result) => {
                    let result = result.clone();
                    return self.end(result);
                }
                Phase::Walking(root, cursor) => {
                    let root = *root;
                    // At least one while there is any budget: a search must get on.
                    let allowed = budget.div_ceil(self.cost);
                    let mut left = allowed;
                    // Attributes that may not be searched are Undefined in a prepared filter already.
                    let step = cursor.next(&mut left, &|_, _| true);
                    *budget = budget.saturating_sub((allowed - left).saturating_mul(self.cost));
                    match step {
                        Step::Pause => return Pull::Pause,
                        Step::End => self.phase = Phase::NextRoot,
                        Step::Match(node) => {
                            if let Some(pull) = self.found(root, &node) {
                                return pull;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Begins with the first root, or where the last page ended.
    fn start(&mut self, mut roots: VecDeque<Root>) {
        self.phase = Phase::NextRoot;
        let resumed = self.page.as_ref().and_then(|page| page.resumed);
        let Some(Cookie { root, after, .. }) = resumed else {
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
            self.phase = Phase::Refused(LdapResult::with(ResultCode::AdminLimitExceeded, "too many nested groups to follow"));
            return;
        }
        let cursor = SearchCursor::new(Arc::clone(&self.directory), root.id, root.scope, filter, after);
        self.phase = Phase::Walking(root.id, Box::new(cursor));
    }

    /// What a match comes to; nothing for an alias that was dereferenced.
    fn found(&mut self, root: EntryId, node: &Node) -> Option<Pull> {
        if self.dereferences && node.id != self.base && alias::target_of(&self.directory, node).is_some() {
            return None;
        }
        if let Some(cookie) = self.page.as_ref().and_then(|page| page.next_cookie(self.sent)) {
            let mut reply = done(LdapResult::of(ResultCode::Success));
            add_control(&mut reply, control::paged_response(&cookie));
            return Some(Pull::Done(reply));
        }
        if self.size_limit.is_some_and(|limit| self.sent >= limit) {
            return Some(self.end(LdapResult::of(ResultCode::SizeLimitExceeded)));
        }
        self.sent = self.sent.saturating_add(1);
        if let Some(page) = &mut self.page {
            page.sent(root, node.id);
        }
        Some(Pull::Reply(Reply::Entry {
            name: self.directory.dn_text(node.id),
            attributes: self.selection.encode(&self.directory, node),
            controls: Vec::new(),
        }))
    }

    /// The last reply; of a paged search with an empty cookie: there is no further page.
    fn end(&self, result: LdapResult) -> Pull {
        let mut reply = done(result);
        if self.page.is_some() {
            add_control(&mut reply, control::paged_response(b""));
        }
        Pull::Done(reply)
    }
}

/// Terms of a filter that are tested about as fast as a candidate is found.
const TERMS_AT_ONCE: usize = 8;

fn cost(filter: &Filter) -> u32 {
    u32::try_from(filter.terms() / TERMS_AT_ONCE).unwrap_or(u32::MAX).max(1)
}

fn done(result: LdapResult) -> Reply {
    Reply::result(ResponseKind::SearchDone, result)
}

fn add_control(reply: &mut Reply, control: Control) {
    if let Reply::Result { controls, .. } = reply {
        controls.push(control);
    }
}
