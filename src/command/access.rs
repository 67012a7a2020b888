//! `bindery access`: what the access rules come to.

mod matrix;
mod roles;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use self::matrix::Matrix;
use self::roles::Rules;
use super::html::{document, escaped};
use super::policy::Asked;
use super::reached::Reached;
use super::{CommandError, Installation, format, output};

/// Arguments of `bindery access`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// What each role may do with each attribute of an entry: asked of the rules themselves, for people who have one role each and are made for
    /// it alone
    Matrix(MatrixArguments),
}

#[derive(Args, Debug)]
struct MatrixArguments {
    /// Of which entry [default: a person made for it, directly below the suffix]
    #[arg(long, value_name = "DN")]
    target: Option<String>,
    /// One of the columns; more than once for several [default: what the rules name, and what stands for the rest]
    #[arg(long, value_name = "NAME")]
    attribute: Vec<String>,
    /// The address that they come from [default: loopback]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// What they proved: password, otp, certificate or ldapi; more than once for several [default: password]
    #[arg(long, value_name = "FACTOR")]
    factor: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// How a matrix is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people: a column for each role
    Table,
    /// Comma-separated values (RFC 4180): a line for each role and attribute
    Csv,
    /// JSON Lines: the same
    Jsonl,
    /// One page, for a browser and for printing
    Html,
}

/// Runs a subcommand.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Command::Matrix(arguments) = &arguments.command;
    let installation = arguments.installation.load()?;
    let suffix = installation.configuration.suffix.to_string();
    let mut reached = Reached::open(&arguments.installation)?;
    let rules = Rules::read(&mut reached, &suffix, &installation.schema, arguments.target.as_deref());
    reached.close();
    let rules = rules?;
    let columns = rules.columns(&installation.schema, &arguments.attribute)?;
    let mut asked = Asked::open(&arguments.installation)?;
    let matrix = Matrix::ask(&mut asked, &rules, columns, arguments.from.as_deref(), &arguments.factor);
    asked.close();
    write(&matrix?, &rules, &suffix, arguments)?;
    Ok(ExitCode::SUCCESS)
}

fn write(matrix: &Matrix, rules: &Rules, suffix: &str, arguments: &MatrixArguments) -> Result<(), CommandError> {
    match arguments.format {
        Format::Table => {
            output::octets(format::in_columns(&matrix.rows()).as_bytes())?;
            output::line("")?;
            matrix.legend().iter().chain(&notes(rules, arguments)).try_for_each(output::line)
        }
        Format::Csv => {
            output::octets(format::csv_line(["role", "attribute", "rights"]).as_bytes())?;
            matrix.cells().try_for_each(|(role, attribute, rights)| {
                output::octets(format::csv_line([role, attribute, rights.join("+").as_str()]).as_bytes())
            })
        }
        Format::Jsonl => matrix.cells().try_for_each(|(role, attribute, rights)| {
            output::line(serde_json::json!({ "role": role, "attribute": attribute, "rights": rights }))
        }),
        Format::Html => {
            let cells = |row: &[String], tag: &str| -> String {
                row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
            };
            let rows = matrix.rows();
            let (head, body) = rows.split_first().map_or((String::new(), String::new()), |(head, rows)| {
                (cells(head, "th"), rows.iter().map(|row| format!("<tr>{}</tr>\n", cells(row, "td"))).collect())
            });
            let said = matrix.legend().into_iter().chain(notes(rules, arguments));
            let said: String = said.map(|line| format!("<p>{}</p>\n", escaped(&line))).collect();
            let table = format!("{said}<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n");
            output::octets(document("Access by role", &rules.target_text(), suffix, &table).as_bytes())
        }
    }
}

/// What the numbers rest on.
fn notes(rules: &Rules, arguments: &MatrixArguments) -> Vec<String> {
    let from = arguments.from.as_deref().unwrap_or("loopback");
    let factors = if arguments.factor.is_empty() { "a password".to_owned() } else { arguments.factor.join(" and ") };
    let mut notes = vec![format!("{}; from {from}, with {factors}.", rules.target_text())];
    if !rules.conditional.is_empty() {
        notes.push(format!(
            "Rules that hold from some networks, with some factors or until some time only: {}.",
            rules.conditional.join(", ")
        ));
    }
    if !rules.left_out.is_empty() {
        notes.push(format!("Not shown: {}.", rules.left_out.join("; ")));
    }
    notes
}
