//! Medians of several rounds, how the servers compare, and whether that is what the project set itself.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Failure;
use super::goals::{Goal, ROWS, Row, SLAPD_SEARCH, Server};

/// One line of `key=value`.
type Line<'a> = BTreeMap<&'a str, &'a str>;

/// Entries from which on a start has ten times as long.
const MANY: u32 = 200_000;

/// A ratio or another figure, and what it is worth.
struct Figure {
    text: String,
    must: String,
    aim: String,
    reaches_must: bool,
    reaches_aim: bool,
}

/// The table of all rows that were measured. Ratios are ours to theirs.
pub(crate) fn report(text: &str, people: u32) -> Result<String, Failure> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(' ').filter_map(|pair| pair.split_once('=')).collect())
        .collect();
    let measured = Measured { lines, people };
    let mut output = String::from(
        "| workload | conns | slapd | audited slapd | Bindery | p99 of these, ms | compared | must | aim | |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in ROWS {
        if measured.value(Server::Bindery, row).or(measured.value(Server::Slapd, row)).is_some() {
            write_row(&measured, row, &mut output)?;
        }
    }
    if let Some(limit) = measured.limit() {
        writeln!(
            output,
            "\nArgon2id on all cores, memory reused: {limit:.0} a second. Cells: operations a second, CPU µs of the server each."
        )?;
    }
    Ok(output)
}

struct Measured<'a> {
    lines: Vec<Line<'a>>,
    people: u32,
}

impl Measured<'_> {
    fn median(&self, server: Server, row: &Row, key: &str) -> Option<f64> {
        let (connections, storm, pace) = (row.connections.to_string(), row.storm.to_string(), row.pace.to_string());
        let is = |line: &Line<'_>, key, wanted: &str| line.get(key).is_none_or(|found| *found == wanted);
        let mut numbers: Vec<f64> = self
            .lines
            .iter()
            .filter(|line| line.get("server") == Some(&server.name()) && line.get("workload") == Some(&row.workload))
            .filter(|line| is(line, "transport", row.transport) && is(line, "storm", &storm) && is(line, "pace", &pace))
            .filter(|line| is(line, "connections", &connections))
            .filter_map(|line| line.get(key)?.parse().ok())
            .collect();
        numbers.sort_by(f64::total_cmp);
        numbers.get(numbers.len() / 2).copied()
    }

    /// Operations a second, or the one figure that was taken.
    fn value(&self, server: Server, row: &Row) -> Option<f64> {
        self.median(server, row, "operations_per_second").or_else(|| self.median(server, row, "value"))
    }

    /// Argon2id on all cores, a second.
    fn limit(&self) -> Option<f64> {
        let found = ROWS.first().map(|row| Row { workload: "argon2", goals: &[], ..*row })?;
        self.value(Server::Machine, &found)
    }

    fn figure(&self, row: &Row, goal: Goal) -> Option<Figure> {
        let ours = self.value(Server::Bindery, row)?;
        let cpu = |server| self.median(server, row, "cpu_us");
        Some(match goal {
            Goal::Rate(other, must, aim) => {
                let theirs = self.value(other, row)?;
                // Imports are measured in seconds: fewer are better.
                let ratio = if row.workload == "import" { theirs / ours } else { ours / theirs };
                at_least(format!("{}× {}", number(ratio), other.title()), ratio, must, aim, |goal| format!("{goal}×"))
            }
            Goal::Cpu(must, aim) => {
                let here = cpu(Server::Bindery)?;
                let clear = Row { transport: "tcp", ..*row };
                let there = here * SLAPD_SEARCH / self.median(Server::Slapd, &clear, "cpu_us")?;
                let text = format!("{there:.1} µs where slapd takes {SLAPD_SEARCH} over TCP");
                at_most(text, there, must, aim, |goal| format!("{goal} µs"))
            }
            Goal::CpuShare(must, aim) => {
                let share = cpu(Server::Bindery)? / cpu(Server::Slapd)?;
                at_most(format!("{share:.2} of slapd's CPU"), share, must, aim, |goal| format!("{goal:.2}"))
            }
            Goal::OfLimit(must, aim) => {
                let part = ours / self.limit()?;
                at_least(format!("{part:.2} of the cores' limit"), part, must, aim, |goal| format!("{goal}"))
            }
            Goal::Slowdown(must, aim) => {
                let alone = Row { storm: 0, ..*row };
                let slower = self.median(Server::Bindery, row, "p99_us")? / self.median(Server::Bindery, &alone, "p99_us")?;
                let binds = self.median(Server::Bindery, row, "storm_per_second")?;
                let text = format!("p99 {}× that alone, {binds:.0} binds/s", number(slower));
                at_most(text, slower, must, aim, |goal| format!("{goal}×"))
            }
            Goal::Most(unit, must, aim) => {
                let longer = if row.workload == "start" && self.people > MANY { 10.0 } else { 1.0 };
                at_most(format!("{ours:.2} {unit}"), ours, must * longer, aim * longer, |goal| format!("{goal} {unit}"))
            }
        })
    }

    /// What one server did.
    fn cell(&self, server: Server, row: &Row) -> String {
        match (self.value(server, row), self.median(server, row, "cpu_us")) {
            (Some(rate), Some(cpu)) => format!("{}, {} µs", number(rate), number(cpu)),
            (Some(value), None) => format!("{value:.2}"),
            (None, _) => "–".to_owned(),
        }
    }

    fn slowest(&self, row: &Row) -> String {
        let all: Vec<String> = [Server::Slapd, Server::Audited, Server::Bindery]
            .into_iter()
            .filter_map(|server| self.median(server, row, "p99_us"))
            .map(|microseconds| format!("{:.2}", microseconds / 1000.0))
            .collect();
        all.join(" / ")
    }
}

fn write_row(measured: &Measured<'_>, row: &Row, output: &mut String) -> Result<(), Failure> {
    let figures: Vec<Figure> = row.goals.iter().filter_map(|goal| measured.figure(row, *goal)).collect();
    let of = |text: fn(&Figure) -> &str| figures.iter().map(text).filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ");
    let has_goal = figures.iter().any(|figure| !figure.must.is_empty());
    let verdict = match has_goal {
        false => "",
        true if figures.iter().all(|figure| figure.reaches_aim) => "aim",
        true if figures.iter().all(|figure| figure.reaches_must) => "met",
        true => "**missed**",
    };
    let connections = if row.connections == 0 { String::new() } else { row.connections.to_string() };
    writeln!(
        output,
        "| {} | {connections} | {} | {} | {} | {} | {} | {} | {} | {verdict} |",
        row.title,
        measured.cell(Server::Slapd, row),
        measured.cell(Server::Audited, row),
        measured.cell(Server::Bindery, row),
        measured.slowest(row),
        of(|figure| &figure.text),
        of(|figure| &figure.must),
        of(|figure| &figure.aim),
    )?;
    Ok(())
}

fn at_least(text: String, found: f64, must: f64, aim: f64, goal: impl Fn(f64) -> String) -> Figure {
    let show = |wanted: f64| if wanted > 0.0 { format!("≥ {}", goal(wanted)) } else { String::new() };
    Figure { text, must: show(must), aim: show(aim), reaches_must: found >= must, reaches_aim: found >= aim }
}

fn at_most(text: String, found: f64, must: f64, aim: f64, goal: impl Fn(f64) -> String) -> Figure {
    let show = |wanted: f64| format!("≤ {}", goal(wanted));
    Figure { text, must: show(must), aim: show(aim), reaches_must: found <= must, reaches_aim: found <= aim }
}

/// Three digits or so, thousands parted.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut parted = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            parted.push(',');
        }
        parted.push(digit);
    }
    parted
}
