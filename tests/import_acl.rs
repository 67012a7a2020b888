//! `bindery import-acl` from outside: ACIs of 389 become rules that a server takes and goes by.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::client::{Client, values};
use common::{Installation, write};
use ldap3_proto::proto::{LdapModifyType, LdapResultCode};

const ANNA: &str = "uid=anna,dc=mercy,dc=example";
const ANNAS: &str = "anna knows it, and nobody else";

#[test]
fn rules_made_of_acis_are_gone_by() {
    let installation = Installation::new();
    let person = "objectClass: inetOrgPerson\ncn: Anna\nsn: Moreau\nroomNumber: 12\ncarLicense: none";
    let people = format!("dn: {ANNA}\n{person}\nuserPassword: {ANNAS}\n");
    installation.succeed(&["import", write(&installation, "anna.ldif", &people).to_str().unwrap()]);
    let acis = "dn: dc=mercy,dc=example\n\
                aci: (targetattr=\"carLicense\")(version 3.0; acl \"own car\"; allow (write) userdn=\"ldap:///self\";)\n\
                aci: (targetattr=\"roomNumber\")(version 3.0; acl \"rooms\"; deny (read, search, compare) userdn=\"ldap:///all\";)\n";
    let file = write(&installation, "acis.ldif", acis);

    let before = installation.serve();
    let change = [(LdapModifyType::Replace, "carLicense", &["SP 1"][..])];
    let mut anna = Client::connect(&before.ldap()).unwrap();
    assert_eq!(anna.bind(ANNA, ANNAS).unwrap(), LdapResultCode::Success);
    assert_eq!(anna.modify(ANNA, &change).unwrap(), LdapResultCode::InsufficentAccessRights);
    assert_eq!(values(&anna.read(ANNA, &["roomNumber"]).unwrap().unwrap(), "roomNumber"), ["12"]);
    assert_eq!(before.stop(), Some(0));

    let rules = installation.succeed(&["import-acl", file.to_str().unwrap()]);
    assert_eq!(rules.matches("objectClass: accessRule").count(), 2, "{rules}");
    installation.succeed(&["import", write(&installation, "rules.ldif", &rules).to_str().unwrap()]);
    let after = installation.serve();
    let mut anna = Client::connect(&after.ldap()).unwrap();
    assert_eq!(anna.bind(ANNA, ANNAS).unwrap(), LdapResultCode::Success);
    assert_eq!(anna.modify(ANNA, &change).unwrap(), LdapResultCode::Success);
    let entry = anna.read(ANNA, &["roomNumber", "cn"]).unwrap().unwrap();
    assert_eq!((values(&entry, "cn").len(), values(&entry, "roomNumber").len()), (1, 0));

    // What is no rule ends with 1; a denial that is none leaves nothing.
    let run = |aci: &str| {
        let file = write(&installation, "more.ldif", &format!("dn: dc=mercy,dc=example\naci: {aci}\n"));
        let output = installation.run(&["import-acl", file.to_str().unwrap()]);
        (output.status.code().unwrap(), output.stdout.len(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, written, remarks) =
        run("(targetattr=\"cn\")(version 3.0; acl \"x\"; allow (read, proxy) userdn=\"ldap:///all\";)");
    assert!(code == 1 && written > 0 && remarks.contains("more.ldif:2: aci 1") && remarks.contains("proxy"), "{remarks}");
    let (code, written, remarks) = run("(targetattr=\"cn\")(version 3.0; acl \"x\"; deny (read) dns=\"*.example\";)");
    assert!(code == 1 && written == 0 && remarks.contains("nothing is written"), "{remarks}");
    let none = write(&installation, "none.ldif", "dn: dc=x\nolcAccess: {0}to * by * read\n");
    assert_eq!(installation.run(&["import-acl", none.to_str().unwrap()]).status.code(), Some(3));
}
