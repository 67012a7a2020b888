//! From definitions in files to a [`Schema`]: names registered first, so that references may point forward and across files, then
//! superiors followed, then everything inherited.

use super::dit_loader;
use super::dit_text::{ContentRuleText, NameFormText, StructureRuleText};
use super::name_map::NameMap;
use super::register::{Loader, Placed};
use super::source::Source;
use super::substitute::Substitutes;
use super::text::{self, AttributeTypeText, Extensions, ObjectClassText};
use super::{AttributeType, AttributeUsage, MatchingRule, ObjectClass, ObjectClassKind, RuleKind, Schema, SchemaError, Syntax};
use super::{content, dit_text, matching_rule, publish, syntax};
use crate::model::AttributeTypeId;

/// Loads files that all count the same.
pub(super) fn load(files: &[(&str, &str)]) -> Result<Schema, SchemaError> {
    let mut loader = Loader::default();
    for source in &Source::read_all(files) {
        loader.read(source)?;
    }
    loader.finish().map(|(schema, _)| schema)
}

/// Loads files beside those that are built in, and says what was left out of them.
pub(super) fn load_beside(built_in: &[(&str, &str)], files: &[(&str, &str)]) -> Result<(Schema, Vec<SchemaError>), SchemaError> {
    let mut loader = Loader::default();
    for source in &Source::read_all(built_in) {
        loader.read(source)?;
    }
    loader.end_of_built_in();
    for source in &Source::read_all(files) {
        loader.read(source)?;
    }
    loader.leave_out_unknown_rules();
    loader.finish()
}

impl Loader {
    fn finish(mut self) -> Result<(Schema, Vec<SchemaError>), SchemaError> {
        let superiors = self.type_superiors()?;
        let attribute_types =
            (0..self.types.len()).map(|index| self.attribute_type(index, &superiors)).collect::<Result<Vec<_>, _>>()?;
        let object_classes = self.classes.iter().map(|class| self.object_class(class)).collect::<Result<Vec<_>, _>>()?;
        let class_lines = self.class_lines(&object_classes)?;
        let class_contents = content::contents(&object_classes, &class_lines, attribute_types.len());
        let dit_rules = dit_loader::resolve(&mut self, &object_classes, &class_lines)?;
        let mut rule_names = NameMap::default();
        for (index, rule) in matching_rule::RULES.iter().enumerate() {
            rule_names.insert(rule.oid, index as u32);
            rule_names.insert(rule.name, index as u32);
        }
        let schema = Schema {
            subtypes: subtypes(&superiors),
            key_names: attribute_types.iter().map(|definition| definition.name().to_ascii_lowercase().into_boxed_str()).collect(),
            type_origins: self.types.iter().map(|definition| format!("{}, line {}", definition.file, definition.line)).collect(),
            published_types: self.types.iter().map(|definition| publish::attribute_type(&definition.text)).collect(),
            published_classes: self.classes.iter().map(|definition| publish::object_class(&definition.text)).collect(),
            undefined: undefined_type(),
            attribute_types,
            type_names: self.type_names,
            object_classes,
            class_names: self.class_names,
            class_lines,
            class_contents,
            dit_rules,
            substitutes: self.substitutes,
            rule_names,
        };
        Ok((schema, self.notes))
    }

    /// Index of each type's superior, checked to be free of circles.
    fn type_superiors(&self) -> Result<Vec<Option<usize>>, SchemaError> {
        let mut superiors = Vec::with_capacity(self.types.len());
        for definition in &self.types {
            superiors.push(match &definition.text.superior {
                None => None,
                Some(name) => Some(self.find_type(definition, &type_title(&definition.text), "SUP", name)?.0 as usize),
            });
        }
        for (index, definition) in self.types.iter().enumerate() {
            if ancestry(&superiors, index).count() > superiors.len() {
                let title = type_title(&definition.text);
                return Err(definition.error(format!("{title}: following SUP never ends; remove one SUP of the circle")));
            }
        }
        Ok(superiors)
    }

    fn attribute_type(&self, index: usize, superiors: &[Option<usize>]) -> Result<AttributeType, SchemaError> {
        let lineage: Vec<&Placed<AttributeTypeText>> = ancestry(superiors, index).filter_map(|at| self.types.get(at)).collect();
        let Some(definition) = lineage.first() else { return Ok(undefined_type()) };
        let (text, title) = (&definition.text, type_title(&definition.text));
        let inherited =
            |of: fn(&AttributeTypeText) -> Option<&String>| lineage.iter().find_map(|ancestor| of(&ancestor.text)).cloned();
        let rule =
            |name: Option<String>, kind: RuleKind| find_rule(name, kind, &title).map_err(|problem| definition.error(problem));
        let usage = text.usage.unwrap_or(AttributeUsage::UserApplications);
        let superior_usage = lineage.get(1).map(|superior| superior.text.usage.unwrap_or(AttributeUsage::UserApplications));
        if superior_usage.is_some_and(|superior| superior != usage) {
            return Err(
                definition.error(format!("{title}: USAGE differs from its superior's; make both the same (RFC 4512 2.5.1)"))
            );
        }
        if text.no_user_modification && usage == AttributeUsage::UserApplications {
            return Err(definition.error(format!(
                "{title}: NO-USER-MODIFICATION needs an operational USAGE such as directoryOperation (RFC 4512 4.1.2)"
            )));
        }
        let syntax = find_syntax(inherited(|text| text.syntax.as_ref()), &self.substitutes, &title)
            .map_err(|problem| definition.error(problem))?;
        let secret = lineage.iter().any(|ancestor| is_secret(&ancestor.text));
        let is_name = [syntax::DN, syntax::NAME_AND_OPTIONAL_UID].contains(&syntax.oid);
        Ok(AttributeType {
            id: AttributeTypeId(index as u32),
            oid: text.oid.clone(),
            names: text.names.clone(),
            description: text.description.clone(),
            obsolete: text.obsolete,
            superior: superiors.get(index).copied().flatten().map(|superior| AttributeTypeId(superior as u32)),
            equality: rule(inherited(|text| text.equality.as_ref()), RuleKind::Equality)?,
            ordering: rule(inherited(|text| text.ordering.as_ref()), RuleKind::Ordering)?,
            substring: rule(inherited(|text| text.substring.as_ref()), RuleKind::Substring)?,
            syntax,
            length_bound: lineage.iter().find(|ancestor| ancestor.text.syntax.is_some()).and_then(|with| with.text.length_bound),
            single_value: text.single_value,
            collective: text.collective,
            no_user_modification: text.no_user_modification,
            usage,
            secret,
            integrity: is_name && !secret && usage == AttributeUsage::UserApplications && says(text, "X-INTEGRITY"),
            audit_read: lineage.iter().any(|ancestor| says(&ancestor.text, "X-AUDIT-READ")),
            extensions: text.extensions.clone(),
        })
    }

    fn object_class(&self, definition: &Placed<ObjectClassText>) -> Result<ObjectClass, SchemaError> {
        let (text, title) = (&definition.text, class_title(&definition.text));
        let kind = text.kind.unwrap_or(ObjectClassKind::Structural);
        let types = |keyword: &str, names: &[String]| {
            names.iter().map(|name| self.find_type(definition, &title, keyword, name)).collect::<Result<Vec<_>, _>>()
        };
        let mut superiors = Vec::new();
        for name in &text.superiors {
            let superior = self.class_names.get(name).ok_or_else(|| {
                definition.error(format!(
                    "{title}: SUP '{name}' is no object class of any loaded file; load its file or correct the name"
                ))
            })?;
            superiors.push(superior as usize);
            let other =
                self.classes.get(superior as usize).and_then(|class| class.text.kind).unwrap_or(ObjectClassKind::Structural);
            if other != ObjectClassKind::Abstract && other != kind {
                return Err(definition.error(format!(
                    "{title}: a class of kind {kind:?} cannot have the superior '{name}' of kind {other:?} (RFC 4512 2.4)"
                )));
            }
        }
        // RFC 4512 2.4.1: every structural class is a (perhaps indirect) subclass of top.
        if superiors.is_empty() && kind == ObjectClassKind::Structural {
            superiors.extend(self.class_names.get("top").map(|top| top as usize));
        }
        Ok(ObjectClass {
            oid: text.oid.clone(),
            names: text.names.clone(),
            description: text.description.clone(),
            obsolete: text.obsolete,
            superiors,
            kind,
            must: types("MUST", &text.must)?,
            may: types("MAY", &text.may)?,
            extensions: text.extensions.clone(),
        })
    }

    /// For each class: itself and every class above it, nearest first.
    fn class_lines(&self, classes: &[ObjectClass]) -> Result<Vec<Vec<usize>>, SchemaError> {
        let mut lines = Vec::with_capacity(classes.len());
        for (index, definition) in self.classes.iter().enumerate() {
            let mut line = vec![index];
            let mut next = 0;
            while let Some(&at) = line.get(next) {
                for &superior in classes.get(at).map_or(&[][..], |class| &class.superiors) {
                    if superior == index {
                        let title = class_title(&definition.text);
                        return Err(
                            definition.error(format!("{title}: following SUP comes back to it; remove one SUP of the circle"))
                        );
                    }
                    if !line.contains(&superior) {
                        line.push(superior);
                    }
                }
                next += 1;
            }
            lines.push(line);
        }
        Ok(lines)
    }

    pub(super) fn find_type<T>(
        &self,
        from: &Placed<T>,
        title: &str,
        keyword: &str,
        name: &str,
    ) -> Result<AttributeTypeId, SchemaError> {
        self.type_names.get(name).map(AttributeTypeId).ok_or_else(|| {
            from.error(format!(
                "{title}: {keyword} names '{name}', which is no attribute type of any loaded file; load its file or correct the name"
            ))
        })
    }
}

pub(super) fn attribute_type(definition: &str, source: &Source) -> Result<AttributeTypeText, String> {
    let mut text =
        text::attribute_type(definition).map_err(|problem| format!("attribute type {}: {problem}", excerpt(definition)))?;
    text.syntax = text.syntax.map(|syntax| source.expand(&syntax));
    text.superior = text.superior.map(|superior| source.expand(&superior));
    let title = type_title(&text);
    text.oid = identifier(source, &text.oid, &mut text.extensions, &title)?;
    Ok(text)
}

pub(super) fn object_class(definition: &str, source: &Source) -> Result<ObjectClassText, String> {
    let mut text =
        text::object_class(definition).map_err(|problem| format!("object class {}: {problem}", excerpt(definition)))?;
    text.superiors.iter_mut().for_each(|superior| *superior = source.expand(superior));
    let title = class_title(&text);
    text.oid = identifier(source, &text.oid, &mut text.extensions, &title)?;
    Ok(text)
}

pub(super) fn content_rule(definition: &str, source: &Source) -> Result<ContentRuleText, String> {
    let mut text =
        dit_text::content_rule(definition).map_err(|problem| format!("DIT content rule {}: {problem}", excerpt(definition)))?;
    text.oid = source.expand(&text.oid);
    Ok(text)
}

pub(super) fn name_form(definition: &str, source: &Source) -> Result<NameFormText, String> {
    let mut text = dit_text::name_form(definition).map_err(|problem| format!("name form {}: {problem}", excerpt(definition)))?;
    let title = dit_loader::name_form_title(&text);
    text.oid = identifier(source, &text.oid, &mut text.extensions, &title)?;
    Ok(text)
}

pub(super) fn structure_rule(definition: &str) -> Result<StructureRuleText, String> {
    dit_text::structure_rule(definition).map_err(|problem| format!("DIT structure rule {}: {problem}", excerpt(definition)))
}

/// Keeps the name that a definition has in place of an object identifier.
const NAMED: &str = "X-NAMED-OID";

/// The object identifier of a definition. Files of Sun, 389 and OpenDJ write `name-oid` where nobody registered one: it stands for a number
/// below 2.25 (ITU-T X.667) that is made of the name, so it is the same wherever the file is loaded.
fn identifier(source: &Source, written: &str, extensions: &mut Extensions, title: &str) -> Result<String, String> {
    let oid = source.expand(written);
    if text::is_numeric_oid(&oid) {
        return Ok(oid);
    }
    if !source.is_file() || !text::is_name(&oid) || !oid.to_ascii_lowercase().ends_with("-oid") {
        return Err(format!(
            "{title}: '{oid}' is no object identifier; write numbers and dots, if you have no arc of your own 2.25.<a UUID as a number>"
        ));
    }
    let hash = blake3::hash(format!("object identifier {}", oid.to_ascii_lowercase()).as_bytes());
    let octets = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
    // Version 8, variant 2 (RFC 9562 section 5.8).
    let number = u128::from_be_bytes(octets) & !(0xf << 76) & !(0x3 << 62) | 0x8 << 76 | 0x2 << 62;
    extensions.push((NAMED.to_owned(), vec![oid]));
    Ok(format!("2.25.{number}"))
}

/// The start of a definition that could not be read, enough to find it.
fn excerpt(definition: &str) -> String {
    let start: Vec<&str> = definition.split_whitespace().take(5).collect();
    format!("'{} …'", start.join(" ").chars().take(80).collect::<String>())
}

pub(super) fn type_title(text: &AttributeTypeText) -> String {
    format!("attribute type '{}'", text.names.first().unwrap_or(&text.oid))
}

pub(super) fn class_title(text: &ObjectClassText) -> String {
    format!("object class '{}'", text.names.first().unwrap_or(&text.oid))
}

pub(super) fn find_rule(name: Option<String>, kind: RuleKind, title: &str) -> Result<Option<&'static MatchingRule>, String> {
    let Some(name) = name else { return Ok(None) };
    match matching_rule::RULES.iter().find(|rule| rule.name.eq_ignore_ascii_case(&name) || rule.oid == name) {
        Some(rule) if rule.kind == kind => Ok(Some(rule)),
        Some(rule) => {
            Err(format!("{title}: matching rule '{}' decides {:?} and cannot be used for {kind:?}", rule.name, rule.kind))
        }
        None => Err(format!("{title}: matching rule '{name}' is unknown; use one that `cn=Subschema` lists, or leave it out")),
    }
}

pub(super) fn find_syntax(oid: Option<String>, substitutes: &Substitutes, title: &str) -> Result<&'static Syntax, String> {
    let Some(oid) = oid else {
        return Err(format!("{title}: neither SYNTAX nor a SUP that has one; add SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 for text"));
    };
    let found = syntax::find(&oid).or_else(|| substitutes.find(&oid));
    found.ok_or_else(|| format!("{title}: syntax '{oid}' is unknown; use one that `cn=Subschema` lists"))
}

pub(super) fn is_secret(text: &AttributeTypeText) -> bool {
    says(text, "X-SECRET")
}

/// Whether an extension is `'TRUE'`.
fn says(text: &AttributeTypeText, extension: &str) -> bool {
    let says_true = |values: &[String]| values.iter().any(|value| value.eq_ignore_ascii_case("TRUE"));
    text.extensions.iter().any(|(name, values)| name == extension && says_true(values))
}

/// The type and its superiors, nearest first; endless where superiors form a circle, so it is cut one step behind the longest line.
fn ancestry(superiors: &[Option<usize>], start: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(start), |&at| superiors.get(at).copied().flatten()).take(superiors.len() + 1)
}

/// For each type: itself, then every type below it.
fn subtypes(superiors: &[Option<usize>]) -> Vec<Vec<AttributeTypeId>> {
    let mut result: Vec<Vec<AttributeTypeId>> = (0..superiors.len()).map(|index| vec![AttributeTypeId(index as u32)]).collect();
    for index in 0..superiors.len() {
        for ancestor in ancestry(superiors, index).skip(1) {
            if let Some(below) = result.get_mut(ancestor) {
                below.push(AttributeTypeId(index as u32));
            }
        }
    }
    result
}

/// What [`Schema::attribute_type_by_id`] answers for a number of another schema: nothing matches it, nobody may write it.
fn undefined_type() -> AttributeType {
    AttributeType {
        id: AttributeTypeId(u32::MAX),
        oid: "0.0".to_owned(),
        names: Vec::new(),
        description: None,
        obsolete: true,
        superior: None,
        equality: None,
        ordering: None,
        substring: None,
        syntax: syntax::octet_string(),
        length_bound: None,
        single_value: false,
        collective: false,
        no_user_modification: true,
        usage: AttributeUsage::DirectoryOperation,
        secret: true,
        audit_read: false,
        integrity: false,
        extensions: Vec::new(),
    }
}
