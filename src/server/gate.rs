//! What all connections share of connections, tries, memory and work: the tables of [`crate::policy::share`] behind locks, with the
//! clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::config::ConnectionSettings;
use crate::model::EntryId;
use crate::operation::{AccountClass, Peer};
use crate::policy::share::{AddressLimits, Asked, Bucket, Buckets, Crowd, Ledger, Origin, Owner, Permit, Rate, Refused, Share};
use crate::world::Clock;

/// Accounts whose searches are remembered, for their rate.
const ACCOUNTS: usize = 100_000;
/// Seconds of searching that an account can be behind.
const LONGEST_DEBT: u32 = 10;
/// Lines in the log about single clients, over all.
const LINES: Rate = Rate { per_second: 2, burst: 50 };
/// Microseconds between two lines in the log about connections that were refused for the same reason.
const TELL_AGAIN: u64 = 10_000_000;

/// The way in, and what there is to share.
pub struct Gate {
    settings: ArcSwap<ConnectionSettings>,
    clock: Arc<dyn Clock>,
    entrance: Mutex<Entrance>,
    stocks: [Mutex<Ledger<Owner>>; Stock::COUNT],
    scans: Mutex<Buckets<Owner>>,
    told: Mutex<Bucket>,
    /// Octets of results that clients have not taken, beyond what each may always hold.
    results: AtomicUsize,
    most_results: AtomicUsize,
}

/// Something that is shared by amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stock {
    /// Octets of requests of clients that are not logged in.
    Unauthenticated,
    /// Octets of requests, sorting and transactions of clients that are.
    Requests,
    /// Operations under way.
    Operations,
    /// Searches that go on until they are abandoned.
    Persistent,
}

impl Stock {
    const COUNT: usize = 4;
    const ALL: [Stock; Stock::COUNT] = [Stock::Unauthenticated, Stock::Requests, Stock::Operations, Stock::Persistent];

    fn share(self, settings: &ConnectionSettings) -> Share {
        match self {
            Stock::Unauthenticated => settings.memory.unauthenticated,
            Stock::Requests => settings.memory.requests,
            Stock::Operations => settings.operations,
            Stock::Persistent => settings.persistent,
        }
    }
}

#[derive(Default)]
struct Entrance {
    crowd: Crowd,
    /// To tell a connection that says nothing that it must go.
    pending: HashMap<u64, CancellationToken>,
    /// When a refusal was last told.
    told: HashMap<Refused, u64>,
    next_number: u64,
}

/// A connection's place; dropping it gives it back.
pub struct Seat {
    gate: Arc<Gate>,
    number: u64,
    limits: AddressLimits,
    origin: Option<Origin>,
    account: Option<EntryId>,
    evicted: CancellationToken,
}

/// An amount that was taken of a stock; dropping it gives it back.
pub struct Holding {
    gate: Arc<Gate>,
    stock: Stock,
    owner: Owner,
    amount: usize,
}

impl Gate {
    /// Nobody is in yet.
    pub fn new(settings: ConnectionSettings, clock: Arc<dyn Clock>) -> Arc<Gate> {
        Arc::new(Gate {
            settings: ArcSwap::from_pointee(settings),
            clock,
            entrance: Mutex::default(),
            stocks: Stock::ALL.map(|_| Mutex::default()),
            scans: Mutex::new(Buckets::new(ACCOUNTS)),
            told: Mutex::default(),
            results: AtomicUsize::new(0),
            most_results: AtomicUsize::new(0),
        })
    }

    /// Limits in force.
    pub fn settings(&self) -> Arc<ConnectionSettings> {
        self.settings.load_full()
    }

    /// Puts other limits in force; what one address may have, for connections from now on.
    pub fn reload(&self, settings: ConnectionSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// A place for a connection, or why there is none. Refusals are logged here, one of a kind in ten seconds.
    pub fn enter(self: &Arc<Gate>, peer: &str, address: Option<std::net::IpAddr>) -> Option<Seat> {
        let settings = self.settings.load();
        let limits = address.map_or(settings.addresses.others, |address| settings.addresses.at(address));
        let (now, evicted, origin) = (self.clock.monotonic(), CancellationToken::new(), address.map(Origin::of));
        let mut entrance = self.entrance();
        entrance.next_number += 1;
        let number = entrance.next_number;
        let entered = match origin {
            Some(origin) => entrance.crowd.enter(number, origin, &limits, settings.crowd.overall, now),
            None => entrance.crowd.enter_local(number, &limits),
        };
        match entered {
            Ok(evicts) => {
                if let Some(token) = evicts.evicted.and_then(|evicted| entrance.pending.remove(&evicted)) {
                    token.cancel();
                }
                entrance.pending.insert(number, evicted.clone());
                drop(entrance);
                Some(Seat { gate: Arc::clone(self), number, limits, origin, account: None, evicted })
            }
            Err(refused) => {
                entrance.tell(refused, peer, now);
                None
            }
        }
    }

    /// Takes of a stock, for this owner.
    pub fn take(self: &Arc<Gate>, stock: Stock, owner: Owner, amount: usize) -> Option<Holding> {
        let share = stock.share(&self.settings.load());
        let taken = self.stock(stock).take(owner, amount, share);
        taken.then(|| Holding { gate: Arc::clone(self), stock, owner, amount })
    }

    /// Counts candidates that searches of an account looked at; how long they must rest for it.
    pub fn scanned(&self, owner: Owner, candidates: u32) -> Option<Duration> {
        let (rate, now) = (Rate::per_second(self.settings.load().scanned), self.clock.monotonic());
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = scans.of(owner, rate, now);
        bucket.take(rate, now, candidates, LONGEST_DEBT);
        (!bucket.has_one(rate, now)).then(|| bucket.wait(rate, now))
    }

    /// A connection holds other amounts of results than before.
    pub fn hold_results(&self, before: usize, after: usize) {
        if after > before {
            let held = self.results.fetch_add(after - before, Ordering::Relaxed) + (after - before);
            self.most_results.fetch_max(held, Ordering::Relaxed);
        } else {
            self.results.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Whether results take so much memory that each client may hold only little.
    pub fn is_crammed(&self) -> bool {
        self.results.load(Ordering::Relaxed) >= self.settings.load().memory.results
    }

    /// Connections that are open.
    pub fn connections(&self) -> u64 {
        self.entrance().crowd.open() as u64
    }

    /// Whether one more line about what a single client did may go into the log: a flood must not fill it.
    pub fn may_tell(&self) -> bool {
        let now = self.clock.monotonic();
        self.told.lock().unwrap_or_else(PoisonError::into_inner).try_take(LINES, now)
    }

    /// For the log: what there is and the most there was since the last report.
    pub fn report(&self) -> String {
        let (open, most) = self.entrance().crowd.take_most();
        let mut text = format!("connections={open}/{most}");
        for (name, stock) in ["unauthenticated", "requests", "operations", "persistent"].into_iter().zip(Stock::ALL) {
            let (held, most) = self.stock(stock).take_most();
            text.push_str(&format!(" {name}={held}/{most}"));
        }
        let held = self.results.load(Ordering::Relaxed);
        text.push_str(&format!(" results={held}/{}", self.most_results.swap(held, Ordering::Relaxed)));
        text
    }

    fn entrance(&self) -> MutexGuard<'_, Entrance> {
        self.entrance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(clippy::indexing_slicing, reason = "there is one for each kind")]
    fn stock(&self, stock: Stock) -> MutexGuard<'_, Ledger<Owner>> {
        self.stocks[stock as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entrance {
    fn tell(&mut self, refused: Refused, peer: &str, now: u64) {
        let told = self.told.get(&refused).is_some_and(|&told| now < told.saturating_add(TELL_AGAIN));
        if !told {
            self.told.insert(refused, now);
            tracing::warn!(peer, "a connection was closed at once: {refused}; more of the kind are not told for some seconds");
        }
    }
}

impl Seat {
    /// The connection's number, never given twice.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// On whose account its requests are counted.
    pub fn owner(&self) -> Owner {
        match (self.account, self.origin) {
            (Some(account), _) => Owner::Account(account),
            (None, Some(origin)) => Owner::Origin(origin),
            (None, None) => Owner::Local,
        }
    }

    /// Whether somebody is logged in, or it is a local user.
    pub fn is_known(&self) -> bool {
        self.account.is_some() || self.origin.is_none()
    }

    /// The gate.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Cancelled when the connection must make room, which happens only before it is [heard](Seat::heard).
    pub fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }

    /// It sent its first whole request.
    pub fn heard(&self) {
        let mut entrance = self.gate.entrance();
        entrance.pending.remove(&self.number);
        entrance.crowd.heard(self.number);
    }

    /// Somebody is about to be logged in. `false`: as many connections as may be are open as this account.
    pub fn claim(&mut self, account: EntryId, class: AccountClass) -> bool {
        let crowd = self.gate.settings.load().crowd;
        let most = if class == AccountClass::Service { crowd.per_service } else { crowd.per_person };
        let claimed = self.gate.entrance().crowd.claim(self.number, account, most);
        self.account = Some(account).filter(|_| claimed);
        claimed
    }

    /// Nobody is logged in any more.
    pub fn release(&mut self) {
        if self.account.take().is_some() {
            self.gate.entrance().crowd.release(self.number);
        }
    }

    /// Whether a TLS handshake may begin.
    pub fn may_shake_hands(&self, peer: &Peer) -> bool {
        let now = self.gate.clock.monotonic();
        let mut entrance = self.gate.entrance();
        let may = entrance.crowd.may_shake_hands(self.number, &self.limits, now);
        if !may {
            entrance.tell(Refused::Handshakes, &peer.text, now);
        }
        may
    }

    /// Whether a bind may be tried now.
    pub fn may_try(&self) -> Asked {
        let now = self.gate.clock.monotonic();
        self.gate.entrance().crowd.may_try(self.number, &self.limits, now)
    }

    /// A bind came to its end. `wrong`: it was refused with 49.
    pub fn tried(&self, permit: Permit, wrong: bool) {
        if wrong || permit == Permit::Reserved {
            let now = self.gate.clock.monotonic();
            self.gate.entrance().crowd.tried(self.number, permit, wrong, &self.limits, now);
        }
    }

    /// Limits of its address.
    pub fn limits(&self) -> &AddressLimits {
        &self.limits
    }

    /// Where it comes from; none: the Unix socket.
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut entrance = self.gate.entrance();
        entrance.pending.remove(&self.number);
        entrance.crowd.leave(self.number);
    }
}

impl Holding {
    /// Takes more of the same, or gives back what is too much. `false`: there is no more.
    pub fn resize(&mut self, amount: usize) -> bool {
        if amount > self.amount {
            let share = self.stock.share(&self.gate.settings.load());
            if !self.gate.stock(self.stock).take(self.owner, amount - self.amount, share) {
                return false;
            }
        } else {
            self.gate.stock(self.stock).give_back(self.owner, self.amount - amount);
        }
        self.amount = amount;
        true
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.gate.stock(self.stock).give_back(self.owner, self.amount);
    }
}
