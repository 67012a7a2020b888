//! A record in the terms of healthcare's audit trails: what DICOM PS3.15 A.5 and FHIR's AuditEvent have in common. `schema/JOURNAL.md` has the
//! table of types.

use super::query::{FoundRecord, ReadName, ReadRecord};

/// A code of DICOM's own terminology (DCM) or of another table, and its words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Code {
    pub(super) code: &'static str,
    pub(super) words: &'static str,
}

const fn code(code: &'static str, words: &'static str) -> Code {
    Code { code, words }
}

const APPLICATION_ACTIVITY: Code = code("110100", "Application Activity");
const AUDIT_LOG_USED: Code = code("110101", "Audit Log Used");
const EXPORT: Code = code("110106", "Export");
const IMPORT: Code = code("110107", "Import");
const QUERY: Code = code("110112", "Query");
const SECURITY_ALERT: Code = code("110113", "Security Alert");
const USER_AUTHENTICATION: Code = code("110114", "User Authentication");

const APPLICATION_START: Code = code("110120", "Application Start");
const APPLICATION_STOP: Code = code("110121", "Application Stop");
const LOGIN: Code = code("110122", "Login");
const LOGOUT: Code = code("110123", "Logout");
const NODE_AUTHENTICATION: Code = code("110126", "Node Authentication");
const EMERGENCY_OVERRIDE_STARTED: Code = code("110127", "Emergency Override Started");
const SECURITY_CONFIGURATION: Code = code("110129", "Security Configuration");
const USE_OF_RESTRICTED_FUNCTION: Code = code("110132", "Use of Restricted Function");
const AUDIT_RECORDING_STOPPED: Code = code("110133", "Audit Recording Stopped");
const SECURITY_ROLES_CHANGED: Code = code("110136", "Security Roles Changed");
const USER_SECURITY_ATTRIBUTES_CHANGED: Code = code("110137", "User Security Attributes Changed");

/// Attributes whose change gives or takes a role.
const MEMBERSHIPS: [&str; 5] = ["member", "uniquemember", "memberuid", "memberof", "roleoccupant"];
/// Result codes by which the server itself failed, not the request: RFC 4511's operationsError, adminLimitExceeded, busy, unavailable, other.
const SERIOUS: [u32; 5] = [1, 11, 51, 52, 80];

/// What a record is in these terms.
pub(super) struct AuditEvent<'a> {
    pub(super) record: &'a ReadRecord,
    pub(super) event: Code,
    /// What kind of that event.
    pub(super) kind: Option<Code>,
    /// C, R, U, D or E.
    pub(super) action: &'static str,
    /// 0 success, 4 minor failure, 8 serious failure.
    pub(super) outcome: &'static str,
    /// Why, where it failed.
    pub(super) outcome_text: Option<String>,
    /// Who asked for it.
    pub(super) requestor: Requestor,
    /// What it was done to.
    pub(super) target: Option<Target>,
    /// Name and text of everything else that the record says.
    pub(super) details: Vec<(String, String)>,
    /// The record's leaf, hexadecimal: what proofs and checkpoints know it by.
    pub(super) leaf: String,
}

/// Who asked for something.
pub(super) struct Requestor {
    /// A DN, `anonymous`, `unknown name HASH`, or the server itself.
    pub(super) name: String,
    pub(super) uuid: Option<String>,
    /// An address of the network; none: the machine itself.
    pub(super) address: Option<String>,
    /// Whether it is a client, and not the server itself.
    pub(super) is_client: bool,
}

/// What something was done to.
pub(super) struct Target {
    pub(super) name: String,
    /// A URI: `urn:uuid:…`, or `ldap:///…` where there was no entry.
    pub(super) uri: String,
    /// 11 security user entity, 12 security user group, 13 security resource.
    pub(super) role: &'static str,
    /// 1 creation, 3 amendment, 6 use, 15 erasure.
    pub(super) life_cycle: &'static str,
}

impl AuditEvent<'_> {
    /// Of a record.
    pub(super) fn of(found: &FoundRecord) -> AuditEvent<'_> {
        let record = &found.record;
        let (event, kind, action) = classify(record);
        let outcome = match record.is_failed() {
            false => "0",
            true if SERIOUS.contains(&record.result) => "8",
            true => "4",
        };
        let reason = record.reason.as_deref().unwrap_or("refused");
        AuditEvent {
            record,
            event,
            kind,
            action,
            outcome,
            outcome_text: record.is_failed().then(|| format!("{reason} (result {})", record.result)),
            requestor: requestor(record),
            target: record.target.as_ref().map(|name| target(record, name, action)),
            details: details(record),
            leaf: found.leaf().to_hex(),
        }
    }

    /// The server as a participant: its installation.
    pub(super) fn server(&self) -> String {
        format!("bindery/{}", self.record.node)
    }
}

fn classify(record: &ReadRecord) -> (Code, Option<Code>, &'static str) {
    match record.kind.as_str() {
        "bind" => (USER_AUTHENTICATION, Some(LOGIN), "E"),
        "sessionEnd" => (USER_AUTHENTICATION, Some(LOGOUT), "E"),
        "startTls" => (SECURITY_ALERT, Some(NODE_AUTHENTICATION), "E"),
        "start" => (APPLICATION_ACTIVITY, Some(APPLICATION_START), "E"),
        "stop" => (APPLICATION_ACTIVITY, Some(APPLICATION_STOP), "E"),
        "add" => (SECURITY_ALERT, Some(change(record)), "C"),
        "modify" | "modifyDn" | "passwordModify" | "refresh" => (SECURITY_ALERT, Some(change(record)), "U"),
        "grant" | "review" => (SECURITY_ALERT, Some(SECURITY_ROLES_CHANGED), "U"),
        "appPassword" | "otpEnrolment" => (SECURITY_ALERT, Some(USER_SECURITY_ATTRIBUTES_CHANGED), "U"),
        "delete" | "expire" => (SECURITY_ALERT, Some(change(record)), "D"),
        "search" | "compare" => (QUERY, None, "E"),
        "journalRead" => (AUDIT_LOG_USED, None, "R"),
        "export" | "backup" | "snapshot" => (EXPORT, None, "R"),
        "import" => (IMPORT, None, "C"),
        "restore" => (IMPORT, None, "U"),
        "breakGlass" | "emergency" => (SECURITY_ALERT, Some(EMERGENCY_OVERRIDE_STARTED), "E"),
        "alert" | "credentialExposed" => (SECURITY_ALERT, Some(USE_OF_RESTRICTED_FUNCTION), "E"),
        "void" => (SECURITY_ALERT, Some(AUDIT_RECORDING_STOPPED), "E"),
        // Configuration, keys, clock, upgrade, and what later versions record of the installation.
        _ => (SECURITY_ALERT, Some(SECURITY_CONFIGURATION), "U"),
    }
}

fn change(record: &ReadRecord) -> Code {
    let is_membership = |attribute: &str| {
        let name = attribute.split(';').next().unwrap_or_default().to_lowercase();
        MEMBERSHIPS.contains(&name.as_str())
    };
    let target = record.target.as_ref().map(|name| name.dn.to_lowercase()).unwrap_or_default();
    if target.contains("ou=policies,") {
        SECURITY_CONFIGURATION
    } else if record.changes.iter().chain(&record.effects).any(|change| is_membership(&change.attr)) {
        SECURITY_ROLES_CHANGED
    } else {
        USER_SECURITY_ATTRIBUTES_CHANGED
    }
}

fn requestor(record: &ReadRecord) -> Requestor {
    let address = record.peer_address().filter(|address| address.parse::<std::net::IpAddr>().is_ok()).map(str::to_owned);
    let (name, uuid) = match (&record.actor, &record.unknown_name, &record.peer, &record.target) {
        (Some(actor), ..) => (actor.dn.clone(), actor.uuid.clone()),
        (None, Some(unknown), ..) => (format!("unknown name {}", unknown.hash), None),
        // Who tries to log in is the one who is to be authenticated.
        (None, None, Some(_), Some(target)) if record.kind == "bind" => (target.dn.clone(), target.uuid.clone()),
        (None, None, Some(_), _) => ("anonymous".to_owned(), None),
        (None, None, None, _) => (format!("bindery/{}", record.node), None),
    };
    let name = if name.is_empty() { "anonymous".to_owned() } else { name };
    Requestor { name, uuid, address, is_client: record.peer.is_some() || record.actor.is_some() }
}

fn target(record: &ReadRecord, name: &ReadName, action: &str) -> Target {
    let is_group = record.changes.iter().any(|change| change.attr.to_lowercase().contains("member"));
    let is_policy = name.dn.to_lowercase().contains("ou=policies,");
    let uri = match &name.uuid {
        Some(uuid) => format!("urn:uuid:{uuid}"),
        None => format!("ldap:///{}", percent_encoded(&name.dn)),
    };
    Target {
        name: if name.dn.is_empty() { "root DSE".to_owned() } else { name.dn.clone() },
        uri,
        role: if is_policy {
            "13"
        } else if is_group {
            "12"
        } else {
            "11"
        },
        life_cycle: match action {
            "C" => "1",
            "U" => "3",
            "D" => "15",
            _ => "6",
        },
    }
}

/// What has no place of its own in either form; values that the journal does not show are not there.
fn details(record: &ReadRecord) -> Vec<(String, String)> {
    let own = ["time", "type", "actor", "actorUuid", "target", "targetUuid", "reason"];
    let fields = record.csv_fields();
    let named = super::query::CSV_COLUMNS.iter().zip(fields);
    let named = named.filter(|(name, value)| !value.is_empty() && !own.contains(name));
    named.map(|(name, value)| ((*name).to_owned(), value)).collect()
}

/// RFC 3986 section 2: all but what stands for itself.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~=,".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

/// Without characters that XML 1.0 and FHIR's strings cannot have, and not empty.
pub(super) fn clean(text: &str) -> String {
    let is_fit = |character: char| !character.is_control() && !matches!(character, '\u{fffe}' | '\u{ffff}');
    let text: String = text.chars().map(|character| if is_fit(character) { character } else { '\u{fffd}' }).collect();
    if text.trim().is_empty() { "-".to_owned() } else { text }
}
