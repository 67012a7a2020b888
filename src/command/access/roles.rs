//! Whom the access rules are for, and who stands for each of them: people who are there for the question alone.

use std::collections::BTreeSet;

use crate::command::CommandError;
use crate::command::reached::{Reached, TextEntry};
use crate::model::schema::{AttributeType, AttributeUsage, ObjectClass, Schema};

/// Stand for the attributes that no rule names: the first that none does.
const USER: [&str; 6] = ["description", "street", "roomNumber", "carLicense", "businessCategory", "destinationIndicator"];
const OPERATIONAL: [&str; 5] = ["createTimestamp", "modifyTimestamp", "creatorsName", "modifiersName", "entryCSN"];

const PASSWORD: &str = "userPassword";

/// The names of those who are made, below the suffix.
const TARGET: &str = "uid=matrix-entry";
const MANAGER: &str = "uid=matrix-manager";

/// A role: who stands for it.
pub(super) struct Role {
    pub(super) label: String,
    /// A name, or `anonymous`.
    pub(super) who: String,
}

/// A column.
pub(super) struct Column {
    pub(super) label: String,
    /// None: the entry itself.
    pub(super) attribute: Option<String>,
}

/// What the access rules speak of.
pub(super) struct Rules {
    pub(super) roles: Vec<Role>,
    /// Entries and changes that are there for the question alone, LDIF.
    pub(super) entries: String,
    /// The entry in question.
    pub(super) target: String,
    is_made: bool,
    attributes: BTreeSet<String>,
    /// What it can have of user attributes; none: anything.
    possible: Option<BTreeSet<String>>,
    /// Who asks may read its classes.
    is_seen: bool,
    /// Rules with conditions.
    pub(super) conditional: Vec<String>,
    /// Whom nobody can stand for.
    pub(super) left_out: Vec<String>,
}

impl Rules {
    /// Reads the rules and makes somebody for each subject of theirs. `target`: the entry in question; none: somebody is made.
    pub(super) fn read(
        reached: &mut Reached,
        suffix: &str,
        schema: &Schema,
        target: Option<&str>,
    ) -> Result<Rules, CommandError> {
        let folder = format!("ou=access,ou=policies,{suffix}");
        let read = reached.subtree(
            &folder,
            &["accessSubject", "accessAttribute", "accessNetwork", "accessFactor", "ruleNotAfter", "objectClass"],
        )?;
        let rules: Vec<&TextEntry> = read.iter().filter(|entry| !values(entry, "accesssubject").is_empty()).collect();
        let mut made = Rules {
            roles: Vec::new(),
            entries: String::new(),
            target: target.map_or_else(|| format!("{TARGET},{suffix}"), str::to_owned),
            is_made: target.is_none(),
            attributes: BTreeSet::new(),
            possible: None,
            is_seen: true,
            conditional: Vec::new(),
            left_out: Vec::new(),
        };
        let subjects: BTreeSet<String> =
            rules.iter().flat_map(|rule| values(rule, "accesssubject")).map(|it| it.to_ascii_lowercase()).collect();
        made.make_target(suffix, &subjects);
        if !made.is_made {
            made.read_possible(reached, schema)?;
        }
        made.take_groups(reached, suffix, &rules)?;
        made.take_others(reached, schema, suffix, &subjects, &rules)?;
        for rule in &rules {
            if ["accessnetwork", "accessfactor", "rulenotafter"].iter().any(|name| !values(rule, name).is_empty()) {
                made.conditional.push(rdn(&rule.dn));
            }
            values(rule, "accessattribute").iter().for_each(|name| made.take_attribute(schema, name));
        }
        Ok(made)
    }

    fn make_target(&mut self, suffix: &str, subjects: &BTreeSet<String>) {
        if !self.is_made {
            return;
        }
        let manager = subjects.contains("manager");
        if manager {
            self.person(&format!("{MANAGER},{suffix}"));
        }
        let target = self.target.clone();
        self.person(&target);
        if manager {
            let at = self.entries.len().saturating_sub(1);
            self.entries.insert_str(at, &format!("manager: {MANAGER},{suffix}\n"));
        }
    }

    fn person(&mut self, dn: &str) {
        let person = format!("dn: {dn}\nobjectClass: inetOrgPerson\ncn: of the matrix\nsn: of the matrix\n\n");
        self.entries.push_str(&person);
    }

    /// A person in each group that rules name, and in no other.
    fn take_groups(&mut self, reached: &mut Reached, suffix: &str, rules: &[&TextEntry]) -> Result<(), CommandError> {
        let subjects = rules.iter().flat_map(|rule| values(rule, "accesssubject"));
        let named = subjects.filter_map(|subject| subject.split_once(':').filter(|(kind, _)| kind.eq_ignore_ascii_case("group")));
        let groups: BTreeSet<String> = named.map(|(_, dn)| dn.trim().to_owned()).collect();
        for (number, group) in groups.into_iter().enumerate() {
            let entry =
                reached.subtree(&group, &["objectClass"])?.into_iter().find(|entry| entry.dn.eq_ignore_ascii_case(&group));
            let classes = entry.map(|entry| values(&entry, "objectclass").to_vec()).unwrap_or_default();
            let is = |class: &str| classes.iter().any(|it| it.eq_ignore_ascii_case(class));
            let attribute = if is("groupOfUniqueNames") { "uniqueMember" } else { "member" };
            if !["groupOfNames", "groupOfMembers", "groupOfUniqueNames"].into_iter().any(is) {
                self.left_out.push(format!("{group} (a group that nobody can be put into for the question)"));
                continue;
            }
            let who = format!("uid=matrix-{number},{suffix}");
            self.person(&who);
            self.entries.push_str(&format!("dn: {group}\nchangetype: modify\nadd: {attribute}\n{attribute}: {who}\n-\n\n"));
            self.roles.push(Role { label: rdn(&group), who });
        }
        Ok(())
    }

    /// What the classes of the entry in question allow it, operational attributes aside; none where it may have anything.
    fn read_possible(&mut self, reached: &mut Reached, schema: &Schema) -> Result<(), CommandError> {
        let entries = reached.subtree(&self.target, &["objectClass"])?;
        let entry = entries.iter().find(|entry| entry.dn.eq_ignore_ascii_case(&self.target));
        let classes = entry.map(|entry| values(entry, "objectclass")).unwrap_or_default();
        self.is_seen = !classes.is_empty();
        if !self.is_seen || classes.iter().any(|class| class.eq_ignore_ascii_case("extensibleObject")) {
            return Ok(());
        }
        let mut waiting: Vec<&ObjectClass> = classes.iter().filter_map(|name| schema.object_class(name)).collect();
        let mut possible = BTreeSet::new();
        // No class is above itself: this ends.
        while let Some(class) = waiting.pop() {
            let types = class.must.iter().chain(&class.may);
            possible.extend(types.map(|id| schema.attribute_type_by_id(*id).name().to_owned()));
            waiting.extend(class.superiors.iter().filter_map(|&superior| schema.object_classes().get(superior)));
        }
        self.possible = Some(possible);
        Ok(())
    }

    /// Whether the entry in question can have this attribute.
    fn can_have(&self, schema: &Schema, name: &str) -> bool {
        let is_user = schema.attribute_type(name).is_some_and(|it| it.usage == AttributeUsage::UserApplications);
        !is_user || self.possible.as_ref().is_none_or(|possible| possible.contains(name))
    }

    /// Who is related to the entry, who is named, who is anybody.
    fn take_others(
        &mut self,
        reached: &mut Reached,
        schema: &Schema,
        suffix: &str,
        subjects: &BTreeSet<String>,
        rules: &[&TextEntry],
    ) -> Result<(), CommandError> {
        let role = |label: String, who: String| Role { label, who };
        // Nothing else is anybody's own.
        let can_log_in = self.can_have(schema, PASSWORD);
        for relation in ["self", "manager", "owner"].into_iter().filter(|relation| subjects.contains(*relation)) {
            let who = match relation {
                "self" if !self.is_seen => {
                    self.left_out.push("self (the entry's classes may not be read by who asks here)".to_owned());
                    continue;
                }
                "self" if !can_log_in => {
                    self.left_out.push("self (the entry is of no class that has a password)".to_owned());
                    continue;
                }
                "self" => Some(self.target.clone()),
                "manager" if self.is_made => Some(format!("{MANAGER},{suffix}")),
                _ if self.is_made => None,
                _ => {
                    let entries = reached.subtree(&self.target, &[relation])?;
                    entries
                        .iter()
                        .find(|entry| entry.dn.eq_ignore_ascii_case(&self.target))
                        .and_then(|entry| values(entry, relation).first().cloned())
                }
            };
            match who {
                Some(who) if self.is_made => self.roles.push(role(relation.to_owned(), who)),
                // With whatever else this one is.
                Some(who) => self.roles.push(role(format!("{relation} ({})", rdn(&who)), who)),
                None => self.left_out.push(format!("{relation} (the entry has none)")),
            }
        }
        let named = rules.iter().flat_map(|rule| values(rule, "accesssubject"));
        let named = named.filter_map(|subject| subject.split_once(':').filter(|(kind, _)| kind.eq_ignore_ascii_case("entry")));
        let named: BTreeSet<String> = named.map(|(_, dn)| dn.trim().to_owned()).collect();
        self.roles.extend(named.into_iter().map(|dn| role(rdn(&dn), dn)));
        let anybody = format!("uid=matrix-anybody,{suffix}");
        self.person(&anybody);
        self.roles.push(role("whoever is logged in".to_owned(), anybody));
        self.roles.push(role("whoever is not".to_owned(), "anonymous".to_owned()));
        Ok(())
    }

    fn take_attribute(&mut self, schema: &Schema, name: &str) {
        let name = name.trim_start_matches('!');
        if let Some(class) = name.strip_prefix('@').and_then(|class| schema.object_class(class)) {
            self.take_class(schema, class);
        } else if let Some(attribute_type) = schema.attribute_type(name) {
            self.attributes.insert(attribute_type.name().to_owned());
        }
    }

    fn take_class(&mut self, schema: &Schema, class: &ObjectClass) {
        let types = class.must.iter().chain(&class.may);
        self.attributes.extend(types.map(|id| schema.attribute_type_by_id(*id).name().to_owned()));
    }

    /// The columns: those that were asked for, or what the rules name, one for each kind of the rest, and the entry itself.
    pub(super) fn columns(&self, schema: &Schema, wanted: &[String]) -> Result<Vec<Column>, CommandError> {
        let entry = Column { label: "(the entry)".to_owned(), attribute: None };
        let known = |name: &String| {
            let found = schema.attribute_type(name).map(AttributeType::name).map(str::to_owned);
            found.ok_or_else(|| CommandError::Usage(format!("--attribute: {name:?} is no attribute")))
        };
        let named = |name: String| Column { label: name.clone(), attribute: Some(name) };
        if !wanted.is_empty() {
            let mut columns = vec![entry];
            for name in wanted {
                columns.push(named(known(name)?));
            }
            return Ok(columns);
        }
        let mut names = self.attributes.clone();
        names.insert(PASSWORD.to_owned());
        names.retain(|name| self.can_have(schema, name));
        let rest = |label: &str, of: &[&str]| {
            let attribute = of.iter().find(|name| !self.attributes.contains(**name) && self.can_have(schema, name));
            let attribute = attribute.map(|&name| name.to_owned());
            attribute.map(|name| Column { label: label.to_owned(), attribute: Some(name) })
        };
        let rest = [rest("(other user attributes)", &USER), rest("(other operational attributes)", &OPERATIONAL)];
        let columns = std::iter::once(entry).chain(names.iter().cloned().map(named)).chain(rest.into_iter().flatten());
        Ok(columns.collect())
    }

    /// What the matrix is about.
    pub(super) fn target_text(&self) -> String {
        if self.is_made { "A person made for it directly below the suffix".to_owned() } else { format!("Entry {}", self.target) }
    }
}

fn values<'e>(entry: &'e TextEntry, name: &str) -> &'e [String] {
    entry.attributes.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// The first part of a name.
fn rdn(dn: &str) -> String {
    let parsed = crate::model::Dn::parse(dn.as_bytes());
    parsed.ok().and_then(|dn| dn.rdns.first().map(ToString::to_string)).unwrap_or_else(|| dn.to_owned())
}
