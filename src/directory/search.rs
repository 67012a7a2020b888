//! Planning a search and walking its candidates without ever collecting results.

use std::sync::Arc;

use super::{Directory, Node, PreparedFilter};
use crate::model::EntryId;
use crate::model::Scope;

/// How a search will find its candidates.
pub struct SearchPlan {
    _private: (),
}

/// A search under way over one instant: owns its `Directory` value and yields matching entries when asked.
pub struct SearchCursor {
    _private: (),
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
        let _ = (directory, base, scope, filter, after);
        todo!()
    }

    /// Goes on, looking at no more than `budget` candidates. `may_search` as in [`super::FilterContext`].
    pub fn next(&mut self, budget: &mut u32, may_search: &dyn Fn(crate::model::AttributeTypeId, &Node) -> bool) -> Step {
        let _ = (budget, may_search);
        todo!()
    }

    /// The instant the search sees.
    pub fn directory(&self) -> &Arc<Directory> {
        todo!()
    }
}
