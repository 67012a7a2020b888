//! Backups: copies of sealed files, none of which says anything without the key, which is never among them.
//!
//! ```text
//! format                        as in the data folder
//! journal/<first>.segment       every segment; the last one ends with the group that the newest snapshot was taken after
//! snapshots/snapshot-<sequence> the newest and, if it is whole, the one before
//! streams/<name>.position       how far a collector had the records, at most to the last one here
//! manifest                      comes last: a backup without it is not finished
//! ```
//!
//! The manifest:
//!
//! ```text
//! bindery backup
//! format 1                      2 where there are positions of streams
//! node 0f0e0d0c-0b0a-4908-8706-050403020100
//! sequence 4711                 the last one in it
//! time 2026-11-22T10:15:00.000123Z
//! digest <64 hex digits>        of the content after it
//! since 4000                    sequence of the older snapshot
//! file <octets> <64 hex digits: BLAKE3> <name>
//! …
//! check <64 hex digits: BLAKE3 of the lines above>
//! ```

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::opened_keys;
use super::positions::{self, StreamPosition};
use super::reader::{JournalReader, ReadGroup};
use super::snapshot::{self, SNAPSHOTS_KEPT, SnapshotFacts, SnapshotFile};
use super::{Progress, StoreError, StoreOptions};
use crate::journal::{Frame, Leaf, to_hex};
use crate::model::Timestamp;
use crate::world::Disk;

/// The file that makes a backup whole.
pub const MANIFEST: &str = "manifest";

const TITLE: &str = "bindery backup";
/// What is read. Without positions of streams 1 is written, which programs before them read.
const FORMAT: u32 = 2;
const FORMAT_FILE: &str = "format";
/// How often reading the journal beside a running server is begun anew: what is being written, or rewritten, may look damaged.
const TRIES: u32 = 3;

/// Takes the files of a backup.
pub trait BackupSink {
    /// The next file, `octets` long; the last one is the manifest.
    fn file(&mut self, name: &str, octets: u64, content: &mut dyn Read) -> io::Result<()>;
}

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupFacts {
    /// The installation.
    pub node: String,
    /// The last sequence in it.
    pub sequence: u64,
    /// Its policy time, RFC 3339.
    pub time: String,
    /// Digest of the content after it, hex.
    pub digest: String,
    /// Sequence of the older snapshot.
    pub since: u64,
    /// Its files but the manifest.
    pub files: Vec<BackupFile>,
}

/// A file of a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupFile {
    /// With its folder.
    pub name: String,
    /// Its length.
    pub octets: u64,
    /// BLAKE3, hex.
    pub hash: String,
}

impl BackupFacts {
    /// Octets of all files.
    pub fn octets(&self) -> u64 {
        self.files.iter().map(|file| file.octets).sum()
    }

    fn to_text(&self) -> String {
        let BackupFacts { node, sequence, time, digest, since, files } = self;
        let has_positions = files.iter().any(|file| file.name.starts_with(positions::FOLDER));
        let format = if has_positions { FORMAT } else { 1 };
        let mut text =
            format!("{TITLE}\nformat {format}\nnode {node}\nsequence {sequence}\ntime {time}\ndigest {digest}\nsince {since}\n");
        for BackupFile { name, octets, hash } in files {
            text.push_str(&format!("file {octets} {hash} {name}\n"));
        }
        let check = to_hex(blake3::hash(text.as_bytes()).as_bytes());
        format!("{text}check {check}\n")
    }

    /// Reads a manifest. `path` is for messages.
    pub fn parse(octets: &[u8], path: &Path) -> Result<BackupFacts, StoreError> {
        let wrong = || StoreError::Backup(format!("{}: no manifest of a backup, or damaged", path.display()));
        let text = std::str::from_utf8(octets).map_err(|_| wrong())?;
        let (lines, check) = text.rsplit_once("check ").ok_or_else(wrong)?;
        if !lines.starts_with(TITLE) || check.trim_end() != to_hex(blake3::hash(lines.as_bytes()).as_bytes()) {
            return Err(wrong());
        }
        let field = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let number = |name: &str| field(name).and_then(|text| text.parse::<u64>().ok());
        let found = number("format").and_then(|number| u32::try_from(number).ok()).ok_or_else(wrong)?;
        if found > FORMAT {
            return Err(StoreError::TooNew { path: path.to_owned(), found, known: FORMAT });
        }
        let files: Option<Vec<BackupFile>> = lines.lines().filter_map(|line| line.strip_prefix("file ")).map(file_line).collect();
        Ok(BackupFacts {
            node: field("node").ok_or_else(wrong)?.to_owned(),
            sequence: number("sequence").ok_or_else(wrong)?,
            time: field("time").ok_or_else(wrong)?.to_owned(),
            digest: field("digest").ok_or_else(wrong)?.to_owned(),
            since: number("since").ok_or_else(wrong)?,
            files: files.ok_or_else(wrong)?,
        })
    }
}

/// Names that would lead out of the backup's folder, or are none of its files, are no names.
fn file_line(line: &str) -> Option<BackupFile> {
    let mut parts = line.splitn(3, ' ');
    let (octets, hash, name) = (parts.next()?.parse().ok()?, parts.next()?.to_owned(), parts.next()?.to_owned());
    is_file_name(&name).then_some(BackupFile { name, octets, hash })
}

/// Whether a backup may have a file of this name beside its manifest.
pub fn is_file_name(name: &str) -> bool {
    match name.split_once('/') {
        None => name == FORMAT_FILE,
        Some(("journal", segment)) => super::header::first_of_name(segment).is_some(),
        Some((positions::FOLDER, file)) => positions::is_name(file),
        Some(("snapshots", file)) => snapshot::sequence_of(Path::new(file)).is_some_and(|_| !file.contains('/')),
        Some(_) => false,
    }
}

/// Writes a backup of a data folder, the server running or not: up to the snapshot of `sequence`, which was just taken. Everything that goes
/// into it is checked on the way: the snapshots' content, the journal's chain. `damaged` hears of an older snapshot that is left out, and of
/// records that cannot be read: their files are copied as they are.
pub fn write_backup(
    options: &StoreOptions,
    sequence: u64,
    sink: &mut dyn BackupSink,
    progress: &mut dyn FnMut(Progress),
    damaged: &mut dyn FnMut(&dyn std::fmt::Display),
) -> Result<BackupFacts, StoreError> {
    let disk = &options.disk;
    let mut snapshots: Vec<(PathBuf, SnapshotFacts)> = Vec::new();
    for (of, path) in snapshot::list(&**disk, &options.data.join("snapshots"))?.into_iter().filter(|(of, _)| *of <= sequence) {
        match checked_snapshot(options, &path) {
            Ok(facts) => snapshots.push((path, facts)),
            Err(error) if of == sequence => return Err(error),
            Err(error) => damaged(&error),
        }
        if snapshots.len() == SNAPSHOTS_KEPT {
            break;
        }
    }
    let (Some((_, newest)), Some((_, oldest))) = (snapshots.first(), snapshots.last()) else {
        return Err(StoreError::Backup(format!("snapshot {sequence} is not there any more; try again")));
    };
    let position = newest.position;
    let since = oldest.position.sequence;
    let extents = read_extents(options, position.sequence, progress, damaged)?;
    if (extents.sequence, extents.leaf) != (position.sequence, position.leaf) {
        return Err(StoreError::Backup(format!("the journal says something else of sequence {sequence} than its snapshot")));
    }
    let identity = opened_keys(options)?.0.identity();
    let text = identity.to_text();
    let mut files = vec![put(sink, FORMAT_FILE, text.len() as u64, &mut text.as_bytes())?];
    for (path, length) in &extents.files {
        files.push(copy(&**disk, path, "journal", *length, sink)?);
    }
    for (path, facts) in snapshots.iter().rev() {
        files.push(copy(&**disk, path, "snapshots", facts.octets, sink)?);
    }
    for (name, text) in positions::up_to(options, &StreamPosition::of(position.sequence, position.leaf))? {
        files.push(put(sink, &name, text.len() as u64, &mut text.as_bytes())?);
    }
    let facts = BackupFacts {
        node: identity.node_text(),
        sequence: position.sequence,
        time: position.time.to_rfc3339(),
        digest: to_hex(&position.digest.to_bytes()),
        since,
        files,
    };
    let manifest = facts.to_text();
    put(sink, MANIFEST, manifest.len() as u64, &mut manifest.as_bytes())?;
    Ok(facts)
}

/// What counts of a journal's segments.
#[derive(Default)]
pub(super) struct Extents {
    /// Each with its length.
    pub(super) files: Vec<(PathBuf, u64)>,
    /// The last sequence in them.
    pub(super) sequence: u64,
    /// Its leaf.
    pub(super) leaf: Leaf,
    /// The leaf of the sequence asked about.
    pub(super) leaf_asked: Option<Leaf>,
}

enum Stop {
    /// What was wanted is read.
    Enough,
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Store(error)
    }
}

fn read_extents(
    options: &StoreOptions,
    until: u64,
    progress: &mut dyn FnMut(Progress),
    damaged: &mut dyn FnMut(&dyn std::fmt::Display),
) -> Result<Extents, StoreError> {
    let folder = options.data.join("journal");
    for _ in 0..TRIES {
        let Ok(reader) = reader_now(options, &folder) else { continue };
        let mut found = Extents::default();
        match extents(&reader, &folder, Wanted { until, asked: None, proven: until }, progress, &mut found) {
            Err(StoreError::Damaged { .. } | StoreError::WrongKey { .. }) => {}
            read => return read.map(|()| found),
        }
    }
    let reader = reader_now(options, &folder)?;
    extents_around(options, &reader, &folder, until, damaged)
}

/// With the keys there are now: they may change while it is read.
fn reader_now(options: &StoreOptions, folder: &Path) -> Result<JournalReader, StoreError> {
    JournalReader::new(Arc::clone(&options.disk), folder, &opened_keys(options)?.0)
}

/// Reads a snapshot whole; once more where it may have been written anew meanwhile.
fn checked_snapshot(options: &StoreOptions, path: &Path) -> Result<SnapshotFacts, StoreError> {
    let check = || {
        let (keys, _) = opened_keys(options)?;
        SnapshotFile::open(Arc::clone(&options.disk), path, &keys)?.verify(&keys.digest_key(), &|| Ok(()))
    };
    let again = |_| check();
    check().or_else(again).or_else(again)
}

/// What is wanted of a journal.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// The group that holds this sequence is the last one.
    pub(super) until: u64,
    /// Whose leaf to tell.
    pub(super) asked: Option<u64>,
    /// The last sequence that something else proves to have been durable.
    pub(super) proven: u64,
}

/// Reads and verifies the journal from its first record on. Where that fails, `found` holds what stands before.
pub(super) fn extents(
    reader: &JournalReader,
    folder: &Path,
    wanted: Wanted,
    progress: &mut dyn FnMut(Progress),
    found: &mut Extents,
) -> Result<(), StoreError> {
    let mut frames = 0;
    let read = reader.read::<Stop>(1, wanted.proven, &mut |group| {
        if found.sequence >= wanted.until {
            return Err(Stop::Enough);
        }
        frames += group.frames.len() as u64;
        super::content::report(progress, frames, group.frames.len());
        found.take(&group, folder, wanted.asked);
        Ok(())
    });
    match read {
        Ok(_) | Err(Stop::Enough) => Ok(()),
        Err(Stop::Store(error)) => Err(error),
    }
}

/// The same where some of the journal is damaged: every segment there is, whole as a file, and what of them cannot be read.
fn extents_around(
    options: &StoreOptions,
    reader: &JournalReader,
    folder: &Path,
    until: u64,
    damaged: &mut dyn FnMut(&dyn std::fmt::Display),
) -> Result<Extents, StoreError> {
    let mut found = Extents::default();
    let end = reader.read_around::<StoreError>(1, &mut |group| {
        if found.sequence < until {
            found.take(&group, folder, None);
        }
        Ok(())
    })?;
    end.damages.iter().filter(|damage| damage.sequences.0 <= until).for_each(|damage| damaged(damage));
    let Some((last, length)) = found.files.pop() else { return Ok(found) };
    let io = |path: &Path, error| StoreError::Io { path: path.to_owned(), error };
    found.files.clear();
    for path in options.disk.list(folder).map_err(|error| io(folder, error))? {
        if path < last && super::header::first_of_name(&snapshot::name_of(&path)).is_some() {
            let whole = options.disk.length(&path).map_err(|error| io(&path, error))?;
            found.files.push((path, whole));
        }
    }
    found.files.push((last, length));
    Ok(found)
}

impl Extents {
    fn take(&mut self, group: &ReadGroup, folder: &Path, asked: Option<u64>) {
        let path = folder.join(&group.segment);
        match self.files.last_mut() {
            Some((last, length)) if *last == path => *length = group.end,
            _ => self.files.push((path, group.end)),
        }
        if let Some(frame) = group.frames.iter().find(|frame| Some(frame.last_sequence()) == asked) {
            self.leaf_asked = Some(frame.leaf());
        }
        if let Some(last) = group.frames.last() {
            (self.sequence, self.leaf) = (last.last_sequence(), last.leaf());
        }
    }
}

/// Policy time of a frame's last record.
pub(super) fn time_of(frame: &Frame) -> Timestamp {
    let stamp = frame.lines().next_back().and_then(crate::journal::LineStamp::parse);
    stamp.map_or_else(Timestamp::default, |stamp| Timestamp(stamp.time))
}

fn copy(disk: &dyn Disk, path: &Path, folder: &str, length: u64, sink: &mut dyn BackupSink) -> Result<BackupFile, StoreError> {
    let name = format!("{folder}/{}", snapshot::name_of(path));
    // One that is written anew meanwhile is copied as it was.
    let mut file = disk.reader(path).map_err(|error| StoreError::Io { path: path.to_owned(), error })?.take(length);
    put(sink, &name, length, &mut file)
}

fn put(sink: &mut dyn BackupSink, name: &str, octets: u64, content: &mut dyn Read) -> Result<BackupFile, StoreError> {
    let mut hashing = Hashing { content, hasher: blake3::Hasher::new(), octets: 0 };
    sink.file(name, octets, &mut hashing).map_err(|error| StoreError::Io { path: PathBuf::from(name), error })?;
    if hashing.octets != octets {
        return Err(StoreError::Backup(format!("{name}: {} octets of {octets} were copied", hashing.octets)));
    }
    Ok(BackupFile { name: name.to_owned(), octets, hash: to_hex(hashing.hasher.finalize().as_bytes()) })
}

struct Hashing<'a> {
    content: &'a mut dyn Read,
    hasher: blake3::Hasher,
    octets: u64,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.octets = self.octets.saturating_add(count as u64);
        Ok(count)
    }
}

/// Compares every file in a folder with what the manifest says of it.
pub fn check_files(folder: &Path, facts: &BackupFacts) -> Result<(), StoreError> {
    for BackupFile { name, octets, hash } in &facts.files {
        let path = folder.join(name);
        let mut hasher = blake3::Hasher::new();
        let read = std::fs::File::open(&path).and_then(|file| hasher.update_reader(file).map(|hasher| hasher.count()));
        let count = read.map_err(|error| StoreError::Io { path: path.clone(), error })?;
        if count != *octets || to_hex(hasher.finalize().as_bytes()) != *hash {
            return Err(StoreError::Backup(format!("{}: damaged: it is not the file that was backed up", path.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{BackupFacts, BackupFile, is_file_name};

    #[test]
    fn a_manifest_reads_back_and_only_whole() {
        let file = |name: &str| BackupFile { name: name.to_owned(), octets: 5, hash: "ab".to_owned() };
        let facts = BackupFacts {
            node: "n".to_owned(),
            sequence: 7,
            time: "2026-11-22T10:15:00.000123Z".to_owned(),
            digest: "00".to_owned(),
            since: 3,
            files: vec![file("format"), file("journal/00000000000000000001.segment")],
        };
        let text = facts.to_text();
        assert_eq!(BackupFacts::parse(text.as_bytes(), Path::new("manifest")).unwrap(), facts);
        for at in 0..text.len() - 1 {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            assert!(BackupFacts::parse(&damaged, Path::new("manifest")).is_err(), "octet {at}");
        }
        assert!(BackupFacts::parse(b"", Path::new("manifest")).is_err());
    }

    #[test]
    fn names_lead_nowhere_else() {
        let position = "streams/siem-1_a.position";
        for good in ["format", "journal/00000000000000000001.segment", "snapshots/snapshot-00000000000000000001", position] {
            assert!(is_file_name(good), "{good}");
        }
        for bad in [
            "",
            "manifest",
            "/etc/passwd",
            "streams/../format.position",
            "streams/.position",
            "streams/siem.position.new",
            "../format",
            "journal/../format",
            "journal/x",
            "snapshots/snapshot-1",
            "keys/seal.key",
        ] {
            assert!(!is_file_name(bad), "{bad}");
        }
        assert!(!is_file_name("snapshots/../snapshot-00000000000000000001"));
    }
}
