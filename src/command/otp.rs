//! `bindery otp`: one-time codes as a second factor, enrolled and removed by an administrator; recorded like any change.

mod own;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, Installation, output};
use crate::model::{Dn, Modification, Secret};
use crate::operation::enrolment::{self, Account, Enrolment};
use crate::operation::modify::ModifyRequest;
use crate::operation::{Proposal, ProposedOperation, otp as otp_account};
use crate::policy::otp;
use crate::server::world::{SystemClock, SystemEntropy};
use crate::wire::client::LocalClient;
use crate::world::{Clock, Entropy};

/// Arguments of `bindery otp`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Give an account, or the own one, a new secret, and print it as a QR code for an authenticator app, with recovery codes
    Enrol(EnrolArguments),
    /// Take an account's secret and recovery codes away
    Remove(RemoveArguments),
}

#[derive(Args, Debug)]
struct EnrolArguments {
    /// Whose: a uid, or a whole name such as cn=admin,dc=hospital,dc=example [default: the own, as the local user whom [ldapi.users] names]
    #[arg(value_name = "UID")]
    account: Option<String>,
    /// The own password, which the first one-time codes of the own account need: a file whose first line it is
    #[arg(long, value_name = "FILE", conflicts_with = "account")]
    password_file: Option<PathBuf>,
    /// Make a new secret where there is one; codes of the old one are worth nothing from then on
    #[arg(long)]
    replace: bool,
    /// What the app calls this directory [default: made of the suffix]
    #[arg(long, value_name = "TEXT")]
    issuer: Option<String>,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

#[derive(Args, Debug)]
struct RemoveArguments {
    /// Whose: a uid, or a whole name
    #[arg(value_name = "UID")]
    account: String,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Runs a subcommand.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        Command::Enrol(arguments) => enrol(arguments),
        Command::Remove(arguments) => remove(arguments),
    }
}

fn enrol(arguments: &EnrolArguments) -> Result<ExitCode, CommandError> {
    let Some(name) = &arguments.account else { return own::enrol(&arguments.installation, arguments.password_file.as_deref()) };
    let mut directory = Reached::open(&arguments.installation)?;
    let account = directory.account(name)?;
    if account.has_token && !arguments.replace {
        let text = format!("{} has one-time codes already; --replace makes new ones, and those of the old app end", account.dn);
        return Err(CommandError::Cannot(text));
    }
    let entropy = SystemEntropy::new();
    let enrolment = Enrolment::draw(&mut |target| entropy.fill(target));
    directory.modify(&account, enrolment.changes(&account, SystemClock::new().now()))?;
    directory.close();
    let issuer = match &arguments.issuer {
        Some(issuer) => issuer.clone(),
        None => issuer(&arguments.installation.load()?.configuration.suffix),
    };
    print(&account.dn, &issuer, &enrolment)?;
    Ok(ExitCode::SUCCESS)
}

fn remove(arguments: &RemoveArguments) -> Result<ExitCode, CommandError> {
    let mut directory = Reached::open(&arguments.installation)?;
    let account = directory.account(&arguments.account)?;
    if !account.has_token {
        return Err(CommandError::Cannot(format!("{} has no one-time codes", account.dn)));
    }
    directory.modify(&account, enrolment::removal(&account))?;
    directory.close();
    output::line(format_args!("removed the one-time codes of {}", account.dn))?;
    Ok(ExitCode::SUCCESS)
}

/// `dc=hospital,dc=example` is called hospital.example.
fn issuer(suffix: &Dn) -> String {
    let values = suffix.rdns.iter().flat_map(|rdn| &rdn.parts);
    let values: Vec<String> = values.map(|part| String::from_utf8_lossy(&part.value).into_owned()).collect();
    values.join(".")
}

fn print(dn: &str, issuer: &str, enrolment: &Enrolment) -> Result<(), CommandError> {
    let label = Dn::parse(dn.as_bytes()).ok().and_then(|dn| {
        let part = dn.rdns.first()?.parts.first()?.value.clone();
        String::from_utf8(part.to_vec()).ok()
    });
    let uri = otp::enrolment_uri(&enrolment.secret, issuer, label.as_deref().unwrap_or(dn), 6, 30);
    print_uri(&uri)?;
    print_recovery(&enrolment.recovery)?;
    output::line(format_args!(
        "\nenrolled {dn}: logs in with the password and, right behind it, the six digits that the app shows"
    ))
}

fn print_uri(uri: &Secret) -> Result<(), CommandError> {
    let code = QrCode::new(uri.expose()).map_err(|error| CommandError::Cannot(format!("the QR code: {error}")))?;
    // Light on dark as terminals mostly are: what is dark on paper is left out.
    let picture = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    output::line(format_args!("{picture}"))?;
    output::line(format_args!("{}", String::from_utf8_lossy(uri.expose())))
}

fn print_recovery(codes: &[Secret]) -> Result<(), CommandError> {
    output::line(format_args!("\nRecovery codes, each in the place of one code, once:"))?;
    codes.iter().try_for_each(|code| output::line(format_args!("  {}", String::from_utf8_lossy(code.expose()))))
}

/// The directory of an installation, by way of its server or, where none runs, its data folder.
enum Reached {
    Running { client: LocalClient, suffix: String },
    Stopped(Box<OfflineInstallation>),
}

impl Reached {
    fn open(installation: &Installation) -> Result<Reached, CommandError> {
        match server_socket(installation)? {
            Some((socket, suffix)) => Ok(Reached::Running { client: connect(&socket)?, suffix }),
            None => Ok(Reached::Stopped(Box::new(OfflineInstallation::open_without_indexes(installation)?))),
        }
    }

    fn account(&mut self, name: &str) -> Result<Account, CommandError> {
        let found = match self {
            Reached::Running { client, suffix } => {
                let attributes = ["objectClass", "oathTOTPToken", "oathHOTPToken"];
                let found = match name.contains('=') {
                    true => client.read(name, &attributes),
                    false => client.find(suffix, "uid", name, &attributes),
                };
                found.map_err(cannot)?.map(|entry| {
                    let values = |name: &str| {
                        let of = entry.attributes.iter().filter(|it| it.description.eq_ignore_ascii_case(name));
                        of.flat_map(|it| &it.values).map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>()
                    };
                    let has_token = !values("oathTOTPToken").is_empty() || !values("oathHOTPToken").is_empty();
                    Account { classes: values("objectClass"), has_token, dn: entry.dn.clone() }
                })
            }
            Reached::Stopped(offline) => {
                let found = otp_account::account(offline.committer().head(), name);
                found.map(|(dn, classes, has_token)| Account { dn, classes, has_token })
            }
        };
        found.ok_or_else(|| CommandError::Cannot(format!("{name}: there is no one entry of that uid or name")))
    }

    fn modify(&mut self, account: &Account, changes: Vec<Modification>) -> Result<(), CommandError> {
        match self {
            Reached::Running { client, .. } => client.modify(&account.dn, changes).map_err(cannot),
            Reached::Stopped(offline) => {
                let request = ModifyRequest::new(Bytes::copy_from_slice(account.dn.as_bytes()), changes, Vec::new());
                let proposal = Proposal { context: offline.context(), operation: ProposedOperation::Modify(request) };
                let answer = offline.committer().commit(&mut [proposal]).pop();
                let decision = answer.and_then(Result::ok).ok_or_else(|| cannot("the journal cannot be written"))?;
                match OfflineInstallation::refusal(&decision.reply) {
                    None => Ok(()),
                    Some(result) => {
                        let text = format!("{}: refused: {} (code {})", account.dn, result.diagnostic, result.code.number());
                        Err(CommandError::Cannot(text))
                    }
                }
            }
        }
    }

    fn close(self) {
        if let Reached::Stopped(offline) = self {
            offline.close();
        }
    }
}

fn connect(socket: &Path) -> Result<LocalClient, CommandError> {
    LocalClient::connect(socket).map_err(cannot)
}

fn cannot(error: impl std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}
