//! From a filter as it came to one that can be evaluated: types, rules and keys looked up once.

use super::apart;
use super::chain::{self, Chain};
use super::{Assertion, Order, Subject, Term, Test};
use crate::directory::index::Parts;
use crate::directory::{Computed, Directory, Lookup};
use crate::model::schema::{AttributeDescription, AttributeType, Key, MatchingRule, RuleKind, Schema, SubstringPart};
use crate::model::{AttributeTypeId, Dn, EntryId, Filter, MatchingRuleAssertion, Substrings, Value};

/// Resolves a filter. `depth`: how deep it may still be nested; what lies deeper is Undefined.
pub(super) fn term(directory: &Directory, filter: &Filter, depth: usize) -> Term {
    let Some(below) = depth.checked_sub(1) else { return Term::Undefined };
    let terms = |filters: &[Filter]| filters.iter().map(|filter| term(directory, filter, below)).collect();
    let assertion = match filter {
        Filter::And(filters) => return Term::And(terms(filters)),
        Filter::Or(filters) => return Term::Or(terms(filters)),
        Filter::Not(filter) => return Term::Not(Box::new(term(directory, filter, below))),
        Filter::Present(name) => described(directory, name, |_| Some(Test::Present)),
        Filter::Equality(name, value) | Filter::Approximate(name, value) => {
            described(directory, name, |attribute_type| equality(directory, attribute_type, value))
        }
        Filter::GreaterOrEqual(name, value) => {
            described(directory, name, |it| ordered(directory.schema(), it.ordering?, value, Order::GreaterOrEqual))
        }
        Filter::LessOrEqual(name, value) => {
            described(directory, name, |it| ordered(directory.schema(), it.ordering?, value, Order::LessOrEqual))
        }
        Filter::Substrings(name, parts) => described(directory, name, |it| substrings(directory.schema(), it.substring?, parts)),
        Filter::Extensible(assertion) => extensible(directory, assertion),
    };
    let value = match filter {
        Filter::Equality(_, value) | Filter::Approximate(_, value) => Some(value.as_ref()),
        Filter::Extensible(assertion) => Some(assertion.value.as_ref()),
        _ => None,
    };
    assertion.map_or(Term::Undefined, |assertion| apart::term(directory, assertion, value))
}

fn described(directory: &Directory, name: &str, test: impl FnOnce(&AttributeType) -> Option<Test>) -> Option<Assertion> {
    let description = directory.schema().describe_for_assertion(name).ok()?;
    let attribute_type = directory.schema().attribute_type_by_id(description.attribute_type);
    // What is reserved is the administrators' to read, and nobody's to search for.
    if attribute_type.secret || directory.computed(attribute_type.id) == Some(Computed::Reserved) {
        return None;
    }
    let is_nested = directory.is_nested_member_of(&description);
    let mut test = test(attribute_type)?;
    let mut subject = subject(directory, description);
    if is_nested {
        (subject, test) = chain::nested(subject, test);
    }
    Some(Assertion { subject, test, dn_attributes: false })
}

fn subject(directory: &Directory, description: AttributeDescription) -> Subject {
    let schema = directory.schema();
    let all = schema.with_subtypes(description.attribute_type).iter().copied();
    let types = all.filter(|id| !schema.attribute_type_by_id(*id).secret).map(|id| (id, directory.computed(id)));
    Subject::Described { types: types.collect(), description }
}

/// An equality test by the type's own rule. Classes and memberships have ways of their own.
pub(super) fn equality(directory: &Directory, attribute_type: &AttributeType, value: &[u8]) -> Option<Test> {
    let schema = directory.schema();
    match directory.computed(attribute_type.id) {
        Some(Computed::Members(attribute)) => Some(Test::HasElement(directory.resolve_member(attribute, value).ok()?)),
        Some(Computed::MemberOf) => Some(Test::MemberOf(entry_named(directory, value)?)),
        Some(Computed::EntryDn) => Some(Test::IsEntry(entry_named(directory, value)?)),
        _ if directory.is_object_class(attribute_type.id) => {
            let name = std::str::from_utf8(value).ok()?;
            Some(Test::Class(*schema.class_with_superiors(name.trim_matches(' ')).first()?))
        }
        _ => equal(schema, attribute_type, attribute_type.equality?, value),
    }
}

/// The entry with this name: none inside when there is none, none outside when it is no name.
fn entry_named(directory: &Directory, value: &[u8]) -> Option<Option<EntryId>> {
    match directory.find(&Dn::parse(value).ok()?) {
        Lookup::Found(id) => Some(Some(id)),
        Lookup::Missing { .. } | Lookup::Outside => Some(None),
    }
}

fn equal(schema: &Schema, attribute_type: &AttributeType, rule: &'static MatchingRule, value: &[u8]) -> Option<Test> {
    let key = (rule.prepare_assertion)(schema, value).ok()?;
    if rule.holds.is_some() {
        return Some(Test::Accepted { rule, key });
    }
    // Where assertions are of the values' own syntax, the same octets are the same value, and need no preparation.
    let same = (rule.assertion_syntax == attribute_type.syntax.oid).then(|| value.to_vec().into());
    Some(Test::Equal { rule, key, same })
}

fn ordered(schema: &Schema, rule: &'static MatchingRule, value: &[u8], order: Order) -> Option<Test> {
    Some(Test::Ordered { rule, key: (rule.prepare_assertion)(schema, value).ok()?, order })
}

fn substrings(schema: &Schema, rule: &'static MatchingRule, asserted: &Substrings) -> Option<Test> {
    let prepare = rule.prepare_part?;
    let part = |kind: SubstringPart, octets: &[u8]| -> Option<Key> { prepare(schema, kind, octets).ok() };
    let optional = |kind, octets: &Option<Value>| match octets {
        None => Some(None),
        Some(octets) => part(kind, octets).map(Some),
    };
    let parts = Parts {
        initial: optional(SubstringPart::Initial, &asserted.initial)?,
        any: asserted.any.iter().map(|octets| part(SubstringPart::Any, octets)).collect::<Option<_>>()?,
        last: optional(SubstringPart::Final, &asserted.last)?,
    };
    Some(Test::Substrings { rule, parts })
}

fn extensible(directory: &Directory, asserted: &MatchingRuleAssertion) -> Option<Assertion> {
    let schema = directory.schema();
    let rule = match &asserted.matching_rule {
        Some(name) => Some(schema.matching_rule(name)?),
        None => None,
    };
    let mut assertion = match (&asserted.attribute, rule) {
        (Some(name), rule) => described(directory, name, |it| by_rule(directory, it, rule.or(it.equality)?, &asserted.value))?,
        (None, Some(rule)) => Assertion {
            subject: Subject::Any(types_of_rule(directory, rule)),
            test: by_rule_alone(schema, rule, &asserted.value)?,
            dn_attributes: false,
        },
        (None, None) => return None,
    };
    assertion.dn_attributes = asserted.dn_attributes;
    Some(assertion)
}

fn by_rule(directory: &Directory, attribute_type: &AttributeType, rule: &'static MatchingRule, value: &[u8]) -> Option<Test> {
    if !rule.applies_to(attribute_type) {
        return None;
    }
    if rule.oid == chain::IN_CHAIN {
        return Some(Test::InChain(Chain::new(directory, attribute_type, value)?));
    }
    if attribute_type.equality.is_some_and(|own| own.oid == rule.oid) {
        return equality(directory, attribute_type, value);
    }
    by_rule_alone(directory.schema(), rule, value)
}

fn by_rule_alone(schema: &Schema, rule: &'static MatchingRule, value: &[u8]) -> Option<Test> {
    // Which memberships to follow, only an attribute can say.
    if rule.oid == chain::IN_CHAIN {
        return None;
    }
    match rule.kind {
        RuleKind::Equality if rule.holds.is_none() => {
            Some(Test::Equal { rule, key: (rule.prepare_assertion)(schema, value).ok()?, same: None })
        }
        RuleKind::Ordering => ordered(schema, rule, value, Order::Less),
        RuleKind::Equality | RuleKind::Extensible => {
            Some(Test::Accepted { rule, key: (rule.prepare_assertion)(schema, value).ok()? })
        }
        RuleKind::Substring => substrings(schema, rule, &split_substrings(value)?),
    }
}

fn types_of_rule(directory: &Directory, rule: &MatchingRule) -> Vec<(AttributeTypeId, Option<Computed>)> {
    let searchable = directory.schema().attribute_types().iter().filter(|it| !it.secret && rule.applies_to(it));
    let types = searchable.map(|it| (it.id, directory.computed(it.id)));
    let mut types: Vec<_> = types.filter(|(_, computed)| *computed != Some(Computed::Reserved)).collect();
    types.sort_unstable_by_key(|(id, _)| *id);
    types
}

/// Reads the Substring Assertion syntax (RFC 4517 section 3.3.30): parts between `*`, with `\2A` and `\5C` inside them.
fn split_substrings(value: &[u8]) -> Option<Substrings> {
    let parts: Vec<Vec<u8>> = value.split(|octet| *octet == b'*').map(unescape).collect::<Option<_>>()?;
    let (first, rest) = parts.split_first()?;
    let (last, between) = rest.split_last()?;
    let given = |part: &Vec<u8>| (!part.is_empty()).then(|| part.clone().into());
    let any: Vec<_> = between.iter().map(|part| part.clone().into()).collect();
    let all_given = between.iter().all(|part| !part.is_empty());
    let parts = Substrings { initial: given(first), any, last: given(last) };
    let something = parts.initial.is_some() || parts.last.is_some() || !parts.any.is_empty();
    (all_given && something).then_some(parts)
}

fn unescape(part: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(part.len());
    let mut rest = part;
    while let Some((octet, behind)) = rest.split_first() {
        rest = behind;
        if *octet != b'\\' {
            octets.push(*octet);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        octets.push(match digits {
            b"2A" | b"2a" => b'*',
            b"5C" | b"5c" => b'\\',
            _ => return None,
        });
        rest = behind;
    }
    Some(octets)
}
