//! Syntaxes of ways to reach someone: addresses, delivery methods, fax, telex, teletex, mailboxes.

use super::text::is_printable_string;

const DELIVERY_METHODS: [&str; 10] =
    ["any", "mhs", "physical", "telex", "teletex", "g3fax", "g4fax", "ia5", "videotex", "telephone"];
const FAX_PARAMETERS: [&str; 7] =
    ["twoDimensional", "fineResolution", "unlimitedLength", "b4Length", "a3Width", "b4Width", "uncompressed"];
const TELETEX_KEYS: [&str; 5] = ["graphic", "control", "misc", "page", "private"];

/// `mhs $ telephone` (RFC 4517 section 3.3.5).
pub(super) fn is_delivery_method(value: &[u8]) -> bool {
    value.split(|&octet| octet == b'$').all(|method| one_of(method.trim_ascii(), &DELIVERY_METHODS))
}

/// `+1 555 0100$fineResolution` (RFC 4517 section 3.3.11).
pub(super) fn is_facsimile_number(value: &[u8]) -> bool {
    let mut parts = value.split(|&octet| octet == b'$');
    parts.next().is_some_and(is_printable_string) && parts.all(|parameter| one_of(parameter, &FAX_PARAMETERS))
}

/// `number$country$answerback` (RFC 4517 section 3.3.33).
pub(super) fn is_telex_number(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|&octet| octet == b'$').collect();
    parts.len() == 3 && parts.iter().all(|part| is_printable_string(part))
}

/// `terminal$key:octets` (RFC 4517 section 3.3.32).
pub(super) fn is_teletex_identifier(value: &[u8]) -> bool {
    let mut parts = value.split(|&octet| octet == b'$');
    let is_parameter = |part: &[u8]| {
        let Some(colon) = part.iter().position(|&octet| octet == b':') else { return false };
        part.split_at_checked(colon).is_some_and(|(key, text)| one_of(key, &TELETEX_KEYS) && has_good_escapes(text))
    };
    parts.next().is_some_and(is_printable_string) && parts.all(is_parameter)
}

/// `kind$address` (RFC 4517 section 3.3.27).
pub(super) fn is_other_mailbox(value: &[u8]) -> bool {
    let Some(dollar) = value.iter().position(|&octet| octet == b'$') else { return false };
    value.split_at_checked(dollar).is_some_and(|(kind, address)| is_printable_string(kind) && address.is_ascii())
}

/// Lines of UTF-8 between dollar signs (RFC 4517 section 3.3.28). Empty lines are let through: forms in the field write them.
pub(super) fn is_postal_address(value: &[u8]) -> bool {
    !value.is_empty() && std::str::from_utf8(value).is_ok() && has_good_escapes(value)
}

/// A backslash starts `\24` ($) or `\5C` (\).
fn has_good_escapes(text: &[u8]) -> bool {
    text.split(|&octet| octet == b'\\').skip(1).all(|after| matches!(after.get(..2), Some(b"24" | b"5C" | b"5c")))
}

fn one_of(text: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(text))
}
