//! Whole conversations with a session, its hash pool and its committer in memory.

mod authorization;
mod bind;
mod cancel;
mod extended;
pub(crate) mod harness;
mod lifetime;
mod password;
mod pipelining;
mod random;
mod recall;
mod standing;
mod transaction;
