//! A directory with a few entries, changed by LDIF and searched, each answer as one line or as LDIF.

use std::sync::Arc;

use bytes::Bytes;

use crate::directory::{Change, Directory, IndexDeclaration, IndexKinds, Lookup};
use crate::journal::Record;
use crate::model::ldif::{LdifBody, LdifReader, LdifRecord};
use crate::model::schema::Schema;
use crate::model::{DerefAliases, Dn, EntryId, Filter, Scope, Secret, Timestamp};
use crate::operation::add::AddRequest;
use crate::operation::bind::{self, PendingBind};
use crate::operation::compare::{self, CompareRequest};
use crate::operation::delete::DeleteRequest;
use crate::operation::identifier::IdentifierSettings;
use crate::operation::modify::ModifyRequest;
use crate::operation::modify_dn::ModifyDnRequest;
use crate::operation::search::{self, Pull};
use crate::operation::{
    Attached, Authority, Context, Decision, Fresh, Identity, Limits, ListenerKind, Peer, Proposal, ProposedOperation, Settings,
    TlsFacts, WaivedNetwork, decide, prepare,
};
use crate::policy::password::{Argon2Parameters, HashAnswer, HashJob, Hasher};
use crate::protocol::ber::{self, Reader};
use crate::protocol::{Authentication, BindRequest, Control, LdapResult, MessageId, Reply, SearchRequest, oid};

pub(super) const START: Timestamp = Timestamp(1_795_000_000_000_000);

const CONTENT: &str = "\
dn: dc=mercy,dc=example
objectClass: dcObject
objectClass: organization
o: Mercy Hospital
dc: mercy

dn: cn=admin,dc=mercy,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: administrators know it

dn: ou=roles,dc=mercy,dc=example
objectClass: organizationalUnit

dn: cn=administrators,ou=roles,dc=mercy,dc=example
objectClass: groupOfNames
member: cn=admin,dc=mercy,dc=example

dn: ou=people,dc=mercy,dc=example
objectClass: organizationalUnit

dn: uid=anna,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Anna Moreau
sn: Moreau
mail: anna@mercy.example
description: Ward sister
description;lang-de: Stationsschwester
userPassword: anna knows it

dn: uid=bert,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Bert Ash
sn: Ash
mail: bert@mercy.example
userPassword: bert knows it
";

/// Who asks, and over what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Anonymous,
    Admin,
    Anna,
    Bert,
    /// Somebody else.
    Entry(EntryId),
}

pub(super) struct Server {
    pub(super) directory: Arc<Directory>,
    pub(super) now: Timestamp,
    pub(super) who: As,
    /// What the session proved.
    pub(super) factors: Vec<&'static str>,
    /// TLS is on.
    pub(super) confidential: bool,
    pub(super) waived: bool,
    pub(super) session: u64,
    pub(super) limits: Limits,
    pub(super) identifiers: IdentifierSettings,
    /// What the next request carries.
    pub(super) controls: Vec<Control>,
    /// Of the last change.
    pub(super) record: Option<Record>,
    pub(super) changes: Vec<Change>,
    pub(super) response_controls: Vec<Control>,
    /// Records of searches.
    pub(super) reads: Vec<Record>,
    /// What becomes of them.
    pub(super) recording: Result<(), crate::model::ResultCode>,
    pub(super) audits_all_reads: bool,
    hasher: Hasher,
    fresh: u8,
}

impl Server {
    pub(super) fn new() -> Server {
        let schema = Arc::new(Schema::embedded().unwrap());
        let kinds = IndexKinds { equality: true, presence: true, ordering: false, substring: false };
        let indexes = ["objectClass", "uid", "cn"].map(|name| IndexDeclaration { attribute: name.to_owned(), kinds });
        let suffix = Dn::parse(b"dc=mercy,dc=example").unwrap();
        let mut server = Server {
            directory: Arc::new(Directory::new(schema, suffix, &indexes, [7; 32])),
            now: START,
            who: As::Admin,
            factors: Vec::new(),
            confidential: true,
            waived: false,
            session: 1,
            limits: Limits::default(),
            identifiers: IdentifierSettings::default(),
            controls: Vec::new(),
            record: None,
            changes: Vec::new(),
            response_controls: Vec::new(),
            reads: Vec::new(),
            recording: Ok(()),
            audits_all_reads: false,
            hasher: Hasher::new(Argon2Parameters { memory: 8, passes: 1, lanes: 1 }),
            fresh: 0,
        };
        server.import(CONTENT);
        server
    }

    pub(super) fn as_(mut self, who: As) -> Server {
        self.who = who;
        self
    }

    pub(super) fn context(&mut self, authority: Authority) -> Context {
        self.now = Timestamp(self.now.0 + 1_000_000);
        self.fresh = self.fresh.wrapping_add(1);
        let entry = match self.who {
            As::Anonymous => None,
            As::Admin => self.find("cn=admin,dc=mercy,dc=example"),
            As::Anna => self.find("uid=anna,ou=people,dc=mercy,dc=example"),
            As::Bert => self.find("uid=bert,ou=people,dc=mercy,dc=example"),
            As::Entry(id) => Some(id),
        };
        let peer = Peer {
            text: "192.0.2.7:50123".to_owned(),
            address: Some("192.0.2.7".parse().unwrap()),
            listener: ListenerKind::Ldap,
            ldapi_identity: None,
        };
        let tls = TlsFacts { version: "TLSv1.3".to_owned(), suite: "TLS13_AES_256_GCM_SHA384".to_owned(), certificate: None };
        let waived = WaivedNetwork { network: "192.0.2.0/24".parse().unwrap(), until: Timestamp(i64::MAX) };
        Context {
            now: self.now,
            session: self.session,
            message: MessageId(1),
            peer: Arc::new(peer),
            tls: self.confidential.then(|| Arc::new(tls)),
            identity: Identity {
                entry,
                method: entry.map(|_| "SIMPLE"),
                factors: self.factors.clone(),
                must_change: false,
                live: None,
                application: None,
            },
            authority,
            settings: Arc::new(Settings {
                clear_text: self.waived.then_some(waived).into_iter().collect(),
                second_factor: Vec::new(),
                certificate_rules: Vec::new(),
                limits: self.limits,
                identifiers: self.identifiers.clone(),
                hash_key: Secret::new(vec![7; 32]),
                remembered_logins: None,
                blocklist: None,
                version: "1.2.3",
                monitor: Default::default(),
                start_tls: true,
                discloses: crate::operation::Disclosure::default(),
                audits_all_reads: self.audits_all_reads,
            }),
            fresh: Fresh { uuid: [self.fresh; 16], salt: [self.fresh; 16], password: [self.fresh; 16] },
            attached: Attached::default(),
        }
    }

    pub(super) fn find(&self, dn: &str) -> Option<EntryId> {
        match self.directory.find(&Dn::parse(dn.as_bytes()).unwrap()) {
            Lookup::Found(id) => Some(id),
            _ => None,
        }
    }

    pub(super) fn import(&mut self, ldif: &str) {
        for record in LdifReader::new(ldif.as_bytes()) {
            let record = record.unwrap();
            let operation = operation(record, Vec::new());
            let answer = self.propose(operation, Authority::Installation);
            assert_eq!(answer, "0", "{ldif}");
        }
    }

    /// Sends change records; the answer to the last: `code text [matched]`.
    pub(super) fn change(&mut self, ldif: &str) -> String {
        let mut answer = String::new();
        for record in LdifReader::new(ldif.as_bytes()) {
            let controls = std::mem::take(&mut self.controls);
            answer = self.propose(operation(record.unwrap(), controls), Authority::Session);
        }
        answer
    }

    /// A modify of Anna: everything behind `changetype: modify`.
    pub(super) fn modify(&mut self, changes: &str) -> String {
        self.change(&format!("dn: uid=anna,ou=people,dc=mercy,dc=example\nchangetype: modify\n{changes}\n"))
    }

    pub(super) fn propose(&mut self, mut operation: ProposedOperation, authority: Authority) -> String {
        let context = self.context(authority);
        let answers = self.hash(&prepare::jobs(&self.directory, &context, &mut operation));
        self.decided(prepare::with_answers(operation, answers), context)
    }

    /// A modify of Anna on its way to the committer.
    pub(super) fn prepared(&mut self, changes: &str) -> (ProposedOperation, Context) {
        let ldif = format!("dn: uid=anna,ou=people,dc=mercy,dc=example\nchangetype: modify\n{changes}\n");
        let record = LdifReader::new(ldif.as_bytes()).next().unwrap().unwrap();
        let (mut operation, context) = (operation(record, Vec::new()), self.context(Authority::Session));
        let answers = self.hash(&prepare::jobs(&self.directory, &context, &mut operation));
        (prepare::with_answers(operation, answers), context)
    }

    pub(super) fn decided(&mut self, operation: ProposedOperation, context: Context) -> String {
        let Decision { reply, changes, record, .. } = decide(&self.directory, &Proposal { context, operation }, 0);
        let mut next = (*self.directory).clone();
        changes.iter().for_each(|change| next.apply(change).unwrap());
        self.directory = Arc::new(next);
        self.changes = changes;
        assert_eq!(record.reason.is_some(), record.result != crate::model::ResultCode::Success);
        self.record = Some(record);
        self.answer(reply)
    }

    /// The first half of a simple bind, up to the committer.
    pub(super) fn begin_bind(&mut self, dn: &str, password: &str) -> PendingBind {
        let context = self.context(Authority::Session);
        let authentication = Authentication::Simple(Secret::from(password.as_bytes()));
        let request = BindRequest { version: 3, name: Bytes::copy_from_slice(dn.as_bytes()), authentication };
        match bind::begin(&self.directory, &context, request, &[]) {
            bind::Step::Verify(job, pending) => {
                let answers = self.hash(&[*job]);
                pending.with_answers(answers)
            }
            bind::Step::Commit(pending) => pending,
        }
    }

    pub(super) fn hash(&mut self, jobs: &[HashJob]) -> Vec<HashAnswer> {
        jobs.iter().map(|job| self.hasher.perform(job, [9; 16])).collect()
    }

    fn answer(&mut self, reply: Reply) -> String {
        let Reply::Result { result, controls, .. } = reply else { panic!("not a result") };
        self.response_controls = controls;
        line(&result)
    }

    pub(super) fn compare(&mut self, dn: &str, attribute: &str, value: &[u8]) -> String {
        let request = CompareRequest {
            name: Bytes::copy_from_slice(dn.as_bytes()),
            attribute: attribute.to_owned(),
            value: Secret::from(value),
            controls: std::mem::take(&mut self.controls),
        };
        let context = self.context(Authority::Session);
        let answers = self.hash(&compare::jobs(&self.directory, &context, &request));
        let reply = compare::compare(&self.directory, &context, &request, &answers);
        self.answer(reply)
    }

    /// Searches and gives entries as LDIF with sorted lines, then the answer.
    pub(super) fn search(&mut self, base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> (String, String) {
        self.search_with(&request(base, scope, filter, attributes))
    }

    pub(super) fn search_with(&mut self, request: &SearchRequest) -> (String, String) {
        let context = self.context(Authority::Session);
        let controls = std::mem::take(&mut self.controls);
        let mut stream = match search::begin(&self.directory, &context, request, &controls) {
            Ok(stream) => stream,
            Err(reply) => return (String::new(), self.answer(reply)),
        };
        let mut entries = String::new();
        loop {
            let mut budget = 3;
            match stream.pull(&mut budget, self.now) {
                Pull::Reply(Reply::Entry { name, attributes, .. }) => entries.push_str(&ldif(&name, &attributes)),
                Pull::Reply(_) => panic!("not an entry"),
                Pull::Pause => {}
                Pull::Fetch(_) => panic!("the journal is asked for"),
                Pull::Wait => panic!("the search goes on"),
                Pull::Record(proposal) => {
                    let record = decide(&self.directory, &proposal, 0).record;
                    self.reads.push(record);
                    stream.recorded(self.recording);
                }
                Pull::Done(reply) => return (entries, self.answer(reply)),
            }
        }
    }

    /// One entry's attributes as sorted lines.
    pub(super) fn read(&mut self, dn: &str, attributes: &[&str]) -> String {
        let (entries, answer) = self.search(dn, Scope::Base, "(objectClass=*)", attributes);
        assert_eq!(answer, "0", "{dn}");
        entries.lines().skip(1).map(|line| format!("{line}\n")).collect()
    }

    /// The names a search finds, sorted, and the answer.
    pub(super) fn names(&mut self, request: &SearchRequest) -> (Vec<String>, String) {
        let (entries, answer) = self.search_with(request);
        let mut names: Vec<String> = entries.lines().filter_map(|line| line.strip_prefix("dn: ").map(str::to_owned)).collect();
        names.sort();
        (names, answer)
    }
}

pub(super) fn request(base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> SearchRequest {
    SearchRequest {
        base: Bytes::copy_from_slice(base.as_bytes()),
        scope,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit: 0,
        types_only: false,
        filter: Filter::parse(filter.as_bytes()).unwrap(),
        attributes: attributes.iter().map(|&attribute| attribute.to_owned()).collect(),
    }
}

fn operation(record: LdifRecord, controls: Vec<Control>) -> ProposedOperation {
    let name = Bytes::from(record.dn);
    match record.body {
        LdifBody::Add(attributes) => ProposedOperation::Add(AddRequest::new(name, attributes, controls)),
        LdifBody::Modify(changes) => ProposedOperation::Modify(ModifyRequest::new(name, changes, controls)),
        LdifBody::Delete => ProposedOperation::Delete(DeleteRequest { name, controls }),
        LdifBody::Rename { new_rdn, delete_old_rdn, new_superior } => ProposedOperation::ModifyDn(ModifyDnRequest {
            name,
            new_rdn: Bytes::from(new_rdn),
            delete_old_rdn,
            new_superior: new_superior.map(Bytes::from),
            controls,
        }),
    }
}

fn line(result: &LdapResult) -> String {
    let mut line = result.code.number().to_string();
    if !result.diagnostic.is_empty() {
        line.push_str(&format!(" {}", result.diagnostic));
    }
    if !result.matched.is_empty() {
        line.push_str(&format!(" [{}]", result.matched));
    }
    line
}

/// An entry as LDIF, attributes sorted.
pub(super) fn ldif(name: &str, attributes: &[u8]) -> String {
    let mut lines = Vec::new();
    let mut reader = Reader::new(attributes);
    while !reader.is_empty() {
        let mut attribute = reader.sequence().unwrap();
        let description = String::from_utf8(attribute.octet_string().unwrap().to_vec()).unwrap();
        let mut values = attribute.set().unwrap();
        attribute.finish().unwrap();
        if values.is_empty() {
            lines.push(format!("{description}:\n"));
        }
        while !values.is_empty() {
            let value = values.octet_string().unwrap();
            lines.push(format!("{description}: {}\n", String::from_utf8_lossy(value)));
        }
    }
    lines.sort();
    format!("dn: {name}\n{}", lines.concat())
}

pub(super) fn control(oid: &str, value: Option<Bytes>) -> Control {
    Control { oid: oid.to_owned(), critical: true, value }
}

pub(super) fn paged(size: i64, cookie: &[u8]) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|writer| {
            writer.integer(size);
            writer.octet_string(cookie);
        });
    });
    control(oid::PAGED_RESULTS, Some(value))
}

/// The value of an attribute selection control.
pub(super) fn attribute_list(attributes: &[&str]) -> Option<Bytes> {
    Some(ber::encode(|writer| {
        writer.sequence(|writer| attributes.iter().for_each(|attribute| writer.octet_string(attribute.as_bytes())));
    }))
}

/// The entry in a pre- or post-read response control.
pub(super) fn entry_in(control: &Control) -> String {
    let mut reader = Reader::new(control.value.as_ref().unwrap());
    let mut entry = reader.constructed(ber::Tag(0x64)).unwrap();
    let name = String::from_utf8(entry.octet_string().unwrap().to_vec()).unwrap();
    ldif(&name, entry.expect(ber::Tag::SEQUENCE).unwrap())
}
