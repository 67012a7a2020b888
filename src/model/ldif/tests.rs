//! The examples of RFC 2849, what is refused and where, and the law that reading undoes writing.

use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::ModificationOperation;

fn read(text: &str) -> Vec<Result<LdifRecord, LdifError>> {
    LdifReader::new(text.as_bytes()).collect()
}

fn one(text: &str) -> LdifRecord {
    let mut records = read(text);
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0).unwrap()
}

/// Each record as its line and DN, each error as it prints.
fn outline(text: &str) -> Vec<String> {
    let name = |record: LdifRecord| format!("{} {}", record.line, String::from_utf8_lossy(&record.dn));
    read(text).into_iter().map(|result| result.map_or_else(|error| error.to_string(), name)).collect()
}

fn values(record: &LdifRecord, description: &str) -> Vec<String> {
    let LdifBody::Add(attributes) = &record.body else { panic!("not an addition") };
    let attribute = attributes.iter().find(|attribute| attribute.description == description).unwrap();
    attribute.values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn written(record: &LdifRecord) -> String {
    let mut output = Vec::new();
    record.write(&mut output).unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn content_as_in_rfc_2849() {
    let text = "version: 1
dn: cn=Barbara Jensen, ou=Product Development, dc=airius, dc=com
objectclass: top
objectclass: person
cn: Barbara Jensen
cn: Babs Jensen
telephonenumber: +1 408 555 1212
description:Babs is a big sailing fan, and travels extensively in sea
 rch of perfect sailing conditions.

# A comment, folded
  over two lines

dn:: dWlkPXJvZ2FzYXdhcmEsb3U95Za25qWt6YOoLG89QWlyaXVz
objectClass: top
# dn:: uid=<uid>,ou=<JapaneseOU>,o=Airius
givenname;lang-ja:: 44Ot44OJ44OL44O8
title;lang-en: Sales, Director
";
    let records: Vec<LdifRecord> = read(text).into_iter().map(Result::unwrap).collect();
    assert_eq!(records[0].dn, b"cn=Barbara Jensen, ou=Product Development, dc=airius, dc=com");
    assert_eq!(records[0].line, 2);
    assert_eq!(values(&records[0], "objectclass"), ["top", "person"]);
    assert_eq!(values(&records[0], "cn"), ["Barbara Jensen", "Babs Jensen"]);
    assert_eq!(
        values(&records[0], "description"),
        ["Babs is a big sailing fan, and travels extensively in search of perfect sailing conditions."]
    );
    assert_eq!(records[1].dn, "uid=rogasawara,ou=営業部,o=Airius".as_bytes());
    assert_eq!(records[1].line, 14);
    assert_eq!(values(&records[1], "givenname;lang-ja"), ["ロドニー"]);
    assert_eq!(records.len(), 2);
}

#[test]
fn changes_as_in_rfc_2849() {
    let text = "version: 1
# Add a new entry
dn: cn=Fiona Jensen, ou=Marketing, dc=airius, dc=com
changetype: add
objectclass: person
sn: Jensen

dn: cn=Robert Jensen, ou=Marketing, dc=airius, dc=com
changetype: delete

dn: cn=Paul Jensen, ou=Product Development, dc=airius, dc=com
changetype: modrdn
newrdn: cn=Paula Jensen
deleteoldrdn: 1

dn: ou=PD Accountants, ou=Product Development, dc=airius, dc=com
changetype: moddn
newrdn: ou=Product Development Accountants
deleteoldrdn: 0
newsuperior: ou=Accounting, dc=airius, dc=com

dn: cn=Paula Jensen, ou=Product Development, dc=airius, dc=com
changetype: modify
add: postaladdress
postaladdress: 123 Anystreet $ Sunnyvale, CA $ 94086
-
delete: description
-
replace: telephonenumber
telephonenumber: +1 408 555 1234
telephonenumber: +1 408 555 5678
-
increment: uidNumber
uidNumber: 1

dn: ou=Product Development, dc=airius, dc=com
control: 1.2.840.113556.1.4.805 true
control: 1.2.3
control: 1.2.4 false:: AP8=
control: 1.2.5: text
changetype: delete
";
    let records: Vec<LdifRecord> = read(text).into_iter().map(Result::unwrap).collect();
    assert_eq!(records.len(), 6);
    assert_eq!(values(&records[0], "sn"), ["Jensen"]);
    assert_eq!(records[1].body, LdifBody::Delete);
    let renamed = LdifBody::Rename { new_rdn: b"cn=Paula Jensen".to_vec(), delete_old_rdn: true, new_superior: None };
    assert_eq!(records[2].body, renamed);
    let moved = LdifBody::Rename {
        new_rdn: b"ou=Product Development Accountants".to_vec(),
        delete_old_rdn: false,
        new_superior: Some(b"ou=Accounting, dc=airius, dc=com".to_vec()),
    };
    assert_eq!(records[3].body, moved);
    let LdifBody::Modify(modifications) = &records[4].body else { panic!("not a modification") };
    let outline: Vec<_> = modifications
        .iter()
        .map(|change| (change.operation, change.attribute.description.as_str(), change.attribute.values.len()))
        .collect();
    let expected = [
        (ModificationOperation::Add, "postaladdress", 1),
        (ModificationOperation::Delete, "description", 0),
        (ModificationOperation::Replace, "telephonenumber", 2),
        (ModificationOperation::Increment, "uidNumber", 1),
    ];
    assert_eq!(outline, expected);
    assert_eq!(
        records[5].controls,
        [
            ("1.2.840.113556.1.4.805".into(), true, None),
            ("1.2.3".into(), false, None),
            ("1.2.4".into(), false, Some(vec![0, 255])),
            ("1.2.5".into(), false, Some(b"text".to_vec())),
        ]
    );
}

#[test]
fn carriage_returns_blank_lines_and_spaces() {
    let record = one("\r\n\r\nversion: 1\r\n\r\nDN:  dc=a\r\ncn:   two  \r\n words \r\nCN: b\r\nsn:\r\nou: Zoë\r\n\r\n\r\n");
    assert_eq!((record.dn.as_slice(), record.line), (b"dc=a".as_slice(), 5));
    assert_eq!(values(&record, "cn"), ["two  words ", "b"]);
    assert_eq!(values(&record, "sn"), [""]);
    assert_eq!(values(&record, "ou"), ["Zoë"]);
    assert!(read("").is_empty());
    assert!(read("\n\n# nothing\n\nversion: 1\n").is_empty());
}

#[test]
fn goes_on_after_an_error() {
    let text = "version: 2

dn: dc=a
no colon here

dn: dc=b
cn: fine

cn: no dn
sn: x

 orphan
dn: dc=c
cn: x

dn: dc=d
cn:: !!!!
sn: x

dn: dc=e
jpegPhoto:< file:///etc/hostname

dn: dc=f
changetype: remove

dn: dc=g
cn: fine";
    assert_eq!(
        outline(text),
        [
            "line 1: only version 1 of LDIF is known",
            "line 4: no colon in the line",
            "6 dc=b",
            "line 9: a record must start with dn:",
            "line 12: a line that starts with a space continues none",
            "line 17: the value is not valid base64",
            "line 21: values from file: URLs are not allowed here",
            "line 24: changetype must be add, modify, delete, modrdn or moddn",
            "26 dc=g",
        ]
    );
}

#[test]
fn what_is_no_change_record() {
    for (text, expected) in [
        ("dn: a=b", "line 1: the record has no attributes"),
        ("dn: a=b\nchangetype: add", "line 2: the record has no attributes"),
        ("dn: a=b\ncontrol: 1.2 true\ncn: x", "line 1: a record with control: needs changetype: as well"),
        ("dn: a=b\ncontrol: 1.2 maybe\nchangetype: delete", "line 2: expected control: OID [true|false] [: value]"),
        ("dn: a=b\ncontrol: x\nchangetype: delete", "line 2: expected control: OID [true|false] [: value]"),
        ("dn: a=b\nchangetype: delete\ncn: x", "line 3: a line that does not belong to this changetype"),
        ("dn: a=b\nchangetype: modify\ncn: x", "line 3: expected add:, delete:, replace: or increment:"),
        ("dn: a=b\nchangetype: modify\nadd: cn\nsn: x", "line 4: the attribute is not the one that this change names"),
        ("dn: a=b\nchangetype: modify\nadd: c n\n-", "line 3: not an attribute description before the colon"),
        ("dn: a=b\nchangetype: modrdn", "line 2: expected newrdn: after this changetype"),
        ("dn: a=b\nchangetype: modrdn\nnewrdn: a=c", "line 3: expected deleteoldrdn: after newrdn:"),
        ("dn: a=b\nchangetype: modrdn\nnewrdn: a=c\ndeleteoldrdn: 2", "line 4: deleteoldrdn must be 0 or 1"),
        ("dn: a=b\nsecret value: x", "line 2: not an attribute description before the colon"),
    ] {
        assert_eq!(outline(text), [expected], "{text}");
    }
}

#[test]
fn modify_without_changes_or_last_dash() {
    assert_eq!(one("dn: a=b\nchangetype: modify\n").body, LdifBody::Modify(Vec::new()));
    let with = one("dn: a=b\nchangetype: modify\nADD: cn\ncn: x\n-\n");
    assert_eq!(with, one("dn: a=b\nchangetype: Modify\nadd: cn\nCN: x\n"));
}

#[test]
fn file_urls_only_when_allowed() {
    let text = "dn: dc=a\na:< file:///x%20y\nb:<file://localhost/z\n";
    let files = |path: &Path| Ok(path.to_str().unwrap().as_bytes().to_vec());
    let record = LdifReader::new(text.as_bytes()).with_files(files).next().unwrap().unwrap();
    assert_eq!((values(&record, "a"), values(&record, "b")), (vec!["/x y".to_owned()], vec!["/z".to_owned()]));

    for url in ["http://host/x", "file:x", "file://host/x", "file:///%zz", "file:///%f", ""] {
        let text = format!("dn: dc=a\na:< {url}\n");
        let error = LdifReader::new(text.as_bytes()).with_files(files).next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "line 2: only file: URLs with an absolute path can name a value");
    }
    let missing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let error = LdifReader::new(text.as_bytes()).with_files(missing).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 2: the file of the URL cannot be read: entity not found");
}

#[test]
fn lines_are_bounded() {
    let maximum = LdifReader::<&[u8]>::MAXIMUM_LINE;
    let text = |length: usize| format!("dn: dc=a\r\ncn:{}\r\n\r\ndn: dc=b\ncn: x\n", "x".repeat(length - 3));
    assert_eq!(outline(&text(maximum)), ["1 dc=a", "4 dc=b"]);
    assert_eq!(outline(&text(maximum + 1)), ["line 2: the line is longer than 16 MiB", "4 dc=b"]);

    let pieces = maximum >> 10;
    let folded = |more: &str| {
        format!("dn: dc=a\ncn:x{}{more}\n\ndn: dc=b\ncn: x\n", format!("\n {}", "x".repeat(1 << 10)).repeat(pieces - 1))
    };
    let next = pieces as u64 + 3;
    let spare = "x".repeat(1024 - 4);
    assert_eq!(outline(&folded(&spare)), ["1 dc=a".to_owned(), format!("{next} dc=b")]);
    let too_long = "line 2: the line is longer than 16 MiB".to_owned();
    assert_eq!(outline(&folded(&(spare + "x"))), [too_long, format!("{next} dc=b")]);
}

#[test]
fn records_are_bounded() {
    let line = format!("cn:{}\n", "x".repeat(1 << 20));
    let input = b"dn: dc=a\n".chain(Repeat { line: line.into_bytes(), left: 300, at: 0 });
    let input = BufReader::new(input.chain(b"\ndn: dc=b\ncn: x\n".as_slice()));
    let results: Vec<_> =
        LdifReader::new(input).map(|result| result.map(|record| record.line).map_err(|error| error.to_string())).collect();
    assert_eq!(results, [Err("line 257: the record is longer than 256 MiB".to_owned()), Ok(303)]);
}

/// The same line again and again.
struct Repeat {
    line: Vec<u8>,
    left: usize,
    at: usize,
}

impl Read for Repeat {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() {
            self.at = 0;
            self.left -= 1;
        }
        if self.left == 0 {
            return Ok(0);
        }
        let count = (&self.line[self.at..]).read(target)?;
        self.at += count;
        Ok(count)
    }
}

#[test]
fn a_failed_input_ends_the_records() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let input = BufReader::new(b"dn: dc=a\ncn: x\n\ndn: dc=b\n".chain(Broken));
    let results: Vec<_> = LdifReader::new(input).map(|result| result.map(|_| ()).map_err(|error| error.to_string())).collect();
    assert_eq!(results, [Ok(()), Err("line 5: cannot be read: the disk is gone".to_owned())]);
}

#[test]
fn writes_as_rfc_2849_asks() {
    let line = |value: &[u8]| {
        let mut output = Vec::new();
        write_line(&mut output, "cn", value).unwrap();
        String::from_utf8(output).unwrap()
    };
    assert_eq!(line(b"plain: text"), "cn: plain: text\n");
    assert_eq!(line(b""), "cn:\n");
    for (value, encoded) in
        [(" a", "IGE="), (":a", "OmE="), ("<a", "PGE="), ("a ", "YSA="), ("a\nb", "YQpi"), ("\0", "AA=="), ("é", "w6k=")]
    {
        assert_eq!(line(value.as_bytes()), format!("cn:: {encoded}\n"));
    }
    let long = line("x".repeat(76 - 4 + 75 + 1).as_bytes());
    assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [76, 76, 2]);
    assert_eq!(line("x".repeat(72).as_bytes()).lines().count(), 1);

    let mut output = Vec::new();
    write_entry(&mut output, "dc=a", [("cn", b"x".as_slice()), ("cn", b"y")]).unwrap();
    assert_eq!(output, b"dn: dc=a\ncn: x\ncn: y\n\n");
}

#[test]
fn an_addition_is_written_as_content_unless_it_would_read_otherwise() {
    assert_eq!(written(&one("dn: dc=a\nchangetype: add\ncn: x")), "dn: dc=a\ncn: x\n\n");
    let odd = "dn: dc=a\nchangetype: add\nchangetype: x\n\n";
    assert_eq!(written(&one(odd)), odd);
    let controlled = "dn: dc=a\ncontrol: 1.2 true:: AA==\nchangetype: add\ncn: x\n\n";
    assert_eq!(written(&one(controlled)), controlled);
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes),
        "[ :<#a\r\n\0-]{0,5}".prop_map(String::into_bytes),
        "[a-z ]{60,90}".prop_map(String::into_bytes),
    ]
}

fn description() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9-]{0,8}(;[a-z0-9-]{1,4}){0,2}",
        "[0-2](\\.(0|[1-9][0-9]{0,3})){1,4}",
        "[a-z]{100}",
        Just("changetype".to_owned()),
        Just("control".to_owned()),
        Just("dn".to_owned()),
    ]
}

fn attribute(fewest: usize) -> impl Strategy<Value = Attribute> {
    (description(), proptest::collection::vec(octets().prop_map(Bytes::from), fewest..4))
        .prop_map(|(description, values)| Attribute { description, values })
}

fn body() -> impl Strategy<Value = LdifBody> {
    let operation = prop_oneof![
        Just(ModificationOperation::Add),
        Just(ModificationOperation::Delete),
        Just(ModificationOperation::Replace),
        Just(ModificationOperation::Increment),
    ];
    let modification = (operation, attribute(0)).prop_map(|(operation, attribute)| Modification { operation, attribute });
    let gathered = proptest::collection::vec(attribute(1), 1..6).prop_map(|mut attributes| {
        let mut seen = std::collections::HashSet::new();
        attributes.retain(|attribute| seen.insert(attribute.description.to_ascii_lowercase()));
        attributes
    });
    let rename = (octets(), any::<bool>(), proptest::option::of(octets()))
        .prop_map(|(new_rdn, delete_old_rdn, new_superior)| LdifBody::Rename { new_rdn, delete_old_rdn, new_superior });
    prop_oneof![
        gathered.prop_map(LdifBody::Add),
        proptest::collection::vec(modification, 0..4).prop_map(LdifBody::Modify),
        Just(LdifBody::Delete),
        rename,
    ]
}

fn record() -> impl Strategy<Value = LdifRecord> {
    let control = ("[0-2](\\.(0|[1-9][0-9]{0,3})){1,4}", any::<bool>(), proptest::option::of(octets()));
    (octets(), proptest::collection::vec(control, 0..3), body()).prop_map(|(dn, controls, body)| LdifRecord {
        dn,
        line: 0,
        controls,
        body,
    })
}

proptest! {
    #[test]
    fn reading_undoes_writing(records in proptest::collection::vec(record(), 0..4)) {
        let mut output = Vec::new();
        records.iter().for_each(|record| record.write(&mut output).unwrap());
        prop_assert!(output.split(|octet| *octet == b'\n').all(|line| line.len() <= 76 && line.is_ascii()));
        let back: Vec<LdifRecord> =
            LdifReader::new(output.as_slice()).map(|record| LdifRecord { line: 0, ..record.unwrap() }).collect();
        prop_assert_eq!(back, records);
    }

    #[test]
    fn arbitrary_octets_do_not_panic(
        octets in proptest::collection::vec(any::<u8>(), 0..100),
        lines in proptest::collection::vec("(dn|cn|changetype|add|control|newrdn|-|version| |#)?:{0,2}<? ?(modify|modrdn|1|cn|1.2|true)?\r?", 0..12),
    ) {
        let _ = LdifReader::new(octets.as_slice()).count();
        let _ = LdifReader::new(lines.join("\n").as_bytes()).count();
    }
}
