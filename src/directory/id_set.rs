//! Sets of entries, as indexes hold them.

use crate::model::EntryId;

/// A persistent set of entry numbers.
#[derive(Clone, Default)]
pub struct IdSet;

impl IdSet {
    /// How many.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Whether this one is in.
    pub fn contains(&self, id: EntryId) -> bool {
        let _ = id;
        todo!()
    }
}
