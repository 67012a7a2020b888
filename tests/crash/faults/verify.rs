//! What is there compared with what was acknowledged: entries, passwords and groups over LDAP, and the journal's records one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ldap3_proto::proto::{LdapFilter, LdapResultCode, LdapSearchScope};

use crate::common::client::{Client, values};
use crate::common::{ADMIN, PASSWORD, SUFFIX};
use crate::load::{Book, Expected, Known, Note, PAIR, Place, dn, number_of, password};
use crate::site::Running;

/// Compares the directory with the books and puts down in them what was found. Returns notes of the logins that took.
pub(crate) fn content(server: &Running, books: &mut [Book]) -> Result<Vec<Note>, String> {
    let mut notes = Vec::new();
    let process = server.process();
    let mut client = Client::connect(&server.address).map_err(|error| format!("{}: {error}", server.address))?;
    if log_in(&mut client, process, (ADMIN, PASSWORD), &mut notes)? != 0 {
        return Err("the administrator cannot log in".to_owned());
    }
    let mut found = people(&mut client)?;
    for (name, known) in books.iter_mut().flatten() {
        let seen = if name.starts_with("pair") {
            let [left, right] = PAIR.map(|which| found.remove(&format!("{name}-{which}")));
            if left != right {
                return Err(format!("{name}: half of a transaction is there: {left:?} and {right:?}"));
            }
            left
        } else {
            found.remove(name)
        };
        settle(&mut client, process, name, known, seen, &mut notes)?;
    }
    match found.keys().next() {
        Some(name) => Err(format!("{name} is there and nobody added it, or it was deleted")),
        None => Ok(notes),
    }
}

/// What a search shows of a person.
type Seen = (u64, bool);

fn people(client: &mut Client) -> Result<BTreeMap<String, Seen>, String> {
    let mut search = |class: &str, attributes: &[&str]| {
        let filter = LdapFilter::Equality("objectClass".to_owned(), class.to_owned());
        let found = client.search(SUFFIX, LdapSearchScope::Subtree, filter, attributes);
        match found.map_err(|error| format!("search: {error}"))? {
            (entries, LdapResultCode::Success) => Ok(entries),
            (_, code) => Err(format!("a search is answered with {code:?}")),
        }
    };
    let members: BTreeSet<String> =
        search("groupOfMembers", &["member"])?.iter().flat_map(|group| values(group, "member")).collect();
    let mut people = BTreeMap::new();
    for entry in search("person", &["sn", "description"])? {
        let name = entry.dn.trim_start_matches("cn=").trim_end_matches(&format!(",{SUFFIX}")).to_owned();
        let (sn, description) = (values(&entry, "sn").concat(), values(&entry, "description").concat());
        // Behind the version there may be padding.
        if description.split(' ').next() != Some(&sn) {
            return Err(format!("{name} is half changed"));
        }
        let version = sn.parse().map_err(|_| format!("{name} has the version {sn:?}"))?;
        people.insert(name, (version, members.contains(&entry.dn)));
    }
    Ok(people)
}

/// Finds out which of the states it may be in an entry is in.
fn settle(
    client: &mut Client,
    process: u32,
    name: &str,
    known: &mut Known,
    seen: Option<Seen>,
    notes: &mut Vec<Note>,
) -> Result<(), String> {
    let mut possible = vec![known.acknowledged.clone()];
    possible.extend(known.under_way.clone());
    possible.retain(|state| state.as_ref().map(|person| (person.version, person.member)) == seen);
    let passwords: BTreeSet<u64> = possible.iter().flatten().map(|person| person.password).filter(|it| *it != 0).collect();
    if known.is_touched && !passwords.is_empty() {
        let mut fits = None;
        for version in passwords {
            // Logging in changes who a connection is.
            let mut visitor = client.another().map_err(|error| format!("connect: {error}"))?;
            if log_in(&mut visitor, process, (&dn(name), &password(version)), notes)? == 0 {
                fits = Some(version);
                break;
            }
        }
        possible.retain(|state| state.as_ref().map(|person| person.password) == fits);
    }
    let Some(state) = possible.pop() else {
        return Err(format!("{name} is {seen:?} (version, member) with another password, or not what is known: {known:?}"));
    };
    *known = Known { acknowledged: state, under_way: None, is_touched: false };
    Ok(())
}

fn log_in(client: &mut Client, process: u32, (dn, password): (&str, &str), notes: &mut Vec<Note>) -> Result<u64, String> {
    let code = client.bind(dn, password).map_err(|error| format!("bind: {error}"))?;
    let code = number_of(&code);
    let place = (process, client.local(), client.last_id().into());
    notes.push(Note { place, kind: "bind", expected: Expected::Code(code) });
    Ok(code)
}

/// One record's facts that are compared.
struct Record {
    sequence: u64,
    kind: String,
    /// Peer and messageID.
    place: Option<(String, i64)>,
    /// Of a start: the process that began.
    process: Option<u32>,
    result: u64,
}

/// What `journal export` printed holds exactly one record for each operation that was acknowledged since sequence `next`, none for what was
/// refused with 52, none that nobody asked for, and no gap. Moves `next` behind it.
pub(crate) fn journal(lines: &str, next: &mut u64, notes: &[Note]) -> Result<(), String> {
    let mut records: HashMap<Place, Vec<Record>> = HashMap::new();
    let mut process = 0;
    for line in lines.lines() {
        let record = parse(line).ok_or_else(|| format!("a line of the journal cannot be read: {line}"))?;
        if record.sequence != *next {
            return Err(format!("the journal has sequence {} where {next} is due", record.sequence));
        }
        *next += 1;
        process = record.process.unwrap_or(process);
        if let Some((peer, message)) = record.place.clone() {
            records.entry((process, peer, message)).or_default().push(record);
        }
    }
    // Of one place there may be several notes: the system gives ports again within one life, too.
    let mut by_place: HashMap<&Place, Vec<&Note>> = HashMap::new();
    notes.iter().for_each(|note| by_place.entry(&note.place).or_default().push(note));
    for (place, notes) in by_place {
        let mut found = records.remove(place).unwrap_or_default();
        let told: Vec<String> = found.iter().map(|record| format!("{} {}", record.kind, record.result)).collect();
        let missing = notes.iter().find(|note| {
            let Expected::Code(code) = note.expected else { return false };
            let at = found.iter().position(|record| record.result == code && record.kind == note.kind);
            at.map(|at| found.remove(at)).is_none()
        });
        let perhaps = notes.iter().filter(|note| note.expected == Expected::Perhaps).count();
        if missing.is_some() || found.len() > perhaps {
            return Err(format!("of {notes:?} the journal has {told:?}"));
        }
    }
    let asked_for: BTreeSet<(u32, &String)> = notes.iter().map(|note| (note.place.0, &note.place.1)).collect();
    match records.keys().find(|(process, peer, _)| asked_for.contains(&(*process, peer))) {
        Some(place) => Err(format!("the journal has a record for {place:?}, and nobody asked for that")),
        None => Ok(()),
    }
}

fn parse(line: &str) -> Option<Record> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name).and_then(|it| it.as_str()).map(str::to_owned);
    let number = |name: &str| value.get(name).and_then(serde_json::Value::as_i64);
    let place = text("peer").zip(number("message"));
    let started = text("type").is_some_and(|kind| kind == "start");
    let process = value.pointer("/details/process").and_then(|it| it.as_str()).and_then(|it| it.parse().ok());
    Some(Record {
        process: process.filter(|_| started),
        sequence: u64::try_from(number("seq")?).ok()?,
        kind: text("type")?,
        place,
        result: u64::try_from(number("result").unwrap_or(0)).ok()?,
    })
}
