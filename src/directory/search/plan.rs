//! Which entries a filter can be true for, as far as indexes and sets say: always a superset, or unknown.

use std::ops::Bound;

use crate::directory::filter::{Assertion, Order, Subject, Term, Test};
use crate::directory::index::{ENOUGH, class_key};
use crate::directory::{Computed, Directory, IdSet, PreparedFilter};
use crate::model::AttributeTypeId;

/// How a search will find its candidates.
pub struct SearchPlan {
    pub(super) candidates: Option<IdSet>,
}

impl SearchPlan {
    /// Asks the indexes.
    pub fn new(directory: &Directory, filter: &PreparedFilter) -> SearchPlan {
        SearchPlan { candidates: of_term(directory, &filter.root) }
    }

    /// The entries the indexes leave to look at; none: they say nothing.
    pub(in crate::directory) fn into_candidates(self) -> Option<IdSet> {
        self.candidates
    }

    /// How many entries the indexes leave to look at, anywhere in the directory; none: they say nothing, the scope is walked.
    pub fn candidate_count(&self) -> Option<usize> {
        self.candidates.as_ref().map(IdSet::len)
    }
}

fn of_term(directory: &Directory, term: &Term) -> Option<IdSet> {
    match term {
        Term::And(terms) => of_all(directory, terms),
        Term::Or(terms) => {
            let mut found = IdSet::default();
            for term in terms {
                found.unite(&of_term(directory, term)?);
            }
            Some(found)
        }
        Term::Not(_) => None,
        Term::Undefined => Some(IdSet::default()),
        Term::Assertion(assertion) => of_assertion(directory, assertion),
    }
}

/// The cheapest questions first; once few candidates are left the rest is not asked.
fn of_all(directory: &Directory, terms: &[Term]) -> Option<IdSet> {
    let mut in_order: Vec<&Term> = terms.iter().collect();
    in_order.sort_by_key(|term| cost(term));
    let mut sets: Vec<IdSet> = Vec::new();
    for term in in_order {
        let found = of_term(directory, term);
        let is_enough = found.as_ref().is_some_and(|found| found.len() <= ENOUGH);
        sets.extend(found);
        if is_enough {
            break;
        }
    }
    sets.sort_by_key(IdSet::len);
    let mut sets = sets.into_iter();
    let mut found = sets.next()?;
    while found.len() > ENOUGH
        && let Some(set) = sets.next()
    {
        found = found.intersection(&set);
    }
    Some(found)
}

fn cost(term: &Term) -> u8 {
    match term {
        Term::Undefined | Term::Not(_) => 0,
        Term::Assertion(assertion) => match assertion.test {
            Test::Equal { .. } | Test::HasElement(_) | Test::IsEntry(_) => 1,
            Test::Present | Test::Class(_) | Test::MemberOf(_) | Test::InChain(_) | Test::InDynamic(_) => 2,
            Test::Substrings { .. } => 3,
            Test::Ordered { .. } => 4,
            Test::Accepted { .. } => 5,
        },
        Term::And(_) => 5,
        Term::Or(_) => 6,
    }
}

fn of_assertion(directory: &Directory, assertion: &Assertion) -> Option<IdSet> {
    let attribute_type = assertion.indexable()?;
    match &assertion.test {
        Test::HasElement(membership) => Some(directory.memberships.holders_of(membership)),
        Test::MemberOf(group) => Some(group.map(|group| directory.memberships.members_of(group)).unwrap_or_default()),
        Test::InDynamic(group) => group.candidates(directory),
        Test::InChain(chain) => Some(chain.entries.clone()),
        Test::IsEntry(id) => Some(id.iter().copied().collect()),
        Test::Present => match directory.computed(attribute_type) {
            Some(Computed::Members(attribute)) => Some(directory.memberships.holders(attribute)),
            _ => from_index(directory, assertion, attribute_type),
        },
        _ => from_index(directory, assertion, attribute_type),
    }
}

fn from_index(directory: &Directory, assertion: &Assertion, attribute_type: AttributeTypeId) -> Option<IdSet> {
    if has_computed(&assertion.subject) {
        return None;
    }
    let (indexes, plan, schema) = (&directory.indexes, &directory.fixed.index_plan, directory.schema());
    match &assertion.test {
        Test::Present => indexes.presence(plan, schema, attribute_type),
        Test::Equal { rule, key, .. } => indexes.equality(plan, schema, attribute_type, rule, &key.0),
        Test::Class(class) => {
            let rule = schema.attribute_type_by_id(attribute_type).equality?;
            indexes.equality(plan, schema, attribute_type, rule, class_key(schema.object_classes().get(*class)?))
        }
        Test::Ordered { rule, key, order } => {
            let bounds = match order {
                Order::GreaterOrEqual => (Bound::Included(key), Bound::Unbounded),
                Order::LessOrEqual => (Bound::Unbounded, Bound::Included(key)),
                Order::Less => (Bound::Unbounded, Bound::Excluded(key)),
            };
            indexes.range(plan, schema, attribute_type, rule, bounds, directory.tree.nodes().len() / 4)
        }
        Test::Substrings { rule, parts } => indexes.substring(plan, schema, attribute_type, rule, parts),
        Test::Accepted { .. }
        | Test::HasElement(_)
        | Test::MemberOf(_)
        | Test::InChain(_)
        | Test::InDynamic(_)
        | Test::IsEntry(_) => None,
    }
}

/// Values of computed subtypes are in no index.
fn has_computed(subject: &Subject) -> bool {
    let (Subject::Described { types, .. } | Subject::Any(types)) = subject;
    types.iter().any(|(_, computed)| computed.is_some())
}
