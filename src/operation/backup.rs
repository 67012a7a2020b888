//! The extended operation that a backup begins with: a fresh snapshot is taken, and its name told, so that the command can copy sealed files
//! and nobody sends the directory over a socket.
//!
//! ```text
//! requestValue:  none
//! responseValue ::= SEQUENCE { snapshot OCTET STRING, sequence INTEGER, time OCTET STRING }     time: GeneralizedTime
//! ```
//!
//! For administrators, over the Unix socket. Asked for and refused, it is recorded all the same.

use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Context, Decision, ListenerKind, record};
use crate::directory::Directory;
use crate::journal::RecordKind;
use crate::model::{ResultCode, Secret, Timestamp};
use crate::protocol::ber;
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// A snapshot that was taken for a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupSnapshot {
    /// File name in `data/snapshots`.
    pub name: String,
    /// What it holds.
    pub sequence: u64,
    /// Policy time of that sequence.
    pub time: Timestamp,
    /// Digest of the content, hex.
    pub digest: String,
}

/// A backup on its way to the committer, to be recorded and answered.
#[derive(Debug)]
pub struct BackupRequest(Result<BackupSnapshot, Refusal>);

impl BackupRequest {
    /// What came of the snapshot that was asked for; a code where there is none.
    pub fn after(taken: Result<BackupSnapshot, ResultCode>) -> BackupRequest {
        BackupRequest(taken.map_err(|code| {
            let text = match code {
                ResultCode::Busy => "too many backups wait for a snapshot",
                ResultCode::Unavailable => "server is shutting down",
                _ => "a snapshot could not be taken; the server's log says why",
            };
            Refusal::new(code, text).because("no snapshot")
        }))
    }
}

/// Whether a snapshot is to be taken for this; otherwise what is to be recorded and answered.
pub fn begin(directory: &Directory, context: &Context, value: Option<&Secret>) -> Result<(), BackupRequest> {
    permitted(directory, context, value.is_some()).map_err(|refusal| BackupRequest(Err(refusal)))
}

fn permitted(directory: &Directory, context: &Context, has_value: bool) -> Result<(), Refusal> {
    if !context.subject(directory).administrator {
        return Err(not_permitted());
    }
    if context.peer.listener != ListenerKind::Ldapi {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "backups begin over the server's Unix socket"));
    }
    if has_value {
        return Err(Refusal::new(ResultCode::ProtocolError, "no request data expected"));
    }
    Ok(())
}

/// Records a backup and answers it, if it is still permitted.
pub(crate) fn finish(directory: &Directory, context: &Context, request: &BackupRequest) -> Decision {
    let mut record = record::of_context(directory, context, RecordKind::Backup);
    let outcome = match &request.0 {
        Ok(snapshot) => permitted(directory, context, false).map(|()| snapshot),
        Err(refusal) => Err(Refusal { result: refusal.result.clone(), reason: refusal.reason }),
    };
    let (result, extended_value) = match outcome {
        Ok(snapshot) => {
            record.details.push(("name", snapshot.name.clone()));
            record.details.push(("sequence", snapshot.sequence.to_string()));
            record.details.push(("digest", snapshot.digest.clone()));
            let value = ber::encode(|writer| {
                writer.sequence(|parts| {
                    parts.octet_string(snapshot.name.as_bytes());
                    parts.integer(i64::try_from(snapshot.sequence).unwrap_or(i64::MAX));
                    parts.octet_string(snapshot.time.to_generalized_time_micros().as_bytes());
                });
            });
            (LdapResult::of(ResultCode::Success), Some(value))
        }
        Err(refusal) => {
            record.reason = Some(refusal.reason);
            (refusal.result, None)
        }
    };
    record.result = result.code;
    let reply = Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: None,
        extended_value,
        controls: Vec::new(),
    };
    Decision { reply, changes: Vec::new(), record, preceding: Vec::new(), identity: None }
}
