//! What decides about people, as pure functions of values: passwords, access, and what each client's share is. No clock, no I/O.

pub mod access;
pub mod account;
pub mod password;
pub mod share;
