//! Lines of files: the aci values of an LDIF file with the entries that bear them, all values of entries, and lines of slapd.conf, each with
//! where it begins.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A value of the attribute aci.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Value {
    /// The line it begins at, from 1.
    pub(super) line: usize,
    /// The name of the entry that bears it.
    pub(super) bearer: String,
    pub(super) text: String,
}

/// Finds them. A deletion of values in a change record counts as if they were there: such files are not for this.
pub(super) fn values(text: &str) -> Vec<Value> {
    let mut values = Vec::new();
    let mut bearer = String::new();
    for (line, logical) in unfolded(text) {
        if logical.trim().is_empty() {
            bearer.clear();
        } else if let Some(dn) = value_of(&logical, "dn") {
            bearer = dn;
        } else if let Some(text) = value_of(&logical, "aci") {
            values.push(Value { line, bearer: bearer.clone(), text });
        }
    }
    values
}

/// An entry of an LDIF file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Entry {
    /// The line it begins at, from 1.
    pub(super) line: usize,
    pub(super) dn: String,
    /// Line, name and value of each attribute value.
    pub(super) values: Vec<(usize, String, String)>,
}

/// The entries of an LDIF file; lines that are no `name: value` are left out.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut entry = Entry::default();
    for (line, logical) in unfolded(text) {
        if logical.trim().is_empty() {
            entries.push(std::mem::take(&mut entry));
        } else if let Some(dn) = value_of(&logical, "dn") {
            (entry.line, entry.dn) = (line, dn);
        } else if let Some((name, _)) = logical.split_once(':')
            && let Some(value) = value_of(&logical, name)
        {
            entry.values.push((line, name.to_owned(), value));
        }
    }
    entries.push(entry);
    entries
}

/// Lines of slapd.conf: white space at the front continues the one before. Comments and blank lines are left out.
pub(super) fn continued(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty()) {
        match (line.starts_with([' ', '\t']), lines.last_mut()) {
            (true, Some((_, last))) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push((at.saturating_add(1), line.trim_end().to_owned())),
        }
    }
    lines
}

/// Lines with what continues them, from which line on. Comments are left out.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ => lines.push((at.saturating_add(1), line.to_owned())),
        }
    }
    lines.retain(|(_, line)| !line.starts_with('#'));
    lines
}

fn value_of(line: &str, attribute: &str) -> Option<String> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case(attribute).then_some(())?;
    match value.strip_prefix(':') {
        Some(encoded) => {
            let octets = STANDARD.decode(encoded.trim()).ok()?;
            Some(String::from_utf8_lossy(&octets).into_owned())
        }
        None => Some(value.trim().to_owned()),
    }
}
