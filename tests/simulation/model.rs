//! The plain model: names to entries, and the journal as a list. It shares no code with the directory: every operation is done here once
//! more, in the simplest way, and server and model must come to the same entries, the same records and the same codes.
//!
//! Its world is a small one: names without special characters, single-valued RDNs, values in lower case but for those of names.

mod changes;
mod passwords;

use std::collections::{BTreeMap, BTreeSet};

use bindery::model::{ModificationOperation, ResultCode};

use crate::ask::{Edit, Flaw, Operation};
use crate::standing::Standings;

pub(crate) const SUFFIX: &str = "dc=hospital,dc=example";
pub(crate) const ADMIN: &str = "cn=admin,dc=hospital,dc=example";
const ADMINISTRATORS: &str = "cn=administrators,ou=roles,dc=hospital,dc=example";

/// An entry, whatever it is called; never given twice.
pub(crate) type Number = u32;

/// What a value that is a name stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Target {
    Entry(Number),
    /// No entry has the name.
    Nowhere(String),
}

/// Since when, by whose hand, and how it was spelled.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) since: i64,
    pub(crate) by: String,
    pub(crate) spelled: String,
}

/// A password, and which change it came with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Password {
    pub(crate) text: String,
    pub(crate) version: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) number: Number,
    /// As spelled; the whole name for the suffix.
    pub(crate) rdn: String,
    /// Values by their lower-case form.
    pub(crate) attributes: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) references: BTreeMap<(String, Target), Reference>,
    pub(crate) password: Option<Password>,
    /// When the password was set, and whether by somebody else; none for one that came with the installation.
    pub(crate) changed: Option<(i64, bool)>,
    pub(crate) last_login: Option<i64>,
    pub(crate) uuid: String,
    pub(crate) class: &'static str,
    pub(crate) created: (i64, String),
    pub(crate) modified: (i64, String),
}

/// A record that must stand in the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    pub(crate) kind: &'static str,
    /// Session and message.
    pub(crate) asked: Option<(u64, i32)>,
    pub(crate) code: Option<u32>,
    pub(crate) time: i64,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Anonymous,
    Entry(Number),
    /// Who holds the data folder.
    Installation,
}

/// An operation on its way to the committer, with what was found when it was begun, on the value of that time.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) session: u64,
    pub(crate) message: i32,
    pub(crate) who: Who,
    pub(crate) operation: Operation,
    pub(crate) found: Found,
    /// The version of the asker's own password by then: new ones are compared with it.
    pub(crate) own: Option<u64>,
    pub(crate) in_transaction: bool,
    /// The session began with a password that had to be changed.
    pub(crate) restricted: bool,
    /// For a new entry.
    pub(crate) uuid: String,
    /// The operations of a transaction that ends.
    pub(crate) steps: Vec<Asked>,
}

/// What was looked at before the committer saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Nothing,
    /// Whether the passwords in it were hashed.
    Hashed(bool),
    /// A code that stands, an account, and the version of its password if the one given was right.
    Account(Option<ResultCode>, Option<Number>, Option<u64>),
    /// The transaction it was part of ended while its password was hashed.
    LateForTransaction,
}

#[derive(Clone, Default)]
pub(crate) struct Model {
    /// By normalized name.
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) records: Vec<Expected>,
    /// Time and number of the newest change.
    pub(crate) context: (i64, u64),
    /// Binds, by session and message, after which a password must be changed first.
    pub(crate) restricted: BTreeSet<(u64, i32)>,
    pub(crate) standings: Standings,
    last_number: Number,
    passwords: u64,
}

type Outcome = Result<(), ResultCode>;

impl Model {
    /// Policy time of what comes next.
    fn next_time(&self, wall: i64) -> i64 {
        wall.max(self.records.last().map_or(i64::MIN, |record| record.time).saturating_add(1))
    }

    /// This journal with the content of an instant on the way to it. What counts, counts on.
    pub(crate) fn going_back_to(&self, instant: &Model) -> Model {
        Model { records: self.records.clone(), last_number: self.last_number, passwords: self.passwords, ..instant.clone() }
    }

    /// A record that no operation asked for.
    pub(crate) fn note(&mut self, kind: &'static str, wall: i64) {
        let time = self.next_time(wall);
        self.records.push(Expected { kind, asked: None, code: Some(0), time });
    }

    /// Decides an operation: what the client is told.
    pub(crate) fn decide(&mut self, asked: &Asked, wall: i64) -> ResultCode {
        let asked = &self.by_who_stands(asked);
        let code = if asked.steps.is_empty() {
            let time = self.next_time(wall);
            let code = self.attempt(asked, time);
            self.record(asked, code, time);
            code
        } else {
            self.transaction(&asked.steps, wall)
        };
        self.adopts_password(asked);
        code
    }

    fn record(&mut self, asked: &Asked, code: ResultCode, time: i64) {
        let known = (asked.session != 0).then_some((asked.session, asked.message));
        self.records.push(Expected { kind: asked.operation.record(), asked: known, code: Some(code.number()), time });
    }

    /// All or nothing.
    fn transaction(&mut self, steps: &[Asked], wall: i64) -> ResultCode {
        let mut scratch = self.clone();
        let start = self.next_time(wall);
        let failed = steps.iter().enumerate().find_map(|(place, step)| match scratch.attempt(step, start + place as i64) {
            ResultCode::Success => None,
            code => Some((place, code)),
        });
        if failed.is_none() {
            *self = scratch;
        }
        for (place, step) in steps.iter().enumerate() {
            let code = match failed {
                None => ResultCode::Success,
                Some((at, code)) if at == place => code,
                Some(_) => ResultCode::Canceled,
            };
            self.record(step, code, start + place as i64);
        }
        failed.map_or(ResultCode::Success, |(_, code)| code)
    }

    fn attempt(&mut self, asked: &Asked, now: i64) -> ResultCode {
        let mut after = self.clone();
        let outcome = match &asked.operation {
            _ if asked.found == Found::LateForTransaction => Err(ResultCode::ProtocolError),
            Operation::Start => Ok(()),
            Operation::Malformed(_) => Err(ResultCode::ProtocolError),
            Operation::Bind { .. } => after.bind(asked, now),
            Operation::SetPassword { new, .. } => after.set_password(asked, new, now),
            Operation::Add { name, attributes, password, flaw } => {
                after.add(asked, name, attributes, password.as_deref(), *flaw, now)
            }
            Operation::Modify { name, edits } => after.modify(asked, name, edits, now),
            Operation::Delete { name, tree } => after.delete(asked, name, *tree, now),
            Operation::Rename { name, rdn, delete_old, superior } => {
                after.rename(asked, name, rdn, *delete_old, superior.as_deref(), now)
            }
            other => panic!("{other:?} is not the committer's business"),
        };
        match outcome {
            Ok(()) => {
                if asked.operation.is_change() || matches!(asked.operation, Operation::SetPassword { .. }) {
                    after.context = (now, after.context.1 + 1);
                }
                *self = after;
                ResultCode::Success
            }
            Err(code) => code,
        }
    }

    pub(crate) fn exists(&self, number: Number) -> bool {
        self.entries.values().any(|entry| entry.number == number)
    }

    pub(crate) fn name_of(&self, number: Number) -> Option<&String> {
        self.entries.iter().find(|(_, entry)| entry.number == number).map(|(name, _)| name)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(&normalized(name))
    }

    /// The name as it is spelled when read.
    pub(crate) fn spelled(&self, name: &str) -> String {
        match self.entries.get(name) {
            Some(entry) if name != SUFFIX => format!("{},{}", entry.rdn, self.spelled(parent(name))),
            _ => SUFFIX.to_owned(),
        }
    }

    fn spelled_number(&self, number: Number) -> String {
        self.name_of(number).map(|name| self.spelled(name)).unwrap_or_default()
    }

    pub(crate) fn is_administrator(&self, who: Who) -> bool {
        match who {
            Who::Installation => true,
            Who::Anonymous => false,
            Who::Entry(number) => {
                let key = ("member".to_owned(), Target::Entry(number));
                self.exists(number) && self.find(ADMINISTRATORS).is_some_and(|group| group.references.contains_key(&key))
            }
        }
    }

    /// What somebody is told who may not do it: people know of each other, and of the first administrator only what he tells them.
    pub(crate) fn refusal_about(&self, number: Number) -> ResultCode {
        let is_hidden = self.find(ADMIN).is_some_and(|entry| entry.number == number);
        if is_hidden { ResultCode::NoSuchObject } else { ResultCode::InsufficientAccessRights }
    }

    /// Somebody, and somebody who is still there.
    pub(crate) fn is_known(&self, who: Who) -> bool {
        match who {
            Who::Installation => true,
            Who::Anonymous => false,
            Who::Entry(number) => self.exists(number),
        }
    }

    /// Names come in spelled in any way; what they stand for now.
    pub(crate) fn resolve(&self, name: &str) -> Target {
        self.find(name).map_or_else(|| Target::Nowhere(normalized(name)), |entry| Target::Entry(entry.number))
    }

    /// What a reference reads as.
    pub(crate) fn value_of(&self, target: &Target, reference: &Reference) -> String {
        match target {
            Target::Entry(number) => self.spelled_number(*number),
            Target::Nowhere(_) => reference.spelled.clone(),
        }
    }

    fn actor(&self, who: Who) -> String {
        match who {
            Who::Entry(number) => self.spelled_number(number),
            Who::Anonymous | Who::Installation => ADMIN.to_owned(),
        }
    }

    /// Whether a password must be changed before anything else is done.
    pub(crate) fn is_restricted(&self, who: Who, restricted: bool) -> bool {
        let Who::Entry(number) = who else { return false };
        let entry = self.entries.values().find(|entry| entry.number == number);
        restricted && entry.and_then(|entry| entry.changed).is_some_and(|(_, by_other)| by_other)
    }

    fn check_writer(&self, asked: &Asked) -> Outcome {
        if self.is_restricted(asked.who, asked.restricted) {
            return Err(ResultCode::InsufficientAccessRights);
        }
        self.check_known(asked.who)
    }

    fn check_known(&self, who: Who) -> Outcome {
        if self.is_known(who) { Ok(()) } else { Err(ResultCode::StrongerAuthRequired) }
    }

    fn check_administrator(&self, who: Who) -> Outcome {
        if self.is_administrator(who) { Ok(()) } else { Err(ResultCode::InsufficientAccessRights) }
    }

    /// The version of the asker's own password.
    pub(crate) fn own_password(&self, who: Who) -> Option<u64> {
        let entry = self.entries.values().find(|entry| who == Who::Entry(entry.number))?;
        entry.password.as_ref().map(|password| password.version)
    }

    /// References to a name that an entry has now become references to the entry. `written`: stamped already.
    fn settle(&mut self, asked: &Asked, written: Option<&str>, now: i64) {
        let by = self.actor(asked.who);
        let known: BTreeMap<String, Number> = self.entries.iter().map(|(name, entry)| (name.clone(), entry.number)).collect();
        for (name, entry) in &mut self.entries {
            let before = std::mem::take(&mut entry.references);
            let mut settled = false;
            for ((attribute, target), reference) in before {
                let target = match &target {
                    Target::Nowhere(wanted) => match known.get(wanted) {
                        Some(number) => {
                            settled = true;
                            Target::Entry(*number)
                        }
                        None => target,
                    },
                    Target::Entry(_) => target,
                };
                entry.references.insert((attribute, target), reference);
            }
            if settled && asked.who != Who::Installation && Some(name.as_str()) != written {
                entry.modified = (now, by.clone());
            }
        }
    }
}

impl Entry {
    fn put_values(&mut self, attribute: &str, values: &[String]) {
        self.attributes.insert(attribute.to_owned(), lower(values));
    }

    /// A value that is there already keeps its spelling.
    fn put_rdn_value(&mut self, rdn: &str) {
        let (attribute, value) = rdn.split_once('=').unwrap();
        let values = self.attributes.entry(attribute.to_owned()).or_default();
        values.entry(value.to_lowercase()).or_insert_with(|| value.to_owned());
    }

    fn drop_rdn_value(&mut self) {
        let (attribute, value) = self.rdn.split_once('=').unwrap();
        self.attributes.get_mut(attribute).unwrap().remove(&value.to_lowercase());
    }

    /// The rules a finished entry keeps.
    fn check(&self) -> Outcome {
        let (attribute, value) = self.rdn.split(',').next().unwrap().split_once('=').unwrap();
        if !self.attributes.get(attribute).is_some_and(|values| values.contains_key(&value.to_lowercase())) {
            return Err(ResultCode::NamingViolation);
        }
        let required: &[&str] = if self.class == "inetOrgPerson" { &["cn", "sn"] } else { &[] };
        let is_account = self.class == "organizationalRole";
        if required.iter().any(|name| !self.attributes.contains_key(*name)) || (is_account && self.password.is_none()) {
            return Err(ResultCode::ObjectClassViolation);
        }
        Ok(())
    }
}

fn lower(values: &[String]) -> BTreeMap<String, String> {
    values.iter().map(|value| (value.to_lowercase(), value.clone())).collect()
}

fn structural(attributes: &[(&'static str, Vec<String>)]) -> &'static str {
    let classes = attributes.iter().find(|(name, _)| *name == "objectClass").map(|(_, values)| values.as_slice());
    let known = ["inetOrgPerson", "organizationalUnit", "groupOfMembers", "organizationalRole", "organization"];
    known.into_iter().find(|class| classes.is_some_and(|classes| classes.iter().any(|it| it == class))).unwrap()
}

/// Attributes whose values are names that follow the entry.
pub(crate) fn is_reference(attribute: &str) -> bool {
    ["member", "manager"].contains(&attribute)
}

pub(crate) fn normalized(name: &str) -> String {
    name.to_lowercase()
}

pub(crate) fn parent(name: &str) -> &str {
    name.split_once(',').map_or("", |(_, parent)| parent)
}

fn is_within(name: &str, top: &str) -> bool {
    name == top || name.strip_suffix(top).is_some_and(|front| front.ends_with(','))
}
