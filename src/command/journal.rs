//! `bindery journal`: reads the journal.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CommandError, Installation};

/// Arguments of `bindery journal`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the journal.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Write records as JSON lines, verified on the way
    Export {
        /// Which installation.
        #[command(flatten)]
        installation: Installation,
        /// Sequence to begin with
        #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
        from: u64,
        /// Write to this file (made with mode 0600) [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Reads the journal.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("journal: not there yet".to_owned()))
}
