//! contextCSN: as new as the newest entryCSN, moved by deletes as well, and by nothing that readers do not see.

use super::harness::Server;
use crate::directory::{Happening, Place};

const SUFFIX: &str = "dc=mercy,dc=example";
const PEOPLE: &str = "ou=people,dc=mercy,dc=example";
const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const BERT: &str = "uid=bert,ou=people,dc=mercy,dc=example";
const WARD: &str = "cn=ward,ou=roles,dc=mercy,dc=example";

fn csn(server: &mut Server, dn: &str, name: &str) -> String {
    let read = server.read(dn, &[name]);
    read.strip_prefix(&format!("{name}: ")).unwrap_or_else(|| panic!("{read}")).trim_end().to_owned()
}

fn context_csn(server: &mut Server) -> String {
    csn(server, SUFFIX, "contextCSN")
}

#[test]
fn every_change_moves_it_and_nothing_else_does() {
    let mut server = Server::new();
    let mut last = context_csn(&mut server);
    assert!(last.ends_with("Z#000000#000#000000"), "{last}");
    assert_eq!(server.read(PEOPLE, &["contextCSN"]), "", "only the suffix entry has it");
    let mut number = server.directory.context().number;
    for change in [
        format!("dn: {ANNA}\nchangetype: modify\nreplace: title\ntitle: Matron\n"),
        format!("dn: {WARD}\nchangetype: add\nobjectClass: groupOfNames\nmember: {ANNA}\nmember: {BERT}\n"),
        format!("dn: {ANNA}\nchangetype: modrdn\nnewrdn: uid=ann\ndeleteoldrdn: 1\n"),
        format!("dn: uid=ann,{PEOPLE}\nchangetype: delete\n"),
    ] {
        assert_eq!(server.change(&change), "0", "{change}");
        let now = context_csn(&mut server);
        assert!(now > last, "{now} after {last}");
        last = now;
        number += 1;
        assert_eq!(server.directory.context().number, number);
    }
    assert_eq!(csn(&mut server, WARD, "entryCSN"), last, "the delete took a member");
    let before = server.directory.recent().end();
    assert_eq!(server.change(&format!("dn: uid=ann,{PEOPLE}\nchangetype: delete\n")).split(' ').next(), Some("32"));
    assert_eq!((context_csn(&mut server), server.directory.recent().end()), (last, before));
}

#[test]
fn groups_follow_the_names_of_their_members() {
    let mut server = Server::new();
    let other = "cn=other,ou=roles,dc=mercy,dc=example";
    for (group, member) in [(WARD, ANNA), (other, "cn=admin,dc=mercy,dc=example")] {
        assert_eq!(server.change(&format!("dn: {group}\nchangetype: add\nobjectClass: groupOfNames\nmember: {member}\n")), "0");
    }
    let unmoved = csn(&mut server, other, "entryCSN");
    let mut ward = csn(&mut server, WARD, "entryCSN");
    for rename in [
        format!("dn: {ANNA}\nchangetype: modrdn\nnewrdn: uid=ann\ndeleteoldrdn: 1\n"),
        format!("dn: {PEOPLE}\nchangetype: modrdn\nnewrdn: ou=staff\ndeleteoldrdn: 1\n"),
    ] {
        assert_eq!(server.change(&rename), "0");
        let moved = csn(&mut server, WARD, "entryCSN");
        assert!(moved > ward, "{rename}");
        ward = moved;
    }
    assert_eq!(server.read(WARD, &["member"]), format!("member: uid=ann,ou=staff,{SUFFIX}\n"));
    assert_eq!(csn(&mut server, other, "entryCSN"), unmoved);
}

#[test]
fn an_imported_number_stays_unless_it_lies_ahead() {
    let mut server = Server::new();
    for (uid, given, kept) in
        [("old", "20200101000000.000000Z#000001#002#000000", true), ("ahead", "20990101000000.000000Z#000000#000#000000", false)]
    {
        let dn = format!("uid={uid},{PEOPLE}");
        server.import(&format!("dn: {dn}\nobjectClass: inetOrgPerson\ncn: x\nsn: x\nentryCSN: {given}\n"));
        assert_eq!(csn(&mut server, &dn, "entryCSN") == given, kept, "{uid}");
        assert!(context_csn(&mut server) >= csn(&mut server, &dn, "entryCSN"));
    }
}

#[test]
fn what_changed_last_is_held() {
    let mut server = Server::new();
    let stamp = server.directory.context().stamp;
    let anna = server.find(ANNA).unwrap();
    let uuid = server.directory.uuid_of(server.directory.node(anna).unwrap());
    assert!(uuid.is_some());
    assert_eq!(server.modify("replace: title\ntitle: Matron"), "0");
    assert_eq!(server.change(&format!("dn: {ANNA}\nchangetype: delete\n")), "0");
    let recent = server.directory.recent();
    let first = recent.after(stamp).unwrap();
    let seen: Vec<_> = (first..recent.end()).filter_map(|number| recent.get(number)).map(|it| (it.id, it.happening)).collect();
    assert_eq!(seen, [(anna, Happening::Put(Place::Kept)), (anna, Happening::Removed(uuid))]);
}
