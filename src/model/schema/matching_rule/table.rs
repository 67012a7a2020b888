//! All matching rules the program knows: RFC 4517 section 4.2, RFC 4523, RFC 4530, RFC 2307's IA5
//! substrings, OpenLDAP's change sequence numbers, and those that its schema files name.

use super::super::syntax::{
    ALGORITHM_IDENTIFIER, ATTRIBUTE_TYPE, AUTHENTICATION_PASSWORD, AUTHORIZATION, BIT_STRING, BOOLEAN, CERTIFICATE,
    CERTIFICATE_ASSERTION, CERTIFICATE_EXACT_ASSERTION, CERTIFICATE_LIST, CERTIFICATE_LIST_ASSERTION,
    CERTIFICATE_LIST_EXACT_ASSERTION, CERTIFICATE_PAIR, CERTIFICATE_PAIR_ASSERTION, CERTIFICATE_PAIR_EXACT_ASSERTION,
    COUNTRY_STRING, CSN, DIRECTORY_STRING, DIT_CONTENT_RULE, DIT_STRUCTURE_RULE, DN, FACSIMILE_NUMBER, GENERALIZED_TIME,
    IA5_STRING, INTEGER, LDAP_SYNTAX, MATCHING_RULE, MATCHING_RULE_USE, NAME_AND_OPTIONAL_UID, NAME_FORM, NUMERIC_STRING,
    OBJECT_CLASS, OCTET_STRING, OID, POSTAL_ADDRESS, PRESENTATION_ADDRESS, PRINTABLE_STRING, PROTOCOL_INFORMATION,
    SUBSTRING_ASSERTION, SUPPORTED_ALGORITHM, TELEPHONE_NUMBER, UUID,
};
use super::super::x509::{self, certificate, pair, revocation_list};
use super::{Holds, MatchingRule, Prepare, PreparePart, RuleKind};
use super::{list, number, octets, string, word};

pub(super) const DISTINGUISHED_NAME_MATCH: &str = "2.5.13.1";
pub(super) const UNIQUE_MEMBER_MATCH: &str = "2.5.13.23";

/// Syntaxes whose values caseIgnoreMatch, caseExactMatch and their relatives read as text.
const TEXT: &[&str] = &[DIRECTORY_STRING, PRINTABLE_STRING, COUNTRY_STRING, TELEPHONE_NUMBER, NUMERIC_STRING];
const DEFINITIONS: &[&str] =
    &[ATTRIBUTE_TYPE, OBJECT_CLASS, LDAP_SYNTAX, MATCHING_RULE, MATCHING_RULE_USE, NAME_FORM, DIT_CONTENT_RULE, OID];

/// Unordered but for reading: equality, ordering and substrings of each family side by side.
pub(in super::super) static RULES: [MatchingRule; 52] = [
    equality("2.5.13.0", "objectIdentifierMatch", OID, &[OID], octets::object_identifier),
    equality(DISTINGUISHED_NAME_MATCH, "distinguishedNameMatch", DN, &[DN], octets::distinguished_name),
    equality("2.5.13.2", "caseIgnoreMatch", DIRECTORY_STRING, TEXT, string::ignore),
    ordering("2.5.13.3", "caseIgnoreOrderingMatch", DIRECTORY_STRING, TEXT, string::ignore),
    substrings("2.5.13.4", "caseIgnoreSubstringsMatch", TEXT, string::ignore_substrings, string::ignore_part),
    equality("2.5.13.5", "caseExactMatch", DIRECTORY_STRING, TEXT, string::exact),
    ordering("2.5.13.6", "caseExactOrderingMatch", DIRECTORY_STRING, TEXT, string::exact),
    substrings("2.5.13.7", "caseExactSubstringsMatch", TEXT, string::exact_substrings, string::exact_part),
    equality("2.5.13.8", "numericStringMatch", NUMERIC_STRING, &[NUMERIC_STRING], string::numeric),
    ordering("2.5.13.9", "numericStringOrderingMatch", NUMERIC_STRING, &[NUMERIC_STRING], string::numeric),
    substrings("2.5.13.10", "numericStringSubstringsMatch", &[NUMERIC_STRING], string::numeric, string::numeric_part),
    equality("2.5.13.11", "caseIgnoreListMatch", POSTAL_ADDRESS, &[POSTAL_ADDRESS], list::lines),
    substrings("2.5.13.12", "caseIgnoreListSubstringsMatch", &[POSTAL_ADDRESS], list::lines_substrings, list::lines_part),
    equality("2.5.13.13", "booleanMatch", BOOLEAN, &[BOOLEAN], octets::boolean),
    equality("2.5.13.14", "integerMatch", INTEGER, &[INTEGER], number::integer),
    ordering("2.5.13.15", "integerOrderingMatch", INTEGER, &[INTEGER], number::integer),
    equality("2.5.13.16", "bitStringMatch", BIT_STRING, &[BIT_STRING], octets::bits),
    equality("2.5.13.17", "octetStringMatch", OCTET_STRING, &[OCTET_STRING], octets::octets),
    ordering("2.5.13.18", "octetStringOrderingMatch", OCTET_STRING, &[OCTET_STRING], octets::octets),
    substrings("2.5.13.19", "octetStringSubstringsMatch", &[OCTET_STRING], octets::octets, octets::part),
    equality("2.5.13.20", "telephoneNumberMatch", TELEPHONE_NUMBER, &[TELEPHONE_NUMBER, FACSIMILE_NUMBER], string::telephone),
    substrings("2.5.13.21", "telephoneNumberSubstringsMatch", &[TELEPHONE_NUMBER], string::telephone, string::telephone_part),
    equality(UNIQUE_MEMBER_MATCH, "uniqueMemberMatch", NAME_AND_OPTIONAL_UID, &[NAME_AND_OPTIONAL_UID], octets::name_and_uid),
    equality("2.5.13.22", "presentationAddressMatch", PRESENTATION_ADDRESS, &[PRESENTATION_ADDRESS], octets::octets),
    equality("2.5.13.24", "protocolInformationMatch", PROTOCOL_INFORMATION, &[PROTOCOL_INFORMATION], octets::octets),
    equality("2.5.13.27", "generalizedTimeMatch", GENERALIZED_TIME, &[GENERALIZED_TIME], number::generalized_time),
    ordering("2.5.13.28", "generalizedTimeOrderingMatch", GENERALIZED_TIME, &[GENERALIZED_TIME], number::generalized_time),
    assertion(
        "2.5.13.29",
        "integerFirstComponentMatch",
        INTEGER,
        &[DIT_STRUCTURE_RULE],
        (number::integer_first_component, number::integer),
    ),
    assertion(
        "2.5.13.30",
        "objectIdentifierFirstComponentMatch",
        OID,
        DEFINITIONS,
        (octets::object_identifier_first_component, octets::object_identifier),
    ),
    assertion(
        "2.5.13.31",
        "directoryStringFirstComponentMatch",
        DIRECTORY_STRING,
        &[],
        (octets::string_first_component, string::ignore),
    ),
    extensible("2.5.13.32", "wordMatch", DIRECTORY_STRING, &[DIRECTORY_STRING], (word::words, word::word), word::is_one_of),
    extensible(
        "2.5.13.33",
        "keywordMatch",
        DIRECTORY_STRING,
        &[DIRECTORY_STRING],
        (word::keywords, string::ignore),
        word::is_one_of,
    ),
    assertion(
        "2.5.13.34",
        "certificateExactMatch",
        CERTIFICATE_EXACT_ASSERTION,
        &[CERTIFICATE],
        (certificate::exact, certificate::exact_assertion),
    ),
    extensible(
        "2.5.13.35",
        "certificateMatch",
        CERTIFICATE_ASSERTION,
        &[CERTIFICATE],
        (certificate::components, certificate::assertion),
        x509::holds,
    ),
    // Half a pair can be asserted.
    MatchingRule {
        holds: Some(x509::holds),
        ..assertion(
            "2.5.13.36",
            "certificatePairExactMatch",
            CERTIFICATE_PAIR_EXACT_ASSERTION,
            &[CERTIFICATE_PAIR],
            (pair::exact, pair::exact_assertion),
        )
    },
    extensible(
        "2.5.13.37",
        "certificatePairMatch",
        CERTIFICATE_PAIR_ASSERTION,
        &[CERTIFICATE_PAIR],
        (pair::components, pair::assertion),
        x509::holds,
    ),
    assertion(
        "2.5.13.38",
        "certificateListExactMatch",
        CERTIFICATE_LIST_EXACT_ASSERTION,
        &[CERTIFICATE_LIST],
        (revocation_list::exact, revocation_list::exact_assertion),
    ),
    extensible(
        "2.5.13.39",
        "certificateListMatch",
        CERTIFICATE_LIST_ASSERTION,
        &[CERTIFICATE_LIST],
        (revocation_list::components, revocation_list::assertion),
        x509::holds,
    ),
    assertion(
        "2.5.13.40",
        "algorithmIdentifierMatch",
        ALGORITHM_IDENTIFIER,
        &[SUPPORTED_ALGORITHM],
        (pair::algorithm, pair::algorithm_assertion),
    ),
    equality("1.3.6.1.4.1.1466.109.114.1", "caseExactIA5Match", IA5_STRING, &[IA5_STRING], string::exact_ia5),
    equality("1.3.6.1.4.1.1466.109.114.2", "caseIgnoreIA5Match", IA5_STRING, &[IA5_STRING], string::ignore_ia5),
    substrings(
        "1.3.6.1.4.1.1466.109.114.3",
        "caseIgnoreIA5SubstringsMatch",
        &[IA5_STRING],
        string::ignore_ia5_substrings,
        string::ignore_ia5_part,
    ),
    substrings(
        "1.3.6.1.4.1.4203.1.2.1",
        "caseExactIA5SubstringsMatch",
        &[IA5_STRING],
        string::exact_ia5_substrings,
        string::exact_ia5_part,
    ),
    extensible(
        "1.2.840.113556.1.4.803",
        "integerBitAndMatch",
        INTEGER,
        &[INTEGER],
        (number::bits, number::bits),
        number::has_all_bits,
    ),
    extensible(
        "1.2.840.113556.1.4.804",
        "integerBitOrMatch",
        INTEGER,
        &[INTEGER],
        (number::bits, number::bits),
        number::has_any_bit,
    ),
    // Follows memberships (Microsoft's LDAP_MATCHING_RULE_IN_CHAIN): what it finds is not in one value, the directory answers it.
    equality("1.2.840.113556.1.4.1941", "inChainMatch", DN, &[DN, NAME_AND_OPTIONAL_UID], octets::distinguished_name),
    equality("1.3.6.1.4.1.4203.666.4.12", "authzMatch", AUTHORIZATION, &[AUTHORIZATION], octets::octets),
    equality(
        "1.3.6.1.4.1.4203.1.2.2",
        "authPasswordExactMatch",
        AUTHENTICATION_PASSWORD,
        &[AUTHENTICATION_PASSWORD],
        octets::octets,
    ),
    equality("1.3.6.1.1.16.2", "uuidMatch", UUID, &[UUID], octets::uuid),
    ordering("1.3.6.1.1.16.3", "uuidOrderingMatch", UUID, &[UUID], octets::uuid),
    equality("1.3.6.1.4.1.4203.666.11.2.2", "CSNMatch", CSN, &[CSN], octets::change_sequence_number),
    ordering("1.3.6.1.4.1.4203.666.11.2.3", "CSNOrderingMatch", CSN, &[CSN], octets::change_sequence_number),
];

/// The rule for values of types that nobody defined, in names: caseIgnoreMatch.
static UNDEFINED_TYPE: MatchingRule = equality("2.5.13.2", "caseIgnoreMatch", DIRECTORY_STRING, TEXT, string::ignore);

pub(in super::super) fn undefined_type_rule() -> &'static MatchingRule {
    &UNDEFINED_TYPE
}

const fn equality(
    oid: &'static str,
    name: &'static str,
    syntax: &'static str,
    value_syntaxes: &'static [&'static str],
    prepare: Prepare,
) -> MatchingRule {
    MatchingRule {
        oid,
        name,
        assertion_syntax: syntax,
        kind: RuleKind::Equality,
        value_syntaxes,
        prepare,
        prepare_assertion: prepare,
        prepare_part: None,
        holds: None,
    }
}

const fn ordering(
    oid: &'static str,
    name: &'static str,
    syntax: &'static str,
    value_syntaxes: &'static [&'static str],
    prepare: Prepare,
) -> MatchingRule {
    MatchingRule { kind: RuleKind::Ordering, ..equality(oid, name, syntax, value_syntaxes, prepare) }
}

const fn substrings(
    oid: &'static str,
    name: &'static str,
    value_syntaxes: &'static [&'static str],
    prepare: Prepare,
    part: PreparePart,
) -> MatchingRule {
    MatchingRule {
        kind: RuleKind::Substring,
        prepare_part: Some(part),
        ..equality(oid, name, SUBSTRING_ASSERTION, value_syntaxes, prepare)
    }
}

/// An equality rule whose assertions are of another syntax than values. `prepare`: that of values and that of assertions.
const fn assertion(
    oid: &'static str,
    name: &'static str,
    syntax: &'static str,
    value_syntaxes: &'static [&'static str],
    prepare: (Prepare, Prepare),
) -> MatchingRule {
    MatchingRule { prepare_assertion: prepare.1, ..equality(oid, name, syntax, value_syntaxes, prepare.0) }
}

/// See [`assertion`].
const fn extensible(
    oid: &'static str,
    name: &'static str,
    syntax: &'static str,
    value_syntaxes: &'static [&'static str],
    prepare: (Prepare, Prepare),
    holds: Holds,
) -> MatchingRule {
    MatchingRule { kind: RuleKind::Extensible, holds: Some(holds), ..assertion(oid, name, syntax, value_syntaxes, prepare) }
}
