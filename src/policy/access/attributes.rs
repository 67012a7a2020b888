//! Sets of attribute types.

use crate::model::AttributeTypeId;

const BITS: usize = 64;

/// What a rule bears on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attributes {
    /// Everything, secrets included, where the right is one that secrets know.
    All,
    /// These.
    These(AttributeSet),
}

/// Attribute types of one schema.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AttributeSet(Vec<u64>);

impl AttributeSet {
    /// Every type of a schema that has so many.
    pub fn everything(types: usize) -> AttributeSet {
        let mut words = vec![u64::MAX; types.div_ceil(BITS)];
        if let Some(last) = words.last_mut().filter(|_| !types.is_multiple_of(BITS)) {
            *last = (1 << (types % BITS)) - 1;
        }
        AttributeSet(words)
    }

    /// Takes a type in.
    pub fn insert(&mut self, id: AttributeTypeId) {
        let (word, bit) = place(id);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes a type out.
    pub fn remove(&mut self, id: AttributeTypeId) {
        let (word, bit) = place(id);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Whether the type is in it.
    pub fn contains(&self, id: AttributeTypeId) -> bool {
        let (word, bit) = place(id);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether there is none in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Takes in what the other has.
    pub fn unite(&mut self, other: &AttributeSet) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// Takes out what the other has.
    pub fn subtract(&mut self, other: &AttributeSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }
}

impl FromIterator<AttributeTypeId> for AttributeSet {
    fn from_iter<T: IntoIterator<Item = AttributeTypeId>>(types: T) -> AttributeSet {
        let mut set = AttributeSet::default();
        types.into_iter().for_each(|id| set.insert(id));
        set
    }
}

fn place(id: AttributeTypeId) -> (usize, u64) {
    let number = id.0 as usize;
    (number / BITS, 1 << (number % BITS))
}
