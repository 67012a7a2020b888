//! A record's line: one JSON object in canonical form (RFC 8785), and reading back what ties a line to its neighbours.
//!
//! Absent facts are left out. Integers only; times are microseconds since 1970; octets that are no UTF-8 are `{"base64":…}`.
//!
//! | member | content |
//! |---|---|
//! | `v` | version of this layout, 1 |
//! | `seq`, `prev` | sequence from 1 without gaps; leaf of the record before, hex |
//! | `time`, `mono`, `boot`, `node` | policy time; monotonic microseconds of the process; process incarnation; installation |
//! | `type` | `bind` `add` `modify` `delete` `modifyDn` `passwordModify` `refresh` `expire` `startTls` `start` `stop` `configuration` `initialise` `import` `export` `snapshot` `backup` `restore` `sessionEnd` `keyRotation` `journalKey` `upgrade` `journalRead` `search` `compare` `void` |
//! | `session`, `message`, `peer` | session number, messageID, address |
//! | `tls` | `version`, `suite`, `cert` (SHA-256 of the client certificate, hex) |
//! | `actor`, `target` | `uuid`, `dn`; no actor: anonymous |
//! | `assumed` | `uuid`, `dn` of the identity that the actor acted as (RFC 4370); `dn` empty: anonymous |
//! | `unknownName` | `hash` (keyed, hex) and `length` of a bind name that is no entry |
//! | `method`, `factors`, `rule` | how, by what proven, which rule or policy decided |
//! | `result`, `reason` | LDAP result code sent; why, from a fixed list, never sent |
//! | `changes` | array of `attr`, `op` (`add` `delete` `replace` `increment`) and `values` or `redacted` (how many) |
//! | `effects` | array of the same with the `dn` and `uuid` of the other entry that changed in consequence |
//! | `details` | further facts, name to text (an array of texts where a name comes more than once) |
//! | `commitment` | SHA-256(salt ‖ encoded changes of the record's frame), hex; absent where nothing changed |

use base64::Engine as _;
use serde::Deserialize;

use super::canonical::{self, Object, array};
use super::{Leaf, Named, Record, RecordKind, RecordStamp, RecordedChange, RecordedEffect, RecordedValue, TlsStamp};
use crate::model::ModificationOperation;

/// Version of the layout above.
pub const LINE_VERSION: u32 = 1;

impl RecordKind {
    /// The name in the line's `type`.
    pub fn name(self) -> &'static str {
        match self {
            RecordKind::Bind => "bind",
            RecordKind::Add => "add",
            RecordKind::Modify => "modify",
            RecordKind::Delete => "delete",
            RecordKind::ModifyDn => "modifyDn",
            RecordKind::PasswordModify => "passwordModify",
            RecordKind::StartTls => "startTls",
            RecordKind::Start => "start",
            RecordKind::Stop => "stop",
            RecordKind::Configuration => "configuration",
            RecordKind::Initialise => "initialise",
            RecordKind::Import => "import",
            RecordKind::Export => "export",
            RecordKind::Snapshot => "snapshot",
            RecordKind::Backup => "backup",
            RecordKind::KeyRotation => "keyRotation",
            RecordKind::JournalKey => "journalKey",
            RecordKind::Restore => "restore",
            RecordKind::Refresh => "refresh",
            RecordKind::Expire => "expire",
            RecordKind::Grant => "grant",
            RecordKind::Review => "review",
            RecordKind::SessionEnd => "sessionEnd",
            RecordKind::JournalRead => "journalRead",
            RecordKind::Search => "search",
            RecordKind::Compare => "compare",
            RecordKind::Alert => "alert",
            RecordKind::Clock => "clock",
            RecordKind::BreakGlass => "breakGlass",
            RecordKind::AppPassword => "appPassword",
            RecordKind::OtpEnrolment => "otpEnrolment",
            RecordKind::CredentialExposed => "credentialExposed",
            RecordKind::Upgrade => "upgrade",
            RecordKind::Emergency => "emergency",
            RecordKind::Void => "void",
        }
    }
}

impl Record {
    /// The canonical line, without a newline.
    pub fn to_line(&self, stamp: &RecordStamp<'_>) -> String {
        let mut line = Object::default();
        write_stamp(&mut line, stamp);
        line.string("type", self.kind.name());
        if let Some(session) = self.session {
            line.integer("session", session);
        }
        if let Some(message) = self.message {
            line.integer("message", message);
        }
        line.optional("peer", self.peer.as_deref());
        if let Some(tls) = &self.tls {
            line.raw("tls", &write_tls(tls));
        }
        if let Some(actor) = &self.actor {
            line.raw("actor", &write_named(actor));
        }
        if let Some(assumed) = &self.assumed {
            line.raw("assumed", &write_named(assumed));
        }
        if let Some(target) = &self.target {
            line.raw("target", &write_named(target));
        }
        if let Some((hash, length)) = &self.unknown_name {
            let length = i128::try_from(*length).unwrap_or(i128::MAX);
            line.raw("unknownName", &Object::default().string("hash", hash).integer("length", length).finish());
        }
        line.optional("method", self.method.as_deref());
        if !self.factors.is_empty() {
            line.raw("factors", &array(self.factors.iter().map(|factor| canonical::string(factor))));
        }
        line.optional("rule", self.rule.as_deref());
        line.integer("result", self.result.number());
        line.optional("reason", self.reason);
        if !self.changes.is_empty() {
            line.raw("changes", &array(self.changes.iter().map(write_change)));
        }
        if !self.effects.is_empty() {
            line.raw("effects", &array(self.effects.iter().map(write_effect)));
        }
        if !self.details.is_empty() {
            line.raw("details", &write_details(&self.details));
        }
        line.finish()
    }
}

fn write_stamp(line: &mut Object, stamp: &RecordStamp<'_>) {
    line.integer("v", LINE_VERSION)
        .integer("seq", stamp.sequence)
        .hex("prev", &stamp.previous.0)
        .integer("time", stamp.time.0)
        .integer("mono", stamp.monotonic)
        .string("boot", stamp.boot)
        .string("node", stamp.node);
    if let Some(commitment) = &stamp.commitment {
        line.hex("commitment", commitment);
    }
}

fn write_tls(tls: &TlsStamp) -> String {
    Object::default()
        .string("version", &tls.version)
        .string("suite", &tls.suite)
        .optional("cert", tls.certificate.as_deref())
        .finish()
}

fn write_named(named: &Named) -> String {
    Object::default().string("dn", &named.dn).optional("uuid", named.uuid.as_deref()).finish()
}

fn write_change(change: &RecordedChange) -> String {
    change_object(change).finish()
}

fn write_effect(effect: &RecordedEffect) -> String {
    let mut object = change_object(&effect.change);
    object.string("dn", &effect.entry.dn).optional("uuid", effect.entry.uuid.as_deref()).finish()
}

fn change_object(change: &RecordedChange) -> Object {
    let operation = match change.operation {
        ModificationOperation::Add => "add",
        ModificationOperation::Delete => "delete",
        ModificationOperation::Replace => "replace",
        ModificationOperation::Increment => "increment",
    };
    let mut object = Object::default();
    object.string("attr", &change.attribute).string("op", operation);
    match &change.values {
        RecordedValue::Shown(values) => object.raw("values", &array(values.iter().map(|value| write_octets(value)))),
        RecordedValue::Redacted(count) => object.integer("redacted", i128::try_from(*count).unwrap_or(i128::MAX)),
    };
    object
}

fn write_octets(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => canonical::string(text),
        Err(_) => Object::default().string("base64", &base64::engine::general_purpose::STANDARD.encode(octets)).finish(),
    }
}

fn write_details(details: &[(&'static str, String)]) -> String {
    // Many facts share few names.
    let mut named: Vec<(&'static str, Vec<String>)> = Vec::new();
    for (name, text) in details {
        let text = canonical::string(text);
        match named.iter_mut().find(|(known, _)| known == name) {
            Some((_, texts)) => texts.push(text),
            None => named.push((name, vec![text])),
        }
    }
    let mut object = Object::default();
    for (name, texts) in named {
        match <[String; 1]>::try_from(texts) {
            Ok([text]) => object.raw(name, &text),
            Err(texts) => object.raw(name, &array(texts.into_iter())),
        };
    }
    object.finish()
}

/// What ties a line to its neighbours and to its changes, read back from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineStamp {
    /// Sequence number.
    pub sequence: u64,
    /// Leaf of the record before.
    pub previous: Leaf,
    /// Policy time in microseconds.
    pub time: i64,
    /// Commitment to the changes, if there are any.
    pub commitment: Option<[u8; 32]>,
}

#[derive(Deserialize)]
struct RawStamp<'a> {
    v: u32,
    seq: u64,
    #[serde(borrow)]
    prev: std::borrow::Cow<'a, str>,
    time: i64,
    #[serde(borrow)]
    commitment: Option<std::borrow::Cow<'a, str>>,
}

impl LineStamp {
    /// Reads a line; none where it is no record of a version this program knows.
    pub fn parse(line: &str) -> Option<LineStamp> {
        let raw: RawStamp<'_> = serde_json::from_str(line).ok()?;
        if raw.v != LINE_VERSION {
            return None;
        }
        let commitment = match raw.commitment {
            Some(text) => Some(hex_to_32(&text)?),
            None => None,
        };
        Some(LineStamp { sequence: raw.seq, previous: Leaf(hex_to_32(&raw.prev)?), time: raw.time, commitment })
    }
}

/// Lower-case hexadecimal.
pub fn to_hex(octets: &[u8]) -> String {
    let mut text = String::new();
    canonical::write_hex(&mut text, octets);
    text
}

pub(super) fn hex_to_32(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect::<Option<_>>()?;
    let octets: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| (octet << 4) | digit)).collect();
    if text.len() == 64 { octets.try_into().ok() } else { None }
}
