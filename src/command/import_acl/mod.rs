//! `bindery import-acl`: access control of 389 Directory Server (`aci`) and of OpenLDAP's slapd (`olcAccess`, or `access to` lines) as accessRule
//! entries, where they mean the same; what does not is listed.

mod aci;
mod bind_rule;
mod directive;
mod first_match;
mod lines;
mod region;
mod slapd;
#[cfg(test)]
mod slapd_tests;
mod spelling;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;

use self::aci::Translation;
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::model::ldif::write_line;
use crate::model::schema::Schema;
use crate::model::{AttributeTypeAndValue, Dn, Rdn, Value};
use crate::policy::access::Reader;

/// Octets of a file that is read at all.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Above the rules.
const HEAD: &str = "version: 1\n\n# The rules of a new installation stand beside these: delete those that allow what the other server did not.\n\n";

/// Arguments of `bindery import-acl`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// LDIF of the other server that has its aci or olcAccess values (an export, or what ldapsearch or slapcat -n 0 printed), or slapd.conf
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// No group that slapd's directives name has groups among its members: those would count here, and do not in slapd. Without it no rule is
    /// made for members of a group
    #[arg(long)]
    flat_groups: bool,
    /// Which installation the rules are for: its suffix and schema.
    #[command(flatten)]
    installation: Installation,
}

/// A rule to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Rule {
    /// What the other server calls it.
    name: String,
    /// Attributes of the entry, in order.
    values: Vec<(&'static str, String)>,
}

impl Rule {
    fn put(&mut self, attribute: &'static str, value: impl Into<String>) {
        self.values.push((attribute, value.into()));
    }

    /// Whether an accessRule of these values can be read, as the server reads it.
    fn check(&self, schema: &Schema) -> Result<(), String> {
        let values = |name: &str| {
            let found = self.values.iter().filter(|(attribute, _)| attribute.eq_ignore_ascii_case(name));
            found.map(|(_, value)| Value::copy_from_slice(value.as_bytes())).collect()
        };
        let rule = Reader { schema, values: &values, lenient: false }.read(String::new());
        rule.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// Writes the rules to standard output and lists what is none to standard error.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let installation = arguments.installation.load()?;
    let suffix = &installation.configuration.suffix;
    let mut translation = Translation::new(&installation.schema);
    let mut found = slapd::Found::default();
    for path in &arguments.files {
        let name = path.display().to_string();
        let cannot = |error: &dyn std::fmt::Display| CommandError::Cannot(format!("{name}: {error}"));
        let length = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
        if length > LARGEST_FILE {
            return Err(cannot(&format_args!("is larger than {LARGEST_FILE} octets")));
        }
        let octets = std::fs::read(path).map_err(|error| cannot(&error))?;
        let text = String::from_utf8_lossy(&octets);
        translation.read(&name, &text);
        found.read(&installation.schema, suffix, &name, &text);
    }
    let is_slapds = !found.is_empty();
    take_directives(&found, &installation.schema, suffix, arguments.flat_groups, &mut translation);
    for note in &translation.notes {
        output::remark(note);
    }
    for problem in &translation.problems {
        output::remark(format_args!("not translated: {problem}"));
    }
    if translation.read == 0 {
        return Err(CommandError::Cannot("there is no aci in it, and no olcAccess or access directive of slapd".to_owned()));
    }
    let (read, rules, left) = (translation.read, translation.rules.len(), translation.problems.len());
    let what = if is_slapds { "values and directives" } else { "aci values" };
    output::remark(format_args!("{read} {what} read, {rules} rules made, {left} parts not translated"));
    if translation.lost_denial {
        let text =
            "nothing is written: something that is denied there would be allowed here, because its denial cannot be translated";
        output::remark(text);
        return Ok(ExitCode::from(FOUND_SOMETHING));
    }
    write_rules(&translation.rules, suffix)?;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

/// Those of the database stand before those of all databases.
fn take_directives(found: &slapd::Found, schema: &Schema, suffix: &Dn, flat_groups: bool, translation: &mut Translation<'_>) {
    let written = found.own.iter().chain(&found.general);
    let directives: Vec<_> = written.filter_map(|it| directive::read(schema, suffix, &it.place, &it.text)).collect();
    translation.read += found.own.len() + found.general.len();
    let (rules, problems, notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut translator = first_match::Translator { schema, suffix, flat_groups, rules, problems, notes };
    translator.translate(&directives);
    translation.rules.extend(translator.rules);
    translation.problems.extend(translator.problems);
    translation.notes.extend(translator.notes);
    translation.notes.extend(found.others.iter().map(|place| format!("{place}: it is about another database")));
}

fn write_rules(rules: &[Rule], suffix: &Dn) -> Result<(), CommandError> {
    let mut text = HEAD.as_bytes().to_vec();
    let mut used: HashMap<String, usize> = HashMap::new();
    for rule in rules {
        let count = used.entry(rule.name.to_lowercase()).or_default();
        *count += 1;
        let cn = if *count == 1 { rule.name.clone() } else { format!("{} ({count})", rule.name) };
        let write = |output: &mut Vec<u8>| {
            write_line(output, "dn", name(&cn, suffix).as_bytes())?;
            write_line(output, "objectClass", b"accessRule")?;
            write_line(output, "cn", cn.as_bytes())?;
            rule.values.iter().try_for_each(|(attribute, value)| write_line(output, attribute, value.as_bytes()))?;
            output.push(b'\n');
            Ok::<(), std::io::Error>(())
        };
        write(&mut text).map_err(|error| CommandError::Cannot(error.to_string()))?;
    }
    output::octets(&text)
}

fn name(cn: &str, suffix: &Dn) -> String {
    let rdn = |attribute: &str, value: &str| Rdn {
        parts: vec![AttributeTypeAndValue {
            attribute_type: attribute.to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        }],
    };
    let above = [rdn("cn", cn), rdn("ou", "access"), rdn("ou", "policies")];
    Dn { rdns: above.into_iter().chain(suffix.rdns.iter().cloned()).collect() }.to_string()
}
