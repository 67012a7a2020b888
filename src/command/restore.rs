//! `bindery restore`: makes the data folder anew from a backup, as it was at an instant.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::installation::server_socket;
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::journal::{Named, Record, RecordKind};
use crate::model::Timestamp;
use crate::server::notes;
use crate::store::{self, BackupFacts, MANIFEST, PresentFolder, RestoreFacts, RestoreTarget, StoreOptions};

/// Octets of the longest manifest that is believed: some hundred thousand segments.
const LONGEST_MANIFEST: u64 = 64 * 1024 * 1024;

/// Arguments of `bindery restore`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
    /// What `bindery backup` wrote: a folder, a tar archive, or - for an archive on standard input
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
    /// The instant to go back to: a sequence of the journal, or a time (2026-11-22T10:15:00Z, 20261122101500Z) [default: the end]
    #[arg(long, value_name = "SEQUENCE|TIME")]
    pub to: Option<String>,
}

/// Checks the whole backup, makes a data folder of it beside the present one, opens and checks that, and only then puts it in place.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let target = target(arguments.to.as_deref())?;
    let installation = arguments.installation.load()?;
    if server_socket(&arguments.installation)?.is_some() {
        return Err(CommandError::Cannot("the server runs; stop it first".to_owned()));
    }
    let data = installation.configuration.data.clone();
    // Held to the end: nothing may be recorded there that is not taken over.
    let present = PresentFolder::lock(&data).map_err(|error| cannot(&error))?;
    let staging = Staging::new(&data)?;
    let facts = staging.fill(&arguments.backup)?;
    let options = StoreOptions { data: staging.0.clone(), ..installation.store_options_without_indexes() };
    let mut found = 0;
    let mut lost = |error: &store::StoreError, last: u64| {
        found += 1;
        output::remark(format_args!(
            "the journal of the present data folder cannot be read to its end ({error}); what it records behind sequence {last} stays in that \
             folder alone, and the restored journal gives the sequences behind it again"
        ));
    };
    let newer = match &present {
        None => None,
        Some(present) => match store::newer_journal(&options, present, &mut output::progress()) {
            Ok(newer) => newer.inspect(|newer| newer.damage().into_iter().for_each(|error| lost(error, newer.last()))),
            Err(error) => {
                lost(&error, facts.sequence);
                None
            }
        },
    };
    if let Some(present) = &present {
        store::adopt_positions(&options, present, newer.is_some()).map_err(|error| cannot(&error))?;
    }
    let adopted = newer.map(|newer| newer.adopt(&options)).transpose().map_err(|error| cannot(&error))?;
    let restored = store::restore(&options, target, record(&facts, installation.administrator()), &mut output::progress())
        .map_err(|error| cannot(&error))?;
    for note in &restored.notes {
        found += 1;
        output::remark(note);
    }
    check(&options, &restored)?;
    let aside = store::put_in_place(&staging.0, &data, present).map_err(|error| cannot(&error))?;
    tell(&restored, adopted, &data, aside.as_deref());
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

fn cannot(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}

/// All digits but too few for a time is a sequence.
fn target(text: Option<&str>) -> Result<RestoreTarget, CommandError> {
    let Some(text) = text else { return Ok(RestoreTarget::End) };
    if let Ok(sequence) = text.parse() {
        return Ok(RestoreTarget::Sequence(sequence));
    }
    let rfc3339 = || text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_microsecond()));
    let time = Timestamp::from_generalized_time(text.as_bytes()).ok().or_else(rfc3339);
    time.map(RestoreTarget::Time).ok_or_else(|| {
        CommandError::Usage(format!(
            "--to {text}: neither a sequence nor a time; write 4711, 2026-11-22T10:15:00Z or 20261122101500Z (local time with its offset: \
             2026-11-22T10:15:00-06:00)"
        ))
    })
}

/// Whoever holds the data folder and its key did it, as with every command on a stopped installation.
fn record(facts: &BackupFacts, administrator: String) -> Record {
    let details = vec![("backupSequence", facts.sequence.to_string()), ("backupDigest", facts.digest.clone())];
    let peer = format!("local uid={}", rustix::process::getuid().as_raw());
    let actor = Named { uuid: None, dn: administrator };
    Record { peer: Some(peer), actor: Some(actor), ..notes::record(RecordKind::Restore, details) }
}

/// Opens the restored folder as a server would.
fn check(options: &StoreOptions, restored: &RestoreFacts) -> Result<(), CommandError> {
    let opened = store::open(options, &mut output::progress()).map_err(|error| cannot(&error))?;
    if opened.chain.next_sequence != restored.record.saturating_add(1) {
        return Err(CommandError::Cannot("the restored folder opens with another end; please report it".to_owned()));
    }
    opened.checkpoint.stop();
    Ok(())
}

fn tell(restored: &RestoreFacts, adopted: Option<u64>, data: &Path, aside: Option<&Path>) {
    output::remark(format_args!(
        "{}: the content is that of sequence {} ({})",
        data.display(),
        restored.sequence,
        restored.time.to_rfc3339()
    ));
    match restored.left_out {
        Some((first, last)) => output::remark(format_args!(
            "what records {first} to {last} changed is left out; the records stay in the journal, which goes on behind them with {}",
            restored.record
        )),
        None => output::remark(format_args!("nothing is left out; the journal goes on with record {}", restored.record)),
    }
    if let Some(last) = adopted {
        output::remark(format_args!("records up to {last} were taken over from the journal of the data folder there was"));
    }
    if let Some(journal) = store::elsewhere(data) {
        output::remark(format_args!("the journal is in {}", journal.display()));
    }
    if let Some(aside) = aside {
        output::remark(format_args!("what was there is {}; remove it when you are sure", aside.display()));
    }
    if restored.left_out.is_some() {
        output::remark(
            "consumers of content synchronization that saw what is undone are told to begin anew; a slapd among them keeps what it has of an \
             entry where that is newer: empty its database by hand before it connects again",
        );
    }
}

/// The folder in which everything is made before it takes the data folder's place; removed with everything in it when it does not.
struct Staging(PathBuf);

impl Staging {
    fn new(data: &Path) -> Result<Staging, CommandError> {
        let name = data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = data.with_file_name(format!("{name}.restoring"));
        let cannot = |error: io::Error| CommandError::Cannot(format!("{}: {error}", path.display()));
        if path.exists() {
            // Another restore that was ended.
            store::elsewhere(&path).map_or(Ok(()), fs::remove_dir_all).map_err(cannot)?;
            fs::remove_dir_all(&path).map_err(cannot)?;
        }
        let make = |folder: &Path| DirBuilder::new().recursive(true).mode(0o700).create(folder);
        make(&path).map_err(cannot)?;
        if let Some(journal) = store::elsewhere(data) {
            let beside = beside(&journal).map_err(cannot)?;
            make(&beside).and_then(|()| symlink(&beside, store::folder_of_journal(&path))).map_err(cannot)?;
        }
        ["journal", "snapshots", "streams"].iter().try_for_each(|name| make(&path.join(name))).map_err(cannot)?;
        Ok(Staging(path))
    }

    /// Copies the backup's files here and compares them with its manifest.
    fn fill(&self, backup: &Path) -> Result<BackupFacts, CommandError> {
        let named = |error: io::Error| CommandError::Cannot(format!("{}: {error}", backup.display()));
        let manifest = if backup == Path::new("-") {
            self.unpack(io::stdin().lock()).map_err(named)?
        } else if fs::metadata(backup).map_err(named)?.is_dir() {
            self.copy(backup)?
        } else {
            self.unpack(File::open(backup).map_err(named)?).map_err(named)?
        };
        let manifest = manifest.ok_or_else(|| {
            CommandError::Cannot(format!(
                "{}: no backup, or it was never finished: there is no manifest at its end",
                backup.display()
            ))
        })?;
        let facts = BackupFacts::parse(&manifest, &backup.join(MANIFEST)).map_err(|error| cannot(&error))?;
        store::check_files(&self.0, &facts).map_err(|error| cannot(&error))?;
        for folder in [&self.0, &self.0.join("journal"), &self.0.join("snapshots"), &self.0.join("streams")] {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(named)?;
        }
        Ok(facts)
    }

    fn copy(&self, backup: &Path) -> Result<Option<Vec<u8>>, CommandError> {
        let path = backup.join(MANIFEST);
        let manifest = match File::open(&path).and_then(read_manifest) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| CommandError::Cannot(format!("{}: {error}", path.display())))?,
        };
        let facts = BackupFacts::parse(&manifest, &path).map_err(|error| cannot(&error))?;
        for file in &facts.files {
            let path = backup.join(&file.name);
            let copied = File::open(&path).and_then(|mut content| self.put(&file.name, &mut content));
            copied.map_err(|error| CommandError::Cannot(format!("{}: {error}", path.display())))?;
        }
        Ok(Some(manifest))
    }

    /// Takes the files of an archive; any other content is refused.
    fn unpack(&self, archive: impl Read) -> io::Result<Option<Vec<u8>>> {
        let mut manifest = None;
        for entry in tar::Archive::new(archive).entries()? {
            let mut entry = entry?;
            let name = entry.path()?.to_string_lossy().into_owned();
            if name == MANIFEST {
                manifest = Some(read_manifest(&mut entry)?);
            } else if entry.header().entry_type().is_file() && store::is_file_name(&name) {
                self.put(&name, &mut entry)?;
            } else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name}: no file of a backup")));
            }
        }
        Ok(manifest)
    }

    fn put(&self, name: &str, content: &mut dyn Read) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.0.join(name))?;
        io::copy(content, &mut file)?;
        file.sync_all()
    }
}

/// A name for the journal that is restored, on the disk of the one there is.
fn beside(journal: &Path) -> io::Result<PathBuf> {
    let name = journal.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.split(".restored-").next().unwrap_or_default().to_owned();
    let mut names = (1..u64::MAX).map(|number| journal.with_file_name(format!("{name}.restored-{number}")));
    names.find(|path| !path.exists()).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(journal) = store::elsewhere(&self.0) {
            let _ = fs::remove_dir_all(journal);
        }
        // Where it took the data folder's place there is nothing of this name any more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read_manifest(content: impl Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    content.take(LONGEST_MANIFEST).read_to_end(&mut octets)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_a_sequence_or_a_time() {
        assert_eq!(target(None).unwrap(), RestoreTarget::End);
        assert_eq!(target(Some("4711")).unwrap(), RestoreTarget::Sequence(4711));
        let moment = RestoreTarget::Time(Timestamp(1_795_342_500_000_000));
        for text in
            ["2026-11-22T10:15:00Z", "2026-11-22T04:15:00-06:00", "20261122101500Z", "202611221015Z", "20261122041500-0600"]
        {
            assert_eq!(target(Some(text)).unwrap(), moment, "{text}");
        }
        for text in ["", "yesterday", "2026-11-22", "2026-11-22T10:15:00", "-5"] {
            assert!(target(Some(text)).is_err(), "{text}");
        }
    }
}
