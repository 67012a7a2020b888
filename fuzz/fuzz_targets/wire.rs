//! Any octets as a stream of requests: nothing panics, what `ldap3_proto` takes as well means the same to both, and what was decoded
//! survives being encoded and decoded again.
#![no_main]

use bindery::protocol::{Message, Request};
use bindery::{model, protocol, wire};
use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{LdapBindCred, LdapMsg, LdapOp};
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::{Decoder, Encoder};

#[path = "../../src/wire/tests/oracle.rs"]
mod oracle;

const LIMIT: usize = 1024 * 1024;

fuzz_target!(|octets: &[u8]| {
    let mut stream = BytesMut::from(octets);
    loop {
        let before = stream.clone();
        let Ok(Some(message)) = wire::decode(&mut stream, LIMIT) else { break };
        let frame = &before[..before.len() - stream.len()];
        compare(&message, frame);
        encode_again(&message);
    }
});

fn compare(message: &Message, frame: &[u8]) {
    let Ok(Some(theirs)) = LdapCodec::new(Some(2 * LIMIT), None).decode(&mut BytesMut::from(frame)) else { return };
    let Some(operation) = oracle::operation(&message.request) else { return };
    assert_eq!((message.id.0, &operation), (theirs.msgid, &theirs.op));
    if message.request.response_kind().is_some() {
        assert_eq!(message.controls.len(), theirs.ctrl.len());
        assert!(message.controls.iter().zip(&theirs.ctrl).all(|(ours, theirs)| oracle::same_control(ours, theirs)));
    }
}

fn encode_again(message: &Message) {
    let Some(operation) = oracle::operation(&message.request) else { return };
    // It has no octets for a choice it does not know.
    if matches!(&operation, LdapOp::BindRequest(bind) if bind.cred == LdapBindCred::Unsupported) {
        return;
    }
    let mut octets = BytesMut::new();
    let again = LdapMsg { msgid: message.id.0, op: operation.clone(), ctrl: Vec::new() };
    LdapCodec::default().encode(again, &mut octets).expect("a request can be encoded");
    let second = wire::decode(&mut octets, usize::MAX).expect("what was encoded decodes").expect("all of it is there");
    assert!(!matches!(second.request, Request::Malformed { .. }));
    assert_eq!(oracle::operation(&second.request), Some(operation));
}
