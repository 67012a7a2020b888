//! ModifyDnRequest

/// The request, decoded and prepared.
#[derive(Debug)]
pub struct ModifyDnRequest {
    /// The name as it came.
    pub name: bytes::Bytes,
}
