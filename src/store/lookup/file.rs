//! The index of a closed segment as a sealed file, `data/index/<first sequence>.index`: made from the segment, thrown away and made anew at
//! any time. What is read of it for a question is its header, its catalogue, and the few blocks that the catalogue names.
//!
//! All numbers little-endian:
//!
//! ```text
//! offset size
//!      0    8  "BNDindex"
//!      8    4  version, 3
//!     12    4  octets of the sealed catalogue
//!     16   32  key check, as in the file `format`
//!     48   32  salt of this file's key
//!     80    8  first sequence of the segment
//!     88   32  leaf of the record before it
//!    120    8  octets of the segment that count
//!    128    8  where the catalogue stands
//!    136       blocks, then the catalogue; each sealed with AES-256-GCM, its number the nonce, this header the associated data
//! ```
//!
//! Catalogue: number of groups, number of group blocks, number of term blocks; for each group block its place in the file, its length, and
//! its first group; for each term block place, length, first term. A group block holds [`GROUPS_IN_A_BLOCK`] groups, a term block
//! lists of ordinals, each a difference to the one before; a long list goes on in the next block.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::NONCE_LEN;

use super::IndexError;
use super::index::{Building, Lookup, Place};
use crate::journal::query::Term;
use crate::store::StoreError;
use crate::store::header::SegmentHeader;
use crate::store::keys::Keys;
use crate::store::seal::{Cipher, SealKey};
use crate::world::{Disk, Entropy};

const MAGIC: [u8; 8] = *b"BNDindex";
/// Also of how terms are made: `journal::query`.
const VERSION: u32 = 3;
const HEADER_OCTETS: usize = 136;
const PURPOSE: &str = "bindery journal index 1";
/// Groups that are read together.
const GROUPS_IN_A_BLOCK: usize = 512;
/// Octets after which a block of terms is closed.
const TERM_BLOCK_OCTETS: usize = 16 * 1024;
/// Ordinals of one list that stand in a block together.
const ORDINALS_TOGETHER: usize = 8 * 1024;
/// The number of the catalogue among the nonces.
const CATALOGUE: u64 = u64::MAX;

/// What ties an index to its segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Of<'a> {
    pub(super) header: &'a SegmentHeader,
    /// Octets of the segment that count.
    pub(super) length: u64,
}

/// A sealed index, opened.
pub(super) struct IndexFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    header: Vec<u8>,
    cipher: Cipher,
    groups: u32,
    group_blocks: Vec<Block<Place>>,
    term_blocks: Vec<Block<Term>>,
}

struct Block<First> {
    number: u64,
    offset: u64,
    length: u32,
    first: First,
}

/// `00000000000000000042.index`
pub(super) fn index_name(first: u64) -> String {
    format!("{first:020}.index")
}

/// Writes an index; the file gets its name once it is whole.
pub(super) fn write(
    building: &Building,
    of: Of<'_>,
    keys: &Keys,
    disk: &dyn Disk,
    entropy: &dyn Entropy,
    path: &Path,
) -> Result<(), StoreError> {
    let mut salt = [0; 32];
    entropy.fill(&mut salt);
    let sealing = keys.sealing();
    let cipher = sealing.key.derive_cipher(&salt, PURPOSE)?;
    let head = head(&sealing.identity.key_check, &salt, of);
    let mut blocks = Blocks { head, cipher, body: Vec::new(), number: 0 };
    let mut catalogue = Vec::new();
    let groups = building.places.chunks(GROUPS_IN_A_BLOCK);
    let term_blocks = term_blocks(building);
    put_u32(&mut catalogue, building.places.len());
    put_u32(&mut catalogue, groups.len());
    put_u32(&mut catalogue, term_blocks.len());
    for chunk in groups {
        let mut octets = Vec::new();
        chunk.iter().for_each(|place| put_place(&mut octets, place));
        blocks.seal(&octets, &mut catalogue)?;
        chunk.iter().take(1).for_each(|place| put_place(&mut catalogue, place));
    }
    for (first, octets) in term_blocks {
        blocks.seal(&octets, &mut catalogue)?;
        catalogue.extend_from_slice(&first.to_le_bytes());
    }
    let octets = blocks.finish(&catalogue)?;
    let temporary = path.with_extension("index.new");
    let io = |error| StoreError::Io { path: path.to_owned(), error };
    let file = disk.open(&temporary).map_err(io)?;
    file.set_length(0).and_then(|()| file.write_all_at(&octets, 0)).and_then(|()| file.sync_data()).map_err(io)?;
    disk.rename(&temporary, path).map_err(io)
}

struct Blocks {
    head: Vec<u8>,
    cipher: Cipher,
    body: Vec<u8>,
    number: u64,
}

impl Blocks {
    /// Appends a block and says in the catalogue where it stands.
    fn seal(&mut self, octets: &[u8], catalogue: &mut Vec<u8>) -> Result<(), StoreError> {
        let start = self.body.len();
        self.cipher.seal(nonce(self.number), &self.head, &[octets], &mut self.body)?;
        self.number += 1;
        catalogue.extend_from_slice(&(HEADER_OCTETS.saturating_add(start) as u64).to_le_bytes());
        put_u32(catalogue, self.body.len() - start);
        Ok(())
    }

    fn finish(mut self, catalogue: &[u8]) -> Result<Vec<u8>, StoreError> {
        let start = self.body.len();
        self.cipher.seal(nonce(CATALOGUE), &self.head, &[catalogue], &mut self.body)?;
        let mut octets = Vec::with_capacity(HEADER_OCTETS + self.body.len());
        let (before, after) = self.head.split_at(12.min(self.head.len()));
        octets.extend_from_slice(before);
        put_u32(&mut octets, self.body.len() - start);
        octets.extend_from_slice(after);
        octets.extend_from_slice(&(HEADER_OCTETS.saturating_add(start) as u64).to_le_bytes());
        octets.extend_from_slice(&self.body);
        Ok(octets)
    }
}

/// The header without what says where the catalogue stands.
fn head(key_check: &[u8; 32], salt: &[u8; 32], of: Of<'_>) -> Vec<u8> {
    let mut octets = Vec::with_capacity(HEADER_OCTETS);
    octets.extend_from_slice(&MAGIC);
    octets.extend_from_slice(&VERSION.to_le_bytes());
    octets.extend_from_slice(key_check);
    octets.extend_from_slice(salt);
    octets.extend_from_slice(&of.header.first.to_le_bytes());
    octets.extend_from_slice(&of.header.leaf_before.0);
    octets.extend_from_slice(&of.length.to_le_bytes());
    octets
}

fn term_blocks(building: &Building) -> Vec<(Term, Vec<u8>)> {
    let mut terms: Vec<(&Term, &Vec<u32>)> = building.terms.iter().collect();
    terms.sort_unstable_by_key(|(term, _)| **term);
    let mut blocks: Vec<(Term, Vec<u8>)> = Vec::new();
    for (term, list) in terms {
        for part in list.chunks(ORDINALS_TOGETHER) {
            if blocks.last().is_none_or(|(_, octets)| octets.len() >= TERM_BLOCK_OCTETS) {
                blocks.push((*term, Vec::new()));
            }
            let Some((_, octets)) = blocks.last_mut() else { continue };
            octets.extend_from_slice(&term.to_le_bytes());
            put_u32(octets, part.len());
            let mut before = 0;
            for ordinal in part {
                put_variable(octets, ordinal.wrapping_sub(before));
                before = *ordinal;
            }
        }
    }
    blocks
}

impl IndexFile {
    /// Opens the index of a segment; none where there is none, or one of another state of the segment, or under a key that is gone.
    pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path, of: Of<'_>, keys: &Keys) -> Option<IndexFile> {
        let header = disk.read_front(path, HEADER_OCTETS).ok()?;
        let mut fields = Fields(&header);
        let (magic, version, catalogue_octets) = (fields.take::<8>()?, fields.u32()?, fields.u32()?);
        let (key_check, salt) = (fields.take::<32>()?, fields.take::<32>()?);
        let head = head(&key_check, &salt, of);
        fields.take::<48>()?;
        let catalogue_at = fields.u64()?;
        let is_of = header.get(16..HEADER_OCTETS - 8) == head.get(12..);
        if magic != MAGIC || version != VERSION || !is_of || !keys.is_current(&key_check) {
            return None;
        }
        let key: SealKey = keys.sealing().key.clone();
        let cipher = key.derive_cipher(&salt, PURPOSE).ok()?;
        let sealed = disk.read_part(path, catalogue_at, usize::try_from(catalogue_octets).ok()?).ok()?;
        let catalogue = cipher.open(nonce(CATALOGUE), &head, &sealed).ok()?;
        let mut fields = Fields(&catalogue);
        let (groups, of_groups, of_terms) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let group_blocks = (0..of_groups).map(|_| fields.block(Fields::place)).collect::<Option<Vec<_>>>()?;
        let term_blocks = (0..of_terms).map(|_| fields.block(Fields::u64)).collect::<Option<Vec<_>>>()?;
        let mut file =
            IndexFile { disk: Arc::clone(disk), path: path.to_owned(), header: head, cipher, groups, group_blocks, term_blocks };
        let numbers = file.group_blocks.iter_mut().map(|it| &mut it.number);
        for (number, block) in (0..).zip(numbers.chain(file.term_blocks.iter_mut().map(|it| &mut it.number))) {
            *block = number;
        }
        Some(file)
    }

    fn read<First>(&self, block: &Block<First>) -> Result<Vec<u8>, IndexError> {
        let length = usize::try_from(block.length).map_err(|_| IndexError)?;
        let sealed = self.disk.read_part(&self.path, block.offset, length).map_err(|_| IndexError)?;
        self.cipher.open(nonce(block.number), &self.header, &sealed).map_err(|_| IndexError)
    }

    fn group_block(&self, number: usize) -> Result<Vec<Place>, IndexError> {
        let octets = self.read(self.group_blocks.get(number).ok_or(IndexError)?)?;
        let mut fields = Fields(&octets);
        let mut places = Vec::with_capacity(GROUPS_IN_A_BLOCK);
        while !fields.0.is_empty() {
            places.push(fields.place().ok_or(IndexError)?);
        }
        Ok(places)
    }
}

impl Lookup for IndexFile {
    fn groups(&self) -> u32 {
        self.groups
    }

    fn postings(&self, term: Term) -> Result<Vec<u32>, IndexError> {
        // The term may begin in the last block whose first term is smaller.
        let start = self.term_blocks.partition_point(|block| block.first < term).saturating_sub(1);
        let mut list = Vec::new();
        for block in self.term_blocks.iter().skip(start).take_while(|block| block.first <= term) {
            let octets = self.read(block)?;
            let mut fields = Fields(&octets);
            while !fields.0.is_empty() {
                let (of, count) = (fields.u64().ok_or(IndexError)?, fields.u32().ok_or(IndexError)?);
                let mut ordinal = 0_u32;
                for _ in 0..count {
                    ordinal = ordinal.wrapping_add(fields.variable().ok_or(IndexError)?);
                    if of == term {
                        list.push(ordinal);
                    }
                }
            }
        }
        Ok(list)
    }

    fn places(&self, ordinals: &[u32]) -> Result<Vec<Place>, IndexError> {
        let mut places = Vec::with_capacity(ordinals.len());
        let mut read: Option<(usize, Vec<Place>)> = None;
        for ordinal in ordinals {
            let at = usize::try_from(*ordinal).map_err(|_| IndexError)?;
            let number = at / GROUPS_IN_A_BLOCK;
            if read.as_ref().is_none_or(|(known, _)| *known != number) {
                read = Some((number, self.group_block(number)?));
            }
            let place = read.as_ref().and_then(|(_, block)| block.get(at % GROUPS_IN_A_BLOCK));
            places.push(*place.ok_or(IndexError)?);
        }
        Ok(places)
    }

    fn partition(&self, is_behind: &dyn Fn(&Place) -> bool) -> Result<u32, IndexError> {
        // In the block before the first that is behind with its first group.
        let Some(number) = self.group_blocks.partition_point(|block| !is_behind(&block.first)).checked_sub(1) else {
            return Ok(0);
        };
        let within = self.group_block(number)?.partition_point(|place| !is_behind(place));
        u32::try_from(number * GROUPS_IN_A_BLOCK + within).map_err(|_| IndexError)
    }
}

fn nonce(number: u64) -> [u8; NONCE_LEN] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [0, 0, 0, 0, a, b, c, d, e, f, g, h]
}

fn put_u32(octets: &mut Vec<u8>, number: usize) {
    octets.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_place(octets: &mut Vec<u8>, place: &Place) {
    octets.extend_from_slice(&place.offset.to_le_bytes());
    octets.extend_from_slice(&place.length.to_le_bytes());
    octets.extend_from_slice(&place.first.to_le_bytes());
    octets.extend_from_slice(&place.records.to_le_bytes());
    octets.extend_from_slice(&place.time.to_le_bytes());
}

/// Seven bits an octet, the lowest first; the highest bit says that more follow.
fn put_variable(octets: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        octets.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_at_checked(N)?;
        self.0 = rest;
        front.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn variable(&mut self) -> Option<u32> {
        let mut number = 0_u32;
        for shift in (0..32).step_by(7) {
            let [octet] = self.take::<1>()?;
            number |= u32::from(octet & 0x7f).checked_shl(shift)?;
            if octet < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn place(&mut self) -> Option<Place> {
        Some(Place {
            offset: self.u64()?,
            length: self.u32()?,
            first: self.u64()?,
            records: self.u32()?,
            time: self.take().map(i64::from_le_bytes)?,
        })
    }

    fn block<First>(&mut self, first: impl FnOnce(&mut Self) -> Option<First>) -> Option<Block<First>> {
        Some(Block { number: 0, offset: self.u64()?, length: self.u32()?, first: first(self)? })
    }
}
