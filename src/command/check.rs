//! `bindery check`: checks configuration, journal, checkpoint and every entry of a stopped installation.

use std::process::ExitCode;

use clap::Args;

use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::directory::{Directory, MembershipAttribute};
use crate::model::EntryId;
use crate::model::schema::{ContentViolation, EntryContent, Schema};
use crate::server::notes;
use crate::store::{self, StartNote, StoreError};

/// Arguments of `bindery check`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
}

/// Checks everything there is, and tells what it found: one line each on standard output.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let installation = arguments.installation.load()?;
    installation.configuration.warnings.iter().for_each(output::remark);
    let options = installation.store_options().map_err(|error| CommandError::Cannot(error.to_string()))?;
    // Opening checks the end of the journal, the checkpoint, and the digest over the whole content.
    let opened = match store::open(&options, &mut notes::log_progress()) {
        Ok(opened) => opened,
        Err(error @ (StoreError::Damaged { .. } | StoreError::Content(_))) => {
            output::line(&error)?;
            return Ok(ExitCode::from(FOUND_SOMETHING));
        }
        Err(error) => return Err(CommandError::Cannot(error.to_string())),
    };
    let mut found = 0_u64;
    // Damage is told below, where everything is read.
    for note in opened.notes.iter().filter(|note| !matches!(note, StartNote::Damaged(_))) {
        output::line(note)?;
        found += u64::from(matches!(note, StartNote::Rebuilt { .. } | StartNote::SnapshotDamaged { .. }));
    }
    // Opening reads what the checkpoint has not got; here everything is read, back to the first record.
    let (mut records, mut damaged) = (0_u64, 0_u64);
    let mut each = |_| {
        records += 1;
        Ok(())
    };
    let read = store::read_frames_around(&options, 1, &mut each, &mut |damage| {
        damaged += 1;
        output::line(&damage).map_err(|error| StoreError::Content(error.to_string()))
    });
    found += damaged;
    match read {
        Ok(()) => {}
        Err(error @ (StoreError::Damaged { .. } | StoreError::Content(_))) => {
            found += 1;
            output::line(&error)?;
        }
        Err(error) => return Err(CommandError::Cannot(error.to_string())),
    }
    for snapshot in opened.snapshots.check().map_err(|error| CommandError::Cannot(error.to_string()))? {
        if let Err(error) = snapshot {
            found += 1;
            output::line(&error)?;
        }
    }
    let directory = &opened.directory;
    let mut waiting = match directory.find(directory.suffix()) {
        crate::directory::Lookup::Found(id) => vec![id],
        crate::directory::Lookup::Missing { .. } | crate::directory::Lookup::Outside => Vec::new(),
    };
    let mut seen = 0_u64;
    while let Some(id) = waiting.pop() {
        seen += 1;
        for problem in problems(directory, id) {
            found += 1;
            output::line(format_args!("{}: {problem}", directory.dn_text(id)))?;
        }
        waiting.extend(directory.children(id));
    }
    if seen != directory.entry_count() {
        found += 1;
        output::line(format_args!("{} entries hang on nothing", directory.entry_count().saturating_sub(seen)))?;
    }
    output::line(format_args!("{records} journal records and {seen} entries checked, {found} problems found"))?;
    opened.checkpoint.stop();
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

/// What is wrong with an entry: values against their syntaxes, content against its object classes.
fn problems(directory: &Directory, id: EntryId) -> Vec<String> {
    let Some(node) = directory.node(id) else { return vec!["cannot be read".to_owned()] };
    let schema = directory.schema();
    let mut found = Vec::new();
    let mut attribute_types = Vec::new();
    for attribute in node.entry.attributes() {
        attribute_types.push(attribute.attribute_type);
        let wrong = attribute.values().filter(|value| schema.check_syntax(attribute.attribute_type, value).is_err()).count();
        if wrong > 0 {
            found.push(format!("{wrong} values of {} are not of its syntax", attribute.description));
        }
    }
    let memberships = directory.membership_attributes(id);
    attribute_types.extend(memberships.iter().filter_map(|attribute| attribute.attribute_type(schema)).map(|found| found.id));
    let object_classes = object_classes(schema, node);
    let content = EntryContent { object_classes: object_classes.iter().map(String::as_str).collect(), attribute_types };
    match schema.validate(&content) {
        Ok(class) => found.extend(misplaced(directory, node, class)),
        // Deleting an entry takes it out of what refers to it, and may leave a group empty: that is how it is meant to be.
        Err(ContentViolation::Missing { attribute, .. })
            if schema.attribute_type(&attribute).is_some_and(|missing| MembershipAttribute::of_type(missing).is_some()) => {}
        Err(violation) => found.push(violation.to_string()),
    }
    found
}

/// Why the name forms and structure rules of its class do not allow an entry its name and place.
fn misplaced(directory: &Directory, node: &crate::directory::Node, class: usize) -> Option<String> {
    let schema = directory.schema();
    let rdn = directory.dn(node.id).rdns.into_iter().next()?;
    let above = node.parent.map(|parent| directory.governing_structure_rules(parent)).unwrap_or_default();
    let checked = schema.check_name(class, &rdn).and_then(|()| schema.check_structure(class, &rdn, &above));
    checked.err().map(|violation| violation.to_string())
}

fn object_classes(schema: &Schema, node: &crate::directory::Node) -> Vec<String> {
    let Some(object_class) = schema.attribute_type("objectClass") else { return Vec::new() };
    node.entry.values(object_class.id).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}
