//! `bindery demo`: a sample hospital on this machine, to try things out. Everything it does an administrator could do with `init`, `import`
//! and `serve`, and people with LDAP: what the journal says of the first seconds happened in them.

#[cfg(test)]
mod hospital_tests;
mod login;
mod player;
mod story;
#[cfg(test)]
mod story_tests;

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use bytes::Bytes;
use clap::Args;
use rustix::process::{Signal, getpid, kill_process};

use self::login::{Login, NewToken, new_password};
use self::player::Player;
use self::story::{Spelling, Story, filled};
use super::installation::OfflineInstallation;
use super::{CommandError, Installation, import, init, logging, output};
use crate::config::{LogFormat, LogLevel, WaiverName};
use crate::journal::RecordKind;
use crate::model::ldif::{LdifBody, LdifReader, LdifRecord};
use crate::model::{Attribute, Secret, Timestamp};
use crate::server::run;
use crate::server::world::SystemClock;
use crate::world::Clock as _;

/// The sample: every name in it is invented.
const HOSPITAL: &str = include_str!("demo/hospital.ldif");
/// Who may do what there.
const GOVERNANCE: &str = include_str!("demo/governance.ldif");
/// Files that commands of the README read, and how moments are written in them.
const FILES: [(&str, &str, Spelling); 3] = [
    ("policy-test.toml", include_str!("demo/policy-test.toml"), Timestamp::to_rfc3339),
    ("personnel.csv", include_str!("demo/personnel.csv"), day),
    ("reconcile.toml", include_str!("demo/reconcile.toml"), day),
];
const SUFFIX: &str = "dc=mercy,dc=example";
const DEFAULT_FOLDER: &str = "bindery-demo";
/// Who can log in, with their passwords; only its owner can read it. Written when everything else is there.
const PASSWORDS: &str = "passwords";
/// Of those who can log in, so many are printed.
const PRINTED: usize = 6;
const LDAP_PORT: u16 = 3389;
const LDAPS_PORT: u16 = 3636;

/// Arguments of `bindery demo`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Where the sample installation lives; made when absent, used again when there
    #[arg(value_name = "DIR", default_value = DEFAULT_FOLDER)]
    pub folder: PathBuf,
    /// Port on loopback for LDAP with StartTLS, when the folder is made
    #[arg(long, value_name = "PORT", default_value_t = LDAP_PORT)]
    pub ldap_port: u16,
    /// Port on loopback for LDAP over TLS, when the folder is made
    #[arg(long, value_name = "PORT", default_value_t = LDAPS_PORT)]
    pub ldaps_port: u16,
}

/// What is made of an installation before its server runs.
struct Made {
    story: Story,
    /// In the order of the story.
    logins: Vec<Login>,
    /// By name.
    tokens: HashMap<String, NewToken>,
}

/// Makes the sample hospital if it is not there, serves it, and says how to use it.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let folder = std::path::absolute(&arguments.folder).map_err(|error| cannot(&arguments.folder, &error))?;
    let file = folder.join("bindery.toml");
    let passwords = folder.join(PASSWORDS);
    let (made, logins) = match file.exists() {
        true => (None, login::read(&passwords).map_err(|error| cannot(&passwords, &error))?),
        false => {
            output::line(format_args!("making a sample hospital in {}", folder.display()))?;
            (Some(make(arguments, &folder)?), Vec::new())
        }
    };
    let installation = Installation { file: Some(file.clone()) }.load()?;
    logging::start(LogFormat::Text, LogLevel::Warn);
    let mut playing = None;
    let served = run::run(&installation, |addresses| match made {
        None => print_guide(&folder, addresses, &logins),
        Some(made) => {
            let (folder, addresses) = (folder.clone(), addresses.to_vec());
            playing = Some(thread::spawn(move || {
                let played = play(&made, &folder, &addresses);
                match &played {
                    Ok(()) => print_guide(&folder, &addresses, &made.logins),
                    // In order, as Ctrl-C would.
                    Err(_) => drop(kill_process(getpid(), Signal::TERM)),
                }
                played
            }));
        }
    });
    let played =
        playing.map(|thread| thread.join().unwrap_or_else(|_| Err("a fault of the program; please report it".to_owned())));
    served.map_err(|error| CommandError::Cannot(error.to_string()))?;
    match played {
        Some(Err(problem)) => {
            // Half a hospital would be taken for a whole one by the next start.
            let _ = fs::remove_file(file);
            Err(CommandError::Cannot(format!("the sample hospital: {problem}; remove {} to begin anew", folder.display())))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What happens there, on the running server; whoever can log in is written down when all of it happened.
fn play(made: &Made, folder: &Path, addresses: &[String]) -> Result<(), String> {
    let port = addresses.iter().find(|url| url.starts_with("ldaps://")).and_then(|url| url.rsplit(':').next()?.parse().ok());
    let port = port.ok_or("it listens nowhere over TLS")?;
    Player::new(port, folder.join("tls/server.pem"), &made.logins, &made.tokens).play(&made.story)?;
    let path = folder.join(PASSWORDS);
    login::write(&path, &made.logins).map_err(|error| format!("{}: {error}", path.display()))
}

fn make(arguments: &Arguments, folder: &Path) -> Result<Made, CommandError> {
    let story = Story::read().map_err(CommandError::Cannot)?;
    let administrator = new_password();
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
    let file = init::make(
        &init::Arguments {
            folder: folder.to_owned(),
            suffix: SUFFIX.to_owned(),
            ldap: Some(loopback(arguments.ldap_port)),
            ldaps: Some(loopback(arguments.ldaps_port)),
            waivers: vec![WaiverName::SecondFactor.as_str().to_owned()],
            waiver_reason: Some("a sample on this machine, to try things out".to_owned()),
            ..init::Arguments::default()
        },
        &Secret::from(administrator.as_bytes()),
    )?;
    let logins = vec![Login { dn: format!("cn=admin,{SUFFIX}"), password: administrator, token: None }];
    let mut made = Made { story, logins, tokens: HashMap::new() };
    let loaded = load(&file, &mut made).and_then(|()| write_files(folder));
    if loaded.is_err() {
        // Half a hospital would be taken for a whole one by the next start.
        let _ = fs::remove_file(file);
    }
    loaded.map(|()| made)
}

fn load(file: &Path, made: &mut Made) -> Result<(), CommandError> {
    let mut installation = OfflineInstallation::open_without_indexes(&Installation { file: Some(file.to_owned()) })?;
    for (name, text) in [("the sample hospital", HOSPITAL), ("who may do what in it", GOVERNANCE)] {
        let mut records = LdifReader::new(text.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| CommandError::Cannot(format!("{name}: {error}")))?;
        records.iter_mut().for_each(|record| give_login(record, made));
        let (loaded, written) = installation.bulk(|bulk, aside| {
            for group in records.chunks(import::GROUP) {
                let mut proposals = import::proposals(aside, bulk.head(), group)?;
                let replies = bulk.load(&mut proposals, |_| true).map_err(|error| CommandError::Cannot(error.to_string()))?;
                for (record, reply) in group.iter().zip(&replies) {
                    if let Some(problem) = OfflineInstallation::refusal(reply).map(import::describe) {
                        return Err(CommandError::Cannot(format!("{name}: line {}: {problem}", record.line)));
                    }
                }
            }
            Ok(())
        });
        written.and(loaded)?;
        let details = vec![("files", name.to_owned()), ("loaded", records.len().to_string())];
        installation.note(OfflineInstallation::record(RecordKind::Import, details))?;
    }
    installation.close();
    let place = |login: &Login| made.story.passwords.iter().position(|uid| Some(uid.as_str()) == uid_of(&login.dn));
    // The administrator first, applications last.
    made.logins.sort_by_key(|login| {
        if login.dn.starts_with("cn=") { 0 } else { place(login).map_or(usize::MAX, |at| at.saturating_add(1)) }
    });
    Ok(())
}

/// A password for whom the story names, and for applications; and an authenticator's secret.
fn give_login(record: &mut LdifRecord, made: &mut Made) {
    let dn = String::from_utf8_lossy(&record.dn).into_owned();
    let Some(uid) = uid_of(&dn) else { return };
    let is_service = has_class(record, "account");
    let LdifBody::Add(attributes) = &mut record.body else { return };
    if !is_service && !made.story.passwords.iter().any(|it| it == uid) {
        return;
    }
    let mut classes = vec![];
    if is_service {
        classes.push("simpleSecurityObject");
    }
    let password = new_password();
    let attribute = |description: &str, value: &[u8]| Attribute {
        description: description.to_owned(),
        values: vec![Bytes::copy_from_slice(value)],
    };
    attributes.push(attribute("userPassword", password.as_bytes()));
    let token = made.story.tokens.iter().any(|it| it == uid).then(NewToken::draw);
    if let Some(token) = &token {
        classes.extend(["oathTOTPUser", "oathTOTPToken"]);
        attributes.push(attribute("oathTOTPToken", dn.as_bytes()));
        attributes.push(attribute("oathSecret", token.secret.expose()));
    }
    if let Some(there) = attributes.iter_mut().find(|attribute| attribute.description == "objectClass") {
        there.values.extend(classes.into_iter().map(|class| Bytes::from_static(class.as_bytes())));
    }
    made.logins.push(Login { dn: dn.clone(), password, token: token.as_ref().map(|token| token.base32.clone()) });
    made.tokens.extend(token.map(|token| (dn, token)));
}

fn uid_of(dn: &str) -> Option<&str> {
    dn.split(',').next()?.strip_prefix("uid=")
}

fn write_files(folder: &Path) -> Result<(), CommandError> {
    let now = SystemClock::new().now();
    FILES.into_iter().try_for_each(|(name, text, spelling)| {
        let path = folder.join(name);
        fs::write(&path, filled(text, SUFFIX, now, spelling)).map_err(|error| cannot(&path, &error))
    })
}

/// 2027-01-31
fn day(moment: Timestamp) -> String {
    moment.to_rfc3339().chars().take(10).collect()
}

fn has_class(record: &LdifRecord, class: &str) -> bool {
    let LdifBody::Add(attributes) = &record.body else { return false };
    let classes = attributes.iter().filter(|attribute| attribute.description == "objectClass");
    classes.flat_map(|attribute| &attribute.values).any(|value| value.as_ref() == class.as_bytes())
}

fn cannot(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Cannot(format!("{}: {error}; remove the demo's folder to begin anew", path.display()))
}

fn print_guide(folder: &Path, addresses: &[String], logins: &[Login]) {
    // Whoever started the demo and went away does not need the lines.
    let _ = output::octets(guide(folder, addresses, logins).as_bytes());
}

/// What the demo prints once it listens.
fn guide(folder: &Path, addresses: &[String], logins: &[Login]) -> String {
    let certificate = shell_word(&folder.join("tls/server.pem").display().to_string());
    let address = |scheme: &str| {
        let url = addresses.iter().find(|url| url.starts_with(scheme)).cloned().unwrap_or_default();
        url.replace("127.0.0.1", "localhost")
    };
    let (ldap, ldaps, ldapi) = (address("ldap://"), address("ldaps://"), address("ldapi://"));
    let mut text = format!("ready {}\n\nWho can log in:\n", addresses.join(" "));
    for Login { dn, password, token } in logins.iter().take(PRINTED) {
        let behind = if token.is_some() { "  (and, right behind it, a code)" } else { "" };
        text.push_str(&format!("  {password}  {dn}{behind}\n"));
    }
    text.push_str(&format!(
        "and {} more, in {}; codes come from: oathtool --totp -b SECRET (the third column there)\n",
        logins.len().saturating_sub(PRINTED),
        folder.join(PASSWORDS).display()
    ));
    let person = logins.iter().find(|login| login.dn.contains("ou=people"));
    let (Some(administrator), Some(person)) = (logins.first(), person) else { return text };
    let uid = person.dn.split(',').next().unwrap_or_default();
    text.push_str(&format!(
        "\nThings to try in another terminal (package ldap-utils):\n\
         \n  export LDAPTLS_CACERT={certificate}\n\
         \n  # A person logs in over TLS and looks somebody up\n  \
         ldapsearch -x -LLL -H {ldaps} -D {person} -w {password} -b {SUFFIX} '({uid})' cn title mail memberOf\n\
         \n  # The administrator changes an entry, over StartTLS\n  \
         printf 'dn: {person}\\nchangetype: modify\\nreplace: title\\ntitle: Chief of everything\\n' | \
         ldapmodify -x -ZZ -H {ldap} -D {admin} -w {admin_password}\n\
         \n  # Whoever started the demo is the administrator on its Unix socket, without a password\n  \
         ldapwhoami -Q -Y EXTERNAL -H {ldapi}\n\
         \n  # What the journal says of that change\n  \
         {program} journal export --config {configuration} | grep 'Chief of everything'\n\
         \n  # Who bills, who approved it, until when (the README's tour for auditors goes on from here)\n  \
         {program} report access --group cn=billing,ou=roles,{SUFFIX} --config {configuration}\n\
         \nCtrl-C ends it; the folder stays, and the next start finds it again.\n",
        person = shell_word(&person.dn),
        password = person.password,
        admin = shell_word(&administrator.dn),
        admin_password = administrator.password,
        program = shell_word(&program()),
        configuration = shell_word(&folder.join("bindery.toml").display().to_string()),
    ));
    text
}

/// How this program was found, so that the printed lines find it too.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "bindery".to_owned(), |path| path.display().to_string())
}

/// A word as a shell reads it.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.,=-_%:".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
