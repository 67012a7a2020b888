//! How far a stream has come: a small file of its own, `DIR/data/streams/NAME.position`, synced once the collector took what is before it.
//!
//! ```text
//! bindery.stream/position@v1
//! 4711                                  sequence of the last record that was taken
//! 0f3c…                                 its leaf, which shows whether the journal is still the same
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{PresentFolder, StoreError, StoreOptions};
use crate::journal::Leaf;
use crate::world::Disk;

/// The folder of them.
pub(super) const FOLDER: &str = "streams";
const ENDING: &str = ".position";
/// Characters of a stream's name.
const LONGEST_NAME: usize = 64;
const FIRST: &str = "bindery.stream/position@v1";

/// The last record that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamPosition {
    /// Its sequence.
    pub sequence: u64,
    /// Its leaf, hexadecimal.
    pub leaf: String,
}

/// Where that is kept.
pub struct PositionFile {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    name: String,
}

impl PositionFile {
    /// Of a stream.
    pub fn new(options: &StoreOptions, name: &str) -> PositionFile {
        PositionFile { disk: Arc::clone(&options.disk), folder: options.data.join(FOLDER), name: format!("{name}{ENDING}") }
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Reads it; none: there is no file. One that cannot be understood is of a stream that was: it begins with the first record.
    pub fn read(&self) -> io::Result<Option<StreamPosition>> {
        let octets = match self.disk.read(&self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let parsed = std::str::from_utf8(&octets).ok().and_then(parse);
        if parsed.is_none() {
            tracing::warn!(file = %self.path().display(), "the position of a stream cannot be understood: the journal is streamed from its beginning");
        }
        Ok(Some(parsed.unwrap_or_else(|| StreamPosition::unreadable(0))))
    }

    /// Writes it durably: beside, then renamed.
    pub fn write(&self, position: &StreamPosition) -> io::Result<()> {
        self.disk.create_folder(&self.folder)?;
        let beside = self.folder.join(format!("{}.new", self.name));
        let file = self.disk.open(&beside)?;
        file.set_length(0)?;
        file.write_all_at(position.to_text().as_bytes(), 0)?;
        file.sync_data()?;
        self.disk.rename(&beside, &self.path())
    }
}

impl StreamPosition {
    /// Of a record.
    pub fn of(sequence: u64, leaf: Leaf) -> StreamPosition {
        StreamPosition { sequence, leaf: leaf.to_hex() }
    }

    fn to_text(&self) -> String {
        format!("{FIRST}\n{}\n{}\n", self.sequence, self.leaf)
    }

    /// Whether it has no leaf that could be compared.
    pub fn shows_nothing(&self) -> bool {
        self.leaf == Leaf::default().to_hex()
    }

    /// Of a record that cannot be read, or of none.
    pub fn unreadable(sequence: u64) -> StreamPosition {
        StreamPosition::of(sequence, Leaf::default())
    }
}

/// Whether a file holds the position of a stream, by its name.
pub(super) fn is_name(file: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let name = file.strip_suffix(ENDING).unwrap_or_default();
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(fits)
}

/// The positions of a data folder, for a backup that ends with this record: whoever took more than that took that.
pub(super) fn up_to(options: &StoreOptions, end: &StreamPosition) -> Result<Vec<(String, String)>, StoreError> {
    let folder = options.data.join(FOLDER);
    let names = match options.disk.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(|error| StoreError::Io { path: folder.clone(), error })?,
    };
    let mut found = Vec::new();
    for path in names {
        let name = super::snapshot::name_of(&path);
        if !is_name(&name) {
            continue;
        }
        let octets = options.disk.read(&path).map_err(|error| StoreError::Io { path: path.clone(), error })?;
        // One that is torn says nothing: its stream begins with the first record.
        let position = std::str::from_utf8(&octets).ok().and_then(parse).unwrap_or_else(|| StreamPosition::unreadable(0));
        let position = if position.sequence > end.sequence { end } else { &position };
        found.push((format!("{FOLDER}/{name}"), position.to_text()));
    }
    Ok(found)
}

/// Takes the positions over into a folder that is being restored: all of them where its journal is the one that is streamed, and goes on behind
/// them; else those that the backup has none for. A position that is of another journal is found out when the stream starts.
pub fn adopt_positions(options: &StoreOptions, present: &PresentFolder, all: bool) -> Result<(), StoreError> {
    let (from, to) = (present.data().join(FOLDER), options.data.join(FOLDER));
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| StoreError::Io { path, error }
    };
    if !from.is_dir() {
        return Ok(());
    }
    options.disk.create_folder(&to).map_err(io(&to))?;
    for path in options.disk.list(&from).map_err(io(&from))? {
        let name = super::snapshot::name_of(&path);
        let target = to.join(&name);
        if is_name(&name) && (all || !target.exists()) {
            let octets = options.disk.read(&path).map_err(io(&path))?;
            let file = options.disk.open(&target).map_err(io(&target))?;
            let written = file.set_length(0).and_then(|()| file.write_all_at(&octets, 0)).and_then(|()| file.sync_data());
            written.map_err(io(&target))?;
        }
    }
    options.disk.sync_folder(&to).map_err(io(&to))
}

fn parse(text: &str) -> Option<StreamPosition> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (first, sequence, leaf) = (lines.next()?, lines.next()?, lines.next()?);
    let is_whole = first == FIRST && leaf.len() == 64 && lines.next().is_none();
    let position = StreamPosition { sequence: sequence.parse().ok()?, leaf: leaf.to_owned() };
    is_whole.then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_half_of_one_is_none() {
        let text = format!("{FIRST}\n4711\n{}\n", "0f".repeat(32));
        assert_eq!(parse(&text), Some(StreamPosition { sequence: 4711, leaf: "0f".repeat(32) }));
        for cut in 0..text.len() {
            assert_eq!(parse(&text[..cut]), None, "{cut}");
        }
    }
}
