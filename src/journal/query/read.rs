//! A record as read back from its line.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A record read back. What its line leaves out is none or empty.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReadRecord {
    /// Sequence number.
    #[serde(rename = "seq")]
    pub sequence: u64,
    /// Policy time, microseconds since 1970.
    pub time: i64,
    /// The installation.
    pub node: String,
    /// Process incarnation, hex.
    pub boot: String,
    /// What it is about, see [`crate::journal::RecordKind::name`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Session number.
    pub session: Option<u64>,
    /// messageID.
    pub message: Option<i32>,
    /// Peer address with its port, `ldapi uid=…` or `local uid=…`.
    pub peer: Option<String>,
    /// TLS, when there was any.
    pub tls: Option<ReadTls>,
    /// Who did it; none: anonymous.
    pub actor: Option<ReadName>,
    /// Whom the actor did it as.
    pub assumed: Option<ReadName>,
    /// What it was done to.
    pub target: Option<ReadName>,
    /// A bind name that is no entry.
    #[serde(rename = "unknownName")]
    pub unknown_name: Option<ReadUnknownName>,
    /// How who did it had logged in.
    pub method: Option<String>,
    /// Factors proven.
    #[serde(default)]
    pub factors: Vec<String>,
    /// The rule or policy that decided.
    pub rule: Option<String>,
    /// Result code.
    pub result: u32,
    /// Why.
    pub reason: Option<String>,
    /// What changed or would have changed.
    #[serde(default)]
    pub changes: Vec<ReadChange>,
    /// What changed elsewhere in consequence.
    #[serde(default)]
    pub effects: Vec<ReadChange>,
    /// Further facts.
    #[serde(default)]
    pub details: BTreeMap<String, ReadTexts>,
    /// Of a record that was made shorter for who takes no larger one.
    pub shortened: Option<ReadShortened>,
}

/// What the whole record is known by.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReadShortened {
    /// Its leaf, hexadecimal.
    pub leaf: String,
    /// Octets of its line.
    pub octets: u64,
}

/// TLS of a record.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReadTls {
    /// `TLSv1.3`
    pub version: String,
    /// Cipher suite.
    pub suite: String,
    /// SHA-256 of the client certificate, hex.
    pub cert: Option<String>,
}

/// An entry in a record.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReadName {
    /// As spelled at the time.
    pub dn: String,
    /// entryUUID.
    pub uuid: Option<String>,
}

/// A bind name that is no entry.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReadUnknownName {
    /// Keyed hash, hex.
    pub hash: String,
    /// Octets.
    pub length: u64,
}

/// A change of an attribute, in the target or (an effect) elsewhere.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReadChange {
    /// Attribute description.
    pub attr: String,
    /// `add` `delete` `replace` `increment`
    pub op: String,
    /// The values, where they are shown.
    pub values: Option<Vec<ReadValue>>,
    /// How many there were, where they are not.
    pub redacted: Option<u64>,
    /// The entry of an effect.
    pub dn: Option<String>,
    /// Its entryUUID.
    pub uuid: Option<String>,
}

/// A value: text, or octets that are none.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(untagged)]
pub enum ReadValue {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Octets {
        /// The octets.
        base64: String,
    },
    /// One value, or several, left out where a record was made shorter.
    LeftOut {
        /// How many, where they are several.
        count: Option<u64>,
        /// Of the value; of several: of their JSON array.
        octets: u64,
        /// Of the same, hexadecimal.
        sha256: String,
    },
}

/// One text or several under one name.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(untagged)]
pub enum ReadTexts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl ReadTexts {
    /// All of them.
    pub fn texts(&self) -> &[String] {
        match self {
            ReadTexts::One(text) => std::slice::from_ref(text),
            ReadTexts::Several(texts) => texts,
        }
    }
}

impl ReadRecord {
    /// Reads a line; none where it is no record.
    pub fn parse(line: &str) -> Option<ReadRecord> {
        serde_json::from_str(line).ok()
    }

    /// A further fact: its first text.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.get(name)?.texts().first().map(String::as_str)
    }

    /// Whether it is about an entry at or below one of these names, or changed one by the way. `names`: in lower case, as they are usually
    /// written.
    pub fn is_below(&self, names: &[String]) -> bool {
        let target = self.target.as_ref().map(|target| target.dn.as_str());
        let all = target.into_iter().chain(self.effects.iter().filter_map(|effect| effect.dn.as_deref()));
        let is_below = |dn: &str, name: &String| {
            let dn = dn.to_lowercase();
            dn.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with(','))
        };
        all.into_iter().any(|dn| names.iter().any(|name| is_below(dn, name)))
    }

    /// Whether it says that something was refused or failed.
    pub fn is_failed(&self) -> bool {
        // success, compareFalse, compareTrue, saslBindInProgress
        !matches!(self.result, 0 | 5 | 6 | 14)
    }

    /// The peer without its port.
    pub fn peer_address(&self) -> Option<&str> {
        self.peer.as_deref().map(without_port)
    }
}

/// `10.1.2.3:50123` and `[::1]:50123` without their port; anything else as it is.
fn without_port(peer: &str) -> &str {
    if let Some(rest) = peer.strip_prefix('[') {
        return rest.split_once(']').map_or(peer, |(address, _)| address);
    }
    match peer.rsplit_once(':') {
        Some((address, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => address,
        _ => peer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_told_without_its_port() {
        for (peer, address) in
            [("127.0.0.1:50123", "127.0.0.1"), ("[2001:db8::1]:389", "2001:db8::1"), ("ldapi uid=0", "ldapi uid=0"), ("", "")]
        {
            assert_eq!(without_port(peer), address);
        }
    }
}
