//! Clear-text passwords in add and modify requests: what the hash pool must do before the committer decides, and where its answers go.

use super::{Context, ProposedOperation};
use crate::directory::Directory;
use crate::policy::password::{HashAnswer, HashJob};

/// Which password values of a request the hash pool looked at.
#[derive(Debug, Default)]
pub struct Passwords {
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {}

/// What the hash pool must do before this operation is proposed; empty for most. The answers go to [`with_answers`] in this order.
/// Nothing is asked for where the sender may not make the change anyway.
pub fn jobs(directory: &Directory, context: &Context, operation: &ProposedOperation) -> Vec<HashJob> {
    let _ = (directory, context, operation);
    todo!()
}

/// Puts the answers in the place of the clear-text passwords. `directory`, `context`: the same as for [`jobs`].
pub fn with_answers(operation: ProposedOperation, answers: Vec<HashAnswer>) -> ProposedOperation {
    let _ = answers;
    operation
}
