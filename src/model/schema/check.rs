//! What a schema file would add to a loaded schema, and what it clashes with: `bindery schema check`.

use super::name_map::NameMap;
use super::source::{Definition, DefinitionKind, Source};
use super::text::{AttributeTypeText, ObjectClassText};
use super::{RuleKind, Schema, SchemaError, dit_loader, loader, publish, same};

/// One thing to say about a definition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The definition is new and fits.
    Adds {
        /// Line it starts on, from 1.
        line: u64,
        /// `attribute type 'x' (1.2.3)`
        definition: String,
    },
    /// The schema has this very definition already; loading it again changes nothing.
    AlreadyThere {
        /// Line it starts on, from 1.
        line: u64,
        /// `attribute type 'x' (1.2.3)`
        definition: String,
    },
    /// The definition cannot be loaded: it cannot be read, clashes with a loaded one, or names what is not there.
    Problem(SchemaError),
}

/// All findings about one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The file's name as given.
    pub file: String,
    /// In the order of the file.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing stands against loading the file.
    pub fn is_clean(&self) -> bool {
        !self.findings.iter().any(|finding| matches!(finding, Finding::Problem(_)))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Finding::Adds { line, definition } => write!(f, "line {line}: adds {definition}"),
            Finding::AlreadyThere { line, definition } => write!(f, "line {line}: {definition} is already there"),
            Finding::Problem(error) => write!(f, "{error}"),
        }
    }
}

impl Schema {
    /// Says of each definition in a file (LDIF or OpenLDAP's `.schema` form) whether it would be added, is there already, or why it cannot
    /// be loaded. A file that cannot be split into definitions has that one problem.
    pub fn check(&self, name: &str, text: &str) -> Report {
        let mut report = Report { file: name.to_owned(), findings: Vec::new() };
        match Source::read(name, text) {
            Err(error) => report.findings.push(Finding::Problem(error)),
            Ok(source) => Checker::new(self, name, &source).check(&source, &mut report.findings),
        }
        if report.is_clean() && report.findings.iter().any(|finding| matches!(finding, Finding::Adds { .. })) {
            self.check_as_a_whole(name, text, &mut report.findings);
        }
        report
    }

    /// What only loading shows: circles of SUP, kinds and usages that do not agree.
    fn check_as_a_whole(&self, name: &str, text: &str, findings: &mut Vec<Finding>) {
        let loaded: String = self
            .published_types
            .iter()
            .map(|definition| format!("attributeTypes: {definition}\n"))
            .chain(self.published_classes.iter().map(|definition| format!("objectClasses: {definition}\n")))
            .chain(self.dit_rules.published_content_rules.iter().map(|rule| format!("dITContentRules: {rule}\n")))
            .chain(self.dit_rules.published_name_forms.iter().map(|form| format!("nameForms: {form}\n")))
            .chain(self.dit_rules.published_structure_rules.iter().map(|rule| format!("dITStructureRules: {rule}\n")))
            .collect();
        if let Err(error) = Schema::load(&[("the loaded schema", &loaded), (name, text)]) {
            findings.push(Finding::Problem(error));
        }
    }
}

struct Checker<'a> {
    schema: &'a Schema,
    file: &'a str,
    /// Names the file itself defines: references to them are fine, wherever they stand.
    own_types: NameMap,
    own_classes: NameMap,
}

impl<'a> Checker<'a> {
    fn new(schema: &'a Schema, file: &'a str, source: &Source) -> Checker<'a> {
        let mut checker = Checker { schema, file, own_types: NameMap::default(), own_classes: NameMap::default() };
        for (number, definition) in source.definitions.iter().enumerate() {
            let (map, oid, names) = match definition.kind {
                DefinitionKind::AttributeType => match loader::attribute_type(&definition.text, source) {
                    Ok(text) => (&mut checker.own_types, text.oid, text.names),
                    Err(_) => continue,
                },
                DefinitionKind::ObjectClass => match loader::object_class(&definition.text, source) {
                    Ok(text) => (&mut checker.own_classes, text.oid, text.names),
                    Err(_) => continue,
                },
                DefinitionKind::ContentRule | DefinitionKind::NameForm | DefinitionKind::StructureRule => continue,
            };
            for name in std::iter::once(&oid).chain(&names) {
                map.insert(name, number as u32);
            }
        }
        checker
    }

    fn check(&self, source: &Source, findings: &mut Vec<Finding>) {
        for (number, definition) in source.definitions.iter().enumerate() {
            let (title, problems, known) = match definition.kind {
                DefinitionKind::AttributeType => match loader::attribute_type(&definition.text, source) {
                    Ok(text) => self.attribute_type(&text, number as u32),
                    Err(problem) => (String::new(), vec![problem], false),
                },
                DefinitionKind::ObjectClass => match loader::object_class(&definition.text, source) {
                    Ok(text) => self.object_class(&text, number as u32),
                    Err(problem) => (String::new(), vec![problem], false),
                },
                _ => self.dit_rule(definition, source).unwrap_or_else(|problem| (String::new(), vec![problem], false)),
            };
            let line = definition.line;
            if problems.is_empty() {
                findings.push(match known {
                    true => Finding::AlreadyThere { line, definition: title },
                    false => Finding::Adds { line, definition: title },
                });
            }
            let problem = |problem| Finding::Problem(SchemaError { file: self.file.to_owned(), line, problem });
            findings.extend(problems.into_iter().map(problem));
        }
    }

    /// Title, problems, and whether the very same definition is loaded already.
    fn attribute_type(&self, text: &AttributeTypeText, number: u32) -> (String, Vec<String>, bool) {
        let title = loader::type_title(text);
        let mut problems = Vec::new();
        let mut known = false;
        for name in std::iter::once(&text.oid).chain(&text.names) {
            if let Some(other) = self.schema.attribute_type(name) {
                let published = self.schema.published_types.get(other.id.0 as usize);
                let same = published.and_then(|published| super::text::attribute_type(published).ok());
                known = same.is_some_and(|same| same::attribute_type(&same, text, |name| self.type_oid(name)));
                if !known {
                    problems.push(clash(&title, name, &format!("attribute type '{}' ({})", other.name(), other.oid)));
                }
                break;
            }
            problems.extend(self.twice(&self.own_types, name, number, &title));
        }
        if let Some(superior) = &text.superior
            && !self.has_type(superior)
        {
            problems.push(missing(&title, "SUP", superior, "attribute type"));
        }
        let rules =
            [(&text.equality, RuleKind::Equality), (&text.ordering, RuleKind::Ordering), (&text.substring, RuleKind::Substring)];
        problems.extend(rules.into_iter().filter_map(|(rule, kind)| loader::find_rule(rule.clone(), kind, &title).err()));
        if text.syntax.is_some() || text.superior.is_none() {
            problems.extend(loader::find_syntax(text.syntax.clone(), &title).err());
        }
        (format!("{title} ({})", text.oid), problems, known)
    }

    fn object_class(&self, text: &ObjectClassText, number: u32) -> (String, Vec<String>, bool) {
        let title = loader::class_title(text);
        let mut problems = Vec::new();
        let mut known = false;
        for name in std::iter::once(&text.oid).chain(&text.names) {
            if let Some(index) = self.schema.class_names.get(name) {
                let published = self.schema.published_classes.get(index as usize);
                let same = published.and_then(|published| super::text::object_class(published).ok());
                known = same
                    .as_ref()
                    .is_some_and(|same| same::object_class(same, text, |name| self.type_oid(name), |name| self.class_oid(name)));
                if let (false, Some(other)) = (known, same) {
                    problems.push(clash(&title, name, &format!("{} ({})", loader::class_title(&other), other.oid)));
                }
                break;
            }
            problems.extend(self.twice(&self.own_classes, name, number, &title));
        }
        for superior in
            text.superiors.iter().filter(|name| self.schema.object_class(name).is_none() && self.own_classes.get(name).is_none())
        {
            problems.push(missing(&title, "SUP", superior, "object class"));
        }
        for (keyword, names) in [("MUST", &text.must), ("MAY", &text.may)] {
            let unknown = names.iter().filter(|name| !self.has_type(name));
            problems.extend(unknown.map(|name| missing(&title, keyword, name, "attribute type")));
        }
        (format!("{title} ({})", text.oid), problems, known)
    }

    /// The same for content rules, name forms and structure rules. What they refer to is looked at when the file is loaded on trial.
    fn dit_rule(&self, definition: &Definition, source: &Source) -> Result<(String, Vec<String>, bool), String> {
        let rules = &self.schema.dit_rules;
        let (title, published, clashes) = match definition.kind {
            DefinitionKind::NameForm => {
                let text = loader::name_form(&definition.text, source)?;
                let other = std::iter::once(&text.oid).chain(&text.names).find_map(|name| self.schema.name_form(name));
                let published = rules.published_name_forms.contains(&publish::name_form(&text));
                (dit_loader::name_form_title(&text), published, other.map(|other| other.oid.clone()))
            }
            DefinitionKind::StructureRule => {
                let text = loader::structure_rule(&definition.text)?;
                let other = self.schema.dit_structure_rule(text.number);
                let published = rules.published_structure_rules.contains(&publish::structure_rule(&text));
                (dit_loader::structure_rule_title(&text), published, other.map(|other| other.number.to_string()))
            }
            _ => {
                let text = loader::content_rule(&definition.text, source)?;
                let other = rules.content_rules.iter().find(|other| other.oid == text.oid);
                let published = rules.published_content_rules.contains(&publish::content_rule(&text));
                (dit_loader::content_rule_title(&text), published, other.map(|other| other.oid.clone()))
            }
        };
        let problems = match clashes {
            Some(number) if !published => vec![clash(&title, &number, "a rule or form that is loaded")],
            _ => Vec::new(),
        };
        Ok((title, problems, published))
    }

    fn type_oid(&self, name: &str) -> Option<&str> {
        self.schema.attribute_type(name).map(|definition| definition.oid.as_str())
    }

    fn class_oid(&self, name: &str) -> Option<&str> {
        self.schema.object_class(name).map(|class| class.oid.as_str())
    }

    fn has_type(&self, name: &str) -> bool {
        self.schema.attribute_type(name).is_some() || self.own_types.get(name).is_some()
    }

    fn twice(&self, own: &NameMap, name: &str, number: u32, title: &str) -> Option<String> {
        let first = own.get(name)?;
        (first != number).then(|| format!("{title}: '{name}' is defined earlier in this file; delete one of the two"))
    }
}

fn clash(title: &str, name: &str, other: &str) -> String {
    format!(
        "{title}: '{name}' already belongs to {other}, defined otherwise; give the new one another name and object identifier, or leave it out"
    )
}

fn missing(title: &str, keyword: &str, name: &str, what: &str) -> String {
    format!(
        "{title}: {keyword} names '{name}', which is no {what} of the loaded schema or this file; load its file first or correct the name"
    )
}
