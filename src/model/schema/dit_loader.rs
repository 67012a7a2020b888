//! From the text of DIT content rules, name forms and DIT structure rules to definitions whose references are resolved.

use super::dit_rule::{DitContentRule, DitStructureRule, NameForm};
use super::dit_text::{ContentRuleText, NameFormText, StructureRuleText};
use super::name_map::NameMap;
use super::register::{Loader, Placed};
use super::{ObjectClass, ObjectClassKind, SchemaError, publish};
use crate::model::AttributeTypeId;

/// The rules as they were written.
#[derive(Default)]
pub(super) struct DitTexts {
    pub(super) content_rules: Vec<Placed<ContentRuleText>>,
    pub(super) name_forms: Vec<Placed<NameFormText>>,
    form_names: NameMap,
    pub(super) structure_rules: Vec<Placed<StructureRuleText>>,
}

/// The rules of a schema.
#[derive(Default)]
pub(super) struct DitRules {
    pub(super) content_rules: Vec<DitContentRule>,
    pub(super) name_forms: Vec<NameForm>,
    pub(super) form_names: NameMap,
    pub(super) structure_rules: Vec<DitStructureRule>,
    pub(super) published_content_rules: Vec<String>,
    pub(super) published_name_forms: Vec<String>,
    pub(super) published_structure_rules: Vec<String>,
}

impl DitTexts {
    /// One rule a structural class; that it is one is looked at when all classes are known.
    pub(super) fn add_content_rule(&mut self, new: Placed<ContentRuleText>) -> Result<(), SchemaError> {
        match self.content_rules.iter().find(|known| known.text.oid.eq_ignore_ascii_case(&new.text.oid)) {
            Some(known) if known.text == new.text => Ok(()),
            Some(known) => Err(new.defined_twice(&content_rule_title(&new.text), known)),
            None => {
                self.content_rules.push(new);
                Ok(())
            }
        }
    }

    pub(super) fn add_name_form(&mut self, new: Placed<NameFormText>) -> Result<(), SchemaError> {
        let number = self.name_forms.len() as u32;
        for name in std::iter::once(&new.text.oid).chain(&new.text.names) {
            let Some(known) = self.form_names.get(name).and_then(|known| self.name_forms.get(known as usize)) else { continue };
            if known.text == new.text {
                return Ok(());
            }
            return Err(new.defined_twice(&name_form_title(&new.text), known));
        }
        for name in std::iter::once(&new.text.oid).chain(&new.text.names) {
            self.form_names.insert(name, number);
        }
        self.name_forms.push(new);
        Ok(())
    }

    pub(super) fn add_structure_rule(&mut self, new: Placed<StructureRuleText>) -> Result<(), SchemaError> {
        match self.structure_rules.iter().find(|known| known.text.number == new.text.number) {
            Some(known) if known.text == new.text => Ok(()),
            Some(known) => Err(new.defined_twice(&structure_rule_title(&new.text), known)),
            None => {
                self.structure_rules.push(new);
                Ok(())
            }
        }
    }
}

/// Resolves all rules.
pub(super) fn resolve(loader: &mut Loader, classes: &[ObjectClass], lines: &[Vec<usize>]) -> Result<DitRules, SchemaError> {
    let resolver = Resolver { loader, classes, lines };
    let texts = &loader.dit;
    let content_rules = texts.content_rules.iter().map(|rule| resolver.content_rule(rule)).collect::<Result<Vec<_>, _>>()?;
    if let Some((twice, _)) = texts.content_rules.iter().zip(&content_rules).enumerate().find_map(|(place, (text, rule))| {
        let earlier = content_rules.iter().take(place);
        earlier.into_iter().any(|other| other.structural_class == rule.structural_class).then_some((text, rule))
    }) {
        return Err(twice.error(format!(
            "{}: its structural class has another content rule already; a class has one",
            content_rule_title(&twice.text)
        )));
    }
    let name_forms = texts.name_forms.iter().map(|form| resolver.name_form(form)).collect::<Result<Vec<_>, _>>()?;
    let structure_rules = texts.structure_rules.iter().map(|rule| resolver.structure_rule(rule)).collect::<Result<_, _>>()?;
    Ok(DitRules {
        content_rules,
        name_forms,
        structure_rules,
        published_content_rules: texts.content_rules.iter().map(|rule| publish::content_rule(&rule.text)).collect(),
        published_name_forms: texts.name_forms.iter().map(|form| publish::name_form(&form.text)).collect(),
        published_structure_rules: texts.structure_rules.iter().map(|rule| publish::structure_rule(&rule.text)).collect(),
        form_names: std::mem::take(&mut loader.dit.form_names),
    })
}

struct Resolver<'a> {
    loader: &'a Loader,
    classes: &'a [ObjectClass],
    lines: &'a [Vec<usize>],
}

impl Resolver<'_> {
    fn content_rule(&self, definition: &Placed<ContentRuleText>) -> Result<DitContentRule, SchemaError> {
        let (text, title) = (&definition.text, content_rule_title(&definition.text));
        let structural_class = self.class_of_kind(definition, &title, &text.oid, ObjectClassKind::Structural)?;
        let auxiliary = |name: &String| self.class_of_kind(definition, &title, name, ObjectClassKind::Auxiliary);
        let auxiliaries = text.auxiliaries.iter().map(auxiliary).collect::<Result<Vec<_>, _>>()?;
        let types = |keyword: &str, names: &[String]| self.types(definition, &title, keyword, names);
        let rule = DitContentRule {
            oid: self.classes.get(structural_class).map_or_else(|| text.oid.clone(), |class| class.oid.clone()),
            names: text.names.clone(),
            description: text.description.clone(),
            obsolete: text.obsolete,
            structural_class,
            must: types("MUST", &text.must)?,
            may: types("MAY", &text.may)?,
            not: types("NOT", &text.not)?,
            auxiliaries,
            extensions: text.extensions.clone(),
        };
        for (id, name) in rule.not.iter().zip(&text.not) {
            let classes = rule.auxiliaries.iter().chain([&rule.structural_class]).filter_map(|&class| self.lines.get(class));
            let required = classes.flatten().filter_map(|&class| self.classes.get(class)).find(|class| class.must.contains(id));
            if let Some(class) = required {
                let class = class.name();
                return Err(definition.error(format!(
                    "{title}: NOT precludes '{name}', which object class '{class}' requires; leave one of the two out (RFC 4512 4.1.6)"
                )));
            }
            if rule.must.contains(id) || rule.may.contains(id) {
                return Err(
                    definition.error(format!("{title}: '{name}' is both allowed and precluded; leave one of the two out"))
                );
            }
        }
        Ok(rule)
    }

    fn name_form(&self, definition: &Placed<NameFormText>) -> Result<NameForm, SchemaError> {
        let (text, title) = (&definition.text, name_form_title(&definition.text));
        let form = NameForm {
            oid: text.oid.clone(),
            names: text.names.clone(),
            description: text.description.clone(),
            obsolete: text.obsolete,
            structural_class: self.class_of_kind(definition, &title, &text.class, ObjectClassKind::Structural)?,
            must: self.types(definition, &title, "MUST", &text.must)?,
            may: self.types(definition, &title, "MAY", &text.may)?,
            extensions: text.extensions.clone(),
        };
        if let Some((_, name)) = form.may.iter().zip(&text.may).find(|(id, _)| form.must.contains(id)) {
            return Err(definition.error(format!("{title}: '{name}' is in MUST and in MAY; leave it in one (RFC 4512 4.1.7.2)")));
        }
        Ok(form)
    }

    fn structure_rule(&self, definition: &Placed<StructureRuleText>) -> Result<DitStructureRule, SchemaError> {
        let (text, title) = (&definition.text, structure_rule_title(&definition.text));
        let form = self.loader.dit.form_names.get(&text.form).ok_or_else(|| {
            definition.error(format!(
                "{title}: FORM names '{}', which is no name form of any loaded file; load its file or correct the name",
                text.form
            ))
        })?;
        let rules = &self.loader.dit.structure_rules;
        let superior = |number: &u32| {
            rules.iter().position(|rule| rule.text.number == *number).ok_or_else(|| {
                definition.error(format!(
                    "{title}: SUP names rule {number}, which is no structure rule of any loaded file; load its file or correct the number"
                ))
            })
        };
        Ok(DitStructureRule {
            number: text.number,
            names: text.names.clone(),
            description: text.description.clone(),
            obsolete: text.obsolete,
            form: form as usize,
            superiors: text.superiors.iter().map(superior).collect::<Result<_, _>>()?,
            extensions: text.extensions.clone(),
        })
    }

    fn types<T>(
        &self,
        from: &Placed<T>,
        title: &str,
        keyword: &str,
        names: &[String],
    ) -> Result<Vec<AttributeTypeId>, SchemaError> {
        names.iter().map(|name| self.loader.find_type(from, title, keyword, name)).collect()
    }

    fn class_of_kind<T>(&self, from: &Placed<T>, title: &str, name: &str, kind: ObjectClassKind) -> Result<usize, SchemaError> {
        let index = self.loader.class_names.get(name).ok_or_else(|| {
            from.error(format!("{title}: '{name}' is no object class of any loaded file; load its file or correct the name"))
        })? as usize;
        match self.classes.get(index) {
            Some(class) if class.kind == kind => Ok(index),
            _ => Err(from.error(format!("{title}: object class '{name}' is not of kind {kind:?}; name one that is"))),
        }
    }
}

pub(super) fn content_rule_title(text: &ContentRuleText) -> String {
    format!("DIT content rule '{}'", text.names.first().unwrap_or(&text.oid))
}

pub(super) fn name_form_title(text: &NameFormText) -> String {
    format!("name form '{}'", text.names.first().unwrap_or(&text.oid))
}

pub(super) fn structure_rule_title(text: &StructureRuleText) -> String {
    match text.names.first() {
        Some(name) => format!("DIT structure rule {} '{name}'", text.number),
        None => format!("DIT structure rule {}", text.number),
    }
}
