//! Where a search begins: who asks, which entry it starts at, what the controls ask for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::alias::{self, AliasWalk, Root};
use super::answer::Answer;
use super::cookie::Page;
use super::follow::{self, Bounds};
use super::reference::Hidden;
use super::rights::EffectiveRights;
use super::sorting::Sorting;
use super::{Phase, SearchStream, cookie, cost, done, log};
use crate::directory::{Directory, Node};
use crate::model::{DerefAliases, Filter, ResultCode, Scope, Timestamp};
use crate::operation::access::{Access, Glances};
use crate::operation::audit::SearchAudit;
use crate::operation::control::{self, Controls};
use crate::operation::refusal::{Refusal, parse_name};
use crate::operation::selection::Selection;
use crate::operation::sessions::Listing;
use crate::operation::write::is_true;
use crate::operation::{Context, accesslog, root_dse, standing};
use crate::protocol::{Control, Reply, ResponseKind, SearchRequest};

/// Starts a search, or answers at once.
#[allow(clippy::result_large_err, reason = "the error is the answer, made once and sent")]
pub fn begin(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &[Control],
) -> Result<SearchStream, Reply> {
    let controls = control::decode(ResponseKind::SearchDone, controls, &context.settings.limits).map_err(done)?;
    standing::check_restricted(directory, context).map_err(|refusal| done(refusal.result))?;
    let sorting = Sorting::new(directory, &controls, context.settings.limits.sorted)?;
    let begun = begin_decoded(directory, context, request, &controls, sorting);
    let mut stream = begun.map_err(|refusal| done(refusal.result))?;
    // What is made when it is read has no audited attributes, and reading the journal is recorded as that.
    let is_looked_at = stream.base != root_dse::NO_ENTRY || context.settings.audits_all_reads;
    if is_looked_at && stream.question().is_none() {
        stream.audit = SearchAudit::begin(directory, context, request, &controls);
    }
    Ok(stream)
}

fn begin_decoded(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &Controls,
    sorting: Option<Sorting>,
) -> Result<SearchStream, Refusal> {
    context.check_assumed(directory)?;
    let base = parse_name(directory.schema(), &request.base, "invalid DN")?;
    check_size(context, request)?;
    let mut selection = Selection::new(directory, &request.attributes, request.types_only);
    if let Some(listing) = Listing::new(directory, context, &base, request.scope) {
        return listed(directory, context, request, controls, sorting, listing, selection);
    }
    if let Some(place) = accesslog::place(directory, &base) {
        return log::begin(directory, context, request, controls, sorting, place, selection);
    }
    if let Some(node) = root_dse::special(directory, context, &base) {
        return special(directory, context, request, controls, sorting, &node, selection);
    }
    let subject = context.subject(directory);
    if !subject.administrator {
        selection = selection.for_others();
    }
    let access = Access::published(directory, context);
    access.check_seen(directory, &base)?;
    let finds_alias = matches!(request.deref, DerefAliases::FindingBase | DerefAliases::Always);
    let base = alias::resolve_base(directory, base, finds_alias, Some(request.scope).filter(|_| !controls.manage_dsa_it))?;
    if !access.sees_id(directory, base) {
        return Err(Refusal::no_such_object(directory, None));
    }
    if controls.assertion.as_ref().is_some_and(|assertion| !is_true(directory, &access, assertion, base)) {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let rights = controls.effective_rights.as_ref();
    let rights = rights.map(|asked| EffectiveRights::new(directory, context, &access, asked, &request.attributes)).transpose()?;
    let page = cookie::page(context, request, controls)?;
    let sent = page.as_ref().and_then(|page| page.resumed.as_ref()).map_or(0, |cookie| cookie.sent);
    let mut stream = SearchStream {
        directory: Arc::clone(directory),
        filter: request.filter.clone(),
        cost: cost(&request.filter),
        answer: Answer::new(directory, subject, access, context.now, selection, controls)?.with_rights(rights),
        phase: Phase::NextRoot,
        roots: VecDeque::new(),
        first_roots: VecDeque::new(),
        hidden: Hidden::new(directory, request.scope, controls),
        sorting: sorting.map(|sorting| sorting.with_context(cookie::view_context(context, request, controls))),
        base,
        dereferences: matches!(request.deref, DerefAliases::InSearching | DerefAliases::Always) && request.scope != Scope::Base,
        sent,
        size_limit: limit(request.size_limit, context.settings.limits.size, subject.administrator),
        deadline: limit(request.time_limit, context.settings.limits.time, subject.administrator)
            .map(|seconds| Timestamp(context.now.0.saturating_add(i64::from(seconds) * 1_000_000))),
        page,
        glances: Glances::default(),
        judged: None,
        acting: acting(context),
        audit: None,
    };
    let bounds = Bounds { size: stream.size_limit, deadline: stream.deadline };
    if let Some(following) = follow::begin(directory, context, request, controls, base, bounds)? {
        stream.deadline = None;
        stream.phase = Phase::Following(Box::new(following));
        return Ok(stream);
    }
    let root = Root { id: base, scope: request.scope };
    if stream.dereferences {
        stream.phase = Phase::Aliases(AliasWalk::new(root));
    } else {
        stream.start(VecDeque::from([root]));
    }
    Ok(stream)
}

/// 11 for more than the limits allow.
fn check_size(context: &Context, request: &SearchRequest) -> Result<(), Refusal> {
    if request.attributes.len() > Selection::MAXIMUM {
        return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many attributes asked for"));
    }
    // What is deeper than can ever be allowed was refused when it was read.
    let deepest = context.settings.limits.filter_depth;
    if deepest < Filter::MAXIMUM_DEPTH && request.filter.depth() > deepest {
        return Err(Refusal::new(ResultCode::AdminLimitExceeded, "filter nested too deeply"));
    }
    Ok(())
}

/// What the client asked for (0: nothing) and what the configuration allows to others than administrators.
pub(super) fn limit(asked: u32, configured: u32, administrator: bool) -> Option<u32> {
    let asked = Some(asked).filter(|&asked| asked > 0);
    if administrator { asked } else { Some(asked.map_or(configured, |asked| asked.min(configured))) }
}

/// What is below the monitor: neither followed nor sorted, and in one page.
fn listed(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &Controls,
    sorting: Option<Sorting>,
    listing: Listing,
    selection: Selection,
) -> Result<SearchStream, Refusal> {
    if follow::is_asked(controls) || sorting.is_some() {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "these entries are neither followed nor sorted"));
    }
    let page = cookie::page(context, request, controls)?;
    let subject = context.subject(directory);
    let answer = Answer::new(directory, subject, Access::published(directory, context), context.now, selection, controls)?;
    let phase = Phase::Listed(Box::new(listing));
    Ok(SearchStream {
        filter: request.filter.clone(),
        cost: cost(&request.filter),
        size_limit: limit(request.size_limit, context.settings.limits.size, subject.administrator),
        acting: acting(context),
        ..of_no_directory(directory, answer, phase, sorting, page)
    })
}

/// Who acts as somebody else: whether that may be is looked at while the search goes on.
pub(super) fn acting(context: &Context) -> Option<Box<Context>> {
    context.attached.assumed.is_some().then(|| Box::new(context.clone()))
}

/// A search of entries that are in no directory.
pub(super) fn of_no_directory(
    directory: &Arc<Directory>,
    answer: Answer,
    phase: Phase,
    sorting: Option<Sorting>,
    page: Option<Page>,
) -> SearchStream {
    SearchStream {
        directory: Arc::clone(directory),
        filter: Filter::Or(Vec::new()),
        cost: 1,
        answer,
        phase,
        roots: VecDeque::new(),
        first_roots: VecDeque::new(),
        hidden: Hidden::new(directory, Scope::Base, &Controls::default()),
        sorting,
        base: root_dse::NO_ENTRY,
        dereferences: false,
        sent: 0,
        size_limit: None,
        deadline: None,
        page,
        glances: Glances::default(),
        judged: None,
        acting: None,
        audit: None,
    }
}

/// The root DSE, the subschema entry and the monitor: base searches, and a subtree of the latter two, which have nothing below them.
fn special(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &Controls,
    sorting: Option<Sorting>,
    node: &Node,
    selection: Selection,
) -> Result<SearchStream, Refusal> {
    if follow::is_asked(controls) {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "this entry cannot be followed"));
    }
    if node.name.is_empty() && request.scope != Scope::Base {
        return Err(Refusal::no_such_object(directory, None));
    }
    let page = cookie::page(context, request, controls)?;
    sorting.as_ref().map_or(Ok(()), Sorting::only_sorted)?;
    if controls.assertion.as_ref().is_some_and(|assertion| !root_dse::matches(directory, assertion, node)) {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let access = Access::published(directory, context);
    let answer = Answer::new(directory, context.subject(directory), access, context.now, selection, controls)?;
    let in_scope = matches!(request.scope, Scope::Base | Scope::Subtree);
    let entry =
        (in_scope && root_dse::matches(directory, &request.filter, node)).then(|| answer.special(directory, &node.name, node));
    Ok(of_no_directory(directory, answer, Phase::Special(entry), sorting, page))
}
