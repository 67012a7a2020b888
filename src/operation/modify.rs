//! ModifyRequest

/// The request, decoded and prepared.
#[derive(Debug)]
pub struct ModifyRequest {
    /// The name as it came.
    pub name: bytes::Bytes,
}
