//! Tests of DIT content rules, name forms and DIT structure rules: read, resolved, refused, published.

use super::super::*;

const RULES: &str = "dITContentRules: ( 2.16.840.1.113730.3.2.2 NAME 'staff' DESC 'people we employ'\n  AUX ( posixAccount $ shadowAccount ) \
                     MUST mail MAY ( c $ host ) NOT ( carLicense $ fax ) X-ORIGIN 'ours' )\n\
                     nameForms: ( 2.25.11 NAME 'ouForm' OC organizationalUnit MUST ou )\n\
                     nameForms: {1}( 2.25.12 NAME ( 'personForm' 'nurseForm' ) DESC 'by uid' OBSOLETE OC 2.5.6.6 MUST uid MAY ( cn $ sn ) )\n\
                     dITStructureRules: ( 1 NAME 'units' FORM ouForm SUP ( 1 7 ) )\n\
                     dITStructureRules: ( 2 FORM personForm SUP 1 )\n\
                     dITStructureRules: ( 7 NAME 'top' DESC 'area' OBSOLETE FORM 2.25.11 )";

fn with(text: &str) -> Result<Schema, SchemaError> {
    Schema::embedded_with(&[("my.ldif", text)])
}

fn names<'a>(schema: &'a Schema, ids: &[AttributeTypeId]) -> Vec<&'a str> {
    ids.iter().map(|id| schema.attribute_type_by_id(*id).name()).collect()
}

fn class(schema: &Schema, name: &str) -> usize {
    schema.class_with_superiors(name)[0]
}

#[test]
fn rules_are_resolved_and_found_by_structural_class() {
    let schema = with(RULES).unwrap_or_else(|error| panic!("{error}"));
    let content = schema.dit_content_rule_of(class(&schema, "inetOrgPerson")).unwrap();
    assert_eq!((content.name(), content.oid.as_str(), content.obsolete), ("staff", "2.16.840.1.113730.3.2.2", false));
    assert_eq!(content.auxiliaries, [class(&schema, "posixAccount"), class(&schema, "shadowAccount")]);
    assert_eq!(names(&schema, &content.must), ["mail"]);
    assert_eq!(names(&schema, &content.may), ["c", "host"]);
    assert_eq!(names(&schema, &content.not), ["carLicense", "facsimileTelephoneNumber"]);
    assert!(schema.dit_content_rule_of(class(&schema, "person")).is_none(), "a rule is for its class, not for those above");

    let form = schema.name_form("NURSEFORM").unwrap();
    assert_eq!((form.name(), form.oid.as_str(), form.obsolete), ("personForm", "2.25.12", true));
    assert_eq!(schema.name_form("2.25.12").unwrap().name(), "personForm");
    assert_eq!((names(&schema, &form.must), names(&schema, &form.may)), (vec!["uid"], vec!["cn", "sn"]));
    assert_eq!(schema.name_forms_of(class(&schema, "person")).count(), 1);
    assert_eq!(schema.name_forms_of(class(&schema, "device")).count(), 0);

    let units: Vec<u32> = schema.dit_structure_rules_of(class(&schema, "organizationalUnit")).map(|rule| rule.number).collect();
    assert_eq!(units, [1, 7]);
    let rule = schema.dit_structure_rule(1).unwrap();
    let superiors: Vec<u32> = rule.superiors.iter().map(|&index| schema.dit_structure_rules()[index].number).collect();
    assert_eq!((schema.name_forms()[rule.form].name(), superiors), ("ouForm", vec![1, 7]));
    assert!(schema.dit_structure_rule(7).unwrap().obsolete && schema.dit_structure_rule(7).unwrap().superiors.is_empty());
    assert!(schema.dit_structure_rule(3).is_none());
}

#[test]
fn what_is_published_loads_again_as_the_same() {
    let schema = with(RULES).unwrap();
    assert_eq!(
        schema.published_dit_content_rules(),
        ["( 2.16.840.1.113730.3.2.2 NAME 'staff' DESC 'people we employ' AUX ( posixAccount $ shadowAccount ) MUST mail \
          MAY ( c $ host ) NOT ( carLicense $ fax ) X-ORIGIN 'ours' )"]
    );
    assert_eq!(
        schema.published_name_forms()[1],
        "( 2.25.12 NAME ( 'personForm' 'nurseForm' ) DESC 'by uid' OBSOLETE OC 2.5.6.6 MUST uid MAY ( cn $ sn ) )"
    );
    assert_eq!(
        schema.published_dit_structure_rules(),
        [
            "( 1 NAME 'units' FORM ouForm SUP ( 1 7 ) )",
            "( 2 FORM personForm SUP 1 )",
            "( 7 NAME 'top' DESC 'area' OBSOLETE FORM 2.25.11 )"
        ]
    );
    let mut text = String::new();
    for (keyword, values) in [
        ("dITContentRules", schema.published_dit_content_rules()),
        ("nameForms", schema.published_name_forms()),
        ("dITStructureRules", schema.published_dit_structure_rules()),
    ] {
        let syntax = schema.attribute_type(keyword).unwrap().syntax;
        assert!(values.iter().all(|value| (syntax.is_valid)(value.as_bytes())), "{keyword}");
        values.iter().for_each(|value| text.push_str(&format!("{keyword}: {value}\n")));
    }
    let again = Schema::embedded_with(&[("my.ldif", RULES), ("again.ldif", &text)]).unwrap();
    assert_eq!(again.published_dit_content_rules(), schema.published_dit_content_rules());
    assert_eq!(again.published_name_forms(), schema.published_name_forms());
    assert_eq!(again.published_dit_structure_rules(), schema.published_dit_structure_rules());
}

#[test]
fn wrong_rules_are_refused() {
    let form = "nameForms: ( 2.25.1 NAME 'f' OC person MUST cn )\n";
    let cases = [
        ("dITContentRules: ( 2.25.9 )", "'2.25.9' is no object class"),
        ("dITContentRules: ( 2.5.6.6 AUX zork )", "'zork' is no object class"),
        ("dITContentRules: ( 2.5.6.6 AUX device )", "object class 'device' is not of kind Auxiliary"),
        ("dITContentRules: ( 1.3.6.1.1.1.2.0 )", "is not of kind Structural"),
        ("dITContentRules: ( 2.5.6.6 MUST zork )", "MUST names 'zork'"),
        ("dITContentRules: ( 2.5.6.6 NOT sn )", "NOT precludes 'sn', which object class 'person' requires"),
        ("dITContentRules: ( 2.5.6.6 AUX posixAccount NOT uidNumber )", "which object class 'posixAccount' requires"),
        ("dITContentRules: ( 2.5.6.6 MAY mail NOT mail )", "both allowed and precluded"),
        ("dITContentRules: ( 2.5.6.6 MAY mail )\ndITContentRules: ( 2.5.6.6 )", "already defined otherwise"),
        ("dITContentRules: ( 2.5.6.6 MAY mail )\ndITContentRules: ( person )", "another content rule already"),
        ("dITContentRules: ( 2.5.6.6 FORM x )", "keyword 'FORM' is unknown"),
        ("nameForms: ( 2.25.1 OC person )", "MUST is missing"),
        ("nameForms: ( 2.25.1 MUST cn )", "OC is missing"),
        ("nameForms: ( 2.25.1 OC posixAccount MUST cn )", "is not of kind Structural"),
        ("nameForms: ( 2.25.1 OC person MUST cn MAY ( sn $ commonName ) )", "'commonName' is in MUST and in MAY"),
        ("nameForms: ( f OC person MUST cn )", "'f' is no object identifier"),
        ("dITStructureRules: ( 1 FORM zork )", "FORM names 'zork'"),
        ("dITStructureRules: ( 1 )", "FORM is missing"),
        ("dITStructureRules: ( x FORM f )", "'x' is no rule number"),
        ("dITStructureRules: ( 99999999999 FORM f )", "is no rule number"),
        ("dITStructureRules: ( 1 FORM f SUP 2 )", "SUP names rule 2"),
        (
            "dITStructureRules: ( 1 FORM f )\ndITStructureRules: ( 1 FORM f OBSOLETE )",
            "already defined otherwise in my.ldif, line 2",
        ),
    ];
    for (text, expected) in cases {
        let error = with(&format!("{form}{text}")).map(|_| ()).unwrap_err().to_string();
        let error = if text.starts_with("nameForms") { with(text).map(|_| ()).unwrap_err().to_string() } else { error };
        assert!(error.contains(expected), "{text}\n gives {error}\n not {expected}");
    }
}

#[test]
fn check_says_what_rules_would_do() {
    let report =
        |schema: &Schema, text: &str| schema.check("f", text).findings.iter().map(ToString::to_string).collect::<Vec<String>>();
    let said = report(&with("").unwrap(), RULES);
    assert_eq!(said[0], "line 1: adds DIT content rule 'staff'");
    assert!(said[3].ends_with("adds DIT structure rule 1 'units'") && said.len() == 6, "{said:?}");
    let loaded = with(RULES).unwrap();
    assert!(report(&loaded, RULES).iter().all(|finding| finding.ends_with("is already there")));
    assert!(
        report(&loaded, "dITStructureRules: ( 7 FORM personForm )")[0]
            .contains("DIT structure rule 7: '7' already belongs to a loaded one")
    );
    assert!(report(&loaded, "nameForms: ( 2.25.12 OC device MUST cn )")[0].contains("already belongs to"));
    assert!(report(&with("").unwrap(), "dITStructureRules: ( 7 FORM x )")[1].contains("FORM names 'x'"));
}
