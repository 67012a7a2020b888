//! Content synchronization (RFC 4533): the request control, and what goes with entries, between them and at the end.

use bytes::Bytes;

use super::{Controls, Value};
use crate::protocol::ber::{self, Tag, Writer};
use crate::protocol::{Control, LdapResult, Reply, oid};

/// The value of a Sync Request control.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncRequest {
    /// refreshAndPersist: changes are sent as they are made.
    pub persist: bool,
    /// The state of the client's copy, as it was told.
    pub cookie: Option<Vec<u8>>,
    /// Rather everything anew than 4096 where the cookie is of no use.
    pub reload_hint: bool,
}

/// What became of an entry of the content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SyncState {
    Add = 1,
    Modify = 2,
    Delete = 3,
}

/// A Sync Info message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SyncInfo<'a> {
    /// The copy is at this state.
    NewCookie(&'a [u8]),
    /// The refresh is done: what was not named is as it was.
    RefreshDelete(&'a [u8]),
    /// The refresh is done: what was not named is no longer in the content.
    RefreshPresent(&'a [u8]),
    /// These are in the content and did not change.
    Present(&'a [[u8; 16]]),
    /// These are no longer in the content.
    Deleted(&'a [[u8; 16]]),
}

/// `SEQUENCE { mode ENUMERATED, cookie OCTET STRING OPTIONAL, reloadHint BOOLEAN DEFAULT FALSE }`
pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let (mode, cookie, reload_hint) = value.sequence(|parts| {
        let (mode, cookie) = (parts.enumerated()?, parts.optional(Tag::OCTET_STRING)?);
        let reload_hint = parts.optional(Tag::BOOLEAN)?.map(ber::boolean).transpose()?.unwrap_or_default();
        Ok((mode, cookie.map(<[u8]>::to_vec), reload_hint))
    })?;
    let persist = match mode {
        1 => false,
        3 => true,
        _ => return Err(value.error("control mode invalid")),
    };
    controls.sync = Some(SyncRequest { persist, cookie: cookie.filter(|cookie| !cookie.is_empty()), reload_hint });
    Ok(())
}

/// The Sync State control of an entry.
pub(crate) fn state(state: SyncState, uuid: &[u8; 16]) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            parts.enumerated(state as i64);
            parts.octet_string(uuid);
        });
    });
    Control { oid: oid::SYNC_STATE.to_owned(), critical: false, value: Some(value) }
}

/// The Sync Done control. `deletes`: what was not named is as it was; otherwise it is no longer in the content.
pub(crate) fn done(cookie: &[u8], deletes: bool) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            parts.octet_string(cookie);
            if deletes {
                parts.boolean(true);
            }
        });
    });
    Control { oid: oid::SYNC_DONE.to_owned(), critical: false, value: Some(value) }
}

/// A Sync Info message.
pub(crate) fn info(info: SyncInfo<'_>) -> Reply {
    let value: Bytes = ber::encode(|writer| match info {
        SyncInfo::NewCookie(cookie) => writer.element(Tag::context(0), cookie),
        SyncInfo::RefreshDelete(cookie) => refreshed(writer, 1, cookie),
        SyncInfo::RefreshPresent(cookie) => refreshed(writer, 2, cookie),
        SyncInfo::Present(uuids) => id_set(writer, uuids, false),
        SyncInfo::Deleted(uuids) => id_set(writer, uuids, true),
    });
    Reply::Intermediate { oid: Some(oid::SYNC_INFO.to_owned()), value: Some(value) }
}

/// refreshDone TRUE is the default and left out.
fn refreshed(writer: &mut Writer<'_>, number: u8, cookie: &[u8]) {
    writer.constructed(Tag::context_constructed(number), |parts| parts.octet_string(cookie));
}

fn id_set(writer: &mut Writer<'_>, uuids: &[[u8; 16]], deletes: bool) {
    let length = uuids.len().saturating_mul(18);
    writer.constructed_about(Tag::context_constructed(3), length.saturating_add(8), |parts| {
        if deletes {
            parts.boolean(true);
        }
        parts.constructed_about(Tag::SET, length, |set| uuids.iter().for_each(|uuid| set.octet_string(uuid)));
    });
}
