//! The key that signs the journal's checkpoints: a file of its own beside the seal key, `journal.key`, and its public half in `journal.pub`,
//! which is what verifiers need.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::journal::note::SigningKey;
use crate::journal::origin;
use crate::world::Entropy;

const REMARK: &str = "# Signs the checkpoints of this Bindery installation's journal. Who has it can forge them from now on.\n";
const PUBLIC_REMARK: &str =
    "# Verifies the checkpoints of a Bindery installation's journal. Keep copies where the server cannot reach them.\n";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum JournalKeyError {
    /// The operating system said no.
    #[error("{path}: {error}: let the server's user make or read the file, or name another one: keys.journal in bindery.toml")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its words.
        error: io::Error,
    },
    /// Others than its owner may read it.
    #[error("{0}: others than its owner may use the key; chmod 600 it")]
    Open(PathBuf),
    /// It is not a key of this journal.
    #[error(
        "{0}: holds no key of this installation's journal; put the right one back, or move the file away: then a new one is made"
    )]
    Other(PathBuf),
}

/// The public half beside a key file.
pub fn public_file(file: &Path) -> PathBuf {
    file.with_extension("pub")
}

/// Reads the key of an installation's journal. None: there is no file.
pub fn load(file: &Path, node: &str) -> Result<Option<SigningKey>, JournalKeyError> {
    let io = |error| JournalKeyError::Io { path: file.to_owned(), error };
    let metadata = match std::fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io)?,
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(JournalKeyError::Open(file.to_owned()));
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(io)?);
    let key = SigningKey::parse(&text).filter(|key| key.public().name() == origin(node));
    key.map(Some).ok_or_else(|| JournalKeyError::Other(file.to_owned()))
}

/// A new key and what its files hold.
pub struct NewKey {
    /// The key itself.
    pub key: SigningKey,
    /// For the private file.
    pub text: Zeroizing<String>,
    /// For the public one.
    pub public_text: String,
}

impl NewKey {
    /// Of random octets.
    pub fn of_seed(node: &str, seed: &[u8; 32]) -> Option<NewKey> {
        let name = origin(node);
        let key = SigningKey::of_seed(&name, seed)?;
        let text = Zeroizing::new(format!("{REMARK}{}\n", *SigningKey::text_of_seed(&name, seed)?));
        let public_text = format!("{PUBLIC_REMARK}{}\n", key.public());
        Some(NewKey { key, text, public_text })
    }
}

/// Makes a key and both its files.
pub fn make(file: &Path, node: &str, entropy: &dyn Entropy) -> Result<SigningKey, JournalKeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    entropy.fill(&mut *seed);
    let new = NewKey::of_seed(node, &seed).ok_or_else(|| JournalKeyError::Other(file.to_owned()))?;
    write(&public_file(file), new.public_text.as_bytes(), 0o644)?;
    write(file, new.text.as_bytes(), 0o600)?;
    Ok(new.key)
}

/// Beside, then renamed: a key that was cut off would look like another installation's.
fn write(path: &Path, text: &[u8], mode: u32) -> Result<(), JournalKeyError> {
    let beside = path.with_extension("new");
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
    };
    written().map_err(|error| JournalKeyError::Io { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::note::VerifyingKey;
    use crate::server::world::SystemEntropy;

    #[test]
    fn a_key_is_its_owners_and_its_installations() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.key");
        assert!(load(&file, "n").unwrap().is_none());
        let key = make(&file, "n", &SystemEntropy::new()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&public_file(&file))), (0o600, 0o644));
        let public = std::fs::read_to_string(public_file(&file)).unwrap();
        assert_eq!(VerifyingKey::parse(&public).as_ref(), Some(key.public()));
        assert_eq!(load(&file, "n").unwrap().unwrap().sign("x\n"), key.sign("x\n"));
        assert!(matches!(load(&file, "other"), Err(JournalKeyError::Other(_))));
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&file, "n"), Err(JournalKeyError::Open(_))));
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
