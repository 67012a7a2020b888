//! Names to entries and back: each entry knows its parent and RDN, so a rename touches one entry however many lie below.

use crate::model::schema::RdnKey;
use crate::model::{Entry, EntryId};

/// An entry at its place.
pub struct Node {
    /// Its number.
    pub id: EntryId,
    /// The entry above; none for the suffix entry.
    pub parent: Option<EntryId>,
    /// Its RDN as spelled (for the suffix entry the whole suffix).
    pub name: String,
    /// The RDN's key; for the suffix entry unused.
    pub rdn_key: RdnKey,
    /// The attributes.
    pub entry: Entry,
}

/// What looking for a name found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The entry.
    Found(EntryId),
    /// No such entry; the nearest one above it that exists.
    Missing {
        /// For matchedDN.
        matched: EntryId,
    },
    /// The name lies under no suffix of this server (or the suffix entry itself is not there yet).
    Outside,
}
