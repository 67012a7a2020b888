//! The personnel department's file: whom it knows.

use std::path::Path;

use super::{CommandError, HrFile};

/// Attributes that people are known by, the surest first.
const KEYS: [&str; 3] = ["employeeNumber", "uid", "mail"];

/// Reads a CSV file whose heading names one of [`KEYS`].
pub(super) fn read(path: &Path) -> Result<HrFile, CommandError> {
    let wrong = |problem: String| CommandError::Cannot(format!("{}: {problem}", path.display()));
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| wrong(error.to_string()))?;
    let heading = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let place = |key: &&str| heading.iter().position(|name| name.trim_start_matches('\u{feff}').eq_ignore_ascii_case(key));
    let found = KEYS.iter().find_map(|key| Some((*key, place(key)?)));
    let (key, column) = found.ok_or_else(|| wrong(format!("the first line names none of {}", KEYS.join(", "))))?;
    let mut file = HrFile { attribute: key.to_owned(), ..HrFile::default() };
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        file.known.extend(record.get(column).filter(|value| !value.is_empty()).map(str::to_lowercase));
    }
    // An empty file would make everybody an orphan.
    if file.known.is_empty() { Err(wrong("it names nobody".to_owned())) } else { Ok(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Result<HrFile, CommandError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path())
    }

    #[test]
    fn people_are_known_by_the_surest_column() {
        let file = known("\u{feff}Name,UID,EmployeeNumber\n\"Al, Bo\",al, 17\nno number,bo,\n").unwrap();
        assert_eq!((file.attribute.as_str(), file.known.len()), ("employeeNumber", 1));
        assert!(file.known.contains("17"));
        assert_eq!(known("MAIL\nAnna@Mercy.example\n").unwrap().known.into_iter().collect::<Vec<_>>(), ["anna@mercy.example"]);
        assert!(known("name\nAnna\n").is_err() && known("uid\n").is_err() && known("").is_err());
    }
}
