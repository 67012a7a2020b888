//! The command line: one file per subcommand.

use std::process::ExitCode;

/// Parses the command line and runs what it asks for.
pub fn run() -> ExitCode {
    ExitCode::from(2)
}
