//! Rows to directory and back: filling memory at start, and writing everything anew.

use super::apply::row_of;
use super::change::row::{self, Content};
use super::expiry::Expiries;
use super::index::Indexes;
use super::kind::Kinds;
use super::recent::Recent;
use super::usage::Usage;
use super::{ChangeError, Directory, LastRevision, Membership, Row, StoredDefinition};
use crate::model::EntryId;

/// What waits until all entries are there.
#[derive(Clone, Default)]
pub(super) struct Loading {
    /// Definitions that are not in force yet.
    pub(super) definitions: Vec<StoredDefinition>,
    last_revision: Option<LastRevision>,
}

impl Directory {
    /// Applies one stored row while filling memory at start. Rows of [`super::Table::Schema`] come first, the others in any order, each once;
    /// `finish_loading` must follow.
    /// Only for a directory to which no change was applied.
    pub fn load_row(&mut self, row: Row) -> Result<(), ChangeError> {
        let content = row::read(&row)?;
        self.add_to_digest(&row);
        match content {
            Content::Definition(_) | Content::LastRevision(_) if self.next_id > EntryId(1) => {
                return Err(ChangeError("definitions come before entries".to_owned()));
            }
            Content::Definition(definition) => self.loading.get_or_insert_default().definitions.push(definition),
            Content::LastRevision(last) => self.loading.get_or_insert_default().last_revision = Some(last),
            content => {
                self.use_definitions()?;
                self.load_content(content)?;
            }
        }
        Ok(())
    }

    /// Puts what was read of the schema in force.
    fn use_definitions(&mut self) -> Result<(), ChangeError> {
        let loading = self.loading.get_or_insert_default();
        if loading.definitions.is_empty() && loading.last_revision.is_none() {
            return Ok(());
        }
        // Where they do not fit they stay, so that one can say why.
        let (definitions, last) = (loading.definitions.clone(), loading.last_revision.clone());
        self.load_definitions(definitions, last)?;
        let loading = self.loading.get_or_insert_default();
        (loading.definitions, loading.last_revision) = (Vec::new(), None);
        Ok(())
    }

    fn load_content(&mut self, content: Content) -> Result<(), ChangeError> {
        self.loading.get_or_insert_default();
        match content {
            // They are gathered by who calls.
            Content::Definition(_) | Content::LastRevision(_) => {}
            // Whether both entries are there is looked at when all are.
            Content::Membership { group, membership, since, by, until } => {
                self.memberships.put(group, &membership, since, &by, until);
            }
            Content::Entry { id, parent, name, block } => {
                let node = self.read_node(id, parent, &name, &block)?;
                self.tree.hold(node)?;
                self.raise_next_id(id.0.saturating_add(1));
            }
            Content::AccountState { id, state } => {
                self.account_states.insert(id.0, state);
            }
            Content::NextEntryId(id) => {
                self.next_id_row = Some(id);
                self.raise_next_id(id.0);
            }
            Content::Reserved { identifier, since, by } => {
                self.identifiers.reserve(&identifier, since, &by, &self.fixed.digest_key);
            }
            Content::NextNumber { attribute, next } => {
                self.identifiers.put_next_number(&attribute, next);
            }
            Content::Context(state) => {
                self.context = state;
                self.context_row = true;
            }
        }
        Ok(())
    }

    /// Builds tree and indexes after the last `load_row` and checks that every entry hangs together.
    pub fn finish_loading(&mut self) -> Result<(), ChangeError> {
        self.use_definitions()?;
        self.loading = None;
        self.tree.link_all(&self.fixed.hash)?;
        self.check_memberships()?;
        self.build_named_below();
        if let Some((id, _)) = self.account_states.iter().find(|(id, _)| self.node(EntryId(*id)).is_none()) {
            return Err(ChangeError(format!("there are login times of entry {id}, which is not there")));
        }
        let entries = self.tree.nodes().iter().map(|(_, node)| (node.id, &node.entry));
        self.indexes = Indexes::build(&self.fixed.index_plan, &self.fixed.schema, entries);
        self.kinds = Kinds::build(self.fixed.kind_classes, &self.fixed.schema, self.nodes().map(|node| (node.id, &node.entry)));
        self.usage = Usage::build(&self.fixed, self.nodes().map(|node| &node.entry));
        self.find_context();
        let expiries = self.nodes().filter_map(|node| Some((node.id, self.expires(node)?)));
        let mut found = Expiries::default();
        expiries.for_each(|(id, time)| found.update(id, None, Some(time)));
        self.expiries = found;
        let turns = self.nodes().filter_map(|node| Some((node.id, self.turn_of(&node.entry)?)));
        let mut found = Expiries::default();
        turns.for_each(|(id, time)| found.update(id, None, Some(time)));
        self.turns = found;
        Ok(())
    }

    fn check_memberships(&self) -> Result<(), ChangeError> {
        let mut nodes = self.tree.nodes().neighbours();
        for (group, attribute, members) in self.memberships.sets() {
            let first = members.iter().next().map(|member| Membership::Entry(attribute, member));
            first.map_or(Ok(()), |first| self.check_membership(group, &first))?;
            if let Some(missing) = members.iter().find(|member| nodes.get(member.0).is_none()) {
                return Err(ChangeError(format!("entry {} cannot have the member {}, which is not there", group.0, missing.0)));
            }
        }
        self.memberships.all_outside().try_for_each(|(group, membership, _)| self.check_membership(group, &membership))
    }

    /// A folder that does not keep how far it is has the stamp of its newest entry.
    fn find_context(&mut self) {
        if !self.context_row {
            let newest = self.nodes().filter_map(|node| self.stamp_of(node)).max();
            self.context.stamp = newest.unwrap_or_default();
        }
        self.recent = Recent::starting(self.context.stamp);
    }

    /// Every row of the present content, for snapshots and for writing a checkpoint anew.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let entries = self.nodes().map(|node| row_of(node));
        let memberships = self.memberships.all().map(|(group, membership, grant)| {
            row::membership(group, &membership, (grant.since, &grant.by, grant.until), &self.fixed.digest_key)
        });
        let states = self.account_states.iter().filter_map(|(id, state)| row::account_state(EntryId(id), state));
        let definitions = self.definitions().map(row::definition).chain(self.last_revision().map(row::last_revision));
        definitions
            .chain(entries)
            .chain(memberships)
            .chain(states)
            .chain(self.next_id_row.map(row::next_entry_id))
            .chain(self.context_row.then(|| row::context(self.context)))
            .chain(self.identifiers.rows(&self.fixed.digest_key))
    }
}
