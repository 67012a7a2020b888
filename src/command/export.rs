//! `bindery export`: writes the directory as LDIF, as it is at one instant, whether the server runs or not.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::installation::{OfflineInstallation, create_private, server_socket};
use super::{CommandError, Installation, output};
use crate::directory::{Directory, Lookup, MembershipAttribute};
use crate::journal::RecordKind;
use crate::model::ldif::write_line;
use crate::model::{Dn, EntryId, Section};
use crate::wire::client::{LocalClient, ReadEntry};

/// Computed when read; an import would compute them again.
const COMPUTED: [&str; 8] = [
    "entryDN",
    "hasSubordinates",
    "lastLoginSource",
    "lastLoginTime",
    "memberOf",
    "numSubordinates",
    "structuralObjectClass",
    "subschemaSubentry",
];

/// Arguments of `bindery export`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
    /// Only this entry and what is below it [default: the whole directory]
    #[arg(long, value_name = "DN")]
    pub base: Option<String>,
    /// Write to this file (made with mode 0600) [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Include stored passwords, hashed as they are; only while the server is stopped
    #[arg(long)]
    pub secrets: bool,
}

/// Writes the directory as LDIF.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let mut sink = Sink::open(arguments.out.as_deref())?;
    let count = match server_socket(&arguments.installation)? {
        Some(_) if arguments.secrets => {
            return Err(CommandError::Usage(
                "a running server gives passwords to nobody; stop it to export with --secrets".to_owned(),
            ));
        }
        Some((socket, suffix)) => online(&socket, arguments.base.as_deref().unwrap_or(&suffix), &mut sink)?,
        None => offline(arguments, &mut sink)?,
    };
    sink.finish()?;
    let without = if arguments.secrets { "" } else { "; passwords are left out (see --secrets)" };
    output::remark(format_args!("{count} entries written{without}"));
    Ok(ExitCode::SUCCESS)
}

/// Asks the running server: one search sees one instant.
fn online(socket: &Path, base: &str, sink: &mut Sink) -> Result<u64, CommandError> {
    let mut count = 0;
    let mut client = LocalClient::connect(socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
    client
        .read_subtree(base, &["*", "+"], &mut |entry| {
            count += 1;
            write_read_entry(&entry, &mut sink.output)
        })
        .map_err(|error| CommandError::Cannot(format!("{base}: {error}")))?;
    Ok(count)
}

fn write_read_entry(entry: &ReadEntry, output: &mut impl Write) -> io::Result<()> {
    write_line(output, "dn", entry.dn.as_bytes())?;
    for attribute in entry.attributes.iter().filter(|attribute| !COMPUTED.contains(&attribute.description.as_str())) {
        for value in &attribute.values {
            write_line(output, &attribute.description, value)?;
        }
    }
    writeln!(output)
}

/// Opens the stopped installation and walks its tree, parents first.
fn offline(arguments: &Arguments, sink: &mut Sink) -> Result<u64, CommandError> {
    let mut installation = OfflineInstallation::open_without_indexes(&arguments.installation)?;
    let directory = installation.committer().head().clone();
    let base = match &arguments.base {
        Some(text) => Dn::parse(text.as_bytes()).map_err(|error| CommandError::Usage(format!("--base {text}: {error}")))?,
        None => directory.suffix().clone(),
    };
    let Lookup::Found(start) = directory.find(&base) else {
        return Err(CommandError::Cannot(format!("{base}: there is no such entry")));
    };
    let mut count = 0;
    let mut waiting = vec![start];
    while let Some(id) = waiting.pop() {
        write_entry(&directory, id, arguments.secrets, &mut sink.output).map_err(|error| sink.cannot(&error))?;
        count += 1;
        let mut children: Vec<EntryId> = directory.children(id).collect();
        children.reverse();
        waiting.extend(children);
    }
    let secrets = if arguments.secrets { "with stored passwords" } else { "without passwords" };
    let details = vec![("base", base.to_string()), ("entries", count.to_string()), ("secrets", secrets.to_owned())];
    installation.note(OfflineInstallation::record(RecordKind::Export, details))?;
    installation.close();
    Ok(count)
}

fn write_entry(directory: &Directory, id: EntryId, secrets: bool, output: &mut impl Write) -> io::Result<()> {
    let Some(node) = directory.node(id) else { return Ok(()) };
    write_line(output, "dn", directory.dn_text(id).as_bytes())?;
    for attribute in node.entry.attributes() {
        let left_out = (attribute.section == Section::Secret && !secrets) || COMPUTED.contains(&attribute.description);
        for value in attribute.values().filter(|_| !left_out) {
            write_line(output, attribute.description, value)?;
        }
    }
    for attribute in MembershipAttribute::ALL {
        for value in directory.member_values(id, attribute) {
            write_line(output, attribute.name(), &value)?;
        }
    }
    writeln!(output)
}

/// Where the LDIF goes.
struct Sink {
    name: String,
    output: Box<dyn Write>,
    file: Option<File>,
}

impl Sink {
    fn open(path: Option<&Path>) -> Result<Sink, CommandError> {
        let mut sink = match path {
            None => Sink { name: "standard output".to_owned(), output: Box::new(BufWriter::new(io::stdout())), file: None },
            Some(path) => {
                let name = path.display().to_string();
                let cannot = |error: io::Error| CommandError::Cannot(format!("{name}: {error}"));
                let file = create_private(path).map_err(cannot)?;
                let written = file.try_clone().map_err(cannot)?;
                Sink { output: Box::new(BufWriter::new(written)), file: Some(file), name }
            }
        };
        writeln!(sink.output, "version: 1\n").map_err(|error| sink.cannot(&error))?;
        Ok(sink)
    }

    fn cannot(&self, error: &io::Error) -> CommandError {
        CommandError::Cannot(format!("{}: {error}", self.name))
    }

    /// Everything is written, to the device where it is a file.
    fn finish(mut self) -> Result<(), CommandError> {
        let done = self.output.flush().and_then(|()| self.file.as_ref().map_or(Ok(()), File::sync_all));
        done.map_err(|error| self.cannot(&error))
    }
}
