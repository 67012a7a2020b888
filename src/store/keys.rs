//! The keys of an installation: the one that seals everything new, and others that open what is not sealed anew yet.
//!
//! Beside the file of the seal key there may be others of the same form:
//!
//! ```text
//! seal.key                  the key
//! seal.key.next             a rotation is under way: this is to be the key; once the file `format` names it, it is
//! seal.key.retired-<name>   keys that were: what was sealed under them before and was not among the files then (backups) opens
//! ```
//!
//! A key's name is the beginning of its check (see `identity`); nothing else of it is ever told.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use super::StoreError;
use super::identity::Identity;
use super::seal::{KEY_OCTETS, SealKey};
use crate::journal::to_hex;
use crate::model::Secret;
use crate::world::{Disk, Entropy};

/// Octets of a key's check that make its name.
const NAME_OCTETS: usize = 8;
/// Retired keys that are read; the files of more are left alone.
const RETIRED_KEYS: usize = 64;

const NEXT: &str = ".next";
const RETIRED: &str = ".retired-";
const UNFINISHED: &str = ".new";

/// The keys of an open data folder. Clones share them: when the sealing key changes, it does for all.
#[derive(Clone)]
pub(super) struct Keys(Arc<Shared>);

struct Shared {
    sealing: ArcSwap<Sealing>,
    others: ArcSwap<Vec<SealKey>>,
    digest_key: [u8; KEY_OCTETS],
}

/// The key in force, with the identity that names it.
pub(super) struct Sealing {
    pub(super) identity: Identity,
    pub(super) key: SealKey,
}

impl Keys {
    /// The first candidate that fits the identity seals; the others open what they can. An error where none fits.
    pub(super) fn new(identity: Identity, candidates: Vec<SealKey>, data: &Path) -> Result<Keys, StoreError> {
        let mut others = Vec::new();
        let mut sealing = None;
        for candidate in candidates {
            if sealing.is_none() && identity.is_sealed_by(&candidate)? {
                sealing = Some(candidate);
            } else {
                others.push(candidate);
            }
        }
        let Some(key) = sealing else { return Err(wrong_key(data, &identity, &others)) };
        let digest_key = identity.digest_key(&key)?;
        let sealing = ArcSwap::from_pointee(Sealing { identity, key });
        Ok(Keys(Arc::new(Shared { sealing, others: ArcSwap::from_pointee(others), digest_key })))
    }

    /// What seals now.
    pub(super) fn sealing(&self) -> Arc<Sealing> {
        self.0.sealing.load_full()
    }

    /// Who the installation is.
    pub(super) fn identity(&self) -> Identity {
        self.0.sealing.load().identity.clone()
    }

    /// Keys the digests of content; the same for as long as the installation lives.
    pub(super) fn digest_key(&self) -> [u8; KEY_OCTETS] {
        self.0.digest_key
    }

    /// The key with which a file of this installation is sealed.
    pub(super) fn of(&self, identity: &Identity, path: &Path) -> Result<SealKey, StoreError> {
        let found = self.try_each(|key| Ok::<_, StoreError>(identity.is_sealed_by(key)?.then(|| key.clone())))?;
        found.ok_or_else(|| {
            let mut there = vec![self.sealing().key.clone()];
            there.extend(self.0.others.load().iter().cloned());
            wrong_key(path, identity, &there)
        })
    }

    /// Whether a file is sealed under the key that seals now.
    pub(super) fn is_current(&self, key_check: &[u8; 32]) -> bool {
        self.0.sealing.load().identity.key_check == *key_check
    }

    /// Tries the keys, that which seals first.
    pub(super) fn try_each<T, E>(&self, mut each: impl FnMut(&SealKey) -> Result<Option<T>, E>) -> Result<Option<T>, E> {
        if let Some(found) = each(&self.0.sealing.load().key)? {
            return Ok(Some(found));
        }
        for key in self.0.others.load().iter() {
            if let Some(found) = each(key)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// From here on everything new is sealed under this key, and the file `format` says so; what seals now goes on opening.
    pub(super) fn advance(&self, key: &SealKey, disk: &dyn Disk, data: &Path) -> Result<(), StoreError> {
        let before = self.sealing();
        let identity = before.identity.under(key, &self.0.digest_key)?;
        if identity.key_check == before.identity.key_check {
            return Ok(());
        }
        identity.write(disk, data)?;
        let mut others = (**self.0.others.load()).clone();
        others.push(before.key.clone());
        self.0.others.store(Arc::new(others));
        self.0.sealing.store(Arc::new(Sealing { identity, key: key.clone() }));
        Ok(())
    }

    /// Lets go of the keys that seal nothing any more.
    pub(super) fn forget_others(&self) {
        self.0.others.store(Arc::default());
    }
}

/// A key's name, as an operator sees it.
pub(super) fn name_of_check(key_check: &[u8; 32]) -> String {
    to_hex(key_check.get(..NAME_OCTETS).unwrap_or_default())
}

fn wrong_key(path: &Path, needed: &Identity, there: &[SealKey]) -> StoreError {
    let names: Vec<String> =
        there.iter().filter_map(|key| needed.check_of(key).ok()).map(|check| name_of_check(&check)).collect();
    StoreError::WrongKey { path: path.to_owned(), needed: name_of_check(&needed.key_check), there: names.join(", ") }
}

/// The file of the seal key and what a rotation puts beside it.
#[derive(Clone)]
pub(super) struct KeyFiles {
    disk: Arc<dyn Disk>,
    file: PathBuf,
}

impl KeyFiles {
    pub(super) fn new(disk: Arc<dyn Disk>, file: PathBuf) -> KeyFiles {
        KeyFiles { disk, file }
    }

    /// The key in the file now: a rotation that came to its end since it was read has put another one there.
    pub(super) fn configured(&self) -> Option<SealKey> {
        self.read(&self.file).ok().flatten()
    }

    /// The key that a rotation is to end with; none where none is under way.
    pub(super) fn next(&self) -> Result<Option<SealKey>, StoreError> {
        self.read(&self.beside(NEXT))
    }

    /// Keys that were.
    pub(super) fn retired(&self) -> Result<Vec<SealKey>, StoreError> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let paths = match self.disk.list(folder) {
            // Who may not look knows the key alone.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                return Ok(Vec::new());
            }
            listed => listed.map_err(|error| StoreError::Io { path: folder.to_owned(), error })?,
        };
        let prefix = self.beside(RETIRED).to_string_lossy().into_owned();
        let is_retired = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            path.starts_with(&prefix) && !path.ends_with(UNFINISHED)
        };
        let read = paths.iter().filter(is_retired).take(RETIRED_KEYS).map(|path| self.read(path));
        read.filter_map(Result::transpose).collect()
    }

    /// Draws the next key and makes it durable, unless there is one already.
    pub(super) fn draw_next(&self, entropy: &dyn Entropy) -> Result<SealKey, StoreError> {
        if let Some(next) = self.next()? {
            return Ok(next);
        }
        let mut octets = Zeroizing::new([0; KEY_OCTETS]);
        entropy.fill(octets.as_mut());
        let key = Secret::from(octets.as_slice());
        self.write(&self.beside(NEXT), &key)?;
        SealKey::new(&key).ok_or_else(|| StoreError::Content("the new seal key has another length".to_owned()))
    }

    /// Keeps the key that was under its name and puts the next one in its place. Where it breaks off it can be done again.
    pub(super) fn put_next_in_place(&self, old: &SealKey, name: &str) -> Result<PathBuf, StoreError> {
        let retired = self.beside(&format!("{RETIRED}{name}"));
        self.write(&retired, old.secret())?;
        let next = self.beside(NEXT);
        self.disk.rename(&next, &self.file).map_err(|error| StoreError::Io { path: next, error })?;
        Ok(retired)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Whole or not at all.
    fn write(&self, path: &Path, key: &Secret) -> Result<(), StoreError> {
        let mut unfinished = path.to_owned().into_os_string();
        unfinished.push(UNFINISHED);
        let unfinished = PathBuf::from(unfinished);
        let text = Zeroizing::new(format!(
            "# A seal key of this Bindery installation. What was sealed under it cannot be read by anybody without it.\n\
             # Keep a copy where the backups are not.\n{}\n",
            *Zeroizing::new(to_hex(key.expose()))
        ));
        let written = self.disk.open(&unfinished).and_then(|file| {
            file.set_length(0)?;
            file.write_all_at(text.as_bytes(), 0)?;
            file.sync_data()
        });
        written
            .and_then(|()| self.disk.rename(&unfinished, path))
            .map_err(|error| StoreError::Io { path: path.to_owned(), error })
    }

    fn read(&self, path: &Path) -> Result<Option<SealKey>, StoreError> {
        let octets = match self.disk.read(path) {
            Ok(octets) => Zeroizing::new(octets),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => return Ok(None),
            Err(error) => return Err(StoreError::Io { path: path.to_owned(), error }),
        };
        let key = decode(&octets).as_ref().and_then(SealKey::new);
        key.map(Some).ok_or_else(|| {
            let path = path.display();
            StoreError::Content(format!("{path}: holds no seal key; put back the file that was there, or take it away"))
        })
    }
}

/// The one line that is no remark, in hex.
fn decode(octets: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(octets).ok()?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().filter(|line| lines.next().is_none() && line.len() == 2 * KEY_OCTETS)?;
    let mut key = Zeroizing::new(Vec::with_capacity(KEY_OCTETS));
    for pair in line.as_bytes().chunks_exact(2) {
        key.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(Secret::from(key.as_slice()))
}
