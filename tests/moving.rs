//! Moving in from other directory servers: their exports are taken as they are, and every difference is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Installation, write};

/// As slapcat writes it: the suffix entry, an entry before the one above it, what slapd works out, what we have no definition for.
const SLAPCAT: &str = "\
dn: dc=mercy,dc=example
objectClass: dcObject
objectClass: organization
dc: mercy
o: Mercy Hospital
structuralObjectClass: organization
entryUUID: 4abf85a6-7ab3-1041-82a6-13db8dc7ba72
creatorsName: cn=manager,dc=mercy,dc=example
createTimestamp: 20200102030405Z
entryCSN: 20200102030405.299212Z#000000#000#000000
contextCSN: 20210102030405.000000Z#000000#001#000000

dn: uid=anna,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
objectClass: vendorPerson
uid: anna
cn: Anna
sn: Andersen
vendorShoeSize: 38
memberOf: cn=team,dc=mercy,dc=example
userPassword:: e1NTSEF9bVNzblFoTDhBZ3RrdXV5VUNiOStEQ0JGdU84czlVbS8=
entryUUID: 4accdbb6-7ab3-1041-8a7a-13db8dc7ba72
authTimestamp: 20260102030405Z

dn: ou=people,dc=mercy,dc=example
objectClass: organizationalUnit
ou: people

dn: cn=admin,dc=mercy,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: admin
userPassword: {SSHA}mSsnQhL8AgtkuuyUCb9+DCBFuO8s9Um/

dn: uid=bert,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
uid: bert
cn: Bert
sn: Brecht
manager: uid=gone,ou=people,dc=mercy,dc=example
userPassword: {SASL}bert@MERCY.EXAMPLE
userPassword: {hunter2}correct
pwdAccountLockedTime: 000001010000Z

";

const DB2LDIF: &str = "\
version: 1

# entry-id: 2
dn: ou=people,dc=mercy,dc=example
objectClass: top
objectClass: organizationalUnit
ou: people
aci: (targetattr=\"*\")(version 3.0; acl \"all\"; allow (all) userdn=\"ldap:///anyone\";)
nsUniqueId: 66446001-1dd211b2-66225011-2ee211db
entryid: 2
parentid: 1

# entry-id: 3
dn: uid=carl,ou=people,dc=mercy,dc=example
objectClass: top
objectClass: inetOrgPerson
uid: carl
cn;vucsn-5f3b2c1a000000010000: Carl
cn;vucsn-5f3b2c1b000000010000;deleted: Charles
sn: Carlsen
nsAccountLock: true
nsUniqueId: 66446002-1dd211b2-66225011-2ee211db
entryUUID: 11111111-2222-4333-8444-555555555555
userPassword: {PBKDF2_SHA256}AAAnEGTxXtnR/oox922/jZyjH6fmiIdW4AwIYZE2LfCVL/SUz5GbAHfjRj4NbN2u8ul0/j/dUzJ4gQSawGALGHZV74nOAtPttoZDTsh7BeGCLD/Ps7vRugwDdz9uPARXzF3bD/8qCpumvRGb4pehzfQsk+FnGgTwi0rUeVaN8a7Kbv8ZpRfU2sd+208F/YL42BWAh/2tv0I4vY7ZsrCZcrUJtgKWy5Nr+t78zmPkrZsX/kgfnGdXhr50kN10cmkLQ0/cZOXo9CAkpeZyFu+wQ5vQdUaES2Vd5kBjJYPCkr4b2ocr4ETQi3IGO2GGCoCetmMIETsudRVSxUNBbva+Vgxin5Apu4wIP/0ZyuGK6TuWLqLnNpmK3RkRx0xjqJ4nN2Ok0ul0XYBJcYIBt4UoaVM2uSa/Etw28Uy+zAsUv2AOiRo5

dn: nsuniqueid=66446003-1dd211b2-66225011-2ee211db,uid=dora,ou=people,dc=mercy,dc=example
objectClass: top
objectClass: inetOrgPerson
objectClass: nsTombstone
cn: Dora
sn: D
nsUniqueId: 66446003-1dd211b2-66225011-2ee211db

";

const OPENDJ: &str = "\
dn: ou=people,dc=mercy,dc=example
objectClass: top
objectClass: organizationalUnit
ou: people
ds-sync-hist: dn:00000176b8a8f8b5:add

dn: uid=emma,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
uid: emma
cn: Emma
sn: Eriksen
ds-pwp-account-disabled: true
ds-pwp-last-login-time: 20260304050607Z
userPassword: {BCRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e

";

fn import(installation: &Installation, arguments: &[&str]) -> (Option<i32>, String) {
    let output = installation.run(&[&["import"], arguments].concat());
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn what_slapcat_writes_is_taken_and_every_difference_is_told() {
    let installation = Installation::new();
    let file = write(&installation, "slapcat.ldif", SLAPCAT);
    let before = installation.succeed(&["export"]);
    let (code, report) = import(&installation, &["--from", "openldap", "--dry-run", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("dry run, nothing was written: 4 records loaded, 0 refused"), "{report}");
    assert_eq!(installation.succeed(&["export"]), before);

    let (code, report) = import(&installation, &["--from", "openldap", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    for told in [
        "vendorshoesize (first in the record on line 13)",
        "vendorPerson",
        "records put behind the entry above theirs: 1",
        "1  SASL",
        "entries that came without any password that works (1):\n  uid=bert,",
        "accounts that are locked and stay so by pwdAccountLockedTime (1):\n  uid=bert,",
        "entries that were here already and stay as they are (1):\n  cn=admin,dc=mercy,dc=example",
        "uid=bert,ou=people,dc=mercy,dc=example: manager: uid=gone,ou=people,dc=mercy,dc=example",
        "times of the last login that became lastLoginTime: 1",
        "4 records loaded, 0 refused",
    ] {
        assert!(report.contains(told), "{told} is not in:\n{report}");
    }
    assert!(report.contains("a scheme of another name") && !report.to_ascii_lowercase().contains("hunter"), "{report}");
    let export = installation.succeed(&["export", "--secrets"]);
    for kept in [
        "o: Mercy Hospital",
        "entryUUID: 4abf85a6-7ab3-1041-82a6-13db8dc7ba72",
        "createTimestamp: 20200102030405Z",
        "entryCSN: 20200102030405.299212Z#000000#000#000000",
        "entryUUID: 4accdbb6-7ab3-1041-8a7a-13db8dc7ba72",
        "{SSHA}mSsnQhL8AgtkuuyUCb9+DCBFuO8s9Um/",
        "pwdAccountLockedTime: 000001010000Z",
    ] {
        assert!(export.contains(kept), "{kept} is not in:\n{export}");
    }
    assert!(!export.contains("SASL") && !export.to_ascii_lowercase().contains("vendor"), "{export}");
    let (code, report) = import(&installation, &["--from", "openldap", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    assert!(
        report.contains("entries that were here already and stay as they are (4)"),
        "a second time changes nothing but the suffix entry: {report}"
    );
}

#[test]
fn what_db2ldif_writes_is_taken_and_its_passwords_verify() {
    let installation = Installation::new();
    let file = write(&installation, "db2ldif.ldif", DB2LDIF);
    let (code, report) = import(&installation, &["--from", "389ds", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    for told in [
        "access rules NOT taken over",
        "remains of deleted entries left out: 1",
        "nsUniqueId that became entryUUID: 1",
        "PBKDF2_SHA256",
        "uid=carl",
    ] {
        assert!(report.contains(told), "{told} is not in:\n{report}");
    }
    let export = installation.succeed(&["export"]);
    assert!(export.contains("entryUUID: 66446001-1dd2-11b2-6622-50112ee211db"), "{export}");
    assert!(export.contains("entryUUID: 11111111-2222-4333-8444-555555555555"), "{export}");
    assert!(export.contains("cn: Carl\n") && !export.contains("Charles") && !export.contains("dora"), "{export}");

    let server = installation.serve();
    let mut client = common::client::Client::connect(&server.ldap()).unwrap();
    let carl = "uid=carl,ou=people,dc=mercy,dc=example";
    assert_eq!(client.bind(carl, "Password123").unwrap(), ldap3_proto::proto::LdapResultCode::InvalidCredentials, "locked");
    drop(server);
    let unlock = write(&installation, "unlock.ldif", &format!("dn: {carl}\nchangetype: modify\ndelete: pwdAccountLockedTime\n"));
    installation.succeed(&["import", unlock.to_str().unwrap()]);
    let server = installation.serve();
    let mut client = common::client::Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(carl, "Password123").unwrap(), ldap3_proto::proto::LdapResultCode::Success);
}

#[test]
fn what_opendj_exports_is_taken() {
    let installation = Installation::new();
    let file = write(&installation, "opendj.ldif", OPENDJ);
    let (code, report) = import(&installation, &["--from", "opendj", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    for told in
        ["ds-sync-hist", "BCRYPT", "accounts that are locked and stay so", "times of the last login that became lastLoginTime: 1"]
    {
        assert!(report.contains(told), "{told} is not in:\n{report}");
    }
    assert!(installation.succeed(&["export"]).contains("pwdAccountLockedTime: 000001010000Z"));
}

#[test]
fn attributes_without_a_definition_are_kept_by_choice() {
    let installation = Installation::new();
    let file = write(&installation, "slapcat.ldif", SLAPCAT);
    let (code, report) = import(&installation, &["--from", "openldap", "--keep", "vendorShoeSize", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    assert!(!report.to_ascii_lowercase().contains("shoesize"), "{report}");
    assert!(installation.succeed(&["export"]).contains("vendorShoeSize: 38"));
    let server = installation.serve();
    let mut client = common::client::Client::connect(&server.ldap()).unwrap();
    assert_eq!(
        client.bind(common::ADMIN, common::PASSWORD).unwrap(),
        ldap3_proto::proto::LdapResultCode::Success,
        "the definition is there after a restart"
    );
    drop(server);
    let (code, report) = import(&installation, &["--from", "openldap", "--keep", "no name", file.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{report}");
}

#[test]
fn ends_of_memberships_go_along() {
    let (from, to) = (Installation::new(), Installation::new());
    let ldif = "dn: ou=people,dc=mercy,dc=example\nobjectClass: organizationalUnit\n\n\
        dn: cn=night,ou=people,dc=mercy,dc=example\nobjectClass: groupOfMembers\n\
        member: <TTL=864000,uid=anna,ou=people,dc=mercy,dc=example>\nmember: uid=bert,ou=people,dc=mercy,dc=example\n\n\
        dn: uid=anna,ou=people,dc=mercy,dc=example\nobjectClass: inetOrgPerson\ncn: Anna\nsn: Moreau\n\n\
        dn: uid=bert,ou=people,dc=mercy,dc=example\nobjectClass: inetOrgPerson\ncn: Bert\nsn: Ash\n\n";
    let file = write(&from, "people.ldif", ldif);
    assert_eq!(import(&from, &[file.to_str().unwrap()]).0, Some(0));
    let export = from.succeed(&["export"]);
    // Long lines of LDIF are folded.
    let end = |export: &str| -> Vec<String> {
        export.replace("\n ", "").lines().filter(|line| line.starts_with("memberNotAfter: ")).map(str::to_owned).collect()
    };
    assert_eq!(end(&export).len(), 1, "{export}");
    assert!(end(&export)[0].ends_with(" member uid=anna,ou=people,dc=mercy,dc=example"), "{export}");
    let file = write(&to, "export.ldif", &export[export.find("dn: ou=people,").unwrap()..]);
    let (code, report) = import(&to, &[file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(end(&to.succeed(&["export"])), end(&export));
    // What the running server exports says the same.
    let server = to.serve();
    assert_eq!(end(&to.succeed(&["export"])), end(&export));
    assert_eq!(server.stop(), Some(0));
}
