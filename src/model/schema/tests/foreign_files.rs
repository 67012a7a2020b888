//! Tests of schema files as other products write them.

use super::super::*;

const OPENLDAP: &str = "# a comment at the start of a line
objectIdentifier HospitalRoot 2.25.7001
objectIdentifier HospitalAt HospitalRoot:1
objectIdentifier HospitalOc HospitalRoot:2
objectIdentifier Text 1.3.6.1.4.1.1466.115.121.1.15

ldapsyntax ( HospitalRoot:3
	NAME 'wardSyntax'
	DESC 'ward names'
	X-SUBST 'Text' )

attributetype ( HospitalAt:1
	NAME ( 'ward' 'station' )
	# the wards of the house

	DESC 'the patient's ward'
	EQUALITY caseIgnoreMatch
# a comment at the margin, within a definition
	SUBSTR caseIgnoreSubstringsMatch
	SYNTAX 'Text{64}' X-ORDERED 'VALUES' )
attributetype ( HospitalAt:2 NAME bed DESC a bed in a ward SUP ward
)
attributetype ( HospitalAt:3 NAME 'wing' SYNTAX HospitalRoot:3 {32} EQUALITY caseIgnoreMatch )
objectclass ( HospitalOc:1
	NAME 'patient' SUP top AUXILIARY
	MUST ward
	MAY ( bed$wing ) )
";

const CONFIG: &str = "# AUTO-GENERATED FILE - DO NOT EDIT!! Use ldapmodify.
# CRC32 d2bd9632
dn: cn={4}hospital
objectClass: olcSchemaConfig
cn: {4}hospital
olcObjectIdentifier: {0}Root 2.25.7002
olcObjectIdentifier: {1}RootAt Root:1
olcAttributeTypes: {0}( RootAt:1 NAME 'corridor' DESC 'which corrid
 or' SUP floor )
olcAttributeTypes: {1}( RootAt:2 NAME 'floor' EQUALITY integerMatch SYNTAX 1.3.
 6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
olcObjectClasses: {0}( Root:2 NAME 'place' SUP top AUXILIARY MAY ( corridor $ f
 loor ) )
olcDitContentRules: {0}( 2.5.6.14 NAME 'deviceRule' AUX place )
structuralObjectClass: olcSchemaConfig
entryUUID: 5e4a0d8c-5c5e-103f-9a3c-1b1b1b1b1b1b
olcAccess: {0}to * by * read
";

const DIRECTORY_SERVER_389: &str = "dn: cn=schema
objectClass: top
objectClass: ldapSubentry
objectClass: subschema
cn: schema
aci: (target=\"ldap:///cn=schema\")(targetattr !=\"aci\")(version 3.0;acl \"anonymous\"; allow (read) userdn = \"ldap:///anyone\";)
attributeTypes: ( wardCode-oid NAME 'wardCode' DESC 'Stationsk\u{fc}rzel' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'user defined' )
attributeTypes: ( 2.16.840.1.113730.3.1.990001 NAME ( 'nsBadge' 'badge' )
  DESC '' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26
  X-ORIGIN ( 'Netscape Directory Server' 'user defined' ) X-ORIGIN 'again'
  X-SCHEMA-FILE '99user.ldif' )
attributeTypes: ( 1.2.840.113556.1.2.102 NAME 'memberOf' DESC 'Group that the entry belongs to' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 X-ORIGIN 'Netscape Delegated Administrator' )
attributeTypes: ( 2.16.840.1.113719.1.1.4.1.35 NAME 'lastLoginTime' SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE USAGE directoryOperation )
objectClasses: ( wardMember-oid NAME 'wardMember' DESC '' SUP top STRUCTURAL MUST cn MAY ( wardCode $ nsBadge ) X-ORIGIN 'user defined' )
objectClasses: ( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST cn MAY ( member $ businessCategory $ wardCode ) X-ORIGIN 'RFC 4519' )
matchingRules: ( 2.5.13.2 NAME 'caseIgnoreMatch' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
nsSchemaCSN: 5f0000000000000000000000
";

const OPENDJ: &str = "dn: cn=schema
objectClass: top
ldapSyntaxes: ( 1.3.6.1.4.1.26027.99.1 DESC 'Shift' X-ENUM ( 'day' 'night' ) )
ldapSyntaxes: ( 1.3.6.1.4.1.1466.115.121.1.15 DESC 'Directory String' )
attributeTypes: ( 1.3.6.1.4.1.26027.99.2 NAME 'shift' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.26027.99.1 X-SCHEMA-FILE '99-user.ldif' )
attributeTypes: ( 1.3.6.1.4.1.26027.99.3 NAME 'soundsLike' EQUALITY ds-mr-double-metaphone-approx
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-APPROX 'ds-mr-double-metaphone-approx' X-SCHEMA-FILE '99-user.ldif' )
objectClasses: ( 1.3.6.1.4.1.26027.99.4 NAME 'worker' SUP 'top' AUXILIARY MAY ( shift $ soundsLike ) )
dITContentRules: ( 2.5.6.13 NAME 'dsaRule' NOT l )
nameForms: ( 1.3.6.1.4.1.26027.99.5 NAME 'byCn' OC device MUST cn )
dITStructureRules: ( 21 NAME 'devices' FORM byCn )
";

fn installed(files: &[(&str, &str)]) -> (Schema, Vec<String>) {
    let (schema, left_out) = Schema::installed(PosixSchema::Rfc2307, files).unwrap_or_else(|error| panic!("{error}"));
    (schema, left_out.iter().map(ToString::to_string).collect())
}

#[test]
fn openldap_s_schema_files() {
    let (schema, left_out) = installed(&[("hospital.schema", OPENLDAP)]);
    assert_eq!(left_out, Vec::<String>::new());
    let ward = schema.attribute_type("station").unwrap();
    assert_eq!(
        (ward.oid.as_str(), ward.length_bound, ward.description.as_deref()),
        ("2.25.7001.1.1", Some(64), Some("the patient's ward"))
    );
    assert_eq!(schema.attribute_type("bed").unwrap().description.as_deref(), Some("a bed in a ward"));
    let wing = schema.attribute_type("wing").unwrap();
    assert_eq!((wing.syntax.oid, wing.length_bound), ("1.3.6.1.4.1.1466.115.121.1.15", Some(32)));
    assert_eq!(schema.object_class("2.25.7001.2.1").unwrap().may.len(), 2);
    let substitute = "( 2.25.7001.3 DESC 'ward names' X-SUBST '1.3.6.1.4.1.1466.115.121.1.15' )";
    assert!(schema.published_syntaxes().iter().any(|text| text == substitute));
    assert!(schema.published_attribute_types().iter().any(|text| text.contains("DESC 'the patient\\27s ward'")));
    // A schema that was changed online keeps the syntaxes of its files.
    let changed = schema.with_definitions(&schema, &[]).unwrap();
    assert!(changed.published_syntaxes().iter().any(|text| text == substitute));
}

#[test]
fn openldap_s_configuration_tree() {
    let (schema, left_out) = installed(&[("cn={4}hospital.ldif", CONFIG)]);
    assert_eq!(left_out, Vec::<String>::new());
    let corridor = schema.attribute_type("2.25.7002.1.1").unwrap();
    assert_eq!((corridor.description.as_deref(), corridor.equality.unwrap().name), (Some("which corridor"), "integerMatch"));
    assert_eq!(schema.object_class("place").unwrap().may.len(), 2);
    assert_eq!(schema.dit_content_rules()[0].name(), "deviceRule");
}

#[test]
fn macros_hold_across_files_and_circles_end() {
    let one = "attributetype ( Far:1 NAME 'far' SUP name )";
    let two = "objectidentifier Far Farther:9\nobjectidentifier Farther 2.25.8\nobjectidentifier A B\nobjectidentifier B A";
    let (schema, _) = installed(&[("one", one), ("two", two)]);
    assert_eq!(schema.attribute_type("far").unwrap().oid, "2.25.8.9.1");
    assert!(Schema::embedded_with(&[("a", "attributetype ( A:1 NAME 'a' SUP name )"), ("two", two)]).is_err());
}

#[test]
fn files_of_389_directory_server() {
    let (schema, left_out) = installed(&[("99user.ldif", DIRECTORY_SERVER_389)]);
    let code = schema.attribute_type("wardCode").unwrap();
    assert!(code.oid.starts_with("2.25."), "{}", code.oid);
    assert_eq!(code.description.as_deref(), Some("Stationskürzel"));
    assert!(code.extensions.contains(&("X-NAMED-OID".into(), vec!["wardCode-oid".into()])));
    let (again, _) = installed(&[("again", DIRECTORY_SERVER_389), ("99user.ldif", DIRECTORY_SERVER_389)]);
    assert_eq!(again.attribute_type("wardCode").unwrap().oid, code.oid, "made of the name alone");
    let badge = schema.attribute_type("badge").unwrap();
    assert_eq!(badge.description, None);
    assert_eq!(badge.extensions[0].1, ["Netscape Directory Server", "user defined", "again"]);
    // What the program relies on stays as it is.
    assert_eq!(schema.attribute_type("memberOf").unwrap().usage, AttributeUsage::DirectoryOperation);
    assert!(schema.attribute_type("lastLoginTime").unwrap().oid.starts_with("2.25."));
    let group = schema.object_class("groupOfNames").unwrap();
    assert!(group.must.contains(&schema.attribute_type("member").unwrap().id));
    let expected = [
        "99user.ldif: line 12: attribute type 'memberOf' is built in and defined otherwise here (not NO-USER-MODIFICATION; USAGE UserApplications, not DirectoryOperation); the built-in definition stays",
        "99user.ldif: line 13: attribute type 'lastLoginTime' is built in and defined otherwise here (object identifier 2.16.840.1.113719.1.1.4.1.35",
        "99user.ldif: line 15: object class 'groupOfNames' is built in and defined otherwise here (MUST cn, not member cn); the built-in definition stays",
    ];
    assert_eq!(left_out.len(), expected.len(), "{left_out:#?}");
    for (said, expected) in left_out.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n not {expected}");
    }
}

#[test]
fn files_of_opendj() {
    let (schema, left_out) = installed(&[("99-user.ldif", OPENDJ)]);
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert!(
        left_out[0].contains("matching rule 'ds-mr-double-metaphone-approx' is unknown")
            && left_out[0].ends_with("the rule is left out")
    );
    assert!(schema.attribute_type("soundsLike").unwrap().equality.is_none());
    assert_eq!(schema.attribute_type("shift").unwrap().syntax.oid, "1.3.6.1.4.1.1466.115.121.1.15");
    assert_eq!(schema.dit_structure_rule(21).unwrap().names, ["devices"]);
    assert!(schema.name_form("byCn").is_some() && schema.dit_content_rules().len() == 1);
}

#[test]
fn a_file_widens_what_is_built_in() {
    let more = "attributetype ( 1.3.6.1.4.1.250.1.57 NAME ( 'labeledURI' 'labeledURL' ) EQUALITY caseExactMatch SUBSTR caseExactSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n\
                objectclass ( 2.5.6.6 NAME 'person' SUP top MUST ( sn $ cn ) MAY labeledURL )";
    let (schema, left_out) = installed(&[("more", more)]);
    assert_eq!(left_out, Vec::<String>::new());
    let uri = schema.attribute_type("labeledURL").unwrap();
    assert_eq!((uri.name(), uri.substring.unwrap().name), ("labeledURI", "caseExactSubstringsMatch"));
    assert!(schema.object_class("person").unwrap().may.contains(&uri.id));
    assert!(schema.published_attribute_types().iter().any(|text| text.contains("NAME ( 'labeledURI' 'labeledURL' )")));
    let report = Schema::embedded().unwrap().check("more", more);
    assert!(report.is_clean() && report.findings.iter().all(|finding| matches!(finding, Finding::Widens { .. })), "{report:?}");
}

#[test]
fn files_that_need_each_other_are_checked_together() {
    let schema = Schema::embedded().unwrap();
    let files = [
        ("b.schema", "attributetype ( 2.25.2 NAME 'low' SUP high )"),
        ("a.ldif", "attributeTypes: ( 2.25.1 NAME 'high' SUP name )"),
    ];
    assert!(schema.check_files(&files).iter().all(Report::is_clean));
    assert!(!schema.check_files(&files[..1])[0].is_clean());
    let twice = [("a", "attributetype ( 2.25.1 NAME 'x' SUP name )"), ("b", "attributetype ( 2.25.1 NAME 'x' SUP name )")];
    let reports = schema.check_files(&twice);
    assert!(matches!(reports[1].findings[0], Finding::AlreadyThere { .. }), "{reports:?}");
    let circle =
        schema.check_files(&[("a", "objectclass ( 2.25.1 NAME 'a' SUP b )"), ("b", "objectclass ( 2.25.2 NAME 'b' SUP a )")]);
    assert!(circle.iter().any(|report| !report.is_clean()));
}

#[test]
fn damaged_files_end_with_an_error_and_quickly() {
    let long = format!("attributetype ( 1.2.3 NAME 'x' DESC '{}", "x' ( ".repeat(20_000));
    let open = "attributetype (\n".repeat(20_000);
    for text in [
        long.as_str(),
        &open,
        "attributetype",
        "attributetype (",
        "olcLdapSyntaxes: {0}(",
        "ldapsyntax ( 1.2 X-SUBST 'zork' )",
        "attributeTypes:: //8=",
    ] {
        assert!(Schema::installed(PosixSchema::Rfc2307, &[("bad", text)]).is_err());
        assert!(!Schema::embedded().unwrap().check("bad", text).is_clean());
    }
}
