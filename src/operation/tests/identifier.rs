//! Unique values, values of deleted entries, and numbers.

use super::harness::{As, Server, control};
use crate::directory::Change;
use crate::model::Attribute;
use crate::operation::add::AddRequest;
use crate::operation::identifier::{IdentifierSettings, NumberRange};
use crate::operation::{Authority, Proposal, ProposedOperation, decide};
use crate::protocol::{Reply, oid};

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const SUFFIX: &str = "dc=mercy,dc=example";

fn with_identifiers() -> Server {
    let mut server = Server::new();
    let range = |attribute: &str, first, last, ask: &str, digits| NumberRange {
        attribute: attribute.to_owned(),
        first,
        last,
        ask: ask.to_owned(),
        digits,
    };
    server.identifiers = IdentifierSettings {
        unique: ["uid", "mail", "employeeNumber", "zork"].map(str::to_owned).to_vec(),
        kept: ["uid", "EmployeeNumber"].map(str::to_owned).to_vec(),
        numbers: vec![range("uidNumber", 7, 9, "-1", 0), range("employeeNumber", 1, 999, "next", 5)],
    };
    server
}

fn person(uid: &str, more: &str) -> String {
    format!("dn: uid={uid},ou=people,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: x\nsn: x\n{more}")
}

fn posix(uid: &str, number: &str) -> String {
    person(uid, &format!("objectClass: posixAccount\ngidNumber: 1\nhomeDirectory: /\nuidNumber: {number}\n"))
}

fn on_suffix(change: &str) -> String {
    format!("dn: {SUFFIX}\nchangetype: modify\n{change}\n")
}

#[test]
fn no_two_entries_share_a_unique_value() {
    let mut server = with_identifiers();
    let taken = "19 mail: value is that of another entry";
    assert_eq!(server.change(&person("carl", "mail: ANNA@mercy.example\n")), taken);
    assert_eq!(server.change(&person("carl", "mail: carl@mercy.example\n")), "0");
    assert_eq!(server.modify("replace: mail\nmail: Carl@mercy.example"), taken);
    assert_eq!(server.record.as_ref().unwrap().reason, Some("identifier"));
    // What it has already is no obstacle, however spelled.
    assert_eq!(server.modify("replace: mail\nmail: anna@mercy.example\nmail: a@mercy.example"), "0");
    assert_eq!(server.modify("replace: mail\nmail: ANNA@mercy.example"), "0");
    let elsewhere = format!("dn: uid=Anna,ou=roles,{SUFFIX}\nchangetype: add\nobjectClass: account\n");
    assert_eq!(server.change(&elsewhere), "19 uid: value is that of another entry");
    let rename = format!(
        "dn: uid=carl,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 0\nnewsuperior: ou=roles,{SUFFIX}\n"
    );
    assert_eq!(server.change(&rename), "19 uid: value is that of another entry");
    let rename = format!("dn: uid=carl,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=CARL\ndeleteoldrdn: 1\n");
    assert_eq!(server.change(&rename), "0");
}

#[test]
fn who_loads_a_file_is_told_whose_the_value_is() {
    let mut server = with_identifiers();
    let context = server.context(Authority::Installation);
    let attribute =
        |description: &str, value: &str| Attribute { description: description.to_owned(), values: vec![value.to_owned().into()] };
    let attributes = ["inetOrgPerson", "x", "x", "anna@mercy.example"];
    let attributes =
        ["objectClass", "cn", "sn", "mail"].iter().zip(attributes).map(|(name, value)| attribute(name, value)).collect();
    let name = format!("uid=carl,ou=people,{SUFFIX}");
    let operation = ProposedOperation::Add(AddRequest::new(name.into(), attributes, Vec::new()));
    let decision = decide(&server.directory, &Proposal { context, operation }, 0);
    let Reply::Result { result, .. } = decision.reply else { panic!("not a result") };
    assert_eq!(result.diagnostic, format!("mail: value is that of {ANNA}"));
}

#[test]
fn identifiers_of_deleted_entries_are_given_to_nobody_until_released() {
    let mut server = with_identifiers();
    assert_eq!(server.modify("add: employeeNumber\nemployeeNumber: 4711"), "0");
    assert_eq!(server.change(&format!("dn: {ANNA}\nchangetype: delete\n")), "0");
    let reserved = "19 uid: value is reserved, an entry that was deleted had it";
    assert_eq!(server.change(&person("ANNA", "")), reserved);
    assert_eq!(server.change(&person("carl", "uid: anna\n")), reserved);
    assert_eq!(server.change(&person("carl", "mail: anna@mercy.example\n")), "0", "mail is not kept");
    let rename = |to: &str| format!("dn: uid=carl,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid={to}\ndeleteoldrdn: 0\n");
    assert_eq!(server.change(&rename("anna")), reserved);
    assert_eq!(
        server.read(SUFFIX, &["reservedIdentifier"]),
        "reservedIdentifier: employeeNumber=4711\nreservedIdentifier: uid=anna\n"
    );
    assert!(!server.read(SUFFIX, &["*", "+"]).contains("reserved"));

    assert_eq!(server.change(&on_suffix("delete: reservedIdentifier\nreservedIdentifier: UID=Anna")), "0");
    assert!(server.changes.iter().any(|change| matches!(change, Change::Release { .. })));
    assert_eq!(server.change(&person("anna", "")), "0");
    assert_eq!(
        server.change(&person("dora", "employeeNumber: 4711\n")),
        "19 employeeNumber: value is reserved, an entry that was deleted had it"
    );
}

#[test]
fn a_tree_delete_keeps_identifiers_too() {
    let mut server = with_identifiers();
    server.controls = vec![control(oid::TREE_DELETE, None)];
    assert_eq!(server.change(&format!("dn: ou=people,{SUFFIX}\nchangetype: delete\n")), "0");
    assert_eq!(server.read(SUFFIX, &["reservedIdentifier"]), "reservedIdentifier: uid=anna\nreservedIdentifier: uid=bert\n");
}

#[test]
fn administrators_reserve_and_others_do_not_even_read() {
    let mut server = with_identifiers();
    for (change, answer) in [
        ("add: reservedIdentifier\nreservedIdentifier: uid=root\nreservedIdentifier: uid=Postmaster", "0"),
        ("add: reservedIdentifier\nreservedIdentifier: UID=ROOT", "20 modify/add: reservedIdentifier: value #0 already exists"),
        ("delete: reservedIdentifier\nreservedIdentifier: uid=x", "16 modify/delete: reservedIdentifier: no such value"),
        ("add: reservedIdentifier\nreservedIdentifier: zork=x", "21 reservedIdentifier: value #0 invalid per syntax"),
        ("add: reservedIdentifier\nreservedIdentifier: uidNumber=x", "21 reservedIdentifier: value #0 invalid per syntax"),
        ("add: reservedIdentifier\nreservedIdentifier: userPassword=x", "21 reservedIdentifier: value #0 invalid per syntax"),
        ("add: reservedIdentifier\nreservedIdentifier: nonsense", "21 reservedIdentifier: value #0 invalid per syntax"),
        (
            "add: reservedIdentifier;lang-en\nreservedIdentifier;lang-en: uid=x",
            "17 reservedIdentifier;lang-en: unrecognized option",
        ),
    ] {
        assert_eq!(server.change(&on_suffix(change)), answer, "{change}");
    }
    assert_eq!(
        server.modify("add: reservedIdentifier\nreservedIdentifier: uid=x"),
        "65 attribute 'reservedIdentifier' not allowed"
    );
    assert_eq!(server.change(&person("carl", "reservedIdentifier: uid=x\n")), "65 attribute 'reservedIdentifier' not allowed");
    assert_eq!(server.change(&person("root", "")), "19 uid: value is reserved, an entry that was deleted had it");
    assert_eq!(server.compare(SUFFIX, "reservedIdentifier", b"uid=root"), "6");
    assert_eq!(server.change(&on_suffix("replace: reservedIdentifier\nreservedIdentifier: mail=x@y")), "0");
    assert_eq!(server.read(SUFFIX, &["reservedIdentifier"]), "reservedIdentifier: mail=x@y\n");
    let mut anna = server.as_(As::Anna);
    assert_eq!(anna.read(SUFFIX, &["reservedIdentifier"]), "");
    assert_eq!(anna.compare(SUFFIX, "reservedIdentifier", b"uid=root"), "50");
    assert_eq!(anna.change(&on_suffix("delete: reservedIdentifier")), "50");
}

#[test]
fn numbers_are_given_once() {
    let mut server = with_identifiers();
    assert_eq!(server.change(&posix("p8", "8")), "0");
    assert_eq!(server.change(&posix("p1", "-1")), "0");
    assert!(server.record.as_ref().unwrap().details.contains(&("assigned", "uidNumber=7".to_owned())));
    let p1 = format!("uid=p1,ou=people,{SUFFIX}");
    assert_eq!(server.read(&p1, &["uidNumber"]), "uidNumber: 7\n");
    assert_eq!(server.change(&format!("dn: {p1}\nchangetype: delete\n")), "0");
    assert_eq!(server.change(&posix("p2", "-1")), "0");
    assert_eq!(server.read(&format!("uid=p2,ou=people,{SUFFIX}"), &["uidNumber"]), "uidNumber: 9\n", "7 was given, 8 is taken");
    assert_eq!(server.change(&posix("p3", "-1")), "53 uidNumber: no number is left to give");
    // A modify may ask as well; zeros go in front.
    assert_eq!(server.modify("add: employeeNumber\nemployeeNumber: next"), "0");
    assert_eq!(server.read(ANNA, &["employeeNumber"]), "employeeNumber: 00001\n");
    assert_eq!(server.change(&on_suffix("add: reservedIdentifier\nreservedIdentifier: employeeNumber=00002")), "0");
    assert_eq!(server.modify("replace: employeeNumber\nemployeeNumber: next"), "0");
    assert_eq!(server.read(ANNA, &["employeeNumber"]), "employeeNumber: 00003\n");
}
