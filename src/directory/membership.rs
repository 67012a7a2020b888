//! The membership set: `member` and `memberOf` are two readings of it.
