//! Records in the forms that people and tools read: columns, the fields of CSV, CEF.

use std::borrow::Cow;

use super::{ReadChange, ReadName, ReadRecord, ReadValue};
use crate::journal::shortening::left_out_text;
use crate::model::Timestamp;

/// The columns of a table.
pub const COLUMNS: [&str; 8] = ["time", "seq", "type", "result", "actor", "target", "peer", "reason"];

/// The columns of CSV: all that a record says.
pub const CSV_COLUMNS: [&str; 23] = [
    "sequence",
    "time",
    "type",
    "result",
    "reason",
    "actor",
    "actorUuid",
    "assumed",
    "target",
    "targetUuid",
    "unknownName",
    "peer",
    "tlsVersion",
    "tlsSuite",
    "certificate",
    "method",
    "factors",
    "rule",
    "session",
    "message",
    "changes",
    "effects",
    "details",
];

impl ReadRecord {
    /// When.
    pub fn moment(&self) -> String {
        Timestamp(self.time).to_rfc3339()
    }

    /// The row of a table, in the order of [`COLUMNS`].
    pub fn row(&self) -> [String; 8] {
        let target = self.target.as_ref().map(|name| name.dn.clone());
        let unknown = || self.unknown_name.as_ref().map(|name| format!("(unknown name, {} octets)", name.length));
        let missing = || "-".to_owned();
        [
            self.moment(),
            self.sequence.to_string(),
            self.kind.clone(),
            self.result.to_string(),
            self.actor.as_ref().map_or_else(missing, |name| name.dn.clone()),
            target.or_else(unknown).unwrap_or_else(missing),
            self.peer.clone().unwrap_or_else(missing),
            self.reason.clone().unwrap_or_else(missing),
        ]
    }

    /// The fields of CSV, in the order of [`CSV_COLUMNS`].
    pub fn csv_fields(&self) -> [String; 23] {
        let dn = |name: &Option<ReadName>| name.as_ref().map(|name| name.dn.clone()).unwrap_or_default();
        let uuid = |name: &Option<ReadName>| name.as_ref().and_then(|name| name.uuid.clone()).unwrap_or_default();
        let tls = |of: fn(&super::ReadTls) -> Option<String>| self.tls.as_ref().and_then(of).unwrap_or_default();
        let details =
            self.details.iter().flat_map(|(name, texts)| texts.texts().iter().map(move |text| format!("{name}={text}")));
        [
            self.sequence.to_string(),
            self.moment(),
            self.kind.clone(),
            self.result.to_string(),
            self.reason.clone().unwrap_or_default(),
            dn(&self.actor),
            uuid(&self.actor),
            dn(&self.assumed),
            dn(&self.target),
            uuid(&self.target),
            self.unknown_name.as_ref().map(|name| format!("{} ({} octets)", name.hash, name.length)).unwrap_or_default(),
            self.peer.clone().unwrap_or_default(),
            tls(|tls| Some(tls.version.clone())),
            tls(|tls| Some(tls.suite.clone())),
            tls(|tls| tls.cert.clone()),
            self.method.clone().unwrap_or_default(),
            self.factors.join(" "),
            self.rule.clone().unwrap_or_default(),
            self.session.map(|number| number.to_string()).unwrap_or_default(),
            self.message.map(|number| number.to_string()).unwrap_or_default(),
            self.changes.iter().map(change_text).collect::<Vec<_>>().join("; "),
            self.effects.iter().map(change_text).collect::<Vec<_>>().join("; "),
            details.collect::<Vec<_>>().join("; "),
        ]
    }

    /// A line of the Common Event Format, version 0.
    pub fn to_cef(&self, version: &str) -> String {
        let outcome = if self.is_failed() { "failed" } else { "done" };
        let severity = if self.is_failed() { 6 } else { 3 };
        let mut line = format!(
            "CEF:0|Bindery|Bindery|{}|{}|{} {outcome}|{severity}|",
            header(version),
            header(&self.kind),
            header(&self.kind)
        );
        let mut field = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                if !line.ends_with('|') {
                    line.push(' ');
                }
                line.push_str(&format!("{name}={}", extension(value)));
            }
        };
        field("rt", Some(&(self.time / 1000).to_string()));
        field("externalId", Some(&self.sequence.to_string()));
        field("outcome", Some(outcome));
        field("suser", self.actor.as_ref().map(|name| name.dn.as_str()));
        field("suid", self.actor.as_ref().and_then(|name| name.uuid.as_deref()));
        field("duser", self.target.as_ref().map(|name| name.dn.as_str()));
        field("duid", self.target.as_ref().and_then(|name| name.uuid.as_deref()));
        let address = self.peer_address().filter(|address| address.parse::<std::net::IpAddr>().is_ok());
        field("src", address);
        let port =
            self.peer.as_deref().filter(|_| address.is_some()).and_then(|peer| peer.rsplit_once(':')).map(|(_, port)| port);
        field("spt", port);
        field("shost", self.peer.as_deref().filter(|_| address.is_none()));
        field("reason", self.reason.as_deref());
        field("cn1Label", Some("result"));
        field("cn1", Some(&self.result.to_string()));
        if let Some(session) = self.session {
            field("cn2Label", Some("session"));
            field("cn2", Some(&session.to_string()));
        }
        if let Some(rule) = &self.rule {
            field("cs1Label", Some("rule"));
            field("cs1", Some(rule));
        }
        if !self.changes.is_empty() {
            field("cs2Label", Some("changes"));
            field("cs2", Some(&self.changes.iter().map(change_text).collect::<Vec<_>>().join("; ")));
        }
        if let Some(whole) = &self.shortened {
            field("cs3Label", Some("shortened, leaf of the whole record"));
            field("cs3", Some(&whole.leaf));
        }
        line
    }
}

/// `userPassword:= (1 not shown)`, `member:+ uid=a,ou=people`, with the other entry in front of an effect.
fn change_text(change: &ReadChange) -> String {
    let sign = match change.op.as_str() {
        "add" => '+',
        "delete" => '-',
        "increment" => '#',
        _ => '=',
    };
    let values = match (&change.values, change.redacted) {
        (Some(values), _) => values.iter().map(value_text).collect::<Vec<_>>().join(", "),
        (None, count) => format!("({} not shown)", count.unwrap_or(0)),
    };
    let of = change.dn.as_ref().map(|dn| format!("{dn} ")).unwrap_or_default();
    format!("{of}{}:{sign} {values}", change.attr)
}

fn value_text(value: &ReadValue) -> Cow<'_, str> {
    match value {
        ReadValue::Text(text) => Cow::from(text),
        ReadValue::Octets { base64 } => Cow::from(base64),
        ReadValue::LeftOut { count, octets, sha256 } => Cow::from(left_out_text(*count, *octets, sha256)),
    }
}

fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r")
}
