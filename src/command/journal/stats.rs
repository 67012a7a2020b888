//! `bindery journal stats`: how large the journal is, and when the disk will be full of it.

use std::process::ExitCode;

use clap::Args;

use super::printer::{RowFormat, rows};
use super::reading::Reading;
use super::{CommandError, Installation, output};
use crate::model::Timestamp;
use crate::store::SegmentFacts;

const DAY: i64 = 86_400 * 1_000_000;

/// Arguments of `bindery journal stats`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,
}

/// Tells the segments and what they come to.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let mut reading = Reading::begin(&arguments.installation, "stats")?;
    let segments = reading.lookup().segments().map_err(|error| CommandError::Cannot(error.to_string()))?;
    let moment = |micros: Option<i64>| micros.map_or_else(|| "-".to_owned(), |micros| Timestamp(micros).to_rfc3339());
    let row = |facts: &SegmentFacts| {
        vec![
            facts.first.to_string(),
            facts.records.to_string(),
            facts.octets.to_string(),
            facts.index_octets.to_string(),
            moment(facts.times.map(|times| times.0)),
            moment(facts.times.map(|times| times.1)),
        ]
    };
    let heading = ["first", "records", "octets", "indexOctets", "from", "to"];
    rows(arguments.format, &heading, &segments.iter().map(row).collect::<Vec<_>>())?;
    let available = reading.available();
    output::remark(summary(&segments, available));
    Ok(reading.end())
}

/// All in all, the average, and a forecast by the time that the journal spans.
fn summary(segments: &[SegmentFacts], available: Option<u64>) -> String {
    let records: u64 = segments.iter().map(|facts| facts.records).sum();
    let octets: u64 = segments.iter().map(|facts| facts.octets).sum();
    let indexes: u64 = segments.iter().map(|facts| facts.index_octets).sum();
    let average = octets.checked_div(records).unwrap_or(0);
    let mut text =
        format!("{records} records, {octets} octets in {} segments, {average} a record; indexes {indexes}", segments.len());
    let first = segments.iter().find_map(|facts| facts.times).map(|times| times.0);
    let last = segments.iter().rev().find_map(|facts| facts.times).map(|times| times.1);
    let span = first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first));
    if span < DAY {
        text.push_str("; a forecast needs a day of records");
        return text;
    }
    let a_day = u128::from(octets) * u128::from(DAY.unsigned_abs()) / u128::from(span.unsigned_abs());
    text.push_str(&format!("; {a_day} octets a day, {} a year", a_day * 365));
    if let Some(days) = available.and_then(|available| u128::from(available).checked_div(a_day)) {
        text.push_str(&format!("; what is free lasts for {days} days"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_goes_by_what_was() {
        let facts = |first, records, octets, times| SegmentFacts { first, records, octets, times: Some(times), index_octets: 10 };
        let segments = [facts(1, 10, 7000, (0, DAY)), facts(11, 10, 7000, (DAY, 2 * DAY))];
        assert_eq!(
            summary(&segments, Some(70_000)),
            "20 records, 14000 octets in 2 segments, 700 a record; indexes 20; 7000 octets a day, 2555000 a year; what is free lasts for \
             10 days"
        );
        assert!(summary(&segments[..0], None).contains("0 records"));
        assert!(summary(&[facts(1, 1, 700, (0, 5))], None).ends_with("a forecast needs a day of records"));
    }
}
