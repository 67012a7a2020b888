//! Under which keys an entry stands in an index, and which keys an assertion looks at.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{IndexPlan, Slot};
use crate::model::Entry;
use crate::model::schema::{Key, MatchingRule, ObjectClass, Schema};

/// The keys of one entry in one index; one may be there several times.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) points: Vec<u64>,
    pub(super) ordered: Vec<Arc<[u8]>>,
}

/// The prepared parts of a substring assertion.
#[derive(Clone, Default)]
pub(in crate::directory) struct Parts {
    pub(in crate::directory) initial: Option<Key>,
    pub(in crate::directory) any: Vec<Key>,
    pub(in crate::directory) last: Option<Key>,
}

impl Keys {
    pub(super) fn of(plan: &IndexPlan, slot: &Slot, schema: &Schema, entry: Option<&Entry>) -> Keys {
        let mut keys = Keys::default();
        if let Some(entry) = entry {
            keys.read(plan, slot, schema, entry);
        }
        keys
    }

    /// Adds the keys of an entry.
    pub(super) fn read(&mut self, plan: &IndexPlan, slot: &Slot, schema: &Schema, entry: &Entry) {
        for attribute in slot.covers.iter().flat_map(|id| entry.attributes_of(*id)) {
            if slot.presence {
                self.points.push(presence(plan, slot));
            }
            for value in attribute.values() {
                self.add_value(plan, slot, schema, value);
            }
        }
    }

    /// Points and ordering keys as sets.
    pub(super) fn once_each(self) -> (BTreeSet<u64>, BTreeSet<Arc<[u8]>>) {
        (self.points.into_iter().collect(), self.ordered.into_iter().collect())
    }

    /// A value that a rule refuses is not found by it.
    fn add_value(&mut self, plan: &IndexPlan, slot: &Slot, schema: &Schema, value: &[u8]) {
        if slot.equality.is_some() && slot.is_object_class {
            let classes = std::str::from_utf8(value).map(|name| schema.class_with_superiors(name)).unwrap_or_default();
            for class in classes.iter().filter_map(|class| schema.object_classes().get(*class)) {
                self.points.push(equality(plan, slot, class_key(class)));
            }
        }
        let equality_rule = slot.equality.filter(|_| !slot.is_object_class);
        let prepared = |rule: &MatchingRule| (rule.prepare)(schema, value).ok();
        let equality_key = equality_rule.and_then(prepared);
        // Most often the rules of an attribute prepare values in the same way.
        let key_by = |rule: &MatchingRule| match equality_rule {
            Some(equality) if std::ptr::fn_addr_eq(equality.prepare, rule.prepare) => equality_key.clone(),
            _ => prepared(rule),
        };
        if let Some(key) = equality_key.as_ref().filter(|_| !slot.finds_equal_by_order) {
            self.points.push(equality(plan, slot, &key.0));
        }
        if let Some(key) = slot.ordering.and_then(key_by) {
            self.ordered.push(key.0.into());
        }
        if let Some(key) = slot.substring.and_then(key_by) {
            self.points.extend(runs(slot, &key.0));
            self.points.extend(start(slot, &key.0));
            self.points.extend(end(slot, &key.0));
        }
    }
}

/// What a class is indexed under.
pub(in crate::directory) fn class_key(class: &ObjectClass) -> &[u8] {
    class.oid.as_bytes()
}

pub(super) fn equality(plan: &IndexPlan, slot: &Slot, key: &[u8]) -> u64 {
    plan.hash.of(u64::from(slot.number) << 1, key) & !RUN
}

pub(super) fn presence(plan: &IndexPlan, slot: &Slot) -> u64 {
    plan.hash.of(u64::from(slot.number) << 1 | 1, b"") & !RUN
}

/// What stands for the parts: every entry that matches is under all of these.
pub(super) fn of_parts(slot: &Slot, parts: &Parts) -> Vec<u64> {
    let all = parts.initial.iter().chain(&parts.any).chain(&parts.last);
    let mut found: BTreeSet<u64> = all.flat_map(|part| runs(slot, &part.0)).collect();
    found.extend(parts.initial.iter().filter_map(|part| start(slot, &part.0)));
    found.extend(parts.last.iter().filter_map(|part| end(slot, &part.0)));
    found.into_iter().collect()
}

/// Marks runs of octets; hashes have this bit clear.
const RUN: u64 = 1 << 63;

/// Whether a point is a run of octets.
pub(super) fn is_run(point: u64) -> bool {
    point & RUN != 0
}

/// Every three octets that follow each other.
fn runs(slot: &Slot, key: &[u8]) -> impl Iterator<Item = u64> {
    let number = slot.number;
    key.windows(3).map(move |run| pack(number, 0, run))
}

/// The first two octets.
fn start(slot: &Slot, key: &[u8]) -> Option<u64> {
    key.get(..2).map(|run| pack(slot.number, 1, run))
}

/// The last two octets.
fn end(slot: &Slot, key: &[u8]) -> Option<u64> {
    key.last_chunk::<2>().map(|run| pack(slot.number, 2, run))
}

fn pack(slot: u16, kind: u64, run: &[u8]) -> u64 {
    let octets = run.iter().fold(0, |packed, octet| packed << 8 | u64::from(*octet));
    RUN | u64::from(slot) << 32 | kind << 24 | octets
}
