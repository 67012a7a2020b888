//! What people may do to their own password beside changing it for a new one.

use super::harness::{As, Server};

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const SEVERAL: &str = "19 Password policy only allows one password value";
const RESTRICTED: &str = "50 Operations are restricted to bind/unbind/abandon/StartTLS/modify password";

/// Anna's session, under a policy that says this.
fn with_policy(says: &str) -> Server {
    let mut server = Server::new();
    server.import(&format!(
        "dn: cn=wards,dc=mercy,dc=example\nchangetype: add\nobjectClass: device\nobjectClass: pwdPolicy\ncn: wards\n\
         pwdAttribute: userPassword\npwdCheckQuality: 0\n{says}"
    ));
    assert_eq!(server.modify("add: pwdPolicySubentry\npwdPolicySubentry: cn=wards,dc=mercy,dc=example"), "0");
    server.as_(As::Anna)
}

fn by_admin(server: &mut Server, changes: &str) {
    server.who = As::Admin;
    assert_eq!(server.modify(changes), "0");
    server.who = As::Anna;
}

fn state(server: &mut Server) -> String {
    server.read(ANNA, &["pwdReset", "pwdChangedTime", "pwdAccountLockedTime", "shadowLastChange", "pwdLastSet"])
}

#[test]
fn several_new_passwords_in_one_request_are_not_looked_at() {
    let mut server = with_policy("pwdInHistory: 2\n");
    let twice = |first: &str, second: &str| {
        format!("replace: userPassword\nuserPassword: {first}\n-\nreplace: userPassword\nuserPassword: {second}\n-")
    };
    for changes in [
        twice("another one of mine", "anna knows it"),
        twice("anna knows it", "anna knows it"),
        twice("another one of mine", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
        "replace: userPassword\nuserPassword: another one of mine\nuserPassword: anna knows it".to_owned(),
        "delete: userPassword\n-\nadd: userPassword\nuserPassword: another one\n-\nreplace: userPassword\nuserPassword: anna knows it\n-"
            .to_owned(),
    ] {
        assert_eq!(server.modify(&changes), SEVERAL, "{changes}");
        assert_eq!(server.record.as_ref().unwrap().reason, Some("several passwords"));
    }
    assert_eq!(
        server.modify("replace: userPassword\nuserPassword: anna knows it"),
        "19 Password is not being changed from existing value"
    );
    server.who = As::Admin;
    assert_eq!(server.modify(&twice("another one of mine", "a third one of mine")), "0");
}

#[test]
fn a_new_password_that_was_compared_with_none_is_refused() {
    let mut server = with_policy("pwdInHistory: 2\n");
    server.who = As::Admin;
    let (operation, mut context) = server.prepared("replace: userPassword\nuserPassword: anna knows it");
    context.identity.entry = server.find(ANNA);
    assert_eq!(server.decided(operation, context), "51");
}

#[test]
fn taking_the_password_away_is_a_change_of_it() {
    let bare = "delete: userPassword";
    for (says, answer) in [
        ("pwdAllowUserChange: FALSE\n", "50 User alteration of password is not allowed"),
        ("pwdSafeModify: TRUE\n", "50 Must supply old password to be changed as well as new one"),
        ("pwdMinAge: 3600\n", "19 Password is too young to change"),
    ] {
        let mut server = with_policy(says);
        assert_eq!(
            server
                .modify("delete: userPassword\nuserPassword: anna knows it\n-\nadd: userPassword\nuserPassword: another one\n-"),
            if says.contains("Allow") { answer } else { "0" }
        );
        let before = state(&mut server);
        for changes in [bare, "replace: userPassword"] {
            assert_eq!(server.modify(changes), answer, "{says}{changes}");
        }
        assert_eq!(state(&mut server), before);
    }
    let mut server = with_policy("pwdSafeModify: TRUE\n");
    assert_eq!(server.modify("delete: userPassword\nuserPassword: anna knows it"), "0");
}

#[test]
fn taking_the_password_away_ends_nothing_that_was_asked_for() {
    let mut server = with_policy("");
    assert_eq!(server.modify("replace: userPassword\nuserPassword: another one"), "0");
    by_admin(&mut server, "add: pwdReset\npwdReset: TRUE");
    let before = state(&mut server);
    let added_first = "add: userPassword\nuserPassword: a third one\n-\ndelete: userPassword\n-";
    for changes in
        ["delete: userPassword", "replace: userPassword", "delete: userPassword\nuserPassword: another one", added_first]
    {
        assert_eq!(server.modify(changes), RESTRICTED, "{changes}");
        assert_eq!(server.record.as_ref().unwrap().reason, Some("password must be changed first"));
    }
    assert_eq!(state(&mut server), before);

    by_admin(
        &mut server,
        "delete: pwdReset\n-\nadd: objectClass\nobjectClass: limitedAccount\n-\nadd: pwdLastSet\npwdLastSet: 0\n-",
    );
    assert_eq!(server.modify("delete: userPassword"), RESTRICTED);
    by_admin(&mut server, "replace: pwdLastSet\npwdLastSet: 134000000000000000");
    let before = state(&mut server);
    assert_eq!(server.modify("delete: userPassword"), "0");
    assert_eq!(state(&mut server), before);
}

#[test]
fn an_administrators_lock_outlives_the_owners_new_password() {
    let mut server = with_policy("pwdLockoutDuration: 3600\n");
    for lock in ["20261101120000Z", "000001010000Z"] {
        by_admin(&mut server, &format!("replace: pwdAccountLockedTime\npwdAccountLockedTime: {lock}"));
        assert_eq!(server.modify(&format!("replace: userPassword\nuserPassword: chosen while {lock}")), "0");
        assert!(state(&mut server).contains(&format!("pwdAccountLockedTime: {lock}")));
        assert_eq!(server.modify("delete: userPassword"), "0");
        assert!(state(&mut server).contains(&format!("pwdAccountLockedTime: {lock}")));
        by_admin(&mut server, "replace: userPassword\nuserPassword: given by another\n-\nreplace: pwdReset\n-");
        assert!(!state(&mut server).contains("pwdAccountLockedTime"));
    }
}
