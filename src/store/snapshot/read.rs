//! Reading a snapshot: every octet is checked on the way, and nothing is handed over that was not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{
    CHECK_AT, FOOTER_MAGIC, FOOTER_OCTETS, FORMAT, HEADER_OCTETS, LAST_PIECE, MAGIC, PIECE_OCTETS, PURPOSE, Position,
    ROW_HEADER_OCTETS, SnapshotFacts, associated, damaged, name_of, nonce, unreadable,
};
use crate::directory::{Digest, Row, Table};
use crate::journal::Leaf;
use crate::model::Timestamp;
use crate::store::StoreError;
use crate::store::identity::Identity;
use crate::store::keys::Keys;
use crate::store::seal::{Cipher, TAG_OCTETS};
use crate::world::Disk;

/// Octets read at once.
const READ_OCTETS: usize = 1024 * 1024;
/// Octets of the longest row that is believed.
const LONGEST_ROW: usize = 1024 * 1024 * 1024;

/// A snapshot whose header is intact and of this installation.
pub(in crate::store) struct SnapshotFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    cipher: Cipher,
    header: Vec<u8>,
    identity: Identity,
    position: Position,
    length: u64,
}

/// Octets of a file one after the other.
struct Octets<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    at: u64,
    buffer: Vec<u8>,
    taken: usize,
    hasher: blake3::Hasher,
}

impl SnapshotFile {
    /// Reads the header.
    pub(in crate::store) fn open(disk: Arc<dyn Disk>, path: &Path, keys: &Keys) -> Result<SnapshotFile, StoreError> {
        let io = |error| unreadable(path, error);
        let header = disk.read_front(path, HEADER_OCTETS).map_err(io)?;
        let length = disk.length(path).map_err(io)?;
        let content = header
            .split_at_checked(CHECK_AT)
            .filter(|(content, check)| content.starts_with(&MAGIC) && blake3::hash(content).as_bytes() == check)
            .map(|(content, _)| content)
            .ok_or_else(|| damaged(path, "the header"))?;
        let found = take(content, 8).map_or(0, u32::from_le_bytes);
        if found > FORMAT {
            return Err(StoreError::TooNew { path: path.to_owned(), found, known: FORMAT });
        }
        let (of, salt, position) = decode(content).ok_or_else(|| damaged(path, "the header"))?;
        if !of.is_of(&keys.identity()) {
            return Err(damaged(path, "it belongs to another installation"));
        }
        if path.extension().is_none() && super::sequence_of_name(&name_of(path)) != Some(position.sequence) {
            return Err(damaged(path, "its name is not that in its header"));
        }
        let cipher = keys.of(&of, path)?.derive_cipher(&salt, PURPOSE)?;
        Ok(SnapshotFile { disk, path: path.to_owned(), cipher, header, identity: of, position, length })
    }

    /// Of which installation it is, and under which key.
    pub(in crate::store) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the header says it holds.
    pub(in crate::store) fn position(&self) -> &Position {
        &self.position
    }

    /// How many rows the footer says there are, to tell how far reading is.
    pub(in crate::store) fn rows(&self) -> Result<u64, StoreError> {
        let at = self.length.saturating_sub(FOOTER_OCTETS as u64);
        let footer = self.disk.read_part(&self.path, at, FOOTER_OCTETS);
        let footer = footer.map_err(|error| unreadable(&self.path, error))?;
        take(&footer, 16).map(u64::from_le_bytes).ok_or_else(|| damaged(&self.path, "the file ends early"))
    }

    /// Reads every row and compares the digest over them with the header's. `go_on` is asked now and then.
    pub(in crate::store) fn verify(
        &self,
        digest_key: &[u8; 32],
        go_on: &dyn Fn() -> Result<(), StoreError>,
    ) -> Result<SnapshotFacts, StoreError> {
        let mut digest = Digest::default();
        let rows = self.read::<StoreError>(&mut |row, done| {
            if done.is_multiple_of(1024) {
                go_on()?;
            }
            digest = digest.plus(Digest::of_row(digest_key, &row));
            Ok(())
        })?;
        if digest != self.position.digest {
            return Err(damaged(&self.path, "its content's digest is not the one in its header"));
        }
        Ok(SnapshotFacts { name: name_of(&self.path), position: self.position, rows, octets: self.length })
    }

    /// Hands over every row and how many came before; returns their number. What is handed over was sealed by this installation at this
    /// place; that nothing is missing is known when this returns.
    pub(in crate::store) fn read<E: From<StoreError>>(&self, each: &mut dyn FnMut(Row, u64) -> Result<(), E>) -> Result<u64, E> {
        let mut octets =
            Octets { disk: &*self.disk, path: &self.path, at: 0, buffer: Vec::new(), taken: 0, hasher: blake3::Hasher::new() };
        if octets.take(HEADER_OCTETS)? != self.header {
            return Err(damaged(&self.path, "the header changed while it was read").into());
        }
        let header_check = *blake3::hash(&self.header).as_bytes();
        let (mut pieces, mut rows, mut open) = (0u64, 0u64, Vec::new());
        loop {
            let head = octets.take(4)?;
            let head = head.as_slice().try_into().map_or(0, u32::from_le_bytes);
            let is_last = head & LAST_PIECE != 0;
            let length = usize::try_from(head & !LAST_PIECE).unwrap_or(usize::MAX);
            if !(TAG_OCTETS..=PIECE_OCTETS + TAG_OCTETS).contains(&length) {
                return Err(self.bad_piece(pieces, "its length").into());
            }
            let sealed = octets.take(length)?;
            let opened = self.cipher.open(nonce(pieces), &associated(pieces, is_last, &header_check), &sealed);
            open.extend_from_slice(&opened.map_err(|_| self.bad_piece(pieces, "its seal does not fit"))?);
            pieces = pieces.saturating_add(1);
            self.hand_over(&mut open, &mut rows, each)?;
            if is_last {
                break;
            }
        }
        if !open.is_empty() {
            return Err(damaged(&self.path, "the last row ends early").into());
        }
        self.check_footer(octets, pieces, rows)?;
        Ok(rows)
    }

    fn bad_piece(&self, number: u64, problem: &str) -> StoreError {
        damaged(&self.path, format!("piece {number}: {problem}"))
    }

    fn hand_over<E: From<StoreError>>(
        &self,
        open: &mut Vec<u8>,
        rows: &mut u64,
        each: &mut dyn FnMut(Row, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = open.as_slice();
        while let Some((head, behind)) = rest.split_at_checked(ROW_HEADER_OCTETS) {
            let table = head.first().and_then(|number| Table::ALL.into_iter().find(|table| *table as u8 == *number));
            let table = table.ok_or_else(|| damaged(&self.path, "a row of an unknown table"))?;
            let number =
                |at| take(head, at).map_or(usize::MAX, |it| usize::try_from(u32::from_le_bytes(it)).unwrap_or(usize::MAX));
            let (key, value) = (number(1), number(5));
            if key.saturating_add(value) > LONGEST_ROW {
                return Err(damaged(&self.path, "a row's length").into());
            }
            let Some((row, behind)) = behind.split_at_checked(key.saturating_add(value)) else { break };
            let (key, value) = row.split_at(key.min(row.len()));
            each(Row { table, key: key.into(), value: Bytes::copy_from_slice(value) }, *rows)?;
            *rows = rows.saturating_add(1);
            rest = behind;
        }
        let used = open.len().saturating_sub(rest.len());
        open.drain(..used);
        Ok(())
    }

    fn check_footer(&self, mut octets: Octets<'_>, pieces: u64, rows: u64) -> Result<(), StoreError> {
        let counts = octets.take(FOOTER_OCTETS - blake3::OUT_LEN)?;
        let expected = [FOOTER_MAGIC, pieces.to_le_bytes(), rows.to_le_bytes()].concat();
        if counts != expected {
            return Err(damaged(&self.path, "the footer"));
        }
        let checksum = octets.hasher.finalize();
        if octets.take(blake3::OUT_LEN)? != checksum.as_bytes() {
            return Err(damaged(&self.path, "its checksum does not fit"));
        }
        if octets.at.saturating_sub(octets.buffer.len().saturating_sub(octets.taken) as u64) != self.length {
            return Err(damaged(&self.path, "something follows its end"));
        }
        Ok(())
    }
}

impl Octets<'_> {
    /// The next so many octets.
    fn take(&mut self, count: usize) -> Result<Vec<u8>, StoreError> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            if self.taken == self.buffer.len() {
                let part = self.disk.read_part(self.path, self.at, READ_OCTETS);
                self.buffer = part.map_err(|error| unreadable(self.path, error))?;
                self.taken = 0;
                self.at = self.at.saturating_add(self.buffer.len() as u64);
                if self.buffer.is_empty() {
                    return Err(damaged(self.path, "the file ends early"));
                }
            }
            let rest = self.buffer.get(self.taken..).unwrap_or_default();
            let part = rest.get(..count.saturating_sub(taken.len())).unwrap_or(rest);
            self.taken = self.taken.saturating_add(part.len());
            taken.extend_from_slice(part);
        }
        self.hasher.update(&taken);
        Ok(taken)
    }
}

fn decode(content: &[u8]) -> Option<(Identity, [u8; 32], Position)> {
    let identity = Identity { node: take(content, 16)?, salt: take(content, 32)?, key_check: take(content, 64)?, digest: None };
    let position = Position {
        sequence: u64::from_le_bytes(take(content, 128)?),
        leaf: Leaf(take(content, 136)?),
        time: Timestamp(i64::from_le_bytes(take(content, 168)?)),
        digest: Digest::from_bytes(take(content, 176)?),
    };
    Some((identity, take(content, 96)?, position))
}

fn take<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    octets.get(at..at.checked_add(N)?)?.try_into().ok()
}
