//! Who an installation is: the file `format` of the data folder, and the same facts repeated in every segment's header.
//!
//! ```text
//! bindery data folder
//! format 3
//! node 0f0e0d0c-0b0a-4908-8706-050403020100
//! salt <64 hex digits>
//! key <64 hex digits: tells whether a seal key is the right one, and nothing else of it>
//! check <64 hex digits: BLAKE3 of the lines above>
//! ```

use std::path::{Path, PathBuf};

use super::StoreError;
use super::seal::SealKey;
use crate::journal::to_hex;
use crate::world::{Disk, Entropy};

/// Layout of the whole data folder this program writes; it reads that and the ones before. 1: the first; 2: references, definitions,
/// identifiers and transactions; 3: segments that begin with a restore.
pub(super) const FORMAT: u32 = 3;

const FILE_NAME: &str = "format";
const TITLE: &str = "bindery data folder";

/// Name, salt and key check of an installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) node: [u8; 16],
    pub(super) salt: [u8; 32],
    pub(super) key_check: [u8; 32],
}

impl Identity {
    /// A new installation.
    pub(super) fn generate(key: &SealKey, entropy: &dyn Entropy) -> Result<Identity, StoreError> {
        let (mut node, mut salt) = ([0; 16], [0; 32]);
        entropy.fill(&mut node);
        entropy.fill(&mut salt);
        // Version 4, variant of RFC 9562.
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut node;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        Ok(Identity { node, salt, key_check: key_check(key, &salt)? })
    }

    /// The node's name, a UUID as text.
    pub(super) fn node_text(&self) -> String {
        uuid::Uuid::from_bytes(self.node).to_string()
    }

    /// Whether the seal key is this installation's.
    pub(super) fn check_key(&self, key: &SealKey, data: &Path) -> Result<(), StoreError> {
        if key_check(key, &self.salt)? == self.key_check { Ok(()) } else { Err(StoreError::WrongKey(data.to_owned())) }
    }

    /// Writes the `format` file, whole or not at all.
    pub(super) fn write(&self, disk: &dyn Disk, data: &Path) -> Result<(), StoreError> {
        let path = format_path(data);
        let temporary = data.join("format.new");
        let text = self.to_text();
        let written = disk.open(&temporary).and_then(|file| {
            file.set_length(0)?;
            file.write_all_at(text.as_bytes(), 0)?;
            file.sync_data()
        });
        written.and_then(|()| disk.rename(&temporary, &path)).map_err(|error| StoreError::Io { path, error })
    }

    /// Reads the `format` file. `Ok(None)` where there is none or it is damaged: the journal's headers can stand in for it.
    pub(super) fn read(disk: &dyn Disk, data: &Path) -> Result<Option<Identity>, StoreError> {
        let path = format_path(data);
        match disk.read(&path) {
            Ok(octets) => Identity::parse(&octets, data),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Io { path, error }),
        }
    }

    pub(super) fn to_text(&self) -> String {
        let lines = format!(
            "{TITLE}\nformat {FORMAT}\nnode {}\nsalt {}\nkey {}\n",
            self.node_text(),
            to_hex(&self.salt),
            to_hex(&self.key_check)
        );
        let check = to_hex(blake3::hash(lines.as_bytes()).as_bytes());
        format!("{lines}check {check}\n")
    }

    fn parse(octets: &[u8], data: &Path) -> Result<Option<Identity>, StoreError> {
        let Some((lines, check)) = std::str::from_utf8(octets).ok().and_then(|text| text.rsplit_once("check ")) else {
            return Ok(None);
        };
        if check.trim_end() != to_hex(blake3::hash(lines.as_bytes()).as_bytes()) {
            return Ok(None);
        }
        let field = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let found = field("format").and_then(|number| number.parse().ok()).unwrap_or(0);
        if found > FORMAT {
            return Err(StoreError::TooNew { path: data.to_owned(), found, known: FORMAT });
        }
        let node = field("node").and_then(|text| uuid::Uuid::parse_str(text).ok());
        let salt = field("salt").and_then(from_hex);
        let key_check = field("key").and_then(from_hex);
        Ok(match (node, salt, key_check) {
            (Some(node), Some(salt), Some(key_check)) => Some(Identity { node: node.into_bytes(), salt, key_check }),
            _ => None,
        })
    }
}

fn format_path(data: &Path) -> PathBuf {
    data.join(FILE_NAME)
}

fn key_check(key: &SealKey, salt: &[u8; 32]) -> Result<[u8; 32], StoreError> {
    Ok(*key.derive(salt, "bindery key check 1")?)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect::<Option<_>>()?;
    if digits.len() != 64 {
        return None;
    }
    digits.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| (octet << 4) | digit)).collect::<Vec<u8>>().try_into().ok()
}
