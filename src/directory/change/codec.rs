//! How changes and rows are written: big-endian numbers, strings behind a 32-bit length. Reading trusts nothing.

use std::sync::Arc;

use bytes::Bytes;

use super::{AccountState, Change, ChangeError, ContextState, Membership, MembershipAttribute};
use super::{definition, failed};
use crate::directory::identifier::Identifier;
use crate::directory::reference::ReferenceAttribute;
use crate::model::{ChangeStamp, EntryId, Timestamp};

const PUT_ENTRY: u8 = 1;
const REMOVE_ENTRY: u8 = 2;
const PUT_MEMBERSHIP: u8 = 3;
const REMOVE_MEMBERSHIP: u8 = 4;
const PUT_ACCOUNT_STATE: u8 = 5;
const PUT_CONTEXT: u8 = 6;
/// As [`PUT_ACCOUNT_STATE`], behind a length: there is more in it than the two facts that every program knows.
const PUT_LONGER_ACCOUNT_STATE: u8 = 7;
/// As [`PUT_MEMBERSHIP`], and until when.
const PUT_ENDING_MEMBERSHIP: u8 = 8;
const REVISE_SCHEMA: u8 = 16;
const RESERVE: u8 = 10;
const RELEASE: u8 = 11;
const PUT_NEXT_NUMBER: u8 = 12;

/// Facts of an account behind the first two.
const ONE_TIME_STEP: u8 = 1;
const FAILED_LOGINS: u8 = 2;
const GRACE_LOGINS: u8 = 3;
const TIME_STEP_DRIFT: u8 = 4;

const MEMBER: u8 = 1;
const UNIQUE_MEMBER: u8 = 2;
const MEMBER_UID: u8 = 3;
const REFERENCE: u8 = 4;

const ELEMENT_ENTRY: u8 = 0;
const ELEMENT_OUTSIDE: u8 = 1;

/// See [`Change::encode`].
pub(super) fn encode_change(change: &Change, output: &mut Vec<u8>) {
    match change {
        Change::PutEntry { id, parent, name, block } => {
            output.push(PUT_ENTRY);
            put_id(output, *id);
            put_optional_id(output, *parent);
            put_octets(output, name.as_bytes());
            put_octets(output, block);
        }
        Change::RemoveEntry { id, next_id } => {
            output.push(REMOVE_ENTRY);
            put_id(output, *id);
            put_id(output, *next_id);
        }
        Change::PutMembership { group, membership, since, by, until } => {
            output.push(if until.is_some() { PUT_ENDING_MEMBERSHIP } else { PUT_MEMBERSHIP });
            put_id(output, *group);
            put_membership(output, membership);
            put_time(output, *since);
            put_octets(output, by.as_bytes());
            until.iter().for_each(|until| put_time(output, *until));
        }
        Change::RemoveMembership { group, membership } => {
            output.push(REMOVE_MEMBERSHIP);
            put_id(output, *group);
            put_membership(output, membership);
        }
        Change::PutAccountState { id, state } => {
            let mut encoded = Vec::new();
            put_account_state(&mut encoded, state);
            if state.is_longer() {
                output.push(PUT_LONGER_ACCOUNT_STATE);
                put_id(output, *id);
                put_octets(output, &encoded);
            } else {
                output.push(PUT_ACCOUNT_STATE);
                put_id(output, *id);
                output.extend_from_slice(&encoded);
            }
        }
        Change::Reserve { identifier, since, by } => {
            output.push(RESERVE);
            put_identifier(output, identifier);
            put_time(output, *since);
            put_octets(output, by.as_bytes());
        }
        Change::Release { identifier } => {
            output.push(RELEASE);
            put_identifier(output, identifier);
        }
        Change::PutNextNumber { attribute, next } => {
            output.push(PUT_NEXT_NUMBER);
            put_octets(output, attribute.as_bytes());
            put_number(output, *next);
        }
        Change::PutContext(state) => {
            output.push(PUT_CONTEXT);
            put_context(output, *state);
        }
        Change::ReviseSchema(revision) => {
            output.push(REVISE_SCHEMA);
            definition::put_revision(output, revision);
        }
    }
}

/// See [`Change::decode`].
pub(super) fn decode_change(input: &mut &[u8]) -> Result<Change, ChangeError> {
    let mut reader = Reader(input);
    let change = match reader.octet()? {
        PUT_ENTRY => Change::PutEntry {
            id: reader.id()?,
            parent: reader.optional_id()?,
            name: reader.text()?,
            block: Bytes::copy_from_slice(reader.octets()?),
        },
        REMOVE_ENTRY => Change::RemoveEntry { id: reader.id()?, next_id: reader.id()? },
        kind @ (PUT_MEMBERSHIP | PUT_ENDING_MEMBERSHIP) => Change::PutMembership {
            group: reader.id()?,
            membership: reader.membership()?,
            since: reader.time()?,
            by: reader.text()?,
            until: if kind == PUT_ENDING_MEMBERSHIP { Some(reader.time()?) } else { None },
        },
        REMOVE_MEMBERSHIP => Change::RemoveMembership { group: reader.id()?, membership: reader.membership()? },
        PUT_ACCOUNT_STATE => Change::PutAccountState { id: reader.id()?, state: reader.short_account_state()? },
        PUT_LONGER_ACCOUNT_STATE => {
            let id = reader.id()?;
            let mut encoded = Reader(reader.octets()?);
            Change::PutAccountState { id, state: encoded.account_state()? }
        }
        PUT_CONTEXT => Change::PutContext(reader.context()?),
        REVISE_SCHEMA => Change::ReviseSchema(definition::revision(&mut reader)?),
        RESERVE => Change::Reserve { identifier: reader.identifier()?, since: reader.time()?, by: reader.text()? },
        RELEASE => Change::Release { identifier: reader.identifier()? },
        PUT_NEXT_NUMBER => Change::PutNextNumber { attribute: reader.text()?, next: reader.number()? },
        other => return Err(ChangeError(format!("unknown kind of change: {other}"))),
    };
    *input = reader.0;
    Ok(change)
}

pub(super) fn put_id(output: &mut Vec<u8>, id: EntryId) {
    output.extend_from_slice(&id.0.to_be_bytes());
}

pub(super) fn put_time(output: &mut Vec<u8>, time: Timestamp) {
    output.extend_from_slice(&time.0.to_be_bytes());
}

pub(super) fn put_optional_id(output: &mut Vec<u8>, id: Option<EntryId>) {
    output.push(u8::from(id.is_some()));
    if let Some(id) = id {
        put_id(output, id);
    }
}

/// Octets behind their length; what one change holds is bounded far below 4 GiB (`Entry::MAXIMUM_BLOCK`).
pub(super) fn put_octets(output: &mut Vec<u8>, octets: &[u8]) {
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    output.extend_from_slice(&length.to_be_bytes());
    output.extend_from_slice(octets);
}

pub(super) fn put_account_state(output: &mut Vec<u8>, state: &AccountState) {
    output.push(u8::from(state.last_login.is_some()));
    if let Some(time) = state.last_login {
        put_time(output, time);
    }
    output.push(u8::from(state.last_login_source.is_some()));
    if let Some(source) = &state.last_login_source {
        put_octets(output, source.as_bytes());
    }
    if let Some(step) = state.one_time_step {
        put_fact(output, ONE_TIME_STEP, &step.to_be_bytes());
    }
    if let Some(drift) = state.time_step_drift {
        put_fact(output, TIME_STEP_DRIFT, &drift.to_be_bytes());
    }
    if let Some(failed) = &state.failed {
        let mut encoded = Vec::new();
        failed::put(&mut encoded, failed);
        put_fact(output, FAILED_LOGINS, &encoded);
    }
    if !state.grace_logins.is_empty() {
        let mut encoded = Vec::new();
        state.grace_logins.iter().for_each(|time| put_time(&mut encoded, *time));
        put_fact(output, GRACE_LOGINS, &encoded);
    }
}

/// One more fact of an account, by its number.
fn put_fact(output: &mut Vec<u8>, number: u8, octets: &[u8]) {
    output.push(number);
    put_octets(output, octets);
}

pub(super) fn put_context(output: &mut Vec<u8>, state: ContextState) {
    put_time(output, state.stamp.time);
    output.extend_from_slice(&state.stamp.count.to_be_bytes());
    output.extend_from_slice(&state.number.to_be_bytes());
}

pub(super) fn put_number(output: &mut Vec<u8>, number: u64) {
    output.extend_from_slice(&number.to_be_bytes());
}

fn put_identifier(output: &mut Vec<u8>, identifier: &Identifier) {
    put_octets(output, identifier.attribute.as_bytes());
    put_octets(output, &identifier.key);
    put_octets(output, &identifier.value);
}

fn put_membership(output: &mut Vec<u8>, membership: &Membership) {
    put_attribute(output, membership.attribute());
    match membership {
        Membership::Entry(_, member) => {
            output.push(ELEMENT_ENTRY);
            put_id(output, *member);
        }
        Membership::Outside { key, value, .. } => {
            output.push(ELEMENT_OUTSIDE);
            put_octets(output, key);
            put_octets(output, value);
        }
    }
}

/// No form is the beginning of another one.
pub(super) fn put_attribute(output: &mut Vec<u8>, attribute: MembershipAttribute) {
    match attribute {
        MembershipAttribute::Member => output.push(MEMBER),
        MembershipAttribute::UniqueMember => output.push(UNIQUE_MEMBER),
        MembershipAttribute::MemberUid => output.push(MEMBER_UID),
        MembershipAttribute::Reference(reference) => {
            output.push(REFERENCE);
            put_octets(output, reference.oid().as_bytes());
        }
    }
}

/// Takes values off the front of stored octets.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), ChangeError> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged("octets behind the end")) }
    }

    pub(super) fn octet(&mut self) -> Result<u8, ChangeError> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub(super) fn id(&mut self) -> Result<EntryId, ChangeError> {
        Ok(EntryId(u64::from_be_bytes(self.array()?)))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, ChangeError> {
        Ok(Timestamp(i64::from_be_bytes(self.array()?)))
    }

    pub(super) fn optional_id(&mut self) -> Result<Option<EntryId>, ChangeError> {
        if self.flag()? { self.id().map(Some) } else { Ok(None) }
    }

    pub(super) fn count(&mut self) -> Result<u32, ChangeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn octets(&mut self) -> Result<&'a [u8], ChangeError> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        let (octets, rest) = self.0.split_at_checked(length).ok_or(damaged("cut off"))?;
        self.0 = rest;
        Ok(octets)
    }

    pub(super) fn text(&mut self) -> Result<String, ChangeError> {
        let octets = self.octets()?;
        std::str::from_utf8(octets).map(str::to_owned).map_err(|_| damaged("text that is no UTF-8"))
    }

    pub(super) fn attribute(&mut self) -> Result<MembershipAttribute, ChangeError> {
        match self.octet()? {
            MEMBER => Ok(MembershipAttribute::Member),
            UNIQUE_MEMBER => Ok(MembershipAttribute::UniqueMember),
            MEMBER_UID => Ok(MembershipAttribute::MemberUid),
            REFERENCE => {
                let reference = ReferenceAttribute::new(&self.text()?).ok_or(damaged("an impossible object identifier"))?;
                Ok(MembershipAttribute::Reference(reference))
            }
            _ => Err(damaged("unknown membership attribute")),
        }
    }

    /// What every program knows: the first two facts.
    fn short_account_state(&mut self) -> Result<AccountState, ChangeError> {
        let last_login = if self.flag()? { Some(self.time()?) } else { None };
        let last_login_source = if self.flag()? { Some(self.text()?) } else { None };
        Ok(AccountState { last_login, last_login_source, ..AccountState::default() })
    }

    /// All that is left is one account's state.
    pub(super) fn account_state(&mut self) -> Result<AccountState, ChangeError> {
        let mut state = self.short_account_state()?;
        while !self.0.is_empty() {
            let number = self.octet()?;
            let mut fact = Reader(self.octets()?);
            match number {
                ONE_TIME_STEP => state.one_time_step = Some(fact.number()?),
                TIME_STEP_DRIFT => state.time_step_drift = Some(i8::from_be_bytes([fact.octet()?])),
                GRACE_LOGINS => {
                    while !fact.0.is_empty() {
                        state.grace_logins.push(fact.time()?);
                    }
                }
                FAILED_LOGINS => state.failed = Some(Arc::new(failed::read(&mut fact)?)),
                _ => return Err(damaged("unknown fact of an account")),
            }
            fact.end()?;
        }
        Ok(state)
    }

    pub(super) fn context(&mut self) -> Result<ContextState, ChangeError> {
        let stamp = ChangeStamp { time: self.time()?, count: u32::from_be_bytes(self.array()?) };
        Ok(ContextState { stamp, number: u64::from_be_bytes(self.array()?) })
    }

    pub(super) fn number(&mut self) -> Result<u64, ChangeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn identifier(&mut self) -> Result<Identifier, ChangeError> {
        let (attribute, key) = (self.text()?, self.octets()?.into());
        Ok(Identifier { attribute, key, value: Bytes::copy_from_slice(self.octets()?) })
    }

    pub(super) fn optional_time(&mut self) -> Result<Option<Timestamp>, ChangeError> {
        if self.flag()? { self.time().map(Some) } else { Ok(None) }
    }

    fn membership(&mut self) -> Result<Membership, ChangeError> {
        let attribute = self.attribute()?;
        match self.octet()? {
            ELEMENT_ENTRY => Ok(Membership::Entry(attribute, self.id()?)),
            ELEMENT_OUTSIDE => {
                let key = self.octets()?.into();
                Ok(Membership::Outside { attribute, key, value: Bytes::copy_from_slice(self.octets()?) })
            }
            _ => Err(damaged("unknown kind of element")),
        }
    }

    fn flag(&mut self) -> Result<bool, ChangeError> {
        match self.octet()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(damaged("a flag that is neither 0 nor 1")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ChangeError> {
        let (octets, rest) = self.0.split_first_chunk::<N>().ok_or(damaged("cut off"))?;
        self.0 = rest;
        Ok(*octets)
    }
}

pub(super) fn damaged(problem: &str) -> ChangeError {
    ChangeError(format!("stored change or row is damaged: {problem}"))
}
