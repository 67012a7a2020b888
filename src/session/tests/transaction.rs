//! Transactions (RFC 5805).

use bytes::Bytes;

use super::harness::*;
use crate::model::ResultCode;
use crate::operation::transaction::MAXIMUM_OPERATIONS;
use crate::protocol::ber::{self, Reader};
use crate::protocol::{Control, Message, MessageId, Reply, Request, oid};

const INVALID: (u32, &str) = (2, "transaction identifier is invalid");

fn within(identifier: &str) -> Control {
    let value = Some(Bytes::copy_from_slice(identifier.as_bytes()));
    Control { oid: oid::TRANSACTION_SPECIFICATION.to_owned(), critical: true, value }
}

fn end(commit: Option<bool>, identifier: &str) -> Request {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            if let Some(commit) = commit {
                parts.boolean(commit);
            }
            parts.octet_string(identifier.as_bytes());
        });
    });
    extended(oid::END_TRANSACTION, Some(&value))
}

fn administrator() -> Server {
    let mut server = Server::new(Door::tls());
    server.bind(ADMIN, PASSWORD);
    server.records.clear();
    server
}

fn start(server: &mut Server) -> String {
    match server.ask(extended(oid::START_TRANSACTION, None)) {
        Reply::Result { result, extended_value: Some(value), extended_name: None, .. } if result.code == ResultCode::Success => {
            String::from_utf8(value.to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Code, text, and the message ID in the value.
fn ended(reply: &Reply) -> (u32, String, Option<i64>) {
    let Reply::Result { result, extended_value, extended_name: None, .. } = reply else { panic!("{reply:?}") };
    let id = extended_value.as_ref().map(|value| Reader::new(value).sequence().unwrap().integer().unwrap());
    (result.code.number(), result.diagnostic.clone(), id)
}

fn title(server: &Server, dn: &str) -> Option<String> {
    let title = server.directory.schema().attribute_type("title").unwrap().id;
    let node = server.directory.node(server.id_of(dn)).unwrap();
    node.entry.first(title).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn notices(server: &Server) -> Vec<(u32, String)> {
    server
        .replies_to(MessageId(0))
        .iter()
        .map(|reply| match reply {
            Reply::Result { result, extended_name, extended_value, .. } => {
                assert_eq!(extended_name.as_deref(), Some(oid::ABORTED_TRANSACTION));
                (result.code.number(), String::from_utf8(extended_value.clone().unwrap().to_vec()).unwrap())
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn all_are_done_at_the_end_and_in_order() {
    let mut server = administrator();
    let id = start(&mut server);
    for (dn, value) in [(ANNA, "Nurse"), (BERT, "Surgeon"), (ANNA, "Matron")] {
        assert_eq!(told(&result(&server.ask_with(replace(dn, "title", value), vec![within(&id)]))), (0, ""));
    }
    assert_eq!((title(&server, ANNA), server.records.len()), (None, 0), "not before the end");
    assert_eq!(ended(&server.ask(end(Some(true), &id))), (0, String::new(), None));
    assert_eq!((title(&server, ANNA).as_deref(), title(&server, BERT).as_deref()), (Some("Matron"), Some("Surgeon")));
    let steps: Vec<_> = server
        .records
        .iter()
        .map(|record| {
            assert_eq!(record.result, ResultCode::Success);
            record
                .details
                .iter()
                .filter(|(name, _)| name.starts_with("transaction"))
                .map(|(_, text)| text.as_str())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(steps, [["1", "1 of 3"], ["1", "2 of 3"], ["1", "3 of 3"]]);
    assert_eq!(told(&result(&server.ask(end(None, &id)))), INVALID);
    assert_eq!(start(&mut server), "2", "identifiers are not used twice");
}

#[test]
fn none_is_done_where_one_fails() {
    let mut server = administrator();
    let id = start(&mut server);
    server.ask_with(replace(ANNA, "title", "Nurse"), vec![within(&id)]);
    let wrong = MessageId(500);
    server.receive(Message { id: wrong, request: replace(BERT, "zork", "x"), controls: vec![within(&id)] });
    server.ask_with(replace(CARL, "title", "Nurse"), vec![within(&id)]);
    assert_eq!(ended(&server.ask(end(None, &id))), (17, "zork: attribute type undefined".to_owned(), Some(500)));
    assert_eq!((title(&server, ANNA), title(&server, CARL)), (None, None));
    let records: Vec<_> = server.records.iter().map(|record| (record.result.number(), record.reason)).collect();
    assert_eq!(records, [(118, Some("transaction failed")), (17, Some("schema")), (118, Some("transaction failed"))]);
}

#[test]
fn later_changes_see_earlier_ones() {
    let mut server = administrator();
    let id = start(&mut server);
    let unit = format!("ou=new,{SUFFIX}");
    let attribute = crate::model::Attribute { description: "objectClass".to_owned(), values: vec!["organizationalUnit".into()] };
    let below = format!("ou=below,{unit}");
    for dn in [&unit, &below] {
        let request = Request::Add { name: dn.clone().into(), attributes: vec![attribute.clone()] };
        assert_eq!(result(&server.ask_with(request, vec![within(&id)])).code, ResultCode::Success);
    }
    let rename = Request::ModifyDn { name: unit.into(), new_rdn: "ou=newer".into(), delete_old_rdn: true, new_superior: None };
    server.ask_with(rename, vec![within(&id)]);
    assert_eq!(ended(&server.ask(end(None, &id))).0, 0);
    server.id_of(&format!("ou=below,ou=newer,{SUFFIX}"));
}

#[test]
fn entries_read_before_and_after_come_with_the_end() {
    let mut server = administrator();
    let id = start(&mut server);
    let read = Control {
        oid: oid::POST_READ.to_owned(),
        critical: true,
        value: Some(ber::encode(|writer| writer.sequence(|parts| parts.octet_string(b"title")))),
    };
    let asked = MessageId(600);
    server.receive(Message { id: asked, request: replace(ANNA, "title", "Nurse"), controls: vec![within(&id), read] });
    let Reply::Result { controls, .. } = &server.replies_to(asked)[0] else { panic!() };
    assert!(controls.is_empty());
    let Reply::Result { extended_value: Some(value), .. } = server.ask(end(None, &id)) else { panic!("no value") };
    let mut updates = Reader::new(&value).sequence().unwrap().sequence().unwrap();
    let mut update = updates.sequence().unwrap();
    assert_eq!(update.integer(), Ok(600));
    let mut control = update.sequence().unwrap().sequence().unwrap();
    assert_eq!(control.octet_string(), Ok(oid::POST_READ.as_bytes()));
    let entry = control.octet_string().unwrap();
    assert!(entry.windows(5).any(|window| window == b"Nurse"));
}

#[test]
fn given_up_and_empty() {
    let mut server = administrator();
    let id = start(&mut server);
    server.ask_with(replace(ANNA, "title", "Nurse"), vec![within(&id)]);
    assert_eq!(told(&result(&server.ask(extended(oid::START_TRANSACTION, None)))), (51, "Too many transactions"));
    assert_eq!(ended(&server.ask(end(Some(false), &id))), (0, String::new(), None));
    let id = start(&mut server);
    assert_eq!(ended(&server.ask(end(Some(true), &id))), (0, String::new(), None));
    assert_eq!((title(&server, ANNA), server.records.len()), (None, 0));
}

#[test]
fn identifiers_that_are_none() {
    let mut server = administrator();
    let id = start(&mut server);
    for wrong in ["", "2", "01", "x"] {
        let answer = server.ask_with(replace(ANNA, "title", "Nurse"), vec![within(wrong)]);
        assert_eq!(told(&result(&answer)), INVALID, "{wrong}: never done outside a transaction");
        assert_eq!(told(&result(&server.ask(end(None, wrong)))), INVALID);
    }
    assert_eq!(server.records.len(), 4, "what was refused is recorded");
    for value in [None, Some(&b""[..]), Some(b"\x30\x00"), Some(b"\x30\x03\x01\x01\xff"), Some(b"\x30\x05\x04\x01\x31\x05\x00")] {
        assert_eq!(result(&server.ask(extended(oid::END_TRANSACTION, value))).code, ResultCode::ProtocolError);
    }
    assert_eq!(told(&result(&server.ask(extended(oid::START_TRANSACTION, Some(b"x"))))), (2, "no request data expected"));
    let not_critical = Control { critical: false, ..within(&id) };
    let answer = server.ask_with(replace(ANNA, "title", "Nurse"), vec![not_critical]);
    assert_eq!(told(&result(&answer)), (2, "transaction specification criticality of FALSE not allowed"));
    assert_eq!(notices(&server), [(2, id)], "without that change the rest is not what was meant");
    assert_eq!(title(&server, ANNA), None);
}

#[test]
fn a_bind_forgets_it_and_start_tls_gives_it_up() {
    let mut server = administrator();
    let id = start(&mut server);
    server.ask_with(replace(ANNA, "title", "Nurse"), vec![within(&id)]);
    server.bind(ADMIN, PASSWORD);
    assert_eq!(told(&result(&server.ask(end(None, &id)))), INVALID);
    assert!(notices(&server).is_empty());
    let mut server = Server::new(Door::waived());
    server.bind(ADMIN, PASSWORD);
    let id = start(&mut server);
    server.ask_with(replace(ANNA, "title", "Nurse"), vec![within(&id)]);
    server.ask(extended(oid::START_TLS, None));
    server.handshake();
    assert_eq!(notices(&server), [(80, id)]);
    assert_eq!(title(&server, ANNA), None);
}

#[test]
fn passwords_are_hashed_before_the_end() {
    let mut server = administrator();
    let id = start(&mut server);
    server.send(Request::Delete { name: CARL.into() });
    let hashed = MessageId(700);
    let request = replace(ANNA, "userPassword", "battery staple horse");
    server.receive(Message { id: hashed, request, controls: vec![within(&id)] });
    let kept = MessageId(701);
    server.receive(Message { id: kept, request: replace(ANNA, "title", "Nurse"), controls: vec![within(&id)] });
    assert!(server.replies_to(hashed).is_empty() && server.replies_to(kept).len() == 1);
    let asked = server.send(end(None, &id));
    let late = MessageId(702);
    server.receive(Message { id: late, request: replace(BERT, "title", "Nurse"), controls: vec![within(&id)] });
    assert!(server.replies_to(asked).is_empty(), "waits for the hash");
    server.settle();
    assert_eq!(told(&result(&server.replies_to(hashed)[0])), (0, ""));
    assert_eq!(told(&result(&server.replies_to(late)[0])), INVALID, "after the end was asked for");
    assert_eq!(ended(&server.replies_to(asked)[0]).0, 0);
    assert_eq!(server.bind(ANNA, "battery staple horse").code, ResultCode::Success);
}

#[test]
fn a_password_of_what_the_transaction_itself_makes() {
    let mut server = administrator();
    let id = start(&mut server);
    let renamed = ANNA.replace("uid=anna", "uid=anne");
    let rename = Request::ModifyDn { name: ANNA.into(), new_rdn: "uid=anne".into(), delete_old_rdn: true, new_superior: None };
    server.ask_with(rename, vec![within(&id)]);
    let answer = server.ask_with(replace(&renamed, "userPassword", "battery staple horse"), vec![within(&id)]);
    assert_eq!(told(&result(&answer)), (0, ""));
    assert_eq!(ended(&server.ask(end(None, &id))), (0, String::new(), None));
    assert_eq!(server.bind(&renamed, "battery staple horse").code, ResultCode::Success);
}

#[test]
fn a_change_that_was_cancelled_or_abandoned_is_no_part_of_it() {
    for abandon in [true, false] {
        let mut server = administrator();
        let id = start(&mut server);
        let hashed = MessageId(700);
        let request = replace(ANNA, "userPassword", "battery staple horse");
        server.receive(Message { id: hashed, request, controls: vec![within(&id)] });
        server.send(if abandon { Request::Abandon(hashed) } else { cancel(hashed.0) });
        let asked = server.send(end(None, &id));
        server.settle();
        assert_eq!(ended(&server.replies_to(asked)[0]), (0, String::new(), None));
        assert_eq!((server.records.len(), server.session.operations.len()), (0, 0));
        assert_eq!(server.bind(ANNA, PASSWORD).code, ResultCode::Success);
    }
}

#[test]
fn a_bind_while_a_password_is_hashed() {
    let mut server = administrator();
    let id = start(&mut server);
    let hashed = MessageId(700);
    let request = replace(ANNA, "userPassword", "battery staple horse");
    server.receive(Message { id: hashed, request, controls: vec![within(&id)] });
    let bound = server.send(simple(ANNA, PASSWORD));
    server.settle();
    assert_eq!(told(&result(&server.replies_to(hashed)[0])), INVALID);
    assert_eq!(result(&server.replies_to(bound)[0]).code, ResultCode::Success, "with the old password");
}

#[test]
fn it_is_bounded() {
    let mut server = administrator();
    let id = start(&mut server);
    for _ in 0..MAXIMUM_OPERATIONS {
        let sent = server.next_message();
        server.receive(Message { id: sent, request: Request::Delete { name: CARL.into() }, controls: vec![within(&id)] });
    }
    assert!(notices(&server).is_empty());
    assert_eq!(told(&result(&server.ask_with(replace(ANNA, "title", "x"), vec![within(&id)]))), INVALID);
    assert_eq!(notices(&server), [(11, id.clone())]);
    assert_eq!(told(&result(&server.ask(end(None, &id)))), INVALID);
    let id = start(&mut server);
    let large = "x".repeat(9 * 1024 * 1024);
    assert_eq!(result(&server.ask_with(replace(ANNA, "title", &large), vec![within(&id)])).code, ResultCode::Success);
    assert_eq!(told(&result(&server.ask_with(replace(ANNA, "title", &large), vec![within(&id)]))), INVALID);
    assert_eq!(notices(&server).len(), 2);
}

#[test]
fn small_changes_of_a_large_entry_do_not_add_up_without_bound() {
    let mut server = administrator();
    let large = "x".repeat(15 * 1024 * 1024);
    assert_eq!(result(&server.ask(replace(ANNA, "description", &large))).code, ResultCode::Success);
    let id = start(&mut server);
    for place in 0..10 {
        server.ask_with(replace(ANNA, "title", &place.to_string()), vec![within(&id)]);
    }
    let (code, text, failed) = ended(&server.ask(end(None, &id)));
    assert_eq!((code, text.as_str(), failed.is_some()), (11, "too many changes in one transaction", true));
    assert_eq!(title(&server, ANNA), None);
}

#[test]
fn who_it_is_done_as_is_said_at_the_start() {
    let mut server = administrator();
    let proxied = |identity: &str| Control {
        oid: oid::PROXIED_AUTHORIZATION.to_owned(),
        critical: true,
        value: Some(Bytes::copy_from_slice(identity.as_bytes())),
    };
    let as_anna = || vec![proxied("u:anna")];
    let answer = server.ask_with(extended(oid::START_TRANSACTION, None), vec![proxied("u:nobody")]);
    assert_eq!(result(&answer).code, ResultCode::AuthorizationDenied);
    assert_eq!(
        result(&server.ask_with(extended(oid::START_TRANSACTION, None), vec![proxied("")])).code,
        ResultCode::StrongerAuthRequired
    );
    assert_eq!(result(&server.ask_with(extended(oid::START_TRANSACTION, None), as_anna())).code, ResultCode::Success);
    server.ask_with(replace(BERT, "title", "Nurse"), vec![within("1")]);
    assert_eq!(told(&result(&server.ask_with(end(None, "1"), as_anna()))).0, 2);
    assert_eq!(ended(&server.ask(end(None, "1"))).0, 50, "with the rights of the identity assumed");
    assert_eq!(server.records[0].assumed.as_ref().unwrap().dn, ANNA);
    let id = start(&mut server);
    let answer = server.ask_with(replace(BERT, "title", "Nurse"), vec![within(&id), proxied("u:anna")]);
    assert_eq!(told(&result(&answer)), (2, "proxied authorization control has no place in a transaction"));
    server.bind("", "");
    let answer = server.ask(extended(oid::START_TRANSACTION, None));
    assert_eq!(told(&result(&answer)), (8, "modifications require authentication"));
}

#[test]
fn a_journal_that_cannot_be_written_does_none() {
    let mut server = administrator();
    let id = start(&mut server);
    server.ask_with(replace(ANNA, "title", "Nurse"), vec![within(&id)]);
    server.broken = true;
    assert_eq!(ended(&server.ask(end(None, &id))), (52, String::new(), None));
    server.broken = false;
    assert_eq!((title(&server, ANNA), told(&result(&server.ask(end(None, &id))))), (None, INVALID));
}

#[test]
fn nothing_else_belongs_to_it() {
    let mut server = administrator();
    let id = start(&mut server);
    for request in [search(SUFFIX), extended(oid::WHO_AM_I, None), extended(oid::START_TRANSACTION, None)] {
        let answer = server.ask_with(request, vec![within(&id)]);
        assert_eq!(told(&result(&answer)), (12, "critical control unavailable in context"));
    }
    assert_eq!(ended(&server.ask(end(None, &id))).0, 0);
}
