//! `bindery schema`: works with schema files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CommandError, FOUND_SOMETHING, output};
use crate::model::schema::Schema;

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

/// Says of each definition in a file whether it would be added, is there already, or what it clashes with.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Action::Check { file } = &arguments.action;
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| CommandError::Cannot(format!("{name}: {error}")))?;
    let schema = Schema::embedded().map_err(|error| CommandError::Cannot(error.to_string()))?;
    let report = schema.check(&name, &text);
    for finding in &report.findings {
        output::line(finding)?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}
