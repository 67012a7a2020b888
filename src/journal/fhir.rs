//! Records as AuditEvent resources of FHIR R4 (4.0.1), one JSON object each: a file of them is what FHIR's bulk data calls NDJSON.

use serde_json::{Value, json};

use super::audit_event::{AuditEvent, Code, Target, clean};
use super::query::FoundRecord;

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const LIFE_CYCLE: &str = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle";
/// Types of records, under the one arc of the project's own (schema/README.md).
const OWN: &str = "urn:oid:2.25.324025825757959154607929932436791156374";
const URI: &str = "urn:ietf:rfc:3986";

impl FoundRecord {
    /// The AuditEvent, on one line.
    pub fn to_fhir(&self) -> String {
        let event = AuditEvent::of(self);
        let record = event.record;
        let mut subtypes: Vec<Value> = event.kind.into_iter().map(coding).collect();
        subtypes.push(json!({"system": OWN, "code": clean(&record.kind)}));
        let mut resource = json!({
            "resourceType": "AuditEvent",
            "id": identifier(&format!("{}-{}", record.node, record.sequence)),
            "type": coding(event.event),
            "subtype": subtypes,
            "action": event.action,
            "recorded": record.moment(),
            "outcome": event.outcome,
            "agent": agents(&event),
            "source": {
                "observer": {"identifier": {"system": OWN, "value": clean(&record.node)}, "display": event.server()},
                "type": [{"system": SOURCE_TYPE, "code": "6", "display": "Security Server"}],
            },
            "entity": entities(&event),
        });
        if let (Some(text), Some(members)) = (&event.outcome_text, resource.as_object_mut()) {
            members.insert("outcomeDesc".to_owned(), clean(text).into());
        }
        resource.to_string()
    }
}

fn coding(code: Code) -> Value {
    json!({"system": DCM, "code": code.code, "display": code.words})
}

/// FHIR's type id: letters, digits, '-' and '.', 64 at most.
fn identifier(text: &str) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '.';
    let mut fitting: String = text.chars().map(|character| if fits(character) { character } else { '-' }).collect();
    fitting.truncate(64);
    fitting
}

fn agents(event: &AuditEvent<'_>) -> Vec<Value> {
    let requestor = &event.requestor;
    let mut agents = Vec::new();
    if requestor.is_client {
        // network.type 2 is an address, 1 a machine's name.
        let (address, kind) = requestor.address.as_deref().map_or(("localhost", "1"), |address| (address, "2"));
        let name = clean(&requestor.name);
        let mut agent = json!({"name": name, "requestor": true, "network": {"address": address, "type": kind}});
        if let (Some(uuid), Some(members)) = (&requestor.uuid, agent.as_object_mut()) {
            let uuid = clean(uuid);
            let who = json!({"identifier": {"system": URI, "value": format!("urn:uuid:{uuid}")}, "display": name});
            members.insert("who".to_owned(), who);
            members.insert("altId".to_owned(), uuid.into());
        }
        agents.push(agent);
    }
    let role = coding(Code { code: "110150", words: "Application" });
    agents.push(json!({
        "type": {"coding": [role]},
        "name": event.server(),
        "altId": clean(&event.record.boot),
        "requestor": !requestor.is_client,
    }));
    agents
}

/// What it was done to, and the record itself with all that it says.
fn entities(event: &AuditEvent<'_>) -> Vec<Value> {
    let of_target = |target: &Target| {
        let kind = if target.role == "11" { "1" } else { "2" };
        json!({
            "what": {"identifier": {"system": URI, "value": clean(&target.uri)}, "display": clean(&target.name)},
            "type": {"system": ENTITY_TYPE, "code": kind},
            "role": {"system": OBJECT_ROLE, "code": target.role},
            "lifecycle": {"system": LIFE_CYCLE, "code": target.life_cycle},
            "name": clean(&target.name),
        })
    };
    let mut entities: Vec<Value> = event.target.iter().map(of_target).collect();
    let leaf = ("leaf".to_owned(), event.leaf.clone());
    let details = event.details.iter().chain([&leaf]);
    let details: Vec<Value> = details.map(|(name, text)| json!({"type": name, "valueString": clean(text)})).collect();
    let value = format!("urn:bindery:record:{}:{}", clean(&event.record.node), event.record.sequence);
    entities.push(json!({
        "what": {"identifier": {"system": URI, "value": value}},
        "type": {"system": ENTITY_TYPE, "code": "2"},
        "role": {"system": OBJECT_ROLE, "code": "13"},
        "name": "Security Audit Log",
        "detail": details,
    }));
    entities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::query::ReadRecord;

    fn fhir(line: &str) -> Value {
        let found = FoundRecord { record: ReadRecord::parse(line).unwrap(), line: line.to_owned() };
        serde_json::from_str(&found.to_fhir()).unwrap()
    }

    #[test]
    fn a_change_of_members_is_a_change_of_roles() {
        let line = r#"{"actor":{"dn":"cn=admin,dc=x","uuid":"A"},"boot":"b0","changes":[{"attr":"member","op":"add","values":["uid=a,dc=x"]}],"mono":1,"node":"n1","peer":"ldapi uid=0","prev":"00","result":0,"seq":7,"target":{"dn":"cn=g,dc=x"},"time":1000,"type":"modify","v":1}"#;
        let event = fhir(line);
        assert_eq!(
            (event["id"].as_str(), event["action"].as_str(), event["outcome"].as_str()),
            (Some("n1-7"), Some("U"), Some("0"))
        );
        assert_eq!((&event["type"]["code"], &event["subtype"][0]["code"]), (&json!("110113"), &json!("110136")));
        assert_eq!(event["agent"][0]["network"], json!({"address": "localhost", "type": "1"}));
        assert_eq!(event["entity"][0]["what"]["identifier"]["value"], "ldap:///cn=g,dc=x");
        assert_eq!(event["entity"][0]["role"]["code"], "12");
        let details = event["entity"][1]["detail"].as_array().unwrap();
        assert!(details.contains(&json!({"type": "changes", "valueString": "member:+ uid=a,dc=x"})));
        assert!(event.get("outcomeDesc").is_none());
    }

    #[test]
    fn identifiers_are_fhirs() {
        assert_eq!(identifier("a_b c/ö"), "a-b-c--");
        assert_eq!(identifier(&"x".repeat(99)).len(), 64);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_either_form_two_lines(name in ".{0,40}", reason in "[\\u{0}-\\u{1f}a<&\"]{0,9}") {
            let line = json!({"boot": "b", "node": "n", "mono": 1, "prev": "00", "result": 1, "seq": 1, "time": 0, "type": name.clone(), "v": 1,
                "reason": reason, "peer": name.clone(), "target": {"dn": name}}).to_string();
            let found = FoundRecord { record: ReadRecord::parse(&line).unwrap(), line };
            proptest::prop_assert_eq!((found.to_dicom().lines().count(), found.to_fhir().lines().count()), (1, 1));
        }
    }
}
