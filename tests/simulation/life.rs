//! One process from its start to its end: the real committer, journal, checkpoint and sessions, and the model beside them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use bindery::journal::{Record, RecordKind};
use bindery::model::{ResultCode, Scope, Timestamp};
use bindery::operation::search::{Pull, SearchStream};
use bindery::operation::{
    Attached, Authority, Context, Fresh, Identity, ListenerKind, Peer, Proposal, ProposedOperation, Settings, add::AddRequest,
    prepare,
};
use bindery::policy::account::intruder;
use bindery::policy::password::{Argon2Parameters, HashAnswer, HashJob, Hasher};
use bindery::protocol::{Message, MessageId};
use bindery::server::committer::Committer;
use bindery::session::{Action, Ticket};
use bindery::store::Opened;
use bindery::store::disk::SimulatedDisk;
use bindery::world::{Clock as _, Entropy};
use bytes::Bytes;

use crate::ask::{self, Operation};
use crate::client::{self, Client, Due};
use crate::due::{due, found, looked_at};
use crate::model::{Asked, Found, Model, SUFFIX, Who, normalized};
use crate::random::Random;
use crate::script;
use crate::tally::Tally;
use crate::world::SimulatedClock;

pub(crate) type Checked = Result<(), String>;

/// Passwords cost next to nothing here: what is simulated is not their strength.
pub(crate) const ARGON2: Argon2Parameters = Argon2Parameters { memory: 8, passes: 1, lanes: 1 };

/// Work that sessions asked for.
enum Work {
    Hash(usize, u64, Ticket, Vec<HashJob>, Option<Box<Asked>>),
    Commit(usize, u64, Box<Proposal>, Box<Asked>),
}

/// A durable group: where it stands, and its records.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) segment: PathBuf,
    pub(crate) octets: std::ops::Range<u64>,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// A group that was tried.
pub(crate) struct Candidate {
    pub(crate) after: Model,
    /// The clients were told that nothing came of it. Then it may come back only where power was cut before that got to the disk.
    pub(crate) refused: bool,
}

/// What lasts longer than a process.
pub(crate) struct Memory {
    /// What clients were told.
    pub(crate) model: Model,
    /// What was tried since the last durable group, and failed: any one of them may be found after a crash.
    pub(crate) candidates: Vec<Candidate>,
    /// Power was cut since the last start.
    pub(crate) power_was_cut: bool,
    /// Where the journal is.
    pub(crate) journal: PathBuf,
    /// The mark beside the journal proves at least this sequence to have been durable. 0: a power cut may have taken it back.
    pub(crate) marked: u64,
    /// The model after each group, by its last sequence: what a restore can go back to.
    pub(crate) history_of_content: Vec<(u64, Model)>,
    /// Something was done to sled's folder since the last start.
    pub(crate) checkpoint_harmed: bool,
    /// The durable groups.
    pub(crate) groups: Vec<Group>,
    /// The snapshots that were taken, newest last, and whether they are whole.
    pub(crate) snapshots: Vec<(u64, bool)>,
    pub(crate) clients: u64,
    /// A fault of the disk is on.
    pub(crate) faulty: bool,
    pub(crate) tally: Tally,
    /// Everything that happened, in short: the same seed must give the same.
    pub(crate) history: blake3::Hasher,
}

pub(crate) struct Life {
    committer: Committer,
    clients: Vec<Client>,
    work: VecDeque<Work>,
    hasher: Hasher,
    disk: SimulatedDisk,
    clock: Arc<SimulatedClock>,
    entropy: Arc<dyn Entropy>,
    settings: Arc<Settings>,
    /// A commit failed in this life, and none succeeded since.
    failing: bool,
}

impl Life {
    pub(crate) fn new(
        opened: Opened,
        (disk, clock, entropy): (SimulatedDisk, Arc<SimulatedClock>, Arc<dyn Entropy>),
        memory: &mut Memory,
    ) -> Life {
        let committer = Committer::new(opened, Arc::clone(&clock) as _, Arc::clone(&entropy));
        let settings = Arc::new(client::settings());
        let clients = (0..3).map(|_| connect(memory, &settings)).collect();
        let hasher = Hasher::new(ARGON2);
        Life { committer, clients, work: VecDeque::new(), hasher, disk, clock, entropy, settings, failing: false }
    }

    /// The value readers see.
    pub(crate) fn directory(&self) -> Arc<bindery::directory::Directory> {
        self.committer.published().load_full()
    }

    fn fresh(&self) -> Fresh {
        let mut fresh = Fresh::default();
        self.entropy.fill(&mut fresh.uuid);
        self.entropy.fill(&mut fresh.salt);
        fresh
    }

    /// What whoever holds the data folder asks for.
    fn installation(&self) -> Context {
        let peer = Peer { text: "local".to_owned(), address: None, listener: ListenerKind::Ldapi, ldapi_identity: None };
        Context {
            now: Timestamp::default(),
            session: 0,
            message: MessageId(0),
            peer: Arc::new(peer),
            tls: None,
            identity: Identity::default(),
            authority: Authority::Installation,
            settings: Arc::clone(&self.settings),
            fresh: self.fresh(),
            attached: Attached::default(),
        }
    }

    /// Records the start; the first one makes the first entries too.
    pub(crate) fn start(&mut self, memory: &mut Memory) -> Checked {
        let asked = |operation: Operation| Asked {
            session: 0,
            message: 0,
            who: Who::Installation,
            operation,
            found: Found::Hashed(true),
            own: None,
            in_transaction: false,
            restricted: false,
            uuid: String::new(),
            steps: Vec::new(),
        };
        let mut proposals = vec![Proposal {
            context: self.installation(),
            operation: ProposedOperation::Note(Box::new(Record::new(RecordKind::Start))),
        }];
        let mut wanted = vec![asked(Operation::Start)];
        if memory.model.entries.is_empty() {
            for operation in script::installation() {
                let Operation::Add { name, attributes, password, flaw } = &operation else { continue };
                let context = self.installation();
                let name = Bytes::copy_from_slice(name.as_bytes());
                let request = AddRequest::new(name, ask::add_attributes(attributes, password.as_deref(), *flaw), Vec::new());
                let mut proposed = ProposedOperation::Add(request);
                let answers = self.hash(&prepare::jobs(&self.directory(), &context, &mut proposed));
                let proposed = prepare::with_answers(proposed, answers);
                wanted.push(Asked { uuid: uuid_of(&context.fresh), ..asked(operation) });
                proposals.push(Proposal { context, operation: proposed });
            }
        }
        self.commit(memory, &mut proposals, &wanted).map(drop)
    }

    /// Something happens: a client asks, a password is hashed, a group is committed, time passes.
    pub(crate) fn step(&mut self, random: &mut Random, memory: &mut Memory) -> Checked {
        self.clock.pass(random.below(3_000_000));
        if random.percent(2) {
            self.clock.set_by(random.below(7_200_000_000) as i64 - 3_600_000_000);
        }
        let waiting = self.work.len() as u64;
        match random.below(100) {
            0..=54 if waiting < 12 => self.ask(random, memory),
            55..=56 => {
                let slot = random.below(self.clients.len() as u64) as usize;
                self.clients[slot] = connect(memory, &self.settings);
                Ok(())
            }
            57..=58 => self.snapshot(memory),
            59..=75 => self.hash_one(random, memory),
            _ => {
                let most = 1 + random.below(6) as usize;
                self.commit_some(most, memory)
            }
        }
    }

    /// Does all that waits; then every client must have been told everything.
    pub(crate) fn settle(&mut self, random: &mut Random, memory: &mut Memory) -> Checked {
        while !self.work.is_empty() {
            self.hash_one(random, memory)?;
            self.commit_some(8, memory)?;
            if self.disk.is_off() {
                return Ok(());
            }
        }
        match self.clients.iter().find(|client| !client.waiting.is_empty()) {
            Some(client) => Err(format!("session {} was never told of {:?}", client.number, client.waiting)),
            None => Ok(()),
        }
    }

    /// Ends in order.
    pub(crate) fn stop(self) {
        self.committer.stop();
    }

    fn ask(&mut self, random: &mut Random, memory: &mut Memory) -> Checked {
        let slot = random.below(self.clients.len() as u64) as usize;
        let client = &self.clients[slot];
        if !client.session.may_receive() {
            return Ok(());
        }
        let (who, open) = (client.who, client.transaction.is_some());
        let in_transaction = open && random.percent(60);
        let operation = match () {
            () if in_transaction => script::change(random, &memory.model),
            () if open && random.percent(60) => Operation::EndTransaction { commit: random.percent(85) },
            () => match script::operation(random, &memory.model, who) {
                // One whose end waits for a password to be hashed is still there.
                Operation::StartTransaction if open || client.is_ending() => return Ok(()),
                operation => operation,
            },
        };
        self.send(slot, operation, in_transaction, memory)
    }

    fn send(&mut self, slot: usize, operation: Operation, in_transaction: bool, memory: &mut Memory) -> Checked {
        let fresh = self.fresh();
        let client = &mut self.clients[slot];
        let message = client.next_message;
        client.next_message += 1;
        let identifier = client.transaction.as_ref().map(|transaction| transaction.identifier.clone());
        let request = operation.request(identifier.as_deref().unwrap_or_default());
        let controls = operation.controls(identifier.as_deref().filter(|_| in_transaction));
        note(memory, &format!("{} {message} {operation:?}", client.number));
        let mut asked = Asked {
            session: client.number,
            message,
            who: client.who,
            in_transaction,
            restricted: client.restricted,
            found: found(&memory.model, &operation, client.who, in_transaction),
            own: memory.model.own_password(client.who),
            uuid: uuid_of(&fresh),
            operation,
            steps: Vec::new(),
        };
        let due = due(&memory.model, client, &mut asked, in_transaction);
        client.waiting.insert(message, due);
        if matches!(asked.operation, Operation::Bind { .. } | Operation::Malformed(bindery::protocol::ResponseKind::Bind)) {
            client.who = Who::Anonymous;
            client.restricted = false;
            client.binding = Some(message);
            client.transaction = None;
        }
        client.asked.insert(message, asked);
        let directory = self.committer.published().load_full();
        let now = self.clock.now();
        let message = Message { id: MessageId(message), request, controls };
        let action = self.clients[slot].session.receive(&directory, message, now, fresh);
        self.perform(slot, action, memory)
    }

    fn perform(&mut self, slot: usize, action: Action, memory: &mut Memory) -> Checked {
        let number = self.clients[slot].number;
        match action {
            Action::Nothing => Ok(()),
            Action::Reply(id, replies) => replies.iter().try_for_each(|reply| self.clients[slot].told(id.0, reply)),
            Action::Several(actions) => actions.into_iter().try_for_each(|action| self.perform(slot, action, memory)),
            Action::Recall(ticket, _, job) => self.perform(slot, Action::Hash(ticket, vec![*job]), memory),
            Action::Remember(..) | Action::Expose(_) => Ok(()),
            Action::Hash(ticket, jobs) => {
                let asked = self.begin(slot, ticket.message(), memory);
                self.work.push_back(Work::Hash(slot, number, ticket, jobs, asked));
                Ok(())
            }
            Action::Commit(id, proposal) => {
                let mut asked = self.begin(slot, id, memory).ok_or("something was committed that nobody asked for")?;
                if asked.in_transaction {
                    asked.found = Found::LateForTransaction;
                }
                self.work.push_back(Work::Commit(slot, number, proposal, asked));
                Ok(())
            }
            Action::Search(id, stream) => self.pull(slot, id, *stream, memory),
            Action::Abandon(_) => Ok(()),
            Action::Close(..) => Err(format!("session {number} was closed")),
            _ => Err(format!("session {number} wants what nobody asked for")),
        }
    }

    /// What was asked with this message. A bind is looked at only when everything before it is answered.
    fn begin(&mut self, slot: usize, id: MessageId, memory: &Memory) -> Option<Box<Asked>> {
        let client = &mut self.clients[slot];
        let asked = client.asked.get_mut(&id.0)?;
        if client.binding == Some(id.0) && asked.found == Found::Nothing {
            asked.found = looked_at(&memory.model, &asked.operation);
        }
        Some(Box::new(asked.clone()))
    }

    fn hash(&mut self, jobs: &[HashJob]) -> Vec<HashAnswer> {
        let salt = self.fresh().salt;
        jobs.iter().map(|job| self.hasher.perform(job, salt)).collect()
    }

    fn hash_one(&mut self, random: &mut Random, memory: &mut Memory) -> Checked {
        let places: Vec<usize> =
            (0..self.work.len()).filter(|place| matches!(self.work.get(*place), Some(Work::Hash(..)))).collect();
        if places.is_empty() {
            return Ok(());
        }
        let Some(Work::Hash(slot, number, ticket, jobs, asked)) = self.work.remove(random.pick(&places)) else { return Ok(()) };
        let answers = self.hash(&jobs);
        if self.clients[slot].number != number {
            // The connection is gone, and with it what it had not handed over yet.
            return Ok(());
        }
        drop(asked);
        let directory = self.directory();
        let action = self.clients[slot].session.hashed(&directory, ticket, answers);
        self.perform(slot, action, memory)
    }

    /// Takes a snapshot of what is published.
    fn snapshot(&mut self, memory: &mut Memory) -> Checked {
        let position = self.committer.position();
        let taken = self.committer.snapshots().take(&self.directory(), &position, &|| true);
        note(memory, &format!("snapshot {} {}", position.sequence, taken.is_ok()));
        // One that failed late may be there.
        memory.snapshots.retain(|(sequence, _)| *sequence != position.sequence);
        memory.snapshots.push((position.sequence, taken.is_ok()));
        match taken {
            Ok(_) => memory.tally.count("snapshots"),
            Err(_) if memory.faulty || self.disk.is_off() => memory.tally.count("snapshots that a fault broke off"),
            Err(error) => return Err(format!("no snapshot on a disk that is sound: {error}")),
        }
        Ok(())
    }

    fn commit_some(&mut self, most: usize, memory: &mut Memory) -> Checked {
        let mut proposals = Vec::new();
        let (mut wanted, mut from) = (Vec::new(), Vec::new());
        let mut place = 0;
        while proposals.len() < most && place < self.work.len() {
            if !matches!(self.work[place], Work::Commit(..)) {
                place += 1;
            } else if is_bind(&self.work[place]) && wanted.iter().any(is_login) {
                // One login a group: what failed ones cost the next is looked at elsewhere.
                break;
            } else if let Some(Work::Commit(slot, number, proposal, asked)) = self.work.remove(place) {
                proposals.push(*proposal);
                wanted.push(*asked);
                from.push((slot, number));
            }
        }
        if proposals.is_empty() {
            return Ok(());
        }
        let answers = self.commit(memory, &mut proposals, &wanted)?;
        if self.disk.is_off() {
            return Ok(());
        }
        let directory = self.directory();
        for ((answer, asked), (slot, number)) in answers.into_iter().zip(&wanted).zip(from) {
            if self.clients[slot].number != number {
                continue;
            }
            let code = answer.as_ref().map_or_else(|code| *code, |(_, code)| *code);
            let decision = answer.map(|(decision, _)| decision);
            let client = &mut self.clients[slot];
            client.waiting.insert(asked.message, Due::Code(code.number()));
            if client.binding == Some(asked.message) {
                client.binding = None;
                if let (ResultCode::Success, Found::Account(_, Some(account), _)) = (code, &asked.found) {
                    client.who = Who::Entry(*account);
                    client.restricted = memory.model.restricted.contains(&(client.number, asked.message));
                }
            }
            let action = client.session.committed(&directory, MessageId(asked.message), decision);
            self.perform(slot, action, memory)?;
        }
        Ok(())
    }

    /// Commits one group, and has the model do the same. The decisions with the codes that the model says.
    #[allow(clippy::type_complexity, reason = "a list of decisions and codes")]
    fn commit(
        &mut self,
        memory: &mut Memory,
        proposals: &mut [Proposal],
        wanted: &[Asked],
    ) -> Result<Vec<Result<(bindery::operation::Decision, ResultCode), ResultCode>>, String> {
        let wall = self.clock.now().0;
        let mut after = memory.model.clone();
        if self.failing {
            after.note("void", wall);
        }
        let codes: Vec<ResultCode> = wanted.iter().map(|asked| after.decide(asked, wall)).collect();
        let answers = self.committer.commit(proposals);
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        note(memory, &format!("commit {refused}/{} {codes:?}", answers.len()));
        if refused == 0 {
            let (first, last) = (memory.model.records.len() as u64 + 1, after.records.len() as u64);
            let (segment, octets) = self.disk.last_write(&memory.journal).ok_or("committed without a write")?;
            memory.groups.push(Group { segment, octets, first, last });
            // A process that was killed, or a disk that failed, after the sync wrote no mark.
            if !memory.faulty && !self.disk.is_off() {
                memory.marked = last;
            }
            memory.model = after;
            memory.history_of_content.push((last, memory.model.clone()));
            memory.candidates.clear();
            memory.tally.acknowledged += wanted.len() as u64;
            self.failing = false;
            if wanted.iter().zip(&codes).any(|(asked, code)| is_login(asked) && *code == ResultCode::InvalidCredentials) {
                self.wait_after_failure(memory);
            }
            return Ok(answers.into_iter().zip(codes).map(|(answer, code)| answer.map(|decision| (decision, code))).collect());
        }
        memory.candidates.push(Candidate { after, refused: !self.disk.is_off() });
        self.failing = true;
        if refused < answers.len() || answers.iter().any(|answer| !matches!(answer, Err(ResultCode::Unavailable))) {
            return Err(format!("{refused} of {} operations of one group were refused", answers.len()));
        }
        if !self.disk.is_off() {
            memory.tally.refused += wanted.len() as u64;
            if !memory.faulty {
                return Err("refused on a disk that is sound".to_owned());
            }
        }
        Ok(answers.into_iter().map(|_| Err(ResultCode::Unavailable)).collect())
    }

    /// The model knows nothing of guesses, which slow down the next login: so much time passes that they are forgotten.
    fn wait_after_failure(&self, memory: &Memory) {
        let last = memory.model.records.last().map_or(0, |record| record.time);
        let behind = last.saturating_sub(self.clock.now().0).max(0);
        self.clock.pass(behind as u64 + intruder::LONG_WAIT as u64 + 1_000_000);
    }

    fn pull(&mut self, slot: usize, id: MessageId, mut stream: SearchStream, memory: &Memory) -> Checked {
        let mut replies = Vec::new();
        let end = loop {
            let mut budget = 7;
            match stream.pull(&mut budget, self.clock.now()) {
                Pull::Reply(reply) => replies.push(reply),
                Pull::Pause => {}
                Pull::Fetch(_) => return Err("a search read the journal".to_owned()),
                Pull::Wait => return Err("a search went on".to_owned()),
                Pull::Record(_) => return Err("a search was recorded".to_owned()),
                Pull::Done(reply) => break reply,
            }
        };
        let client = &mut self.clients[slot];
        client.session.search_ended(id);
        let asked = client.asked.remove(&id.0).ok_or("a search that nobody asked for")?;
        if let (Operation::Search { base, scope }, Due::Code(0)) = (&asked.operation, client.waiting[&id.0]) {
            client::check_search(&memory.model, asked.who, &in_scope(&memory.model, base, *scope), &replies)?;
        }
        client.told(id.0, &end)
    }
}

fn connect(memory: &mut Memory, settings: &Arc<Settings>) -> Client {
    memory.clients += 1;
    Client::new(memory.clients, Arc::clone(settings))
}

pub(crate) fn note(memory: &mut Memory, happened: &str) {
    if std::env::var_os("BINDERY_SIMULATION_TRACE").is_some() {
        eprintln!("{happened}");
    }
    memory.history.update(happened.as_bytes());
}

fn in_scope(model: &Model, base: &str, scope: Scope) -> Vec<String> {
    let base = normalized(base);
    let depth = |name: &str| name.split(',').count();
    let is_in = |name: &&String| {
        (**name == base || name.ends_with(&format!(",{base}")))
            && match scope {
                Scope::Base => **name == base,
                Scope::One => depth(name) == depth(&base) + 1,
                _ => true,
            }
    };
    model.entries.keys().filter(is_in).cloned().collect()
}

/// A version 4 UUID (RFC 9562) of these octets.
fn uuid_of(fresh: &Fresh) -> String {
    uuid::Builder::from_random_bytes(fresh.uuid).into_uuid().to_string()
}

fn is_bind(work: &Work) -> bool {
    matches!(work, Work::Commit(_, _, _, asked) if is_login(asked))
}

fn is_login(asked: &Asked) -> bool {
    matches!(asked.operation, Operation::Bind { .. })
}

/// Whether the suffix is spelled as everywhere.
pub(crate) fn suffix() -> bindery::model::Dn {
    bindery::model::Dn::parse(SUFFIX.as_bytes()).unwrap()
}
