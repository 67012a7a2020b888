//! `bindery journal verify`: the journal against its checkpoints and anchors.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::outsiders::{OutsiderArguments, Outsiders, Said, in_folder, kept_time_stamps};
use super::verify_file;
use crate::command::{CommandError, Installation, output};
use crate::journal::note::{NoteError, VerifyingKey};
use crate::journal::tree::Rows as _;
use crate::journal::{Finding, Leaf, SignedTreeHead, Verification};
use crate::server::installation::Installation as Loaded;
use crate::server::{anchors, journal_key};
use crate::store::{self, StoreError, StoreOptions, TreeFiles};

/// What scripts go by.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 as it was written, 1 altered, 2 missing (or wrong arguments), 3 an anchor or the proof of an \
    export is older than the records, 4 it could not be verified";
/// Seconds that an anchor may be older than the journal's end, where no interval is configured.
const STALE: u64 = 1800;
/// Leaves that are read at once.
const LEAVES_AT_ONCE: u64 = 4096;

/// Exit code: it could not be verified. Not 3, as of other commands: that says that an anchor or a proof is older than the records.
const CANNOT_VERIFY: u8 = 4;

/// Arguments of `bindery journal verify`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// An export, a proof or a bundle of evidence [default: the journal of the installation]
    #[arg(value_name = "FILE")]
    handed_out: Option<PathBuf>,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// File with the public key, kept where the server cannot reach it; may be given again for a key that came before [default: that of the
    /// installation]
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Folder of anchors [default: that of the configuration]
    #[arg(long, value_name = "DIR", conflicts_with = "handed_out")]
    anchors: Option<PathBuf>,
    /// Seconds that the newest anchor may be older than the journal's end [default: three intervals]
    #[arg(long, value_name = "SECONDS", conflicts_with = "handed_out")]
    stale: Option<u64>,
    #[command(flatten)]
    outsiders: OutsiderArguments,
    /// The proof that belongs to an export [default: FILE.proof]
    #[arg(long, value_name = "FILE", requires = "handed_out")]
    proof: Option<PathBuf>,
}

/// Says what was found.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let findings = match found(arguments) {
        Err(error @ CommandError::Cannot(_)) => {
            output::complain(&error);
            return Ok(ExitCode::from(CANNOT_VERIFY));
        }
        found => found?,
    };
    for finding in &findings {
        output::line(finding)?;
    }
    // What is altered comes before what is missing, and that before what nobody signed for.
    Ok(ExitCode::from(match findings.iter().min() {
        None => 0,
        Some(Finding::Altered { .. }) => 1,
        Some(Finding::Cut { .. }) => 2,
        Some(Finding::Stale { .. } | Finding::Unproven { .. }) => 3,
    }))
}

fn found(arguments: &Arguments) -> Result<Vec<Finding>, CommandError> {
    let mut keys: Vec<VerifyingKey> = arguments.keys.iter().map(|path| read_key(path)).collect::<Result<_, _>>()?;
    match &arguments.handed_out {
        Some(file) => {
            if keys.is_empty() {
                keys.push(own_key(&arguments.installation.load()?)?);
            }
            let own = arguments.installation.load().ok();
            let outsiders = Outsiders::of(&arguments.outsiders, own.as_ref())?;
            verify_file::verify(file, arguments.proof.as_deref(), &keys, &outsiders)
        }
        None => {
            let installation = arguments.installation.load()?;
            if keys.is_empty() {
                keys.push(own_key(&installation)?);
            }
            verify_journal(&installation, arguments, &keys)
        }
    }
}

/// Of a file that says who may have signed.
fn read_key(path: &Path) -> Result<VerifyingKey, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|error| CommandError::Cannot(format!("{}: {error}", path.display())))?;
    VerifyingKey::parse(&text).ok_or_else(|| {
        CommandError::Cannot(format!("{}: holds no public key of a journal; name a copy of keys/journal.pub", path.display()))
    })
}

pub(super) fn own_key(installation: &Loaded) -> Result<VerifyingKey, CommandError> {
    read_key(&journal_key::public_file(&installation.configuration.journal_key))
}

fn verify_journal(installation: &Loaded, arguments: &Arguments, keys: &[VerifyingKey]) -> Result<Vec<Finding>, CommandError> {
    let options = installation.store_options_without_indexes();
    let files = TreeFiles::new(std::sync::Arc::clone(&options.disk), &options.data);
    // Checkpoints first: what they are of is durable by then, however the server goes on.
    let own = files.checkpoints().map_err(|error| CommandError::Cannot(format!("{}: {error}", files.folder().display())))?;
    let own: Vec<(SignedTreeHead, String)> = own.into_iter().map(|head| (head, "the checkpoint".to_owned())).collect();
    let configured = installation.configuration.anchors.as_ref();
    let folder = arguments.anchors.clone().or_else(|| configured.and_then(|anchors| anchors.folder.clone()));
    let mut folders: Vec<PathBuf> = folder.into_iter().collect();
    folders.extend(Some(anchors::evidence_folder(&options.data)).filter(|folder| folder.is_dir()));
    let mut anchored = Vec::new();
    for folder in &folders {
        anchored.extend(anchors::read(folder).map_err(|error| in_folder(folder, &error))?);
    }
    // One folder may have the anchors of several installations.
    let anchored = anchored.into_iter().filter(|(head, _)| keys.iter().any(|key| key.name() == head.head.origin));
    let anchored: Vec<_> = anchored.map(|(head, name)| (head, format!("the anchor {name}"))).collect();
    let mut unsigned = Vec::new();
    let own = believed(own, keys, &mut unsigned);
    let anchored = believed(anchored, keys, &mut unsigned);
    let mut said = outsiders(installation, arguments, keys, &folders, &anchored)?;
    unsigned.append(&mut said.findings);
    let newest_anchor = anchored.iter().map(|(head, _)| head.head.time).max();
    let newest = own.iter().map(|(head, _)| head.head.time).max();

    let mut verification = Verification::new(own.into_iter().chain(anchored).collect());
    unsigned.into_iter().for_each(|finding| verification.add(finding));
    walk(&options, &files, &mut verification)?;
    let (fitting, proven) = verification.proven();
    let last = verification.last();
    if configured.is_some() || !folders.is_empty() {
        let stale =
            configured.map_or(STALE, |anchors| anchors.interval.as_secs().saturating_mul(u64::from(anchors::STALE_INTERVALS)));
        let stale = arguments.stale.unwrap_or(stale);
        let end = newest.unwrap_or_default().max(verification.last_time());
        let problem = match newest_anchor {
            None => Some("there is none".to_owned()),
            Some(anchor) => {
                let age = end.0.saturating_sub(anchor.0) / 1_000_000;
                let text = format!("the newest is of {}, the journal goes {age} s further", anchor.to_rfc3339());
                (age > i64::try_from(stale).unwrap_or(i64::MAX)).then_some(text)
            }
        };
        problem.into_iter().for_each(|problem| verification.add(Finding::Stale { problem }));
    }
    if fitting == 0 && last > 0 {
        let problem =
            "no checkpoint is there that anybody signed: they were taken away, or the server was never started since".to_owned();
        verification.add(Finding::Cut { sequences: (1, last), problem });
    }
    let findings: Vec<Finding> = verification.finish().into_iter().map(|finding| with_segment(&options, finding)).collect();
    if findings.is_empty() {
        let anchored = newest_anchor.map_or(String::new(), |time| format!(", anchored up to {}", time.to_rfc3339()));
        output::line(format_args!(
            "{proven} of {last} records are as they were written: {fitting} checkpoints fit, the last one of {proven}{anchored}"
        ))?;
        for line in said.lines {
            output::line(line)?;
        }
        if proven < last {
            output::remark(format_args!(
                "records {} to {last} are behind the last checkpoint: nobody signed for them yet",
                proven + 1
            ));
        }
    }
    Ok(findings)
}

/// What others said of the checkpoints that were anchored.
fn outsiders(
    installation: &Loaded,
    arguments: &Arguments,
    keys: &[VerifyingKey],
    folders: &[PathBuf],
    anchored: &[(SignedTreeHead, String)],
) -> Result<Said, CommandError> {
    let (outsiders, mut said) = (Outsiders::of(&arguments.outsiders, Some(installation))?, Said::default());
    outsiders.cosigned(anchored.iter().map(|(head, _)| head), &mut said);
    let kept = kept_time_stamps(folders)?;
    let own = kept.iter().filter(|kept| keys.iter().any(|key| kept.head.verify(key).is_ok()));
    let stamps: Vec<(&SignedTreeHead, &[u8], &str)> = own.map(|it| (&it.head, &it.token[..], it.name.as_str())).collect();
    outsiders.stamped(&stamps, &mut said);
    Ok(said)
}

/// Those that one of the keys signed. The others are told together: a changed key makes all of them wrong.
fn believed(
    heads: Vec<(SignedTreeHead, String)>,
    keys: &[VerifyingKey],
    findings: &mut Vec<Finding>,
) -> Vec<(SignedTreeHead, String)> {
    let verifies = |head: &SignedTreeHead| {
        let mut outcomes = keys.iter().map(|key| head.verify(key));
        let first = outcomes.next().unwrap_or(Err(NoteError::OtherKey));
        outcomes.fold(first, |found, outcome| if found.is_ok() || outcome == Err(NoteError::OtherKey) { found } else { outcome })
    };
    let mut good = Vec::new();
    for wrong in [NoteError::OtherKey, NoteError::BadSignature] {
        let sizes = heads.iter().filter(|(head, _)| verifies(head) == Err(wrong)).map(|(head, _)| head.head.size);
        let sizes: Vec<u64> = sizes.collect();
        if let (Some(first), Some(last), Some((_, name))) = (sizes.iter().min(), sizes.iter().max(), heads.first()) {
            let what = name.split_whitespace().nth(1).unwrap_or_default();
            let problem = match wrong {
                NoteError::OtherKey => {
                    "not signed with the key given: the key was changed, or it is not the key of this journal".to_owned()
                }
                NoteError::BadSignature => wrong.to_string(),
            };
            let problem = format!("{what}s of {first} to {last} records ({}): {problem}", sizes.len());
            findings.push(Finding::Altered { sequences: ((*first).min(1), *last), problem });
        }
    }
    good.extend(heads.into_iter().filter(|(head, _)| verifies(head).is_ok()));
    good
}

/// Takes every record; where some cannot be read their leaves stand in, if they were kept.
fn walk(options: &StoreOptions, files: &TreeFiles, verification: &mut Verification) -> Result<(), CommandError> {
    let mut kept = Kept { files, first: 1, leaves: Vec::new() };
    let mut is_blind = false;
    let mut damages = Vec::new();
    let mut each = |frame: crate::journal::Frame| {
        while !is_blind && verification.last().saturating_add(1) < frame.sequence {
            match kept.leaf(verification.last().saturating_add(1)) {
                Some(leaf) => verification.accept_leaf(leaf),
                None => is_blind = true,
            }
        }
        for (sequence, line) in (frame.sequence..).zip(frame.lines()) {
            if !is_blind {
                is_blind = !verification.accept(line, kept.leaf(sequence));
            }
        }
        Ok(())
    };
    let read = store::read_frames_around(options, 1, &mut each, &mut |damage| {
        damages.push(damage);
        Ok(())
    });
    for damage in damages {
        let is_gap = damage.is_gap();
        let problem = format!("{}: {}", damage.segment, damage.problem);
        let sequences = damage.sequences;
        verification.add(if is_gap { Finding::Cut { sequences, problem } } else { Finding::Altered { sequences, problem } });
    }
    match read {
        Ok(()) => Ok(()),
        Err(StoreError::Damaged { segment, sequence, problem }) => {
            let (is_gap, problem, sequences) = (store::is_gap(&problem), format!("{segment}: {problem}"), (sequence, sequence));
            verification.add(if is_gap { Finding::Cut { sequences, problem } } else { Finding::Altered { sequences, problem } });
            Ok(())
        }
        Err(error) => Err(CommandError::Cannot(error.to_string())),
    }
}

/// The leaves that are kept beside the journal, read ahead.
struct Kept<'a> {
    files: &'a TreeFiles,
    first: u64,
    leaves: Vec<Leaf>,
}

impl Kept<'_> {
    fn leaf(&mut self, sequence: u64) -> Option<Leaf> {
        let place = |first: u64| sequence.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if place(self.first).is_none_or(|place| place >= self.leaves.len()) {
            let index = sequence.checked_sub(1)?;
            let end = index.saturating_add(LEAVES_AT_ONCE).min(self.files.stored());
            let leaves = self.files.read(0, index..end.max(index)).ok()?;
            (self.first, self.leaves) = (sequence, leaves.into_iter().map(Leaf).collect());
        }
        place(self.first).and_then(|place| self.leaves.get(place)).copied()
    }
}

fn with_segment(options: &StoreOptions, finding: Finding) -> Finding {
    match finding {
        Finding::Altered { sequences, problem } if !problem.contains(".segment") => {
            let segment = store::segment_of(options, sequences.0).map_or(String::new(), |name| format!("{name}: "));
            Finding::Altered { sequences, problem: format!("{segment}{problem}") }
        }
        other => other,
    }
}
