//! Medians of several rounds, and how two servers compare.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Failure;

/// One line of `key=value`.
type Line<'a> = BTreeMap<&'a str, &'a str>;

const OURS: &str = "bindery";
const THEIRS: &str = "slapd";

/// What the project set itself: workload, connections, least ratio; met by throughput or by CPU time where that is enough.
const TARGETS: &[(&str, &str, f64, bool)] =
    &[("search", "8", 1.5, true), ("search", "64", 1.5, true), ("modify", "64", 4.0, false)];

/// The table of all workloads, ratios as ours to theirs: above 1 is better everywhere.
pub(crate) fn report(text: &str) -> Result<String, Failure> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(' ').filter_map(|pair| pair.split_once('=')).collect())
        .collect();
    let mut output = String::new();
    imports(&lines, &mut output)?;
    writeln!(
        output,
        "{:<13} {:>5} {:<8} {:>6} {:>12} {:>10} {:>10} {:>12}",
        "workload", "conns", "server", "rounds", "operations/s", "p50 us", "p99 us", "CPU us/op"
    )?;
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for line in &lines {
        if let (Some(&workload), Some(&connections)) = (line.get("workload"), line.get("connections"))
            && !kinds.contains(&(workload, connections))
        {
            kinds.push((workload, connections));
        }
    }
    for (workload, connections) in kinds {
        let theirs = row(&lines, THEIRS, workload, connections, &mut output)?;
        let ours = row(&lines, OURS, workload, connections, &mut output)?;
        if let (Some((their_rate, their_cpu)), Some((our_rate, our_cpu))) = (theirs, ours) {
            let (rate, cpu) = (our_rate / their_rate, their_cpu / our_cpu);
            write!(output, "{:<13} {:>5} ratio: throughput {rate:.2}, CPU per operation {cpu:.2}", workload, connections)?;
            writeln!(output, "{}", verdict(workload, connections, rate, cpu))?;
        }
    }
    Ok(output)
}

fn verdict(workload: &str, connections: &str, rate: f64, cpu: f64) -> String {
    let target = TARGETS.iter().find(|(target, count, ..)| (*target, *count) == (workload, connections));
    match target {
        Some((_, _, least, by_cpu)) => {
            let met = rate >= *least || *by_cpu && cpu >= *least;
            format!(" (target {least}: {})", if met { "met" } else { "missed" })
        }
        None => String::new(),
    }
}

fn imports(lines: &[Line<'_>], output: &mut String) -> Result<(), Failure> {
    let seconds = |server: &str| median(lines, server, "import", None, "seconds");
    for server in [THEIRS, OURS] {
        if let Some(seconds) = seconds(server) {
            writeln!(output, "import   {server:<8} {seconds:.1} s")?;
        }
    }
    if let (Some(theirs), Some(ours)) = (seconds(THEIRS), seconds(OURS)) {
        let ratio = theirs / ours;
        writeln!(output, "import   ratio: {ratio:.2} (target 1: {})", if ratio >= 1.0 { "met" } else { "missed" })?;
    }
    writeln!(output)?;
    Ok(())
}

/// Prints one server's medians; throughput and CPU time of an operation.
fn row(
    lines: &[Line<'_>],
    server: &str,
    workload: &str,
    connections: &str,
    output: &mut String,
) -> Result<Option<(f64, f64)>, Failure> {
    let of = |key| median(lines, server, workload, Some(connections), key);
    let (Some(rate), Some(half), Some(slow), Some(cpu)) = (of("operations_per_second"), of("p50_us"), of("p99_us"), of("cpu_us"))
    else {
        return Ok(None);
    };
    let rounds = numbers(lines, server, workload, Some(connections), "cpu_us").len();
    writeln!(
        output,
        "{workload:<13} {connections:>5} {server:<8} {rounds:>6} {rate:>12.0} {half:>10.0} {slow:>10.0} {cpu:>12.1}"
    )?;
    Ok(Some((rate, cpu)))
}

fn numbers(lines: &[Line<'_>], server: &str, workload: &str, connections: Option<&str>, key: &str) -> Vec<f64> {
    let mut numbers: Vec<f64> = lines
        .iter()
        .filter(|line| line.get("server") == Some(&server) && line.get("workload") == Some(&workload))
        .filter(|line| line.get("connections").copied() == connections)
        .filter_map(|line| line.get(key)?.parse().ok())
        .collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

fn median(lines: &[Line<'_>], server: &str, workload: &str, connections: Option<&str>, key: &str) -> Option<f64> {
    let numbers = numbers(lines, server, workload, connections, key);
    numbers.get(numbers.len() / 2).copied()
}
