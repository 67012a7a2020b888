//! The command line: one file per subcommand.

pub mod access;
pub mod account;
pub mod app_password;
pub mod backup;
pub mod blocklist;
pub mod check;
pub mod clock;
pub mod completions;
pub mod demo;
pub mod explain;
pub mod export;
mod format;
pub mod hash;
mod html;
pub mod import;
pub mod import_acl;
pub mod init;
mod installation;
pub mod journal;
pub mod key;
mod logging;
pub mod otp;
mod output;
mod password_file;
pub mod policy;
mod reached;
pub mod reconcile;
pub mod report;
pub mod restore;
pub mod schema;
pub mod serve;
pub mod status;
pub mod version;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Exit codes, the same for every subcommand.
const EXIT_CODES: &str = "\
Exit codes:
  0  done, nothing to report
  1  done, and something was found (check, schema check, status, an account that cannot log in, a wrong expectation, a right that nobody gave, a plan that is not applied, a report with findings, import with rejects, an ACI that is no rule, backup and restore past damage)
  2  the command line is wrong
  3  it could not be done; the message says why and what to do";

/// Bindery, an LDAP directory server for hospitals.
#[derive(Parser, Debug)]
#[command(name = "bindery", version, about, after_help = EXIT_CODES)]
pub struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a new installation in an empty folder
    #[command(after_help = EXIT_CODES)]
    Init(Box<init::Arguments>),
    /// Run the server
    #[command(after_help = EXIT_CODES)]
    Serve(serve::Arguments),
    /// Run a sample hospital on this machine, to try things out
    #[command(after_help = EXIT_CODES)]
    Demo(demo::Arguments),
    /// Tell how the running server is
    #[command(after_help = EXIT_CODES)]
    Status(status::Arguments),
    /// Load LDIF into an installation whose server is stopped
    #[command(after_help = EXIT_CODES)]
    Import(import::Arguments),
    /// Turn the ACIs of 389 Directory Server into access rules, as LDIF, where they mean the same
    #[command(after_help = EXIT_CODES)]
    ImportAcl(import_acl::Arguments),
    /// Write the directory as LDIF, as it is at one instant
    #[command(after_help = EXIT_CODES)]
    Export(export::Arguments),
    /// Copy the sealed data to a folder or a pipe, while the server runs or not; the key is never part of it
    #[command(after_help = EXIT_CODES)]
    Backup(backup::Arguments),
    /// Make the data folder anew from a backup, as it was at any instant; only while the server is stopped
    #[command(after_help = EXIT_CODES)]
    Restore(restore::Arguments),
    /// Check the configuration and the whole store of an installation whose server is stopped
    #[command(after_help = EXIT_CODES)]
    Check(check::Arguments),
    /// Change the seal key
    #[command(after_help = EXIT_CODES)]
    Key(key::Arguments),
    /// Say what is right about a clock that jumped
    #[command(after_help = EXIT_CODES)]
    Clock(clock::Arguments),
    /// How an account stands
    #[command(after_help = EXIT_CODES)]
    Account(account::Arguments),
    /// What the access rules come to
    #[command(after_help = EXIT_CODES)]
    Access(access::Arguments),
    /// Tell whether somebody has a right, and which access rules say so
    #[command(after_help = EXIT_CODES)]
    Explain(explain::Arguments),
    /// Hold what decides about people against what is expected of it
    #[command(after_help = EXIT_CODES)]
    Policy(policy::Arguments),
    /// Joiners, movers and leavers of a personnel department's file: plan them, and apply the plan
    #[command(after_help = EXIT_CODES)]
    Reconcile(reconcile::Arguments),
    /// Passwords of a person for one application each
    #[command(after_help = EXIT_CODES)]
    AppPassword(app_password::Arguments),
    /// One-time codes as a second factor
    #[command(after_help = EXIT_CODES)]
    Otp(otp::Arguments),
    /// Turn a password into a value for userPassword
    #[command(after_help = EXIT_CODES)]
    Hash(hash::Arguments),
    /// Make a list of passwords that may not be chosen
    #[command(after_help = EXIT_CODES)]
    Blocklist(blocklist::Arguments),
    /// Work with schema files
    #[command(after_help = EXIT_CODES)]
    Schema(schema::Arguments),
    /// Read the journal
    #[command(after_help = EXIT_CODES)]
    Journal(journal::Arguments),
    /// Who has access, since when and until when; what is unused, unowned, shared or about to end; as a table or a page with charts
    #[command(after_help = EXIT_CODES)]
    Report(Box<report::Arguments>),
    /// Write a completion script for a shell
    #[command(after_help = EXIT_CODES)]
    Completions(completions::Arguments),
    /// Print the version
    #[command(after_help = EXIT_CODES)]
    Version(version::Arguments),
}

/// Which installation a command works on.
#[derive(Args, Clone, Debug)]
pub struct Installation {
    /// The installation's configuration [default: ./bindery.toml, else /etc/bindery/bindery.toml]
    #[arg(long = "config", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Why a command ended without doing what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The arguments do not make sense together: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It cannot be done; the text says why and what to do: exit code 3.
    #[error("{0}")]
    Cannot(String),
}

/// Exit code 1: done, and something was found.
pub const FOUND_SOMETHING: u8 = 1;
const USAGE: u8 = 2;
const CANNOT: u8 = 3;

/// Parses the command line and runs what it asks for.
pub fn run() -> ExitCode {
    let result = match Program::parse().command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::ImportAcl(arguments) => import_acl::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Clock(arguments) => clock::run(&arguments),
        Command::Hash(arguments) => hash::run(&arguments),
        Command::Blocklist(arguments) => blocklist::run(&arguments),
        Command::Account(arguments) => account::run(&arguments),
        Command::Access(arguments) => access::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Reconcile(arguments) => reconcile::run(&arguments),
        Command::AppPassword(arguments) => app_password::run(&arguments),
        Command::Otp(arguments) => otp::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Journal(arguments) => journal::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Version(arguments) => version::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        output::complain(&error);
        ExitCode::from(match error {
            CommandError::Usage(_) => USAGE,
            CommandError::Cannot(_) => CANNOT,
        })
    })
}

impl Installation {
    /// The configuration file to use.
    pub fn path(&self) -> Result<PathBuf, CommandError> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let places = ["bindery.toml", "/etc/bindery/bindery.toml"];
        places.iter().map(Path::new).find(|path| path.exists()).map(Path::to_path_buf).ok_or_else(|| {
            CommandError::Usage(
                "there is neither ./bindery.toml nor /etc/bindery/bindery.toml; name the installation with --config FILE, or make \
                 one with: bindery init DIR --suffix DN --admin-password-file FILE"
                    .to_owned(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Program::command().debug_assert();
    }
}
