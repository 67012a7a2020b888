//! Password Modify (RFC 3062): `begin` reads the request, the hash pool verifies the old password and hashes the new one, `decide`
//! changes the entry on the newest value.

use super::{Context, Decision};
use crate::directory::Directory;
use crate::model::Secret;
use crate::policy::password::HashJob;
use crate::protocol::Control;

/// A Password Modify on its way to the committer.
#[derive(Debug)]
pub struct PasswordModifyRequest {
    _private: (),
}

/// Reads a request and says what the hash pool must do first (nothing where it is refused already).
pub fn begin(
    directory: &Directory,
    context: &Context,
    value: Option<&Secret>,
    controls: &[Control],
) -> (PasswordModifyRequest, Vec<HashJob>) {
    let _ = (directory, context, value, controls);
    todo!()
}

/// Decides a Password Modify on the newest value and makes its record. Called by [`super::decide`]. The changed entry is stamped with
/// [`super::stamp::modified`].
pub fn finish(head: &Directory, context: &Context, request: &PasswordModifyRequest, csn_count: u32) -> Decision {
    let _ = (head, context, request, csn_count);
    todo!()
}
