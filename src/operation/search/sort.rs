//! Server-side sorting (RFC 2891): a place for each entry found, octets that compare as the entries do.
//!
//! ```text
//! place := key*                        one after the other
//! key   := 0x00 ‖ escaped ‖ 0x00 0x00  the least value under the ordering rule; a zero octet is escaped as 0x00 0xff
//!        | 0x01                        no value: behind all that have one
//! ```
//! The octets of a key in reverse order are inverted.

use std::collections::{BTreeSet, btree_set};
use std::iter::{Skip, Take};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::directory::{Computed, Directory, MembershipAttribute, Node};
use crate::model::schema::{AttributeDescription, Key, MatchingRule};
use crate::model::{AttributeTypeId, EntryId, ResultCode};
use crate::operation::access::Readable;
use crate::operation::control::{SortKey, SortRequest, sort_response};
use crate::protocol::{Control, LdapResult};

/// Octets that the places of one search may take.
pub(super) const MAXIMUM_SORT_MEMORY: usize = 16 * 1024 * 1024;
/// Octets that the places of all searches under way may take together.
pub(super) const MAXIMUM_SORT_MEMORY_OVERALL: usize = 256 * 1024 * 1024;
/// Values are put in order by so many octets of their keys.
const KEY_OCTETS: usize = 1024;
/// Of an entry's references so many are considered.
const REFERENCES: usize = 100;
/// Octets that a place takes beside its own.
const PLACE_OVERHEAD: usize = 64;

static MEMORY: SortMemory = SortMemory(AtomicUsize::new(0));

/// An order that entries can be put in.
pub(super) struct Order {
    keys: Vec<OrderKey>,
}

struct OrderKey {
    description: AttributeDescription,
    types: Vec<(AttributeTypeId, Option<Computed>)>,
    rule: &'static MatchingRule,
    reverse: bool,
}

/// Why a search cannot be sorted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SortFailure {
    code: ResultCode,
    diagnostic: &'static str,
    attribute: Option<String>,
}

/// The place of an entry.
pub(super) type Place = Box<[u8]>;

impl Order {
    /// Looks attributes and rules up.
    pub(super) fn new(directory: &Directory, request: &SortRequest) -> Result<Order, SortFailure> {
        let keys = request.keys.iter().map(|key| OrderKey::new(directory, key)).collect::<Result<_, _>>()?;
        Ok(Order { keys })
    }

    pub(super) fn place(&self, directory: &Directory, readable: &Readable, node: &Node) -> Place {
        let mut place = Vec::new();
        for key in &self.keys {
            key.push(key.least(directory, readable, node).as_ref(), &mut place);
        }
        place.into()
    }

    /// The place before all entries whose first key is this value or behind it; none for a value the rule refuses.
    pub(super) fn place_of_value(&self, directory: &Directory, value: &[u8]) -> Option<Place> {
        let first = self.keys.first()?;
        let asserted = (first.rule.prepare_assertion)(directory.schema(), value).ok()?;
        let mut place = Vec::new();
        first.push(Some(&asserted), &mut place);
        Some(place.into())
    }
}

impl OrderKey {
    /// Where an attribute names no ordering rule, its values are put in the order of its equality rule's keys.
    fn new(directory: &Directory, asked: &SortKey) -> Result<OrderKey, SortFailure> {
        let schema = directory.schema();
        let failure = |code, diagnostic| SortFailure { code, diagnostic, attribute: Some(asked.attribute.clone()) };
        let unrecognized =
            |_| failure(ResultCode::NoSuchAttribute, "serverSort control: Unrecognized attribute type in sort key");
        let no_rule = || failure(ResultCode::InappropriateMatching, "serverSort control: No ordering rule");
        let description = schema.describe(&asked.attribute).map_err(unrecognized)?;
        let attribute_type = schema.attribute_type_by_id(description.attribute_type);
        // A view by value would tell which values there are.
        if attribute_type.secret || directory.computed(attribute_type.id) == Some(Computed::Reserved) {
            return Err(failure(ResultCode::InsufficientAccessRights, ""));
        }
        let rule = match &asked.rule {
            Some(name) => schema.matching_rule(name).filter(|rule| rule.can_order(attribute_type)),
            None => attribute_type.ordering.or(attribute_type.equality),
        };
        let types = schema.with_subtypes(attribute_type.id).iter().map(|&id| (id, directory.computed(id)));
        let types: Vec<_> = types.filter(|(id, _)| !schema.attribute_type_by_id(*id).secret).collect();
        // The least of a group's members would have to be looked for among all of them, for each entry.
        if types.iter().any(|(_, computed)| matches!(computed, Some(Computed::Members(attribute)) if is_of_groups(*attribute))) {
            return Err(no_rule());
        }
        Ok(OrderKey { rule: rule.ok_or_else(no_rule)?, description, types, reverse: asked.reverse })
    }

    /// The least value of an entry; one that the rule refuses is none, and so is one that who asks may not search.
    fn least(&self, directory: &Directory, readable: &Readable, node: &Node) -> Option<Key> {
        let schema = directory.schema();
        let mut least: Option<Key> = None;
        let mut consider = |value: &[u8]| {
            if let Ok(key) = (self.rule.prepare)(schema, value)
                && least.as_ref().is_none_or(|least| key < *least)
            {
                least = Some(key);
            }
        };
        for (id, computed) in self.types.iter().filter(|(id, _)| readable.searches(*id)) {
            let stored = node.entry.attributes_of(*id);
            let asked_for = stored.filter(|attribute| self.description.covers_options(attribute.description));
            asked_for.flat_map(|attribute| attribute.values()).for_each(&mut consider);
            if let Some(computed) = computed.filter(|_| self.description.options.is_empty()) {
                let values = match computed {
                    Computed::Members(attribute) => directory.some_member_values(node.id, attribute, 0, REFERENCES),
                    computed => computed.values(directory, node),
                };
                values.iter().for_each(|value| consider(value));
            }
        }
        least
    }

    fn push(&self, key: Option<&Key>, place: &mut Vec<u8>) {
        let start = place.len();
        match key {
            None => place.push(1),
            Some(key) => {
                place.push(0);
                for &octet in key.0.iter().take(KEY_OCTETS) {
                    place.push(octet);
                    if octet == 0 {
                        place.push(0xff);
                    }
                }
                place.extend([0, 0]);
            }
        }
        if self.reverse {
            place.iter_mut().skip(start).for_each(|octet| *octet = !*octet);
        }
    }
}

fn is_of_groups(attribute: MembershipAttribute) -> bool {
    MembershipAttribute::OF_GROUPS.contains(&attribute)
}

impl SortFailure {
    /// More entries than are sorted, or more octets.
    pub(super) fn too_many() -> SortFailure {
        SortFailure { code: ResultCode::AdminLimitExceeded, diagnostic: "too many entries to sort", attribute: None }
    }

    fn busy() -> SortFailure {
        SortFailure { code: ResultCode::Busy, diagnostic: "Other sort requests already in progress", attribute: None }
    }

    pub(super) fn result(&self) -> LdapResult {
        LdapResult::with(self.code, self.diagnostic)
    }

    pub(super) fn control(&self) -> Control {
        sort_response(self.code, self.attribute.as_deref())
    }
}

/// Entries that were found, in order.
pub(super) struct Sorted {
    order: Order,
    places: BTreeSet<(Place, EntryId)>,
    memory: Share,
    /// Most entries.
    limit: usize,
}

impl Sorted {
    pub(super) fn new(order: Order, limit: usize) -> Sorted {
        Sorted { order, places: BTreeSet::new(), memory: Share { of: &MEMORY, octets: 0 }, limit }
    }

    pub(super) fn add(&mut self, directory: &Directory, readable: &Readable, node: &Node) -> Result<(), SortFailure> {
        if self.places.len() >= self.limit {
            return Err(SortFailure::too_many());
        }
        let place = self.order.place(directory, readable, node);
        self.memory.take(place.len() + PLACE_OVERHEAD)?;
        self.places.insert((place, node.id));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many entries come before all whose first key is this value or behind it.
    pub(super) fn before_value(&self, directory: &Directory, value: &[u8]) -> Option<usize> {
        let place = self.order.place_of_value(directory, value)?;
        Some(self.places.iter().take_while(|(other, _)| *other < place).count())
    }

    /// Forgets the entry at this place and all before it.
    pub(super) fn drop_to(&mut self, place: Place, entry: EntryId) {
        let last = (place, entry);
        self.places = self.places.split_off(&last);
        self.places.remove(&last);
    }

    /// The entries in order, some of them.
    pub(super) fn into_entries(self, range: Range<usize>) -> InOrder {
        InOrder { entries: self.places.into_iter().skip(range.start).take(range.len()), _memory: self.memory }
    }
}

/// Sorted entries on their way to the client.
pub(super) struct InOrder {
    entries: Take<Skip<btree_set::IntoIter<(Place, EntryId)>>>,
    _memory: Share,
}

impl Iterator for InOrder {
    type Item = (Place, EntryId);

    fn next(&mut self) -> Option<(Place, EntryId)> {
        self.entries.next()
    }
}

/// What all searches of this process sort with.
struct SortMemory(AtomicUsize);

/// One search's part of it, given back when it is dropped.
struct Share {
    of: &'static SortMemory,
    octets: usize,
}

impl Share {
    fn take(&mut self, octets: usize) -> Result<(), SortFailure> {
        if self.octets.saturating_add(octets) > MAXIMUM_SORT_MEMORY {
            return Err(SortFailure::too_many());
        }
        let before = self.of.0.fetch_add(octets, Ordering::Relaxed);
        self.octets += octets;
        if before.saturating_add(octets) > MAXIMUM_SORT_MEMORY_OVERALL { Err(SortFailure::busy()) } else { Ok(()) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_for_one_and_for_all_and_given_back() {
        static MEMORY: SortMemory = SortMemory(AtomicUsize::new(0));
        let share = || Share { of: &MEMORY, octets: 0 };
        let mut first = share();
        assert_eq!(first.take(MAXIMUM_SORT_MEMORY), Ok(()));
        assert_eq!(first.take(1), Err(SortFailure::too_many()));
        let mut others: Vec<Share> = (1..MAXIMUM_SORT_MEMORY_OVERALL / MAXIMUM_SORT_MEMORY).map(|_| share()).collect();
        assert!(others.iter_mut().all(|share| share.take(MAXIMUM_SORT_MEMORY).is_ok()));
        assert_eq!(share().take(1), Err(SortFailure::busy()));
        drop(first);
        assert_eq!(share().take(1), Ok(()));
        drop(others);
        assert_eq!(MEMORY.0.load(Ordering::Relaxed), 0);
    }
}
