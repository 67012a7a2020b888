//! Extended operations: Who am I? (RFC 4532), Password Modify (RFC 3062), StartTLS (RFC 4511 section 4.14).
