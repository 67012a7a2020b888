//! A bundle of evidence: records that follow each other with their proof, what was in force, and a cover that people read, signed as one note.
//!
//! ```text
//! bindery.journal/evidence@v1
//! | the cover, a line each
//! rule {"dn":…,"ldif":…}             an entry that decided about people when the bundle was made
//! record {…}                          a record's line
//! leaf BASE64                         the leaf of a record that is left out
//! timestamp BASE64                    a time stamp (RFC 3161) of the checkpoint at the end
//! bindery.journal/range-proof@v1      and all of `proof::RangeProof`, which ends with the checkpoint
//! ```

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::canonical::Object;
use super::note::{Note, NoteError, SigningKey, VerifyingKey};
use super::proof::RangeProof;
use super::{Leaf, LineStamp};

const FIRST: &str = "bindery.journal/evidence@v1\n";
const PROOF: &str = "bindery.journal/range-proof@v1\n";

/// A record of the bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EvidenceRecord {
    /// Its line.
    Shown(String),
    /// Left out.
    Leaf(Leaf),
}

/// A bundle, believed or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// For people.
    pub cover: Vec<String>,
    /// Entries that decide about people: name and content as LDIF.
    pub rules: Vec<(String, String)>,
    /// All records of the range.
    pub records: Vec<EvidenceRecord>,
    /// That they are in the journal.
    pub proof: RangeProof,
    /// Time stamps of the proof's checkpoint, DER.
    pub time_stamps: Vec<Vec<u8>>,
    /// The note that it was read from; empty in one that is made.
    note: String,
}

impl Evidence {
    /// A bundle to be signed.
    pub fn new(cover: Vec<String>, rules: Vec<(String, String)>, records: Vec<EvidenceRecord>, proof: RangeProof) -> Evidence {
        Evidence { cover, rules, records, proof, time_stamps: Vec::new(), note: String::new() }
    }

    /// The same with time stamps of the proof's checkpoint.
    pub fn with_time_stamps(self, time_stamps: Vec<Vec<u8>>) -> Evidence {
        Evidence { time_stamps, ..self }
    }

    /// The signed bundle.
    pub fn sign(&self, key: &SigningKey) -> String {
        let mut text = FIRST.to_owned();
        // Writing to a String does not fail.
        for line in &self.cover {
            let line: String = line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
            let _ = writeln!(text, "| {line}");
        }
        for (dn, ldif) in &self.rules {
            let _ = writeln!(text, "rule {}", Object::default().string("dn", dn).string("ldif", ldif).finish());
        }
        for record in &self.records {
            let _ = match record {
                EvidenceRecord::Shown(line) => writeln!(text, "record {line}"),
                EvidenceRecord::Leaf(leaf) => writeln!(text, "leaf {}", BASE64_STANDARD.encode(leaf.0)),
            };
        }
        for token in &self.time_stamps {
            let _ = writeln!(text, "timestamp {}", BASE64_STANDARD.encode(token));
        }
        text.push_str(&self.proof.to_text());
        key.sign(&text)
    }

    /// Takes a bundle apart; nothing is verified.
    pub fn parse(note: &str) -> Option<Evidence> {
        let text = Note::parse(note)?.text.strip_prefix(FIRST)?;
        let at = text.find(&format!("\n{PROOF}"))?;
        let proof = RangeProof::parse(text.get(at + 1..)?)?;
        let (mut cover, mut rules, mut records, mut time_stamps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for line in text.get(..at)?.lines() {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            match kind {
                "|" => cover.push(rest.to_owned()),
                "rule" => {
                    let rule: serde_json::Value = serde_json::from_str(rest).ok()?;
                    rules.push((rule.get("dn")?.as_str()?.to_owned(), rule.get("ldif")?.as_str()?.to_owned()));
                }
                "record" => records.push(EvidenceRecord::Shown(rest.to_owned())),
                "leaf" => records.push(EvidenceRecord::Leaf(Leaf(BASE64_STANDARD.decode(rest).ok()?.try_into().ok()?))),
                "timestamp" => time_stamps.push(BASE64_STANDARD.decode(rest).ok()?),
                _ => return None,
            }
        }
        Some(Evidence { cover, rules, records, proof, time_stamps, note: note.to_owned() })
    }

    /// Whether this key signed it.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), NoteError> {
        Note::parse(&self.note).ok_or(NoteError::BadSignature)?.verify(key)
    }

    /// The leaves of all records.
    pub fn leaves(&self) -> Vec<Leaf> {
        let leaf = |record: &EvidenceRecord| match record {
            EvidenceRecord::Shown(line) => Leaf::of_line(line),
            EvidenceRecord::Leaf(leaf) => *leaf,
        };
        self.records.iter().map(leaf).collect()
    }

    /// The first record whose own sequence is not that of its place.
    pub fn misplaced(&self) -> Option<u64> {
        let places = (self.proof.range.start.saturating_add(1)..).zip(&self.records);
        let is_misplaced = |(sequence, record): &(u64, &EvidenceRecord)| match record {
            EvidenceRecord::Shown(line) => LineStamp::parse(line).is_none_or(|stamp| stamp.sequence != *sequence),
            EvidenceRecord::Leaf(_) => false,
        };
        places.into_iter().find(is_misplaced).map(|(sequence, _)| sequence)
    }
}
