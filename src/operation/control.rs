//! Request controls: which are known, where they are allowed, and what they ask for (RFC 4511 section 4.1.11).
