//! `bindery app-password`: passwords of a person for one application each, made, listed and revoked; recorded like any change.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::format::{Format, csv_line};
use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, Installation, output};
use crate::operation::app_password::{AppPasswordAction, AppPasswordAnswer, AppPasswordReport, AppPasswordRequest};
use crate::operation::{Proposal, ProposedOperation};
use crate::protocol::{Reply, oid};
use crate::wire::client::LocalClient;

/// Arguments of `bindery app-password`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make one and print it, this once: the application sends it in the place of the person's own password
    Add(AddArguments),
    /// Tell which an account has
    List(ListArguments),
    /// Take one away: who is logged in with it is logged out
    Revoke(RevokeArguments),
}

#[derive(Args, Debug)]
struct AddArguments {
    /// Whose: a uid, or a whole name
    #[arg(value_name = "UID")]
    account: String,
    /// What it is called, such as phone
    #[arg(long)]
    name: String,
    /// The bind rule (bindAppPassword: TRUE) that says from where and through what it is good: its cn or its whole name
    #[arg(long)]
    rule: String,
    /// Good until then, such as 2027-01-04T08:00:00Z [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

#[derive(Args, Debug)]
struct ListArguments {
    /// Whose: a uid, or a whole name
    #[arg(value_name = "UID")]
    account: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

#[derive(Args, Debug)]
struct RevokeArguments {
    /// Whose: a uid, or a whole name
    #[arg(value_name = "UID")]
    account: String,
    /// What it is called
    name: String,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Runs a subcommand.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        Command::Add(asked) => {
            let (name, rule, until) = (asked.name.clone(), asked.rule.clone(), asked.until.clone());
            let answer = ask(&asked.installation, &asked.account, AppPasswordAction::Add { name, rule, until })?;
            output::line(format_args!("{}", answer.password.unwrap_or_default()))?;
            output::remark(format_args!("{} of {}: nobody can read it again", asked.name, answer.account));
        }
        Command::List(asked) => {
            let answer = ask(&asked.installation, &asked.account, AppPasswordAction::List)?;
            print(&answer, asked.format)?;
        }
        Command::Revoke(asked) => {
            let action = AppPasswordAction::Revoke { name: asked.name.clone() };
            let answer = ask(&asked.installation, &asked.account, action)?;
            output::line(format_args!("revoked {} of {}", asked.name, answer.account))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(answer: &AppPasswordAnswer, format: Format) -> Result<(), CommandError> {
    let rule = |one: &AppPasswordReport| one.rule.clone().unwrap_or_else(|| "none: its rule is gone".to_owned());
    if format == Format::Csv {
        output::octets(csv_line(["account", "name", "made", "until", "rule"]).as_bytes())?;
    }
    for one in &answer.all {
        let (until, rule) = (one.until.as_deref().unwrap_or_default(), rule(one));
        match format {
            Format::Table => {
                let until = if until.is_empty() { "until revoked" } else { until };
                output::line(format_args!("{:24}{}  {until}  {rule}", one.name, one.made))?;
            }
            Format::Csv => output::octets(csv_line([&*answer.account, &*one.name, &*one.made, until, &*rule]).as_bytes())?,
            Format::Jsonl => {
                let line = serde_json::to_string(one).map_err(|error| CommandError::Cannot(error.to_string()))?;
                output::line(format_args!("{line}"))?;
            }
        }
    }
    if answer.all.is_empty() && format == Format::Table {
        output::remark(format_args!("{} has none", answer.account));
    }
    Ok(())
}

/// Asks the running server as the calling user, or does it in the folder of a stopped one under its lock.
fn ask(installation: &Installation, account: &str, action: AppPasswordAction) -> Result<AppPasswordAnswer, CommandError> {
    let request = AppPasswordRequest { account: account.to_owned(), action };
    let answer = match server_socket(installation)? {
        Some((socket, _)) => {
            let json = serde_json::to_vec(&request).map_err(|error| CommandError::Cannot(error.to_string()))?;
            let mut client = LocalClient::connect(&socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
            client.extended_with(oid::APP_PASSWORD, Some(json)).map_err(|error| CommandError::Cannot(error.to_string()))?
        }
        None => decided(OfflineInstallation::open_without_indexes(installation)?, request)?,
    };
    serde_json::from_slice(&answer)
        .map_err(|error| CommandError::Cannot(format!("the server's answer cannot be read: {error}; is it of another version?")))
}

fn decided(mut offline: OfflineInstallation, request: AppPasswordRequest) -> Result<Vec<u8>, CommandError> {
    let proposal = Proposal { context: offline.context_now(), operation: ProposedOperation::AppPassword(request) };
    let answer = offline.committer().commit(&mut [proposal]).pop();
    offline.close();
    let unwritten = || CommandError::Cannot("the journal cannot be written".to_owned());
    let decision = answer.and_then(Result::ok).ok_or_else(unwritten)?;
    if let Some(result) = OfflineInstallation::refusal(&decision.reply) {
        return Err(CommandError::Cannot(format!("refused: {} (code {})", result.diagnostic, result.code.number())));
    }
    match decision.reply {
        Reply::Result { extended_value: Some(value), .. } => Ok(value.to_vec()),
        _ => Err(CommandError::Cannot("there is no answer; please report it".to_owned())),
    }
}
