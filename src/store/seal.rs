//! Sealing: AES-256-GCM under keys derived per file (HKDF-SHA-256, fresh salt), counter nonces, the location as associated data.
