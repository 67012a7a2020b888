//! Bind (RFC 4511 section 4.2, RFC 4513): `begin` looks at the request, the hash pool at the password, `finish` decides on the newest
//! value, so that parallel guesses all count.

use super::{Context, Decision};
use crate::directory::Directory;
use crate::model::EntryId;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{BindRequest, Control, LdapResult};

/// What `begin` came to.
#[derive(Debug)]
pub enum Step {
    /// The password must be verified first; then `PendingBind::with_answer` and the committer.
    Verify(Box<HashJob>, PendingBind),
    /// Nothing to verify (anonymous, EXTERNAL, refused): straight to the committer, to be recorded.
    Commit(PendingBind),
}

/// A bind on its way to the committer.
#[derive(Debug)]
pub struct PendingBind {
    /// Resolved account, if the name is one.
    pub account: Option<EntryId>,
    /// A refusal that stands already.
    pub refusal: Option<LdapResult>,
    /// What the hash pool said.
    pub answer: Option<HashAnswer>,
}

/// Looks at a bind request.
pub fn begin(directory: &Directory, context: &Context, request: BindRequest, controls: &[Control]) -> Step {
    let _ = (directory, context, request, controls);
    todo!()
}

/// Decides a bind on the newest value and makes its record. Called by [`super::decide`].
pub fn finish(head: &Directory, context: &Context, pending: &PendingBind) -> Decision {
    let _ = (head, context, pending);
    todo!()
}
