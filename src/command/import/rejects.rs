//! The reject file of an import: LDIF again, each record behind a comment that says why.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::Arguments;
use crate::command::{CommandError, installation, output};
use crate::model::ldif::LdifRecord;

/// Made when the first record goes in.
pub(super) struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    pub(super) fn new(arguments: &Arguments) -> Rejects {
        let beside = || {
            let mut name = arguments.files.first().cloned().unwrap_or_default().into_os_string();
            name.push(".rejected");
            PathBuf::from(name)
        };
        Rejects { path: arguments.reject_file.clone().unwrap_or_else(beside), file: None }
    }

    pub(super) fn write(&mut self, message: &str, record: Option<&LdifRecord>) -> Result<(), CommandError> {
        let cannot = |error: std::io::Error| CommandError::Cannot(format!("{}: {error}", self.path.display()));
        if self.file.is_none() {
            self.file = Some(BufWriter::new(installation::create_private(&self.path).map_err(cannot)?));
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        // A line end in it would make the rest of it LDIF.
        writeln!(file, "# {}", message.replace(char::is_control, " ")).map_err(cannot)?;
        if let Some(record) = record {
            record.write(file).map_err(cannot)?;
        }
        writeln!(file).map_err(cannot)
    }

    pub(super) fn finish(self) -> Result<(), CommandError> {
        let Some(mut file) = self.file else { return Ok(()) };
        file.flush().map_err(|error| CommandError::Cannot(format!("{}: {error}", self.path.display())))?;
        output::remark(format_args!("the refused records are in {}", self.path.display()));
        Ok(())
    }
}
