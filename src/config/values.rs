//! Numbers and lists: the cost of password hashes, indexes.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use super::error::{ConfigurationError, Source};
use super::raw::{Argon2id, RawJournal, RawLimits, RawSnapshots};
use super::waiver::{WaiverName, Waivers};
use super::{Index, SnapshotSettings};
use crate::policy::password::Argon2Parameters;

/// Octets of the disk that are left alone, unless the file says otherwise: room for what the checkpoint has begun, a snapshot's end and a
/// segment.
const DISK_RESERVE: i64 = 256 * 1024 * 1024;
/// The least: what the checkpoint may write at once.
const MIN_DISK_RESERVE: i64 = 16 * 1024 * 1024;
const MAX_DISK_RESERVE: i64 = 1 << 40;
/// Seconds for which a verified login is remembered unless the file says otherwise, …
const DEFAULT_REMEMBERED: i64 = 300;
/// … and at most.
const MAX_REMEMBERED: i64 = 3600;
/// Six years, two of them leap years: days that records are to be kept unless the file says otherwise, and the least without a waiver.
const SIX_YEARS: i64 = 6 * 365 + 2;
/// A hundred years.
const MAX_RETENTION: i64 = 36_525;

/// What applications search for: these are indexed unless the file says otherwise. `member` and its kin are sets with indexes of their
/// own.
const DEFAULT_INDEXES: [(&str, &str); 16] = [
    ("objectClass", "eq"),
    ("uid", "eq sub"),
    ("cn", "eq sub"),
    ("sn", "eq sub"),
    ("givenName", "eq sub"),
    ("displayName", "eq sub"),
    ("mail", "eq sub"),
    ("employeeNumber", "eq sub"),
    ("telephoneNumber", "eq"),
    ("ou", "eq"),
    ("dc", "eq"),
    ("uidNumber", "eq"),
    ("gidNumber", "eq"),
    ("entryUUID", "eq"),
    ("modifyTimestamp", "eq ord"),
    ("entryCSN", "eq ord"),
];

/// When snapshots are taken: from every MiB of journal to every TiB, from every minute to every week.
pub(super) fn snapshots(source: &Source<'_>, written: &RawSnapshots) -> Result<SnapshotSettings, ConfigurationError> {
    const WEEK: i64 = 7 * 24 * 3600;
    let default = SnapshotSettings::default();
    let octets = i64::try_from(default.octets).unwrap_or(i64::MAX);
    let seconds = i64::try_from(default.interval.as_secs()).unwrap_or(WEEK);
    let octets = number(source, "snapshots.journal", &written.journal, (1 << 20, 1 << 40), octets)?;
    let interval = number(source, "snapshots.interval", &written.interval, (60, WEEK), seconds)?;
    Ok(SnapshotSettings { octets: octets.unsigned_abs(), interval: Duration::from_secs(interval.unsigned_abs()) })
}

/// Octets of the disk that are left alone.
pub(super) fn disk_reserve(source: &Source<'_>, written: &RawLimits) -> Result<u64, ConfigurationError> {
    let range = (MIN_DISK_RESERVE, MAX_DISK_RESERVE);
    Ok(number(source, "limits.disk-reserve", &written.disk_reserve, range, DISK_RESERVE)?.unsigned_abs())
}

/// The cost of new password hashes. Below OWASP's floor it needs a waiver; when that has run out, the floor holds.
pub(super) fn argon2id(
    source: &Source<'_>,
    written: &Argon2id,
    waivers: &Waivers,
    warnings: &mut Vec<String>,
) -> Result<Argon2Parameters, ConfigurationError> {
    let floor = Argon2Parameters::FLOOR;
    let number = |key: &str, value: &Option<Spanned<i64>>, range, default: u32| number(source, key, value, range, default.into());
    let parameters = Argon2Parameters {
        memory: narrow(number("password.argon2id.memory", &written.memory, (8, 262_144), floor.memory)?),
        passes: narrow(number("password.argon2id.passes", &written.passes, (1, 1000), floor.passes)?),
        lanes: narrow(number("password.argon2id.lanes", &written.lanes, (1, 64), floor.lanes)?),
    };
    let keys = [("memory", &written.memory), ("passes", &written.passes), ("lanes", &written.lanes)];
    let at = |wanted: &str| {
        let (key, span) = keys
            .iter()
            .filter(|(_, value)| value.is_some())
            .max_by_key(|(key, _)| *key == wanted)
            .map_or((wanted, 0..0), |(key, value)| (*key, value.as_ref().map_or(0..0, Spanned::span)));
        (format!("password.argon2id.{key}"), span)
    };
    if !parameters.is_usable() {
        let (key, span) = at("memory");
        let problem = "memory must be at least 8 KiB for each lane, and memory times passes at most 1048576";
        return Err(source.error(span, key, problem, "write OWASP's values: memory = 19456, passes = 2, lanes = 1"));
    }
    if parameters.memory >= floor.memory && parameters.passes >= floor.passes {
        return Ok(parameters);
    }
    let has = |list: &[super::Waiver]| list.iter().any(|waiver| waiver.name == WaiverName::PasswordHash);
    if has(&waivers.valid) {
        return Ok(parameters);
    }
    if has(&waivers.expired) {
        warnings.push("the waiver password-hash ran out: new password hashes are made with OWASP's parameters".to_owned());
        return Ok(floor);
    }
    let (key, span) = at(if parameters.memory < floor.memory { "memory" } else { "passes" });
    let problem = format!("memory = {}, passes = {} is weaker than OWASP's floor", parameters.memory, parameters.passes);
    let remedy = "write memory = 19456 and passes = 2 or more, or add a [[waiver]] named \"password-hash\" with a reason, an owner and an end";
    Err(source.error(span, key, problem, remedy))
}

/// Days that records are to be kept. Fewer than those of six years need a waiver; when that has run out, six years hold.
pub(super) fn retention_days(
    source: &Source<'_>,
    written: &RawJournal,
    waivers: &Waivers,
    warnings: &mut Vec<String>,
) -> Result<u32, ConfigurationError> {
    const KEY: &str = "journal.retention-days";
    let days = number(source, KEY, &written.retention_days, (1, MAX_RETENTION), SIX_YEARS)?;
    let has = |list: &[super::Waiver]| list.iter().any(|waiver| waiver.name == WaiverName::JournalRetention);
    if days >= SIX_YEARS || has(&waivers.valid) {
        return Ok(narrow(days));
    }
    if has(&waivers.expired) {
        warnings.push(format!("the waiver journal-retention ran out: the journal is to be kept for {SIX_YEARS} days"));
        return Ok(narrow(SIX_YEARS));
    }
    let span = written.retention_days.as_ref().map_or(0..0, Spanned::span);
    let remedy =
        format!("write {SIX_YEARS} or more, or add a [[waiver]] named \"journal-retention\" with a reason, an owner and an end");
    Err(source.error(span, KEY, format!("{days} days are less than six years"), remedy))
}

/// Seconds for which a verified login is remembered; 0: none is.
pub(super) fn remember_logins(source: &Source<'_>, written: Option<&Spanned<i64>>) -> Result<u32, ConfigurationError> {
    let written = written.cloned();
    number(source, "password.remember-logins", &written, (0, MAX_REMEMBERED), DEFAULT_REMEMBERED).map(narrow)
}

/// The defaults, each replaced by what the file says of that attribute; an empty list takes the index away.
pub(super) fn indexes(
    source: &Source<'_>,
    written: &BTreeMap<String, Spanned<Vec<String>>>,
) -> Result<Vec<Index>, ConfigurationError> {
    let mut indexes = Vec::new();
    for (attribute, kinds) in DEFAULT_INDEXES {
        if !written.keys().any(|name| name.eq_ignore_ascii_case(attribute)) {
            let mut index = empty_index(attribute, None);
            kinds.split(' ').for_each(|kind| {
                add_kind(&mut index, kind);
            });
            indexes.push(index);
        }
    }
    for (attribute, kinds) in written {
        let mut index = empty_index(attribute, Some(source.line(kinds.span().start)));
        for kind in kinds.get_ref() {
            if !add_kind(&mut index, kind) {
                let key = format!("indexes.{attribute}");
                let remedy = "write \"eq\", \"pres\", \"ord\" or \"sub\"";
                return Err(source.error(kinds.span(), key, format!("{kind:?} is no kind of index"), remedy));
            }
        }
        if !kinds.get_ref().is_empty() {
            indexes.push(index);
        }
    }
    Ok(indexes)
}

fn empty_index(attribute: &str, line: Option<usize>) -> Index {
    Index { attribute: attribute.to_owned(), equality: false, presence: false, ordering: false, substring: false, line }
}

fn add_kind(index: &mut Index, kind: &str) -> bool {
    let flag = match kind {
        "eq" => &mut index.equality,
        "pres" => &mut index.presence,
        "ord" => &mut index.ordering,
        "sub" => &mut index.substring,
        _ => return false,
    };
    *flag = true;
    true
}

pub(super) fn number(
    source: &Source<'_>,
    key: &str,
    written: &Option<Spanned<i64>>,
    (least, most): (i64, i64),
    default: i64,
) -> Result<i64, ConfigurationError> {
    match written {
        None => Ok(default),
        Some(value) if (least..=most).contains(value.get_ref()) => Ok(*value.get_ref()),
        Some(value) => {
            let remedy = format!("write a number from {least} to {most}");
            Err(source.error(value.span(), key, format!("{} is out of range", value.get_ref()), remedy))
        }
    }
}

/// A number that was checked to fit.
pub(super) fn narrow<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

pub(super) fn wide(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
