//! Replies, octet by octet.

use bytes::{Bytes, BytesMut};

use crate::model::ResultCode;
use crate::protocol::{Control, LdapResult, MessageId, Reply, ResponseKind};
use crate::wire::encode;

fn encoded(id: i32, reply: &Reply) -> BytesMut {
    let mut output = BytesMut::from(&b"before"[..]);
    encode(MessageId(id), reply, &mut output);
    assert_eq!(&output.split_to(6)[..], b"before");
    output
}

#[test]
fn plain_results() {
    for (kind, tag) in [
        (ResponseKind::Bind, 0x61),
        (ResponseKind::SearchDone, 0x65),
        (ResponseKind::Modify, 0x67),
        (ResponseKind::Add, 0x69),
        (ResponseKind::Delete, 0x6b),
        (ResponseKind::ModifyDn, 0x6d),
        (ResponseKind::Compare, 0x6f),
        (ResponseKind::Extended, 0x78),
    ] {
        let reply = Reply::result(kind, LdapResult::of(ResultCode::Success));
        assert_eq!(&encoded(1, &reply)[..], &[0x30, 12, 2, 1, 1, tag, 7, 10, 1, 0, 4, 0, 4, 0]);
    }
}

#[test]
fn notice_of_disconnection() {
    let reply = Reply::notice_of_disconnection(ResultCode::ProtocolError, "bye");
    let expected = b"\x30\x27\x02\x01\x00\x78\x22\x0a\x01\x02\x04\x00\x04\x03bye\x8a\x161.3.6.1.4.1.1466.20036";
    assert_eq!(&encoded(0, &reply)[..], expected);
}

#[test]
fn everything_a_result_can_carry() {
    let mut result = LdapResult::with(ResultCode::NoOperation, "d");
    result.matched = "m".to_owned();
    result.referral = vec!["ldap://a".to_owned(), "ldap://b".to_owned()];
    let reply = Reply::Result {
        kind: ResponseKind::Bind,
        result,
        sasl_credentials: Some(Bytes::from_static(b"s")),
        extended_name: Some("never sent with a bind".to_owned()),
        extended_value: None,
        controls: vec![
            Control { oid: "1.2".to_owned(), critical: false, value: None },
            Control { oid: "1.3".to_owned(), critical: true, value: Some(Bytes::from_static(b"\x30\x00")) },
        ],
    };
    assert_eq!(
        &encoded(i32::MAX, &reply)[..],
        &b"\x30\x42\x02\x04\x7f\xff\xff\xff\x61\x23\x0a\x02\x41\x0e\x04\x01m\x04\x01d\xa3\x14\x04\x08ldap://a\x04\x08ldap://b\x87\x01s\
           \xa0\x15\x30\x05\x04\x031.2\x30\x0c\x04\x031.3\x01\x01\xff\x04\x02\x30\x00"[..]
    );
}

#[test]
fn entries_are_copied_as_they_were_prepared() {
    for size in [0, 1, 100, 110, 120, 127, 128, 250, 255, 256, 1_000, 65_500, 65_535, 65_536, 70_000] {
        let attributes = Bytes::from(vec![0x2a; size]);
        let entry = Reply::Entry { name: "cn=a".to_owned(), attributes: attributes.clone(), controls: Vec::new() };
        let octets = encoded(5, &entry);
        let mut message = crate::protocol::ber::Reader::new(&octets).sequence().unwrap();
        assert_eq!(message.integer(), Ok(5));
        let mut operation = message.constructed(crate::protocol::ber::Tag(0x64)).unwrap();
        message.finish().unwrap();
        assert_eq!(operation.octet_string(), Ok(&b"cn=a"[..]));
        assert_eq!(operation.expect(crate::protocol::ber::Tag::SEQUENCE), Ok(&attributes[..]));
        operation.finish().unwrap();
    }
}

#[test]
fn references_and_intermediate_responses() {
    let reply = Reply::Reference { uris: vec!["ldap://a".to_owned()], controls: Vec::new() };
    assert_eq!(&encoded(3, &reply)[..], b"\x30\x0f\x02\x01\x03\x73\x0a\x04\x08ldap://a");
    let reply = Reply::Intermediate { oid: Some("1.2".to_owned()), value: Some(Bytes::from_static(b"v")) };
    assert_eq!(&encoded(3, &reply)[..], b"\x30\x0d\x02\x01\x03\x79\x08\x80\x031.2\x81\x01v");
    let reply = Reply::Intermediate { oid: None, value: None };
    assert_eq!(&encoded(3, &reply)[..], b"\x30\x05\x02\x01\x03\x79\x00");
}
