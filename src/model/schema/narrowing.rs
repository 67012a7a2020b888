//! What a change of definitions may not do: take away what entries, other definitions or the program itself rely on.

use super::{
    AttributeType, AttributeUsage, DitContentRule, DitStructureRule, NameForm, ObjectClass, Schema, SchemaDefinition,
    SchemaElement,
};
use crate::model::AttributeTypeId;

/// How many entries rely on definitions. Numbers and indexes are those of the schema before the change.
pub struct SchemaUsage<'a> {
    /// Entries that have values of exactly this type.
    pub attribute_type: &'a dyn Fn(AttributeTypeId) -> u64,
    /// Entries that list exactly this class (an index into [`Schema::object_classes`]).
    pub object_class: &'a dyn Fn(usize) -> u64,
}

/// Definitions that a change takes away or replaces.
pub struct SchemaChange<'a> {
    /// Kind and identifier of those that go.
    pub removed: &'a [(SchemaElement, String)],
    /// Those that come, new or in place of others.
    pub put: &'a [SchemaDefinition],
}

impl SchemaChange<'_> {
    fn touches(&self, element: SchemaElement, identifier: &str) -> bool {
        let is_removed = self.removed.iter().any(|(kind, known)| *kind == element && known == identifier);
        is_removed || self.put.iter().any(|put| put.element == element && put.identifier == identifier)
    }
}

/// Who keeps a definition as it is.
enum Keeper {
    Program,
    Entries(u64),
}

impl Schema {
    /// Why the definitions that a change takes away must stay: the program has them built in (`built_in` is the schema without any change),
    /// entries use them, or definitions that the change leaves alone name them.
    pub fn check_removals(&self, built_in: &Schema, usage: &SchemaUsage<'_>, change: &SchemaChange<'_>) -> Result<(), String> {
        for (element, identifier) in change.removed {
            let title = self.title_of(*element, identifier);
            if built_in.definition_exists(*element, identifier) {
                return Err(format!("{title} is built in and cannot be removed"));
            }
            let entries = match element {
                SchemaElement::AttributeType => self.attribute_type(identifier).map_or(0, |it| (usage.attribute_type)(it.id)),
                SchemaElement::ObjectClass => self.entries_of_class(usage, identifier),
                SchemaElement::DitContentRule | SchemaElement::NameForm | SchemaElement::DitStructureRule => 0,
            };
            if entries > 0 {
                return Err(format!("{title} is in use: {}", entry_count(entries)));
            }
            if let Some(other) = self.named_by(*element, identifier, change) {
                return Err(format!("{title} is in use: {other}"));
            }
            if *element == SchemaElement::DitContentRule
                && let Some(rule) = self.content_rule_by_oid(identifier)
            {
                self.check_content_rule(rule, None, usage)?;
            }
        }
        Ok(())
    }

    /// What only a content rule allows, and entries have, it goes on allowing. What it precludes or asks for anew is looked at when an
    /// entry is changed next.
    fn check_content_rule(
        &self,
        before: &DitContentRule,
        after: Option<&DitContentRule>,
        usage: &SchemaUsage<'_>,
    ) -> Result<(), String> {
        if self.entries_of_class(usage, &before.oid) == 0 {
            return Ok(());
        }
        let (must, may) = self.attributes_of_class(before.structural_class);
        let allowed = |rule: &DitContentRule, id| rule.must.contains(id) || rule.may.contains(id);
        let lost = before.must.iter().chain(&before.may).filter(|id| !must.contains(id) && !may.contains(id));
        for id in lost.filter(|id| after.is_none_or(|after| !allowed(after, id))) {
            let entries = (usage.attribute_type)(*id);
            if entries > 0 {
                let attribute = self.attribute_type_by_id(*id).name();
                return Err(format!(
                    "DIT content rule '{}' is in use: it allows attribute '{attribute}', and {}",
                    before.name(),
                    entry_count(entries)
                ));
            }
        }
        Ok(())
    }

    fn content_rule_by_oid(&self, oid: &str) -> Option<&DitContentRule> {
        self.dit_content_rules().iter().find(|rule| rule.oid == oid)
    }

    /// Why the definitions that are in this schema and in `new` must not change as they do there. What nothing uses may change in any
    /// way; what is used may only be widened.
    pub fn check_widening(&self, new: &Schema, built_in: &Schema, usage: &SchemaUsage<'_>) -> Result<(), String> {
        for (before, after) in self.attribute_types.iter().zip(&new.attribute_types) {
            if before.is_removed() || after.is_removed() {
                continue;
            }
            let is_built_in = built_in.attribute_type(&before.oid).is_some();
            let keeper = match (usage.attribute_type)(before.id) {
                _ if is_built_in => Keeper::Program,
                0 => continue,
                entries => Keeper::Entries(entries),
            };
            if let Some(what) = self.narrowed_type(before, after, new, is_built_in) {
                return Err(refusal(&format!("attribute type '{}'", before.name()), &keeper, what));
            }
        }
        for (index, before) in self.object_classes.iter().enumerate() {
            let Some(after) = new.class_names.get(&before.oid).and_then(|after| new.object_classes.get(after as usize)) else {
                continue;
            };
            let keeper = match self.entries_of_class(usage, &before.oid) {
                _ if built_in.object_class(&before.oid).is_some() => Keeper::Program,
                0 => continue,
                entries => Keeper::Entries(entries),
            };
            if let Some(what) = self.narrowed_class(index, before, after, new) {
                return Err(refusal(&format!("object class '{}'", before.name()), &keeper, what));
            }
        }
        for before in self.dit_content_rules() {
            if let Some(after) = new.content_rule_by_oid(&before.oid) {
                self.check_content_rule(before, Some(after), usage)?;
            }
        }
        Ok(())
    }

    /// The part of an attribute type that may not change so.
    fn narrowed_type(&self, before: &AttributeType, after: &AttributeType, new: &Schema, built_in: bool) -> Option<&'static str> {
        let oid = |rule: Option<&'static super::MatchingRule>| rule.map(|rule| rule.oid);
        let lost = |before: Option<&'static super::MatchingRule>, after| before.is_some() && oid(before) != oid(after);
        let superior =
            |schema: &Schema, it: &AttributeType| it.superior.map(|superior| schema.attribute_type_by_id(superior).oid.clone());
        // The server writes these itself.
        let is_ours = built_in && (before.usage != AttributeUsage::UserApplications || before.secret);
        let checks = [
            (before.name() != after.name() || loses_name(&before.names, &after.names), "NAME"),
            (before.syntax.oid != after.syntax.oid, "SYNTAX"),
            (oid(before.equality) != oid(after.equality), "EQUALITY"),
            (lost(before.ordering, after.ordering), "ORDERING"),
            (lost(before.substring, after.substring), "SUBSTR"),
            (superior(self, before) != superior(new, after), "SUP"),
            (!before.single_value && after.single_value, "SINGLE-VALUE"),
            (is_ours && before.single_value != after.single_value, "SINGLE-VALUE"),
            (before.collective != after.collective, "COLLECTIVE"),
            (before.no_user_modification != after.no_user_modification, "NO-USER-MODIFICATION"),
            (before.usage != after.usage, "USAGE"),
            (before.secret != after.secret, "X-SECRET"),
            (before.integrity != after.integrity, "X-INTEGRITY"),
            (is_ours && before.obsolete != after.obsolete, "OBSOLETE"),
        ];
        checks.into_iter().find_map(|(is_narrowed, what)| is_narrowed.then_some(what))
    }

    /// The part of a class that may not change so: what its superiors say counts as its own.
    fn narrowed_class(&self, index: usize, before: &ObjectClass, after: &ObjectClass, new: &Schema) -> Option<&'static str> {
        let new_index = new.class_names.get(&before.oid).map_or(usize::MAX, |index| index as usize);
        let line = |schema: &Schema, index: usize| {
            let classes = schema.class_lines.get(index).map_or(&[][..], Vec::as_slice);
            let mut oids: Vec<String> =
                classes.iter().filter_map(|&class| schema.object_classes.get(class)).map(|class| class.oid.clone()).collect();
            oids.sort_unstable();
            oids
        };
        let (must, may) = self.attributes_of_class(index);
        let (new_must, new_may) = new.attributes_of_class(new_index);
        let checks = [
            (before.name() != after.name() || loses_name(&before.names, &after.names), "NAME"),
            (before.kind != after.kind, "kind (ABSTRACT, STRUCTURAL or AUXILIARY)"),
            (line(self, index) != line(new, new_index), "SUP"),
            (new_must.iter().any(|id| !must.contains(id)), "MUST"),
            (must.iter().chain(&may).any(|id| !new_must.contains(id) && !new_may.contains(id)), "MAY"),
        ];
        checks.into_iter().find_map(|(is_narrowed, what)| is_narrowed.then_some(what))
    }

    /// MUST and MAY of a class and all above it.
    fn attributes_of_class(&self, index: usize) -> (Vec<AttributeTypeId>, Vec<AttributeTypeId>) {
        let line = self.class_lines.get(index).map_or(&[][..], Vec::as_slice);
        let classes = || line.iter().filter_map(|&class| self.object_classes.get(class));
        (classes().flat_map(|class| class.must.clone()).collect(), classes().flat_map(|class| class.may.clone()).collect())
    }

    /// Entries that are of a class: those that list it or a class below it. One that lists several counts several times.
    fn entries_of_class(&self, usage: &SchemaUsage<'_>, identifier: &str) -> u64 {
        let Some(class) = self.class_names.get(identifier).map(|class| class as usize) else { return 0 };
        let is_below = |line: &Vec<usize>| line.contains(&class);
        let below = self.class_lines.iter().enumerate().filter(|(_, line)| is_below(line));
        below.map(|(index, _)| (usage.object_class)(index)).fold(0, u64::saturating_add)
    }

    /// A definition that names this one and that the change leaves as it is.
    fn named_by(&self, element: SchemaElement, identifier: &str, change: &SchemaChange<'_>) -> Option<String> {
        match element {
            SchemaElement::AttributeType => self.type_named_by(self.attribute_type(identifier)?.id, change),
            SchemaElement::ObjectClass => self.class_named_by(self.class_names.get(identifier)? as usize, change),
            SchemaElement::NameForm => {
                let form = self.name_forms().iter().position(|form| form.oid == identifier)?;
                let rule = self.structure_rules_left(change).find(|rule| rule.form == form)?;
                Some(format!("FORM of DIT structure rule {} names it", rule.number))
            }
            SchemaElement::DitStructureRule => {
                let index = self.dit_structure_rules().iter().position(|rule| rule.number.to_string() == identifier)?;
                let rule = self.structure_rules_left(change).find(|rule| rule.superiors.contains(&index))?;
                Some(format!("SUP of DIT structure rule {} names it", rule.number))
            }
            SchemaElement::DitContentRule => None,
        }
    }

    fn structure_rules_left(&self, change: &SchemaChange<'_>) -> impl Iterator<Item = &DitStructureRule> {
        let stays = |rule: &&DitStructureRule| !change.touches(SchemaElement::DitStructureRule, &rule.number.to_string());
        self.dit_structure_rules().iter().filter(stays)
    }

    fn type_named_by(&self, id: AttributeTypeId, change: &SchemaChange<'_>) -> Option<String> {
        let mut types = self.attribute_types.iter().filter(|it| !change.touches(SchemaElement::AttributeType, &it.oid));
        if let Some(below) = types.find(|it| it.superior == Some(id)) {
            return Some(format!("SUP of attribute type '{}' names it", below.name()));
        }
        let keyword = |lists: &[(&'static str, &[AttributeTypeId])]| {
            lists.iter().find(|(_, list)| list.contains(&id)).map(|(keyword, _)| *keyword)
        };
        let mut classes = self.object_classes.iter().filter(|it| !change.touches(SchemaElement::ObjectClass, &it.oid));
        let by_class = classes.find_map(|class| {
            let keyword = keyword(&[("MUST", &class.must), ("MAY", &class.may)])?;
            Some(format!("{keyword} of object class '{}' names it", class.name()))
        });
        let mut rules = self.dit_content_rules().iter().filter(|it| !change.touches(SchemaElement::DitContentRule, &it.oid));
        let by_rule = || {
            rules.find_map(|rule| {
                let keyword = keyword(&[("MUST", &rule.must), ("MAY", &rule.may), ("NOT", &rule.not)])?;
                Some(format!("{keyword} of DIT content rule '{}' names it", rule.name()))
            })
        };
        let mut forms = self.name_forms().iter().filter(|it| !change.touches(SchemaElement::NameForm, &it.oid));
        let by_form = || {
            forms.find_map(|form| {
                let keyword = keyword(&[("MUST", &form.must), ("MAY", &form.may)])?;
                Some(format!("{keyword} of name form '{}' names it", form.name()))
            })
        };
        by_class.or_else(by_rule).or_else(by_form)
    }

    fn class_named_by(&self, index: usize, change: &SchemaChange<'_>) -> Option<String> {
        let mut classes = self.object_classes.iter().filter(|it| !change.touches(SchemaElement::ObjectClass, &it.oid));
        if let Some(below) = classes.find(|class| class.superiors.contains(&index)) {
            return Some(format!("SUP of object class '{}' names it", below.name()));
        }
        let mut rules = self.dit_content_rules().iter().filter(|it| !change.touches(SchemaElement::DitContentRule, &it.oid));
        if let Some(rule) = rules.find(|rule| rule.structural_class == index || rule.auxiliaries.contains(&index)) {
            return Some(format!("DIT content rule '{}' names it", rule.name()));
        }
        let mut forms = self.name_forms().iter().filter(|it| !change.touches(SchemaElement::NameForm, &it.oid));
        let form = forms.find(|form| form.structural_class == index)?;
        Some(format!("OC of name form '{}' names it", form.name()))
    }

    /// Whether there is a definition of this kind with this identifier.
    pub fn definition_exists(&self, element: SchemaElement, identifier: &str) -> bool {
        match element {
            SchemaElement::AttributeType => self.attribute_type(identifier).is_some_and(|it| it.oid == identifier),
            SchemaElement::ObjectClass => self.object_class(identifier).is_some_and(|it| it.oid == identifier),
            SchemaElement::DitContentRule => self.content_rule_by_oid(identifier).is_some(),
            SchemaElement::NameForm => self.name_form(identifier).is_some_and(|it| it.oid == identifier),
            SchemaElement::DitStructureRule => identifier.parse().is_ok_and(|number| self.dit_structure_rule(number).is_some()),
        }
    }

    /// `attribute type 'zork'`
    fn title_of(&self, element: SchemaElement, identifier: &str) -> String {
        let name = match element {
            SchemaElement::AttributeType => self.attribute_type(identifier).map(AttributeType::name),
            SchemaElement::ObjectClass => self.object_class(identifier).map(ObjectClass::name),
            SchemaElement::DitContentRule => self.content_rule_by_oid(identifier).map(DitContentRule::name),
            SchemaElement::NameForm => self.name_form(identifier).map(NameForm::name),
            SchemaElement::DitStructureRule => None,
        };
        format!("{} '{}'", element.title(), name.unwrap_or(identifier))
    }
}

fn loses_name(before: &[String], after: &[String]) -> bool {
    before.iter().any(|name| !after.iter().any(|other| other.eq_ignore_ascii_case(name)))
}

fn refusal(title: &str, keeper: &Keeper, what: &str) -> String {
    match keeper {
        Keeper::Program => format!("{title} is built in: its {what} cannot change so"),
        Keeper::Entries(entries) => format!("{title} is in use: {}, so its {what} cannot change so", entry_count(*entries)),
    }
}

fn entry_count(entries: u64) -> String {
    match entries {
        1 => "1 entry has it".to_owned(),
        entries => format!("{entries} entries have it"),
    }
}
