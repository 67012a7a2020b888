//! The seal key: 32 random octets that everything personal on disk is sealed with, in a file of its own or in the environment.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::ConfigurationError;
use crate::model::Secret;

/// Octets of a seal key.
const LENGTH: usize = 32;

/// Where the seal key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SealKeySource {
    /// A file: lines beginning with `#` are remarks, the other is the key in hex or base64.
    File(PathBuf),
    /// An environment variable with the same text.
    Environment(String),
}

impl SealKeySource {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            SealKeySource::File(file) => Some(file),
            SealKeySource::Environment(_) => None,
        }
    }

    /// Reads the key.
    pub fn read(&self) -> Result<Secret, ConfigurationError> {
        let (file, text) = match self {
            SealKeySource::File(file) => (file.clone(), read_private(file)?),
            SealKeySource::Environment(name) => {
                let value = std::env::var(name).map_err(|_| {
                    let remedy = "set it to the seal key: 64 hex digits, or base64 of 32 octets";
                    error(Path::new(&format!("environment variable {name}")), "is not set", remedy)
                })?;
                (PathBuf::from(format!("environment variable {name}")), Zeroizing::new(value))
            }
        };
        decode(&text).ok_or_else(|| {
            error(&file, "holds no seal key", "put the key of this installation there: 64 hex digits, or base64 of 32 octets")
        })
    }
}

/// A fresh seal key and the text of its file.
pub struct NewSealKey {
    /// The key itself.
    pub key: Secret,
    /// What goes into the file.
    pub text: Zeroizing<String>,
}

impl NewSealKey {
    /// Makes a key of random octets.
    pub fn new(octets: &Zeroizing<[u8; LENGTH]>) -> NewSealKey {
        let mut text = Zeroizing::new(String::from(
            "# The seal key of this Bindery installation. Without it the data folder and its backups cannot be read by anybody.\n\
             # Keep a copy where the backups are not.\n",
        ));
        octets.iter().for_each(|octet| {
            text.extend([octet >> 4, octet & 15].into_iter().filter_map(|digit| char::from_digit(u32::from(digit), 16)));
        });
        text.push('\n');
        NewSealKey { key: Secret::from(octets.as_slice()), text }
    }
}

/// A key file must be its owner's alone.
fn read_private(file: &Path) -> Result<Zeroizing<String>, ConfigurationError> {
    const REMEDY: &str = "restore the key from its copy, or correct keys.seal in the configuration";
    let mode = std::fs::metadata(file).map_err(|problem| error(file, &problem.to_string(), REMEDY))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(error(file, &format!("mode {:04o} lets others than its owner use the key", mode & 0o7777), "chmod 600 it"));
    }
    std::fs::read_to_string(file).map(Zeroizing::new).map_err(|problem| error(file, &problem.to_string(), REMEDY))
}

fn decode(text: &str) -> Option<Secret> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().filter(|_| lines.next().is_none())?;
    let octets = if line.len() == 2 * LENGTH { hex(line)? } else { BASE64_STANDARD.decode(line).ok()? };
    (octets.len() == LENGTH).then(|| Secret::new(octets))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn error(file: &Path, problem: &str, remedy: &str) -> ConfigurationError {
    ConfigurationError { file: file.to_path_buf(), line: None, key: None, problem: problem.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_new_key_is_read_back() {
        let new = NewSealKey::new(&Zeroizing::new([0xA7; 32]));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(new.text.as_bytes()).unwrap();
        let source = SealKeySource::File(file.path().to_path_buf());
        assert_eq!(source.read().unwrap(), new.key);
        assert_eq!(new.key.len(), 32);

        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = source.read().unwrap_err().to_string();
        assert!(refused.contains("mode 0640 lets others than its owner use the key; chmod 600 it"), "{refused}");
    }

    #[test]
    fn base64_is_read_and_nonsense_is_not() {
        assert!(decode("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").is_some());
        for text in
            ["", "# only a remark\n", "AAAA", "zz", &"ä".repeat(32), &"0".repeat(63), &format!("{0}\n{0}", "0".repeat(64))]
        {
            assert!(decode(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_absent_variable_is_named() {
        let error = SealKeySource::Environment("BINDERY_NO_SUCH_VARIABLE".to_owned()).read().unwrap_err().to_string();
        assert!(error.starts_with("environment variable BINDERY_NO_SUCH_VARIABLE: is not set; set it"), "{error}");
    }
}
