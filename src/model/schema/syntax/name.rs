//! Syntaxes built on names: DN, name and optional UID, and RFC 2307's netgroup triple and boot parameter.

use super::bits;
use crate::model::Dn;

pub(super) fn is_dn(value: &[u8]) -> bool {
    Dn::parse(value).is_ok()
}

/// RFC 4517 section 3.3.21.
pub(super) fn is_name_and_optional_uid(value: &[u8]) -> bool {
    is_dn(split_uid(value).0)
}

/// The name, and the bits of a unique identifier where one follows: `cn=x#'0101'B`.
pub fn split_uid(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    let split = value.iter().rposition(|&octet| octet == b'#').and_then(|place| {
        let (name, uid) = value.split_at_checked(place)?;
        Some((name, bits(uid.strip_prefix(b"#")?)?))
    });
    split.map_or((value, None), |(name, uid)| (name, Some(uid)))
}

/// `(host,user,domain)`, each possibly empty or `-` (RFC 2307 section 2.4).
pub(super) fn is_netgroup_triple(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")"));
    let is_part = |part: &[u8]| part.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-_.@ ".contains(octet));
    inner
        .is_some_and(|inner| inner.split(|&octet| octet == b',').count() == 3 && inner.split(|&octet| octet == b',').all(is_part))
}

/// `key=server:path` (RFC 2307 section 2.4).
pub(super) fn is_boot_parameter(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |&octet| octet == b'=');
    let (Some(key), Some(rest)) = (parts.next(), parts.next()) else { return false };
    let mut place = rest.splitn(2, |&octet| octet == b':');
    let filled = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty());
    value.is_ascii() && !key.is_empty() && filled(place.next()) && filled(place.next())
}
