//! An export that slapadd takes: without what only this server keeps, and with the definitions that slapd lacks in a file of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::command::{CommandError, output};
use crate::directory::{Directory, MembershipAttribute};
use crate::model::schema::{AttributeType, AttributeUsage, ObjectClass, Schema};
use crate::model::{AttributeTypeId, AttributeView, EntryId};

/// In our copies of slapd's files, and not in slapd's own.
const NOT_THERE: [&str; 1] = ["groupOfMembers"];

/// What a slapd has, and what the exported entries need beyond it.
pub(super) struct ForOpenldap {
    there: Schema,
    attribute_types: BTreeSet<AttributeTypeId>,
    object_classes: BTreeSet<usize>,
    /// Operational attributes of ours, left out: name and values.
    left_out: BTreeMap<String, u64>,
    needs_ppolicy: bool,
    /// Groups without a member, which slapd's groupOfNames does not allow.
    empty_groups: Vec<String>,
}

impl ForOpenldap {
    pub(super) fn new() -> Result<ForOpenldap, CommandError> {
        let there = Schema::known_to_openldap().map_err(|error| CommandError::Cannot(error.to_string()))?;
        Ok(ForOpenldap {
            there,
            attribute_types: BTreeSet::new(),
            object_classes: BTreeSet::new(),
            left_out: BTreeMap::new(),
            needs_ppolicy: false,
            empty_groups: Vec::new(),
        })
    }

    /// Whether slapd takes this attribute.
    pub(super) fn takes(&mut self, schema: &Schema, attribute: &AttributeView<'_>) -> bool {
        let definition = schema.attribute_type_by_id(attribute.attribute_type);
        if definition.name() == "objectClass" {
            attribute.values().for_each(|class| self.needs_class(schema, class));
        }
        self.takes_type(schema, definition, attribute.values().count())
    }

    /// The same for so many values of a type.
    pub(super) fn takes_type(&mut self, schema: &Schema, definition: &AttributeType, values: usize) -> bool {
        if self.there.attribute_type(definition.name()).is_some() {
            return true;
        }
        if of_password_policy(definition.name()) {
            self.needs_ppolicy = true;
            return true;
        }
        if definition.usage != AttributeUsage::UserApplications {
            *self.left_out.entry(definition.name().to_owned()).or_default() += values as u64;
            return false;
        }
        self.needs_type(schema, definition);
        true
    }

    /// An entry that was written: a group without members is noted.
    pub(super) fn group(&mut self, directory: &Directory, id: EntryId) {
        let members = [MembershipAttribute::Member, MembershipAttribute::UniqueMember];
        let has_members = members.into_iter().any(|attribute| directory.member_count(id, attribute) > 0);
        let Some(node) = directory.node(id).filter(|_| !has_members) else { return };
        let object_class = directory.schema().attribute_type("objectClass").map(|it| it.id);
        let mut classes = object_class.into_iter().flat_map(|it| node.entry.values(it));
        let needs_members =
            |class: &[u8]| [&b"groupOfNames"[..], b"groupOfUniqueNames"].iter().any(|name| class.eq_ignore_ascii_case(name));
        if classes.any(needs_members) {
            self.empty_groups.push(directory.dn_text(id));
        }
    }

    fn needs_class(&mut self, schema: &Schema, name: &[u8]) {
        let name = String::from_utf8_lossy(name);
        for &index in schema.class_with_superiors(&name) {
            let Some(class) = schema.object_classes().get(index).filter(|class| !self.has_class(class)) else { continue };
            if of_password_policy(class.name()) {
                self.needs_ppolicy = true;
            } else if self.object_classes.insert(index) {
                class.must.iter().chain(&class.may).for_each(|&id| self.needs_type(schema, schema.attribute_type_by_id(id)));
            }
        }
    }

    fn has_class(&self, class: &ObjectClass) -> bool {
        self.there.object_class(class.name()).is_some() && !NOT_THERE.contains(&class.name())
    }

    fn needs_type(&mut self, schema: &Schema, definition: &AttributeType) {
        if of_password_policy(definition.name()) {
            return;
        }
        let is_new = self.there.attribute_type(definition.name()).is_none() && self.attribute_types.insert(definition.id);
        if let Some(superior) = definition.superior.filter(|_| is_new) {
            self.needs_type(schema, schema.attribute_type_by_id(superior));
        }
    }

    /// Writes the definitions that slapd lacks and says what else its administrator must know.
    pub(super) fn finish(&self, schema: &Schema, file: Option<&Path>) -> Result<(), CommandError> {
        for (name, values) in &self.left_out {
            output::remark(format_args!(
                "{values} values of {name} left out: slapd takes no operational attribute it does not know"
            ));
        }
        if self.needs_ppolicy {
            output::remark("slapd needs its password policy overlay for this file: moduleload ppolicy, overlay ppolicy");
        }
        for dn in &self.empty_groups {
            output::remark(format_args!("{dn} has no member: slapd refuses such a groupOfNames; give it one or leave it out"));
        }
        let text = self.definitions(schema);
        match file {
            Some(file) => {
                std::fs::write(file, text).map_err(|error| CommandError::Cannot(format!("{}: {error}", file.display())))?;
                output::remark(format_args!("slapd must include {} before it takes this file", file.display()));
            }
            None if text.is_empty() => {}
            None => output::remark("slapd lacks definitions for this file; have them written with --schema-out FILE"),
        }
        Ok(())
    }

    fn definitions(&self, schema: &Schema) -> String {
        let classes = schema.published_object_classes();
        let mut text = String::new();
        // A superior comes before those below it: it was loaded first.
        let types = self.attribute_types.iter().filter_map(|id| schema.published_attribute_type(*id));
        types.for_each(|definition| line(&mut text, "attributetype", definition));
        let classes = self.object_classes.iter().filter_map(|&index| classes.get(index));
        classes.for_each(|definition| line(&mut text, "objectclass", definition));
        text
    }
}

/// What slapd's password policy overlay defines itself.
fn of_password_policy(name: &str) -> bool {
    name.starts_with("pwd")
}

/// Writing to a String does not fail.
fn line(text: &mut String, keyword: &str, definition: &str) {
    let _ = writeln!(text, "{keyword} {definition}");
}
