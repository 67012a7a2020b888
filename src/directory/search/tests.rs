//! Searches find what evaluating every entry finds, whatever the indexes, scopes, budgets and pages.

use std::sync::Arc;

use proptest::prelude::*;

use super::{SearchCursor, SearchPlan, Step};
use crate::directory::tests::fixture::{self, all_indexes, entry, group, join, member, person, put, rooted};
use crate::directory::{Directory, FilterContext, IndexDeclaration, Membership, MembershipAttribute, PreparedFilter, Truth};
use crate::model::{EntryId, Filter, MatchingRuleAssertion, Scope, Substrings, Value};

const ROOT: EntryId = EntryId(1);
const SCOPES: [Scope; 4] = [Scope::Base, Scope::One, Scope::Subtree, Scope::Children];

fn prepared(directory: &Directory, filter: &str) -> PreparedFilter {
    PreparedFilter::new(directory, &Filter::parse(filter.as_bytes()).unwrap())
}

/// Runs a cursor to its end with this budget at a time.
fn run(mut cursor: SearchCursor, budget: u32) -> Vec<u64> {
    let mut found = Vec::new();
    let mut left = budget;
    loop {
        match cursor.next(&mut left, &|_, _| true) {
            Step::Match(node) => found.push(node.id.0),
            Step::Pause => left = budget,
            Step::End => return found,
        }
    }
}

fn search(directory: &Arc<Directory>, base: EntryId, scope: Scope, filter: &Filter) -> Vec<u64> {
    run(SearchCursor::new(directory.clone(), base, scope, PreparedFilter::new(directory, filter), None), 1000)
}

/// What every search must find.
fn brute_force(directory: &Directory, base: EntryId, scope: Scope, filter: &Filter) -> Vec<u64> {
    let filter = PreparedFilter::new(directory, filter);
    let context = FilterContext { directory, may_search: &|_, _| true };
    let in_scope = |id: EntryId, parent: Option<EntryId>| match scope {
        Scope::Base => id == base,
        Scope::One => parent == Some(base),
        Scope::Subtree => directory.is_within(id, base),
        Scope::Children => id != base && directory.is_within(id, base),
    };
    let matches =
        directory.nodes().filter(|node| in_scope(node.id, node.parent) && filter.evaluate(&context, node) == Truth::True);
    matches.map(|node| node.id.0).collect()
}

#[derive(Clone, Debug)]
struct Sample {
    parent: usize,
    class: u8,
    words: Vec<(u8, u8)>,
    number: Option<i8>,
    joins: Vec<u8>,
    moved_to: Option<usize>,
}

const WORDS: [&str; 8] = ["ann", "Anna", "banana", "Ann Berg", "berg", "n", "ä", "annabergen"];
const NAMES: [&str; 5] = ["cn", "sn", "description", "cn;lang-en", "mail"];

fn any_sample() -> impl Strategy<Value = Sample> {
    let words = proptest::collection::vec((0..NAMES.len() as u8, 0..WORDS.len() as u8), 0..5);
    let moved_to = proptest::option::weighted(0.2, 0usize..40);
    (0usize..40, 0u8..3, words, any::<Option<i8>>(), proptest::collection::vec(0u8..5, 0..2), moved_to)
        .prop_map(|(parent, class, words, number, joins, moved_to)| Sample { parent, class, words, number, joins, moved_to })
}

fn attributes(sample: &Sample, uid: &str) -> Vec<(&'static str, String)> {
    let class = ["inetOrgPerson", "organizationalUnit", "groupOfMembers"][usize::from(sample.class)];
    let mut attributes = vec![("objectClass", class.to_owned()), ("uid", uid.to_owned())];
    for (name, word) in &sample.words {
        let attribute = (NAMES[usize::from(*name)], WORDS[usize::from(*word)].to_owned());
        if !attributes.contains(&attribute) && (attribute.0 != "mail" || attribute.1.is_ascii()) {
            attributes.push(attribute);
        }
    }
    attributes.extend(sample.number.map(|number| ("uidNumber", number.to_string())));
    attributes
}

/// Fills a directory by changes: adds, then moves and renames, then memberships.
fn filled(samples: &[Sample], indexes: &[IndexDeclaration]) -> Directory {
    let mut directory = fixture::empty(indexes);
    put(&mut directory, None, fixture::SUFFIX, &[("objectClass", "domain"), ("dc", "example")]);
    for (place, sample) in samples.iter().enumerate() {
        let parent = EntryId((sample.parent % (place + 1)) as u64 + 1);
        let owned = attributes(sample, &format!("u{place}"));
        let attributes: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
        put(&mut directory, Some(parent), &format!("uid=u{place}"), &attributes);
    }
    for (place, sample) in samples.iter().enumerate() {
        let id = place as u64 + 2;
        if let Some(parent) = sample.moved_to {
            let owned =
                attributes(&Sample { words: sample.words.iter().rev().take(2).copied().collect(), ..sample.clone() }, "moved");
            let attributes: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
            // Below itself or out of the tree: refused, and nothing changes.
            let _ = directory.apply(&entry(id, Some(EntryId(parent as u64 + 1)), &format!("uid=m{place}"), &attributes));
        }
        for group in &sample.joins {
            let group = EntryId(u64::from(*group) + 1);
            if directory.node(group).is_some() {
                directory.apply(&join(group, member(EntryId(id)))).unwrap();
                directory.apply(&join(group, Membership::Entry(MembershipAttribute::UniqueMember, EntryId(id)))).unwrap();
            }
        }
    }
    directory
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let name =
        || proptest::sample::select(vec!["cn", "sn", "name", "description", "CN;LANG-EN", "mail", "uid", "uidNumber", "zork"]);
    let word = || {
        let plain = proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
        prop_oneof![plain, "[abnr]{1,4}", (-128i16..128).prop_map(|number| number.to_string()), "u[0-9]", Just(" ".to_owned())]
    };
    let value = || word().prop_map(Value::from);
    let parts = (proptest::option::of(value()), proptest::collection::vec(value(), 0..3), proptest::option::of(value()))
        .prop_filter("at least one part", |(initial, any, last)| initial.is_some() || last.is_some() || !any.is_empty())
        .prop_map(|(initial, any, last)| Substrings { initial, any, last });
    let class = proptest::sample::select(vec!["top", "person", "inetOrgPerson", "organizationalUnit", "zork"]);
    let place =
        || proptest::sample::select(vec!["dc=example,dc=org", "uid=u0,dc=example,dc=org", "uid=u1,dc=example,dc=org", "cn=x"]);
    let set = proptest::sample::select(vec!["memberOf", "member", "uniqueMember", "entryDN"]);
    let rule =
        proptest::option::of(proptest::sample::select(vec!["caseIgnoreMatch", "caseExactMatch", "caseIgnoreSubstringsMatch"]));
    let extensible =
        (rule, proptest::option::of(name()), value(), any::<bool>()).prop_map(|(rule, name, value, dn_attributes)| {
            let (matching_rule, attribute) = (rule.map(str::to_owned), name.map(str::to_owned));
            Filter::Extensible(MatchingRuleAssertion { matching_rule, attribute, value, dn_attributes })
        });
    let leaf = prop_oneof![
        4 => (name(), value()).prop_map(|(name, value)| Filter::Equality(name.into(), value)),
        4 => (name(), parts).prop_map(|(name, parts)| Filter::Substrings(name.into(), parts)),
        2 => (name(), value()).prop_map(|(name, value)| Filter::GreaterOrEqual(name.into(), value)),
        2 => (name(), value()).prop_map(|(name, value)| Filter::LessOrEqual(name.into(), value)),
        1 => name().prop_map(|name| Filter::Present(name.into())),
        1 => proptest::sample::select(vec!["memberOf", "member", "objectClass"]).prop_map(|name| Filter::Present(name.into())),
        2 => class.prop_map(|class| Filter::Equality("objectClass".into(), Value::from(class))),
        2 => (set, place()).prop_map(|(name, place)| Filter::Equality(name.into(), Value::from(place))),
        1 => extensible,
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            2 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            1 => inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn indexed_searches_find_what_brute_force_finds(
        samples in proptest::collection::vec(any_sample(), 0..40),
        filters in proptest::collection::vec(any_filter(), 1..20),
        base in 1u64..10,
    ) {
        let directory = Arc::new(filled(&samples, &all_indexes()));
        let plain = Arc::new(filled(&samples, &[]));
        let base = if directory.node(EntryId(base)).is_some() { EntryId(base) } else { ROOT };
        for filter in &filters {
            for scope in SCOPES {
                let expected = brute_force(&directory, base, scope, filter);
                prop_assert_eq!(search(&directory, base, scope, filter), expected.clone(), "{} {:?}", filter, scope);
                prop_assert_eq!(search(&plain, base, scope, filter), expected, "not indexed: {} {:?}", filter, scope);
            }
        }
    }

    #[test]
    fn pauses_and_pages_lose_nothing(
        samples in proptest::collection::vec(any_sample(), 0..30),
        filter in any_filter(),
        budget in 1u32..5,
        page in 1usize..4,
    ) {
        let directory = Arc::new(filled(&samples, &all_indexes()));
        for (base, scope) in [(ROOT, Scope::Subtree), (ROOT, Scope::One), (EntryId(2), Scope::Subtree), (EntryId(2), Scope::Children)] {
            if directory.node(base).is_none() {
                continue;
            }
            let expected = brute_force(&directory, base, scope, &filter);
            let cursor = |after| SearchCursor::new(directory.clone(), base, scope, PreparedFilter::new(&directory, &filter), after);
            prop_assert_eq!(run(cursor(None), budget), expected.clone());
            let mut paged = Vec::new();
            loop {
                let found: Vec<u64> = run(cursor(paged.last().copied().map(EntryId)), budget).into_iter().take(page).collect();
                if found.is_empty() {
                    break;
                }
                paged.extend(found);
            }
            prop_assert_eq!(paged, expected);
        }
    }
}

#[test]
fn indexes_leave_little_to_look_at() {
    let mut directory = rooted();
    let nurses = group(&mut directory, ROOT, "nurses");
    for number in 0..600 {
        let id = person(&mut directory, ROOT, &format!("person{number:03}"));
        if number % 100 == 0 {
            directory.apply(&join(nurses, member(id))).unwrap();
        }
    }
    let count = |filter: &str| SearchPlan::new(&directory, &prepared(&directory, filter)).candidate_count();
    assert_eq!(count("(uid=person042)"), Some(1));
    assert_eq!(count("(UID=Person042)"), Some(1));
    assert_eq!(count("(&(objectClass=person)(uid=person042))"), Some(1));
    assert_eq!(count("(&(!(cn=x))(uid=person042))"), Some(1));
    assert_eq!(count("(|(uid=person042)(uid=person043))"), Some(2));
    assert_eq!(count("(|(uid=person042)(sn;x-y>=a))"), Some(1), "an undefined branch adds nothing");
    assert_eq!(count("(|(uid=person042)(displayName=a))"), None, "one branch is not indexed");
    assert_eq!(count("(memberOf=cn=nurses,dc=example,dc=org)"), Some(6));
    assert_eq!(count("(member=uid=person100,dc=example,dc=org)"), Some(1));
    assert_eq!(count("(entryDN=uid=person100,dc=example,dc=org)"), Some(1));
    assert_eq!(count("(objectClass=person)"), Some(600));
    assert_eq!(count("(sn=person100)"), Some(1), "by the index of name");
    assert!(count("(cn=*son10*)").unwrap() <= 32);
    assert_eq!(count("(cn=*x*)"), None, "too short to look for");
    assert_eq!(count("(!(uid=person042))"), None);
    assert_eq!(count("(userPassword=x)"), Some(0));
}

#[test]
fn a_small_subtree_is_not_paid_for_by_the_whole() {
    let mut directory = rooted();
    let ward = put(&mut directory, Some(ROOT), "ou=ward", &[("objectClass", "organizationalUnit"), ("ou", "ward")]);
    let nurse = person(&mut directory, ward, "nurse");
    for number in 0..400 {
        person(&mut directory, ROOT, &format!("person{number}"));
    }
    let directory = Arc::new(directory);
    for filter in ["(objectClass=person)", "(displayName=*)", "(!(uid=x))"] {
        let mut cursor = SearchCursor::new(directory.clone(), ward, Scope::Subtree, prepared(&directory, filter), None);
        let mut budget = 10;
        while let Step::Match(node) = cursor.next(&mut budget, &|_, _| true) {
            assert!(node.id == ward || node.id == nurse);
        }
        assert!(budget >= 4, "{filter} looked at {} candidates", 10 - budget);
    }
}

#[test]
fn a_budget_of_nothing_pauses_and_the_end_needs_none() {
    let directory = Arc::new(rooted());
    let mut cursor = SearchCursor::new(directory.clone(), ROOT, Scope::Subtree, prepared(&directory, "(dc=*)"), None);
    assert!(matches!(cursor.next(&mut 0, &|_, _| true), Step::Pause));
    assert!(matches!(cursor.next(&mut 1, &|_, _| true), Step::Match(_)));
    assert!(matches!(cursor.next(&mut 0, &|_, _| true), Step::End));
    assert_eq!(cursor.directory().entry_count(), 1);
}
