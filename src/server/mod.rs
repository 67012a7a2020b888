//! Listeners, TLS, connection tasks, the committer's thread, the hash pool, reload and shutdown.
