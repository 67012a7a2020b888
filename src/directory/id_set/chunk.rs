//! A part of a large set: up to 4,096 neighbouring numbers, as a list while few, as a bitmap of 512 octets beyond.

use std::sync::Arc;

const BITS: u32 = 12;
const WORDS: usize = (1 << BITS) / 64;

/// Most places in a list; a bitmap that shrinks to half of it becomes a list again.
const LIST: usize = 256;

/// Places 0..4096.
#[derive(Clone)]
pub(super) enum Chunk {
    /// Sorted.
    List(Arc<Vec<u16>>),
    Bitmap(Arc<[u64; WORDS]>),
}

/// Which chunk a number lies in.
pub(super) fn number(id: u64) -> u64 {
    id >> BITS
}

/// Where in its chunk.
pub(super) fn place(id: u64) -> u16 {
    (id & ((1 << BITS) - 1)) as u16
}

/// The other way.
pub(super) fn id(number: u64, place: u16) -> u64 {
    (number << BITS) | u64::from(place)
}

impl Chunk {
    pub(super) fn one(place: u16) -> Chunk {
        Chunk::List(Arc::new(vec![place]))
    }

    /// Of places in ascending order.
    pub(super) fn of(places: &[u16]) -> Chunk {
        if places.len() <= LIST {
            return Chunk::List(Arc::new(places.to_vec()));
        }
        let mut words = [0; WORDS];
        places.iter().for_each(|place| set(&mut words, *place));
        Chunk::Bitmap(Arc::new(words))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Chunk::List(list) => list.len(),
            Chunk::Bitmap(words) => count(words),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Chunk::List(list) if list.is_empty())
    }

    pub(super) fn contains(&self, place: u16) -> bool {
        match self {
            Chunk::List(list) => list.binary_search(&place).is_ok(),
            Chunk::Bitmap(words) => words.get(word(place)).is_some_and(|word| word & bit(place) != 0),
        }
    }

    pub(super) fn insert(&mut self, place: u16) {
        match self {
            Chunk::List(list) => {
                let Err(position) = list.binary_search(&place) else { return };
                Arc::make_mut(list).insert(position, place);
                if list.len() > LIST {
                    *self = Chunk::Bitmap(Arc::new(self.words()));
                }
            }
            Chunk::Bitmap(words) => set(Arc::make_mut(words), place),
        }
    }

    pub(super) fn remove(&mut self, place: u16) {
        match self {
            Chunk::List(list) => Arc::make_mut(list).retain(|other| *other != place),
            Chunk::Bitmap(words) => {
                if let Some(word) = Arc::make_mut(words).get_mut(word(place)) {
                    *word &= !bit(place);
                }
                if count(words) <= LIST / 2 {
                    *self = Chunk::from_words(**words);
                }
            }
        }
    }

    /// The smallest place at or behind `from`.
    pub(super) fn next_from(&self, from: u16) -> Option<u16> {
        match self {
            Chunk::List(list) => list.get(list.partition_point(|place| *place < from)).copied(),
            Chunk::Bitmap(words) => next_in(words, from),
        }
    }

    /// The place with so many smaller ones before it.
    pub(super) fn at(&self, count: usize) -> Option<u16> {
        match self {
            Chunk::List(list) => list.get(count).copied(),
            Chunk::Bitmap(words) => {
                let mut left = count;
                for (number, word) in words.iter().enumerate() {
                    let ones = word.count_ones() as usize;
                    if left < ones {
                        let smallest_gone = (0..left).fold(*word, |word, _| word & (word - 1));
                        return Some((number * 64) as u16 + smallest_gone.trailing_zeros() as u16);
                    }
                    left -= ones;
                }
                None
            }
        }
    }

    pub(super) fn intersection(&self, other: &Chunk) -> Chunk {
        match (self, other) {
            (Chunk::List(list), chunk) | (chunk, Chunk::List(list)) => {
                Chunk::List(Arc::new(list.iter().copied().filter(|place| chunk.contains(*place)).collect()))
            }
            _ => Chunk::from_words(self.combine(other, |a, b| a & b)),
        }
    }

    /// What is in this one and in all the others.
    pub(super) fn intersection_of(&self, others: &[&Chunk]) -> Chunk {
        if let Chunk::List(list) = self {
            let places = list.iter().copied().filter(|place| others.iter().all(|other| other.contains(*place)));
            return Chunk::List(Arc::new(places.collect()));
        }
        let mut words = self.words();
        for other in others {
            match other {
                Chunk::Bitmap(of_other) => words.iter_mut().zip(of_other.iter()).for_each(|(word, with)| *word &= with),
                Chunk::List(_) => words.iter_mut().zip(other.words()).for_each(|(word, with)| *word &= with),
            }
        }
        Chunk::from_words(words)
    }

    pub(super) fn union(&self, other: &Chunk) -> Chunk {
        Chunk::from_words(self.combine(other, |a, b| a | b))
    }

    fn combine(&self, other: &Chunk, operation: fn(u64, u64) -> u64) -> [u64; WORDS] {
        let mut words = self.words();
        for (word, with) in words.iter_mut().zip(other.words()) {
            *word = operation(*word, with);
        }
        words
    }

    fn words(&self) -> [u64; WORDS] {
        match self {
            Chunk::Bitmap(words) => **words,
            Chunk::List(list) => {
                let mut words = [0; WORDS];
                list.iter().for_each(|place| set(&mut words, *place));
                words
            }
        }
    }

    fn from_words(words: [u64; WORDS]) -> Chunk {
        if count(&words) > LIST / 2 {
            return Chunk::Bitmap(Arc::new(words));
        }
        let mut list = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from.and_then(|from| next_in(&words, from)) {
            list.push(place);
            from = place.checked_add(1);
        }
        Chunk::List(Arc::new(list))
    }
}

fn next_in(words: &[u64; WORDS], from: u16) -> Option<u16> {
    let start = word(from);
    words.iter().enumerate().skip(start).find_map(|(at, word)| {
        let rest = if at == start { word & (u64::MAX << (from % 64)) } else { *word };
        (rest != 0).then(|| (at * 64) as u16 + rest.trailing_zeros() as u16)
    })
}

fn count(words: &[u64; WORDS]) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

fn set(words: &mut [u64; WORDS], place: u16) {
    if let Some(word) = words.get_mut(word(place)) {
        *word |= bit(place);
    }
}

fn word(place: u16) -> usize {
    usize::from(place / 64)
}

fn bit(place: u16) -> u64 {
    1 << (place % 64)
}
