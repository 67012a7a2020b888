//! Types whose values are not looked at one by one: sets are asked for what they have, classes for those above them. Where an assertion
//! covers such types, each of them gets one of its own, so that a group's members are never spelled out to be searched through.

use super::chain::Chain;
use super::{Assertion, Subject, Term, Test, prepare};
use crate::directory::{Computed, Directory, MembershipAttribute};
use crate::model::AttributeTypeId;
use crate::model::schema::{AttributeDescription, AttributeType};

/// The assertion as a term. `value`: what is asserted, where it is one value.
pub(super) fn term(directory: &Directory, mut assertion: Assertion, value: Option<&[u8]>) -> Term {
    let mut terms = Vec::new();
    let (Subject::Described { types, .. } | Subject::Any(types)) = &assertion.subject;
    if types.iter().any(|(id, computed)| has_own_way(directory, *id, *computed)) {
        let all = std::mem::take(assertion.types_mut());
        for (id, computed) in all {
            match own_assertion(directory, &assertion, (id, computed), value) {
                Some(own) => terms.push(Term::Assertion(Box::new(own))),
                None => assertion.types_mut().push((id, computed)),
            }
        }
    }
    let (Subject::Described { types, .. } | Subject::Any(types)) = &assertion.subject;
    if !types.is_empty() || terms.is_empty() {
        terms.push(Term::Assertion(Box::new(assertion)));
    }
    match terms.len() {
        1 => terms.pop().unwrap_or(Term::Undefined),
        _ => Term::Or(terms),
    }
}

fn has_own_way(directory: &Directory, id: AttributeTypeId, computed: Option<Computed>) -> bool {
    let in_sets = matches!(computed, Some(Computed::Members(_) | Computed::MemberOf | Computed::EntryDn));
    in_sets || directory.is_object_class(id)
}

/// What is tested of one type in its own way; none: its values are tested, or it is so already.
fn own_assertion(
    directory: &Directory,
    assertion: &Assertion,
    (id, computed): (AttributeTypeId, Option<Computed>),
    value: Option<&[u8]>,
) -> Option<Assertion> {
    if !has_own_way(directory, id, computed) {
        return None;
    }
    let attribute_type = directory.schema().attribute_type_by_id(id);
    let test = match &assertion.test {
        Test::Equal { rule, .. } if attribute_type.equality.is_some_and(|own| own.oid == rule.oid) => {
            prepare::equality(directory, attribute_type, value?)?
        }
        test if computed == Some(Computed::Members(MembershipAttribute::MemberUid)) => {
            Test::InChain(Chain::of_names(test.of_values()?))
        }
        _ => return None,
    };
    let description = description(attribute_type, &assertion.subject);
    Some(Assertion { subject: Subject::Described { description, types: vec![(id, computed)] }, test, dn_attributes: false })
}

fn description(attribute_type: &AttributeType, asked: &Subject) -> AttributeDescription {
    let options = match asked {
        Subject::Described { description, .. } => description.options.clone(),
        Subject::Any(_) => Vec::new(),
    };
    AttributeDescription { attribute_type: attribute_type.id, spelled: attribute_type.name().to_owned(), options }
}

impl Assertion {
    fn types_mut(&mut self) -> &mut Vec<(AttributeTypeId, Option<Computed>)> {
        let (Subject::Described { types, .. } | Subject::Any(types)) = &mut self.subject;
        types
    }
}

impl Test {
    /// The same again, where it is about values and not about a set or about there being any.
    fn of_values(&self) -> Option<Test> {
        match self {
            Test::Equal { rule, key, same } => Some(Test::Equal { rule, key: key.clone(), same: same.clone() }),
            Test::Ordered { rule, key, order } => Some(Test::Ordered { rule, key: key.clone(), order: *order }),
            Test::Accepted { rule, key } => Some(Test::Accepted { rule, key: key.clone() }),
            Test::Substrings { rule, parts } => Some(Test::Substrings { rule, parts: parts.clone() }),
            _ => None,
        }
    }
}
