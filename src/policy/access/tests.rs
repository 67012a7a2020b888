//! What rules bear on, held against a plain reading of them, and which values mean nothing.

use proptest::prelude::*;

use super::*;
use crate::model::Value;
use crate::model::schema::Schema;

fn read(values: &[(&str, &str)]) -> Result<AccessRule, String> {
    let schema = Schema::embedded().unwrap();
    let of = |name: &str| {
        let found = values.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| Value::copy_from_slice(value.as_bytes())).collect()
    };
    Reader { schema: &schema, values: &of, lenient: false }.read("test".to_owned()).map_err(|error| error.to_string())
}

fn attributes(parts: &[&str], effect: &str) -> impl Fn(&str) -> bool {
    let mut values = vec![("accessSubject", "anyone"), ("accessRight", "read"), ("accessEffect", effect)];
    values.extend(parts.iter().map(|part| ("accessAttribute", *part)));
    let rule = read(&values).unwrap();
    move |name| {
        let schema = Schema::embedded().unwrap();
        rule.bears_on(Right::Read, Some(schema.attribute_type(name).unwrap().id))
    }
}

#[test]
fn attributes_are_names_with_subtypes_classes_sections_and_all_but() {
    let names = attributes(&["name", "mail"], "allow");
    assert_eq!(["cn", "sn", "mail", "title", "uid"].map(names), [true, true, true, true, false]);
    let class = attributes(&["@person"], "allow");
    assert_eq!(["cn", "telephoneNumber", "userPassword", "mail"].map(class), [true, true, false, false]);
    let user = attributes(&["*"], "allow");
    assert_eq!(["mail", "memberOf", "userPassword"].map(user), [true, false, false]);
    let operational = attributes(&["+", "!memberOf"], "allow");
    assert_eq!(["mail", "memberOf", "entryUUID"].map(operational), [false, false, true]);
    let all_but = attributes(&["!mail"], "allow");
    assert_eq!(["mail", "memberOf", "cn", "userPassword"].map(all_but), [false, true, true, false]);
    // What denies reaches secrets wherever it can; what allows, where it names them.
    assert!(attributes(&["!mail"], "deny")("userPassword"));
    assert!(attributes(&["@person"], "deny")("userPassword"));
    assert!(attributes(&["userPassword"], "allow")("userPassword"));
    assert!(attributes(&[], "allow")("userPassword"));
}

#[test]
fn what_means_nothing_is_told_with_what_to_write() {
    let with = |more: &[(&'static str, &'static str)]| {
        let mut values = vec![("accessSubject", "self"), ("accessRight", "read"), ("accessEffect", "allow")];
        values.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        values.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        read(&values).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        with(&[("accessAttribute", "zork")]),
        "accessAttribute: value #0 \"zork\" is no attribute; write its name without options, @class, * or +"
    );
    assert_eq!(with(&[("accessAttribute", "@zork")]), "accessAttribute: value #0 \"zork\" is no object class");
    assert_eq!(with(&[("accessEffect", "maybe")]), "accessEffect: value #0 \"maybe\" is no effect; write allow or deny");
    assert_eq!(with(&[("accessEffect", "")]), "accessEffect: value #0 is missing");
    assert_eq!(with(&[("accessFilter", "(zork=1)")]), "accessFilter: value #0 names \"zork\", which is no attribute");
    assert_eq!(with(&[("accessFilter", "(userPassword=*)")]), "accessFilter: value #0 names \"userPassword\", which is a secret");
    assert_eq!(
        with(&[("accessFilter", "person")]),
        "accessFilter: value #0 \"person\" is no filter; write one like (objectClass=person)"
    );
    assert_eq!(
        with(&[("accessNetwork", "10.1.2.3/8")]),
        "accessNetwork: value #0 \"10.1.2.3/8\" has bits behind its length; write 10.0.0.0/8"
    );
    assert!(with(&[("accessSubject", "everyone")]).contains("is nobody; write group:DN"));
    assert!(with(&[("accessRight", "write")]).contains("is no right; write all or one of search, compare, read"));
    assert!(with(&[("accessScope", "tree")]).contains("is no scope"));
    assert!(with(&[("accessFactor", "face")]).contains("is no factor"));
}

#[test]
fn a_rule_holds_in_its_networks_with_its_factors_until_its_end() {
    let rule = read(&[
        ("accessSubject", "anyone"),
        ("accessRight", "all"),
        ("accessEffect", "allow"),
        ("accessNetwork", "10.0.0.0/8"),
        ("accessFactor", "second"),
        ("ruleNotAfter", "20261201000000Z"),
    ])
    .unwrap();
    let end = rule.not_after.unwrap();
    let holds = |address: &str, factors: &[&'static str], now| {
        rule.holds(&Circumstances { address: Some(address.parse().unwrap()), factors, now })
    };
    let before = Timestamp(end.0 - 1);
    assert!(holds("10.1.2.3", &["password", "otp"], before));
    assert!(!holds("10.1.2.3", &["password"], before));
    assert!(!holds("192.0.2.1", &["password", "otp"], before));
    assert!(!holds("10.1.2.3", &["password", "otp"], end));
    assert!(!rule.holds(&Circumstances { address: None, factors: &["ldapi"], now: before }));
}

proptest! {
    #[test]
    fn order_never_matters_and_deny_wins(effects in proptest::collection::vec(any::<bool>(), 0..8), turn in 0usize..8) {
        let mut rules: Vec<(Effect, ())> = effects.iter().map(|deny| (if *deny { Effect::Deny } else { Effect::Allow }, ())).collect();
        let expected = match () {
            () if effects.contains(&true) => Verdict::Denied(()),
            () if effects.contains(&false) => Verdict::Allowed(()),
            () => Verdict::NoRule,
        };
        prop_assert_eq!(decide(rules.clone().into_iter()), expected);
        if !rules.is_empty() {
            let turn = turn % rules.len();
            rules.rotate_left(turn);
        }
        prop_assert_eq!(decide(rules.into_iter().rev()), expected);
    }

    #[test]
    fn sets_of_attributes_are_sets(one in proptest::collection::btree_set(0u32..300, 0..40), other in proptest::collection::btree_set(0u32..300, 0..40)) {
        let of = |ids: &std::collections::BTreeSet<u32>| ids.iter().map(|id| AttributeTypeId(*id)).collect::<AttributeSet>();
        let (mut united, mut left) = (of(&one), of(&one));
        united.unite(&of(&other));
        left.subtract(&of(&other));
        for id in 0..310 {
            prop_assert_eq!(united.contains(AttributeTypeId(id)), one.contains(&id) || other.contains(&id));
            prop_assert_eq!(left.contains(AttributeTypeId(id)), one.contains(&id) && !other.contains(&id));
        }
        prop_assert_eq!(left.is_empty(), one.is_subset(&other));
    }
}
