//! Memberships at any depth, against following every path by hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::fixture::{group, join, member, person, put, rooted};
use crate::directory::{
    ChainTooLong, Directory, FilterContext, MAXIMUM_CHAIN_WORK, Membership, MembershipAttribute, PreparedFilter, SearchCursor,
    Step, Truth,
};
use crate::model::{EntryId, Filter, Scope};

const ROOT: EntryId = EntryId(1);
const CHAIN: &str = "1.2.840.113556.1.4.1941";
const SIZE: usize = 9;

fn prepared(directory: &Directory, filter: &str) -> PreparedFilter {
    PreparedFilter::new(directory, &Filter::parse(filter.as_bytes()).unwrap())
}

/// What the planned search finds, and what evaluating every entry finds: they must be the same.
fn found(directory: &Arc<Directory>, filter: &str) -> Vec<u64> {
    let mut cursor = SearchCursor::new(directory.clone(), ROOT, Scope::Subtree, prepared(directory, filter), None);
    let mut planned = Vec::new();
    let mut budget = u32::MAX;
    while let Step::Match(node) = cursor.next(&mut budget, &|_, _| true) {
        planned.push(node.id.0);
    }
    let each = prepared(directory, filter);
    let context = FilterContext { directory, may_search: &|_, _| true };
    let evaluated: Vec<u64> =
        directory.nodes().filter(|node| each.evaluate(&context, node) == Truth::True).map(|node| node.id.0).collect();
    assert_eq!(planned, evaluated, "{filter}");
    planned
}

/// Who is reached from `start` by one step or more.
fn reached(edges: &BTreeSet<(usize, usize)>, start: usize, downwards: bool) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(at) = waiting.pop() {
        for &(outer, inner) in edges {
            let (from, to) = if downwards { (outer, inner) } else { (inner, outer) };
            if from == at && all.insert(to) {
                waiting.push(to);
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn chains_are_paths_of_any_length(edges in proptest::collection::btree_set((0..SIZE, 0..SIZE), 0..20), unique: u64) {
        let mut directory = rooted();
        let groups: Vec<EntryId> = (0..SIZE).map(|n| group(&mut directory, ROOT, &format!("g{n}"))).collect();
        for (place, (outer, inner)) in edges.iter().enumerate() {
            let attribute = if unique >> place & 1 == 1 { MembershipAttribute::UniqueMember } else { MembershipAttribute::Member };
            directory.apply(&join(groups[*outer], Membership::Entry(attribute, groups[*inner]))).unwrap();
        }
        let directory = Arc::new(directory);
        let ids = |places: BTreeSet<usize>| places.into_iter().map(|place| groups[place].0).collect::<Vec<_>>();
        for (place, id) in groups.iter().enumerate() {
            let dn = directory.dn_text(*id);
            prop_assert_eq!(found(&directory, &format!("(memberOf:{CHAIN}:={dn})")), ids(reached(&edges, place, true)));
            prop_assert_eq!(found(&directory, &format!("(memberOf;x-nested={dn})")), ids(reached(&edges, place, true)));
            let above = directory.nested_groups_of(*id).unwrap();
            prop_assert_eq!(above.iter().map(|id| id.0).collect::<Vec<_>>(), ids(reached(&edges, place, false)));
            let by_either =
                format!("(|(member:{CHAIN}:={dn})(uniqueMember:inChainMatch:={dn}))");
            prop_assert_eq!(found(&directory, &by_either), ids(reached(&edges, place, false)));
        }
    }
}

#[test]
fn the_last_step_is_by_the_attribute_asked_about_and_names_need_no_entry() {
    let mut directory = rooted();
    let (jane, inner, outer) =
        (person(&mut directory, ROOT, "jane"), group(&mut directory, ROOT, "inner"), group(&mut directory, ROOT, "outer"));
    directory.apply(&join(inner, Membership::Entry(MembershipAttribute::UniqueMember, jane))).unwrap();
    directory.apply(&join(outer, member(inner))).unwrap();
    let gone = directory.resolve_member(MembershipAttribute::Member, b"cn=gone,dc=example,dc=org").unwrap();
    directory.apply(&join(inner, gone)).unwrap();
    let directory = Arc::new(directory);
    let jane = "uid=jane,dc=example,dc=org";
    assert_eq!(found(&directory, &format!("(member:{CHAIN}:={jane})")), [outer.0]);
    assert_eq!(found(&directory, &format!("(uniqueMember:{CHAIN}:={jane})")), [inner.0]);
    assert_eq!(found(&directory, &format!("(member:{CHAIN}:=CN=gone,dc=example,dc=org)")), [inner.0, outer.0]);
    assert_eq!(found(&directory, &format!("(!(memberOf:{CHAIN}:=cn=outer,dc=example,dc=org))")), [1, outer.0]);
    assert_eq!(found(&directory, "(memberOf;x-nested=*)").len(), 2);
    for nothing in [
        format!("(memberOf:{CHAIN}:=cn=none,dc=example,dc=org)"),
        format!("(memberOf:{CHAIN}:=no name)"),
        format!("(!(memberOf:{CHAIN}:=no name))"),
        format!("(cn:{CHAIN}:=inner)"),
        format!("(!(memberUid:{CHAIN}:=jane))"),
        format!("(!(:{CHAIN}:={jane}))"),
        format!("(memberOf;x-nested;lang-en:{CHAIN}:=cn=outer,dc=example,dc=org)"),
        "(member;x-nested=*)".to_owned(),
    ] {
        assert_eq!(found(&directory, &nothing), [0_u64; 0], "{nothing}");
    }
}

#[test]
fn what_would_cost_too_much_is_undefined_and_says_so() {
    let mut directory = rooted();
    let mut above = group(&mut directory, ROOT, "g0");
    let bottom = above;
    for place in 1..=MAXIMUM_CHAIN_WORK + 1 {
        let next = put(&mut directory, Some(ROOT), &format!("cn=g{place}"), &[("objectClass", "groupOfMembers"), ("cn", "x")]);
        directory.apply(&join(next, member(above))).unwrap();
        above = next;
    }
    assert!(matches!(directory.nested_groups_of(bottom), Err(ChainTooLong)));
    let filter = prepared(&directory, &format!("(!(member:{CHAIN}:=cn=g0,dc=example,dc=org))"));
    assert!(filter.chain_too_long());
    let context = FilterContext { directory: &directory, may_search: &|_, _| true };
    assert!(directory.nodes().all(|node| filter.evaluate(&context, node) == Truth::Undefined));
    let middle = directory.dn_text(EntryId(bottom.0 + 9_000));
    assert!(!prepared(&directory, &format!("(member:{CHAIN}:={middle})")).chain_too_long());
    let twice = format!("(&(memberOf:{CHAIN}:={middle})(memberOf:{CHAIN}:={middle}))");
    assert!(prepared(&directory, &twice).chain_too_long(), "one limit for the whole filter");
}
