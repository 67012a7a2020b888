//! Tests of rules on certificates, with an authority, a person certified by it, and its revocation list (made with OpenSSL).

use base64::Engine;

use super::super::{MatchingRule, Schema};
use super::gser::Gser;

const AUTHORITY: &str = "MIIB/zCCAaWgAwIBAgIKAPANyv4SNFZ4kDAKBggqhkjOPQQDAjBaMQswCQYDVQQGEwJGUjEXMBUGA1UECgwOTWVyY3kgSG9zcGl0YWwxETAPBg\
    NVBAMMCE1lcmN5IENBMR8wHQYJKoZIhvcNAQkBFhBjYUBtZXJjeS5leGFtcGxlMB4XDTI2MTEyMjExMjkwNVoXDTM2MTExOTExMjkwNVowWjEL\
    MAkGA1UEBhMCRlIxFzAVBgNVBAoMDk1lcmN5IEhvc3BpdGFsMREwDwYDVQQDDAhNZXJjeSBDQTEfMB0GCSqGSIb3DQEJARYQY2FAbWVyY3kuZX\
    hhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFCmQ5m5U9cunoP8v3Dr+cSerL6+8aa92duH8rWdnx7pmMD2+2CstDaUGP4QOZo4T9Gh\
    SuoF3xYmxTUA8xYvtpSjUzBRMB0GA1UdDgQWBBRY4OjtpounZkX7up0gkj/N6lXAhTAfBgNVHSMEGDAWgBRY4OjtpounZkX7up0gkj/N6lXAhT\
    APBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIAiwvafTFc9YA9qsc6cZUgJORVQSiSRdsax4MD7HISfmAiEA5BFPYRC3rt761wEC\
    0j+bRLbMKklgek37pUL4u5Wpr+4=";
const PERSON: &str = "MIICPzCCAeSgAwIBAgICEjQwCgYIKoZIzj0EAwIwWjELMAkGA1UEBhMCRlIxFzAVBgNVBAoMDk1lcmN5IEhvc3BpdGFsMREwDwYDVQQDDAhNZX\
    JjeSBDQTEfMB0GCSqGSIb3DQEJARYQY2FAbWVyY3kuZXhhbXBsZTAeFw0yNjExMjIxMTM1MTZaFw0yNzExMjIxMTM1MTZaMGUxCzAJBgNVBAYT\
    AkZSMRcwFQYDVQQKDA5NZXJjeSBIb3NwaXRhbDEjMA0GA1UECwwGUGVvcGxlMBIGCgmSJomT8ixkAQEMBGFubmExGDAWBgNVBAMMD0FubmEgTW\
    9yZWF1ICJ4IjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABI2m2UYnPYaQRwDFbkHMkxhg8wgR5qhyW4HaXPbqu+ZuiuvzULqrSX9lkV/YNcU6\
    drmtlSnxwBZ1ownDIjYiZFqjgY4wgYswCQYDVR0TBAIwADALBgNVHQ8EBAMCBaAwMQYDVR0RBCowKIISYW5uYS5tZXJjeS5leGFtcGxlgRJhbm\
    5hQG1lcmN5LmV4YW1wbGUwHQYDVR0OBBYEFI71duFhlJoTp8UaYFHIgk40w+oqMB8GA1UdIwQYMBaAFFjg6O2mi6dmRfu6nSCSP83qVcCFMAoG\
    CCqGSM49BAMCA0kAMEYCIQDNosu0YpREmEiastBss4pDpL+dfviJ3LCNmjPFMHbEkAIhALqnu4pGYsPp601IBlctr1I2pmaQTp4ZAUgxEESxOs\
    C8";
const LIST: &str = "MIHyMIGaAgEBMAoGCCqGSM49BAMCMFoxCzAJBgNVBAYTAkZSMRcwFQYDVQQKDA5NZXJjeSBIb3NwaXRhbDERMA8GA1UEAwwITWVyY3kgQ0ExHz\
    AdBgkqhkiG9w0BCQEWEGNhQG1lcmN5LmV4YW1wbGUXDTI2MTAwMTA4MDAwMFoXDTI2MTEwMTA4MDAwMFqgDzANMAsGA1UdFAQEAgIQATAKBggq\
    hkjOPQQDAgNHADBEAiAleKDT/j0wVBgr46NShSG1E7AhyDLoGfniiNVQGjWDcgIgJkIEQ4FzzcEDrHCWyYwLv4CA5hqm2QyzpX210oswoJ8=";

const SERIAL: &str = "4428212463712221952144";
const ISSUER: &str = "emailAddress=ca@mercy.example,CN=Mercy CA,O=Mercy Hospital,C=FR";

fn der(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn schema() -> &'static Schema {
    static SCHEMA: std::sync::LazyLock<Schema> = std::sync::LazyLock::new(|| Schema::embedded().unwrap());
    &SCHEMA
}

fn rule(name: &str) -> &'static MatchingRule {
    schema().matching_rule(name).unwrap()
}

/// Whether a rule finds a value; none where the assertion is none of its.
fn finds(name: &str, value: &[u8], assertion: impl AsRef<[u8]>) -> Option<bool> {
    let asserted = (rule(name).prepare_assertion)(schema(), assertion.as_ref()).ok()?;
    Some(rule(name).accepts(&asserted, &(rule(name).prepare)(schema(), value).unwrap()))
}

/// A pair in DER: whole certificates in `[0]` and `[1]`.
fn pair(forward: Option<&[u8]>, reverse: Option<&[u8]>) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, content].concat()
    };
    let inner = [forward.map(|it| element(0xa0, it)), reverse.map(|it| element(0xa1, it))];
    element(0x30, &inner.into_iter().flatten().flatten().collect::<Vec<u8>>())
}

#[test]
fn a_certificate_is_found_by_serial_number_and_issuer() {
    let authority = der(AUTHORITY);
    let exact = |assertion: &str| finds("certificateExactMatch", &authority, assertion);
    for assertion in [
        format!("{{ serialNumber {SERIAL}, issuer rdnSequence:\"{ISSUER}\" }}"),
        format!("{{issuer rdnSequence:\"{ISSUER}\",serialNumber {SERIAL}}}"),
        format!("{{ serialNumber {SERIAL} , issuer \"email=CA@MERCY.example, cn=mercy  ca, o=Mercy Hospital, c=fr\" }}"),
        format!("{{ SERIALNUMBER 'f00dcafe1234567890'H, ISSUER RDNSequence : \"{ISSUER}\" }}"),
        format!("{{ serialNumber '00F00DCAFE1234567890'H, issuer rdnSequence:\"{ISSUER}\" }}"),
        format!("{SERIAL}$1.2.840.113549.1.9.1=#160a,{ISSUER}").replace("1.2.840.113549.1.9.1=#160a,", ""),
    ] {
        assert_eq!(exact(&assertion), Some(true), "{assertion}");
    }
    for assertion in [
        format!("{{ serialNumber 4660, issuer rdnSequence:\"{ISSUER}\" }}"),
        format!("{{ serialNumber -{SERIAL}, issuer rdnSequence:\"{ISSUER}\" }}"),
        format!("{{ serialNumber {SERIAL}, issuer rdnSequence:\"CN=Mercy CA\" }}"),
        format!("{SERIAL}$C=FR,O=Mercy Hospital,CN=Mercy CA,emailAddress=ca@mercy.example"),
    ] {
        assert_eq!(exact(&assertion), Some(false), "{assertion}");
    }
    assert_eq!(finds("certificateExactMatch", &authority, &authority), Some(true), "a certificate asserts itself");
    assert_eq!(finds("certificateExactMatch", &authority, der(PERSON)), Some(false));
    // The assertion in DER: the serial number, and the issuer as it stands in the certificate.
    let name = authority.windows(2).position(|octets| octets == [0x30, 0x5a]).unwrap();
    let assertion = [&[0x30, 104, 0x02, 10], &authority[15..25], &authority[name..name + 92]].concat();
    assert_eq!(finds("certificateExactMatch", &authority, assertion), Some(true));
}

#[test]
fn what_is_no_assertion_is_refused() {
    let authority = der(AUTHORITY);
    let issuer = format!("issuer rdnSequence:\"{ISSUER}\"");
    for assertion in [
        String::new(),
        "zork".into(),
        "{ }".into(),
        format!("{{ {issuer} }}"),
        "{ serialNumber 5 }".into(),
        format!("{{ serialNumber x, {issuer} }}"),
        format!("{{ serialNumber {}, {issuer} }}", "9".repeat(201)),
        format!("{{ serialNumber ''H, {issuer} }}"),
        format!("{{ serialNumber '0'H, {issuer} }}"),
        format!("{{ serialNumber 5, serialNumber 5, {issuer} }}"),
        format!("{{ serialNumber 5, {issuer}, zork 1 }}"),
        format!("{{ serialNumber 5, {issuer} "),
        format!("{{ serialNumber 5, {issuer} }} x"),
        "{ serialNumber 5, issuer rdnSequence:\"no name\" }".into(),
        "{ serialNumber 5, issuer directoryName:\"cn=x\" }".into(),
        "5$no name".into(),
        "x$cn=a".into(),
        "{".repeat(100_000),
        "{ a ".repeat(100_000),
        "0".into(),
    ] {
        let shown: String = assertion.chars().take(60).collect();
        assert_eq!(finds("certificateExactMatch", &authority, &assertion), None, "{shown}");
        assert_eq!(finds("certificatePairExactMatch", &pair(Some(&authority), None), &assertion), None, "{shown}");
    }
}

#[test]
fn a_certificate_is_found_by_what_it_says() {
    let (person, authority) = (der(PERSON), der(AUTHORITY));
    let cases = [
        ("serialNumber 4660", true, false),
        ("serialNumber '1234'H", true, false),
        ("issuer rdnSequence:\"emailAddress=ca@mercy.example,CN=Mercy CA,O=Mercy Hospital,C=FR\"", true, true),
        ("subject rdnSequence:\"cn=anna moreau \\\"\"x\\\"\",uid=ANNA+ou=people,o=mercy hospital,c=fr\"", true, false),
        ("certificateValid utcTime:\"270101000000Z\"", true, true),
        ("certificateValid generalTime:\"20280101000000Z\"", false, true),
        ("certificateValid \"20261122112905Z\"", false, true),
        ("certificateValid \"20371122112905Z\"", false, false),
        ("subjectKeyIdentifier '8EF576E161949A13A7C51A6051C8824E34C3EA2A'H", true, false),
        ("authorityKeyIdentifier { keyIdentifier '58E0E8EDA68BA76645FBBA9D20923FCDEA55C085'H }", true, true),
        ("subjectPublicKeyAlgID 1.2.840.10045.2.1", true, true),
        ("subjectPublicKeyAlgID 1.2.840.113549.1.1.1", false, false),
        ("keyUsage { digitalSignature }", true, true),
        ("keyUsage { keyEncipherment, digitalSignature }", true, true),
        ("keyUsage '101'B", true, true),
        ("keyUsage { keyCertSign }", false, true),
        ("subjectAltName builtinNameForm:dNSName", true, false),
        ("subjectAltName builtinNameForm:iPAddress", false, false),
        ("serialNumber 4660, keyUsage { keyAgreement }", false, false),
        ("", true, true),
    ];
    for (assertion, of_person, of_authority) in cases {
        let text = format!("{{ {assertion} }}");
        assert_eq!(finds("certificateMatch", &person, &text), Some(of_person), "{text} on the person");
        assert_eq!(finds("certificateMatch", &authority, &text), Some(of_authority), "{text} on the authority");
    }
    for assertion in [
        "{ pathToName rdnSequence:\"cn=x\" }",
        "{ policy { 1.2.3 } }",
        "{ certificateValid \"now\" }",
        "{ keyUsage { zork } }",
        "{ keyUsage x }",
        "{ subjectAltName otherNameForm:1.2.3 }",
        "{ subjectKeyIdentifier 5 }",
        "{ authorityKeyIdentifier { authorityCertSerialNumber 5 } }",
        "{ 4660 }",
        "x",
    ] {
        assert_eq!(finds("certificateMatch", &person, assertion), None, "{assertion}");
    }
}

#[test]
fn a_revocation_list_is_found_by_issuer_and_time() {
    let list = der(LIST);
    let exact = |assertion: &str| finds("certificateListExactMatch", &list, assertion);
    for time in ["utcTime:\"261001080000Z\"", "generalTime:\"20261001080000Z\"", "\"20261001100000+0200\""] {
        assert_eq!(exact(&format!("{{ issuer rdnSequence:\"{ISSUER}\", thisUpdate {time} }}")), Some(true), "{time}");
    }
    assert_eq!(exact(&format!("{{ issuer rdnSequence:\"{ISSUER}\", thisUpdate \"20261001080001Z\" }}")), Some(false));
    assert_eq!(exact("{ issuer rdnSequence:\"cn=x\", thisUpdate \"20261001080000Z\" }"), Some(false));
    assert_eq!(finds("certificateListExactMatch", &list, &list), Some(true));
    let point = "distributionPoint fullName:{ directoryName:rdnSequence:\"cn=x\" }";
    assert_eq!(exact(&format!("{{ issuer rdnSequence:\"{ISSUER}\", thisUpdate \"20261001080000Z\", {point} }}")), None);
    let matches = |assertion: &str| finds("certificateListMatch", &list, format!("{{ {assertion} }}"));
    for (assertion, expected) in [
        (format!("issuer rdnSequence:\"{ISSUER}\""), Some(true)),
        ("minCRLNumber 4097".into(), Some(true)),
        ("minCRLNumber 255, maxCRLNumber 5000".into(), Some(true)),
        ("minCRLNumber 4098".into(), Some(false)),
        ("maxCRLNumber 4096".into(), Some(false)),
        ("dateAndTime generalTime:\"20261001080000Z\"".into(), Some(true)),
        ("dateAndTime utcTime:\"261002080000Z\"".into(), Some(false)),
        ("authorityKeyIdentifier { keyIdentifier '00'H }".into(), Some(false)),
        ("reasonFlags { unused }".into(), None),
        ("minCRLNumber many".into(), None),
    ] {
        assert_eq!(matches(&assertion), expected, "{assertion}");
    }
}

#[test]
fn a_pair_is_found_by_one_half_or_both() {
    let (authority, person) = (der(AUTHORITY), der(PERSON));
    let both = pair(Some(&authority), Some(&person));
    let half = pair(None, Some(&person));
    let exact = |serial: &str| format!("{{ serialNumber {serial}, issuer rdnSequence:\"{ISSUER}\" }}");
    let (forward, reverse) = (exact(SERIAL), exact("4660"));
    let find = |value: &[u8], assertion: &str| finds("certificatePairExactMatch", value, assertion);
    let all = format!("{{ issuedToThisCAAssertion {forward}, issuedByThisCAAssertion {reverse} }}");
    assert_eq!((find(&both, &all), find(&half, &all)), (Some(true), Some(false)));
    let one = format!("{{ issuedByThisCAAssertion {reverse} }}");
    assert_eq!((find(&both, &one), find(&half, &one)), (Some(true), Some(true)));
    assert_eq!(find(&both, &format!("{{ issuedToThisCAAssertion {reverse} }}")), Some(false));
    let usage = |of: &str| format!("{{ {of} {{ keyUsage {{ keyCertSign }} }} }}");
    assert_eq!(finds("certificatePairMatch", &half, usage("issuedByThisCAAssertion")), Some(false));
    assert_eq!(finds("certificatePairMatch", &both, usage("issuedToThisCAAssertion")), Some(true));
    let valid = schema().attribute_type("crossCertificatePair").unwrap().syntax.is_valid;
    assert!(valid(&both) && valid(&half) && !valid(&pair(None, None)) && !valid(&pair(Some(b"x"), None)) && !valid(&authority));
}

#[test]
fn algorithms_are_compared_with_their_parameters() {
    let with_null = [0x30, 15, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
    let bare = [0x30, 13, 0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1];
    let find = |value: &[u8], assertion: &str| finds("algorithmIdentifierMatch", value, assertion);
    let (null, none) = ("{ algorithm 1.2.840.113549.1.1.1, parameters NULL }", "{ algorithm 1.2.840.113549.1.1.1 }");
    assert_eq!((find(&with_null, null), find(&with_null, none)), (Some(true), Some(false)));
    assert_eq!((find(&bare, null), find(&bare, none)), (Some(false), Some(true)));
    assert_eq!(find(&bare, "{ algorithm 1.2.3 }"), Some(false));
    assert_eq!((find(&bare, "{ parameters NULL }"), find(&bare, "1.2.3")), (None, None));
}

#[test]
fn values_are_certificates_and_lists_only() {
    let valid = |name: &str, value: &[u8]| (schema().attribute_type(name).unwrap().syntax.is_valid)(value);
    let (authority, list) = (der(AUTHORITY), der(LIST));
    assert!(valid("userCertificate", &authority) && valid("userCertificate", &der(PERSON)) && valid("cACertificate", &authority));
    assert!(valid("certificateRevocationList", &list) && !valid("userCertificate", &list));
    assert!(!valid("certificateRevocationList", &authority));
    for cut in 0..authority.len() {
        assert!(!valid("userCertificate", &authority[..cut]), "{cut}");
    }
    assert!(!valid("userCertificate", &[authority.as_slice(), &[0]].concat()));
    // No change of one octet makes anything panic.
    for place in 0..authority.len() {
        let mut damaged = authority.clone();
        damaged[place] ^= 0x55;
        for name in ["certificateExactMatch", "certificateMatch"] {
            _ = (rule(name).prepare)(schema(), &damaged);
            _ = (rule(name).prepare_assertion)(schema(), &damaged);
        }
    }
}

#[test]
fn names_in_wider_strings_and_of_unknown_types_are_read() {
    // 2.5.4.3 as BMPString "é", 1.2.3 as INTEGER 5.
    let content =
        [&[0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 0x1e, 2, 0, 0xe9][..], &[0x31, 9, 0x30, 7, 6, 2, 0x2a, 3, 2, 1, 5]].concat();
    let expected = super::component::text_name(schema(), "1.2.3=\\05,cn=É".as_bytes());
    assert_eq!(super::component::name(schema(), &content), expected);
    let latin = [0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x14, 1, 0xe9];
    assert_eq!(super::component::name(schema(), &latin), super::component::text_name(schema(), "cn=é".as_bytes()));
    assert!(super::component::name(schema(), &[0x30, 0]).is_err());
}

#[test]
fn decimal_numbers_become_the_shortest_octets() {
    let octets = |text: &str| super::component::integer_of_decimal(text.as_bytes()).unwrap();
    for (text, expected) in [
        ("0", &[0][..]),
        ("127", &[127]),
        ("128", &[0, 128]),
        ("256", &[1, 0]),
        ("-1", &[0xff]),
        ("-128", &[0x80]),
        ("-129", &[0xff, 0x7f]),
        ("007", &[7]),
        ("4428212463712221952144", &[0, 0xf0, 0x0d, 0xca, 0xfe, 0x12, 0x34, 0x56, 0x78, 0x90]),
    ] {
        assert_eq!(octets(text), expected, "{text}");
    }
}

#[test]
fn string_encoding_is_read_as_rfc_3641_says() {
    let text = |text: &str| Gser::Text(text.to_owned());
    assert_eq!(Gser::read(b" \"a\"\"b\" "), Some(text("a\"b")));
    assert_eq!(Gser::read(b"x:y:\"z\""), Some(Gser::Choice("x".into(), Box::new(Gser::Choice("y".into(), Box::new(text("z")))))));
    assert_eq!(
        Gser::read(b"{a 1,b{c,'0F'H}}"),
        Some(Gser::Braces(vec![
            (Some("a".into()), Gser::Word("1".into())),
            (Some("b".into()), Gser::Braces(vec![(None, Gser::Word("c".into())), (None, Gser::Octets(vec![15]))])),
        ]))
    );
    for bad in ["", "{", "{a", "{a 1", "{a 1,}", "\"a", "'0'", "'2'B", "'0G'H", "a b", ":", "{a:}"] {
        assert_eq!(Gser::read(bad.as_bytes()), None, "{bad}");
    }
}
