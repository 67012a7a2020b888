//! `bindery journal query`: the records that answer a question; and the questions that are asked most, under names of their own.

use std::process::ExitCode;

use clap::Args;

use super::printer::{Format, Printer};
use super::reading::{Go, Reading, everything};
use super::time::moment;
use super::{CommandError, Installation};
use crate::journal::query::{FoundRecord, LookupRequest, Query, WantedPeer, WantedResult};
use crate::model::Timestamp;

/// Records that `--follow` shows of what was before.
const SHOWN_BEFORE: usize = 10;

/// Arguments of `bindery journal query`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Who did it: a DN, an entryUUID or the value that names the entry (jdoe); "" is anonymous
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// What it was done to, in the same ways
    #[arg(long, value_name = "WHAT")]
    target: Option<String>,
    /// Type of record, as bind, modify, sessionEnd, start; more than once for either
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// Result: failed, done, or a result code (49)
    #[arg(long, value_name = "RESULT", value_parser = result)]
    result: Option<WantedResult>,
    /// Why it was refused, as the record says ("wrong password")
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Where it came from: an address, a network (10.1.0.0/16), or as the record says ("ldapi uid=0")
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Which installation, which time, how it is written.
#[derive(Args, Debug)]
pub(super) struct Which {
    /// Which installation.
    #[command(flatten)]
    pub(super) installation: Installation,
    /// From this moment on: 2026-11-22, 2026-11-22T10:15:00Z, or how long ago (30m, 12h, 7d, 2w)
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(super) since: Option<Timestamp>,
    /// Before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(super) until: Option<Timestamp>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Newest first
    #[arg(long, conflicts_with = "follow")]
    newest_first: bool,
    /// Go on with what is recorded from now on
    #[arg(long, conflicts_with = "until")]
    follow: bool,
}

/// Arguments of a question about a person or another entry.
#[derive(Args, Debug)]
pub struct AboutArguments {
    /// A DN, an entryUUID or the value that names the entry (jdoe)
    #[arg(value_name = "WHO")]
    pub(super) who: String,
    #[command(flatten)]
    pub(super) which: Which,
}

/// Arguments of a question about all.
#[derive(Args, Debug)]
pub struct AllArguments {
    #[command(flatten)]
    pub(super) which: Which,
}

/// Types of records that change entries.
const CHANGES: [&str; 5] = ["add", "modify", "delete", "modifyDn", "passwordModify"];

fn result(text: &str) -> Result<WantedResult, String> {
    match text {
        "failed" => Ok(WantedResult::Failed),
        "done" => Ok(WantedResult::Done),
        code => code.parse().map(WantedResult::Code).map_err(|_| "write failed, done, or a result code (49)".to_owned()),
    }
}

/// Answers a question.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let query = Query {
        actor: arguments.actor.clone(),
        target: arguments.target.clone(),
        kinds: arguments.kinds.clone(),
        result: arguments.result,
        reason: arguments.reason.clone(),
        peer: arguments.peer.as_deref().map(WantedPeer::parse),
        ..Query::default()
    };
    answer(&arguments.which, query, &|_| true)
}

/// `bindery journal logins WHO`: binds of a person, good or not.
pub(super) fn logins(arguments: &AboutArguments) -> Result<ExitCode, CommandError> {
    let query = Query { about: Some(arguments.who.clone()), kinds: vec!["bind".to_owned()], ..Query::default() };
    answer(&arguments.which, query, &|_| true)
}

/// `bindery journal failed`: binds that were refused, of whom and from where.
pub(super) fn failed(arguments: &AllArguments) -> Result<ExitCode, CommandError> {
    let query = Query { kinds: vec!["bind".to_owned()], result: Some(WantedResult::Failed), ..Query::default() };
    answer(&arguments.which, query, &|_| true)
}

/// `bindery journal changes WHAT`: what changed in an entry, and by whom.
pub(super) fn changes(arguments: &AboutArguments) -> Result<ExitCode, CommandError> {
    let query = Query { target: Some(arguments.who.clone()), ..of_changes() };
    answer(&arguments.which, query, &|_| true)
}

/// `bindery journal policies`: what changed below ou=policies and ou=roles, and by whom.
pub(super) fn policies(arguments: &AllArguments) -> Result<ExitCode, CommandError> {
    let suffix = arguments.which.installation.load()?.configuration.suffix.to_string().to_lowercase();
    let folders = ["ou=policies", "ou=roles"].map(|folder| format!("{folder},{suffix}"));
    let kinds = CHANGES.into_iter().chain(["grant", "review", "expire"]).map(str::to_owned).collect();
    answer(&arguments.which, Query { kinds, ..Query::default() }, &|found| found.record.is_below(&folders))
}

fn of_changes() -> Query {
    Query { kinds: CHANGES.map(str::to_owned).to_vec(), ..Query::default() }
}

fn answer(which: &Which, query: Query, wanted: &dyn Fn(&FoundRecord) -> bool) -> Result<ExitCode, CommandError> {
    let query = Query { since: which.since, until: which.until, ..query };
    let mut reading = Reading::begin(&which.installation, &question(&query))?;
    if which.follow && !reading.is_beside_a_server() {
        reading.end();
        return Err(CommandError::Usage("no server runs, so nothing would follow; leave --follow out".to_owned()));
    }
    let mut printer = Printer::new(which.format);
    let request = LookupRequest { query, backwards: which.newest_first, ..everything() };
    if which.follow {
        follow(which, &mut reading, request, wanted, &mut printer)?;
        return Ok(reading.end());
    }
    let mut left = which.limit.unwrap_or(usize::MAX);
    if left > 0 {
        reading.each(request, &mut |found| {
            if !wanted(&found) {
                return Ok(Go::On);
            }
            left -= 1;
            let go = printer.print(&found)?;
            Ok(if left == 0 { Go::Enough } else { go })
        })?;
    }
    printer.flush()?;
    Ok(reading.end())
}

/// The last few records, or those since a moment, then whatever comes.
fn follow(
    which: &Which,
    reading: &mut Reading,
    request: LookupRequest,
    wanted: &dyn Fn(&FoundRecord) -> bool,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let mut before = Vec::new();
    let shown = which.limit.unwrap_or(if which.since.is_some() { usize::MAX } else { SHOWN_BEFORE });
    // What is newer than the newest of now comes in its turn.
    let mut newest = None;
    let newest_of_all = LookupRequest { backwards: true, ..everything() };
    reading.each(newest_of_all, &mut |found| {
        newest = Some(found.record.sequence);
        Ok(Go::Enough)
    })?;
    let back = LookupRequest { backwards: true, from: newest.map(|newest| newest.saturating_add(1)), ..request.clone() };
    if shown > 0 {
        reading.each(back, &mut |found| {
            if wanted(&found) {
                before.push(found);
            }
            Ok(if before.len() >= shown { Go::Enough } else { Go::On })
        })?;
    }
    for found in before.iter().rev() {
        printer.print(found)?;
    }
    if matches!(printer.flush()?, Go::Enough) {
        return Ok(());
    }
    reading.follow(LookupRequest { from: newest, ..request }, &mut |found| {
        if !wanted(&found) {
            return Ok(Go::On);
        }
        printer.print(&found)?;
        printer.flush()
    })
}

/// The question, as the journal keeps it.
pub(super) fn question(query: &Query) -> String {
    let moment = |name: &str, moment: Option<Timestamp>| moment.map(|moment| format!("{name} {}", moment.to_rfc3339()));
    let text = |name: &str, text: &Option<String>| text.as_ref().map(|text| format!("{name} {text:?}"));
    let mut parts: Vec<String> = query.kinds.iter().map(|kind| format!("type {kind}")).collect();
    parts.extend([text("actor", &query.actor), text("target", &query.target), text("about", &query.about)].into_iter().flatten());
    parts.extend(query.result.map(|result| match result {
        WantedResult::Failed => "result failed".to_owned(),
        WantedResult::Done => "result done".to_owned(),
        WantedResult::Code(code) => format!("result {code}"),
    }));
    parts.extend(text("reason", &query.reason));
    parts.extend(query.peer.as_ref().map(|peer| match peer {
        WantedPeer::Network(network) => format!("peer {network}"),
        WantedPeer::Text(text) => format!("peer {text:?}"),
    }));
    parts.extend([moment("since", query.since), moment("until", query.until)].into_iter().flatten());
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}
