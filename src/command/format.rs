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
    let guard = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let plain = guard.is_empty() && !field.contains(['"', ',', '\n', '\r']);
    if plain { field.to_owned() } else { format!("\"{guard}{}\"", field.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let line = csv_line(["plain", "uid=a,dc=b", "say \"no\"", "=1+1", ""]);
        assert_eq!(line, "plain,\"uid=a,dc=b\",\"say \"\"no\"\"\",\"'=1+1\",\r\n");
    }
}
