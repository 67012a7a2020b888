//! What a filter surely wants, as a question to the journal's index. Whatever it leaves out costs time and nothing else: the filter judges.

use super::Place;
use super::entry::kinds_of;
use crate::directory::Directory;
use crate::journal::query::{Query, WantedResult, standard_type};
use crate::model::{AttributeTypeAndValue, Dn, Filter, Timestamp, Value};

/// Every record for which the filter is true, and that stands at this place, is an answer to this.
pub(crate) fn question(directory: &Directory, filter: &Filter, place: Place) -> Query {
    let mut query = Query::default();
    narrow(directory, filter, &mut query);
    if let Place::Record(moment) = place {
        at(&mut query, moment);
    }
    query
}

fn narrow(directory: &Directory, filter: &Filter, query: &mut Query) {
    let name = |attribute: &str| directory.schema().attribute_type(attribute).map_or("", |it| it.name()).to_owned();
    match filter {
        Filter::And(filters) => filters.iter().for_each(|filter| narrow(directory, filter, query)),
        Filter::Or(filters) => {
            // One that has but one part wants just that.
            if let [only] = filters.as_slice() {
                narrow(directory, only, query);
            }
        }
        Filter::Equality(attribute, value) => {
            let text = String::from_utf8_lossy(value).trim().to_owned();
            match name(attribute).as_str() {
                "reqStart" => {
                    if let Ok(moment) = Timestamp::from_generalized_time(value) {
                        at(query, moment);
                    }
                }
                "reqType" => query.kinds = kinds_of(&text),
                "reqResult" => query.result = text.parse().ok().map(WantedResult::Code),
                "reqDN" if is_plain(directory, &text) => query.target = Some(text),
                "reqAuthzID" if is_plain(directory, &text) => query.actor = Some(text),
                _ => {}
            }
        }
        Filter::GreaterOrEqual(attribute, value) if name(attribute) == "reqStart" => {
            if let Ok(moment) = Timestamp::from_generalized_time(value) {
                query.since = query.since.max(Some(moment));
            }
        }
        Filter::LessOrEqual(attribute, value) if name(attribute) == "reqStart" => {
            if let Ok(moment) = Timestamp::from_generalized_time(value) {
                before(query, Timestamp(moment.0.saturating_add(1)));
            }
        }
        _ => {}
    }
}

/// Whether the index finds all names that are this one by the schema: it knows nothing of the names and rules of attribute types that are
/// none of the usual.
fn is_plain(directory: &Directory, name: &str) -> bool {
    /// Of which caseIgnoreMatch makes no difference.
    const RULES: [&str; 4] = ["caseIgnoreMatch", "caseExactMatch", "caseIgnoreIA5Match", "caseExactIA5Match"];
    let Ok(dn) = Dn::parse(name.as_bytes()) else { return false };
    let is_plain = |part: &AttributeTypeAndValue| {
        let Some(known) = directory.schema().attribute_type(&part.attribute_type) else { return false };
        let has_one_name = || known.names.len() == 1 && known.name().eq_ignore_ascii_case(&part.attribute_type);
        known.equality.is_some_and(|rule| RULES.contains(&rule.name))
            && (standard_type(&part.attribute_type).is_some() || has_one_name())
    };
    !dn.rdns.is_empty() && dn.rdns.iter().flat_map(|rdn| &rdn.parts).all(is_plain)
}

fn at(query: &mut Query, moment: Timestamp) {
    query.since = query.since.max(Some(moment));
    before(query, Timestamp(moment.0.saturating_add(1)));
}

fn before(query: &mut Query, moment: Timestamp) {
    query.until = Some(query.until.map_or(moment, |until| until.min(moment)));
}

/// The filter as the journal keeps it: without the values of secret attributes, and of what the schema does not know.
pub(crate) fn told(directory: &Directory, filter: &Filter) -> Filter {
    let schema = directory.schema();
    let shows =
        |name: &str| schema.describe(name).is_ok_and(|described| !schema.attribute_type_by_id(described.attribute_type).secret);
    let each = |filters: &[Filter]| filters.iter().map(|filter| told(directory, filter)).collect();
    match filter {
        Filter::And(filters) => Filter::And(each(filters)),
        Filter::Or(filters) => Filter::Or(each(filters)),
        Filter::Not(inner) => Filter::Not(Box::new(told(directory, inner))),
        Filter::Present(name) if shows(name) => filter.clone(),
        Filter::Equality(name, _)
        | Filter::Substrings(name, _)
        | Filter::GreaterOrEqual(name, _)
        | Filter::LessOrEqual(name, _)
        | Filter::Approximate(name, _)
            if shows(name) =>
        {
            filter.clone()
        }
        Filter::Extensible(assertion) if assertion.attribute.as_deref().is_some_and(shows) => filter.clone(),
        _ => Filter::Equality("notShown".to_owned(), Value::from_static(b"*")),
    }
}
