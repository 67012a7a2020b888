//! `bindery journal`: reads the journal. One file per action.

mod export;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CommandError, FOUND_SOMETHING, Installation, output};

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
    Export(export::Arguments),
}

/// Does what the arguments say.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.action {
        Action::Export(arguments) => export::run(arguments),
    }
}
