//! Verification of a whole journal, record by record: each continues the chain, and the tree is at every checkpoint the one that was signed.

use super::tree::Tree;
use super::{Leaf, LineStamp, SignedTreeHead};
use crate::model::Timestamp;

/// Something that is not as it was.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Finding {
    /// Records are not those that were written.
    Altered {
        /// First and last of those among which it is.
        sequences: (u64, u64),
        /// What does not fit.
        problem: String,
    },
    /// Records are missing.
    Cut {
        /// First and last.
        sequences: (u64, u64),
        /// What shows it.
        problem: String,
    },
    /// What was anchored is too old to say anything of newer records.
    Stale {
        /// How old.
        problem: String,
    },
    /// Records that hang together, and that the proof handed out with them says nothing of.
    Unproven {
        /// First and last.
        sequences: (u64, u64),
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Finding::Altered { sequences: (first, last), problem } => write!(f, "altered: {}: {problem}", span(*first, *last)),
            Finding::Cut { sequences: (first, last), problem } => write!(f, "missing: {}: {problem}", span(*first, *last)),
            Finding::Stale { problem } => write!(f, "anchor stale: {problem}"),
            Finding::Unproven { sequences: (first, last) } => {
                write!(f, "unproven: {}: the proof says nothing of what stands here", span(*first, *last))
            }
        }
    }
}

fn span(first: u64, last: u64) -> String {
    if first == last { format!("sequence {first}") } else { format!("sequences {first} to {last}") }
}

/// Records that follow each other, taken out of a journal: whether they hang together. That they are of the journal shows a proof.
#[derive(Default)]
pub struct Stretch {
    /// Sequence of the first; 0: there is none.
    pub first: u64,
    /// Their leaves.
    pub leaves: Vec<Leaf>,
    /// What does not fit.
    pub findings: Vec<Finding>,
}

impl Stretch {
    /// Takes the next line.
    pub fn accept(&mut self, line: &str) {
        let due = self.first.saturating_add(self.leaves.len() as u64);
        let altered = |sequence, problem: &str| Finding::Altered { sequences: (sequence, sequence), problem: problem.to_owned() };
        match LineStamp::parse(line) {
            None => self.findings.push(altered(due, "this is no record")),
            Some(stamp) if self.leaves.is_empty() => self.first = stamp.sequence,
            Some(stamp) if stamp.sequence > due => {
                let problem = format!("{} follows {}", stamp.sequence, due.saturating_sub(1));
                self.findings.push(Finding::Cut { sequences: (due, stamp.sequence.saturating_sub(1)), problem });
            }
            Some(stamp) if stamp.sequence < due => {
                self.findings.push(altered(stamp.sequence, &format!("it stands where {due} is due")));
            }
            Some(stamp) if self.leaves.last().is_some_and(|last| *last != stamp.previous) => {
                let problem = "the record behind it does not continue it";
                self.findings.push(altered(due.saturating_sub(1), problem));
            }
            Some(_) => {}
        }
        self.leaves.push(Leaf::of_line(line));
    }

    /// Sequence of the last, where none is missing.
    pub fn last(&self) -> u64 {
        self.first.saturating_add(self.leaves.len() as u64).saturating_sub(1)
    }
}

/// A verification under way, from the first record on.
pub struct Verification {
    /// Sorted by size, and what each is called.
    heads: std::iter::Peekable<std::vec::IntoIter<(SignedTreeHead, String)>>,
    tree: Tree,
    last_leaf: Leaf,
    last_time: Timestamp,
    /// The size at the last checkpoint that fits.
    good: u64,
    /// Since then: the first record whose leaf is not the one that was kept.
    differing: Option<u64>,
    findings: Vec<Finding>,
    fitting: u64,
}

impl Verification {
    /// With checkpoints whose signatures are verified, each with what it is called in a message.
    pub fn new(mut heads: Vec<(SignedTreeHead, String)>) -> Verification {
        heads.sort_by_key(|(head, _)| head.head.size);
        Verification {
            heads: heads.into_iter().peekable(),
            tree: Tree::default(),
            last_leaf: Leaf::default(),
            last_time: Timestamp::default(),
            good: 0,
            differing: None,
            findings: Vec::new(),
            fitting: 0,
        }
    }

    /// Sequence of the last record.
    pub fn last(&self) -> u64 {
        self.tree.size()
    }

    /// Time of the last record.
    pub fn last_time(&self) -> Timestamp {
        self.last_time
    }

    /// Checkpoints that fitted, and the last sequence one of them covers.
    pub fn proven(&self) -> (u64, u64) {
        (self.fitting, self.good)
    }

    /// Takes the next record. `kept`: its leaf as it was kept beside the journal, if it was: tells which record it is that is not as it was.
    /// False: the record is not one that continues the journal, and nothing behind it can be judged.
    pub fn accept(&mut self, line: &str, kept: Option<Leaf>) -> bool {
        let due = self.tree.size().saturating_add(1);
        let Some(stamp) = LineStamp::parse(line) else {
            self.altered((due, due), "this is no record");
            return false;
        };
        if stamp.sequence > due {
            let problem = format!("{} follows {}", stamp.sequence, due - 1);
            self.findings.push(Finding::Cut { sequences: (due, stamp.sequence - 1), problem });
            return false;
        }
        if stamp.sequence < due {
            self.altered((stamp.sequence, stamp.sequence), &format!("it stands where {due} is due"));
            return false;
        }
        if stamp.previous != self.last_leaf {
            self.altered(
                (due.saturating_sub(1).max(1), due),
                "the record does not continue the chain: it, or the one before, is not what was written",
            );
        }
        self.last_time = Timestamp(stamp.time);
        self.push(Leaf::of_line(line), kept);
        true
    }

    /// Takes the leaf of a record that cannot be read; what it was is shown by the checkpoint after it.
    pub fn accept_leaf(&mut self, leaf: Leaf) {
        self.push(leaf, Some(leaf));
    }

    fn push(&mut self, leaf: Leaf, kept: Option<Leaf>) {
        self.tree.push(leaf, &mut |_, _, _| {});
        self.last_leaf = leaf;
        let size = self.tree.size();
        if kept.is_some_and(|kept| kept != leaf) && self.differing.is_none() {
            self.differing = Some(size);
        }
        while let Some((head, name)) = self.heads.next_if(|(head, _)| head.head.size <= size) {
            if head.head.size < size {
                continue;
            }
            if head.head.root == self.tree.root() {
                (self.good, self.differing) = (size, None);
                self.fitting += 1;
                continue;
            }
            let first = self.differing.unwrap_or_else(|| self.good.saturating_add(1));
            let last = self.differing.unwrap_or(size);
            let problem = format!("what stands here is not what {name}, of {size} records, was signed for");
            // All later ones do not fit either and would say nothing new.
            while self.heads.next().is_some() {}
            self.altered((first, last), &problem);
        }
    }

    fn altered(&mut self, sequences: (u64, u64), problem: &str) {
        self.findings.push(Finding::Altered { sequences, problem: problem.to_owned() });
    }

    /// Adds what was found otherwise.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// All that was found, once the last record was taken.
    pub fn finish(mut self) -> Vec<Finding> {
        let last = self.tree.size();
        if let Some((head, name)) = self.heads.by_ref().filter(|(head, _)| head.head.size > last).last() {
            let problem =
                format!("the journal ends at {last}, and {name} of {} was signed for more", head.head.time.to_rfc3339());
            self.findings.push(Finding::Cut { sequences: (last.saturating_add(1), head.head.size), problem });
        }
        self.findings
    }
}
