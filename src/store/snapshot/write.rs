//! Writing a snapshot: row by row, piece by piece.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{
    FOOTER_MAGIC, FORMAT, GoOn, HEADER_OCTETS, LAST_PIECE, MAGIC, PIECE_OCTETS, PURPOSE, Position, Shared, associated, nonce,
};
use crate::directory::Row;
use crate::store::StoreError;
use crate::store::identity::Identity;
use crate::store::seal::Cipher;
use crate::world::DiskFile;

/// Octets between two syncs: one at the end would hold up the journal's own for long.
const SYNC_OCTETS: u64 = 8 * 1024 * 1024;

pub(super) struct Writer<'a> {
    go_on: &'a GoOn<'a>,
    file: Arc<dyn DiskFile>,
    path: &'a Path,
    cipher: Cipher,
    header_check: [u8; blake3::OUT_LEN],
    hasher: blake3::Hasher,
    /// What was written.
    length: u64,
    synced: u64,
    /// Rows that are not sealed yet.
    open: Vec<u8>,
    sealed: Vec<u8>,
    pieces: u64,
    rows: u64,
}

/// Writes a whole snapshot and syncs it; the file's name is the caller's.
pub(super) fn write(
    shared: &Shared,
    rows: &mut dyn FnMut(&mut Writer<'_>) -> Result<(), StoreError>,
    position: &Position,
    path: &Path,
    go_on: &GoOn<'_>,
) -> Result<(), StoreError> {
    go_on.check()?;
    let mut salt = [0; 32];
    shared.entropy.fill(&mut salt);
    let sealing = shared.keys.sealing();
    let header = header(&sealing.identity, &salt, position);
    let cipher = sealing.key.derive_cipher(&salt, PURPOSE)?;
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    let file = shared.disk.open(path).map_err(io)?;
    file.set_length(0).map_err(io)?;
    let mut writer = Writer {
        go_on,
        file,
        path,
        cipher,
        header_check: *blake3::hash(&header).as_bytes(),
        hasher: blake3::Hasher::new(),
        length: 0,
        synced: 0,
        open: Vec::with_capacity(2 * PIECE_OCTETS),
        sealed: Vec::with_capacity(PIECE_OCTETS + 64),
        pieces: 0,
        rows: 0,
    };
    writer.append(&header).map_err(io)?;
    rows(&mut writer)?;
    writer.finish()
}

fn header(identity: &Identity, salt: &[u8; 32], position: &Position) -> Vec<u8> {
    let mut octets = Vec::with_capacity(HEADER_OCTETS);
    octets.extend_from_slice(&MAGIC);
    octets.extend_from_slice(&FORMAT.to_le_bytes());
    octets.extend_from_slice(&[0; 4]);
    octets.extend_from_slice(&identity.node);
    octets.extend_from_slice(&identity.salt);
    octets.extend_from_slice(&identity.key_check);
    octets.extend_from_slice(salt);
    octets.extend_from_slice(&position.sequence.to_le_bytes());
    octets.extend_from_slice(&position.leaf.0);
    octets.extend_from_slice(&position.time.0.to_le_bytes());
    octets.extend_from_slice(&position.digest.to_bytes());
    octets.resize(super::CHECK_AT, 0);
    let check = blake3::hash(&octets);
    octets.extend_from_slice(check.as_bytes());
    octets
}

impl Writer<'_> {
    /// The next row.
    pub(super) fn put(&mut self, row: &Row) -> Result<(), StoreError> {
        self.row(row)?;
        if self.open.len() > PIECE_OCTETS {
            self.go_on.check()?;
            self.seal_full_pieces()?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<(), StoreError> {
        let length = |octets: &[u8]| u32::try_from(octets.len()).map_err(|_| super::damaged(self.path, "a row is too long"));
        let (key, value) = (length(&row.key)?, length(&row.value)?);
        self.open.push(row.table as u8);
        self.open.extend_from_slice(&key.to_le_bytes());
        self.open.extend_from_slice(&value.to_le_bytes());
        self.open.extend_from_slice(&row.key);
        self.open.extend_from_slice(&row.value);
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    /// Always leaves something for the last piece.
    fn seal_full_pieces(&mut self) -> Result<(), StoreError> {
        let open = std::mem::take(&mut self.open);
        let mut rest = open.as_slice();
        while rest.len() > PIECE_OCTETS
            && let Some((piece, behind)) = rest.split_at_checked(PIECE_OCTETS)
        {
            self.seal(piece, false)?;
            rest = behind;
        }
        self.open = rest.to_vec();
        Ok(())
    }

    fn seal(&mut self, piece: &[u8], is_last: bool) -> Result<(), StoreError> {
        let associated = associated(self.pieces, is_last, &self.header_check);
        let mut sealed = std::mem::take(&mut self.sealed);
        sealed.clear();
        sealed.extend_from_slice(&[0; 4]);
        self.cipher.seal(nonce(self.pieces), &associated, &[piece], &mut sealed)?;
        let length =
            u32::try_from(sealed.len().saturating_sub(4)).map_err(|_| super::damaged(self.path, "a piece is too long"))?;
        let length = if is_last { length | LAST_PIECE } else { length };
        if let Some(place) = sealed.get_mut(..4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        self.pieces = self.pieces.saturating_add(1);
        let written = self.append(&sealed);
        self.sealed = sealed;
        written.map_err(|error| StoreError::Io { path: self.path.to_owned(), error })
    }

    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.hasher.update(octets);
        self.file.write_all_at(octets, self.length)?;
        self.length = self.length.saturating_add(octets.len() as u64);
        if self.length.saturating_sub(self.synced) >= SYNC_OCTETS {
            self.synced = self.length;
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), StoreError> {
        self.seal_full_pieces()?;
        let last = std::mem::take(&mut self.open);
        self.seal(&last, true)?;
        let mut footer = FOOTER_MAGIC.to_vec();
        footer.extend_from_slice(&self.pieces.to_le_bytes());
        footer.extend_from_slice(&self.rows.to_le_bytes());
        let checksum = self.hasher.clone().update(&footer).finalize();
        footer.extend_from_slice(checksum.as_bytes());
        self.append(&footer)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| StoreError::Io { path: self.path.to_owned(), error })
    }
}
