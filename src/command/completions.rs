//! `bindery completions`: scripts that complete commands and options in a shell.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{CommandError, Program, output};

/// Arguments of `bindery completions`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Program::command(), "bindery", &mut script);
    output::octets(&script)?;
    Ok(ExitCode::SUCCESS)
}
