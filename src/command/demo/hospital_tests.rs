//! What the sample hospital promises: enough of everything, and no name in it that leads nowhere.

use std::collections::{HashMap, HashSet};

use crate::model::ldif::{LdifBody, LdifReader};
use crate::model::{Attribute, Dn};

const SUFFIX: &str = "dc=mercy,dc=example";

/// One entry of the file.
struct Entry {
    dn: Dn,
    attributes: Vec<Attribute>,
}

impl Entry {
    fn values(&self, description: &str) -> Vec<&str> {
        let attribute = self.attributes.iter().find(|attribute| attribute.description.eq_ignore_ascii_case(description));
        attribute.map_or(Vec::new(), |found| found.values.iter().map(|value| std::str::from_utf8(value).unwrap()).collect())
    }

    fn is(&self, class: &str) -> bool {
        self.values("objectClass").iter().any(|value| value.eq_ignore_ascii_case(class))
    }
}

fn hospital() -> Vec<Entry> {
    let file = include_bytes!("hospital.ldif");
    // The first record gives the suffix entry, which `init` makes, its particulars.
    let read = LdifReader::new(file.as_slice()).skip(1).map(|record| {
        let record = record.unwrap();
        let LdifBody::Add(attributes) = record.body else { panic!("line {}: not a content record", record.line) };
        let dn = Dn::parse(&record.dn).unwrap();
        assert_eq!(dn.to_string().as_bytes(), record.dn, "line {}: spelled otherwise", record.line);
        Entry { dn, attributes }
    });
    read.collect()
}

fn children_of<'a>(entries: &'a [Entry], unit: &str) -> Vec<&'a Entry> {
    let parent = Some(Dn::parse(format!("ou={unit},{SUFFIX}").as_bytes()).unwrap());
    entries.iter().filter(|entry| entry.dn.parent() == parent).collect()
}

#[test]
fn there_is_enough_of_everything() {
    let entries = hospital();
    for (unit, class, fewest) in [
        ("people", "inetOrgPerson", 220),
        ("roles", "groupOfNames", 26),
        ("wards", "groupOfNames", 12),
        ("departments", "organizationalUnit", 12),
        ("services", "account", 8),
        ("groups", "posixGroup", 3),
    ] {
        let children = children_of(&entries, unit);
        assert!(children.len() >= fewest, "{unit}: {}", children.len());
        // Members of billing come by grants, which the story has.
        let is = |child: &&Entry| child.is(class) || child.dn.to_string().starts_with("cn=billing,");
        assert!(children.iter().all(is), "{unit}");
    }
    let not_ascii = children_of(&entries, "people").iter().filter(|person| !person.values("cn")[0].is_ascii()).count();
    assert!(not_ascii >= 20, "{not_ascii}");
}

#[test]
fn parents_come_first_and_nothing_comes_twice() {
    // What `init` writes before this file is loaded.
    let mut known = HashSet::from([SUFFIX.to_owned(), format!("ou=roles,{SUFFIX}")]);
    for entry in hospital() {
        let dn = entry.dn.to_string();
        let parent = entry.dn.parent().unwrap().to_string();
        assert!(known.contains(&parent), "{dn}");
        assert!(known.insert(dn.clone()), "{dn}");
        for part in &entry.dn.rdns[0].parts {
            let value = std::str::from_utf8(&part.value).unwrap();
            assert!(entry.values(&part.attribute_type).contains(&value), "{dn}");
        }
        for attribute in &entry.attributes {
            let distinct: HashSet<String> =
                attribute.values.iter().map(|value| String::from_utf8_lossy(value).to_lowercase()).collect();
            assert_eq!(distinct.len(), attribute.values.len(), "{dn} {}", attribute.description);
        }
    }
}

#[test]
fn every_reference_leads_to_an_entry() {
    let entries = hospital();
    let names: HashSet<String> = entries.iter().map(|entry| entry.dn.to_string()).collect();
    let mut references = 0;
    for entry in &entries {
        for description in ["member", "manager", "owner", "seeAlso"] {
            for target in entry.values(description) {
                let target = Dn::parse(target.as_bytes()).unwrap().to_string();
                assert!(names.contains(&target), "{}: {target}", entry.dn);
                references += 1;
            }
        }
        assert_eq!(entry.is("groupOfNames"), !entry.values("member").is_empty(), "{}", entry.dn);
    }
    assert!(references > 800, "{references}");

    let accounts: HashSet<&str> =
        entries.iter().filter(|entry| entry.is("posixAccount")).map(|entry| entry.values("uid")[0]).collect();
    let members = || entries.iter().flat_map(|entry| entry.values("memberUid"));
    assert!(members().count() > 0 && members().all(|uid| accounts.contains(uid)));
}

#[test]
fn people_are_complete_and_told_apart() {
    let entries = hospital();
    for description in ["uid", "employeeNumber", "uidNumber", "mail"] {
        let mut seen = HashMap::new();
        for entry in &entries {
            for value in entry.values(description) {
                let other = seen.insert(value.to_lowercase(), entry.dn.to_string());
                assert_eq!(other, None, "{description} {value}");
            }
        }
    }
    let people = children_of(&entries, "people");
    for person in &people {
        for description in [
            "uid",
            "cn",
            "sn",
            "givenName",
            "displayName",
            "mail",
            "telephoneNumber",
            "title",
            "employeeNumber",
            "departmentNumber",
            "ou",
        ] {
            assert!(person.values(description).iter().any(|value| !value.is_empty()), "{}: {description}", person.dn);
        }
        assert!(person.values("mail")[0].ends_with("@mercy.example"), "{}", person.dn);
    }
    let heads = people.iter().filter(|person| person.values("manager").is_empty()).count();
    assert_eq!(heads, 1);
    assert!(people.iter().filter(|person| !person.values("postalAddress").is_empty()).count() >= 10);
}

#[test]
fn there_are_no_passwords() {
    assert!(hospital().iter().all(|entry| entry.values("userPassword").is_empty()));
}
