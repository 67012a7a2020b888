//! Tests of the syntaxes: examples of RFC 4517 section 3.3, and their damaged neighbours.

use super::{SYNTAXES, Syntax};

fn syntax(description: &str) -> &'static Syntax {
    SYNTAXES.iter().find(|syntax| syntax.description == description).unwrap_or_else(|| panic!("{description} is not there"))
}

fn check(description: &str, good: &[&str], bad: &[&str]) {
    let syntax = syntax(description);
    for value in good {
        assert!((syntax.is_valid)(value.as_bytes()), "{description} should take {value}");
    }
    for value in bad {
        assert!(!(syntax.is_valid)(value.as_bytes()), "{description} should refuse {value}");
    }
}

#[test]
fn text() {
    check("Directory String", &["x", "Müller", " "], &[""]);
    assert!(!(syntax("Directory String").is_valid)(b"\xff"));
    check("IA5 String", &["", "a@b", "\t"], &["ü"]);
    check("Printable String", &["A(b)'+,-.=/:? 9"], &["", "a*b", "a@b", "ü", "a_b"]);
    check("Telephone Number", &["+1 512 315 0280", "+61 3 9896 7830"], &["", "1*2"]);
    check("Country String", &["US", "AU"], &["", "U", "USA", "U*"]);
    check("Numeric String", &["15 079 672 281", "0"], &["", "1-2"]);
    check("OID", &["1.2.3.4", "cn", "a-b"], &["", "1", "1..2", ".1", "a b", "-a", "1.2a"]);
}

#[test]
fn numbers_bits_and_times() {
    check("INTEGER", &["0", "1321", "-5", "99999999999999999999999"], &["", "-", "-0", "00", "+1", "1.0", " 1"]);
    check("Boolean", &["TRUE", "FALSE"], &["true", "True", "1", ""]);
    check("Bit String", &["'0101111101'B", "''B"], &["0101", "'012'B", "'01'b", "'01'", "'", "'B"]);
    check(
        "Generalized Time",
        &["199412161032Z", "199412160532-0500", "000001010000Z"],
        &["", "1994", "19941316103200Z", "19941216103200"],
    );
    check(
        "UTC Time",
        &["9412161032Z", "941216103200+0100", "9412161032"],
        &["", "9413161032Z", "94121610Z", "9412161032+1", "9412162532Z"],
    );
    check(
        "UUID",
        &["597ae2f6-16a6-1027-98f4-d28b5365dc14"],
        &["", "597ae2f616a6102798f4d28b5365dc14", "597ae2f6-16a6-1027-98f4-d28b5365dc1g"],
    );
    check(
        "Change Sequence Number",
        &["20261122101500.000001Z#000000#000#000000"],
        &["", "20261122101500Z#000000#000#000000", "20261122101500.000001Z#00000#000#000000", "20261122101500.000001Z"],
    );
}

#[test]
fn addresses() {
    check(
        "Postal Address",
        &["1234 Main St.$Anytown, CA 12345$USA", "\\241,000,000 Sweepstakes$PO Box 1000000", "a$$b"],
        &["", "a\\b", "a\\2"],
    );
    check("Delivery Method", &["telephone $ videotex", "any", "MHS$ia5"], &["", "pigeon", "mhs $"]);
    check("Facsimile Telephone Number", &["+61 3 9896 7801", "+81 3 347 7418$fineResolution"], &["", "1$x", "$a3Width"]);
    check("Telex Number", &["812374$ch$ehhg"], &["", "812374", "1$2", "1$2$3$4", "1$$3"]);
    check(
        "Teletex Terminal Identifier",
        &["id", "id$graphic:abc", "id$page:\\24x"],
        &["", "id$zork:1", "id$graphic", "id$misc:\\x"],
    );
    check("Other Mailbox", &["mhs$a@b", "x$"], &["", "mhs", "$x"]);
    check(
        "Enhanced Guide",
        &["person#(sn$EQ)#oneLevel", "person # sn$EQ & !(cn$SUBSTR|?true) # baseobject"],
        &["", "person#sn$EQ", "#sn$EQ#oneLevel", "person#sn#oneLevel"],
    );
    check("Guide", &["person#sn$EQ", "(sn$EQ)&(c$GE)"], &["", "(sn$EQ", "sn$ZORK", "person#"]);
    assert!(!(syntax("Guide").is_valid)("(".repeat(100_000).as_bytes()));
    assert!(!(syntax("Guide").is_valid)("!".repeat(100_000).as_bytes()));
}

#[test]
fn names() {
    check("DN", &["", "cn=a,o=b"], &["a", "cn=a,", "=a"]);
    check("Name And Optional UID", &["cn=a", "cn=a,o=b#'0101'B", "cn=a#b"], &["a#'01'B"]);
    check("RFC2307 NIS Netgroup Triple", &["(a,b,c)", "(,,)", "(-,-,example.org)"], &["", "(a,b)", "a,b,c", "(a,b,c,d)"]);
    check("RFC2307 Boot Parameter", &["root=server:/export/root"], &["", "root", "root=server", "=s:p", "root=:p"]);
}

#[test]
fn definitions() {
    check(
        "Attribute Type Description",
        &["( 2.5.4.3 NAME 'cn' SUP name )", "(1.2.3)"],
        &["", "2.5.4.3", "( cn )", "( 1.2.3 ZORK x )", "( 1.2.3"],
    );
    check(
        "Object Class Description",
        &["( 2.5.6.2 NAME 'country' SUP top STRUCTURAL MUST c MAY ( searchGuide $ description ) )"],
        &["", "( 1.2.3 MUST ( ) )"],
    );
    for description in [
        "Matching Rule Description",
        "Matching Rule Use Description",
        "Name Form Description",
        "DIT Content Rule Description",
        "LDAP Syntax Description",
    ] {
        check(description, &["( 1.2.3 NAME 'x' )"], &["", "( x )", "1.2.3", "( 1.2.3"]);
    }
    check("DIT Structure Rule Description", &["( 2 NAME 'x' FORM y )"], &["", "( x )", "( 1.2 )"]);
    check("Substring Assertion", &["*a*", "a*", "*b", "a*b*c", "a\\2Ab*"], &["", "*", "a", "a**b", "a\\*b*"]);
    check("Subtree Specification", &["{}", "{ base \"ou=a}\", minimum 1 }", "{ a {b} }"], &["", "{", "}{", "{}}", "{ \"}"]);
}

#[test]
fn octets() {
    assert!((syntax("Octet String").is_valid)(b"\xff"));
    assert!((syntax("JPEG").is_valid)(b"\xff\xd8\xff\xe0"));
    assert!(!(syntax("JPEG").is_valid)(b"GIF89a"));
}
