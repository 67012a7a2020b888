//! `bindery blocklist`: lists of passwords that may not be chosen.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CommandError, output};
use crate::policy::password::blocklist::{Blocklist, MAXIMUM_PASSWORDS, key_of_line};

/// Octets of the longest line that is taken for a password.
const LONGEST_LINE: u64 = 4096;

/// Arguments of `bindery blocklist`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with lists of passwords.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Make a list of a text file, one password a line, or SHA1:count as Have I Been Pwned has them
    ///
    /// Name what it writes in bindery.toml (`blocklist` of `[password]`) and reload. The list that comes with the program counts anyway.
    /// The passwords cannot be read back from it. Some 30 octets of memory are needed for each password, and at most 100,000,000 are taken:
    /// of a larger file take those that were seen most with --seen.
    Build {
        /// The text file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where to write the list [default: FILE with the extension .filter]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Of lines with a count, only those seen at least so many times
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        seen: u64,
    },
}

/// Makes a list.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Action::Build { file, output, seen } = &arguments.action;
    let cannot = |path: &Path, error: &dyn std::fmt::Display| CommandError::Cannot(format!("{}: {error}", path.display()));
    let target = output.clone().unwrap_or_else(|| file.with_extension("filter"));
    if target == *file {
        return Err(CommandError::Usage(
            "the list would be written over the text file; name another with --output FILE".to_owned(),
        ));
    }
    let keys = read(file, *seen).map_err(|error| cannot(file, &error))?;
    let list = Blocklist::of_keys(keys.iter().copied()).map_err(|error| cannot(file, &error))?;
    std::fs::write(&target, list.encode()).map_err(|error| cannot(&target, &error))?;
    output::line(format_args!("{}: {} passwords", target.display(), keys.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// The keys of all lines, each once.
fn read(file: &Path, seen: u64) -> Result<Vec<u64>, String> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file).map_err(|error| error.to_string())?);
    let (mut keys, mut line, mut number) = (Vec::new(), Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        let count = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if count == 0 {
            keys.sort_unstable();
            keys.dedup();
            return Ok(keys);
        }
        let ended = line.pop_if(|octet| *octet == b'\n').is_some();
        if !ended && count as u64 == LONGEST_LINE {
            return Err(format!("line {number} is longer than {LONGEST_LINE} octets; one password a line is expected"));
        }
        keys.extend(key_of_line(&line, seen));
        if keys.len() > MAXIMUM_PASSWORDS {
            return Err(format!("more than {MAXIMUM_PASSWORDS} passwords; take those that were seen most with --seen COUNT"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::password::blocklist::is_listed;

    fn build(text: &[u8], seen: u64) -> Result<Blocklist, CommandError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("words.txt");
        std::fs::write(&file, text).unwrap();
        run(&Arguments { action: Action::Build { file, output: None, seen } })?;
        Ok(Blocklist::read(&std::fs::read(folder.path().join("words.filter")).unwrap()).unwrap())
    }

    #[test]
    fn a_text_file_becomes_a_list() {
        let list = build(b"Mercy rules the waves\r\nsecond line\nno end of line", 1).unwrap();
        for listed in ["MERCY RULES THE WAVES", "Second Line", "no end of line"] {
            assert!(is_listed(Some(&list), listed.as_bytes()), "{listed}");
        }
        assert!(!is_listed(Some(&list), b"mercy rules the seas"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let refused = |text: &[u8]| build(text, 1).unwrap_err().to_string();
        assert!(refused(b"").contains("there is no password in it"));
        assert!(refused(&[b'x'; 5000]).contains("line 1 is longer than 4096 octets"));
    }
}
