//! `bindery journal verify FILE`: what was handed out, without the installation it is from.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::outsiders::{Outsiders, Said};
use crate::command::{CommandError, output};
use crate::journal::evidence::Evidence;
use crate::journal::note::VerifyingKey;
use crate::journal::proof::{RangeProof, RecordProof};
use crate::journal::{Finding, LineStamp, SignedTreeHead, Stretch};

/// Octets of a proof or bundle that are read.
const LARGEST: u64 = 4 * 1024 * 1024 * 1024;

/// The proof that belongs to an export.
pub(super) fn proof_file(export: &Path) -> PathBuf {
    let mut name = OsString::from(export);
    name.push(".proof");
    PathBuf::from(name)
}

/// Tells the kinds of files apart by their first line.
pub(super) fn verify(
    file: &Path,
    proof: Option<&Path>,
    keys: &[VerifyingKey],
    outsiders: &Outsiders,
) -> Result<Vec<Finding>, CommandError> {
    let cannot = |error: std::io::Error| CommandError::Cannot(format!("{}: {error}", file.display()));
    let mut front = [0; 1];
    if File::open(file).and_then(|mut opened| opened.read(&mut front)).map_err(cannot)? == 1 && front == *b"{" {
        let beside = proof.map_or_else(|| proof_file(file), Path::to_owned);
        return export(file, &beside, keys);
    }
    let text = read(file)?;
    if let Some(proof) = RecordProof::parse(&text) {
        return record(&proof, keys, outsiders);
    }
    if let Some(evidence) = Evidence::parse(&text) {
        return bundle(&evidence, keys, outsiders);
    }
    Err(CommandError::Cannot(format!(
        "{}: neither an export nor a proof nor a bundle of evidence, or its end is missing",
        file.display()
    )))
}

fn read(file: &Path) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.map(|_| text).map_err(|error| CommandError::Cannot(format!("{}: {error}", file.display())))
}

fn record(proof: &RecordProof, keys: &[VerifyingKey], outsiders: &Outsiders) -> Result<Vec<Finding>, CommandError> {
    let sequence = proof.index.saturating_add(1);
    let mut findings = signed(&proof.head, keys);
    let says = LineStamp::parse(&proof.line).map(|stamp| stamp.sequence);
    if says != Some(sequence) || !proof.holds() {
        findings.push(altered(sequence, sequence, "this record is not in the journal that the checkpoint was signed for"));
    }
    if findings.is_empty() {
        output::line(&proof.line)?;
        let SignedTreeHead { head, .. } = &proof.head;
        let (size, time) = (head.size, head.time.to_rfc3339());
        output::line(format_args!("record {sequence} is in the journal {} of {size} records, signed at {time}", head.origin))?;
        findings = tell(outsiders, &proof.head, &[])?;
    }
    Ok(findings)
}

fn export(file: &Path, proof: &Path, keys: &[VerifyingKey]) -> Result<Vec<Finding>, CommandError> {
    let cannot = |error: std::io::Error| CommandError::Cannot(format!("{}: {error}", file.display()));
    let parsed = RangeProof::parse(&read(proof)?);
    let proof = parsed.ok_or_else(|| CommandError::Cannot(format!("{}: is no proof of an export", proof.display())))?;
    let mut stretch = Stretch::default();
    for line in BufReader::new(File::open(file).map_err(cannot)?).lines() {
        stretch.accept(&line.map_err(cannot)?);
    }
    let mut findings = signed(&proof.head, keys);
    findings.append(&mut stretch.findings);
    let (first, last) = (proof.range.start.saturating_add(1), proof.range.end);
    if findings.is_empty() && (stretch.first > first || stretch.last() < last) {
        let (from, to) = if stretch.first > first { (first, stretch.first - 1) } else { (stretch.last() + 1, last) };
        findings.push(Finding::Cut {
            sequences: (from, to),
            problem: "the proof is for them, and the export has them not".to_owned(),
        });
    }
    let skipped = usize::try_from(first.saturating_sub(stretch.first)).unwrap_or(usize::MAX);
    let count = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(usize::MAX);
    let proven = stretch.leaves.get(skipped..skipped.saturating_add(count)).unwrap_or_default();
    if findings.is_empty() && !proof.holds(proven) {
        findings.push(altered(first, last, "these records are not those that the checkpoint was signed for"));
    }
    if findings.is_empty() {
        let time = proof.head.head.time.to_rfc3339();
        output::line(format_args!("records {first} to {last} are as they were written, all of them: signed at {time}"))?;
        // That they continue each other proves nothing: whoever invents records can chain them.
        let beside = [(stretch.first, first.saturating_sub(1)), (last.saturating_add(1), stretch.last())];
        findings.extend(beside.into_iter().filter(|(from, to)| from <= to).map(|sequences| Finding::Unproven { sequences }));
    }
    Ok(findings)
}

fn bundle(evidence: &Evidence, keys: &[VerifyingKey], outsiders: &Outsiders) -> Result<Vec<Finding>, CommandError> {
    let (first, last) = (evidence.proof.range.start.saturating_add(1), evidence.proof.range.end);
    let mut findings = signed(&evidence.proof.head, keys);
    if !keys.iter().any(|key| evidence.verify(key).is_ok()) {
        findings.push(altered(first, last, "the bundle is not signed with the key given, or was changed since"));
    }
    if let Some(sequence) = evidence.misplaced() {
        findings.push(altered(sequence, sequence, "the record does not stand in its place"));
    }
    if !evidence.proof.holds(&evidence.leaves()) {
        findings.push(altered(first, last, "these records are not those that the checkpoint was signed for"));
    }
    if findings.is_empty() {
        for line in &evidence.cover {
            output::line(line)?;
        }
        let time = evidence.proof.head.head.time.to_rfc3339();
        output::line(format_args!("records {first} to {last} are as they were written, all of them: signed at {time}"))?;
        findings = tell(outsiders, &evidence.proof.head, &evidence.time_stamps)?;
    }
    Ok(findings)
}

/// What others said of the checkpoint.
fn tell(outsiders: &Outsiders, head: &SignedTreeHead, tokens: &[Vec<u8>]) -> Result<Vec<Finding>, CommandError> {
    let mut said = Said::default();
    outsiders.cosigned(std::iter::once(head), &mut said);
    let stamps: Vec<(&SignedTreeHead, &[u8], &str)> = tokens.iter().map(|token| (head, &token[..], "a time stamp")).collect();
    outsiders.stamped(&stamps, &mut said);
    said.lines.iter().try_for_each(output::line)?;
    Ok(said.findings)
}

fn signed(head: &SignedTreeHead, keys: &[VerifyingKey]) -> Vec<Finding> {
    let is_signed = keys.iter().any(|key| head.verify(key).is_ok());
    let finding = altered(1, head.head.size, "the checkpoint is not signed with the key given, or was changed since");
    if is_signed { Vec::new() } else { vec![finding] }
}

fn altered(first: u64, last: u64, problem: &str) -> Finding {
    Finding::Altered { sequences: (first, last), problem: problem.to_owned() }
}
