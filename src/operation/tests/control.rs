//! Controls on every operation: BEHAVIOUR "Controls and extended operations".

use bytes::Bytes;

use super::harness::{Server, control};
use crate::model::Scope;
use crate::protocol::oid;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";

/// `(sn=value)`
fn assertion(value: &str) -> Option<Bytes> {
    let mut octets = vec![0xa3, value.len() as u8 + 6, 4, 2, b's', b'n', 4, value.len() as u8];
    octets.extend(value.as_bytes());
    Some(octets.into())
}

#[test]
fn assertions_guard_every_operation() {
    let mut server = Server::new();
    let requests = [
        format!("dn: {ANNA}\nchangetype: modify\nreplace: title\ntitle: x\n"),
        format!("dn: {ANNA}\nchangetype: modrdn\nnewrdn: uid=anne\ndeleteoldrdn: 1\n"),
        "dn: uid=carl,ou=people,dc=mercy,dc=example\nchangetype: add\nobjectClass: inetOrgPerson\ncn: c\nsn: Bo\n".to_owned(),
        "dn: uid=bert,ou=people,dc=mercy,dc=example\nchangetype: delete\n".to_owned(),
    ];
    for (request, right) in requests.iter().zip(["Moreau", "Moreau", "Bo", "Ash"]) {
        server.controls = vec![control(oid::ASSERTION, assertion("Nobody"))];
        assert_eq!(server.change(request), "122", "{request}");
        assert!(server.changes.is_empty());
        server.controls = vec![control(oid::ASSERTION, assertion(right))];
        assert_eq!(server.change(request), "0", "{request}");
    }
    let anne = "uid=anne,ou=people,dc=mercy,dc=example";
    server.controls = vec![control(oid::ASSERTION, assertion("Nobody"))];
    assert_eq!(server.compare(anne, "sn", b"Moreau"), "122");
    server.controls = vec![control(oid::ASSERTION, assertion("Nobody"))];
    assert_eq!(server.search(anne, Scope::Base, "(objectClass=*)", &[]).1, "122");
}

#[test]
fn unknown_and_doubled_controls() {
    let mut server = Server::new();
    let request = format!("dn: {ANNA}\nchangetype: modify\nreplace: title\ntitle: x\n");
    server.controls = vec![control("1.2.3", None)];
    assert_eq!(server.change(&request), "12 critical extension is not recognized");
    assert_eq!(server.record.as_ref().unwrap().reason, Some("unknown critical control"));
    server.controls = vec![control(oid::PAGED_RESULTS, Some(Bytes::from_static(&[0x30, 5, 2, 1, 1, 4, 0])))];
    assert!(server.change(&request).starts_with("12 "));
    server.controls = vec![control(oid::MANAGE_DSA_IT, None), control(oid::MANAGE_DSA_IT, None)];
    assert!(server.change(&request).starts_with("2 "));
    server.controls = vec![control(oid::MANAGE_DSA_IT, None)];
    assert_eq!(server.change(&request), "0");
    server.controls = vec![control("1.2.3", None)];
    assert_eq!(server.search(ANNA, Scope::Base, "(objectClass=*)", &[]).1, "12 critical extension is not recognized");
}
