//! Content synchronization (RFC 4533): what entries and their ends look like.

use std::sync::Arc;

use super::shown::Shown;
use crate::directory::{Directory, Node};
use crate::model::{ChangeStamp, EntryId, ResultCode};
use crate::operation::access::Access;
use crate::operation::control::SyncRequest;
use crate::operation::control::sync::{self, SyncInfo, SyncState};
use crate::operation::refusal::Refusal;
use crate::operation::search::sync_cookie::{self, SyncCookie};
use crate::operation::search::watch::{Carried, Event, Watch};
use crate::operation::search::{add_control, done};
use crate::protocol::{LdapResult, Reply};

/// Most UUIDs in one message.
const UUIDS_AT_ONCE: usize = 1000;

/// One synchronization.
pub(super) struct Sync {
    persist: bool,
    /// The number the consumer gave itself, for cookies.
    consumer: String,
    /// The client's copy has the entries as they were after this change.
    since: Option<ChangeStamp>,
    /// UUIDs of entries that are as they were, or that are gone.
    uuids: Vec<[u8; 16]>,
    /// Whether those are gone.
    gone: bool,
    /// What the last cookie said.
    told: Option<ChangeStamp>,
    /// By which rules.
    mark: u32,
}

/// What a synchronization begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Beginning {
    /// Everything in the result.
    Content,
    /// The changes from this number on.
    Changes(u64),
}

impl Sync {
    /// Reads the cookie: 4096 for one that is of no use, unless the client would rather have everything anew.
    /// Where other access rules are for the client than when it was told last, it is told everything anew, and what is not named is gone.
    pub(super) fn new(
        directory: &Arc<Directory>,
        access: &Access,
        base: EntryId,
        asked: &SyncRequest,
    ) -> Result<(Sync, Beginning), Refusal> {
        let newest = directory.context().stamp;
        let mark = access.mark();
        let (consumer, cookie) =
            asked.cookie.as_ref().map_or_else(|| ("000".to_owned(), SyncCookie::Initial), |it| sync_cookie::read(it));
        let since = match cookie {
            SyncCookie::At(stamp, told) if stamp <= newest && !directory.is_undone(stamp) => {
                Some(stamp).filter(|_| mark == Some(told))
            }
            SyncCookie::Initial => None,
            SyncCookie::At(..) | SyncCookie::Unknown if asked.reload_hint => None,
            SyncCookie::At(..) | SyncCookie::Unknown => return Err(Refusal::new(ResultCode::SyncRefreshRequired, "")),
        };
        let position = since.and_then(|stamp| directory.recent().after(stamp));
        let stood =
            |&position: &u64| Watch::base_stood(directory, base, position) && !access.changes_with_moves(directory, position);
        let covered = position.filter(stood);
        let (persist, gone) = (asked.persist, covered.is_some());
        // What was moved, with all below it, does not say so.
        let since = since.filter(|_| gone || !access.has_targets());
        let mark = mark.unwrap_or(u32::MAX >> 8);
        let sync = Sync { persist, consumer, since, uuids: Vec::new(), gone, told: since, mark };
        Ok((sync, covered.map_or(Beginning::Content, Beginning::Changes)))
    }

    pub(super) fn persists(&self) -> bool {
        self.persist
    }

    /// An entry of the content: sent, or named among those that did not change.
    pub(super) fn present(&mut self, directory: &Directory, access: &Access, node: &Node, shown: &mut Shown) -> Option<Reply> {
        let uuid = directory.uuid_of(node)?;
        let unchanged = self.since.is_some_and(|since| directory.stamp_of(node).is_some_and(|stamp| stamp <= since));
        if unchanged {
            return self.name(uuid);
        }
        Some(shown.entry(directory, access, node, Some(sync::state(SyncState::Add, &uuid))))
    }

    /// What an entry that was written comes to.
    pub(super) fn changed(&mut self, event: &Event, watch: &Watch, shown: &mut Shown, refreshing: bool) -> Option<Reply> {
        let state = match (event.was_in, event.is_in) {
            (false, false) => return None,
            (true, true) if event.carried == Carried::Along && !refreshing => return None,
            (true, false) if refreshing => return self.name(event.uuid),
            (true, false) => SyncState::Delete,
            (false, true) => SyncState::Add,
            (true, true) if refreshing => SyncState::Add,
            (true, true) => SyncState::Modify,
        };
        let control = sync::state(state, &event.uuid);
        match &event.after {
            Some(node) if state != SyncState::Delete => Some(shown.entry(watch.directory(), watch.access(), node, Some(control))),
            _ => {
                let before = event.before.as_ref().zip(watch.directory_before());
                let name = before.map(|(node, directory)| directory.dn_text(node.id)).unwrap_or_default();
                Some(Reply::Entry { name, attributes: bytes::Bytes::new(), controls: vec![control] })
            }
        }
    }

    fn name(&mut self, uuid: [u8; 16]) -> Option<Reply> {
        self.uuids.push(uuid);
        if self.uuids.len() < UUIDS_AT_ONCE { None } else { self.left() }
    }

    /// The UUIDs that were not sent yet.
    pub(super) fn left(&mut self) -> Option<Reply> {
        let uuids = std::mem::take(&mut self.uuids);
        if uuids.is_empty() {
            return None;
        }
        Some(sync::info(if self.gone { SyncInfo::Deleted(&uuids) } else { SyncInfo::Present(&uuids) }))
    }

    /// Says that the refresh is done and changes follow.
    pub(super) fn refreshed(&mut self, stamp: ChangeStamp, by_changes: bool) -> Reply {
        let cookie = self.cookie(stamp);
        self.told = Some(stamp);
        sync::info(if by_changes { SyncInfo::RefreshDelete(&cookie) } else { SyncInfo::RefreshPresent(&cookie) })
    }

    /// The end of a refresh that nothing follows.
    pub(super) fn done(&self, result: LdapResult, stamp: ChangeStamp, by_changes: bool) -> Reply {
        let mut reply = done(result);
        add_control(&mut reply, sync::done(&self.cookie(stamp), by_changes));
        reply
    }

    /// The end before its time: the client goes on where the last cookie says, if there was one.
    pub(super) fn ended(&self, result: LdapResult) -> Reply {
        match self.told {
            Some(stamp) => self.done(result, stamp, true),
            None => done(result),
        }
    }

    /// The cookie for where the client is now, if it has another.
    pub(super) fn new_cookie(&mut self, stamp: ChangeStamp) -> Option<Reply> {
        if self.told.replace(stamp) == Some(stamp) {
            return None;
        }
        Some(sync::info(SyncInfo::NewCookie(&self.cookie(stamp))))
    }

    fn cookie(&self, stamp: ChangeStamp) -> Vec<u8> {
        sync_cookie::write(&self.consumer, stamp, self.mark)
    }
}
