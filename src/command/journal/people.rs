//! Questions whose answers are no records: sessions open at a moment, the first and the last login of somebody, the inventory of clients.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;

use clap::Args;

use super::printer::{RowFormat, rows};
use super::query::question;
use super::reading::{Go, Reading, everything};
use super::time::moment;
use super::{CommandError, Installation};
use crate::journal::query::{FoundRecord, LookupRequest, Query, ReadRecord, WantedResult};
use crate::model::Timestamp;

/// How long before a moment a session may have begun that is still open then, in microseconds: 31 days.
const LONGEST_SESSION: i64 = 31 * 86_400 * 1_000_000;
/// Different clients that an inventory tells apart; what is beyond counts as one.
const MOST_CLIENTS: usize = 1_000_000;

/// Arguments of `bindery journal sessions`.
#[derive(Args, Debug)]
pub struct SessionsArguments {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// When
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Timestamp,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,
}

/// Arguments of `bindery journal first-last`.
#[derive(Args, Debug)]
pub struct FirstLastArguments {
    /// A DN, an entryUUID or the value that names the entry (jdoe)
    #[arg(value_name = "WHO")]
    who: String,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,
}

/// Arguments of `bindery journal clients`.
#[derive(Args, Debug)]
pub struct ClientsArguments {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// From this moment on: 2026-11-22, 2026-11-22T10:15:00Z, or how long ago (30m, 12h, 7d, 2w)
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    since: Option<Timestamp>,
    /// Before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    until: Option<Timestamp>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,
}

fn asked(kinds: &[&str], since: Option<Timestamp>, until: Option<Timestamp>) -> Query {
    Query { kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(), since, until, ..Query::default() }
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "-".to_owned())
}

fn tls(record: &ReadRecord) -> String {
    record.tls.as_ref().map_or_else(|| "-".to_owned(), |tls| format!("{} {}", tls.version, tls.suite))
}

/// Who was logged in at a moment.
pub(super) fn sessions(arguments: &SessionsArguments) -> Result<ExitCode, CommandError> {
    let since = Timestamp(arguments.at.0.saturating_sub(LONGEST_SESSION));
    let query = asked(&["bind", "sessionEnd", "start"], Some(since), Some(arguments.at));
    let mut reading = Reading::begin(&arguments.installation, &format!("sessions: {}", question(&query)))?;
    let mut open: BTreeMap<u64, ReadRecord> = BTreeMap::new();
    reading.each(LookupRequest { query, ..everything() }, &mut |FoundRecord { record, .. }| {
        match (record.kind.as_str(), record.session) {
            ("start", _) => open.clear(),
            ("bind", Some(session)) if record.result == 0 && record.actor.is_some() => {
                open.insert(session, record);
            }
            // A bind that fails, or an anonymous one, ends what was before.
            (_, Some(session)) => {
                open.remove(&session);
            }
            _ => {}
        }
        Ok(Go::On)
    })?;
    let heading = ["session", "who", "since", "peer", "tls", "factors"];
    let row = |(session, record): (&u64, &ReadRecord)| {
        let who = record.actor.as_ref().map(|actor| actor.dn.clone()).unwrap_or_default();
        vec![session.to_string(), who, record.moment(), text(record.peer.as_ref()), tls(record), record.factors.join(" ")]
    };
    rows(arguments.format, &heading, &open.iter().map(row).collect::<Vec<_>>())?;
    Ok(reading.end())
}

/// The first and the last login of somebody that the journal knows of.
pub(super) fn first_last(arguments: &FirstLastArguments) -> Result<ExitCode, CommandError> {
    let query = Query { actor: Some(arguments.who.clone()), result: Some(WantedResult::Code(0)), ..asked(&["bind"], None, None) };
    let mut reading = Reading::begin(&arguments.installation, &format!("first and last: {}", question(&query)))?;
    let mut found = Vec::new();
    for (which, backwards) in [("first", false), ("last", true)] {
        let request = LookupRequest { query: query.clone(), backwards, ..everything() };
        reading.each(request, &mut |FoundRecord { record, .. }| {
            let who = record.actor.as_ref().map(|actor| actor.dn.clone()).unwrap_or_default();
            let sequence = record.sequence.to_string();
            found.push(vec![
                which.to_owned(),
                record.moment(),
                sequence,
                who,
                text(record.peer.as_ref()),
                text(record.method.as_ref()),
            ]);
            Ok(Go::Enough)
        })?;
    }
    rows(arguments.format, &["login", "time", "seq", "who", "peer", "method"], &found)?;
    Ok(reading.end())
}

/// Where people and applications log in from, with which TLS and how, how often, and when for the first and the last time.
pub(super) fn clients(arguments: &ClientsArguments) -> Result<ExitCode, CommandError> {
    let query = asked(&["bind"], arguments.since, arguments.until);
    let mut reading = Reading::begin(&arguments.installation, &format!("clients: {}", question(&query)))?;
    let mut clients: HashMap<[String; 4], (u64, u64, i64, i64)> = HashMap::new();
    reading.each(LookupRequest { query, ..everything() }, &mut |FoundRecord { record, .. }| {
        let who = record.actor.as_ref().or(record.target.as_ref()).map(|name| name.dn.clone());
        let address = record.peer_address().unwrap_or("-").to_owned();
        let mut key = [address, who.unwrap_or_else(|| "-".to_owned()), tls(&record), text(record.method.as_ref())];
        if clients.len() >= MOST_CLIENTS && !clients.contains_key(&key) {
            key = ["(others)"; 4].map(str::to_owned);
        }
        let entry = clients.entry(key).or_insert((0, 0, record.time, record.time));
        if record.is_failed() {
            entry.1 += 1;
        } else {
            entry.0 += 1;
        }
        entry.3 = record.time;
        Ok(Go::On)
    })?;
    let mut table: Vec<Vec<String>> = clients
        .into_iter()
        .map(|(key, (good, failed, first, last))| {
            let times = [first, last].map(|time| Timestamp(time).to_rfc3339());
            key.into_iter().chain([good.to_string(), failed.to_string()]).chain(times).collect()
        })
        .collect();
    table.sort_unstable();
    rows(arguments.format, &["peer", "who", "tls", "method", "logins", "failed", "first", "last"], &table)?;
    Ok(reading.end())
}
