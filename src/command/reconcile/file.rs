//! An HR file: comma-separated values with a line of names (RFC 4180), UTF-8.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest;

/// Octets of a file that is read at all.
pub(super) const LARGEST_FILE: u64 = 256 * 1024 * 1024;

/// A file as read.
pub(super) struct HrFile {
    /// SHA-256 of its octets, hex.
    pub(super) digest: String,
    /// In its order.
    pub(super) rows: Vec<Row>,
}

/// A row. The names of the columns are shared.
pub(super) struct Row {
    /// Where it begins, from 1.
    pub(super) line: u64,
    names: Arc<HashMap<String, usize>>,
    fields: csv::StringRecord,
}

impl Row {
    /// What stands in a column, without space around it; empty where there is none.
    pub(super) fn get(&self, column: &str) -> &str {
        self.names.get(column).and_then(|&at| self.fields.get(at)).unwrap_or_default()
    }
}

impl HrFile {
    /// Reads a file that has all these columns. A row of another number of fields than the names have is an error: nobody must leave because a
    /// file is torn.
    pub(super) fn read<'a>(octets: &[u8], delimiter: char, columns: impl Iterator<Item = &'a str>) -> Result<HrFile, String> {
        let text = std::str::from_utf8(octets)
            .map_err(|error| format!("is not UTF-8 (octet {}): save it as CSV UTF-8", error.valid_up_to()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(u8::try_from(delimiter).unwrap_or(b','))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| error.to_string())?.clone();
        let mut names = HashMap::new();
        for (at, name) in headers.iter().enumerate() {
            if names.insert(name.to_owned(), at).is_some() && !name.is_empty() {
                return Err(format!("line 1: there are two columns {name:?}"));
            }
        }
        let missing: Vec<&str> = columns.filter(|column| !names.contains_key(*column)).collect();
        if !missing.is_empty() {
            return Err(format!("line 1: there is no column {}, which the mapping names", missing.join(", ")));
        }
        let names = Arc::new(names);
        let mut rows = Vec::new();
        for record in reader.records() {
            let fields = record.map_err(|error| error.to_string())?;
            let line = fields.position().map_or(0, csv::Position::line);
            rows.push(Row { line, names: names.clone(), fields });
        }
        let hash = digest::digest(&digest::SHA256, octets);
        Ok(HrFile { digest: hash.as_ref().iter().map(|octet| format!("{octet:02x}")).collect(), rows })
    }
}
