//! One-time codes from outside: enrolled, used, removed; and the bind rules that a directory without any is given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

mod common;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, SUFFIX, write};
use ldap3_proto::proto::LdapResultCode;
use totp_rs::{Builder, Secret};

/// Takes the waiver `second-factor` out of the configuration.
fn without_waiver() -> Installation {
    let installation = Installation::new();
    let text = fs::read_to_string(installation.configuration()).unwrap();
    let (before, last) = text.split_at(text.rfind("[[waiver]]").unwrap());
    assert!(last.contains("\"second-factor\""), "{last}");
    fs::write(installation.configuration(), before).unwrap();
    installation
}

/// The code that an app shows which read the QR code, so many time steps from now.
fn code(printed: &str, steps: u64) -> String {
    let secret = printed.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let generator =
        Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).with_step_duration(30).build_noncompliant();
    generator.generate(seconds + 30 * steps).to_string()
}

fn bind(server: &common::Server, password: &str) -> LdapResultCode {
    Client::connect(&server.ldap()).unwrap().bind(ADMIN, password).unwrap()
}

#[test]
fn an_administrator_enrols_codes_and_logs_in_with_each_once() {
    let installation = without_waiver();
    let server = installation.serve();
    assert!(server.log().contains("bindery otp enrol"), "{}", server.log());
    assert_eq!(bind(&server, PASSWORD), LdapResultCode::InvalidCredentials);

    let printed = installation.succeed(&["otp", "enrol", ADMIN]);
    let now = code(&printed, 0);
    assert_eq!(bind(&server, PASSWORD), LdapResultCode::InvalidCredentials);
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, &format!("{PASSWORD}{now}")).unwrap(), LdapResultCode::Success);
    let people = format!("ou=people,{SUFFIX}");
    assert_eq!(client.add(&people, &[("objectClass", &["organizationalUnit"])]).unwrap(), LdapResultCode::Success);
    assert_eq!(bind(&server, &format!("{PASSWORD}{now}")), LdapResultCode::InvalidCredentials, "used");
    let recovery: Vec<&str> = printed.lines().filter(|line| line.starts_with("  ") && line.len() == 8).map(str::trim).collect();
    assert_eq!(recovery.len(), 8, "{printed}");
    assert_eq!(bind(&server, &format!("{PASSWORD}{}", recovery[0])), LdapResultCode::Success);
    assert_eq!(bind(&server, &format!("{PASSWORD}{}", code(&printed, 1))), LdapResultCode::Success);

    let again = installation.run(&["otp", "enrol", ADMIN]);
    assert_eq!(again.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--replace"));
    assert_eq!(server.stop(), Some(0));
    let journal = installation.succeed(&["journal", "export"]);
    assert!(journal.contains("oathSecret") && !journal.contains(recovery[1]), "recorded, and not what it is");
    installation.succeed(&["otp", "remove", ADMIN]);
    assert!(installation.serve().log().contains("bindery otp enrol"));
}

#[test]
fn codes_are_enrolled_by_uid_while_the_server_is_stopped() {
    let installation = Installation::new();
    let person = "dn: uid=anna,dc=mercy,dc=example\nobjectClass: inetOrgPerson\nuid: anna\ncn: Anna\nsn: Moreau\n\n\
                  dn: cn=wards,ou=binds,ou=policies,dc=mercy,dc=example\nobjectClass: bindRule\ncn: wards\n\
                  bindApplication: uid=anna,dc=mercy,dc=example\nbindEffect: require-factor\n";
    let person = person.replace("sn: Moreau\n", &format!("sn: Moreau\nuserPassword: {PASSWORD}\n"));
    installation.succeed(&["import", write(&installation, "person.ldif", &person).to_str().unwrap()]);
    let unknown = installation.run(&["otp", "enrol", "nobody"]);
    assert_eq!(unknown.status.code(), Some(3));
    let printed = installation.succeed(&["otp", "enrol", "anna", "--issuer", "Mercy"]);
    assert!(printed.contains("otpauth://totp/Mercy:anna?secret="), "{printed}");
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    let anna = "uid=anna,dc=mercy,dc=example";
    assert_eq!(client.bind(anna, PASSWORD).unwrap(), LdapResultCode::InvalidCredentials);
    assert_eq!(client.bind(anna, &format!("{PASSWORD}{}", code(&printed, 0))).unwrap(), LdapResultCode::Success);
    assert_eq!(client.bind(anna, &format!("{PASSWORD}{}", code(&printed, 0))).unwrap(), LdapResultCode::InvalidCredentials);
}

#[test]
fn a_directory_without_rules_lets_nobody_in_until_a_start_writes_the_default_ones() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    // The last one is what lets this session in.
    let rules =
        ["administrators", "services", "break-glass", "people"].map(|cn| format!("cn={cn},ou=binds,ou=policies,{SUFFIX}"));
    for rule in &rules {
        assert_eq!(client.delete(rule).unwrap(), LdapResultCode::Success, "{rule}");
    }
    assert_eq!(bind(&server, PASSWORD), LdapResultCode::InvalidCredentials);
    assert_eq!(server.stop(), Some(0));
    let server = installation.serve();
    assert!(server.log().contains("the default ones were written below ou=binds,ou=policies"), "{}", server.log());
    assert_eq!(client_of(&server).read(&rules[3], &["bindEffect"]).unwrap().map(|entry| entry.dn), Some(rules[3].clone()));
    assert_eq!(server.stop(), Some(0));
    let server = installation.serve();
    assert_eq!(server.log().matches("the default ones were written").count(), 1, "once");
    assert_eq!(bind(&server, PASSWORD), LdapResultCode::Success);
}

fn client_of(server: &common::Server) -> Client {
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    client
}
