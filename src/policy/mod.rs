//! What decides about people, as pure functions of values: passwords, codes, accounts, bind rules, access, and what each client's share is.
//! No clock, no I/O.

pub mod access;
pub mod account;
pub mod app_password;
pub mod bind_rule;
pub mod grant;
pub mod otp;
pub mod password;
pub mod review;
pub mod share;
