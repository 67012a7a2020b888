//! What an import from another server changed, left out or could not take: told at the end, so that nobody finds out later.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};

use crate::directory::{Directory, Lookup, Membership, MembershipAttribute};
use crate::model::schema::split_uid;
use crate::model::{Attribute, Dn};

/// Names that a list shows before it only counts.
const SHOWN: usize = 5;
/// Syntax "DN" (RFC 4517 section 3.3.9).
const DN_SYNTAX: &str = "1.3.6.1.4.1.1466.115.121.1.12";

/// What was found on the way.
#[derive(Default)]
pub(super) struct Report {
    pub(super) worked_out: Tally,
    pub(super) internal: Tally,
    pub(super) access_rules: Tally,
    pub(super) undefined: Tally,
    pub(super) undefined_classes: Tally,
    pub(super) schemes: Tally,
    pub(super) unusable_schemes: Tally,
    pub(super) clear_passwords: u64,
    pub(super) without_password: Names,
    pub(super) locked: Names,
    pub(super) unique_ids: u64,
    pub(super) last_logins: u64,
    pub(super) remains: u64,
    /// Records that came before the entry above theirs.
    pub(super) reordered: u64,
    /// Entries of ours that the file has too and that stay.
    pub(super) kept: Names,
    pub(super) dangling: Tally,
    pub(super) dangling_names: Names,
}

/// Values by name, with the line they were first seen on.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<String, (u64, u64)>);

/// A list of names of which the first few are shown.
#[derive(Default)]
pub(super) struct Names {
    shown: Vec<String>,
    count: u64,
}

impl Tally {
    pub(super) fn add(&mut self, name: &str, attribute: &Attribute, line: u64) {
        self.count(name, attribute.values.len() as u64, line);
    }

    pub(super) fn count(&mut self, name: &str, values: u64, line: u64) {
        match self.0.get_mut(name) {
            Some((count, _)) => *count += values,
            None => drop(self.0.insert(name.to_owned(), (values, line))),
        }
    }
}

impl Names {
    pub(super) fn add(&mut self, name: &str) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(name.to_owned());
        }
    }
}

impl Report {
    /// Looks for references to entries that are not there.
    pub(super) fn find_dangling(&mut self, directory: &Directory) {
        let schema = directory.schema();
        for node in directory.nodes() {
            let naming = |attribute: &MembershipAttribute| *attribute != MembershipAttribute::MemberUid;
            for attribute in directory.membership_attributes(node.id).into_iter().filter(naming) {
                for membership in directory.memberships(node.id, attribute) {
                    if let Membership::Outside { value, .. } = &membership
                        && !names_an_entry(directory, split_uid(value).0)
                    {
                        let target = String::from_utf8_lossy(value).into_owned();
                        self.dangling(attribute.name(schema), &directory.dn_text(node.id), &target);
                    }
                }
            }
            for attribute in node.entry.attributes() {
                let definition = schema.attribute_type_by_id(attribute.attribute_type);
                if definition.syntax.oid != DN_SYNTAX || definition.no_user_modification {
                    continue;
                }
                for value in attribute.values() {
                    if !names_an_entry(directory, value) {
                        let target = String::from_utf8_lossy(value).into_owned();
                        self.dangling(attribute.description, &directory.dn_text(node.id), &target);
                    }
                }
            }
        }
    }

    fn dangling(&mut self, attribute: &str, entry: &str, target: &str) {
        self.dangling.count(attribute, 1, 0);
        self.dangling_names.add(&format!("{entry}: {attribute}: {target}"));
    }

    /// The report as text, ready to be printed; empty where nothing is worth a word.
    pub(super) fn text(&self) -> String {
        let mut output = String::new();
        let text = &mut output;
        tally(text, &self.worked_out, "left out, this server works them out itself");
        tally(text, &self.internal, "left out, they belong to the other server's workings");
        tally(text, &self.undefined, "left out, no definition here (add the schema first, or --keep them)");
        tally(text, &self.undefined_classes, "object classes left out, no definition here");
        tally(
            text,
            &self.access_rules,
            "access rules NOT taken over: who may read and change what is decided by this server's own rules",
        );
        count(text, self.remains, "remains of deleted entries left out");
        count(text, self.reordered, "records put behind the entry above theirs");
        count(text, self.unique_ids, "nsUniqueId that became entryUUID");
        count(text, self.last_logins, "times of the last login that became lastLoginTime");
        tally(text, &self.schemes, "stored passwords taken, each becomes Argon2id at the next right login");
        count(text, self.clear_passwords, "passwords in clear that were hashed");
        tally(text, &self.unusable_schemes, "stored passwords LEFT OUT, nobody here can verify their scheme");
        names(text, &self.without_password, "entries that came without any password that works");
        names(text, &self.locked, "accounts that are locked and stay so by pwdAccountLockedTime");
        names(text, &self.kept, "entries that were here already and stay as they are");
        tally(text, &self.dangling, "references to entries that are not here (they are kept)");
        names(text, &self.dangling_names, "which");
        output
    }
}

fn names_an_entry(directory: &Directory, name: &[u8]) -> bool {
    Dn::parse(name).is_ok_and(|dn| matches!(directory.find(&dn), Lookup::Found(_)))
}

fn tally(text: &mut String, tally: &Tally, title: &str) {
    if tally.0.is_empty() {
        return;
    }
    put(text, format_args!("{title}:\n"));
    for (name, (count, line)) in &tally.0 {
        match line {
            0 => put(text, format_args!("  {count:>9}  {name}\n")),
            line => put(text, format_args!("  {count:>9}  {name} (first in the record on line {line})\n")),
        }
    }
}

fn count(text: &mut String, count: u64, title: &str) {
    if count > 0 {
        put(text, format_args!("{title}: {count}\n"));
    }
}

fn names(text: &mut String, names: &Names, title: &str) {
    if names.count == 0 {
        return;
    }
    put(text, format_args!("{title} ({}):\n", names.count));
    names.shown.iter().for_each(|name| put(text, format_args!("  {name}\n")));
    let more = names.count.saturating_sub(names.shown.len() as u64);
    if more > 0 {
        put(text, format_args!("  and {more} more\n"));
    }
}

/// Writing to a String does not fail.
fn put(text: &mut String, what: fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
