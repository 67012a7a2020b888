//! DeleteRequest

/// The request, decoded and prepared.
#[derive(Debug)]
pub struct DeleteRequest {
    /// The name as it came.
    pub name: bytes::Bytes,
}
