//! `bindery serve`: runs the server.

use std::process::ExitCode;

use clap::Args;

use super::{CommandError, Installation, output};
use crate::config::LogFormat;
use crate::server::run;

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

/// Runs the server until it is told to stop.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let installation = arguments.installation.load()?;
    let configuration = &installation.configuration;
    super::logging::start(arguments.log_format.unwrap_or(configuration.log_format), configuration.log_level);
    run::run(&installation, |addresses| {
        // Whoever started the server and went away does not need the line.
        let _ = output::line(format_args!("ready {}", addresses.join(" ")));
    })
    .map_err(|error| CommandError::Cannot(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}
