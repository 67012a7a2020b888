//! What one connection has of what all share: its place, memory for its requests, leave to try binds, and when it must wait.

use std::time::Duration;

use crate::directory::Directory;
use crate::model::{EntryId, ResultCode};
use crate::operation::search::SearchStream;
use crate::operation::{AccountClass, Decision, Proposal, ProposedOperation};
use crate::policy::share::{Asked, Owner, Permit};
use crate::protocol::{MessageId, Request, ResponseKind, oid};
use crate::server::gate::{Holding, Seat, Stock};

/// Requests up to this many octets take nothing of the common memory before somebody is logged in …
const SMALL_UNAUTHENTICATED: usize = 4 * 1024;
/// … and after.
const SMALL: usize = 16 * 1024;
/// Operations under way on each connection that take nothing of the common number.
const FREE_OPERATIONS: usize = 8;
/// Octets of results that each connection may hold whatever the others do.
pub(super) const FREE_RESULTS: usize = 16 * 1024;
/// What a search that puts its entries in order is counted as, in octets: 100,000 entries with short keys.
const SORTING: usize = 8 * 1024 * 1024;
/// Terms of a filter that are not counted, and what each of a longer filter is counted as, in octets: it is kept resolved and prepared.
const FREE_TERMS: usize = 64;
const TERM: usize = 512;
/// Candidates that a connection's searches look at before they are counted.
const COUNTED_AT_ONCE: u32 = 1000;
/// How long a connection that finds no memory waits before it looks again.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// How long binds wait at least, so that many that wait do not look again all the time.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// A connection's share.
pub(super) struct Allowance {
    pub(super) seat: Seat,
    /// For the request that is being read.
    incoming: Option<Holding>,
    /// For requests and searches under way.
    held: Vec<(MessageId, Holding)>,
    operations: Option<Holding>,
    transaction: Option<Holding>,
    /// Binds under way, and what else is recorded of somebody who is not logged in.
    tries: Vec<(MessageId, Permit)>,
    /// The bind that claims the connection for an account, before it is decided.
    claiming: Option<MessageId>,
    results: usize,
    scanned: u32,
    heard: bool,
}

impl Allowance {
    pub(super) fn new(seat: Seat) -> Allowance {
        Allowance {
            seat,
            incoming: None,
            held: Vec::new(),
            operations: None,
            transaction: None,
            tries: Vec::new(),
            claiming: None,
            results: 0,
            scanned: 0,
            heard: false,
        }
    }

    fn take(&self, stock: Stock, amount: usize) -> Option<Holding> {
        self.seat.gate().take(stock, self.seat.owner(), amount)
    }

    fn memory(&self) -> Stock {
        if self.seat.is_known() { Stock::Requests } else { Stock::Unauthenticated }
    }

    /// Octets read at once.
    pub(super) fn read_size(&self) -> usize {
        if self.seat.is_known() { SMALL } else { SMALL_UNAUTHENTICATED }
    }

    /// Memory for a request of so many octets, of which only some are there. `false`: there is none now.
    pub(super) fn expect(&mut self, octets: usize) -> bool {
        let small = if self.seat.is_known() { SMALL } else { SMALL_UNAUTHENTICATED };
        if octets <= small || self.incoming.is_some() {
            return true;
        }
        self.incoming = self.take(self.memory(), octets);
        self.incoming.is_some()
    }

    /// The request is there: what it holds is held until it is answered.
    pub(super) fn arrived(&mut self, id: MessageId) {
        if !self.heard {
            self.heard = true;
            self.seat.heard();
        }
        self.held.extend(self.incoming.take().map(|holding| (id, holding)));
    }

    /// Gives back what was held for operations that have ended. `pending`: how many are under way.
    pub(super) fn settle(&mut self, pending: usize, is_pending: impl Fn(MessageId) -> bool) {
        self.held.retain(|(id, _)| is_pending(*id));
        if pending <= FREE_OPERATIONS {
            self.operations = None;
        }
    }

    /// Whether one more operation may be under way.
    pub(super) fn may_begin(&mut self, pending: usize) -> bool {
        let wanted = (pending + 1).saturating_sub(FREE_OPERATIONS);
        match &mut self.operations {
            _ if wanted == 0 => true,
            Some(holding) => holding.resize(wanted),
            None => {
                self.operations = self.take(Stock::Operations, wanted);
                self.operations.is_some()
            }
        }
    }

    /// What a search holds beside its request: a place among those that go on, memory for a long filter and to sort in. `Err`:
    /// what the client is told where there is none now.
    pub(super) fn begin_search(&mut self, id: MessageId, search: &SearchStream) -> Result<(), &'static str> {
        let terms = search.weight();
        let (places, memory) = ("too many persistent searches", "no memory for the search");
        for (wanted, stock, amount, text) in [
            (search.is_persistent(), Stock::Persistent, 1, places),
            (search.sorts(), self.memory(), SORTING, memory),
            (terms > FREE_TERMS, self.memory(), terms.saturating_mul(TERM), memory),
        ] {
            if wanted {
                self.held.push((id, self.take(stock, amount).ok_or(text)?));
            }
        }
        Ok(())
    }

    /// What a transaction keeps until its end. `false`: it is more than there is memory for.
    pub(super) fn keep(&mut self, octets: usize) -> bool {
        match &mut self.transaction {
            holding if octets == 0 => *holding = None,
            Some(holding) => return holding.resize(octets),
            None => {
                self.transaction = self.take(Stock::Requests, octets);
                return self.transaction.is_some();
            }
        }
        true
    }

    /// Whether a request may be tried now; it may not when too many were refused from its address. `Err`: how long it must wait, and
    /// whether that is worth telling.
    pub(super) fn may_try(&mut self, id: MessageId, request: &Request) -> Result<(), (Duration, bool)> {
        if !is_try(request, self.seat.is_known()) {
            return Ok(());
        }
        match self.seat.may_try() {
            Asked::Granted(permit) => {
                self.tries.push((id, permit));
                Ok(())
            }
            Asked::Later { wait, first } => {
                // Spread, so that not all that wait come at once.
                let spread = Duration::from_millis(self.seat.number() % 16 * 64);
                Err((wait.max(LEAST_WAIT) + spread, first))
            }
        }
    }

    /// A request that was tried was answered at once: nothing was recorded.
    pub(super) fn tried_nothing(&mut self, is_pending: impl Fn(MessageId) -> bool) {
        let (seat, tries) = (&self.seat, &mut self.tries);
        tries.retain(|(id, permit)| {
            let pending = is_pending(*id);
            if !pending {
                seat.tried(*permit, false);
            }
            pending
        });
    }

    /// A bind whose credentials are right takes its place among the connections of the account, or is refused.
    pub(super) fn claim(&mut self, directory: &Directory, id: MessageId, proposal: &mut Proposal) {
        let ProposedOperation::Bind(pending) = &mut proposal.operation else { return };
        let Some(account) = pending.expected() else { return };
        if self.seat.claim(account, AccountClass::of(directory, Some(account))) {
            self.claiming = Some(id);
        } else {
            pending.refuse_session();
        }
    }

    /// An operation was decided.
    pub(super) fn decided(&mut self, id: MessageId, decision: &Result<Box<Decision>, ResultCode>) {
        self.claiming.take_if(|claiming| *claiming == id);
        let Some(at) = self.tries.iter().position(|(tried, _)| *tried == id) else { return };
        let (_, permit) = self.tries.swap_remove(at);
        let refused = match decision {
            Ok(decision) => {
                decision.identity.as_ref().is_none_or(|identity| identity.entry.is_none())
                    && decision.record.result != ResultCode::Busy
            }
            Err(_) => false,
        };
        self.seat.tried(permit, refused);
    }

    /// Who is logged in by now.
    pub(super) fn follow_identity(&mut self, entry: Option<EntryId>) {
        if self.claiming.is_none() && entry.is_none() {
            self.seat.release();
        }
    }

    /// On whose account searches are counted; none: they are not.
    fn scanner(&self, administrator: bool) -> Option<Owner> {
        Some(self.seat.owner()).filter(|owner| *owner != Owner::Local && !administrator)
    }

    /// Counts candidates; how long searches must rest for it. `administrator`: whether who is logged in is one, asked now and then.
    pub(super) fn scanned(&mut self, candidates: u32, administrator: impl FnOnce() -> bool) -> Option<Duration> {
        self.scanned = self.scanned.saturating_add(candidates);
        if self.scanned < COUNTED_AT_ONCE {
            return None;
        }
        let counted = std::mem::take(&mut self.scanned);
        self.seat.gate().scanned(self.scanner(administrator())?, counted)
    }

    /// Counts what waits for the client to take it.
    pub(super) fn hold_results(&mut self, octets: usize) {
        let results = octets.saturating_sub(FREE_RESULTS);
        if results != self.results {
            self.seat.gate().hold_results(self.results, results);
            self.results = results;
        }
    }

    /// Whether so much waits for the client that its searches rest.
    pub(super) fn has_room(&self, octets: usize, most: usize) -> bool {
        octets < FREE_RESULTS || (octets < most && !self.seat.gate().is_crammed())
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.hold_results(0);
        // Who goes before the answer had a try all the same.
        for (_, permit) in self.tries.drain(..) {
            self.seat.tried(permit, true);
        }
    }
}

/// Whether a request is one of those that an address may have refused only so often: binds, and what else is recorded of somebody who is
/// not logged in.
fn is_try(request: &Request, known: bool) -> bool {
    match request {
        Request::Bind(_) | Request::Malformed { kind: ResponseKind::Bind, .. } => true,
        Request::Add { .. } | Request::Modify { .. } | Request::Delete { .. } | Request::ModifyDn { .. } => !known,
        Request::Extended { oid, .. } => !known && ![oid::WHO_AM_I, oid::CANCEL, oid::START_TLS].contains(&oid.as_str()),
        _ => false,
    }
}
