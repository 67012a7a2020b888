//! How attribute types, matching rules and controls are named: `oid` of RFC 4512 section 1.4.

/// `oid`: a `descr` or a `numericoid`.
pub(super) fn is_object_identifier(name: &[u8]) -> bool {
    is_descriptor(name) || is_numeric_identifier(name)
}

/// `descr`: a letter, then letters, digits and hyphens.
pub(super) fn is_descriptor(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic) && name.iter().all(|octet| is_key_character(*octet))
}

/// `numericoid`: two numbers or more with dots between them, none with a leading zero.
pub(super) fn is_numeric_identifier(name: &[u8]) -> bool {
    name.contains(&b'.')
        && name.split(|octet| *octet == b'.').all(|arc| match arc {
            [b'0'] => true,
            [first, ..] => *first != b'0' && arc.iter().all(u8::is_ascii_digit),
            [] => false,
        })
}

/// `attributedescription` (RFC 4512 section 2.5): a type and options behind semicolons.
pub(super) fn is_attribute_description(description: &[u8]) -> bool {
    let mut parts = description.split(|octet| *octet == b';');
    parts.next().is_some_and(is_object_identifier)
        && parts.all(|option| !option.is_empty() && option.iter().all(|octet| is_key_character(*octet)))
}

fn is_key_character(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-'
}
