//! Whether an account may be used: what its entry and its bookkeeping say, under a policy, at a moment. Pure; judged at every bind, after
//! the password was verified.

mod facts;
pub mod intruder;
mod standing;
#[cfg(test)]
mod tests;

pub use facts::{Facts, Lock};
pub use standing::{AccountRules, Barrier, Ground, barriers, next_end, password_barrier};
