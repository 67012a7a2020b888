//! Controls of searches beyond what the transcripts show: limits, and that what is derived from entries is the same after a start.

use super::harness::{As, Server, control, request};
use crate::directory::Directory;
use crate::model::{Dn, Scope};
use crate::protocol::oid;
use crate::protocol::{Control, ber};

const PEOPLE: &str = "ou=people,dc=mercy,dc=example";

fn dereference(attribute: &str) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|list| {
            list.sequence(|parts| {
                parts.octet_string(attribute.as_bytes());
                parts.sequence(|names| names.octet_string(b"cn"));
            });
        });
    });
    control(oid::DEREFERENCE, Some(value))
}

#[test]
fn so_many_values_are_followed_and_no_more() {
    let mut server = Server::new();
    let group = "cn=large,ou=people,dc=mercy,dc=example";
    let members: String = (0..1000).map(|number| format!("member: cn={number},dc=elsewhere\n")).collect();
    server.import(&format!("dn: {group}\nobjectClass: groupOfNames\n{members}\n"));
    server.controls = vec![dereference("member")];
    assert_eq!(server.search(group, Scope::Base, "(objectClass=*)", &["cn"]).1, "0");
    server.change(&format!("dn: {group}\nchangetype: modify\nadd: member\nmember: cn=1000,dc=elsewhere\n"));
    server.controls = vec![dereference("member")];
    assert_eq!(server.search(group, Scope::Base, "(objectClass=*)", &["cn"]).1, "11 too many values to dereference");
}

#[test]
fn lists_in_controls_are_bounded() {
    let mut server = Server::new();
    let items = ber::encode(|writer| {
        writer.sequence(|list| (0..101).for_each(|_| list.element(ber::Tag::context(7), b"cn")));
    });
    let specifications = ber::encode(|writer| {
        writer.sequence(|list| {
            (0..17).for_each(|_| {
                list.sequence(|parts| {
                    parts.octet_string(b"manager");
                    parts.sequence(|names| names.octet_string(b"cn"));
                });
            });
        });
    });
    let keys = ber::encode(|writer| {
        writer.sequence(|list| (0..17).for_each(|_| list.sequence(|parts| parts.octet_string(b"cn"))));
    });
    for (oid, value) in [(oid::MATCHED_VALUES, items), (oid::DEREFERENCE, specifications), (oid::SORT, keys)] {
        server.controls = vec![control(oid, Some(value))];
        let answer = server.search(PEOPLE, Scope::Base, "(objectClass=*)", &["cn"]).1;
        assert!(answer.starts_with("11 "), "{oid}: {answer}");
    }
}

#[test]
fn referrals_and_subentries_are_the_same_after_a_start() {
    let mut server = Server::new();
    server.import(
        "dn: ou=a,dc=mercy,dc=example\nobjectClass: referral\nobjectClass: extensibleObject\nref: ldap://a\n\n\
         dn: ou=b,ou=a,dc=mercy,dc=example\nobjectClass: referral\nobjectClass: extensibleObject\nref: ldap://b\n\n\
         dn: cn=c,dc=mercy,dc=example\nobjectClass: subentry\nobjectClass: extensibleObject\nsubtreeSpecification: {}\n\n",
    );
    let kinds = |directory: &Directory| {
        (directory.referrals().iter().collect::<Vec<_>>(), directory.subentries().iter().collect::<Vec<_>>())
    };
    let (referrals, subentries) = kinds(&server.directory);
    assert_eq!((referrals.len(), subentries.len()), (2, 1));
    let suffix = Dn::parse(b"dc=mercy,dc=example").unwrap();
    let mut loaded = Directory::new(server.directory.schema().clone(), suffix, &[], [7; 32]);
    server.directory.rows().for_each(|row| loaded.load_row(row).unwrap());
    loaded.finish_loading().unwrap();
    assert_eq!(kinds(&loaded), (referrals.clone(), subentries));
    let (a, b) = (server.find("ou=a,dc=mercy,dc=example"), server.find("ou=b,ou=a,dc=mercy,dc=example"));
    assert_eq!(loaded.referral_above(b.unwrap()), a);
    assert_eq!(loaded.referral_above(server.find(PEOPLE).unwrap()), None);

    server.controls = vec![control(oid::MANAGE_DSA_IT, None), control(oid::TREE_DELETE, None)];
    assert_eq!(server.change("dn: ou=a,dc=mercy,dc=example\nchangetype: delete\n"), "0");
    server.change("dn: cn=c,dc=mercy,dc=example\nchangetype: delete\n");
    assert_eq!(kinds(&server.directory), (vec![], vec![]));
}

#[test]
fn a_class_that_comes_and_goes_by_a_change() {
    let mut server = Server::new();
    let people = server.find(PEOPLE).unwrap();
    let modify = |server: &mut Server, operation: &str| {
        server.change(&format!(
            "dn: uid=anna,{PEOPLE}\nchangetype: modify\n{operation}: objectClass\nobjectClass: extensibleObject\n"
        ))
    };
    assert_eq!(modify(&mut server, "add"), "0");
    assert!(server.directory.referrals().is_empty() && server.directory.subentries().is_empty());
    assert_eq!(modify(&mut server, "delete"), "0");
    assert_eq!(server.directory.referral_above(people), None);
}

#[test]
fn many_references_are_sent_in_budgets() {
    use crate::operation::Authority;
    use crate::operation::search::{Pull, begin};
    let mut server = Server::new().as_(As::Admin);
    let referrals: String = (0..10)
        .map(|number| {
            format!("dn: ou=r{number},{PEOPLE}\nobjectClass: referral\nobjectClass: extensibleObject\nref: ldap://r{number}\n\n")
        })
        .collect();
    server.import(&referrals);
    let context = server.context(Authority::Session);
    let search = request(PEOPLE, Scope::One, "(uid=nobody)", &[]);
    let mut stream = begin(&server.directory, &context, &search, &[]).unwrap();
    let (mut references, mut pauses) = (0, 0);
    loop {
        let mut budget = 3;
        loop {
            match stream.pull(&mut budget, server.now) {
                Pull::Reply(_) => references += 1,
                Pull::Pause | Pull::Wait | Pull::Fetch(_) | Pull::Record(_) => break,
                Pull::Done(_) => {
                    assert!(references == 10 && pauses >= 3, "{references} {pauses}");
                    return;
                }
            }
        }
        pauses += 1;
    }
}
