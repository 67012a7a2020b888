//! The schema of a directory: the definitions it was opened with, and those that were made, replaced or taken away online.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::account::AccountTypes;
use super::change::row;
use super::dynamic::MEMBER_URL;
use super::hash::KeyedHash;
use super::index::{IndexDeclaration, IndexKinds, IndexPlan, Indexes};
use super::kind::KindClasses;
use super::review::CampaignTypes;
use super::tree::Suffix;
use super::turns::{APPROVER_ID, GrantTypes};
use super::usage::Usage;
use super::{ChangeError, Computed, Directory, Membership, SUBSCHEMA, WaitingMembership, computed};
use crate::model::schema::{Schema, SchemaChange, SchemaDefinition, SchemaElement, SchemaError, SchemaUsage};
use crate::model::{AttributeTypeId, Dn, Timestamp};

/// A definition that was made online.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredDefinition {
    /// What it defines.
    pub element: SchemaElement,
    /// What tells it from others of its kind.
    pub identifier: String,
    /// Definitions are published in this order, behind those that are built in.
    pub position: u64,
    /// RFC 4512 text, as [`SchemaDefinition::text`].
    pub text: String,
}

/// Definitions that come (new or in place of those with the same identifier) and go, all at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaRevision {
    /// Those that come.
    pub put: Vec<StoredDefinition>,
    /// Kind and identifier of those that go.
    pub remove: Vec<(SchemaElement, String)>,
    /// When.
    pub at: Timestamp,
    /// By whose hand: the actor's DN as text.
    pub by: String,
}

/// When and by whom definitions were last changed online.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastRevision {
    /// When.
    pub at: Timestamp,
    /// The actor's DN as text.
    pub by: String,
}

/// Why definitions cannot be changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RevisionError {
    /// Something relies on them as they are.
    #[error("{0}")]
    Kept(String),
    /// The schema that would come of it does not hang together.
    #[error("{0}")]
    Unfit(String),
}

/// What stays the same until definitions change.
pub(super) struct Fixed {
    pub(super) schema: Arc<Schema>,
    /// The schema without what was changed online.
    base: Arc<Schema>,
    definitions: BTreeMap<(SchemaElement, String), StoredDefinition>,
    last_revision: Option<LastRevision>,
    pub(super) suffix: Suffix,
    pub(super) index_plan: IndexPlan,
    declared: Vec<IndexDeclaration>,
    pub(super) computed: Vec<(AttributeTypeId, Computed)>,
    pub(super) object_class: Option<AttributeTypeId>,
    pub(super) kind_classes: KindClasses,
    pub(super) account_types: AccountTypes,
    pub(super) entry_csn: Option<AttributeTypeId>,
    pub(super) member_url: Option<AttributeTypeId>,
    /// When a dynamic entry expires.
    pub(super) expires: Option<AttributeTypeId>,
    pub(super) grant_types: Option<GrantTypes>,
    pub(super) campaign_types: Option<CampaignTypes>,
    pub(super) entry_uuid: Option<AttributeTypeId>,
    pub(super) digest_key: [u8; 32],
    pub(super) hash: KeyedHash,
}

impl Fixed {
    pub(super) fn new(schema: Arc<Schema>, suffix: Dn, indexes: &[IndexDeclaration], digest_key: [u8; 32]) -> Fixed {
        let hash = KeyedHash::new(&digest_key);
        let computed = computed::resolve(&schema);
        Fixed {
            suffix: Suffix::new(&schema, suffix),
            index_plan: index_plan(&schema, indexes, hash, &computed),
            declared: indexes.to_vec(),
            computed,
            object_class: id_of(&schema, "objectClass"),
            kind_classes: KindClasses::new(&schema),
            account_types: AccountTypes::new(&schema),
            entry_csn: id_of(&schema, "entryCSN"),
            member_url: id_of(&schema, MEMBER_URL),
            expires: id_of(&schema, "entryExpireTimestamp"),
            grant_types: GrantTypes::new(&schema),
            campaign_types: CampaignTypes::new(&schema),
            entry_uuid: id_of(&schema, "entryUUID"),
            digest_key,
            hash,
            base: Arc::clone(&schema),
            schema,
            definitions: BTreeMap::new(),
            last_revision: None,
        }
    }

    /// The same with other definitions.
    fn with(
        &self,
        definitions: BTreeMap<(SchemaElement, String), StoredDefinition>,
        last_revision: Option<LastRevision>,
    ) -> Result<Fixed, SchemaError> {
        let schema = Arc::new(self.base.with_definitions(&self.schema, &read_all(&definitions)?)?);
        let computed = computed::resolve(&schema);
        Ok(Fixed {
            suffix: Suffix::new(&schema, self.suffix.dn.clone()),
            index_plan: index_plan(&schema, &self.declared, self.hash, &computed),
            declared: self.declared.clone(),
            computed,
            object_class: id_of(&schema, "objectClass"),
            kind_classes: KindClasses::new(&schema),
            account_types: AccountTypes::new(&schema),
            entry_csn: id_of(&schema, "entryCSN"),
            member_url: id_of(&schema, MEMBER_URL),
            expires: id_of(&schema, "entryExpireTimestamp"),
            grant_types: GrantTypes::new(&schema),
            campaign_types: CampaignTypes::new(&schema),
            entry_uuid: id_of(&schema, "entryUUID"),
            digest_key: self.digest_key,
            hash: self.hash,
            base: Arc::clone(&self.base),
            schema,
            definitions,
            last_revision,
        })
    }

    fn definitions_after(&self, revision: &SchemaRevision) -> BTreeMap<(SchemaElement, String), StoredDefinition> {
        let mut definitions = self.definitions.clone();
        for gone in &revision.remove {
            definitions.remove(gone);
        }
        for put in &revision.put {
            definitions.insert((put.element, put.identifier.clone()), put.clone());
        }
        definitions
    }
}

fn unfit_text(error: &SchemaError) -> String {
    format!(
        "definitions that were made online do not fit those of the schema files: {}; write the files as they were, start the server, and \
         change definitions with ldapmodify on {SUBSCHEMA}; nothing was changed",
        error.problem
    )
}

fn id_of(schema: &Schema, name: &str) -> Option<AttributeTypeId> {
    schema.attribute_type(name).map(|attribute_type| attribute_type.id)
}

fn index_plan(
    schema: &Schema,
    declared: &[IndexDeclaration],
    hash: KeyedHash,
    computed: &[(AttributeTypeId, Computed)],
) -> IndexPlan {
    let computed: Vec<_> = computed.iter().map(|(id, _)| *id).collect();
    let presence = IndexKinds { presence: true, ..IndexKinds::default() };
    let mut declared = declared.to_vec();
    declared.push(IndexDeclaration { attribute: MEMBER_URL.to_owned(), kinds: presence });
    let equality = IndexKinds { equality: true, ..IndexKinds::default() };
    declared.push(IndexDeclaration { attribute: APPROVER_ID.to_owned(), kinds: equality });
    IndexPlan::new(schema, &declared, hash, &computed)
}

/// In order of position.
fn read_all(definitions: &BTreeMap<(SchemaElement, String), StoredDefinition>) -> Result<Vec<SchemaDefinition>, SchemaError> {
    let mut in_order: Vec<&StoredDefinition> = definitions.values().collect();
    in_order.sort_by_key(|definition| definition.position);
    let read = |stored: &StoredDefinition| {
        let error = |problem| SchemaError { file: "the stored schema".to_owned(), line: stored.position, problem };
        SchemaDefinition::read(stored.element, &stored.text).map_err(error)
    };
    in_order.into_iter().map(read).collect()
}

impl Directory {
    /// The schema without what was changed online: built-in definitions and those of configured files.
    pub fn base_schema(&self) -> &Arc<Schema> {
        &self.fixed.base
    }

    /// The definitions that were made online or stand in place of others, in no particular order.
    pub fn definitions(&self) -> impl Iterator<Item = &StoredDefinition> {
        self.fixed.definitions.values()
    }

    /// When definitions were last changed online; none: never.
    pub fn last_revision(&self) -> Option<&LastRevision> {
        self.fixed.last_revision.as_ref()
    }

    /// How many entries have values of exactly this type, whatever the options; references count, what is worked out does not. One
    /// that has both values of its own and references counts twice.
    pub fn entries_with(&self, attribute_type: AttributeTypeId) -> u64 {
        let references = match self.computed(attribute_type) {
            Some(Computed::Members(attribute)) => self.memberships.holders(attribute).len() as u64,
            _ => 0,
        };
        self.usage.entries_with(attribute_type).saturating_add(references)
    }

    /// Whether definitions may be changed so: nothing that is built in, used by an entry or named by another definition goes or
    /// becomes narrower, and what comes of it hangs together. Costs a walk over the schema, whatever the number of entries.
    pub fn check_revision(&self, revision: &SchemaRevision) -> Result<(), RevisionError> {
        let fixed = &self.fixed;
        let (schema, base) = (&fixed.schema, &fixed.base);
        // The advice is for files.
        let unfit = |error: SchemaError| {
            RevisionError::Unfit(error.problem.replace(" of any loaded file; load its file or", "; define it as well, or"))
        };
        let read = |stored: &StoredDefinition| SchemaDefinition::read(stored.element, &stored.text).map_err(RevisionError::Unfit);
        let put = revision.put.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let entries_with = |id| self.entries_with(id);
        let usage = SchemaUsage { attribute_type: &entries_with, object_class: &|class| self.usage.entries_of(class) };
        // What goes back to its built-in form is no removal.
        let goes_back =
            |gone: &&(SchemaElement, String)| base.definition_exists(gone.0, &gone.1) && fixed.definitions.contains_key(*gone);
        let removed: Vec<(SchemaElement, String)> = revision.remove.iter().filter(|gone| !goes_back(gone)).cloned().collect();
        let change = SchemaChange { removed: &removed, put: &put };
        schema.check_removals(base, &usage, &change).map_err(RevisionError::Kept)?;
        self.check_declared_indexes(&removed)?;
        let after = fixed.with(fixed.definitions_after(revision), None).map_err(unfit)?;
        schema.check_widening(&after.schema, base, &usage).map_err(RevisionError::Kept)?;
        match fixed.index_plan.first_outdated(&after.index_plan, &|id| self.entries_with(id) > 0) {
            Some(id) => Err(RevisionError::Kept(format!(
                "attribute type '{}' is in use and has an index: its ORDERING and SUBSTR cannot change so",
                schema.attribute_type_by_id(id).name()
            ))),
            None => Ok(()),
        }
    }

    /// The next start would not find what the configuration wants to be indexed.
    fn check_declared_indexes(&self, removed: &[(SchemaElement, String)]) -> Result<(), RevisionError> {
        for (_, oid) in removed.iter().filter(|(element, _)| *element == SchemaElement::AttributeType) {
            let id = self.fixed.schema.attribute_type(oid).map(|it| it.id);
            let declared = self
                .fixed
                .declared
                .iter()
                .find(|index| id.is_some() && self.fixed.schema.attribute_type(&index.attribute).map(|it| it.id) == id);
            if let Some(index) = declared {
                return Err(RevisionError::Kept(format!(
                    "attribute type '{}' is in use: the configuration has an index on it",
                    index.attribute
                )));
            }
        }
        Ok(())
    }

    /// Why the definitions read from the checkpoint, which are not in force, cannot be; none: they can, or there are none.
    pub(super) fn unfit_definitions(&self) -> Option<String> {
        let waiting = &self.loading.as_ref()?.definitions;
        let definitions = waiting.iter().map(|it| ((it.element, it.identifier.clone()), it.clone())).collect();
        self.fixed.with(definitions, None).err().map(|error| unfit_text(&error))
    }

    /// Why a change of definitions cannot be made.
    pub(super) fn unfit_revision(&self, revision: &SchemaRevision) -> Option<String> {
        self.fixed.with(self.fixed.definitions_after(revision), None).err().map(|error| unfit_text(&error))
    }

    /// Elements of groups that are no entry here and whose value may name one of these attribute types (lower case): what another
    /// definition of a type makes another name. Costs a look at each such element.
    pub fn outside_naming(&self, types: &HashSet<String>) -> Vec<WaitingMembership> {
        let names_one = |value: &[u8]| {
            let mut parts = value.split(|octet| matches!(octet, b',' | b'+' | b';'));
            parts.any(|part| {
                let name = part.split(|octet| *octet == b'=').next().unwrap_or_default();
                types.contains(&String::from_utf8_lossy(name).trim().to_ascii_lowercase())
            })
        };
        let all = self.memberships.all_outside();
        let naming = all.filter(|(_, membership, _)| matches!(membership, Membership::Outside { value, .. } if names_one(value)));
        naming
            .map(|(group, membership, grant)| WaitingMembership {
                group,
                membership,
                since: grant.since,
                by: grant.by.to_string(),
                until: grant.until,
            })
            .collect()
    }

    /// See [`super::Change::ReviseSchema`].
    pub(super) fn revise_schema(&mut self, revision: &SchemaRevision) -> Result<(), ChangeError> {
        let last = LastRevision { at: revision.at, by: revision.by.clone() };
        let after = self.fixed.with(self.fixed.definitions_after(revision), Some(last.clone()));
        let after = after.map_err(|error| ChangeError(format!("changed schema: {}", error.problem)))?;
        let before = Arc::clone(&self.fixed);
        let touched = revision.remove.iter().cloned();
        let touched = touched.chain(revision.put.iter().map(|put| (put.element, put.identifier.clone())));
        let mut touched: Vec<(SchemaElement, String)> = touched.collect();
        touched.sort_unstable();
        touched.dedup();
        for key in &touched {
            if let Some(stored) = before.definitions.get(key) {
                self.take_from_digest(&row::definition(stored));
            }
            if let Some(stored) = after.definitions.get(key) {
                self.add_to_digest(&row::definition(stored));
            }
        }
        if let Some(last) = &before.last_revision {
            self.take_from_digest(&row::last_revision(last));
        }
        self.add_to_digest(&row::last_revision(&last));
        // While the journal is replayed with other indexes than those that held when this was decided.
        let outdated = before.index_plan.first_outdated(&after.index_plan, &|id| self.entries_with(id) > 0).is_some();
        self.usage = self.usage.renumbered(&before.schema, &after.schema);
        self.kinds.touch_all();
        self.fixed = Arc::new(after);
        if outdated {
            let entries = self.tree.nodes().iter().map(|(_, node)| (node.id, &node.entry));
            self.indexes = Indexes::build(&self.fixed.index_plan, &self.fixed.schema, entries);
        }
        Ok(())
    }

    /// Puts the definitions read from the checkpoint in force, before the first entry is read.
    pub(super) fn load_definitions(
        &mut self,
        definitions: Vec<StoredDefinition>,
        last: Option<LastRevision>,
    ) -> Result<(), ChangeError> {
        let definitions = definitions.into_iter().map(|it| ((it.element, it.identifier.clone()), it)).collect();
        let fixed = self.fixed.with(definitions, last);
        let fixed = fixed.map_err(|error| ChangeError(format!("definition that was made online: {}", error.problem)))?;
        self.usage = Usage::default();
        self.fixed = Arc::new(fixed);
        Ok(())
    }
}
