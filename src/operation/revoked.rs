//! What a session asked for whose account may not hold it any more, by the time the committer decides it: refused as nobody's, recorded as
//! the account's.

use super::record;
use super::{Context, Decision, Identity, Proposal, ProposedOperation, SessionEnd};
use crate::directory::Directory;
use crate::journal::{Named, Record};

/// Whose an operation was, and why it is nobody's now.
pub struct Revoked {
    actor: Option<Named>,
    end: SessionEnd,
}

/// Judges the session of a proposal on the newest value. Where it does not stand the proposal is nobody's from here on.
pub fn take_rights(head: &Directory, proposal: &mut Proposal) -> Option<Revoked> {
    let context = &proposal.context;
    let live = context.identity.live.as_ref()?;
    let end = live.judge(head, context.now).err()?;
    let actor = record::named(head, live.account).or_else(|| live.named.clone());
    anonymize(&mut proposal.context);
    if let ProposedOperation::Transaction(steps) = &mut proposal.operation {
        steps.iter_mut().for_each(|step| anonymize(&mut step.context));
    }
    Some(Revoked { actor, end })
}

fn anonymize(context: &mut Context) {
    context.identity = Identity::default();
    context.attached.assumed = None;
}

impl Revoked {
    /// Says in the records whose it was, and why it was refused.
    pub fn mark(self, mut decision: Decision) -> Decision {
        let mark = |record: &mut Record| {
            record.actor = self.actor.clone();
            record.reason = Some(self.end.reason());
        };
        decision.preceding.iter_mut().for_each(mark);
        mark(&mut decision.record);
        decision
    }
}
