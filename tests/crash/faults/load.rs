//! Connections that write without pause, and what each of them knows: of every entry what was acknowledged last and what was under way when
//! the answer did not come, and of every operation the record that the journal must have of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ldap3_proto::proto::{
    LdapAddRequest, LdapModify, LdapModifyRequest, LdapModifyType, LdapOp, LdapPartialAttribute, LdapResultCode,
};

use crate::common::client::Client;
use crate::common::random::Random;
use crate::common::{ADMIN, PASSWORD, SUFFIX};
use crate::site::Running;

/// Connections, each with entries of its own.
pub(crate) const WRITERS: usize = 8;
/// Names of entries that come and go, for each connection.
const NAMES: u64 = 16;
/// Both entries of a pair are written in one transaction.
pub(crate) const PAIR: [&str; 2] = ["left", "right"];

/// How long a load may take to get going on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Closed when what comes afterwards does not count any more.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(crate) fn close(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A person as its writer knows it, or both entries of a pair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Person {
    pub(crate) version: u64,
    pub(crate) password: u64,
    pub(crate) member: bool,
}

/// What one writer knows of one entry of its own.
#[derive(Clone, Default, Debug)]
pub(crate) struct Known {
    pub(crate) acknowledged: Option<Person>,
    pub(crate) under_way: Option<Option<Person>>,
    /// Written since it was looked at.
    pub(crate) is_touched: bool,
}

/// By name.
pub(crate) type Book = BTreeMap<String, Known>;

/// What the journal must have of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    /// One record with this result code: it was acknowledged.
    Code(u64),
    /// One or none: the answer did not come.
    Perhaps,
    /// None: it was answered with 52.
    Nothing,
}

/// Where a request went: the server's process, what it calls the connection, and the messageID on it. Ports are used again by later lives.
pub(crate) type Place = (u32, String, i64);

#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) place: Place,
    pub(crate) kind: &'static str,
    pub(crate) expected: Expected,
}

/// Counted while it runs.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: Arc<AtomicUsize>,
    /// Answered with 52.
    pub(crate) refused: Arc<AtomicUsize>,
}

/// What a writer was told of what it wrote, or what went wrong.
type Written = Result<(Book, Vec<Note>), String>;

/// A load that runs.
pub(crate) struct Load {
    pub(crate) gate: Gate,
    pub(crate) counts: Counts,
    writers: Vec<JoinHandle<Written>>,
}

impl Load {
    /// `padding`: octets that some of the modifications carry beside what they say.
    pub(crate) fn start(server: &Running, books: &mut Vec<Book>, random: &mut Random, padding: usize) -> Load {
        let (gate, counts) = (Gate::default(), Counts::default());
        let writers = books.drain(..).enumerate().map(|(number, book)| {
            let (process, address) = (server.process(), server.address.clone());
            let (gate, counts) = (gate.clone(), counts.clone());
            let random = Random::new(random.next());
            std::thread::spawn(move || {
                let mut writer = match Writer::connect(number, process, &address, book, random, gate, counts) {
                    Ok(writer) => writer,
                    Err((book, notes)) => return Ok((book, notes)),
                };
                while writer.step(padding)? {}
                Ok((writer.book, writer.notes))
            })
        });
        let writers = writers.collect();
        Load { gate, counts, writers }
    }

    /// Waits until so many more operations were acknowledged, or until nothing more will come of waiting.
    pub(crate) fn wait_for(&self, operations: u64) {
        let began = Instant::now();
        while (self.counts.acknowledged.load(Ordering::Relaxed) as u64) < operations && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the writers, which end by the gate or because the server is gone. Returns their books and notes.
    pub(crate) fn finish(self) -> Result<(Vec<Book>, Vec<Note>), String> {
        self.gate.close();
        let (mut books, mut all_notes) = (Vec::new(), Vec::new());
        for writer in self.writers {
            let (book, notes) = writer.join().map_err(|_| "a writer panicked".to_owned())??;
            books.push(book);
            all_notes.extend(notes);
        }
        Ok((books, all_notes))
    }
}

struct Writer {
    number: usize,
    /// The server's.
    process: u32,
    address: String,
    client: Client,
    /// A connection that does nothing but log in.
    visitor: Client,
    book: Book,
    notes: Vec<Note>,
    random: Random,
    gate: Gate,
    counts: Counts,
}

impl Writer {
    fn connect(
        number: usize,
        process: u32,
        address: &str,
        book: Book,
        random: Random,
        gate: Gate,
        counts: Counts,
    ) -> Result<Writer, (Book, Vec<Note>)> {
        let (Ok(client), Ok(visitor)) = (Client::connect(address), Client::connect(address)) else {
            return Err((book, Vec::new()));
        };
        let address = address.to_owned();
        let mut writer = Writer { number, process, address, client, visitor, book, notes: Vec::new(), random, gate, counts };
        loop {
            let outcome = writer.client.bind(ADMIN, PASSWORD);
            match writer.note_bind(false, outcome) {
                Outcome::Done(0) => return Ok(writer),
                Outcome::Refused => {}
                Outcome::Done(_) | Outcome::Ended => return Err((writer.book, writer.notes)),
            }
        }
    }

    /// One operation; false when there are no more.
    fn step(&mut self, padding: usize) -> Result<bool, String> {
        if padding > 0 && self.random.one_in(4) {
            return self.modify_bulk(padding);
        }
        match self.random.below(10) {
            0 => self.write_pair(),
            1 => Ok(self.log_in()),
            _ => self.write_person(),
        }
    }

    fn write_person(&mut self) -> Result<bool, String> {
        let name = format!("w{}-{}", self.number, self.random.below(NAMES));
        let dn = dn(&name);
        let known = self.book.entry(name.clone()).or_default().acknowledged.clone();
        let version = self.random.next() >> 16;
        let text = version.to_string();
        let Some(person) = known else {
            let password = password(version);
            let attributes: &[(&str, &[&str])] = &[
                ("objectClass", &["person"]),
                ("cn", &[&name]),
                ("sn", &[&text]),
                ("description", &[&text]),
                ("userPassword", &[&password]),
            ];
            let intended = Some(Person { version, password: version, member: false });
            return self.attempt(&name, intended, "add", |client| client.add(&dn, attributes));
        };
        let replace = LdapModifyType::Replace;
        match self.random.below(8) {
            0 => self.attempt(&name, None, "delete", |client| client.delete(&dn)),
            1 | 2 => {
                let group = format!("cn=group{},{SUFFIX}", self.number);
                let change = if person.member { LdapModifyType::Delete } else { LdapModifyType::Add };
                let intended = Some(Person { member: !person.member, ..person });
                self.attempt(&name, intended, "modify", |client| client.modify(&group, &[(change, "member", &[&dn])]))
            }
            3 => {
                let password = password(version);
                let intended = Some(Person { password: version, ..person });
                self.attempt(&name, intended, "modify", |client| client.modify(&dn, &[(replace, "userPassword", &[&password])]))
            }
            _ => {
                let intended = Some(Person { version, ..person });
                let changes: &[(LdapModifyType, &str, &[&str])] =
                    &[(replace.clone(), "sn", &[&text]), (replace, "description", &[&text])];
                self.attempt(&name, intended, "modify", |client| client.modify(&dn, changes))
            }
        }
    }

    /// A change of many octets to an entry that is there for that.
    fn modify_bulk(&mut self, padding: usize) -> Result<bool, String> {
        let name = format!("bulk{}", self.number);
        let dn = dn(&name);
        let version = self.random.next() >> 16;
        let text = version.to_string();
        let padded = format!("{text} {}", "x".repeat(padding));
        if self.book.entry(name.clone()).or_default().acknowledged.is_none() {
            let attributes: &[(&str, &[&str])] =
                &[("objectClass", &["person"]), ("cn", &[&name]), ("sn", &[&text]), ("description", &[&padded])];
            let intended = Some(Person { version, password: 0, member: false });
            return self.attempt(&name, intended, "add", |client| client.add(&dn, attributes));
        }
        let intended = Some(Person { version, password: 0, member: false });
        let replace = LdapModifyType::Replace;
        let changes: &[(LdapModifyType, &str, &[&str])] =
            &[(replace.clone(), "sn", &[&text]), (replace, "description", &[&padded])];
        self.attempt(&name, intended, "modify", |client| client.modify(&dn, changes))
    }

    /// Does an operation on an entry, and notes what came of it. False: it was the last one.
    fn attempt(
        &mut self,
        name: &str,
        intended: Option<Person>,
        kind: &'static str,
        operation: impl FnOnce(&mut Client) -> io::Result<LdapResultCode>,
    ) -> Result<bool, String> {
        self.intend(name, &intended);
        let result = operation(&mut self.client);
        let outcome = self.judge(result);
        let expected = outcome.expected();
        let place = (self.process, self.client.local(), self.client.last_id().into());
        self.notes.push(Note { place, kind, expected });
        self.conclude(name, intended, outcome)
    }

    /// Adds both entries of a pair, or changes both, so that they are never of different versions.
    fn write_pair(&mut self) -> Result<bool, String> {
        let name = format!("pair{}", self.number);
        let version = self.random.next() >> 16;
        let intended = Some(Person { version, password: 0, member: false });
        let is_new = self.book.entry(name.clone()).or_default().acknowledged.is_none();
        self.intend(&name, &intended);
        let result = self.client.transaction(pair(self.number, is_new, version));
        let outcome = self.judge(result);
        // Start, the steps, end: each step has a record under its own messageID. Where the answer is missing, so may be requests.
        let (last, kind) = (i64::from(self.client.last_id()), if is_new { "add" } else { "modify" });
        let places = if matches!(outcome, Outcome::Ended) { last - 3..last + 1 } else { last - 2..last };
        for message in places {
            let place = (self.process, self.client.local(), message);
            self.notes.push(Note { place, kind, expected: outcome.expected() });
        }
        self.conclude(&name, intended, outcome)
    }

    /// Logs in as somebody, or as nobody that is known; false: it was the last time.
    fn log_in(&mut self) -> bool {
        let people: Vec<(&String, u64)> =
            self.book.iter().filter_map(|(name, known)| Some((name, known.acknowledged.as_ref()?.password))).collect();
        let people: Vec<_> = people.into_iter().filter(|(_, password)| *password != 0).collect();
        let (name, password) = if people.is_empty() || self.random.one_in(8) {
            (dn("nobody"), "a password that fits nobody".to_owned())
        } else {
            let (name, version) = self.random.choose(&people);
            (dn(name), password(*version))
        };
        let mut outcome = self.visitor.bind(&name, &password);
        // Whoever it was logged in as was changed or deleted meanwhile: its session was ended before the bind came.
        if outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionAborted)
            && let Ok(visitor) = Client::connect(&self.address)
        {
            self.visitor = visitor;
            outcome = self.visitor.bind(&name, &password);
        }
        !matches!(self.note_bind(true, outcome), Outcome::Ended)
    }

    fn note_bind(&mut self, is_visitor: bool, result: io::Result<LdapResultCode>) -> Outcome {
        let outcome = self.judge(result);
        let client = if is_visitor { &self.visitor } else { &self.client };
        let place = (self.process, client.local(), client.last_id().into());
        self.notes.push(Note { place, kind: "bind", expected: outcome.expected() });
        outcome
    }

    fn intend(&mut self, name: &str, intended: &Option<Person>) {
        let known = self.book.entry(name.to_owned()).or_default();
        known.under_way = Some(intended.clone());
        known.is_touched = true;
    }

    fn judge(&self, result: io::Result<LdapResultCode>) -> Outcome {
        // What is answered once the gate is closed was decided in a world that may be gone.
        match result {
            Ok(_) if self.gate.is_closed() => Outcome::Ended,
            Err(_) => Outcome::Ended,
            Ok(LdapResultCode::Unavailable) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                // Nothing is gained by asking a disk that is full a thousand times.
                std::thread::sleep(Duration::from_millis(2));
                Outcome::Refused
            }
            Ok(code) => {
                self.counts.acknowledged.fetch_add(1, Ordering::Relaxed);
                Outcome::Done(number_of(&code))
            }
        }
    }

    fn conclude(&mut self, name: &str, intended: Option<Person>, outcome: Outcome) -> Result<bool, String> {
        let known = self.book.get_mut(name).unwrap();
        match outcome {
            Outcome::Done(0) => {
                (known.acknowledged, known.under_way) = (intended, None);
                Ok(true)
            }
            Outcome::Done(code) => Err(format!("{name}: the server answered {code} to what must succeed; known is {known:?}")),
            Outcome::Refused => {
                known.under_way = None;
                Ok(true)
            }
            Outcome::Ended => Ok(false),
        }
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Done(u64),
    Refused,
    Ended,
}

impl Outcome {
    fn expected(self) -> Expected {
        match self {
            Outcome::Done(code) => Expected::Code(code),
            Outcome::Refused => Expected::Nothing,
            Outcome::Ended => Expected::Perhaps,
        }
    }
}

fn pair(number: usize, is_new: bool, version: u64) -> Vec<LdapOp> {
    let text = version.to_string().into_bytes();
    let attribute = |name: &str, value: &[u8]| LdapPartialAttribute { atype: name.to_owned(), vals: vec![value.to_vec()] };
    PAIR.map(|which| {
        let dn = dn(&format!("pair{number}-{which}"));
        if is_new {
            let attributes = vec![attribute("objectClass", b"person"), attribute("sn", &text), attribute("description", &text)];
            return LdapOp::AddRequest(LdapAddRequest { dn, attributes });
        }
        let changes = ["sn", "description"]
            .map(|name| LdapModify { operation: LdapModifyType::Replace, modification: attribute(name, &text) });
        LdapOp::ModifyRequest(LdapModifyRequest { dn, changes: changes.to_vec() })
    })
    .to_vec()
}

pub(crate) fn dn(name: &str) -> String {
    format!("cn={name},{SUFFIX}")
}

pub(crate) fn password(version: u64) -> String {
    format!("the password of version {version}")
}

/// The code's number in the protocol.
pub(crate) fn number_of(code: &LdapResultCode) -> u64 {
    u64::try_from(code.clone() as i32).unwrap()
}
