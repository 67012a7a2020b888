//! `bindery check`: checks configuration and store.

use std::process::ExitCode;

use clap::Args;

use super::{CommandError, Installation};

/// Arguments of `bindery check`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
}

/// checks configuration and store.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("check: not there yet".to_owned()))
}
