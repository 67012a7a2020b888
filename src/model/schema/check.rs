//! What schema files would add to a loaded schema, and what they clash with: `bindery schema check`.

use super::compare::{self, Comparison};
use super::name_map::NameMap;
use super::source::{Definition, DefinitionKind, Source};
use super::substitute::Substitutes;
use super::text::{self, AttributeTypeText, ObjectClassText};
use super::{RuleKind, Schema, SchemaError, dit_loader, loader, publish};

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
    /// The schema has the definition, and this one says more that fits: names, matching rules, allowed attributes.
    Widens {
        /// Line it starts on, from 1.
        line: u64,
        /// `attribute type 'x' (1.2.3)`
        definition: String,
        /// `SUBSTR caseIgnoreSubstringsMatch; the name 'y'`
        by: String,
    },
    /// The definition cannot be loaded, or not as it is: it cannot be read, clashes with a loaded one, or names what is not there.
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
            Finding::Widens { line, definition, by } => write!(f, "line {line}: {definition} is already there and gets {by}"),
            Finding::Problem(error) => write!(f, "{error}"),
        }
    }
}

impl Schema {
    /// Says of each definition in a file (LDIF or OpenLDAP's `.schema` form) whether it would be added, is there already, or why it cannot
    /// be loaded.
    pub fn check(&self, name: &str, text: &str) -> Report {
        let report = self.check_files(&[(name, text)]).pop();
        report.unwrap_or_else(|| Report { file: name.to_owned(), findings: Vec::new() })
    }

    /// The same for files that are loaded together, and may refer to each other: a report for each.
    pub fn check_files(&self, files: &[(&str, &str)]) -> Vec<Report> {
        let sources = Source::read_all(files);
        let checker = Checker::new(self, &sources);
        let mut reports: Vec<Report> =
            sources.iter().enumerate().map(|(number, source)| checker.report(number, source)).collect();
        let adds = |report: &Report| report.findings.iter().any(|it| matches!(it, Finding::Adds { .. } | Finding::Widens { .. }));
        if reports.iter().all(Report::is_clean)
            && reports.iter().any(adds)
            && let Err(error) = self.load_on_trial(files)
            && let Some(report) = reports.iter_mut().find(|report| report.file == error.file)
        {
            report.findings.push(Finding::Problem(error));
        }
        reports
    }

    /// What only loading shows: circles of SUP, kinds and usages that do not agree, rules about the tree that name what is not there.
    fn load_on_trial(&self, files: &[(&str, &str)]) -> Result<(), SchemaError> {
        let mut loaded = String::new();
        for (keyword, texts) in [
            ("ldapSyntaxes", self.published_syntaxes()),
            ("attributeTypes", self.published_attribute_types()),
            ("objectClasses", self.published_object_classes()),
            ("dITContentRules", self.published_dit_content_rules()),
            ("nameForms", self.published_name_forms()),
            ("dITStructureRules", self.published_dit_structure_rules()),
        ] {
            texts.iter().for_each(|text| loaded.push_str(&format!("{keyword}: {text}\n")));
        }
        loader::load_beside(&[("the loaded schema", &loaded)], files).map(|_| ())
    }
}

struct Checker<'a> {
    schema: &'a Schema,
    /// What the files themselves define, with file and place in it: references to it are fine, wherever they stand.
    types: Vec<(usize, usize, AttributeTypeText)>,
    type_names: NameMap,
    classes: Vec<(usize, usize, ObjectClassText)>,
    class_names: NameMap,
    substitutes: Substitutes,
}

/// What is to say about one definition.
struct Verdict {
    title: String,
    problems: Vec<String>,
    /// None: it is new.
    known: Option<Comparison>,
}

impl<'a> Checker<'a> {
    fn new(schema: &'a Schema, sources: &[Source]) -> Checker<'a> {
        let mut checker = Checker {
            schema,
            types: Vec::new(),
            type_names: NameMap::default(),
            classes: Vec::new(),
            class_names: NameMap::default(),
            substitutes: Substitutes::default(),
        };
        for (file, source) in sources.iter().enumerate() {
            for (place, definition) in source.definitions.iter().enumerate() {
                checker.register(file, place, definition, source);
            }
        }
        checker
    }

    fn register(&mut self, file: usize, place: usize, definition: &Definition, source: &Source) {
        match definition.kind {
            DefinitionKind::AttributeType => {
                let Ok(text) = loader::attribute_type(&definition.text, source) else { return };
                let number = self.types.len() as u32;
                std::iter::once(&text.oid).chain(&text.names).for_each(|name| _ = self.type_names.insert(name, number));
                self.types.push((file, place, text));
            }
            DefinitionKind::ObjectClass => {
                let Ok(text) = loader::object_class(&definition.text, source) else { return };
                let number = self.classes.len() as u32;
                std::iter::once(&text.oid).chain(&text.names).for_each(|name| _ = self.class_names.insert(name, number));
                self.classes.push((file, place, text));
            }
            // Whether it can be read is said when its turn comes.
            DefinitionKind::Syntax => _ = self.substitutes.add(&definition.text, source),
            DefinitionKind::ContentRule | DefinitionKind::NameForm | DefinitionKind::StructureRule => {}
        }
    }

    fn report(&self, file: usize, source: &Source) -> Report {
        let mut findings: Vec<(u64, Finding)> =
            source.problems.iter().map(|error| (error.line, Finding::Problem(error.clone()))).collect();
        for (place, definition) in source.definitions.iter().enumerate() {
            let line = definition.line;
            let problem = |problem| Finding::Problem(SchemaError { file: source.file.clone(), line, problem });
            match self.verdict((file, place), definition, source) {
                Err(text) => findings.push((line, problem(text))),
                Ok(Verdict { title, problems, known }) if problems.is_empty() => {
                    let definition = title;
                    let finding = match known {
                        None => Finding::Adds { line, definition },
                        Some(Comparison::Wider(by)) => Finding::Widens { line, definition, by: by.join("; ") },
                        Some(_) => Finding::AlreadyThere { line, definition },
                    };
                    findings.push((line, finding));
                }
                Ok(Verdict { problems, .. }) => findings.extend(problems.into_iter().map(|text| (line, problem(text)))),
            }
        }
        findings.sort_by_key(|(line, _)| *line);
        Report { file: source.file.clone(), findings: findings.into_iter().map(|(_, finding)| finding).collect() }
    }

    fn verdict(&self, at: (usize, usize), definition: &Definition, source: &Source) -> Result<Verdict, String> {
        match definition.kind {
            DefinitionKind::AttributeType => {
                loader::attribute_type(&definition.text, source).map(|text| self.attribute_type(&text, at))
            }
            DefinitionKind::ObjectClass => {
                loader::object_class(&definition.text, source).map(|text| self.object_class(&text, at))
            }
            DefinitionKind::Syntax => self.syntax(&definition.text, source),
            DefinitionKind::ContentRule | DefinitionKind::NameForm | DefinitionKind::StructureRule => {
                self.dit_rule(definition, source)
            }
        }
    }

    fn attribute_type(&self, text: &AttributeTypeText, at: (usize, usize)) -> Verdict {
        let title = loader::type_title(text);
        let mut problems = Vec::new();
        let mut names = std::iter::once(&text.oid).chain(&text.names);
        let loaded = names.find_map(|name| self.schema.attribute_type(name));
        let known = loaded.and_then(|other| text::attribute_type(self.schema.published_types.get(other.id.0 as usize)?).ok());
        let mut known = known.map(|known| {
            let comparison = compare::attribute_type(&known, text, |name| self.type_oid(name));
            problems.extend(clash(&title, &comparison, &format!("attribute type '{}' ({})", first(&known.names), known.oid)));
            comparison
        });
        if known.is_none()
            && let Some((.., earlier)) = self.earlier(&self.types, &self.type_names, &text.oid, &text.names, at)
        {
            let comparison = compare::attribute_type(earlier, text, |name| self.type_oid(name));
            problems.extend(twice(&title, &comparison));
            known = Some(comparison);
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
            problems.extend(self.find_syntax(text.syntax.clone(), &title).err());
        }
        Verdict { title: format!("{title} ({})", text.oid), problems, known }
    }

    fn object_class(&self, text: &ObjectClassText, at: (usize, usize)) -> Verdict {
        let title = loader::class_title(text);
        let mut problems = Vec::new();
        let mut names = std::iter::once(&text.oid).chain(&text.names);
        let loaded = names.find_map(|name| self.schema.class_names.get(name));
        let known = loaded.and_then(|index| text::object_class(self.schema.published_classes.get(index as usize)?).ok());
        let compare =
            |known: &ObjectClassText| compare::object_class(known, text, |name| self.type_oid(name), |name| self.class_oid(name));
        let mut known = known.map(|known| {
            let comparison = compare(&known);
            problems.extend(clash(&title, &comparison, &format!("object class '{}' ({})", first(&known.names), known.oid)));
            comparison
        });
        if known.is_none()
            && let Some((.., earlier)) = self.earlier(&self.classes, &self.class_names, &text.oid, &text.names, at)
        {
            let comparison = compare(earlier);
            problems.extend(twice(&title, &comparison));
            known = Some(comparison);
        }
        let has_class = |name: &str| self.schema.object_class(name).is_some() || self.class_names.get(name).is_some();
        for superior in text.superiors.iter().filter(|name| !has_class(name)) {
            problems.push(missing(&title, "SUP", superior, "object class"));
        }
        for (keyword, names) in [("MUST", &text.must), ("MAY", &text.may)] {
            let unknown = names.iter().filter(|name| !self.has_type(name));
            problems.extend(unknown.map(|name| missing(&title, keyword, name, "attribute type")));
        }
        Verdict { title: format!("{title} ({})", text.oid), problems, known }
    }

    fn syntax(&self, definition: &str, source: &Source) -> Result<Verdict, String> {
        let text = text::syntax(definition)?;
        let oid = source.expand(&text.oid);
        let title = format!("syntax {oid}");
        let known = self.find_syntax(Some(oid.clone()), &title);
        let is_loaded = known.is_ok() && self.substitutes.find(&oid).is_none();
        let problem = known.err().map(|_| {
            format!("{title}: it is unknown here; say which one stands for it: X-SUBST '1.3.6.1.4.1.1466.115.121.1.15' for text")
        });
        let substitute = Substitutes::default().add(definition, source).err().filter(|_| !is_loaded && problem.is_none());
        let problems = problem.into_iter().chain(substitute).collect();
        Ok(Verdict { title, problems, known: is_loaded.then_some(Comparison::Same) })
    }

    /// The same for content rules, name forms and structure rules. What they refer to is looked at when the file is loaded on trial.
    fn dit_rule(&self, definition: &Definition, source: &Source) -> Result<Verdict, String> {
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
            Some(number) if !published => vec![format!("{title}: '{number}' already belongs to a loaded one; {LEAVE_OUT}")],
            _ => Vec::new(),
        };
        Ok(Verdict { title, problems, known: published.then_some(Comparison::Same) })
    }

    fn find_syntax(&self, oid: Option<String>, title: &str) -> Result<(), String> {
        match &oid {
            Some(oid) if self.schema.substitutes.find(oid).is_some() => Ok(()),
            _ => loader::find_syntax(oid, &self.substitutes, title).map(|_| ()).map_err(|problem| {
                format!("{problem}, or say which one stands for it: ldapsyntax ( OID X-SUBST '1.3.6.1.4.1.1466.115.121.1.15' )")
            }),
        }
    }

    /// The definition with one of these names that stands before this one in the files.
    fn earlier<'t, T>(
        &self,
        texts: &'t [(usize, usize, T)],
        map: &NameMap,
        oid: &str,
        names: &[String],
        at: (usize, usize),
    ) -> Option<&'t (usize, usize, T)> {
        let mut numbers = std::iter::once(oid).chain(names.iter().map(String::as_str)).filter_map(|name| map.get(name));
        numbers.find_map(|number| texts.get(number as usize).filter(|(file, place, _)| (*file, *place) < at))
    }

    fn type_oid(&self, name: &str) -> Option<&str> {
        let own = || self.types.get(self.type_names.get(name)? as usize).map(|(.., text)| text.oid.as_str());
        self.schema.attribute_type(name).map(|definition| definition.oid.as_str()).or_else(own)
    }

    fn class_oid(&self, name: &str) -> Option<&str> {
        let own = || self.classes.get(self.class_names.get(name)? as usize).map(|(.., text)| text.oid.as_str());
        self.schema.object_class(name).map(|class| class.oid.as_str()).or_else(own)
    }

    fn has_type(&self, name: &str) -> bool {
        self.schema.attribute_type(name).is_some() || self.type_names.get(name).is_some()
    }
}

const LEAVE_OUT: &str = "give the new one another name and object identifier, or leave it out";

fn first(names: &[String]) -> &str {
    names.first().map_or("", String::as_str)
}

/// A definition that a loaded one contradicts.
fn clash(title: &str, comparison: &Comparison, other: &str) -> Option<String> {
    let Comparison::Other(differences) = comparison else { return None };
    Some(format!(
        "{title} clashes with the loaded {other}: {}; the loaded one stays when the file is loaded; leave this one out or, if it means \
         something else, give it another name and object identifier",
        differences.join("; ")
    ))
}

/// A definition that contradicts an earlier one of the files.
fn twice(title: &str, comparison: &Comparison) -> Option<String> {
    let Comparison::Other(differences) = comparison else { return None };
    Some(format!("{title} is defined otherwise earlier in these files: {}; delete one of the two", differences.join("; ")))
}

fn missing(title: &str, keyword: &str, name: &str, what: &str) -> String {
    format!(
        "{title}: {keyword} names '{name}', which is no {what} of the loaded schema or these files; check its file together with this one, \
         load it first, or correct the name"
    )
}
