//! Session tracking (draft-wahl-ldap-session): which session of its own clients a client works for. It goes into the journal and has no
//! bearing on the operation.
//!
//! ```text
//! SessionIdentifierControlValue ::= SEQUENCE {
//!     sessionSourceIp LDAPString, sessionSourceName LDAPString, formatOID LDAPOID, sessionTrackingIdentifier LDAPString }
//! ```

use super::{Controls, Value};
use crate::protocol::ber::{self, BerError, Reader};
use crate::protocol::{Control, LdapResult, oid};

/// Octets of each text that are kept: the client sends what it likes, and all of it would go into the journal.
const KEPT_OCTETS: usize = 256;
/// Controls of one request that are kept.
const KEPT_CONTROLS: usize = 2;

/// One control's content, each text cut to its first 256 octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionTracking {
    /// sessionSourceIp
    pub source_ip: String,
    /// sessionSourceName
    pub source_name: String,
    /// formatOID
    pub format: String,
    /// sessionTrackingIdentifier
    pub identifier: String,
}

impl SessionTracking {
    /// As a client sends it, never critical.
    pub fn control(&self) -> Control {
        let texts = [&self.source_ip, &self.source_name, &self.format, &self.identifier];
        let value =
            ber::encode(|writer| writer.sequence(|parts| texts.iter().for_each(|text| parts.octet_string(text.as_bytes()))));
        Control { oid: oid::SESSION_TRACKING.to_owned(), critical: false, value: Some(value) }
    }

    /// What the journal says of it, names and texts.
    pub(crate) fn details(&self) -> [(&'static str, String); 4] {
        [
            ("sessionSourceIp", self.source_ip.clone()),
            ("sessionSourceName", self.source_name.clone()),
            ("sessionFormat", self.format.clone()),
            ("sessionIdentifier", self.identifier.clone()),
        ]
    }
}

/// It may be there several times, with different formats.
pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let tracking = value.sequence(|parts| {
        Ok(SessionTracking { source_ip: text(parts)?, source_name: text(parts)?, format: text(parts)?, identifier: text(parts)? })
    })?;
    if controls.session_tracking.len() < KEPT_CONTROLS {
        controls.session_tracking.push(tracking);
    }
    Ok(())
}

fn text(parts: &mut Reader<'_>) -> Result<String, BerError> {
    let text = std::str::from_utf8(parts.octet_string()?).map_err(|_| BerError("text is not UTF-8"))?;
    let end = text.char_indices().map(|(at, character)| at + character.len_utf8()).take_while(|&end| end <= KEPT_OCTETS).last();
    Ok(text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned())
}
