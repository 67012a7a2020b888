//! A client: its session, what it waits for, and what the model says it must be told.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery::model::ResultCode;
use bindery::operation::{Limits, ListenerKind, Peer, Settings, TlsFacts};
use bindery::protocol::{Reply, ber};
use bindery::session::Session;

use crate::ask::Operation;
use crate::model::{Asked, Model, Who, is_reference, normalized};

/// Whom every peer is said to be.
pub(crate) const ADDRESS: &str = "192.0.2.7";

pub(crate) struct Client {
    pub(crate) session: Session,
    /// Unique in the whole simulation.
    pub(crate) number: u64,
    pub(crate) next_message: i32,
    pub(crate) who: Who,
    /// The session began with a password that had to be changed.
    pub(crate) restricted: bool,
    /// A bind is under way, and as whom it ends if it succeeds.
    pub(crate) binding: Option<i32>,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) transactions: u64,
    pub(crate) asked: BTreeMap<i32, Asked>,
    /// What must be told, by message.
    pub(crate) waiting: BTreeMap<i32, Due>,
}

/// What a client must be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// It is not decided yet.
    Later,
    Code(u32),
    /// Something; what, is not the model's business.
    Any,
}

/// What a client gathers until it ends it.
pub(crate) struct Transaction {
    pub(crate) identifier: String,
    pub(crate) steps: Vec<Asked>,
}

impl Client {
    pub(crate) fn new(number: u64, settings: Arc<Settings>) -> Client {
        let peer = Peer {
            text: format!("{ADDRESS}:50123"),
            address: Some(ADDRESS.parse().unwrap()),
            listener: ListenerKind::Ldaps,
            ldapi_identity: None,
        };
        let suite = "TLS13_AES_256_GCM_SHA384".to_owned();
        let tls = TlsFacts { version: "TLSv1.3".to_owned(), suite, certificate: None };
        Client {
            session: Session::new(number, Arc::new(peer), Some(Arc::new(tls)), settings),
            number,
            next_message: 1,
            who: Who::Anonymous,
            restricted: false,
            binding: None,
            transaction: None,
            transactions: 0,
            asked: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Whether the end of a transaction is not answered yet.
    pub(crate) fn is_ending(&self) -> bool {
        let ends =
            |message: &i32| matches!(self.asked.get(message), Some(Asked { operation: Operation::EndTransaction { .. }, .. }));
        self.waiting.keys().any(ends)
    }

    /// Checks that a reply was due and says what the model says.
    pub(crate) fn told(&mut self, message: i32, reply: &Reply) -> Result<(), String> {
        let Reply::Result { result, .. } = reply else { return Ok(()) };
        let told = result.code.number();
        match self.waiting.remove(&message) {
            None => Err(format!("session {} message {message}: told {told} without having asked", self.number)),
            Some(Due::Later) => Err(format!("session {} message {message}: told {told} before it was decided", self.number)),
            Some(Due::Code(code)) if code != told => {
                let (number, text) = (self.number, &result.diagnostic);
                Err(format!("session {number} message {message}: told {told} where {code} is due ({text})"))
            }
            Some(Due::Code(_) | Due::Any) => Ok(()),
        }
    }
}

/// What all clients' sessions are set to.
pub(crate) fn settings() -> Settings {
    Settings {
        clear_text: Vec::new(),
        second_factor: Vec::new(),
        certificate_rules: Vec::new(),
        limits: Limits::default(),
        identifiers: Default::default(),
        hash_key: bindery::model::Secret::new(vec![7; 32]),
        remembered_logins: None,
        blocklist: None,
        version: "0",
        monitor: Default::default(),
        start_tls: true,
        discloses: bindery::operation::Disclosure::default(),
        audits_all_reads: false,
    }
}

type Found = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Compares what a search returned with what the model holds: all of it for administrators, nothing else for everybody.
pub(crate) fn check_search(model: &Model, who: Who, names: &[String], replies: &[Reply]) -> Result<(), String> {
    let mut found = Found::new();
    for reply in replies {
        let Reply::Entry { name, attributes, .. } = reply else { continue };
        if found.insert(name.clone(), decode(attributes)?).is_some() {
            return Err(format!("{name} was returned twice"));
        }
    }
    let expected: Found = names.iter().map(|name| (model.spelled(name), seen(model, name))).collect();
    let is_due = |(name, attributes): (&String, &BTreeMap<String, Vec<String>>)| {
        expected.get(name).is_some_and(|due| attributes.iter().all(|(name, values)| due.get(name) == Some(values)))
    };
    let is_right = if model.is_administrator(who) { found == expected } else { found.iter().all(is_due) };
    if is_right { Ok(()) } else { Err(format!("a search returned\n{found:#?}\nwhere these are due\n{expected:#?}")) }
}

/// The user attributes of an entry and its groups.
fn seen(model: &Model, name: &str) -> BTreeMap<String, Vec<String>> {
    let entry = &model.entries[name];
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (attribute, values) in &entry.attributes {
        all.insert(attribute.clone(), values.values().cloned().collect());
    }
    for ((attribute, target), reference) in &entry.references {
        all.entry(attribute.clone()).or_default().push(model.value_of(target, reference));
    }
    let own = ("member".to_owned(), crate::model::Target::Entry(entry.number));
    for (group, _) in model.entries.iter().filter(|(_, group)| group.references.contains_key(&own)) {
        all.entry("memberOf".to_owned()).or_default().push(model.spelled(group));
    }
    all.values_mut().for_each(|values| values.sort());
    all
}

fn decode(attributes: &[u8]) -> Result<BTreeMap<String, Vec<String>>, String> {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let read = || {
        let mut all = BTreeMap::new();
        let mut rest = ber::Reader::new(attributes);
        while !rest.is_empty() {
            let mut attribute = rest.sequence()?;
            let description = text(attribute.octet_string()?);
            let (mut set, mut values) = (attribute.set()?, Vec::new());
            while !set.is_empty() {
                values.push(text(set.octet_string()?));
            }
            values.sort();
            all.insert(description, values);
        }
        Ok(all)
    };
    read().map_err(|error: ber::BerError| error.0.to_owned())
}

/// What a compare must be told.
pub(crate) fn compared(model: &Model, name: &str, attribute: &str, value: &str) -> ResultCode {
    let Some(entry) = model.find(name) else { return ResultCode::NoSuchObject };
    let (present, equal) = if is_reference(attribute) {
        let wanted = (attribute.to_owned(), model.resolve(value));
        (entry.references.keys().any(|(name, _)| name == attribute), entry.references.contains_key(&wanted))
    } else {
        let values = entry.attributes.get(attribute);
        (values.is_some(), values.is_some_and(|values| values.contains_key(&normalized(value))))
    };
    match (present, equal) {
        (false, _) => ResultCode::NoSuchAttribute,
        (true, true) => ResultCode::CompareTrue,
        (true, false) => ResultCode::CompareFalse,
    }
}
