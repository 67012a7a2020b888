//! Grants that are approved and end, and plain memberships that end, while others search, against the real program and by the real clock: whoever asks after the end finds
//! nobody, whoever asks between approval and end finds them all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bindery::model::{Attribute, Modification, ModificationOperation, Timestamp, Value};
use bindery::wire::client::LocalClient;
use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::proto::{LdapFilter, LdapResultCode, LdapSearchScope};

const ANNAS: &str = "anna knows it, and nobody else";
const PEOPLE: usize = 24;

fn anna() -> String {
    format!("uid=anna,ou=people,{SUFFIX}")
}

fn group() -> String {
    format!("cn=prescribers,ou=roles,{SUFFIX}")
}

/// Anna decides about the group, so she may ask for others; then somebody else must decide.
fn installation() -> Installation {
    let installation = Installation::new();
    let mut ldif = format!("dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\n\n");
    write!(ldif, "dn: {}\nobjectClass: inetOrgPerson\ncn: Anna\nsn: Moreau\nuserPassword: {ANNAS}\n\n", anna()).unwrap();
    for number in 0..PEOPLE {
        write!(ldif, "dn: uid=p{number},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: P\nsn: P\n\n").unwrap();
    }
    let classes = "objectClass: groupOfMembers\nobjectClass: governedGroup";
    write!(ldif, "dn: {}\n{classes}\ngrantApprover: {}\ngrantMaxSeconds: 3600\n\n", group(), anna()).unwrap();
    let file = installation.path().join("people.ldif");
    std::fs::write(&file, ldif).unwrap();
    installation.succeed(&["import", file.to_str().unwrap()]);
    installation
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_micros()).unwrap())
}

/// When a search was sent and answered, and whom it found.
struct Seen {
    sent: Timestamp,
    answered: Timestamp,
    found: BTreeSet<String>,
}

fn watch(address: String, group: String, is_over: Arc<AtomicBool>) -> Vec<Seen> {
    let mut client = Client::connect(&address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let mut all = Vec::new();
    while !is_over.load(Ordering::Acquire) {
        let sent = now();
        let filter = LdapFilter::Equality("memberOf".to_owned(), group.clone());
        let (entries, code) = client.search(SUFFIX, LdapSearchScope::Subtree, filter, &["memberOf"]).unwrap();
        assert_eq!(code, LdapResultCode::Success);
        // One search sees one instant: whom the filter finds shows the group.
        assert!(entries.iter().all(|entry| common::client::values(entry, "memberOf").contains(&group)));
        let found = entries.iter().map(|entry| entry.dn.clone()).collect();
        all.push(Seen { sent, answered: now(), found });
    }
    all
}

#[test]
fn approvals_and_ends_are_seen_to_the_moment_by_those_who_search_meanwhile() {
    let installation = installation();
    let server = installation.serve();
    let is_over = Arc::new(AtomicBool::new(false));
    let watchers: Vec<_> = (0..3)
        .map(|_| {
            let (address, is_over) = (server.ldap(), Arc::clone(&is_over));
            std::thread::spawn(move || watch(address, group(), is_over))
        })
        .collect();
    let mut anna_asks = Client::connect(&server.ldap()).unwrap();
    assert_eq!(anna_asks.bind(&anna(), ANNAS).unwrap(), LdapResultCode::Success);
    let mut admin = LocalClient::connect(&installation.path().join("ldapi")).unwrap();
    let mut grants: BTreeMap<String, (Timestamp, Timestamp)> = BTreeMap::new();
    for number in 0..PEOPLE {
        let (member, grant) = (format!("uid=p{number},ou=people,{SUFFIX}"), format!("cn=g{number},{}", group()));
        let end = Timestamp(now().0 + 4_000_000 + i64::try_from(number % 5).unwrap() * 300_000);
        let text = end.to_generalized_time_micros();
        let asked = [("objectClass", &["accessGrant"][..]), ("grantMember", &[&member]), ("grantNotAfter", &[&text])];
        assert_eq!(anna_asks.add(&grant, &asked).unwrap(), LdapResultCode::Success);
        let own = anna_asks.modify(&grant, &[(ldap3_proto::proto::LdapModifyType::Add, "grantDecision", &["approve"])]);
        assert_eq!(own.unwrap(), LdapResultCode::InsufficentAccessRights, "she asked");
        let attribute = Attribute { description: "grantDecision".to_owned(), values: vec![Value::from_static(b"approve")] };
        admin.modify(&grant, vec![Modification { operation: ModificationOperation::Add, attribute }]).unwrap();
        grants.insert(member, (now(), end));
    }
    let last = grants.values().map(|(_, end)| *end).max().unwrap();
    let mut late = Client::connect(&server.ldap()).unwrap();
    assert_eq!(late.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    while now() < last {
        assert!(late.read(&group(), &["member"]).unwrap().is_some());
    }
    // What is asked now is asked after all of them.
    let entry = late.read(&group(), &["member"]).unwrap().unwrap();
    assert_eq!(common::client::values(&entry, "member"), Vec::<String>::new());
    is_over.store(true, Ordering::Release);
    let (mut before, mut after) = (0, 0);
    for seen in watchers.into_iter().flat_map(|watcher| watcher.join().unwrap()) {
        for (member, (approved, end)) in &grants {
            if seen.sent >= *end {
                after += 1;
                assert!(!seen.found.contains(member), "{member} was found after {end:?}, at {:?}", seen.sent);
            } else if seen.sent > *approved && seen.answered < *end {
                before += 1;
                assert!(seen.found.contains(member), "{member} was missed at {:?}", seen.sent);
            }
        }
    }
    assert!(before > 0 && after > 0, "{before} {after}");
    assert_eq!(server.stop(), Some(0));
    let journal = installation.succeed(&["journal", "export"]);
    assert_eq!(journal.lines().filter(|line| line.contains("\"type\":\"grant\"")).count(), PEOPLE, "each end is recorded once");
}

#[test]
fn ends_of_plain_memberships_are_seen_to_the_moment_by_those_who_search_meanwhile() {
    let installation = installation();
    let server = installation.serve();
    let mut admin = LocalClient::connect(&installation.path().join("ldapi")).unwrap();
    let night = format!("cn=night,ou=people,{SUFFIX}");
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let lasting = format!("uid=p0,ou=people,{SUFFIX}");
    let group = [("objectClass", &["groupOfMembers"][..]), ("member", &[&lasting])];
    assert_eq!(client.add(&night, &group).unwrap(), LdapResultCode::Success);
    let is_over = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (address, night, is_over) = (server.ldap(), night.clone(), Arc::clone(&is_over));
        std::thread::spawn(move || watch(address, night, is_over))
    };
    // When each was in, and between which moments the membership ended.
    let mut members: BTreeMap<String, (Timestamp, Timestamp, Timestamp)> = BTreeMap::new();
    for number in 1..PEOPLE {
        let member = format!("uid=p{number},ou=people,{SUFFIX}");
        let attribute = Attribute {
            description: "member".to_owned(),
            values: vec![Value::from(format!("<TTL={},{member}>", 1 + number % 3))],
        };
        let seconds = i64::try_from(1 + number % 3).unwrap() * 1_000_000;
        let sent = now();
        admin.modify(&night, vec![Modification { operation: ModificationOperation::Add, attribute }]).unwrap();
        let answered = now();
        members.insert(member, (answered, Timestamp(sent.0 + seconds), Timestamp(answered.0 + seconds)));
    }
    let last = members.values().map(|(.., end)| *end).max().unwrap();
    while now() < last {
        assert!(client.read(&night, &["member"]).unwrap().is_some());
    }
    let entry = client.read(&night, &["member", "memberNotAfter"]).unwrap().unwrap();
    assert_eq!(common::client::values(&entry, "member"), [lasting]);
    assert_eq!(common::client::values(&entry, "memberNotAfter"), Vec::<String>::new());
    is_over.store(true, Ordering::Release);
    let (mut before, mut after) = (0, 0);
    for seen in watcher.join().unwrap() {
        for (member, (is_in, first, last)) in &members {
            if seen.sent >= *last {
                after += 1;
                assert!(!seen.found.contains(member), "{member} was found after {last:?}, at {:?}", seen.sent);
            } else if seen.sent > *is_in && seen.answered < *first {
                before += 1;
                assert!(seen.found.contains(member), "{member} was missed at {:?}", seen.sent);
            }
        }
    }
    assert!(before > 0 && after > 0, "{before} {after}");
    assert_eq!(server.stop(), Some(0));
    let journal = installation.succeed(&["journal", "export"]);
    let ends = journal.lines().filter(|line| line.contains("\"type\":\"expire\"") && line.contains("cn=night"));
    assert_eq!(ends.count(), PEOPLE - 1, "each end is recorded once");
}
