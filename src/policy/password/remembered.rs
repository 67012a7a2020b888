//! Logins whose password was verified a moment ago: while one is remembered, the same password for the same account, unchanged, needs no
//! Argon2 run.
//!
//! What is kept is a MAC under a key of this process over the account's version and the password, never the password. Wrong passwords leave
//! no trace here and never find one.

use std::collections::{HashMap, VecDeque};

use subtle::ConstantTimeEq;

use crate::model::{EntryId, Secret, Timestamp};

/// Accounts that are remembered at once; beyond that the one remembered longest is forgotten.
pub const REMEMBERED_LOGINS: usize = 20_000;

/// HMAC over an account's version and a password, and which account.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginTag {
    /// Whose.
    pub account: EntryId,
    /// HMAC-SHA-256.
    pub mac: [u8; 32],
}

/// See the module. One login of each account: the newest.
pub struct RememberedLogins {
    most: usize,
    by_account: HashMap<EntryId, Remembered>,
    /// In the order in which they end.
    ends: VecDeque<(Timestamp, EntryId, u64)>,
    /// How many were remembered so far.
    count: u64,
}

struct Remembered {
    mac: [u8; 32],
    /// The stored value that the password was found to match.
    stored: Secret,
    until: Timestamp,
    /// Which one it is, counted from the first.
    number: u64,
}

impl RememberedLogins {
    /// Room for that many.
    pub fn new(most: usize) -> RememberedLogins {
        RememberedLogins { most, by_account: HashMap::new(), ends: VecDeque::new(), count: 0 }
    }

    /// The stored value that this login was found to match, if it is remembered and the value is one of `stored` still.
    pub fn recall(&self, tag: &LoginTag, stored: &[Secret], now: Timestamp) -> Option<Secret> {
        let found = self.by_account.get(&tag.account).filter(|found| now < found.until)?;
        let same = bool::from(found.mac.ct_eq(&tag.mac)) && stored.contains(&found.stored);
        same.then(|| found.stored.clone())
    }

    /// Keeps a login that just succeeded after a run of the hash, until a moment that no earlier one has.
    pub fn remember(&mut self, tag: LoginTag, stored: Secret, until: Timestamp, now: Timestamp) {
        self.count = self.count.wrapping_add(1);
        self.by_account.insert(tag.account, Remembered { mac: tag.mac, stored, until, number: self.count });
        self.ends.push_back((until, tag.account, self.count));
        while let Some((end, account, number)) = self.ends.front().copied()
            && (end <= now || self.ends.len() > self.most)
        {
            self.ends.pop_front();
            // One that was remembered anew since stays.
            if self.by_account.get(&account).is_some_and(|found| found.number == number) {
                self.by_account.remove(&account);
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_account.clear();
        self.ends.clear();
    }

    /// How many are kept, those whose time is over and which were not yet looked at included.
    pub fn len(&self) -> usize {
        self.by_account.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_account.is_empty()
    }
}

impl std::fmt::Debug for LoginTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoginTag(entry {})", self.account.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(account: u64, octet: u8) -> LoginTag {
        LoginTag { account: EntryId(account), mac: [octet; 32] }
    }

    fn stored(text: &str) -> Secret {
        Secret::from(text.as_bytes())
    }

    #[test]
    fn only_the_same_login_is_found_until_its_end_and_while_its_value_is_stored() {
        let mut logins = RememberedLogins::new(10);
        let values = [stored("other"), stored("hash")];
        logins.remember(tag(1, 7), stored("hash"), Timestamp(100), Timestamp(0));
        assert_eq!(logins.recall(&tag(1, 7), &values, Timestamp(99)), Some(stored("hash")));
        assert_eq!(logins.recall(&tag(1, 7), &values, Timestamp(100)), None, "its time is over");
        assert_eq!(logins.recall(&tag(1, 8), &values, Timestamp(0)), None, "another password or version");
        assert_eq!(logins.recall(&tag(2, 7), &values, Timestamp(0)), None, "another account");
        assert_eq!(logins.recall(&tag(1, 7), &values[..1], Timestamp(0)), None, "the value is no longer stored");
    }

    #[test]
    fn a_newer_login_takes_the_place_and_lasts_its_own_time() {
        let mut logins = RememberedLogins::new(10);
        let values = [stored("hash")];
        logins.remember(tag(1, 1), stored("hash"), Timestamp(100), Timestamp(0));
        logins.remember(tag(1, 2), stored("hash"), Timestamp(150), Timestamp(50));
        assert_eq!(logins.recall(&tag(1, 1), &values, Timestamp(60)), None);
        logins.remember(tag(2, 1), stored("hash"), Timestamp(220), Timestamp(120));
        assert_eq!(logins.recall(&tag(1, 2), &values, Timestamp(120)), Some(stored("hash")));
        logins.clear();
        assert_eq!((logins.recall(&tag(1, 2), &values, Timestamp(120)), logins.len()), (None, 0));
    }

    #[test]
    fn their_number_is_bounded() {
        let mut logins = RememberedLogins::new(10);
        let values = [stored("hash")];
        for account in 0..1000 {
            logins.remember(tag(account, 1), stored("hash"), Timestamp(5000), Timestamp(0));
            // One that logs in again and again takes no room of others.
            logins.remember(tag(5000, 1), stored("hash"), Timestamp(5000), Timestamp(0));
            assert!(logins.len() <= 10 && logins.ends.len() <= 10);
        }
        assert!(logins.recall(&tag(999, 1), &values, Timestamp(0)).is_some());
        assert!(logins.recall(&tag(0, 1), &values, Timestamp(0)).is_none());
        logins.remember(tag(7, 1), stored("hash"), Timestamp(9000), Timestamp(6000));
        assert_eq!(logins.len(), 1, "those whose time is over make room");
    }
}
