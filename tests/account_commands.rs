//! `bindery account` and `bindery policy` from outside, with the server running and without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, write};
use ldap3_proto::proto::{LdapModifyType, LdapResultCode};

const ANNA: &str = "uid=anna,dc=mercy,dc=example";
const ANNAS: &str = "anna knows it, and nobody else";

fn with_anna() -> Installation {
    let installation = Installation::new();
    let classes = "objectClass: inetOrgPerson\nobjectClass: managedAccount\ncn: Anna\nsn: Moreau";
    let person = format!("dn: {ANNA}\n{classes}\nuserPassword: {ANNAS}\n");
    installation.succeed(&["import", write(&installation, "anna.ldif", &person).to_str().unwrap()]);
    installation
}

#[test]
fn one_screen_says_how_an_account_stands_and_why() {
    let installation = with_anna();
    let stopped = installation.succeed(&["account", "show", "anna"]);
    assert!(stopped.contains("state           open") && stopped.contains("nobody is logged in"), "{stopped}");
    assert!(stopped.contains("cn=default,ou=passwords,ou=policies,dc=mercy,dc=example"), "{stopped}");
    assert!(stopped.contains("allow by cn=people,ou=binds,ou=policies,dc=mercy,dc=example (bindAccountKind=person"), "{stopped}");
    assert!(!stopped.contains("cn=services,"), "{stopped}");

    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ANNA, "wrong").unwrap(), LdapResultCode::InvalidCredentials);
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ANNA, ANNAS).unwrap(), LdapResultCode::Success);
    let mut other = Client::connect(&server.ldap()).unwrap();
    assert_eq!(other.bind(ANNA, "wrong again").unwrap(), LdapResultCode::InvalidCredentials);
    let running = installation.succeed(&["account", "show", ANNA]);
    assert!(running.contains("1 in a row") && running.contains("1 from 127.0.0.1, last 20"), "{running}");
    assert!(running.contains("from 127.0.0.1\n") && running.contains("by password, no TLS, last"), "{running}");

    let mut admin = Client::connect(&server.ldap()).unwrap();
    assert_eq!(admin.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let disabled = [(LdapModifyType::Replace, "accountDisabled", &["TRUE"][..])];
    assert_eq!(admin.modify(ANNA, &disabled).unwrap(), LdapResultCode::Success);
    let output = installation.run(&["account", "show", "anna"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("barred: cannot log in"), "{text}");
    assert!(text.contains("account disabled [accountDisabled], since 20"), "{text}");

    let output = installation.run(&["account", "show", "anna", "--format", "jsonl"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["state"].as_str(), report["failures"]["in_a_row"].as_u64()), (Some("barred"), Some(1)));
    let output = installation.run(&["account", "show", "anna", "--format", "csv"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("dn,kind,at,state,") && text.contains(",barred,account disabled,"), "{text}");
    let unknown = installation.run(&["account", "show", "nobody"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", String::from_utf8_lossy(&unknown.stderr));
    assert_eq!(installation.run(&["account", "show"]).status.code(), Some(2));
    assert_eq!(server.stop(), Some(0));
    let output = installation.run(&["account", "show", "anna"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("1 from 127.0.0.1"), "{text}");
}

#[test]
fn the_sample_of_expectations_holds_for_a_new_installation_and_covers_every_default_rule() {
    let installation = Installation::new();
    let sample = String::from_utf8(common::bindery(&["policy", "sample"]).stdout).unwrap();
    let file = write(&installation, "policy-test.toml", &sample);
    let test = ["policy", "test", file.to_str().unwrap()];
    let stopped = installation.succeed(&test);
    assert!(stopped.ends_with("42 expectations, 0 wrong\n"), "{stopped}");
    for (kind, count) in [("binds", 4), ("access", 8)] {
        let export = installation.succeed(&["export", "--base", &format!("ou={kind},ou=policies,dc=mercy,dc=example")]);
        let rules: Vec<&str> = export.lines().filter_map(|line| line.strip_prefix("dn: cn=")).collect();
        assert_eq!(rules.len(), count, "{export}");
        for rule in rules {
            assert!(stopped.contains(&format!(" by cn={rule}")), "{rule}: {stopped}");
        }
    }
    let server = installation.serve();
    assert_eq!(installation.succeed(&test), stopped, "the running server decides the same");

    // What does not hold is told, with what is so instead.
    let wrong = sample.replace("from = \"203.0.113.7\"\nexpect = \"deny\"", "from = \"203.0.113.7\"\nexpect = \"allow\"");
    let file = write(&installation, "wrong.toml", &wrong);
    for format in ["table", "csv", "jsonl"] {
        let output = installation.run(&["policy", "test", file.to_str().unwrap(), "--format", format]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("expected allow, and it is deny"), "{text}");
        assert!(text.contains("no bind rule allows it"), "{text}");
    }

    // A changed rule shows.
    let mut admin = Client::connect(&server.ldap()).unwrap();
    assert_eq!(admin.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let deny = [(LdapModifyType::Replace, "bindEffect", &["deny"][..])];
    let people = "cn=people,ou=binds,ou=policies,dc=mercy,dc=example";
    assert_eq!(admin.modify(people, &deny).unwrap(), LdapResultCode::Success);
    let output = installation.run(&test);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("(denied by a bind rule) by cn=people,"), "{text}");
    assert!(!installation.succeed(&["export"]).contains("test-nurse"), "nothing is left of it");

    let problem = |text: &str| {
        let file = write(&installation, "problem.toml", text);
        let output = installation.run(&["policy", "test", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(problem("[[login]]\nwho = \"nobody\"\nexpect = \"deny\"\n").contains("nobody: there is no one account"));
    assert!(problem("entries = \"dn: cn=x\"\n[[login]]\nwho = \"nobody\"\nexpect = \"deny\"\n").contains("entries: line 1"));
    let of_app = "[[login]]\nwho = \"cn=admin,{suffix}\"\nwith = [\"app-password\"]\nexpect = \"deny\"\n";
    assert!(problem(of_app).contains("say which bind rule"));
    let of_admin = problem(&format!("{of_app}app-rule = \"people\"\n"));
    assert!(of_admin.contains("administrators have no passwords of applications"), "{of_admin}");
    assert!(problem("[[login]]\nwho = \"cn=admin,{suffix}\"\nfrom = \"ten\"\nexpect = \"deny\"\n").contains("no address"));
}
