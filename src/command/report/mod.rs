//! `bindery report`: what auditors and managers ask for, of now or of any past moment, as a table, CSV, JSON Lines or a page.

mod hr;
mod page;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::installation::create_private;
use super::journal::reading::{Go, Reading, everything};
use super::journal::state::target;
use super::journal::time::moment;
use super::{CommandError, FOUND_SOMETHING, Installation, format, output};
use crate::directory::Directory;
use crate::journal::query::{FoundRecord, LookupRequest, Query, WantedResult};
use crate::model::{EntryId, Timestamp};
use crate::operation::as_of;
use crate::operation::report::{DAY, Drift, HrFile, ReportKind, Reporting, SharedUse, Table, WaiverFact, find, overview, table};
use crate::server::installation::Installation as Loaded;
use crate::store::{Past, PastTarget};

/// Days that the journal is looked at where nobody says since when.
const LOOKED_BACK: i64 = 30;

/// Arguments of `bindery report`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which report
    #[arg(value_enum)]
    kind: Kind,
    /// Of which moment: after this record (4711), 2026-11-22, 2026-11-22T10:15:00Z, or how long ago (7d) [default: now]
    #[arg(long, value_name = "SEQUENCE|MOMENT", value_parser = target)]
    at: Option<PastTarget>,
    /// How it is written [default: table; of all: html]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write to this file (made with mode 0600) [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// dormant: accounts that nobody used for so many days; expiring: what ends within so many [default: 90; expiring: 30]
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// shared, drift: what the journal says from this moment on [default: 30 days before]
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    since: Option<Timestamp>,
    /// orphaned: a CSV file of the personnel department, with a heading that names employeeNumber, uid or mail
    #[arg(long, value_name = "FILE")]
    hr: Option<PathBuf>,
    /// access: only who is in this group, by whatever way
    #[arg(long, value_name = "DN")]
    group: Option<String>,
    /// access: only this account
    #[arg(long, value_name = "DN")]
    person: Option<String>,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Which reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// Who is in which group at any depth, since when, by whose hand, last login, until when
    Access,
    /// Accounts, passwords, grants, rules and waivers that end soon (exit code 1: there are some)
    Expiring,
    /// Accounts that nobody used for long (exit code 1: there are some)
    Dormant,
    /// Accounts that nobody ever logged in to (exit code 1: there are some)
    Never,
    /// People without a manager who is there, or whom the personnel department does not know (exit code 1: there are some)
    Orphaned,
    /// Accounts used from five places within ten minutes (exit code 1: there are some)
    Shared,
    /// Who has powers: administrators, auditors, who may change things by rules, who approves
    Privileged,
    /// Accounts of applications and of emergencies (exit code 1: one in use has no owner who is there)
    Service,
    /// Waivers of the configuration, and rules with an end (exit code 1: one is over)
    Waivers,
    /// Memberships under review, what nobody confirmed in time, grants whose review is late (exit code 1: something is late or suspended)
    Reviews,
    /// What changed of policies, rules and roles (exit code 1: something did)
    Drift,
    /// All of them
    All,
}

impl Kind {
    fn kinds(self) -> Vec<ReportKind> {
        let one = match self {
            Kind::Access => ReportKind::Access,
            Kind::Expiring => ReportKind::Expiring,
            Kind::Dormant => ReportKind::Dormant,
            Kind::Never => ReportKind::Never,
            Kind::Orphaned => ReportKind::Orphaned,
            Kind::Shared => ReportKind::Shared,
            Kind::Privileged => ReportKind::Privileged,
            Kind::Service => ReportKind::Service,
            Kind::Waivers => ReportKind::Waivers,
            Kind::Reviews => ReportKind::Reviews,
            Kind::Drift => ReportKind::Drift,
            Kind::All => return ReportKind::ALL.to_vec(),
        };
        vec![one]
    }
}

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// In columns
    Table,
    /// Comma-separated values (RFC 4180); of all: refused, because each has columns of its own
    Csv,
    /// JSON Lines, each with the name of its report
    Jsonl,
    /// One page with charts, for a browser and for printing
    Html,
}

/// Makes the report: that is recorded first.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let format = arguments.format.unwrap_or(if arguments.kind == Kind::All { Format::Html } else { Format::Table });
    if format == Format::Csv && arguments.kind == Kind::All {
        return Err(CommandError::Usage("each report has columns of its own: ask for one, or for --format jsonl".to_owned()));
    }
    let installation = arguments.installation.load()?;
    if matches!(arguments.at, Some(PastTarget::Time(time)) if time > installation.now()) {
        return Err(CommandError::Usage("--at is in the future".to_owned()));
    }
    let hr = arguments.hr.as_deref().map(hr::read).transpose()?;
    let mut reading = Reading::begin(&arguments.installation, &question(arguments))?;
    let past = Past::open(&installation.store_options_without_indexes(), arguments.at.unwrap_or(PastTarget::Newest));
    let past = past.map_err(|error| CommandError::Cannot(error.to_string()))?;
    let directory = past.directory().map_err(|error| CommandError::Cannot(error.to_string()))?;
    let waivers = waivers(&installation);
    // The clock is asked after the reading was recorded: the login for that is not in the future then.
    let at = match arguments.at {
        // What ended between the last record before that moment and the moment had ended.
        Some(PastTarget::Time(asked)) => asked.max(past.time()),
        Some(PastTarget::Sequence(_)) => past.time(),
        Some(PastTarget::Newest) | None => installation.now().max(past.time()),
    };
    // What time made of grants and reviews counts, whether or not the server came to it.
    let directory = as_of(&Arc::new(directory), at);
    let named = |option: &str, dn: &Option<String>| named(&directory, option, dn.as_deref());
    let days = |kind: Kind, default: u32| arguments.days.filter(|_| arguments.kind == kind).unwrap_or(default);
    let reporting = Reporting {
        directory: &directory,
        at,
        dormant_days: days(Kind::Dormant, 90),
        soon_days: days(Kind::Expiring, 30),
        // What the file says today it need not have said then.
        waivers: arguments.at.is_none().then_some(&*waivers),
        hr: hr.as_ref(),
        group: named("--group", &arguments.group)?,
        person: named("--person", &arguments.person)?,
    };
    let mut tables = Vec::new();
    for kind in arguments.kind.kinds() {
        tables.push(match table(kind, &reporting) {
            Some(table) => table,
            None => from_journal(kind, arguments, &mut reading, &directory, at)?,
        });
    }
    let text = match format {
        Format::Html => {
            let of = format!("the content of record {}, {}", past.sequence(), past.time().to_rfc3339());
            page::page(&directory.suffix().to_string(), &of, at, &overview(&reporting), &tables)
        }
        _ => tables.iter().map(|table| plain(table, format, tables.len() > 1)).collect(),
    };
    write(arguments, &text)?;
    let found = tables.iter().any(|table| table.found);
    let ended = reading.end();
    Ok(if found { ExitCode::from(FOUND_SOMETHING) } else { ended })
}

/// What stands in the journal of it.
fn question(arguments: &Arguments) -> String {
    let kind = arguments.kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut parts = vec![format!("report {kind}")];
    parts.extend(arguments.group.iter().map(|group| format!("group {group:?}")));
    parts.extend(arguments.person.iter().map(|person| format!("person {person:?}")));
    parts.extend(arguments.since.map(|since| format!("since {}", since.to_rfc3339())));
    parts.extend(arguments.at.map(|at| match at {
        PastTarget::Sequence(sequence) => format!("at record {sequence}"),
        PastTarget::Time(time) => format!("at {}", time.to_rfc3339()),
        PastTarget::Newest => "now".to_owned(),
    }));
    parts.join(", ")
}

fn named(directory: &Directory, option: &str, dn: Option<&str>) -> Result<Option<EntryId>, CommandError> {
    let found =
        dn.map(|dn| find(directory, dn).ok_or_else(|| CommandError::Cannot(format!("{option} {dn}: there is no such entry"))));
    found.transpose()
}

fn waivers(installation: &Loaded) -> Vec<WaiverFact> {
    let waivers = installation.configuration.waivers.iter().chain(&installation.configuration.expired_waivers);
    let fact = |waiver: &crate::config::Waiver| WaiverFact {
        name: waiver.name.as_str().to_owned(),
        reason: waiver.reason.clone(),
        owner: waiver.owner.clone(),
        until: waiver.until,
        networks: waiver.networks.iter().map(ToString::to_string).collect(),
    };
    waivers.map(fact).collect()
}

/// One pass over the records that may answer; what is kept of them grows with the accounts, or with the answer.
fn from_journal(
    kind: ReportKind,
    arguments: &Arguments,
    reading: &mut Reading,
    directory: &Directory,
    at: Timestamp,
) -> Result<Table, CommandError> {
    let since = arguments.since.unwrap_or(Timestamp(at.0.saturating_sub(LOOKED_BACK.saturating_mul(DAY))));
    let until = arguments.at.is_some().then_some(Timestamp(at.0.saturating_add(1)));
    let kinds = if kind == ReportKind::Shared { vec!["bind"] } else { Drift::KINDS.to_vec() };
    let query = Query {
        kinds: kinds.into_iter().map(str::to_owned).collect(),
        result: (kind == ReportKind::Shared).then_some(WantedResult::Code(0)),
        since: Some(since),
        until,
        ..Query::default()
    };
    let (mut shared, mut drift) = (SharedUse::default(), Drift::new(&directory.suffix().to_string()));
    reading.each(LookupRequest { query, ..everything() }, &mut |FoundRecord { record, .. }| {
        match kind {
            ReportKind::Shared => shared.take(&record),
            _ => drift.take(&record),
        }
        Ok(Go::On)
    })?;
    Ok(if kind == ReportKind::Shared { shared.table() } else { drift.table() })
}

/// A table as text; with its title where there are several.
fn plain(table: &Table, format: Format, has_title: bool) -> String {
    let columns = table.kind.columns();
    let mut text = String::new();
    match format {
        Format::Csv => {
            text.push_str(&format::csv_line(columns.iter().copied()));
            table.rows.iter().for_each(|row| text.push_str(&format::csv_line(row.iter().map(String::as_str))));
        }
        Format::Jsonl => {
            for row in &table.rows {
                let cells = columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.clone().into()));
                let report = [("report".to_owned(), table.kind.name().into())];
                let object: serde_json::Map<String, serde_json::Value> = report.into_iter().chain(cells).collect();
                text.push_str(&format!("{}\n", serde_json::Value::Object(object)));
            }
        }
        Format::Table | Format::Html => {
            if has_title {
                text.push_str(&format!("{} ({}, {} rows)\n", table.kind.title(), table.kind.name(), table.rows.len()));
            }
            text.push_str(&in_columns(columns, &table.rows));
            if has_title {
                text.push('\n');
            }
        }
    }
    text
}

fn in_columns(columns: &[&str], rows: &[Vec<String>]) -> String {
    let heading = [columns.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()];
    let all: Vec<Vec<String>> =
        heading.iter().chain(rows).map(|row| row.iter().map(|cell| format::printable(cell)).collect()).collect();
    format::in_columns(&all)
}

fn write(arguments: &Arguments, text: &str) -> Result<(), CommandError> {
    let Some(path) = &arguments.out else { return output::octets(text.as_bytes()) };
    let written = create_private(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| CommandError::Cannot(format!("{}: {error}", path.display())))
}
