//! Octets as ldap-utils, JNDI and Windows send them, written out by hand from RFC 4511.

use bytes::BytesMut;

use super::{LIMIT, decode_one, element, message};
use crate::model::{DerefAliases, Filter, ModificationOperation, Scope};
use crate::protocol::{Authentication, MessageId, Request};
use crate::wire::{decode, decode_frame};

/// ldapwhoami -D cn=admin,dc=example -w secret
const SIMPLE_BIND: &[u8] = b"\x30\x22\x02\x01\x01\x60\x1d\x02\x01\x03\x04\x10cn=admin,dc=test\x80\x06secret";

/// ldapsearch -E pr=100/noprompt -b dc=test -s sub '(&(objectClass=person)(uid=j*o*n))'
const PAGED_SEARCH: &[u8] =
    b"\x30\x74\x02\x01\x02\x63\x45\x04\x07dc=test\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\
    \xa0\x29\xa3\x15\x04\x0bobjectClass\x04\x06person\xa4\x10\x04\x03uid\x30\x09\x80\x01j\x81\x01o\x82\x01n\
    \x30\x00\
    \xa0\x28\x30\x26\x04\x161.2.840.113556.1.4.319\x01\x01\xff\x04\x09\x30\x07\x02\x02\x00\xc8\x04\x01\x00";

#[test]
fn simple_bind() {
    let message = decode_one(SIMPLE_BIND).unwrap();
    assert_eq!(message.id, MessageId(1));
    let Request::Bind(bind) = message.request else { panic!("no bind") };
    assert_eq!((bind.version, &bind.name[..]), (3, &b"cn=admin,dc=test"[..]));
    let Authentication::Simple(password) = bind.authentication else { panic!("not simple") };
    assert_eq!(password.expose(), b"secret");
}

#[test]
fn what_was_decoded_is_overwritten() {
    let mut frame = SIMPLE_BIND.to_vec();
    decode_frame(&mut frame, 2).unwrap();
    assert_eq!(frame, vec![0; SIMPLE_BIND.len()]);
}

#[test]
fn paged_search() {
    let message = decode_one(PAGED_SEARCH).unwrap();
    let Request::Search(search) = message.request else { panic!("no search") };
    assert_eq!((&search.base[..], search.scope, search.deref), (&b"dc=test"[..], Scope::Subtree, DerefAliases::Never));
    assert_eq!((search.size_limit, search.time_limit, search.types_only), (0, 0, false));
    let Filter::And(parts) = search.filter else { panic!("no conjunction") };
    assert_eq!(parts[0], Filter::Equality("objectClass".to_owned(), "person".into()));
    let Filter::Substrings(attribute, substrings) = &parts[1] else { panic!("no substrings") };
    assert_eq!(attribute, "uid");
    assert_eq!(
        (&substrings.initial, &substrings.any, &substrings.last),
        (&Some("j".into()), &vec!["o".into()], &Some("n".into()))
    );
    assert_eq!(search.attributes, Vec::<String>::new());
    let [control] = &message.controls[..] else { panic!("not one control") };
    assert_eq!((control.oid.as_str(), control.critical), ("1.2.840.113556.1.4.319", true));
    assert_eq!(control.value.as_deref(), Some(&b"\x30\x07\x02\x02\x00\xc8\x04\x01\x00"[..]));
}

#[test]
fn windows_sends_lengths_in_four_octets() {
    let octets = b"\x30\x84\x00\x00\x00\x15\x02\x01\x05\x63\x84\x00\x00\x00\x0c";
    let search = [
        &b"\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x78\x01\x01\x00\x87\x0bobjectclass"[..],
        b"\x30\x84\x00\x00\x00\x06\x04\x04name",
    ]
    .concat();
    let mut whole = octets.to_vec();
    whole[14] = search.len() as u8;
    whole[5] = search.len() as u8 + 9;
    whole.extend_from_slice(&search);
    let message = decode_one(&whole).unwrap();
    let Request::Search(search) = message.request else { panic!("no search") };
    assert_eq!((search.scope, search.time_limit), (Scope::Base, 120));
    assert_eq!(search.filter, Filter::Present("objectclass".to_owned()));
    assert_eq!(search.attributes, ["name"]);
}

#[test]
fn sasl_credentials_absent_and_empty_differ() {
    for (credentials, expected) in [(&b""[..], None), (b"\x04\x00", Some(&b""[..])), (b"\x04\x03\x00ab", Some(b"\x00ab"))] {
        let sasl = element(0xa3, &[b"\x04\x08EXTERNAL", credentials].concat());
        let octets = message(&element(0x60, &[b"\x02\x01\x03\x04\x00", &sasl[..]].concat()));
        let Request::Bind(bind) = decode_one(&octets).unwrap().request else { panic!("no bind") };
        let Authentication::Sasl { mechanism, credentials } = bind.authentication else { panic!("not SASL") };
        assert_eq!(mechanism, "EXTERNAL");
        assert_eq!(credentials.as_ref().map(|credentials| credentials.expose()), expected);
    }
}

#[test]
fn unknown_authentication_choice() {
    for choice in [&b"\x89\x01a"[..], b"\xaa\x00", b"\x81\x00"] {
        let octets = message(&element(0x60, &[b"\x02\x01\x03\x04\x00", choice].concat()));
        let Request::Bind(bind) = decode_one(&octets).unwrap().request else { panic!("no bind") };
        assert!(matches!(bind.authentication, Authentication::Unknown));
    }
}

#[test]
fn versions_are_the_operations_business() {
    for version in [1, 2, 4, 127] {
        let octets = message(&element(0x60, &[2, 1, version, 4, 0, 0x80, 0]));
        let Request::Bind(bind) = decode_one(&octets).unwrap().request else { panic!("no bind") };
        assert_eq!(bind.version, version);
    }
}

#[test]
fn modify_with_octets_that_are_no_text() {
    let octets = message(
        b"\x66\x32\x04\x03c=\xff\x30\x2b\x30\x14\x0a\x01\x00\x30\x0f\x04\x05photo\x31\x06\x04\x02\xff\xd8\x04\x00\
          \x30\x13\x0a\x01\x03\x30\x0e\x04\x07counter\x31\x03\x04\x011",
    );
    let Request::Modify { name, changes } = decode_one(&octets).unwrap().request else { panic!("no modify") };
    assert_eq!(&name[..], b"c=\xff");
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0].operation, ModificationOperation::Add);
    assert_eq!(changes[0].attribute.description, "photo");
    assert_eq!(changes[0].attribute.values, [&b"\xff\xd8"[..], b""]);
    assert_eq!(changes[1].operation, ModificationOperation::Increment);
    assert_eq!(changes[1].attribute.values, ["1"]);
}

#[test]
fn add_delete_rename_compare() {
    let octets = message(b"\x68\x14\x04\x04cn=a\x30\x0c\x30\x0a\x04\x02sn\x31\x04\x04\x02\xc3\xa4");
    let Request::Add { name, attributes } = decode_one(&octets).unwrap().request else { panic!("no add") };
    assert_eq!((&name[..], attributes.len(), attributes[0].values.len()), (&b"cn=a"[..], 1, 1));

    let Request::Delete { name } = decode_one(&message(b"\x4a\x04cn=a")).unwrap().request else { panic!("no delete") };
    assert_eq!(&name[..], b"cn=a");

    // A new superior that is no text stays a new superior: with ldap3_proto's types the move became a rename.
    let octets = message(b"\x6c\x14\x04\x04cn=a\x04\x04cn=b\x01\x01\x01\x80\x03o=\xff");
    let Request::ModifyDn { new_rdn, delete_old_rdn, new_superior, .. } = decode_one(&octets).unwrap().request else {
        panic!("no rename")
    };
    assert_eq!((&new_rdn[..], delete_old_rdn, new_superior.as_deref()), (&b"cn=b"[..], true, Some(&b"o=\xff"[..])));

    let octets = message(b"\x6e\x12\x04\x04cn=a\x30\x0a\x04\x02sn\x04\x04\x00\x01\x02\xff");
    let Request::Compare { attribute, value, .. } = decode_one(&octets).unwrap().request else { panic!("no compare") };
    assert_eq!((attribute.as_str(), value.expose()), ("sn", &b"\x00\x01\x02\xff"[..]));
}

#[test]
fn unbind_abandon_extended() {
    assert!(matches!(decode_one(&message(b"\x42\x00")).unwrap().request, Request::Unbind));
    assert!(matches!(decode_one(&message(b"\x50\x01\x07")).unwrap().request, Request::Abandon(MessageId(7))));
    // Who am I? has no value, an empty one is another thing.
    for (value, expected) in [(&b""[..], None), (b"\x81\x00", Some(0))] {
        let octets = message(&element(0x77, &[b"\x80\x171.3.6.1.4.1.4203.1.11.3", value].concat()));
        let Request::Extended { oid, value } = decode_one(&octets).unwrap().request else { panic!("no extended request") };
        assert_eq!((oid.as_str(), value.map(|value| value.len())), ("1.3.6.1.4.1.4203.1.11.3", expected));
    }
}

#[test]
fn trailing_components_of_later_standards_are_ignored() {
    let octets = message(&[&element(0x60, b"\x02\x01\x03\x04\x00\x80\x00\x89\x01x")[..], b"\xa1\x02\x04\x00"].concat());
    assert!(matches!(decode_one(&octets).unwrap().request, Request::Bind(_)));
}

#[test]
fn pipelined_messages_come_one_by_one() {
    let stream = [SIMPLE_BIND, PAGED_SEARCH, SIMPLE_BIND].concat();
    let mut buffer = BytesMut::new();
    let mut ids = Vec::new();
    for octet in stream {
        buffer.extend_from_slice(&[octet]);
        while let Some(message) = decode(&mut buffer, LIMIT).unwrap() {
            ids.push(message.id.0);
        }
    }
    assert_eq!(ids, [1, 2, 1]);
}

#[test]
fn truncated_anywhere_is_not_there_yet() {
    for whole in [SIMPLE_BIND, PAGED_SEARCH] {
        for end in 0..whole.len() {
            let mut buffer = BytesMut::from(&whole[..end]);
            assert!(matches!(decode(&mut buffer, LIMIT), Ok(None)), "{end}");
            assert_eq!(&buffer[..], &whole[..end]);
        }
    }
}
