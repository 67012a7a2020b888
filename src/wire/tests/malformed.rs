//! What ends the connection, and what is answered under its own message ID.

use bytes::BytesMut;

use super::{LIMIT, decode_one, element, malformed, message, search_for};
use crate::model::Filter;
use crate::protocol::{Request, ResponseKind};
use crate::wire::{WireError, decode};

fn undecodable(octets: &[u8]) {
    let error = decode_one(octets).expect_err("this must end the connection");
    assert!(matches!(error, WireError::Undecodable(_)), "{octets:02x?}");
}

#[test]
fn a_stream_that_is_no_ldap_is_refused_at_its_first_octet() {
    for octet in (0..=255_u8).filter(|octet| *octet != 0x30) {
        assert!(decode(&mut BytesMut::from(&[octet][..]), LIMIT).is_err());
    }
}

#[test]
fn lengths_are_judged_before_the_octets_arrive() {
    let judge = |octets: &[u8], limit| decode(&mut BytesMut::from(octets), limit).map(|message| message.is_some());
    assert_eq!(judge(b"\x30\x82\x01\x01", 256), Err(WireError::TooLarge { declared: 257, limit: 256 }));
    assert_eq!(judge(b"\x30\x82\x01\x00", 256), Ok(false));
    assert_eq!(
        judge(b"\x30\x84\xff\xff\xff\xff", LIMIT),
        Err(WireError::TooLarge { declared: u64::from(u32::MAX), limit: LIMIT })
    );
    for refused in [&b"\x30\x80"[..], b"\x30\x85", b"\x30\xff"] {
        assert!(matches!(judge(refused, LIMIT), Err(WireError::Undecodable(_))), "{refused:02x?}");
    }
}

#[test]
fn message_ids() {
    for id in [&b"\x02\x01\x00"[..], b"\x02\x01\xff", b"\x02\x05\x00\x80\x00\x00\x00", b"\x02\x00", b"\x04\x01\x01", b""] {
        undecodable(&element(0x30, &[id, b"\x42\x00"].concat()));
    }
    let largest = element(0x30, b"\x02\x04\x7f\xff\xff\xff\x42\x00");
    assert_eq!(decode_one(&largest).unwrap().id.0, i32::MAX);
}

#[test]
fn unknown_operations() {
    // Responses, wrong constructed bits, tags nobody uses, no operation at all.
    for tag in [0x61, 0x64, 0x65, 0x78, 0x40, 0x62, 0x43, 0x46, 0x6a, 0x70, 0x57, 0x71, 0x7e, 0x30, 0x04, 0xa0] {
        undecodable(&message(&[tag, 0]));
    }
    undecodable(&message(b""));
    undecodable(&message(b"\x50\x00"));
    undecodable(&message(b"\x50\x01\x00"));
}

#[test]
fn broken_structure() {
    undecodable(b"\x30\x00");
    // A child that runs over the end of its parent: an AND must not lose a term.
    undecodable(&message(&search_for(b"\xa0\x0e\xa3\x06\x04\x01a\x04\x01b\xa3\x07\x04\x01a\x04\x01")));
    // Octets after the last whole element of a SEQUENCE.
    undecodable(&message(&search_for(b"\xa0\x05\x87\x02cn\x87")));
    // Wrong constructed bits, types LDAP has no use for, indefinite lengths, operations inside operations, large tag numbers.
    for inner in
        [&b"\x24\x02\x04\x00"[..], b"\x10\x00", b"\x09\x00", b"\x00\x00", b"\x30\x80\x00\x00", b"\x60\x00", b"\x9f\x01\x00"]
    {
        undecodable(&message(&search_for(&element(0xa0, inner))));
    }
    // The same in what follows the operation.
    undecodable(&message(b"\x4a\x00\xa0\x03\x30\x02\x04"));
    undecodable(&message(b"\x4a\x00\x60\x80"));
}

#[test]
fn searches_out_of_range() {
    let search = |scope: &[u8], deref: &[u8], size: &[u8], time: &[u8]| {
        let tail = b"\x01\x01\x00\x87\x02cn\x30\x00";
        malformed(&message(&element(0x63, &[b"\x04\x00", scope, deref, size, time, tail].concat())))
    };
    let (enumerated, integer) = (b"\x0a\x01\x00", b"\x02\x01\x00");
    let answer = |text| (ResponseKind::SearchDone, 2, text);
    assert_eq!(search(b"\x0a\x01\x04", enumerated, integer, integer), answer("invalid scope"));
    assert_eq!(search(b"\x0a\x01\xff", enumerated, integer, integer), answer("invalid scope"));
    assert_eq!(search(enumerated, b"\x0a\x01\x04", integer, integer), answer("invalid deref"));
    assert_eq!(search(enumerated, enumerated, b"\x02\x01\xff", integer), answer("invalid size limit"));
    assert_eq!(search(enumerated, enumerated, b"\x02\x05\x00\x80\x00\x00\x00", integer), answer("invalid size limit"));
    assert_eq!(search(enumerated, enumerated, integer, b"\x02\x01\x80"), answer("invalid time limit"));
    assert_eq!(search(b"\x02\x01\x00", enumerated, integer, integer), answer("decoding error"));
    assert_eq!(search(b"\x0a\x00", enumerated, integer, integer), answer("decoding error"));
}

#[test]
fn filters() {
    let filter = |octets: &[u8]| malformed(&message(&search_for(octets)));
    assert_eq!(filter(b"\x8a\x00"), (ResponseKind::SearchDone, 2, "unknown filter type"));
    assert_eq!(filter(b"\x87\x00"), (ResponseKind::SearchDone, 2, "empty attribute description"));
    assert_eq!(filter(b"\x87\x01\xff"), (ResponseKind::SearchDone, 2, "attribute description is not UTF-8"));
    assert_eq!(filter(b"\xa2\x00"), (ResponseKind::SearchDone, 2, "filter decoding error"));
}

#[test]
fn deep_filters_get_a_result() {
    let nested = |levels: usize| {
        let innermost = b"\xa4\x08\x04\x02cn\x30\x02\x81\x00".to_vec();
        message(&search_for(&(1..levels).fold(innermost, |inner, _| element(0xa1, &inner))))
    };
    assert!(matches!(decode_one(&nested(Filter::MAXIMUM_DEPTH)).unwrap().request, Request::Search(_)));
    for levels in [Filter::MAXIMUM_DEPTH + 1, 104, 105, 106, 107, 108, 109, 110, 111, 5000] {
        assert_eq!(malformed(&nested(levels)), (ResponseKind::SearchDone, 11, "filter nested too deeply"), "{levels}");
    }
    let deep = (0..5000).fold(Vec::new(), |inner, _| element(0x30, &inner));
    assert_eq!(malformed(&message(&element(0x68, &deep))), (ResponseKind::Add, 11, "request nested too deeply"));
}

#[test]
fn elements_are_counted() {
    let many = element(0xa1, &b"\xa0\x00".repeat(1 << 19));
    assert_eq!(malformed(&message(&search_for(&many))), (ResponseKind::SearchDone, 11, "too many elements in one request"));
}

#[test]
fn binds() {
    let bind = |octets: &[u8]| malformed(&message(&element(0x60, octets)));
    for version in [&b"\x02\x01\x00"[..], b"\x02\x02\x00\x80", b"\x02\x01\xff", b"\x02\x08\x7f\xff\xff\xff\xff\xff\xff\xff"] {
        let answer = bind(&[version, b"\x04\x00\x80\x00"].concat());
        assert_eq!(answer, (ResponseKind::Bind, 2, "requested protocol version not supported"));
    }
    for wrong in [
        &b""[..],
        b"\x02\x01\x03\x04\x00",                 // no authentication
        b"\x02\x01\x03\x04\x00\xa0\x00",         // a constructed password
        b"\x02\x01\x03\x04\x00\x83\x00",         // primitive SASL
        b"\x02\x01\x03\x04\x00\x04\x00",         // no choice at all
        b"\x02\x01\x03\x04\x00\x80\x00\x80\x00", // two passwords
        b"\x02\x01\x03\x04\x00\xa3\x00",         // SASL without a mechanism element
        b"\x02\x01\x03\x80\x00",                 // no name
    ] {
        assert_eq!(bind(wrong), (ResponseKind::Bind, 2, "decoding error"), "{wrong:02x?}");
    }
    assert_eq!(bind(b"\x02\x01\x03\x04\x00\xa3\x03\x04\x01\xff").2, "SASL mechanism is not UTF-8");
}

#[test]
fn other_operations() {
    let modify = |change: &[u8]| malformed(&message(&element(0x66, &[b"\x04\x00", &element(0x30, change)[..]].concat())));
    let unknown = modify(b"\x30\x0b\x0a\x01\x04\x30\x06\x04\x02cn\x31\x00");
    assert_eq!(unknown, (ResponseKind::Modify, 2, "unrecognized modify operation"));
    let empty = modify(b"\x30\x09\x0a\x01\x00\x30\x04\x04\x00\x31\x00");
    assert_eq!(empty, (ResponseKind::Modify, 2, "empty attribute description"));
    let answer = malformed(&message(b"\x68\x0a\x04\x00\x30\x06\x30\x04\x04\x00\x31\x00"));
    assert_eq!(answer, (ResponseKind::Add, 2, "empty attribute description"));
    let answer = malformed(&message(b"\x6e\x08\x04\x00\x30\x04\x04\x00\x04\x00"));
    assert_eq!(answer, (ResponseKind::Compare, 2, "empty attribute description"));
    let answer = malformed(&message(b"\x6c\x09\x04\x00\x04\x00\x01\x01\x00\xa0\x00"));
    assert_eq!(answer, (ResponseKind::ModifyDn, 2, "decoding error"));
    assert_eq!(malformed(&message(b"\x77\x03\x80\x01\xff")), (ResponseKind::Extended, 2, "request name is not UTF-8"));
    assert_eq!(malformed(&message(b"\x77\x00")), (ResponseKind::Extended, 2, "decoding error"));
}

#[test]
fn controls() {
    let controls = |octets: &[u8]| malformed(&message(&[b"\x4a\x00", octets].concat()));
    for wrong in [
        &b"\x80\x00"[..],                                 // primitive
        b"\xa0\x00\xa0\x00",                              // twice
        b"\x04\x00",                                      // something else in their place
        b"\xa0\x02\x04\x00",                              // no SEQUENCE
        b"\xa0\x02\x30\x00",                              // no type
        b"\xa0\x07\x30\x05\x04\x01a\x01\x00",             // a boolean of no octets
        b"\xa0\x09\x30\x07\x04\x01a\x04\x00\x04\x00",     // two values
        b"\xa0\x0a\x30\x08\x04\x01a\x04\x00\x01\x01\x00", // value before criticality
    ] {
        assert_eq!(controls(wrong), (ResponseKind::Delete, 2, "controls decoding error"), "{wrong:02x?}");
    }
    assert_eq!(controls(b"\xa0\x05\x30\x03\x04\x01\xff"), (ResponseKind::Delete, 2, "control type is not UTF-8"));
    // The same control twice is the session's to refuse: both arrive.
    let twice = message(b"\x4a\x00\xa0\x0d\x30\x03\x04\x01a\x30\x06\x04\x01a\x01\x01\x07");
    let controls = decode_one(&twice).unwrap().controls;
    assert_eq!(
        controls.iter().map(|control| (control.oid.as_str(), control.critical)).collect::<Vec<_>>(),
        [("a", false), ("a", true)]
    );
}
