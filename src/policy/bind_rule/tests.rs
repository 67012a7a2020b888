//! Each part of a rule alone, what wins over what, and what cannot be read.

use super::*;
use crate::model::Value;

const ADMINISTRATORS: EntryId = EntryId(3);
const NOON: Timestamp = Timestamp(1_793_966_400_000_000); // Friday, 2026-11-06 12:00 UTC

fn rule(lines: &[(&str, &str)]) -> Result<BindRule, RuleError> {
    let values = |name: &str| {
        let of = lines.iter().filter(|(attribute, _)| *attribute == name);
        of.map(|(_, value)| Value::copy_from_slice(value.as_bytes())).collect::<Vec<_>>()
    };
    BindRule::read("rule".to_owned(), &values)
}

fn sound(lines: &[(&str, &str)]) -> BindRule {
    rule(lines).unwrap()
}

fn login() -> Login<'static> {
    Login {
        account: EntryId(7),
        kind: AccountKind::Person,
        is_member: &|group| Some(group == ADMINISTRATORS),
        address: Some("10.1.2.3".parse().unwrap()),
        listener: Listener::Ldap,
        tls: Some(TlsVersion::V12),
        certificate: None,
        now: NOON,
        through: &[],
    }
}

fn allows(rule: &BindRule, login: &Login<'_>) -> bool {
    matches!(judge(std::slice::from_ref(rule), login), Verdict::Allow(_))
}

#[test]
fn each_part_of_a_rule_must_match() {
    let with = |name: &str, value: &str| sound(&[("bindEffect", "ALLOW"), (name, value)]);
    let from = |address: &str| Login { address: Some(address.parse().unwrap()), ..login() };
    let network = with("bindNetwork", "10.1.0.0/16");
    assert!(allows(&network, &login()) && allows(&network, &from("::ffff:10.1.2.3")));
    assert!(!allows(&network, &from("10.2.0.1")) && !allows(&network, &from("2001:db8::1")));
    let socket = Login { address: None, listener: Listener::Ldapi, tls: None, ..login() };
    assert!(!allows(&network, &socket));
    assert!(allows(&with("bindNetwork", "127.0.0.0/8"), &socket) && allows(&with("bindNetwork", "::1/128"), &socket));

    let service = with("bindAccountKind", "service");
    assert!(!allows(&service, &login()) && allows(&service, &Login { kind: AccountKind::Service, ..login() }));
    let ldaps = with("bindListener", "ldaps");
    assert!(!allows(&ldaps, &login()) && allows(&ldaps, &Login { listener: Listener::Ldaps, ..login() }));
    let newest = with("bindTlsMinimum", "1.3");
    assert!(!allows(&newest, &login()) && !allows(&newest, &Login { tls: None, ..login() }));
    assert!(allows(&newest, &Login { tls: Some(TlsVersion::V13), ..login() }) && allows(&newest, &socket));
    assert!(allows(&with("bindTlsMinimum", "1.2"), &login()));

    let hours = with("bindTime", "Fri 12:00-13:00 UTC");
    assert!(allows(&hours, &login()) && !allows(&hours, &Login { now: Timestamp(NOON.0 - 1), ..login() }));
    let until = with("ruleNotAfter", "20261106120000Z");
    assert!(!allows(&until, &login()) && allows(&until, &Login { now: Timestamp(NOON.0 - 1), ..login() }));
}

#[test]
fn parts_that_name_entries_must_match_too() {
    let all = || BindRule::new("rule".to_owned(), Effect::Allow);
    let of_groups = |groups: &[u64]| BindRule { groups: Some(groups.iter().copied().map(EntryId).collect()), ..all() };
    assert!(allows(&all(), &login()) && allows(&of_groups(&[9, 3]), &login()));
    assert!(!allows(&of_groups(&[9]), &login()) && !allows(&of_groups(&[]), &login()));
    let of = |number| BindRule { applications: Some(vec![EntryId(number)]), ..all() };
    assert!(allows(&of(7), &login()) && !allows(&of(8), &login()));
    assert!(allows(&of(8), &Login { through: &[EntryId(8)], ..login() }), "through the application");
    assert!(!of(8).always_requires_factor() && of(8).concerns(&login()));
    let issued = BindRule { issuers: vec![b"hospital".as_slice().into()], ..all() };
    assert!(!allows(&issued, &login()));
    assert!(allows(&issued, &with_certificate("hospital", "cards/anna", &[])));
    assert!(!allows(&issued, &with_certificate("other", "cards/anna", &[])));
}

const CLIENT: &str = "1.3.6.1.5.5.7.3.2";

fn with_certificate(issuer: &str, subject: &str, usages: &'static [String]) -> Login<'static> {
    let key = |name: &str| name.as_bytes().into();
    Login { certificate: Some(Certificate { issuer: key(issuer), subject: key(subject), usages }), ..login() }
}

#[test]
fn a_certificate_is_matched_by_subject_and_usage_too() {
    let for_names = |names: &[&str]| BindRule {
        subjects: names.iter().map(|name| name.as_bytes().into()).collect(),
        ..sound(&[("bindEffect", "allow")])
    };
    assert!(allows(&for_names(&["wards", "cards"]), &with_certificate("", "cards/anna", &[])));
    assert!(!allows(&for_names(&["cards/anna/2"]), &with_certificate("", "cards/anna", &[])));
    assert!(!allows(&for_names(&[""]), &with_certificate("", "cards/anna", &[])), "what is no name is above nobody");
    assert!(!allows(&for_names(&["cards"]), &login()));

    let named: &'static [String] = vec![CLIENT.to_owned()].leak();
    for written in ["clientauth", CLIENT] {
        let usage = sound(&[("bindEffect", "allow"), ("bindCertificateUsage", written)]);
        assert!(allows(&usage, &with_certificate("", "", named)), "{written}");
        assert!(!allows(&usage, &with_certificate("", "", &[])) && !allows(&usage, &login()), "{written}");
    }
    assert!(!allows(
        &sound(&[("bindEffect", "allow"), ("bindCertificateUsage", "smartcardLogon")]),
        &with_certificate("", "", named)
    ));
    for wrong in ["card", "1", "1..2", ".1", "1.2."] {
        assert!(rule(&[("bindEffect", "allow"), ("bindCertificateUsage", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn where_membership_cannot_be_told_nobody_gets_in_by_it() {
    let unknown = Login { is_member: &|_| None, ..login() };
    let of_group = |effect| [BindRule { groups: Some(vec![ADMINISTRATORS]), ..BindRule::new("group".to_owned(), effect) }];
    assert!(matches!(judge(&of_group(Effect::Allow), &unknown), Verdict::Deny(None)));
    assert!(matches!(judge(&of_group(Effect::Deny), &unknown), Verdict::Deny(Some(_))));
    assert!(matches!(judge(&of_group(Effect::RequireFactor), &unknown), Verdict::RequireFactor(_)));
}

#[test]
fn several_values_are_alternatives_and_several_parts_are_not() {
    let either = sound(&[("bindEffect", "allow"), ("bindNetwork", "192.0.2.0/24"), ("bindNetwork", "10.0.0.0/8")]);
    assert!(allows(&either, &login()));
    let both = sound(&[("bindEffect", "allow"), ("bindNetwork", "10.0.0.0/8"), ("bindListener", "ldaps")]);
    assert!(!allows(&both, &login()));
}

#[test]
fn denying_wins_then_asking_for_a_factor_then_allowing_in_any_order() {
    let effect = |effect| BindRule::new(format!("{effect:?}"), effect);
    let (allow, deny, require) = (effect(Effect::Allow), effect(Effect::Deny), effect(Effect::RequireFactor));
    let other = BindRule { kinds: vec![AccountKind::Service], ..deny.clone() };
    let outcome = |rules: &[&BindRule]| {
        let rules: Vec<BindRule> = rules.iter().map(|&rule| rule.clone()).collect();
        match judge(&rules, &login()) {
            Verdict::Allow(rule) | Verdict::Deny(Some(rule)) | Verdict::RequireFactor(rule) => rule.name.clone(),
            Verdict::Deny(None) => "none".to_owned(),
        }
    };
    for rules in [[&allow, &require, &deny], [&deny, &allow, &require], [&require, &deny, &allow]] {
        assert_eq!(outcome(&rules), "Deny");
    }
    assert_eq!(outcome(&[&allow, &require, &other]), "RequireFactor");
    assert_eq!(outcome(&[&require, &allow]), "RequireFactor");
    assert_eq!(outcome(&[&other, &allow, &allow]), "Allow");
    assert_eq!(outcome(&[&other]), "none");
    assert_eq!(outcome(&[]), "none");
}

#[test]
fn what_means_nothing_is_said() {
    let problem = |name: &str, value: &str| rule(&[("bindEffect", "allow"), (name, value)]).unwrap_err().to_string();
    assert_eq!(
        problem("bindNetwork", "10.0.0.0/33"),
        r#"bindNetwork: value #0 "10.0.0.0/33" is no network; write one like 10.1.0.0/16"#
    );
    assert_eq!(
        problem("bindNetwork", "10.1.2.3/8"),
        r#"bindNetwork: value #0 "10.1.2.3/8" has bits behind its length; write 10.0.0.0/8"#
    );
    assert!(problem("bindTime", "always").contains("is not of the form"));
    assert!(problem("bindListener", "http").contains("write ldap, ldaps or ldapi"));
    assert!(problem("bindTlsMinimum", "1.1").contains("write 1.2 or 1.3"));
    assert!(problem("bindAccountKind", "robot").contains("write person, service or breakglass"));
    assert!(problem("ruleNotAfter", "tomorrow").contains("not a GeneralizedTime"));
    assert_eq!(rule(&[]).unwrap_err().to_string(), "bindEffect: value #0 is missing");
    assert!(rule(&[("bindEffect", "maybe")]).unwrap_err().problem.contains("write allow, deny or require-factor"));
}

#[test]
fn a_rule_that_cannot_be_read_lets_nobody_in() {
    let left = |effect: &str| {
        let values = |name: &str| match name {
            "bindEffect" => vec![Value::copy_from_slice(effect.as_bytes())],
            _ => Vec::new(),
        };
        BindRule::unreadable("rule".to_owned(), &values).map(|rule| rule.effect)
    };
    assert_eq!(left("allow"), None);
    assert_eq!(left("require-factor"), Some(Effect::RequireFactor));
    assert_eq!(left("perhaps"), Some(Effect::Deny));
}

#[test]
fn a_password_of_an_application_is_judged_by_its_own_rule_and_by_those_that_deny() {
    let own = BindRule { app_password: true, identifier: b"mail".to_vec(), ..BindRule::new("mail".to_owned(), Effect::Allow) };
    let factor = BindRule::new("factor".to_owned(), Effect::RequireFactor);
    let all = BindRule::new("all".to_owned(), Effect::Allow);
    let judged = |rules: &[BindRule], bound_to: &[u8]| match judge_app_password(rules, bound_to, &login()) {
        Verdict::Allow(rule) => rule.name.clone(),
        Verdict::RequireFactor(rule) => format!("factor by {}", rule.name),
        Verdict::Deny(rule) => format!("denied by {:?}", rule.map(|rule| rule.name.as_str())),
    };
    let rules = [all.clone(), factor.clone(), own.clone()];
    assert_eq!(judged(&rules, b"mail"), "mail");
    assert_eq!(judged(&rules, b"phone"), "denied by None", "no other rule lets it in");
    assert_eq!(judged(&[BindRule { identifier: Vec::new(), ..own.clone() }], b""), "denied by None");
    assert_eq!(judged(&[BindRule { effect: Effect::RequireFactor, ..own.clone() }], b"mail"), "factor by mail");
    let deny = BindRule::new("deny".to_owned(), Effect::Deny);
    assert_eq!(judged(&[own.clone(), deny], b"mail"), "denied by Some(\"deny\")");
    let elsewhere = BindRule { networks: vec!["10.9.0.0/16".parse().unwrap()], ..own.clone() };
    assert_eq!(judged(&[all, elsewhere], b"mail"), "denied by None");
    assert!(!allows(&own, &login()), "it is for no other login");
    assert!(matches!(judge(&[factor, own], &login()), Verdict::RequireFactor(_)));
}
