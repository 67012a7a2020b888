//! The directory as a value: what changes do to it, and that rows, changes and digest always tell the same.

mod chain;
mod dynamic;
pub(super) mod fixture;
mod laws;
mod membership;
mod place;
