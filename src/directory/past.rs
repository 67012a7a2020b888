//! One entry as it was at a past moment, from the changes that led there, without the rest of the directory: names of all entries first,
//! then what concerns the one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::{AccountState, Change, ChangeError, Directory, Membership, MembershipAttribute, Row, Table};
use crate::model::schema::Schema;
use crate::model::{Dn, Entry, EntryId, Rdn, Section, Timestamp};

/// The names of all entries, and the schema, of a moment: about a hundred octets an entry.
pub struct PastNames {
    /// Holds the schema alone.
    skeleton: Directory,
    loads: bool,
    nodes: HashMap<u64, (Option<EntryId>, Box<str>)>,
}

impl PastNames {
    /// From nothing on. `empty`: a directory without any entry.
    pub fn new(empty: Directory) -> PastNames {
        PastNames { skeleton: empty, loads: false, nodes: HashMap::new() }
    }

    /// Takes a row of a snapshot.
    pub fn row(&mut self, row: Row) -> Result<(), ChangeError> {
        if row.table == Table::Schema {
            self.loads = true;
            return self.skeleton.load_row(row);
        }
        if row.table == Table::Entries
            && let Some(change) = Change::of_row(&row)?
        {
            self.change(&change)?;
        }
        Ok(())
    }

    /// Takes a change.
    pub fn change(&mut self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::PutEntry { id, parent, name, .. } => {
                self.nodes.insert(id.0, (*parent, name.as_str().into()));
            }
            Change::RemoveEntry { id, .. } => {
                self.nodes.remove(&id.0);
            }
            Change::ReviseSchema(_) => {
                self.settle()?;
                self.skeleton.apply(change)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Must follow the last piece.
    pub fn settle(&mut self) -> Result<(), ChangeError> {
        if std::mem::take(&mut self.loads) { self.skeleton.finish_loading() } else { Ok(()) }
    }

    /// The schema of the moment.
    pub fn schema(&self) -> &Arc<Schema> {
        self.skeleton.schema()
    }

    /// An entry's name as spelled; none where it was not there.
    pub fn dn_text(&self, id: EntryId) -> Option<String> {
        let mut text = String::new();
        let mut at = Some(id);
        // No entry lies below itself; should damage say so, this ends all the same.
        for _ in 0..=self.nodes.len() {
            let Some(id) = at else { return Some(text) };
            let (parent, name) = self.nodes.get(&id.0)?;
            if !text.is_empty() && !name.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            at = *parent;
        }
        None
    }

    /// The entry that had this name, spelled in any way.
    pub fn find(&self, dn: &Dn) -> Option<EntryId> {
        let schema = self.schema();
        let (key, rdn_key) = (schema.dn_key(dn), schema.rdn_key(dn.rdns.first()?));
        let has_the_rdn = |name: &str| Rdn::parse(name.as_bytes()).is_ok_and(|rdn| schema.rdn_key(&rdn) == rdn_key);
        let candidates = self.nodes.iter().filter(|(_, (parent, name))| parent.is_none() || has_the_rdn(name));
        let mut named = candidates.filter_map(|(id, _)| Some((EntryId(*id), self.dn_text(EntryId(*id))?)));
        named.find(|(_, text)| Dn::parse(text.as_bytes()).is_ok_and(|dn| schema.dn_key(&dn) == key)).map(|(id, _)| id)
    }
}

/// What is kept of one fact: what made it so, where that is known.
#[derive(Clone, Debug)]
struct Kept<T, M> {
    value: T,
    made: Option<M>,
}

/// What concerns one entry. `M` says what made something so.
#[derive(Clone, Debug)]
pub struct PastEntry<M> {
    id: EntryId,
    block: Option<Kept<Bytes, M>>,
    state: Option<Kept<AccountState, M>>,
    /// Since when and by whose hand it has elements, …
    members: BTreeMap<Membership, Kept<(Timestamp, String), M>>,
    /// … and others have it as one.
    held: BTreeMap<(EntryId, MembershipAttribute), Kept<(Timestamp, String), M>>,
}

/// A value of the entry at that moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PastFact<M> {
    /// The attribute's description.
    pub attribute: String,
    /// As a client would have read it.
    pub value: Bytes,
    /// Of memberships: since when and by whose hand.
    pub grant: Option<(Timestamp, String)>,
    /// What made it so.
    pub made: Option<M>,
}

impl<M: Clone> PastEntry<M> {
    /// Of the entry with this number nothing is known yet.
    pub fn new(id: EntryId) -> PastEntry<M> {
        PastEntry { id, block: None, state: None, members: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// Its number.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Whether a change says something of the entry.
    pub fn is_concerned(&self, change: &Change) -> bool {
        match change {
            Change::PutEntry { id, .. } | Change::RemoveEntry { id, .. } | Change::PutAccountState { id, .. } => *id == self.id,
            Change::PutMembership { group, membership, .. } | Change::RemoveMembership { group, membership } => {
                *group == self.id || matches!(membership, Membership::Entry(_, member) if *member == self.id)
            }
            _ => false,
        }
    }

    /// Takes a change.
    pub fn change(&mut self, change: &Change, made: Option<M>) {
        if !self.is_concerned(change) {
            return;
        }
        match change {
            Change::PutEntry { block, .. } => self.block = Some(Kept { value: block.clone(), made }),
            Change::RemoveEntry { .. } => *self = PastEntry::new(self.id),
            Change::PutAccountState { state, .. } => self.state = Some(Kept { value: state.clone(), made }),
            Change::PutMembership { group, membership, since, by, .. } => {
                let kept = Kept { value: (*since, by.clone()), made };
                if *group == self.id {
                    put_unless_same(&mut self.members, membership.clone(), kept.clone());
                }
                if let Membership::Entry(attribute, member) = membership
                    && *member == self.id
                {
                    put_unless_same(&mut self.held, (*group, *attribute), kept);
                }
            }
            Change::RemoveMembership { group, membership } => {
                if *group == self.id {
                    self.members.remove(membership);
                }
                if let Membership::Entry(attribute, _) = membership {
                    self.held.remove(&(*group, *attribute));
                }
            }
            _ => {}
        }
    }

    /// Whether it was there.
    pub fn is_there(&self) -> bool {
        self.block.is_some()
    }

    /// What made the entry itself as it was.
    pub fn made(&self) -> Option<&M> {
        self.block.as_ref()?.made.as_ref()
    }

    /// Whether something is not known of which [`PastEntry::learn`] could tell what made it so.
    pub fn is_unexplained(&self) -> bool {
        let of_members = self.members.values().map(|kept| kept.made.is_none());
        let of_held = self.held.values().map(|kept| kept.made.is_none());
        let own = [
            self.block.as_ref().is_some_and(|kept| kept.made.is_none()),
            self.state.as_ref().is_some_and(|kept| kept.made.is_none()),
        ];
        own.into_iter().chain(of_members).chain(of_held).any(|unknown| unknown)
    }

    /// Takes what made things so from the same entry at an earlier moment, after which nothing more was said of them.
    pub fn learn(&mut self, earlier: &PastEntry<M>) {
        fn take<T, M: Clone>(kept: &mut Kept<T, M>, earlier: Option<&Kept<T, M>>) {
            if kept.made.is_none() {
                kept.made = earlier.and_then(|earlier| earlier.made.clone());
            }
        }
        if let Some(kept) = &mut self.block {
            take(kept, earlier.block.as_ref());
        }
        if let Some(kept) = &mut self.state {
            take(kept, earlier.state.as_ref());
        }
        self.members.iter_mut().for_each(|(key, kept)| take(kept, earlier.members.get(key)));
        self.held.iter_mut().for_each(|(key, kept)| take(kept, earlier.held.get(key)));
    }

    /// Its attributes without secrets; `also_secret` says which more are none of a reader's business.
    pub fn attributes(&self, names: &PastNames, also_secret: &dyn Fn(&str) -> bool) -> Result<Vec<PastFact<M>>, ChangeError> {
        let Some(Kept { value: block, made }) = &self.block else { return Ok(Vec::new()) };
        let entry = Entry::from_block(block.clone(), |name| names.schema().section_of(name));
        let entry = entry.map_err(|error| ChangeError(error.to_string()))?;
        let mut facts = Vec::new();
        for attribute in entry.attributes() {
            let name = attribute.description.split(';').next().unwrap_or_default();
            if attribute.section == Section::Secret || also_secret(name) {
                continue;
            }
            facts.extend(attribute.values().map(|value| PastFact {
                attribute: attribute.description.to_owned(),
                value: Bytes::copy_from_slice(value),
                grant: None,
                made: made.clone(),
            }));
        }
        facts.extend(self.bookkeeping());
        Ok(facts)
    }

    /// Login bookkeeping, as a client read it.
    fn bookkeeping(&self) -> Vec<PastFact<M>> {
        let Some(Kept { value: state, made }) = &self.state else { return Vec::new() };
        let exact = |attribute: &'static str, time: &Timestamp| (attribute, time.to_generalized_time_micros());
        let failed = state.failed.as_deref();
        let last = state.last_login.iter();
        let mut shown: Vec<(&str, String)> = last.clone().map(|time| ("lastLoginTime", time.to_generalized_time())).collect();
        shown.extend(state.last_login_source.iter().map(|source| ("lastLoginSource", source.clone())));
        shown.extend(last.map(|time| exact("pwdLastSuccess", time)));
        shown.extend(failed.iter().flat_map(|failed| &failed.times).map(|time| exact("pwdFailureTime", time)));
        shown.extend(state.grace_logins.iter().map(|time| exact("pwdGraceUseTime", time)));
        shown.extend(failed.and_then(|failed| failed.pause_end).iter().map(|time| exact("pwdAccountTmpLockoutEnd", time)));
        let fact = |(attribute, value): (&str, String)| PastFact {
            attribute: attribute.to_owned(),
            value: value.into(),
            grant: None,
            made: made.clone(),
        };
        shown.into_iter().map(fact).collect()
    }

    /// Its elements: members of a group, and what it refers to.
    pub fn members(&self, names: &PastNames) -> Vec<PastFact<M>> {
        let facts = self.members.iter().filter_map(|(membership, kept)| {
            let value = match membership {
                Membership::Entry(_, member) => names.dn_text(*member)?.into(),
                Membership::Outside { value, .. } => value.clone(),
            };
            let attribute = membership.attribute().name(names.schema()).to_owned();
            Some(PastFact { attribute, value, grant: Some(kept.value.clone()), made: kept.made.clone() })
        });
        facts.collect()
    }

    /// The groups that had it by member or uniqueMember; groups whose members are worked out are not among them.
    pub fn groups(&self, names: &PastNames) -> Vec<PastFact<M>> {
        let of_groups = [MembershipAttribute::Member, MembershipAttribute::UniqueMember];
        let held = self.held.iter().filter(|((_, attribute), _)| of_groups.contains(attribute));
        let groups: BTreeMap<EntryId, &Kept<_, M>> = held.rev().map(|((group, _), kept)| (*group, kept)).collect();
        let facts = groups.into_iter().filter_map(|(group, kept)| {
            let value = names.dn_text(group)?.into();
            Some(PastFact { attribute: "memberOf".to_owned(), value, grant: Some(kept.value.clone()), made: kept.made.clone() })
        });
        facts.collect()
    }
}

/// What is written again as it stands was made so before.
fn put_unless_same<K: Ord, M>(kept: &mut BTreeMap<K, Kept<(Timestamp, String), M>>, key: K, new: Kept<(Timestamp, String), M>) {
    match kept.get(&key) {
        Some(before) if before.value == new.value => {}
        _ => {
            kept.insert(key, new);
        }
    }
}
