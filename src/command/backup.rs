//! `bindery backup`: copies the data folder's sealed files to a folder or a pipe, whether the server runs or not.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::journal::RecordKind;
use crate::protocol::ber::{BerError, Reader};
use crate::protocol::oid;
use crate::server::snapshotter;
use crate::store::{self, BackupFacts, BackupSink};
use crate::wire::client::LocalClient;

/// Arguments of `bindery backup`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
    /// A new folder to write to; - for standard output, as a tar archive [default: bindery-backup-SEQUENCE in the working folder]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// Takes a fresh snapshot, copies it with the one before and the journal, and compares the copy with what was read.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let installation = arguments.installation.load()?;
    let options = installation.store_options_without_indexes();
    let mut offline = None;
    let sequence = match server_socket(&arguments.installation)? {
        Some((socket, _)) => ask(&socket)?,
        None => {
            let (opened, sequence) = offline_snapshot(installation)?;
            // Open until everything is copied, so that no server starts meanwhile.
            offline = Some(opened);
            sequence
        }
    };
    let mut found = 0;
    let mut damaged = |what: &dyn std::fmt::Display| {
        found += 1;
        output::remark(format_args!("damaged, and not or not whole in the backup: {what}"));
    };
    let mut write = |sink: &mut dyn BackupSink| {
        store::write_backup(&options, sequence, sink, &mut output::progress(), &mut damaged).map_err(|error| cannot(&error))
    };
    let (facts, place) = if arguments.out.as_deref() == Some(Path::new("-")) {
        let mut sink = Archive(tar::Builder::new(io::stdout().lock()));
        let facts = write(&mut sink)?;
        sink.0.into_inner().and_then(|mut output| output.flush()).map_err(|error| cannot(&error))?;
        (facts, "standard output".to_owned())
    } else {
        let folder = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("bindery-backup-{sequence}")));
        let facts = write(&mut Folder::new(&folder)?)?;
        store::check_files(&folder, &facts).map_err(|error| cannot(&error))?;
        (facts, folder.display().to_string())
    };
    if let Some(opened) = offline {
        opened.close();
    }
    tell(&facts, &place, arguments.out.as_deref() == Some(Path::new("-")));
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

/// Asks the running server for a snapshot, as the calling user.
fn ask(socket: &Path) -> Result<u64, CommandError> {
    let mut client = LocalClient::connect(socket).map_err(|error| cannot(&error))?;
    let answer = client.extended(oid::BACKUP).map_err(|error| {
        CommandError::Cannot(format!(
            "{error}; backups are made by root, the server's own user, or an administrator of [ldapi.users]"
        ))
    })?;
    sequence_of(&answer).map_err(|error| CommandError::Cannot(format!("the server's answer cannot be read: {error}")))
}

fn sequence_of(answer: &[u8]) -> Result<u64, BerError> {
    let mut outer = Reader::new(answer);
    let mut parts = outer.sequence()?;
    parts.octet_string()?;
    let sequence = parts.integer()?;
    u64::try_from(sequence).map_err(|_| BerError("the sequence"))
}

fn offline_snapshot(installation: crate::server::installation::Installation) -> Result<(OfflineInstallation, u64), CommandError> {
    let mut opened = OfflineInstallation::without_indexes(installation)?;
    let facts =
        opened.snapshot().ok_or_else(|| CommandError::Cannot("no snapshot could be taken, so there is no backup".to_owned()))?;
    opened.note(OfflineInstallation::record(RecordKind::Backup, snapshotter::details(&facts.name, &facts.position)))?;
    Ok((opened, facts.position.sequence))
}

fn cannot(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}

fn tell(facts: &BackupFacts, place: &str, is_pipe: bool) {
    let BackupFacts { sequence, time, digest, since, files, .. } = facts;
    output::remark(format_args!("{place}: {} files, {} octets", files.len() + 1, facts.octets()));
    output::remark(format_args!("sequence {sequence} of {time}, digest {digest}"));
    if is_pipe {
        output::remark("everything was checked while it was read; what the pipe made of it was not");
    } else {
        output::remark("the copy was read back and is what was read");
    }
    output::remark("the key is not part of it: without the seal key of [keys] nobody can read or restore it");
    output::remark(format_args!(
        "to restore: stop the server, bindery restore {} [--to SEQUENCE|TIME]; any instant from sequence {since} on",
        if is_pipe { "FILE" } else { place }
    ));
}

/// A new folder.
struct Folder(PathBuf);

impl Folder {
    fn new(path: &Path) -> Result<Folder, CommandError> {
        let cannot = |error: io::Error| CommandError::Cannot(format!("{}: {error}", path.display()));
        let exists = match fs::read_dir(path).map(Iterator::count) {
            Ok(0) => true,
            Ok(_) => return Err(CommandError::Usage(format!("{}: is not empty; name a new folder", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(cannot(error)),
        };
        if !exists {
            DirBuilder::new().mode(0o700).create(path).map_err(cannot)?;
            // Its name stands in the folder above it.
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(cannot)?;
        }
        Ok(Folder(path.to_owned()))
    }
}

impl BackupSink for Folder {
    fn file(&mut self, name: &str, _octets: u64, content: &mut dyn Read) -> io::Result<()> {
        let path = self.0.join(name);
        let folder = path.parent().unwrap_or(&self.0);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        io::copy(content, &mut file)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        File::open(&self.0)?.sync_all()
    }
}

/// An archive that is written as it is made.
struct Archive<W: Write>(tar::Builder<W>);

impl<W: Write> BackupSink for Archive<W> {
    fn file(&mut self, name: &str, octets: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(octets);
        header.set_mode(0o600);
        self.0.append_data(&mut header, name, content)
    }
}
