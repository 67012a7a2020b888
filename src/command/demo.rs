//! `bindery demo`: runs a sample hospital.

#[cfg(test)]
mod hospital_tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::CommandError;

/// Arguments of `bindery demo`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Where the sample installation lives; made when absent, used again when there
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// runs a sample hospital.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("demo: not there yet".to_owned()))
}
