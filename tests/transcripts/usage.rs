//! Which controls, extended operations and features the requests of transcripts use, and which of them the root DSE advertises.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bindery::protocol::ber::{BerError, Reader, Tag};
use bindery::protocol::{Control, oid};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::LdapOp;

use crate::connection::{Connection, Door};
use crate::machine::Machine;
use crate::request::{self, Operation};

static USED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes what a request uses.
pub fn note(operation: &Operation, controls: &[Control]) {
    let mut used = USED.lock().unwrap();
    used.extend(controls.iter().map(|control| control.oid.clone()));
    // Requests that are not well formed on purpose use nothing.
    let found = match operation.tag {
        Tag(0x77) => extended(&operation.content),
        Tag(0x66) => increments(&operation.content),
        Tag(0x63) => features_of_search(&operation.content),
        _ => Ok(Vec::new()),
    };
    used.extend(found.unwrap_or_default());
}

/// Notes the controls of a reply: some are advertised that only servers send.
pub fn note_reply(controls: &[LdapControl]) {
    let oids = controls.iter().filter_map(|control| match control {
        LdapControl::Unknown { oid, .. } => Some(oid.clone()),
        _ => None,
    });
    USED.lock().unwrap().extend(oids);
}

fn extended(content: &[u8]) -> Result<Vec<String>, BerError> {
    let name = Reader::new(content).expect(Tag::context(0))?;
    Ok(vec![String::from_utf8_lossy(name).into_owned()])
}

fn increments(content: &[u8]) -> Result<Vec<String>, BerError> {
    let mut parts = Reader::new(content);
    parts.octet_string()?;
    let mut changes = parts.sequence()?;
    while !changes.is_empty() {
        if changes.sequence()?.enumerated()? == 3 {
            return Ok(vec![oid::MODIFY_INCREMENT.to_owned()]);
        }
    }
    Ok(Vec::new())
}

fn features_of_search(content: &[u8]) -> Result<Vec<String>, BerError> {
    let mut parts = Reader::new(content);
    parts.octet_string()?;
    // scope, derefAliases, sizeLimit, timeLimit, typesOnly
    parts.enumerated()?;
    parts.enumerated()?;
    parts.integer()?;
    parts.integer()?;
    parts.boolean()?;
    let (tag, filter) = parts.element()?;
    let mut features = Vec::new();
    if filter.is_empty() && [Tag::context_constructed(0), Tag::context_constructed(1)].contains(&tag) {
        features.push(oid::TRUE_FALSE_FILTERS);
    }
    let mut attributes = parts.sequence()?;
    while !attributes.is_empty() {
        let name = String::from_utf8_lossy(attributes.octet_string()?).into_owned();
        features.extend((name == "+").then_some(oid::ALL_OPERATIONAL));
        features.extend(name.starts_with('@').then_some(oid::OBJECT_CLASS_ATTRIBUTES));
        if name.contains(";lang-") {
            features.push(if name.ends_with('-') { oid::LANGUAGE_RANGES } else { oid::LANGUAGE_TAGS });
        }
    }
    Ok(features.into_iter().map(str::to_owned).collect())
}

/// What the root DSE advertises over a clear connection, where all there is can be had.
pub fn advertised() -> Vec<String> {
    let mut machine = Machine::new();
    let mut connection = Connection::new(Door::parse(&["ldap".to_owned()]), 1, &machine);
    let names = ["supportedControl", "supportedExtension", "supportedFeatures"];
    let words = ["-b", "", "-s", "base"].into_iter().chain(names).map(str::to_owned);
    let search = request::search(&words.collect::<Vec<_>>());
    connection.receive(&request::message(1, &search, &[]), &mut machine);
    connection.settle(&mut machine);
    let mut advertised = Vec::new();
    for (message, _) in connection.replies() {
        if let LdapOp::SearchResultEntry(entry) = message.op {
            let values = entry.attributes.into_iter().flat_map(|attribute| attribute.vals);
            advertised.extend(values.map(|value| String::from_utf8(value).unwrap()));
        }
    }
    advertised
}

/// Those of them that no request used so far.
pub fn unused(advertised: &[String]) -> Vec<String> {
    let used = USED.lock().unwrap();
    advertised.iter().filter(|oid| !used.contains(*oid)).cloned().collect()
}
