//! How definitions of the schema are written, in changes and in rows.

use super::codec::{self, Reader, damaged};
use super::row::{Content, gone};
use super::{ChangeError, Row, RowChange, Table};
use crate::directory::definitions::{LastRevision, SchemaRevision, StoredDefinition};
use crate::model::schema::SchemaElement;

/// The key of the row about the last change: no kind has this code.
const LAST_REVISION: &[u8] = &[0];

pub(super) fn put_revision(output: &mut Vec<u8>, revision: &SchemaRevision) {
    codec::put_time(output, revision.at);
    codec::put_octets(output, revision.by.as_bytes());
    put_count(output, revision.put.len());
    for definition in &revision.put {
        output.push(code(definition.element));
        codec::put_octets(output, definition.identifier.as_bytes());
        put_position_and_text(output, definition);
    }
    put_count(output, revision.remove.len());
    for (element, identifier) in &revision.remove {
        output.push(code(*element));
        codec::put_octets(output, identifier.as_bytes());
    }
}

pub(super) fn revision(reader: &mut Reader<'_>) -> Result<SchemaRevision, ChangeError> {
    let (at, by) = (reader.time()?, reader.text()?);
    let mut put = Vec::new();
    for _ in 0..reader.count()? {
        let (element, identifier) = (element(reader)?, reader.text()?);
        put.push(StoredDefinition { element, identifier, position: reader.id()?.0, text: reader.text()? });
    }
    let mut remove = Vec::new();
    for _ in 0..reader.count()? {
        remove.push((element(reader)?, reader.text()?));
    }
    Ok(SchemaRevision { put, remove, at, by })
}

/// What a revision means for the checkpoint.
pub(super) fn rows(revision: &SchemaRevision) -> Vec<RowChange> {
    let gone = revision.remove.iter().map(|(element, identifier)| gone(Table::Schema, key(*element, identifier)));
    let put = revision.put.iter().map(|stored| definition(stored).into());
    let last = last_revision(&LastRevision { at: revision.at, by: revision.by.clone() });
    gone.chain(put).chain([last.into()]).collect()
}

/// The row of a definition.
pub(in crate::directory) fn definition(stored: &StoredDefinition) -> Row {
    let mut value = Vec::with_capacity(12 + stored.text.len());
    put_position_and_text(&mut value, stored);
    Row { table: Table::Schema, key: key(stored.element, &stored.identifier), value: value.into() }
}

/// The row about the last change.
pub(in crate::directory) fn last_revision(last: &LastRevision) -> Row {
    let mut value = Vec::with_capacity(12 + last.by.len());
    codec::put_time(&mut value, last.at);
    codec::put_octets(&mut value, last.by.as_bytes());
    Row { table: Table::Schema, key: LAST_REVISION.into(), value: value.into() }
}

/// Understands a row; nothing of the key is left.
pub(super) fn read(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<Content, ChangeError> {
    if key.0 == LAST_REVISION {
        key.0 = &[];
        return Ok(Content::LastRevision(LastRevision { at: value.time()?, by: value.text()? }));
    }
    let element = element(key)?;
    let identifier = key.0.strip_suffix(&[0]).and_then(|identifier| std::str::from_utf8(identifier).ok());
    let identifier = identifier.ok_or_else(|| damaged("a definition without identifier"))?.to_owned();
    key.0 = &[];
    let position = value.id()?.0;
    Ok(Content::Definition(StoredDefinition { element, identifier, position, text: value.text()? }))
}

/// Identifiers hold no zero octet: no key is the beginning of another.
fn key(element: SchemaElement, identifier: &str) -> Box<[u8]> {
    [&[code(element)], identifier.as_bytes(), &[0]].concat().into()
}

fn put_position_and_text(output: &mut Vec<u8>, stored: &StoredDefinition) {
    output.extend_from_slice(&stored.position.to_be_bytes());
    codec::put_octets(output, stored.text.as_bytes());
}

fn put_count(output: &mut Vec<u8>, count: usize) {
    output.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn code(element: SchemaElement) -> u8 {
    match element {
        SchemaElement::AttributeType => 2,
        SchemaElement::ObjectClass => 3,
        SchemaElement::DitContentRule => 4,
        SchemaElement::NameForm => 5,
        SchemaElement::DitStructureRule => 6,
    }
}

fn element(reader: &mut Reader<'_>) -> Result<SchemaElement, ChangeError> {
    let wanted = reader.octet()?;
    let known = SchemaElement::ALL.into_iter().find(|element| code(*element) == wanted);
    known.ok_or_else(|| damaged("unknown kind of definition"))
}
