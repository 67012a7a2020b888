//! `bindery import-acl` from outside: ACIs of 389 and access directives of slapd become rules that a server takes and goes by.
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
    let none = write(&installation, "none.ldif", "dn: dc=x\ncn: x\n");
    assert_eq!(installation.run(&["import-acl", none.to_str().unwrap()]).status.code(), Some(3));
}

#[test]
fn rules_made_of_slapds_directives_are_gone_by() {
    let installation = Installation::new();
    let person = "objectClass: inetOrgPerson\ncn: Anna\nsn: Moreau\nroomNumber: 12\ncarLicense: none";
    let people = format!("dn: {ANNA}\n{person}\nuserPassword: {ANNAS}\n");
    installation.succeed(&["import", write(&installation, "anna.ldif", &people).to_str().unwrap()]);
    let directives = "database mdb\nsuffix dc=mercy,dc=example\naccess to attrs=carLicense\n  by self write\n  by users read\n\
                      access to attrs=entry,cn by users read\naccess to attrs=roomNumber by dn.regex=\"^uid=.*\" read\n";
    let file = write(&installation, "slapd.conf", directives);
    let output = installation.run(&["import-acl", file.to_str().unwrap()]);
    let by_group =
        "database mdb\nsuffix dc=mercy,dc=example\naccess to * by group=\"cn=auditors,ou=roles,dc=mercy,dc=example\" read\n";
    let by_group = write(&installation, "group.conf", by_group);
    let made = |more: &[&str]| installation.run(&[&["import-acl", by_group.to_str().unwrap()], more].concat());
    let (nested, flat) = (made(&[]), made(&["--flat-groups"]));
    assert!(String::from_utf8_lossy(&nested.stderr).contains("say --flat-groups if there are none"), "{nested:?}");
    assert!(!String::from_utf8_lossy(&nested.stdout).contains("accessRule") && flat.status.success(), "{flat:?}");
    let (rules, remarks) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "not all of it: {remarks}");
    assert!(
        remarks.contains("slapd.conf:7: access 3: by dn.regex=") && remarks.contains("3 values and directives read"),
        "{remarks}"
    );
    // Nothing beside them but what administrators may.
    let exported = installation.succeed(&["export"]);
    let own = exported.lines().filter_map(|line| line.strip_prefix("dn: ")).filter(|dn| dn.contains(",ou=access,ou=policies,"));
    let own: Vec<&str> = own.filter(|dn| !dn.starts_with("cn=administrators,")).collect();
    assert!(own.iter().any(|dn| dn.starts_with("cn=white pages,")), "{own:?}");

    installation.succeed(&["import", write(&installation, "rules.ldif", &rules).to_str().unwrap()]);
    let server = installation.serve();
    let mut admin = Client::connect(&server.ldap()).unwrap();
    assert_eq!(admin.bind(common::ADMIN, common::PASSWORD).unwrap(), LdapResultCode::Success);
    for dn in own {
        assert_eq!(admin.delete(dn).unwrap(), LdapResultCode::Success, "{dn}");
    }
    let mut anna = Client::connect(&server.ldap()).unwrap();
    assert_eq!(anna.bind(ANNA, ANNAS).unwrap(), LdapResultCode::Success);
    let entry = anna.read(ANNA, &["*"]).unwrap();
    assert!(entry.is_none(), "objectClass may not be searched");
    let change = [(LdapModifyType::Replace, "carLicense", &["SP 1"][..])];
    assert_eq!(anna.modify(ANNA, &change).unwrap(), LdapResultCode::Success);
    let change = [(LdapModifyType::Replace, "cn", &["Anne"][..])];
    assert_eq!(anna.modify(ANNA, &change).unwrap(), LdapResultCode::InsufficentAccessRights);
    assert_eq!(server.stop(), Some(0));
}
