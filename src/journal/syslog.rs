//! Records as syslog messages (RFC 5424), and how messages follow each other on a connection (RFC 5425 section 4.3).
//!
//! ```text
//! <108>1 2026-11-22T10:15:00.000123Z HOST bindery BOOT bind [record@32473 seq="7" …][origin …] BOM text
//! ```

use super::query::{CSV_COLUMNS, FoundRecord, ReadRecord};

/// Facility of RFC 5424: log audit.
const FACILITY: u8 = 13;
/// That of IHE ATNA: security and authorization (ITI TF-2 section 3.20.4.1.2.1).
const ATNA_FACILITY: u8 = 10;
/// MSGID of messages in DICOM's schema (PS3.15 section A.6).
const ATNA_ID: &str = "DICOM+RFC3881";
const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;
/// What RFC 5612 keeps for examples: in the names of structured data until an organisation gives its own.
pub const EXAMPLE_ENTERPRISE: u32 = 32_473;
/// Octets of a message that every receiver takes (RFC 5425 section 4.3.1).
pub const SHORTEST_LIMIT: usize = 2048;
/// RFC 5424 section 6.4: in front of text that is UTF-8 and not ASCII alone.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Types of records that tell of the installation rather than of a client.
const ADMINISTRATION: [&str; 14] = [
    "start",
    "stop",
    "configuration",
    "initialise",
    "import",
    "export",
    "backup",
    "restore",
    "keyRotation",
    "journalKey",
    "journalRead",
    "upgrade",
    "clock",
    "void",
];

/// What a message carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyslogForm {
    /// The record's own line.
    Json,
    /// A line of the Common Event Format.
    Cef,
    /// Structured data, and a sentence.
    StructuredData,
    /// An audit message of DICOM PS3.15 A.5, as IHE ATNA's ITI-20 sends it.
    Dicom,
}

/// Who sends messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyslogSender {
    /// This machine; empty: the installation's number stands there.
    pub host: String,
    /// Of this program.
    pub version: &'static str,
    /// Number of the organisation that names structured data (RFC 5424 section 7.2.2).
    pub enterprise: u32,
}

impl SyslogSender {
    /// The message of a record.
    pub fn message(&self, found: &FoundRecord, form: SyslogForm) -> String {
        let FoundRecord { record, line } = found;
        let priority = FACILITY * 8 + severity(record);
        let plain = |text: String| self.assemble(priority, record, &record.kind, "-", &text, !text.is_ascii());
        match form {
            SyslogForm::Json => plain(line.clone()),
            SyslogForm::Cef => plain(without_controls(&record.to_cef(self.version))),
            SyslogForm::StructuredData => {
                let text = without_controls(&sentence(record));
                self.assemble(priority, record, &record.kind, &self.structured_data(found), &text, !text.is_ascii())
            }
            SyslogForm::Dicom => {
                let priority = ATNA_FACILITY * 8 + if record.is_failed() { WARNING } else { NOTICE };
                self.assemble(priority, record, ATNA_ID, "-", &found.to_dicom(), true)
            }
        }
    }

    /// The message of a record, of at most so many octets: where it would be longer, of as much of the record as goes in. Every record fits
    /// [`SHORTEST_LIMIT`].
    pub fn message_within(&self, found: &FoundRecord, form: SyslogForm, largest: usize) -> String {
        let mut message = self.message(found, form);
        let mut shorter = if message.len() > largest { Some(found.shortened()) } else { None };
        while message.len() > largest
            && let Some(found) = shorter.as_mut().and_then(Iterator::next)
        {
            message = self.message(&found, form);
        }
        message
    }

    fn assemble(&self, priority: u8, record: &ReadRecord, id: &str, data: &str, text: &str, is_marked: bool) -> String {
        let host = if self.host.is_empty() { &record.node } else { &self.host };
        let (host, process, id) = (word(host, 255), word(&record.boot, 128), word(id, 32));
        let mark = if is_marked { BYTE_ORDER_MARK.to_string() } else { String::new() };
        format!("<{priority}>1 {} {host} bindery {process} {id} {data} {mark}{text}", record.moment())
    }

    fn structured_data(&self, found: &FoundRecord) -> String {
        let FoundRecord { record, .. } = found;
        let mut data = format!("[record@{}", self.enterprise);
        let fields = record.csv_fields();
        let named = CSV_COLUMNS.iter().zip(fields.iter()).filter(|(_, value)| !value.is_empty());
        for (name, value) in named {
            data.push_str(&format!(" {name}=\"{}\"", parameter(value)));
        }
        let leaf = found.leaf().to_hex();
        data.push_str(&format!(" node=\"{}\" leaf=\"{leaf}\"]", parameter(&record.node)));
        data.push_str(&format!("[origin software=\"bindery\" swVersion=\"{}\"]", parameter(self.version)));
        data
    }
}

/// RFC 5425 section 4.3: the message's length in octets goes before it.
pub fn counted(message: &str) -> String {
    format!("{} {message}", message.len())
}

fn severity(record: &ReadRecord) -> u8 {
    let kind = record.kind.as_str();
    if record.is_failed() || kind == "alert" || kind == "breakGlass" {
        WARNING
    } else if ADMINISTRATION.contains(&kind) {
        NOTICE
    } else {
        INFORMATIONAL
    }
}

/// `bind failed: uid=a,… from 10.1.2.3:50123, wrong password`
fn sentence(record: &ReadRecord) -> String {
    let outcome = if record.is_failed() { "failed" } else { "done" };
    let who = record.actor.as_ref().map_or("nobody", |name| name.dn.as_str());
    let target = record.target.as_ref().map(|name| format!(" on {}", name.dn)).unwrap_or_default();
    let peer = record.peer.as_ref().map(|peer| format!(" from {peer}")).unwrap_or_default();
    let reason = record.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    format!("{} {outcome}: by {who}{target}{peer}{reason}", record.kind)
}

/// PRINTUSASCII of a limited length; nothing is the NILVALUE.
fn word(text: &str, longest: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// RFC 5424 section 6.3.3.
fn parameter(value: &str) -> String {
    without_controls(value).replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// No value begins a line of its own in a collector's file.
fn without_controls(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"actor":{"dn":"uid=zoë,dc=x","uuid":"AAAA"},"boot":"b0","mono":1,"node":"n1","peer":"10.1.2.3:4711","prev":"00","reason":"wrong \"pass]word\"\n\\","result":49,"seq":7,"session":3,"time":1000,"type":"bind","v":1}"#;

    fn found(line: &str) -> FoundRecord {
        FoundRecord { record: ReadRecord::parse(line).unwrap(), line: line.to_owned() }
    }

    fn sender() -> SyslogSender {
        SyslogSender { host: "ldap1.hospital.example".to_owned(), version: "1.2", enterprise: EXAMPLE_ENTERPRISE }
    }

    #[test]
    fn a_message_has_the_header_of_rfc_5424_and_a_mark_where_its_text_is_not_ascii() {
        let json = sender().message(&found(LINE), SyslogForm::Json);
        let front = "<108>1 1970-01-01T00:00:00.001000Z ldap1.hospital.example bindery b0 bind - ";
        assert_eq!(json, format!("{front}\u{feff}{LINE}"));
        let ascii = LINE.replace('ë', "e").replace("\"result\":49", "\"result\":0");
        let json = sender().message(&found(&ascii), SyslogForm::Json);
        assert_eq!(json, format!("{}{ascii}", front.replace("<108>", "<110>")));
        let nobody = SyslogSender { host: String::new(), ..sender() };
        assert!(
            nobody
                .message(&found(&ascii), SyslogForm::Cef)
                .starts_with("<110>1 1970-01-01T00:00:00.001000Z n1 bindery b0 bind - CEF:0|")
        );
        let start = ascii.replace("\"bind\"", "\"start\"");
        assert!(sender().message(&found(&start), SyslogForm::Json).starts_with("<109>1 "));
        assert!(sender().message(&found(&start.replace("start", "alert")), SyslogForm::Json).starts_with("<108>1 "));
    }

    #[test]
    fn structured_data_escapes_what_would_end_it_and_says_which_leaf_it_is() {
        let message = sender().message(&found(LINE), SyslogForm::StructuredData);
        let (_, data) = message.split_once(" bind ").unwrap();
        assert!(
            data.starts_with("[record@32473 sequence=\"7\" time=\"1970-01-01T00:00:00.001000Z\" type=\"bind\" result=\"49\" "),
            "{data}"
        );
        assert!(data.contains("reason=\"wrong \\\"pass\\]word\\\"\u{fffd}\\\\\" actor=\"uid=zoë,dc=x\""), "{data}");
        assert!(data.contains(&format!("leaf=\"{}\"][origin software=\"bindery\" swVersion=\"1.2\"] \u{feff}bind failed: by uid=zoë,dc=x from 10.1.2.3:4711", found(LINE).leaf().to_hex())), "{data}");
        assert!(!message.contains('\n'));
    }

    #[test]
    fn an_audit_message_has_the_facility_and_the_id_of_atna_and_always_a_mark() {
        let message = sender().message(&found(LINE), SyslogForm::Dicom);
        let front = "<84>1 1970-01-01T00:00:00.001000Z ldap1.hospital.example bindery b0 DICOM+RFC3881 - \u{feff}<AuditMessage>";
        assert!(message.starts_with(front) && message.ends_with("</AuditMessage>"), "{message}");
        let good = LINE.replace("\"result\":49", "\"result\":0");
        assert!(sender().message(&found(&good), SyslogForm::Dicom).starts_with("<85>1 "));
    }

    #[test]
    fn words_and_counts_are_of_octets() {
        assert_eq!((word("a b\u{e9}c", 2), word("\n", 9)), ("ab".to_owned(), "-".to_owned()));
        assert_eq!(counted("zoë"), "4 zoë");
    }
}
