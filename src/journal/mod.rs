//! The journal's contents, pure: records and their canonical lines, frames, group headers, the chain of leaves, their
//! Merkle tree, signed checkpoints of it, proofs, verification.
//! Files are `store`'s.

mod audit_event;
mod canonical;
mod chain;
pub mod cosignature;
mod dicom;
pub mod evidence;
mod fhir;
mod frame;
mod line;
pub mod note;
pub mod proof;
pub mod query;
mod record;
mod shortening;
pub mod syslog;
#[cfg(test)]
mod tests;
pub mod time_stamp;
pub mod tree;
mod tree_head;
mod verification;

pub use chain::{Chain, ChainCheck};
pub use frame::{
    Frame, FrameError, FramePart, GROUP_HEADER_OCTETS, GROUP_MAGIC, GROUP_RECORDS_LIMIT, GroupHeader, SealError, SealedGroup,
    Sealer, encode_group, read_group, read_group_header,
};
pub use line::{LINE_VERSION, LineStamp, to_hex};
pub use record::{Leaf, Named, Record, RecordKind, RecordStamp, RecordedChange, RecordedEffect, RecordedValue, TlsStamp};
pub use tree_head::{SignedTreeHead, TreeHead, origin, parse_all as parse_tree_heads};
pub use verification::{Finding, Stretch, Verification};
