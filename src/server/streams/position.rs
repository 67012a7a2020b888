//! How far a stream has come: a small file of its own, `DIR/data/streams/NAME.position`, synced once the collector took what is before it.
//!
//! ```text
//! bindery.stream/position@v1
//! 4711                                  sequence of the last record that was taken
//! 0f3c…                                 its leaf, which shows whether the journal is still the same
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::journal::Leaf;
use crate::store::StoreOptions;
use crate::world::Disk;

const FOLDER: &str = "streams";
const FIRST: &str = "bindery.stream/position@v1";

/// The last record that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Position {
    /// Its sequence.
    pub(super) sequence: u64,
    /// Its leaf, hexadecimal.
    pub(super) leaf: String,
}

/// Where that is kept.
pub(super) struct PositionFile {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    name: String,
}

impl PositionFile {
    /// Of a stream.
    pub(super) fn new(options: &StoreOptions, name: &str) -> PositionFile {
        PositionFile { disk: Arc::clone(&options.disk), folder: options.data.join(FOLDER), name: format!("{name}.position") }
    }

    /// Its path.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Reads it; none: there is no file. One that cannot be understood is of a stream that was: it begins with the first record.
    pub(super) fn read(&self) -> io::Result<Option<Position>> {
        let octets = match self.disk.read(&self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let parsed = std::str::from_utf8(&octets).ok().and_then(parse);
        if parsed.is_none() {
            tracing::warn!(file = %self.path().display(), "the position of a stream cannot be understood: the journal is streamed from its beginning");
        }
        Ok(Some(parsed.unwrap_or_else(|| Position::unreadable(0))))
    }

    /// Writes it durably: beside, then renamed.
    pub(super) fn write(&self, position: &Position) -> io::Result<()> {
        self.disk.create_folder(&self.folder)?;
        let beside = self.folder.join(format!("{}.new", self.name));
        let file = self.disk.open(&beside)?;
        file.set_length(0)?;
        file.write_all_at(format!("{FIRST}\n{}\n{}\n", position.sequence, position.leaf).as_bytes(), 0)?;
        file.sync_data()?;
        self.disk.rename(&beside, &self.path())
    }
}

impl Position {
    /// Of a record.
    pub(super) fn of(sequence: u64, leaf: Leaf) -> Position {
        Position { sequence, leaf: leaf.to_hex() }
    }

    /// Whether it has no leaf that could be compared.
    pub(super) fn shows_nothing(&self) -> bool {
        self.leaf == Leaf::default().to_hex()
    }

    /// Of a record that cannot be read, or of none.
    pub(super) fn unreadable(sequence: u64) -> Position {
        Position::of(sequence, Leaf::default())
    }
}

fn parse(text: &str) -> Option<Position> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (first, sequence, leaf) = (lines.next()?, lines.next()?, lines.next()?);
    let is_whole = first == FIRST && leaf.len() == 64 && lines.next().is_none();
    let position = Position { sequence: sequence.parse().ok()?, leaf: leaf.to_owned() };
    is_whole.then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_half_of_one_is_none() {
        let text = format!("{FIRST}\n4711\n{}\n", "0f".repeat(32));
        assert_eq!(parse(&text), Some(Position { sequence: 4711, leaf: "0f".repeat(32) }));
        for cut in 0..text.len() {
            assert_eq!(parse(&text[..cut]), None, "{cut}");
        }
    }
}
