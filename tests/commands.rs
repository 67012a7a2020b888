//! Commands from outside: what an administrator reads when a file is wrong, and what is left to mend.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::{Installation, bindery, write};

const GOOD_AND_BAD: &str = "\
dn: ou=people,dc=mercy,dc=example
objectClass: organizationalUnit
ou: people

dn: uid=anna,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Anna

dn: uid=bert,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Bert
sn: Brecht
this line is no LDIF

dn: uid=carl,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Carl
sn: Carlsen

dn: uid=carl,ou=people,dc=mercy,dc=example
changetype: modify
add: title
title: Nurse
-
";

#[test]
fn import_stops_at_the_first_bad_record_and_names_its_line() {
    let installation = Installation::new();
    let file = write(&installation, "people.ldif", GOOD_AND_BAD);
    let output = installation.run(&["import", file.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{message}");
    let expected =
        format!("{}: line 5: 65 (ObjectClassViolation) object class 'inetOrgPerson' requires attribute 'sn'", file.display());
    assert!(message.contains(&expected), "{message}");
    let export = installation.succeed(&["export"]);
    assert!(export.contains("dn: ou=people,") && !export.contains("uid=carl"), "{export}");
}

#[test]
fn import_goes_on_and_keeps_what_was_refused() {
    let installation = Installation::new();
    let file = write(&installation, "people.ldif", GOOD_AND_BAD);
    let output = installation.run(&["import", "--continue", file.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("line 5: 65")
            && message.contains("line 13: no colon")
            && message.contains("3 records loaded, 2 refused"),
        "{message}"
    );
    let export = installation.succeed(&["export"]);
    assert!(export.contains("uid=carl") && export.contains("title: Nurse") && !export.contains("uid=anna"), "{export}");

    let rejected = installation.folder.path().join("people.ldif.rejected");
    let text = fs::read_to_string(&rejected).unwrap();
    assert!(text.contains("# ") && text.contains("line 5: 65") && text.contains("dn: uid=anna,"), "{text}");
    fs::write(&rejected, text.replace("cn: Anna", "cn: Anna\nsn: Andersen")).unwrap();
    let again = installation.run(&["import", rejected.to_str().unwrap()]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(installation.succeed(&["export"]).contains("sn: Andersen"));
}

#[test]
fn an_export_to_a_file_replaces_it_only_when_everything_is_written() {
    let installation = Installation::new();
    let file = installation.folder.path().join("out.ldif");
    fs::write(&file, "yesterday's").unwrap();
    let path = file.to_str().unwrap();
    let failed = installation.run(&["export", "--out", path, "--base", "dc=nowhere"]);
    assert_eq!(failed.status.code(), Some(3));
    assert_eq!(fs::read_to_string(&file).unwrap(), "yesterday's");
    installation.succeed(&["export", "--out", path]);
    assert!(fs::read_to_string(&file).unwrap().contains("dn: dc=mercy,dc=example"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(installation.folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{left:?}");
}

#[test]
fn what_is_imported_in_clear_is_hashed_and_logs_in() {
    let installation = Installation::new();
    let person =
        "dn: uid=anna,dc=mercy,dc=example\nobjectClass: inetOrgPerson\ncn: Anna\nsn: A\nuserPassword: a pass phrase in clear\n";
    let file = write(&installation, "anna.ldif", person);
    installation.succeed(&["import", file.to_str().unwrap()]);
    let export = installation.succeed(&["export", "--secrets"]);
    assert!(!export.contains("a pass phrase in clear") && export.contains("userPassword"), "{export}");
    let server = installation.serve();
    let mut client = common::client::Client::connect(&server.ldap()).unwrap();
    let code = client.bind("uid=anna,dc=mercy,dc=example", "a pass phrase in clear").unwrap();
    assert_eq!(code, ldap3_proto::proto::LdapResultCode::Success);
}

#[test]
fn schema_check_says_what_a_file_adds_and_what_it_clashes_with() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("badge.schema");
    fs::write(
        &good,
        "attributetype ( 1.3.6.1.4.1.99999.1 NAME 'badgeNumber' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )\n",
    )
    .unwrap();
    let output = bindery(&["schema", "check", good.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("line 1: adds") && text.contains("badgeNumber"), "{text}");
    let bad = folder.path().join("clash.schema");
    fs::write(&bad, "attributetype ( 1.3.6.1.4.1.99999.2 NAME 'mail' SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )\n").unwrap();
    let output = bindery(&["schema", "check", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn hash_help_version_and_completions() {
    for (arguments, expected) in [
        (&["completions", "bash"][..], "bindery"),
        (&["version"][..], env!("CARGO_PKG_VERSION")),
        (&["help"][..], "import"),
        (&["import", "--help"][..], "Exit codes"),
    ] {
        let output = bindery(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    assert_eq!(bindery(&["import"]).status.code(), Some(2));
    assert_eq!(bindery(&["serve", "--config", "/nonexistent/bindery.toml"]).status.code(), Some(3));
}

#[test]
fn an_export_for_another_server_needs_this_one_stopped() {
    let installation = Installation::new();
    let server = installation.serve();
    let output = installation.run(&["export", "--for", "openldap"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("stop the server"), "{message}");
    drop(server);
    let export = installation.succeed(&["export", "--for", "openldap"]);
    assert!(export.starts_with("dn: dc=mercy,dc=example") && export.contains("userPassword"), "{export}");
}

#[test]
fn definitions_made_online_are_exported_and_taken_by_another_installation() {
    let (installation, other) = (Installation::new(), Installation::new());
    let definitions = "\
dn: cn=Subschema
changetype: modify
add: objectClasses
objectClasses: ( 1.3.6.1.4.1.99999.2.1 NAME 'wardWorker' AUXILIARY MAY ward )
-
add: attributeTypes
attributeTypes: ( 1.3.6.1.4.1.99999.1.1 NAME 'ward' DESC 'Wo man arbeitet: Zürich' SUP name )
-
";
    let file = write(&installation, "ward.ldif", definitions);
    installation.succeed(&["import", file.to_str().unwrap()]);
    let stopped = installation.succeed(&["export", "--schema"]);
    let server = installation.serve();
    assert_eq!(installation.succeed(&["export", "--schema"]), stopped, "running or not");
    drop(server);
    let file = write(&other, "schema.ldif", &stopped);
    other.succeed(&["import", file.to_str().unwrap()]);
    assert_eq!(other.succeed(&["export", "--schema"]), stopped);
    assert!(stopped.contains("attributeTypes::") && stopped.contains("NAME 'wardWorker' AUXILIARY MAY ward"), "{stopped}");
    let worker = "dn: cn=anna,dc=mercy,dc=example\nobjectClass: person\nobjectClass: wardWorker\ncn: anna\nsn: A\nward: 7\n";
    let file = write(&other, "anna.ldif", worker);
    other.succeed(&["import", file.to_str().unwrap()]);
    assert!(other.succeed(&["export"]).contains("ward: 7"));
    assert!(other.succeed(&["check"]).contains("0 problems found"));
    // A rule that comes later is kept from then on; what breaks it is named.
    let form = "dn: cn=Subschema\nchangetype: modify\nadd: nameForms\nnameForms: ( 1.3.6.1.4.1.99999.4.1 NAME 'byNumber' OC person MUST ward )\n-\n";
    let file = write(&other, "form.ldif", form);
    other.succeed(&["import", file.to_str().unwrap()]);
    let found = String::from_utf8(other.run(&["check"]).stdout).unwrap();
    assert!(found.contains("cn=anna,dc=mercy,dc=example: name form 'byNumber' does not allow naming attribute 'cn'"), "{found}");
}

#[test]
fn status_tells_how_the_server_is_and_that_there_is_none() {
    let installation = Installation::new();
    let none = installation.run(&["status"]);
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(none.status.code(), Some(3), "{message}");
    assert!(message.contains("bindery serve"), "{message}");

    let server = installation.serve();
    let text = installation.succeed(&["status"]);
    assert!(text.lines().any(|line| line.split_whitespace().eq(["health", "green"])), "{text}");
    assert!(text.contains("durable sequence"), "{text}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_emergency_is_called_and_ended_by_a_file_in_its_folder() {
    let installation = Installation::new();
    let refused = |arguments: &[&str]| {
        let output = installation.run(arguments);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let begin = ["journal", "emergency", "begin", "--reason", "the controller is dead"];
    assert!(refused(&begin).contains("there is no emergency folder: name one on another disk as journal.emergency-folder"));
    let folder = installation.folder.path().join("second");
    let plain = fs::read_to_string(installation.configuration()).unwrap();
    let text = format!(
        "{plain}\n[journal]\nemergency-folder = {:?}\n[[journal.stream]]\nname = \"siem\"\naddress = \"127.0.0.1:9\"\nauthorities = \"c.pem\"\n",
        folder.to_str().unwrap()
    );
    fs::write(installation.configuration(), text).unwrap();
    assert!(refused(&begin).contains("is the emergency disk there"));
    fs::create_dir(&folder).unwrap();
    installation.succeed(&begin);
    let call = fs::read_to_string(folder.join("call")).unwrap();
    assert!(call.starts_with("uid ") && call.ends_with("\nthe controller is dead\n"), "{call}");
    installation.succeed(&["journal", "emergency", "end"]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert!(refused(&["journal", "emergency", "end"]).contains("nobody said that there is an emergency"));
}
