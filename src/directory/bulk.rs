//! Persistent maps from entries that are there in order.

use imbl::OrdMap;

/// A map of entries that come in ascending order of their keys. Every other one goes in first: nodes that are split in the middle by entries
/// in order stay half full, and the others fill them.
pub(super) fn map<K: Ord + Clone, V: Clone>(entries: Vec<(K, V)>) -> OrdMap<K, V> {
    let mut map = OrdMap::new();
    let mut others = Vec::with_capacity(entries.len() / 2);
    for (place, (key, value)) in entries.into_iter().enumerate() {
        if place % 2 == 0 {
            map.insert(key, value);
        } else {
            others.push((key, value));
        }
    }
    for (key, value) in others {
        map.insert(key, value);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn all_entries_are_in() {
        for count in [0, 1, 2, 3, 1000] {
            let entries: Vec<(u64, u64)> = (0..count).map(|number| (number * 7, number)).collect();
            assert_eq!(map(entries.clone()).into_iter().collect::<Vec<_>>(), entries);
        }
    }
}
