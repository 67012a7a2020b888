//! The sessions that somebody is logged in on, by account and by number: the committer takes the standing of an account's sessions here, and
//! `cn=sessions,cn=monitor` is read from here.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::committer_thread::{Completion, CompletionSender};
use crate::directory::{Change, Directory, Membership, Node, RuleKind};
use crate::model::EntryId;
use crate::operation::LiveSession;
use crate::operation::live::PasswordVersion;

/// Parts with a lock of their own: whoever logs in or out holds one of them for a moment.
const SHARDS: usize = 64;

/// Below the suffix: entries that say of everybody what is allowed.
const POLICIES: &str = "ou=policies";
/// Below the suffix: groups that give rights by their names.
const ROLES: &str = "ou=roles";

/// Passwords hashed anew that logins under way are told of: more than are decided while one is on its way here.
const REHASHED: usize = 256;

/// A session and how its connection is woken.
struct Seated {
    live: Arc<LiveSession>,
    waker: Option<CompletionSender>,
}

type Shard = HashMap<EntryId, Vec<Seated>>;

/// All live sessions.
pub struct Registry {
    shards: [Mutex<Shard>; SHARDS],
    count: AtomicUsize,
    /// Passwords that were hashed anew a moment ago: a login that was decided before may come here after.
    rehashed: Mutex<VecDeque<(EntryId, PasswordVersion, PasswordVersion)>>,
}

/// A session's place in the registry; dropping it takes it out.
pub struct Presence {
    registry: Arc<Registry>,
    live: Arc<LiveSession>,
}

/// Connections whose sessions lost their standing and are to judge them. Until they do they do nothing else, so nothing hangs on when: all at
/// once would keep everybody else waiting.
#[derive(Default)]
pub struct Woken(VecDeque<CompletionSender>);

/// Connections that are woken at once.
const WOKEN_AT_ONCE: usize = 128;
/// How long until the next ones are: 10,000 are woken in less than half a second.
pub const WAKING_INTERVAL: Duration = Duration::from_millis(5);

impl Woken {
    /// Wakes the next of them. A connection that has as many completions waiting as it can hold is awake and looks anyway.
    pub fn wake(&mut self) {
        let next = self.0.len().min(WOKEN_AT_ONCE);
        for waker in self.0.drain(..next) {
            let _ = waker.try_send(Completion::Review);
        }
    }

    /// Whether all were.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Registry {
    fn default() -> Registry {
        Registry { shards: std::array::from_fn(|_| Mutex::default()), count: AtomicUsize::new(0), rehashed: Mutex::default() }
    }
}

impl Registry {
    /// Puts a session in. Whoever does so judges it afterwards on the newest value: what was committed before found it not.
    pub fn enter(self: &Arc<Registry>, live: Arc<LiveSession>, waker: Option<CompletionSender>) -> Presence {
        self.count.fetch_add(1, Ordering::AcqRel);
        for account in places(&live) {
            if let Some(mut shard) = self.shard(account) {
                shard.entry(account).or_default().push(Seated { live: Arc::clone(&live), waker: waker.clone() });
            }
        }
        // Put in first: what is hashed anew from here on finds it.
        for (_, before, after) in self.rehashed().iter().filter(|(account, ..)| *account == live.account) {
            live.follow_rehash(*before, *after);
        }
        Presence { registry: Arc::clone(self), live }
    }

    fn rehashed(&self) -> MutexGuard<'_, VecDeque<(EntryId, PasswordVersion, PasswordVersion)>> {
        self.rehashed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, account: EntryId) -> Option<MutexGuard<'_, Shard>> {
        let place = usize::try_from(account.0 % SHARDS as u64).unwrap_or_default();
        self.shards.get(place).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn each(&self, account: EntryId, mut act: impl FnMut(&Seated)) {
        if let Some(shard) = self.shard(account) {
            shard.get(&account).into_iter().flatten().for_each(&mut act);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in order of numbers.
    pub fn all(&self) -> Vec<Arc<LiveSession>> {
        let mut all = Vec::with_capacity(self.len());
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(own(&shard).map(|seated| Arc::clone(&seated.live)));
        }
        all.sort_unstable_by_key(|live| live.number);
        all
    }

    /// The one with this number.
    pub fn find(&self, number: u64) -> Option<Arc<LiveSession>> {
        self.shards.iter().find_map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            own(&shard).find(|seated| seated.live.number == number).map(|seated| Arc::clone(&seated.live))
        })
    }

    /// The stored password of an account is only hashed anew in `head`, which is not durable: its sessions will go on with it.
    pub fn expect_password(&self, account: EntryId, before: PasswordVersion, head: &Directory) {
        if let Some(after) = PasswordVersion::of(head, account) {
            let mut rehashed = self.rehashed();
            rehashed.truncate(REHASHED - 1);
            rehashed.push_front((account, before, after));
        }
        self.each(account, |seated| {
            if seated.live.account == account {
                seated.live.expect_password(before, head);
            }
        });
    }

    /// It is durable.
    pub fn adopt_password(&self, account: EntryId) {
        self.each(account, |seated| {
            if seated.live.account == account {
                seated.live.adopt_password();
            }
        });
    }

    /// Takes the standing of the sessions of one account, and of those that came through it.
    pub fn suspend_of(&self, account: EntryId, woken: &mut Woken) {
        self.each(account, |seated| suspend(seated, woken));
    }

    /// Takes the standing of the sessions that these changes bear on. They were published already, and nobody was told.
    pub fn suspend(&self, before: &Directory, after: &Directory, changes: &[Change], woken: &mut Woken) {
        if self.is_empty() {
            return;
        }
        if changes.iter().any(|change| bears_on_all(before, after, change)) {
            return self.suspend_all(woken);
        }
        for account in changes.iter().filter_map(bears_on) {
            self.suspend_of(account, woken);
        }
    }

    /// Takes the standing of all sessions.
    pub fn suspend_all(&self, woken: &mut Woken) {
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().flatten().for_each(|seated| suspend(seated, woken));
        }
    }

    /// An administrator ended the session with this number.
    pub fn end(&self, number: u64, woken: &mut Woken) {
        let Some(account) = self.find(number).map(|live| live.account) else { return };
        self.each(account, |seated| {
            if seated.live.number == number && seated.live.end() {
                woken.0.extend(seated.waker.clone());
            }
        });
    }
}

/// The accounts that a session is found by: its own, and those of the applications that it came through.
fn places(live: &LiveSession) -> impl Iterator<Item = EntryId> + '_ {
    let through = live.applications.iter().copied().filter(|application| *application != live.account);
    std::iter::once(live.account).chain(through)
}

/// The sessions of a shard, each once.
fn own(shard: &Shard) -> impl Iterator<Item = &Seated> {
    shard.iter().flat_map(|(account, seated)| seated.iter().filter(|seated| seated.live.account == *account))
}

fn suspend(seated: &Seated, woken: &mut Woken) {
    if seated.live.suspend() {
        woken.0.extend(seated.waker.clone());
    }
}

/// The account whose sessions a change may end: what it says of itself, or a group that it is in.
fn bears_on(change: &Change) -> Option<EntryId> {
    match change {
        Change::PutEntry { id, .. } | Change::RemoveEntry { id, .. } => Some(*id),
        Change::PutMembership { membership: Membership::Entry(_, id), .. }
        | Change::RemoveMembership { membership: Membership::Entry(_, id), .. } => Some(*id),
        _ => None,
    }
}

/// Whether a change may bear on anybody: a policy, a group that is in another or no longer is, or the place of a group that gives rights.
fn bears_on_all(before: &Directory, after: &Directory, change: &Change) -> bool {
    use Change::{PutEntry, PutMembership, RemoveEntry, RemoveMembership};
    let id = match change {
        PutMembership { membership: Membership::Entry(_, id), .. }
        | RemoveMembership { membership: Membership::Entry(_, id), .. } => {
            return before.members_of(*id).chain(after.members_of(*id)).next().is_some();
        }
        PutEntry { id, .. } | RemoveEntry { id, .. } => id,
        _ => return false,
    };
    let (old, new) = (before.node(*id), after.node(*id));
    let folders = [old.and_then(|node| folder(before, node)), new.and_then(|node| folder(after, node))];
    let is_below = |name: &str| folders.iter().flatten().any(|folder| folder.eq_ignore_ascii_case(name));
    let kept_place = || old.zip(new).is_some_and(|(old, new)| old.name == new.name && old.parent == new.parent);
    let is_rule = |directory: &Directory| RuleKind::ALL.iter().any(|kind| directory.rule_entries(*kind).contains(*id));
    is_below(POLICIES) || is_rule(before) || is_rule(after) || (is_below(ROLES) && !kept_place())
}

/// The name of the entry directly below the suffix that this one is or lies below.
fn folder<'a>(directory: &'a Directory, node: &'a Node) -> Option<&'a str> {
    let mut above = directory.node(node.parent?)?;
    let mut name = node.name.as_str();
    while let Some(parent) = above.parent {
        name = &above.name;
        above = directory.node(parent)?;
    }
    Some(name)
}

impl Presence {
    /// Whether it is that of this session.
    pub fn is_of(&self, live: &Arc<LiveSession>) -> bool {
        Arc::ptr_eq(&self.live, live)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.registry.count.fetch_sub(1, Ordering::AcqRel);
        for account in places(&self.live) {
            let Some(mut shard) = self.registry.shard(account) else { continue };
            let Some(sessions) = shard.get_mut(&account) else { continue };
            sessions.retain(|seated| !Arc::ptr_eq(&seated.live, &self.live));
            if sessions.is_empty() {
                shard.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests;
