//! References: attributes flagged `X-INTEGRITY` follow renames and go with the entry they name.

use super::harness::Server;
use crate::directory::{Change, MembershipAttribute};
use crate::model::Scope;
use crate::operation::upgrade;
use crate::operation::{Authority, ProposedOperation};

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const BERT: &str = "uid=bert,ou=people,dc=mercy,dc=example";
const TEAM: &str = "cn=team,ou=roles,dc=mercy,dc=example";

fn with_references() -> Server {
    let mut server = Server::new();
    assert_eq!(server.modify(&format!("add: manager\nmanager: UID=Bert,ou=people,dc=mercy,dc=example\nmanager: {ANNA}")), "0");
    server.import(&format!("dn: {TEAM}\nobjectClass: organizationalRole\nroleOccupant: {BERT}\nseeAlso: {BERT}\n"));
    server
}

fn found(server: &mut Server, filter: &str) -> Vec<String> {
    server.names(&super::harness::request("dc=mercy,dc=example", Scope::Subtree, filter, &["1.1"])).0
}

#[test]
fn what_an_entry_refers_to_is_read_searched_and_compared() {
    let mut server = with_references();
    assert_eq!(server.read(ANNA, &["manager"]), format!("manager: {ANNA}\nmanager: {BERT}\n"));
    assert!(server.read(ANNA, &["*"]).contains(&format!("manager: {BERT}\n")));
    assert!(!server.read(ANNA, &["+"]).contains("manager"));
    assert_eq!(found(&mut server, "(manager=uid=BERT, ou=people,dc=mercy,dc=example)"), [ANNA]);
    assert_eq!(found(&mut server, "(&(roleOccupant=*)(seeAlso=*))"), [TEAM]);
    assert_eq!(found(&mut server, &format!("(distinguishedName={BERT})")), [TEAM]);
    assert_eq!(server.compare(ANNA, "manager", BERT.as_bytes()), "6");
    assert_eq!(server.compare(BERT, "manager", BERT.as_bytes()), "16");
    assert_eq!(server.read(BERT, &["memberOf"]), "", "a reference makes no group");
}

#[test]
fn a_rename_is_followed() {
    let mut server = with_references();
    let rename = format!("dn: {BERT}\nchangetype: modrdn\nnewrdn: uid=bertram\ndeleteoldrdn: 1\n");
    assert_eq!(server.change(&rename), "0");
    let memberships = |change: &&Change| matches!(change, Change::PutMembership { .. } | Change::RemoveMembership { .. });
    assert_eq!(server.changes.iter().filter(memberships).count(), 0, "the references are as they were");
    let bertram = "uid=bertram,ou=people,dc=mercy,dc=example";
    assert_eq!(server.read(TEAM, &["roleOccupant", "seeAlso"]), format!("roleOccupant: {bertram}\nseeAlso: {bertram}\n"));
    assert_eq!(found(&mut server, &format!("(manager={bertram})")), [ANNA]);
    assert_eq!(found(&mut server, &format!("(manager={BERT})")), [""; 0]);
}

#[test]
fn a_deletion_takes_references_along_and_records_them() {
    let mut server = with_references();
    assert_eq!(server.change(&format!("dn: {BERT}\nchangetype: delete\n")), "0");
    let removed = |change: &&Change| matches!(change, Change::RemoveMembership { .. });
    assert_eq!(server.changes.iter().filter(removed).count(), 3);
    assert_eq!(server.read(ANNA, &["manager"]), format!("manager: {ANNA}\n"));
    assert_eq!(server.read(TEAM, &["roleOccupant", "seeAlso"]), "");
    let effects = format!("{:?}", server.record);
    for attribute in ["manager", "roleOccupant", "seeAlso"] {
        assert!(effects.contains(&format!("{attribute:?}")), "{effects}");
    }
    // What refers to itself goes too.
    assert_eq!(server.change(&format!("dn: {ANNA}\nchangetype: delete\n")), "0");
}

#[test]
fn a_name_without_an_entry_is_kept_and_settles() {
    let mut server = with_references();
    let carl = "uid=carl,ou=people,dc=mercy,dc=example";
    assert_eq!(server.modify("replace: manager\nmanager: UID=carl,ou=people,dc=mercy,dc=example"), "0");
    assert_eq!(server.read(ANNA, &["manager"]), "manager: UID=carl,ou=people,dc=mercy,dc=example\n");
    assert_eq!(found(&mut server, &format!("(manager={carl})")), [ANNA]);
    server.import(&format!("dn: {carl}\nobjectClass: inetOrgPerson\ncn: Carl\nsn: Bo\nmanager: {carl}\n"));
    assert_eq!(server.read(ANNA, &["manager"]), format!("manager: {carl}\n"));
    assert_eq!(server.read(carl, &["manager"]), format!("manager: {carl}\n"));
}

#[test]
fn rules_of_the_schema_hold() {
    let mut server = with_references();
    for (changes, answer) in [
        (format!("add: manager\nmanager: {BERT}"), "20 modify/add: manager: value #0 already exists"),
        ("delete: secretary".to_owned(), "16 modify/delete: secretary: no such attribute"),
        ("add: manager\nmanager: nonsense".to_owned(), "21 manager: value #0 invalid per syntax"),
        (format!("add: manager;lang-en\nmanager;lang-en: {BERT}"), "17 manager;lang-en: unrecognized option"),
        (format!("add: owner\nowner: {BERT}"), "65 attribute 'owner' not allowed"),
    ] {
        assert_eq!(server.modify(&changes), answer, "{changes}");
    }
}

#[test]
fn what_had_to_be_there_and_went_with_its_entry_is_not_asked_for_again() {
    let mut server = Server::new();
    let ward = "cn=ward,ou=roles,dc=mercy,dc=example";
    server.import(&format!("dn: {ward}\nobjectClass: groupOfNames\nmember: {ANNA}\n"));
    assert_eq!(server.change(&format!("dn: {ANNA}\nchangetype: delete\n")), "0");
    let modify = |change: &str| format!("dn: {ward}\nchangetype: modify\n{change}\n");
    assert_eq!(server.change(&modify("replace: description\ndescription: empty now")), "0");
    assert_eq!(server.change(&modify(&format!("add: member\nmember: {BERT}"))), "0");
    assert_eq!(server.change(&modify("delete: member")), "65 object class 'groupOfNames' requires attribute 'member'");
}

#[test]
fn login_bookkeeping_in_an_entry_of_an_older_program_is_put_right() {
    let mut server = Server::new();
    let id = server.find(ANNA).unwrap();
    let schema = server.directory.schema().clone();
    let node = server.directory.node(id).unwrap().clone();
    let mut entry = node.entry.to_builder();
    for (name, value) in [
        ("pwdLastSuccess", "20201103120000.5Z"),
        ("pwdFailureTime", "20201104120000Z"),
        ("pwdGraceUseTime", "20201104120000Z"),
        ("pwdAccountTmpLockoutEnd", "20201104120000Z"),
    ] {
        let attribute_type = schema.attribute_type(name).unwrap();
        entry.set(attribute_type.id, name, attribute_type.section(), vec![value.to_owned().into()]);
    }
    let block = entry.build().block().clone();
    let old = Change::PutEntry { id, parent: node.parent, name: node.name.clone(), block };
    let mut directory = (*server.directory).clone();
    directory.apply(&old).unwrap();
    server.directory = std::sync::Arc::new(directory);

    assert_eq!(upgrade::outdated(&server.directory), [id]);
    assert_eq!(server.propose(ProposedOperation::Upgrade(vec![id]), Authority::Installation), "0");
    assert_eq!(upgrade::outdated(&server.directory), []);
    let names = ["lastLoginTime", "pwdLastSuccess", "pwdFailureTime", "pwdGraceUseTime", "pwdAccountTmpLockoutEnd"];
    let last = "lastLoginTime: 20201103120000Z\npwdLastSuccess: 20201103120000.500000Z\n";
    assert_eq!(server.read(ANNA, &names), last);
    let import = "dn: uid=carl,dc=mercy,dc=example\nobjectClass: account\npwdLastSuccess: 20201103120000.5Z\npwdFailureTime: 20201104120000Z\n";
    server.import(import);
    assert_eq!(server.read("uid=carl,dc=mercy,dc=example", &names), last);
}

#[test]
fn entries_of_an_older_program_are_put_right() {
    let mut server = Server::new();
    let id = server.find(ANNA).unwrap();
    let schema = server.directory.schema().clone();
    let node = server.directory.node(id).unwrap().clone();
    let mut entry = node.entry.to_builder();
    for (name, values) in [("manager", [BERT, "uid=gone,dc=mercy,dc=example"]), ("seeAlso;lang-en", [BERT, ANNA])] {
        let description = schema.describe(name).unwrap();
        let values = values.map(|value| value.to_owned().into()).to_vec();
        entry.set(description.attribute_type, &description.spelled, crate::model::Section::User, values);
    }
    let block = entry.build().block().clone();
    let old = Change::PutEntry { id, parent: node.parent, name: node.name.clone(), block };
    let mut directory = (*server.directory).clone();
    directory.apply(&old).unwrap();
    server.directory = std::sync::Arc::new(directory);
    let before = server.read(ANNA, &["*", "+"]);

    assert_eq!(upgrade::outdated(&server.directory), [id]);
    assert_eq!(server.propose(ProposedOperation::Upgrade(vec![id]), Authority::Installation), "0");
    assert_eq!(upgrade::outdated(&server.directory), []);
    assert_eq!(server.read(ANNA, &["*", "+"]), before, "nothing that is read changes");
    assert_eq!(found(&mut server, &format!("(manager={BERT})")), [ANNA]);
    let manager = MembershipAttribute::of_type(schema.attribute_type("manager").unwrap()).unwrap();
    assert_eq!(server.directory.member_count(id, manager), 2);
}
