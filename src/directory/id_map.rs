//! A persistent map from small numbers: a trie of 32 places a level, shared between versions.
//!
//! Entry numbers are dense, so a lookup is three or four steps without hashing, a walk is in order of numbers, and a change copies one
//! path (1–2 µs at a million numbers), or nothing where no other version holds it.

use std::sync::Arc;

const BITS: u32 = 5;
const WIDTH: usize = 1 << BITS;

/// See the module.
#[derive(Clone)]
pub(super) struct IdMap<T> {
    root: Option<Arc<Branch<T>>>,
    /// Levels above the leaves.
    height: u32,
    len: usize,
}

#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "always behind an Arc, and both are full in a dense map")]
enum Branch<T> {
    Inner([Option<Arc<Branch<T>>>; WIDTH]),
    Leaf([Option<T>; WIDTH]),
}

impl<T> Default for IdMap<T> {
    fn default() -> IdMap<T> {
        IdMap { root: None, height: 0, len: 0 }
    }
}

impl<T: Clone> IdMap<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: u64) -> Option<&T> {
        self.leaf(id)?.get(place(id, 0))?.as_ref()
    }

    /// For lookups of numbers that lie close together.
    pub(super) fn neighbours(&self) -> Neighbours<'_, T> {
        Neighbours { map: self, number: 0, leaf: None }
    }

    fn leaf(&self, id: u64) -> Option<&[Option<T>; WIDTH]> {
        if !fits(id, self.height) {
            return None;
        }
        let mut branch = self.root.as_deref()?;
        let mut level = self.height;
        loop {
            match branch {
                Branch::Leaf(slots) => return Some(slots),
                Branch::Inner(children) => branch = children.get(place(id, level))?.as_deref()?,
            }
            level = level.saturating_sub(1);
        }
    }

    /// Inserts or replaces; returns what was there.
    pub(super) fn insert(&mut self, id: u64, value: T) -> Option<T> {
        while !fits(id, self.height) {
            if let Some(root) = self.root.take() {
                let mut children = std::array::from_fn(|_| None);
                if let Some(first) = children.first_mut() {
                    *first = Some(root);
                }
                self.root = Some(Arc::new(Branch::Inner(children)));
            }
            self.height += 1;
        }
        let height = self.height;
        let root = self.root.get_or_insert_with(|| Arc::new(Branch::empty(height)));
        let before = Arc::make_mut(root).insert(height, id, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Removes and returns what was there.
    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        self.get(id)?;
        let root = self.root.as_mut()?;
        let before = Arc::make_mut(root).remove(self.height, id)?;
        self.len -= 1;
        if self.len == 0 {
            *self = IdMap::default();
        }
        Some(before)
    }

    /// What is there, to change it.
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        if !fits(id, self.height) {
            return None;
        }
        let mut level = self.height;
        let mut branch = Arc::make_mut(self.root.as_mut()?);
        loop {
            let place = place(id, level);
            match branch {
                Branch::Leaf(slots) => return slots.get_mut(place)?.as_mut(),
                Branch::Inner(children) => branch = Arc::make_mut(children.get_mut(place)?.as_mut()?),
            }
            level = level.saturating_sub(1);
        }
    }

    /// The first number at or behind `from` that is there.
    pub(super) fn next_from(&self, from: u64) -> Option<(u64, &T)> {
        if !fits(from, self.height) {
            return None;
        }
        self.root.as_deref()?.next_from(self.height, from)
    }

    /// All, in order of numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let mut from = Some(0u64);
        std::iter::from_fn(move || {
            let (id, value) = self.next_from(from?)?;
            from = id.checked_add(1);
            Some((id, value))
        })
    }
}

impl<T: Clone> Branch<T> {
    fn empty(level: u32) -> Branch<T> {
        if level == 0 { Branch::Leaf(std::array::from_fn(|_| None)) } else { Branch::Inner(std::array::from_fn(|_| None)) }
    }

    fn insert(&mut self, level: u32, id: u64, value: T) -> Option<T> {
        let place = place(id, level);
        match self {
            Branch::Leaf(slots) => slots.get_mut(place)?.replace(value),
            Branch::Inner(children) => {
                let below = level.saturating_sub(1);
                let child = children.get_mut(place)?.get_or_insert_with(|| Arc::new(Branch::empty(below)));
                Arc::make_mut(child).insert(below, id, value)
            }
        }
    }

    /// The number is there: the caller looked.
    fn remove(&mut self, level: u32, id: u64) -> Option<T> {
        let place = place(id, level);
        match self {
            Branch::Leaf(slots) => slots.get_mut(place)?.take(),
            Branch::Inner(children) => {
                let slot = children.get_mut(place)?;
                let child = Arc::make_mut(slot.as_mut()?);
                let before = child.remove(level.saturating_sub(1), id);
                if child.is_empty() {
                    *slot = None;
                }
                before
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Branch::Leaf(slots) => slots.iter().all(Option::is_none),
            Branch::Inner(children) => children.iter().all(Option::is_none),
        }
    }

    /// `from` and the result count from the first number of this branch.
    fn next_from(&self, level: u32, from: u64) -> Option<(u64, &T)> {
        match self {
            Branch::Leaf(slots) => {
                let start = place(from, 0);
                slots.iter().enumerate().skip(start).find_map(|(at, slot)| Some((at as u64, slot.as_ref()?)))
            }
            Branch::Inner(children) => {
                let start = place(from, level);
                let inside = from & !(u64::MAX << (BITS * level));
                children.iter().enumerate().skip(start).find_map(|(at, child)| {
                    let inside = if at == start { inside } else { 0 };
                    let (id, value) = child.as_ref()?.next_from(level.saturating_sub(1), inside)?;
                    Some((((at as u64) << (BITS * level)) | id, value))
                })
            }
        }
    }
}

/// Remembers the leaf of the last number asked for.
pub(super) struct Neighbours<'a, T> {
    map: &'a IdMap<T>,
    number: u64,
    leaf: Option<&'a [Option<T>; WIDTH]>,
}

impl<'a, T: Clone> Neighbours<'a, T> {
    pub(super) fn get(&mut self, id: u64) -> Option<&'a T> {
        let number = id >> BITS;
        if self.leaf.is_none() || self.number != number {
            (self.number, self.leaf) = (number, self.map.leaf(id));
        }
        self.leaf?.get(place(id, 0))?.as_ref()
    }
}

fn place(id: u64, level: u32) -> usize {
    (id >> (BITS * level)) as usize & (WIDTH - 1)
}

fn fits(id: u64, height: u32) -> bool {
    id.checked_shr(BITS * (height + 1)).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::IdMap;

    fn any_id() -> impl Strategy<Value = u64> {
        prop_oneof![0u64..200, 0u64..100_000, any::<u64>(), Just(u64::MAX)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn behaves_like_a_map_and_old_versions_stay(steps in proptest::collection::vec((any_id(), any::<Option<u8>>()), 1..60)) {
            let mut map = IdMap::default();
            let mut model = BTreeMap::new();
            let mut versions = Vec::new();
            for (id, value) in steps {
                match value {
                    Some(value) => prop_assert_eq!(map.insert(id, value), model.insert(id, value)),
                    None => prop_assert_eq!(map.remove(id), model.remove(&id)),
                }
                versions.push((map.clone(), model.clone()));
            }
            for (map, model) in versions {
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.iter().map(|(id, value)| (id, *value)).collect::<BTreeMap<_, _>>(), model.clone());
                let mut neighbours = map.neighbours();
                for id in model.keys().flat_map(|id| [*id, id.saturating_add(1)]) {
                    prop_assert_eq!(neighbours.get(id), model.get(&id));
                }
                for (id, value) in &model {
                    prop_assert_eq!(map.get(*id), Some(value));
                    prop_assert_eq!(map.next_from(*id).map(|(found, _)| found), Some(*id));
                }
            }
        }

        #[test]
        fn next_from_finds_the_following_number(ids in proptest::collection::btree_set(any_id(), 0..50), from in any_id()) {
            let mut map = IdMap::default();
            ids.iter().for_each(|id| { map.insert(*id, ()); });
            prop_assert_eq!(map.next_from(from).map(|(id, ())| id), ids.range(from..).next().copied());
        }
    }

    #[test]
    fn changing_in_place_leaves_the_older_version() {
        let mut map = IdMap::default();
        map.insert(5, 1);
        let older = map.clone();
        *map.get_mut(5).unwrap() = 2;
        assert_eq!((map.get(5), older.get(5)), (Some(&2), Some(&1)));
        assert!(map.get_mut(6).is_none());
    }
}
