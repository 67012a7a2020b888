//! Access rules held against a plain reading of them (`plain`), with entries, rules, filters and askers drawn at random (`draw`):
//! question by question (`evaluator`), and by what searches and compares let through of ten thousand entries (`searches`).
//!
//! `ACCESS_ROUNDS=N` draws N times as many; `ACCESS_SEED=N` draws others.

mod draw;
mod evaluator;
mod plain;
mod searches;

use self::draw::Draw;
use self::plain::{Entry, Rule, SUFFIX};
use super::harness::{As, Server};
use crate::operation::delete::DeleteRequest;
use crate::operation::{Authority, ProposedOperation, default_rules};

fn rounds() -> usize {
    std::env::var("ACCESS_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

fn draw() -> Draw {
    Draw(std::env::var("ACCESS_SEED").map_or(7, |seed| seed.parse().unwrap()))
}

/// A server that has these entries and a folder for rules.
fn server(entries: &[Entry]) -> Server {
    let mut server = Server::new();
    server.limits.size = 100_000;
    server.limits.sorted = 100_000;
    let folder = "objectClass: organizationalUnit\n\n";
    server.import(&format!("dn: ou=policies,{SUFFIX}\n{folder}dn: ou=access,ou=policies,{SUFFIX}\n{folder}"));
    let people = format!("ou=people,{SUFFIX}");
    server.import(&entries.iter().filter(|entry| entry.dn != people).map(Entry::ldif).collect::<String>());
    // The harness has people of its own.
    for uid in ["anna", "bert"] {
        let delete = DeleteRequest { name: format!("uid={uid},{people}").into(), controls: Vec::new() };
        assert_eq!(server.propose(ProposedOperation::Delete(delete), Authority::Installation), "0");
    }
    server
}

fn put(server: &mut Server, rules: &[Rule]) {
    let ldif = |(number, rule): (usize, &Rule)| rule.ldif(&format!("cn=r{number},ou=access,ou=policies,{SUFFIX}"));
    server.import(&rules.iter().enumerate().map(ldif).collect::<String>());
}

/// Names that rules are about: wards, people, a group, everything, nothing.
fn places(entries: &[Entry], draw: &mut Draw) -> Vec<String> {
    let mut places: Vec<String> = (0..6).map(|_| draw.of(entries).dn).collect();
    places.extend(entries.iter().filter(|entry| entry.dn.starts_with("ou=")).map(|entry| entry.dn.clone()).take(6));
    places.push(SUFFIX.to_owned());
    places
}

#[test]
fn an_older_directory_gets_the_rules_of_a_new_one_once() {
    let before = Server::new().as_(As::Anna).read("uid=bert,ou=people,dc=mercy,dc=example", &["*"]);
    let mut server = Server::new();
    let missing = default_rules::missing(&server.directory);
    assert_eq!(missing.iter().filter(|it| default_rules::is_access_rule(it)).count(), missing.len() - 2, "folders beside them");
    for request in missing {
        assert_eq!(server.propose(ProposedOperation::Add(request), Authority::Installation), "0");
    }
    assert!(default_rules::missing(&server.directory).is_empty());
    assert_eq!(server.as_(As::Anna).read("uid=bert,ou=people,dc=mercy,dc=example", &["*"]), before, "they held before");
}
