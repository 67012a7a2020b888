//! Sets of entries, as indexes hold them: small ones are lists, large ones chunks of 4,096 numbers each, shared between versions.

mod builder;
mod chunk;

use std::sync::Arc;

use super::id_map::IdMap;
use crate::model::EntryId;
pub(super) use builder::Builder;
use chunk::Chunk;

/// A persistent set of entry numbers: cloning costs a reference count, one more member at most a copy of 2 KB.
#[derive(Clone, Default)]
pub struct IdSet(Form);

#[derive(Clone, Default)]
enum Form {
    #[default]
    Empty,
    One(u64),
    /// Sorted, at most [`FEW`].
    Few(Arc<Vec<u64>>),
    Many(Arc<Many>),
}

#[derive(Clone, Default)]
struct Many {
    len: usize,
    /// By number / 4,096; never an empty chunk.
    chunks: IdMap<Chunk>,
}

/// Most numbers in a list; a set of chunks that shrinks to half of it becomes a list again.
const FEW: usize = 256;

impl IdSet {
    /// How many.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Empty => 0,
            Form::One(_) => 1,
            Form::Few(list) => list.len(),
            Form::Many(many) => many.len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this one is in.
    pub fn contains(&self, id: EntryId) -> bool {
        match &self.0 {
            Form::Empty => false,
            Form::One(only) => *only == id.0,
            Form::Few(list) => list.binary_search(&id.0).is_ok(),
            Form::Many(many) => many.chunks.get(chunk::number(id.0)).is_some_and(|chunk| chunk.contains(chunk::place(id.0))),
        }
    }

    /// Puts one in; whether it was not there.
    pub fn insert(&mut self, id: EntryId) -> bool {
        match &mut self.0 {
            Form::Empty => self.0 = Form::One(id.0),
            Form::One(only) if *only == id.0 => return false,
            Form::One(only) => self.0 = Form::Few(Arc::new(vec![id.0.min(*only), id.0.max(*only)])),
            Form::Few(list) => {
                let Err(position) = list.binary_search(&id.0) else { return false };
                if list.len() < FEW {
                    Arc::make_mut(list).insert(position, id.0);
                } else {
                    let mut many = Many::of(list);
                    many.insert(id.0);
                    self.0 = Form::Many(Arc::new(many));
                }
            }
            Form::Many(many) => {
                if many.contains(id.0) {
                    return false;
                }
                Arc::make_mut(many).insert(id.0);
            }
        }
        true
    }

    /// Takes one out; whether it was there.
    pub fn remove(&mut self, id: EntryId) -> bool {
        if !self.contains(id) {
            return false;
        }
        match &mut self.0 {
            Form::Empty => {}
            Form::One(_) => self.0 = Form::Empty,
            Form::Few(list) => {
                Arc::make_mut(list).retain(|other| *other != id.0);
                if let [only] = list.as_slice() {
                    self.0 = Form::One(*only);
                }
            }
            Form::Many(many) => {
                Arc::make_mut(many).remove(id.0);
                if many.len <= FEW / 2 {
                    *self = self.iter().collect();
                }
            }
        }
        true
    }

    /// The smallest number at or behind `from`.
    pub fn next_from(&self, from: EntryId) -> Option<EntryId> {
        let found = match &self.0 {
            Form::Empty => None,
            Form::One(only) => Some(*only).filter(|only| *only >= from.0),
            Form::Few(list) => list.get(list.partition_point(|id| *id < from.0)).copied(),
            Form::Many(many) => many.next_from(from.0),
        };
        found.map(EntryId)
    }

    /// All, in order of numbers.
    pub fn iter(&self) -> impl Iterator<Item = EntryId> + use<> {
        self.clone().into_iter()
    }

    /// All but the first so many, in order of numbers. Passing over the others costs a step for each chunk, not for each number.
    pub fn skip(&self, count: usize) -> impl Iterator<Item = EntryId> + use<> {
        IntoIter { from: self.at(count), set: self.clone(), chunk: None }
    }

    /// The number with so many smaller ones before it.
    fn at(&self, place: usize) -> Option<EntryId> {
        let found = match &self.0 {
            Form::Empty => None,
            Form::One(only) => Some(*only).filter(|_| place == 0),
            Form::Few(list) => list.get(place).copied(),
            Form::Many(many) => many.at(place),
        };
        found.map(EntryId)
    }

    /// What is in both.
    pub fn intersection(&self, other: &IdSet) -> IdSet {
        let (small, large) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        match (&small.0, &large.0) {
            (Form::Many(first), Form::Many(second)) => first.intersection(second).into(),
            _ => small.iter().filter(|id| large.contains(*id)).collect(),
        }
    }

    /// What is in all of these; none without any. Nothing is made in between: chunks are met all at once.
    pub fn intersection_of(mut sets: Vec<IdSet>) -> Option<IdSet> {
        sets.sort_by_key(IdSet::len);
        let (smallest, others) = sets.split_first()?;
        let large: Option<Vec<&Many>> = others.iter().map(IdSet::many).collect();
        let (Some(smallest), Some(large)) = (smallest.many(), large) else {
            return Some(smallest.iter().filter(|id| others.iter().all(|other| other.contains(*id))).collect());
        };
        let mut chunks = Vec::new();
        let mut met = Vec::with_capacity(large.len());
        for (number, chunk) in smallest.chunks.iter() {
            met.clear();
            met.extend(large.iter().map_while(|other| other.chunks.get(number)));
            if met.len() == large.len() {
                let common = chunk.intersection_of(&met);
                if !common.is_empty() {
                    chunks.push((number, common));
                }
            }
        }
        Some(Many::of_chunks(chunks).into())
    }

    fn many(&self) -> Option<&Many> {
        if let Form::Many(many) = &self.0 { Some(many) } else { None }
    }

    /// What is in either.
    pub fn union(&self, other: &IdSet) -> IdSet {
        let (small, large) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        let mut result = large.clone();
        result.unite(small);
        result
    }

    /// Takes in all of another set.
    pub fn unite(&mut self, other: &IdSet) {
        match (&mut self.0, &other.0) {
            (Form::Empty, _) => *self = other.clone(),
            (Form::Many(into), Form::Many(from)) => Arc::make_mut(into).unite(from),
            (_, Form::Many(_)) => {
                let few = std::mem::replace(self, other.clone());
                few.into_iter().for_each(|id| {
                    self.insert(id);
                });
            }
            _ => other.iter().for_each(|id| {
                self.insert(id);
            }),
        }
    }
}

/// All numbers of a set, in order.
pub struct IntoIter {
    set: IdSet,
    from: Option<EntryId>,
    /// The chunk of a large set that is being walked, and its number.
    chunk: Option<(u64, Chunk)>,
}

impl IntoIter {
    /// The next one in the chunk that is being walked.
    fn in_chunk(&self, from: EntryId) -> Option<EntryId> {
        let (number, chunk) = self.chunk.as_ref()?;
        let place = chunk.next_from(chunk::place(from.0)).filter(|_| *number == chunk::number(from.0))?;
        Some(EntryId(chunk::id(*number, place)))
    }

    /// The next one anywhere; the chunk it lies in is walked from here on.
    fn beyond(&mut self, from: EntryId) -> Option<EntryId> {
        let found = self.set.next_from(from)?;
        if let Form::Many(many) = &self.set.0 {
            let number = chunk::number(found.0);
            self.chunk = many.chunks.get(number).map(|chunk| (number, chunk.clone()));
        }
        Some(found)
    }
}

impl Iterator for IntoIter {
    type Item = EntryId;

    fn next(&mut self) -> Option<EntryId> {
        let from = self.from?;
        let id = self.in_chunk(from).or_else(|| self.beyond(from))?;
        self.from = id.0.checked_add(1).map(EntryId);
        Some(id)
    }
}

impl IntoIterator for IdSet {
    type Item = EntryId;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter { set: self, from: Some(EntryId(0)), chunk: None }
    }
}

impl FromIterator<EntryId> for IdSet {
    fn from_iter<I: IntoIterator<Item = EntryId>>(ids: I) -> IdSet {
        let mut ids = ids.into_iter();
        let mut builder = Builder::default();
        let out_of_order = ids.by_ref().find(|id| !builder.push(*id));
        let mut set = builder.finish();
        out_of_order.into_iter().chain(ids).for_each(|id| {
            set.insert(id);
        });
        set
    }
}

impl std::fmt::Debug for IdSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(|id| id.0)).finish()
    }
}

impl Many {
    fn of(list: &[u64]) -> Many {
        let mut many = Many::default();
        list.iter().for_each(|id| many.insert(*id));
        many
    }

    fn of_chunks(chunks: Vec<(u64, Chunk)>) -> Many {
        let mut many = Many::default();
        for (number, chunk) in chunks {
            many.len += chunk.len();
            many.chunks.insert(number, chunk);
        }
        many
    }

    fn contains(&self, id: u64) -> bool {
        self.chunks.get(chunk::number(id)).is_some_and(|chunk| chunk.contains(chunk::place(id)))
    }

    /// It is not in yet.
    fn insert(&mut self, id: u64) {
        self.len += 1;
        match self.chunks.get_mut(chunk::number(id)) {
            Some(chunk) => chunk.insert(chunk::place(id)),
            None => {
                self.chunks.insert(chunk::number(id), Chunk::one(chunk::place(id)));
            }
        }
    }

    /// It is in.
    fn remove(&mut self, id: u64) {
        self.len -= 1;
        if let Some(chunk) = self.chunks.get_mut(chunk::number(id)) {
            chunk.remove(chunk::place(id));
            if chunk.is_empty() {
                self.chunks.remove(chunk::number(id));
            }
        }
    }

    fn next_from(&self, from: u64) -> Option<u64> {
        let mut number = chunk::number(from);
        let mut place = chunk::place(from);
        loop {
            let (found, chunk) = self.chunks.next_from(number)?;
            if let Some(place) = chunk.next_from(if found == number { place } else { 0 }) {
                return Some(chunk::id(found, place));
            }
            number = found.checked_add(1)?;
            place = 0;
        }
    }

    fn at(&self, mut place: usize) -> Option<u64> {
        for (number, chunk) in self.chunks.iter() {
            let len = chunk.len();
            if place < len {
                return chunk.at(place).map(|place| chunk::id(number, place));
            }
            place -= len;
        }
        None
    }

    fn intersection(&self, other: &Many) -> Many {
        let mut result = Many::default();
        for (number, chunk) in self.chunks.iter() {
            if let Some(common) = other.chunks.get(number).map(|other| chunk.intersection(other))
                && !common.is_empty()
            {
                result.len += common.len();
                result.chunks.insert(number, common);
            }
        }
        result
    }

    fn unite(&mut self, other: &Many) {
        for (number, chunk) in other.chunks.iter() {
            let (before, union) = match self.chunks.get(number) {
                Some(own) => (own.len(), own.union(chunk)),
                None => (0, chunk.clone()),
            };
            self.len = self.len - before + union.len();
            self.chunks.insert(number, union);
        }
    }
}

impl From<Many> for IdSet {
    fn from(many: Many) -> IdSet {
        if many.len <= FEW / 2 {
            let set = IdSet(Form::Many(Arc::new(many)));
            return set.iter().collect();
        }
        IdSet(Form::Many(Arc::new(many)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::IdSet;
    use crate::model::EntryId;

    fn any_ids() -> impl Strategy<Value = BTreeSet<u64>> {
        prop_oneof![
            proptest::collection::btree_set(0u64..20, 0..10),
            proptest::collection::btree_set(0u64..3_000, 0..2_000),
            proptest::collection::btree_set(0u64..50_000, 0..700),
            proptest::collection::btree_set(any::<u64>(), 0..400),
        ]
    }

    fn set_of(ids: &BTreeSet<u64>) -> IdSet {
        ids.iter().copied().map(EntryId).collect()
    }

    fn content(set: &IdSet) -> Vec<u64> {
        set.iter().map(|id| id.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn algebra_is_that_of_sets(first in any_ids(), second in any_ids()) {
            let (a, b) = (set_of(&first), set_of(&second));
            let (both, either) = (a.intersection(&b), a.union(&b));
            prop_assert_eq!(content(&a), first.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(content(&both), first.intersection(&second).copied().collect::<Vec<_>>());
            prop_assert_eq!(content(&either), first.union(&second).copied().collect::<Vec<_>>());
            prop_assert_eq!(both.len(), content(&both).len());
            prop_assert_eq!(either.len(), content(&either).len());
        }

        #[test]
        fn many_are_intersected_at_once(sets in proptest::collection::vec(any_ids(), 1..5), common in any_ids()) {
            let sets: Vec<BTreeSet<u64>> = sets.iter().map(|ids| ids.union(&common).copied().collect()).collect();
            let expected = sets.iter().skip(1).fold(sets[0].clone(), |met, ids| met.intersection(ids).copied().collect());
            let found = IdSet::intersection_of(sets.iter().map(set_of).collect()).unwrap();
            prop_assert_eq!(found.len(), expected.len());
            prop_assert_eq!(content(&found), expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn what_goes_in_comes_out_and_old_versions_stay(ids in any_ids(), order in any::<u64>()) {
            let mut shuffled: Vec<u64> = ids.iter().copied().collect();
            shuffled.sort_by_key(|id| id.wrapping_mul(order | 1));
            let mut set = IdSet::default();
            for id in &shuffled {
                prop_assert!(set.insert(EntryId(*id)));
                prop_assert!(!set.insert(EntryId(*id)));
            }
            let full = set.clone();
            for (gone, id) in shuffled.iter().enumerate() {
                prop_assert!(set.remove(EntryId(*id)));
                prop_assert!(!set.contains(EntryId(*id)));
                prop_assert!(!set.remove(EntryId(*id)));
                prop_assert_eq!(set.len(), ids.len() - gone - 1);
            }
            prop_assert_eq!(content(&full), ids.iter().copied().collect::<Vec<_>>());
        }

        #[test]
        fn next_from_is_the_following_member(ids in any_ids(), from in prop_oneof![0u64..50_000, any::<u64>()]) {
            let expected = ids.range(from..).next().copied().map(EntryId);
            prop_assert_eq!(set_of(&ids).next_from(EntryId(from)), expected);
        }

        #[test]
        fn skipping_is_that_of_sequences(ids in any_ids(), count in 0usize..2_500) {
            let skipped: Vec<u64> = set_of(&ids).skip(count).map(|id| id.0).collect();
            prop_assert_eq!(skipped, ids.iter().copied().skip(count).collect::<Vec<_>>());
        }
    }
}
