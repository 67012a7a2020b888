//! Times whose changes a restore undid: who followed them then has what is there no more, and nothing can tell it what to undo.

use super::Directory;
use crate::model::{ChangeStamp, Timestamp};

/// After the first moment, up to and with the second one.
pub type UndoneTime = (Timestamp, Timestamp);

impl Directory {
    /// Says which times a restore undid. They are no content: the journal's segments say them, at each start.
    pub fn set_undone(&mut self, times: Vec<UndoneTime>) {
        self.undone = times.into();
    }

    /// Whether this change was undone by a restore, or may have been.
    pub fn is_undone(&self, stamp: ChangeStamp) -> bool {
        self.undone.iter().any(|(after, through)| *after < stamp.time && stamp.time <= *through)
    }
}
