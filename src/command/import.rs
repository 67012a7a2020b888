//! `bindery import`: loads LDIF into a stopped installation.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CommandError, Installation};

/// Arguments of `bindery import`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
    /// LDIF files: content or change records
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Go on after a record that cannot be loaded, and write it to the reject file
    #[arg(long = "continue")]
    pub keep_going: bool,
    /// Where rejected records go, each with its reason [default: FILE.rejected beside the first file]
    #[arg(long, value_name = "FILE", requires = "keep_going")]
    pub reject_file: Option<PathBuf>,
}

/// loads LDIF into a stopped installation.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("import: not there yet".to_owned()))
}
