//! A follower's copy against the directory: whatever changes, and whenever it hears of it, its copy is what a search finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::harness::{As, Server, request};
use crate::directory::{Change, Directory, RECENT_CHANGES};
use crate::model::{EntryId, ResultCode, Scope, Timestamp};
use crate::operation::Authority;
use crate::operation::search::{self, Pull, SearchStream};
use crate::protocol::ber::{self, Reader, Tag};
use crate::protocol::{Control, Reply, SearchRequest, oid};

const SUFFIX: &str = "dc=mercy,dc=example";
const PEOPLE: &str = "ou=people,dc=mercy,dc=example";

/// entryUUID → name and attributes.
type Content = BTreeMap<Vec<u8>, (String, Bytes)>;

#[derive(Default)]
struct Copy {
    content: Content,
    present: Vec<Vec<u8>>,
    cookie: Option<Vec<u8>>,
    refreshed: bool,
    ended: Option<ResultCode>,
}

impl Copy {
    fn take(&mut self, reply: &Reply) {
        match reply {
            Reply::Entry { name, attributes, controls } => {
                let (state, uuid) = state_of(controls);
                match state {
                    3 => drop(self.content.remove(&uuid)),
                    _ => {
                        self.present.push(uuid.clone());
                        self.rename_below(&uuid, name);
                        self.content.insert(uuid, (name.clone(), attributes.clone()));
                    }
                }
            }
            Reply::Intermediate { oid, value } => {
                assert_eq!(oid.as_deref(), Some(oid::SYNC_INFO));
                self.info(value.as_deref().unwrap());
            }
            Reply::Result { result, controls, .. } => {
                self.ended = Some(result.code);
                let Some(done) = controls.iter().find(|control| control.oid == oid::SYNC_DONE) else { return };
                let mut parts = Reader::new(done.value.as_deref().unwrap()).sequence().unwrap();
                self.cookie = Some(parts.octet_string().unwrap().to_vec());
                let deletes = parts.optional(Tag::BOOLEAN).unwrap().is_some();
                if result.code == ResultCode::Success && !deletes {
                    self.drop_others();
                }
            }
            Reply::Reference { .. } => panic!("no references"),
        }
    }

    fn info(&mut self, value: &[u8]) {
        let (tag, content) = Reader::new(value).element().unwrap();
        let mut parts = Reader::new(content);
        match tag.number() {
            0 => self.cookie = Some(content.to_vec()),
            3 => {
                let deletes = parts.optional(Tag::BOOLEAN).unwrap().is_some();
                let mut set = parts.set().unwrap();
                while !set.is_empty() {
                    let uuid = set.octet_string().unwrap().to_vec();
                    if deletes { drop(self.content.remove(&uuid)) } else { self.present.push(uuid) }
                }
            }
            number => {
                self.cookie = Some(parts.octet_string().unwrap().to_vec());
                self.refreshed = true;
                if number == 2 {
                    self.drop_others();
                }
            }
        }
    }

    /// The names of entries below follow (RFC 4533 section 4.1: a name is no content, nobody tells of theirs).
    fn rename_below(&mut self, uuid: &[u8], name: &str) {
        let Some(old) = self.content.get(uuid).map(|(old, _)| format!(",{old}")) else { return };
        for (below, _) in self.content.values_mut() {
            if let Some(rdns) = below.strip_suffix(&old) {
                *below = format!("{rdns},{name}");
            }
        }
    }

    fn drop_others(&mut self) {
        let present = std::mem::take(&mut self.present);
        self.content.retain(|uuid, _| present.contains(uuid));
    }

    /// Takes all there is.
    fn follow(&mut self, stream: &mut SearchStream, server: &Server) {
        stream.wake(&server.directory);
        self.present.clear();
        loop {
            let mut budget = 3;
            match stream.pull(&mut budget, server.now) {
                Pull::Reply(reply) => self.take(&reply),
                Pull::Pause => {}
                Pull::Fetch(_) | Pull::Record(_) => panic!("the journal is asked for"),
                Pull::Wait => return,
                Pull::Done(reply) => return self.take(&reply),
            }
        }
    }

    /// A refresh from where the copy is.
    fn refresh(&mut self, server: &mut Server, asked: &SearchRequest) {
        let mut stream = begin(server, asked, false, self.cookie.as_deref()).unwrap();
        self.follow(&mut stream, server);
        assert_eq!(self.ended, Some(ResultCode::Success));
    }
}

fn state_of(controls: &[Control]) -> (i64, Vec<u8>) {
    let state = controls.iter().find(|control| control.oid == oid::SYNC_STATE).unwrap();
    let mut parts = Reader::new(state.value.as_deref().unwrap()).sequence().unwrap();
    (parts.enumerated().unwrap(), parts.octet_string().unwrap().to_vec())
}

#[allow(clippy::result_large_err, reason = "the error is the answer, made once")]
fn begin(server: &mut Server, asked: &SearchRequest, persist: bool, cookie: Option<&[u8]>) -> Result<SearchStream, Reply> {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            parts.enumerated(if persist { 3 } else { 1 });
            if let Some(cookie) = cookie {
                parts.octet_string(cookie);
            }
        });
    });
    let control = Control { oid: oid::SYNC_REQUEST.to_owned(), critical: true, value: Some(value) };
    let context = server.context(Authority::Session);
    search::begin(&server.directory, &context, asked, &[control])
}

/// What a first copy of the directory as it is now would be.
fn content(server: &mut Server, asked: &SearchRequest) -> Content {
    let mut copy = Copy::default();
    copy.refresh(server, asked);
    copy.content
}

/// Something one might do; much of it is refused, which is as good.
#[derive(Clone, Debug)]
enum Deed {
    Add(u8, u8),
    AddUnit(u8, u8),
    Modify(u8, u8),
    Rename(u8, u8, u8),
    RenameUnit(u8, u8, u8),
    Delete(u8),
    DeleteUnit(u8),
    Join(u8, bool),
    /// The live follower hears of what happened so far.
    Hear,
    /// The other follower refreshes its copy.
    Poll,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let small = || 0_u8..4;
    let deed = prop_oneof![
        3 => (small(), small()).prop_map(|(person, unit)| Deed::Add(person, unit)),
        2 => (small(), small()).prop_map(|(unit, above)| Deed::AddUnit(unit, above)),
        2 => (small(), small()).prop_map(|(person, title)| Deed::Modify(person, title)),
        2 => (small(), small(), small()).prop_map(|(person, name, unit)| Deed::Rename(person, name, unit)),
        2 => (small(), small(), small()).prop_map(|(unit, name, above)| Deed::RenameUnit(unit, name, above)),
        2 => small().prop_map(Deed::Delete),
        1 => small().prop_map(Deed::DeleteUnit),
        2 => (small(), any::<bool>()).prop_map(|(person, joins)| Deed::Join(person, joins)),
        2 => Just(Deed::Hear),
        1 => Just(Deed::Poll),
    ];
    proptest::collection::vec(deed, 1..40)
}

/// Where a person or unit of this number is now.
fn place(server: &Server, rdn: &str) -> Option<String> {
    let found = server.directory.nodes().find(|node| node.name == rdn)?;
    Some(server.directory.dn_text(found.id))
}

fn unit(server: &Server, number: u8) -> String {
    match number {
        0 => PEOPLE.to_owned(),
        1 => SUFFIX.to_owned(),
        number => place(server, &format!("ou=u{number}")).unwrap_or_else(|| PEOPLE.to_owned()),
    }
}

fn perform(server: &mut Server, deed: &Deed) {
    let person = |server: &Server, number: u8| place(server, &format!("uid=p{number}"));
    let ldif = match deed {
        Deed::Add(number, above) => {
            let above = unit(server, *above);
            Some(format!("dn: uid=p{number},{above}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: x\nsn: x\ntitle: t0\n"))
        }
        Deed::AddUnit(number, above) => {
            let above = unit(server, *above);
            Some(format!("dn: ou=u{number},{above}\nchangetype: add\nobjectClass: organizationalUnit\n"))
        }
        Deed::Modify(number, title) => {
            person(server, *number).map(|dn| format!("dn: {dn}\nchangetype: modify\nreplace: title\ntitle: t{title}\n"))
        }
        Deed::Rename(number, name, above) => person(server, *number).map(|dn| {
            let above = unit(server, *above);
            format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=p{name}\ndeleteoldrdn: 1\nnewsuperior: {above}\n")
        }),
        Deed::RenameUnit(number, name, above) => place(server, &format!("ou=u{number}")).map(|dn| {
            let above = unit(server, *above);
            format!("dn: {dn}\nchangetype: modrdn\nnewrdn: ou=u{name}\ndeleteoldrdn: 1\nnewsuperior: {above}\n")
        }),
        Deed::Delete(number) => person(server, *number).map(|dn| format!("dn: {dn}\nchangetype: delete\n")),
        Deed::DeleteUnit(number) => place(server, &format!("ou=u{number}")).map(|dn| format!("dn: {dn}\nchangetype: delete\n")),
        Deed::Join(number, joins) => person(server, *number).map(|dn| {
            let operation = if *joins { "add" } else { "delete" };
            format!("dn: cn=group,{PEOPLE}\nchangetype: modify\n{operation}: member\nmember: {dn}\n")
        }),
        Deed::Hear | Deed::Poll => None,
    };
    if let Some(ldif) = ldif {
        server.change(&ldif);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_copy_is_what_a_search_finds(deeds in deeds(), scope in 0_usize..4, which in 0_usize..4) {
        let mut server = Server::new();
        server.import(&format!("dn: cn=group,{PEOPLE}\nobjectClass: groupOfNames\nmember: cn=admin,{SUFFIX}\n"));
        let scope = [Scope::Subtree, Scope::One, Scope::Children, Scope::Base][scope];
        let filter = ["(objectClass=*)", "(title=t0)", "(!(title=t1))", "(member=*)"][which];
        let asked = request(PEOPLE, scope, filter, &["*", "+"]);
        let mut stream = begin(&mut server, &asked, true, None).unwrap();
        let (mut live, mut poll) = (Copy::default(), Copy::default());
        live.follow(&mut stream, &server);
        poll.refresh(&mut server, &asked);
        for deed in deeds.iter().chain([&Deed::Hear, &Deed::Poll]) {
            perform(&mut server, deed);
            match deed {
                Deed::Hear => {
                    live.follow(&mut stream, &server);
                    prop_assert!(live.refreshed && live.ended.is_none());
                    prop_assert_eq!(&live.content, &content(&mut server, &asked), "live");
                }
                Deed::Poll => {
                    poll.refresh(&mut server, &asked);
                    prop_assert_eq!(&poll.content, &content(&mut server, &asked), "polled");
                }
                _ => {}
            }
        }
        // What the live copy was told last is also good for a refresh, and for one by a server that remembers nothing.
        live.refresh(&mut server, &asked);
        prop_assert_eq!(&live.content, &content(&mut server, &asked), "refreshed");
        let forgetful = forgetful(&server.directory);
        server.directory = Arc::new(forgetful);
        poll.refresh(&mut server, &asked);
        let (mut polled, mut there) = (poll.content, content(&mut server, &asked));
        if which > 0 {
            // Nobody tells that an entry has another name above it that is not in the copy, where nobody remembers it.
            polled.values_mut().chain(there.values_mut()).for_each(|(name, _)| name.clear());
        }
        prop_assert_eq!(&polled, &there, "refreshed after a restart");
    }
}

/// The directory as it is after a restart.
fn forgetful(directory: &Directory) -> Directory {
    let mut again = Directory::new(Arc::clone(directory.schema()), directory.suffix().clone(), &[], [7; 32]);
    directory.rows().for_each(|row| again.load_row(row).unwrap());
    again.finish_loading().unwrap();
    again
}

#[test]
fn who_is_too_far_behind_must_refresh() {
    let mut server = Server::new();
    let asked = request(PEOPLE, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    let mut synchronized = begin(&mut server, &asked, true, None).unwrap();
    let mut copy = Copy::default();
    copy.follow(&mut synchronized, &server);
    let persistent = Control {
        oid: oid::PERSISTENT_SEARCH.to_owned(),
        critical: true,
        value: Some(Bytes::from_static(&[0x30, 9, 2, 1, 15, 1, 1, 0xff, 1, 1, 0xff])),
    };
    let context = server.context(Authority::Session);
    let mut persistent = search::begin(&server.directory, &context, &asked, &[persistent]).unwrap();
    assert!(synchronized.is_persistent() && persistent.is_persistent());
    assert!(!persistent.wake(&server.directory), "nothing happened");

    let anna = server.find("uid=anna,ou=people,dc=mercy,dc=example").unwrap();
    let mut head = (*server.directory).clone();
    for _ in 0..=RECENT_CHANGES {
        head.apply(&put(&head, anna)).unwrap();
    }
    server.directory = Arc::new(head);
    copy.follow(&mut synchronized, &server);
    assert_eq!(copy.ended, Some(ResultCode::SyncRefreshRequired));
    assert!(copy.cookie.is_some());
    assert!(persistent.wake(&server.directory));
    let Pull::Done(Reply::Result { result, .. }) = persistent.pull(&mut 100, server.now) else { panic!("goes on") };
    assert_eq!(result.code, ResultCode::Busy);
    copy.refresh(&mut server, &asked);
    assert_eq!(copy.content.len(), 3);
}

#[test]
fn a_cookie_from_a_time_that_a_restore_undid_is_refused_for_good() {
    let mut server = Server::new();
    let asked = request(PEOPLE, Scope::Subtree, "(objectClass=*)", &["*"]);
    let mut copy = Copy::default();
    copy.refresh(&mut server, &asked);
    let stamp = server.directory.context().stamp;
    let cookie = copy.cookie.clone().unwrap();
    // However much is changed afterwards.
    server.change(&format!("dn: uid=anna,{PEOPLE}\nchangetype: modify\nreplace: title\ntitle: later\n"));
    let before = Timestamp(stamp.time.0 - 1);
    for (times, code) in [
        (vec![], None),
        (vec![(before, stamp.time)], Some(ResultCode::SyncRefreshRequired)),
        (vec![(Timestamp(0), before), (stamp.time, Timestamp(stamp.time.0 + 5))], None),
        (vec![(Timestamp(0), before), (before, Timestamp(stamp.time.0 + 5))], Some(ResultCode::SyncRefreshRequired)),
    ] {
        let mut directory = (*server.directory).clone();
        directory.set_undone(times.clone());
        server.directory = Arc::new(directory);
        for persist in [false, true] {
            let begun = begin(&mut server, &asked, persist, Some(&cookie));
            let refused = match begun {
                Ok(_) => None,
                Err(Reply::Result { result, .. }) => Some(result.code),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(refused, code, "{times:?}");
        }
    }
    // Without it everything comes.
    let mut anew = Copy::default();
    anew.refresh(&mut server, &asked);
    assert_eq!(anew.content, content(&mut server, &asked));
    assert!(begin(&mut server, &asked, false, anew.cookie.as_deref()).is_ok());
}

fn put(directory: &Directory, id: EntryId) -> Change {
    let node = directory.node(id).unwrap();
    Change::PutEntry { id, parent: node.parent, name: node.name.clone(), block: node.entry.block().clone() }
}

#[test]
fn a_folder_that_keeps_no_context_takes_it_from_its_newest_entry() {
    let server = Server::new();
    let mut again = Directory::new(Arc::clone(server.directory.schema()), server.directory.suffix().clone(), &[], [7; 32]);
    let of_context = |key: &[u8]| key == b"context";
    server.directory.rows().filter(|row| !of_context(&row.key)).for_each(|row| again.load_row(row).unwrap());
    again.finish_loading().unwrap();
    let newest = server.directory.nodes().filter_map(|node| server.directory.stamp_of(node)).max();
    assert_eq!(Some(again.context().stamp), newest);
    assert_eq!(again.context().number, 0);
}

#[test]
fn anonymous_follows_nothing() {
    let mut server = Server::new().as_(As::Anonymous);
    let asked = request(PEOPLE, Scope::Subtree, "(objectClass=*)", &[]);
    let Err(Reply::Result { result, .. }) = begin(&mut server, &asked, true, None) else { panic!("it follows") };
    assert_eq!(result.code, ResultCode::NoSuchObject);
}
