//! Evaluating a resolved filter for one entry.

use std::cmp::Ordering;

use super::{Assertion, FilterContext, Order, Subject, Term, Test, Truth};
use crate::directory::index::Parts;
use crate::directory::{Computed, Node};
use crate::model::schema::{AttributeDescription, MatchingRule, Schema};
use crate::model::{AttributeTypeId, Dn};

pub(super) fn term(term: &Term, context: &FilterContext<'_>, node: &Node) -> Truth {
    match term {
        Term::And(terms) => all(terms, context, node),
        Term::Or(terms) => any(terms, context, node),
        Term::Not(negated) => match self::term(negated, context, node) {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Undefined => Truth::Undefined,
        },
        Term::Undefined => Truth::Undefined,
        Term::Assertion(assertion) => evaluate(assertion, context, node),
    }
}

fn all(terms: &[Term], context: &FilterContext<'_>, node: &Node) -> Truth {
    let mut so_far = Truth::True;
    for term in terms {
        match self::term(term, context, node) {
            Truth::False => return Truth::False,
            Truth::Undefined => so_far = Truth::Undefined,
            Truth::True => {}
        }
    }
    so_far
}

fn any(terms: &[Term], context: &FilterContext<'_>, node: &Node) -> Truth {
    let mut so_far = Truth::False;
    for term in terms {
        match self::term(term, context, node) {
            Truth::True => return Truth::True,
            Truth::Undefined => so_far = Truth::Undefined,
            Truth::False => {}
        }
    }
    so_far
}

fn evaluate(assertion: &Assertion, context: &FilterContext<'_>, node: &Node) -> Truth {
    if let Subject::Described { description, .. } = &assertion.subject
        && !(context.may_search)(description.attribute_type, node)
    {
        return Truth::Undefined;
    }
    if in_values(assertion, context, node) || (assertion.dn_attributes && in_name(assertion, context, node)) {
        Truth::True
    } else {
        Truth::False
    }
}

/// Whether a value of the entry satisfies the assertion.
fn in_values(assertion: &Assertion, context: &FilterContext<'_>, node: &Node) -> bool {
    let (description, types) = match &assertion.subject {
        Subject::Described { description, types } => (Some(description), types),
        Subject::Any(types) => (None, types),
    };
    // A description with options is that of no computed value.
    let without_options = description.is_none_or(|description| description.options.is_empty());
    match &assertion.test {
        Test::HasElement(membership) => without_options && context.directory.has_membership(node.id, membership),
        Test::MemberOf(group) => without_options && group.is_some_and(|group| context.directory.is_member(group, node.id)),
        Test::InDynamic(group) => without_options && group.has(context.directory, node),
        Test::InChain(chain) => without_options && chain.entries.contains(node.id),
        Test::IsEntry(id) => without_options && *id == Some(node.id),
        // There are hundreds of types that a rule applies to, and a dozen attributes in an entry.
        test if description.is_none() => {
            let mut stored = node.entry.attributes();
            let mut computed = types.iter().filter_map(|(id, computed)| Some((*id, (*computed)?)));
            stored.any(|attribute| {
                types.binary_search_by_key(&attribute.attribute_type, |(id, _)| *id).is_ok()
                    && test.any_value(context.directory.schema(), attribute.values())
                    && (context.may_search)(attribute.attribute_type, node)
            }) || computed.any(|(id, computed)| in_computed(test, computed, context, node) && (context.may_search)(id, node))
        }
        test => types.iter().any(|(id, computed)| {
            let may_search = || description.is_some_and(|it| it.attribute_type == *id) || (context.may_search)(*id, node);
            match computed {
                Some(computed) => without_options && may_search() && in_computed(test, *computed, context, node),
                None => in_stored(test, description, *id, context, node) && may_search(),
            }
        }),
    }
}

fn in_stored(
    test: &Test,
    description: Option<&AttributeDescription>,
    attribute_type: AttributeTypeId,
    context: &FilterContext<'_>,
    node: &Node,
) -> bool {
    let mut attributes = node.entry.attributes_of(attribute_type);
    attributes.any(|attribute| {
        description.is_none_or(|description| description.covers_options(attribute.description))
            && test.any_value(context.directory.schema(), attribute.values())
    })
}

fn in_computed(test: &Test, computed: Computed, context: &FilterContext<'_>, node: &Node) -> bool {
    if matches!(test, Test::Present) {
        return computed.is_present(context.directory, node);
    }
    let values = computed.values(context.directory, node);
    test.any_value(context.directory.schema(), values.iter().map(|value| value.as_ref()))
}

/// Whether a part of the entry's name satisfies the assertion (RFC 4511 section 4.5.1.7.7, dnAttributes).
fn in_name(assertion: &Assertion, context: &FilterContext<'_>, node: &Node) -> bool {
    let schema = context.directory.schema();
    let covered = |id: AttributeTypeId| match &assertion.subject {
        Subject::Described { description, types } => {
            description.options.is_empty() && types.iter().any(|(covered, _)| *covered == id)
        }
        Subject::Any(types) => types.iter().any(|(covered, _)| *covered == id),
    };
    let Dn { rdns } = context.directory.dn(node.id);
    rdns.iter().flat_map(|rdn| &rdn.parts).any(|part| {
        let attribute_type = schema.attribute_type(&part.attribute_type).map(|attribute_type| attribute_type.id);
        attribute_type.is_some_and(|id| covered(id) && (context.may_search)(id, node))
            && assertion.test.any_value(schema, std::iter::once(part.value.as_ref()))
    })
}

impl Test {
    pub(super) fn any_value<'a>(&self, schema: &Schema, mut values: impl Iterator<Item = &'a [u8]>) -> bool {
        match self {
            Test::Present => values.next().is_some(),
            Test::Equal { rule, key, same } => values.any(|value| {
                same.as_ref().is_some_and(|same| same == value)
                    || (rule.prepare)(schema, value).is_ok_and(|of_value| of_value == *key)
            }),
            Test::Class(class) => {
                values.any(|value| std::str::from_utf8(value).is_ok_and(|name| schema.class_with_superiors(name).contains(class)))
            }
            Test::Ordered { rule, key, order } => {
                values.any(|value| (rule.prepare)(schema, value).is_ok_and(|of_value| order.holds(of_value.cmp(key))))
            }
            Test::Accepted { rule, key } => {
                values.any(|value| (rule.prepare)(schema, value).is_ok_and(|of_value| rule.accepts(key, &of_value)))
            }
            Test::Substrings { rule, parts } => values.any(|value| contains(schema, rule, parts, value)),
            // Sets answer these, not values.
            Test::InChain(chain) => chain.test_of_names().is_some_and(|test| test.any_value(schema, values)),
            Test::HasElement(_) | Test::MemberOf(_) | Test::InDynamic(_) | Test::IsEntry(_) => false,
        }
    }
}

impl Order {
    /// Whether a value that compares so to the assertion satisfies it.
    fn holds(self, value: Ordering) -> bool {
        match self {
            Order::GreaterOrEqual => value.is_ge(),
            Order::LessOrEqual => value.is_le(),
            Order::Less => value.is_lt(),
        }
    }
}

/// Parts follow each other without overlap.
fn contains(schema: &Schema, rule: &MatchingRule, parts: &Parts, value: &[u8]) -> bool {
    let Ok(key) = (rule.prepare)(schema, value) else { return false };
    let mut rest: &[u8] = &key.0;
    if let Some(initial) = &parts.initial {
        let Some(behind) = rest.strip_prefix(&*initial.0) else { return false };
        rest = behind;
    }
    if let Some(last) = &parts.last {
        let Some(before) = rest.strip_suffix(&*last.0) else { return false };
        rest = before;
    }
    parts.any.iter().all(|part| {
        let found = memchr::memmem::find(rest, &part.0);
        let behind = found.and_then(|position| rest.get(position + part.0.len()..));
        rest = behind.unwrap_or_default();
        behind.is_some()
    })
}
