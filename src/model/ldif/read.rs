//! Reading: what the lines of a record mean.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::path::Path;

use bytes::Bytes;

use super::lines::{self, Line, LineReader};
use super::value::{self, FileReader};
use super::{LdifBody, LdifControl, LdifError, LdifRecord};
use crate::model::{Attribute, Modification, ModificationOperation, name};

/// Reads records one by one; after an error it goes on with the next record, so that `--continue` works.
pub struct LdifReader<R> {
    lines: LineReader<R>,
    files: Option<FileReader>,
}

impl<R: BufRead> LdifReader<R> {
    /// Longest logical line: 16 MiB.
    pub const MAXIMUM_LINE: usize = lines::MAXIMUM_LINE;
    /// Most memory that the lines of one record may take: 256 MiB.
    pub const MAXIMUM_RECORD: usize = lines::MAXIMUM_RECORD;

    /// Starts at the first line. `version: 1` is optional; CR LF and LF both end lines; `<` URLs are refused unless `file:` and
    /// [allowed](LdifReader::with_files). Values that RFC 2849 wants in base64 are read raw as well, except line ends.
    pub fn new(input: R) -> LdifReader<R> {
        LdifReader { lines: LineReader::new(input), files: None }
    }

    /// Allows `file:` URLs: `read` gives the content of the absolute path that one names.
    pub fn with_files(self, read: impl FnMut(&Path) -> io::Result<Vec<u8>> + Send + 'static) -> LdifReader<R> {
        LdifReader { files: Some(Box::new(read)), ..self }
    }
}

impl<R: BufRead> Iterator for LdifReader<R> {
    type Item = Result<LdifRecord, LdifError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let lines = match self.lines.record()? {
                Ok(lines) => lines,
                Err(error) => return Some(Err(error)),
            };
            let mut record = RecordReader { lines: lines.into_iter(), waiting: None, files: self.files.as_mut() };
            if let Some(result) = record.record().transpose() {
                return Some(result);
            }
        }
    }
}

/// A line split into its parts.
struct Field {
    line: Line,
    name: Bytes,
    /// From the colon on.
    specification: Bytes,
}

impl Field {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The name as an attribute description.
    fn description(&self) -> Result<String, LdifError> {
        description(&self.line, &self.name)
    }
}

fn description(line: &Line, octets: &[u8]) -> Result<String, LdifError> {
    match std::str::from_utf8(octets) {
        Ok(text) if name::is_attribute_description(octets) => Ok(text.to_owned()),
        _ => Err(line.error("not an attribute description before the colon")),
    }
}

/// Goes through the lines of one record.
struct RecordReader<'a> {
    lines: std::vec::IntoIter<Line>,
    /// A field that was looked at and given back.
    waiting: Option<Field>,
    files: Option<&'a mut FileReader>,
}

impl RecordReader<'_> {
    /// None when there is nothing but a version line.
    fn record(&mut self) -> Result<Option<LdifRecord>, LdifError> {
        let Some(mut first) = self.field()? else {
            return Ok(None);
        };
        if first.is("version") {
            if self.value(&first)?.as_ref() != b"1" {
                return Err(first.line.error("only version 1 of LDIF is known"));
            }
            match self.field()? {
                Some(next) => first = next,
                None => return Ok(None),
            }
        }
        if !first.is("dn") {
            return Err(first.line.error("a record must start with dn:"));
        }
        let dn = self.value(&first)?.to_vec();
        let controls = self.controls()?;
        let body = match self.take("changetype")? {
            Some(changetype) => self.change(&changetype)?,
            None if controls.is_empty() => LdifBody::Add(self.attributes(&first.line)?),
            None => return Err(first.line.error("a record with control: needs changetype: as well")),
        };
        Ok(Some(LdifRecord { dn, line: first.line.number, controls, body }))
    }

    /// `changetype:` and what follows it.
    fn change(&mut self, changetype: &Field) -> Result<LdifBody, LdifError> {
        let kind = self.value(changetype)?.trim_ascii().to_ascii_lowercase();
        let body = match kind.as_slice() {
            b"add" => LdifBody::Add(self.attributes(&changetype.line)?),
            b"modify" => LdifBody::Modify(self.modifications()?),
            b"delete" => LdifBody::Delete,
            b"modrdn" | b"moddn" => self.rename(&changetype.line)?,
            _ => return Err(changetype.line.error("changetype must be add, modify, delete, modrdn or moddn")),
        };
        match self.field()? {
            Some(field) => Err(field.line.error("a line that does not belong to this changetype")),
            None => Ok(body),
        }
    }

    fn controls(&mut self) -> Result<Vec<LdifControl>, LdifError> {
        let mut controls = Vec::new();
        while let Some(field) = self.take("control")? {
            controls.push(self.control(&field)?);
        }
        Ok(controls)
    }

    /// `control: OID [true|false] [: value]`, as it stands behind the first colon.
    fn control(&mut self, field: &Field) -> Result<LdifControl, LdifError> {
        let text = &field.specification;
        let end = text.iter().skip(1).position(|octet| *octet == b':').map_or(text.len(), |position| position + 1);
        let value = match end < text.len() {
            true => Some(value::decode(&field.line, &text.slice(end..), self.files.as_deref_mut())?.to_vec()),
            false => None,
        };
        let words = text.get(1..end).map(<[u8]>::trim_ascii).unwrap_or_default();
        let mut words = words.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
        let identifier = words.next().filter(|word| name::is_numeric_identifier(word));
        let criticality = match words.next() {
            None => Some(false),
            Some(word) if word.eq_ignore_ascii_case(b"true") => Some(true),
            Some(word) if word.eq_ignore_ascii_case(b"false") => Some(false),
            Some(_) => None,
        };
        match (identifier.map(std::str::from_utf8), criticality, words.next()) {
            (Some(Ok(identifier)), Some(criticality), None) => Ok((identifier.to_owned(), criticality, value)),
            _ => Err(field.line.error("expected control: OID [true|false] [: value]")),
        }
    }

    /// All lines left, gathered by description. `before` is the line to blame when there are none.
    fn attributes(&mut self, before: &Line) -> Result<Vec<Attribute>, LdifError> {
        let mut attributes: Vec<Attribute> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while let Some(field) = self.field()? {
            let value = self.value(&field)?;
            // Values of one attribute mostly stand together.
            if let Some(last) = attributes.last_mut().filter(|last| field.is(&last.description)) {
                last.values.push(value);
                continue;
            }
            let description = field.description()?;
            let place = *places.entry(description.to_ascii_lowercase()).or_insert(attributes.len());
            match attributes.get_mut(place) {
                Some(attribute) => attribute.values.push(value),
                None => attributes.push(Attribute { description, values: vec![value] }),
            }
        }
        match attributes.is_empty() {
            true => Err(before.error("the record has no attributes")),
            false => Ok(attributes),
        }
    }

    /// `add: description` and so on, each with its values and, except that the last may lack it, a line `-`.
    fn modifications(&mut self) -> Result<Vec<Modification>, LdifError> {
        let mut modifications = Vec::new();
        while let Some(field) = self.field()? {
            let operation = if field.is("add") {
                ModificationOperation::Add
            } else if field.is("delete") {
                ModificationOperation::Delete
            } else if field.is("replace") {
                ModificationOperation::Replace
            } else if field.is("increment") {
                ModificationOperation::Increment
            } else {
                return Err(field.line.error("expected add:, delete:, replace: or increment:"));
            };
            let named = self.value(&field)?;
            let mut attribute = Attribute { description: description(&field.line, named.trim_ascii())?, values: Vec::new() };
            while let Some(field) = self.field_before_dash()? {
                if !field.is(&attribute.description) {
                    return Err(field.line.error("the attribute is not the one that this change names"));
                }
                attribute.values.push(self.value(&field)?);
            }
            modifications.push(Modification { operation, attribute });
        }
        Ok(modifications)
    }

    fn rename(&mut self, before: &Line) -> Result<LdifBody, LdifError> {
        let Some(new_rdn) = self.take("newrdn")? else {
            return Err(before.error("expected newrdn: after this changetype"));
        };
        let Some(delete_old_rdn) = self.take("deleteoldrdn")? else {
            return Err(new_rdn.line.error("expected deleteoldrdn: after newrdn:"));
        };
        let new_rdn = self.value(&new_rdn)?.to_vec();
        let delete_old_rdn = match self.value(&delete_old_rdn)?.trim_ascii() {
            b"0" => false,
            b"1" => true,
            _ => return Err(delete_old_rdn.line.error("deleteoldrdn must be 0 or 1")),
        };
        let new_superior = match self.take("newsuperior")? {
            Some(field) => Some(self.value(&field)?.to_vec()),
            None => None,
        };
        Ok(LdifBody::Rename { new_rdn, delete_old_rdn, new_superior })
    }

    fn value(&mut self, field: &Field) -> Result<Bytes, LdifError> {
        value::decode(&field.line, &field.specification, self.files.as_deref_mut())
    }

    /// The next field if it has this name.
    fn take(&mut self, name: &str) -> Result<Option<Field>, LdifError> {
        match self.field()? {
            Some(field) if field.is(name) => Ok(Some(field)),
            other => {
                self.waiting = other;
                Ok(None)
            }
        }
    }

    /// The next field, or none at a line `-` (then read over) or the end.
    fn field_before_dash(&mut self) -> Result<Option<Field>, LdifError> {
        if self.waiting.is_none() && self.lines.as_slice().first().is_some_and(|line| line.text.trim_ascii_end() == b"-") {
            self.lines.next();
            return Ok(None);
        }
        self.field()
    }

    fn field(&mut self) -> Result<Option<Field>, LdifError> {
        if let Some(field) = self.waiting.take() {
            return Ok(Some(field));
        }
        let Some(line) = self.lines.next() else {
            return Ok(None);
        };
        let (name, specification) = value::split(&line)?;
        Ok(Some(Field { line, name, specification }))
    }
}
