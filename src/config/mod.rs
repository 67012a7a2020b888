//! `bindery.toml`: what was written (`raw`), then what it means, checked. The rest of the program sees only the second.
//!
//! It holds what belongs to the machine: addresses, certificates, paths, limits, waivers. What decides about people is data in the
//! directory.

mod anchors;
mod check;
mod error;
mod identifiers;
mod limits;
mod outbound;
mod raw;
mod seal_key;
#[cfg(test)]
mod tests;
mod values;
mod waiver;

pub use anchors::{AnchorSettings, SyslogAnchorSettings, TimeStampSettings, WitnessSettings};
pub use error::ConfigurationError;
pub use limits::{ConnectionSettings, Memory};
pub use outbound::{PeerSettings, StreamFormat, StreamSettings};
pub use seal_key::{NewSealKey, SealKeySource};
pub use waiver::{Waiver, WaiverName};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::{digest, hmac};

use crate::model::schema::PosixSchema;
use crate::model::{Dn, Secret, Timestamp};
use crate::operation::identifier::IdentifierSettings;
use crate::operation::monitor::Monitor;
use crate::operation::{CertificateRule, Disclosure, Limits, RememberedLoginSettings, Settings, WaivedNetwork};
use crate::policy::password::Argon2Parameters;

/// A checked configuration. Paths in it are absolute.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Where it was read from.
    pub file: PathBuf,
    /// SHA-256 of the file, lower-case hex: journaled at start and reload.
    pub digest: String,
    /// The name that everything this server holds is below.
    pub suffix: Dn,
    /// The data folder.
    pub data: PathBuf,
    /// Which schema accounts and groups of POSIX systems have.
    pub posix: PosixSchema,
    /// The folder with schema files beside those that are built in; none: there are none.
    pub schema: Option<PathBuf>,
    /// Where the seal key comes from.
    pub seal_key: SealKeySource,
    /// The key that signs checkpoints of the journal.
    pub journal_key: PathBuf,
    /// Where checkpoints are kept out of reach; none: nowhere.
    pub anchors: Option<AnchorSettings>,
    /// Where the journal's records are sent.
    pub streams: Vec<StreamSettings>,
    /// Where the server listens.
    pub listeners: Listeners,
    /// The server's certificate; none: neither LDAPS nor StartTLS.
    pub tls: Option<TlsFiles>,
    /// How client certificates become entries, for SASL EXTERNAL; the first that finds exactly one entry wins.
    pub certificate_rules: Vec<CertificateRule>,
    /// Local users who are somebody over ldapi: user number → DN. User 0 and the server's own user are `cn=admin,SUFFIX` anyway.
    pub ldapi_users: BTreeMap<u32, String>,
    /// Indexes, defaults included.
    pub indexes: Vec<Index>,
    /// Unique values and numbers to give out.
    pub identifiers: IdentifierSettings,
    /// Lines of the file where their attributes stand; none for a default.
    pub identifier_lines: Vec<(String, Option<usize>)>,
    /// Limits of operations.
    pub limits: Limits,
    /// Limits of connections.
    pub connections: ConnectionSettings,
    /// When snapshots are taken.
    pub snapshots: SnapshotSettings,
    /// Octets of the data folder's disk that are left free: below them binds and writes are refused.
    pub disk_reserve: u64,
    /// Cost of new password hashes.
    pub password: Argon2Parameters,
    /// The organisation's list of passwords that may not be chosen, as `bindery blocklist build` wrote it.
    pub blocklist: Option<PathBuf>,
    /// Seconds for which a verified login is remembered; 0: none is.
    pub remember_logins: u32,
    /// What a refused bind says of how the account stands.
    pub discloses: Disclosure,
    /// Whether every search and compare is recorded.
    pub audits_all_reads: bool,
    /// Where the journal goes on when it cannot be written in its place and somebody says so.
    pub emergency_folder: Option<PathBuf>,
    /// Days that records are to be kept.
    pub retention_days: u32,
    /// How the log looks.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: LogLevel,
    /// Waivers in force when the file was read.
    pub waivers: Vec<Waiver>,
    /// Waivers that had run out by then: they are off.
    pub expired_waivers: Vec<Waiver>,
    /// What an operator should know, for the log: waivers that ran out.
    pub warnings: Vec<String>,
}

/// Where the server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listeners {
    /// LDAP, StartTLS possible.
    pub ldap: Vec<SocketAddr>,
    /// LDAP over TLS.
    pub ldaps: Vec<SocketAddr>,
    /// The Unix socket.
    pub ldapi: PathBuf,
}

/// Which files TLS needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The server's certificate and those between it and an authority, PEM, leaf first.
    pub certificate: PathBuf,
    /// Its private key, PEM (PKCS #8, SEC 1 or PKCS #1), not readable by everybody.
    pub key: PathBuf,
    /// Authorities whose client certificates are believed, PEM. None: clients are not asked for a certificate.
    pub client_authorities: Option<PathBuf>,
    /// Which client certificates were revoked, PEM or DER, one list of each authority. None: none are looked for.
    pub revocation_lists: Vec<PathBuf>,
}

/// When snapshots are taken: whichever comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotSettings {
    /// After so many octets of journal.
    pub octets: u64,
    /// After this time, if anything happened.
    pub interval: Duration,
}

impl Default for SnapshotSettings {
    fn default() -> SnapshotSettings {
        SnapshotSettings { octets: 256 * 1024 * 1024, interval: Duration::from_secs(6 * 3600) }
    }
}

/// An attribute to index; the schema resolves its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Index {
    /// Attribute name as written.
    pub attribute: String,
    /// `(a=v)`
    pub equality: bool,
    /// `(a=*)`
    pub presence: bool,
    /// `(a>=v)` and `(a<=v)`
    pub ordering: bool,
    /// `(a=*v*)`
    pub substring: bool,
    /// Line of the file; none for a default.
    pub line: Option<usize>,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people and journald.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged: this and what is graver.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Configuration {
    /// Reads and checks a file. Relative paths in it start at the file's folder. `now`: a waiver that ended before it is off.
    pub fn load(path: &Path, now: Timestamp) -> Result<Configuration, ConfigurationError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigurationError {
            file: path.to_path_buf(),
            line: None,
            key: None,
            problem: error.to_string(),
            remedy: "name the configuration with --config FILE, or make an installation with: bindery init DIR".to_owned(),
        })?;
        Configuration::from_text(path, &text, now)
    }

    /// Checks a text as if it had been read from `path`.
    pub fn from_text(path: &Path, text: &str, now: Timestamp) -> Result<Configuration, ConfigurationError> {
        check::check(path, text, now)
    }

    /// What operations need of it, but for what stands in other files. `seal_key`: the key for keyed hashes is derived from it, so that equal unknown names can be told to be
    /// equal across restarts. `process_key`: random octets of this process alone, for logins that are remembered.
    pub fn settings(&self, seal_key: &Secret, process_key: &Secret) -> Settings {
        let key = hmac::Key::new(hmac::HMAC_SHA256, seal_key.expose());
        Settings {
            clear_text: self.waived_networks(WaiverName::ClearText),
            second_factor: self.waived_networks(WaiverName::SecondFactor),
            certificate_rules: self.certificate_rules.clone(),
            limits: self.limits,
            identifiers: self.identifiers.clone(),
            hash_key: Secret::from(hmac::sign(&key, b"bindery keyed hashes").as_ref()),
            remembered_logins: (self.remember_logins > 0)
                .then(|| RememberedLoginSettings { key: process_key.clone(), seconds: self.remember_logins }),
            blocklist: None,
            version: env!("CARGO_PKG_VERSION"),
            monitor: Monitor::default(),
            start_tls: self.tls.is_some(),
            discloses: self.discloses,
            audits_all_reads: self.audits_all_reads,
        }
    }

    /// A configuration error about an index that the schema cannot carry.
    pub fn index_error(&self, index: &Index, problem: &str) -> ConfigurationError {
        ConfigurationError {
            file: self.file.clone(),
            line: index.line,
            key: Some(format!("indexes.{}", index.attribute)),
            problem: problem.to_owned(),
            remedy: "name an attribute type of the schema, with kinds that its matching rules carry".to_owned(),
        }
    }

    /// A configuration error about an attribute of `[unique]` or `[numbers]`.
    pub fn identifier_error(&self, attribute: &str, problem: &str) -> ConfigurationError {
        let line = self.identifier_lines.iter().find(|(name, _)| name == attribute).and_then(|(_, line)| *line);
        ConfigurationError {
            file: self.file.clone(),
            line,
            key: Some(attribute.to_owned()),
            problem: problem.to_owned(),
            remedy: "name an attribute type of the schema that has an equality rule and whose values are kept in entries"
                .to_owned(),
        }
    }

    fn waived_networks(&self, name: WaiverName) -> Vec<WaivedNetwork> {
        let named = self.waivers.iter().filter(|waiver| waiver.name == name);
        named
            .flat_map(|waiver| waiver.networks.iter().map(|network| WaivedNetwork { network: *network, until: waiver.until }))
            .collect()
    }
}

fn digest_of(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}
