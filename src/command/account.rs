//! `bindery account`: how an account stands, and why.

mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::format::Format;
use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::operation::account_report::{AccountReport, AccountState, of_name};
use crate::protocol::oid;
use crate::wire::client::{ClientError, LocalClient};

/// Arguments of `bindery account`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Tell on one screen whether an account can log in, why not, until when, what bears on it, and who is logged in on it
    Show(ShowArguments),
}

#[derive(Args, Debug)]
struct ShowArguments {
    /// Whose: a uid, or a whole name such as cn=admin,dc=hospital,dc=example
    #[arg(value_name = "UID")]
    account: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Runs a subcommand.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Command::Show(arguments) = &arguments.command;
    let report = report(&arguments.installation, &arguments.account)?;
    let text = match arguments.format {
        Format::Table => show::table(&report),
        Format::Csv => show::csv(&report),
        Format::Jsonl => {
            let line = serde_json::to_string(&report).map_err(|error| CommandError::Cannot(error.to_string()))?;
            format!("{line}\n")
        }
    };
    output::octets(text.as_bytes())?;
    Ok(match report.state {
        AccountState::Open => ExitCode::SUCCESS,
        AccountState::PasswordBarred | AccountState::Barred => ExitCode::from(FOUND_SOMETHING),
    })
}

/// Asks the running server as the calling user, or reads the folder of a stopped one under its lock.
fn report(installation: &Installation, name: &str) -> Result<AccountReport, CommandError> {
    let unknown = || CommandError::Cannot(format!("{name}: there is no one entry of that uid or name"));
    let Some((socket, _)) = server_socket(installation)? else {
        let mut offline = OfflineInstallation::open_without_indexes(installation)?;
        let context = offline.context_now();
        let report = of_name(offline.committer().head(), &context, name);
        offline.close();
        return report.ok_or_else(unknown);
    };
    let mut client = LocalClient::connect(&socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let answer = client.extended_with(oid::ACCOUNT_REPORT, Some(name.as_bytes().to_vec())).map_err(|error| match error {
        ClientError::Refused { code, .. } if code == "NoSuchObject" => unknown(),
        ClientError::Refused { code, .. } if code == "InsufficentAccessRights" => {
            CommandError::Cannot("only root, the server's own user and local users who are administrators may ask".to_owned())
        }
        error => CommandError::Cannot(error.to_string()),
    })?;
    serde_json::from_slice(&answer)
        .map_err(|error| CommandError::Cannot(format!("the server's answer cannot be read: {error}; is it of another version?")))
}
