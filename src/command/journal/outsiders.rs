//! What outsiders said of checkpoints: cosignatures of witnesses, time stamps of authorities. Verified offline, with their public keys alone.

use std::path::{Path, PathBuf};

use clap::Args;
use rustls_pki_types::CertificateDer;

use crate::command::CommandError;
use crate::journal::cosignature::WitnessKey;
use crate::journal::{Finding, SignedTreeHead, time_stamp};
use crate::model::Timestamp;
use crate::server::anchors::{self, KeptTimeStamp};
use crate::server::installation::Installation as Loaded;
use crate::server::tls;

/// Who else is believed.
#[derive(Args, Debug)]
pub(super) struct OutsiderArguments {
    /// File with the public key of a witness, NAME+ID+KEY; may be given again [default: those of the configuration]
    #[arg(long = "witness-key", value_name = "FILE")]
    witness_keys: Vec<PathBuf>,
    /// File with the certificates of authorities of time stamps, PEM; may be given again [default: those of the configuration]
    #[arg(long = "time-stamp-authorities", value_name = "FILE")]
    authorities: Vec<PathBuf>,
}

/// The keys and certificates of those who are believed.
pub(super) struct Outsiders {
    witnesses: Vec<WitnessKey>,
    authorities: Vec<CertificateDer<'static>>,
}

/// What they said, and what of it does not fit.
#[derive(Default)]
pub(super) struct Said {
    /// For the reader.
    pub(super) lines: Vec<String>,
    pub(super) findings: Vec<Finding>,
    /// The newest moment at which somebody else saw the journal.
    pub(super) newest: Option<Timestamp>,
}

impl Outsiders {
    /// Those that were named, or those of the configuration.
    pub(super) fn of(arguments: &OutsiderArguments, installation: Option<&Loaded>) -> Result<Outsiders, CommandError> {
        let configured = installation.and_then(|installation| installation.configuration.anchors.as_ref());
        let mut witnesses = Vec::new();
        for file in &arguments.witness_keys {
            let text =
                std::fs::read_to_string(file).map_err(|error| CommandError::Cannot(format!("{}: {error}", file.display())))?;
            let key = text.lines().find_map(WitnessKey::parse);
            witnesses.push(key.ok_or_else(|| CommandError::Cannot(format!("{}: holds no key of a witness", file.display())))?);
        }
        if arguments.witness_keys.is_empty() {
            let keys = configured.into_iter().flat_map(|anchors| anchors.witnesses.iter());
            witnesses.extend(keys.filter_map(|settings| WitnessKey::parse(&settings.key)));
        }
        let mut files = arguments.authorities.clone();
        if files.is_empty() {
            files.extend(configured.into_iter().flat_map(|anchors| anchors.time_stamps.iter()).map(|it| it.authorities.clone()));
        }
        let mut authorities = Vec::new();
        for file in files {
            authorities.extend(tls::authorities(&file).map_err(|error| CommandError::Cannot(error.to_string()))?);
        }
        Ok(Outsiders { witnesses, authorities })
    }

    /// What witnesses said of these checkpoints.
    pub(super) fn cosigned<'a>(&self, heads: impl Iterator<Item = &'a SignedTreeHead>, said: &mut Said) {
        let heads: Vec<&SignedTreeHead> = heads.collect();
        for key in &self.witnesses {
            let mut newest: Option<(Timestamp, u64)> = None;
            for head in &heads {
                match key.cosigned(&head.note) {
                    Some(time) => newest = newest.max(Some((time, head.head.size))),
                    None if key.is_named_in(&head.note) => {
                        let problem = format!(
                            "the cosignature of {} on the checkpoint of {} records does not fit",
                            key.name(),
                            head.head.size
                        );
                        said.findings.push(Finding::Altered { sequences: (1, head.head.size), problem });
                    }
                    None => {}
                }
            }
            if let Some((time, size)) = newest {
                said.newest = said.newest.max(Some(time));
                let text = format!(
                    "cosigned by {}: {size} records at {}, and that they only grew before",
                    key.name(),
                    time.to_rfc3339()
                );
                said.lines.push(text);
            }
        }
    }

    /// What time stamps say: each with the checkpoint it is of and what it is called.
    pub(super) fn stamped(&self, stamps: &[(&SignedTreeHead, &[u8], &str)], said: &mut Said) {
        let mut newest: Option<(Timestamp, u64)> = None;
        let mut unverified = 0_u64;
        for (head, token, name) in stamps {
            if self.authorities.is_empty() {
                unverified += 1;
                continue;
            }
            match time_stamp::verify(token, head.text(), &self.authorities) {
                Ok(time) => newest = newest.max(Some((time, head.head.size))),
                Err(error) => {
                    let problem = format!("{name}: {error}");
                    said.findings.push(Finding::Altered { sequences: (1, head.head.size), problem });
                }
            }
        }
        if let Some((time, size)) = newest {
            said.newest = said.newest.max(Some(time));
            said.lines.push(format!("stamped by an authority: {size} records at {}", time.to_rfc3339()));
        }
        if unverified > 0 {
            said.lines.push(format!("{unverified} time stamps were not verified: name --time-stamp-authorities FILE"));
        }
    }
}

/// The time stamps of folders.
pub(super) fn kept_time_stamps(folders: &[PathBuf]) -> Result<Vec<KeptTimeStamp>, CommandError> {
    let mut kept = Vec::new();
    for folder in folders {
        kept.extend(anchors::read_time_stamps(folder).map_err(|error| in_folder(folder, &error))?);
    }
    Ok(kept)
}

/// An error about a folder.
pub(super) fn in_folder(folder: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Cannot(format!("{}: {error}", folder.display()))
}
