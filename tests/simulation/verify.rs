//! After each start: the whole content and the whole journal against the model.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest;
use bindery::directory::{Directory, Node};
use bindery::model::{Secret, Timestamp};
use bindery::policy::password::{HashAnswer, HashJob, Hasher};
use bindery::store::{StoreOptions, read_frames};

use crate::client::ADDRESS;
use crate::life::{ARGON2, Candidate, Checked, Memory};
use crate::model::{Entry, Expected, Model};

type Attributes = BTreeMap<String, BTreeSet<String>>;

/// Reads the journal: every record that was acknowledged must be there, in order and with the code that was told; behind them nothing, or
/// one whole group that was under way. The model becomes what the journal says.
pub(crate) fn journal(options: &StoreOptions, memory: &mut Memory) -> Checked {
    let mut lines = Vec::new();
    read_frames(options, 1, &mut |frame| {
        lines.extend(frame.lines().map(str::to_owned));
        Ok(())
    })
    .map_err(|error| format!("the journal cannot be read: {error}"))?;
    let found = lines.iter().map(|line| read_line(line)).collect::<Result<Vec<_>, _>>()?;
    check_chain(&lines)?;
    let known = memory.model.records.len();
    compare_records(&memory.model.records, found.get(..known).unwrap_or(&found))?;
    if found.len() > known {
        let may_return = |candidate: &&Candidate| !candidate.refused || memory.power_was_cut;
        let mut possible = memory.candidates.iter().filter(may_return);
        let survived = possible.find(|candidate| candidate.after.records == found).ok_or_else(|| {
            let (behind, tried) = (&found[known..], memory.candidates.len());
            format!(
                "behind record {known} stand {behind:#?}, which is none of the {tried} groups that were tried and may be there"
            )
        })?;
        let what = match survived.refused {
            true => "groups refused with 52 that a power cut brought back",
            false => "groups in flight that a crash kept",
        };
        memory.model = survived.after.clone();
        memory.history_of_content.push((memory.model.records.len() as u64, memory.model.clone()));
        memory.tally.count(what);
    }
    memory.candidates.clear();
    memory.power_was_cut = false;
    memory.history.update(lines.last().map_or(b"", |line| line.as_bytes()));
    Ok(())
}

fn compare_records(expected: &[Expected], found: &[Expected]) -> Checked {
    for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
        if expected != found {
            return Err(format!("record {} is {found:?} where {expected:?} was acknowledged", place + 1));
        }
    }
    if found.len() < expected.len() {
        return Err(format!("{} records were acknowledged and {} are there", expected.len(), found.len()));
    }
    Ok(())
}

fn read_line(line: &str) -> Result<Expected, String> {
    let value: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
    let number = |name: &str| value.get(name).and_then(serde_json::Value::as_i64);
    let kinds = ["bind", "add", "modify", "delete", "modifyDn", "passwordModify", "start", "void", "restore"];
    let named = value.get("type").and_then(|it| it.as_str()).unwrap_or_default();
    let kind = kinds.into_iter().find(|kind| *kind == named).ok_or_else(|| format!("{line}: of no known type"))?;
    let session = number("session").filter(|session| *session != 0);
    Ok(Expected {
        kind,
        asked: session.zip(number("message")).map(|(session, message)| (session as u64, message as i32)),
        code: number("result").map(|code| code as u32),
        time: number("time").ok_or_else(|| format!("{line}: without time"))?,
    })
}

/// Sequences without gap, each line with the hash of the one before, time only growing.
fn check_chain(lines: &[String]) -> Checked {
    let (mut leaf, mut last) = ("0".repeat(64), i64::MIN);
    for (place, line) in lines.iter().enumerate() {
        let value: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        let wrong = |what: &str| Err(format!("record {}: {what}: {line}", place + 1));
        if value["seq"].as_u64() != Some(place as u64 + 1) {
            return wrong("another sequence");
        }
        if value["prev"].as_str() != Some(leaf.as_str()) {
            return wrong("does not continue the chain");
        }
        let time = value["time"].as_i64().unwrap_or(i64::MIN);
        if time <= last {
            return wrong("time did not grow");
        }
        last = time;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[0]);
        context.update(line.as_bytes());
        leaf = context.finish().as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    }
    Ok(())
}

/// Compares every entry with all it has, and what is said of the whole.
pub(crate) fn content(directory: &Directory, model: &Model) -> Checked {
    let mut hasher = Hasher::new(ARGON2);
    let mut found: BTreeMap<String, Attributes> = BTreeMap::new();
    for node in directory.nodes() {
        let name = directory.dn_text(node.id);
        let expected = model.find(&name).ok_or_else(|| format!("{name} is there and should not be"))?;
        check_password(&mut hasher, directory, node, expected).map_err(|problem| format!("{name}: {problem}"))?;
        found.insert(name, stored(directory, node));
    }
    let expected: BTreeMap<String, Attributes> =
        model.entries.iter().map(|(name, entry)| (model.spelled(name), due(model, entry))).collect();
    for (name, due) in &expected {
        match found.get(name) {
            None => return Err(format!("{name} is not there")),
            Some(found) if found != due => {
                return Err(format!("{name} holds\n{found:#?}\nwhere this is due\n{due:#?}"));
            }
            Some(_) => {}
        }
    }
    if found.len() != expected.len() {
        return Err(format!("{} entries are there, {} should be", found.len(), expected.len()));
    }
    let context = directory.context();
    if (context.stamp.time.0, context.number) != model.context {
        return Err(format!("the whole is at {context:?} where {:?} is due", model.context));
    }
    Ok(())
}

fn stored(directory: &Directory, node: &Node) -> Attributes {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let mut all = Attributes::new();
    // Hashes under random salts; tests of their own look at what history keeps.
    let is_hash = |description: &str| matches!(description, "userPassword" | "pwdHistory");
    for attribute in node.entry.attributes().filter(|attribute| !is_hash(attribute.description)) {
        all.insert(attribute.description.to_owned(), attribute.values().map(text).collect());
    }
    for attribute in directory.membership_attributes(node.id) {
        let name = attribute.name(directory.schema());
        let mut values = BTreeSet::new();
        for membership in directory.memberships(node.id, attribute) {
            let grant = directory.membership_grant(node.id, &membership);
            let (since, by) = grant.map_or((0, String::new()), |grant| (grant.since.0, grant.by.to_string()));
            values.insert(format!("{} since {since} by {by}", text(&directory.member_value(&membership))));
        }
        all.insert(name.to_owned(), values);
    }
    let state = directory.account_state(node.id);
    if let Some(login) = state.last_login {
        all.insert("lastLoginTime".to_owned(), [login.0.to_string()].into());
        all.insert("lastLoginSource".to_owned(), state.last_login_source.into_iter().collect());
    }
    all
}

fn due(model: &Model, entry: &Entry) -> Attributes {
    let mut all = Attributes::new();
    for (attribute, values) in &entry.attributes {
        all.insert(attribute.clone(), values.values().cloned().collect());
    }
    for ((attribute, target), reference) in &entry.references {
        let text = format!("{} since {} by {}", model.value_of(target, reference), reference.since, reference.by);
        all.entry(attribute.clone()).or_default().insert(text);
    }
    let mut one = |name: &str, value: String| _ = all.insert(name.to_owned(), [value].into());
    one("structuralObjectClass", entry.class.to_owned());
    one("entryUUID", entry.uuid.clone());
    one("creatorsName", entry.created.1.clone());
    one("createTimestamp", Timestamp(entry.created.0).to_generalized_time());
    one("modifiersName", entry.modified.1.clone());
    one("modifyTimestamp", Timestamp(entry.modified.0).to_generalized_time());
    let stamp = Timestamp(entry.modified.0).to_generalized_time_micros();
    one("entryCSN", format!("{stamp}#000000#000#000000"));
    if let Some((at, by_other)) = entry.changed {
        one("pwdChangedTime", Timestamp(at).to_generalized_time());
        if by_other {
            one("pwdReset", "TRUE".to_owned());
        }
    }
    if let Some(login) = entry.last_login {
        one("lastLoginTime", login.to_string());
        one("lastLoginSource", ADDRESS.to_owned());
    }
    all
}

/// The stored password is the one the model knows.
fn check_password(hasher: &mut Hasher, directory: &Directory, node: &Node, expected: &Entry) -> Checked {
    let Some(attribute) = directory.schema().attribute_type("userPassword") else { return Err("no passwords".to_owned()) };
    let stored: Vec<Secret> = node.entry.values(attribute.id).map(Secret::from).collect();
    match &expected.password {
        None if stored.is_empty() => Ok(()),
        Some(password) if stored.len() == 1 => {
            let job = HashJob::verify(stored, Secret::from(password.text.as_bytes()));
            match hasher.perform(&job, [0; 16]) {
                HashAnswer::Verified { matched: Some(_), .. } => Ok(()),
                _ => Err("another password".to_owned()),
            }
        }
        expected => Err(format!("{} passwords, where there should be {expected:?}", stored.len())),
    }
}
