//! Sorted searches and views beyond what the transcript shows: aliases, many pauses, order of equals, and against a sort of the test's own.

use super::harness::{As, Server, control, request};
use crate::model::{DerefAliases, Scope};
use crate::protocol::ber::{self, Tag};
use crate::protocol::{Control, oid};

const PEOPLE: &str = "ou=people,dc=mercy,dc=example";

fn sort(keys: &[(&str, bool)]) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|list| {
            for (attribute, reverse) in keys {
                list.sequence(|parts| {
                    parts.octet_string(attribute.as_bytes());
                    parts.boolean_as(Tag::context(1), *reverse);
                });
            }
        });
    });
    control(oid::SORT, Some(value))
}

/// Names as they come.
fn in_order(server: &mut Server, keys: &[(&str, bool)], attribute: &str) -> Vec<String> {
    server.controls = vec![sort(keys)];
    let (entries, answer) = server.search(PEOPLE, Scope::One, "(objectClass=inetOrgPerson)", &[attribute]);
    assert_eq!(answer, "0");
    let prefix = format!("{attribute}: ");
    entries.lines().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).collect()
}

fn with_people(count: u32) -> Server {
    let mut server = Server::new();
    let mut ldif = String::new();
    for number in 0..count {
        let (sn, given) = (number * 7919 % 101, number * 31 % 17);
        ldif.push_str(&format!(
            "dn: uid=p{number},{PEOPLE}\nobjectClass: inetOrgPerson\ncn: P {number}\nsn: S{sn}\nemployeeNumber: {number}\n\
             givenName: G{given}\n\n"
        ));
    }
    server.import(&ldif);
    server.as_(As::Admin)
}

#[test]
fn several_keys_as_a_sort_of_our_own() {
    let mut server = with_people(150);
    for reverse in [false, true] {
        let found =
            in_order(&mut server, &[("givenName", reverse), ("sn", !reverse), ("employeeNumber", false)], "employeeNumber");
        let mut expected: Vec<(String, String, String)> = (0..150_u32)
            .map(|number| (format!("g{}", number * 31 % 17), format!("s{}", number * 7919 % 101), number.to_string()))
            .collect();
        expected.sort_by(|a, b| {
            let (first, second) = (a.0.cmp(&b.0), a.1.cmp(&b.1));
            let (first, second) = if reverse { (first.reverse(), second) } else { (first, second.reverse()) };
            first.then(second).then(a.2.cmp(&b.2))
        });
        assert_eq!(found, expected.into_iter().map(|(_, _, number)| number).collect::<Vec<_>>());
    }
}

#[test]
fn a_value_that_begins_another_comes_first_and_last_in_reverse() {
    let mut server = Server::new();
    for (uid, text) in [("a", "x"), ("b", "x\u{1}y"), ("c", "xy")] {
        server.import(&format!("dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\ncn: c\nsn: s\ndescription: {text}\n\n"));
    }
    let filter = "(|(uid=a)(uid=b)(uid=c))";
    let mut names = |reverse: bool| {
        server.controls = vec![sort(&[("description", reverse), ("uid", false)])];
        server.search(PEOPLE, Scope::One, filter, &["uid"]).0.lines().filter(|line| line.starts_with("uid")).collect::<String>()
    };
    assert_eq!(names(false), "uid: auid: buid: c");
    assert_eq!(names(true), "uid: buid: cuid: a");
}

#[test]
fn equals_come_in_the_order_they_were_made() {
    let mut server = with_people(5);
    assert_eq!(in_order(&mut server, &[("objectClass", false)], "employeeNumber"), ["0", "1", "2", "3", "4"]);
}

#[test]
fn entries_behind_aliases_are_sorted_with_the_others() {
    let mut server = Server::new();
    server.import(
        "dn: ou=links,dc=mercy,dc=example\nobjectClass: organizationalUnit\n\n\
         dn: cn=bert,ou=links,dc=mercy,dc=example\nobjectClass: alias\nobjectClass: extensibleObject\n\
         aliasedObjectName: uid=bert,ou=people,dc=mercy,dc=example\n\n\
         dn: cn=anna,ou=links,dc=mercy,dc=example\nobjectClass: alias\nobjectClass: extensibleObject\n\
         aliasedObjectName: uid=anna,ou=people,dc=mercy,dc=example\n\n",
    );
    let mut search = request("ou=links,dc=mercy,dc=example", Scope::Subtree, "(objectClass=*)", &["1.1"]);
    search.deref = DerefAliases::InSearching;
    server.controls = vec![sort(&[("uid", true)])];
    let names: Vec<String> = server.search_with(&search).0.lines().map(str::to_owned).collect();
    let expected = ["dn: ou=links", "dn: uid=bert,ou=people", "dn: uid=anna,ou=people"];
    assert_eq!(names, expected.map(|name| format!("{name},dc=mercy,dc=example")));
}

#[test]
fn sorted_pages_show_every_entry_once_also_when_the_last_one_shown_is_gone() {
    use super::harness::paged;
    let mut server = with_people(7);
    server.controls = vec![sort(&[("sn", false)]), paged(3, b"")];
    let search = request(PEOPLE, Scope::One, "(employeeNumber=*)", &["employeeNumber"]);
    let first = server.search_with(&search).0;
    let cookie = |server: &Server| {
        let page = server.response_controls.iter().find(|control| control.oid == oid::PAGED_RESULTS).unwrap();
        let mut reader = ber::Reader::new(page.value.as_ref().unwrap());
        let mut parts = reader.sequence().unwrap();
        parts.integer().unwrap();
        parts.octet_string().unwrap().to_vec()
    };
    let next = cookie(&server);
    let last = first.lines().rfind(|line| line.starts_with("dn: ")).unwrap().to_owned();
    server.who = As::Admin;
    assert_eq!(server.change(&format!("{last}\nchangetype: delete\n")), "0");
    server.who = As::Admin;
    server.controls = vec![sort(&[("sn", false)]), paged(10, &next)];
    let second = server.search_with(&search).0;
    assert_eq!((first.matches("dn: ").count(), second.matches("dn: ").count()), (3, 4));
    assert!(cookie(&server).is_empty());
}
