//! A filter as the record of an audited search has it: what it asks, without the values that are nobody's business.

use std::collections::BTreeSet;

use crate::directory::Directory;
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Filter, Substrings, Value};

/// Octets of a filter that a record has at most.
const LONGEST: usize = 2048;
/// In the place of a value.
const NOT_SHOWN: &[u8] = b"not shown";

/// The types that a filter tests, those below them included. `None` among them: all that some rule applies to.
pub(super) fn tested(schema: &Schema, filter: &Filter, found: &mut BTreeSet<Option<AttributeTypeId>>) {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().for_each(|filter| tested(schema, filter, found)),
        Filter::Not(filter) => tested(schema, filter, found),
        Filter::Present(name)
        | Filter::Equality(name, _)
        | Filter::Approximate(name, _)
        | Filter::GreaterOrEqual(name, _)
        | Filter::LessOrEqual(name, _)
        | Filter::Substrings(name, _) => found.extend(types(schema, name)),
        Filter::Extensible(assertion) => match &assertion.attribute {
            Some(name) => found.extend(types(schema, name)),
            None => found.extend([None]),
        },
    }
}

fn types(schema: &Schema, name: &str) -> Vec<Option<AttributeTypeId>> {
    let described = schema.describe(name).ok();
    described.into_iter().flat_map(|it| schema.with_subtypes(it.attribute_type)).map(|id| Some(*id)).collect()
}

/// The filter, shortened, without the values of attributes that are audited, secret or unknown.
pub(super) fn told(directory: &Directory, filter: &Filter, is_audited: &dyn Fn(AttributeTypeId) -> bool) -> String {
    let text = without_values(directory.schema(), filter, is_audited).to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn without_values(schema: &Schema, filter: &Filter, is_audited: &dyn Fn(AttributeTypeId) -> bool) -> Filter {
    let shows = |name: &str| {
        schema.describe(name).is_ok_and(|it| {
            let types = schema.with_subtypes(it.attribute_type);
            !types.iter().any(|id| is_audited(*id) || schema.attribute_type_by_id(*id).secret)
        })
    };
    let each = |filters: &[Filter]| filters.iter().map(|filter| without_values(schema, filter, is_audited)).collect();
    let none = || Value::from_static(NOT_SHOWN);
    match filter {
        Filter::And(filters) => Filter::And(each(filters)),
        Filter::Or(filters) => Filter::Or(each(filters)),
        Filter::Not(inner) => Filter::Not(Box::new(without_values(schema, inner, is_audited))),
        Filter::Present(_) => filter.clone(),
        Filter::Equality(name, _) if !shows(name) => Filter::Equality(name.clone(), none()),
        Filter::Approximate(name, _) if !shows(name) => Filter::Approximate(name.clone(), none()),
        Filter::GreaterOrEqual(name, _) if !shows(name) => Filter::GreaterOrEqual(name.clone(), none()),
        Filter::LessOrEqual(name, _) if !shows(name) => Filter::LessOrEqual(name.clone(), none()),
        Filter::Substrings(name, _) if !shows(name) => {
            Filter::Substrings(name.clone(), Substrings { any: vec![none()], ..Substrings::default() })
        }
        Filter::Extensible(assertion) if !assertion.attribute.as_deref().is_some_and(shows) => {
            Filter::Extensible(crate::model::MatchingRuleAssertion { value: none(), ..assertion.clone() })
        }
        shown => shown.clone(),
    }
}
