//! Controls that change how a write is judged: permissive modify, no-op, relaxed rules.

use super::harness::{As, Server, attribute_list, control, entry_in};
use crate::model::ResultCode;
use crate::protocol::oid;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const BERT: &str = "uid=bert,ou=people,dc=mercy,dc=example";
const GROUP: &str = "cn=ward,ou=roles,dc=mercy,dc=example";

fn with(server: &mut Server, oid: &str) {
    server.controls.push(control(oid, None));
}

#[test]
fn permissive_modify_takes_what_is_so_already() {
    let mut server = Server::new();
    for (changes, answer) in [
        ("add: mail\nmail: ANNA@mercy.example\nmail: a@mercy.example", "0"),
        ("delete: title", "0"),
        ("delete: title\ntitle: x", "0"),
        ("delete: mail\nmail: nobody@mercy.example\nmail: a@mercy.example", "0"),
        ("add: mail\nmail: b@c\nmail: B@c", "20 mail: value #0 provided more than once"),
        ("add: mail", "2 modify/add operation requires values"),
        ("delete: sn", "65 object class 'inetOrgPerson' requires attribute 'sn'"),
        ("add: zork\nzork: x", "17 zork: attribute type undefined"),
    ] {
        with(&mut server, oid::PERMISSIVE_MODIFY);
        assert_eq!(server.modify(changes), answer, "{changes}");
    }
    assert_eq!(server.read(ANNA, &["mail"]), "mail: anna@mercy.example\n");
    assert_eq!(server.modify("delete: title"), "16 modify/delete: title: no such attribute", "for one request alone");
}

#[test]
fn permissive_modify_of_members() {
    let mut server = Server::new();
    server.import(&format!("dn: {GROUP}\nobjectClass: groupOfNames\nmember: {ANNA}\n"));
    let change = |changes: &str| format!("dn: {GROUP}\nchangetype: modify\n{changes}\n");
    with(&mut server, oid::PERMISSIVE_MODIFY);
    assert_eq!(server.change(&change(&format!("add: member\nmember: {ANNA}\nmember: {BERT}"))), "0");
    with(&mut server, oid::PERMISSIVE_MODIFY);
    assert_eq!(server.change(&change(&format!("delete: member\nmember: {BERT}\nmember: cn=nobody"))), "0");
    assert_eq!(server.read(GROUP, &["member"]), format!("member: {ANNA}\n"));
    with(&mut server, oid::PERMISSIVE_MODIFY);
    assert_eq!(server.change(&change("delete: uniqueMember")), "0");
}

#[test]
fn permissive_modify_does_not_take_a_wrong_old_password() {
    let mut server = Server::new().as_(As::Anna);
    with(&mut server, oid::PERMISSIVE_MODIFY);
    let answer = server
        .modify("delete: userPassword\nuserPassword: wrong\n-\nadd: userPassword\nuserPassword: a new one of some length\n-");
    assert_eq!(answer, "53 Must supply correct old password to change to new one");
}

#[test]
fn a_no_op_is_checked_and_recorded_and_changes_nothing() {
    let mut server = Server::new();
    let before = server.read(ANNA, &["*", "+"]);
    let add = "dn: cn=new,ou=people,dc=mercy,dc=example\nchangetype: add\nobjectClass: person\nsn: N\n";
    let rename = format!("dn: {ANNA}\nchangetype: modrdn\nnewrdn: uid=anne\ndeleteoldrdn: 1\n");
    for change in [
        format!("dn: {ANNA}\nchangetype: modify\nreplace: title\ntitle: x\n"),
        format!("dn: {ANNA}\nchangetype: delete\n"),
        add.to_owned(),
        rename,
    ] {
        with(&mut server, oid::NO_OP);
        assert_eq!(server.change(&change), "16654", "{change}");
        let record = server.record.take().unwrap();
        assert_eq!((record.result, record.reason), (ResultCode::NoOperation, Some("no operation")));
        assert!(server.changes.is_empty());
    }
    assert_eq!(server.read(ANNA, &["*", "+"]), before);
    assert_eq!(server.find("cn=new,ou=people,dc=mercy,dc=example"), None);
    with(&mut server, oid::NO_OP);
    assert_eq!(server.modify("delete: sn"), "65 object class 'inetOrgPerson' requires attribute 'sn'");
    with(&mut server, oid::NO_OP);
    server.controls.push(control(oid::POST_READ, attribute_list(&["title"])));
    assert_eq!(server.modify("replace: title\ntitle: x"), "16654");
    assert_eq!(entry_in(&server.response_controls[0]), format!("dn: {ANNA}\ntitle: x\n"), "what it would have been");
    server.who = As::Bert;
    with(&mut server, oid::NO_OP);
    assert_eq!(server.modify("replace: title\ntitle: x"), "50");
}

const UUID: &str = "11111111-2222-4333-8444-555555555555";

#[test]
fn relaxed_rules_let_administrators_set_what_the_server_writes() {
    let mut server = Server::new();
    let changes = format!(
        "replace: entryUUID\nentryUUID: {UUID}\n-\nreplace: createTimestamp\ncreateTimestamp: 20200101000000Z\n-\n\
         replace: modifyTimestamp\nmodifyTimestamp: 20210101000000Z\n-"
    );
    assert_eq!(server.modify(&changes), "19 entryUUID: no user modification allowed");
    with(&mut server, oid::RELAX_RULES);
    assert_eq!(server.modify(&changes), "0");
    let names = ["entryUUID", "createTimestamp", "modifyTimestamp", "modifiersName"];
    let read = server.read(ANNA, &names);
    let expected = format!(
        "createTimestamp: 20200101000000Z\nentryUUID: {UUID}\nmodifiersName: cn=admin,dc=mercy,dc=example\nmodifyTimestamp: 20210101000000Z\n"
    );
    assert_eq!(read, expected);
    with(&mut server, oid::RELAX_RULES);
    let bert = format!("dn: {BERT}\nchangetype: modify\nreplace: entryUUID\nentryUUID: {UUID}\n");
    assert_eq!(server.change(&bert), "19 entryUUID: value is that of another entry");
    for (changes, answer) in [
        ("delete: entryUUID", "19 entryUUID: cannot be removed"),
        ("replace: entryUUID\nentryUUID: x", "21 entryUUID: value #0 invalid per syntax"),
        (
            "replace: createTimestamp\ncreateTimestamp: 20200101000000Z\ncreateTimestamp: 20200102000000Z",
            "19 createTimestamp: multiple values provided",
        ),
        ("replace: entryCSN\nentryCSN: 20200101000000.000000Z#000000#000#000000", "19 entryCSN: no user modification allowed"),
        (
            "replace: structuralObjectClass\nstructuralObjectClass: person",
            "19 structuralObjectClass: no user modification allowed",
        ),
        ("replace: entryDN\nentryDN: cn=x", "19 entryDN: no user modification allowed"),
        ("replace: memberOf\nmemberOf: cn=x", "19 memberOf: no user modification allowed"),
    ] {
        with(&mut server, oid::RELAX_RULES);
        assert_eq!(server.modify(changes), answer, "{changes}");
    }
    server.who = As::Bert;
    with(&mut server, oid::RELAX_RULES);
    assert_eq!(server.change(&bert), "50");
}

#[test]
fn relaxed_rules_let_an_entry_become_something_else_that_is_sound() {
    let mut server = Server::new();
    let person = "replace: objectClass\nobjectClass: account\n-\ndelete: sn\n-\ndelete: cn\n-\ndelete: mail\n-\n\
                  delete: userPassword\n-\nreplace: description\n-";
    assert!(server.modify(person).starts_with("69 "));
    with(&mut server, oid::RELAX_RULES);
    assert_eq!(server.modify("replace: objectClass\nobjectClass: account"), "65 attribute 'cn' not allowed");
    with(&mut server, oid::RELAX_RULES);
    assert_eq!(server.modify(person), "0");
    assert_eq!(
        server.read(ANNA, &["structuralObjectClass", "objectClass"]),
        "objectClass: account\nstructuralObjectClass: account\n"
    );
    let add = format!(
        "dn: cn=old,ou=people,dc=mercy,dc=example\nchangetype: add\nobjectClass: person\nsn: O\nentryUUID: {UUID}\n\
         createTimestamp: 20200101000000Z\ncreatorsName: cn=before\n"
    );
    assert_eq!(server.change(&add), "19 entryUUID: no user modification allowed");
    with(&mut server, oid::RELAX_RULES);
    assert_eq!(server.change(&add), "0");
    let read = server.read("cn=old,ou=people,dc=mercy,dc=example", &["entryUUID", "createTimestamp", "creatorsName"]);
    assert_eq!(read, format!("createTimestamp: 20200101000000Z\ncreatorsName: cn=before\nentryUUID: {UUID}\n"));
    with(&mut server, oid::RELAX_RULES);
    let again = add.replace("cn=old", "cn=older");
    assert_eq!(server.change(&again), "19 entryUUID: value is that of another entry");
}

#[test]
fn controls_of_other_operations() {
    let mut server = Server::new();
    with(&mut server, oid::PERMISSIVE_MODIFY);
    assert_eq!(server.change(&format!("dn: {ANNA}\nchangetype: delete\n")), "12 critical control unavailable in context");
    server.controls.push(control(oid::NO_OP, Some(bytes::Bytes::from_static(b"x"))));
    assert_eq!(server.modify("replace: title\ntitle: x"), "2 noop control value not absent");
}

#[test]
fn increment_whole() {
    let mut server = Server::new();
    let account = "add: objectClass\nobjectClass: posixAccount\nobjectClass: shadowAccount\n-\nadd: uidNumber\nuidNumber: 9223372036854775807\n-\n\
                   add: gidNumber\ngidNumber: -5\n-\nadd: homeDirectory\nhomeDirectory: /home/anna\n-";
    assert_eq!(server.modify(account), "0");
    for (changes, answer) in [
        ("increment: uidNumber\nuidNumber: 1", "0"),
        ("increment: gidNumber\ngidNumber: 5", "0"),
        ("increment: uidNumber\nuidNumber: x", "21 uidNumber: value #0 invalid per syntax"),
        ("increment: uidNumber", "2 modify/increment operation requires value"),
        ("increment: member\nmember: 1", "21 member: value #0 invalid per syntax"),
        ("increment: createTimestamp\ncreateTimestamp: 1", "19 createTimestamp: no user modification allowed"),
        ("increment: zork\nzork: 1", "17 zork: attribute type undefined"),
        ("increment: cn\ncn: 1", "19 cn: attribute syntax inappropriate for increment"),
        // Twice in one request, and on a value the request itself makes.
        (
            "increment: gidNumber\ngidNumber: 1\n-\nincrement: gidNumber\ngidNumber: 1\n-\nadd: shadowMax\nshadowMax: 7\n-\nincrement: shadowMax\nshadowMax: -8\n-",
            "0",
        ),
    ] {
        assert_eq!(server.modify(changes), answer, "{changes}");
    }
    let read = server.read(ANNA, &["uidNumber", "gidNumber", "shadowMax"]);
    assert_eq!(read, "gidNumber: 2\nshadowMax: -1\nuidNumber: 9223372036854775808\n");
    server.controls.push(control(oid::POST_READ, attribute_list(&["uidNumber"])));
    assert_eq!(server.modify("increment: uidNumber\nuidNumber: -1"), "0");
    assert_eq!(entry_in(&server.response_controls[0]), format!("dn: {ANNA}\nuidNumber: 9223372036854775807\n"));
}
