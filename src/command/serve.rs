//! `bindery serve`: runs the server.

use std::process::ExitCode;

use clap::Args;

use super::{CommandError, Installation};
use crate::config::LogFormat;

/// Arguments of `bindery serve`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
    /// How log lines on standard error look; overrides the configuration
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// runs the server.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("serve: not there yet".to_owned()))
}
