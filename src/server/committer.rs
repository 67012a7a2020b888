//! The one writer: decides every proposal on a private head, appends the group to the journal, and only then publishes and answers.
//!
//! ```text
//! proposals ─► decide on tentative head ─► append + one fdatasync ─► publish ─► checkpoint ─► replies
//!                                               │ fails
//!                                               └─► tentative head dropped, all answered 52, next segment before the next append
//! ```

mod emergency;
mod room;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;

use super::crossings::Crossings;
use super::health::Health;
use super::notary::Announcer;
use super::notes;
use super::registry::{Registry, Woken};
use crate::directory::{Change, ChangeError, Directory};
use crate::journal::{Chain, Frame, Record, RecordKind};
use crate::model::{EntryId, ResultCode, Timestamp};
use crate::operation::{self, Attached, Authority, Context, Decision, Identity, Proposal, ProposedOperation, dynamic};
use crate::operation::{clock, default_rules, expiry, grant, live, rebase, revoked, sessions, upgrade};
use crate::store::{Checkpoint, Journal, Opened, Position, Rotation, Snapshots, Space};
use crate::world::{Clock, ClockTurn, Entropy};
use emergency::Emergency;

/// Frames of expired entries before one group: more go with the next.
const EXPIRED_FRAMES: usize = 16;

/// Accounts that came to an end, in one of these frames.
const ENDS_IN_A_FRAME: usize = 500;

/// Most proposals that share one fdatasync.
pub const LARGEST_GROUP: usize = 512;
/// Octets of frames from which on a group takes no more: a few small requests can come to very many changes.
const GROUP_OCTETS: usize = 16 * 1024 * 1024;

/// The committer without its thread: import, init and tests call it directly, [`super::committer_thread`] drives it for the server.
pub struct Committer {
    head: Directory,
    published: Arc<ArcSwap<Directory>>,
    journal: Journal,
    chain: Chain,
    checkpoint: Checkpoint,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Policy time of the last durable record, in microseconds, for readers.
    durable_time: Arc<AtomicI64>,
    /// For snapshots; what is published with it has its digest.
    durable: Arc<ArcSwap<Durable>>,
    snapshots: Snapshots,
    rotation: Rotation,
    /// In which what nobody asked for is decided, but for its time.
    context: Option<Context>,
    notary: Option<Announcer>,
    space: Space,
    health: Arc<Health>,
    sessions: Arc<Registry>,
    crossings: Crossings,
    /// Connections of sessions that lost their standing: woken when those who asked for it have their answers.
    woken: Woken,
    /// Space ran short: binds and changes are refused until there is room again.
    full: bool,
    /// An append failed: the journal must open its next segment before anything else is tried.
    failed: bool,
    /// Values that were published before and are still to be let go: what only they hold is taken apart when nobody waits for it.
    retired: Vec<Arc<Directory>>,
    /// What happened to the clock and is still to be recorded.
    clock_turns: Vec<ClockTurn>,
    /// Where the journal goes on when it cannot be written in its place.
    emergency: Option<Emergency>,
    /// Sequences that the next group must record as void: they may stand in a file that failed, and nobody was told about them.
    voided: Option<(u64, u64)>,
}

/// What [`Committer::upgrade`] did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Upgraded {
    /// Entries that were put right.
    pub entries: usize,
    /// Bind rules that were written.
    pub rules: usize,
    /// Access rules that were written.
    pub access_rules: usize,
}

/// What is durable, for who takes snapshots.
#[derive(Clone, Copy, Default, Debug)]
pub struct Durable {
    /// Where the journal is.
    pub position: Position,
    /// Octets of frames this process appended.
    pub octets: u64,
}

/// A committer taken apart, for [`super::bulk`].
pub(super) struct Parts<'a> {
    pub(super) head: &'a mut Directory,
    pub(super) published: &'a ArcSwap<Directory>,
    pub(super) journal: &'a mut Journal,
    pub(super) chain: &'a mut Chain,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) space: &'a Space,
    pub(super) clock: &'a dyn Clock,
    pub(super) entropy: &'a dyn Entropy,
}

/// A group decided and not yet durable.
struct Tentative {
    head: Directory,
    chain: Chain,
    frames: Vec<Frame>,
    changes: Vec<Change>,
    decisions: Vec<Result<Decision, ResultCode>>,
    /// Accounts that came to an end.
    crossed: Vec<(Timestamp, EntryId)>,
    /// What the journal says of grants and reviews that turned.
    turned: Vec<Record>,
    /// Sessions that go on with another password.
    expecting: Vec<live::Expecting>,
    /// Of all frames.
    octets: usize,
}

impl Committer {
    /// Takes an open data folder over and publishes its state.
    pub fn new(opened: Opened, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Committer {
        let Opened { directory, journal, chain, checkpoint, snapshots, rotation, space, .. } = opened;
        let published = Arc::new(ArcSwap::from_pointee(directory.clone()));
        let durable_time = Arc::new(AtomicI64::new(chain.last_time.0));
        let durable = Durable { position: position(&chain, &directory), octets: 0 };
        let sessions = Arc::<Registry>::default();
        let health = Health::new(journal.durable(), Arc::clone(&clock), checkpoint.watch(), space.clone(), Arc::clone(&sessions));
        let health = Arc::new(health);
        health.set_durable(journal.durable(), journal.octets());
        let emergency = journal.emergency().map(|folder| Emergency::new(folder, &health));
        Committer {
            space,
            health,
            sessions,
            crossings: Crossings::of(&directory, chain.last_time),
            woken: Woken::default(),
            full: false,
            head: directory,
            published,
            journal,
            chain,
            checkpoint,
            clock,
            entropy,
            durable_time,
            durable: Arc::new(ArcSwap::from_pointee(durable)),
            snapshots,
            rotation,
            context: None,
            notary: None,
            failed: false,
            retired: Vec::new(),
            clock_turns: Vec::new(),
            emergency,
            voided: None,
        }
    }

    /// Where readers find the policy time of the last durable record, in microseconds.
    pub fn durable_time(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.durable_time)
    }

    /// Where to find how far the journal is.
    pub fn durable(&self) -> Arc<ArcSwap<Durable>> {
        Arc::clone(&self.durable)
    }

    /// How far the journal is.
    pub fn position(&self) -> Position {
        position(&self.chain, &self.head)
    }

    /// The snapshots of the data folder.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Seals the data folder under another key.
    pub fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// Who is told of what is durable, to sign for it.
    pub fn announce_to(&mut self, notary: Announcer) {
        self.notary = Some(notary);
    }

    /// The installation's name in the journal.
    pub fn node(&self) -> &str {
        &self.chain.node
    }

    /// Tells how far the journal is; `octets` more are in it.
    pub(super) fn tell_durable(&self, octets: usize) {
        let octets = self.durable.load().octets.saturating_add(octets as u64);
        self.durable.store(Arc::new(Durable { position: self.position(), octets }));
    }

    /// Where readers find the newest durable value.
    pub fn published(&self) -> Arc<ArcSwap<Directory>> {
        Arc::clone(&self.published)
    }

    /// How the store is, for any thread.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// The sessions that somebody is logged in on.
    pub fn sessions(&self) -> Arc<Registry> {
        Arc::clone(&self.sessions)
    }

    /// The newest durable value.
    pub fn head(&self) -> &Directory {
        &self.head
    }

    /// Decides proposals and makes them durable, in one group unless that would grow too large. One answer for each, in order: the
    /// decision, or the code to send instead: 52 when the journal cannot take it, 80 when deciding failed through a fault of ours.
    pub fn commit(&mut self, proposals: &mut [Proposal]) -> Vec<Result<Decision, ResultCode>> {
        let mut answers = self.commit_group(proposals);
        while let Some(rest) = proposals.get_mut(answers.len()..).filter(|rest| !rest.is_empty()) {
            answers.extend(self.commit_group(rest));
        }
        answers
    }

    /// Lets go of the values that were published before, and wakes sessions that are to be judged anew: best called when the answers are
    /// sent. Whether all were woken; otherwise it is to be called again soon.
    pub fn retire(&mut self) -> bool {
        self.retired.clear();
        self.woken.wake();
        self.woken.is_empty()
    }

    /// Removes dynamic entries whose time is over, and records accounts that came to an end, where there are any. While the journal cannot be written they are left: nobody sees them.
    fn expire(&mut self) {
        self.look_at_clock();
        let now = self.policy_time(&self.chain);
        if !self.clock_turns.is_empty()
            || self.emergency.as_ref().is_some_and(Emergency::has_turned)
            || !self.head.expired(now).is_empty()
            || self.head.has_turned(now)
            || self.crossings.is_due(now)
        {
            self.commit_group(&mut []);
        }
    }

    fn look_at_clock(&mut self) {
        let turns = self.clock.take_turns();
        turns.iter().copied().for_each(notes::log_clock_turn);
        self.clock_turns.extend(turns);
    }

    /// Answers the first ones, one at least.
    fn commit_group(&mut self, proposals: &mut [Proposal]) -> Vec<Result<Decision, ResultCode>> {
        self.retire();
        if !self.may_write() {
            return refuse_all(proposals.len());
        }
        if let Some(first) = proposals.first() {
            let (identity, attached) = (Identity::default(), Attached::default());
            self.context = Some(Context { identity, attached, authority: Authority::Session, ..first.context.clone() });
        }
        self.look_at_clock();
        let tentative = self.decide_group(proposals);
        if tentative.frames.is_empty() {
            return tentative.decisions;
        }
        let digest = tentative.head.digest();
        if let Err(error) = self.journal.append(&tentative.frames, digest) {
            self.failed_to_append(&error);
            return refuse_all(proposals.len());
        }
        self.voided = None;
        self.clock_turns.clear();
        self.emergency.iter_mut().for_each(Emergency::recorded);
        self.head = tentative.head;
        self.chain = tentative.chain;
        self.durable_time.store(self.chain.last_time.0, Ordering::Release);
        // Before others see it: a session that looks at it must know its own password.
        self.adopt_passwords(&tentative.expecting);
        let before = self.published.swap(Arc::new(self.head.clone()));
        self.crossings.passed(&self.head, &tentative.crossed);
        self.crossings.follow(&self.head, &tentative.changes, self.chain.last_time);
        for (_, id) in &tentative.crossed {
            self.sessions.suspend_of(*id, &mut self.woken);
        }
        self.sessions.suspend(&before, &self.head, &tentative.changes, &mut self.woken);
        for decision in tentative.decisions.iter().flatten() {
            self.tell_sessions(decision);
        }
        let decided = tentative.decisions.iter().flatten();
        let records = decided.flat_map(|decision| decision.preceding.iter().chain([&decision.record]));
        self.health.follow(tentative.turned.iter().chain(records), self.chain.last_time);
        self.retired.push(before);
        self.tell_durable(tentative.octets);
        self.checkpoint.submit(self.chain.next_sequence.saturating_sub(1), tentative.changes, digest, Checkpoint::SHORT_WAIT);
        self.written();
        if let Some(notary) = &self.notary {
            notary.tell(tentative.frames, self.journal.segment());
        }
        tentative.decisions
    }

    /// What an operation that is durable says to sessions, and what the log says of it.
    fn tell_sessions(&mut self, decision: &Decision) {
        if decision.record.result != ResultCode::Success {
            return;
        }
        for record in decision.preceding.iter().chain([&decision.record]) {
            if let Some(number) = sessions::ended_by(record) {
                self.sessions.end(number, &mut self.woken);
            }
            if let Some((number, reason)) = sessions::reason_given(record) {
                if let Some(live) = self.sessions.find(number) {
                    live.give_break_glass_reason(reason.to_owned());
                }
                notes::log_emergency(record);
            }
            if clock::is_confirmation(record) {
                tracing::warn!("a jump of the clock was confirmed: what ends by time ends");
                self.clock.confirm();
            }
            if record.kind == RecordKind::BreakGlass {
                notes::log_emergency(record);
            }
        }
    }

    fn adopt_passwords(&self, expecting: &[live::Expecting]) {
        for live::Expecting { live, all } in expecting {
            live.adopt_password();
            if *all {
                self.sessions.adopt_password(live.account);
            }
        }
    }

    /// Puts entries right that an older program kept in another way, and writes the bind rules and access rules that it had none of.
    pub fn upgrade(&mut self, context: &Context) -> Result<Upgraded, ResultCode> {
        let outdated = upgrade::outdated(&self.head);
        for entries in outdated.chunks(upgrade::ENTRIES_IN_A_FRAME) {
            let operation = ProposedOperation::Upgrade(entries.to_vec());
            self.commit(&mut [Proposal { context: context.clone(), operation }]).pop().unwrap_or(Err(ResultCode::Other))?;
        }
        let mut upgraded = Upgraded { entries: outdated.len(), ..Upgraded::default() };
        for request in default_rules::missing(&self.head) {
            let mut context = context.clone();
            self.entropy.fill(&mut context.fresh.uuid);
            let is_of_access = default_rules::is_access_rule(&request);
            let operation = ProposedOperation::Add(request);
            let decision = self.commit(&mut [Proposal { context, operation }]).pop().unwrap_or(Err(ResultCode::Other))?;
            let written = usize::from(decision.record.result == ResultCode::Success);
            if is_of_access {
                upgraded.access_rules += written;
            } else {
                upgraded.rules += written;
            }
        }
        Ok(upgraded)
    }

    /// Records something that happened outside any session (start, stop, import …).
    pub fn note(&mut self, context: Context, record: Record) -> Result<(), ResultCode> {
        let operation = ProposedOperation::Note(Box::new(record));
        self.commit(&mut [Proposal { context, operation }]).pop().unwrap_or(Err(ResultCode::Other)).map(drop)
    }

    /// Takes policy time back to the wall clock, where a record that a wrong clock made pins it in the future: from when to when. None: it is
    /// not ahead. For who holds the data folder while no server runs: entryCSN grows no more across it.
    pub fn rebase(&mut self, context: Context) -> Result<Option<(Timestamp, Timestamp)>, ResultCode> {
        let (pinned, wall) = (self.chain.last_time, self.clock.now());
        if pinned <= wall {
            return Ok(None);
        }
        self.chain.last_time = Timestamp(wall.0.saturating_sub(1));
        let details = vec![(clock::STAGE, "rebased".to_owned()), ("from", pinned.to_rfc3339()), ("to", wall.to_rfc3339())];
        let noted = self.note(context.clone(), notes::record(RecordKind::Clock, details));
        if noted.is_err() {
            self.chain.last_time = pinned;
        }
        noted?;
        for entries in rebase::ahead(&self.head, wall).chunks(rebase::ENTRIES_IN_A_FRAME) {
            let operation = ProposedOperation::Rebase(entries.to_vec());
            self.commit(&mut [Proposal { context: context.clone(), operation }]).pop().unwrap_or(Err(ResultCode::Other))?;
        }
        Ok(Some((pinned, wall)))
    }

    /// What a bulk load works on.
    pub(super) fn parts(&mut self) -> Parts<'_> {
        Parts {
            head: &mut self.head,
            published: &self.published,
            journal: &mut self.journal,
            chain: &mut self.chain,
            checkpoint: &self.checkpoint,
            space: &self.space,
            clock: &*self.clock,
            entropy: &*self.entropy,
        }
    }

    /// Brings the checkpoint up to date and closes the data folder.
    pub fn stop(self) {
        self.checkpoint.stop();
    }

    /// Decides proposals in order, each seeing the ones before it, until the group is large enough. A proposal whose decision breaks down by
    /// a fault of ours is left out, and the others are decided anew without it.
    fn decide_group(&self, proposals: &mut [Proposal]) -> Tentative {
        let mut broken = vec![false; proposals.len()];
        loop {
            let mut tentative = Tentative {
                head: self.head.clone(),
                chain: self.chain.clone(),
                frames: Vec::with_capacity(proposals.len()),
                changes: Vec::new(),
                decisions: Vec::with_capacity(proposals.len()),
                crossed: Vec::new(),
                turned: Vec::new(),
                expecting: Vec::new(),
                octets: 0,
            };
            if let Some((first, last)) = self.voided {
                let details = vec![("first", first.to_string()), ("last", last.to_string())];
                let now = self.policy_time(&tentative.chain);
                self.frame(&mut tentative, [&notes::record(RecordKind::Void, details)], Vec::new(), now);
            }
            let turned = self.emergency.iter().flat_map(Emergency::records);
            for record in turned.chain(self.clock_turns.iter().copied().map(notes::clock_turn)) {
                let now = self.policy_time(&tentative.chain);
                self.frame(&mut tentative, [&record], Vec::new(), now);
            }
            self.cross_ends(&mut tentative);
            self.remove_expired(&mut tentative);
            if let Some(context) = &self.context {
                self.cross_grants(context, &mut tentative);
            }
            match self.decide_all(proposals, &mut broken, &mut tentative) {
                Ok(()) => return tentative,
                Err(error) => {
                    tracing::error!(%error, "an operation broke down by a fault of the server and was answered with 80; please report it")
                }
            }
        }
    }

    fn decide_all(&self, proposals: &mut [Proposal], broken: &mut [bool], tentative: &mut Tentative) -> Result<(), ChangeError> {
        for (proposal, broken) in proposals.iter_mut().zip(broken) {
            if tentative.octets >= GROUP_OCTETS {
                break;
            }
            if *broken {
                tentative.decisions.push(Err(ResultCode::Other));
            } else {
                self.decide_one(proposal, tentative).inspect_err(|_| *broken = true)?;
            }
        }
        Ok(())
    }

    /// Records the accounts that came to an end, before anything that is decided later.
    fn cross_ends(&self, tentative: &mut Tentative) {
        let due = self.crossings.due(self.policy_time(&tentative.chain), EXPIRED_FRAMES * ENDS_IN_A_FRAME);
        for ends in due.chunks(ENDS_IN_A_FRAME) {
            let records = ends.iter().filter_map(|(end, id)| expiry::record_of_end(&tentative.head, *id, *end));
            let records: Vec<Record> = records.collect();
            if !records.is_empty() {
                let now = self.policy_time(&tentative.chain);
                self.frame(tentative, &records, Vec::new(), now);
            }
        }
        tentative.crossed = due;
    }

    /// What is decided afterwards sees nothing whose time is over.
    fn remove_expired(&self, tentative: &mut Tentative) {
        let Some(context) = &self.context else { return };
        for _ in 0..EXPIRED_FRAMES {
            let now = self.policy_time(&tentative.chain);
            let Some(decision) = dynamic::expire(&tentative.head, &Context { now, ..context.clone() }) else { return };
            let mut head = tentative.head.clone();
            if let Err(error) = decision.changes.iter().try_for_each(|change| head.apply(change)) {
                tracing::error!(%error, "expired entries could not be removed by a fault of the server; please report it");
                return;
            }
            tentative.head = head;
            self.frame_of(&decision, tentative, now);
        }
    }

    /// What is decided afterwards sees every grant in the state that it has by then.
    fn cross_grants(&self, context: &Context, tentative: &mut Tentative) {
        loop {
            let now = self.policy_time(&tentative.chain);
            if !tentative.head.has_turned(now) {
                return;
            }
            let crossed = grant::turn::cross(&tentative.head, &Context { now, ..context.clone() });
            let mut head = tentative.head.clone();
            let applied = crossed.iter().flat_map(|decision| &decision.changes).try_for_each(|change| head.apply(change));
            let (Some(decision), Ok(())) = (crossed, applied) else {
                tracing::error!("grants could not be taken to their next state by a fault of the server; please report it");
                return;
            };
            tentative.head = head;
            self.frame_of(&decision, tentative, now);
            tentative.turned.extend(decision.preceding.into_iter().chain([decision.record]));
        }
    }

    fn decide_one(&self, proposal: &mut Proposal, tentative: &mut Tentative) -> Result<(), ChangeError> {
        if tentative.head.has_turned(self.policy_time(&tentative.chain)) {
            let (identity, attached) = (Identity::default(), Attached::default());
            let context = Context { identity, attached, authority: Authority::Session, ..proposal.context.clone() };
            self.cross_grants(&context, tentative);
        }
        proposal.context.now = self.policy_time(&tentative.chain);
        tentative.head.set_moment(proposal.context.now);
        let decided = catch_unwind(AssertUnwindSafe(|| match revoked::take_rights(&tentative.head, proposal) {
            Some(revoked) => revoked.mark(operation::decide(&tentative.head, proposal, 0)),
            None => operation::decide(&tentative.head, proposal, 0),
        }));
        let decision = decided.map_err(|_| ChangeError("deciding panicked".to_owned()))?;
        let expecting = live::expecting(proposal, &decision, &tentative.head);
        decision.changes.iter().try_for_each(|change| tentative.head.apply(change))?;
        if let Some((expecting, before)) = expecting {
            expecting.live.expect_password(before, &tentative.head);
            if expecting.all {
                self.sessions.expect_password(expecting.live.account, before, &tentative.head);
            }
            tentative.expecting.push(expecting);
        }
        self.frame_of(&decision, tentative, proposal.context.now);
        tentative.decisions.push(Ok(decision));
        Ok(())
    }

    /// Makes what was decided the next frame of the group.
    fn frame_of(&self, decision: &Decision, tentative: &mut Tentative, now: Timestamp) {
        let mut encoded = Vec::new();
        decision.changes.iter().for_each(|change| change.encode(&mut encoded));
        let records = decision.preceding.iter().chain([&decision.record]);
        self.frame(tentative, records, encoded, now);
        tentative.changes.extend_from_slice(&decision.changes);
    }

    /// Makes a record, or those of a transaction, and the changes the next frame of the group.
    fn frame<'a>(
        &self,
        tentative: &mut Tentative,
        records: impl IntoIterator<Item = &'a Record>,
        changes: Vec<u8>,
        now: Timestamp,
    ) {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let frame = tentative.chain.frame_of(records, changes, salt, now, self.clock.monotonic());
        tentative.octets = tentative.octets.saturating_add(frame.line.len()).saturating_add(frame.changes.len());
        tentative.frames.push(frame);
    }

    /// Policy time: what the next decision will be judged at, or later.
    pub fn now(&self) -> Timestamp {
        self.policy_time(&self.chain)
    }

    /// Strictly growing, so that every record and every entryCSN has a moment of its own, and turning the clock back revives nobody.
    fn policy_time(&self, chain: &Chain) -> Timestamp {
        self.clock.now().max(Timestamp(chain.last_time.0.saturating_add(1)))
    }
}

fn position(chain: &Chain, directory: &Directory) -> Position {
    let sequence = chain.next_sequence.saturating_sub(1);
    Position { sequence, leaf: chain.last_leaf, time: chain.last_time, digest: directory.digest() }
}

fn refuse_all(count: usize) -> Vec<Result<Decision, ResultCode>> {
    std::iter::repeat_with(|| Err(ResultCode::Unavailable)).take(count).collect()
}
