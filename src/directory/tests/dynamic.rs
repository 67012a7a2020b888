//! Groups whose members are computed: listing, asking and searching agree.

use std::sync::Arc;

use super::fixture::{group, join, member, person, put, rooted};
use crate::directory::{Directory, FilterContext, MAXIMUM_DYNAMIC_GROUPS, PreparedFilter, SearchCursor, Step, Truth};
use crate::model::{EntryId, Filter, Scope};

const ROOT: EntryId = EntryId(1);

fn dynamic(directory: &mut Directory, cn: &str, url: &str) -> EntryId {
    put(directory, Some(ROOT), &format!("cn={cn}"), &[("objectClass", "groupOfURLs"), ("cn", cn), ("memberURL", url)])
}

fn found(directory: &Arc<Directory>, filter: &str) -> Vec<EntryId> {
    let prepared = || PreparedFilter::new(directory, &Filter::parse(filter.as_bytes()).unwrap());
    let mut cursor = SearchCursor::new(directory.clone(), ROOT, Scope::Subtree, prepared(), None);
    let mut planned = Vec::new();
    let mut budget = u32::MAX;
    while let Step::Match(node) = cursor.next(&mut budget, &|_, _| true) {
        planned.push(node.id);
    }
    let (each, context) = (prepared(), FilterContext { directory, may_search: &|_, _| true });
    let evaluated: Vec<_> =
        directory.nodes().filter(|node| each.evaluate(&context, node) == Truth::True).map(|node| node.id).collect();
    assert_eq!(planned, evaluated, "{filter}");
    planned
}

#[test]
fn listing_asking_and_searching_agree() {
    let mut directory = rooted();
    let unit = put(&mut directory, Some(ROOT), "ou=unit", &[("objectClass", "organizationalUnit"), ("ou", "unit")]);
    let people: Vec<EntryId> = ["ann", "bob", "cyd"].into_iter().map(|uid| person(&mut directory, unit, uid)).collect();
    let above = person(&mut directory, ROOT, "dan");
    let everybody: Vec<EntryId> = people.iter().copied().chain([above]).collect();
    let suffix = "dc=example,dc=org";
    for (place, (url, expected)) in [
        (format!("ldap:///{suffix}??sub?(objectClass=inetOrgPerson)"), everybody.clone()),
        (format!("LDAP:///ou=UNIT,{suffix}??one?(uid=*)"), people.clone()),
        (format!("ldap:///ou=unit,{suffix}??sub?(%7C(uid=ann)(uid=cyd))"), vec![people[0], people[2]]),
        (format!("ldap:///uid=bob,ou=unit,{suffix}"), vec![people[1]]),
        (format!("ldap:///{suffix}?cn?children?(!(ou=*)) all but units"), vec![]),
        ("ldap://elsewhere/dc=example,dc=org??sub?(uid=*)".to_owned(), vec![]),
        (format!("ldap:///{suffix}??sub?(uid=*"), vec![]),
        (format!("ldap:///{suffix}??sub?(uid=ann)?!x-must"), vec![]),
        (format!("ldap:///{suffix}??deep?(uid=*)"), vec![]),
        ("ldap:///dc=none??sub?(uid=*)".to_owned(), vec![]),
        ("nonsense".to_owned(), vec![]),
        ("é".to_owned(), vec![]),
        (format!("ldap:///{suffix}??sub?(memberOf:1.2.840.113556.1.4.1941:=cn=g0,{suffix})"), vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut directory = directory.clone();
        let cn = format!("g{place}");
        let id = dynamic(&mut directory, &cn, &url);
        let node = directory.node(id).unwrap().clone();
        let listed: Vec<EntryId> = directory.dynamic_members(&node).unwrap();
        if url.contains("all but units") {
            assert!(listed.len() == 5 && listed.contains(&id), "the group itself has no ou: {listed:?}");
            continue;
        }
        assert_eq!(listed, expected, "{url}");
        let directory = Arc::new(directory);
        assert_eq!(found(&directory, &format!("(memberOf=cn={cn},{suffix})")), expected, "{url}");
        for person in &everybody {
            let is_member = expected.contains(person);
            assert_eq!(directory.is_dynamic_member(id, *person), is_member, "{url}");
            let groups: Vec<EntryId> = directory.all_groups_of(*person).iter().collect();
            assert_eq!(groups, if is_member { vec![id] } else { vec![] }, "{url}");
            assert_eq!(found(&directory, &format!("(member={})", directory.dn_text(*person))), groups, "{url}");
        }
    }
}

#[test]
fn computed_members_do_not_lead_back_to_themselves() {
    let mut directory = rooted();
    let ann = person(&mut directory, ROOT, "ann");
    let listed = group(&mut directory, ROOT, "listed");
    directory.apply(&join(listed, member(ann))).unwrap();
    let circle = dynamic(&mut directory, "circle", "ldap:///dc=example,dc=org??sub?(memberOf=cn=circle,dc=example,dc=org)");
    let of_listed = dynamic(&mut directory, "of", "ldap:///dc=example,dc=org??sub?(memberOf=cn=listed,dc=example,dc=org)");
    let node = |id| directory.node(id).unwrap().clone();
    assert_eq!(directory.dynamic_members(&node(circle)).unwrap(), []);
    assert_eq!(directory.dynamic_members(&node(of_listed)).unwrap(), [ann]);
    assert!(!directory.is_member(of_listed, ann), "rights go by listed members");
}

#[test]
fn too_many_groups_are_not_asked_in_part() {
    let mut directory = rooted();
    let ann = person(&mut directory, ROOT, "ann");
    for place in 0..=MAXIMUM_DYNAMIC_GROUPS {
        assert_eq!(directory.dynamic_groups_of(ann).len(), place);
        dynamic(&mut directory, &format!("g{place}"), "ldap:///dc=example,dc=org??sub?(uid=ann)");
    }
    assert!(directory.dynamic_groups_of(ann).is_empty());
    assert!(directory.is_dynamic_member(EntryId(ann.0 + 1), ann));
}
