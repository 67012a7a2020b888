//! Cancel (RFC 3909): as Abandon, but both operations are answered.
//!
//! | what is cancelled is | it answers | Cancel answers |
//! |---|---|---|
//! | not there, abandoned or answered | – | 119 |
//! | a bind | itself | 121 |
//! | with the committer | itself | 120 |
//! | a search, or with the hash pool | 118 | 0 |

use super::begin::several;
use super::operations::Cancelled;
use super::{Action, Phase, Session};
use crate::model::{ResultCode, Secret};
use crate::operation::extended::cancelled_operation;
use crate::protocol::{LdapResult, MessageId, Reply, ResponseKind};

impl Session {
    /// Answered at once, so it takes no place among the operations and can be served when those are full.
    pub(super) fn cancel(&mut self, id: MessageId, value: Option<&Secret>) -> Action {
        let answer = |result| Action::Reply(id, vec![Reply::result(ResponseKind::Extended, result)]);
        let target = match cancelled_operation(value) {
            Ok(target) => target,
            Err(result) => return answer(result),
        };
        if matches!(&self.phase, Phase::BindWaits(bind) if bind.context.message == target) {
            return answer(LdapResult::of(ResultCode::CannotCancel));
        }
        match self.operations.cancel(target) {
            Cancelled::Ended(kind) => {
                let cancelled = Reply::result(kind, LdapResult::of(ResultCode::Canceled));
                let dropped = if kind == ResponseKind::SearchDone { Action::Abandon(target) } else { Action::Nothing };
                several(vec![dropped, Action::Reply(target, vec![cancelled]), answer(LdapResult::of(ResultCode::Success))])
            }
            Cancelled::Unknown => answer(LdapResult::with(ResultCode::NoSuchOperation, "message ID not found")),
            Cancelled::Committing => answer(LdapResult::of(ResultCode::TooLate)),
            Cancelled::Bind => answer(LdapResult::of(ResultCode::CannotCancel)),
        }
    }
}
