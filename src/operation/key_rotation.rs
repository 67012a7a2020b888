//! The extended operation that begins a rotation of the seal key. It is answered when the new key is durable and in force; sealing anew what
//! there is goes on afterwards, and `cn=monitor` tells how far it is.
//!
//! ```text
//! requestValue:  none
//! responseValue ::= SEQUENCE { old OCTET STRING, new OCTET STRING }     the names of the keys, which say nothing of them
//! ```
//!
//! For administrators, over the Unix socket. Asked for and refused, it is recorded all the same.

use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Context, Decision, ListenerKind, record};
use crate::directory::Directory;
use crate::journal::RecordKind;
use crate::model::{ResultCode, Secret};
use crate::protocol::ber;
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// From which key to which, by their digests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeysChanged {
    /// The key before.
    pub old: String,
    /// The key in force.
    pub new: String,
}

/// A rotation on its way to the committer, to be recorded and answered.
#[derive(Debug)]
pub struct KeyRotationRequest(Result<KeysChanged, Refusal>);

impl KeyRotationRequest {
    /// What came of it; a code where it could not be begun.
    pub fn after(begun: Result<KeysChanged, ResultCode>) -> KeyRotationRequest {
        KeyRotationRequest(begun.map_err(|code| {
            let text = match code {
                ResultCode::Busy => "too many wait for the thread that rotates keys",
                ResultCode::Unavailable => "server is shutting down",
                _ => "the rotation could not be begun; the server's log says why",
            };
            Refusal::new(code, text).because("no rotation")
        }))
    }
}

/// Whether a rotation is to be begun for this; otherwise what is to be recorded and answered.
pub fn begin(directory: &Directory, context: &Context, value: Option<&Secret>) -> Result<(), KeyRotationRequest> {
    permitted(directory, context, value.is_some()).map_err(|refusal| KeyRotationRequest(Err(refusal)))
}

fn permitted(directory: &Directory, context: &Context, has_value: bool) -> Result<(), Refusal> {
    if !context.subject(directory).administrator {
        return Err(not_permitted());
    }
    if context.peer.listener != ListenerKind::Ldapi {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "keys are rotated over the server's Unix socket"));
    }
    if has_value {
        return Err(Refusal::new(ResultCode::ProtocolError, "no request data expected"));
    }
    Ok(())
}

/// What a record says of a rotation.
pub fn details(stage: &str, keys: &KeysChanged) -> Vec<(&'static str, String)> {
    vec![("stage", stage.to_owned()), ("old", keys.old.clone()), ("new", keys.new.clone())]
}

/// Records a rotation that was begun, or was not, and answers.
pub(crate) fn finish(directory: &Directory, context: &Context, request: &KeyRotationRequest) -> Decision {
    let mut record = record::of_context(directory, context, RecordKind::KeyRotation);
    let (result, extended_value) = match &request.0 {
        // The key is another one by now, whatever became of who asked.
        Ok(keys) => {
            record.details = details("begun", keys);
            let value = ber::encode(|writer| {
                writer.sequence(|parts| {
                    parts.octet_string(keys.old.as_bytes());
                    parts.octet_string(keys.new.as_bytes());
                });
            });
            (LdapResult::of(ResultCode::Success), Some(value))
        }
        Err(refusal) => {
            record.reason = Some(refusal.reason);
            (refusal.result.clone(), None)
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
