//! The root DSE (RFC 4512 section 5.1) and the subschema entry (section 4.2).
