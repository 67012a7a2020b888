//! Whether an entry's attributes agree with its object classes (RFC 4512 sections 2.4 and 4.1.1).

use super::{AttributeUsage, DitContentRule, ObjectClass, ObjectClassKind, Schema};
use crate::model::AttributeTypeId;

/// What validation needs of an entry: its object classes as spelled and the types that have values (operational ones too).
pub struct EntryContent<'a> {
    /// Values of objectClass.
    pub object_classes: Vec<&'a str>,
    /// Types present.
    pub attribute_types: Vec<AttributeTypeId>,
}

/// Why content is refused; the texts are BEHAVIOUR.md's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContentViolation {
    /// 21: an objectClass value that is not defined.
    #[error("objectClass: value #{0} invalid per syntax")]
    UnknownClass(usize),
    /// 65
    #[error("no structural object class provided")]
    NoStructuralClass,
    /// 65: two structural chains.
    #[error("invalid structural object class chain ({0}/{1})")]
    TwoStructuralChains(String, String),
    /// 65: an abstract class that no other class of the entry is below.
    #[error("instantiation of abstract objectClass '{0}' not allowed")]
    AbstractInstantiated(String),
    /// 65
    #[error("object class '{class}' requires attribute '{attribute}'")]
    Missing {
        /// Class that asks for it.
        class: String,
        /// What is missing.
        attribute: String,
    },
    /// 65
    #[error("attribute '{0}' not allowed")]
    NotAllowed(String),
    /// 65
    #[error("content rule '{rule}' requires attribute '{attribute}'")]
    RuleRequires {
        /// The DIT content rule of the structural class.
        rule: String,
        /// What is missing.
        attribute: String,
    },
    /// 65
    #[error("content rule '{rule}' precluded attribute '{attribute}'")]
    RulePrecludes {
        /// The DIT content rule of the structural class.
        rule: String,
        /// What must not be there.
        attribute: String,
    },
    /// 65
    #[error("class '{class}' not allowed by content rule '{rule}'")]
    ClassNotInRule {
        /// An auxiliary class.
        class: String,
        /// The DIT content rule of the structural class.
        rule: String,
    },
    /// 65: a class that is not for new use.
    #[error("objectClass '{0}' is OBSOLETE")]
    ObsoleteClass(String),
}

/// What a class asks for and allows, superiors included.
pub(super) struct ClassContent {
    must: Vec<AttributeTypeId>,
    /// One bit per attribute type.
    allowed: Box<[u64]>,
    /// Whether this is extensibleObject (RFC 4512 section 4.3) or a class below it.
    allows_all: bool,
}

impl ClassContent {
    fn allows(&self, id: AttributeTypeId) -> bool {
        let (word, bit) = (id.0 as usize / 64, id.0 % 64);
        self.allows_all || self.allowed.get(word).is_some_and(|bits| bits & (1 << bit) != 0)
    }
}

const EXTENSIBLE_OBJECT: &str = "1.3.6.1.4.1.1466.101.120.111";

pub(super) fn contents(classes: &[ObjectClass], lines: &[Vec<usize>], types: usize) -> Vec<ClassContent> {
    let content = |line: &Vec<usize>| {
        let line: Vec<&ObjectClass> = line.iter().filter_map(|&index| classes.get(index)).collect();
        let mut must: Vec<AttributeTypeId> = Vec::new();
        let mut allowed = vec![0_u64; types.div_ceil(64)].into_boxed_slice();
        for class in &line {
            for id in class.must.iter().chain(&class.may) {
                if let Some(bits) = allowed.get_mut(id.0 as usize / 64) {
                    *bits |= 1 << (id.0 % 64);
                }
            }
            for id in &class.must {
                if !must.contains(id) {
                    must.push(*id);
                }
            }
        }
        ClassContent { must, allowed, allows_all: line.iter().any(|class| class.oid == EXTENSIBLE_OBJECT) }
    };
    lines.iter().map(content).collect()
}

impl Schema {
    /// Checks classes and attributes and returns the structural class (an index into [`Schema::object_classes`]). Superior
    /// classes need not be listed. `extensibleObject` allows every user attribute; operational attributes are always allowed.
    pub fn validate(&self, content: &EntryContent<'_>) -> Result<usize, ContentViolation> {
        let classes = self.resolve_classes(&content.object_classes)?;
        let structural = self.structural_class(&classes)?;
        // An obsolete rule is not in force.
        let rule = self.dit_content_rule_of(structural).filter(|rule| !rule.obsolete);
        if let Some(rule) = rule {
            self.check_rule(rule, &content.attribute_types)?;
        }
        self.check_abstract(&classes)?;
        if let Some(rule) = rule {
            self.check_auxiliaries(rule, &classes)?;
        }
        self.check_must(&classes, &content.attribute_types)?;
        self.check_allowed(&classes, rule, &content.attribute_types)?;
        Ok(structural)
    }

    /// The structural class among these (an index into [`Schema::object_classes`]), whatever else is wrong with them.
    pub fn structural_class_of(&self, object_classes: &[&str]) -> Result<usize, ContentViolation> {
        self.structural_class(&self.resolve_classes(object_classes)?)
    }

    fn resolve_classes(&self, names: &[&str]) -> Result<Vec<usize>, ContentViolation> {
        let resolve = |(place, name): (usize, &&str)| match self.class_names.get(name) {
            Some(class) => Ok(class as usize),
            None => Err(ContentViolation::UnknownClass(place)),
        };
        names.iter().enumerate().map(resolve).collect()
    }

    /// The most subordinate structural class; all others must be above it (RFC 4512 section 2.4.2).
    fn structural_class(&self, classes: &[usize]) -> Result<usize, ContentViolation> {
        let mut structural: Option<usize> = None;
        for &class in classes {
            if self.object_classes.get(class).is_none_or(|class| class.kind != ObjectClassKind::Structural) {
                continue;
            }
            structural = match structural {
                None => Some(class),
                Some(lowest) if self.is_class_or_below(lowest, class) => Some(lowest),
                Some(lowest) if self.is_class_or_below(class, lowest) => Some(class),
                Some(lowest) => {
                    return Err(ContentViolation::TwoStructuralChains(self.class_name(lowest), self.class_name(class)));
                }
            };
        }
        structural.ok_or(ContentViolation::NoStructuralClass)
    }

    fn check_abstract(&self, classes: &[usize]) -> Result<(), ContentViolation> {
        let is_abstract =
            |class: usize| self.object_classes.get(class).is_some_and(|class| class.kind == ObjectClassKind::Abstract);
        let has_subclass = |class: usize| classes.iter().any(|&other| other != class && self.is_class_or_below(other, class));
        match classes.iter().find(|&&class| is_abstract(class) && !has_subclass(class)) {
            Some(&class) => Err(ContentViolation::AbstractInstantiated(self.class_name(class))),
            None => Ok(()),
        }
    }

    fn check_must(&self, classes: &[usize], present: &[AttributeTypeId]) -> Result<(), ContentViolation> {
        for &class in classes {
            let must = self.class_contents.get(class).map_or(&[][..], |content| &content.must);
            if let Some(missing) = must.iter().find(|id| !present.contains(id)) {
                let attribute = self.attribute_type_by_id(*missing).name().to_owned();
                return Err(ContentViolation::Missing { class: self.class_name(class), attribute });
            }
        }
        Ok(())
    }

    fn check_rule(&self, rule: &DitContentRule, present: &[AttributeTypeId]) -> Result<(), ContentViolation> {
        let name = |id: &AttributeTypeId| self.attribute_type_by_id(*id).name().to_owned();
        if let Some(missing) = rule.must.iter().find(|id| !present.contains(id)) {
            return Err(ContentViolation::RuleRequires { rule: rule.name().to_owned(), attribute: name(missing) });
        }
        match rule.not.iter().find(|id| present.contains(id)) {
            Some(precluded) => Err(ContentViolation::RulePrecludes { rule: rule.name().to_owned(), attribute: name(precluded) }),
            None => Ok(()),
        }
    }

    /// Auxiliary classes must be those of the rule, or above one of them.
    fn check_auxiliaries(&self, rule: &DitContentRule, classes: &[usize]) -> Result<(), ContentViolation> {
        let is_auxiliary =
            |class: &usize| self.object_classes.get(*class).is_some_and(|class| class.kind == ObjectClassKind::Auxiliary);
        let is_named = |class: usize| rule.auxiliaries.iter().any(|&named| self.is_class_or_below(named, class));
        match classes.iter().filter(|class| is_auxiliary(class)).find(|&&class| !is_named(class)) {
            Some(&class) => Err(ContentViolation::ClassNotInRule { class: self.class_name(class), rule: rule.name().to_owned() }),
            None => Ok(()),
        }
    }

    /// Checks that none of these classes is obsolete: what is there stays, but is not given anew.
    pub fn check_new_classes<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), ContentViolation> {
        let mut classes = names.filter_map(|name| self.object_class(name));
        classes.find(|class| class.obsolete).map_or(Ok(()), |class| Err(ContentViolation::ObsoleteClass(class.name().to_owned())))
    }

    fn check_allowed(
        &self,
        classes: &[usize],
        rule: Option<&DitContentRule>,
        present: &[AttributeTypeId],
    ) -> Result<(), ContentViolation> {
        let by_rule = |id: &AttributeTypeId| rule.is_some_and(|rule| rule.must.contains(id) || rule.may.contains(id));
        for &id in present {
            let definition = self.attribute_type_by_id(id);
            let operational = definition.usage != AttributeUsage::UserApplications;
            let allowed = |&class: &usize| self.class_contents.get(class).is_some_and(|content| content.allows(id));
            if !operational && !classes.iter().any(allowed) && !by_rule(&id) {
                return Err(ContentViolation::NotAllowed(definition.name().to_owned()));
            }
        }
        Ok(())
    }

    fn is_class_or_below(&self, class: usize, superior: usize) -> bool {
        self.class_lines.get(class).is_some_and(|line| line.contains(&superior))
    }

    fn class_name(&self, class: usize) -> String {
        self.object_classes.get(class).map(|class| class.name().to_owned()).unwrap_or_default()
    }
}
