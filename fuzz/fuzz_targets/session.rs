//! Arbitrary octets as the stream of one client: decoded, eaten by a session, its work done when the input says so. No request is
//! answered twice, and after the end nothing is left under way.
//!
//! Input: one octet for how the connection comes in, then pieces: length, how many steps of work are done after it, octets.
#![no_main]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use bindery::directory::Directory;
use bindery::model::schema::Schema;
use bindery::model::{Attribute, Dn, ResultCode, Secret, Timestamp};
use bindery::operation::add::AddRequest;
use bindery::operation::search::{Pull, SearchStream};
use bindery::operation::{
    self, Attached, Authority, Context, Fresh, Identity, Limits, ListenerKind, Peer, Proposal, ProposedOperation, Settings,
    TlsFacts,
};
use bindery::policy::password::{Argon2Parameters, HashJob, Hasher};
use bindery::protocol::{MessageId, Reply};
use bindery::session::{Action, Session, Ticket};
use bindery::wire;
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_795_000_000_000_000);
/// Verifies and makes hashes of `secret` in no time.
const CHEAP: Argon2Parameters = Argon2Parameters { memory: 8, passes: 1, lanes: 1 };

fuzz_target!(|data: &[u8]| {
    let Some((&door, mut rest)) = data.split_first() else { return };
    let mut server = Server::new(door);
    while let [length, steps, input @ ..] = rest {
        let (piece, after) = input.split_at(usize::from(*length).min(input.len()));
        rest = after;
        server.input.extend_from_slice(piece);
        server.take_requests();
        for _ in 0..*steps {
            server.step();
            server.take_requests();
        }
    }
    server.settle();
    assert!(server.closed || server.session.may_receive() || server.handshake_due, "something is left under way");
});

enum Work {
    Hash(Ticket, Vec<HashJob>),
    Commit(MessageId, Box<Proposal>),
    Snapshot(Ticket),
    RotateKey(Ticket),
}

struct Server {
    session: Session,
    directory: Arc<Directory>,
    input: BytesMut,
    output: BytesMut,
    work: VecDeque<Work>,
    searches: VecDeque<(MessageId, Box<SearchStream>)>,
    /// Those that wait for a change.
    parked: Vec<(MessageId, Box<SearchStream>)>,
    /// Requests taken and not answered, by message ID.
    asked: BTreeMap<MessageId, usize>,
    hasher: Hasher,
    closed: bool,
    handshake_due: bool,
}

impl Server {
    fn new(door: u8) -> Server {
        let listener = [ListenerKind::Ldap, ListenerKind::Ldaps, ListenerKind::Ldapi][usize::from(door % 3)];
        let tls = (listener == ListenerKind::Ldaps).then(tls_facts);
        Server {
            session: Session::new(1, Arc::new(peer(listener)), tls, settings()),
            directory: directory(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            work: VecDeque::new(),
            searches: VecDeque::new(),
            parked: Vec::new(),
            asked: BTreeMap::new(),
            hasher: Hasher::new(CHEAP),
            closed: false,
            handshake_due: false,
        }
    }

    fn take_requests(&mut self) {
        if std::mem::take(&mut self.handshake_due) {
            self.session.tls_established(tls_facts());
        }
        while !self.closed && self.session.may_receive() {
            let Ok(Some(message)) = wire::decode(&mut self.input, self.session.request_limit()) else { return };
            *self.asked.entry(message.id).or_default() += 1;
            let directory = Arc::clone(&self.directory);
            let action = self.session.receive(&directory, message, NOW, Fresh::default());
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Nothing => {}
            Action::Reply(id, replies) => replies.iter().for_each(|reply| self.send(id, reply)),
            Action::Search(id, stream) => self.searches.push_back((id, stream)),
            Action::Hash(id, jobs) => self.work.push_back(Work::Hash(id, jobs)),
            Action::Snapshot(id) => self.work.push_back(Work::Snapshot(id)),
            Action::RotateKey(id) => self.work.push_back(Work::RotateKey(id)),
            Action::Recall(id, _, job) => self.work.push_back(Work::Hash(id, vec![*job])),
            Action::Remember(..) | Action::Expose(_) => {}
            Action::Commit(id, proposal) => self.work.push_back(Work::Commit(id, proposal)),
            Action::Abandon(id) => {
                self.searches.retain(|(running, _)| *running != id);
                self.parked.retain(|(running, _)| *running != id);
            }
            Action::StartTls(id, reply, _) => {
                self.send(id, &reply);
                self.handshake_due = true;
            }
            Action::Several(actions) => actions.into_iter().for_each(|action| self.perform(action)),
            Action::Close(notice, _) => {
                self.closed = true;
                self.searches.clear();
                self.parked.clear();
                if let Some(notice) = notice {
                    wire::encode(MessageId(0), &notice, &mut self.output);
                }
            }
        }
    }

    fn send(&mut self, id: MessageId, reply: &Reply) {
        assert!(!self.closed, "nothing follows the end");
        if matches!(reply, Reply::Result { .. }) {
            let open = self.asked.get_mut(&id).expect("nothing is answered that was not asked");
            *open = open.checked_sub(1).expect("nothing is answered twice");
        }
        self.output.clear();
        wire::encode(id, reply, &mut self.output);
        assert!(!self.output.is_empty());
    }

    fn settle(&mut self) {
        while self.step() {
            self.take_requests();
        }
    }

    /// Does one piece of work; `false` when there is none.
    fn step(&mut self) -> bool {
        let directory = Arc::clone(&self.directory);
        let action = match self.work.pop_front() {
            Some(Work::Hash(id, jobs)) => {
                let answers = jobs.iter().map(|job| self.hasher.perform(job, [9; 16])).collect();
                self.session.hashed(&directory, id, answers)
            }
            Some(Work::Snapshot(id)) => self.session.snapshot_taken(&directory, id, Err(ResultCode::Other)),
            Some(Work::RotateKey(id)) => self.session.key_rotation_begun(&directory, id, Err(ResultCode::Other)),
            Some(Work::Commit(id, proposal)) => {
                let decision = operation::decide(&directory, &proposal, 0);
                self.directory = applied(&directory, &decision.changes);
                self.searches.extend(self.parked.drain(..));
                self.session.committed(&Arc::clone(&self.directory), id, Ok(decision))
            }
            None => return self.pull(),
        };
        self.perform(action);
        true
    }

    fn pull(&mut self) -> bool {
        let Some((id, mut stream)) = self.searches.pop_front() else { return false };
        match stream.pull(&mut 100, NOW) {
            Pull::Reply(reply) => self.send(id, &reply),
            Pull::Pause => {}
            // The journal is beside what is tried here: it cannot be read.
            Pull::Fetch(_) => stream.supply(Err(ResultCode::Unavailable)),
            Pull::Record(proposal) => {
                let decision = operation::decide(&self.directory, &proposal, 0);
                self.directory = applied(&self.directory, &decision.changes);
                stream.recorded(Ok(()));
            }
            Pull::Wait => {
                if !stream.wake(&self.directory) {
                    self.parked.push((id, stream));
                    return true;
                }
            }
            Pull::Done(reply) => {
                self.send(id, &reply);
                self.session.search_ended(id);
                return true;
            }
        }
        self.searches.push_back((id, stream));
        true
    }
}

fn tls_facts() -> Arc<TlsFacts> {
    Arc::new(TlsFacts { version: "TLSv1.3".to_owned(), suite: "TLS13_AES_256_GCM_SHA384".to_owned(), certificate: None })
}

fn peer(listener: ListenerKind) -> Peer {
    let ldapi_identity = (listener == ListenerKind::Ldapi).then(|| "cn=admin,dc=x".to_owned());
    Peer { text: "fuzz".to_owned(), address: None, listener, ldapi_identity }
}

fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        clear_text: Vec::new(),
        second_factor: Vec::new(),
        certificate_rules: Vec::new(),
        limits: Limits::default(),
        identifiers: Default::default(),
        hash_key: Secret::new(vec![1; 32]),
        remembered_logins: None,
        blocklist: None,
        version: "0",
        monitor: Default::default(),
        start_tls: true,
        discloses: Default::default(),
        audits_all_reads: false,
    })
}

/// `dc=x`, its administrator and one person, both with the password `secret`.
fn directory() -> Arc<Directory> {
    static DIRECTORY: OnceLock<Arc<Directory>> = OnceLock::new();
    Arc::clone(DIRECTORY.get_or_init(|| {
        let schema = Arc::new(Schema::embedded().expect("the embedded schema loads"));
        let suffix = Dn::parse(b"dc=x").expect("a name");
        let mut directory = Arc::new(Directory::new(schema, suffix, &[], [1; 32]));
        let secret = hashed();
        let role: &[(&str, &[u8])] = &[("objectClass", b"organizationalRole"), ("objectClass", b"simpleSecurityObject")];
        let person: &[(&str, &[u8])] = &[("objectClass", b"inetOrgPerson"), ("cn", b"A"), ("sn", b"A")];
        let password: &[(&str, &[u8])] = &[("userPassword", &secret)];
        let group: &[(&str, &[u8])] = &[("objectClass", b"groupOfNames"), ("member", b"cn=admin,dc=x")];
        for (name, attributes) in [
            ("dc=x", vec![("objectClass", b"domain".as_slice())]),
            ("cn=admin,dc=x", [role, password].concat()),
            ("uid=a,dc=x", [person, password].concat()),
            ("ou=roles,dc=x", vec![("objectClass", b"organizationalUnit".as_slice())]),
            ("cn=administrators,ou=roles,dc=x", group.to_vec()),
        ] {
            directory = added(&directory, name, &attributes);
        }
        directory
    }))
}

fn hashed() -> Vec<u8> {
    let job = HashJob::Hash { given: Secret::from(b"secret".as_slice()), salt: [3; 16], beside: Vec::new() };
    match Hasher::new(CHEAP).perform(&job, [4; 16]) {
        bindery::policy::password::HashAnswer::Hashed(value) => value.expose().to_vec(),
        _ => panic!("a hash job is answered with a hash"),
    }
}

fn added(directory: &Arc<Directory>, name: &str, attributes: &[(&str, &[u8])]) -> Arc<Directory> {
    let mut gathered: BTreeMap<&str, Vec<Bytes>> = BTreeMap::new();
    for (description, value) in attributes {
        gathered.entry(description).or_default().push(Bytes::copy_from_slice(value));
    }
    let attributes = gathered.into_iter().map(|(name, values)| Attribute { description: name.to_owned(), values });
    let request = AddRequest::new(Bytes::copy_from_slice(name.as_bytes()), attributes.collect(), Vec::new());
    let context = Context {
        now: NOW,
        session: 0,
        message: MessageId(0),
        peer: Arc::new(peer(ListenerKind::Ldapi)),
        tls: None,
        identity: Identity::default(),
        authority: Authority::Installation,
        settings: settings(),
        fresh: Fresh::default(),
        attached: Attached::default(),
    };
    let decision = operation::decide(directory, &Proposal { context, operation: ProposedOperation::Add(request) }, 0);
    assert_eq!(decision.record.result, ResultCode::Success, "{name}: {:?}", decision.reply);
    applied(directory, &decision.changes)
}

fn applied(directory: &Directory, changes: &[bindery::directory::Change]) -> Arc<Directory> {
    let mut head = directory.clone();
    changes.iter().for_each(|change| head.apply(change).expect("a decided change can be applied"));
    Arc::new(head)
}
