//! What the string form must and must not read as, and the law that reading undoes writing.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Filter {
    Filter::parse(text.as_bytes()).unwrap()
}

fn octets(text: &str) -> Value {
    Bytes::copy_from_slice(text.as_bytes())
}

fn substrings(initial: &str, any: &[&str], last: &str) -> Substrings {
    let end = |text: &str| (!text.is_empty()).then(|| octets(text));
    Substrings { initial: end(initial), any: any.iter().map(|text| octets(text)).collect(), last: end(last) }
}

#[test]
fn examples_of_rfc_4515_read_and_write_alike() {
    for text in [
        "(cn=Babs Jensen)",
        "(!(cn=Tim Howes))",
        "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        "(o=univ*of*mich*)",
        "(seeAlso=)",
        "(cn:caseExactMatch:=Fred Flintstone)",
        "(cn:=Betty Rubble)",
        "(sn:dn:2.4.6.8.10:=Barney Rubble)",
        "(o:dn:=Ace Industry)",
        "(:1.2.3:=Wilma Flintstone)",
        "(:dn:2.4.6.8.10:=Dino)",
        r"(o=Parens R Us \28for all your parenthetical needs\29)",
        r"(cn=*\2a*)",
        r"(filename=C:\5cMyFile)",
        r"(bin=\00\00\00\04)",
        r"(1.3.6.1.4.1.1466.0=\04\02Hi)",
        "(&)",
        "(|)",
    ] {
        assert_eq!(read(text).to_string(), text);
    }
    assert_eq!(read(r"(sn=Lu\c4\8di\c4\87)").to_string(), "(sn=Lučić)");
    assert_eq!(read(r"(1.3.6.1.4.1.1466.0=\04\02\48\69)"), Filter::Equality("1.3.6.1.4.1.1466.0".into(), octets("\u{4}\u{2}Hi")));
}

#[test]
fn every_kind_of_item() {
    assert_eq!(read("(a=x)"), Filter::Equality("a".into(), octets("x")));
    assert_eq!(read("(a=x=y)"), Filter::Equality("a".into(), octets("x=y")));
    assert_eq!(read("(a;lang-en>=x)"), Filter::GreaterOrEqual("a;lang-en".into(), octets("x")));
    assert_eq!(read("(a<=)"), Filter::LessOrEqual("a".into(), octets("")));
    assert_eq!(read("(a~=x)"), Filter::Approximate("a".into(), octets("x")));
    assert_eq!(read("(a=*)"), Filter::Present("a".into()));
    assert_eq!(read("(a=x*)"), Filter::Substrings("a".into(), substrings("x", &[], "")));
    assert_eq!(read("(a=*x)"), Filter::Substrings("a".into(), substrings("", &[], "x")));
    assert_eq!(read("(a=*x*)"), Filter::Substrings("a".into(), substrings("", &["x"], "")));
    assert_eq!(read("(a=x**y***z)"), Filter::Substrings("a".into(), substrings("x", &["y"], "z")));
    assert_eq!(
        read("(a:DN:=x)"),
        Filter::Extensible(MatchingRuleAssertion {
            matching_rule: None,
            attribute: Some("a".into()),
            value: octets("x"),
            dn_attributes: true
        })
    );
    assert_eq!(read(r"(a=\ff)"), Filter::Equality("a".into(), Bytes::from_static(b"\xFF")));
}

#[test]
fn what_is_no_filter() {
    for (text, position) in [
        ("", 0),
        ("a=b", 0),
        ("(a=b", 4),
        ("(a=b))", 5),
        ("(a=b) ", 5),
        ("()", 1),
        ("(!)", 2),
        ("(!(a=b)(c=d))", 7),
        ("(& (a=b))", 2),
        ("(a)", 2),
        ("(=b)", 1),
        ("(1..2=b)", 1),
        ("(1=b)", 1),
        ("(1.02=b)", 1),
        ("(a;=b)", 1),
        ("(a;x;;y=b)", 1),
        ("(a.b=c)", 1),
        ("(a b=c)", 2),
        ("(a>b)", 3),
        ("(a>=b*)", 5),
        ("(a=b(c)", 4),
        ("(a=**)", 3),
        ("(a=\\)", 3),
        ("(a=\\2)", 3),
        ("(a=\\2g)", 3),
        ("(a=b\0)", 4),
        ("(:=x)", 1),
        ("(:dn:=x)", 1),
        ("(a:dn:rule=x)", 10),
        ("(a:b:c:=x)", 5),
        ("(a:=b*)", 5),
    ] {
        assert_eq!(Filter::parse(text.as_bytes()).unwrap_err().position, position, "{text:?}");
    }
    assert_eq!(Filter::parse(b"(a=\xFF)").unwrap_err().position, 3);
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}(a=b){}", "(!".repeat(depth - 1), ")".repeat(depth - 1));
    let deepest = read(&nested(Filter::MAXIMUM_DEPTH));
    assert_eq!(deepest.to_string(), nested(Filter::MAXIMUM_DEPTH));
    drop(deepest);
    let error = Filter::parse(nested(Filter::MAXIMUM_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!(error.problem, "nested too deeply");
    assert!(Filter::parse("(&".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn a_name_from_the_wire_cannot_pass_for_another_filter() {
    let filter = Filter::Equality("cn=a)(uid".into(), octets("b"));
    assert_eq!(filter.to_string(), r"(cn\3da\29\28uid=b)");
}

fn any_value() -> impl Strategy<Value = Value> {
    let octets = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        any::<String>().prop_map(String::into_bytes),
        "[()*\\\\=a\0\n é]{0,6}".prop_map(String::into_bytes),
    ];
    octets.prop_map(Bytes::from)
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let attribute = || prop_oneof!["[a-zA-Z][a-zA-Z0-9-]{0,6}(;[a-z0-9-]{1,4}){0,2}", "[0-2](\\.(0|[1-9][0-9]{0,3})){1,4}"];
    let piece = || any_value().prop_filter("not empty", |value| !value.is_empty());
    let parts = (proptest::option::of(piece()), proptest::collection::vec(piece(), 0..3), proptest::option::of(piece()))
        .prop_map(|(initial, any, last)| Substrings { initial, any, last })
        .prop_filter("some text", |parts| *parts != Substrings::default());
    let rule = "[a-ce-z][a-zA-Z0-9-]{0,6}";
    let extensible = (proptest::option::of(rule), proptest::option::of(attribute()), any_value(), any::<bool>())
        .prop_filter("rule or attribute", |(rule, attribute, ..)| rule.is_some() || attribute.is_some())
        .prop_map(|(matching_rule, attribute, value, dn_attributes)| {
            Filter::Extensible(MatchingRuleAssertion { matching_rule, attribute, value, dn_attributes })
        });
    let item = prop_oneof![
        (attribute(), any_value()).prop_map(|(attribute, value)| Filter::Equality(attribute, value)),
        (attribute(), any_value()).prop_map(|(attribute, value)| Filter::GreaterOrEqual(attribute, value)),
        (attribute(), any_value()).prop_map(|(attribute, value)| Filter::LessOrEqual(attribute, value)),
        (attribute(), any_value()).prop_map(|(attribute, value)| Filter::Approximate(attribute, value)),
        attribute().prop_map(Filter::Present),
        (attribute(), parts).prop_map(|(attribute, parts)| Filter::Substrings(attribute, parts)),
        extensible,
    ];
    item.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn reading_undoes_writing(filter in any_filter()) {
        prop_assert_eq!(Filter::parse(filter.to_string().as_bytes()), Ok(filter));
    }

    #[test]
    fn what_is_read_can_be_read_again(text in "[(][&|!(]{0,3}[a-c=*:;>~()\\\\0-9é]{0,30}[)]{0,4}") {
        if let Ok(filter) = Filter::parse(text.as_bytes()) {
            prop_assert_eq!(Filter::parse(filter.to_string().as_bytes()), Ok(filter));
        }
    }
}
