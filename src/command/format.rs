//! How lists are printed: for people, for spreadsheets, for programs.

use clap::ValueEnum;

/// `--format`
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// Comma-separated values with a line of names (RFC 4180)
    Csv,
    /// A JSON object a line
    Jsonl,
}

/// A line of comma-separated values. What a spreadsheet would take for a formula is kept from it by an apostrophe.
pub(super) fn csv_line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let fields: Vec<String> = fields.into_iter().map(csv_field).collect();
    format!("{}\r\n", fields.join(","))
}

fn csv_field(field: &str) -> String {
    let guard = if field != "-" && field.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let plain = guard.is_empty() && !field.contains(['"', ',', '\n', '\r']);
    if plain { field.to_owned() } else { format!("\"{guard}{}\"", field.replace('"', "\"\"")) }
}

/// Without what a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// The widest column of a table: what is longer is written whole, and nothing else is padded for it.
const WIDEST: usize = 200;

/// Rows in columns, for people.
pub(super) fn in_columns(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| width(column).min(WIDEST)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let line = csv_line(["plain", "uid=a,dc=b", "say \"no\"", "=1+1", ""]);
        assert_eq!(csv_line(["-", "-1+1"]), "-,\"'-1+1\"\r\n", "an empty cell stays what it is");
        assert_eq!(line, "plain,\"uid=a,dc=b\",\"say \"\"no\"\"\",\"'=1+1\",\r\n");
    }

    #[test]
    fn a_cell_of_any_length_is_written() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["x".repeat(70_000), "y".to_owned()]];
        let text = in_columns(&rows);
        assert_eq!(text.lines().next().map(str::len), Some(WIDEST + 3));
        assert!(text.ends_with("x  y\n"));
    }
}
