//! The table of faults survived and found.

use std::fmt::Write as _;

use crate::trial::Trial;

/// How one round ended.
pub(crate) enum Verdict {
    /// Everything acknowledged is there.
    Survived,
    /// Not everything is there, or the server does not start, and a message says which file is damaged.
    Found,
    /// Something acknowledged is not there, and nothing says so; or something that should have gone on did not.
    Lost(String),
    /// A panic, a signal, or no end.
    BrokeDown(String),
}

pub(crate) struct Row {
    fault: &'static str,
    place: String,
    rounds: usize,
    survived: usize,
    found: usize,
    lost: usize,
    broke_down: usize,
}

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// What must not happen, in words.
    pub(crate) problems: Vec<String>,
    acknowledged: usize,
    rebuilt: usize,
    pub(crate) remarks: Vec<String>,
}

impl Table {
    pub(crate) fn add(&mut self, fault: &'static str, place: &str, verdict: Verdict) {
        let at = self.rows.iter().position(|row| row.fault == fault && row.place == place).unwrap_or_else(|| {
            let place = place.to_owned();
            self.rows.push(Row { fault, place, rounds: 0, survived: 0, found: 0, lost: 0, broke_down: 0 });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.rounds += 1;
        match verdict {
            Verdict::Survived => row.survived += 1,
            Verdict::Found => row.found += 1,
            Verdict::Lost(problem) => {
                row.lost += 1;
                self.report(fault, place, &problem);
            }
            Verdict::BrokeDown(problem) => {
                row.broke_down += 1;
                self.report(fault, place, &problem);
            }
        }
    }

    /// Adds what was done in a trial.
    pub(crate) fn count(&mut self, trial: &Trial) {
        self.acknowledged += trial.acknowledged;
        self.rebuilt += trial.rebuilt;
    }

    fn report(&mut self, fault: &str, place: &str, problem: &str) {
        eprintln!("FAILED: {fault}, {place}: {problem}");
        self.problems.push(format!("{fault}, {place}: {problem}"));
    }

    pub(crate) fn to_markdown(&self, seed: u64) -> String {
        let mut text = String::new();
        let rounds: usize = self.rows.iter().map(|row| row.rounds).sum();
        writeln!(text, "Faults injected on {}: {rounds} rounds, seed {seed}.\n", today()).unwrap();
        writeln!(text, "| fault | where | rounds | survived | found | lost silently | panics or hangs |").unwrap();
        writeln!(text, "|---|---|---:|---:|---:|---:|---:|").unwrap();
        for row in &self.rows {
            let Row { fault, place, rounds, survived, found, lost, broke_down } = row;
            writeln!(text, "| {fault} | {place} | {rounds} | {survived} | {found} | {lost} | {broke_down} |").unwrap();
        }
        writeln!(
            text,
            "\n*survived*: everything acknowledged is there; *found*: the program says which file is damaged, and where the journal is, \
             the sequence. {} operations were acknowledged on the way; after kills, cuts and full disks sled's checkpoint had to be made \
             anew {} times.",
            self.acknowledged, self.rebuilt
        )
        .unwrap();
        for remark in &self.remarks {
            writeln!(text, "{remark}").unwrap();
        }
        text
    }
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}
