//! Kinds of accounts: what the entry of one must hold.

use super::harness::{As, Server};

const NAME: &str = "uid=rounds,ou=people,dc=mercy,dc=example";

fn add(server: &mut Server, more: &str) -> String {
    let classes = "objectClass: account\nobjectClass: simpleSecurityObject\nobjectClass: managedAccount";
    server.change(&format!("dn: {NAME}\nchangetype: add\n{classes}\nuserPassword: the ward list asks\n{more}"))
}

fn modify(server: &mut Server, name: &str, change: &str) -> String {
    server.change(&format!("dn: {name}\nchangetype: modify\n{change}\n"))
}

const OWNER: &str = "accountOwner: uid=anna,ou=people,dc=mercy,dc=example\n";

#[test]
fn a_service_has_an_owner_and_networks_an_emergency_account_an_owner_a_person_neither() {
    for (more, answer) in [
        ("accountKind: service\n".to_owned(), "65 an account of kind 'service' requires attribute 'accountOwner'"),
        (format!("accountKind: Service\n{OWNER}"), "65 an account of kind 'service' requires attribute 'accountNetwork'"),
        ("accountKind: breakglass\n".to_owned(), "65 an account of kind 'breakglass' requires attribute 'accountOwner'"),
        (format!("accountKind: breakglass\n{OWNER}"), "0"),
        (format!("accountKind: service\n{OWNER}accountNetwork: 192.0.2.0/24\naccountNetwork: 2001:db8::/32\n"), "0"),
        ("accountKind: person\n".to_owned(), "0"),
        (String::new(), "0"),
        ("accountKind: robot\n".to_owned(), "21 accountKind: value #0 invalid per syntax"),
        ("accountNetwork: 192.0.2.0/33\n".to_owned(), "21 accountNetwork: value #0 invalid per syntax"),
        ("accountNetwork: 192.0.2.1\n".to_owned(), "21 accountNetwork: value #0 invalid per syntax"),
    ] {
        let mut server = Server::new().as_(As::Admin);
        assert_eq!(add(&mut server, &more), answer, "{more}");
    }
}

#[test]
fn what_a_service_needs_cannot_be_taken_from_it_and_what_it_lost_with_its_owner_is_not_asked_for() {
    let mut server = Server::new().as_(As::Admin);
    assert_eq!(add(&mut server, &format!("accountKind: service\n{OWNER}accountNetwork: 192.0.2.0/24\n")), "0");
    for name in ["accountOwner", "accountNetwork"] {
        let answer = modify(&mut server, NAME, &format!("delete: {name}"));
        assert_eq!(answer, format!("65 an account of kind 'service' requires attribute '{name}'"));
    }
    assert_eq!(server.change("dn: uid=anna,ou=people,dc=mercy,dc=example\nchangetype: delete\n"), "0");
    assert!(!server.read(NAME, &["accountOwner"]).contains("accountOwner"));
    assert_eq!(modify(&mut server, NAME, "replace: accountDisabled\naccountDisabled: TRUE"), "0");
    assert_eq!(
        modify(
            &mut server,
            "uid=bert,ou=people,dc=mercy,dc=example",
            "add: objectClass\nobjectClass: managedAccount\n-\nadd: accountKind\naccountKind: service"
        ),
        "65 an account of kind 'service' requires attribute 'accountOwner'"
    );
}

#[test]
fn who_creates_an_account_does_not_proof_it() {
    let mut server = Server::new().as_(As::Admin);
    let proofed = "accountProofedBy: uid=bert,ou=people,dc=mercy,dc=example\naccountProofedTime: 20261101120000Z\n";
    let refused = "50 an account is proofed by somebody else than its creator";
    assert_eq!(add(&mut server, proofed), refused);
    assert_eq!(add(&mut server, ""), "0");
    let change = "replace: accountProofedTime\naccountProofedTime: 20261101120000Z";
    assert_eq!(modify(&mut server, NAME, change), refused);
    let administrators = "cn=administrators,ou=roles,dc=mercy,dc=example";
    assert_eq!(modify(&mut server, administrators, "add: member\nmember: uid=anna,ou=people,dc=mercy,dc=example"), "0");
    let mut server = server.as_(As::Anna);
    assert_eq!(modify(&mut server, NAME, change), "0");
    let mut server = server.as_(As::Admin);
    assert_eq!(
        modify(&mut server, NAME, "replace: description\ndescription: ward lists"),
        "0",
        "what stands is not asked for anew"
    );
}

#[test]
fn the_example_is_taken_as_it_is() {
    let mut server = Server::new();
    server.import(include_str!("../../../schema/examples/managedAccount.ldif"));
    let read = server.as_(As::Admin).read(NAME, &["accountKind", "accountOwner"]);
    assert!(read.contains("accountKind: service") && read.contains(OWNER), "{read}");
}
