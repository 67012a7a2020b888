//! Which values of an entry a list of filter items is true for (RFC 3876).

use bytes::Bytes;

use super::{Assertion, Subject, Term, Test, prepare};
use crate::directory::{Computed, Directory, Node};
use crate::model::schema::AttributeDescription;
use crate::model::{AttributeTypeId, Filter};

/// Filter items, prepared once per search for one instant. A value is kept when one of them is true for it.
pub struct ValuesFilter {
    items: Vec<Assertion>,
}

impl ValuesFilter {
    /// Resolves and prepares. What cannot be resolved, and what is no single item, keeps nothing.
    pub fn new(directory: &Directory, items: &[Filter]) -> ValuesFilter {
        let mut kept = Vec::new();
        for item in items {
            let terms = match prepare::term(directory, item, 1) {
                Term::Or(terms) => terms,
                term => vec![term],
            };
            kept.extend(terms.into_iter().filter_map(|term| match term {
                Term::Assertion(assertion) => Some(*assertion),
                _ => None,
            }));
        }
        ValuesFilter { items: kept }
    }

    /// How many items a value is tested against at most.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a value that is stored in an entry is kept. `description`: as it is stored.
    pub fn keeps(&self, directory: &Directory, attribute_type: AttributeTypeId, description: &str, value: &[u8]) -> bool {
        let mut about = self.items.iter().filter(|item| item.is_about(attribute_type, description));
        about.any(|item| item.test.any_value(directory.schema(), std::iter::once(value)))
    }

    /// The values of a computed attribute that are kept. Of a group's members those that are named are looked up, not looked for.
    pub fn computed(&self, directory: &Directory, computed: Computed, node: &Node) -> Vec<Bytes> {
        let about = self.about(directory, computed);
        if about.iter().all(|test| test.names_one()) {
            let mut named: Vec<Bytes> = about.iter().filter_map(|test| test.named_value(directory, node)).collect();
            named.sort_unstable();
            named.dedup();
            return named;
        }
        self.among(directory, computed, computed.values(directory, node))
    }

    /// Those of some values of a computed attribute that are kept.
    pub fn among(&self, directory: &Directory, computed: Computed, mut values: Vec<Bytes>) -> Vec<Bytes> {
        let about = self.about(directory, computed);
        let named: Vec<Bytes> = about.iter().filter_map(|test| test.name(directory)).collect();
        let kept = |value: &Bytes| {
            named.contains(value) || about.iter().any(|test| test.any_value(directory.schema(), std::iter::once(value.as_ref())))
        };
        values.retain(kept);
        values
    }

    /// The tests of a computed attribute's values.
    fn about(&self, directory: &Directory, computed: Computed) -> Vec<&Test> {
        let Some(attribute_type) = computed.attribute_type(directory.schema()) else { return Vec::new() };
        self.items
            .iter()
            .filter(|item| item.is_about(attribute_type, computed.name(directory.schema())))
            .map(|item| &item.test)
            .collect()
    }
}

impl Assertion {
    fn is_about(&self, attribute_type: AttributeTypeId, stored: &str) -> bool {
        let is_of = |types: &[(AttributeTypeId, Option<Computed>)]| types.iter().any(|(id, _)| *id == attribute_type);
        match &self.subject {
            Subject::Described { description, types } => {
                is_of(types) && AttributeDescription::covers_options(description, stored)
            }
            Subject::Any(types) => is_of(types),
        }
    }
}

impl Test {
    /// Whether it names one value of a set.
    fn names_one(&self) -> bool {
        matches!(self, Test::HasElement(_) | Test::MemberOf(_) | Test::IsEntry(_))
    }

    /// That value as it is read.
    fn name(&self, directory: &Directory) -> Option<Bytes> {
        match self {
            Test::HasElement(membership) => Some(directory.member_value(membership)),
            Test::MemberOf(id) | Test::IsEntry(id) => id.map(|id| directory.dn_text(id).into()),
            _ => None,
        }
    }

    /// The same, where the entry has it.
    fn named_value(&self, directory: &Directory, node: &Node) -> Option<Bytes> {
        match self {
            Test::HasElement(membership) => directory.kept_member_value(node.id, membership),
            Test::MemberOf(Some(group)) if directory.is_member(*group, node.id) => self.name(directory),
            Test::IsEntry(Some(id)) if *id == node.id => self.name(directory),
            _ => None,
        }
    }
}
