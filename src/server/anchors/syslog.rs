//! Checkpoints as syslog messages over TLS: the collector writes them down where root on this machine cannot take them back.
//!
//! ```text
//! <109>1 TIME HOST bindery - checkpoint - {"checkpoint":"bindery.journal/…\n4711\n…"}
//! ```

use super::Anchor;
use crate::config::SyslogAnchorSettings;
use crate::journal::SignedTreeHead;
use crate::journal::syslog::counted;
use crate::server::outbound::TlsPeer;

/// Facility 13 (log audit), severity 5 (notice).
const PRIORITY: u8 = 13 * 8 + 5;
/// What stands in front of the note in JSON.
const MEMBER: &str = "{\"checkpoint\":";

/// A collector.
pub(super) struct Collector {
    pub(super) settings: SyslogAnchorSettings,
    pub(super) host: String,
}

impl Anchor for Collector {
    fn place(&self) -> String {
        format!("the collector {}:{}", self.settings.peer.host, self.settings.peer.port)
    }

    fn anchor(&mut self, head: &SignedTreeHead) -> Result<(), String> {
        let message = counted(&message(head, &self.host));
        let send = || -> std::io::Result<()> {
            let mut peer = TlsPeer::connect(&self.settings.peer)?;
            peer.send(message.as_bytes())?;
            peer.finish(self.settings.needs_close_notify)
        };
        send().map_err(|error| error.to_string())
    }
}

fn message(head: &SignedTreeHead, host: &str) -> String {
    let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
    let host = if host.is_empty() { "-" } else { &host };
    // The dash in front of a signature is not ASCII: RFC 5424 section 6.4 wants the mark.
    let note = serde_json::Value::from(head.note.as_str());
    format!("<{PRIORITY}>1 {} {host} bindery - checkpoint - \u{feff}{MEMBER}{note}}}", head.head.time.to_rfc3339())
}

/// The checkpoint in a line that a collector wrote down, however it wrote the rest.
pub(super) fn collected(line: &str) -> Option<SignedTreeHead> {
    let json = line.get(line.find(MEMBER)?..)?;
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>();
    let value = values.next()?.ok()?;
    SignedTreeHead::parse(value.get("checkpoint")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::TreeHead;
    use crate::journal::note::SigningKey;
    use crate::model::Timestamp;

    #[test]
    fn a_checkpoint_is_found_in_what_a_collector_wrote_down() {
        let key = SigningKey::of_seed("bindery.journal/n", &[1; 32]).unwrap();
        let head = TreeHead { origin: "bindery.journal/n".to_owned(), size: 4, root: [3; 32], time: Timestamp(1) }.sign(&key);
        let sent = message(&head, "ldap1");
        assert!(
            sent.starts_with("<109>1 1970-01-01T00:00:00.000001Z ldap1 bindery - checkpoint - \u{feff}{\"checkpoint\":\"bindery")
        );
        assert!(!sent.contains('\n'));
        assert_eq!(collected(&format!("Nov 22 ldap1 {sent} and more")), Some(head));
        assert_eq!(collected("{\"checkpoint\":7}"), None);
        assert_eq!(collected(""), None);
    }
}
