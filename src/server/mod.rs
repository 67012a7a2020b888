//! Listeners, TLS, connection tasks, the committer's thread, the hash pool, reload and shutdown.

mod alerts;
pub mod anchors;
pub mod bulk;
pub mod committer;
pub mod committer_thread;
pub mod connection;
mod crossings;
mod fair_queue;
pub mod gate;
pub mod hash_pool;
pub mod health;
pub mod installation;
pub mod journal_key;
pub mod listener;
pub mod notary;
pub mod notes;
mod parked;
pub mod registry;
pub mod rotation;
pub mod run;
pub mod schema_files;
pub mod services;
pub mod snapshotter;
pub mod stream;
pub mod tls;
pub mod world;
