//! `bindery schema`: works with schema files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CommandError, FOUND_SOMETHING, output};
use crate::model::schema::{Finding, PosixSchema, Report, Schema};
use crate::server::schema_files;

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
    /// Check schema files against the built-in schema
    ///
    /// Says of each definition whether it would be added, is there already, or what it clashes with. Takes OpenLDAP's .schema
    /// files and cn=config LDIF, cn=schema LDIF of 389 Directory Server and OpenDJ, and folders of them. Files that need each other are
    /// checked together.
    ///
    /// Exit code 0: everything can be loaded as it is; 1: something clashes or is missing.
    Check {
        /// Schema files, or folders with *.ldif and *.schema files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Accounts and groups of POSIX systems as this document has them: rfc2307 or rfc2307bis
        #[arg(long, value_name = "DOCUMENT", default_value = "rfc2307", value_parser = posix)]
        posix: PosixSchema,
    },
}

fn posix(name: &str) -> Result<PosixSchema, String> {
    PosixSchema::named(name).ok_or_else(|| "write rfc2307 or rfc2307bis".to_owned())
}

/// Says of each definition in the files whether it would be added, is there already, or what it clashes with.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Action::Check { files, posix } = &arguments.action;
    let mut texts = Vec::new();
    for path in files {
        texts.extend(schema_files::read(path).map_err(|error| CommandError::Cannot(error.to_string()))?);
    }
    let (schema, _) = Schema::installed(*posix, &[]).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let reports = schema.check_files(&texts);
    for report in &reports {
        for finding in &report.findings {
            match finding {
                Finding::Problem(_) => output::line(finding)?,
                _ if reports.len() > 1 => output::line(format_args!("{}: {finding}", report.file))?,
                _ => output::line(finding)?,
            }
        }
    }
    Ok(if reports.iter().all(Report::is_clean) { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}
