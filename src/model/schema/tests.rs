//! Tests of the schema as a whole: loading, lookups, descriptions, content, names, publication.

mod closure;
mod dit_rules;
mod examples;
mod foreign_files;

use super::*;
use crate::model::{AttributeTypeAndValue, Dn, Rdn};

fn schema() -> Schema {
    Schema::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn id(schema: &Schema, name: &str) -> AttributeTypeId {
    schema.attribute_type(name).unwrap_or_else(|| panic!("{name} is not defined")).id
}

fn rdn(parts: &[(&str, &str)]) -> Rdn {
    let part = |(name, value): &(&str, &str)| AttributeTypeAndValue {
        attribute_type: (*name).to_owned(),
        value: value.as_bytes().to_vec().into(),
    };
    Rdn { parts: parts.iter().map(part).collect() }
}

#[test]
fn names_are_found_in_any_case_and_by_object_identifier() {
    let schema = schema();
    assert_eq!(schema.attribute_type("SURNAME").unwrap().name(), "sn");
    assert_eq!(schema.attribute_type("2.5.4.3").unwrap().name(), "cn");
    assert_eq!(schema.object_class("INETORGPERSON").unwrap().oid, "2.16.840.1.113730.3.2.2");
    assert_eq!(schema.matching_rule("CASEIGNOREMATCH").unwrap().oid, "2.5.13.2");
    assert_eq!(schema.matching_rule("2.5.13.2").unwrap().name, "caseIgnoreMatch");
    assert!(schema.attribute_type("zork").is_none());
    assert!(schema.attribute_type("cn;lang-en").is_none());
    assert!(schema.matching_rule("certificateApproximateMatch").is_none());
    let (_, section) = schema.section_of("userpassword").unwrap();
    assert_eq!(section, Section::Secret);
    assert_eq!(schema.section_of("pwdHistory").unwrap().1, Section::Secret);
    assert_eq!(schema.section_of("memberOf").unwrap().1, Section::Operational);
    assert_eq!(schema.section_of("cn").unwrap().1, Section::User);
    assert!(schema.attribute_type_by_id(AttributeTypeId(u32::MAX)).secret);
    for definition in schema.attribute_types() {
        assert_eq!(schema.attribute_type_by_id(definition.id).oid, definition.oid);
    }
}

#[test]
fn rules_syntax_and_subtypes_come_from_the_superior() {
    let schema = schema();
    let cn = schema.attribute_type("cn").unwrap();
    assert_eq!(cn.equality.unwrap().name, "caseIgnoreMatch");
    assert_eq!(cn.substring.unwrap().name, "caseIgnoreSubstringsMatch");
    assert_eq!(cn.syntax.oid, "1.3.6.1.4.1.1466.115.121.1.15");
    let c = schema.attribute_type("c").unwrap();
    assert_eq!((c.equality.unwrap().name, c.syntax.oid), ("caseIgnoreMatch", "1.3.6.1.4.1.1466.115.121.1.11"));
    let name = id(&schema, "name");
    let below = schema.with_subtypes(name);
    assert_eq!(below[0], name);
    assert!(below.contains(&id(&schema, "sn")) && below.contains(&id(&schema, "nisMapName")));
    assert!(!below.contains(&id(&schema, "uid")));
    assert_eq!(schema.with_subtypes(id(&schema, "uid")), [id(&schema, "uid")]);
    assert!(schema.attribute_type("jpegPhoto").unwrap().equality.is_none());
}

#[test]
fn descriptions_are_spelled_canonically() {
    let schema = schema();
    let resolved = schema.describe("SurName;Lang-FR;lang-de;LANG-fr").unwrap();
    assert_eq!(resolved.spelled, "sn;lang-de;lang-fr");
    assert_eq!(resolved.options, ["lang-de", "lang-fr"]);
    assert_eq!(schema.describe("2.5.4.4").unwrap().spelled, "sn");
    let error = |text: &str| schema.describe(text).unwrap_err().to_string();
    assert_eq!(error("zork"), "zork: attribute type undefined");
    assert_eq!(error("zork;lang-en"), "zork;lang-en: attribute type undefined");
    assert_eq!(error("cn;"), "cn;: zero length option is invalid");
    assert_eq!(error("c n"), "c n: invalid attribute description");
    assert_eq!(error(""), ": invalid attribute description");
    assert_eq!(error("cn;ü"), "cn;ü: invalid attribute description");
    assert!(
        schema.describe("cn;binary").is_ok() && schema.describe("cn;x-foo").is_ok() && schema.describe("userCertificate").is_ok()
    );
}

#[test]
fn only_some_descriptions_can_be_stored() {
    let schema = schema();
    let store = |text: &str| schema.describe_for_storage(text).map(|resolved| resolved.spelled);
    assert_eq!(store("cn;lang-en").unwrap(), "cn;lang-en");
    assert_eq!(store("usercertificate;BINARY").unwrap(), "userCertificate;binary");
    assert_eq!(store("userPKCS12;binary").unwrap(), "userPKCS12;binary");
    assert_eq!(store("userPKCS12").unwrap(), "userPKCS12");
    let text = |description: &str| store(description).unwrap_err().to_string();
    assert_eq!(text("userCertificate"), "userCertificate: requires ;binary transfer");
    assert_eq!(text("cn;binary"), "cn;binary: option \"binary\" not supported with type");
    assert_eq!(text("cn;x-foo"), "cn;x-foo: unrecognized option");
    assert_eq!(text("cn;lang-en-"), "cn;lang-en-: inappropriate use of tag range option");
    assert_eq!(text("cn;lang-"), "cn;lang-: inappropriate use of tag range option");
    assert_eq!(text("cn;lang--en"), "cn;lang--en: unrecognized option");
    assert_eq!(text("cn;lang-en-;binary"), "cn;lang-en-;binary: option \"binary\" not supported with type");
    assert!(schema.describe_for_storage("cn;lang-englishlanguage;lang-1").is_ok());
    let asserted = |text: &str| schema.describe_for_assertion(text).is_ok();
    assert!(asserted("cn;lang-en-;lang-") && asserted("userCertificate;binary") && asserted("memberOf;x-nested"));
    assert!(!asserted("cn;binary") && !asserted("cn;x-foo") && !asserted("cn;x-nested"));
}

#[test]
fn requested_options_cover_stored_ones() {
    let schema = schema();
    let covers = |asked: &str, stored: &str| schema.describe(asked).unwrap().covers_options(stored);
    assert!(covers("cn", "cn") && covers("cn", "cn;lang-en") && covers("cn;lang-en", "cn;lang-de;lang-en"));
    assert!(!covers("cn;lang-en", "cn") && !covers("cn;lang-en", "cn;lang-en-us"));
    assert!(covers("cn;lang-en-", "cn;lang-en") && covers("cn;lang-en-", "cn;lang-en-us") && covers("cn;lang-", "cn;lang-de"));
    assert!(!covers("cn;lang-en-", "cn;lang-english") && !covers("cn;lang-en-", "cn") && !covers("cn;lang-", "cn;binary"));
}

fn validate(schema: &Schema, classes: &[&str], types: &[&str]) -> Result<String, String> {
    let attribute_types = types.iter().map(|name| id(schema, name)).collect();
    let content = EntryContent { object_classes: classes.to_vec(), attribute_types };
    let structural = schema.validate(&content).map_err(|violation| violation.to_string())?;
    Ok(schema.object_classes()[structural].name().to_owned())
}

#[test]
fn content_follows_the_classes() {
    let schema = schema();
    let check = |classes: &[&str], types: &[&str]| validate(&schema, classes, types);
    let base = ["objectClass", "cn", "sn"];
    let with = |more: &'static str| [base.as_slice(), &[more]].concat();
    assert_eq!(check(&["top", "PERSON"], &base), Ok("person".into()));
    assert_eq!(check(&["person", "inetOrgPerson", "organizationalPerson"], &with("mail")), Ok("inetOrgPerson".into()));
    assert_eq!(check(&["inetOrgPerson"], &with("userPassword")), Ok("inetOrgPerson".into()));
    assert_eq!(
        check(&["inetOrgPerson"], &["objectClass", "cn"]),
        Err("object class 'inetOrgPerson' requires attribute 'sn'".into())
    );
    assert_eq!(check(&["inetOrgPerson"], &with("uidNumber")), Err("attribute 'uidNumber' not allowed".into()));
    assert_eq!(check(&["person", "extensibleObject"], &with("uidNumber")), Ok("person".into()));
    assert_eq!(check(&["person"], &with("createTimestamp")), Ok("person".into()));
    assert_eq!(
        check(&["person", "organization"], &base),
        Err("invalid structural object class chain (person/organization)".into())
    );
    assert_eq!(check(&["top"], &base), Err("no structural object class provided".into()));
    assert_eq!(check(&["posixAccount"], &base), Err("no structural object class provided".into()));
    assert_eq!(check(&["person", "zork"], &base), Err("objectClass: value #1 invalid per syntax".into()));
    assert_eq!(check(&[], &base), Err("no structural object class provided".into()));
    assert_eq!(
        check(&["person", "posixAccount"], &with("uid")),
        Err("object class 'posixAccount' requires attribute 'uidNumber'".into())
    );
}

#[test]
fn an_abstract_class_needs_a_class_below_it() {
    let more = "objectClasses: ( 2.25.1 NAME 'thing' SUP top ABSTRACT MAY description )\n\
                objectClasses: ( 2.25.2 NAME 'lamp' SUP thing STRUCTURAL MUST cn )";
    let schema = Schema::embedded_with(&[("more.ldif", more)]).unwrap();
    let check = |classes: &[&str]| validate(&schema, classes, &["objectClass", "cn", "sn"]);
    assert_eq!(check(&["person", "thing"]), Err("instantiation of abstract objectClass 'thing' not allowed".into()));
    assert_eq!(validate(&schema, &["lamp", "thing"], &["objectClass", "cn", "description"]), Ok("lamp".into()));
    assert_eq!(schema.class_with_superiors("LAMP").len(), 3);
}

#[test]
fn rdn_keys_compare_by_each_type_s_rule() {
    let schema = schema();
    let key = |parts: &[(&str, &str)]| schema.rdn_key(&rdn(parts));
    assert_eq!(key(&[("CN", " Anna  Müller")]), key(&[("2.5.4.3", "anna MÜLLER ")]));
    assert_eq!(key(&[("OID.2.5.4.3", "a")]), key(&[("commonName", "A")]));
    assert_eq!(key(&[("cn", "a"), ("sn", "b")]), key(&[("surname", "B"), ("cn", "A")]));
    assert_ne!(key(&[("cn", "a"), ("sn", "b")]), key(&[("cn", "b"), ("sn", "a")]));
    assert_ne!(key(&[("cn", "a")]), key(&[("sn", "a")]));
    assert_eq!(key(&[("zork", "A  b")]), key(&[("ZORK", "a B")]));
    assert_eq!(key(&[("uidNumber", "5")]), key(&[("uidNumber", "5")]));
    assert_ne!(key(&[("uidNumber", "05")]), key(&[("uidNumber", "5")]));
    assert_ne!(key(&[("homeDirectory", "/A")]), key(&[("homeDirectory", "/a")]));
    assert_eq!(key(&[("cn", "a")]).0.as_ref(), b"cn=a");
}

#[test]
fn a_subtree_is_a_prefix_of_keys() {
    let schema = schema();
    let dn = |rdns: &[&[(&str, &str)]]| Dn { rdns: rdns.iter().map(|parts| rdn(parts)).collect() };
    let suffix = schema.dn_key(&dn(&[&[("o", "Hospital")]]));
    let child = schema.dn_key(&dn(&[&[("ou", "x")], &[("O", "HOSPITAL")]]));
    let sibling = schema.dn_key(&dn(&[&[("ou", "x")], &[("o", "hospitals")]]));
    assert!(child.starts_with(&suffix) && child.len() > suffix.len());
    assert!(!sibling.starts_with(&suffix));
    assert!(schema.dn_key(&Dn::default()).is_empty());
}

#[test]
fn files_may_refer_to_each_other_and_fold_lines() {
    let one = "# a comment\r\n  goes on\r\n\r\ndn: cn=one\r\nobjectClass: top\r\nattributeTypes: ( 2.25.1 NAME 'low' SU\r\n P high )\r\n\
               objectClasses: {0}( 2.25.3 NAME 'box' AUXILIARY MAY(low$high) )";
    let two = "attributetype ( 2.25.2\n\tNAME ( 'high' 'hoch' )\n\tDESC 'it\\27s a \\5C'\n\tEQUALITY caseIgnoreMatch\n\
               \tSYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64}\n)\nobjectIdentifier Arc 2.25.7\nattributetype ( Arc:4 NAME 'four' SUP high )";
    let schema = Schema::load(&[("one", one), ("two", two)]).unwrap();
    assert_eq!(schema.attribute_type("low").unwrap().equality.unwrap().name, "caseIgnoreMatch");
    assert_eq!(schema.attribute_type("hoch").unwrap().description.as_deref(), Some("it's a \\"));
    assert_eq!(schema.attribute_type("low").unwrap().length_bound, Some(64));
    assert_eq!(schema.attribute_type("2.25.7.4").unwrap().name(), "four");
    assert_eq!(schema.object_class("box").unwrap().may.len(), 2);
    let published = schema.published_attribute_types();
    assert!(published.iter().any(|text| text
        == "( 2.25.2 NAME ( 'high' 'hoch' ) DESC 'it\\27s a \\5C' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64} )"));
}

#[test]
fn a_wrong_file_is_refused_with_file_line_definition_and_advice() {
    let error = |text: &str| Schema::embedded_with(&[("my.ldif", text)]).map(|_| ()).unwrap_err().to_string();
    let cases = [
        ("attributeTypes: ( 2.25.1 NAME 'x' SUP zork )", "my.ldif: line 1: attribute type 'x': SUP names 'zork'"),
        ("\n\nattributeTypes: ( 2.25.1 NAME 'x' )", "my.ldif: line 3: attribute type 'x': neither SYNTAX nor"),
        ("attributeTypes: ( 2.25.1 NAME 'x' SYNTAX 1.2.3 )", "syntax '1.2.3' is unknown"),
        ("attributeTypes: ( 2.25.1 NAME 'x' EQUALITY zorkMatch SUP name )", "matching rule 'zorkMatch' is unknown"),
        (
            "attributeTypes: ( 2.25.1 NAME 'x' ORDERING caseIgnoreMatch SUP name )",
            "decides Equality and cannot be used for Ordering",
        ),
        ("attributeTypes: ( 2.25.1 NAME 'CN' SUP name )", "'CN' is already defined otherwise in schema/core.ldif, line"),
        ("attributeTypes: ( x-id NAME 'x' SUP name )", "'x-id' is no object identifier"),
        ("attributeTypes: ( Macro:4 NAME 'x' SUP name )", "'Macro:4' is no object identifier"),
        ("attributeTypes: ( 2.25.1 NAME 'x' SUP name", "the closing ) is missing"),
        ("attributeTypes: 2.25.1", "a definition starts with ("),
        ("attributeTypes: ( 2.25.1 NAME 'x SUP name )", "is not closed"),
        ("attributeTypes: ( 2.25.1 NAME 'x' ZORK 'y' SUP name )", "keyword 'ZORK' is unknown"),
        ("attributeTypes: ( 2.25.1 NAME 'x' SUP name SUP cn )", "SUP is given twice"),
        ("attributeTypes: ( 2.25.1 NAME 'x' SUP a )\nattributeTypes: ( 2.25.2 NAME 'a' SUP x )", "never ends"),
        ("attributeTypes: ( 2.25.1 NAME 'x' SUP name NO-USER-MODIFICATION )", "NO-USER-MODIFICATION needs"),
        ("attributeTypes: ( 2.25.1 NAME 'x' SUP name USAGE dSAOperation )", "USAGE differs"),
        ("attributeType: ( 2.25.1 NAME 'x' SUP name", "closing )"),
        ("attributeype ( 2.25.1 NAME 'x' )", "'attributeype' is unknown"),
        ("zork", "'zork' is unknown"),
        ("attributeTypes:: !!", "base64"),
        ("objectClasses: ( 2.25.1 NAME 'x' SUP zork )", "SUP 'zork' is no object class"),
        ("objectClasses: ( 2.25.1 NAME 'x' MUST zork )", "object class 'x': MUST names 'zork'"),
        ("objectClasses: ( 2.25.1 NAME 'x' SUP posixAccount STRUCTURAL )", "cannot have the superior"),
        ("objectClasses: ( 2.25.1 NAME 'x' SUP y )\nobjectClasses: ( 2.25.2 NAME 'y' SUP x )", "comes back to it"),
    ];
    for (text, expected) in cases {
        let error = error(text);
        assert!(error.contains(expected), "{text}\n gives {error}\n not {expected}");
    }
}

#[test]
fn repeating_a_definition_changes_nothing() {
    let again = "attributetype ( 2.5.4.4 NAME ( 'sn' 'surname' )\n\tDESC 'another text'\n\tSUP name )";
    let fewer_rules =
        "attributetype ( 1.3.6.1.1.1.1.0 NAME 'uidNumber' EQUALITY 2.5.13.14 SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )";
    let aliases = "objectclass ( 0.9.2342.19200300.100.4.18 NAME 'FriendlyCountry' SUP COUNTRY MUST friendlyCountryName )";
    let not_secret =
        "attributetype ( 2.5.4.35 NAME 'userPassword' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40{128} )";
    let files = [("again", again), ("fewer", fewer_rules), ("aliases", aliases), ("not secret", not_secret)];
    let loaded = Schema::embedded_with(&files).unwrap();
    assert_eq!(loaded.published_attribute_types(), schema().published_attribute_types());
    assert_eq!(loaded.published_object_classes(), schema().published_object_classes());
    assert!(loaded.attribute_type("userPassword").unwrap().secret);
    for other in [
        "attributetype ( 2.5.4.4 NAME 'sn' SUP name SINGLE-VALUE )",
        "attributetype ( 2.5.4.4 NAME 'sn' SUP name EQUALITY caseExactMatch SUP distinguishedName )",
        "attributetype ( 2.5.4.4 NAME 'sn' SUP name X-SECRET 'TRUE' )",
        "attributetype ( 2.5.4.4 NAME ( 'sn' 'mail' ) SUP name )",
        "objectclass ( 2.5.6.6 NAME 'person' SUP top MUST cn MAY ( userPassword $ telephoneNumber $ seeAlso $ description ) )",
    ] {
        assert!(Schema::embedded_with(&[("other", other)]).is_err(), "{other}");
    }
}

#[test]
fn what_is_published_is_closed_and_loads_again() {
    let schema = schema();
    let mut text = String::new();
    for definition in schema.published_attribute_types() {
        text.push_str(&format!("attributeTypes: {definition}\n"));
    }
    for definition in schema.published_object_classes() {
        text.push_str(&format!("objectClasses: {definition}\n"));
    }
    let again = Schema::load(&[("published", &text)]).unwrap();
    assert_eq!(again.published_attribute_types(), schema.published_attribute_types());
    assert_eq!(again.published_object_classes(), schema.published_object_classes());
    let syntaxes = schema.published_syntaxes();
    let has = |list: &[String], oid: &str| list.iter().any(|text| text.starts_with(&format!("( {oid} ")));
    for rule in matching_rule::RULES.iter() {
        assert!(has(&syntaxes, rule.assertion_syntax), "{rule:?}");
        assert!(has(&schema.published_matching_rules(), rule.oid));
        assert_eq!(rule.prepare_part.is_some(), rule.kind == RuleKind::Substring, "{rule:?}");
        assert_eq!(schema.matching_rule(rule.oid).unwrap().name, rule.name, "object identifiers are given once");
        assert_eq!(schema.matching_rule(rule.name).unwrap().oid, rule.oid, "names are given once");
        assert!(rule.value_syntaxes.iter().all(|oid| syntax::find(oid).is_some()));
    }
    for definition in schema.attribute_types() {
        assert!(has(&syntaxes, definition.syntax.oid));
        assert!((schema.attribute_type("attributeTypes").unwrap().syntax.is_valid)(
            schema.published_attribute_types()[definition.id.0 as usize].as_bytes()
        ));
    }
    let uses = schema.published_matching_rule_use();
    assert!(uses.iter().any(|text| text.starts_with("( 2.5.13.16 NAME 'bitStringMatch' APPLIES x500UniqueIdentifier )")));
    assert!(
        syntaxes.contains(
            &"( 1.3.6.1.4.1.1466.115.121.1.8 DESC 'Certificate' X-BINARY-TRANSFER-REQUIRED 'TRUE' X-NOT-HUMAN-READABLE 'TRUE' )"
                .to_owned()
        )
    );
    for syntax in syntax::all() {
        assert_eq!(syntax::all().filter(|other| other.oid == syntax.oid).count(), 1, "{syntax:?}");
    }
}

#[test]
fn check_says_what_a_file_would_do() {
    let schema = schema();
    let text = "attributetype ( 2.25.1 NAME 'ward' SUP name )\n\
                attributetype ( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )\n\
                attributetype ( 2.25.2 NAME 'uid' SUP name )\n\
                attributetype ( 2.5.4.3 NAME 'other' SUP distinguishedName )\n\
                objectclass ( 2.25.3 NAME 'bed' SUP zork AUXILIARY MAY ( ward $ pillow ) )\n\
                olcObjectClasses: {7}( 2.25.4 NAME 'room2' SUP top AUXILIARY MAY ward )\n\
                attributetype ( 2.25.5 NAME 'bad' SYNTAX 9.9 EQUALITY nothing )\n\
                attributetype ( 2.5.4.15 NAME ( 'businessCategory' 'branch' ) ORDERING caseIgnoreOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n\
                objectclass ( 2.5.6.6 NAME 'person' SUP top MUST ( sn $ cn ) MAY ( cn $ mail $ ward ) )";
    let report = schema.check("their.schema", text);
    let said: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(!report.is_clean());
    assert_eq!(said[0], "line 1: adds attribute type 'ward' (2.25.1)");
    assert_eq!(said[1], "line 2: attribute type 'sn' (2.5.4.4) is already there");
    for (place, expected) in [
        (
            2,
            "their.schema: line 3: attribute type 'uid' clashes with the loaded attribute type 'uid' (0.9.2342.19200300.100.1.1): object identifier 2.25.2, not 0.9.2342.19200300.100.1.1; SUP name, not none",
        ),
        (
            3,
            "attribute type 'other' clashes with the loaded attribute type 'cn' (2.5.4.3): SUP distinguishedName, not name; the loaded one stays",
        ),
        (4, "object class 'bed': SUP names 'zork'"),
        (5, "object class 'bed': MAY names 'pillow'"),
        (6, "line 6: adds object class 'room2' (2.25.4)"),
        (7, "matching rule 'nothing' is unknown"),
        (8, "syntax '9.9' is unknown"),
        (
            9,
            "line 8: attribute type 'businessCategory' (2.5.4.15) is already there and gets the name 'branch'; ORDERING caseIgnoreOrderingMatch",
        ),
        (10, "line 9: object class 'person' (2.5.6.6) is already there and gets MAY mail ward"),
    ] {
        assert!(said[place].contains(expected), "{}\n not {expected}", said[place]);
    }
    assert_eq!(said.len(), 11);
    assert!(schema.check("x", "attributetype ( 2.25.1 NAME 'ward' SUP name )").is_clean());
    assert!(!schema.check("x", "attributetype ( 2.25.1 NAME 'a' SUP b )\nattributetype ( 2.25.2 NAME 'b' SUP a )").is_clean());
    assert!(
        !schema.check("x", "attributetype ( 2.25.1 NAME 'a' SUP name )\nattributetype ( 2.25.1 NAME 'a' SUP cn )").is_clean()
    );
    assert!(!schema.check("x", "zork").is_clean());
    assert!(schema.check("x", "").findings.is_empty());
}
