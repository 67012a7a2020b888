//! Bindery: an LDAP directory server for hospitals.
//!
//! The journal is the log; everything else is derived from it. `ARCHITECTURE.md` beside this file names the rooms, the
//! way of a request through them and the invariants.

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
