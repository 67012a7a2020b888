//! A server in memory: a committer that decides and applies, a hasher with cheap parameters, and work that is done only when the test
//! says so, so that requests can overlap.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::directory::{Change, Directory};
use crate::journal::Record;
use crate::model::schema::Schema;
use crate::model::{Attribute, DerefAliases, Dn, EntryId, Filter, ResultCode, Scope, Secret, Timestamp};
use crate::operation::add::AddRequest;
use crate::operation::backup::BackupSnapshot;
use crate::operation::key_rotation::KeysChanged;
use crate::operation::search::{Pull, SearchStream};
use crate::operation::{
    self, Attached, Authority, Context, Decision, Fresh, Identity, Limits, ListenerKind, Peer, Proposal, ProposedOperation,
    Settings, TlsFacts, WaivedNetwork, prepare,
};
use crate::policy::password::{Argon2Parameters, HashAnswer, HashJob, Hasher, RememberedLogins};
use crate::protocol::{
    Authentication, BindRequest, Control, LdapResult, Message, MessageId, Reply, Request, SearchRequest, ber, oid,
};
use crate::session::{Action, Session, Ticket};

pub(crate) const SUFFIX: &str = "dc=hospital,dc=example";
pub(crate) const ADMIN: &str = "cn=admin,dc=hospital,dc=example";
pub(crate) const ANNA: &str = "uid=anna,dc=hospital,dc=example";
pub(crate) const BERT: &str = "uid=bert,dc=hospital,dc=example";
/// Has no password.
pub(crate) const CARL: &str = "uid=carl,dc=hospital,dc=example";
pub(crate) const PASSWORD: &str = "correct horse battery";
/// `{SHA}` of [`PASSWORD`]: Bert's is of an old scheme.
pub(crate) const OLD_SCHEME: &str = "{SHA}mN7MYuzjmaIu0w1JDvMzvn/ec4U=";
pub(crate) const START: Timestamp = Timestamp(1_795_000_000_000_000);

/// Microseconds for which logins are remembered.
pub(crate) const REMEMBERED: i64 = 300_000_000;

/// Work a session asked for.
enum Work {
    Hash(Ticket, Vec<HashJob>),
    Commit(MessageId, Box<Proposal>),
    Snapshot(Ticket),
    RotateKey(Ticket),
}

/// A server with one connection.
pub(crate) struct Server {
    pub(crate) session: Session,
    pub(crate) directory: Arc<Directory>,
    pub(crate) records: Vec<Record>,
    pub(crate) replies: Vec<(MessageId, Reply)>,
    /// Argon2 runs and the like that were asked for, by kind: verifications.
    pub(crate) verified: usize,
    pub(crate) closed: Option<Option<Reply>>,
    /// StartTLS was granted and the handshake is due.
    pub(crate) handshake_due: bool,
    /// The journal cannot be written.
    pub(crate) broken: bool,
    searches: BTreeMap<MessageId, Box<SearchStream>>,
    work: VecDeque<Work>,
    hasher: Hasher,
    logins: RememberedLogins,
    next_id: i32,
    pub(crate) clock: i64,
}

/// How a connection comes in.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) peer: Peer,
    pub(crate) tls: Option<TlsFacts>,
    pub(crate) settings: Settings,
}

impl Door {
    pub(crate) fn clear() -> Door {
        let peer = Peer {
            text: "192.0.2.7:50123".to_owned(),
            address: Some("192.0.2.7".parse().unwrap()),
            listener: ListenerKind::Ldap,
            ldapi_identity: None,
        };
        let settings = Settings {
            audits_all_reads: false,
            clear_text: Vec::new(),
            second_factor: Vec::new(),
            certificate_rules: Vec::new(),
            limits: Limits::default(),
            identifiers: Default::default(),
            hash_key: Secret::new(vec![7; 32]),
            remembered_logins: None,
            blocklist: None,
            version: "0",
            monitor: Default::default(),
            start_tls: true,
            discloses: crate::operation::Disclosure::default(),
        };
        Door { peer, tls: None, settings }
    }

    pub(crate) fn tls() -> Door {
        let mut door = Door::clear();
        door.peer.listener = ListenerKind::Ldaps;
        door.tls = Some(tls_facts());
        door
    }

    pub(crate) fn waived() -> Door {
        let mut door = Door::clear();
        let network = "192.0.2.0/24".parse().unwrap();
        door.settings.clear_text.push(WaivedNetwork { network, until: Timestamp(START.0 + 86_400_000_000) });
        door
    }

    pub(crate) fn ldapi(identity: Option<&str>) -> Door {
        let mut door = Door::clear();
        door.peer = Peer {
            text: "ldapi uid=0".to_owned(),
            address: None,
            listener: ListenerKind::Ldapi,
            ldapi_identity: identity.map(str::to_owned),
        };
        door
    }
}

pub(crate) fn tls_facts() -> TlsFacts {
    TlsFacts { version: "TLSv1.3".to_owned(), suite: "TLS13_AES_256_GCM_SHA384".to_owned(), certificate: None }
}

impl Server {
    pub(crate) fn new(door: Door) -> Server {
        let mut server = Server {
            session: Session::new(1, Arc::new(door.peer), door.tls.map(Arc::new), Arc::new(door.settings)),
            directory: Arc::new(empty_directory()),
            records: Vec::new(),
            replies: Vec::new(),
            verified: 0,
            closed: None,
            handshake_due: false,
            broken: false,
            searches: BTreeMap::new(),
            work: VecDeque::new(),
            hasher: Hasher::new(Argon2Parameters { memory: 8, passes: 1, lanes: 1 }),
            logins: RememberedLogins::new(10),
            next_id: 1,
            clock: START.0,
        };
        server.install();
        server
    }

    /// The entries every test finds.
    fn install(&mut self) {
        self.add(SUFFIX, &[("objectClass", &["dcObject", "organization"]), ("o", &["Hospital"]), ("dc", &["hospital"])]);
        let role = &[("objectClass", ["organizationalRole", "simpleSecurityObject"].as_slice()), ("userPassword", &[PASSWORD])];
        self.add(ADMIN, role);
        self.add(&format!("ou=roles,{SUFFIX}"), &[("objectClass", &["organizationalUnit"])]);
        let group = &[("objectClass", ["groupOfNames"].as_slice()), ("member", &[ADMIN])];
        self.add(&format!("cn=administrators,ou=roles,{SUFFIX}"), group);
        for (dn, password) in [(ANNA, Some(PASSWORD)), (BERT, Some(OLD_SCHEME)), (CARL, None)] {
            let mail = format!("{}@hospital.example", &dn[4..8]);
            let mut person =
                vec![("objectClass", ["inetOrgPerson"].to_vec()), ("cn", vec!["P"]), ("sn", vec!["P"]), ("mail", vec![&mail])];
            person.extend(password.map(|password| ("userPassword", vec![password])));
            let person: Vec<(&str, &[&str])> = person.iter().map(|(name, values)| (*name, values.as_slice())).collect();
            self.add(dn, &person);
        }
    }

    pub(crate) fn add(&mut self, dn: &str, attributes: &[(&str, &[&str])]) -> Vec<Change> {
        let attributes = attributes.iter().map(|(name, values)| Attribute {
            description: (*name).to_owned(),
            values: values.iter().map(|value| Bytes::copy_from_slice(value.as_bytes())).collect(),
        });
        let context = self.installation();
        let request = AddRequest::new(Bytes::copy_from_slice(dn.as_bytes()), attributes.collect(), Vec::new());
        let mut operation = ProposedOperation::Add(request);
        let answers = self.hash(&prepare::jobs(&self.directory, &context, &mut operation));
        let operation = prepare::with_answers(operation, answers);
        let decision = self.decide(Proposal { context, operation });
        assert_eq!(decision.record.result, ResultCode::Success, "{dn}: {:?}", decision.reply);
        self.records.clear();
        self.verified = 0;
        decision.changes
    }

    /// Takes the password off an account, past any session.
    pub(crate) fn without_password(&mut self, dn: &str) {
        let node = Arc::clone(self.directory.node(self.id_of(dn)).unwrap());
        let password = self.directory.schema().attribute_type("userPassword").unwrap();
        let mut entry = node.entry.to_builder();
        entry.set(password.id, password.name(), crate::model::Section::Secret, Vec::new());
        // Every modification moves entryCSN.
        let number = self.directory.schema().attribute_type("entryCSN").unwrap();
        let moved = bytes::Bytes::from_static(b"20301231235959.000000Z#000000#000#000000");
        entry.set(number.id, number.name(), crate::model::Section::Operational, vec![moved]);
        let block = entry.build().block().clone();
        let mut head = (*self.directory).clone();
        head.apply(&Change::PutEntry { id: node.id, parent: node.parent, name: node.name.clone(), block }).unwrap();
        self.directory = Arc::new(head);
    }

    /// Deletes an entry, past any session.
    pub(crate) fn without_entry(&mut self, dn: &str) {
        let mut head = (*self.directory).clone();
        head.apply(&Change::RemoveEntry { id: self.id_of(dn), next_id: head.next_entry_id() }).unwrap();
        self.directory = Arc::new(head);
    }

    /// Makes an entry what it is in another server's directory, entryCSN apart.
    pub(crate) fn take_entry_from(&mut self, other: &Server, dn: &str) {
        let node = Arc::clone(self.directory.node(self.id_of(dn)).unwrap());
        let theirs = other.directory.node(other.id_of(dn)).unwrap().entry.clone();
        let password = self.directory.schema().attribute_type("userPassword").unwrap();
        let values = theirs.values(password.id).map(bytes::Bytes::copy_from_slice).collect();
        let mut entry = node.entry.to_builder();
        entry.set(password.id, password.name(), crate::model::Section::Secret, values);
        let block = entry.build().block().clone();
        let mut head = (*self.directory).clone();
        head.apply(&Change::PutEntry { id: node.id, parent: node.parent, name: node.name.clone(), block }).unwrap();
        self.directory = Arc::new(head);
    }

    /// Argon2 runs so far, whatever they were for.
    pub(crate) fn argon2_runs(&self) -> u64 {
        self.hasher.runs()
    }

    /// Decides a modify as the installation, beside the session: what changed.
    pub(crate) fn change_past_sessions(&mut self, request: Request) -> Vec<Change> {
        let Request::Modify { name, changes } = request else { panic!("a modify") };
        let context = self.installation();
        let operation = ProposedOperation::Modify(crate::operation::modify::ModifyRequest::new(name, changes, Vec::new()));
        let decision = self.decide(Proposal { context, operation });
        assert_eq!(decision.record.result, ResultCode::Success, "{:?}", decision.reply);
        self.records.pop();
        decision.changes
    }

    /// What the session asks the committer for to do a request.
    pub(crate) fn proposal_of(&mut self, request: Request) -> Proposal {
        self.send(request);
        match self.work.pop_back() {
            Some(Work::Commit(_, proposal)) => *proposal,
            _ => panic!("the committer is not asked"),
        }
    }

    fn installation(&mut self) -> Context {
        let Door { peer, settings, .. } = Door::ldapi(None);
        let fresh = self.fresh();
        Context {
            now: START,
            session: 0,
            message: MessageId(0),
            peer: Arc::new(peer),
            tls: None,
            identity: Identity::default(),
            authority: Authority::Installation,
            settings: Arc::new(settings),
            fresh,
            attached: Attached::default(),
        }
    }

    pub(crate) fn id_of(&self, dn: &str) -> EntryId {
        match self.directory.find(&Dn::parse(dn.as_bytes()).unwrap()) {
            crate::directory::Lookup::Found(id) => id,
            other => panic!("{dn}: {other:?}"),
        }
    }

    fn fresh(&mut self) -> Fresh {
        self.clock += 1;
        let octets = u128::from(self.clock.unsigned_abs()).to_le_bytes();
        Fresh { uuid: octets, salt: octets, password: octets }
    }

    /// Sends a request with the next message ID and does only what the session does at once.
    pub(crate) fn send(&mut self, request: Request) -> MessageId {
        let id = MessageId(self.next_id);
        self.next_id += 1;
        self.receive(Message { id, request, controls: Vec::new() });
        id
    }

    pub(crate) fn receive(&mut self, message: Message) {
        let fresh = self.fresh();
        let directory = Arc::clone(&self.directory);
        let action = self.session.receive(&directory, message, Timestamp(self.clock), fresh);
        self.perform(action);
    }

    /// Sends a request, does all work, and gives the last reply.
    pub(crate) fn ask(&mut self, request: Request) -> Reply {
        let id = self.send(request);
        self.settle();
        let replies = self.replies_to(id);
        replies.last().cloned().unwrap_or_else(|| panic!("no reply to {id:?}"))
    }

    /// The next message ID.
    pub(crate) fn next_message(&mut self) -> MessageId {
        self.next_id += 1;
        MessageId(self.next_id - 1)
    }

    /// The same with controls.
    pub(crate) fn ask_with(&mut self, request: Request, controls: Vec<Control>) -> Reply {
        let id = self.next_message();
        self.receive(Message { id, request, controls });
        self.settle();
        self.replies_to(id).last().cloned().unwrap_or_else(|| panic!("no reply to {id:?}"))
    }

    pub(crate) fn bind(&mut self, name: &str, password: &str) -> LdapResult {
        result(&self.ask(simple(name, password)))
    }

    pub(crate) fn replies_to(&self, id: MessageId) -> Vec<Reply> {
        self.replies.iter().filter(|(of, _)| *of == id).map(|(_, reply)| reply.clone()).collect()
    }

    pub(crate) fn who_am_i(&mut self) -> String {
        match self.ask(extended(crate::protocol::oid::WHO_AM_I, None)) {
            Reply::Result { extended_value: Some(value), .. } => String::from_utf8(value.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Nothing => {}
            Action::Reply(id, replies) => self.replies.extend(replies.into_iter().map(|reply| (id, reply))),
            Action::Search(id, stream) => assert!(self.searches.insert(id, stream).is_none()),
            Action::Hash(id, jobs) => self.work.push_back(Work::Hash(id, jobs)),
            Action::Snapshot(id) => self.work.push_back(Work::Snapshot(id)),
            Action::RotateKey(id) => self.work.push_back(Work::RotateKey(id)),
            Action::Recall(id, tag, job) => {
                let HashJob::Verify { stored, .. } = &*job else { panic!("only verifications are recalled") };
                match self.logins.recall(&tag, stored, Timestamp(self.clock)) {
                    Some(stored) => {
                        let answers = vec![HashAnswer::Recalled(stored)];
                        let action = self.session.hashed(&Arc::clone(&self.directory), id, answers);
                        self.perform(action);
                    }
                    None => self.work.push_back(Work::Hash(id, vec![*job])),
                }
            }
            Action::Expose(_) => {}
            Action::Remember(tag, stored) => {
                let now = Timestamp(self.clock);
                self.logins.remember(tag, stored, Timestamp(self.clock + REMEMBERED), now);
            }
            Action::Commit(id, proposal) => self.work.push_back(Work::Commit(id, proposal)),
            Action::Abandon(id) => assert!(self.searches.remove(&id).is_some(), "only what runs is abandoned"),
            Action::StartTls(id, reply, note) => {
                self.replies.push((id, reply));
                self.decide(*note);
                self.handshake_due = true;
            }
            Action::Several(actions) => actions.into_iter().for_each(|action| self.perform(action)),
            Action::Close(notice, note) => {
                self.searches.clear();
                note.map(|note| self.decide(*note));
                self.closed = Some(notice);
            }
        }
    }

    /// Does the oldest piece of work; `false` when there is none.
    pub(crate) fn work(&mut self) -> bool {
        match self.work.pop_front() {
            Some(Work::Hash(id, jobs)) => {
                let answers = self.hash(&jobs);
                let action = self.session.hashed(&Arc::clone(&self.directory), id, answers);
                self.perform(action);
            }
            Some(Work::Snapshot(id)) => {
                let taken = BackupSnapshot {
                    name: "snapshot-00000000000000000007".to_owned(),
                    sequence: 7,
                    time: Timestamp(self.clock),
                    digest: "00".to_owned(),
                };
                let action = self.session.snapshot_taken(&Arc::clone(&self.directory), id, Ok(taken));
                self.perform(action);
            }
            Some(Work::RotateKey(id)) => {
                let keys = KeysChanged { old: "aa".to_owned(), new: "bb".to_owned() };
                let action = self.session.key_rotation_begun(&Arc::clone(&self.directory), id, Ok(keys));
                self.perform(action);
            }
            Some(Work::Commit(id, proposal)) => {
                let decision = if self.broken { Err(ResultCode::Unavailable) } else { Ok(self.decide(*proposal)) };
                let action = self.session.committed(&Arc::clone(&self.directory), id, decision);
                self.perform(action);
            }
            None => return self.pull(),
        }
        true
    }

    fn pull(&mut self) -> bool {
        let Some((id, mut stream)) = self.searches.pop_first() else { return false };
        let mut budget = 100;
        match stream.pull(&mut budget, Timestamp(self.clock)) {
            Pull::Done(reply) => {
                self.replies.push((id, reply));
                self.session.search_ended(id);
                return true;
            }
            Pull::Reply(reply) => self.replies.push((id, reply)),
            Pull::Pause => {}
            Pull::Fetch(_) => panic!("the journal is asked for"),
            Pull::Wait => panic!("the search goes on"),
            Pull::Record(proposal) => {
                let recorded = if self.broken { Err(ResultCode::Unavailable) } else { Ok(()) };
                if recorded.is_ok() {
                    self.decide(*proposal);
                }
                stream.recorded(recorded);
            }
        }
        self.searches.insert(id, stream);
        true
    }

    pub(crate) fn settle(&mut self) {
        while self.work() {}
    }

    pub(crate) fn handshake(&mut self) {
        self.handshake_due = false;
        self.session.tls_established(Arc::new(tls_facts()));
    }

    fn hash(&mut self, jobs: &[HashJob]) -> Vec<HashAnswer> {
        self.verified += jobs.iter().filter(|job| matches!(job, HashJob::Verify { .. })).count();
        let salt = self.fresh().salt;
        jobs.iter().map(|job| self.hasher.perform(job, salt)).collect()
    }

    fn decide(&mut self, mut proposal: Proposal) -> Decision {
        self.clock += 1;
        proposal.context.now = Timestamp(self.clock);
        let decision = operation::decide(&self.directory, &proposal, 0);
        let mut head = (*self.directory).clone();
        for change in &decision.changes {
            head.apply(change).unwrap();
        }
        if let Some((expecting, before)) = operation::live::expecting(&proposal, &decision, &self.directory) {
            expecting.live.expect_password(before, &head);
            expecting.live.adopt_password();
        }
        self.directory = Arc::new(head);
        self.records.extend(decision.preceding.iter().chain([&decision.record]).cloned());
        decision
    }
}

fn empty_directory() -> Directory {
    let schema = Arc::new(Schema::embedded().unwrap());
    Directory::new(schema, Dn::parse(SUFFIX.as_bytes()).unwrap(), &[], [1; 32])
}

pub(crate) fn result(reply: &Reply) -> LdapResult {
    match reply {
        Reply::Result { result, .. } => result.clone(),
        other => panic!("{other:?}"),
    }
}

/// A result as a pair that is easily compared.
pub(crate) fn told(result: &LdapResult) -> (u32, &str) {
    (result.code.number(), &result.diagnostic)
}

pub(crate) fn simple(name: &str, password: &str) -> Request {
    versioned(3, name, password)
}

pub(crate) fn versioned(version: u8, name: &str, password: &str) -> Request {
    let authentication = Authentication::Simple(Secret::from(password.as_bytes()));
    Request::Bind(BindRequest { version, name: Bytes::copy_from_slice(name.as_bytes()), authentication })
}

pub(crate) fn sasl(mechanism: &str, credentials: Option<&[u8]>) -> Request {
    let authentication = Authentication::Sasl { mechanism: mechanism.to_owned(), credentials: credentials.map(Secret::from) };
    Request::Bind(BindRequest { version: 3, name: Bytes::new(), authentication })
}

pub(crate) fn extended(oid: &str, value: Option<&[u8]>) -> Request {
    Request::Extended { oid: oid.to_owned(), value: value.map(Secret::from) }
}

pub(crate) fn cancel(id: i32) -> Request {
    let value = ber::encode(|writer| writer.sequence(|parts| parts.integer(i64::from(id))));
    extended(oid::CANCEL, Some(&value))
}

pub(crate) fn search(base: &str) -> Request {
    Request::Search(SearchRequest {
        base: Bytes::copy_from_slice(base.as_bytes()),
        scope: Scope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter: Filter::Present("objectClass".to_owned()),
        attributes: Vec::new(),
    })
}

pub(crate) fn replace(name: &str, attribute: &str, value: &str) -> Request {
    let attribute = Attribute { description: attribute.to_owned(), values: vec![Bytes::copy_from_slice(value.as_bytes())] };
    let change = crate::model::Modification { operation: crate::model::ModificationOperation::Replace, attribute };
    Request::Modify { name: Bytes::copy_from_slice(name.as_bytes()), changes: vec![change] }
}
