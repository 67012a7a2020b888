//! Blocks are laid out as documented, read back as they were, and damage is an error.

use bytes::Bytes;
use proptest::prelude::*;

use super::{AttributeTypeId, Entry, EntryBuilder, Section};

const CN: AttributeTypeId = AttributeTypeId(1);
const STAMP: AttributeTypeId = AttributeTypeId(2);
const PASSWORD: AttributeTypeId = AttributeTypeId(3);
const PHOTO: AttributeTypeId = AttributeTypeId(4);

fn resolve(name: &str) -> Option<(AttributeTypeId, Section)> {
    match name {
        "cn" => Some((CN, Section::User)),
        "jpegPhoto" => Some((PHOTO, Section::User)),
        "createTimestamp" => Some((STAMP, Section::Operational)),
        "userPassword" => Some((PASSWORD, Section::Secret)),
        _ => None,
    }
}

fn sample() -> EntryBuilder {
    let mut builder = EntryBuilder::default();
    builder.set(PASSWORD, "userPassword", Section::Secret, vec![Bytes::from_static(b"x")]);
    builder.set(STAMP, "createTimestamp", Section::Operational, vec![Bytes::from_static(b"20260101000000Z")]);
    builder.set(CN, "cn", Section::User, vec![Bytes::from_static(b"A"), Bytes::from_static(b"B")]);
    builder.set(CN, "cn;lang-en", Section::User, vec![Bytes::from_static(b"E")]);
    builder.set(PHOTO, "jpegPhoto", Section::User, vec![Bytes::from(vec![0xff; 70_000])]);
    builder
}

#[test]
fn a_small_block_is_laid_out_as_the_wire_has_it() {
    let mut builder = EntryBuilder::default();
    builder.set(CN, "cn", Section::User, vec![Bytes::from_static(b"A")]);
    assert_eq!(builder.build().block().as_ref(), b"\x30\x09\x04\x02cn\x31\x03\x04\x01A");
}

#[test]
fn sections_come_in_order_and_each_is_one_run() {
    let entry = sample().build();
    let names: Vec<_> = entry.attributes().map(|attribute| (attribute.description, attribute.section)).collect();
    assert_eq!(
        names,
        [
            ("cn", Section::User),
            ("cn;lang-en", Section::User),
            ("jpegPhoto", Section::User),
            ("createTimestamp", Section::Operational),
            ("userPassword", Section::Secret)
        ]
    );
    let joined: Vec<u8> = Section::ALL.into_iter().flat_map(|section| entry.encoded_section(section).to_vec()).collect();
    assert_eq!(joined, entry.block().as_ref());
    assert!(!entry.encoded_section(Section::User).windows(12).any(|window| window == b"userPassword"));
    assert_eq!(sample().encoded_length(), entry.block().len());
}

#[test]
fn values_without_options_leave_out_those_with() {
    let entry = sample().build();
    assert_eq!(entry.values(CN).collect::<Vec<_>>(), [b"A", b"B"]);
    assert_eq!(entry.attributes_of(CN).count(), 2);
    assert_eq!(entry.first(STAMP), Some(&b"20260101000000Z"[..]));
    assert_eq!(entry.first(AttributeTypeId(9)), None);
    assert_eq!(entry.first(PHOTO).map(<[u8]>::len), Some(70_000));
    let options: Vec<_> = entry.attributes_of(CN).flat_map(|attribute| attribute.options()).collect();
    assert_eq!(options, ["lang-en"]);
}

#[test]
fn reading_back_gives_the_same_entry() {
    let entry = sample().build();
    let again = Entry::from_block(entry.block().clone(), resolve).unwrap();
    assert_eq!(again.to_builder().build(), entry);
    for section in Section::ALL {
        assert_eq!(again.encoded_section(section), entry.encoded_section(section));
    }
    let empty = Entry::from_block(Bytes::new(), resolve).unwrap();
    assert_eq!(empty.attributes().count(), 0);
}

#[test]
fn no_values_removes_and_setting_again_keeps_the_place() {
    let mut builder = sample();
    builder.set(CN, "cn", Section::User, vec![Bytes::from_static(b"C")]);
    builder.set(CN, "cn;lang-en", Section::User, Vec::new());
    let entry = builder.build();
    assert_eq!(entry.attributes().next().map(|attribute| attribute.description), Some("cn"));
    assert_eq!(entry.values(CN).collect::<Vec<_>>(), [b"C"]);
    assert_eq!(entry.attributes_of(CN).count(), 1);
}

#[test]
fn damage_is_an_error() {
    let valid = sample().build().block().to_vec();
    for cut in [1, 2, 5, valid.len() / 2, valid.len() - 1] {
        assert!(Entry::from_block(Bytes::copy_from_slice(&valid[..cut]), resolve).is_err(), "cut at {cut}");
    }
    let bad: [&[u8]; 8] = [
        b"\x30\x80\x00\x00",                          // indefinite length
        b"\x30\x81\x09\x04\x02cn\x31\x03\x04\x01A",   // not the shortest form
        b"\x30\x06\x04\x02cn\x31\x00",                // no values
        b"\x30\x09\x04\x02zz\x31\x03\x04\x01A",       // unknown
        b"\x30\x0a\x04\x02cn\x31\x03\x04\x01A\x00",   // something behind the values
        b"\x30\x09\x04\x02cn\x31\x03\x02\x01A",       // a value of another type
        b"\x30\x84\xff\xff\xff\xff",                  // runs over the end
        b"\x30\x09\x04\x02\xff\xff\x31\x03\x04\x01A", // a name that is no UTF-8
    ];
    for block in bad {
        assert!(Entry::from_block(Bytes::from_static(block), resolve).is_err(), "{block:02x?}");
    }
    let mut out_of_order = sample().build().encoded_section(Section::Secret).to_vec();
    out_of_order.extend_from_slice(b"\x30\x09\x04\x02cn\x31\x03\x04\x01A");
    assert!(Entry::from_block(out_of_order.into(), resolve).is_err());
}

#[test]
fn types_that_differ_are_told_whatever_lies_where() {
    let entry = sample().build();
    assert_eq!(entry.types_that_differ(&sample().build()), []);
    let mut other = sample();
    other.set(CN, "cn;lang-en", Section::User, vec![Bytes::from_static(b"F")]);
    other.set(STAMP, "createTimestamp", Section::Operational, vec![Bytes::from_static(b"20260101000001Z")]);
    assert_eq!(entry.types_that_differ(&other.build()), [CN, STAMP]);
    let mut fewer = EntryBuilder::default();
    fewer.set(CN, "cn", Section::User, vec![Bytes::from_static(b"A"), Bytes::from_static(b"B")]);
    fewer.set(PASSWORD, "userPassword", Section::Secret, vec![Bytes::from_static(b"x")]);
    let fewer = fewer.build();
    assert_eq!(entry.types_that_differ(&fewer), [CN, PHOTO, STAMP]);
    assert_eq!(fewer.types_that_differ(&entry), [CN, PHOTO, STAMP]);
}

#[test]
fn debug_shows_no_value() {
    let text = format!("{:?} {:?}", sample().build(), sample());
    assert!(!text.contains("2026") && text.contains("cn;lang-en(1 values)"), "{text}");
}

proptest! {
    #[test]
    fn any_values_survive(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..5)) {
        let mut builder = EntryBuilder::default();
        builder.set(CN, "cn", Section::User, values.iter().cloned().map(Bytes::from).collect());
        let entry = Entry::from_block(builder.build().block().clone(), resolve).unwrap();
        prop_assert_eq!(entry.values(CN).map(<[u8]>::to_vec).collect::<Vec<_>>(), values);
    }

    #[test]
    fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Entry::from_block(octets.into(), resolve);
    }

    #[test]
    fn a_flipped_octet_never_panics(position in 0usize..200, with in 1u8..=255) {
        let mut octets = sample().build().block().to_vec();
        if let Some(octet) = octets.get_mut(position) {
            *octet ^= with;
        }
        if let Ok(entry) = Entry::from_block(octets.into(), resolve) {
            prop_assert!(entry.attributes().all(|attribute| attribute.values().count() > 0));
        }
    }
}
