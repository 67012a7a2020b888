//! Random conversations: nothing panics, each request is answered once at most, and exactly once where it must be.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;

use super::harness::*;
use crate::directory::Directory;
use crate::model::{Attribute, ResultCode, Secret};
use crate::protocol::{Control, Message, MessageId, Reply, Request, ResponseKind, oid};

/// One event of a conversation.
#[derive(Clone, Debug)]
enum Event {
    /// A request with the next message ID (or one that may be in use).
    Send(Asked, Option<i32>, bool),
    /// The oldest piece of work is done.
    Work,
    /// The handshake ends, if one is due.
    Handshake,
    /// The journal fails from now on, or works again.
    Break(bool),
}

#[derive(Clone, Debug)]
enum Asked {
    Bind(String, String),
    Sasl(String, Option<Vec<u8>>),
    Search(String),
    Compare(String, String),
    Modify(String, String, String),
    Add(String),
    Delete(String),
    Rename(String, String),
    Extended(String, Option<Vec<u8>>),
    Malformed(ResponseKind),
    Abandon(i32),
    Cancel(i32),
    StartTransaction,
    EndTransaction(bool, u8),
    InTransaction(u8, String, String),
    Unbind,
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![ADMIN, ANNA, BERT, CARL, SUFFIX, "", "dc=elsewhere", "uid=new,dc=hospital,dc=example"]).prop_map(str::to_owned),
        1 => "[a-z=,+\\\\#]{0,12}",
    ]
}

fn passwords() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(PASSWORD.to_owned()), 1 => Just(String::new()), 1 => "[a-z]{1,4}"]
}

fn octets() -> impl Strategy<Value = Option<Vec<u8>>> {
    let plain = format!("\0anna\0{PASSWORD}").into_bytes();
    prop_oneof![
        Just(None),
        Just(Some(Vec::new())),
        Just(Some(plain)),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(Some)
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let attributes = || select(vec!["title", "userPassword", "zork", "uid"]).prop_map(str::to_owned);
    let extended = select(vec![oid::START_TLS, oid::WHO_AM_I, oid::PASSWORD_MODIFY, "1.2.3"]).prop_map(str::to_owned);
    let kinds = select(vec![ResponseKind::Bind, ResponseKind::SearchDone, ResponseKind::Modify, ResponseKind::Extended]);
    let mechanisms = select(vec!["EXTERNAL", "PLAIN", "", "ZORK"]).prop_map(str::to_owned);
    prop_oneof![
        6 => (names(), passwords()).prop_map(|(name, password)| Asked::Bind(name, password)),
        2 => (mechanisms, octets()).prop_map(|(mechanism, credentials)| Asked::Sasl(mechanism, credentials)),
        4 => names().prop_map(Asked::Search),
        2 => (names(), attributes()).prop_map(|(name, attribute)| Asked::Compare(name, attribute)),
        4 => (names(), attributes(), passwords()).prop_map(|(name, attribute, value)| Asked::Modify(name, attribute, value)),
        1 => names().prop_map(Asked::Add),
        1 => names().prop_map(Asked::Delete),
        1 => (names(), names()).prop_map(|(name, rdn)| Asked::Rename(name, rdn)),
        3 => (extended, octets()).prop_map(|(name, value)| Asked::Extended(name, value)),
        1 => kinds.prop_map(Asked::Malformed),
        3 => (0..40).prop_map(Asked::Abandon),
        3 => (100..160).prop_map(Asked::Cancel),
        2 => Just(Asked::StartTransaction),
        2 => (any::<bool>(), 1..4_u8).prop_map(|(commit, number)| Asked::EndTransaction(commit, number)),
        4 => (1..4_u8, names(), attributes()).prop_map(|(number, name, attribute)| Asked::InTransaction(number, name, attribute)),
        1 => Just(Asked::Unbind),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let id = prop_oneof![30 => Just(None), 1 => (-1..40).prop_map(Some)];
    let event = prop_oneof![
        6 => (asked(), id, proptest::bool::weighted(0.05)).prop_map(|(asked, id, control)| Event::Send(asked, id, control)),
        8 => Just(Event::Work),
        1 => Just(Event::Handshake),
        1 => proptest::bool::weighted(0.2).prop_map(Event::Break),
    ];
    proptest::collection::vec(event, 0..60)
}

impl Asked {
    fn request(self) -> Request {
        match self {
            Asked::Bind(name, password) => simple(&name, &password),
            Asked::Sasl(mechanism, credentials) => sasl(&mechanism, credentials.as_deref()),
            Asked::Search(base) => search(&base),
            Asked::Compare(name, attribute) => {
                Request::Compare { name: name.into(), attribute, value: Secret::from(PASSWORD.as_bytes()) }
            }
            Asked::Modify(name, attribute, value) => replace(&name, &attribute, &value),
            Asked::Add(name) => {
                let values = |value: &'static str| vec![Bytes::from_static(value.as_bytes())];
                let attributes = [("objectClass", "inetOrgPerson"), ("cn", "N"), ("sn", "N"), ("userPassword", PASSWORD)];
                let attributes =
                    attributes.map(|(name, value)| Attribute { description: name.to_owned(), values: values(value) });
                Request::Add { name: name.into(), attributes: attributes.to_vec() }
            }
            Asked::Delete(name) => Request::Delete { name: name.into() },
            Asked::Rename(name, rdn) => {
                Request::ModifyDn { name: name.into(), new_rdn: rdn.into(), delete_old_rdn: true, new_superior: None }
            }
            Asked::Extended(name, value) => extended(&name, value.as_deref()),
            Asked::Malformed(kind) => Request::Malformed { kind, code: ResultCode::ProtocolError, diagnostic: "bad" },
            Asked::Abandon(id) => Request::Abandon(MessageId(id)),
            Asked::Cancel(id) => cancel(id),
            Asked::StartTransaction => extended(oid::START_TRANSACTION, None),
            Asked::EndTransaction(commit, number) => {
                extended(oid::END_TRANSACTION, Some(&[0x30, 6, 1, 1, u8::from(commit) * 255, 4, 1, b'0' + number]))
            }
            Asked::InTransaction(_, name, attribute) => replace(&name, &attribute, PASSWORD),
            Asked::Unbind => Request::Unbind,
        }
    }
}

/// What was asked with which number, as far as it can be told apart.
#[derive(Default)]
struct Asking {
    kinds: BTreeMap<MessageId, ResponseKind>,
    may_stay_unanswered: BTreeSet<MessageId>,
    next: i32,
}

impl Asking {
    /// Sends a request; searches that are dropped by an abandon or a bind may stay without an answer.
    fn send(&mut self, server: &mut Server, asked: Asked, id: Option<i32>, control: bool) {
        self.next += 1;
        let id = MessageId(id.unwrap_or(self.next + 100));
        let transaction = match asked {
            Asked::InTransaction(number, ..) => Some(number.to_string()),
            _ => None,
        };
        let request = asked.request();
        match (&request, request.response_kind()) {
            (Request::Abandon(target), _) => _ = self.may_stay_unanswered.insert(*target),
            (_, Some(ResponseKind::Bind)) => {
                let searches = self.kinds.iter().filter(|(_, kind)| **kind == ResponseKind::SearchDone);
                self.may_stay_unanswered.extend(searches.map(|(id, _)| *id));
            }
            _ => {}
        }
        if let Some(kind) = request.response_kind() {
            // A number that is used again is either in use (the connection ends) or answered already.
            if self.kinds.insert(id, kind).is_some() {
                server.replies.retain(|(answered, _)| *answered != id);
            }
        }
        let unknown = || Control { oid: "1.2.3.4".to_owned(), critical: true, value: None };
        let specification = |identifier: String| Control {
            oid: oid::TRANSACTION_SPECIFICATION.to_owned(),
            critical: true,
            value: Some(identifier.into()),
        };
        let controls = control.then(unknown).into_iter().chain(transaction.map(specification)).collect();
        server.receive(Message { id, request, controls });
    }
}

fn is_last(reply: &Reply) -> bool {
    matches!(reply, Reply::Result { .. })
}

fn kind_of(reply: &Reply) -> Option<ResponseKind> {
    match reply {
        Reply::Result { kind, .. } => Some(*kind),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_once(events in events(), which in 0..4_usize) {
        let doors = [Door::tls(), Door::waived(), Door::clear(), Door::ldapi(Some(ADMIN))];
        let mut server = Server::new(doors[which].clone());
        let mut asking = Asking::default();
        for event in events {
            match event {
                Event::Send(asked, id, control) => asking.send(&mut server, asked, id, control),
                Event::Work => _ = server.work(),
                Event::Handshake if server.handshake_due => server.handshake(),
                Event::Handshake => {}
                Event::Break(broken) => server.broken = broken,
            }
            prop_assert!(server.session.operations.len() <= doors[which].settings.limits.pending_operations);
            if let Some(id) = server.session.identity().entry {
                prop_assert!(id < Directory::next_entry_id(&server.directory));
            }
        }
        server.settle();
        prop_assert!(server.closed.is_some() || server.session.operations.is_empty());
        for (id, kind) in &asking.kinds {
            let last: Vec<Reply> = server.replies_to(*id).into_iter().filter(is_last).collect();
            prop_assert!(last.len() <= 1, "{id:?} answered {} times", last.len());
            prop_assert!(last.iter().all(|reply| kind_of(reply) == Some(*kind)));
            let excused = server.closed.is_some() || asking.may_stay_unanswered.contains(id);
            prop_assert!(excused || last.len() == 1, "{id:?} {kind:?} is not answered");
        }
        prop_assert!(server.replies.iter().all(|(id, _)| *id == MessageId(0) || asking.kinds.contains_key(id)), "nothing is answered that was not asked");
    }
}
