//! `bindery policy`: what decides about people, held against what is expected of it.

mod asked;
mod file;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(super) use self::asked::Asked;
use self::file::{Judged, PolicyFile};
use super::format::{Format, csv_line};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::operation::policy_test::{AccessTest, LoginTest, MOST_LOGINS, PolicyTest};

/// A file that holds for a new installation, and shows all that can be written.
pub const SAMPLE: &str = include_str!("../../schema/policy-test.toml");

/// Arguments of `bindery policy`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Ask the server's own decisions about logins that nobody tries and access that nobody asks for, and tell which come out otherwise than a file expects
    Test(TestArguments),
    /// Print a file of expectations that holds for a new installation
    Sample,
}

#[derive(Args, Debug)]
struct TestArguments {
    /// Expectations (see: bindery policy sample)
    #[arg(value_name = "FILE")]
    expectations: PathBuf,
    /// How outcomes are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Runs a subcommand.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        Command::Sample => output::octets(SAMPLE.as_bytes()).map(|()| ExitCode::SUCCESS),
        Command::Test(arguments) => test(arguments),
    }
}

fn test(arguments: &TestArguments) -> Result<ExitCode, CommandError> {
    let name = arguments.expectations.display().to_string();
    let text =
        std::fs::read_to_string(&arguments.expectations).map_err(|error| CommandError::Cannot(format!("{name}: {error}")))?;
    let file = PolicyFile::read(&text).map_err(|error| CommandError::Cannot(format!("{name}: {error}")))?;
    let (at, entries) = (file.at.clone(), file.entries.clone());
    let (logins, access) = file.expectations();
    let mut asked = Asked::open(&arguments.installation)?;
    let mut ask = |logins: Vec<LoginTest>, access: Vec<AccessTest>| {
        let test = PolicyTest { entries: entries.clone(), at: at.clone(), logins, access };
        asked.ask(&test).map_err(|problem| match problem {
            CommandError::Cannot(text) => CommandError::Cannot(format!("{name}: {text}")),
            problem => problem,
        })
    };
    let mut judged = Vec::with_capacity(logins.len().saturating_add(access.len()));
    for some in logins.chunks(MOST_LOGINS) {
        let outcomes = ask(some.iter().map(|expected| expected.login.clone()).collect(), Vec::new())?.logins;
        judged.extend(some.iter().zip(&outcomes).map(|(expected, outcome)| expected.judge(outcome)));
    }
    for some in access.chunks(MOST_LOGINS) {
        let outcomes = ask(Vec::new(), some.iter().map(|expected| expected.test.clone()).collect())?.access;
        judged.extend(some.iter().zip(&outcomes).map(|(expected, outcome)| expected.judge(outcome)));
    }
    asked.close();
    let wrong = report(&judged, arguments.format)?;
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

/// Prints what came of each; how many are wrong.
fn report(judged: &[Judged], format: Format) -> Result<usize, CommandError> {
    if format == Format::Csv {
        let names = ["result", "name", "expected", "decision", "code", "reason", "rule", "factors", "difference"];
        output::octets(csv_line(names).as_bytes())?;
    }
    for one in judged {
        let result = if one.difference.is_some() { "wrong" } else { "right" };
        match format {
            Format::Table => {
                let by = one.rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
                let why = one.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                output::line(format_args!("{result}  {}: {}{why}{by}", one.name, one.decision))?;
                if let Some(difference) = &one.difference {
                    output::line(format_args!("       {difference}"))?;
                }
            }
            Format::Csv => {
                let of = |text: &Option<String>| text.clone().unwrap_or_default();
                let (reason, rule, difference) = (of(&one.reason), of(&one.rule), of(&one.difference));
                let fields =
                    [result, &one.name, one.expected, one.decision, &one.code, &reason, &rule, &one.factors, &difference];
                output::octets(csv_line(fields).as_bytes())?;
            }
            Format::Jsonl => {
                let mut line = serde_json::json!({ "result": result });
                let fields = serde_json::to_value(one).map_err(|error| CommandError::Cannot(error.to_string()))?;
                if let (Some(line), serde_json::Value::Object(fields)) = (line.as_object_mut(), fields) {
                    line.extend(fields);
                }
                output::line(line)?;
            }
        }
    }
    let wrong = judged.iter().filter(|one| one.difference.is_some()).count();
    if format == Format::Table {
        output::line(format_args!("{} expectations, {wrong} wrong", judged.len()))?;
    }
    Ok(wrong)
}
