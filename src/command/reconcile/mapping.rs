//! The mapping of an HR file: which column becomes which attribute, in TOML. `schema/reconcile.toml` explains every line of it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::file::Row;
use crate::model::Timestamp;
use crate::model::schema::Schema;

/// A mapping as read.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Mapping {
    /// Where joiners go, and below which everybody with a key is HR's.
    pub(super) branch: String,
    /// What each row is known by.
    pub(super) key_column: String,
    /// Where entries have it.
    pub(super) key_attribute: String,
    /// The attribute that names joiners.
    pub(super) naming: String,
    /// Object classes of joiners.
    pub(super) classes: Vec<String>,
    /// Most of the accounts that one file may end, in percent.
    #[serde(default = "ten")]
    pub(super) most_leavers: u64,
    /// Between fields.
    #[serde(default = "comma")]
    pub(super) delimiter: char,
    /// How days are written.
    #[serde(default = "iso")]
    pub(super) date_format: String,
    /// Where days end.
    #[serde(default = "utc")]
    pub(super) time_zone: String,
    /// Joiners get them, and they follow the file.
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    /// Joiners alone get them.
    #[serde(default)]
    pub(super) joiners: BTreeMap<String, String>,
    /// Names of other people of the file, by their keys.
    #[serde(default)]
    pub(super) references: BTreeMap<String, String>,
    /// Days, at the end of which something is over.
    #[serde(default)]
    pub(super) ends: BTreeMap<String, String>,
    /// What becomes of who is no longer there.
    #[serde(default)]
    pub(super) leavers: Leavers,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Leavers {
    /// Of this column …
    column: Option<String>,
    /// … these values say that somebody left, as being absent from the file does.
    #[serde(default)]
    values: Vec<String>,
    /// What they get.
    #[serde(default)]
    pub(super) action: LeaverAction,
}

/// What a leaver gets.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LeaverAction {
    /// accountDisabled
    #[default]
    Disable,
    /// pwdEndTime, of this moment
    End,
}

fn ten() -> u64 {
    10
}

fn comma() -> char {
    ','
}

fn iso() -> String {
    "%Y-%m-%d".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Mapping {
    /// Reads a mapping; what is wrong with it names the line or the attribute.
    pub(super) fn read(text: &str, suffix: &str, schema: &Schema) -> Result<Mapping, String> {
        let mut mapping: Mapping = toml::from_str(text).map_err(|error| error.to_string())?;
        mapping.branch = mapping.branch.replace("{suffix}", suffix);
        mapping.check(schema)?;
        Ok(mapping)
    }

    fn check(&self, schema: &Schema) -> Result<(), String> {
        if self.most_leavers > 100 || !self.delimiter.is_ascii() {
            return Err("most-leavers is a share in percent, delimiter one ASCII character".to_owned());
        }
        self.zone()?;
        if self.leavers.column.is_some() == self.leavers.values.is_empty() {
            return Err("leavers: column and values belong together".to_owned());
        }
        let mapped = [&self.attributes, &self.joiners, &self.references, &self.ends].map(|it| it.keys()).into_iter().flatten();
        let mut seen: Vec<String> = vec![self.key_attribute.to_ascii_lowercase(), "objectclass".to_owned()];
        for attribute in mapped {
            if schema.attribute_type(attribute).is_some_and(|it| it.secret) {
                return Err(format!("{attribute}: secrets do not come out of a file that people mail around"));
            }
            let name = attribute.to_ascii_lowercase();
            if seen.contains(&name) {
                return Err(format!("{attribute}: is there twice, or is the key or objectClass, which need no line"));
            }
            seen.push(name);
        }
        let names = |name: &String| name.eq_ignore_ascii_case(&self.naming);
        if !self.joiners.keys().any(names) && !names(&self.key_attribute) {
            return Err(format!("joiners: say how {} is made: it names the entry, and never follows the file", self.naming));
        }
        Ok(())
    }

    /// The columns that are needed.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let templates = self.attributes.values().chain(self.joiners.values());
        let templated = templates.flat_map(|template| parts(template)).filter_map(|part| match part {
            Part::Column { name, .. } => Some(name),
            Part::Text(_) => None,
        });
        let whole = self.references.values().chain(self.ends.values()).chain(&self.leavers.column);
        templated.chain(whole.map(String::as_str)).chain([self.key_column.as_str()])
    }

    /// Whether the row itself says that somebody left.
    pub(super) fn says_left(&self, row: &Row) -> bool {
        let value = self.leavers.column.as_ref().map(|column| row.get(column));
        value.is_some_and(|value| self.leavers.values.iter().any(|left| left.eq_ignore_ascii_case(value)))
    }

    /// The end of the day that a column names; none where it is empty.
    pub(super) fn end_of_day(&self, text: &str) -> Result<Option<Timestamp>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let day = jiff::civil::Date::strptime(&self.date_format, text)
            .map_err(|_| format!("{text:?} is no day {}", self.date_format))?;
        let next = day.tomorrow().and_then(|next| next.to_zoned(self.zone().unwrap_or(TimeZone::UTC)));
        let moment = next.map_err(|_| format!("{text:?} is a day nobody will see"))?.timestamp();
        Ok(Some(Timestamp(moment.as_microsecond())))
    }

    fn zone(&self) -> Result<TimeZone, String> {
        TimeZone::get(&self.time_zone)
            .map_err(|_| format!("time-zone: there is no {}; write one like America/Chicago", self.time_zone))
    }
}

enum Part<'a> {
    Text(&'a str),
    Column { name: &'a str, form: Option<&'a str> },
}

/// `{First} {Last}`, `{Login|lower}`: columns in braces, the rest as it is.
fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inside, behind)) = after.split_once('}') else { break };
        parts.push(Part::Text(before));
        let (name, form) = inside.split_once('|').map_or((inside, None), |(name, form)| (name, Some(form)));
        parts.push(Part::Column { name: name.trim(), form: form.map(str::trim) });
        rest = behind;
    }
    parts.push(Part::Text(rest));
    parts
}

/// What a template comes to for a row: empty where all its columns are.
pub(super) fn filled(template: &str, row: &Row) -> String {
    let parts = parts(template);
    let is_column = |part: &&Part<'_>| matches!(part, Part::Column { .. });
    let is_filled = |part: &Part<'_>| matches!(part, Part::Column { name, .. } if !row.get(name).is_empty());
    if parts.iter().any(|part| is_column(&part)) && !parts.iter().any(is_filled) {
        return String::new();
    }
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Column { name, form } => match form {
                Some("lower") => row.get(name).to_lowercase(),
                Some("upper") => row.get(name).to_uppercase(),
                Some("first") => row.get(name).chars().take(1).collect(),
                _ => row.get(name).to_owned(),
            },
        })
        .collect();
    text.trim().to_owned()
}
