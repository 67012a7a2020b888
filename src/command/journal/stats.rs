//! `bindery journal stats`: how large the journal is, what it is made of, when the disk will be full of it, and what is older than it has
//! to be kept.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::printer::{RowFormat, rows};
use super::query::question;
use super::reading::{Go, Reading, everything};
use super::time::moment;
use super::{CommandError, Installation, output};
use crate::journal::query::{FoundRecord, LookupRequest, Query};
use crate::model::Timestamp;
use crate::store::SegmentFacts;

const DAY: i64 = 86_400 * 1_000_000;
/// Days by whose growth a forecast goes, as far as the journal spans them.
const RECENT: i64 = 30 * DAY;
/// Moments further away than this many days are not worth a date.
const FAR: i64 = 100 * 365;

/// Arguments of `bindery journal stats`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// What there is a row for; all but segments reads the records
    #[arg(long, value_enum, default_value_t = By::Segment)]
    by: By,
    /// Records from this moment on: 2026-11-22, 2026-11-22T10:15:00Z, or how long ago (30m, 12h, 7d, 2w)
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    since: Option<Timestamp>,
    /// Records before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    until: Option<Timestamp>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,
}

/// What there is a row for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    /// Each file, and from when on it is older than the journal has to be kept
    Segment,
    /// Each type of record
    Type,
    /// Each day (UTC)
    Day,
    /// Each type of record of each day
    DayType,
}

/// Records of one row, and octets of their lines.
#[derive(Clone, Copy, Default)]
struct Count {
    records: u64,
    octets: u64,
}

/// What a forecast goes by.
struct Outlook {
    now: Timestamp,
    /// Octets that the disk takes before the server refuses to write.
    free: Option<u64>,
    retention_days: u32,
}

/// Tells what the journal comes to.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Arguments { installation, by, since, until, format } = arguments;
    if *by == By::Segment && (since.is_some() || until.is_some()) {
        return Err(CommandError::Usage("--since and --until are about records; add --by day, type or day-type".to_owned()));
    }
    let loaded = installation.load()?;
    let query = Query { since: *since, until: *until, ..Query::default() };
    let asked = if *by == By::Segment { "stats".to_owned() } else { format!("stats: {}", question(&query)) };
    let mut reading = Reading::begin(installation, &asked)?;
    let segments = reading.lookup().segments().map_err(|error| CommandError::Cannot(error.to_string()))?;
    let reserve = loaded.configuration.disk_reserve;
    let outlook = Outlook {
        now: loaded.now(),
        free: reading.available().map(|available| available.saturating_sub(reserve)),
        retention_days: loaded.configuration.retention_days,
    };
    if *by == By::Segment {
        let heading = ["first", "records", "octets", "average", "indexOctets", "from", "to", "keptUntil"];
        rows(*format, &heading, &of_segments(&segments, &outlook))?;
    } else {
        let counts = counted(&mut reading, query, *by)?;
        rows(*format, &["day", "type", "records", "octets", "average"], &of_counts(&counts))?;
        output::remark(lines_summary(counts.values()));
    }
    output::remark(summary(&segments, &outlook));
    Ok(reading.end())
}

fn of_segments(segments: &[SegmentFacts], outlook: &Outlook) -> Vec<Vec<String>> {
    let moment = |micros: Option<i64>| micros.map_or_else(|| "-".to_owned(), |micros| Timestamp(micros).to_rfc3339());
    let row = |(index, facts): (usize, &SegmentFacts)| {
        vec![
            facts.first.to_string(),
            facts.records.to_string(),
            facts.octets.to_string(),
            average(facts.octets, facts.records).to_string(),
            facts.index_octets.to_string(),
            moment(facts.times.map(|times| times.0)),
            moment(facts.times.map(|times| times.1)),
            moment(kept_until(segments, index, outlook.retention_days)),
        ]
    };
    segments.iter().enumerate().map(row).collect()
}

/// The moment from which on all records of a segment are older than they have to be kept; none: it is the newest. No record of it is
/// later than the first of the next one.
fn kept_until(segments: &[SegmentFacts], index: usize, retention_days: u32) -> Option<i64> {
    let (next, _) = segments.get(index.checked_add(1)?)?.times?;
    Some(next.saturating_add(i64::from(retention_days).saturating_mul(DAY)))
}

fn average(octets: u64, records: u64) -> u64 {
    octets.checked_div(records).unwrap_or(0)
}

/// Reads the records. `-` stands for all days, or all types.
fn counted(reading: &mut Reading, query: Query, by: By) -> Result<BTreeMap<(String, String), Count>, CommandError> {
    let mut counts: BTreeMap<(String, String), Count> = BTreeMap::new();
    reading.each(LookupRequest { query, ..everything() }, &mut |FoundRecord { record, line }| {
        let (all, day) = ("-".to_owned(), || day(record.time));
        let key = match by {
            By::Day => (day(), all),
            By::DayType => (day(), record.kind),
            By::Type | By::Segment => (all, record.kind),
        };
        let count = counts.entry(key).or_default();
        count.records = count.records.saturating_add(1);
        count.octets = count.octets.saturating_add(line.len() as u64);
        Ok(Go::On)
    })?;
    Ok(counts)
}

fn of_counts(counts: &BTreeMap<(String, String), Count>) -> Vec<Vec<String>> {
    let row = |((day, kind), count): (&(String, String), &Count)| {
        let numbers = [count.records, count.octets, average(count.octets, count.records)];
        [day.clone(), kind.clone()].into_iter().chain(numbers.iter().map(u64::to_string)).collect()
    };
    counts.iter().map(row).collect()
}

fn lines_summary<'a>(counts: impl Iterator<Item = &'a Count>) -> String {
    let all = counts.fold(Count::default(), |all, count| Count {
        records: all.records.saturating_add(count.records),
        octets: all.octets.saturating_add(count.octets),
    });
    let Count { records, octets } = all;
    format!("{records} records of {octets} octets as they are exported, {} a record", average(octets, records))
}

/// `2026-11-23`, of microseconds since 1970.
fn day(micros: i64) -> String {
    let text = Timestamp(micros).to_rfc3339();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// All in all, the growth, and what comes of it.
fn summary(segments: &[SegmentFacts], outlook: &Outlook) -> String {
    let records: u64 = segments.iter().map(|facts| facts.records).sum();
    let octets: u64 = segments.iter().map(|facts| facts.octets).sum();
    let indexes: u64 = segments.iter().map(|facts| facts.index_octets).sum();
    let mut text = format!(
        "{records} records, {octets} octets in {} segments, {} a record on disk; indexes {indexes}",
        segments.len(),
        average(octets, records)
    );
    text.push_str(&growth(segments, outlook));
    text.push_str(&retention(segments, outlook));
    text
}

/// By the octets of the last days, index included.
fn growth(segments: &[SegmentFacts], outlook: &Outlook) -> String {
    let first = segments.iter().find_map(|facts| facts.times).map(|times| times.0);
    let last = segments.iter().rev().find_map(|facts| facts.times).map(|times| times.1);
    let Some((first, last)) = first.zip(last).filter(|(first, last)| last.saturating_sub(*first) >= DAY) else {
        return "; a forecast needs a day of records".to_owned();
    };
    let since = first.max(last.saturating_sub(RECENT));
    let (recent, days) = (octets_since(segments, since), last.saturating_sub(since) / DAY);
    let a_day = recent.saturating_mul(DAY.unsigned_abs().into()) / u128::from(last.saturating_sub(since).unsigned_abs());
    let mut text =
        format!("; {a_day} octets a day by the last {days} days, indexes included, {} a year", a_day.saturating_mul(365));
    if let Some(left) = outlook.free.and_then(|free| u128::from(free).checked_div(a_day)) {
        let until = i64::try_from(left).ok().filter(|left| *left <= FAR);
        let until = until.map(|left| day(outlook.now.0.saturating_add(left.saturating_mul(DAY))));
        let until = until.map_or(String::new(), |day| format!(", until {day}"));
        text.push_str(&format!("; what is free beside limits.disk-reserve lasts for {left} days{until}"));
    }
    text
}

/// Octets that were written since a moment; of the segment in which it lies as much as it spans of it.
fn octets_since(segments: &[SegmentFacts], since: i64) -> u128 {
    let share = |facts: &SegmentFacts| {
        let octets = u128::from(facts.octets.saturating_add(facts.index_octets));
        match facts.times {
            Some((first, last)) if first < since && since <= last => {
                let (part, all) = (last.saturating_sub(since), last.saturating_sub(first));
                octets * u128::from(part.unsigned_abs()) / u128::from(all.unsigned_abs()).max(1)
            }
            Some((first, _)) if first >= since => octets,
            _ => 0,
        }
    };
    segments.iter().map(share).sum()
}

/// What is older than it has to be kept, and when more will be.
fn retention(segments: &[SegmentFacts], outlook: &Outlook) -> String {
    let days = outlook.retention_days;
    let until = |index: usize| kept_until(segments, index, days);
    let old = (0..segments.len()).take_while(|index| until(*index).is_some_and(|until| until <= outlook.now.0)).count();
    let octets: u64 = segments.iter().take(old).map(|facts| facts.octets).sum();
    let mut text = format!("; kept for {days} days: {old} segments of {octets} octets are older");
    if let Some(until) = until(old) {
        text.push_str(&format!(", the next one from {} on", day(until)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(first: u64, octets: u64, times: (i64, i64)) -> SegmentFacts {
        SegmentFacts { first, records: 10, octets, times: Some(times), index_octets: 0 }
    }

    fn outlook(day: i64, free: Option<u64>, retention_days: u32) -> Outlook {
        Outlook { now: Timestamp(day * DAY), free, retention_days }
    }

    #[test]
    fn a_forecast_goes_by_what_was() {
        let segments = [facts(1, 7000, (0, DAY)), facts(11, 7000, (DAY, 2 * DAY))];
        assert_eq!(
            summary(&segments, &outlook(2, Some(70_000), 2192)),
            "20 records, 14000 octets in 2 segments, 700 a record on disk; indexes 0; 7000 octets a day by the last 2 days, indexes \
             included, 2555000 a year; what is free beside limits.disk-reserve lasts for 10 days, until 1970-01-13; kept for 2192 days: 0 \
             segments of 0 octets are older, the next one from 1976-01-03 on"
        );
        assert!(summary(&[], &outlook(2, None, 1)).starts_with("0 records"));
        let one = summary(&[facts(1, 700, (0, 5))], &outlook(2, None, 1));
        assert!(one.contains("; a forecast needs a day of records; kept for 1 days: 0 segments"), "{one}");
        assert!(one.ends_with("are older"), "the newest is still written: {one}");
    }

    #[test]
    fn growth_is_that_of_the_last_days() {
        let segments = [
            facts(1, 1_000_000, (0, 100 * DAY)),
            facts(11, 6000, (100 * DAY, 110 * DAY)),
            facts(21, 1000, (110 * DAY, 120 * DAY)),
        ];
        // Ten days of the first, and the others.
        assert_eq!(octets_since(&segments, 90 * DAY), 107_000);
        let text = growth(&segments, &outlook(120, Some(0), 2192));
        assert!(
            text.starts_with("; 3566 octets a day by the last 30 days") && text.contains("lasts for 0 days, until 1970-05-01"),
            "{text}"
        );
        let full = growth(&segments, &outlook(120, Some(u64::MAX), 2192));
        assert!(full.ends_with(" days"), "nobody plans so far: {full}");
        let still = [facts(1, 0, (0, 0)), facts(11, 0, (DAY, 2 * DAY))];
        assert!(growth(&still, &outlook(2, Some(5), 1)).ends_with("0 a year"), "what does not grow never fills a disk");
    }

    #[test]
    fn what_is_older_than_it_has_to_be_kept_is_counted_by_whole_segments() {
        let segments = [facts(1, 100, (0, DAY)), facts(11, 200, (2 * DAY, 3 * DAY)), facts(21, 400, (4 * DAY, 5 * DAY))];
        let at = |day| retention(&segments, &outlook(day, None, 10));
        assert!(at(11).ends_with("0 segments of 0 octets are older, the next one from 1970-01-13 on"), "{}", at(11));
        assert!(at(12).ends_with("1 segments of 100 octets are older, the next one from 1970-01-15 on"), "{}", at(12));
        // However long ago: the last one may still be written.
        assert!(at(9000).ends_with("2 segments of 300 octets are older"), "{}", at(9000));
        let until: Vec<String> =
            of_segments(&segments, &outlook(1, None, 10)).into_iter().filter_map(|row| row.last().cloned()).collect();
        assert_eq!(until, ["1970-01-13T00:00:00.000000Z", "1970-01-15T00:00:00.000000Z", "-"]);
    }
}
