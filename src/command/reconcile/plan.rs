//! What an HR file asks of the directory: who joins, who moves, who leaves, and what nobody but a person can decide.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::file::{HrFile, Row};
use super::mapping::{LeaverAction, Mapping, filled};
use crate::model::Timestamp;

/// Somebody as the directory has it; names of attributes in lower case.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) dn: String,
    pub(super) attributes: HashMap<String, Vec<String>>,
}

/// What is done to one entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) action: Action,
    /// The row that asks for it; none: there is no row.
    pub(super) line: Option<u64>,
    pub(super) key: String,
    pub(super) dn: String,
    pub(super) changes: Vec<ValueChange>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Join,
    Move,
    Leave,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Action::Join => "join",
            Action::Move => "move",
            Action::Leave => "leave",
        }
    }
}

/// An attribute's values before and after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ValueChange {
    pub(super) attribute: String,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

/// What is left to people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub(super) line: Option<u64>,
    pub(super) key: String,
    pub(super) text: String,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) problems: Vec<Problem>,
    /// Accounts of HR's that have not left yet.
    pub(super) accounts: u64,
}

impl Plan {
    pub(super) fn count(&self, action: Action) -> u64 {
        self.steps.iter().map(|step| u64::from(step.action == action)).sum()
    }

    /// Whether more would leave than so many percent of those who are there.
    pub(super) fn ends_too_many(&self, percent: u64) -> bool {
        u128::from(self.count(Action::Leave)) * 100 > u128::from(self.accounts) * u128::from(percent)
    }
}

impl Person {
    pub(super) fn values(&self, attribute: &str) -> &[String] {
        self.attributes.get(&attribute.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Disabled, or ended before `now`.
    fn has_left(&self, now: Timestamp) -> bool {
        let ended = |value: &String| Timestamp::from_generalized_time(value.as_bytes()).is_ok_and(|end| end <= now);
        self.values("accountDisabled").iter().any(|value| value.eq_ignore_ascii_case("TRUE"))
            || self.values("pwdEndTime").iter().any(ended)
    }
}

/// Holds a file against what there is at and below the branch.
pub(super) fn plan(mapping: &Mapping, file: &HrFile, people: &[Person], name: &dyn Fn(&str) -> String, now: Timestamp) -> Plan {
    let mut planner = Planner { mapping, now, name, by_key: HashMap::new(), joining: HashMap::new(), plan: Plan::default() };
    planner.index(people);
    let mut rows: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    let mut nameless = Vec::new();
    for row in &file.rows {
        match row.get(&mapping.key_column) {
            "" => nameless.push(row.line),
            key => rows.entry(folded(key)).or_default().push(row),
        }
    }
    planner.expect_joiners(people, &rows);
    for (key, rows) in &rows {
        match rows.as_slice() {
            [row] => planner.row(key, row, people),
            rows => planner.twice(key, rows),
        }
    }
    if nameless.is_empty() {
        planner.absent(&rows);
    }
    for line in nameless {
        let text =
            format!("has no {}: while it is not known whose row it is, nobody leaves for being absent", mapping.key_column);
        planner.plan.problems.push(Problem { line: Some(line), key: String::new(), text });
    }
    planner.plan.steps.sort_by(|a, b| (a.action as u8, a.line, &a.key).cmp(&(b.action as u8, b.line, &b.key)));
    planner.plan
}

/// Keys are compared without case.
fn folded(key: &str) -> String {
    key.trim().to_lowercase()
}

struct Planner<'a> {
    mapping: &'a Mapping,
    now: Timestamp,
    /// The name of a joiner whose naming attribute has this value.
    name: &'a dyn Fn(&str) -> String,
    by_key: HashMap<String, Vec<&'a Person>>,
    /// Names that joiners will have, by key.
    joining: HashMap<String, String>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn index(&mut self, people: &'a [Person]) {
        for person in people {
            for key in person.values(&self.mapping.key_attribute) {
                self.by_key.entry(folded(key)).or_default().push(person);
            }
        }
        let of_hr = self.by_key.values().filter_map(|people| people.first());
        self.plan.accounts = of_hr.map(|person| u64::from(!person.has_left(self.now))).sum();
    }

    fn expect_joiners(&mut self, people: &[Person], rows: &BTreeMap<String, Vec<&Row>>) {
        for (key, rows) in rows {
            if let [row] = rows.as_slice()
                && !self.by_key.contains_key(key)
                && !self.mapping.says_left(row)
            {
                let name = (self.name)(&self.naming_value(row));
                self.joining.insert(key.clone(), name);
            }
        }
        // A name that somebody has already, or that two would get, is nobody's yet: it must make nobody a manager.
        let mut claims: HashMap<String, usize> = HashMap::new();
        for name in people.iter().map(|person| &person.dn).chain(self.joining.values()) {
            *claims.entry(folded(name)).or_default() += 1;
        }
        self.joining.retain(|_, name| claims.get(&folded(name)) == Some(&1));
    }

    fn naming_value(&self, row: &Row) -> String {
        let named = self.mapping.joiners.iter().find(|(name, _)| name.eq_ignore_ascii_case(&self.mapping.naming));
        named.map_or_else(|| row.get(&self.mapping.key_column).to_owned(), |(_, template)| filled(template, row))
    }

    fn twice(&mut self, key: &str, rows: &[&Row]) {
        let lines: Vec<String> = rows.iter().map(|row| row.line.to_string()).collect();
        let text = format!("several rows have this key: lines {}; none of them is followed", lines.join(", "));
        self.problem(rows.first().map(|row| row.line), key, text);
    }

    fn problem(&mut self, line: Option<u64>, key: &str, text: String) {
        self.plan.problems.push(Problem { line, key: key.to_owned(), text });
    }

    fn row(&mut self, key: &str, row: &Row, people: &[Person]) {
        let found = self.by_key.get(key).cloned().unwrap_or_default();
        match found.as_slice() {
            [] if self.mapping.says_left(row) => {}
            [] => self.join(key, row, people),
            [person] if self.mapping.says_left(row) => self.leave(key, Some(row.line), person),
            [person] => self.follow(key, row, person),
            several => {
                let names: Vec<&str> = several.iter().map(|person| person.dn.as_str()).collect();
                let text = format!("several entries have this key: {}; none of them is changed", names.join(" and "));
                self.problem(Some(row.line), key, text);
            }
        }
    }

    fn join(&mut self, key: &str, row: &Row, people: &[Person]) {
        let value = self.naming_value(row);
        if value.is_empty() {
            return self.problem(Some(row.line), key, format!("{} would be empty: the entry has no name", self.mapping.naming));
        }
        let dn = (self.name)(&value);
        if people.iter().any(|person| person.dn.eq_ignore_ascii_case(&dn)) {
            let text = format!("{dn} is there already, without this {}: is it the same person?", self.mapping.key_attribute);
            return self.problem(Some(row.line), key, text);
        }
        let mut changes = vec![("objectClass".to_owned(), self.mapping.classes.clone())];
        changes.push((self.mapping.key_attribute.clone(), vec![row.get(&self.mapping.key_column).to_owned()]));
        let once = self.mapping.joiners.iter().map(|(name, template)| (name.clone(), filled(template, row)));
        changes.extend(once.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, vec![value])));
        changes.extend(self.wanted(key, row).into_iter().filter(|(_, values)| !values.is_empty()));
        let change = |(attribute, after)| ValueChange { attribute, before: Vec::new(), after };
        let changes = changes.into_iter().map(change).collect();
        self.plan.steps.push(Step { action: Action::Join, line: Some(row.line), key: key.to_owned(), dn, changes });
    }

    /// What follows the file, attribute by attribute; what cannot be told is left as it is.
    fn wanted(&mut self, key: &str, row: &Row) -> Vec<(String, Vec<String>)> {
        let one = |value: String| if value.is_empty() { Vec::new() } else { vec![value] };
        let mapping = self.mapping;
        let plain = mapping.attributes.iter().map(|(name, template)| (name.clone(), one(filled(template, row))));
        let mut wanted: Vec<(String, Vec<String>)> = plain.collect();
        for (name, column) in &mapping.references {
            let referred = folded(row.get(column));
            let known = self.by_key.get(&referred).and_then(|people| people.first()).map(|person| person.dn.clone());
            match known.or_else(|| self.joining.get(&referred).cloned()) {
                _ if referred.is_empty() => wanted.push((name.clone(), Vec::new())),
                Some(dn) => wanted.push((name.clone(), vec![dn])),
                None => {
                    let text = format!(
                        "{column} is {:?}, whom neither file nor directory knows; {name} stays as it is",
                        row.get(column)
                    );
                    self.problem(Some(row.line), key, text);
                }
            }
        }
        for (name, column) in &mapping.ends {
            match mapping.end_of_day(row.get(column)) {
                Ok(end) => wanted.push((name.clone(), one(end.map(Timestamp::to_generalized_time).unwrap_or_default()))),
                Err(text) => self.problem(Some(row.line), key, format!("{column}: {text}; {name} stays as it is")),
            }
        }
        wanted
    }

    fn follow(&mut self, key: &str, row: &Row, person: &Person) {
        let wanted = self.wanted(key, row);
        if person.has_left(self.now) {
            let stays = |(name, values): &(String, Vec<String>)| {
                name.eq_ignore_ascii_case("pwdEndTime") && values.first().is_some_and(|end| is_over(end, self.now))
            };
            if !wanted.iter().any(stays) {
                let text = format!(
                    "{} is disabled or ended, and the file has the person: nothing is changed; who comes back is let in by an administrator",
                    person.dn
                );
                self.problem(Some(row.line), key, text);
            }
            return;
        }
        let changes = wanted.into_iter().filter(|(name, after)| !same(person.values(name), after));
        let changes: Vec<ValueChange> = changes
            .map(|(attribute, after)| ValueChange { before: person.values(&attribute).to_vec(), attribute, after })
            .collect();
        if !changes.is_empty() {
            let dn = person.dn.clone();
            // Whose last day is over leaves, whatever column says so: it counts against the share that may.
            let ends = |change: &ValueChange| {
                let of = |name: &str| change.attribute.eq_ignore_ascii_case(name);
                (of("accountDisabled") && change.after.iter().any(|value| value.eq_ignore_ascii_case("TRUE")))
                    || (of("pwdEndTime") && change.after.iter().any(|end| is_over(end, self.now)))
            };
            let action = if changes.iter().any(ends) { Action::Leave } else { Action::Move };
            self.plan.steps.push(Step { action, line: Some(row.line), key: key.to_owned(), dn, changes });
        }
    }

    fn absent(&mut self, rows: &BTreeMap<String, Vec<&Row>>) {
        let mut absent: Vec<(&String, &[&'a Person])> = self
            .by_key
            .iter()
            .filter(|(key, _)| !rows.contains_key(*key))
            .map(|(key, people)| (key, people.as_slice()))
            .collect();
        absent.sort_by_key(|(key, _)| *key);
        let absent: Vec<(String, Vec<&'a Person>)> =
            absent.into_iter().map(|(key, people)| (key.clone(), people.to_vec())).collect();
        let mut planned: HashSet<&str> = HashSet::new();
        for (key, people) in absent {
            for person in people {
                // Somebody with two keys is there as long as one of them is.
                let is_there = person.values(&self.mapping.key_attribute).iter().any(|key| rows.contains_key(&folded(key)));
                if !is_there && planned.insert(&person.dn) {
                    self.leave(&key, None, person);
                }
            }
        }
    }

    fn leave(&mut self, key: &str, line: Option<u64>, person: &Person) {
        if person.has_left(self.now) {
            return;
        }
        let change = |attribute: &str, after: Vec<String>| ValueChange {
            attribute: attribute.to_owned(),
            before: person.values(attribute).to_vec(),
            after,
        };
        let changes = match self.mapping.leavers.action {
            LeaverAction::End => vec![change("pwdEndTime", vec![self.now.to_generalized_time()])],
            LeaverAction::Disable => {
                let managed = |class: &String| class.eq_ignore_ascii_case("managedAccount");
                let mut changes = Vec::new();
                if !person.values("objectClass").iter().any(managed) {
                    let mut classes = person.values("objectClass").to_vec();
                    classes.push("managedAccount".to_owned());
                    changes.push(change("objectClass", classes));
                }
                changes.push(change("accountDisabled", vec!["TRUE".to_owned()]));
                changes
            }
        };
        let dn = person.dn.clone();
        self.plan.steps.push(Step { action: Action::Leave, line, key: key.to_owned(), dn, changes });
    }
}

fn is_over(end: &str, now: Timestamp) -> bool {
    Timestamp::from_generalized_time(end.as_bytes()).is_ok_and(|end| end <= now)
}

/// Whether the values are the same, in whatever order; moments are compared as such.
fn same(before: &[String], after: &[String]) -> bool {
    let form = |values: &[String]| {
        let moment = |value: &String| {
            Timestamp::from_generalized_time(value.as_bytes()).map_or_else(|_| value.clone(), Timestamp::to_generalized_time)
        };
        let mut values: Vec<String> = values.iter().map(moment).collect();
        values.sort();
        values
    };
    form(before) == form(after)
}
