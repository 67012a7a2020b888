//! Applying changes: tree, indexes, memberships, bookkeeping and digest follow together.

use bytes::Bytes;

use super::change::row;
use super::recent::{Happening, Place};
use super::usage;
use super::{AccountState, Change, ChangeError, ContextState, Digest, Directory, Membership, MembershipAttribute, Node, Row};
use crate::model::schema::RdnKey;
use crate::model::{ChangeStamp, Dn, Entry, EntryId, Rdn, Timestamp};

impl Directory {
    /// Applies one change: tree, indexes, memberships and digest follow. Applying the same change twice leaves the same value
    /// (replay is idempotent). On an error, which is damage or a bug, the value is as it was.
    pub fn apply(&mut self, change: &Change) -> Result<(), ChangeError> {
        if self.loading.is_some() {
            return Err(ChangeError("rows are still being loaded".into()));
        }
        match change {
            Change::PutEntry { id, parent, name, block } => self.put_entry(*id, *parent, name, block),
            Change::RemoveEntry { id, next_id } => self.remove_entry(*id, *next_id),
            Change::PutMembership { group, membership, since, by, until } => {
                self.put_membership(*group, membership, (*since, by, *until))
            }
            Change::RemoveMembership { group, membership } => {
                self.remove_membership(*group, membership);
                Ok(())
            }
            Change::PutAccountState { id, state } => self.put_account_state(*id, state),
            Change::PutContext(state) => {
                self.put_context(*state);
                Ok(())
            }
            Change::ReviseSchema(revision) => self.revise_schema(revision),
            Change::Reserve { identifier, since, by } => {
                self.reserve(identifier, *since, by);
                Ok(())
            }
            Change::Release { identifier } => {
                self.release(identifier);
                Ok(())
            }
            Change::PutNextNumber { attribute, next } => {
                self.put_next_number(attribute, *next);
                Ok(())
            }
        }
    }

    fn put_entry(&mut self, id: EntryId, parent: Option<EntryId>, name: &str, block: &Bytes) -> Result<(), ChangeError> {
        let node = self.read_node(id, parent, name, block)?;
        let fixed = &self.fixed;
        let entry = node.entry.clone();
        let (stamp, uuid) = (self.stamp_of(&node), self.uuid_of(&node));
        let superiors_before = self.superiors(id);
        let before = self.tree.put(&fixed.hash, node)?;
        self.indexes.update(&fixed.index_plan, &fixed.schema, id, before.as_ref().map(|node| &node.entry), Some(&entry));
        self.kinds.touch(id);
        if before.as_ref().is_none_or(|before| !usage::classes_are_same(fixed, &before.entry, &entry)) {
            self.kinds.update(fixed.kind_classes, &fixed.schema, id, Some(&entry));
            self.kinds.touch(id);
        }
        let renamed = before.as_ref().is_some_and(|before| before.parent != parent || before.name != name);
        if renamed && self.tree.children(id).is_some() {
            // Names of what lies below changed as well.
            self.kinds.touch_all();
        }
        self.usage.update(fixed, before.as_ref().map(|node| &node.entry), Some(&entry));
        let expired_before = before.as_ref().and_then(|node| self.expires(node));
        self.expiries.update(id, expired_before, self.expiry_of(&entry));
        let turned_before = before.as_ref().and_then(|node| self.turn_of(&node.entry));
        self.turns.update(id, turned_before, self.turn_of(&entry));
        let mut place = Place::Named;
        if before.as_ref().is_some_and(|before| before.parent != parent) {
            self.move_named(id, &superiors_before);
        }
        if let Some(before) = before {
            self.take_from_digest(&row_of(&before));
            place = match () {
                () if before.parent != parent => Place::Moved,
                () if before.name != name => Place::Named,
                () => Place::Kept,
            };
            let uuid_before = self.uuid_of(&before);
            if uuid_before != uuid {
                // For those who go by it, it is another entry.
                self.happened(id, Happening::Removed(uuid_before), stamp);
                place = if place == Place::Kept { Place::Named } else { place };
            }
        }
        self.add_to_digest(&row::entry(id, parent, name, block));
        self.raise_next_id(id.0.saturating_add(1));
        self.happened(id, Happening::Put(place), stamp);
        Ok(())
    }

    /// Frames of before there was a row about it move the context by the entries they write.
    fn happened(&mut self, id: EntryId, happening: Happening, stamp: Option<ChangeStamp>) {
        if !self.context_row {
            self.context.stamp = self.context.stamp.max(stamp.unwrap_or_default());
        }
        self.recent.push(id, happening, self.context);
    }

    fn put_context(&mut self, state: ContextState) {
        if std::mem::replace(&mut self.context_row, true) {
            self.take_from_digest(&row::context(self.context));
        }
        self.context = state;
        self.add_to_digest(&row::context(state));
    }

    fn remove_entry(&mut self, id: EntryId, next_id: EntryId) -> Result<(), ChangeError> {
        if self.memberships.involves(id) {
            return Err(ChangeError(format!("entry {} cannot go: it still has or holds memberships", id.0)));
        }
        let fixed = &self.fixed;
        if let Some(before) = self.tree.remove(&fixed.hash, id)? {
            self.indexes.update(&fixed.index_plan, &fixed.schema, id, Some(&before.entry), None);
            self.kinds.touch(id);
            self.kinds.update(fixed.kind_classes, &fixed.schema, id, None);
            self.usage.update(fixed, Some(&before.entry), None);
            self.expiries.update(id, self.expires(&before), None);
            self.turns.update(id, self.turn_of(&before.entry), None);
            self.take_from_digest(&row_of(&before));
            self.happened(id, Happening::Removed(self.uuid_of(&before)), None);
        }
        self.set_account_state(id, &AccountState::default());
        if let Some(before) = self.next_id_row.replace(next_id) {
            self.take_from_digest(&row::next_entry_id(before));
        }
        self.add_to_digest(&row::next_entry_id(next_id));
        self.raise_next_id(next_id.0);
        Ok(())
    }

    fn put_membership(
        &mut self,
        group: EntryId,
        membership: &Membership,
        (since, by, until): (Timestamp, &str, Option<Timestamp>),
    ) -> Result<(), ChangeError> {
        self.check_membership(group, membership)?;
        self.forget_membership(group, membership);
        let is_new = self.memberships.put(group, membership, since, by, until);
        self.kinds.touch(group);
        if let (Membership::Entry(_, member), true) = (membership, is_new) {
            self.count_named(*member, group, true);
        }
        self.add_to_digest(&row::membership(group, membership, (since, by, until), &self.fixed.digest_key));
        Ok(())
    }

    fn remove_membership(&mut self, group: EntryId, membership: &Membership) {
        self.forget_membership(group, membership);
        let was_in = self.memberships.remove(group, membership);
        self.kinds.touch(group);
        if let (Membership::Entry(_, member), true) = (membership, was_in) {
            self.count_named(*member, group, false);
        }
    }

    pub(super) fn check_membership(&self, group: EntryId, membership: &Membership) -> Result<(), ChangeError> {
        let known = match membership {
            Membership::Entry(MembershipAttribute::MemberUid, _) => false,
            Membership::Entry(_, member) => self.node(*member).is_some(),
            Membership::Outside { .. } => true,
        };
        if known && self.node(group).is_some() {
            return Ok(());
        }
        Err(ChangeError(format!("entry {} cannot have the member: one of them is not there", group.0)))
    }

    /// Takes what is kept of a membership from the digest.
    fn forget_membership(&mut self, group: EntryId, membership: &Membership) {
        if let Some((kept, grant)) = self.memberships.get(group, membership) {
            let of_grant = (grant.since, &*grant.by, grant.until);
            self.take_from_digest(&row::membership(group, &kept, of_grant, &self.fixed.digest_key));
        }
    }

    fn put_account_state(&mut self, id: EntryId, state: &AccountState) -> Result<(), ChangeError> {
        if self.node(id).is_none() {
            return Err(ChangeError(format!("entry {} is not there to keep login times of", id.0)));
        }
        self.set_account_state(id, state);
        Ok(())
    }

    fn set_account_state(&mut self, id: EntryId, state: &AccountState) {
        let after = row::account_state(id, state);
        let before = match &after {
            Some(_) => self.account_states.insert(id.0, state.clone()),
            None => self.account_states.remove(id.0),
        };
        if let Some(before) = before.and_then(|state| row::account_state(id, &state)) {
            self.take_from_digest(&before);
        }
        if let Some(after) = after {
            self.add_to_digest(&after);
        }
    }

    /// Understands an entry's row.
    pub(super) fn read_node(&self, id: EntryId, parent: Option<EntryId>, name: &str, block: &Bytes) -> Result<Node, ChangeError> {
        let schema = &self.fixed.schema;
        let entry = Entry::from_block(block.clone(), |name| schema.section_of(name));
        let entry = entry.map_err(|error| ChangeError(format!("entry {}: {error}", id.0)))?;
        let rdn_key = match self.node(id) {
            Some(before) if before.parent == parent && before.name == name => before.rdn_key.clone(),
            _ => self.rdn_key(parent, name).ok_or_else(|| ChangeError(format!("entry {} has an impossible name", id.0)))?,
        };
        Ok(Node { id, parent, name: name.to_owned(), rdn_key, entry })
    }

    /// The suffix entry's name must be the suffix.
    fn rdn_key(&self, parent: Option<EntryId>, name: &str) -> Option<RdnKey> {
        let schema = &self.fixed.schema;
        if parent.is_some() {
            return Some(schema.rdn_key(&Rdn::parse(name.as_bytes()).ok()?));
        }
        let dn = Dn::parse(name.as_bytes()).ok()?;
        self.fixed.suffix.strip(schema, &dn)?.is_empty().then(|| RdnKey(Box::default()))
    }

    pub(super) fn raise_next_id(&mut self, to: u64) {
        self.next_id = self.next_id.max(EntryId(to));
    }

    pub(super) fn add_to_digest(&mut self, row: &Row) {
        self.digest = self.digest.plus(Digest::of_row(&self.fixed.digest_key, row));
    }

    pub(super) fn take_from_digest(&mut self, row: &Row) {
        self.digest = self.digest.minus(Digest::of_row(&self.fixed.digest_key, row));
    }
}

/// The row of an entry as it stands.
pub(super) fn row_of(node: &Node) -> Row {
    row::entry(node.id, node.parent, &node.name, node.entry.block())
}
