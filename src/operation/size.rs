//! What a proposal holds in memory: queues are bounded by octets, not only by count.

use super::{Proposal, ProposedOperation};
use crate::model::Attribute;
use crate::protocol::Control;

/// What any proposal holds at least: its context and its place in a queue.
const FIXED: usize = 512;

impl Proposal {
    /// Roughly the octets it holds.
    pub fn octets(&self) -> usize {
        self.operation.octets().saturating_add(FIXED)
    }
}

impl ProposedOperation {
    /// The controls of a change of one entry; none of anything else.
    pub fn controls(&self) -> &[Control] {
        match self {
            ProposedOperation::Add(request) => &request.controls,
            ProposedOperation::Modify(request) => &request.controls,
            ProposedOperation::Delete(request) => &request.controls,
            ProposedOperation::ModifyDn(request) => &request.controls,
            ProposedOperation::Bind(_)
            | ProposedOperation::PasswordModify(_)
            | ProposedOperation::Transaction(_)
            | ProposedOperation::Upgrade(_)
            | ProposedOperation::Backup(_)
            | ProposedOperation::KeyRotation(_)
            | ProposedOperation::JournalRead(_)
            | ProposedOperation::AuditedRead(_)
            | ProposedOperation::AppPassword(_)
            | ProposedOperation::OtpEnrolment(_)
            | ProposedOperation::Exposed(_)
            | ProposedOperation::Rebase(_)
            | ProposedOperation::ClockConfirmation
            | ProposedOperation::Refresh(_)
            | ProposedOperation::Note(_) => &[],
        }
    }

    /// Roughly the octets it holds.
    pub fn octets(&self) -> usize {
        match self {
            // Bounded by their own limits, far below a request's.
            ProposedOperation::Bind(_)
            | ProposedOperation::PasswordModify(_)
            | ProposedOperation::Upgrade(_)
            | ProposedOperation::Backup(_)
            | ProposedOperation::KeyRotation(_)
            | ProposedOperation::AppPassword(_)
            | ProposedOperation::OtpEnrolment(_)
            | ProposedOperation::Exposed(_)
            | ProposedOperation::Rebase(_)
            | ProposedOperation::ClockConfirmation
            | ProposedOperation::Note(_) => 0,
            ProposedOperation::JournalRead(request) => request.octets(),
            ProposedOperation::AuditedRead(read) => read.octets(),
            ProposedOperation::Refresh(request) => total([request.name.len(), of_controls(&request.controls)]),
            ProposedOperation::Transaction(steps) => total(steps.iter().map(Proposal::octets)),
            ProposedOperation::Add(request) => {
                let attributes = total(request.attributes.iter().map(Attribute::octets));
                total([request.name.len(), attributes, of_controls(&request.controls)])
            }
            ProposedOperation::Modify(request) => {
                let changes = total(request.changes.iter().map(|change| change.attribute.octets()));
                total([request.name.len(), changes, of_controls(&request.controls)])
            }
            ProposedOperation::Delete(request) => total([request.name.len(), of_controls(&request.controls)]),
            ProposedOperation::ModifyDn(request) => {
                let superior = request.new_superior.as_ref().map_or(0, |name| name.len());
                total([request.name.len(), request.new_rdn.len(), superior, of_controls(&request.controls)])
            }
        }
    }
}

fn of_controls(controls: &[Control]) -> usize {
    total(controls.iter().map(|control| control.oid.len().saturating_add(control.value.as_ref().map_or(0, |value| value.len()))))
}

fn total(sizes: impl IntoIterator<Item = usize>) -> usize {
    sizes.into_iter().fold(0, usize::saturating_add)
}
