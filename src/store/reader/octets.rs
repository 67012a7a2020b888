//! Looking for groups among octets that need not be any.

use crate::journal::{GROUP_MAGIC, read_group, read_group_header};

/// An intact group behind a damaged one: how far behind, and its first sequence.
pub(super) fn find_group(rest: &[u8], expected: u64) -> Option<(usize, u64)> {
    memchr::memmem::find_iter(rest, &GROUP_MAGIC).find_map(|at| {
        let group = read_group(rest.get(at..)?).ok()?;
        (at > 0 && group.header.first > expected).then_some((at, group.header.first))
    })
}

/// Whether an intact group follows that was written when sequence `expected` was durable already.
pub(super) fn proves_durable(octets: &[u8], expected: u64) -> bool {
    let Some((first, _)) = GROUP_MAGIC.split_first() else { return false };
    let mut rest = octets;
    while let Some(at) = rest.iter().position(|octet| octet == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(&GROUP_MAGIC)
            && read_group_header(rest).is_some_and(|(header, _)| header.previous_durable >= expected)
        {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

pub(super) fn is_zero(octets: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    octets.chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk))
}

/// Octets up to the last that is not zero.
pub(super) fn used(octets: &[u8]) -> u64 {
    octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last as u64 + 1)
}
