//! Who an installation is: the file `format` of the data folder, and the same facts repeated in every segment's header.
//!
//! ```text
//! bindery data folder
//! format 4
//! node 0f0e0d0c-0b0a-4908-8706-050403020100
//! salt <64 hex digits>
//! key <64 hex digits: tells whether a seal key is the right one, and nothing else of it>
//! digest <96 hex digits: the key of digests, sealed under the seal key; not there while the first seal key is in force>
//! check <64 hex digits: BLAKE3 of the lines above>
//! ```
//!
//! The key of digests is derived from the first seal key and stays when that is rotated away: digests stand in every group of the journal.

use std::path::{Path, PathBuf};

use super::StoreError;
use super::seal::{KEY_OCTETS, SealKey, TAG_OCTETS};
use crate::journal::to_hex;
use crate::world::{Disk, Entropy};

/// Layout of the whole data folder this program writes; it reads that and the ones before. 1: the first; 2: references, definitions,
/// identifiers and transactions; 3: segments that begin with a restore; 4: keys that were rotated, segments that were written anew.
pub(super) const FORMAT: u32 = 4;

/// Octets of the sealed key of digests.
pub(super) const DIGEST_OCTETS: usize = KEY_OCTETS + TAG_OCTETS;

const FILE_NAME: &str = "format";
const TITLE: &str = "bindery data folder";
const DIGEST_PURPOSE: &str = "bindery digest key 1";

/// Name, salt and key check of an installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) node: [u8; 16],
    pub(super) salt: [u8; 32],
    pub(super) key_check: [u8; 32],
    /// The key of digests, sealed; none: it is derived from the seal key.
    pub(super) digest: Option<[u8; DIGEST_OCTETS]>,
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
        Ok(Identity { node, salt, key_check: key_check(key, &salt)?, digest: None })
    }

    /// The node's name, a UUID as text.
    pub(super) fn node_text(&self) -> String {
        uuid::Uuid::from_bytes(self.node).to_string()
    }

    /// Whether this is the same installation, whatever key it is under.
    pub(super) fn is_of(&self, other: &Identity) -> bool {
        (self.node, self.salt) == (other.node, other.salt)
    }

    /// Whether this is the seal key.
    pub(super) fn is_sealed_by(&self, key: &SealKey) -> Result<bool, StoreError> {
        Ok(self.check_of(key)? == self.key_check)
    }

    /// A key's check in this installation.
    pub(super) fn check_of(&self, key: &SealKey) -> Result<[u8; 32], StoreError> {
        key_check(key, &self.salt)
    }

    /// The key of digests.
    pub(super) fn digest_key(&self, key: &SealKey) -> Result<[u8; KEY_OCTETS], StoreError> {
        let Some(sealed) = &self.digest else { return Ok(*key.derive(&self.salt, "bindery digest 1")?) };
        let opened = key.derive_cipher(&self.salt, DIGEST_PURPOSE)?.open([0; 12], &self.node, sealed)?;
        opened.try_into().map_err(|_| StoreError::Content("the key of digests has another length".to_owned()))
    }

    /// The same installation under another seal key.
    pub(super) fn under(&self, key: &SealKey, digest_key: &[u8; KEY_OCTETS]) -> Result<Identity, StoreError> {
        // One key seals one thing under this purpose and salt, ever: the nonce needs no counter.
        let mut sealed = Vec::with_capacity(DIGEST_OCTETS);
        key.derive_cipher(&self.salt, DIGEST_PURPOSE)?.seal([0; 12], &self.node, &[digest_key], &mut sealed)?;
        let digest = sealed.try_into().map_err(|_| StoreError::Content("the key of digests has another length".to_owned()))?;
        Ok(Identity { node: self.node, salt: self.salt, key_check: self.check_of(key)?, digest: Some(digest) })
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
        let mut lines = format!(
            "{TITLE}\nformat {FORMAT}\nnode {}\nsalt {}\nkey {}\n",
            self.node_text(),
            to_hex(&self.salt),
            to_hex(&self.key_check)
        );
        if let Some(digest) = &self.digest {
            lines.push_str(&format!("digest {}\n", to_hex(digest)));
        }
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
        let digest = field("digest").map(from_hex);
        Ok(match (node, salt, key_check, digest) {
            (Some(node), Some(salt), Some(key_check), None | Some(Some(_))) => {
                Some(Identity { node: node.into_bytes(), salt, key_check, digest: digest.flatten() })
            }
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

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect::<Option<_>>()?;
    if digits.len() != 2 * N {
        return None;
    }
    digits.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| (octet << 4) | digit)).collect::<Vec<u8>>().try_into().ok()
}
