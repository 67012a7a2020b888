//! `bindery demo`: a sample hospital on this machine, to try things out. Everything it does an administrator could do with `init`, `import`
//! and `serve`.

#[cfg(test)]
mod hospital_tests;

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;

use super::installation::{OfflineInstallation, create_private};
use super::{CommandError, Installation, import, init, logging, output};
use crate::config::{LogFormat, LogLevel, WaiverName};
use crate::journal::RecordKind;
use crate::model::ldif::{LdifBody, LdifReader, LdifRecord};
use crate::model::{Attribute, Secret};
use crate::server::run;
use crate::server::world::SystemEntropy;
use crate::world::Entropy;

/// The sample: every name in it is invented.
const HOSPITAL: &str = include_str!("demo/hospital.ldif");
const SUFFIX: &str = "dc=mercy,dc=example";
const DEFAULT_FOLDER: &str = "bindery-demo";
/// Who can log in, with their passwords; only its owner can read it.
const PASSWORDS: &str = "passwords";
/// People who get a password; every service account gets one.
const PEOPLE: usize = 4;
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

/// Who can log in.
struct Login {
    dn: String,
    password: String,
}

/// Makes the sample hospital if it is not there, serves it, and says how to use it.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let folder = std::path::absolute(&arguments.folder).map_err(|error| cannot(&arguments.folder, &error))?;
    let file = folder.join("bindery.toml");
    if !file.exists() {
        output::line(format_args!("making a sample hospital in {}", folder.display()))?;
        make(arguments, &folder)?;
    }
    let logins = read_logins(&folder.join(PASSWORDS))?;
    let installation = Installation { file: Some(file) }.load()?;
    logging::start(LogFormat::Text, LogLevel::Warn);
    run::run(&installation, |addresses| {
        // Whoever started the demo and went away does not need the lines.
        let _ = output::octets(guide(&folder, addresses, &logins).as_bytes());
    })
    .map_err(|error| CommandError::Cannot(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder whole or not at all: it gets its name when everything is in it.
fn make(arguments: &Arguments, folder: &Path) -> Result<(), CommandError> {
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
    let mut logins = vec![Login { dn: format!("cn=admin,{SUFFIX}"), password: administrator }];
    let loaded = load(&file, &mut logins).and_then(|()| write_logins(&folder.join(PASSWORDS), &logins));
    if loaded.is_err() {
        // Half a hospital would be taken for a whole one by the next start.
        let _ = fs::remove_file(file);
    }
    loaded
}

fn load(file: &Path, logins: &mut Vec<Login>) -> Result<(), CommandError> {
    let mut records = LdifReader::new(HOSPITAL.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CommandError::Cannot(format!("the sample hospital: {error}")))?;
    let mut people = 0;
    for record in &mut records {
        let is_service = has_class(record, "account");
        let is_person = has_class(record, "inetOrgPerson");
        people += usize::from(is_person);
        if is_service || (is_person && people <= PEOPLE) {
            let login = Login { dn: String::from_utf8_lossy(&record.dn).into_owned(), password: new_password() };
            give_password(record, &login.password, is_service);
            logins.push(login);
        }
    }
    let mut installation = OfflineInstallation::open_without_indexes(&Installation { file: Some(file.to_owned()) })?;
    let (loaded, written) = installation.bulk(|bulk, aside| {
        for group in records.chunks(import::GROUP) {
            let mut proposals = import::proposals(aside, bulk.head(), group)?;
            let replies = bulk.load(&mut proposals, |_| true).map_err(|error| CommandError::Cannot(error.to_string()))?;
            for (record, reply) in group.iter().zip(&replies) {
                if let Some(problem) = OfflineInstallation::refusal(reply).map(import::describe) {
                    return Err(CommandError::Cannot(format!("the sample hospital: line {}: {problem}", record.line)));
                }
            }
        }
        Ok(())
    });
    written.and(loaded)?;
    let details = vec![("files", "the sample hospital".to_owned()), ("loaded", records.len().to_string())];
    installation.note(OfflineInstallation::record(RecordKind::Import, details))?;
    installation.close();
    Ok(())
}

fn has_class(record: &LdifRecord, class: &str) -> bool {
    let LdifBody::Add(attributes) = &record.body else { return false };
    let classes = attributes.iter().filter(|attribute| attribute.description == "objectClass");
    classes.flat_map(|attribute| &attribute.values).any(|value| value.as_ref() == class.as_bytes())
}

fn give_password(record: &mut LdifRecord, password: &str, is_service: bool) {
    let LdifBody::Add(attributes) = &mut record.body else { return };
    if is_service && let Some(classes) = attributes.iter_mut().find(|attribute| attribute.description == "objectClass") {
        classes.values.push(Bytes::from_static(b"simpleSecurityObject"));
    }
    let values = vec![Bytes::copy_from_slice(password.as_bytes())];
    attributes.push(Attribute { description: "userPassword".to_owned(), values });
}

/// Twenty letters and digits that nobody mistakes for each other, in groups: 98 bits.
fn new_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut octets = [0; 20];
    SystemEntropy::new().fill(&mut octets);
    let letters = octets.iter().filter_map(|octet| LETTERS.get(usize::from(octet % 32)).copied());
    let letters: Vec<char> = letters.map(char::from).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn write_logins(path: &Path, logins: &[Login]) -> Result<(), CommandError> {
    let mut file = create_private(path).map_err(|error| cannot(path, &error))?;
    for Login { dn, password } in logins {
        writeln!(file, "{password}\t{dn}").map_err(|error| cannot(path, &error))?;
    }
    Ok(())
}

fn read_logins(path: &Path) -> Result<Vec<Login>, CommandError> {
    let text = fs::read_to_string(path).map_err(|error| cannot(path, &error))?;
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(pairs.map(|(password, dn)| Login { dn: dn.to_owned(), password: password.to_owned() }).collect())
}

fn cannot(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Cannot(format!("{}: {error}; remove the demo's folder to begin anew", path.display()))
}

/// What the demo prints once it listens.
fn guide(folder: &Path, addresses: &[String], logins: &[Login]) -> String {
    let certificate = shell_word(&folder.join("tls/server.pem").display().to_string());
    let address = |scheme: &str| {
        let url = addresses.iter().find(|url| url.starts_with(scheme)).cloned().unwrap_or_default();
        url.replace("127.0.0.1", "localhost")
    };
    let (ldap, ldaps, ldapi) = (address("ldap://"), address("ldaps://"), address("ldapi://"));
    let people: Vec<&Login> = logins.iter().filter(|login| login.dn.contains("ou=people")).collect();
    let mut text = format!("ready {}\n\nWho can log in (also in {}):\n", addresses.join(" "), folder.join(PASSWORDS).display());
    for Login { dn, password } in logins {
        text.push_str(&format!("  {password}  {dn}\n"));
    }
    let (Some(administrator), Some(person)) = (logins.first(), people.first()) else { return text };
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
         {program} journal export --config {configuration} | grep '\"type\":\"modify\"'\n\
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
