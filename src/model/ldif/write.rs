//! Writing: what [`LdifReader`](super::LdifReader) reads back as the same record.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{LdifBody, LdifRecord};
use crate::model::{Attribute, ModificationOperation};

/// Longest line that is written, in octets without its end.
const COLUMNS: usize = 76;

/// Writes one `name: value` line, base64 where RFC 2849 asks for it, folded at 76 columns.
pub fn write_line(output: &mut impl Write, name: &str, value: &[u8]) -> io::Result<()> {
    write_value(output, format!("{name}:").into_bytes(), value)
}

/// Writes one content record: `dn:`, a line for each description and value, and the blank line behind them. A DN is what
/// [`Dn`](crate::model::Dn) displays.
pub fn write_entry<'a>(
    output: &mut impl Write,
    dn: &str,
    values: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> io::Result<()> {
    write_line(output, "dn", dn.as_bytes())?;
    for (description, value) in values {
        write_line(output, description, value)?;
    }
    output.write_all(b"\n")
}

impl LdifRecord {
    /// Writes the record and the blank line behind it. An addition is written as a content record where that reads the same.
    /// An attribute to add that has no values leaves no trace.
    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        write_line(output, "dn", &self.dn)?;
        for (identifier, criticality, value) in &self.controls {
            let start = format!("control: {identifier} {criticality}");
            match value {
                Some(value) => write_value(output, format!("{start}:").into_bytes(), value)?,
                None => write_folded(output, start.as_bytes())?,
            }
        }
        match &self.body {
            LdifBody::Add(attributes) => {
                if !self.controls.is_empty() || could_pass_for_a_change(attributes) {
                    write_line(output, "changetype", b"add")?;
                }
                attributes.iter().try_for_each(|attribute| write_attribute(output, attribute))?;
            }
            LdifBody::Modify(modifications) => {
                write_line(output, "changetype", b"modify")?;
                for modification in modifications {
                    let operation = match modification.operation {
                        ModificationOperation::Add => "add",
                        ModificationOperation::Delete => "delete",
                        ModificationOperation::Replace => "replace",
                        ModificationOperation::Increment => "increment",
                    };
                    write_line(output, operation, modification.attribute.description.as_bytes())?;
                    write_attribute(output, &modification.attribute)?;
                    output.write_all(b"-\n")?;
                }
            }
            LdifBody::Delete => write_line(output, "changetype", b"delete")?,
            LdifBody::Rename { new_rdn, delete_old_rdn, new_superior } => {
                write_line(output, "changetype", b"modrdn")?;
                write_line(output, "newrdn", new_rdn)?;
                write_line(output, "deleteoldrdn", if *delete_old_rdn { b"1" } else { b"0" })?;
                if let Some(new_superior) = new_superior {
                    write_line(output, "newsuperior", new_superior)?;
                }
            }
        }
        output.write_all(b"\n")
    }
}

/// Whether the first attribute is named like a line that makes a change record.
fn could_pass_for_a_change(attributes: &[Attribute]) -> bool {
    let names = ["control", "changetype"];
    attributes.first().is_some_and(|first| names.iter().any(|name| first.description.eq_ignore_ascii_case(name)))
}

fn write_attribute(output: &mut impl Write, attribute: &Attribute) -> io::Result<()> {
    attribute.values.iter().try_for_each(|value| write_line(output, &attribute.description, value))
}

/// Writes `start`, which ends in a colon, and a value.
fn write_value(output: &mut impl Write, start: Vec<u8>, value: &[u8]) -> io::Result<()> {
    let mut line = start;
    if is_safe(value) {
        if !value.is_empty() {
            line.push(b' ');
            line.extend_from_slice(value);
        }
    } else {
        line.extend_from_slice(b": ");
        line.extend_from_slice(STANDARD.encode(value).as_bytes());
    }
    write_folded(output, &line)
}

fn write_folded(output: &mut impl Write, line: &[u8]) -> io::Result<()> {
    let (first, rest) = line.split_at_checked(COLUMNS).unwrap_or((line, &[]));
    output.write_all(first)?;
    for piece in rest.chunks(COLUMNS - 1) {
        output.write_all(b"\n ")?;
        output.write_all(piece)?;
    }
    output.write_all(b"\n")
}

/// `SAFE-STRING` of RFC 2849, and without a space at its end (note 8).
fn is_safe(value: &[u8]) -> bool {
    !matches!(value.first(), Some(b' ' | b':' | b'<'))
        && value.last() != Some(&b' ')
        && value.iter().all(|octet| octet.is_ascii() && !matches!(octet, b'\0' | b'\n' | b'\r'))
}
