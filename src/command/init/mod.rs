//! `bindery init`: makes a new installation.

mod configuration;
mod entries;
mod made;
mod plan;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use zeroize::Zeroizing;

use self::made::Made;
use self::plan::Plan;
use super::installation::OfflineInstallation;
use super::{CommandError, output, password_file};
use crate::config::{NewSealKey, WaiverName};
use crate::journal::RecordKind;
use crate::model::{Secret, Timestamp};
use crate::operation::{Proposal, ProposedOperation, prepare};
use crate::server::installation::Installation;
use crate::server::journal_key;
use crate::server::tls;
use crate::server::world::{SystemClock, SystemEntropy};
use crate::store;
use crate::world::{Clock, Entropy};

/// NIST SP 800-63B-4: a password that is the only factor.
const RECOMMENDED_PASSWORD: usize = 15;
const PUBLIC_FOLDER: u32 = 0o755;
const PRIVATE_FOLDER: u32 = 0o700;
const PUBLIC_FILE: u32 = 0o644;
const PRIVATE_FILE: u32 = 0o600;

/// Arguments of `bindery init`.
#[derive(Args, Clone, Debug, Default)]
pub struct Arguments {
    /// Where the installation goes: absent or empty
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The name everything is below: dc=hospital,dc=example
    #[arg(long, value_name = "DN")]
    pub suffix: String,
    /// File whose first line is the password of cn=admin,SUFFIX
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: PathBuf,
    /// Address for LDAP with StartTLS; port 0 lets the system choose [default: 127.0.0.1:389]
    #[arg(long, value_name = "ADDR")]
    pub ldap: Option<String>,
    /// Address for LDAP over TLS [default: 127.0.0.1:636]
    #[arg(long, value_name = "ADDR")]
    pub ldaps: Option<String>,
    /// Unix socket [default: DIR/ldapi]
    #[arg(long, value_name = "PATH")]
    pub ldapi: Option<PathBuf>,
    /// Folder for the keys [default: DIR/keys]
    #[arg(long, value_name = "PATH")]
    pub keys: Option<PathBuf>,
    /// An empty folder for the journal, on a disk of its own [default: DIR/data/journal]
    #[arg(long, value_name = "PATH")]
    pub journal_folder: Option<PathBuf>,
    /// Certificate chain, leaf first [default: a self-signed one is made]
    #[arg(long, value_name = "PEM", requires = "certificate_key")]
    pub certificate: Option<PathBuf>,
    /// The certificate's private key
    #[arg(long, value_name = "PEM", requires = "certificate")]
    pub certificate_key: Option<PathBuf>,
    /// Allow something unsafe, with a reason, an owner and an end
    #[arg(long = "waive", value_name = "NAME")]
    pub waivers: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub waiver_reason: Option<String>,
    /// Who answers for it [default: the installing user]
    #[arg(long, value_name = "TEXT")]
    pub waiver_owner: Option<String>,
    /// Refused from this day on, YYYY-MM-DD [default: 90 days ahead]
    #[arg(long, value_name = "DATE")]
    pub waiver_until: Option<String>,
    /// Networks it holds for [default: loopback]
    #[arg(long = "waiver-network", value_name = "CIDR")]
    pub waiver_networks: Vec<String>,
}

/// Makes the installation and says what to do next.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let password = password_file::read(Some(&arguments.admin_password_file))?;
    if String::from_utf8_lossy(password.expose()).chars().count() < RECOMMENDED_PASSWORD {
        output::remark(format_args!(
            "the administrator's password has fewer than {RECOMMENDED_PASSWORD} characters; change it before real data comes in"
        ));
    }
    let file = make(arguments, &password)?;
    output::line(format_args!("made {}", file.display()))?;
    if !arguments.waivers.iter().any(|name| name == WaiverName::SecondFactor.as_str()) {
        let enrol = format_args!("next: bindery otp enrol cn=admin,{} --config {}", arguments.suffix, file.display());
        output::line(enrol)?;
        output::remark(
            "administrators log in with a second factor; without one only over the Unix socket, as root or the server's own user",
        );
    }
    output::line(format_args!("next: bindery serve --config {}", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the installation, whole or not at all, with this password for the administrator
/// (`admin_password_file` is not read). Returns the path of its configuration.
pub fn make(arguments: &Arguments, password: &Secret) -> Result<PathBuf, CommandError> {
    let now = SystemClock::new().now();
    let plan = Plan::new(arguments, now)?;
    let mut made = Made::default();
    made.empty_folder(&plan.folder, PUBLIC_FOLDER)?;
    write_seal_key(&plan, &mut made)?;
    if plan.certificate.is_none() {
        write_certificate(&plan, &mut made, now)?;
    }
    let file = plan.folder.join("bindery.toml");
    made.file(&file, configuration::text(&plan).as_bytes(), PUBLIC_FILE)?;
    let data = plan.folder.join("data");
    made.folder(&data, PRIVATE_FOLDER)?;
    if let Some(folder) = &plan.journal_folder {
        made.empty_folder(folder, PRIVATE_FOLDER)?;
        made.link(folder, &store::folder_of_journal(&data))?;
    }
    let installation = Installation::load(&file).map_err(cannot)?;
    if let Some(files) = &installation.configuration.tls {
        tls::server_configuration(files).map_err(cannot)?;
    }
    let options = installation.store_options_without_indexes();
    store::create(&options).map_err(cannot)?;
    let key = write_journal_key(&installation, &store::node(&options).map_err(cannot)?, &mut made)?;
    write_entries(installation, &key, &plan, password)?;
    made.keep()?;
    Ok(file)
}

fn write_seal_key(plan: &Plan, made: &mut Made) -> Result<(), CommandError> {
    let folder = plan.keys.clone().unwrap_or_else(|| plan.folder.join("keys"));
    made.folder(&folder, PRIVATE_FOLDER)?;
    let mut octets = Zeroizing::new([0; 32]);
    SystemEntropy::new().fill(&mut *octets);
    made.file(&folder.join("seal.key"), NewSealKey::new(&octets).text.as_bytes(), PRIVATE_FILE)
}

/// The key that signs the journal's checkpoints; its public half is told.
fn write_journal_key(installation: &Installation, node: &str, made: &mut Made) -> Result<String, CommandError> {
    let mut seed = Zeroizing::new([0; 32]);
    SystemEntropy::new().fill(&mut *seed);
    let new = journal_key::NewKey::of_seed(node, &seed).ok_or_else(|| cannot("no key can be made that signs the journal"))?;
    let file = &installation.configuration.journal_key;
    made.file(file, new.text.as_bytes(), PRIVATE_FILE)?;
    made.file(&journal_key::public_file(file), new.public_text.as_bytes(), PUBLIC_FILE)?;
    Ok(new.key.public().to_string())
}

fn write_certificate(plan: &Plan, made: &mut Made, now: Timestamp) -> Result<(), CommandError> {
    let folder = plan.folder.join("tls");
    made.folder(&folder, PUBLIC_FOLDER)?;
    let new = tls::self_signed(&[plan.ldap.ip(), plan.ldaps.ip()], now).map_err(cannot)?;
    made.file(&folder.join("server.key"), new.key.expose(), PRIVATE_FILE)?;
    made.file(&folder.join("server.pem"), new.certificate.as_bytes(), PUBLIC_FILE)
}

/// One group of the journal: that the installation was made, and each entry.
fn write_entries(installation: Installation, journal_key: &str, plan: &Plan, password: &Secret) -> Result<(), CommandError> {
    let mut details = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("suffix", plan.suffix.to_string()),
        ("configuration", installation.configuration.digest.clone()),
        ("journalKey", journal_key.to_owned()),
    ];
    details.extend(plan.waivers.iter().map(|waiver| {
        let text = format!("{} until {}, {}: {}", waiver.name.as_str(), waiver.until, waiver.owner, waiver.reason);
        ("waiver", text)
    }));
    let mut offline = OfflineInstallation::without_indexes(installation)?;
    let record = OfflineInstallation::record(RecordKind::Initialise, details);
    let mut proposals = vec![Proposal { context: offline.context(), operation: ProposedOperation::Note(Box::new(record)) }];
    for request in entries::all(&plan.suffix, password) {
        let context = offline.context();
        let mut operation = ProposedOperation::Add(request);
        let jobs = prepare::jobs(offline.committer().head(), &context, &mut operation);
        let answers = offline.hash(jobs)?;
        let operation = prepare::with_answers(operation, answers);
        proposals.push(Proposal { context, operation });
    }
    let answers = offline.committer().commit(&mut proposals);
    for (proposal, answer) in proposals.iter().zip(answers) {
        let name = match &proposal.operation {
            ProposedOperation::Add(request) => String::from_utf8_lossy(&request.name).into_owned(),
            _ => "the first record".to_owned(),
        };
        let decision =
            answer.map_err(|code| CommandError::Cannot(format!("{name}: cannot be written (code {})", code.number())))?;
        if let Some(result) = OfflineInstallation::refusal(&decision.reply) {
            let text = format!("{name}: refused: {} (code {})", result.diagnostic, result.code.number());
            return Err(CommandError::Cannot(text));
        }
    }
    offline.close();
    Ok(())
}

fn cannot(error: impl std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}
