//! One row as sealed pieces, and the keys they are sealed under.

use std::collections::HashMap;
use std::sync::Arc;

use sled::IVec;

use super::{RowsError, wrong};
use crate::directory::{Row, Table};
use crate::store::seal::{Cipher, SealKey, TAG_OCTETS};

/// Octets of a row in one piece: with header and tag a sled value stays within 4 KB, so that no leaf goes to a file of its own, which
/// sled never syncs.
const PIECE_OCTETS: usize = 4000;
const PIECE_HEADER_OCTETS: usize = 16;

/// The keys of this process and of all before it.
pub(super) struct RowKeys {
    seal_key: SealKey,
    ciphers: HashMap<u32, Arc<Cipher>>,
    current: u32,
    counter: u64,
}

impl RowKeys {
    /// No keys yet.
    pub(super) fn new(seal_key: SealKey) -> RowKeys {
        RowKeys { seal_key, ciphers: HashMap::new(), current: 0, counter: 0 }
    }

    /// From here on rows are sealed under this key, which no other process used.
    pub(super) fn add_own(&mut self, id: u32, salt: &[u8; 32]) -> Result<(), RowsError> {
        self.add(id, salt)?;
        (self.current, self.counter) = (id, 0);
        Ok(())
    }

    /// A key rows may be sealed under.
    pub(super) fn add(&mut self, id: u32, salt: &[u8; 32]) -> Result<(), RowsError> {
        self.ciphers.insert(id, Arc::new(self.seal_key.derive_cipher(salt, "bindery checkpoint 1")?));
        Ok(())
    }

    /// Seals a row in pieces.
    pub(super) fn cut(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<Vec<Vec<u8>>, RowsError> {
        let count = u32::try_from(value.len().div_ceil(PIECE_OCTETS).max(1)).map_err(|_| wrong("a row is too long"))?;
        let current = self.current;
        let cipher = self.ciphers.get(&current).map(Arc::clone).ok_or_else(|| wrong("no key"))?;
        (0..count)
            .map(|number| {
                let start = usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(PIECE_OCTETS);
                let rest = value.get(start..).unwrap_or_default();
                let piece = rest.get(..PIECE_OCTETS).unwrap_or(rest);
                self.counter = self.counter.checked_add(1).ok_or_else(|| wrong("the nonces are used up"))?;
                let mut octets = Vec::with_capacity(PIECE_HEADER_OCTETS + piece.len() + TAG_OCTETS);
                octets.extend_from_slice(&current.to_be_bytes());
                octets.extend_from_slice(&self.counter.to_be_bytes());
                octets.extend_from_slice(&count.to_be_bytes());
                let place = place(table, key, number, count);
                cipher.seal(nonce(&self.counter.to_be_bytes()), &place, &[piece], &mut octets)?;
                Ok(octets)
            })
            .collect()
    }

    /// Opens and joins the pieces of the row that starts with `first`.
    pub(super) fn join(&self, table: Table, first: (IVec, IVec), rest: &mut sled::Iter) -> Result<Row, RowsError> {
        let (first_key, first_piece) = first;
        let (key, number) = split_piece_key(&first_key)?;
        let count = piece_count(&first_piece)?;
        if number != 0 || count == 0 {
            return Err(wrong("a row without its first piece"));
        }
        let mut value = self.open_piece(table, key, 0, count, &first_piece)?;
        for number in 1..count {
            let (next, piece) = rest.next().ok_or_else(|| wrong("a row without its last piece"))??;
            if *next != *piece_key(key, number) {
                return Err(wrong("a row with a piece missing"));
            }
            value.extend_from_slice(&self.open_piece(table, key, number, count, &piece)?);
        }
        Ok(Row { table, key: key.into(), value: value.into() })
    }

    fn open_piece(&self, table: Table, key: &[u8], number: u32, count: u32, piece: &[u8]) -> Result<Vec<u8>, RowsError> {
        let (head, sealed) = piece.split_at_checked(PIECE_HEADER_OCTETS).ok_or_else(|| wrong("a piece is too short"))?;
        let (id, rest) = head.split_at_checked(4).ok_or_else(|| wrong("a piece is too short"))?;
        let (counter, _) = rest.split_at_checked(8).ok_or_else(|| wrong("a piece is too short"))?;
        let id = u32::from_be_bytes(id.try_into().map_err(|_| wrong("a piece is too short"))?);
        let cipher = self.ciphers.get(&id).ok_or_else(|| wrong("a piece under an unknown key"))?;
        Ok(cipher.open(nonce(counter), &place(table, key, number, count), sealed)?)
    }
}

pub(super) fn piece_key(key: &[u8], number: u32) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}

fn split_piece_key(key: &[u8]) -> Result<(&[u8], u32), RowsError> {
    let (row, number) = key.split_last_chunk::<4>().ok_or_else(|| wrong("a key is too short"))?;
    Ok((row, u32::from_be_bytes(*number)))
}

pub(super) fn piece_count(piece: &[u8]) -> Result<u32, RowsError> {
    let count = piece.get(12..PIECE_HEADER_OCTETS).and_then(|octets| octets.try_into().ok());
    count.map(u32::from_be_bytes).ok_or_else(|| wrong("a piece is too short"))
}

fn place(table: Table, key: &[u8], number: u32, count: u32) -> Vec<u8> {
    [&[table as u8], key, &number.to_be_bytes(), &count.to_be_bytes()].concat()
}

fn nonce(counter: &[u8]) -> [u8; 12] {
    let mut nonce = [0; 12];
    for (place, octet) in nonce.iter_mut().rev().zip(counter.iter().rev()) {
        *place = *octet;
    }
    nonce
}
