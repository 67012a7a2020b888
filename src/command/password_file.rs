//! Passwords that commands read from a file or from standard input: never from the command line, where everybody on the machine sees them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::CommandError;
use crate::model::Secret;

/// Octets read at most; a password is the first line of them.
const MAX_FILE: u64 = 64 * 1024;

/// The first line of a file, or of standard input where none is named.
pub(super) fn read(file: Option<&Path>) -> Result<Secret, CommandError> {
    let (name, content) = match file {
        Some(path) => (path.display().to_string(), File::open(path).and_then(read_bounded)),
        None => ("standard input".to_owned(), read_bounded(io::stdin().lock())),
    };
    let content = content.map_err(|error| {
        CommandError::Cannot(format!("{name}: the password cannot be read: {error}; write it there as the first line"))
    })?;
    let line = content.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(CommandError::Cannot(format!("{name}: the first line is empty; write the password there")));
    }
    Ok(Secret::from(line))
}

fn read_bounded(input: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize));
    input.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Secret, CommandError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(Some(file.path()))
    }

    #[test]
    fn the_first_line_is_the_password() {
        for text in ["se cret", "se cret\n", "se cret\r\n", "se cret\nsecond\n"] {
            assert_eq!(read_text(text).unwrap(), Secret::from(b"se cret".as_slice()), "{text:?}");
        }
        assert!(read_text("").unwrap_err().to_string().contains("the first line is empty"));
        assert!(read_text("\nsecond").is_err());
    }

    #[test]
    fn an_absent_file_is_named() {
        let error = read(Some(Path::new("/nonexistent/password"))).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/password: the password cannot be read"), "{error}");
    }
}
