//! From what was written to what it means: every value checked, every refusal with its place and what to write instead.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::error::{ConfigurationError, Source};
use super::raw::{CertificateMapping, Keys, Listen, Log, Raw, Tls};
use super::{Configuration, Listeners, LogFormat, LogLevel, SealKeySource, TlsFiles, digest_of, values, waiver};
use super::{anchors, identifiers, limits, outbound};
use crate::model::schema::PosixSchema;
use crate::model::{Dn, Timestamp};
use crate::operation::{CertificateRule, Disclosure};

/// Octets of a Unix socket's path, by sockaddr_un less its NUL.
const MAX_SOCKET_PATH: usize = 107;
const ADDRESS_REMEDY: &str = "write an address and a port: [\"127.0.0.1:389\"], [\"[::1]:389\"], or [\"0.0.0.0:389\"] for all";

/// Checks a whole file.
pub(super) fn check(file: &Path, text: &str, now: Timestamp) -> Result<Configuration, ConfigurationError> {
    let source = Source { file, text };
    let raw: Raw = toml::from_str(text).map_err(|error| source.syntax(&error))?;
    // Absolute, because the socket's path is told to clients and the program may change its working folder.
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    let waivers = waiver::check(&source, &raw.waiver, now)?;
    let mut warnings = waivers.warnings.clone();
    let (data, seal_key) = storage(&source, folder, raw.data.as_ref(), &raw.keys)?;
    let (tls, certificate_rules) = match &raw.tls {
        None => (None, Vec::new()),
        Some(tls) => {
            let (files, rules) = tls_files(&source, folder, tls)?;
            (Some(files), rules)
        }
    };
    let (identifiers, identifier_lines) = identifiers::check(&source, raw.unique.as_ref(), &raw.numbers)?;
    let limits = limits::limits(&source, &raw.limits)?;
    Ok(Configuration {
        file: file.to_path_buf(),
        digest: digest_of(text),
        suffix: suffix(&source, raw.suffix.as_ref())?,
        posix: posix(&source, raw.posix.as_ref())?,
        schema: raw.schema.as_ref().map(|written| path(&source, folder, "schema", written)).transpose()?,
        journal_key: journal_key(&source, folder, &data, &seal_key, &raw.keys)?,
        anchors: anchors::anchors(&source, folder, &data, raw.journal.anchors.as_ref(), raw.journal.strict.as_ref())?,
        streams: outbound::streams(&source, folder, &raw.journal.stream)?,
        emergency_folder: emergency_folder(&source, folder, &data, &raw)?,
        retention_days: values::retention_days(&source, &raw.journal, &waivers, &mut warnings)?,
        data,
        seal_key,
        listeners: listeners(&source, folder, &raw.listen, tls.is_some())?,
        tls,
        certificate_rules,
        ldapi_users: ldapi_users(&source, &raw.ldapi.users)?,
        indexes: values::indexes(&source, &raw.indexes)?,
        identifiers,
        identifier_lines,
        limits,
        connections: limits::connections(&source, &raw.limits, &limits)?,
        snapshots: values::snapshots(&source, &raw.snapshots)?,
        disk_reserve: values::disk_reserve(&source, &raw.limits)?,
        password: values::argon2id(&source, &raw.password.argon2id, &waivers, &mut warnings)?,
        blocklist: raw
            .password
            .blocklist
            .as_ref()
            .map(|written| path(&source, folder, "password.blocklist", written))
            .transpose()?,
        remember_logins: values::remember_logins(&source, raw.password.remember_logins.as_ref())?,
        discloses: discloses(&source, &raw)?,
        audits_all_reads: audits_all_reads(&source, &raw)?,
        log_format: log_format(&source, &raw.log)?,
        log_level: log_level(&source, &raw.log)?,
        waivers: waivers.valid,
        expired_waivers: waivers.expired,
        warnings,
    })
}

/// `journal.emergency-folder`: not with what fails, and not the only one that has what is recorded there.
fn emergency_folder(source: &Source<'_>, folder: &Path, data: &Path, raw: &Raw) -> Result<Option<PathBuf>, ConfigurationError> {
    const FIELD: &str = "journal.emergency-folder";
    let Some(written) = &raw.journal.emergency_folder else { return Ok(None) };
    let named = path(source, folder, FIELD, written)?;
    if named.starts_with(data) || data.starts_with(&named) {
        let problem = "lies with the data folder, so it fails with it";
        return Err(source.error(written.span(), FIELD, problem, "name a folder on another disk"));
    }
    if raw.journal.stream.is_empty() {
        let problem = "needs a collector that has what is recorded there, too";
        return Err(source.error(written.span(), FIELD, problem, "add a [[journal.stream]]"));
    }
    Ok(Some(named))
}

/// `journal.reads`: "audited" or "all".
fn audits_all_reads(source: &Source<'_>, raw: &Raw) -> Result<bool, ConfigurationError> {
    let Some(reads) = &raw.journal.reads else { return Ok(false) };
    match reads.get_ref().as_str() {
        "audited" => Ok(false),
        "all" => Ok(true),
        other => {
            let remedy = "write \"audited\": what the schema flags and audit rules name, or \"all\"";
            Err(source.error(reads.span(), "journal.reads", format!("{other:?} is none"), remedy))
        }
    }
}

/// `disclose`: "nothing" or "legacy", which is both `disclose-control` and `disclose-texts`, unless these say otherwise.
fn discloses(source: &Source<'_>, raw: &Raw) -> Result<Disclosure, ConfigurationError> {
    let all = match raw.disclose.as_ref().map(|written| (written, written.get_ref().as_str())) {
        None | Some((_, "nothing")) => Disclosure::default(),
        Some((_, "legacy")) => Disclosure::LEGACY,
        Some((written, other)) => {
            let remedy = "write disclose = \"legacy\" where applications parse why a bind was refused, else leave it out";
            return Err(source.error(written.span(), "disclose", format!("{other:?} is nothing that can be disclosed"), remedy));
        }
    };
    let (control, texts) = (raw.disclose_control.unwrap_or(all.control), raw.disclose_texts.unwrap_or(all.texts));
    Ok(Disclosure { control, texts })
}

fn suffix(source: &Source<'_>, written: Option<&Spanned<String>>) -> Result<Dn, ConfigurationError> {
    const REMEDY: &str = "write the name that everything is below: suffix = \"dc=hospital,dc=example\"";
    let written = written.ok_or_else(|| source.missing("suffix", REMEDY))?;
    let dn = Dn::parse(written.get_ref().as_bytes()).ok().filter(|dn| !dn.is_empty());
    dn.ok_or_else(|| {
        let problem = format!("{:?} is no name that a directory can be below", written.get_ref());
        source.error(written.span(), "suffix", problem, REMEDY)
    })
}

/// The data folder and the seal key, which must lie outside it: whoever takes the folder must not have the key with it.
fn storage(
    source: &Source<'_>,
    folder: &Path,
    data: Option<&Spanned<String>>,
    keys: &Keys,
) -> Result<(PathBuf, SealKeySource), ConfigurationError> {
    let data = match data {
        Some(written) => path(source, folder, "data", written)?,
        None => folder.join("data"),
    };
    let seal_key = match (&keys.seal, &keys.seal_environment) {
        (Some(_), Some(environment)) => {
            let problem = "stands beside keys.seal, so it is not clear which key holds";
            return Err(source.error(environment.span(), "keys.seal-environment", problem, "remove one of the two"));
        }
        (Some(file), None) => {
            let key = path(source, folder, "keys.seal", file)?;
            if key.starts_with(&data) {
                let problem = "lies in the data folder, so whoever gets the data gets the key with it";
                return Err(source.error(file.span(), "keys.seal", problem, "keep the key elsewhere: seal = \"keys/seal.key\""));
            }
            SealKeySource::File(key)
        }
        (None, Some(name)) => {
            let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
            if name.get_ref().is_empty() || !name.get_ref().bytes().all(fits) {
                let problem = format!("{:?} is no name of an environment variable", name.get_ref());
                let remedy = "write the variable's name: seal-environment = \"BINDERY_SEAL_KEY\"";
                return Err(source.error(name.span(), "keys.seal-environment", problem, remedy));
            }
            SealKeySource::Environment(name.get_ref().clone())
        }
        (None, None) => SealKeySource::File(folder.join("keys/seal.key")),
    };
    Ok((data, seal_key))
}

/// The key that signs checkpoints: beside the seal key unless it is said where.
fn journal_key(
    source: &Source<'_>,
    folder: &Path,
    data: &Path,
    seal_key: &SealKeySource,
    keys: &Keys,
) -> Result<PathBuf, ConfigurationError> {
    let Some(written) = &keys.journal else {
        return Ok(seal_key.file().map_or_else(|| folder.join("keys/journal.key"), |seal| seal.with_file_name("journal.key")));
    };
    let key = path(source, folder, "keys.journal", written)?;
    if key.starts_with(data) {
        let problem = "lies in the data folder, so whoever can change the journal can sign it too";
        return Err(source.error(
            written.span(),
            "keys.journal",
            problem,
            "keep the key elsewhere: journal = \"keys/journal.key\"",
        ));
    }
    Ok(key)
}

fn listeners(source: &Source<'_>, folder: &Path, written: &Listen, has_tls: bool) -> Result<Listeners, ConfigurationError> {
    let ldapi = match &written.ldapi {
        Some(written) => path(source, folder, "listen.ldapi", written)?,
        None => folder.join("ldapi"),
    };
    if ldapi.as_os_str().len() > MAX_SOCKET_PATH {
        let problem = format!("{} is longer than the {MAX_SOCKET_PATH} octets a socket's path may have", ldapi.display());
        let span = written.ldapi.as_ref().map_or(0..0, Spanned::span);
        return Err(source.error(span, "listen.ldapi", problem, "write a shorter path: ldapi = \"/run/bindery/ldapi\""));
    }
    if let (Some(first), false) = (written.ldaps.first(), has_tls) {
        let remedy = "add a [tls] table with certificate and key, or remove the address";
        return Err(source.error(first.span(), "listen.ldaps", "needs a certificate and there is none", remedy));
    }
    let ldap = addresses(source, "listen.ldap", &written.ldap)?;
    let ldaps = addresses(source, "listen.ldaps", &written.ldaps)?;
    let both = ldaps.iter().zip(&written.ldaps).find(|(address, _)| address.port() != 0 && ldap.contains(address));
    if let Some((address, written)) = both {
        let problem = format!("{address} is taken by listen.ldap");
        return Err(source.error(written.span(), "listen.ldaps", problem, "give each its own port: 389 and 636 are usual"));
    }
    Ok(Listeners { ldap, ldaps, ldapi })
}

fn addresses(source: &Source<'_>, key: &str, written: &[Spanned<String>]) -> Result<Vec<SocketAddr>, ConfigurationError> {
    let each = written.iter().map(|address| {
        let problem = || format!("{:?} is no address", address.get_ref());
        address.get_ref().parse().map_err(|_| source.error(address.span(), key, problem(), ADDRESS_REMEDY))
    });
    each.collect()
}

fn tls_files(
    source: &Source<'_>,
    folder: &Path,
    written: &Spanned<Tls>,
) -> Result<(TlsFiles, Vec<CertificateRule>), ConfigurationError> {
    let tls = written.get_ref();
    let required = |key: &str, value: &Option<Spanned<String>>, remedy: &str| match value {
        Some(value) => path(source, folder, key, value),
        None => Err(source.error(written.span(), key, "is missing", remedy)),
    };
    let files = TlsFiles {
        certificate: required("tls.certificate", &tls.certificate, "write the path: certificate = \"tls/server.pem\"")?,
        key: required("tls.key", &tls.key, "write the path: key = \"tls/server.key\"")?,
        client_authorities: match &tls.client_authorities {
            Some(value) => Some(path(source, folder, "tls.client-authorities", value)?),
            None => None,
        },
        revocation_lists: tls
            .revocation_lists
            .iter()
            .map(|list| path(source, folder, "tls.revocation-lists", list))
            .collect::<Result<_, _>>()?,
    };
    let rules: Vec<CertificateRule> =
        tls.certificate_mapping.iter().map(|rule| certificate_rule(source, rule)).collect::<Result<_, _>>()?;
    let idle = tls.certificate_mapping.first().map(|first| ("tls.certificate-mapping", first.span()));
    let idle = idle.or_else(|| tls.revocation_lists.first().map(|first| ("tls.revocation-lists", first.span())));
    if let (Some((key, span)), None) = (idle, &files.client_authorities) {
        let problem = "does nothing, because clients are not asked for certificates";
        let remedy = "write whose certificates are believed: client-authorities = \"tls/clients.pem\"";
        return Err(source.error(span, key, problem, remedy));
    }
    // Where nothing else is said, a certificate's subject must be the entry's own name: the one mapping that cannot mistake anybody.
    let default = files.client_authorities.is_some() && rules.is_empty();
    Ok((files, if default { vec![CertificateRule::SubjectDn] } else { rules }))
}

fn certificate_rule(source: &Source<'_>, written: &Spanned<CertificateMapping>) -> Result<CertificateRule, ConfigurationError> {
    const REMEDY: &str = "write match = \"subject\", \"email\", \"common-name\" or \"uid\"";
    let rule = written.get_ref();
    let kind = rule.r#match.as_ref();
    let kind = kind.ok_or_else(|| source.error(written.span(), "tls.certificate-mapping.match", "is missing", REMEDY))?;
    let attribute = |default: &str| match &rule.attribute {
        Some(name) if name.get_ref().trim().is_empty() => {
            let key = "tls.certificate-mapping.attribute";
            Err(source.error(name.span(), key, "is empty", format!("write the attribute to look in: attribute = {default:?}")))
        }
        Some(name) => Ok(name.get_ref().trim().to_owned()),
        None => Ok(default.to_owned()),
    };
    match kind.get_ref().as_str() {
        "subject" => match &rule.attribute {
            None => Ok(CertificateRule::SubjectDn),
            Some(name) => {
                let problem = "has no meaning where the subject is the entry's name";
                Err(source.error(name.span(), "tls.certificate-mapping.attribute", problem, "remove it"))
            }
        },
        "email" => Ok(CertificateRule::Email { attribute: attribute("mail")? }),
        "common-name" => Ok(CertificateRule::CommonName { attribute: attribute("uid")? }),
        "uid" => Ok(CertificateRule::Uid { attribute: attribute("uid")? }),
        other => Err(source.error(kind.span(), "tls.certificate-mapping.match", format!("{other:?} is no way to match"), REMEDY)),
    }
}

/// Users by number, or by a name in /etc/passwd.
fn ldapi_users(
    source: &Source<'_>,
    written: &BTreeMap<String, Spanned<String>>,
) -> Result<BTreeMap<u32, String>, ConfigurationError> {
    let mut users = BTreeMap::new();
    for (user, dn) in written {
        let key = format!("ldapi.users.{user}");
        let number = user.parse().ok().or_else(|| user_number(user));
        let number = number.ok_or_else(|| {
            let remedy = "write the user's number as the key: \"1001\" = \"uid=backup,ou=services,…\"";
            source.error(dn.span(), key.as_str(), "is no user of /etc/passwd", remedy)
        })?;
        if Dn::parse(dn.get_ref().as_bytes()).map_or(true, |dn| dn.is_empty()) {
            let problem = format!("{:?} is no name", dn.get_ref());
            return Err(source.error(dn.span(), key, problem, "write the DN of the entry that the user stands for"));
        }
        if users.insert(number, dn.get_ref().clone()).is_some() {
            let problem = format!("user {number} stands in the table twice");
            return Err(source.error(dn.span(), key, problem, "remove one of the two"));
        }
    }
    Ok(users)
}

fn user_number(name: &str) -> Option<u32> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

fn posix(source: &Source<'_>, written: Option<&Spanned<String>>) -> Result<PosixSchema, ConfigurationError> {
    let Some(written) = written else { return Ok(PosixSchema::default()) };
    PosixSchema::named(written.get_ref()).ok_or_else(|| {
        let problem = format!("{:?} is no document on accounts and groups of POSIX systems", written.get_ref());
        source.error(written.span(), "posix", problem, "write \"rfc2307\" or \"rfc2307bis\"")
    })
}

fn log_format(source: &Source<'_>, log: &Log) -> Result<LogFormat, ConfigurationError> {
    let Some(written) = &log.format else { return Ok(LogFormat::default()) };
    match written.get_ref().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => {
            let problem = format!("{other:?} is no format");
            Err(source.error(written.span(), "log.format", problem, "write \"text\" or \"json\""))
        }
    }
}

fn log_level(source: &Source<'_>, log: &Log) -> Result<LogLevel, ConfigurationError> {
    let Some(written) = &log.level else { return Ok(LogLevel::default()) };
    match written.get_ref().as_str() {
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        other => {
            let remedy = "write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
            Err(source.error(written.span(), "log.level", format!("{other:?} is no level"), remedy))
        }
    }
}

/// A path, from the file's folder where it is relative.
pub(super) fn path(
    source: &Source<'_>,
    folder: &Path,
    key: &str,
    written: &Spanned<String>,
) -> Result<PathBuf, ConfigurationError> {
    if written.get_ref().trim().is_empty() || written.get_ref().contains('\0') {
        return Err(source.error(written.span(), key, "is no path", "write a path; a relative one starts at this file's folder"));
    }
    Ok(folder.join(written.get_ref()))
}
