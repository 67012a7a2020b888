//! All syntaxes the program knows: RFC 4517 section 3.3, certificates (RFC 4523), subtree specifications (RFC 3672), UUIDs (RFC 4530),
//! RFC 2307's two, the obsolete Binary and Audio ones that inetOrgPerson still names, OpenLDAP's change sequence numbers.

use super::super::x509;
use super::{Syntax, address, encoded, guide, name, text};

pub(in super::super) const ATTRIBUTE_TYPE: &str = "1.3.6.1.4.1.1466.115.121.1.3";
pub(in super::super) const BINARY: &str = "1.3.6.1.4.1.1466.115.121.1.5";
pub(in super::super) const BIT_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.6";
pub(in super::super) const BOOLEAN: &str = "1.3.6.1.4.1.1466.115.121.1.7";
pub(in super::super) const COUNTRY_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.11";
pub(in super::super) const DN: &str = "1.3.6.1.4.1.1466.115.121.1.12";
pub(in super::super) const DIRECTORY_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.15";
pub(in super::super) const DIT_CONTENT_RULE: &str = "1.3.6.1.4.1.1466.115.121.1.16";
pub(in super::super) const DIT_STRUCTURE_RULE: &str = "1.3.6.1.4.1.1466.115.121.1.17";
pub(in super::super) const FACSIMILE_NUMBER: &str = "1.3.6.1.4.1.1466.115.121.1.22";
pub(in super::super) const GENERALIZED_TIME: &str = "1.3.6.1.4.1.1466.115.121.1.24";
pub(in super::super) const IA5_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.26";
pub(in super::super) const INTEGER: &str = "1.3.6.1.4.1.1466.115.121.1.27";
pub(in super::super) const MATCHING_RULE: &str = "1.3.6.1.4.1.1466.115.121.1.30";
pub(in super::super) const MATCHING_RULE_USE: &str = "1.3.6.1.4.1.1466.115.121.1.31";
pub(in super::super) const NAME_AND_OPTIONAL_UID: &str = "1.3.6.1.4.1.1466.115.121.1.34";
pub(in super::super) const NAME_FORM: &str = "1.3.6.1.4.1.1466.115.121.1.35";
pub(in super::super) const NUMERIC_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.36";
pub(in super::super) const OBJECT_CLASS: &str = "1.3.6.1.4.1.1466.115.121.1.37";
pub(in super::super) const OID: &str = "1.3.6.1.4.1.1466.115.121.1.38";
pub(in super::super) const OCTET_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.40";
pub(in super::super) const POSTAL_ADDRESS: &str = "1.3.6.1.4.1.1466.115.121.1.41";
pub(in super::super) const PRINTABLE_STRING: &str = "1.3.6.1.4.1.1466.115.121.1.44";
pub(in super::super) const TELEPHONE_NUMBER: &str = "1.3.6.1.4.1.1466.115.121.1.50";
pub(in super::super) const LDAP_SYNTAX: &str = "1.3.6.1.4.1.1466.115.121.1.54";
pub(in super::super) const SUBSTRING_ASSERTION: &str = "1.3.6.1.4.1.1466.115.121.1.58";
pub(in super::super) const UUID: &str = "1.3.6.1.1.16.1";
pub(in super::super) const CERTIFICATE: &str = "1.3.6.1.4.1.1466.115.121.1.8";
pub(in super::super) const CERTIFICATE_LIST: &str = "1.3.6.1.4.1.1466.115.121.1.9";
pub(in super::super) const CERTIFICATE_PAIR: &str = "1.3.6.1.4.1.1466.115.121.1.10";
pub(in super::super) const SUPPORTED_ALGORITHM: &str = "1.3.6.1.4.1.1466.115.121.1.49";
pub(in super::super) const CERTIFICATE_EXACT_ASSERTION: &str = "1.3.6.1.1.15.1";
pub(in super::super) const CERTIFICATE_ASSERTION: &str = "1.3.6.1.1.15.2";
pub(in super::super) const CERTIFICATE_PAIR_EXACT_ASSERTION: &str = "1.3.6.1.1.15.3";
pub(in super::super) const CERTIFICATE_PAIR_ASSERTION: &str = "1.3.6.1.1.15.4";
pub(in super::super) const CERTIFICATE_LIST_EXACT_ASSERTION: &str = "1.3.6.1.1.15.5";
pub(in super::super) const CERTIFICATE_LIST_ASSERTION: &str = "1.3.6.1.1.15.6";
pub(in super::super) const ALGORITHM_IDENTIFIER: &str = "1.3.6.1.1.15.7";
pub(in super::super) const CSN: &str = "1.3.6.1.4.1.4203.666.11.2.1";

pub(super) static ANY_OCTETS: Syntax = octets(OCTET_STRING, "Octet String", |_| true);

/// In the order of their numbers, RFC 4517's first.
pub(in super::super) static SYNTAXES: [Syntax; 52] = [
    readable(ATTRIBUTE_TYPE, "Attribute Type Description", text::is_attribute_type_description),
    octets("1.3.6.1.4.1.1466.115.121.1.4", "Audio", |_| true),
    octets(BINARY, "Binary", |_| true),
    readable(BIT_STRING, "Bit String", encoded::is_bit_string),
    readable(BOOLEAN, "Boolean", encoded::is_boolean),
    certificate(CERTIFICATE, "Certificate", x509::certificate::is_certificate),
    certificate(CERTIFICATE_LIST, "Certificate List", x509::revocation_list::is_revocation_list),
    certificate(CERTIFICATE_PAIR, "Certificate Pair", x509::pair::is_pair),
    readable(COUNTRY_STRING, "Country String", text::is_country_string),
    readable(DN, "DN", name::is_dn),
    readable("1.3.6.1.4.1.1466.115.121.1.14", "Delivery Method", address::is_delivery_method),
    readable(DIRECTORY_STRING, "Directory String", text::is_directory_string),
    readable(DIT_CONTENT_RULE, "DIT Content Rule Description", text::is_description),
    readable(DIT_STRUCTURE_RULE, "DIT Structure Rule Description", text::is_structure_rule_description),
    readable("1.3.6.1.4.1.1466.115.121.1.21", "Enhanced Guide", guide::is_enhanced_guide),
    readable(FACSIMILE_NUMBER, "Facsimile Telephone Number", address::is_facsimile_number),
    octets("1.3.6.1.4.1.1466.115.121.1.23", "Fax", |_| true),
    readable(GENERALIZED_TIME, "Generalized Time", encoded::is_generalized_time),
    readable("1.3.6.1.4.1.1466.115.121.1.25", "Guide", guide::is_guide),
    readable(IA5_STRING, "IA5 String", <[u8]>::is_ascii),
    readable(INTEGER, "INTEGER", encoded::is_integer),
    octets("1.3.6.1.4.1.1466.115.121.1.28", "JPEG", |value| value.starts_with(&[0xff, 0xd8])),
    readable(MATCHING_RULE, "Matching Rule Description", text::is_description),
    readable(MATCHING_RULE_USE, "Matching Rule Use Description", text::is_description),
    readable(NAME_AND_OPTIONAL_UID, "Name And Optional UID", name::is_name_and_optional_uid),
    readable(NAME_FORM, "Name Form Description", text::is_description),
    readable(NUMERIC_STRING, "Numeric String", text::is_numeric_string),
    readable(OBJECT_CLASS, "Object Class Description", text::is_object_class_description),
    readable(OID, "OID", text::is_oid),
    readable("1.3.6.1.4.1.1466.115.121.1.39", "Other Mailbox", address::is_other_mailbox),
    octets(OCTET_STRING, "Octet String", |_| true),
    readable(POSTAL_ADDRESS, "Postal Address", address::is_postal_address),
    readable(PRINTABLE_STRING, "Printable String", text::is_printable_string),
    readable("1.3.6.1.4.1.1466.115.121.1.45", "Subtree Specification", text::is_subtree_specification),
    certificate(SUPPORTED_ALGORITHM, "Supported Algorithm", x509::pair::is_supported_algorithm),
    readable(TELEPHONE_NUMBER, "Telephone Number", text::is_printable_string),
    octets("1.3.6.1.4.1.1466.115.121.1.51", "Teletex Terminal Identifier", address::is_teletex_identifier),
    readable("1.3.6.1.4.1.1466.115.121.1.52", "Telex Number", address::is_telex_number),
    readable("1.3.6.1.4.1.1466.115.121.1.53", "UTC Time", encoded::is_utc_time),
    readable(LDAP_SYNTAX, "LDAP Syntax Description", text::is_description),
    readable(SUBSTRING_ASSERTION, "Substring Assertion", text::is_substring_assertion),
    readable(UUID, "UUID", encoded::is_uuid),
    readable(CERTIFICATE_EXACT_ASSERTION, "X.509 Certificate Exact Assertion", x509::is_assertion),
    readable(CERTIFICATE_ASSERTION, "X.509 Certificate Assertion", x509::is_assertion),
    readable(CERTIFICATE_PAIR_EXACT_ASSERTION, "X.509 Certificate Pair Exact Assertion", x509::is_assertion),
    readable(CERTIFICATE_PAIR_ASSERTION, "X.509 Certificate Pair Assertion", x509::is_assertion),
    readable(CERTIFICATE_LIST_EXACT_ASSERTION, "X.509 Certificate List Exact Assertion", x509::is_assertion),
    readable(CERTIFICATE_LIST_ASSERTION, "X.509 Certificate List Assertion", x509::is_assertion),
    readable(ALGORITHM_IDENTIFIER, "X.509 Algorithm Identifier", x509::is_assertion),
    readable("1.3.6.1.1.1.0.0", "RFC2307 NIS Netgroup Triple", name::is_netgroup_triple),
    readable("1.3.6.1.1.1.0.1", "RFC2307 Boot Parameter", name::is_boot_parameter),
    readable(CSN, "Change Sequence Number", encoded::is_change_sequence_number),
];

pub(super) const fn readable(oid: &'static str, description: &'static str, is_valid: fn(&[u8]) -> bool) -> Syntax {
    Syntax { oid, description, requires_binary: false, human_readable: true, is_valid }
}

pub(super) const fn octets(oid: &'static str, description: &'static str, is_valid: fn(&[u8]) -> bool) -> Syntax {
    Syntax { oid, description, requires_binary: false, human_readable: false, is_valid }
}

pub(super) const fn certificate(oid: &'static str, description: &'static str, is_valid: fn(&[u8]) -> bool) -> Syntax {
    Syntax { oid, description, requires_binary: true, human_readable: false, is_valid }
}
