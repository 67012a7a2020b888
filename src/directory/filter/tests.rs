//! What filters are true for, line by line.

use super::{FilterContext, PreparedFilter, Truth};
use crate::directory::tests::fixture::{self, group, join, member, put, rooted};
use crate::directory::{AccountState, Change, Directory, Membership, MembershipAttribute};
use crate::model::{AttributeTypeId, EntryId, Filter, Timestamp};

const ROOT: EntryId = EntryId(1);

/// dc=example,dc=org with a person (2), a group that has her (3) and a group of strangers (4).
fn sample() -> Directory {
    let mut directory = rooted();
    let attributes = [
        ("objectClass", "inetOrgPerson"),
        ("objectClass", "posixAccount"),
        ("uid", "jane"),
        ("cn", "Jane  Doe"),
        ("cn;lang-de", "Johanna Reh"),
        ("sn", "Doe"),
        ("uidNumber", "1005"),
        ("gidNumber", "100"),
        ("homeDirectory", "/home/jane"),
        ("userPassword", "secret"),
        ("createTimestamp", "20260101120000Z"),
    ];
    let jane = put(&mut directory, Some(ROOT), "uid=jane", &attributes);
    let nurses = group(&mut directory, ROOT, "nurses");
    let strangers = group(&mut directory, ROOT, "strangers");
    let mut changes = vec![join(nurses, member(jane))];
    changes.push(join(strangers, directory.resolve_member(MembershipAttribute::Member, b"cn=x,dc=elsewhere").unwrap()));
    changes.push(join(strangers, directory.resolve_member(MembershipAttribute::MemberUid, b"bob").unwrap()));
    changes.push(join(strangers, Membership::Entry(MembershipAttribute::UniqueMember, ROOT)));
    let state = AccountState {
        last_login: Some(Timestamp(1_767_268_800_000_000)),
        last_login_source: Some("10.1.2.3".into()),
        ..Default::default()
    };
    changes.push(Change::PutAccountState { id: jane, state });
    changes.iter().for_each(|change| directory.apply(change).unwrap());
    directory
}

fn evaluate(directory: &Directory, id: u64, filter: &str) -> Truth {
    evaluate_as(directory, id, filter, &|_, _| true)
}

fn evaluate_as(
    directory: &Directory,
    id: u64,
    filter: &str,
    may_search: &dyn Fn(AttributeTypeId, &crate::directory::Node) -> bool,
) -> Truth {
    let prepared = PreparedFilter::new(directory, &Filter::parse(filter.as_bytes()).unwrap());
    prepared.evaluate(&FilterContext { directory, may_search }, directory.node(EntryId(id)).unwrap())
}

fn check(id: u64, cases: &[(&str, Truth)]) {
    let directory = sample();
    for (filter, expected) in cases {
        assert_eq!(evaluate(&directory, id, filter), *expected, "{filter} on {id}");
    }
}

use Truth::{False, True, Undefined};

#[test]
fn three_values() {
    check(
        2,
        &[
            ("(&)", True),
            ("(|)", False),
            ("(!(&))", False),
            ("(zork=x)", Undefined),
            ("(!(zork=x))", Undefined),
            ("(zork=*)", Undefined),
            ("(&(uid=jane)(zork=x))", Undefined),
            ("(&(uid=joe)(zork=x))", False),
            ("(|(uid=jane)(zork=x))", True),
            ("(|(uid=joe)(zork=x))", Undefined),
            ("(uidNumber=many)", Undefined),
            ("(!(uidNumber=many))", Undefined),
            ("(description=absent)", False),
            ("(!(description=absent))", True),
            ("(description>=a)", Undefined),
        ],
    );
}

#[test]
fn values_are_compared_by_their_rules() {
    check(
        2,
        &[
            ("(cn=JANE doe)", True),
            ("(cn= jane   doe )", True),
            ("(cn=janedoe)", False),
            ("(cn~=jane doe)", True),
            ("(uidNumber=01005)", Undefined),
            ("(uidNumber>=1005)", True),
            ("(uidNumber<=1005)", True),
            ("(uidNumber>=999)", True),
            ("(uidNumber>=10050)", False),
            ("(uidNumber<=-1)", False),
            ("(employeeNumber>=1)", Undefined),
            ("(createTimestamp>=20260101115959Z)", True),
            ("(createTimestamp>=20260101120001Z)", False),
            ("(createTimestamp<=20260101130000+0100)", True),
            ("(cn=*)", True),
            ("(mail=*)", False),
            ("(homeDirectory=/HOME/jane)", False),
        ],
    );
}

#[test]
fn rules_that_decide_in_their_own_way() {
    check(
        2,
        &[
            ("(cn:wordMatch:=DOE)", True),
            ("(cn:2.5.13.32:=johanna)", True),
            ("(cn;lang-de:wordMatch:=jane)", False),
            ("(name:wordMatch:=reh)", True),
            ("(:wordMatch:=reh)", True),
            ("(:wordMatch:=re)", False),
            ("(cn:keywordMatch:=doe)", False),
            ("(cn:keywordMatch:=jane doe)", True),
            ("(ou:dn:wordMatch:=doe)", False),
            ("(uid:dn:wordMatch:=jane)", True),
            ("(!(cn:wordMatch:=joe))", True),
            ("(cn:wordMatch:=)", Undefined),
            ("(uidNumber:wordMatch:=1005)", Undefined),
            ("(userPassword:wordMatch:=secret)", Undefined),
        ],
    );
}

#[test]
fn bits_of_numbers() {
    check(
        2,
        &[
            ("(uidNumber:1.2.840.113556.1.4.803:=5)", True),
            ("(uidNumber:1.2.840.113556.1.4.803:=7)", False),
            ("(uidNumber:integerBitAndMatch:=0)", True),
            ("(uidNumber:integerBitAndMatch:=-1)", False),
            ("(uidNumber:1.2.840.113556.1.4.804:=3)", True),
            ("(uidNumber:1.2.840.113556.1.4.804:=18)", False),
            ("(uidNumber:integerBitOrMatch:=0)", False),
            ("(uidNumber:integerBitOrMatch:=-1)", True),
            ("(:integerBitAndMatch:=1005)", True),
            ("(!(uidNumber:integerBitAndMatch:=7))", True),
            ("(cn:integerBitAndMatch:=1)", Undefined),
            ("(uidNumber:integerBitAndMatch:=one)", Undefined),
            ("(uidNumber:integerBitAndMatch:=9223372036854775808)", Undefined),
            ("(uidNumber:integerBitAndMatch:=-9223372036854775808)", False),
            ("(uidNumber:integerBitAndMatch:=)", Undefined),
        ],
    );
}

#[test]
fn sets_are_asked_without_an_attribute_and_by_types_above() {
    let jane = "uid=jane,dc=example,dc=org";
    let (by_rule, by_type) = (format!("(:distinguishedNameMatch:={jane})"), "(distinguishedName=UID=Jane,dc=example, dc=org)");
    let by_rule = by_rule.as_str();
    let nobody = "(:2.5.13.1:=uid=nobody,dc=example,dc=org)";
    // Her entryDN, the group's member.
    check(2, &[(by_rule, True), (by_type, False), (nobody, False), ("(:objectIdentifierMatch:=person)", True)]);
    check(3, &[(by_rule, True), (by_type, True), (nobody, False), ("(!(:2.5.13.1:=cn=x,dc=elsewhere))", True)]);
    check(
        4,
        &[
            (by_rule, False),
            ("(:distinguishedNameMatch:=cn=X,dc=elsewhere)", True),
            ("(distinguishedName=cn=x,dc=elsewhere)", True),
            ("(distinguishedName=no name)", Undefined),
            ("(:distinguishedNameMatch:=no name)", Undefined),
            ("(:caseExactIA5Match:=bob)", True),
            ("(:caseExactIA5Match:=Bob)", False),
            ("(:caseIgnoreIA5Match:=Bob)", True),
            ("(memberUid:caseIgnoreIA5Match:=BOB)", True),
            ("(memberUid:caseIgnoreIA5SubstringsMatch:=B\\2ab)", True),
            ("(memberUid:caseIgnoreIA5SubstringsMatch:=x\\2a)", False),
            ("(!(memberUid:caseIgnoreIA5Match:=x))", True),
        ],
    );
    check(3, &[("(memberUid:caseIgnoreIA5Match:=BOB)", False), ("(:caseIgnoreIA5Match:=BOB)", False)]);
}

#[test]
fn values_that_items_are_true_for() {
    use super::ValuesFilter;
    use crate::directory::Computed;
    let directory = sample();
    let kept = |item: &str, computed: Computed, id: u64| {
        let filter = ValuesFilter::new(&directory, &[Filter::parse(item.as_bytes()).unwrap()]);
        filter.computed(&directory, computed, directory.node(EntryId(id)).unwrap()).len()
    };
    let members = Computed::Members(MembershipAttribute::Member);
    let names = Computed::Members(MembershipAttribute::MemberUid);
    assert_eq!(kept("(:distinguishedNameMatch:=uid=jane,dc=example,dc=org)", members, 3), 1);
    assert_eq!(kept("(:distinguishedNameMatch:=uid=jane,dc=example,dc=org)", members, 4), 0);
    assert_eq!(kept("(memberUid:caseIgnoreIA5Match:=BOB)", names, 4), 1);
    assert_eq!(kept("(memberUid:caseIgnoreIA5SubstringsMatch:=x\\2a)", names, 4), 0);
    assert_eq!(kept("(memberUid=*)", names, 4), 1);
    assert_eq!(kept("(member=*)", names, 4), 0);
}

#[test]
fn substrings() {
    check(
        2,
        &[
            ("(cn=jan*)", True),
            ("(cn=*doe)", True),
            ("(cn=*ane d*)", True),
            ("(cn=j*n*d*e)", True),
            ("(cn=jane*ne doe)", False),
            ("(cn=*doe*doe)", False),
            ("(cn=*doe*jane*)", False),
            ("(cn=doe*)", False),
            ("(mail=*x*)", False),
            ("(uidNumber=1*)", Undefined),
        ],
    );
}

#[test]
fn subtypes_and_options() {
    check(
        2,
        &[
            ("(name=doe)", True),
            ("(name=johanna reh)", True),
            ("(name=jane)", False),
            ("(cn=johanna reh)", True),
            ("(cn;lang-de=johanna reh)", True),
            ("(cn;lang-de=jane doe)", False),
            ("(cn;lang-de=*)", True),
            ("(cn;lang-en=*)", False),
            ("(2.5.4.3=jane doe)", True),
            ("(commonName=jane doe)", True),
        ],
    );
}

#[test]
fn classes_are_found_by_what_they_imply() {
    check(
        2,
        &[
            ("(objectClass=inetOrgPerson)", True),
            ("(objectClass=PERSON)", True),
            ("(objectClass=2.5.6.6)", True),
            ("(objectClass=top)", True),
            ("(objectClass=groupOfMembers)", False),
            ("(!(objectClass=domain))", True),
            ("(objectClass=zork)", Undefined),
            ("(objectClass=*)", True),
        ],
    );
}

#[test]
fn secrets_are_never_searched() {
    check(2, &[("(userPassword=secret)", Undefined), ("(userPassword=*)", Undefined), ("(!(userPassword=x))", Undefined)]);
    check(1, &[("(userPassword=*)", Undefined), ("(userPassword:octetStringMatch:=secret)", Undefined)]);
    check(2, &[("(:octetStringMatch:=secret)", False)]);
}

#[test]
fn computed_attributes_are_searched() {
    check(
        2,
        &[
            ("(memberOf=CN=Nurses,dc=example,dc=org)", True),
            ("(memberOf=cn=strangers,dc=example,dc=org)", False),
            ("(!(memberOf=cn=nowhere,dc=example,dc=org))", True),
            ("(memberOf=no name)", Undefined),
            ("(memberOf=*)", True),
            ("(entryDN=uid=JANE,dc=example,dc=org)", True),
            ("(entryDN=dc=example,dc=org)", False),
            ("(hasSubordinates=FALSE)", True),
            ("(subschemaSubentry=cn=subschema)", True),
            ("(lastLoginSource=10.1.2.3)", True),
            ("(lastLoginTime>=20260101000000Z)", True),
            ("(lastLoginTime<=20250101000000Z)", False),
        ],
    );
    check(1, &[("(hasSubordinates=TRUE)", True), ("(numSubordinates>=3)", True), ("(numSubordinates=3)", True)]);
    check(1, &[("(lastLoginTime=*)", False), ("(lastLoginTime<=20300101000000Z)", False), ("(memberOf=*)", True)]);
}

#[test]
fn sets_are_searched_from_the_group() {
    check(
        3,
        &[
            ("(member=uid=jane,dc=example,dc=org)", True),
            ("(member=UID=Jane, DC=Example,dc=org)", True),
            ("(member=dc=example,dc=org)", False),
            ("(member=no name)", Undefined),
            ("(member=*)", True),
            ("(uniqueMember=*)", False),
        ],
    );
    check(
        4,
        &[
            ("(member=CN=X,dc=elsewhere)", True),
            ("(memberUid=bob)", True),
            ("(memberUid=jane)", False),
            ("(uniqueMember=dc=example,dc=org)", True),
            ("(memberOf=*)", False),
        ],
    );
}

#[test]
fn extensible_matches() {
    check(
        2,
        &[
            ("(cn:caseExactMatch:=Jane Doe)", True),
            ("(cn:caseExactMatch:=jane doe)", False),
            ("(cn:=jane doe)", True),
            ("(:caseIgnoreMatch:=DOE)", True),
            ("(:caseExactMatch:=DOE)", False),
            ("(dc:dn:=example)", True),
            ("(dc:=example)", False),
            ("(dc:dn:=elsewhere)", False),
            ("(uid:dn:caseExactMatch:=JANE)", False),
            ("(:dn:caseIgnoreIA5Match:=ORG)", True),
            ("(:caseIgnoreIA5Match:=ORG)", False),
            ("(cn:zorkMatch:=x)", Undefined),
            ("(:zorkMatch:=x)", Undefined),
            ("(cn:integerMatch:=1)", Undefined),
            ("(uidNumber:integerOrderingMatch:=2000)", True),
            ("(uidNumber:integerOrderingMatch:=1005)", False),
            ("(cn:caseIgnoreSubstringsMatch:=ja\\2adoe)", True),
            ("(cn:caseIgnoreSubstringsMatch:=\\2a)", Undefined),
            ("(cn:caseIgnoreSubstringsMatch:=ja\\2ad\\5c2a\\2a)", False),
            ("(cn:caseIgnoreSubstringsMatch:=ja\\5c)", Undefined),
            ("(objectClass:objectIdentifierMatch:=person)", True),
        ],
    );
}

#[test]
fn what_may_not_be_searched_tells_nothing() {
    let directory = sample();
    let schema = fixture::schema();
    let id_of = |name: &str| schema.attribute_type(name).unwrap().id;
    let (sn, cn) = (id_of("sn"), id_of("cn"));
    let no_sn = |id: AttributeTypeId, _: &crate::directory::Node| id != sn;
    assert_eq!(evaluate_as(&directory, 2, "(sn=doe)", &no_sn), Undefined);
    assert_eq!(evaluate_as(&directory, 1, "(sn=*)", &no_sn), Undefined, "not even that it is absent");
    assert_eq!(evaluate_as(&directory, 2, "(name=doe)", &no_sn), False);
    assert_eq!(evaluate_as(&directory, 2, "(:caseIgnoreMatch:=doe)", &no_sn), False);
    assert_eq!(evaluate_as(&directory, 2, "(cn=jane doe)", &no_sn), True);
    let only_sn = |id: AttributeTypeId, _: &crate::directory::Node| id != cn;
    assert_eq!(evaluate_as(&directory, 2, "(name=doe)", &only_sn), True);
}

#[test]
fn what_is_nested_too_deeply_is_undefined() {
    let directory = sample();
    let mut filter = Filter::And(Vec::new());
    for _ in 0..5_000 {
        filter = Filter::And(vec![filter]);
    }
    let prepared = PreparedFilter::new(&directory, &filter);
    let context = FilterContext { directory: &directory, may_search: &|_, _| true };
    assert_eq!(prepared.evaluate(&context, directory.node(ROOT).unwrap()), Undefined);
}
