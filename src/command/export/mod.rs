//! `bindery export`: writes the directory as LDIF, as it is at one instant, whether the server runs or not.

mod definitions;
mod openldap;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tempfile::NamedTempFile;

use super::installation::{OfflineInstallation, create_private, server_socket};
use super::{CommandError, Installation, output};
use crate::directory::{Computed, Directory, Lookup, MEMBER_ENDS};
use crate::journal::RecordKind;
use crate::model::ldif::write_line;
use crate::model::{Dn, EntryId, Section};
use crate::operation::bind::bookkeeping::LOCKED_TIME;
use crate::wire::client::{LocalClient, ReadEntry};
use openldap::ForOpenldap;

/// Computed when read; an import would compute them again, or begin them anew.
const COMPUTED: [&str; 15] = [
    "contextCSN",
    "entryDN",
    "entryTtl",
    "governingStructureRule",
    "hasSubordinates",
    "lastLoginSource",
    "lastLoginTime",
    "memberOf",
    "numSubordinates",
    "pwdAccountTmpLockoutEnd",
    "pwdFailureTime",
    "pwdGraceUseTime",
    "pwdLastSuccess",
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
    /// Write to this file (mode 0600; what was there stays until everything is written) [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Include stored passwords, hashed as they are; only while the server is stopped
    #[arg(long)]
    pub secrets: bool,
    /// Write what another server's tools load; stored passwords go along, so only while the server is stopped
    #[arg(long = "for", value_name = "SERVER")]
    pub for_server: Option<Server>,
    /// Write the schema definitions that were made online instead of entries: load them before the entries, with import or ldapmodify
    #[arg(long, conflicts_with_all = ["base", "secrets", "for_server"])]
    pub schema: bool,
    /// Where the definitions go that the other server lacks
    #[arg(long, value_name = "FILE", requires = "for_server")]
    pub schema_out: Option<PathBuf>,
}

/// Whose tools are to load an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Server {
    /// slapadd of OpenLDAP
    Openldap,
}

/// Writes the directory as LDIF.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let mut sink = Sink::open(arguments.out.as_deref(), arguments.for_server.is_none())?;
    if arguments.schema {
        return definitions(arguments, sink);
    }
    let count = match server_socket(&arguments.installation)? {
        Some(_) if arguments.for_server.is_some() => {
            return Err(CommandError::Usage("--for takes stored passwords along; stop the server for it".to_owned()));
        }
        Some(_) if arguments.secrets => {
            return Err(CommandError::Usage(
                "a running server gives passwords to nobody; stop it to export with --secrets".to_owned(),
            ));
        }
        Some((socket, suffix)) => online(&socket, arguments.base.as_deref().unwrap_or(&suffix), &mut sink)?,
        None => offline(arguments, &mut sink)?,
    };
    sink.finish()?;
    let without =
        if arguments.secrets || arguments.for_server.is_some() { "" } else { "; passwords are left out (see --secrets)" };
    output::remark(format_args!("{count} entries written{without}"));
    Ok(ExitCode::SUCCESS)
}

fn definitions(arguments: &Arguments, mut sink: Sink) -> Result<ExitCode, CommandError> {
    let count = match server_socket(&arguments.installation)? {
        Some((socket, _)) => definitions::online(&socket, &arguments.installation.load()?.schema, &mut sink.output)?,
        None => definitions::offline(OfflineInstallation::open_without_indexes(&arguments.installation)?, &mut sink.output)?,
    };
    sink.finish()?;
    output::remark(format_args!("{count} definitions written"));
    Ok(ExitCode::SUCCESS)
}

/// Asks the running server: one search sees one instant.
fn online(socket: &Path, base: &str, sink: &mut Sink) -> Result<u64, CommandError> {
    let mut count = 0;
    let mut client = LocalClient::connect(socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
    client
        .read_subtree(base, &["*", "+", "reservedIdentifier"], &mut |entry| {
            count += 1;
            write_read_entry(&entry, &mut sink.output)
        })
        .map_err(|error| CommandError::Cannot(format!("{base}: {error}")))?;
    Ok(count)
}

fn write_read_entry(entry: &ReadEntry, output: &mut impl Write) -> io::Result<()> {
    write_line(output, "dn", entry.dn.as_bytes())?;
    let failures = entry.attributes.iter().filter(|attribute| attribute.description == "pwdFailureTime");
    let failures: Vec<&[u8]> = failures.flat_map(|attribute| attribute.values.iter().map(AsRef::as_ref)).collect();
    for attribute in &entry.attributes {
        let left_out = COMPUTED.contains(&attribute.description.as_str())
            || is_own_lock(&attribute.description, attribute.values.iter().map(AsRef::as_ref), failures.iter().copied());
        for value in attribute.values.iter().filter(|_| !left_out) {
            write_line(output, &attribute.description, value)?;
        }
    }
    writeln!(output)
}

/// Whether it is a lock that failed logins made: it began with one of them. They are not exported, and without them it would be taken for an
/// administrator's.
fn is_own_lock<'a>(
    description: &str,
    mut values: impl Iterator<Item = &'a [u8]>,
    mut failures: impl Iterator<Item = &'a [u8]>,
) -> bool {
    description == LOCKED_TIME && values.any(|lock| failures.any(|failure| failure == lock))
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
    let mut target = arguments.for_server.map(|Server::Openldap| ForOpenldap::new()).transpose()?;
    let with_secrets = arguments.secrets || target.is_some();
    let mut count = 0;
    let mut waiting = vec![start];
    while let Some(id) = waiting.pop() {
        write_entry(&directory, id, with_secrets, target.as_mut(), &mut sink.output).map_err(|error| sink.cannot(&error))?;
        count += 1;
        let mut children: Vec<EntryId> = directory.children(id).collect();
        children.reverse();
        waiting.extend(children);
    }
    if let Some(target) = target {
        target.finish(directory.schema(), arguments.schema_out.as_deref())?;
    }
    let secrets = if with_secrets { "with stored passwords" } else { "without passwords" };
    let details = vec![("base", base.to_string()), ("entries", count.to_string()), ("secrets", secrets.to_owned())];
    installation.note(OfflineInstallation::record(RecordKind::Export, details))?;
    installation.close();
    Ok(count)
}

fn write_entry(
    directory: &Directory,
    id: EntryId,
    secrets: bool,
    mut target: Option<&mut ForOpenldap>,
    output: &mut impl Write,
) -> io::Result<()> {
    let Some(node) = directory.node(id) else { return Ok(()) };
    write_line(output, "dn", directory.dn_text(id).as_bytes())?;
    let failures = Computed::FailureTime.values(directory, node);
    for attribute in node.entry.attributes() {
        let left_out = (attribute.section == Section::Secret && !secrets)
            || COMPUTED.contains(&attribute.description)
            || is_own_lock(attribute.description, attribute.values(), failures.iter().map(AsRef::as_ref))
            || target.as_mut().is_some_and(|target| !target.takes(directory.schema(), &attribute));
        for value in attribute.values().filter(|_| !left_out) {
            write_line(output, attribute.description, value)?;
        }
    }
    // Another server would not know the attribute.
    let reserved = if target.is_none() { Computed::Reserved.values(directory, node) } else { Vec::new() };
    for value in reserved {
        write_line(output, "reservedIdentifier", &value)?;
    }
    for attribute in directory.membership_attributes(id) {
        let values = directory.member_values(id, attribute);
        let definition = attribute.attribute_type(directory.schema());
        if target.as_mut().zip(definition).is_some_and(|(target, it)| !target.takes_type(directory.schema(), it, values.len())) {
            continue;
        }
        for value in values {
            write_line(output, attribute.name(directory.schema()), &value)?;
        }
    }
    let ends = Computed::MemberEnds.values(directory, node);
    let definition = directory.schema().attribute_type(MEMBER_ENDS).filter(|_| !ends.is_empty());
    if let Some(definition) = definition
        && target.as_mut().is_none_or(|target| target.takes_type(directory.schema(), definition, ends.len()))
    {
        ends.iter().try_for_each(|value| write_line(output, MEMBER_ENDS, value))?;
    }
    if let Some(target) = target {
        target.group(directory, id);
    }
    writeln!(output)
}

/// Where the LDIF goes.
struct Sink {
    name: String,
    output: Box<dyn Write>,
    place: Place,
}

enum Place {
    Standard,
    /// A device or a pipe.
    Special,
    /// Becomes the file asked for when all is written.
    Beside(NamedTempFile, PathBuf),
}

impl Sink {
    /// slapadd takes the version line for an entry without a name: `with_version` says whether to write it.
    fn open(path: Option<&Path>, with_version: bool) -> Result<Sink, CommandError> {
        let mut sink = match path {
            None => {
                let output = Box::new(BufWriter::new(io::stdout()));
                Sink { name: "standard output".to_owned(), output, place: Place::Standard }
            }
            Some(path) => {
                let name = path.display().to_string();
                let (place, output) = place(path).map_err(|error| CommandError::Cannot(format!("{name}: {error}")))?;
                Sink { name, output: Box::new(BufWriter::new(output)), place }
            }
        };
        if with_version {
            writeln!(sink.output, "version: 1\n").map_err(|error| sink.cannot(&error))?;
        }
        Ok(sink)
    }

    fn cannot(&self, error: &io::Error) -> CommandError {
        CommandError::Cannot(format!("{}: {error}", self.name))
    }

    /// Everything is written, to the device where it is a file.
    fn finish(self) -> Result<(), CommandError> {
        let Sink { name, mut output, place } = self;
        let finish = || {
            output.flush()?;
            match place {
                // A terminal or a pipe cannot be synced.
                Place::Standard | Place::Special => Ok(()),
                Place::Beside(file, path) => {
                    file.as_file().sync_all()?;
                    file.persist(&path).map_err(|error| error.error)?;
                    File::open(folder_of(&path))?.sync_all()
                }
            }
        };
        finish().map_err(|error: io::Error| CommandError::Cannot(format!("{name}: {error}")))
    }
}

/// A new file beside the one asked for, unless that is no regular file.
fn place(path: &Path) -> io::Result<(Place, File)> {
    // Through a link, what it points at is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if path.metadata().is_ok_and(|it| !it.is_file()) {
        let file = create_private(&path)?;
        return Ok((Place::Special, file));
    }
    let file = NamedTempFile::new_in(folder_of(&path))?;
    let written = file.reopen()?;
    Ok((Place::Beside(file, path), written))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
