//! Records and rows on standard output.

use std::io::{self, BufWriter, Write};
use std::iter;

use clap::ValueEnum;

use super::super::format::{csv_line, in_columns};
use super::CommandError;
use super::reading::Go;
use crate::journal::query::{COLUMNS, CSV_COLUMNS, FoundRecord};
use crate::journal::syslog::{EXAMPLE_ENTERPRISE, SyslogForm, SyslogSender};

/// How records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// A line for each, with what matters most
    Table,
    /// The records as they are, JSON Lines
    Jsonl,
    /// Comma-separated values (RFC 4180)
    Csv,
    /// Common Event Format
    Cef,
    /// Syslog messages (RFC 5424) that carry the record
    Syslog,
    /// Syslog messages whose structured data is what the record says
    Rfc5424,
    /// Audit messages of DICOM PS3.15 A.5 (IHE ATNA), an XML element a line
    Dicom,
    /// AuditEvent resources of FHIR R4, NDJSON
    Fhir,
}

/// What is printed comes from the installation, wherever it is printed.
const SENDER: SyslogSender =
    SyslogSender { host: String::new(), version: env!("CARGO_PKG_VERSION"), enterprise: EXAMPLE_ENTERPRISE };

/// How rows are written that are no records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum RowFormat {
    /// In columns
    Table,
    /// JSON Lines
    Jsonl,
    /// Comma-separated values (RFC 4180)
    Csv,
}

impl Format {
    /// What stands before the first record, if anything.
    pub(super) fn heading(self) -> Option<String> {
        match self {
            Format::Table => Some(table_line(COLUMNS)),
            Format::Csv => Some(csv_line(CSV_COLUMNS)),
            _ => None,
        }
    }

    /// One record.
    pub(super) fn text(self, found: &FoundRecord) -> String {
        let FoundRecord { record, line } = found;
        match self {
            Format::Table => table_line(record.row().each_ref().map(String::as_str)),
            Format::Csv => csv_line(record.csv_fields().iter().map(String::as_str)),
            Format::Jsonl => line.clone(),
            Format::Cef => record.to_cef(env!("CARGO_PKG_VERSION")),
            Format::Syslog => SENDER.message(found, SyslogForm::Json),
            Format::Rfc5424 => SENDER.message(found, SyslogForm::StructuredData),
            Format::Dicom => found.to_dicom(),
            Format::Fhir => found.to_fhir(),
        }
    }

    /// What ends each; a line of CSV has its own end.
    pub(super) fn end(self) -> &'static str {
        if self == Format::Csv { "" } else { "\n" }
    }
}

/// Writes records as they come.
pub(super) struct Printer {
    output: BufWriter<io::Stdout>,
    format: Format,
    began: bool,
}

impl Printer {
    pub(super) fn new(format: Format) -> Printer {
        Printer { output: BufWriter::new(io::stdout()), format, began: false }
    }

    /// Writes one. A reader that went away has enough.
    pub(super) fn print(&mut self, found: &FoundRecord) -> Result<Go, CommandError> {
        let heading = self.format.heading().filter(|_| !self.began);
        self.began = true;
        let end = self.format.end();
        let text = self.format.text(found);
        let written = heading.into_iter().chain([text]).try_for_each(|text| write!(self.output, "{text}{end}"));
        went_on(written)
    }

    /// Lets out what is held back.
    pub(super) fn flush(&mut self) -> Result<Go, CommandError> {
        went_on(self.output.flush())
    }
}

fn went_on(written: io::Result<()>) -> Result<Go, CommandError> {
    match written {
        Ok(()) => Ok(Go::On),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Go::Enough),
        Err(error) => Err(CommandError::Cannot(format!("standard output: {error}"))),
    }
}

/// `2026-11-22T10:15:00.000123Z  4711  bind  49  -  uid=jdoe,…`: what is unknown beforehand is not padded much.
fn table_line(cells: [&str; 8]) -> String {
    let [time, sequence, kind, result, actor, target, peer, reason] = cells;
    format!("{time:<27}  {sequence:>9}  {kind:<14}  {result:>6}  {actor:<32}  {target:<32}  {peer:<21}  {reason}")
        .trim_end()
        .to_owned()
}

/// Writes rows with a heading.
pub(super) fn rows(format: RowFormat, heading: &[&str], rows: &[Vec<String>]) -> Result<(), CommandError> {
    let mut output = BufWriter::new(io::stdout());
    let mut write = || -> io::Result<()> {
        match format {
            RowFormat::Table => {
                let all: Vec<Vec<String>> =
                    iter::once(heading.iter().map(|&name| name.to_owned()).collect()).chain(rows.iter().cloned()).collect();
                output.write_all(in_columns(&all).as_bytes())?;
            }
            RowFormat::Csv => {
                write!(output, "{}", csv_line(heading.iter().copied()))?;
                for row in rows {
                    write!(output, "{}", csv_line(row.iter().map(String::as_str)))?;
                }
            }
            RowFormat::Jsonl => {
                for row in rows {
                    let object = heading.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.clone().into()));
                    writeln!(output, "{}", serde_json::Value::Object(object.collect()))?;
                }
            }
        }
        output.flush()
    };
    went_on(write()).map(drop)
}
