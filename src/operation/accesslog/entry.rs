//! A record as an entry.

use base64::Engine as _;

use super::ACCESSLOG;
use crate::directory::{Directory, Node};
use crate::journal::query::{FoundRecord, ReadChange, ReadName, ReadRecord, ReadValue};
use crate::model::{Timestamp, Value};
use crate::operation::root_dse::SpecialEntry;
use crate::protocol::oid;

/// The structural class of a type of record and those above it, and what reqType says.
fn class_of(kind: &str) -> (&'static [&'static str], String) {
    let extended = |oid: &str| format!("extended{{{oid}}}");
    match kind {
        "bind" => (&["auditBind"], "bind".to_owned()),
        "add" => (&["auditWriteObject", "auditAdd"], "add".to_owned()),
        "modify" => (&["auditWriteObject", "auditModify"], "modify".to_owned()),
        "delete" => (&["auditWriteObject", "auditDelete"], "delete".to_owned()),
        "modifyDn" => (&["auditWriteObject", "auditModRDN"], "modrdn".to_owned()),
        "search" => (&["auditReadObject", "auditSearch"], "search".to_owned()),
        "compare" => (&["auditReadObject", "auditCompare"], "compare".to_owned()),
        "sessionEnd" => (&[], "unbind".to_owned()),
        "passwordModify" => (&["auditExtended"], extended(oid::PASSWORD_MODIFY)),
        "startTls" => (&["auditExtended"], extended(oid::START_TLS)),
        "refresh" => (&["auditExtended"], extended(oid::REFRESH)),
        other => (&[], other.to_owned()),
    }
}

/// The types of records for which reqType says this.
pub(super) fn kinds_of(request_type: &str) -> Vec<String> {
    const KINDS: [&str; 11] = [
        "bind",
        "add",
        "modify",
        "delete",
        "modifyDn",
        "search",
        "compare",
        "sessionEnd",
        "passwordModify",
        "startTls",
        "refresh",
    ];
    let known = KINDS.iter().find(|kind| class_of(kind).1.eq_ignore_ascii_case(request_type));
    vec![known.map_or_else(|| request_type.to_owned(), |&kind| kind.to_owned())]
}

/// A record as an entry of the log.
pub(crate) fn node_of(directory: &Directory, found: &FoundRecord) -> Node {
    let record = &found.record;
    let start = Timestamp(record.time).to_generalized_time_micros();
    let name = format!("reqStart={start},{ACCESSLOG}");
    let (classes, request_type) = class_of(&record.kind);
    let mut entry = SpecialEntry::new(directory.schema());
    let above = ["top", "auditObject"];
    entry.set("objectClass", above.iter().chain(classes).chain(&["binderyRecord"]));
    entry.set("structuralObjectClass", [classes.last().unwrap_or(&"auditObject")]);
    entry.set("entryDN", [&name]);
    entry.set("reqStart", [start]);
    entry.set("reqType", [request_type]);
    entry.set("reqSession", [record.session.unwrap_or(0).to_string()]);
    entry.set("reqResult", [record.result.to_string()]);
    set_names(&mut entry, record);
    set_operation(&mut entry, record);
    set_own(&mut entry, found);
    entry.into_node(&name)
}

fn set_names(entry: &mut SpecialEntry<'_>, record: &ReadRecord) {
    if let Some(ReadName { dn, uuid }) = &record.target {
        entry.set("reqDN", [dn]);
        some(entry, "reqEntryUUID", uuid.as_deref());
    }
    // As OpenLDAP has it: the identity that was acted as.
    some(entry, "reqAuthzID", record.assumed.as_ref().or(record.actor.as_ref()).map(|name| name.dn.as_str()));
    some(entry, "recordActor", record.actor.as_ref().filter(|_| record.assumed.is_some()).map(|name| name.dn.as_str()));
}

fn set_operation(entry: &mut SpecialEntry<'_>, record: &ReadRecord) {
    let details = |name: &str| record.detail(name);
    match record.kind.as_str() {
        "bind" => {
            entry.set("reqVersion", ["3"]);
            entry.set("reqMethod", [record.method.as_deref().unwrap_or("SIMPLE")]);
        }
        "search" => {
            let truth = |name: &str| if details(name) == Some("true") { "TRUE" } else { "FALSE" };
            // A search that was refused has none of these.
            entry.set("reqScope", [details("scope").unwrap_or("base")]);
            entry.set("reqDerefAliases", [details("aliases").unwrap_or("never")]);
            entry.set("reqAttrsOnly", [truth("typesOnly")]);
            some(entry, "reqFilter", details("filter"));
            some(entry, "reqEntries", details("entries"));
            if let Some(asked) = record.details.get("attribute") {
                entry.set("reqAttr", asked.texts());
            }
        }
        "compare" => entry.set("reqAssertion", [format!("{}=not shown", details("attribute").unwrap_or_default())]),
        "modifyDn" => {
            some(entry, "reqNewRDN", details("newRdn"));
            some(entry, "reqDeleteOldRDN", details("deleteOldRdn").map(|text| if text == "true" { "TRUE" } else { "FALSE" }));
            some(entry, "reqNewSuperior", details("newSuperior"));
        }
        _ => {}
    }
    let mods: Vec<Value> = record.changes.iter().flat_map(values_of).collect();
    if !mods.is_empty() {
        entry.set_octets("reqMod", mods);
    }
}

/// What the schema of others has no place for.
fn set_own(entry: &mut SpecialEntry<'_>, found: &FoundRecord) {
    let record = &found.record;
    entry.set("recordSequence", [record.sequence.to_string()]);
    entry.set("recordLeaf", [found.leaf().to_hex()]);
    some(entry, "recordPeer", record.peer.as_deref());
    some(entry, "recordReason", record.reason.as_deref());
    some(entry, "recordRule", record.rule.as_deref());
    if let Some(tls) = &record.tls {
        entry.set("recordTls", [format!("{} {}", tls.version, tls.suite)]);
        some(entry, "recordCertificate", tls.cert.as_deref());
    }
    if !record.factors.is_empty() {
        entry.set("recordFactor", &record.factors);
    }
    if let Some(unknown) = &record.unknown_name {
        entry.set("recordUnknownName", [format!("{} {}", unknown.hash, unknown.length)]);
    }
    let effects: Vec<Value> = record.effects.iter().flat_map(values_of).collect();
    if !effects.is_empty() {
        entry.set_octets("recordEffect", effects);
    }
    let details: Vec<String> =
        record.details.iter().flat_map(|(name, texts)| texts.texts().iter().map(move |text| format!("{name}={text}"))).collect();
    if !details.is_empty() {
        entry.set("recordDetail", details);
    }
}

fn some(entry: &mut SpecialEntry<'_>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        entry.set(name, [value]);
    }
}

/// `attribute:<+|-|=|#> value`, an effect with the name of the other entry in front.
fn values_of(change: &ReadChange) -> Vec<Value> {
    let sign = match change.op.as_str() {
        "add" => '+',
        "delete" => '-',
        "increment" => '#',
        _ => '=',
    };
    let of = change.dn.as_ref().map(|dn| format!("{dn} ")).unwrap_or_default();
    let head = format!("{of}{}:{sign}", change.attr);
    let line = |value: &[u8]| Value::from([head.as_bytes(), b" ", value].concat());
    match (&change.values, change.redacted) {
        (Some(values), _) if values.is_empty() => vec![Value::from(head.into_bytes())],
        (Some(values), _) => values.iter().map(|value| line(&octets(value))).collect(),
        (None, count) => vec![line(format!("({} not shown)", count.unwrap_or(0)).as_bytes())],
    }
}

fn octets(value: &ReadValue) -> Vec<u8> {
    match value {
        ReadValue::Text(text) => text.clone().into_bytes(),
        // No record of the journal itself is shortened.
        ReadValue::LeftOut { sha256, .. } => sha256.clone().into_bytes(),
        ReadValue::Octets { base64 } => base64::engine::general_purpose::STANDARD.decode(base64).unwrap_or_default(),
    }
}
