//! The part of a search that is sorted: entries are only put in order while roots are walked, and sent afterwards.
//!
//! ```text
//! walking: each match gets its place ─► all walked: view or page chosen ─► sent in order ─► done
//!             more than may be sorted: refused, or sent as they come (RFC 2891 section 2, criticality)
//! ```

use super::sort::{Order, SortFailure, Sorted};
use super::{Phase, Pull, SearchStream, view};
use crate::directory::{Directory, Node};
use crate::model::ResultCode;
use crate::operation::access::Readable;
use crate::operation::control::{Controls, SortRequest, ViewRequest, ViewResult, sort_response};
use crate::operation::refusal::Refusal;
use crate::protocol::{Control, LdapResult, Reply, ResponseKind};

/// What a search with the sort control does, and what its last reply says of it.
pub(super) struct Sorting {
    critical: bool,
    view: Option<ViewRequest>,
    /// What was found so far; none once it is being sent, or when it could not be sorted.
    found: Option<Sorted>,
    response: Control,
    view_result: Option<ViewResult>,
    /// contextID
    context: Vec<u8>,
}

impl Sorting {
    /// What the controls ask for. The error is the answer: 16 or 18 for keys nothing can be sorted by, 76 for a view of nothing sorted, 53
    /// for one in pages.
    #[allow(clippy::result_large_err, reason = "the error is the answer, made once and sent")]
    pub(super) fn new(directory: &Directory, controls: &Controls, limit: usize) -> Result<Option<Sorting>, Reply> {
        let Some(SortRequest { critical, .. }) = controls.sort else {
            return if controls.view.is_none() { Ok(None) } else { Err(sort_missing()) };
        };
        if controls.view.is_some() && controls.paged.is_some() {
            let result = LdapResult::with(ResultCode::UnwillingToPerform, "VLV incompatible with PagedResults");
            return Err(Reply::result(ResponseKind::SearchDone, result));
        }
        let order = match controls.sort.as_ref().map(|request| Order::new(directory, request)).transpose() {
            Ok(order) => order,
            Err(failure) => return Err(refused(&failure)),
        };
        Ok(Some(Sorting {
            critical,
            view: controls.view.clone(),
            found: order.map(|order| Sorted::new(order, limit)),
            response: sort_response(ResultCode::Success, None),
            view_result: None,
            context: Vec::new(),
        }))
    }

    /// With what identifies the list that views show.
    pub(super) fn with_context(self, context: Vec<u8>) -> Sorting {
        Sorting { context, ..self }
    }

    /// 53 for a view of an entry that is made when it is read.
    pub(super) fn only_sorted(&self) -> Result<(), Refusal> {
        if self.view.is_none() {
            return Ok(());
        }
        Err(Refusal::new(ResultCode::UnwillingToPerform, "no view of this entry"))
    }

    /// For the last reply.
    pub(super) fn controls(&self) -> impl Iterator<Item = Control> {
        let view = self.view_result.as_ref().map(ViewResult::control);
        [Some(self.response.clone()), view].into_iter().flatten()
    }

    /// Whether entries are still being put in order.
    pub(super) fn is_collecting(&self) -> bool {
        self.found.is_some()
    }

    fn takes(&mut self, directory: &Directory, readable: &Readable, node: &Node) -> Option<Result<(), SortFailure>> {
        self.found.as_mut().map(|found| found.add(directory, readable, node))
    }
}

impl SearchStream {
    /// Gives a match its place. None: it is to be sent.
    pub(super) fn put_in_order(&mut self, node: &Node) -> Option<Step> {
        let sorting = self.sorting.as_mut()?;
        let readable = self.answer.access().glance(&self.directory, node, &mut self.glances);
        match sorting.takes(&self.directory, &readable, node)? {
            Ok(()) => Some(Step::Taken),
            Err(failure) => Some(self.give_up_sorting(&failure)),
        }
    }

    /// Whether continuation references were sent before entries: with the first page, or before the search began anew.
    pub(super) fn sent_references(&self) -> bool {
        let resumed = self.page.as_ref().is_some_and(|page| page.resumed.is_some());
        self.sorting.as_ref().is_some_and(|sorting| resumed || !sorting.is_collecting())
    }

    /// Ends the search, or begins it anew without sorting.
    fn give_up_sorting(&mut self, failure: &SortFailure) -> Step {
        if let Some(sorting) = &mut self.sorting {
            sorting.found = None;
            sorting.response = failure.control();
            if !sorting.critical && sorting.view.is_none() {
                let roots = std::mem::take(&mut self.first_roots);
                self.start(roots);
                return Step::Taken;
            }
        }
        Step::Pull(Box::new(self.end(failure.result())))
    }

    /// All roots are walked: what was sorted is sent from here on; there may be nothing.
    pub(super) fn walked(&mut self) -> Option<Pull> {
        let found = self.sorting.as_mut().and_then(|sorting| Some((sorting.found.take()?, sorting.view.clone())));
        let Some((mut found, asked)) = found else { return Some(self.end(LdapResult::of(ResultCode::Success))) };
        let Some(asked) = asked else {
            let sent = self.drop_to_last_page(&mut found);
            self.phase = Phase::Sorted(Box::new(found.into_entries(sent..usize::MAX)));
            return None;
        };
        let (window, mut result) = view::window(&self.directory, &found, &asked);
        if let Some(sorting) = &mut self.sorting {
            result.context = Some(std::mem::take(&mut sorting.context));
            sorting.view_result = Some(result);
        }
        let Some(window) = window else { return Some(self.end(LdapResult::of(ResultCode::VlvError))) };
        self.phase = Phase::Sorted(Box::new(found.into_entries(window)));
        None
    }

    /// A page begins behind the last entry of the one before, whether or not that is still there. How many more are to be passed over.
    fn drop_to_last_page(&self, found: &mut Sorted) -> usize {
        let Some(cookie) = self.page.as_ref().and_then(|page| page.resumed.as_ref()) else { return 0 };
        if cookie.place.is_empty() {
            return usize::try_from(cookie.sent).unwrap_or(usize::MAX);
        }
        found.drop_to(cookie.place.clone().into(), cookie.after);
        0
    }
}

/// What became of a match.
pub(super) enum Step {
    /// It has its place, or the search begins anew.
    Taken,
    /// The search is over.
    Pull(Box<Pull>),
}

fn refused(failure: &SortFailure) -> Reply {
    let mut reply = Reply::result(ResponseKind::SearchDone, failure.result());
    super::add_control(&mut reply, failure.control());
    reply
}

fn sort_missing() -> Reply {
    let result = LdapResult::with(ResultCode::VlvError, "Sort control is required with VLV");
    let mut reply = Reply::result(ResponseKind::SearchDone, result);
    let view = ViewResult { position: 0, count: 0, code: ViewResult::SORT_MISSING, context: None };
    super::add_control(&mut reply, view.control());
    reply
}
