//! `bindery journal prove` and `checkpoint`: proofs from the hashes that are kept beside the journal, which is not read for them.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::reading::{self, Recorded};
use super::verify::own_key;
use super::verify_file::proof_file;
use crate::command::{CommandError, Installation, output};
use crate::journal::note::VerifyingKey;
use crate::journal::proof::{RangeProof, RecordProof};
use crate::journal::tree::{inclusion_proof, range_proof};
use crate::journal::{Leaf, LineStamp, SignedTreeHead};
use crate::server::anchors;
use crate::server::installation::Installation as Loaded;
use crate::store::{self, StoreOptions, TreeFiles};

/// Arguments of `bindery journal prove`.
#[derive(Args, Debug)]
pub struct ProveArguments {
    /// Which record
    #[arg(value_name = "SEQUENCE")]
    sequence: u64,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Arguments of `bindery journal checkpoint`.
#[derive(Args, Debug)]
pub struct CheckpointArguments {
    /// An export: the proof of its records is written beside it, to FILE.proof
    #[arg(value_name = "FILE")]
    export: Option<PathBuf>,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// What proofs are made from.
pub(super) struct Proofs {
    pub(super) options: StoreOptions,
    pub(super) files: TreeFiles,
    /// The newest checkpoint.
    pub(super) head: SignedTreeHead,
}

impl Proofs {
    pub(super) fn of(installation: &Loaded) -> Result<Proofs, CommandError> {
        Proofs::if_signed(installation)?.ok_or_else(|| {
            cannot("there is no checkpoint of the journal yet: a server signs the first when it starts, and one each minute")
        })
    }

    /// None: nobody signed anything yet.
    pub(super) fn if_signed(installation: &Loaded) -> Result<Option<Proofs>, CommandError> {
        let options = installation.store_options_without_indexes();
        let files = TreeFiles::new(Arc::clone(&options.disk), &options.data);
        let heads = files.checkpoints().map_err(cannot)?;
        if heads.is_empty() {
            return Ok(None);
        }
        let key = own_key(installation)?;
        let head = heads.into_iter().rev().find(|head| head.verify(&key).is_ok());
        let head = head.ok_or_else(|| cannot("no checkpoint of the journal is signed with its key, keys/journal.pub"))?;
        Ok(Some(Proofs { options, files, head }))
    }

    /// Of these sequences, as far as the checkpoint goes.
    pub(super) fn range(&self, first: u64, last: u64) -> Result<RangeProof, CommandError> {
        let size = self.head.head.size;
        let range = first.saturating_sub(1)..last.min(size);
        if range.is_empty() {
            return Err(self.not_yet(first));
        }
        let hashes = range_proof(&self.files, &range, size).map_err(cannot)?;
        Ok(RangeProof { range, hashes, head: self.head.clone() })
    }

    /// Takes the newest checkpoint that outsiders said something of, where one covers this sequence; their time stamps of it.
    pub(super) fn prefer_anchored(&mut self, last: u64, own: &VerifyingKey) -> Result<Vec<Vec<u8>>, CommandError> {
        let folder = anchors::evidence_folder(&self.options.data);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let heads = anchors::read(&folder).map_err(cannot)?.into_iter().map(|(head, _)| head);
        let mut heads: Vec<SignedTreeHead> = heads
            .filter(|head| head.head.size >= last && head.head.size <= self.head.head.size && head.verify(own).is_ok())
            .collect();
        // Of the same checkpoint the note that more people signed.
        heads.sort_by_key(|head| (head.head.time, head.note.len()));
        let Some(head) = heads.pop() else { return Ok(Vec::new()) };
        let stamps = anchors::read_time_stamps(&folder).map_err(cannot)?;
        self.head = head;
        Ok(stamps.into_iter().filter(|stamp| stamp.head.text() == self.head.text()).map(|stamp| stamp.token).collect())
    }

    pub(super) fn record(&self, sequence: u64) -> Result<RecordProof, CommandError> {
        let size = self.head.head.size;
        let index = sequence.checked_sub(1).filter(|index| *index < size).ok_or_else(|| self.not_yet(sequence))?;
        let mut found = None;
        let each = &mut |_, line: &str| {
            found = Some(line.to_owned());
            Ok(())
        };
        store::read_lines(&self.options, &(sequence..=sequence), each).map_err(cannot)?;
        let line = found.ok_or_else(|| cannot(format!("there is no record {sequence}")))?;
        let hashes = inclusion_proof(&self.files, index, size).map_err(cannot)?;
        let proof = RecordProof { line, index, hashes, head: self.head.clone() };
        if proof.holds() { Ok(proof) } else { Err(unfit()) }
    }

    fn not_yet(&self, sequence: u64) -> CommandError {
        let size = self.head.head.size;
        cannot(format!(
            "nobody signed for record {sequence} yet: the newest checkpoint is of {size} records; one is signed each minute"
        ))
    }
}

/// The journal or what is kept beside it is not what was signed.
pub(super) fn unfit() -> CommandError {
    cannot(
        "no proof can be made: the journal, or data/tree beside it, is not what was signed; find out with: bindery journal verify",
    )
}

/// Prints the proof of one record.
pub(super) fn prove(arguments: &ProveArguments) -> Result<ExitCode, CommandError> {
    let proofs = Proofs::of(&arguments.installation.load()?)?;
    match reading::record(&arguments.installation, &format!("prove {}", arguments.sequence))? {
        Recorded::ByServer => {}
        Recorded::Here(opened) => opened.close(),
        Recorded::Not(problem) => return Err(CommandError::Cannot(problem)),
    }
    let proof = proofs.record(arguments.sequence)?;
    output::line(proof.to_text().trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the newest checkpoint, or writes the proof of an export.
pub(super) fn checkpoint(arguments: &CheckpointArguments) -> Result<ExitCode, CommandError> {
    let proofs = Proofs::of(&arguments.installation.load()?)?;
    let Some(export) = &arguments.export else {
        output::line(proofs.head.note.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    let in_export = |error: std::io::Error| cannot(format!("{}: {error}", export.display()));
    let (mut first, mut last, mut leaves) = (0, 0, Vec::new());
    for line in BufReader::new(File::open(export).map_err(in_export)?).lines() {
        let line = line.map_err(in_export)?;
        let stamp = LineStamp::parse(&line).ok_or_else(|| cannot(format!("{}: is no export", export.display())))?;
        first = if leaves.is_empty() { stamp.sequence } else { first };
        last = stamp.sequence;
        leaves.push(Leaf::of_line(&line));
    }
    let proof = proofs.range(first, last)?;
    let count = usize::try_from(proof.range.end - proof.range.start).unwrap_or(usize::MAX);
    if !leaves.get(..count).is_some_and(|leaves| proof.holds(leaves)) {
        return Err(unfit());
    }
    let file = proof_file(export);
    std::fs::write(&file, proof.to_text()).map_err(|error| cannot(format!("{}: {error}", file.display())))?;
    output::line(format_args!("{}: records {first} to {} proven", file.display(), proof.range.end))?;
    Ok(ExitCode::SUCCESS)
}

fn cannot(error: impl std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}
