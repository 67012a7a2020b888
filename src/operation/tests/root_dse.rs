//! The root DSE and the subschema entry: BEHAVIOUR "Root DSE, subschema, operational attributes".

use super::harness::{As, Server, control};
use crate::model::Scope;
use crate::protocol::oid;

#[test]
fn without_a_list_there_is_only_the_object_class() {
    let mut server = Server::new().as_(As::Anonymous);
    let entry = server.read("", &[]);
    assert!(entry.contains("objectClass: top\n") && entry.lines().all(|line| line.starts_with("objectClass: ")), "{entry}");
}

#[test]
fn operational_attributes() {
    let mut server = Server::new().as_(As::Anonymous);
    let entry = server.read("", &["+"]);
    for line in [
        "entryDN: ",
        "namingContexts: dc=mercy,dc=example",
        "subschemaSubentry: cn=Subschema",
        "supportedControl: 1.2.840.113556.1.4.319",
        "supportedControl: 1.2.840.113556.1.4.805",
        "supportedControl: 1.3.6.1.1.12",
        "supportedControl: 1.3.6.1.1.13.1",
        "supportedControl: 1.3.6.1.1.13.2",
        "supportedControl: 2.16.840.1.113730.3.4.2",
        "supportedExtension: 1.3.6.1.4.1.1466.20037",
        "supportedExtension: 1.3.6.1.4.1.4203.1.11.1",
        "supportedExtension: 1.3.6.1.4.1.4203.1.11.3",
        "supportedFeatures: 1.3.6.1.1.14",
        "supportedFeatures: 1.3.6.1.4.1.4203.1.5.1",
        "supportedFeatures: 1.3.6.1.4.1.4203.1.5.5",
        "supportedLDAPVersion: 3",
        "supportedSASLMechanisms: PLAIN",
        "vendorName: Bindery",
        "vendorVersion: 1.2.3",
    ] {
        assert!(entry.lines().any(|found| found == line), "{line} in {entry}");
    }
    assert!(entry.contains("structuralObjectClass: "), "{entry}");
    assert!(!entry.contains("EXTERNAL"));
    server.confidential = false;
    assert!(!server.read("", &["+"]).contains("supportedSASLMechanisms"));
}

#[test]
fn scopes_and_filters() {
    let mut server = Server::new().as_(As::Anonymous);
    for scope in [Scope::One, Scope::Subtree, Scope::Children] {
        assert_eq!(server.search("", scope, "(objectClass=*)", &[]), (String::new(), "32".to_owned()));
    }
    assert_eq!(server.search("", Scope::Base, "(vendorName=Bindery)", &["1.1"]), ("dn: \n".to_owned(), "0".to_owned()));
    assert_eq!(server.search("", Scope::Base, "(vendorName=x)", &["1.1"]), (String::new(), "0".to_owned()));
    assert_eq!(server.search("", Scope::Base, "(zork=x)", &["1.1"]), (String::new(), "0".to_owned()));
    server.controls.push(control(oid::MANAGE_DSA_IT, None));
    assert_eq!(server.search("", Scope::Base, "(objectClass=*)", &["vendorname"]).0, "dn: \nvendorName: Bindery\n");
}

#[test]
fn the_subschema_entry() {
    let mut server = Server::new().as_(As::Anonymous);
    let expected = "dn: cn=Subschema\ncn: Subschema\nobjectClass: extensibleObject\nobjectClass: subentry\nobjectClass: subschema\n\
                    objectClass: top\n";
    for (name, scope) in [("cn=Subschema", Scope::Base), ("CN=subschema", Scope::Subtree)] {
        let (entry, answer) = server.search(name, scope, "(objectClass=subschema)", &[]);
        assert_eq!((entry.as_str(), answer.as_str()), (expected, "0"));
    }
    assert_eq!(server.search("cn=Subschema", Scope::One, "(objectClass=*)", &[]), (String::new(), "0".to_owned()));
    let entry = server.read("cn=Subschema", &["+"]);
    for part in [
        "attributeTypes: ( 2.5.4.3 ",
        "objectClasses: ( 2.5.6.6 ",
        "ldapSyntaxes: ( ",
        "matchingRules: ( ",
        "matchingRuleUse: ( ",
    ] {
        assert!(entry.contains(part), "{part}");
    }
}
