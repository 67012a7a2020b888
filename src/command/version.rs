//! `bindery version`

use std::process::ExitCode;

use clap::Args;

use super::{CommandError, output};

/// `bindery version` takes no arguments.
#[derive(Args, Debug)]
pub struct Arguments {}

/// Prints name and version.
pub fn run(_arguments: &Arguments) -> Result<ExitCode, CommandError> {
    output::line(format_args!("bindery {}", env!("CARGO_PKG_VERSION")))?;
    Ok(ExitCode::SUCCESS)
}
