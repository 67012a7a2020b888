//! Planning a search and walking its candidates without ever collecting results.
//!
//! Every search yields entries in order of their numbers, which is the order in which they were created: parents come before their
//! children unless an entry was moved below a younger one, and a paged search goes on behind the last number it showed, whatever was
//! added, renamed or deleted in between.

mod plan;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{Directory, FilterContext, IdSet, Node, PreparedFilter, Truth};
use crate::model::{AttributeTypeId, EntryId, Scope};
pub use plan::SearchPlan;

/// A search under way over one instant: owns its `Directory` value and yields matching entries when asked.
pub struct SearchCursor {
    directory: Arc<Directory>,
    base: EntryId,
    scope: Scope,
    filter: PreparedFilter,
    source: Source,
    /// Whether a candidate may lie outside the scope.
    check_scope: bool,
    /// Where to go on; none: behind the last possible number.
    next: Option<EntryId>,
}

/// Where candidates come from.
enum Source {
    /// The whole directory.
    Everything,
    These(IdSet),
    /// The scope's entries are being put together.
    Gathering(Gathering),
}

/// Putting a subtree's numbers together costs a step for each entry that has children, not for each entry.
struct Gathering {
    found: IdSet,
    /// Entries with children, whose children are to be taken in.
    waiting: Vec<EntryId>,
    /// To be narrowed down to the scope. When gathering takes longer than looking at each of them, they are looked at instead.
    candidates: Option<IdSet>,
    steps: usize,
}

/// One step of a cursor.
pub enum Step {
    /// An entry in scope that matches the filter.
    Match(Arc<Node>),
    /// So many candidates were looked at without a match that the caller should see to other things first.
    Pause,
    /// No more.
    End,
}

impl SearchCursor {
    /// Plans and starts a search below (or at) `base`, which exists. `after`: resume behind this candidate (paged results).
    pub fn new(
        directory: Arc<Directory>,
        base: EntryId,
        scope: Scope,
        filter: PreparedFilter,
        after: Option<EntryId>,
    ) -> SearchCursor {
        let (source, check_scope) = source(&directory, base, scope, &filter);
        let next = after.map_or(Some(EntryId(0)), following);
        SearchCursor { directory, base, scope, filter, source, check_scope, next }
    }

    /// Goes on, looking at no more than `budget` candidates. `may_search` as in [`super::FilterContext`].
    pub fn next(&mut self, budget: &mut u32, may_search: &dyn Fn(AttributeTypeId, &Node) -> bool) -> Step {
        loop {
            if let Source::Gathering(gathering) = &mut self.source {
                let Some(less) = budget.checked_sub(1) else { return Step::Pause };
                *budget = less;
                if let Some((ids, check_scope)) = gathering.step(&self.directory) {
                    self.source = Source::These(ids);
                    self.check_scope = check_scope;
                }
                continue;
            }
            let Some(id) = self.candidate() else { return Step::End };
            let Some(less) = budget.checked_sub(1) else { return Step::Pause };
            *budget = less;
            self.next = following(id);
            let Some(node) = self.directory.node(id) else { continue };
            let context = FilterContext { directory: &self.directory, may_search };
            if (!self.check_scope || self.is_in_scope(node)) && self.filter.evaluate(&context, node) == Truth::True {
                return Step::Match(node.clone());
            }
        }
    }

    /// The instant the search sees.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    fn candidate(&self) -> Option<EntryId> {
        match &self.source {
            Source::Everything => self.directory.tree.nodes().next_from(self.next?.0).map(|(id, _)| EntryId(id)),
            Source::These(ids) => ids.next_from(self.next?),
            Source::Gathering(_) => None,
        }
    }

    fn is_in_scope(&self, node: &Node) -> bool {
        match self.scope {
            Scope::Base => node.id == self.base,
            Scope::One => node.parent == Some(self.base),
            Scope::Subtree => self.directory.is_within(node.id, self.base),
            Scope::Children => node.id != self.base && self.directory.is_within(node.id, self.base),
        }
    }
}

fn following(id: EntryId) -> Option<EntryId> {
    id.0.checked_add(1).map(EntryId)
}

/// Where a search finds its candidates, and whether each must be held against the scope.
fn source(directory: &Directory, base: EntryId, scope: Scope, filter: &PreparedFilter) -> (Source, bool) {
    if scope == Scope::Base {
        return (Source::These(std::iter::once(base).collect()), false);
    }
    let candidates = SearchPlan::new(directory, filter).candidates;
    if candidates.as_ref().is_some_and(|candidates| candidates.len() <= FEW_CANDIDATES) {
        return (Source::These(candidates.unwrap_or_default()), true);
    }
    if scope == Scope::One {
        let children = directory.tree.children(base).cloned().unwrap_or_default();
        return (Source::These(narrowed(children, candidates.as_ref())), false);
    }
    if directory.suffix_entry() == Some(base) {
        return (candidates.map_or(Source::Everything, Source::These), scope == Scope::Children);
    }
    let found = if scope == Scope::Subtree { std::iter::once(base).collect() } else { IdSet::default() };
    (Source::Gathering(Gathering { found, waiting: vec![base], candidates, steps: 0 }), false)
}

/// So few are held against the scope one by one.
const FEW_CANDIDATES: usize = 256;

fn narrowed(ids: IdSet, candidates: Option<&IdSet>) -> IdSet {
    candidates.map_or_else(|| ids.clone(), |candidates| ids.intersection(candidates))
}

impl Gathering {
    /// Takes in the children of one entry. At the end: the candidates, and whether each must be held against the scope.
    fn step(&mut self, directory: &Directory) -> Option<(IdSet, bool)> {
        self.steps += 1;
        if self.candidates.as_ref().is_some_and(|candidates| candidates.len() < self.steps) {
            return self.candidates.take().map(|candidates| (candidates, true));
        }
        let Some(parent) = self.waiting.pop() else {
            let found = std::mem::take(&mut self.found);
            return Some((narrowed(found, self.candidates.as_ref()), false));
        };
        if let Some(children) = directory.tree.children(parent) {
            self.found.unite(children);
            self.waiting.extend(children.intersection(directory.tree.inner()));
        }
        None
    }
}
