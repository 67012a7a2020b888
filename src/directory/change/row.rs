//! Rows of the checkpoint: what changes write, and what is read from them at start.
//!
//! ```text
//! Entries       id                                   → parent?, name, block
//! Memberships   group ‖ attribute ‖ 0 ‖ member       → since, by, until?
//!               group ‖ attribute ‖ 1 ‖ keyed hash   → since, by, key, value, until?
//! AccountState  id                                   → last login?, source?, (number, fact)…
//! Meta          "next_entry_id"                      → id
//! Meta          "context"                            → time, count, number
//! Schema        kind ‖ identifier ‖ 0                → position, text
//!               0                                    → time and actor of the last change
//! Identifiers   1 ‖ attribute ‖ keyed hash            → since, by, key, value
//! Identifiers   2 ‖ attribute                        → next number
//! ```

use bytes::Bytes;

use super::codec::{self, Reader, damaged};
use super::definition;
pub(in crate::directory) use super::definition::{definition, last_revision};
use super::{AccountState, Change, ChangeError, ContextState, Membership, Row, RowChange, Table};
use crate::directory::definitions::{LastRevision, StoredDefinition};
use crate::directory::identifier::Identifier;
use crate::model::{EntryId, Timestamp};

const NEXT_ENTRY_ID: &[u8] = b"next_entry_id";
const CONTEXT: &[u8] = b"context";
const RESERVED: u8 = 1;
const NEXT_NUMBER: u8 = 2;
const ELEMENT_ENTRY: u8 = 0;
const ELEMENT_OUTSIDE: u8 = 1;

/// A row, understood.
pub(in crate::directory) enum Content {
    Entry { id: EntryId, parent: Option<EntryId>, name: String, block: Bytes },
    Membership { group: EntryId, membership: Membership, since: Timestamp, by: String, until: Option<Timestamp> },
    AccountState { id: EntryId, state: AccountState },
    NextEntryId(EntryId),
    Context(ContextState),
    Definition(StoredDefinition),
    LastRevision(LastRevision),
    Reserved { identifier: Identifier, since: Timestamp, by: String },
    NextNumber { attribute: String, next: u64 },
}

/// See [`Change::rows`].
pub(super) fn of_change(change: &Change, digest_key: &[u8; 32]) -> Vec<RowChange> {
    match change {
        Change::PutEntry { id, parent, name, block } => vec![entry(*id, *parent, name, block).into()],
        Change::RemoveEntry { id, next_id } => {
            vec![gone(Table::Entries, id_key(*id)), gone(Table::AccountState, id_key(*id)), next_entry_id(*next_id).into()]
        }
        Change::PutMembership { group, membership, since, by, until } => {
            vec![self::membership(*group, membership, (*since, by, *until), digest_key).into()]
        }
        Change::RemoveMembership { group, membership } => {
            vec![gone(Table::Memberships, membership_key(*group, membership, digest_key))]
        }
        Change::PutAccountState { id, state } => match account_state(*id, state) {
            Some(row) => vec![row.into()],
            None => vec![gone(Table::AccountState, id_key(*id))],
        },
        Change::PutContext(state) => vec![context(*state).into()],
        Change::ReviseSchema(revision) => definition::rows(revision),
        Change::Reserve { identifier, since, by } => vec![reserved(identifier, *since, by, digest_key).into()],
        Change::Release { identifier } => vec![gone(Table::Identifiers, reserved_key(identifier, digest_key))],
        Change::PutNextNumber { attribute, next } => vec![next_number(attribute, *next).into()],
    }
}

/// The row of an entry.
pub(in crate::directory) fn entry(id: EntryId, parent: Option<EntryId>, name: &str, block: &[u8]) -> Row {
    let mut value = Vec::with_capacity(17 + name.len() + block.len());
    codec::put_optional_id(&mut value, parent);
    codec::put_octets(&mut value, name.as_bytes());
    codec::put_octets(&mut value, block);
    Row { table: Table::Entries, key: id_key(id), value: value.into() }
}

/// The row of a membership.
pub(in crate::directory) fn membership(
    group: EntryId,
    membership: &Membership,
    (since, by, until): (Timestamp, &str, Option<Timestamp>),
    digest_key: &[u8; 32],
) -> Row {
    let mut value = Vec::with_capacity(20 + by.len());
    codec::put_time(&mut value, since);
    codec::put_octets(&mut value, by.as_bytes());
    if let Membership::Outside { key, value: spelled, .. } = membership {
        codec::put_octets(&mut value, key);
        codec::put_octets(&mut value, spelled);
    }
    until.iter().for_each(|until| codec::put_time(&mut value, *until));
    Row { table: Table::Memberships, key: membership_key(group, membership, digest_key), value: value.into() }
}

/// The row of login bookkeeping; none while there is nothing to keep.
pub(in crate::directory) fn account_state(id: EntryId, state: &AccountState) -> Option<Row> {
    if *state == AccountState::default() {
        return None;
    }
    let mut value = Vec::new();
    codec::put_account_state(&mut value, state);
    Some(Row { table: Table::AccountState, key: id_key(id), value: value.into() })
}

/// The row that keeps numbers from being given twice.
pub(in crate::directory) fn next_entry_id(id: EntryId) -> Row {
    let mut value = Vec::with_capacity(8);
    codec::put_id(&mut value, id);
    Row { table: Table::Meta, key: NEXT_ENTRY_ID.into(), value: value.into() }
}

/// The row of how far the directory is.
pub(in crate::directory) fn context(state: ContextState) -> Row {
    let mut value = Vec::with_capacity(20);
    codec::put_context(&mut value, state);
    Row { table: Table::Meta, key: CONTEXT.into(), value: value.into() }
}

/// The row of an identifier that is given to nobody.
pub(in crate::directory) fn reserved(identifier: &Identifier, since: Timestamp, by: &str, digest_key: &[u8; 32]) -> Row {
    let mut value = Vec::new();
    codec::put_time(&mut value, since);
    codec::put_octets(&mut value, by.as_bytes());
    codec::put_octets(&mut value, &identifier.key);
    codec::put_octets(&mut value, &identifier.value);
    Row { table: Table::Identifiers, key: reserved_key(identifier, digest_key), value: value.into() }
}

fn reserved_key(identifier: &Identifier, digest_key: &[u8; 32]) -> Box<[u8]> {
    let mut key = vec![RESERVED];
    codec::put_octets(&mut key, identifier.attribute.as_bytes());
    key.extend_from_slice(blake3::keyed_hash(digest_key, &identifier.key).as_bytes());
    key.into()
}

/// The row that keeps numbers of an attribute from being given twice.
pub(in crate::directory) fn next_number(attribute: &str, next: u64) -> Row {
    let mut key = vec![NEXT_NUMBER];
    codec::put_octets(&mut key, attribute.as_bytes());
    let mut value = Vec::with_capacity(8);
    codec::put_number(&mut value, next);
    Row { table: Table::Identifiers, key: key.into(), value: value.into() }
}

/// Understands a row.
pub(in crate::directory) fn read(row: &Row) -> Result<Content, ChangeError> {
    let (mut key, mut value) = (Reader(&row.key), Reader(&row.value));
    let content = match row.table {
        Table::Entries => Content::Entry {
            id: key.id()?,
            parent: value.optional_id()?,
            name: value.text()?,
            block: Bytes::copy_from_slice(value.octets()?),
        },
        Table::Memberships => read_membership(&mut key, &mut value)?,
        Table::AccountState => Content::AccountState { id: key.id()?, state: value.account_state()? },
        Table::Meta if *row.key == *NEXT_ENTRY_ID => {
            key = Reader(&[]);
            Content::NextEntryId(value.id()?)
        }
        Table::Meta if *row.key == *CONTEXT => {
            key = Reader(&[]);
            Content::Context(value.context()?)
        }
        Table::Meta => return Err(damaged("unknown row about the whole")),
        Table::Schema => definition::read(&mut key, &mut value)?,
        Table::Identifiers => read_identifier(&mut key, &mut value)?,
    };
    key.end()?;
    value.end()?;
    Ok(content)
}

fn read_identifier(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<Content, ChangeError> {
    let kind = key.octet()?;
    let attribute = key.text()?;
    match kind {
        RESERVED => {
            key.0 = key.0.get(blake3::OUT_LEN..).ok_or(damaged("cut off"))?;
            let (since, by, key) = (value.time()?, value.text()?, value.octets()?.into());
            let identifier = Identifier { attribute, key, value: Bytes::copy_from_slice(value.octets()?) };
            Ok(Content::Reserved { identifier, since, by })
        }
        NEXT_NUMBER => Ok(Content::NextNumber { attribute, next: value.number()? }),
        _ => Err(damaged("unknown kind of identifier")),
    }
}

fn read_membership(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<Content, ChangeError> {
    let group = key.id()?;
    let attribute = key.attribute()?;
    let kind = key.octet()?;
    let (since, by) = (value.time()?, value.text()?);
    let membership = match kind {
        ELEMENT_ENTRY => Membership::Entry(attribute, key.id()?),
        ELEMENT_OUTSIDE => {
            // The hash cannot be turned back; the value says what it is of.
            key.0 = key.0.get(blake3::OUT_LEN..).ok_or(damaged("cut off"))?;
            let element_key = value.octets()?.into();
            Membership::Outside { attribute, key: element_key, value: Bytes::copy_from_slice(value.octets()?) }
        }
        _ => return Err(damaged("unknown kind of element")),
    };
    let until = if value.0.is_empty() { None } else { Some(value.time()?) };
    Ok(Content::Membership { group, membership, since, by, until })
}

fn id_key(id: EntryId) -> Box<[u8]> {
    id.0.to_be_bytes().into()
}

fn membership_key(group: EntryId, membership: &Membership, digest_key: &[u8; 32]) -> Box<[u8]> {
    let mut key = Vec::with_capacity(8 + 2 + blake3::OUT_LEN);
    codec::put_id(&mut key, group);
    codec::put_attribute(&mut key, membership.attribute());
    match membership {
        Membership::Entry(_, member) => {
            key.push(ELEMENT_ENTRY);
            codec::put_id(&mut key, *member);
        }
        Membership::Outside { key: element_key, .. } => {
            key.push(ELEMENT_OUTSIDE);
            key.extend_from_slice(blake3::keyed_hash(digest_key, element_key).as_bytes());
        }
    }
    key.into()
}

pub(super) fn gone(table: Table, key: Box<[u8]>) -> RowChange {
    RowChange { table, key, value: None }
}

impl From<Row> for RowChange {
    fn from(row: Row) -> RowChange {
        RowChange { table: row.table, key: row.key, value: Some(row.value) }
    }
}
