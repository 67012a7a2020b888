//! `bindery journal export`: the records as JSON lines, or in the forms that other systems take.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::printer::Format;
use super::reading::{self, Recorded};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::command::installation::create_private;
use crate::journal::Frame;
use crate::journal::query::{FoundRecord, ReadRecord};
use crate::store::{self, StoreError};

/// Arguments of `bindery journal export`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// Sequence to begin with
    #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
    from: u64,
    /// How the records are written; only jsonl can be verified
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Write to this file (made with mode 0600) [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the records: that is recorded first; the files are then read beside the server and every seal and checksum is checked on the way.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Arguments { installation, from, format, out } = arguments;
    // A journal that is too damaged to be opened must be readable all the same.
    let opened = match reading::record(installation, &format!("export from sequence {from}"))? {
        Recorded::ByServer => None,
        Recorded::Here(opened) => Some(*opened),
        Recorded::Not(problem) => {
            output::remark(format_args!("this reading is not recorded, for the data folder cannot be opened: {problem}"));
            None
        }
    };
    let exported = write(installation, *from, *format, out.as_deref());
    if let Some(opened) = opened {
        opened.close();
    }
    exported
}

fn write(installation: &Installation, from: u64, format: Format, out: Option<&Path>) -> Result<ExitCode, CommandError> {
    let options = installation.load()?.store_options_without_indexes();
    let name = out.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let cannot = |error: io::Error| StoreError::Io { path: name.clone().into(), error };
    let mut sink: Box<dyn Write> = match out {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => {
            Box::new(BufWriter::new(create_private(path).map_err(|error| CommandError::Cannot(cannot(error).to_string()))?))
        }
    };
    let mut damages = 0_u64;
    if let Some(heading) = format.heading() {
        write!(sink, "{heading}{}", format.end()).map_err(|error| CommandError::Cannot(cannot(error).to_string()))?;
    }
    let mut each = |frame: Frame| match format {
        Format::Jsonl => writeln!(sink, "{}", frame.line).map_err(cannot),
        _ => frame.lines().try_for_each(|line| {
            let unknown = || StoreError::Content("a record is of a later version: export it as it is, --format jsonl".to_owned());
            let record = ReadRecord::parse(line).ok_or_else(unknown)?;
            let text = format.text(&FoundRecord { record, line: line.to_owned() });
            write!(sink, "{text}{}", format.end()).map_err(cannot)
        }),
    };
    let read = store::read_frames_around(&options, from, &mut each, &mut |damage| {
        damages += 1;
        output::remark(damage);
        Ok(())
    });
    match read.and_then(|()| sink.flush().map_err(cannot)) {
        Ok(()) if damages > 0 => Ok(ExitCode::from(FOUND_SOMETHING)),
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Whoever reads has enough: `bindery journal export | head`.
        Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error @ StoreError::Damaged { .. }) => {
            output::remark(&error);
            Ok(ExitCode::from(FOUND_SOMETHING))
        }
        Err(error) => Err(CommandError::Cannot(error.to_string())),
    }
}
