//! Tests of the rules: what is equal, what comes first, which parts are found.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{Key, MatchingRule, SubstringPart, SyntaxError};
use crate::model::schema::Schema;

/// Loaded once: properties are tried hundreds of times.
fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::embedded().unwrap_or_else(|error| panic!("{error}")));
    &SCHEMA
}

fn rule(schema: &Schema, name: &str) -> &'static MatchingRule {
    schema.matching_rule(name).unwrap_or_else(|| panic!("{name} is not there"))
}

fn key(schema: &Schema, name: &str, value: &str) -> Result<Key, SyntaxError> {
    (rule(schema, name).prepare)(schema, value.as_bytes())
}

/// Asserts that two values are values of the rule and equal, or not, by it.
fn compare(name: &str, one: &str, other: &str, equal: bool) {
    let schema = schema();
    let (one_key, other_key) = (key(schema, name, one).expect(one), key(schema, name, other).expect(other));
    assert_eq!(one_key == other_key, equal, "{name}: {one} and {other}");
}

/// How a substring assertion is decided on keys; the contract of [`MatchingRule::prepare`].
fn finds(schema: &Schema, name: &str, value: &str, initial: Option<&str>, any: &[&str], last: Option<&str>) -> bool {
    let rule = rule(schema, name);
    let part = |kind, text: &str| rule.prepare_part.unwrap()(schema, kind, text.as_bytes()).unwrap().0;
    let value = key(schema, name, value).unwrap().0;
    let mut rest: &[u8] = &value;
    if let Some(initial) = initial {
        let Some(after) = rest.strip_prefix(&*part(SubstringPart::Initial, initial)) else { return false };
        rest = after;
    }
    for any in any {
        let any = part(SubstringPart::Any, any);
        let Some(place) = (0..=rest.len()).find(|&place| rest[place..].starts_with(&any)) else { return false };
        rest = &rest[place + any.len()..];
    }
    last.is_none_or(|last| rest.ends_with(&part(SubstringPart::Final, last)))
}

#[test]
fn equality_by_rule() {
    compare("caseIgnoreMatch", "  Anna   Müller", "ANNA MÜLLER ", true);
    compare("caseIgnoreMatch", "Anna Müller", "AnnaMüller", false);
    compare("caseExactMatch", "Anna  B", " Anna B", true);
    compare("caseExactMatch", "Anna", "anna", false);
    compare("caseIgnoreIA5Match", "A@B.example", "a@b.EXAMPLE", true);
    compare("caseExactIA5Match", "/Home", "/home", false);
    compare("numericStringMatch", "12 34", "1234 ", true);
    compare("telephoneNumberMatch", "+1 (555) 010-0199", "+1(555)0100199", true);
    compare("telephoneNumberMatch", "+1 555 0100", "+1 555 0101", false);
    compare("caseIgnoreListMatch", "Ward 7$ MAIN  street$X", "ward 7$main street$x", true);
    compare("caseIgnoreListMatch", "a$b", "a b", false);
    compare("caseIgnoreListMatch", "a\\24b", "A\\24B", true);
    compare("caseIgnoreListMatch", "a\\24b", "a$b", false);
    compare("booleanMatch", "TRUE", "FALSE", false);
    compare("bitStringMatch", "'0101'B", "'0101'B", true);
    compare("bitStringMatch", "'0101'B", "'01010'B", false);
    compare("octetStringMatch", "a", "A", false);
    compare("objectIdentifierMatch", "PERSON", "2.5.6.6", true);
    compare("objectIdentifierMatch", "userid", "uid", true);
    compare("objectIdentifierMatch", "1.2.3.4", "1.2.3.5", false);
    compare("distinguishedNameMatch", "CN=Anna , O=Hospital", "commonName=anna,o=hospital", true);
    compare("distinguishedNameMatch", "cn=a+sn=b,o=x", "SN=B+CN=A,O=X", true);
    compare("distinguishedNameMatch", "cn=a,o=x", "o=x,cn=a", false);
    compare("uniqueMemberMatch", "CN=a#'01'B", "cn=A#'01'B", true);
    compare("uniqueMemberMatch", "CN=a#'01'B", "cn=A", false);
    compare("uniqueMemberMatch", "CN=a#'01'B", "cn=A#'10'B", false);
    compare("uniqueMemberMatch", "cn=a#b", "CN=A#B", true);
    compare("uuidMatch", "597AE2F6-16a6-1027-98f4-d28b5365dc14", "597ae2f6-16a6-1027-98f4-D28B5365DC14", true);
    compare("CSNMatch", "20261122101500.000001Z#00000a#000#000000", "20261122101500.000001Z#00000A#000#000000", true);
    compare("generalizedTimeMatch", "20261122101500Z", "202611221115+0100", true);
    compare("generalizedTimeMatch", "20261122101500Z", "20261122101500.5Z", false);
    compare("objectIdentifierFirstComponentMatch", "( 2.5.4.3 NAME 'cn' )", "(2.5.4.3 SUP name)", true);
    compare("integerFirstComponentMatch", "( 5 NAME 'x' FORM y )", "( 5 NAME 'z' FORM y )", true);
    compare("directoryStringFirstComponentMatch", "( 'One' 2 )", "( 'one' 3 )", true);
}

#[test]
fn an_assertion_on_a_definition_is_its_identifier_alone() {
    let schema = schema();
    let assert = |name: &str, text: &str| (rule(schema, name).prepare_assertion)(schema, text.as_bytes());
    let name = "objectIdentifierFirstComponentMatch";
    assert_eq!(assert(name, "CommonName").unwrap(), key(schema, name, "( 2.5.4.3 NAME 'cn' )").unwrap());
    assert_eq!(assert("integerFirstComponentMatch", "5").unwrap(), key(schema, "integerFirstComponentMatch", "( 5 )").unwrap());
    assert_eq!(assert(name, "( 2.5.4.3 )"), Err(SyntaxError));
}

#[test]
fn what_is_no_value_is_refused() {
    let schema = schema();
    for (name, value) in [
        ("caseIgnoreMatch", ""),
        ("caseIgnoreIA5Match", "ü"),
        ("numericStringMatch", "12a"),
        ("numericStringMatch", ""),
        ("integerMatch", "007"),
        ("integerMatch", "-0"),
        ("integerMatch", "+1"),
        ("integerMatch", "-"),
        ("integerMatch", ""),
        ("booleanMatch", "true"),
        ("bitStringMatch", "'012'B"),
        ("objectIdentifierMatch", "nobodyDefinedThis"),
        ("objectIdentifierMatch", ""),
        ("distinguishedNameMatch", "no name"),
        ("uniqueMemberMatch", "no name#'0'B"),
        ("uuidMatch", "597ae2f616a6102798f4d28b5365dc14"),
        ("CSNMatch", "20261122101500Z"),
        ("generalizedTimeMatch", "20261322101500Z"),
        ("caseIgnoreListMatch", "a\\b"),
        ("objectIdentifierFirstComponentMatch", "2.5.4.3"),
    ] {
        assert_eq!(key(schema, name, value), Err(SyntaxError), "{name}: {value}");
    }
}

#[test]
fn no_octets_make_a_rule_panic() {
    let schema = schema();
    let long = vec![b'9'; 100_000];
    let nested = b"member=".repeat(9000);
    let odd: [&[u8]; 12] = [b"", b"\0", b"\xff\xfe", b"(", b")", b"( )", b"'", b"''B", b"#", b"#'0'B", &long, &nested];
    for rule in &super::RULES {
        for value in odd {
            _ = (rule.prepare)(schema, value);
            _ = (rule.prepare_assertion)(schema, value);
            if let Some(prepare_part) = rule.prepare_part {
                _ = prepare_part(schema, SubstringPart::Any, value);
            }
        }
    }
    for syntax in crate::model::schema::syntax::all() {
        for value in odd {
            _ = (syntax.is_valid)(value);
        }
    }
}

#[test]
fn substrings_by_rule() {
    let schema = schema();
    let ignore = |value, initial, any: &[&str], last| finds(schema, "caseIgnoreSubstringsMatch", value, initial, any, last);
    assert!(ignore("Anna Müller", Some("anna"), &["ü"], Some("LER")));
    assert!(ignore("Anna  Müller", Some("anna "), &[], Some(" müller")));
    assert!(ignore("Anna Müller", None, &[" m"], None) && ignore("Anna Müller", None, &["a ", "ll"], None));
    assert!(!ignore("Anna Müller", None, &["ll", "a "], None) && !ignore("Anna", Some("nna"), &[], None));
    assert!(!ignore("aba", Some("ab"), &[], Some("ba")), "parts must not overlap");
    assert!(ignore("foo bar", Some("foo"), &[" "], Some("bar")));
    let telephone = |value, any: &[&str]| finds(schema, "telephoneNumberSubstringsMatch", value, None, any, None);
    assert!(telephone("+1 555-0100", &["5550"]) && telephone("+15550100", &["5-5 50"]));
    let numeric = |value, any: &[&str]| finds(schema, "numericStringSubstringsMatch", value, None, any, None);
    assert!(numeric("12 34", &["23"]) && !numeric("12 34", &["24"]));
    let list = |value, any: &[&str]| finds(schema, "caseIgnoreListSubstringsMatch", value, None, any, None);
    assert!(list("Main Street$Town", &["street", "town"]) && !list("Main Street$Town", &["streettown"]));
    assert!(!list("Main Street$Town", &["street town"]));
    let exact = |value, any: &[&str]| finds(schema, "caseExactIA5SubstringsMatch", value, None, any, None);
    assert!(exact("/home/Anna", &["Ann"]) && !exact("/home/Anna", &["ann"]));
}

/// How an extensible rule is decided; the contract of [`MatchingRule::holds`].
fn accepts(name: &str, value: &str, assertion: &str) -> bool {
    let (schema, rule) = (schema(), rule(schema(), name));
    let asserted = (rule.prepare_assertion)(schema, assertion.as_bytes()).unwrap();
    rule.accepts(&asserted, &(rule.prepare)(schema, value.as_bytes()).unwrap())
}

#[test]
fn one_word_of_a_text() {
    let word = |value, assertion| accepts("wordMatch", value, assertion);
    for asserted in ["ward", "WARD", " Ward ", "7", "ward.", "zürich", "ZU\u{308}RICH", "o'neill", "saint", "2.5"] {
        assert_eq!(word("Ward-7 (Zürich): O'Neill, Saint-Luc/2", asserted), asserted != "2.5", "{asserted}");
    }
    for asserted in ["war", "wards", "ward 7", "o", "neill", "-", "'"] {
        assert!(!word("Ward 7 of O'Neill", asserted), "{asserted}");
    }
    assert!(word("'quoted'", "quoted") && word("नमस्ते दुनिया", "दुनिया") && word("Straße", "STRASSE"));
    assert!(!word("---", "-") && !word("---", "\u{AD}"), "nothing is a word of nothing");
    let refuses = |value: &[u8]| (rule(schema(), "wordMatch").prepare)(schema(), value) == Err(SyntaxError);
    assert!(refuses(b"") && refuses(b"\xff") && refuses("\u{E000}".as_bytes()));
}

#[test]
fn one_keyword_of_a_text() {
    let keyword = |value, assertion| accepts("keywordMatch", value, assertion);
    let value = "Stroke  Unit, ward 7;night duty | Zürich\nlast line";
    for asserted in ["stroke unit", " WARD  7 ", "night duty", "zürich", "Last Line"] {
        assert!(keyword(value, asserted), "{asserted}");
    }
    for asserted in ["stroke", "unit", "stroke unit, ward 7", "duty", ","] {
        assert!(!keyword(value, asserted), "{asserted}");
    }
    assert!(keyword("one keyword", "ONE KEYWORD") && !keyword(" , ;", " "));
    let refuses = |value: &[u8]| (rule(schema(), "keywordMatch").prepare)(schema(), value) == Err(SyntaxError);
    assert!(refuses(b"") && refuses(b"\xff") && refuses("a,\u{E000}".as_bytes()));
}

#[test]
fn all_rules_of_rfc_4517_section_4_2_are_there() {
    let numbers = (0..=18).chain([20, 21, 23, 27, 28, 29, 30, 31, 32, 33]);
    let oids = numbers.map(|number| format!("2.5.13.{number}"));
    let ia5 = (1..=3).map(|number| format!("1.3.6.1.4.1.1466.109.114.{number}"));
    let missing: Vec<String> = oids.chain(ia5).filter(|oid| schema().matching_rule(oid).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_space_that_carries_a_mark_counts_in_telephone_numbers() {
    let schema = schema();
    // U+00B4 is a space and a combining acute after normalisation (RFC 4518 sections 2.3 and 2.6.3).
    let Key(once) = key(schema, "telephoneNumberMatch", "r´").unwrap();
    assert_eq!(String::from_utf8(once.to_vec()).unwrap(), "r \u{301}");
}

/// A number as its sign and the digits without leading zeros.
fn integer_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".to_owned()),
        "-?[1-9][0-9]{0,3}",
        "-?[1-9][0-9]{0,40}",
        (any::<bool>(), 250_usize..260, "[1-9]")
            .prop_map(|(negative, count, digit)| { format!("{}{}", if negative { "-" } else { "" }, digit.repeat(count)) }),
    ]
}

/// Numeric order, worked out another way than the keys are.
fn numeric_order(one: &str, other: &str) -> std::cmp::Ordering {
    let magnitude = |one: &str, other: &str| one.len().cmp(&other.len()).then_with(|| one.cmp(other));
    match (one.strip_prefix('-'), other.strip_prefix('-')) {
        (None, None) => magnitude(one, other),
        (Some(one), Some(other)) => magnitude(other, one),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
    }
}

proptest! {
    #[test]
    fn integers_order_as_numbers(mut texts in prop::collection::vec(integer_text(), 2..20)) {
        let schema = schema();
        let integer = |text: &str| key(schema, "integerOrderingMatch", text).unwrap();
        for pair in texts.windows(2) {
            prop_assert_eq!(integer(&pair[0]).cmp(&integer(&pair[1])), numeric_order(&pair[0], &pair[1]));
        }
        texts.sort_by_key(|text| integer(text));
        prop_assert!(texts.is_sorted_by(|one, other| numeric_order(one, other).is_le()));
    }

    #[test]
    fn small_integers_order_as_numbers(one: i128, other: i128) {
        let schema = schema();
        let integer = |number: i128| key(schema, "integerMatch", &number.to_string()).unwrap();
        prop_assert_eq!(integer(one).cmp(&integer(other)), one.cmp(&other));
    }

    #[test]
    fn case_and_spaces_do_not_count(words in prop::collection::vec("[a-zA-ZäÖüéß]{1,5}", 1..5), spaces in 1_usize..4) {
        let schema = schema();
        let plain = words.join(" ");
        let other = format!("{0}{1}{0}", " ".repeat(spaces), words.join(&" ".repeat(spaces)).to_uppercase());
        for name in ["caseIgnoreMatch", "caseIgnoreOrderingMatch", "caseIgnoreSubstringsMatch"] {
            prop_assert_eq!(key(schema, name, &plain), key(schema, name, &other));
            prop_assert_eq!(key(schema, name, &other), key(schema, name, &plain));
        }
    }

    #[test]
    fn order_of_strings_is_order_of_folded_text(one in "[a-zA-Z0-9]{1,6}( [a-z!]{1,3})?", other in "[a-zA-Z0-9]{1,6}( [a-z!]{1,3})?") {
        let schema = schema();
        let ordering = |text: &str| key(schema, "caseIgnoreOrderingMatch", text).unwrap();
        prop_assert_eq!(ordering(&one).cmp(&ordering(&other)), one.to_lowercase().cmp(&other.to_lowercase()));
    }

    #[test]
    fn parts_cut_from_a_value_match_it(value in "[a-cA-C äß]{3,12}", cuts in prop::collection::vec(0_usize..12, 2)) {
        prop_assume!(!value.trim().is_empty());
        let schema = schema();
        let characters: Vec<char> = value.chars().collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (characters.len() + 1)).collect();
        cuts.sort_unstable();
        let text = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();
        let (initial, any, last) = (text(0..cuts[0]), text(cuts[0]..cuts[1]), text(cuts[1]..characters.len()));
        let given = |part: &String| (!part.is_empty()).then(|| part.clone());
        for name in ["caseIgnoreSubstringsMatch", "caseExactSubstringsMatch"] {
            // One part alone is found wherever it was cut.
            prop_assert!(initial.is_empty() || finds(schema, name, &value, Some(&initial), &[], None));
            prop_assert!(any.is_empty() || finds(schema, name, &value, None, &[&any], None));
            prop_assert!(last.is_empty() || finds(schema, name, &value, None, &[], Some(&last)));
            // All together where no cut touches a space: RFC 4518 gives a run of spaces two, however often it was cut.
            let touches_space = cuts.iter().any(|&cut| {
                characters.get(cut).is_none_or(|&next| next == ' ') || cut.checked_sub(1).is_none_or(|before| characters[before] == ' ')
            });
            if !touches_space {
                let any: Vec<&str> = if any.is_empty() { Vec::new() } else { vec![&any] };
                prop_assert!(finds(schema, name, &value, given(&initial).as_deref(), &any, given(&last).as_deref()));
            }
        }
    }

    #[test]
    fn preparing_a_key_again_changes_nothing(value in "\\PC{1,20}|[ -~]{1,20}|[0-9 ]{1,9}") {
        let schema = schema();
        for name in ["caseIgnoreMatch", "caseExactMatch", "caseIgnoreIA5Match", "caseExactIA5Match", "numericStringMatch", "telephoneNumberMatch"] {
            if let Ok(Key(once)) = key(schema, name, &value)
                && !once.is_empty()
            {
                prop_assert_eq!((rule(schema, name).prepare)(schema, &once), Ok(Key(once)));
            }
        }
    }
}
