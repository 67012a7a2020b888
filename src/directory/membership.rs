//! The membership set: `member` and `memberOf` are two readings of it.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;

use super::change::{Membership, MembershipAttribute, WaitingMembership};
use super::grant::{Grants, MembershipGrant};
use super::id_map::IdMap;
use super::id_set::IdSet;
use super::membership_end::MembershipEnds;
use crate::model::schema::{AttributeType, Schema, SyntaxError, split_uid};
use crate::model::{Dn, EntryId, Timestamp};

/// All groups' sets. Each costs what it holds; one element more costs microseconds however many there are.
#[derive(Clone, Default)]
pub(super) struct Memberships {
    /// Group → members that are entries.
    members: OrdMap<(EntryId, MembershipAttribute), IdSet>,
    /// Attribute → member → groups.
    groups: OrdMap<MembershipAttribute, IdMap<IdSet>>,
    grants: Grants,
    ends: MembershipEnds,
    /// Group → elements that are no entry here, by key.
    outside: OrdMap<(EntryId, MembershipAttribute), OutsideElements>,
    /// Attribute and key → groups that have such an element.
    outside_holders: OrdMap<(MembershipAttribute, Arc<[u8]>), IdSet>,
    /// Groups with at least one element, one set for each attribute.
    holders: OrdMap<MembershipAttribute, IdSet>,
    /// Entries with at least one element of any attribute.
    any_holders: IdSet,
    /// Another one after each change.
    version: u64,
}

type OutsideElements = OrdMap<Arc<[u8]>, OutsideElement>;

#[derive(Clone)]
struct OutsideElement {
    value: Bytes,
    grant: MembershipGrant,
}

impl Memberships {
    /// Another one after each change; of values that were published.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Those of them that end by themselves.
    pub(super) fn ends(&self) -> &MembershipEnds {
        &self.ends
    }

    /// Puts an element in, or changes what is known of it. Whether it was not in.
    pub(super) fn put(
        &mut self,
        group: EntryId,
        membership: &Membership,
        since: Timestamp,
        by: &str,
        until: Option<Timestamp>,
    ) -> bool {
        self.version = self.version.wrapping_add(1);
        self.ends.put(group, membership, until);
        let attribute = membership.attribute();
        let is_new;
        match membership {
            Membership::Entry(_, member) => {
                let members = self.members.entry((group, attribute)).or_default();
                is_new = members.insert(*member);
                self.grants.put((group, attribute), *member, members, since, by);
                if is_new {
                    add_to(self.groups.entry(attribute).or_default(), *member, group);
                }
            }
            Membership::Outside { key, value, .. } => {
                is_new = !self.contains(group, membership);
                let key: Arc<[u8]> = Arc::from(&**key);
                let grant = MembershipGrant { since, by: self.grants.actor_name(by), until };
                let element = OutsideElement { value: value.clone(), grant };
                self.outside.entry((group, attribute)).or_default().insert(key.clone(), element);
                self.outside_holders.entry((attribute, key)).or_default().insert(group);
            }
        }
        self.holders.entry(attribute).or_default().insert(group);
        self.any_holders.insert(group);
        is_new
    }

    /// Takes an element out; whether it was in.
    pub(super) fn remove(&mut self, group: EntryId, membership: &Membership) -> bool {
        if !self.contains(group, membership) {
            return false;
        }
        self.version = self.version.wrapping_add(1);
        self.ends.put(group, membership, None);
        let attribute = membership.attribute();
        match membership {
            Membership::Entry(_, member) => {
                remove_from(&mut self.members, &(group, attribute), *member);
                if let Some(groups) = self.groups.get_mut(&attribute) {
                    take_from(groups, *member, group);
                    if groups.len() == 0 {
                        self.groups.remove(&attribute);
                    }
                }
                self.grants.remove((group, attribute), *member, self.members.get(&(group, attribute)));
            }
            Membership::Outside { key, .. } => {
                if let Some(elements) = self.outside.get_mut(&(group, attribute)) {
                    elements.remove(&**key);
                    if elements.is_empty() {
                        self.outside.remove(&(group, attribute));
                    }
                }
                remove_from(&mut self.outside_holders, &(attribute, Arc::from(&**key)), group);
            }
        }
        if self.count(group, attribute) == 0 {
            remove_from(&mut self.holders, &attribute, group);
            if self.attributes_of(group).next().is_none() {
                self.any_holders.remove(group);
            }
        }
        true
    }

    /// Whether the entry has any element of any attribute.
    pub(super) fn has_any(&self, group: EntryId) -> bool {
        self.any_holders.contains(group)
    }

    /// The attributes any entry has elements of.
    pub(super) fn attributes(&self) -> impl Iterator<Item = MembershipAttribute> + '_ {
        self.holders.keys().copied()
    }

    /// The attributes an entry has elements of; one may come twice.
    pub(super) fn attributes_of(&self, group: EntryId) -> impl Iterator<Item = MembershipAttribute> + '_ {
        let members = self.members.range(keys_of(group)).map(|((_, attribute), _)| *attribute);
        members.chain(self.outside.range(keys_of(group)).map(|((_, attribute), _)| *attribute))
    }

    /// Everything that has an entry as its element: the attribute and the entries that have it there.
    pub(super) fn held_by(&self, member: EntryId) -> impl Iterator<Item = (MembershipAttribute, &IdSet)> + '_ {
        self.groups.iter().filter_map(move |(attribute, groups)| Some((*attribute, groups.get(member.0)?)))
    }

    /// The element as it is kept (an outside one with the spelling it was given), with its grant.
    pub(super) fn get(&self, group: EntryId, membership: &Membership) -> Option<(Membership, MembershipGrant)> {
        let attribute = membership.attribute();
        match membership {
            Membership::Entry(_, member) => {
                let grant = self.grants.get((group, attribute), *member).filter(|_| self.contains(group, membership))?;
                Some((membership.clone(), MembershipGrant { until: self.ends.get(group, membership), ..grant }))
            }
            Membership::Outside { key, .. } => {
                let element = self.outside.get(&(group, attribute))?.get(&**key)?;
                Some((outside(attribute, key, &element.value), element.grant.clone()))
            }
        }
    }

    pub(super) fn contains(&self, group: EntryId, membership: &Membership) -> bool {
        let attribute = membership.attribute();
        match membership {
            Membership::Entry(_, member) => self.contains_entry(group, attribute, *member),
            Membership::Outside { key, .. } => {
                self.outside.get(&(group, attribute)).is_some_and(|elements| elements.contains_key(&**key))
            }
        }
    }

    /// By member or uniqueMember.
    pub(super) fn is_member(&self, group: EntryId, member: EntryId) -> bool {
        NAMING.into_iter().any(|attribute| self.contains_entry(group, attribute, member))
    }

    /// The members of a group that are entries, by member or uniqueMember.
    pub(super) fn members_of(&self, group: EntryId) -> IdSet {
        let found = NAMING.into_iter().filter_map(|attribute| self.members.get(&(group, attribute)));
        found.fold(IdSet::default(), |united, set| united.union(set))
    }

    /// The groups an entry is a direct member of.
    pub(super) fn groups_of(&self, member: EntryId) -> IdSet {
        let found = NAMING.into_iter().filter_map(|attribute| self.groups.get(&attribute)?.get(member.0));
        found.fold(IdSet::default(), |united, set| united.union(set))
    }

    /// All groups: entries with any element of member or uniqueMember.
    pub(super) fn groups(&self) -> IdSet {
        let found = NAMING.into_iter().filter_map(|attribute| self.holders.get(&attribute));
        found.fold(IdSet::default(), |united, set| united.union(set))
    }

    /// The groups that have this element by member or uniqueMember.
    pub(super) fn group_holders_of(&self, membership: &Membership) -> IdSet {
        match membership {
            Membership::Entry(_, member) => self.groups_of(*member),
            Membership::Outside { key, .. } => {
                let key: Arc<[u8]> = Arc::from(&**key);
                let found = NAMING.into_iter().filter_map(|attribute| self.outside_holders.get(&(attribute, key.clone())));
                found.fold(IdSet::default(), |united, set| united.union(set))
            }
        }
    }

    /// The entries that have this one as an element of any attribute.
    pub(super) fn referrers_of(&self, member: EntryId) -> IdSet {
        self.held_by(member).fold(IdSet::default(), |united, (_, set)| united.union(set))
    }

    /// The groups that have this element.
    pub(super) fn holders_of(&self, membership: &Membership) -> IdSet {
        let attribute = membership.attribute();
        let found = match membership {
            Membership::Entry(_, member) => self.groups.get(&attribute).and_then(|groups| groups.get(member.0)),
            Membership::Outside { key, .. } => self.outside_holders.get(&(attribute, Arc::from(&**key))),
        };
        found.cloned().unwrap_or_default()
    }

    /// Elements that name an entry which is not here, and whose key starts so.
    pub(super) fn waiting(&self, dn_key: &[u8]) -> Vec<WaitingMembership> {
        let mut found = Vec::new();
        for attribute in self.attributes().filter(|attribute| *attribute != MembershipAttribute::MemberUid) {
            let from = (attribute, Arc::from(dn_key));
            let below = self.outside_holders.range(from..);
            for ((of, key), groups) in below.take_while(|((of, key), _)| *of == attribute && key.starts_with(dn_key)) {
                found.extend(groups.iter().filter_map(|group| self.waiting_in(group, *of, key)));
            }
        }
        found
    }

    /// The account names in all groups (memberUid), each once, with the groups that have it.
    pub(super) fn names(&self) -> impl Iterator<Item = (Bytes, &IdSet)> + '_ {
        let from = (MembershipAttribute::MemberUid, Arc::from([]));
        let names = self.outside_holders.range(from..).take_while(|((of, _), _)| *of == MembershipAttribute::MemberUid);
        names.filter_map(|((of, key), groups)| {
            let group = groups.iter().next()?;
            Some((self.outside.get(&(group, *of))?.get(key)?.value.clone(), groups))
        })
    }

    fn waiting_in(&self, group: EntryId, attribute: MembershipAttribute, key: &[u8]) -> Option<WaitingMembership> {
        let element = self.outside.get(&(group, attribute))?.get(key)?;
        let membership = outside(attribute, key, &element.value);
        let MembershipGrant { since, by, until } = &element.grant;
        Some(WaitingMembership { group, membership, since: *since, by: by.to_string(), until: *until })
    }

    /// The groups that have any element of this attribute.
    pub(super) fn holders(&self, attribute: MembershipAttribute) -> IdSet {
        self.holders.get(&attribute).cloned().unwrap_or_default()
    }

    pub(super) fn count(&self, group: EntryId, attribute: MembershipAttribute) -> usize {
        self.members.get(&(group, attribute)).map_or(0, IdSet::len) + self.outside.get(&(group, attribute)).map_or(0, OrdMap::len)
    }

    /// Entries in order of numbers, then the others in order of keys; all but the first `skip`. Passing over entries costs next to nothing,
    /// passing over others a step each.
    pub(super) fn elements(
        &self,
        group: EntryId,
        attribute: MembershipAttribute,
        skip: usize,
    ) -> impl Iterator<Item = Membership> + '_ {
        let members = self.members.get(&(group, attribute));
        let skip_others = skip.saturating_sub(members.map_or(0, IdSet::len));
        let entries = members.into_iter().flat_map(move |members| members.skip(skip));
        let others = self.outside.get(&(group, attribute)).into_iter().flat_map(|elements| elements.iter()).skip(skip_others);
        entries
            .map(move |member| Membership::Entry(attribute, member))
            .chain(others.map(move |(key, element)| outside(attribute, key, &element.value)))
    }

    /// Everything, for rows.
    pub(super) fn all(&self) -> impl Iterator<Item = (EntryId, Membership, MembershipGrant)> + '_ {
        let entries = self.members.iter().flat_map(move |(set, members)| {
            let (group, attribute) = *set;
            let grants = self.grants.in_order(*set, members);
            grants.map(move |(member, grant)| {
                let membership = Membership::Entry(attribute, member);
                let until = self.ends.get(group, &membership);
                (group, membership, MembershipGrant { until, ..grant })
            })
        });
        entries.chain(self.all_outside().map(|(group, membership, grant)| (group, membership, grant.clone())))
    }

    /// The sets of entries, with the entries and attributes that have them.
    pub(super) fn sets(&self) -> impl Iterator<Item = (EntryId, MembershipAttribute, &IdSet)> + '_ {
        self.members.iter().map(|((group, attribute), members)| (*group, *attribute, members))
    }

    /// The elements that are no entry here.
    pub(super) fn all_outside(&self) -> impl Iterator<Item = (EntryId, Membership, &MembershipGrant)> + '_ {
        self.outside.iter().flat_map(|((group, attribute), elements)| {
            elements.iter().map(|(key, element)| (*group, outside(*attribute, key, &element.value), &element.grant))
        })
    }

    /// Whether an entry has or is an element of anything.
    pub(super) fn involves(&self, id: EntryId) -> bool {
        self.has_any(id) || self.held_by(id).next().is_some()
    }

    fn contains_entry(&self, group: EntryId, attribute: MembershipAttribute, member: EntryId) -> bool {
        self.members.get(&(group, attribute)).is_some_and(|members| members.contains(member))
    }
}

/// The attributes that make groups of the entries that have them, and members of the entries they name.
const NAMING: [MembershipAttribute; 2] = [MembershipAttribute::Member, MembershipAttribute::UniqueMember];

/// A value of a membership attribute as it names an entry, before looking whether that is here.
pub(super) enum Named {
    /// A distinguished name alone.
    Name(Dn),
    /// Something else, with its equality key.
    Other(Box<[u8]>),
}

impl Named {
    /// Reads a value: a DN (member and references), a DN with or without a UID part (uniqueMember), an account name (memberUid).
    pub(super) fn read(schema: &Schema, attribute: MembershipAttribute, value: &[u8]) -> Result<Named, SyntaxError> {
        match attribute {
            MembershipAttribute::Member | MembershipAttribute::Reference(_) if !takes_uid(schema, attribute) => {
                Ok(Named::Name(Dn::parse(value).map_err(|_| SyntaxError)?))
            }
            MembershipAttribute::Member | MembershipAttribute::UniqueMember | MembershipAttribute::Reference(_) => {
                let (name, uid) = split_uid(value);
                let dn = Dn::parse(name).map_err(|_| SyntaxError)?;
                Ok(match uid {
                    None => Named::Name(dn),
                    Some(bits) => Named::Other([UID_MARK, &schema.dn_key(&dn), UID_MARK, bits].concat().into()),
                })
            }
            MembershipAttribute::MemberUid => {
                let of_type = attribute.attribute_type(schema);
                let key = of_type.and_then(|of_type| schema.equality_key(of_type.id, value));
                key.map_or_else(|| Ok(value.into()), |key| key.map(|key| key.0)).map(Named::Other)
            }
        }
    }
}

/// Whether a unique identifier may follow the name: values that are both (RFC 4517 section 3.3.21).
fn takes_uid(schema: &Schema, attribute: MembershipAttribute) -> bool {
    attribute.attribute_type(schema).is_some_and(AttributeType::is_name_and_optional_uid)
}

/// Everything kept under this entry.
fn keys_of(id: EntryId) -> impl RangeBounds<(EntryId, MembershipAttribute)> {
    let first = |id: u64| (EntryId(id), MembershipAttribute::Member);
    let end = id.0.checked_add(1).map_or(Bound::Unbounded, |next| Bound::Excluded(first(next)));
    (Bound::Included(first(id.0)), end)
}

/// Around the name's key where there is a UID part: no key of a name alone starts so, because its first part would be 4 GiB long.
const UID_MARK: &[u8] = &[0xff; 4];

fn outside(attribute: MembershipAttribute, key: &[u8], value: &Bytes) -> Membership {
    Membership::Outside { attribute, key: key.into(), value: value.clone() }
}

fn add_to(groups: &mut IdMap<IdSet>, member: EntryId, group: EntryId) {
    match groups.get_mut(member.0) {
        Some(of_member) => {
            of_member.insert(group);
        }
        None => {
            groups.insert(member.0, std::iter::once(group).collect());
        }
    }
}

fn take_from(groups: &mut IdMap<IdSet>, member: EntryId, group: EntryId) {
    if let Some(of_member) = groups.get_mut(member.0) {
        of_member.remove(group);
        if of_member.is_empty() {
            groups.remove(member.0);
        }
    }
}

fn remove_from<K: Ord + Clone>(sets: &mut OrdMap<K, IdSet>, key: &K, id: EntryId) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(id);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
