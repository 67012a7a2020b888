//! What a commit changes, as values that can be journaled, applied to a [`Directory`](super::Directory) and written to the checkpoint.

mod codec;
mod definition;
mod failed;
pub(super) mod row;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use super::definitions::SchemaRevision;
use super::identifier::Identifier;
use super::reference::ReferenceAttribute;
use crate::model::schema::{AttributeType, Schema};
use crate::model::{ChangeStamp, EntryId, FailedLogins, Timestamp};

/// One change. A frame carries a bounded list of them; applied in order they take one whole directory to the next.
/// They say what is afterwards, not what to do, so applying one twice is harmless.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The entry exists with this place, name and block (new, modified, renamed or moved).
    PutEntry {
        /// Its number.
        id: EntryId,
        /// The entry above; none for the suffix entry.
        parent: Option<EntryId>,
        /// Its RDN as spelled; for the suffix entry the whole suffix.
        name: String,
        /// The block of `model::Entry`.
        block: Bytes,
    },
    /// The entry is gone, with every membership it had or held (those are removed by changes of their own, put before this one,
    /// so that the journal shows them) and its bookkeeping.
    RemoveEntry {
        /// Its number.
        id: EntryId,
        /// [`Directory::next_entry_id`](super::Directory::next_entry_id) at this moment: the row of the highest number may just have gone,
        /// and no number is given twice.
        next_id: EntryId,
    },
    /// The group has this element.
    PutMembership {
        /// The group.
        group: EntryId,
        /// The element.
        membership: Membership,
        /// Since when.
        since: Timestamp,
        /// Who gave it: the actor's DN as text.
        by: String,
        /// The first moment at which it does not have it any more; none: the membership has no end.
        until: Option<Timestamp>,
    },
    /// The group no longer has this element.
    RemoveMembership {
        /// The group.
        group: EntryId,
        /// The element.
        membership: Membership,
    },
    /// Login bookkeeping.
    PutAccountState {
        /// Whose.
        id: EntryId,
        /// The new state.
        state: AccountState,
    },
    /// An identifier is given to nobody until it is released.
    Reserve {
        /// Which.
        identifier: Identifier,
        /// Since when.
        since: Timestamp,
        /// Who did it: the actor's DN as text.
        by: String,
    },
    /// An identifier may be given again.
    Release {
        /// Which.
        identifier: Identifier,
    },
    /// Numbers below this one were given out: none of them is given again.
    PutNextNumber {
        /// The attribute's object identifier.
        attribute: String,
        /// The first one that was not.
        next: u64,
    },
    /// What readers see changed: the first change of every operation that moves more than login bookkeeping.
    PutContext(ContextState),
    /// Definitions of the schema come, change and go; entries stay as they are.
    ReviseSchema(SchemaRevision),
}

/// How far the directory as a whole is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ContextState {
    /// The stamp of the newest operation that changed what readers see: contextCSN.
    pub stamp: ChangeStamp,
    /// The how manieth such operation it was; counted from when the data folder first kept this.
    pub number: u64,
}

/// Which attribute a membership is read through. Any reference to an entry that the schema flags is kept as a membership: it follows
/// renames and goes with the entry it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MembershipAttribute {
    /// member
    Member,
    /// uniqueMember
    UniqueMember,
    /// memberUid
    MemberUid,
    /// manager, owner, …: an attribute flagged `X-INTEGRITY` that makes no group of its entry.
    Reference(ReferenceAttribute),
}

impl MembershipAttribute {
    /// Those of groups.
    pub const OF_GROUPS: [MembershipAttribute; 3] =
        [MembershipAttribute::Member, MembershipAttribute::UniqueMember, MembershipAttribute::MemberUid];

    /// The membership attribute of this type; none for a type whose values are kept in entries.
    pub fn of_type(attribute_type: &AttributeType) -> Option<MembershipAttribute> {
        let of_group =
            MembershipAttribute::OF_GROUPS.into_iter().find(|attribute| attribute.base_name() == attribute_type.name());
        of_group.or_else(|| {
            let reference = attribute_type.integrity.then(|| ReferenceAttribute::new(&attribute_type.oid));
            reference.flatten().map(MembershipAttribute::Reference)
        })
    }

    /// Its type, if this schema defines it.
    pub fn attribute_type(self, schema: &Schema) -> Option<&AttributeType> {
        schema.attribute_type(self.base_name())
    }

    /// The attribute's canonical name.
    pub fn name(self, schema: &Schema) -> &str {
        self.attribute_type(schema).map_or(self.base_name(), AttributeType::name)
    }

    fn base_name(self) -> &'static str {
        match self {
            MembershipAttribute::Member => "member",
            MembershipAttribute::UniqueMember => "uniqueMember",
            MembershipAttribute::MemberUid => "memberUid",
            MembershipAttribute::Reference(reference) => reference.oid(),
        }
    }
}

/// One element of a group's set.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Membership {
    /// An entry of this directory, by number: renames follow, deletion removes.
    Entry(MembershipAttribute, EntryId),
    /// A value that is no entry here: a dangling DN, a name with a UID part, a memberUid.
    Outside {
        /// Read through which attribute.
        attribute: MembershipAttribute,
        /// The equality key (two spellings of one name are one element).
        key: Box<[u8]>,
        /// The value as given.
        value: Bytes,
    },
}

/// A [`Membership::Outside`] of some group, with what its `PutMembership` said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingMembership {
    /// The group.
    pub group: EntryId,
    /// The element.
    pub membership: Membership,
    /// Since when.
    pub since: Timestamp,
    /// Who gave it.
    pub by: String,
    /// Until when.
    pub until: Option<Timestamp>,
}

impl Membership {
    /// The attribute it is read through.
    pub fn attribute(&self) -> MembershipAttribute {
        match self {
            Membership::Entry(attribute, _) | Membership::Outside { attribute, .. } => *attribute,
        }
    }
}

/// Login bookkeeping: churns without touching the entry, never moves modifyTimestamp.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountState {
    /// lastLoginTime
    pub last_login: Option<Timestamp>,
    /// lastLoginSource: the address, as text
    pub last_login_source: Option<String>,
    /// Of a token: the time step (oathTOTPLastTimeStep) or the counter (oathHOTPCounter) of the last code that was taken.
    pub one_time_step: Option<u64>,
    /// Of a token: how many time steps its clock was ahead of ours at the last code, behind where negative. Never 0.
    pub time_step_drift: Option<i8>,
    /// Logins that failed; never an empty one.
    pub failed: Option<Arc<FailedLogins>>,
    /// When the account was logged in to with an expired password (pwdGraceUseTime).
    pub grace_logins: Vec<Timestamp>,
}

impl AccountState {
    /// Whether there is more in it than programs of the first format know.
    fn is_longer(&self) -> bool {
        let is_token = self.one_time_step.is_some() || self.time_step_drift.is_some();
        is_token || self.failed.is_some() || !self.grace_logins.is_empty()
    }
}

/// The tables of the checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Table {
    /// id → parent, name, block
    Entries = 1,
    /// (group, element) → since, by, until
    Memberships = 2,
    /// id → account state
    AccountState = 3,
    /// What is about the whole: the next entry number once an entry was removed, how far the directory is.
    Meta = 4,
    /// (attribute, identifier) → since, by; attribute → next number
    Identifiers = 5,
    /// Kind and identifier → a definition made online; when and by whom the last one was.
    Schema = 16,
}

impl Table {
    /// All of them, in the order in which they are loaded: entries are read by the schema.
    pub const ALL: [Table; 6] =
        [Table::Schema, Table::Entries, Table::Memberships, Table::AccountState, Table::Meta, Table::Identifiers];
}

/// One row of the checkpoint: the whole content is a set of rows, and the digest is over them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Which table.
    pub table: Table,
    /// The key, big-endian numbers first, so that order on disk is order of numbers.
    pub key: Box<[u8]>,
    /// The value.
    pub value: Bytes,
}

/// What a change means for one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowChange {
    /// Which table.
    pub table: Table,
    /// The key.
    pub key: Box<[u8]>,
    /// The new value; none: the row goes (it need not be there).
    pub value: Option<Bytes>,
}

/// Why a change or a row cannot be applied: damage or a bug, never a client's doing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ChangeError(pub String);

impl Change {
    /// Appends the change's stored form (tag, lengths, octets; decoded by [`Change::decode`]).
    pub fn encode(&self, output: &mut Vec<u8>) {
        codec::encode_change(self, output);
    }

    /// Reads one change off the front of `input`.
    pub fn decode(input: &mut &[u8]) -> Result<Change, ChangeError> {
        codec::decode_change(input)
    }

    /// The change that leads to this row; none for rows about the schema, the whole and identifiers.
    pub fn of_row(row: &Row) -> Result<Option<Change>, ChangeError> {
        Ok(match row::read(row)? {
            row::Content::Entry { id, parent, name, block } => Some(Change::PutEntry { id, parent, name, block }),
            row::Content::Membership { group, membership, since, by, until } => {
                Some(Change::PutMembership { group, membership, since, by, until })
            }
            row::Content::AccountState { id, state } => Some(Change::PutAccountState { id, state }),
            _ => None,
        })
    }

    /// What the change means for the checkpoint, at most three rows, or a row for each definition. `digest_key` is the one of
    /// [`Directory::new`](super::Directory::new): values that are no entry here are found under a keyed hash, so that no name
    /// and no account name stands in a key.
    pub fn rows(&self, digest_key: &[u8; 32]) -> Vec<RowChange> {
        row::of_change(self, digest_key)
    }
}
