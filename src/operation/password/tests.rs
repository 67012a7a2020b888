//! Values of Password Modify requests and generated passwords.

use proptest::prelude::*;

use super::*;

fn value(identity: Option<&[u8]>, old: Option<&[u8]>, new: Option<&[u8]>) -> Vec<u8> {
    let parts = [identity, old, new];
    let encoded = ber::encode(|writer| {
        writer.sequence(|writer| {
            for (number, part) in (0..).zip(parts) {
                if let Some(part) = part {
                    writer.element(Tag::context(number), part);
                }
            }
        });
    });
    encoded.to_vec()
}

fn read(value: Option<&[u8]>) -> Result<[Option<&[u8]>; 3], ResultCode> {
    Wanted::read(value).map(|wanted| [wanted.identity, wanted.old, wanted.new]).map_err(|refusal| refusal.result.code)
}

#[test]
fn every_part_may_be_left_out() {
    assert_eq!(read(None), Ok([None, None, None]));
    assert_eq!(read(Some(&value(None, None, None))), Ok([None, None, None]));
    assert_eq!(read(Some(&value(None, Some(b"old"), None))), Ok([None, Some(b"old".as_slice()), None]));
    assert_eq!(
        read(Some(&value(Some(b"u:a"), None, Some(b"new")))),
        Ok([Some(b"u:a".as_slice()), None, Some(b"new".as_slice())])
    );
}

#[test]
fn an_empty_new_password_is_refused() {
    assert_eq!(read(Some(&value(None, Some(b"old"), Some(b"")))), Err(ResultCode::UnwillingToPerform));
}

#[test]
fn anything_else_is_malformed() {
    let twice = [0x30, 0x06, 0x81, 0x01, b'a', 0x81, 0x01, b'b'];
    let out_of_order = [0x30, 0x06, 0x82, 0x01, b'a', 0x81, 0x01, b'b'];
    let mut trailing = value(None, None, Some(b"new"));
    trailing.push(0);
    for malformed in [b"".as_slice(), b"\x30", b"\x04\x00", b"\x30\x02\x83\x00", &twice, &out_of_order, &trailing] {
        assert_eq!(read(Some(malformed)), Err(ResultCode::ProtocolError), "{malformed:?}");
    }
}

#[test]
fn generated_passwords_use_every_bit_and_only_readable_characters() {
    let text = |random| String::from_utf8(generate(random).expose().to_vec()).unwrap();
    assert_eq!(text([0; 16]), "aaaaa-aaaaa-aaaaa-aaaaa");
    assert_eq!(text([255; 16]), "99999-99999-99999-99999");
    assert_eq!(READABLE.iter().collect::<std::collections::BTreeSet<_>>().len(), 32);
    for bit in 0..100 {
        assert_ne!(generate((1_u128 << bit).to_le_bytes()), generate([0; 16]), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(Some(&octets));
    }

    #[test]
    fn what_is_written_is_read(old in proptest::collection::vec(any::<u8>(), 0..300), new in proptest::collection::vec(any::<u8>(), 1..300)) {
        let value = value(None, Some(&old), Some(&new));
        prop_assert_eq!(read(Some(&value)), Ok([None, Some(old.as_slice()), Some(new.as_slice())]));
    }
}
