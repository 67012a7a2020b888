//! Search (RFC 4511 section 4.5): a stream that is pulled while the socket takes more.

use std::sync::Arc;

use super::Context;
use crate::directory::Directory;
use crate::model::Timestamp;
use crate::protocol::{Control, Reply, SearchRequest};

/// A search under way.
pub struct SearchStream {
    _private: (),
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
pub fn begin(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &[Control],
) -> Result<SearchStream, Reply> {
    let _ = (directory, context, request, controls);
    todo!()
}

impl SearchStream {
    /// Goes on, looking at no more than `budget` candidates.
    pub fn pull(&mut self, budget: &mut u32, now: Timestamp) -> Pull {
        let _ = (budget, now);
        todo!()
    }
}
