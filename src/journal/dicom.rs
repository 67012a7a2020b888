//! Records as audit messages of DICOM PS3.15 section A.5, one XML element each, as IHE ATNA's ITI-20 sends them.

use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::audit_event::{AuditEvent, Code, clean};
use super::query::FoundRecord;

/// Name of DICOM's terminology.
const DCM: &str = "DCM";
/// Name of the table of RFC 3881 that codes of identifiers are from.
const RFC_3881: &str = "RFC-3881";
/// Names of our own types of records.
const OWN: &str = "bindery";

impl FoundRecord {
    /// The AuditMessage, on one line.
    pub fn to_dicom(&self) -> String {
        let event = AuditEvent::of(self);
        let mut writer = Writer::new(Vec::new());
        // Writing to memory does not fail.
        let _ = message(&mut writer, &event);
        String::from_utf8_lossy(&writer.into_inner()).into_owned()
    }
}

type Output = Writer<Vec<u8>>;

fn message(writer: &mut Output, event: &AuditEvent<'_>) -> io::Result<()> {
    writer.create_element("AuditMessage").write_inner_content(|writer| {
        identification(writer, event)?;
        participants(writer, event)?;
        let source = writer.create_element("AuditSourceIdentification");
        source.with_attribute(("AuditSourceID", clean(&event.record.node).as_str())).write_inner_content(|writer| {
            // 6: a security server.
            writer.create_element("AuditSourceTypeCode").with_attribute(("csd-code", "6")).write_empty()?;
            Ok(())
        })?;
        objects(writer, event)
    })?;
    Ok(())
}

fn identification(writer: &mut Output, event: &AuditEvent<'_>) -> io::Result<()> {
    let element = writer.create_element("EventIdentification").with_attributes([
        ("EventActionCode", event.action),
        ("EventDateTime", event.record.moment().as_str()),
        ("EventOutcomeIndicator", event.outcome),
    ]);
    element.write_inner_content(|writer| {
        coded(writer, "EventID", event.event, DCM)?;
        if let Some(kind) = event.kind {
            coded(writer, "EventTypeCode", kind, DCM)?;
        }
        coded_text(writer, "EventTypeCode", (&event.record.kind, OWN, &event.record.kind))?;
        if let Some(text) = &event.outcome_text {
            let text = clean(text);
            writer.create_element("EventOutcomeDescription").write_text_content(BytesText::new(&text))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn participants(writer: &mut Output, event: &AuditEvent<'_>) -> io::Result<()> {
    let requestor = &event.requestor;
    if requestor.is_client {
        let mut element = writer.create_element("ActiveParticipant").with_attribute(("UserID", clean(&requestor.name).as_str()));
        if let Some(uuid) = &requestor.uuid {
            element = element.with_attribute(("AlternativeUserID", clean(uuid).as_str()));
        }
        element = element.with_attribute(("UserIsRequestor", "true"));
        // 2: an address; 1: a machine's name.
        let (point, kind) = requestor.address.as_deref().map_or(("localhost", "1"), |address| (address, "2"));
        let points = [("NetworkAccessPointID", point), ("NetworkAccessPointTypeCode", kind)];
        element.with_attributes(points).write_empty()?;
    }
    let server = [
        ("UserID", event.server()),
        ("AlternativeUserID", clean(&event.record.boot)),
        ("UserIsRequestor", (!requestor.is_client).to_string()),
    ];
    let element = writer.create_element("ActiveParticipant");
    element
        .with_attributes(server.iter().map(|(name, value)| (*name, value.as_str())))
        .write_inner_content(|writer| coded(writer, "RoleIDCode", Code { code: "110150", words: "Application" }, DCM))?;
    Ok(())
}

/// What it was done to, and the record itself with all that it says.
fn objects(writer: &mut Output, event: &AuditEvent<'_>) -> io::Result<()> {
    if let Some(target) = &event.target {
        let attributes = [
            ("ParticipantObjectID", clean(&target.uri)),
            ("ParticipantObjectTypeCode", if target.role == "11" { "1" } else { "2" }.to_owned()),
            ("ParticipantObjectTypeCodeRole", target.role.to_owned()),
            ("ParticipantObjectDataLifeCycle", target.life_cycle.to_owned()),
        ];
        object(writer, &attributes, &target.name, &[])?;
    }
    let attributes = [
        ("ParticipantObjectID", format!("urn:bindery:record:{}:{}", clean(&event.record.node), event.record.sequence)),
        ("ParticipantObjectTypeCode", "2".to_owned()),
        ("ParticipantObjectTypeCodeRole", "13".to_owned()),
    ];
    let mut details = event.details.clone();
    details.push(("leaf".to_owned(), event.leaf.clone()));
    object(writer, &attributes, "Security Audit Log", &details)
}

fn object(writer: &mut Output, attributes: &[(&str, String)], name: &str, details: &[(String, String)]) -> io::Result<()> {
    let element = writer.create_element("ParticipantObjectIdentification");
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_str()));
    element.with_attributes(attributes).write_inner_content(|writer| {
        // RFC 3881 section 5.5.4: 12 is a URI.
        coded(writer, "ParticipantObjectIDTypeCode", Code { code: "12", words: "URI" }, RFC_3881)?;
        let name = clean(name);
        writer.create_element("ParticipantObjectName").write_text_content(BytesText::new(&name))?;
        for (name, value) in details {
            let value = BASE64_STANDARD.encode(value);
            let pair = [("type", name.as_str()), ("value", value.as_str())];
            writer.create_element("ParticipantObjectDetail").with_attributes(pair).write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn coded(writer: &mut Output, element: &str, code: Code, system: &str) -> io::Result<()> {
    coded_text(writer, element, (code.code, system, code.words))
}

fn coded_text(writer: &mut Output, element: &str, (code, system, words): (&str, &str, &str)) -> io::Result<()> {
    let (code, words) = (clean(code), clean(words));
    let attributes = [
        ("csd-code", code.as_str()),
        ("codeSystemName", system),
        ("displayName", words.as_str()),
        ("originalText", words.as_str()),
    ];
    writer.create_element(element).with_attributes(attributes).write_empty()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::journal::query::{FoundRecord, ReadRecord};

    fn found(line: &str) -> FoundRecord {
        FoundRecord { record: ReadRecord::parse(line).unwrap(), line: line.to_owned() }
    }

    #[test]
    fn a_failed_login_is_a_user_authentication_with_its_outcome_and_who_it_was() {
        let line = r#"{"boot":"b0","mono":1,"node":"n1","peer":"10.1.2.3:4711","prev":"00","reason":"wrong password","result":49,"seq":7,"target":{"dn":"uid=\"zoë\" & <co>\u0001,dc=x","uuid":"AAAA"},"time":1000,"type":"bind","v":1}"#;
        let text = found(line).to_dicom();
        for part in [
            "<AuditMessage><EventIdentification EventActionCode=\"E\" EventDateTime=\"1970-01-01T00:00:00.001000Z\" EventOutcomeIndicator=\"4\">",
            "<EventID csd-code=\"110114\" codeSystemName=\"DCM\" displayName=\"User Authentication\" originalText=\"User Authentication\"/>",
            "<EventTypeCode csd-code=\"110122\" codeSystemName=\"DCM\"",
            "<EventOutcomeDescription>wrong password (result 49)</EventOutcomeDescription>",
            "UserID=\"uid=&quot;zoë&quot; &amp; &lt;co&gt;\u{fffd},dc=x\" AlternativeUserID=\"AAAA\" UserIsRequestor=\"true\" NetworkAccessPointID=\"10.1.2.3\" NetworkAccessPointTypeCode=\"2\"/>",
            "ParticipantObjectID=\"urn:uuid:AAAA\" ParticipantObjectTypeCode=\"1\" ParticipantObjectTypeCodeRole=\"11\" ParticipantObjectDataLifeCycle=\"6\"",
            "<ParticipantObjectDetail type=\"sequence\" value=\"Nw==\"/>",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains('\n'));
        assert!(!found(line).to_fhir().contains('\n'));
    }

    #[test]
    fn the_server_is_the_requestor_of_what_nobody_asked_for() {
        let line = r#"{"boot":"b0","mono":1,"node":"n1","prev":"00","result":0,"seq":1,"time":0,"type":"start","v":1}"#;
        let text = found(line).to_dicom();
        assert!(text.contains("csd-code=\"110120\"") && text.contains("EventOutcomeIndicator=\"0\""), "{text}");
        assert!(text.contains("UserID=\"bindery/n1\" AlternativeUserID=\"b0\" UserIsRequestor=\"true\""), "{text}");
        assert_eq!(text.matches("<ActiveParticipant ").count(), 1);
    }
}
