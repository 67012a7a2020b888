//! PasswordModifyRequest

/// The request, decoded and prepared.
#[derive(Debug)]
pub struct PasswordModifyRequest {
    /// The name as it came.
    pub name: bytes::Bytes,
}

/// Decides a Password Modify on the newest value and makes its record. Called by [`super::decide`]. The changed entry is stamped with
/// [`super::stamp::modified`].
pub fn finish(
    head: &crate::directory::Directory,
    context: &super::Context,
    request: &PasswordModifyRequest,
    csn_count: u32,
) -> super::Decision {
    let _ = (head, context, request, csn_count);
    todo!()
}
