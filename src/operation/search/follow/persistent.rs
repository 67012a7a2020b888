//! Persistent search (draft-ietf-ldapext-psearch-03): entries that match after they were changed, or matched before they were removed.

use super::shown::Shown;
use crate::operation::control::PersistentRequest;
use crate::operation::control::persistent::{self, ChangeType};
use crate::operation::search::watch::{Carried, Event, Watch};
use crate::protocol::Reply;

/// One persistent search.
pub(super) struct Persistent(pub(super) PersistentRequest);

impl Persistent {
    /// What an entry that was written comes to.
    pub(super) fn changed(&self, event: &Event, watch: &Watch, shown: &mut Shown) -> Option<Reply> {
        let (newest, before) = (watch.directory(), watch.directory_before()?);
        let mut previous = None;
        let change_type = match (&event.before, &event.after) {
            _ if event.carried != Carried::No => return None,
            (None, _) => ChangeType::Add,
            (Some(_), None) => ChangeType::Delete,
            (Some(old), Some(new)) if old.parent != new.parent || old.name != new.name => {
                previous = Some(before.dn_text(old.id));
                ChangeType::ModifyDn
            }
            (Some(_), Some(_)) => ChangeType::Modify,
        };
        let wanted = self.0.change_types & change_type as u8 != 0;
        let (directory, node, matches) = match (&event.after, &event.before) {
            (Some(node), _) => (newest, node, event.is_in),
            (None, Some(node)) => (before, node, event.was_in),
            (None, None) => return None,
        };
        let notice = self.0.return_notices.then(|| persistent::notice(change_type, previous.as_deref(), event.context.number));
        (wanted && matches).then(|| shown.entry(directory, watch.access(), node, notice))
    }
}
