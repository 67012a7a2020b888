//! Modifying: BEHAVIOUR "Modify".

use super::harness::{As, Server, attribute_list, control, entry_in};
use crate::journal::RecordedValue;
use crate::protocol::oid;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";

#[test]
fn texts_of_values_and_attributes() {
    let mut server = Server::new();
    for (changes, answer) in [
        ("delete: title", "16 modify/delete: title: no such attribute"),
        ("delete: title\ntitle: x", "16 modify/delete: title: no such attribute"),
        ("delete: mail\nmail: other@mercy.example", "16 modify/delete: mail: no such value"),
        ("replace: title", "0"),
        ("add: title", "2 modify/add operation requires values"),
        ("add: mail\nmail: ANNA@mercy.example", "20 modify/add: mail: value #0 already exists"),
        ("add: mail\nmail: a@b\nmail: anna@mercy.example", "20 modify/add: mail: value #1 already exists"),
        ("add: title\ntitle: a\ntitle: A", "20 title: value #0 provided more than once"),
        ("replace: title\ntitle: a\ntitle: A", "20 title: value #0 provided more than once"),
        ("replace: uid\nuid: other", "64 value of naming attribute 'uid' is not present in entry"),
        ("delete: uid", "64 naming attribute 'uid' is not present in entry"),
        ("delete: sn", "65 object class 'inetOrgPerson' requires attribute 'sn'"),
        ("add: uidNumber\nuidNumber: 5", "65 attribute 'uidNumber' not allowed"),
        ("add: zork\nzork: 5", "17 zork: attribute type undefined"),
        ("delete: zork", "17 zork: attribute type undefined"),
        ("add: objectClass\nobjectClass: zork", "21 objectClass: value #0 invalid per syntax"),
        ("add: uidNumber\nuidNumber: five", "21 uidNumber: value #0 invalid per syntax"),
        ("add: uidNumber\nuidNumber:", "21 uidNumber: value #0 invalid per syntax"),
        ("replace: createTimestamp\ncreateTimestamp: 20260101000000Z", "19 createTimestamp: no user modification allowed"),
        ("replace: entryDN\nentryDN: cn=x", "19 entryDN: no user modification allowed"),
        ("delete: objectClass", "65 no objectClass attribute"),
        ("delete: description;lang-fr", "16 modify/delete: description;lang-fr: no such attribute"),
        ("add: cn;x-foo\ncn;x-foo: a", "17 cn;x-foo: unrecognized option"),
        ("increment: title\ntitle: 1\ntitle: 2", "2 modify/increment operation requires single value"),
        ("increment: employeeNumber\nemployeeNumber: 1", "19 employeeNumber: attribute syntax inappropriate for increment"),
    ] {
        assert_eq!(server.modify(changes), answer, "{changes}");
    }
}

#[test]
fn a_second_value_of_a_single_valued_attribute() {
    let mut server = Server::new();
    assert_eq!(server.modify("add: preferredLanguage\npreferredLanguage: de"), "0");
    let answer = server.modify("add: preferredLanguage\npreferredLanguage: en");
    assert_eq!(answer, "19 attribute 'preferredLanguage' cannot have multiple values");
}

#[test]
fn structural_class_changes() {
    let mut server = Server::new();
    let answer = server.modify("replace: objectClass\nobjectClass: person");
    assert!(answer.starts_with("69 ") || answer.starts_with("65 "), "{answer}");
    let answer = server.change(
        "dn: ou=people,dc=mercy,dc=example\nchangetype: modify\nreplace: objectClass\nobjectClass: organization\n-\nadd: o\no: x\n-\n\
         replace: objectClass\nobjectClass: locality\nobjectClass: extensibleObject\n",
    );
    assert!(answer.starts_with("69 structural object class modification from 'organizationalUnit' to"), "{answer}");
}

#[test]
fn names_that_are_not_there_or_not_here() {
    let mut server = Server::new();
    let modify = |dn: &str| format!("dn: {dn}\nchangetype: modify\nreplace: description\ndescription: x\n");
    assert_eq!(server.change(&modify("uid=nobody,ou=people,dc=mercy,dc=example")), "32 [ou=people,dc=mercy,dc=example]");
    assert_eq!(server.change(&modify("dc=other")), "53 no global superior knowledge");
    assert_eq!(server.change(&modify("")), "53 modify upon the root DSE not supported");
    assert_eq!(
        server.change(&modify("cn=subschema")),
        "53 description: not changed here; only attributeTypes, objectClasses, dITContentRules, nameForms, dITStructureRules are"
    );
    assert_eq!(server.change(&modify("nonsense")), "34 invalid DN");
}

#[test]
fn all_or_nothing_in_order() {
    let mut server = Server::new();
    let before = server.read(ANNA, &["*", "+"]);
    let answer = server.modify("add: title\ntitle: Dr\n-\ndelete: title\n-\nadd: mail\nmail: anna@mercy.example\n-");
    assert_eq!(answer, "20 modify/add: mail: value #0 already exists");
    assert_eq!(server.read(ANNA, &["*", "+"]), before);
    assert!(server.changes.is_empty());
    assert_eq!(
        server.modify("delete: sn\n-\nadd: sn\nsn: Moreau-Ash\n-\nadd: title\ntitle: Dr\n-\ndelete: title\ntitle: dr\n-"),
        "0"
    );
    assert_eq!(server.read(ANNA, &["sn", "title"]), "sn: Moreau-Ash\n");
}

#[test]
fn a_change_is_stamped() {
    let mut server = Server::new();
    let before = server.read(ANNA, &["createTimestamp", "creatorsName", "entryUUID"]);
    assert_eq!(server.modify("replace: title\ntitle: Dr"), "0");
    let (time, micros) = (server.now.to_generalized_time(), server.now.to_generalized_time_micros());
    let after = server.read(ANNA, &["modifyTimestamp", "modifiersName", "entryCSN"]);
    let expected =
        format!("entryCSN: {micros}#000000#000#000000\nmodifiersName: cn=admin,dc=mercy,dc=example\nmodifyTimestamp: {time}\n");
    assert_eq!(after, expected);
    assert_eq!(server.read(ANNA, &["createTimestamp", "creatorsName", "entryUUID"]), before);
}

#[test]
fn options_are_attributes_of_their_own() {
    let mut server = Server::new();
    assert_eq!(server.modify("delete: description"), "0");
    assert_eq!(server.modify("delete: description"), "16 modify/delete: description: no such attribute");
    assert_eq!(server.read(ANNA, &["description"]), "description;lang-de: Stationsschwester\n");
}

#[test]
fn increment() {
    let mut server = Server::new();
    let account = "add: objectClass\nobjectClass: posixAccount\n-\nadd: uidNumber\nuidNumber: 1000\n-\nadd: gidNumber\ngidNumber: 5\n-\n\
                   add: homeDirectory\nhomeDirectory: /home/anna\n-";
    assert_eq!(server.modify(account), "0");
    assert_eq!(server.modify("increment: uidNumber\nuidNumber: 5"), "0");
    assert_eq!(server.modify("increment: uidNumber\nuidNumber: -1"), "0");
    assert_eq!(server.read(ANNA, &["uidNumber"]), "uidNumber: 1004\n");
    assert_eq!(server.modify("increment: shadowMax\nshadowMax: 1"), "16 modify/increment: shadowMax: no such attribute");
    let huge = "increment: uidNumber\nuidNumber: 170141183460469231731687303715884105727";
    assert_eq!(server.modify(huge), "19 modify/increment: uidNumber: value out of range");
}

#[test]
fn delete_by_value_without_equality_rule() {
    let mut server = Server::new();
    assert_eq!(server.modify("add: jpegPhoto\njpegPhoto:: /9j/4AAQSkZJRg=="), "0");
    let answer = server.modify("delete: jpegPhoto\njpegPhoto:: /9j/4AAQSkZJRg==");
    assert_eq!(answer, "18 modify/delete: jpegPhoto: no equality matching rule");
    assert_eq!(server.modify("delete: jpegPhoto"), "0");
}

#[test]
fn who_may_not() {
    let mut server = Server::new().as_(As::Anonymous);
    assert_eq!(server.modify("replace: title\ntitle: x"), "8 modifications require authentication");
    server.who = As::Anna;
    assert_eq!(server.modify("replace: title\ntitle: x"), "50");
    assert_eq!(server.modify("replace: title\ntitle: x\n-\nreplace: userPassword\nuserPassword: new one\n-"), "50");
    let record = server.record.unwrap();
    assert_eq!(record.reason, Some("not permitted"));
    assert_eq!(record.target.unwrap().dn, ANNA);
    assert_eq!(record.changes[0].values, RecordedValue::Shown(vec!["x".into()]));
    assert_eq!(record.changes[1].values, RecordedValue::Redacted(1));
}

#[test]
fn entries_are_read_before_and_after() {
    let mut server = Server::new();
    server.controls.push(control(oid::PRE_READ, attribute_list(&["sn", "userPassword"])));
    server.controls.push(control(oid::POST_READ, attribute_list(&["sn", "entryDN"])));
    assert_eq!(server.modify("replace: sn\nsn: Ash"), "0");
    let read: Vec<_> = server.response_controls.iter().map(|control| (control.oid.as_str(), entry_in(control))).collect();
    assert_eq!(read[0], (oid::PRE_READ, format!("dn: {ANNA}\nsn: Moreau\n")));
    assert_eq!(read[1], (oid::POST_READ, format!("dn: {ANNA}\nentryDN: {ANNA}\nsn: Ash\n")));
}

#[test]
fn what_strangers_send_does_not_fill_the_journal() {
    let mut server = Server::new().as_(As::Anonymous);
    let changes = |count: usize| vec!["replace: description\ndescription: long and worthless"; count].join("\n-\n");
    for count in [1, 40] {
        assert!(server.modify(&changes(count)).starts_with("8 "));
        let record = server.record.take().unwrap();
        assert_eq!(record.changes.len(), count.min(32));
        assert!(record.changes.iter().all(|change| change.values == RecordedValue::Redacted(1)));
        assert_eq!(record.details.contains(&("changes", count.to_string())), count > 32);
    }
    server.who = As::Bert;
    assert!(server.modify(&changes(1)).starts_with("50"));
    assert!(matches!(server.record.unwrap().changes[0].values, RecordedValue::Shown(_)), "who is known answers for it");
}
