//! `bindery export`: writes the directory as LDIF.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CommandError, Installation};

/// Arguments of `bindery export`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
    /// Only this entry and what is below it [default: the whole directory]
    #[arg(long, value_name = "DN")]
    pub base: Option<String>,
    /// Write to this file (made with mode 0600) [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// writes the directory as LDIF.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("export: not there yet".to_owned()))
}
