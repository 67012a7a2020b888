//! Who is connected: how many overall, from each origin, as each account; and who goes when there is no room.
//!
//! ```text
//!            enter                 heard                   claim
//!  ───► (no room: oldest pending  ────► anonymous ◄───────────────► logged in
//!        goes, or refused) pending                     release
//! ```
//! A pending connection has not sent a whole request yet. A client that means it is that for milliseconds; who opens connections and
//! says nothing only ever pushes out those like it.

use std::collections::{BTreeSet, HashMap};

use super::origin::{AddressLimits, Origin};
use super::rate::{Bucket, Rate};
use super::tries::{Asked, Permit, Tries};
use crate::model::EntryId;

/// Origins that are remembered without a connection, for their rates.
const REMEMBERED: usize = 50_000;
/// Microseconds between two looks for what can be forgotten.
const SWEEP: u64 = 1_000_000;

/// Limits that hold for all together and for each account. BEHAVIOUR "Default limits".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CrowdLimits {
    /// Connections open at once over all listeners; those of the Unix socket are counted apart, so that an administrator gets in.
    pub overall: usize,
    /// Connections open at once as one person.
    pub per_person: usize,
    /// Connections open at once as one service.
    pub per_service: usize,
}

impl Default for CrowdLimits {
    fn default() -> CrowdLimits {
        CrowdLimits { overall: 10_000, per_person: 100, per_service: 2_000 }
    }
}

/// All that are connected.
#[derive(Debug, Default)]
pub struct Crowd {
    seats: HashMap<u64, Seat>,
    pending: BTreeSet<u64>,
    by_origin: HashMap<Origin, Standing>,
    by_account: HashMap<EntryId, usize>,
    network: usize,
    local: usize,
    most: usize,
    swept: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    /// None: the Unix socket.
    origin: Option<Origin>,
    account: Option<EntryId>,
}

/// What is known of an origin.
#[derive(Debug, Default)]
struct Standing {
    open: usize,
    unauthenticated: usize,
    pending: BTreeSet<u64>,
    handshakes: Bucket,
    tries: Tries,
}

/// A connection came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entered {
    /// This one has to go for it.
    pub evicted: Option<u64>,
}

/// Why a connection is closed at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Refused {
    /// As many as may be are open.
    #[error("as many connections are open as may be")]
    Overall,
    /// As many as may be are open from there.
    #[error("as many connections are open from this address as may be")]
    Address,
    /// As many as may be on which nobody is logged in are open from there.
    #[error("as many connections are open from this address on which nobody is logged in as may be")]
    Unauthenticated,
    /// Too many handshakes from there in this second.
    #[error("too many TLS handshakes from this address within a second")]
    Handshakes,
}

impl Crowd {
    /// A connection from the network. `number` grows from one to the next.
    pub fn enter(
        &mut self,
        number: u64,
        origin: Origin,
        limits: &AddressLimits,
        overall: usize,
        now: u64,
    ) -> Result<Entered, Refused> {
        self.forget(limits, now);
        let standing = self.by_origin.entry(origin).or_default();
        let evicted = if standing.open >= limits.connections {
            Some(standing.pending.first().copied().ok_or(Refused::Address)?)
        } else if standing.unauthenticated >= limits.unauthenticated {
            Some(standing.pending.first().copied().ok_or(Refused::Unauthenticated)?)
        } else if self.network >= overall {
            Some(self.pending.first().copied().ok_or(Refused::Overall)?)
        } else {
            None
        };
        if let Some(evicted) = evicted {
            self.leave(evicted);
        }
        let standing = self.by_origin.entry(origin).or_default();
        standing.open += 1;
        standing.unauthenticated += 1;
        standing.pending.insert(number);
        self.pending.insert(number);
        self.network += 1;
        self.most = self.most.max(self.network);
        self.seats.insert(number, Seat { origin: Some(origin), account: None });
        Ok(Entered { evicted })
    }

    /// A connection over the Unix socket.
    pub fn enter_local(&mut self, number: u64, limits: &AddressLimits) -> Result<Entered, Refused> {
        if self.local >= limits.connections {
            return Err(Refused::Address);
        }
        self.local += 1;
        self.seats.insert(number, Seat { origin: None, account: None });
        Ok(Entered::default())
    }

    /// It sent its first whole request.
    pub fn heard(&mut self, number: u64) {
        self.pending.remove(&number);
        if let Some(standing) = self.standing(number) {
            standing.pending.remove(&number);
        }
    }

    /// Somebody is about to be logged in on it. `false`: as many connections as may be are open as this account.
    pub fn claim(&mut self, number: u64, account: EntryId, most: usize) -> bool {
        self.release(number);
        let Some(seat) = self.seats.get_mut(&number) else { return true };
        let open = self.by_account.get(&account).copied().unwrap_or(0);
        if open >= most {
            return false;
        }
        self.by_account.insert(account, open + 1);
        seat.account = Some(account);
        if let Some(standing) = self.standing(number) {
            standing.unauthenticated = standing.unauthenticated.saturating_sub(1);
        }
        true
    }

    /// Nobody is logged in on it any more.
    pub fn release(&mut self, number: u64) {
        let Some(account) = self.seats.get_mut(&number).and_then(|seat| seat.account.take()) else { return };
        self.take_from_account(account);
        if let Some(standing) = self.standing(number) {
            standing.unauthenticated += 1;
        }
    }

    /// It is closed.
    pub fn leave(&mut self, number: u64) {
        self.heard(number);
        let Some(Seat { origin, account }) = self.seats.remove(&number) else { return };
        if let Some(account) = account {
            self.take_from_account(account);
        }
        let Some(origin) = origin else {
            self.local = self.local.saturating_sub(1);
            return;
        };
        self.network = self.network.saturating_sub(1);
        let full = self.by_origin.len() >= REMEMBERED;
        if let Some(standing) = self.by_origin.get_mut(&origin) {
            standing.open = standing.open.saturating_sub(1);
            standing.unauthenticated = standing.unauthenticated.saturating_sub(usize::from(account.is_none()));
            if full && standing.open == 0 {
                self.by_origin.remove(&origin);
            }
        }
    }

    /// Whether a TLS handshake may begin.
    pub fn may_shake_hands(&mut self, number: u64, limits: &AddressLimits, now: u64) -> bool {
        let rate = Rate::per_second(limits.handshakes);
        self.standing(number).is_none_or(|standing| standing.handshakes.try_take(rate, now))
    }

    /// Whether a bind may be tried now.
    pub fn may_try(&mut self, number: u64, limits: &AddressLimits, now: u64) -> Asked {
        let rate = Rate::per_second(limits.failed_binds);
        self.standing(number).map_or(Asked::Granted(Permit::Free), |standing| standing.tries.ask(rate, now))
    }

    /// A bind came to its end. `wrong`: it was refused with 49.
    pub fn tried(&mut self, number: u64, permit: Permit, wrong: bool, limits: &AddressLimits, now: u64) {
        let rate = Rate::per_second(limits.failed_binds);
        if let Some(standing) = self.standing(number) {
            standing.tries.ended(permit, wrong, rate, now);
        }
    }

    /// Connections open from the network.
    pub fn open(&self) -> usize {
        self.network
    }

    /// The same, and the most there were since this was asked last.
    pub fn take_most(&mut self) -> (usize, usize) {
        (self.network, std::mem::replace(&mut self.most, self.network))
    }

    /// Origins remembered.
    pub fn origins(&self) -> usize {
        self.by_origin.len()
    }

    fn standing(&mut self, number: u64) -> Option<&mut Standing> {
        let origin = self.seats.get(&number)?.origin?;
        self.by_origin.get_mut(&origin)
    }

    fn take_from_account(&mut self, account: EntryId) {
        if let Some(open) = self.by_account.get_mut(&account) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.by_account.remove(&account);
            }
        }
    }

    /// Origins without a connection are kept while their rates would not let them begin anew.
    fn forget(&mut self, limits: &AddressLimits, now: u64) {
        if now < self.swept.saturating_add(SWEEP) {
            return;
        }
        self.swept = now;
        let (handshakes, tries) = (Rate::per_second(limits.handshakes), Rate::per_second(limits.failed_binds));
        self.by_origin.retain(|_, standing| {
            standing.open > 0 || !standing.handshakes.is_full(handshakes, now) || !standing.tries.is_over(tries, now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AddressLimits = AddressLimits { connections: 5, unauthenticated: 3, handshakes: 2, failed_binds: 2 };
    const SECOND: u64 = 1_000_000;

    fn origin(number: u32) -> Origin {
        Origin::of(std::net::Ipv4Addr::from(number).into())
    }

    /// Connections of one origin that each sent a request.
    fn crowd(numbers: std::ops::Range<u64>) -> Crowd {
        let mut crowd = Crowd::default();
        for number in numbers {
            assert_eq!(crowd.enter(number, origin(1), &LIMITS, 100, 0), Ok(Entered { evicted: None }));
            crowd.heard(number);
        }
        crowd
    }

    #[test]
    fn limits_of_an_address() {
        let mut crowd = crowd(0..3);
        assert_eq!(crowd.enter(3, origin(1), &LIMITS, 100, 0), Err(Refused::Unauthenticated));
        assert_eq!(crowd.enter(4, origin(2), &LIMITS, 100, 0), Ok(Entered { evicted: None }), "others get in");
        for number in 0..3 {
            assert!(crowd.claim(number, EntryId(number), 1));
        }
        for number in 5..7 {
            assert!(crowd.enter(number, origin(1), &LIMITS, 100, 0).is_ok());
            crowd.heard(number);
        }
        assert_eq!(crowd.enter(7, origin(1), &LIMITS, 100, 0), Err(Refused::Address));
        crowd.leave(0);
        assert!(crowd.enter(8, origin(1), &LIMITS, 100, 0).is_ok());
    }

    #[test]
    fn who_says_nothing_makes_room() {
        let mut crowd = crowd(0..2);
        assert!(crowd.enter(2, origin(1), &LIMITS, 100, 0).is_ok());
        assert_eq!(crowd.enter(3, origin(1), &LIMITS, 100, 0), Ok(Entered { evicted: Some(2) }));
        crowd.leave(2);
        crowd.heard(3);
        assert_eq!(crowd.enter(4, origin(1), &LIMITS, 100, 0), Err(Refused::Unauthenticated));
        assert_eq!(crowd.take_most(), (3, 3), "one that was evicted is counted out once");
    }

    #[test]
    fn overall_the_oldest_that_says_nothing_goes() {
        let mut crowd = Crowd::default();
        for number in 0..10 {
            assert!(crowd.enter(u64::from(number), origin(number), &LIMITS, 10, 0).is_ok());
        }
        crowd.heard(0);
        assert_eq!(crowd.enter(10, origin(10), &LIMITS, 10, 0), Ok(Entered { evicted: Some(1) }));
        (2..=10).for_each(|number| crowd.heard(number));
        assert_eq!(crowd.enter(11, origin(11), &LIMITS, 10, 0), Err(Refused::Overall));
        assert!(crowd.enter_local(12, &LIMITS).is_ok(), "the Unix socket is counted apart");
    }

    #[test]
    fn limits_of_an_account() {
        let mut crowd = crowd(0..3);
        let anna = EntryId(7);
        assert!(crowd.claim(0, anna, 2) && crowd.claim(1, anna, 2) && !crowd.claim(2, anna, 2));
        assert!(crowd.claim(1, anna, 2), "logging in once more on the same connection");
        crowd.release(0);
        assert!(crowd.claim(2, anna, 2));
        (0..3).for_each(|number| crowd.leave(number));
        assert!(crowd.by_account.is_empty() && crowd.open() == 0);
    }

    #[test]
    fn handshakes_and_tries_are_of_the_address_and_outlive_its_connections() {
        let mut crowd = crowd(0..1);
        assert!(crowd.may_shake_hands(0, &LIMITS, 0) && crowd.may_shake_hands(0, &LIMITS, 0));
        crowd.leave(0);
        assert!(crowd.enter(1, origin(1), &LIMITS, 100, 1).is_ok());
        assert!(!crowd.may_shake_hands(1, &LIMITS, 1));
        for _ in 0..2 {
            crowd.tried(1, Permit::Free, true, &LIMITS, 1);
        }
        assert!(matches!(crowd.may_try(1, &LIMITS, 1), Asked::Later { .. }));
        assert!(crowd.enter(2, origin(2), &LIMITS, 100, 1).is_ok());
        assert_eq!(crowd.may_try(2, &LIMITS, 1), Asked::Granted(Permit::Free));
        [1, 2].into_iter().for_each(|number| crowd.leave(number));
        crowd.forget(&LIMITS, 10 * SECOND);
        assert_eq!(crowd.origins(), 0);
    }

    #[test]
    fn a_flood_from_everywhere_is_not_remembered() {
        let mut crowd = Crowd::default();
        for number in 0..200_000 {
            assert!(crowd.enter(u64::from(number), origin(number), &LIMITS, 1000, 1).is_ok());
            crowd.may_shake_hands(u64::from(number), &LIMITS, 1);
        }
        assert_eq!(crowd.open(), 1000);
        assert!(crowd.origins() <= REMEMBERED + 1000, "{}", crowd.origins());
        assert_eq!(crowd.seats.len(), 1000);
    }
}
