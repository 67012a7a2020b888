//! What the string form must and must not read as, and the law that writing undoes reading.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn respelled(text: &str) -> String {
    Dn::parse(text.as_bytes()).unwrap().to_string()
}

fn value(text: &[u8]) -> Vec<u8> {
    Rdn::parse(text).unwrap().parts[0].value.to_vec()
}

#[test]
fn examples_of_rfc_4514() {
    assert_eq!(respelled("UID=jsmith,DC=example,DC=net"), "UID=jsmith,DC=example,DC=net");
    assert_eq!(Dn::parse(b"OU=Sales+CN=J.  Smith,DC=example,DC=net").unwrap().rdns[0].parts.len(), 2);
    assert_eq!(value(br#"CN=James \"Jim\" Smith\, III"#), b"James \"Jim\" Smith, III");
    assert_eq!(value(br"CN=Before\0dAfter"), b"Before\rAfter");
    assert_eq!(value(b"1.3.6.1.4.1.1466.0=#04024869"), b"Hi");
    assert_eq!(value(br"CN=Lu\C4\8Di\C4\87"), "Lučić".as_bytes());
}

#[test]
fn examples_of_rfc_2253() {
    assert_eq!(value(br#"O="Sue, Grabbit and Runn""#), b"Sue, Grabbit and Runn");
    assert_eq!(respelled("CN=L. Eagle; O=Sue\\, Grabbit and Runn ; C=GB"), "CN=L. Eagle,O=Sue\\2C Grabbit and Runn,C=GB");
    assert_eq!(respelled("OID.2.5.4.3=x , oid.2.5.4.10 = y"), "2.5.4.3=x,2.5.4.10=y");
}

#[test]
fn spelled_as_slapd_does() {
    for (given, expected) in [
        (r"cn=a\,b", r"cn=a\2Cb"),
        (r"cn=\ a\ ", r"cn=\20a\20"),
        (r"cn=\  a \ ", r"cn=\20 a \20"),
        (r"cn=\#a#", r"cn=\23a#"),
        (r"cn=a\+b+sn=c", r"cn=a\2Bb+sn=c"),
        (r#"cn=a\"\\\<\>\;\="#, r"cn=a\22\5C\3C\3E\3B\3D"),
        ("cn=a=b", r"cn=a\3Db"),
        (r"cn=\c3\a9", "cn=é"),
        (r"cn=\ff\00x", r"cn=\FF\00x"),
        ("cn = Zoë  Öz ,  dc=x", "cn=Zoë  Öz,dc=x"),
        (r"cn=\20", r"cn=\20"),
        ("cn=", "cn="),
        ("cn=+sn=,dc=x", "cn=+sn=,dc=x"),
        ("cn=\t\na\n", "cn=a"),
        (r"cn=\0aa\09", r"cn=\0Aa\09"),
        (r#"cn="  ,\"\2c"  ,dc=x"#, r"cn=\20 \2C\22\2C,dc=x"),
    ] {
        assert_eq!(respelled(given), expected, "{given}");
    }
}

#[test]
fn the_empty_name_is_the_root() {
    let root = Dn::parse(b"").unwrap();
    assert!(root.is_empty());
    assert_eq!(root.parent(), None);
    assert_eq!(root.to_string(), "");
    assert_eq!(Dn::parse(b"cn=a,dc=b").unwrap().parent().unwrap().to_string(), "dc=b");
    assert!(Dn::parse(b"dc=b").unwrap().parent().unwrap().is_empty());
}

#[test]
fn what_is_no_name() {
    for text in [
        " ",
        "cn",
        "=a",
        "cn=a,",
        ",cn=a",
        "cn=a,,dc=b",
        "cn=a+",
        "cn=a+,dc=b",
        "cn=a dc=b,",
        "c n=a",
        "1=a",
        "1.=a",
        "01.2=a",
        "1..2=a",
        "-cn=a",
        "cn;lang-en=a",
        "cn=a\"b",
        "cn=a<b",
        "cn=a>b",
        "cn=a\\",
        "cn=a\\2",
        "cn=a\\zz",
        "cn=a\\n",
        "cn=\"a",
        "cn=\"a\"b",
        "cn=#",
        "cn=#0",
        "cn=#zz",
        "cn=#0402486",
        "cn=#0403486a",
        "cn=#040148 69",
        "cn=#30020500",
        "cn=#02012a",
        "cn=#0480",
        "cn=\0",
        "OID.cn=a",
        "oid.=a",
    ] {
        assert_eq!(Dn::parse(text.as_bytes()), Err(DnError), "{text:?}");
    }
    assert_eq!(Dn::parse(b"cn=\xFF"), Err(DnError));
    assert_eq!(Rdn::parse(b""), Err(DnError));
    assert_eq!(Rdn::parse(b"cn=a,dc=b"), Err(DnError));
}

#[test]
fn bounded() {
    let deep = |count: usize| vec!["dc=a"; count].join(",");
    assert_eq!(Dn::parse(deep(256).as_bytes()).unwrap().rdns.len(), 256);
    assert_eq!(Dn::parse(deep(257).as_bytes()), Err(DnError));

    let long = |length: usize| format!("cn={}", "a".repeat(length - 3));
    assert!(Dn::parse(long(65536).as_bytes()).is_ok());
    assert_eq!(Dn::parse(long(65537).as_bytes()), Err(DnError));

    // 65533 octets as read, 98298 when written.
    let grows = format!("cn={}", "\\,".repeat(32765));
    assert_eq!(Dn::parse(grows.as_bytes()), Err(DnError));
}

#[test]
fn hexadecimal_strings_have_any_definite_length() {
    let long = |prefix: &str, length: usize| format!("cn=#{prefix}{}", "61".repeat(length));
    assert_eq!(value(long("0c8180", 128).as_bytes()).len(), 128);
    assert_eq!(value(long("13820100", 256).as_bytes()).len(), 256);
    assert_eq!(value(b"cn=#0400"), b"");
}

fn any_rdn() -> impl Strategy<Value = Rdn> {
    let name = prop_oneof!["[a-zA-Z][a-zA-Z0-9-]{0,8}", "[0-2](\\.(0|[1-9][0-9]{0,4})){1,5}"];
    let octets = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        any::<String>().prop_map(String::into_bytes),
        "[ #,;+=\"<>\\\\a\t\r\n\0é]{0,8}".prop_map(String::into_bytes),
    ];
    let part =
        (name, octets).prop_map(|(attribute_type, value)| AttributeTypeAndValue { attribute_type, value: Bytes::from(value) });
    proptest::collection::vec(part, 1..4).prop_map(|parts| Rdn { parts })
}

proptest! {
    #[test]
    fn reading_undoes_writing(rdns in proptest::collection::vec(any_rdn(), 0..6)) {
        let dn = Dn { rdns };
        prop_assert_eq!(Dn::parse(dn.to_string().as_bytes()), Ok(dn));
    }

    #[test]
    fn what_is_read_can_be_read_again(text in "[a-c=,+; #\"<>\\\\0-9é]{0,40}") {
        if let Ok(dn) = Dn::parse(text.as_bytes()) {
            prop_assert_eq!(write::length(&dn.rdns), dn.to_string().len());
            prop_assert_eq!(Dn::parse(dn.to_string().as_bytes()), Ok(dn));
        }
    }
}
