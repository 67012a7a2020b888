//! Standard output and standard error of commands. A reader that went away (`bindery export | head`) is no error.

use std::fmt::Display;
use std::io::{self, Write};

use super::CommandError;

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

/// Writes why a command failed to standard error.
pub(super) fn complain(error: &CommandError) {
    remark(format_args!("bindery: {error}"));
}
