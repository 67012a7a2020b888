//! What `bindery init` is asked for, checked before anything is written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::ToSpan;

use super::{Arguments, CommandError};
use crate::config::WaiverName;
use crate::model::{Dn, Timestamp};

/// How long a waiver lasts unless `--waiver-until` says otherwise.
const WAIVER_DAYS: i64 = 90;
const DEFAULT_LDAP: &str = "127.0.0.1:389";
const DEFAULT_LDAPS: &str = "127.0.0.1:636";

/// A checked request.
pub(super) struct Plan {
    /// Absolute.
    pub(super) folder: PathBuf,
    pub(super) suffix: Dn,
    pub(super) ldap: SocketAddr,
    pub(super) ldaps: SocketAddr,
    pub(super) ldapi: Option<PathBuf>,
    /// Absolute; none: `DIR/keys`.
    pub(super) keys: Option<PathBuf>,
    /// Absolute; none: in the data folder.
    pub(super) journal_folder: Option<PathBuf>,
    /// Absolute; none: one is made.
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
    pub(super) waivers: Vec<PlannedWaiver>,
}

/// A waiver to write.
pub(super) struct PlannedWaiver {
    pub(super) name: WaiverName,
    pub(super) reason: String,
    pub(super) owner: String,
    /// `2027-02-28`
    pub(super) until: jiff::civil::Date,
    /// None: loopback.
    pub(super) networks: Vec<IpNet>,
}

impl Plan {
    /// Checks the arguments; `now` is for the end of waivers.
    pub(super) fn new(arguments: &Arguments, now: Timestamp) -> Result<Plan, CommandError> {
        let folder = absolute(&arguments.folder)?;
        let keys = arguments.keys.as_deref().map(absolute).transpose()?;
        if keys.as_ref().is_some_and(|keys| keys.starts_with(folder.join("data"))) {
            return Err(usage("--keys lies in the data folder, so whoever gets the data gets the keys; name another folder"));
        }
        let journal_folder = arguments.journal_folder.as_deref().map(absolute).transpose()?;
        if journal_folder.as_ref().is_some_and(|journal| journal.starts_with(&folder)) {
            return Err(usage("--journal-folder lies in the folder of the installation; name one on another disk"));
        }
        let certificate = match (&arguments.certificate, &arguments.certificate_key) {
            (Some(certificate), Some(key)) => Some((absolute(certificate)?, absolute(key)?)),
            _ => None,
        };
        let address = |option: &str, given: &Option<String>, default: &str| {
            let text = given.as_deref().unwrap_or(default);
            text.parse::<SocketAddr>()
                .map_err(|_| usage(format!("{option} {text}: is no address; write an address and a port: {default}")))
        };
        Ok(Plan {
            suffix: suffix(&arguments.suffix)?,
            ldap: address("--ldap", &arguments.ldap, DEFAULT_LDAP)?,
            ldaps: address("--ldaps", &arguments.ldaps, DEFAULT_LDAPS)?,
            ldapi: arguments.ldapi.as_deref().map(absolute).transpose()?,
            keys,
            journal_folder,
            certificate,
            waivers: waivers(arguments, now)?,
            folder,
        })
    }
}

/// A suffix whose entry can be made: one RDN of a type that a structural class belongs to.
fn suffix(text: &str) -> Result<Dn, CommandError> {
    let dn = Dn::parse(text.as_bytes())
        .map_err(|_| usage(format!("--suffix {text}: is no DN; write one like dc=hospital,dc=example")))?;
    if super::entries::suffix_class(&dn).is_none() {
        return Err(usage(format!(
            "--suffix {text}: must begin with dc=, o=, ou=, l= or c=; write one like dc=hospital,dc=example"
        )));
    }
    Ok(dn)
}

fn waivers(arguments: &Arguments, now: Timestamp) -> Result<Vec<PlannedWaiver>, CommandError> {
    let extra = arguments.waiver_reason.is_some()
        || arguments.waiver_owner.is_some()
        || arguments.waiver_until.is_some()
        || !arguments.waiver_networks.is_empty();
    if arguments.waivers.is_empty() {
        return if extra {
            Err(usage("--waiver-… says something of a waiver and there is none; add --waive NAME"))
        } else {
            Ok(Vec::new())
        };
    }
    let reason = arguments.waiver_reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    let reason = reason.ok_or_else(|| usage("--waive needs a reason; add --waiver-reason TEXT"))?;
    let owner = match arguments.waiver_owner.as_deref().map(str::trim) {
        Some("") => return Err(usage("--waiver-owner is empty; name who answers for the waiver")),
        Some(owner) => owner.to_owned(),
        None => installing_user(),
    };
    let until = until(arguments.waiver_until.as_deref(), now)?;
    let networks = networks(&arguments.waiver_networks)?;
    let mut planned: Vec<PlannedWaiver> = Vec::new();
    for name in &arguments.waivers {
        let name = WaiverName::from_name(name)
            .filter(|name| matches!(name, WaiverName::ClearText | WaiverName::SecondFactor))
            .ok_or_else(|| usage(format!("--waive {name}: cannot be waived; write clear-text or second-factor")))?;
        if !planned.iter().any(|waiver| waiver.name == name) {
            let (reason, owner, networks) = (reason.to_owned(), owner.clone(), networks.clone());
            planned.push(PlannedWaiver { name, reason, owner, until, networks });
        }
    }
    Ok(planned)
}

fn until(written: Option<&str>, now: Timestamp) -> Result<jiff::civil::Date, CommandError> {
    let today = jiff::Timestamp::from_microsecond(now.0)
        .map(|now| now.to_zoned(jiff::tz::TimeZone::UTC).date())
        .map_err(|_| CommandError::Cannot("the clock of this machine is far off; correct it".to_owned()))?;
    let date = match written {
        None => today.checked_add(WAIVER_DAYS.days()).map_err(|_| usage("--waiver-until: write a date like 2027-02-28"))?,
        Some(text) => text.parse().map_err(|_| usage(format!("--waiver-until {text}: is no date; write one like 2027-02-28")))?,
    };
    if date <= today {
        return Err(usage(format!(
            "--waiver-until {date}: is not ahead, so the waiver would be off at once; write a later date"
        )));
    }
    Ok(date)
}

fn networks(written: &[String]) -> Result<Vec<IpNet>, CommandError> {
    let each = written.iter().map(|text| {
        text.parse::<IpNet>()
            .map(|network| network.trunc())
            .map_err(|_| usage(format!("--waiver-network {text}: is no network; write one with its length: 10.1.0.0/16")))
    });
    each.collect()
}

/// Who runs this command, by name where /etc/passwd knows one.
fn installing_user() -> String {
    let number = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {number}"))
}

fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    std::path::absolute(path).map_err(|error| usage(format!("{}: {error}", path.display())))
}

fn usage(text: impl Into<String>) -> CommandError {
    CommandError::Usage(text.into())
}
