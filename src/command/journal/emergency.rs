//! `bindery journal emergency`: says that the journal is to go on in the emergency folder, or no longer.
//!
//! It is said by a file there, and not by a request: while the journal cannot be written nobody can log in. Who may write to that folder
//! may say it; the journal tells who it was.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::super::{CommandError, Installation, output};
use crate::store::disk::CALL_FILE;

/// Most octets of a reason.
const LONGEST_REASON: usize = 1024;

/// Arguments of `bindery journal emergency`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// While the journal cannot be written in its place it goes on in the emergency folder
    Begin(Begin),
    /// The disk is mended: the journal goes on in its place, and what was written elsewhere is copied there
    End(End),
}

#[derive(Args, Debug)]
struct Begin {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Args, Debug)]
struct End {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        Command::Begin(begin) => call(begin),
        Command::End(end) => take_back(&end.installation),
    }
}

fn call(begin: &Begin) -> Result<ExitCode, CommandError> {
    let reason = begin.reason.trim();
    if reason.is_empty() || reason.len() > LONGEST_REASON || reason.chars().any(char::is_control) {
        return Err(CommandError::Cannot(format!("--reason is text on one line, of {LONGEST_REASON} octets at most")));
    }
    let folder = folder(&begin.installation)?;
    let (path, new) = (folder.join(CALL_FILE), folder.join(format!("{CALL_FILE}.new")));
    let text = format!("uid {}\n{reason}\n", rustix::process::getuid().as_raw());
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)
    };
    write().map_err(|error| cannot(&path, &error))?;
    output::remark(format_args!(
        "where the journal cannot be written in its place, it goes on in {} within a second: bindery status says so",
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn take_back(installation: &Installation) -> Result<ExitCode, CommandError> {
    let path = folder(installation)?.join(CALL_FILE);
    match std::fs::remove_file(&path) {
        Ok(()) => {
            output::remark("the journal goes on in its place within a second, and what was written elsewhere is copied there");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(CommandError::Cannot("nobody said that there is an emergency".to_owned()))
        }
        Err(error) => Err(cannot(&path, &error)),
    }
}

fn folder(installation: &Installation) -> Result<PathBuf, CommandError> {
    let installation = installation.load()?;
    installation.configuration.emergency_folder.clone().ok_or_else(|| {
        CommandError::Cannot(
            "there is no emergency folder: name one on another disk as journal.emergency-folder in bindery.toml and start the server again"
                .to_owned(),
        )
    })
}

fn cannot(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Cannot(format!("{}: {error}; is the emergency disk there, and may you write to it?", path.display()))
}
