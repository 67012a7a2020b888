//! `bindery schema`: works with schema files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::CommandError;

/// Arguments of `bindery schema`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with schema files.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Check a schema file against the built-in schema
    Check {
        /// LDIF with attributeTypes and objectClasses values
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Works with schema files.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("schema: not there yet".to_owned()))
}
