//! What decides about people, as pure functions of values: passwords and access. No clock, no I/O.

pub mod access;
pub mod password;
