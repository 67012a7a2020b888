//! What a run counted.

use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    /// Of everything else, how often.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.seeds += other.seeds;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    /// A table for people.
    pub(crate) fn table(&self) -> String {
        let mut lines = vec![
            ("seeds".to_owned(), self.seeds),
            ("operations acknowledged".to_owned(), self.acknowledged),
            ("operations refused with 52".to_owned(), self.refused),
        ];
        lines.extend(self.counts.iter().map(|(what, count)| ((*what).to_owned(), *count)));
        lines.iter().map(|(what, count)| format!("| {what:<58} | {count:>9} |\n")).collect()
    }
}
