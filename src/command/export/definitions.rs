//! `bindery export --schema`: the definitions that were made online, as one change that import and ldapmodify take.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use super::super::CommandError;
use super::super::installation::OfflineInstallation;
use crate::directory::{Directory, SUBSCHEMA};
use crate::journal::RecordKind;
use crate::model::ldif::write_line;
use crate::model::schema::{Schema, SchemaElement};
use crate::wire::client::LocalClient;

/// Definitions by kind, in the order in which they are published.
type Definitions = Vec<(SchemaElement, Vec<String>)>;

/// Asks the running server what it publishes, and leaves out what is built in or comes from files.
pub(super) fn online(socket: &Path, files: &Schema, output: &mut impl Write) -> Result<u64, CommandError> {
    let cannot = |error: &dyn std::fmt::Display| CommandError::Cannot(format!("{SUBSCHEMA}: {error}"));
    let mut client = LocalClient::connect(socket).map_err(|error| cannot(&error))?;
    let names: Vec<&str> = SchemaElement::ALL.into_iter().map(SchemaElement::attribute).collect();
    let mut found: Definitions = Vec::new();
    let read = client.read_subtree(SUBSCHEMA, &names, &mut |entry| {
        for element in SchemaElement::ALL {
            let attributes = entry.attributes.iter().filter(|it| it.description == element.attribute());
            let texts = attributes.flat_map(|it| &it.values).map(|value| String::from_utf8_lossy(value).into_owned());
            found.push((element, texts.collect()));
        }
        Ok(())
    });
    read.map_err(|error| cannot(&error))?;
    for (element, texts) in &mut found {
        let known: HashSet<String> = files.definitions(*element).map(|definition| definition.text).collect();
        texts.retain(|text| !known.contains(text));
    }
    write(&found, output).map_err(|error| cannot(&error))
}

/// Opens the stopped installation.
pub(super) fn offline(mut installation: OfflineInstallation, output: &mut impl Write) -> Result<u64, CommandError> {
    let found = of_directory(installation.committer().head());
    let count = write(&found, output).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let details = vec![("base", SUBSCHEMA.to_owned()), ("definitions", count.to_string())];
    installation.note(OfflineInstallation::record(RecordKind::Export, details))?;
    installation.close();
    Ok(count)
}

fn of_directory(directory: &Directory) -> Definitions {
    let of_element = |element| {
        let mut stored: Vec<_> = directory.definitions().filter(|stored| stored.element == element).collect();
        stored.sort_by_key(|stored| stored.position);
        (element, stored.into_iter().map(|stored| stored.text.clone()).collect())
    };
    SchemaElement::ALL.into_iter().map(of_element).collect()
}

fn write(definitions: &Definitions, output: &mut impl Write) -> io::Result<u64> {
    let count = definitions.iter().map(|(_, texts)| texts.len() as u64).sum();
    if count == 0 {
        return Ok(0);
    }
    write_line(output, "dn", SUBSCHEMA.as_bytes())?;
    write_line(output, "changetype", b"modify")?;
    for (element, texts) in definitions.iter().filter(|(_, texts)| !texts.is_empty()) {
        write_line(output, "add", element.attribute().as_bytes())?;
        for text in texts {
            write_line(output, element.attribute(), text.as_bytes())?;
        }
        writeln!(output, "-")?;
    }
    writeln!(output)?;
    Ok(count)
}
