//! The journal's contents, pure: records and their canonical lines, frames, group headers, the chain of leaves, verification.
//! Files are `store`'s.

mod chain;
mod frame;
mod record;

pub use chain::Chain;
pub use frame::{Frame, FrameError, GroupHeader};
pub use record::{Leaf, Named, Record, RecordKind, RecordStamp, RecordedChange, RecordedValue, TlsStamp};
