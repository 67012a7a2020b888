//! A past moment, asked of the program: at each moment of a random life an entry is what a search said then, the record that made it so is
//! proven, no secret is told, and the question itself stands in the journal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use common::client::{Client, values};
use common::random::Random;
use common::{ADMIN, Installation, PASSWORD, SUFFIX, bindery};
use ldap3_proto::proto::{LdapModifyType, LdapOp, LdapResultCode};

const SECRET: &str = "Zephyrine was never here";

/// What a search says of an entry; what is worked out of the rest of the directory is left out.
fn searched(client: &mut Client, dn: &str) -> Option<BTreeSet<(String, String)>> {
    let entry = client.read(dn, &["*", "+"]).unwrap()?;
    let worked_out = ["entryDN", "subschemaSubentry", "hasSubordinates", "numSubordinates"];
    let named = entry.attributes.iter().filter(|attribute| !worked_out.contains(&attribute.atype.as_str()));
    Some(named.flat_map(|it| values(&entry, &it.atype).into_iter().map(move |value| (it.atype.clone(), value))).collect())
}

struct Answer {
    facts: BTreeSet<(String, String)>,
    records: BTreeSet<u64>,
    text: String,
    code: Option<i32>,
}

fn state(installation: &Installation, arguments: &[&str]) -> Answer {
    let output = installation.run(&[&["journal", "state", "--format", "jsonl"], arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    let facts = rows.iter().map(|row| (of(row, "attribute"), of(row, "value"))).collect();
    let records = rows.iter().map(|row| of(row, "record").parse().unwrap()).collect();
    Answer { facts, records, text, code }
}

fn durable(client: &mut Client) -> u64 {
    let monitor = client.read("cn=monitor", &["*", "+"]).unwrap().unwrap();
    values(&monitor, "monitorDurableSequence")[0].parse().unwrap()
}

struct Life<'a> {
    client: &'a mut Client,
    random: Random,
    people: Vec<String>,
    group: String,
}

impl Life<'_> {
    /// Whatever comes of it: refused operations change nothing, and are moments too.
    fn step(&mut self, number: usize) {
        let person = self.random.choose(&self.people).clone();
        let text = format!("step {number}");
        match self.random.below(7) {
            0 => {
                let add: &[(&str, &[&str])] =
                    &[("objectClass", &["inetOrgPerson"]), ("cn", &[&text]), ("sn", &["Person"]), ("userPassword", &[SECRET])];
                self.client.add(&person, add).unwrap();
            }
            1 => {
                self.client.delete(&person).unwrap();
            }
            2 => {
                self.client.modify(&person, &[(LdapModifyType::Replace, "title", &[&text])]).unwrap();
            }
            3 => {
                self.client.modify(&self.group, &[(LdapModifyType::Add, "member", &[&person])]).unwrap();
            }
            4 => {
                self.client.modify(&self.group, &[(LdapModifyType::Delete, "member", &[&person])]).unwrap();
            }
            5 => {
                let manager = self.random.choose(&self.people).clone();
                self.client.modify(&person, &[(LdapModifyType::Replace, "manager", &[&manager])]).unwrap();
            }
            _ => {
                let mut other = self.client.another().unwrap();
                let password = if self.random.one_in(2) { SECRET } else { "no" };
                other.bind(&person, password).unwrap();
            }
        }
    }
}

#[test]
fn at_each_moment_an_entry_is_what_a_search_said() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let group = format!("cn=nurses,{SUFFIX}");
    let of_group: &[(&str, &[&str])] = &[("objectClass", &["groupOfMembers"]), ("cn", &["nurses"])];
    assert_eq!(client.add(&group, of_group).unwrap(), LdapResultCode::Success);
    let people: Vec<String> = (0..4).map(|number| format!("cn=person {number},{SUFFIX}")).collect();
    let mut moments = Vec::new();
    let mut life = Life { client: &mut client, random: Random::new(7), people: people.clone(), group: group.clone() };
    for number in 0..60 {
        life.step(number);
        let mut said = Vec::new();
        for dn in people.iter().chain([&group]) {
            said.push((dn.clone(), searched(life.client, dn)));
        }
        moments.push((durable(life.client), said));
    }
    for (sequence, said) in moments.iter().step_by(7) {
        let at = sequence.to_string();
        for (dn, said) in said {
            let answer = state(&installation, &["--entry", dn, "--at", &at]);
            assert_eq!(Some(&answer.facts), Some(said.as_ref().unwrap_or(&BTreeSet::new())), "{dn} at {at}");
            assert_eq!(answer.code, Some(i32::from(said.is_none())), "{dn} at {at}");
            assert!(answer.records.iter().all(|record| record <= sequence));
            assert!(!answer.text.contains(SECRET) && !answer.text.contains("userPassword"), "{}", answer.text);
        }
    }
    let (last, said) = moments.last().unwrap().clone();
    drop(client);
    assert_eq!(server.stop(), Some(0));

    // The same without a server; by now somebody signed for everything, and strangers can see that.
    let (_, of_group) = said.iter().find(|(dn, _)| *dn == group).unwrap();
    let members: Vec<String> =
        of_group.iter().flatten().filter(|(name, _)| name == "member").map(|(_, value)| value.clone()).collect();
    assert!(!members.is_empty(), "another seed");
    let at = last.to_string();
    let proof = installation.folder.path().join("proof");
    let answer = state(&installation, &["--group", &group, "--at", &at, "--proof", proof.to_str().unwrap()]);
    assert_eq!(answer.facts.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>(), members);
    let proofs = std::fs::read_to_string(&proof).unwrap();
    let proofs: Vec<&str> = proofs.split_inclusive("c2sp.org/tlog-proof@v1").collect();
    assert_eq!(proofs.len(), answer.records.len() + 1, "one for each record that made a membership");
    let one = state(&installation, &["--group", &group, "--entry", &members[0], "--at", &at, "--proof", proof.to_str().unwrap()]);
    assert_eq!((one.facts.len(), one.code), (1, Some(0)));
    let key = installation.path().join("keys/journal.pub");
    let verified = bindery(&["journal", "verify", proof.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    let gone = state(&installation, &["--group", &group, "--entry", ADMIN, "--at", &at]);
    assert_eq!((gone.facts.len(), gone.code), (0, Some(1)));

    let questions = installation.succeed(&["journal", "query", "--type", "journalRead", "--format", "jsonl"]);
    assert!(questions.contains(&format!("state: entry \\\"{ADMIN}\\\", group \\\"{group}\\\", at record {last}")), "{questions}");
    for wrong in [&["--at", "1"][..], &["--entry", &group], &["--entry", &group, "--at", "2999-01-01"]] {
        assert_eq!(installation.run(&[&["journal", "state"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn moments_within_a_transaction_are_none() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let delete = |name: &str| LdapOp::DelRequest(format!("cn={name},{SUFFIX}"));
    for name in ["a", "b"] {
        let add: &[(&str, &[&str])] = &[("objectClass", &["device"]), ("cn", &[name])];
        assert_eq!(client.add(&format!("cn={name},{SUFFIX}"), add).unwrap(), LdapResultCode::Success);
    }
    let before = durable(&mut client);
    assert_eq!(client.transaction(vec![delete("a"), delete("b")]).unwrap(), LdapResultCode::Success);
    let after = durable(&mut client);
    let ask = |sequence: u64| state(&installation, &["--entry", &format!("cn=b,{SUFFIX}"), "--at", &sequence.to_string()]).code;
    assert_eq!((ask(before), ask(after)), (Some(0), Some(1)));
    let within = (before + 1..after).find(|sequence| {
        let (at, dn) = (sequence.to_string(), format!("cn=b,{SUFFIX}"));
        installation.run(&["journal", "state", "--entry", &dn, "--at", &at]).status.code() == Some(3)
    });
    assert!(within.is_some(), "records {before} to {after}");
}

#[test]
fn of_a_transaction_the_record_that_made_it_so_is_named() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let group = format!("cn=nurses,{SUFFIX}");
    let of_group: &[(&str, &[&str])] = &[("objectClass", &["groupOfMembers"]), ("cn", &["nurses"])];
    assert_eq!(client.add(&group, of_group).unwrap(), LdapResultCode::Success);
    let people = ["a", "b", "c"].map(|name| format!("cn={name},{SUFFIX}"));
    for person in &people {
        let device: &[(&str, &[&str])] = &[("objectClass", &["device"])];
        assert_eq!(client.add(person, device).unwrap(), LdapResultCode::Success);
    }
    let before = durable(&mut client);
    let replace = |dn: &String, attribute: &str, operation: LdapModifyType, value: &str| {
        let modification = ldap3_proto::proto::LdapPartialAttribute { atype: attribute.to_owned(), vals: vec![value.into()] };
        let changes = vec![ldap3_proto::proto::LdapModify { operation, modification }];
        LdapOp::ModifyRequest(ldap3_proto::proto::LdapModifyRequest { dn: dn.clone(), changes })
    };
    let steps = vec![
        replace(&people[0], "description", LdapModifyType::Replace, "=one"),
        replace(&group, "member", LdapModifyType::Add, &people[0]),
        replace(&group, "member", LdapModifyType::Add, &people[1]),
        replace(&people[1], "description", LdapModifyType::Replace, "two"),
        replace(&group, "description", LdapModifyType::Replace, "three"),
    ];
    assert_eq!(client.transaction(steps).unwrap(), LdapResultCode::Success);
    let last = durable(&mut client);
    assert_eq!(last, before + 5);
    let at = last.to_string();
    let rows = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let arguments = [&["journal", "state", "--format", "jsonl", "--at", &at], arguments].concat();
        installation.succeed(&arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let record = |rows: &[serde_json::Value], attribute: &str| -> u64 {
        rows.iter().find(|row| row["attribute"] == attribute).unwrap()["record"].as_str().unwrap().parse().unwrap()
    };
    let first = rows(&["--entry", &people[0]]);
    assert_eq!((record(&first, "description"), record(&first, "memberOf")), (before + 1, before + 2));
    let sheet = installation.succeed(&["journal", "state", "--entry", &people[0], "--at", &at, "--format", "csv"]);
    assert!(sheet.contains("description,\"'=one\","), "no formula for a spreadsheet: {sheet}");
    let second = rows(&["--entry", &people[1]]);
    assert_eq!((record(&second, "description"), record(&second, "memberOf")), (before + 4, before + 3));
    for (number, person) in people[..2].iter().enumerate() {
        let membership = rows(&["--group", &group, "--entry", person]);
        assert_eq!(record(&membership, "member"), before + 2 + number as u64);
    }
    assert_eq!(record(&rows(&["--entry", &group]), "description"), before + 5);
    assert_eq!(server.stop(), Some(0));

    // Checkpoints that cannot be read are told of; what was is told all the same.
    std::fs::write(installation.path().join("keys/journal.pub"), "no key").unwrap();
    let output = installation.run(&["journal", "state", "--entry", &people[0], "--at", &at]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("one"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("nothing can be said of checkpoints: ") && told.contains("journal.pub"), "{told}");
}
