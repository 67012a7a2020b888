//! Attributes that are not in an entry's block: `directory` says what their values are.

pub(crate) use crate::directory::{Computed, SUBSCHEMA};
