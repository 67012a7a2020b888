//! Comparing: BEHAVIOUR "Add, delete, rename, compare".

use super::harness::{As, Server};

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";

#[test]
fn codes() {
    let mut server = Server::new();
    for (attribute, value, answer) in [
        ("sn", "moreau", "6"),
        ("SN", "MOREAU ", "6"),
        ("sn", "other", "5"),
        ("name", "moreau", "6"),
        ("description;lang-de", "stationsschwester", "6"),
        ("description", "stationsschwester", "6"),
        ("description;lang-fr", "x", "16"),
        ("title", "x", "16"),
        ("zork", "x", "17"),
        ("uidNumber", "five", "21 value does not conform to assertion syntax"),
        ("jpegPhoto", "x", "18 inappropriate matching request"),
        ("hasSubordinates", "FALSE", "6"),
        ("hasSubordinates", "TRUE", "5"),
        ("entryDN", "UID=Anna,OU=people,dc=mercy,dc=example", "6"),
        ("memberOf", "cn=administrators,ou=roles,dc=mercy,dc=example", "16"),
        ("objectClass", "person", "6"),
        ("objectClass", "top", "6"),
        ("objectClass", "organization", "5"),
    ] {
        assert_eq!(server.compare(ANNA, attribute, value.as_bytes()), answer, "{attribute}={value}");
    }
    let admins = "cn=administrators,ou=roles,dc=mercy,dc=example";
    let admin = "cn=admin,dc=mercy,dc=example";
    assert_eq!(server.compare(admins, "member", admin.as_bytes()), "6");
    assert_eq!(server.compare(admins, "member", ANNA.as_bytes()), "5");
    assert_eq!(server.compare(admin, "memberOf", admins.as_bytes()), "6");
    assert_eq!(server.compare("uid=x,ou=people,dc=mercy,dc=example", "cn", b"x"), "32 [ou=people,dc=mercy,dc=example]");
    assert_eq!(server.compare("nonsense", "cn", b"x"), "34 invalid DN");
    assert_eq!(server.compare("", "vendorName", b"Bindery"), "6");
}

#[test]
fn passwords_are_compared_with_the_own_only() {
    let mut server = Server::new().as_(As::Anna);
    assert_eq!(server.compare(ANNA, "userPassword", b"anna knows it"), "6");
    assert_eq!(server.compare(ANNA, "userPassword", b"no"), "5");
    assert_eq!(server.compare(ANNA, "userPassword", b""), "5");
    server.confidential = false;
    assert_eq!(server.compare(ANNA, "userPassword", b"anna knows it"), "13 confidentiality required");
    server.confidential = true;
    server.who = As::Bert;
    assert_eq!(server.compare(ANNA, "userPassword", b"anna knows it"), "50");
    server.who = As::Anonymous;
    assert_eq!(server.compare(ANNA, "userPassword", b"anna knows it"), "32");
    assert_eq!(server.compare(ANNA, "cn", b"x"), "32");
    assert_eq!(server.compare("", "vendorName", b"Bindery"), "6");
}
