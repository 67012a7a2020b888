//! Whether an account may be used: what its entry and its bookkeeping say, under a policy, at a moment. Pure; judged at every bind, after
//! the password was verified.

pub mod age;
mod facts;
pub mod intruder;
mod standing;
#[cfg(test)]
mod tests;

pub use facts::{Facts, Lock};
pub use standing::{BREAK_GLASS_REASON, BREAK_GLASS_USE, Barrier, Ground, barriers, next_end, password_barrier};
