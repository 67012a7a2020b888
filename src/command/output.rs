//! Standard output and standard error of commands. A reader that went away (`bindery export | head`) is no error.

use std::fmt::Display;
use std::io::{self, Write};

use super::CommandError;
use crate::store::Progress;

/// Writes a line to standard output.
pub(super) fn line(text: impl Display) -> Result<(), CommandError> {
    octets(format!("{text}\n").as_bytes())
}

/// Writes octets to standard output.
pub(super) fn octets(bytes: &[u8]) -> Result<(), CommandError> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Cannot(format!("standard output: {error}"))),
        _ => Ok(()),
    }
}

/// Writes a remark to standard error; there is nowhere to report a failure of that.
pub(super) fn remark(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Entries, rows or frames between two remarks about progress.
const PROGRESS_STEP: u64 = 100_000;

/// Remarks how far something long is, now and then. What is counted may start anew with each step of the work.
pub(super) fn progress() -> impl FnMut(Progress) {
    let mut last = 0;
    move |Progress { done, total }| {
        let step = done / PROGRESS_STEP;
        if step != last && step > 0 {
            match total {
                Some(total) => remark(format_args!("{done} of {total} done")),
                None => remark(format_args!("{done} done")),
            }
        }
        last = step;
    }
}

/// Writes why a command failed to standard error.
pub(super) fn complain(error: &CommandError) {
    remark(format_args!("bindery: {error}"));
}
