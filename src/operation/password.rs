//! PasswordModifyRequest

/// The request, decoded and prepared.
#[derive(Debug)]
pub struct PasswordModifyRequest {
    /// The name as it came.
    pub name: bytes::Bytes,
}
