//! `bindery hash`: turns a password into a value for userPassword.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::CommandError;

/// Arguments of `bindery hash`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// File whose first line is the password [default: standard input]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Prints the value.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("hash: not there yet".to_owned()))
}
