//! `bindery hash`: turns a password into a value for userPassword.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CommandError, output, password_file};
use crate::policy::password::{Argon2Parameters, HashAnswer, HashJob, Hasher};
use crate::server::world::SystemEntropy;
use crate::world::Entropy;

/// Arguments of `bindery hash`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// File whose first line is the password [default: standard input]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Prints the value, made with OWASP's parameters.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let given = password_file::read(arguments.file.as_deref())?;
    let mut salt = [0; 16];
    SystemEntropy::new().fill(&mut salt);
    let mut hasher = Hasher::new(Argon2Parameters::default());
    match hasher.perform(&HashJob::Hash { given, salt, beside: Vec::new() }, [0; 16]) {
        HashAnswer::Hashed(value) => {
            output::octets(value.expose())?;
            output::octets(b"\n")?;
            Ok(ExitCode::SUCCESS)
        }
        HashAnswer::Busy | HashAnswer::Recalled(_) | HashAnswer::Previous | HashAnswer::Verified { .. } => {
            Err(CommandError::Cannot("there is not enough memory to hash a password; 19 MiB are needed".to_owned()))
        }
    }
}
