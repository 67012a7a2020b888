//! `bindery clock`: what the server makes of a clock that jumped.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, Installation, output};
use crate::protocol::oid;
use crate::wire::client::LocalClient;

/// Arguments of `bindery clock`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Say that the clock, which jumped ahead while the server runs, is right: what ends by time ends from now on
    Confirm(Which),
    /// Take policy time back to the clock of the machine, where a wrong clock left it in the future; only while the server is stopped
    Rebase(Which),
}

/// Arguments of both.
#[derive(Args, Debug)]
struct Which {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Does what is asked for.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        Command::Confirm(which) => confirm(&which.installation),
        Command::Rebase(which) => rebase(&which.installation),
    }
}

fn confirm(installation: &Installation) -> Result<ExitCode, CommandError> {
    let Some((socket, _)) = server_socket(installation)? else {
        return Err(CommandError::Cannot("no server runs: a server believes the clock that it is started with".to_owned()));
    };
    let mut client = LocalClient::connect(&socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
    client.extended(oid::CLOCK_CONFIRMATION).map_err(|error| {
        CommandError::Cannot(format!("{error}; root, the server's own user, or an administrator of [ldapi.users] may say it"))
    })?;
    output::remark("the clock is believed, and what it says is over is over");
    Ok(ExitCode::SUCCESS)
}

fn rebase(installation: &Installation) -> Result<ExitCode, CommandError> {
    if server_socket(installation)?.is_some() {
        return Err(CommandError::Cannot(
            "the server runs: put the machine's clock right, stop the server, and do the same again".to_owned(),
        ));
    }
    let mut opened = OfflineInstallation::open_without_indexes(installation)?;
    let context = opened.context();
    let rebased = opened.committer().rebase(context);
    opened.close();
    match rebased.map_err(|code| CommandError::Cannot(format!("the journal cannot be written (code {})", code.number())))? {
        None => output::remark("policy time is not ahead of the clock: nothing is changed"),
        Some((from, to)) => {
            output::remark(format_args!("policy time was {} and is {} again", from.to_rfc3339(), to.to_rfc3339()));
            output::remark("consumers of content synchronization must begin anew: what changes now is older than what they have");
            output::remark(
                "what accounts remember of that future (logins, failures, locks, changes of passwords, one-time codes) is of now",
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
