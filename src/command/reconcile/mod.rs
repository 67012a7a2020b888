//! `bindery reconcile`: joiners, movers and leavers of a personnel department's file against the directory. A plan first; what is applied is
//! journaled with the digest of the file and the line.

mod file;
mod mapping;
mod plan;
mod print;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;

use self::file::{HrFile, LARGEST_FILE};
use self::mapping::Mapping;
use self::plan::{Action, Person, Plan, Step};
use super::format::Format;
use super::reached::{ChangeError, Reached};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::model::{Attribute, AttributeTypeAndValue, Dn, Modification, ModificationOperation, Rdn};
use crate::operation::control::SessionTracking;
use crate::protocol::oid;

/// A mapping that explains itself.
const SAMPLE: &str = include_str!("../../../schema/reconcile.toml");
/// Where the mapping is looked for, beside bindery.toml.
const MAPPING: &str = "reconcile.toml";

/// Arguments of `bindery reconcile`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The file: CSV with a line of column names, UTF-8
    #[arg(value_name = "HR.csv", required_unless_present = "sample")]
    people: Option<PathBuf>,
    /// Do what is planned; without it the plan is only printed
    #[arg(long)]
    apply: bool,
    /// Which column is which attribute, and what becomes of leavers (see --sample) [default: reconcile.toml beside bindery.toml]
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Refuse to apply where more than this share of the accounts would end [default: as the mapping says, else 10]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    most_leavers: Option<u64>,
    /// How the plan is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print a mapping that explains itself, and end
    #[arg(long)]
    sample: bool,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Prints the plan, and applies it where that is asked for.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Some(path) = arguments.people.as_ref().filter(|_| !arguments.sample) else {
        return output::octets(SAMPLE.as_bytes()).map(|()| ExitCode::SUCCESS);
    };
    let mapping = read_mapping(arguments)?;
    let file = read_file(path, &mapping)?;
    let mut directory = Reached::open(&arguments.installation)?;
    let plan = make_plan(&mut directory, &mapping, &file)?;
    print::plan(&plan, &file.digest, arguments.format)?;
    let most = arguments.most_leavers.unwrap_or(mapping.most_leavers);
    if plan.ends_too_many(most) {
        let text = format!(
            "{} of {} accounts would end, more than {most} %; look whether the file is whole, and say --most-leavers PERCENT if it is",
            plan.count(Action::Leave),
            plan.accounts
        );
        if arguments.apply {
            directory.close();
            return Err(CommandError::Cannot(format!("nothing is done: {text}")));
        }
        output::remark(format_args!("--apply would refuse: {text}"));
    }
    let mut found = !plan.problems.is_empty();
    if arguments.apply {
        found |= !apply(&mut directory, &plan, path, &file.digest)?;
    } else {
        found |= !plan.steps.is_empty();
    }
    directory.close();
    Ok(if found { ExitCode::from(FOUND_SOMETHING) } else { ExitCode::SUCCESS })
}

fn read_mapping(arguments: &Arguments) -> Result<Mapping, CommandError> {
    let installation = arguments.installation.load()?;
    let path = match &arguments.mapping {
        Some(path) => path.clone(),
        None => arguments.installation.path()?.with_file_name(MAPPING),
    };
    let name = path.display();
    let text = std::fs::read_to_string(&path)
        .map_err(|error| CommandError::Cannot(format!("{name}: {error}; begin with: bindery reconcile --sample > {MAPPING}")))?;
    let suffix = installation.configuration.suffix.to_string();
    Mapping::read(&text, &suffix, &installation.schema).map_err(|error| CommandError::Cannot(format!("{name}: {error}")))
}

fn read_file(path: &Path, mapping: &Mapping) -> Result<HrFile, CommandError> {
    let cannot = |error: &dyn std::fmt::Display| CommandError::Cannot(format!("{}: {error}", path.display()));
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|error| cannot(&error))?;
    file.take(LARGEST_FILE.saturating_add(1)).read_to_end(&mut octets).map_err(|error| cannot(&error))?;
    if octets.len() as u64 > LARGEST_FILE {
        return Err(cannot(&format_args!("is larger than {LARGEST_FILE} octets")));
    }
    HrFile::read(&octets, mapping.delimiter, mapping.columns()).map_err(|error| cannot(&error))
}

fn make_plan(directory: &mut Reached, mapping: &Mapping, file: &HrFile) -> Result<Plan, CommandError> {
    let branch = Dn::parse(mapping.branch.as_bytes())
        .map_err(|error| CommandError::Cannot(format!("the mapping's branch {}: {error}", mapping.branch)))?;
    let mut attributes = vec!["objectClass", "accountDisabled", "pwdEndTime", mapping.key_attribute.as_str()];
    attributes.extend(
        [&mapping.attributes, &mapping.references, &mapping.ends].into_iter().flat_map(|it| it.keys()).map(String::as_str),
    );
    let entries = directory.subtree(&mapping.branch, &attributes)?;
    let people: Vec<Person> = entries.into_iter().map(|it| Person { dn: it.dn, attributes: it.attributes }).collect();
    let name = |value: &str| {
        let value = Bytes::copy_from_slice(value.as_bytes());
        let part = AttributeTypeAndValue { attribute_type: mapping.naming.clone(), value };
        let rdns = [Rdn { parts: vec![part] }].into_iter().chain(branch.rdns.iter().cloned()).collect();
        Dn { rdns }.to_string()
    };
    let now = directory.now();
    Ok(plan::plan(mapping, file, &people, &name, now))
}

/// Does the steps one by one; whether all of them were done.
fn apply(directory: &mut Reached, plan: &Plan, path: &Path, digest: &str) -> Result<bool, CommandError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (mut done, mut refused) = (0_u64, 0_u64);
    for step in &plan.steps {
        let place = step.line.map_or_else(|| "absent".to_owned(), |line| format!("line {line}"));
        let origin = SessionTracking {
            source_ip: String::new(),
            source_name: "bindery reconcile".to_owned(),
            format: oid::RECONCILED_FILE.to_owned(),
            identifier: format!("sha256:{digest} {place} of {name}"),
        };
        match apply_step(directory, step, &origin) {
            Ok(()) => done += 1,
            Err(ChangeError::Refused(text)) => {
                refused += 1;
                output::remark(format_args!("refused: {} {} ({place}): {text}", step.action.name(), step.dn));
            }
            Err(ChangeError::Broken(error)) => {
                output::remark(format_args!("{done} of {} steps are done", plan.steps.len()));
                return Err(error);
            }
        }
    }
    output::remark(format_args!("{done} applied, {refused} refused"));
    Ok(refused == 0)
}

fn apply_step(directory: &mut Reached, step: &Step, origin: &SessionTracking) -> Result<(), ChangeError> {
    let octets = |values: &[String]| values.iter().map(|value| Bytes::copy_from_slice(value.as_bytes())).collect::<Vec<_>>();
    let attributes =
        step.changes.iter().map(|change| Attribute { description: change.attribute.clone(), values: octets(&change.after) });
    match step.action {
        Action::Join => directory.add(&step.dn, attributes.collect(), origin),
        Action::Move | Action::Leave => {
            let replace = |attribute| Modification { operation: ModificationOperation::Replace, attribute };
            directory.modify(&step.dn, attributes.map(replace).collect(), origin)
        }
    }
}
