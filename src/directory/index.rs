//! Indexes over entries: equality, presence, ordering and substring, as the configuration declares them.
//!
//! What an index finds is a superset: keys are hashes, and substrings are found by runs of three octets. Whoever asks evaluates
//! the filter for each entry found.

mod build;
mod keys;

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use super::hash::KeyedHash;
use super::id_set::IdSet;
use crate::model::schema::{Key, MatchingRule, Schema};
use crate::model::{AttributeTypeId, Entry, EntryId};
use keys::Keys;
pub(super) use keys::{Parts, class_key};

/// Which questions an index answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IndexKinds {
    /// `(a=v)`
    pub equality: bool,
    /// `(a=*)`
    pub presence: bool,
    /// `(a>=v)` and `(a<=v)`
    pub ordering: bool,
    /// `(a=*v*)`
    pub substring: bool,
}

/// An attribute to index. Values of its subtypes are indexed with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexDeclaration {
    /// The attribute type, by any of its names. What the schema does not define is indexed once it does.
    pub attribute: String,
    /// The kinds.
    pub kinds: IndexKinds,
}

/// One index as it is kept: the declaration against the schema.
pub(super) struct Slot {
    number: u16,
    attribute_type: AttributeTypeId,
    /// The type and its subtypes.
    covers: Vec<AttributeTypeId>,
    presence: bool,
    equality: Option<&'static MatchingRule>,
    ordering: Option<&'static MatchingRule>,
    substring: Option<&'static MatchingRule>,
    /// Equal values are found under their key of the ordering rule, which is the same one: a second key would be kept up for nothing.
    finds_equal_by_order: bool,
    /// objectClass: a class is found under the names of its superiors too.
    is_object_class: bool,
}

/// All indexes of a directory: fixed while it lives.
pub(super) struct IndexPlan {
    slots: Vec<Slot>,
    hash: KeyedHash,
}

impl IndexPlan {
    /// Attributes flagged secret are not indexed, nor are those in `computed`: they are answered from sets of their own.
    pub(super) fn new(
        schema: &Schema,
        declarations: &[IndexDeclaration],
        hash: KeyedHash,
        computed: &[AttributeTypeId],
    ) -> IndexPlan {
        let mut merged: Vec<(u16, AttributeTypeId, IndexKinds)> = Vec::new();
        // Numbers go by the declarations, so that they stay when the schema changes.
        for (declaration, number) in declarations.iter().zip(0u16..) {
            let Some(attribute_type) = schema.attribute_type(&declaration.attribute).map(|it| it.id) else { continue };
            match merged.iter_mut().find(|(_, known, _)| *known == attribute_type) {
                Some((_, _, kinds)) => *kinds = kinds.with(declaration.kinds),
                None => merged.push((number, attribute_type, declaration.kinds)),
            }
        }
        merged.retain(|(_, id, _)| !computed.contains(id) && !schema.attribute_type_by_id(*id).secret);
        let slots = merged.iter().map(|(number, id, kinds)| Slot::new(schema, *id, *kinds, *number));
        IndexPlan { slots: slots.collect(), hash }
    }

    /// A type whose index would have to be built anew for another plan with the same declarations: its rules are others, and
    /// entries use it or a type below it.
    pub(super) fn first_outdated(&self, next: &IndexPlan, in_use: &dyn Fn(AttributeTypeId) -> bool) -> Option<AttributeTypeId> {
        let rules = |slot: &Slot| [slot.equality, slot.ordering, slot.substring].map(|rule| rule.map(|rule| rule.oid));
        let outdated = next.slots.iter().find(|slot| {
            let before = self.slots.iter().find(|before| before.number == slot.number);
            let is_same =
                before.is_some_and(|before| rules(before) == rules(slot) && before.attribute_type == slot.attribute_type);
            !is_same && slot.covers.iter().any(|id| in_use(*id))
        });
        outdated.map(|slot| slot.attribute_type)
    }

    /// The index that answers for a type: its own, or that of a type above it when the rule is the same.
    fn slot<'a>(
        &'a self,
        schema: &Schema,
        attribute_type: AttributeTypeId,
        answers: impl Fn(&'a Slot) -> bool,
    ) -> Option<&'a Slot> {
        let superior = |id: &AttributeTypeId| schema.attribute_type_by_id(*id).superior;
        let mut upwards = std::iter::successors(Some(attribute_type), superior);
        upwards.find_map(|id| self.slots.iter().find(|slot| slot.attribute_type == id && answers(slot)))
    }
}

impl IndexKinds {
    fn with(self, other: IndexKinds) -> IndexKinds {
        IndexKinds {
            equality: self.equality || other.equality,
            presence: self.presence || other.presence,
            ordering: self.ordering || other.ordering,
            substring: self.substring || other.substring,
        }
    }
}

impl Slot {
    fn new(schema: &Schema, id: AttributeTypeId, kinds: IndexKinds, number: u16) -> Slot {
        let attribute_type = schema.attribute_type_by_id(id);
        let covers = schema.with_subtypes(attribute_type.id).iter().copied();
        let equality = attribute_type.equality.filter(|_| kinds.equality);
        let ordering = attribute_type.ordering.filter(|_| kinds.ordering);
        let prepares_alike =
            equality.zip(ordering).is_some_and(|(equality, ordering)| std::ptr::fn_addr_eq(equality.prepare, ordering.prepare));
        Slot {
            number,
            attribute_type: attribute_type.id,
            covers: covers.filter(|id| !schema.attribute_type_by_id(*id).secret).collect(),
            presence: kinds.presence,
            equality,
            ordering,
            finds_equal_by_order: prepares_alike,
            substring: attribute_type.substring.filter(|_| kinds.substring),
            is_object_class: attribute_type.names.iter().any(|name| name.eq_ignore_ascii_case("objectClass")),
        }
    }
}

/// The content of all indexes.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Indexes {
    /// Hashes and packed runs of octets → entries.
    points: OrdMap<u64, IdSet>,
    /// Slot and key under the ordering rule → entries.
    ordered: OrdMap<(u16, Arc<[u8]>), IdSet>,
}

impl Indexes {
    /// Follows one entry from what it was to what it is. Only what changed is touched.
    pub(super) fn update(&mut self, plan: &IndexPlan, schema: &Schema, id: EntryId, old: Option<&Entry>, new: Option<&Entry>) {
        let changed = old.zip(new).map(|(old, new)| old.types_that_differ(new));
        for slot in &plan.slots {
            if changed.as_ref().is_some_and(|changed| !changed.iter().any(|id| slot.covers.contains(id))) {
                continue;
            }
            let keys = |entry: Option<&Entry>| Keys::of(plan, slot, schema, entry).once_each();
            let ((points_before, ordered_before), (points, ordered)) = (keys(old), keys(new));
            for point in points_before.difference(&points) {
                remove_from(&mut self.points, point, id);
            }
            for point in points.difference(&points_before) {
                self.points.entry(*point).or_default().insert(id);
            }
            for key in ordered_before.difference(&ordered) {
                remove_from(&mut self.ordered, &(slot.number, key.clone()), id);
            }
            for key in ordered.difference(&ordered_before) {
                self.ordered.entry((slot.number, key.clone())).or_default().insert(id);
            }
        }
    }

    /// Entries that may have a value equal to this key; none: not indexed under this rule.
    pub(super) fn equality(
        &self,
        plan: &IndexPlan,
        schema: &Schema,
        attribute_type: AttributeTypeId,
        rule: &MatchingRule,
        key: &[u8],
    ) -> Option<IdSet> {
        let slot = plan.slot(schema, attribute_type, |slot| slot.equality.is_some_and(|own| own.oid == rule.oid))?;
        if slot.finds_equal_by_order {
            return Some(self.ordered.get(&(slot.number, Arc::from(key))).cloned().unwrap_or_default());
        }
        Some(self.at(keys::equality(plan, slot, key)))
    }

    /// Entries that may have the attribute.
    pub(super) fn presence(&self, plan: &IndexPlan, schema: &Schema, attribute_type: AttributeTypeId) -> Option<IdSet> {
        let slot = plan.slot(schema, attribute_type, |slot| slot.presence)?;
        Some(self.at(keys::presence(plan, slot)))
    }

    /// Entries that may have a value in the range of keys; none as well where there would be more than `most`.
    pub(super) fn range(
        &self,
        plan: &IndexPlan,
        schema: &Schema,
        attribute_type: AttributeTypeId,
        rule: &MatchingRule,
        (from, to): (Bound<&Key>, Bound<&Key>),
        most: usize,
    ) -> Option<IdSet> {
        let slot = plan.slot(schema, attribute_type, |slot| slot.ordering.is_some_and(|own| own.oid == rule.oid))?;
        let from = match from {
            Bound::Unbounded => Bound::Included((slot.number, Arc::from([]))),
            bound => bound.map(|key| (slot.number, Arc::from(&*key.0))),
        };
        let to = match to {
            Bound::Unbounded => Bound::Excluded((slot.number.checked_add(1)?, Arc::from([]))),
            bound => bound.map(|key| (slot.number, Arc::from(&*key.0))),
        };
        let mut found = IdSet::default();
        for (_, ids) in self.ordered.range((from, to)) {
            found = found.union(ids);
            if found.len() > most {
                return None;
            }
        }
        Some(found)
    }

    /// Entries that may contain these parts; none as well where the parts are too short to look for.
    pub(super) fn substring(
        &self,
        plan: &IndexPlan,
        schema: &Schema,
        attribute_type: AttributeTypeId,
        rule: &MatchingRule,
        parts: &Parts,
    ) -> Option<IdSet> {
        let slot = plan.slot(schema, attribute_type, |slot| slot.substring.is_some_and(|own| own.oid == rule.oid))?;
        IdSet::intersection_of(keys::of_parts(slot, parts).into_iter().map(|run| self.at(run)).collect())
    }

    fn at(&self, point: u64) -> IdSet {
        self.points.get(&point).cloned().unwrap_or_default()
    }
}

/// Looking at so few entries is cheaper than another intersection.
pub(super) const ENOUGH: usize = 32;

fn remove_from<K: Ord + Clone>(sets: &mut OrdMap<K, IdSet>, key: &K, id: EntryId) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(id);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
