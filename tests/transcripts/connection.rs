//! One connection: octets in, octets out, and the work its session asks for in between, done at once or when it is released.

use std::collections::VecDeque;
use std::sync::Arc;

use bindery::model::ResultCode;
use bindery::operation::search::{Pull, SearchStream};
use bindery::operation::{CertificateFacts, ListenerKind, Peer, Proposal, TlsFacts};
use bindery::policy::password::HashJob;
use bindery::protocol::ber::Reader;
use bindery::protocol::{MessageId, Reply};
use bindery::server::registry::Presence;
use bindery::session::{Action, Lifetime, Session, Ticket};
use bindery::wire::{self, Urgent};
use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::LdapMsg;
use tokio_util::codec::Decoder;

use crate::follow;
use crate::machine::Machine;
use crate::{reply, search_control, usage};

/// Candidates a search looks at in one go.
const SEARCH_BUDGET: u32 = 3;

/// Largest reply that is decoded, in octets: the subschema entry is a large one.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;

/// How a client comes in.
pub struct Door {
    pub peer: Peer,
    pub tls: Option<TlsFacts>,
}

impl Door {
    /// Reads `ldap [from ADDRESS]`, `ldaps [from ADDRESS] [certificate SUBJECT]` or `ldapi [as DN]`.
    pub fn parse(words: &[String]) -> Door {
        let option = |name: &str| words.iter().position(|word| word == name).map(|at| words[at + 1].clone());
        let listener = match words[0].as_str() {
            "ldap" => ListenerKind::Ldap,
            "ldaps" => ListenerKind::Ldaps,
            "ldapi" => ListenerKind::Ldapi,
            other => panic!("{other}: ldap, ldaps or ldapi"),
        };
        if listener == ListenerKind::Ldapi {
            let peer = Peer { text: "ldapi uid=0".to_owned(), address: None, listener, ldapi_identity: option("as") };
            return Door { peer, tls: None };
        }
        let address = option("from").unwrap_or_else(|| "192.0.2.7".to_owned());
        let peer =
            Peer { text: format!("{address}:50123"), address: Some(address.parse().unwrap()), listener, ldapi_identity: None };
        let certificate = option("certificate").map(|subject| CertificateFacts {
            sha256: "00".repeat(32),
            subject,
            issuer: option("issuer").unwrap_or_else(|| "cn=Cards".to_owned()),
            serial: "5".to_owned(),
            emails: Vec::new(),
            common_name: None,
            uid: None,
            usages: option("usage").into_iter().collect(),
        });
        Door { peer, tls: (listener == ListenerKind::Ldaps).then(|| tls(certificate)) }
    }
}

fn tls(certificate: Option<CertificateFacts>) -> TlsFacts {
    TlsFacts { version: "TLSv1.3".to_owned(), suite: "TLS13_AES_256_GCM_SHA384".to_owned(), certificate }
}

/// Work a session asked for.
enum Work {
    Expose(Box<bindery::operation::exposed::Exposure>),
    Hash(Ticket, Vec<HashJob>),
    Commit(MessageId, Box<Proposal>),
    Snapshot(Ticket),
    RotateKey(Ticket),
    /// StartTLS is noted; nobody waits for it.
    Note(Box<Proposal>),
}

pub struct Connection {
    pub session: Session,
    pub closed: bool,
    pub last_id: i32,
    /// Of the last paged results response.
    pub cookie: Vec<u8>,
    input: BytesMut,
    output: BytesMut,
    searches: VecDeque<(MessageId, Box<SearchStream>)>,
    /// Those that wait for a change.
    parked: Vec<(MessageId, Box<SearchStream>)>,
    work: VecDeque<Work>,
    presence: Option<Presence>,
}

impl Connection {
    pub fn new(door: Door, number: u64, machine: &Machine) -> Connection {
        let mut session = Session::new(number, Arc::new(door.peer), door.tls.map(Arc::new), Arc::clone(&machine.settings));
        session.touch(machine.now());
        Connection {
            session,
            closed: false,
            last_id: 0,
            cookie: Vec::new(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            searches: VecDeque::new(),
            parked: Vec::new(),
            work: VecDeque::new(),
            presence: None,
        }
    }

    /// Takes octets in and hands over every whole request that the session takes now.
    pub fn receive(&mut self, octets: &[u8], machine: &mut Machine) {
        self.input.extend_from_slice(octets);
        self.take_requests(machine);
    }

    fn take_requests(&mut self, machine: &mut Machine) {
        while !self.closed && self.session.may_receive() {
            match wire::decode(&mut self.input, self.session.request_limit()) {
                Ok(Some(message)) => {
                    if self.session.must_stand_for(&message.request) && !self.stands(machine) {
                        return;
                    }
                    let action = self.session.receive(&machine.directory(), message, machine.now(), machine.fresh());
                    self.perform(action);
                }
                Ok(None) => break,
                Err(_) => self.close(Some(Reply::notice_of_disconnection(ResultCode::ProtocolError, "protocol error"))),
            }
        }
        let session = &self.session;
        let urgent = wire::decode_urgent(&mut self.input, &mut 0, session.request_limit(), |request| session.is_urgent(request));
        if let (Urgent::Taken(message), false) = (urgent, self.closed) {
            let action = self.session.receive(&machine.directory(), *message, machine.now(), machine.fresh());
            self.perform(action);
            self.take_requests(machine);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Nothing => {}
            Action::Reply(id, replies) => replies.iter().for_each(|reply| wire::encode(id, reply, &mut self.output)),
            Action::Search(id, search) => self.searches.push_back((id, search)),
            Action::Hash(id, jobs) => self.work.push_back(Work::Hash(id, jobs)),
            Action::Snapshot(id) => self.work.push_back(Work::Snapshot(id)),
            Action::RotateKey(id) => self.work.push_back(Work::RotateKey(id)),
            Action::Recall(id, _, job) => self.work.push_back(Work::Hash(id, vec![*job])),
            Action::Remember(..) => {}
            Action::Expose(exposure) => self.work.push_back(Work::Expose(exposure)),
            Action::Commit(id, proposal) => self.work.push_back(Work::Commit(id, proposal)),
            Action::Abandon(id) => {
                self.searches.retain(|(running, _)| *running != id);
                self.parked.retain(|(running, _)| *running != id);
            }
            Action::StartTls(id, reply, note) => {
                wire::encode(id, &reply, &mut self.output);
                self.work.push_back(Work::Note(note));
                if self.input.is_empty() {
                    self.session.tls_established(Arc::new(tls(None)));
                } else {
                    self.output.clear();
                    self.close(None);
                }
            }
            Action::Several(actions) => actions.into_iter().for_each(|action| self.perform(action)),
            Action::Close(notice, note) => {
                self.work.extend(note.map(Work::Note));
                self.close(notice);
            }
        }
    }

    fn close(&mut self, notice: Option<Reply>) {
        if let Some(notice) = notice {
            wire::encode(MessageId(0), &notice, &mut self.output);
        }
        self.searches.clear();
        self.parked.clear();
        self.presence = None;
        self.closed = true;
    }

    /// A session whose standing was taken is judged. `false`: it is over.
    fn stands(&mut self, machine: &Machine) -> bool {
        match self.session.review(|| machine.directory(), machine.now()) {
            Some(end) => {
                let action = self.session.end(end);
                self.perform(action);
                false
            }
            None => true,
        }
    }

    /// Follows who is logged in.
    fn follow_login(&mut self, machine: &Machine) {
        let live = self.session.identity().live.as_ref();
        if live.is_none() || !self.presence.as_ref().is_some_and(|presence| live.is_some_and(|live| presence.is_of(live))) {
            self.presence = live.map(|live| machine.sessions().enter(Arc::clone(live), None));
        }
    }

    /// The server looks whether the session is over.
    pub fn look_at_lifetime(&mut self, machine: &Machine) {
        if let Lifetime::Over(over) = self.session.lifetime(&machine.directory(), machine.now()) {
            let action = self.session.end(over);
            self.perform(action);
        }
    }

    /// Something was published: what waits for it goes on.
    pub fn wake(&mut self, machine: &Machine) {
        let directory = machine.directory();
        for (id, mut search) in std::mem::take(&mut self.parked) {
            if search.wake(&directory) {
                self.searches.push_back((id, search));
            } else {
                self.parked.push((id, search));
            }
        }
    }

    /// Does all the work there is.
    pub fn settle(&mut self, machine: &mut Machine) {
        while self.step(machine) {}
    }

    fn step(&mut self, machine: &mut Machine) -> bool {
        let action = match self.work.pop_front() {
            Some(Work::Hash(id, jobs)) => {
                let answers = machine.hash(&jobs);
                self.session.hashed(&machine.directory(), id, answers)
            }
            Some(Work::Snapshot(id)) => {
                let taken = machine.snapshot();
                self.session.snapshot_taken(&machine.directory(), id, taken)
            }
            Some(Work::RotateKey(id)) => {
                let begun = machine.rotate_key();
                self.session.key_rotation_begun(&machine.directory(), id, begun)
            }
            Some(Work::Commit(id, proposal)) => {
                let decision = machine.commit(*proposal);
                self.session.committed(&machine.directory(), id, decision)
            }
            Some(Work::Expose(exposure)) => {
                let answer = exposure.job().and_then(|job| machine.hash(&[job]).pop());
                if let Some(proposal) = exposure.proposal(answer) {
                    machine.commit(*proposal).unwrap();
                }
                Action::Nothing
            }
            Some(Work::Note(proposal)) => {
                machine.commit(*proposal).unwrap();
                Action::Nothing
            }
            None => return self.pull(machine),
        };
        self.perform(action);
        self.follow_login(machine);
        self.take_requests(machine);
        true
    }

    fn pull(&mut self, machine: &mut Machine) -> bool {
        let Some((id, mut search)) = self.searches.pop_front() else { return false };
        let mut budget = SEARCH_BUDGET;
        let pulled = search.pull(&mut budget, machine.now());
        if self.session.is_suspended() && !self.stands(machine) {
            return true;
        }
        match pulled {
            Pull::Reply(reply) => wire::encode(id, &reply, &mut self.output),
            Pull::Pause => {}
            Pull::Fetch(_) => {
                // Transcripts have no files: see tests/accesslog.rs.
                search.supply(Err(ResultCode::Unavailable));
            }
            Pull::Record(proposal) => search.recorded(machine.commit(*proposal).map(drop)),
            Pull::Wait => {
                self.parked.push((id, search));
                return true;
            }
            Pull::Done(reply) => {
                wire::encode(id, &reply, &mut self.output);
                self.session.search_ended(id);
                self.take_requests(machine);
                return true;
            }
        }
        self.searches.push_front((id, search));
        true
    }

    /// What came back since the last call, decoded independently of the server; with the result code where `ldap3_proto` knows no such.
    pub fn replies(&mut self) -> Vec<(LdapMsg, Option<i64>)> {
        let mut codec = LdapCodec::new(Some(LARGEST_REPLY), None);
        let mut replies = Vec::new();
        while !self.output.is_empty() {
            if let Some(message) = follow::take_info(&mut self.output) {
                replies.push((message, None));
                continue;
            }
            let code = hide_no_operation(&mut self.output);
            let (mut output, unread) = search_control::take_unread(&mut self.output);
            let uris = search_control::referral(&output);
            let mut message = codec.decode(&mut output).unwrap().expect("the server sends whole messages");
            message.ctrl.extend(unread);
            usage::note_reply(&message.ctrl);
            if let Some(result) = reply::result_of(&mut message.op) {
                result.referral = uris;
            }
            replies.push((message, code));
        }
        replies
    }
}

/// noOperation (16654): `ldap3_proto` takes no message that holds it, so it reads 80 in its place.
fn hide_no_operation(output: &mut BytesMut) -> Option<i64> {
    let mut message = Reader::new(output).sequence().ok()?;
    message.integer().ok()?;
    let (_, operation) = message.element().ok()?;
    if !operation.starts_with(&[0x0a, 2, 0x41, 0x0e]) {
        return None;
    }
    let at = operation.as_ptr() as usize - output.as_ptr() as usize;
    output[at + 2..at + 4].copy_from_slice(&[0, 80]);
    Some(16654)
}
