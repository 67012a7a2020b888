//! A hash table from names to numbers that ignores ASCII case and never allocates to look one up: every attribute
//! description of every request goes through it.

/// Names of types, classes or rules. Names are ASCII by RFC 4512; other octets are compared as they are.
#[derive(Default)]
pub(super) struct NameMap {
    /// Open addressing, a power of two long: place in `names` plus one, 0 for free.
    slots: Vec<u32>,
    names: Vec<(Box<str>, u32)>,
}

impl NameMap {
    pub(super) fn get(&self, name: &str) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash(name) & mask;
        loop {
            let place = (*self.slots.get(slot)?).checked_sub(1)?;
            let (known, number) = self.names.get(place as usize)?;
            if **known == *name || known.eq_ignore_ascii_case(name) {
                return Some(*number);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Adds a name; one that is there already keeps its first number, which is returned.
    pub(super) fn insert(&mut self, name: &str, number: u32) -> Option<u32> {
        if let Some(known) = self.get(name) {
            return Some(known);
        }
        self.names.push((name.into(), number));
        if self.names.len() * 2 > self.slots.len() {
            self.rebuild();
        } else {
            self.place(self.names.len() - 1);
        }
        None
    }

    fn rebuild(&mut self) {
        self.slots = vec![0; (self.names.len() * 4).next_power_of_two()];
        for index in 0..self.names.len() {
            self.place(index);
        }
    }

    fn place(&mut self, index: usize) {
        let Some((name, _)) = self.names.get(index) else { return };
        let mask = self.slots.len() - 1;
        let mut slot = hash(name) & mask;
        while let Some(content) = self.slots.get_mut(slot) {
            if *content == 0 {
                *content = u32::try_from(index + 1).unwrap_or(0);
                return;
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Eight octets at a time, the bit that tells lower from upper case set in each: names that differ in case alone have the same. Only schema
/// authors choose what is inserted, so collisions are no attack.
fn hash(name: &str) -> usize {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let (eights, rest) = name.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(place, octet)| *place = *octet);
    let hash = eights.iter().chain([&last]).fold(name.len() as u64, |hash, eight| {
        let mixed = (hash ^ (u64::from_le_bytes(*eight) | LOWER)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    });
    (hash ^ (hash >> 32)) as usize
}

#[cfg(test)]
mod tests {
    use super::NameMap;

    #[test]
    fn finds_what_was_inserted_in_any_case_and_nothing_else() {
        let mut map = NameMap::default();
        assert_eq!(map.get("cn"), None);
        for number in 0..500 {
            assert_eq!(map.insert(&format!("Name{number}"), number), None);
        }
        for number in 0..500 {
            assert_eq!(map.get(&format!("nAME{number}")), Some(number));
        }
        assert_eq!(map.get("Name500"), None);
        assert_eq!(map.get(""), None);
        assert_eq!(map.insert("NAME7", 9999), Some(7));
        assert_eq!(map.get("name7"), Some(7));
    }
}
