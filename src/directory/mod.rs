//! The directory that answers: one immutable value, cheap to clone, changed only by applying [`Change`]s.
//!
//! Entries, tree, memberships and login bookkeeping live here with every index; all of it is derived from rows that the
//! checkpoint stores and the journal replays, so nothing here can disagree with what is on disk.

mod change;
mod digest;
mod filter;
mod id_map;
mod id_set;
mod index;
mod membership;
mod search;
mod tree;

use std::sync::Arc;

pub use change::{AccountState, Change, ChangeError, Membership, MembershipAttribute, Row, RowChange, Table, WaitingMembership};
pub use digest::Digest;
pub use filter::{FilterContext, PreparedFilter, Truth};
pub use id_set::IdSet;
pub use index::{IndexDeclaration, IndexKinds};
pub use search::{SearchCursor, SearchPlan, Step};
pub use tree::{Lookup, Node};

use crate::model::schema::Schema;
use crate::model::{Dn, EntryId};

/// One instant of the whole directory. `Clone` costs a few reference counts; old values stay as they were.
#[derive(Clone)]
pub struct Directory {
    schema: Arc<Schema>,
}

impl Directory {
    /// An empty directory for one suffix.
    pub fn new(schema: Arc<Schema>, suffix: Dn, indexes: &[IndexDeclaration], digest_key: [u8; 32]) -> Directory {
        let _ = (suffix, indexes, digest_key);
        Directory { schema }
    }

    /// The schema all entries conform to.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The suffix this server holds.
    pub fn suffix(&self) -> &Dn {
        todo!()
    }

    /// Number of entries.
    pub fn entry_count(&self) -> u64 {
        todo!()
    }

    /// The number the next new entry gets. Entry numbers are never given twice, not even after deletion.
    pub fn next_entry_id(&self) -> EntryId {
        todo!()
    }

    /// Applies one change: tree, indexes, memberships and digest follow. Applying the same change twice leaves the same value
    /// (replay is idempotent).
    pub fn apply(&mut self, change: &Change) -> Result<(), ChangeError> {
        let _ = change;
        todo!()
    }

    /// Applies one stored row while filling memory at start. Rows may come in any order; `finish_loading` must follow.
    pub fn load_row(&mut self, row: Row) -> Result<(), ChangeError> {
        let _ = row;
        todo!()
    }

    /// Builds tree and indexes after the last `load_row` and checks that every entry hangs together.
    pub fn finish_loading(&mut self) -> Result<(), ChangeError> {
        todo!()
    }

    /// The digest over the whole content: an order-free sum of keyed hashes of all rows.
    pub fn digest(&self) -> Digest {
        todo!()
    }

    /// Every row of the present content, for snapshots and for writing a checkpoint anew.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        std::iter::empty()
    }

    /// Finds a name.
    pub fn find(&self, dn: &Dn) -> Lookup {
        let _ = dn;
        todo!()
    }

    /// The entry with this number.
    pub fn node(&self, id: EntryId) -> Option<&Arc<Node>> {
        let _ = id;
        todo!()
    }

    /// The entry's distinguished name as spelled, RDN by RDN.
    pub fn dn(&self, id: EntryId) -> Dn {
        let _ = id;
        todo!()
    }

    /// The same as text (cheaper than `dn(id).to_string()`).
    pub fn dn_text(&self, id: EntryId) -> String {
        let _ = id;
        todo!()
    }

    /// The entries directly below, in RDN order.
    pub fn children(&self, id: EntryId) -> impl Iterator<Item = EntryId> + '_ {
        let _ = id;
        std::iter::empty()
    }

    /// How many entries are directly below.
    pub fn child_count(&self, id: EntryId) -> u64 {
        let _ = id;
        todo!()
    }

    /// Whether `id` is `ancestor` or lies below it.
    pub fn is_within(&self, id: EntryId, ancestor: EntryId) -> bool {
        let _ = (id, ancestor);
        todo!()
    }

    /// Whether `member` is in the set of `group`, by member or uniqueMember.
    pub fn is_member(&self, group: EntryId, member: EntryId) -> bool {
        let _ = (group, member);
        todo!()
    }

    /// The groups an entry is a direct member of.
    pub fn groups_of(&self, member: EntryId) -> impl Iterator<Item = EntryId> + '_ {
        let _ = member;
        std::iter::empty()
    }

    /// The values of a membership attribute as read by a client (DNs spelled out, dangling names as given).
    pub fn member_values(&self, group: EntryId, attribute: MembershipAttribute) -> Vec<bytes::Bytes> {
        let _ = (group, attribute);
        todo!()
    }

    /// How many values a membership attribute has.
    pub fn member_count(&self, group: EntryId, attribute: MembershipAttribute) -> usize {
        let _ = (group, attribute);
        todo!()
    }

    /// Which set element a value of a membership attribute stands for, present or not.
    pub fn resolve_member(
        &self,
        attribute: MembershipAttribute,
        value: &[u8],
    ) -> Result<Membership, crate::model::schema::SyntaxError> {
        let _ = (attribute, value);
        todo!()
    }

    /// Whether a group has this element.
    pub fn has_membership(&self, group: EntryId, membership: &Membership) -> bool {
        let _ = (group, membership);
        todo!()
    }

    /// The elements of a membership attribute.
    pub fn memberships(&self, group: EntryId, attribute: MembershipAttribute) -> impl Iterator<Item = Membership> + '_ {
        let _ = (group, attribute);
        std::iter::empty()
    }

    /// Elements of any group that are no entry here and whose value is this name or one below it: what may become
    /// [`Membership::Entry`] when an entry gets this name.
    pub fn waiting_memberships(&self, dn: &Dn) -> Vec<WaitingMembership> {
        let _ = dn;
        todo!()
    }

    /// Login bookkeeping of an entry; the default where there is none.
    pub fn account_state(&self, id: EntryId) -> AccountState {
        let _ = id;
        todo!()
    }
}
