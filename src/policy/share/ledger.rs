//! A common stock of something (octets, operations), of which each owner may have a part.

use std::collections::HashMap;
use std::hash::Hash;

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// For all together.
    pub overall: usize,
    /// For one owner.
    pub each: usize,
}

/// Who has how much. Owners without anything are not remembered.
#[derive(Debug)]
pub struct Ledger<K> {
    held: usize,
    by_owner: HashMap<K, usize>,
    most: usize,
}

impl<K> Default for Ledger<K> {
    fn default() -> Ledger<K> {
        Ledger { held: 0, by_owner: HashMap::new(), most: 0 }
    }
}

impl<K: Eq + Hash + Copy> Ledger<K> {
    /// Takes, if it is within both shares; one owner that has nothing may always have one thing, however large, if nobody has any.
    pub fn take(&mut self, owner: K, amount: usize, share: Share) -> bool {
        let own = self.by_owner.get(&owner).copied().unwrap_or(0);
        let fits = self.held.saturating_add(amount) <= share.overall && own.saturating_add(amount) <= share.each;
        if !fits && self.held > 0 {
            return false;
        }
        self.held = self.held.saturating_add(amount);
        self.most = self.most.max(self.held);
        self.by_owner.insert(owner, own.saturating_add(amount));
        true
    }

    /// Gives back what was taken.
    pub fn give_back(&mut self, owner: K, amount: usize) {
        self.held = self.held.saturating_sub(amount);
        if let Some(own) = self.by_owner.get_mut(&owner) {
            *own = own.saturating_sub(amount);
            if *own == 0 {
                self.by_owner.remove(&owner);
            }
        }
    }

    /// How much all have.
    pub fn held(&self) -> usize {
        self.held
    }

    /// How much all have, and the most they had since this was asked last.
    pub fn take_most(&mut self) -> (usize, usize) {
        (self.held, std::mem::replace(&mut self.most, self.held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { overall: 100, each: 40 };

    #[test]
    fn one_owner_leaves_room_for_others() {
        let mut ledger = Ledger::default();
        assert!(ledger.take("a", 40, SHARE) && !ledger.take("a", 1, SHARE));
        assert!(ledger.take("b", 40, SHARE) && ledger.take("c", 20, SHARE));
        assert!(!ledger.take("d", 1, SHARE), "all is taken");
        ledger.give_back("a", 40);
        assert!(ledger.take("d", 40, SHARE));
        assert_eq!(ledger.take_most(), (100, 100));
        ledger.give_back("b", 40);
        assert_eq!(ledger.take_most(), (60, 100));
        assert_eq!(ledger.take_most(), (60, 60));
    }

    #[test]
    fn what_is_larger_than_the_share_is_taken_alone() {
        let mut ledger = Ledger::default();
        assert!(ledger.take("a", 1000, SHARE) && !ledger.take("b", 1, SHARE));
        ledger.give_back("a", 1000);
        assert_eq!(ledger.held(), 0);
        assert!(ledger.by_owner.is_empty(), "nothing is remembered of who has nothing");
    }
}
