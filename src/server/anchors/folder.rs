//! Checkpoints as files: in a write-once folder, and, with what outsiders said of them, below the data folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Anchor;
use crate::journal::SignedTreeHead;

/// Octets of a file in the folder that are read: a checkpoint is much shorter.
const LARGEST: u64 = 64 * 1024;
/// The same of what a collector wrote down.
const LARGEST_COLLECTED: u64 = 256 * 1024 * 1024;
/// Folder below the data folder for what outsiders said.
const EVIDENCE: &str = "anchors";

/// A write-once folder.
pub(super) struct Folder(pub(super) PathBuf);

impl Anchor for Folder {
    fn place(&self) -> String {
        format!("the folder {}", self.0.display())
    }

    fn anchor(&mut self, head: &SignedTreeHead) -> Result<(), String> {
        write(&self.0, &file_name(head, "checkpoint"), head.note.as_bytes()).map_err(|error| error.to_string())
    }
}

/// Where what outsiders said is kept.
pub fn evidence_folder(data: &Path) -> PathBuf {
    data.join(EVIDENCE)
}

/// Keeps what an outsider said of a checkpoint.
pub(super) fn keep(data: &Path, head: &SignedTreeHead, ending: &str, octets: &[u8]) -> io::Result<()> {
    let folder = evidence_folder(data);
    match std::fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
        Ok(()) => File::open(data)?.sync_all()?,
    }
    write(&folder, &file_name(head, ending), octets)
}

/// A new file, which nobody has written to before.
fn write(folder: &Path, name: &str, octets: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path);
    let mut file = match made {
        // Of the same checkpoint, signed in the same microsecond: it is this one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && std::fs::read(&path)? == octets => return Ok(()),
        other => other?,
    };
    file.write_all(octets)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Sorted by name they are sorted by size.
fn file_name(head: &SignedTreeHead, ending: &str) -> String {
    let node = head.head.origin.rsplit('/').next().unwrap_or_default();
    format!("{node}-{:020}-{}.{ending}", head.head.size, head.head.time.to_generalized_time_micros())
}

/// The anchors in a folder with the names of their files; what is none is left out. In files that a collector wrote (`*.log`), they are looked
/// for line by line.
pub fn read(folder: &Path) -> io::Result<Vec<(SignedTreeHead, String)>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        let length = item.metadata()?.len();
        if name.ends_with(".checkpoint") && length <= LARGEST {
            let text = std::fs::read_to_string(item.path()).unwrap_or_default();
            found.extend(crate::journal::parse_tree_heads(&text).into_iter().map(|head| (head, name.clone())));
        } else if name.ends_with(".log") && length <= LARGEST_COLLECTED {
            let text = String::from_utf8_lossy(&std::fs::read(item.path())?).into_owned();
            found.extend(text.lines().filter_map(super::syslog::collected).map(|head| (head, name.clone())));
        }
    }
    Ok(found)
}

/// A time stamp that was kept.
pub struct KeptTimeStamp {
    /// The checkpoint that it is of.
    pub head: SignedTreeHead,
    /// The token, DER.
    pub token: Vec<u8>,
    /// Name of its file.
    pub name: String,
}

/// The time stamps in a folder, each with the checkpoint that lies beside it under the same name.
pub fn read_time_stamps(folder: &Path) -> io::Result<Vec<KeptTimeStamp>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".tst").filter(|_| item.metadata().is_ok_and(|facts| facts.len() <= LARGEST)) else {
            continue;
        };
        let note = std::fs::read_to_string(folder.join(format!("{stem}.checkpoint"))).unwrap_or_default();
        if let Some(head) = SignedTreeHead::parse(&note) {
            found.push(KeptTimeStamp { head, token: std::fs::read(item.path())?, name });
        }
    }
    Ok(found)
}
