//! Compare (RFC 4511 section 4.10).
