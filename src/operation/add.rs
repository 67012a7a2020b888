//! AddRequest

/// The request, decoded and prepared.
#[derive(Debug)]
pub struct AddRequest {
    /// The name as it came.
    pub name: bytes::Bytes,
}
