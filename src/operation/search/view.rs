//! Virtual list views (draft-ietf-ldapext-ldapv3-vlv-09): which part of the sorted entries is sent.

use std::ops::Range;

use super::sort::Sorted;
use crate::directory::Directory;
use crate::operation::control::{ViewRequest, ViewResult, ViewTarget};

/// The part of the list that is asked for, or none where the offset is out of range, and what the response says of it.
pub(super) fn window(directory: &Directory, sorted: &Sorted, asked: &ViewRequest) -> (Option<Range<usize>>, ViewResult) {
    let count = sorted.len();
    let position = match &asked.target {
        ViewTarget::Offset { offset, count: clients } => by_offset(to_usize(*offset), to_usize(*clients), count),
        ViewTarget::Value(value) => Some(sorted.before_value(directory, value).map_or(count, |before| before) + 1),
    };
    let Some(position) = position else {
        return (None, ViewResult { position: 0, count, code: ViewResult::RANGE, context: None });
    };
    let target = position.saturating_sub(1);
    let from = target.saturating_sub(to_usize(asked.before));
    let to = target.saturating_add(to_usize(asked.after)).saturating_add(1).min(count);
    (Some(from..to.max(from)), ViewResult { position, count, code: 0, context: None })
}

/// The position (from 1) of the target in a list of `count` entries that the client takes to have `clients` of them; 0 means it does not
/// know. None: out of range. As slapd reckons.
fn by_offset(offset: usize, clients: usize, count: usize) -> Option<usize> {
    if count == 0 {
        return Some(0);
    }
    match clients {
        _ if offset == clients => Some(count),
        0 => Some(offset).filter(|&offset| offset <= count),
        _ if offset > clients => None,
        _ if clients == count => Some(offset.max(1)),
        // Both below 2^31: the product fits.
        _ => Some((count.saturating_mul(offset) / clients).max(1)),
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::by_offset;

    #[test]
    fn offsets_are_scaled_to_the_list_as_slapd_does() {
        for (offset, clients, expected) in [
            (1, 0, Some(1)),
            (4, 4, Some(4)),
            (8, 8, Some(4)),
            (4, 8, Some(2)),
            (3, 8, Some(1)),
            (7, 8, Some(3)),
            (1, 8, Some(1)),
            (9, 8, None),
            (5, 0, None),
            (0, 0, Some(4)),
            (0, 4, Some(1)),
            (1, 1, Some(4)),
            (3, 2, None),
            (2, 4, Some(2)),
            (1_000_000_000, 2_000_000_000, Some(2)),
        ] {
            assert_eq!(by_offset(offset, clients, 4), expected, "{offset} of {clients}");
        }
        assert_eq!(by_offset(1, 0, 0), Some(0));
    }
}
