//! Reads definitions from files and gathers them: what repeats is left out, what widens a loaded definition is added to it, what
//! contradicts one is refused, or left out where the loaded one is built in.

use super::compare::{self, Comparison};
use super::dit_loader::DitTexts;
use super::loader::{attribute_type, class_title, content_rule, find_rule, name_form, object_class, structure_rule, type_title};
use super::name_map::NameMap;
use super::source::{Definition, DefinitionKind, Source};
use super::substitute::Substitutes;
use super::text::{AttributeTypeText, ObjectClassText};
use super::{RuleKind, SchemaError};

/// A definition and where it stands.
pub(super) struct Placed<T> {
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) text: T,
}

impl<T> Placed<T> {
    pub(super) fn error(&self, problem: String) -> SchemaError {
        SchemaError { file: self.file.clone(), line: self.line, problem }
    }

    /// `what`: this definition, or the name it shares with the known one.
    pub(super) fn defined_twice<K>(&self, what: &str, known: &Placed<K>) -> SchemaError {
        let (file, line) = (&known.file, known.line);
        self.error(format!(
            "{what} is already defined otherwise in {file}, line {line}; delete one of the two or give this one another name and object \
             identifier"
        ))
    }

    fn stays(&self, what: &str, differences: &[String]) -> SchemaError {
        self.error(format!(
            "{what} is built in and defined otherwise here ({}); the built-in definition stays",
            differences.join("; ")
        ))
    }
}

/// Definitions as they were written, and what their names mean.
#[derive(Default)]
pub(super) struct Loader {
    pub(super) types: Vec<Placed<AttributeTypeText>>,
    pub(super) type_names: NameMap,
    pub(super) classes: Vec<Placed<ObjectClassText>>,
    pub(super) class_names: NameMap,
    pub(super) dit: DitTexts,
    pub(super) substitutes: Substitutes,
    /// How many types and classes are built in; those win against what other files say of them.
    built_in: Option<(usize, usize)>,
    /// What was left out, and why.
    pub(super) notes: Vec<SchemaError>,
}

impl Loader {
    /// What was read so far is built in: other files widen it at most.
    pub(super) fn end_of_built_in(&mut self) {
        self.built_in = Some((self.types.len(), self.classes.len()));
    }

    pub(super) fn read(&mut self, source: &Source) -> Result<(), SchemaError> {
        match (source.problems.first(), self.built_in) {
            (Some(first), None) => return Err(first.clone()),
            _ => self.notes.extend_from_slice(&source.problems),
        }
        for definition in &source.definitions {
            let text = &definition.text;
            match definition.kind {
                DefinitionKind::AttributeType => self.add_type(placed(source, definition, attribute_type(text, source))?)?,
                DefinitionKind::ObjectClass => self.add_class(placed(source, definition, object_class(text, source))?)?,
                DefinitionKind::ContentRule => {
                    self.dit.add_content_rule(placed(source, definition, content_rule(text, source))?)?;
                }
                DefinitionKind::NameForm => self.dit.add_name_form(placed(source, definition, name_form(text, source))?)?,
                DefinitionKind::StructureRule => {
                    self.dit.add_structure_rule(placed(source, definition, structure_rule(text))?)?;
                }
                DefinitionKind::Syntax => {
                    let added = self.substitutes.add(text, source);
                    placed(source, definition, added)?;
                }
            }
        }
        Ok(())
    }

    fn add_type(&mut self, new: Placed<AttributeTypeText>) -> Result<(), SchemaError> {
        let title = type_title(&new.text);
        let mut names = std::iter::once(&new.text.oid).chain(&new.text.names);
        let Some(index) = names.find_map(|name| self.type_names.get(name)) else {
            let number = self.types.len() as u32;
            for name in std::iter::once(&new.text.oid).chain(&new.text.names) {
                self.type_names.insert(name, number);
            }
            self.types.push(new);
            return Ok(());
        };
        let Some(known) = self.types.get(index as usize) else { return Ok(()) };
        let comparison = compare::attribute_type(&known.text, &new.text, |name| self.type_oid(name));
        let comparison = without_stolen_names(comparison, &new.text.names, index, &self.type_names);
        let is_built_in = self.built_in.is_some_and(|(types, _)| (index as usize) < types);
        let names = &self.type_names;
        let is_free = |name: &str| names.get(name).is_none();
        let taken = match comparison {
            Comparison::Same => return Ok(()),
            Comparison::Other(differences) if is_built_in => {
                self.notes.push(new.stays(&title, &differences));
                let same_oid = known.text.oid == new.text.oid;
                let known = self.types.get_mut(index as usize).filter(|_| same_oid);
                known.map(|known| compare::take_names(&mut known.text.names, new.text.names, is_free))
            }
            Comparison::Other(_) => return Err(new.defined_twice(&title, known)),
            Comparison::Wider(_) => {
                let known = self.types.get_mut(index as usize);
                known.map(|known| compare::widen_type(&mut known.text, new.text, is_free))
            }
        };
        for name in taken.into_iter().flatten() {
            self.type_names.insert(&name, index);
        }
        Ok(())
    }

    fn add_class(&mut self, new: Placed<ObjectClassText>) -> Result<(), SchemaError> {
        let title = class_title(&new.text);
        let mut names = std::iter::once(&new.text.oid).chain(&new.text.names);
        let Some(index) = names.find_map(|name| self.class_names.get(name)) else {
            let number = self.classes.len() as u32;
            for name in std::iter::once(&new.text.oid).chain(&new.text.names) {
                self.class_names.insert(name, number);
            }
            self.classes.push(new);
            return Ok(());
        };
        let Some(known) = self.classes.get(index as usize) else { return Ok(()) };
        let comparison = compare::object_class(&known.text, &new.text, |name| self.type_oid(name), |name| self.class_oid(name));
        let comparison = without_stolen_names(comparison, &new.text.names, index, &self.class_names);
        let is_built_in = self.built_in.is_some_and(|(_, classes)| (index as usize) < classes);
        let names = &self.class_names;
        let is_free = |name: &str| names.get(name).is_none();
        let taken = match comparison {
            Comparison::Same => return Ok(()),
            Comparison::Other(differences) if is_built_in => {
                self.notes.push(new.stays(&title, &differences));
                let same_oid = known.text.oid == new.text.oid;
                let known = self.classes.get_mut(index as usize).filter(|_| same_oid);
                known.map(|known| compare::take_names(&mut known.text.names, new.text.names, is_free))
            }
            Comparison::Other(_) => return Err(new.defined_twice(&title, known)),
            Comparison::Wider(_) => {
                let known = self.classes.get_mut(index as usize);
                let (types, type_names) = (&self.types, &self.type_names);
                known
                    .map(|known| compare::widen_class(&mut known.text, new.text, is_free, |name| oid_in(types, type_names, name)))
            }
        };
        for name in taken.into_iter().flatten() {
            self.class_names.insert(&name, index);
        }
        Ok(())
    }

    /// Rules that other servers have and we do not are left out of types that are not built in: their values cannot be compared so.
    pub(super) fn leave_out_unknown_rules(&mut self) {
        let Some((built_in, _)) = self.built_in else { return };
        for definition in self.types.iter_mut().skip(built_in) {
            let title = type_title(&definition.text);
            let (file, line) = (definition.file.clone(), definition.line);
            let text = &mut definition.text;
            let rules = [
                (&mut text.equality, RuleKind::Equality),
                (&mut text.ordering, RuleKind::Ordering),
                (&mut text.substring, RuleKind::Substring),
            ];
            for (rule, kind) in rules {
                if let Err(problem) = find_rule(rule.clone(), kind, &title) {
                    *rule = None;
                    let problem = format!("{problem}; the rule is left out");
                    self.notes.push(SchemaError { file: file.clone(), line, problem });
                }
            }
        }
    }

    fn type_oid(&self, name: &str) -> Option<&str> {
        oid_in(&self.types, &self.type_names, name)
    }

    fn class_oid(&self, name: &str) -> Option<&str> {
        let index = self.class_names.get(name)? as usize;
        self.classes.get(index).map(|definition| definition.text.oid.as_str())
    }
}

fn oid_in<'t>(types: &'t [Placed<AttributeTypeText>], names: &NameMap, name: &str) -> Option<&'t str> {
    types.get(names.get(name)? as usize).map(|definition| definition.text.oid.as_str())
}

/// A definition cannot bring a name that belongs to a third one.
fn without_stolen_names(comparison: Comparison, new: &[String], index: u32, names: &NameMap) -> Comparison {
    let stolen = new.iter().filter(|name| names.get(name).is_some_and(|other| other != index));
    let mut stolen: Vec<String> = stolen.map(|name| format!("the name '{name}', which belongs to another")).collect();
    match comparison {
        Comparison::Other(mut differences) => {
            differences.append(&mut stolen);
            Comparison::Other(differences)
        }
        Comparison::Same | Comparison::Wider(_) if !stolen.is_empty() => Comparison::Other(stolen),
        comparison => comparison,
    }
}

fn placed<T>(source: &Source, definition: &Definition, text: Result<T, String>) -> Result<Placed<T>, SchemaError> {
    let (file, line) = (source.file.clone(), definition.line);
    match text {
        Ok(text) => Ok(Placed { file, line, text }),
        Err(problem) => Err(SchemaError { file, line, problem }),
    }
}
