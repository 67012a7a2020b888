//! Schema files on disk: one file, or all of a folder.

use std::io;
use std::path::{Path, PathBuf};

/// Octets of one schema file.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct SchemaFileError {
    /// Which, or the folder.
    pub path: PathBuf,
    /// The operating system's words.
    pub error: io::Error,
}

/// Name and text of a file; of a folder all `*.ldif` and `*.schema` files in it, in the order of their names. Files that are no UTF-8 are
/// read as Latin-1.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, SchemaFileError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| SchemaFileError { path, error }
    };
    if !std::fs::metadata(path).map_err(failed(path))?.is_dir() {
        return Ok(vec![read_file(path).map_err(failed(path))?]);
    }
    let mut paths = Vec::new();
    for item in std::fs::read_dir(path).map_err(failed(path))? {
        let path = item.map_err(failed(path))?.path();
        if path.extension().is_some_and(|extension| extension == "ldif" || extension == "schema") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    paths.iter().map(|path| read_file(path).map_err(failed(path))).collect()
}

fn read_file(path: &Path) -> io::Result<(String, String)> {
    if std::fs::metadata(path)?.len() > LONGEST {
        return Err(io::Error::other("longer than 16 MiB, so it is no schema file"));
    }
    let text = String::from_utf8(std::fs::read(path)?)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|&octet| char::from(octet)).collect());
    Ok((path.display().to_string(), text))
}
