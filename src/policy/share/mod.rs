//! Nobody gets more than their share: connections, tries, work and memory, counted per address, per account and overall.
//!
//! Pure: the moment comes in as an argument, in microseconds of a clock that never goes back. Every table here is bounded by what is open
//! or by a limit of its own, and forgets.

mod crowd;
mod ledger;
mod origin;
mod rate;
mod tries;

pub use crowd::{Crowd, CrowdLimits, Entered, Refused};
pub use ledger::{Ledger, Share};
pub use origin::{AddressLimits, NetworkLimits, Origin, Owner};
pub use rate::{Bucket, Buckets, Rate};
pub use tries::{Asked, Permit, Tries};
