//! Renaming and moving: BEHAVIOUR "Add, delete, rename, compare".

use super::harness::{As, Server};
use crate::directory::Change;
use crate::model::Scope;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";

fn rename(dn: &str, rdn: &str, delete_old: bool, superior: Option<&str>) -> String {
    let superior = superior.map(|superior| format!("newsuperior: {superior}\n")).unwrap_or_default();
    format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: {}\n{superior}", u8::from(delete_old))
}

#[test]
fn what_is_refused() {
    let mut server = Server::new();
    let people = "ou=people,dc=mercy,dc=example";
    for (request, answer) in [
        (rename(ANNA, "uid=bert", true, None), "68"),
        (rename(ANNA, "uid=anna", true, Some("ou=none,dc=mercy,dc=example")), "32 new superior not found"),
        (rename(ANNA, "uid=anna", true, Some("dc=other")), "71 cannot rename between DSAs"),
        (rename(people, "ou=people", true, Some(people)), "53 cannot place an entry below itself"),
        (rename(people, "ou=people", true, Some(ANNA)), "53 cannot place an entry below itself"),
        (rename(ANNA, "nonsense", true, None), "34 invalid new RDN"),
        (rename(ANNA, "zork=x", true, None), "34 invalid new RDN"),
        (rename(ANNA, "uid=a,ou=b", true, None), "34 invalid new RDN"),
        (rename("uid=x,ou=people,dc=mercy,dc=example", "uid=y", true, None), "32 [ou=people,dc=mercy,dc=example]"),
        (rename("dc=other", "dc=x", true, None), "53 no global superior knowledge"),
        (rename("dc=mercy,dc=example", "dc=other", true, None), "71 cannot rename between DSAs"),
        (rename(ANNA, "uidNumber=5", true, None), "65 attribute 'uidNumber' not allowed"),
        (rename(ANNA, "member=dc=x", true, None), "64 attribute 'member' cannot name an entry"),
        (rename("cn=administrators,ou=roles,dc=mercy,dc=example", "description=x", true, None), "65"),
    ] {
        let found = server.change(&request);
        let same = if answer == "65" { found.starts_with("65 ") } else { found == answer };
        assert!(same, "{request}: {found} instead of {answer}");
    }
    server.who = As::Bert;
    assert_eq!(server.change(&rename(ANNA, "uid=x", true, None)), "50");
}

#[test]
fn old_values_go_or_stay() {
    let mut server = Server::new();
    assert_eq!(server.change(&rename(ANNA, "uid=anne", false, None)), "0");
    let anne = "uid=anne,ou=people,dc=mercy,dc=example";
    assert_eq!(server.read(anne, &["uid"]), "uid: anna\nuid: anne\n");
    assert_eq!(server.change(&rename(anne, "uid=Ann", true, None)), "0");
    assert_eq!(
        server.read("uid=ann,ou=people,dc=mercy,dc=example", &["uid", "entryDN"]).lines().collect::<Vec<_>>(),
        ["entryDN: uid=Ann,ou=people,dc=mercy,dc=example", "uid: Ann", "uid: anna"]
    );
    let record = server.record.unwrap();
    assert_eq!(record.target.unwrap().dn, "uid=Ann,ou=people,dc=mercy,dc=example");
    assert!(record.details.contains(&("oldDn", anne.to_owned())));
    assert!(record.details.contains(&("newRdn", "uid=Ann".to_owned())));
}

#[test]
fn another_spelling_of_the_same_name() {
    let mut server = Server::new();
    assert_eq!(server.change(&rename(ANNA, "UID=Anna", true, None)), "0");
    assert_eq!(server.read(ANNA, &["uid", "entryDN"]), "entryDN: UID=Anna,ou=people,dc=mercy,dc=example\nuid: Anna\n");
}

#[test]
fn a_subtree_moves_in_one_change() {
    let mut server = Server::new();
    let request = rename("ou=people,dc=mercy,dc=example", "ou=staff", true, Some("ou=roles,dc=mercy,dc=example"));
    assert_eq!(server.change(&request), "0");
    assert_eq!(server.changes.len(), 2);
    assert!(matches!(server.changes[1], Change::PutEntry { .. }));
    let (entries, _) = server.search("dc=mercy,dc=example", Scope::Subtree, "(uid=anna)", &["1.1"]);
    assert_eq!(entries, "dn: uid=anna,ou=staff,ou=roles,dc=mercy,dc=example\n");
}
