//! Journal segments on disk: preallocated files of groups, one fdatasync a group.

use crate::directory::Digest;
use crate::journal::Frame;

/// The open journal: the one place where acknowledged things become durable.
pub struct Journal {
    _private: (),
}

/// Why a group could not be made durable. The file is not used again: the caller drops its tentative head, answers 52, and calls
/// [`Journal::recover`] before the next append.
#[derive(Debug, thiserror::Error)]
#[error("journal: {0}")]
pub struct AppendError(pub String);

impl Journal {
    /// Writes one group and returns when it is on the device. `frames` follow each other without gap and continue the last group.
    pub fn append(&mut self, frames: &[Frame], digest_after: Digest) -> Result<(), AppendError> {
        let _ = (frames, digest_after);
        todo!()
    }

    /// After a failed append: opens the next segment, which will void the sequences nobody was told about. Fails while the disk is still
    /// in trouble; may be called again.
    pub fn recover(&mut self) -> Result<(), AppendError> {
        todo!()
    }
}
