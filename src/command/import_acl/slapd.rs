//! Where slapd's access directives stand: olcAccess of cn=config, or `access to` of slapd.conf. Those of a database come first, those for all
//! databases behind them.

use super::lines;
use crate::model::schema::Schema;
use crate::model::{Dn, Value};

/// A directive as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Written {
    /// File, line, number.
    pub(super) place: String,
    pub(super) text: String,
}

/// What files say.
#[derive(Default, Debug)]
pub(super) struct Found {
    /// Of the database with the suffix, in order.
    pub(super) own: Vec<Written>,
    /// For all databases.
    pub(super) general: Vec<Written>,
    /// What is about other databases.
    pub(super) others: Vec<String>,
}

impl Found {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.general.is_empty() && self.others.is_empty()
    }

    /// Takes a file in.
    pub(super) fn read(&mut self, schema: &Schema, suffix: &Dn, file: &str, text: &str) {
        self.read_entries(schema, suffix, file, text);
        self.read_configuration(schema, suffix, file, text);
    }

    /// Entries of cn=config.
    fn read_entries(&mut self, schema: &Schema, suffix: &Dn, file: &str, text: &str) {
        for entry in lines::entries(text) {
            let of = |wanted: &str| {
                let found = entry.values.iter().filter(|(_, name, _)| name.eq_ignore_ascii_case(wanted));
                found.map(|(line, _, value)| (*line, value.as_str())).collect::<Vec<_>>()
            };
            let mut rules: Vec<(i64, usize, &str)> =
                of("olcAccess").into_iter().map(|(line, value)| (number(value), line, without_number(value))).collect();
            rules.sort_by_key(|(number, ..)| *number);
            if rules.is_empty() {
                continue;
            }
            let database =
                of("olcDatabase").first().map(|(_, value)| without_number(value).to_ascii_lowercase()).unwrap_or_default();
            let suffixes = of("olcSuffix");
            let is_own = suffixes.iter().any(|(_, value)| is_same(schema, suffix, value));
            // An entry without its suffix is what somebody wrote out of the file.
            let target = match database.as_str() {
                "frontend" => Some(&mut self.general),
                "config" | "monitor" => None,
                _ if is_own || suffixes.is_empty() => Some(&mut self.own),
                _ => None,
            };
            match target {
                Some(target) => target.extend(rules.into_iter().enumerate().map(|(at, (_, line, text))| Written {
                    place: format!("{file}:{line}: olcAccess {{{at}}}"),
                    text: text.to_owned(),
                })),
                None => self.others.push(format!("{file}:{}: {}", entry.line, entry.dn)),
            }
        }
    }

    /// Lines of slapd.conf; white space at the front continues the one before.
    fn read_configuration(&mut self, schema: &Schema, suffix: &Dn, file: &str, text: &str) {
        let mut section: Option<String> = None;
        let mut waiting: Vec<Written> = Vec::new();
        let (mut is_own, mut count) = (true, 0_usize);
        for (line, text) in lines::continued(text) {
            let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
            match word.to_ascii_lowercase().as_str() {
                "database" => {
                    self.take_section(section.as_deref(), is_own, &mut waiting);
                    (section, is_own) = (Some(rest.trim().to_ascii_lowercase()), false);
                }
                "suffix" => is_own |= is_same(schema, suffix, rest.trim().trim_matches('"')),
                "access" => {
                    count = count.saturating_add(1);
                    waiting.push(Written { place: format!("{file}:{line}: access {count}"), text: rest.trim().to_owned() });
                }
                _ => {}
            }
        }
        self.take_section(section.as_deref(), is_own, &mut waiting);
    }

    fn take_section(&mut self, section: Option<&str>, is_own: bool, waiting: &mut Vec<Written>) {
        let written = std::mem::take(waiting);
        match section {
            None | Some("frontend") => self.general.extend(written),
            Some(_) if is_own => self.own.extend(written),
            Some(_) => self.others.extend(written.into_iter().map(|it| it.place)),
        }
    }
}

fn is_same(schema: &Schema, suffix: &Dn, name: &str) -> bool {
    Dn::parse(&Value::copy_from_slice(name.as_bytes())).is_ok_and(|dn| schema.dn_key(&dn) == schema.dn_key(suffix))
}

/// The `{3}` at the front.
fn number(text: &str) -> i64 {
    let inside = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    inside.and_then(|(number, _)| number.parse().ok()).unwrap_or(i64::MAX)
}

fn without_number(text: &str) -> &str {
    match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((number, rest)) if number.parse::<i64>().is_ok() => rest.trim_start(),
        _ => text,
    }
}
