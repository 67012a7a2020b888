//! The directory that answers: one immutable value, cheap to clone, changed only by applying [`Change`]s.
//!
//! Entries, tree, memberships and login bookkeeping live here with every index; all of it is derived from rows that the
//! checkpoint stores and the journal replays, so nothing here can disagree with what is on disk.

mod account;
mod apply;
mod bulk;
mod chain;
mod change;
mod compiled;
mod computed;
mod definitions;
mod digest;
mod dynamic;
mod expiry;
mod filter;
mod grant;
mod hash;
mod id_map;
mod id_set;
mod identifier;
mod index;
mod kind;
mod load;
mod membership;
mod membership_end;
mod mismatch;
mod named_below;
mod past;
mod recent;
mod reference;
mod review;
mod search;
mod spelling;
mod structure;
#[cfg(test)]
mod tests;
mod tree;
mod turns;
mod undone;
mod usage;

use std::sync::Arc;

use bytes::Bytes;

pub use chain::{ChainTooLong, MAXIMUM_CHAIN_WORK};
pub use change::{
    AccountState, Change, ChangeError, ContextState, Membership, MembershipAttribute, Row, RowChange, Table, WaitingMembership,
};
pub use compiled::{Compiled, RuleKind};
pub use computed::{Computed, MEMBER_ENDS, SUBSCHEMA};
pub use definitions::{LastRevision, RevisionError, SchemaRevision, StoredDefinition};
pub use digest::Digest;
pub use dynamic::{MAXIMUM_DYNAMIC_CANDIDATES, MAXIMUM_DYNAMIC_GROUPS};
pub use filter::{FilterContext, PreparedFilter, Truth, ValuesFilter};
pub use grant::MembershipGrant;
pub use id_set::IdSet;
pub use identifier::Identifier;
pub use index::{IndexDeclaration, IndexKinds};
pub use past::{PastEntry, PastFact, PastNames};
pub use recent::{Happening, Place, RECENT_CHANGES, Recent, RecentChange};
pub use reference::ReferenceAttribute;
pub use search::{SearchCursor, SearchPlan, Step};
pub use tree::{Lookup, Node};
pub use undone::UndoneTime;

use crate::model::schema::{RdnKey, Schema, SyntaxError};
use crate::model::{AttributeTypeId, ChangeStamp, Dn, EntryId, Rdn, Timestamp};
use definitions::Fixed;
use expiry::Expiries;
use id_map::IdMap;
use identifier::Identifiers;
use index::Indexes;
use kind::Kinds;
use membership::{Memberships, Named};
use named_below::NamedBelow;
use tree::Tree;
use usage::Usage;

/// One instant of the whole directory. `Clone` costs a few reference counts; old values stay as they were.
#[derive(Clone)]
pub struct Directory {
    fixed: Arc<Fixed>,
    tree: Tree,
    kinds: Kinds,
    memberships: Memberships,
    named_below: NamedBelow,
    indexes: Indexes,
    account_states: IdMap<AccountState>,
    usage: Usage,
    identifiers: Identifiers,
    expiries: Expiries,
    /// When time makes something else of grants.
    turns: Expiries,
    /// As of when this value is looked at; only the time that is left to entries depends on it.
    moment: Timestamp,
    digest: Digest,
    next_id: EntryId,
    /// What the row about it says: there is one once an entry was removed.
    next_id_row: Option<EntryId>,
    context: ContextState,
    /// Whether there is a row about it: there is once an operation of this version or a later one changed something.
    context_row: bool,
    recent: Recent,
    undone: Arc<[UndoneTime]>,
    /// While memory is being filled.
    loading: Option<load::Loading>,
}

impl Directory {
    /// An empty directory for one suffix. Secret and computed attributes are left out of the indexes.
    pub fn new(schema: Arc<Schema>, suffix: Dn, indexes: &[IndexDeclaration], digest_key: [u8; 32]) -> Directory {
        Directory {
            fixed: Arc::new(Fixed::new(schema, suffix, indexes, digest_key)),
            tree: Tree::default(),
            kinds: Kinds::default(),
            memberships: Memberships::default(),
            named_below: NamedBelow::default(),
            indexes: Indexes::default(),
            account_states: IdMap::default(),
            usage: Usage::default(),
            identifiers: Identifiers::default(),
            expiries: Expiries::default(),
            turns: Expiries::default(),
            moment: Timestamp::default(),
            digest: Digest::default(),
            next_id: EntryId(1),
            next_id_row: None,
            context: ContextState::default(),
            context_row: false,
            recent: Recent::default(),
            undone: Arc::default(),
            loading: None,
        }
    }

    /// The schema all entries conform to.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.fixed.schema
    }

    /// The suffix this server holds.
    pub fn suffix(&self) -> &Dn {
        &self.fixed.suffix.dn
    }

    /// The suffix entry, once it is there.
    pub fn suffix_entry(&self) -> Option<EntryId> {
        self.tree.root()
    }

    /// Number of entries.
    pub fn entry_count(&self) -> u64 {
        self.tree.nodes().len() as u64
    }

    /// The number the next new entry gets. Entry numbers are never given twice, not even after deletion and a restart.
    pub fn next_entry_id(&self) -> EntryId {
        self.next_id
    }

    /// The digest over the whole content: an order-free sum of keyed hashes of all rows.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How far the directory is: contextCSN and the number of operations so far.
    pub fn context(&self) -> ContextState {
        self.context
    }

    /// What changed last.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The stamp of an entry's newest change (entryCSN).
    pub fn stamp_of(&self, node: &Node) -> Option<ChangeStamp> {
        let text = node.entry.first(self.fixed.entry_csn?)?;
        ChangeStamp::parse(text).map(|(stamp, _)| stamp)
    }

    /// An entry's entryUUID.
    pub fn uuid_of(&self, node: &Node) -> Option<[u8; 16]> {
        let text = node.entry.first(self.fixed.entry_uuid?)?;
        uuid::Uuid::try_parse_ascii(text).ok().map(uuid::Uuid::into_bytes)
    }

    /// Finds a name.
    pub fn find(&self, dn: &Dn) -> Lookup {
        self.tree.find(&self.fixed.schema, &self.fixed.hash, &self.fixed.suffix, dn)
    }

    /// The entry with this number.
    pub fn node(&self, id: EntryId) -> Option<&Arc<Node>> {
        self.tree.node(id)
    }

    /// All entries, in order of numbers.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.tree.nodes().iter().map(|(_, node)| node)
    }

    /// The entry's distinguished name as spelled, RDN by RDN; the empty name where there is no such entry.
    pub fn dn(&self, id: EntryId) -> Dn {
        let mut rdns = Vec::new();
        for node in self.tree.upwards(id) {
            if node.parent.is_some() {
                rdns.extend(Rdn::parse(node.name.as_bytes()));
            } else {
                rdns.extend(Dn::parse(node.name.as_bytes()).unwrap_or_default().rdns);
            }
        }
        Dn { rdns }
    }

    /// The same as text (cheaper than `dn(id).to_string()`).
    pub fn dn_text(&self, id: EntryId) -> String {
        let length = self.tree.upwards(id).map(|node| node.name.len() + 1).sum();
        let mut text = String::with_capacity(length);
        for node in self.tree.upwards(id) {
            if !text.is_empty() && !node.name.is_empty() {
                text.push(',');
            }
            text.push_str(&node.name);
        }
        text
    }

    /// The entries directly below, as a set.
    pub fn child_set(&self, id: EntryId) -> IdSet {
        self.tree.children(id).cloned().unwrap_or_default()
    }

    /// The entries directly below, in order of numbers.
    pub fn children(&self, id: EntryId) -> impl Iterator<Item = EntryId> + '_ {
        self.tree.children(id).into_iter().flat_map(IdSet::iter)
    }

    /// How many entries are directly below.
    pub fn child_count(&self, id: EntryId) -> u64 {
        self.tree.children(id).map_or(0, |children| children.len() as u64)
    }

    /// The entry directly below with this name, spelled in any way.
    pub fn child(&self, parent: EntryId, rdn: &Rdn) -> Option<EntryId> {
        self.tree.child(&self.fixed.hash, parent, &self.fixed.schema.rdn_key(rdn))
    }

    /// The entry directly below with the name of this key.
    pub fn child_by_key(&self, parent: EntryId, key: &RdnKey) -> Option<EntryId> {
        self.tree.child(&self.fixed.hash, parent, key)
    }

    /// Whether `id` is `ancestor` or lies below it.
    pub fn is_within(&self, id: EntryId, ancestor: EntryId) -> bool {
        self.tree.is_within(id, ancestor)
    }

    /// Whether `member` is in the set of `group`, by member or uniqueMember.
    pub fn is_member(&self, group: EntryId, member: EntryId) -> bool {
        self.memberships.is_member(group, member)
    }

    /// The direct members of a group that are entries, by member or uniqueMember.
    pub fn members_of(&self, group: EntryId) -> impl Iterator<Item = EntryId> + use<> {
        self.memberships.members_of(group).into_iter()
    }

    /// The groups an entry is a direct member of, by member or uniqueMember.
    pub fn groups_of(&self, member: EntryId) -> impl Iterator<Item = EntryId> + '_ {
        self.group_set_of(member).into_iter()
    }

    /// The same as a set.
    pub fn group_set_of(&self, member: EntryId) -> IdSet {
        self.memberships.groups_of(member)
    }

    /// Elements of any group that are no entry here and whose value is this name or one below it: what may become
    /// [`Membership::Entry`] when an entry gets this name.
    pub fn waiting_memberships(&self, dn: &Dn) -> Vec<WaitingMembership> {
        self.memberships.waiting(&self.fixed.schema.dn_key(dn))
    }

    /// Some values of a membership attribute: those behind the first `skip`, as [`Directory::member_values`] has them.
    pub fn some_member_values(&self, group: EntryId, attribute: MembershipAttribute, skip: usize, most: usize) -> Vec<Bytes> {
        let elements = self.memberships.elements(group, attribute, skip).take(most);
        elements.map(|membership| self.member_value(&membership)).collect()
    }

    /// One element as read by a client.
    pub fn member_value(&self, membership: &Membership) -> Bytes {
        match membership {
            Membership::Entry(_, member) => self.dn_text(*member).into(),
            Membership::Outside { value, .. } => value.clone(),
        }
    }

    /// How many values a membership attribute has.
    pub fn member_count(&self, group: EntryId, attribute: MembershipAttribute) -> usize {
        self.memberships.count(group, attribute)
    }

    /// Which set element a value of a membership attribute stands for, present or not.
    pub fn resolve_member(&self, attribute: MembershipAttribute, value: &[u8]) -> Result<Membership, SyntaxError> {
        let key = match Named::read(&self.fixed.schema, attribute, value)? {
            Named::Other(key) => key,
            Named::Name(dn) => match self.find(&dn) {
                Lookup::Found(id) => return Ok(Membership::Entry(attribute, id)),
                _ => self.fixed.schema.dn_key(&dn),
            },
        };
        Ok(Membership::Outside { attribute, key, value: Bytes::copy_from_slice(value) })
    }

    /// Of two values that were published one after the other, another one where memberships are others.
    pub fn membership_version(&self) -> u64 {
        self.memberships.version()
    }

    /// Whether an entry has any element of any membership attribute.
    pub fn has_memberships(&self, id: EntryId) -> bool {
        self.memberships.has_any(id)
    }

    /// The membership attributes an entry has elements of, each once.
    pub fn membership_attributes(&self, id: EntryId) -> Vec<MembershipAttribute> {
        let mut attributes: Vec<_> = self.memberships.attributes_of(id).collect();
        attributes.sort_unstable();
        attributes.dedup();
        attributes
    }

    /// All memberships that an entry is the element of, with the entries that have them.
    pub fn memberships_held_by(&self, member: EntryId) -> impl Iterator<Item = (EntryId, Membership)> + '_ {
        let held = self.memberships.held_by(member);
        held.flat_map(move |(attribute, groups)| groups.iter().map(move |group| (group, Membership::Entry(attribute, member))))
    }

    /// Entries with references by attributes that the schema does not flag, which are therefore read as if they had none.
    pub fn unflagged_references(&self) -> impl Iterator<Item = EntryId> + '_ {
        let attributes = self.memberships.attributes();
        let schema = self.schema();
        let unflagged = attributes.filter(|it| it.attribute_type(schema).is_some_and(|it| self.computed(it.id).is_none()));
        unflagged.flat_map(|attribute| self.memberships.holders(attribute))
    }

    /// One element as read by a client, spelled as it is kept; none where the group does not have it.
    pub fn kept_member_value(&self, group: EntryId, membership: &Membership) -> Option<Bytes> {
        self.memberships.get(group, membership).map(|(kept, _)| self.member_value(&kept))
    }

    /// Whether a group has this element.
    pub fn has_membership(&self, group: EntryId, membership: &Membership) -> bool {
        self.memberships.contains(group, membership)
    }

    /// Since when and by whose hand a group has this element; none: it does not.
    pub fn membership_grant(&self, group: EntryId, membership: &Membership) -> Option<MembershipGrant> {
        self.memberships.get(group, membership).map(|(_, grant)| grant)
    }

    /// The elements of a membership attribute: entries in order of numbers, then the others.
    pub fn memberships(&self, group: EntryId, attribute: MembershipAttribute) -> impl Iterator<Item = Membership> + '_ {
        self.memberships.elements(group, attribute, 0)
    }

    /// Whether this is the type of objectClass.
    fn is_object_class(&self, attribute_type: AttributeTypeId) -> bool {
        self.fixed.object_class == Some(attribute_type)
    }

    /// Login bookkeeping of an entry; the default where there is none.
    pub fn account_state(&self, id: EntryId) -> AccountState {
        self.account_states.get(id.0).cloned().unwrap_or_default()
    }
}
