//! The journal's tree on disk, in `DIR/data/tree`: the stored hashes of `journal::tree`, 32 octets each, a file `row-N` for each row, and the
//! signed checkpoints, one behind the other, in `checkpoints`.
//!
//! The rows are derived from the journal and never synced: what is not what a checkpoint was signed for is made anew.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::journal::tree::{Hash, ROWS, Rows, Tree};
use crate::journal::{Leaf, SignedTreeHead, parse_tree_heads};
use crate::world::{Disk, DiskFile};

const FOLDER: &str = "tree";
const CHECKPOINTS: &str = "checkpoints";
const HASH_OCTETS: u64 = 32;
/// Leaves that are read at once.
const LEAVES_AT_ONCE: u64 = 32 * 1024;
/// Checkpoints that are kept as they are; of those before, the last of each day.
const RECENT: usize = 4096;
/// Octets of the file of checkpoints from which on it is looked at whether older ones can go.
const THINNED_FROM: usize = 4 * 1024 * 1024;
/// Octets that a signature's line stays below.
const LONGEST_SIGNATURE: u64 = 1024;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Where the tree is.
#[derive(Clone)]
pub struct TreeFiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

/// The tree and its files, kept up.
pub struct TreeWriter {
    files: TreeFiles,
    tree: Tree,
    /// What is not written yet, of each row: its first place and the hashes.
    unwritten: Vec<(u64, Vec<u8>)>,
    open: Vec<Option<Arc<dyn DiskFile>>>,
}

impl TreeFiles {
    /// Of this data folder.
    pub fn new(disk: Arc<dyn Disk>, data: &Path) -> TreeFiles {
        TreeFiles { disk, folder: data.join(FOLDER) }
    }

    /// `DIR/data/tree`
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn row(&self, row: u32) -> PathBuf {
        self.folder.join(format!("row-{row}"))
    }

    /// Leaves that are stored; the newest may be wrong after a power cut.
    pub fn stored(&self) -> u64 {
        self.disk.length(&self.row(0)).unwrap_or(0) / HASH_OCTETS
    }

    /// The signed checkpoints, oldest first; what is none is left out.
    pub fn checkpoints(&self) -> io::Result<Vec<SignedTreeHead>> {
        match self.disk.read(&self.folder.join(CHECKPOINTS)) {
            Ok(octets) => Ok(parse_tree_heads(&String::from_utf8_lossy(&octets))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Keeps another checkpoint, durably.
    pub fn keep(&self, head: &SignedTreeHead) -> io::Result<()> {
        let path = self.folder.join(CHECKPOINTS);
        let length = match self.disk.length(&path) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.create_folder(&self.folder)?;
                0
            }
            Err(error) => return Err(error),
        };
        let file = self.disk.open(&path)?;
        // Behind one that was cut off, the first line would be part of that one.
        let text = format!("{}\n", head.note);
        file.write_all_at(text.as_bytes(), self.sound_length(&path, length)?)?;
        file.sync_data()?;
        if length == 0 {
            self.disk.sync_folder(&self.folder)?;
        }
        if length > THINNED_FROM as u64 { self.thin(&path) } else { Ok(()) }
    }

    /// Octets up to the end of the last whole checkpoint.
    fn sound_length(&self, path: &Path, length: u64) -> io::Result<u64> {
        let tail = self.disk.read_part(path, length.saturating_sub(LONGEST_SIGNATURE), LONGEST_SIGNATURE as usize)?;
        let tail = String::from_utf8_lossy(&tail);
        let last = tail.strip_suffix("\n\n").and_then(|tail| tail.rsplit('\n').next());
        if length == 0 || last.is_some_and(|line| line.starts_with("— ")) {
            return Ok(length);
        }
        let text = String::from_utf8_lossy(&self.disk.read(path)?).into_owned();
        let (mut sound, mut at, mut is_signed) = (0, 0_u64, false);
        for line in text.split_inclusive('\n') {
            at = at.saturating_add(line.len() as u64);
            if line == "\n" && is_signed {
                sound = at;
            }
            is_signed = line.starts_with("— ");
        }
        Ok(sound)
    }

    fn thin(&self, path: &Path) -> io::Result<()> {
        let all = self.checkpoints()?;
        let old = all.len().saturating_sub(RECENT);
        let day = |head: &SignedTreeHead| head.head.time.0.div_euclid(MICROS_PER_DAY);
        let kept = all
            .iter()
            .enumerate()
            .filter(|(index, head)| *index >= old || all.get(index + 1).is_none_or(|next| day(next) != day(head)));
        let text: String = kept.map(|(_, head)| format!("{}\n", head.note)).collect();
        let beside = path.with_extension("new");
        let file = self.disk.open(&beside)?;
        file.set_length(0)?;
        file.write_all_at(text.as_bytes(), 0)?;
        file.sync_data()?;
        self.disk.rename(&beside, path)
    }

    /// Takes up the tree of the first `size` records, or of fewer where fewer are stored; what is stored behind them is written anew.
    /// `passed` hears of the tree after each.
    pub fn writer(&self, size: u64, passed: &mut dyn FnMut(&Tree)) -> io::Result<TreeWriter> {
        self.disk.create_folder(&self.folder)?;
        let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
        let mut writer = TreeWriter {
            files: self.clone(),
            tree: Tree::default(),
            unwritten: vec![(0, Vec::new()); rows],
            open: vec![None; rows],
        };
        let size = size.min(self.stored());
        while writer.tree.size() < size {
            let first = writer.tree.size();
            let leaves = self.read(0, first..size.min(first.saturating_add(LEAVES_AT_ONCE)))?;
            for leaf in leaves {
                writer.push(Leaf(leaf));
                passed(&writer.tree);
            }
            // They are there.
            if let Some(leaves) = writer.unwritten.first_mut() {
                leaves.1.clear();
            }
            writer.flush()?;
        }
        Ok(writer)
    }
}

impl Rows for TreeFiles {
    type Error = io::Error;

    fn read(&self, row: u32, places: Range<u64>) -> io::Result<Vec<Hash>> {
        let count = usize::try_from(places.end.saturating_sub(places.start)).unwrap_or(usize::MAX);
        let octets = self.disk.read_part(&self.row(row), places.start.saturating_mul(HASH_OCTETS), count.saturating_mul(32))?;
        let hashes: Vec<Hash> = octets.as_chunks::<32>().0.to_vec();
        if hashes.len() == count {
            Ok(hashes)
        } else {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{}: the file is too short", self.row(row).display())))
        }
    }
}

impl TreeWriter {
    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Adds a leaf; it is written by the next [`TreeWriter::flush`].
    pub fn push(&mut self, leaf: Leaf) {
        let unwritten = &mut self.unwritten;
        self.tree.push(leaf, &mut |row, place, hash| {
            if let Some((first, octets)) = usize::try_from(row).ok().and_then(|row| unwritten.get_mut(row)) {
                if octets.is_empty() {
                    *first = place;
                }
                octets.extend_from_slice(&hash);
            }
        });
    }

    /// Writes what is not written.
    pub fn flush(&mut self) -> io::Result<()> {
        for (row, ((first, octets), open)) in (0..).zip(self.unwritten.iter_mut().zip(&mut self.open)) {
            if octets.is_empty() {
                continue;
            }
            let file = match open {
                Some(file) => file,
                None => open.insert(self.files.disk.open(&self.files.row(row))?),
            };
            file.write_all_at(octets, first.saturating_mul(HASH_OCTETS))?;
            octets.clear();
        }
        Ok(())
    }
}
