//! What the story promises: it can be read, names those who are there, and needs no code twice.

use std::collections::HashSet;

use super::story::{Story, filled};
use super::{FILES, GOVERNANCE, HOSPITAL, SUFFIX};
use crate::model::Timestamp;
use crate::model::ldif::{LdifBody, LdifReader};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

fn names(text: &str) -> HashSet<String> {
    let records = LdifReader::new(text.as_bytes()).map(Result::unwrap);
    records.filter(|it| matches!(it.body, LdifBody::Add(_))).map(|it| String::from_utf8(it.dn).unwrap()).collect()
}

#[test]
fn everybody_in_it_is_there() {
    let story = Story::read().unwrap();
    let there = &names(HOSPITAL) | &names(GOVERNANCE);
    let is_there = |uid: &String| there.iter().any(|dn| dn.starts_with(&format!("uid={uid},")));
    for uid in story.passwords.iter().chain(&story.tokens) {
        assert!(is_there(uid), "{uid}");
    }
    let services: HashSet<&str> =
        there.iter().filter(|dn| dn.contains(",ou=services,")).filter_map(|dn| super::uid_of(dn)).collect();
    for session in &story.sessions {
        let has_password = story.passwords.contains(&session.who) || services.contains(session.who.as_str());
        assert!(has_password || session.who.contains('='), "{}: {} has no password", session.what, session.who);
        assert!(session.from.is_loopback(), "{}", session.what);
    }
}

#[test]
fn no_code_is_needed_twice_in_a_moment() {
    let story = Story::read().unwrap();
    let mut seen = HashSet::new();
    for session in story.sessions.iter().filter(|session| story.tokens.contains(&session.who)) {
        assert!(seen.insert(&session.who), "{}", session.who);
    }
}

#[test]
fn every_change_can_be_read() {
    for session in Story::read().unwrap().sessions {
        let text = filled(&session.ldif, SUFFIX, NOW, Timestamp::to_generalized_time);
        assert!(!text.contains('{'), "{}", session.what);
        for record in LdifReader::new(text.as_bytes()) {
            let record = record.unwrap();
            assert!(matches!(record.body, LdifBody::Add(_) | LdifBody::Modify(_)), "{}", session.what);
        }
    }
}

#[test]
fn moments_and_suffixes_are_filled_in() {
    let text = filled("{suffix} {+2d} {+3s} {x} {+1y} { {password}", "dc=x", NOW, Timestamp::to_generalized_time);
    let (start, password) = text.rsplit_once(' ').unwrap();
    assert_eq!(start, "dc=x 20270117080000Z 20270115080003Z {x} {+1y} {");
    assert_eq!(password.len(), 23);
}

#[test]
fn what_is_written_beside_it_has_its_moments() {
    for (name, text, spelling) in FILES {
        let text = filled(text, SUFFIX, NOW, spelling);
        assert!(!text.contains("{+") && !text.contains("{suffix}"), "{name}");
    }
}
