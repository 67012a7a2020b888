//! Bindery: an LDAP directory server for hospitals.
//!
#![doc = include_str!("ARCHITECTURE.md")]

pub mod command;
pub mod config;
pub mod directory;
pub mod journal;
pub mod model;
pub mod operation;
pub mod policy;
pub mod protocol;
pub mod server;
pub mod session;
pub mod store;
pub mod wire;
pub mod world;
